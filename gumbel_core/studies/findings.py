"""What a study's numbers bear: places of its grid against each other, over the seeds that they share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt
from operator import attrgetter
from statistics import fmean, stdev

from scipy.stats import t as student

from gumbel_core.estimators import ESTIMATORS
from gumbel_core.studies.results import Results, Run

# The share of intervals that may miss, and of findings that may be chance.
CHANCE = 0.05

# A number of a run.
Loss = Callable[[Run], float]
RELAXED: Loss = attrgetter("relaxed")
HARD: Loss = attrgetter("hard")
GAP: Loss = attrgetter("gap")
TEST: Loss = attrgetter("test")


@dataclass(frozen=True)
class Interval:
    """A mean over seeds, and what the seeds say of it."""

    mean: float
    error: float  # the standard error; infinite where one seed is all there is
    seeds: int

    @property
    def half_width(self) -> float:
        """Half of Student's 95 % interval."""
        return self._reach(1)

    def is_told(self, among: int = 1) -> bool:
        """Whether the seeds tell the mean from 0.

        among: how many such things are said at once; they share the chance to be wrong (Bonferroni)
        """
        return abs(self.mean) > self._reach(among)

    def _reach(self, among: int) -> float:
        if self.seeds < 2:
            return inf
        return float(student.ppf(1 - CHANCE / among / 2, self.seeds - 1)) * self.error


@dataclass(frozen=True)
class Comparison:
    """Two places over the seeds that both have: the mean of each, and that of first minus second."""

    first: float
    second: float
    apart: Interval


@dataclass(frozen=True)
class Cell:
    """A place of the grid with its runs, a seed each."""

    estimator: str | None
    temperature: float
    runs: Sequence[Run]


def mean_of(runs: Sequence[Run], of: Loss) -> float:
    """Of at least one run."""
    return fmean(map(of, runs))


def interval(values: Sequence[float]) -> Interval:
    """Of at least one value."""
    error = stdev(values) / sqrt(len(values)) if len(values) > 1 else inf
    return Interval(fmean(values), error, len(values))


def compare(first: Sequence[Run], second: Sequence[Run], of: Loss) -> Comparison | None:
    """Pairs of runs, a seed each. None where no seed has both."""
    others = {run.key.seed: of(run) for run in second}
    pairs = [(of(run), others[run.key.seed]) for run in first if run.key.seed in others]
    if not pairs:
        return None
    ones, twos = zip(*pairs, strict=True)
    return Comparison(fmean(ones), fmean(twos), interval([one - two for one, two in pairs]))


def is_tempered(estimator: str | None) -> bool:
    """Whether it reads the temperature. A study's None, every recipe's own way, does."""
    return estimator is None or ESTIMATORS[estimator].tempered


def ranked(results: Results, of: Loss) -> list[Cell]:
    """The places by their means, the lowest first, over the seeds that all of them have.

    A place that lost a seed to divergence is none of them: what is left of it are the easy seeds. What reads
    no temperature is one place.
    """
    cells = [cell for cell in _cells(results) if cell.runs and not _lost(results, cell)]
    seeds = set.intersection(*({run.key.seed for run in cell.runs} for cell in cells)) if cells else set()
    shared = [
        replace(cell, runs=[run for run in cell.runs if run.key.seed in seeds]) for cell in cells if seeds
    ]
    return sorted(shared, key=lambda cell: mean_of(cell.runs, of))


def _cells(results: Results) -> list[Cell]:
    study = results.study
    return [
        Cell(estimator, float(tau), results.cell(estimator, tau))
        for estimator in study.estimators or (None,)
        for tau in (study.temperatures if is_tempered(estimator) else study.temperatures[:1])
    ]


def _lost(results: Results, cell: Cell) -> bool:
    place = (results.study.recipes[0], cell.estimator, cell.temperature)
    return any(
        run.diverged and (run.key.recipe, run.key.estimator, run.key.temperature) == place
        for run in results.runs
    )
