"""Runs that are over, or were left: to look at as at a live one, and to go on from."""

from dataclasses import replace

import numpy as np
from torch import Tensor

from gumbel_core.checks import check_whole
from gumbel_core.datasets import DATASETS
from gumbel_core.vae.live import LOSSES, Phase, Snapshot
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.records import EpochSummary
from gumbel_core.vae.settings import EPOCHS
from gumbel_core.vae.training import TrainingState
from gumbel_core.vae.views import frame_of


def snapshot_of(state: TrainingState, model: CategoricalVAE, images: Tensor) -> Snapshot:
    """A kept run as its last watcher saw it: a point an epoch, and what the model makes of images (B, D)."""
    history = state.history
    temperature = history[-1].temperature if history else 1.0
    return Snapshot(
        phase=Phase.DONE if len(history) == state.config.epochs else Phase.STOPPED,
        place=0,
        message="",
        step=state.step,
        steps=_epoch_steps(state) * state.config.epochs,
        seconds_left=None,
        record=None,
        losses=np.array([_row(epoch) for epoch in history]).reshape(-1, len(LOSSES)),
        epochs=tuple(history),
        frames=(frame_of(model, images, step=state.step, temperature=temperature),),
    )


def longer(state: TrainingState, epochs: int) -> TrainingState:
    """The same run with its end at another epoch: its schedules are stretched, and it stands in their middle.

    Raises ValueError where the run has come so far already.
    """
    check_whole("The number of epochs", epochs, EPOCHS)
    if epochs <= len(state.history):
        raise ValueError(
            f"This run has {len(state.history)} epochs behind it: it can only go on to a later one than that."
        )
    return replace(state, config=replace(state.config, epochs=epochs))


def _epoch_steps(state: TrainingState) -> int:
    """As its history says; before its first line, as the data set's size does."""
    if state.history:
        return state.history[0].step
    return DATASETS[state.config.dataset].train // state.config.batch


def _row(epoch: EpochSummary) -> tuple[float, ...]:
    """The columns of `live.LOSSES`: means over the epoch."""
    return (
        epoch.step,
        epoch.relaxed.reconstruction,
        epoch.hard.reconstruction if epoch.hard else np.nan,
        epoch.relaxed.kl,
        epoch.temperature,
        np.nan,
        epoch.images_per_second,
    )
