"""Studies by the means of their places: what the tests of a study's sentences and equation stand in."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gumbel_core.studies.grid import RunKey, Study
from gumbel_core.studies.results import Results, Run
from pages.components.studies_choice import Place
from tests.unit.small_studies import diverged, epoch, results_of

SOFT, HARD = "gumbel_softmax", "reinmax"
# Around each mean, a little per seed: the seeds tell apart what differs by more.
WIGGLES = (-0.02, 0.01, 0.0, 0.02, -0.01)
# (estimator, tau) -> relaxed, hard and test loss
Means = Mapping[tuple[str | None, float], tuple[float, float, float]]
APART: Means = {
    (SOFT, 0.1): (26.0, 26.2, 25.6),
    (SOFT, 1.0): (24.0, 26.1, 27.4),
    (SOFT, 5.0): (20.8, 28.6, 72.5),
    (HARD, 0.1): (26.5, 26.5, 25.9),
    (HARD, 1.0): (25.0, 25.0, 25.5),
    (HARD, 5.0): (27.1, 27.1, 26.8),
}


def made(means: Means, seeds: int = 5, recipe: str = "small") -> Results:
    """A study whose cells have exactly these means, over one seed or five."""
    estimators = tuple(dict.fromkeys(name for name, _ in means if name))
    taus = tuple(dict.fromkeys(tau for _, tau in means))
    study = Study("made", recipes=(recipe,), estimators=estimators, temperatures=taus, seeds=seeds, epochs=1)
    runs = []
    for key in study.keys:
        wiggle = wiggle_of(key) if seeds == 5 else 0.0
        relaxed, hard, test = (loss + wiggle for loss in means[key.estimator, key.temperature or 0])
        soft = key.estimator != HARD
        losses = (relaxed - wiggle / 2, hard, test) if soft else (relaxed, None, test)
        runs.append(Run(key, (epoch(1, *losses),), diverged=False))
    return results_of(study, runs)


def wiggle_of(key: RunKey) -> float:
    """Each cell has an order of its own, so that differences wiggle, too."""
    return WIGGLES[(key.seed + round(10 * (key.temperature or 0)) + 2 * (key.estimator == HARD)) % 5]


def at(results: Results, estimator: str | None = SOFT, tau: float = 1.0, tested: bool = False) -> Place:
    return Place(results.study, estimator, tau, tested)


def without(results: Results, *places: tuple[str | None, float], seeds: Sequence[int] = range(5)) -> Results:
    """The runs there have diverged, of these seeds."""
    runs = [
        diverged(run.key)
        if (run.key.estimator, run.key.temperature) in places and run.key.seed in seeds
        else run
        for run in results.runs
    ]
    return replace(results, runs=tuple(runs))


def moved(name: str, at_low: Sequence[float], at_high: Sequence[float | None]) -> Results:
    """One estimator at two temperatures, by its hard losses seed by seed; None has diverged."""
    study = Study("made", estimators=(name,), temperatures=(0.1, 1.0), seeds=len(at_low), epochs=1)
    runs = []
    for key in study.keys:
        loss = (at_low if key.temperature == 0.1 else at_high)[key.seed]
        runs.append(diverged(key) if loss is None else _run(key, loss))
    return results_of(study, runs)


def _run(key: RunKey, hard: float) -> Run:
    losses = (hard, None, hard) if key.estimator == HARD else (hard - 1, hard, hard)
    return Run(key, (epoch(1, *losses),), diverged=False)
