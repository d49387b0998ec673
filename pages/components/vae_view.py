"""A run in words and numbers, for the training page: what its snapshot says."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from gumbel_core.datasets import DATASETS
from gumbel_core.figures.vae import Losses
from gumbel_core.runs import Earlier
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LOSSES, Phase, Snapshot
from gumbel_core.vae.recipes import PUBLISHED
from gumbel_core.vae.settings import Setting, changes, setting_of

ORDINALS = {1: "first", 2: "second", 3: "third"}


def losses_of(snapshot: Snapshot) -> Losses:
    """A snapshot's curves."""
    column = dict(zip(LOSSES, snapshot.losses.T, strict=True))
    names = ("step", "reconstruction", "hard_reconstruction", "kl", "temperature")
    return Losses(
        **{name: column[name] for name in names},
        test_step=[epoch.step for epoch in snapshot.epochs],
        test=[epoch.test.total for epoch in snapshot.epochs],
    )


def comparable(earlier: Iterable[Earlier], config: TrainConfig) -> dict[str, Losses]:
    """Earlier runs whose losses are of the same pixels."""
    return {
        f"{run.number}. {run.title}": losses_of(run.snapshot)
        for run in earlier
        if (run.config.dataset, run.config.pixels) == (config.dataset, config.pixels)
    }


def published(config: TrainConfig) -> dict[str, tuple[list[int], list[float]]]:
    """What a tutorial prints of its test loss, by step, where the run is the tutorial's."""
    epoch_steps = DATASETS["mnist"].train // config.batch
    return {
        f"the {recipe}'s": ([epoch * epoch_steps for epoch in said.epochs], list(said.test))
        for recipe, said in PUBLISHED.items()
        if replace(config, seed=0) == replace(setting_of(recipe, "mnist").config(), seed=0)
    }


def title_of(setting: Setting) -> str:
    """A run's name among the earlier ones: its recipe, and what it changes of it."""
    told = [f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in changes(setting).items()]  # fmt: skip
    return ", ".join([f"{setting.recipe} on {setting.dataset}", *told])


def progress(snapshot: Snapshot, config: TrainConfig, at_once: int) -> str:
    """Where a run stands, in a sentence."""
    step = f"step {snapshot.step:,} of {snapshot.steps:,}"
    match snapshot.phase:
        case Phase.QUEUED:
            return in_line("This one", snapshot.place, at_once)
        case Phase.PREPARING:
            return "Reading the images."
        case Phase.TRAINING:
            epoch = min(len(snapshot.epochs) + 1, config.epochs)
            return f"Epoch {epoch} of {config.epochs}, {step}{_time_left(snapshot)}{_speed(snapshot)}"
        case Phase.PAUSED:
            return f"Paused at {step}."
        case Phase.STOPPED | Phase.ABANDONED if not snapshot.steps:
            return "It ended before it began."
        case Phase.STOPPED:
            return f"Stopped at {step}. What it has learned is kept."
        case Phase.ABANDONED:
            return f"Ended at {step}, because nobody watched it any more. What it has learned is kept."
        case Phase.FAILED:
            return snapshot.message
        case Phase.DONE:
            return f"Done: {snapshot.steps:,} steps."


def in_line(what: str, place: int, at_once: int) -> str:
    """Where somebody waits, of whom `at_once` train."""
    many = "One run trains" if at_once == 1 else f"{at_once} runs train"
    return f"{many} here at a time. {what} is {ORDINALS.get(place, f'number {place}')} in the line."


def _time_left(snapshot: Snapshot) -> str:
    if snapshot.seconds_left is None:
        return ""
    minutes, seconds = divmod(round(snapshot.seconds_left), 60)
    return f", {minutes} min {seconds} s left" if minutes else f", {seconds} s left"


def _speed(snapshot: Snapshot) -> str:
    """Images a second over the last tenth of the curve, at two digits: it is not worth more."""
    speeds = snapshot.losses[-max(1, len(snapshot.losses) // 10) :, LOSSES.index("images_per_second")]
    if not len(speeds):
        return "."
    return f". {float(f'{speeds.mean():.2g}'):,.0f} images a second."


def losses_alt(snapshot: Snapshot) -> str:
    """What the main picture shows now."""
    curves = losses_of(snapshot)
    if not len(curves.step):
        return "Loss against steps: nothing yet. Losses, in nats an image, stand above the temperature."
    hard = curves.hard_total[-1]
    test = f", test after epoch {len(snapshot.epochs)}: {curves.test[-1]:.1f}" if curves.test else ""
    return (
        f"Losses in nats an image against steps, above the temperature. At step {curves.step[-1]:,.0f}: "
        f"relaxed {curves.relaxed_total[-1]:.1f}"
        + ("" if np.isnan(hard) else f", hard {hard:.1f}")
        + f"{test}, temperature {curves.temperature[-1]:.3g}."
    )
