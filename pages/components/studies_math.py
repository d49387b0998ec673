"""A study in numbers: the gap as an equation, what the pictures show in words, the code behind them."""

from dataclasses import replace

from gumbel_core.figures.studies import Curve, Line
from gumbel_core.studies.findings import GAP, HARD, RELAXED, TEST, interval, mean_of
from gumbel_core.studies.results import Results, Run
from gumbel_core.vae.recipes import RECIPES
from pages.components.studies_choice import Place, estimators


def loss_lines(place: Place, results: Results) -> list[Line]:
    """The other estimators' hard losses, and over them the chosen one's relaxed and hard loss."""
    taus, hard = place.study.temperatures, "test" if place.tested else "hard"
    lines = [
        Line(title, taus, results.values(place.hard, name), "beside")
        for title, name in estimators(place.study).items()
        if name != place.estimator
    ]
    # The relaxed loss is of the images that train.
    if place.relaxed and not place.tested:
        relaxed = results.values(RELAXED, place.estimator)
        lines.append(Line(f"{place.title}, relaxed", taus, relaxed, "relaxed"))
    return [*lines, Line(f"{place.title}, {hard}", taus, results.values(place.hard, place.estimator), "hard")]


def gap_line(place: Place, results: Results) -> Line:
    gaps = results.values(GAP, place.estimator)
    return Line(place.title, place.study.temperatures, gaps, "hard")


def learning_curves(place: Place, results: Results) -> list[Curve]:
    """Of each run of the place, one that diverged included."""
    there = (place.study.recipes[0], place.estimator, place.tau)
    runs = [run for run in results.runs if (run.key.recipe, run.key.estimator, run.key.temperature) == there]
    return [curve for run in runs for curve in _curves(run, place.relaxed)]


def _curves(run: Run, relaxed: bool) -> list[Curve]:
    title, epochs = f"seed {run.key.seed}", [epoch.epoch for epoch in run.history]
    # What a hard estimator descends is the hard loss already.
    descended = [epoch.relaxed.total for epoch in run.history]
    curves = [Curve(title, epochs, descended, "relaxed" if relaxed else "hard")]
    hard = [(epoch.epoch, epoch.hard.total) for epoch in run.history if epoch.hard]
    if relaxed and hard:
        curves.append(Curve(title, [at for at, _ in hard], [loss for _, loss in hard], "hard"))
    return [*curves, Curve(title, epochs, [epoch.test.total for epoch in run.history], "test")]


def gap_equation(place: Place, results: Results) -> str:
    """The gap at the chosen temperature with its numbers, as LaTeX; "" where no run has come to its end."""
    runs = results.cell(place.estimator, place.tau)
    if not runs:
        return ""
    hard, relaxed = mean_of(runs, HARD), mean_of(runs, RELAXED)
    gap = interval([run.gap for run in runs])
    # Each is rounded by itself: they may fail to add up in the last digit.
    equals = "=" if f"{round(hard, 2) - round(relaxed, 2):.2f}" == f"{gap.mean:.2f}" else r"\approx"
    width = rf" \pm {gap.half_width:.2f}" if gap.seeds > 1 and gap.half_width else ""
    # In short rows, for a phone.
    return (
        r"\begin{gathered}"
        rf"\mathrm{{gap}}(\tau = {place.tau:g}) = "
        r"\mathbb{E}\,[\mathcal{L}(z^{\mathrm{hard}})] - \mathbb{E}\,[\mathcal{L}(z^\tau)] \\"
        rf"\underbrace{{{hard:.2f}}}_{{\text{{hard}}}} - "
        rf"\underbrace{{{relaxed:.2f}}}_{{\text{{relaxed}}}} "
        rf"{equals} {gap.mean:.2f}{width}\ \text{{nats}} \\"
        r"\text{over the last epoch}"
        r"\end{gathered}"
    )


def losses_alt(place: Place, results: Results) -> str:
    """What the main picture shows now."""
    words = f"The {place.loss}, in nats an image, against tau, on a logarithmic axis"
    means = []
    for title, name in estimators(place.study).items():
        if runs := results.cell(name, place.tau):
            means.append(f"{title} {mean_of(runs, place.hard):.2f}")
    if not means:
        return f"{words}: no run at tau {place.tau:g} has come to its end."
    relaxed = ""
    if place.relaxed and not place.tested and (runs := results.cell(place.estimator, place.tau)):
        relaxed = f" The relaxed loss of {place.title} there: {mean_of(runs, RELAXED):.2f}."
    return f"{words}. At tau {place.tau:g}: {', '.join(means)}.{relaxed}"


def gap_alt(place: Place, results: Results) -> str:
    runs = results.cell(place.estimator, place.tau)
    now = f"{mean_of(runs, GAP):.2f} nats" if runs else "no run has come to its end"
    return (
        f"The gap between hard and relaxed loss of {place.title} in the last epoch, against tau. At tau "
        f"{place.tau:g}: {now}."
    )


def curves_alt(place: Place, results: Results) -> str:
    runs = results.cell(place.estimator, place.tau)
    ends = f"{mean_of(runs, TEST):.2f} nats" if runs else "nothing yet"
    return (
        f"Losses against epochs of {len(runs)} runs of {place.title} at tau {place.tau:g}. On the test set "
        f"they end at {ends}."
    )


def snippet(place: Place) -> str:
    """The runs of the chosen place, headless: it prints the two numbers of the main picture."""
    study = place.study
    first = replace(study, recipes=study.recipes[:1])
    arguments = ", ".join(f"{name}={value!r}" for name, value in vars(first).items())
    at, loss = (place.estimator, place.tau), "test" if place.tested else "hard"
    pixels = RECIPES[study.recipes[0]].config.pixels
    return f"""from statistics import fmean

import torch

from gumbel_core.datasets import load, with_pixels
from gumbel_core.studies.grid import Study, config_of
from gumbel_core.studies.results import Run
from gumbel_core.vae.training import Training, TrainingDivergedError

torch.set_num_threads(1)
study = Study({arguments})
dataset = with_pixels(load(study.dataset, download=True), "{pixels}")
runs = []
for key in study.keys:
    if (key.estimator, key.temperature) != {at!r}:
        continue  # without these two lines: the whole study
    training = Training(config_of(study, key), dataset)
    try:
        for record in training.records():
            pass
    except TrainingDivergedError:
        continue  # no part in a mean
    runs.append(Run(key, tuple(training.history), diverged=False))
print(f"relaxed: {{fmean(run.relaxed for run in runs):.2f}} nats")
print(f"hard:    {{fmean(run.{loss} for run in runs):.2f}} nats")
"""
