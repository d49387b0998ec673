"""What a study's numbers bear, against SciPy's paired t-test and by simulation."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy.stats import binom, ttest_rel

from gumbel_core.studies.findings import CHANCE, Difference, best_temperature, difference, interval, mean_of
from gumbel_core.studies.grid import RunKey, Study
from gumbel_core.studies.results import Results, Run
from tests.unit.small_studies import diverged, epoch, over, results_of

TEMPERATURES = (0.1, 0.5, 1.0)


def loss_of(run: Run) -> float:
    return run.test


def place(*tests: float | None, tau: float = 0.1, estimator: str | None = None) -> list[Run]:
    """The runs of a place, by their test losses seed by seed; None has no run there."""
    keys = [RunKey("small", estimator, tau, seed) for seed in range(len(tests))]
    return [over(key, test) for key, test in zip(keys, tests, strict=True) if test is not None]


# Differences


@pytest.mark.parametrize("among", [1, 2, 7])
@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_a_difference_has_the_interval_of_a_paired_t_test(seeds: int, among: int) -> None:
    chance = np.random.default_rng(seeds)
    first, second = chance.normal(30, 3, seeds), chance.normal(31, 2, seeds)
    found = difference(place(*first), place(*second, tau=1.0), loss_of, among=among)
    wanted = ttest_rel(first, second).confidence_interval(1 - 0.05 / among)
    assert found is not None
    assert (found.mean - found.half_width, found.mean + found.half_width) == pytest.approx(wanted, rel=1e-9)
    assert found.seeds == seeds
    p = ttest_rel(first, second).pvalue
    assert found.told == (p < 0.05 / among)


def test_a_difference_by_hand() -> None:
    found = difference(place(31.0, 32.0, 36.0), place(30.0, 30.0, 33.0), loss_of)
    # Student's 97.5 % point with two degrees of freedom, from a printed table.
    assert found is not None
    assert (found.mean, found.seeds) == (2.0, 3)
    assert found.half_width == pytest.approx(4.3027 / sqrt(3), rel=1e-4)


def test_what_is_compared_is_one_seed_with_itself() -> None:
    """The seeds differ by far more than the places: without its pairs no difference would be told."""
    first, second = place(10, 20, 30, 40), place(11, 21.1, 30.9, 41)
    found = difference(first, second[::-1], loss_of)
    assert found is not None
    assert found.told
    assert found.mean == pytest.approx(-1)


def test_a_seed_that_only_one_place_has_is_left_out() -> None:
    first, second = place(None, 20.0, 30.0, 43.0), place(11.0, 21.0, None, 41.0)
    assert difference(first, second, loss_of) == interval([-1.0, 2.0])
    assert difference(place(1.0), place(None, 2.0), loss_of) is None
    assert difference([], place(1.0), loss_of) is difference(place(1.0), [], loss_of) is None


def test_a_run_that_diverged_takes_its_pair_along() -> None:
    study = Study("mine", temperatures=(0.1, 1.0), seeds=4)
    tests: dict[tuple[float | None, int], float] = {
        (0.1, 0): 31.0, (0.1, 1): 33.0, (0.1, 3): 39.0, (1.0, 0): 30.0, (1.0, 1): 31.0, (1.0, 2): 1.0,
    }  # fmt: skip
    runs = [
        over(key, tests[key.temperature, key.seed])
        if (key.temperature, key.seed) in tests
        else diverged(key)
        for key in study.keys
    ]  # fmt: skip
    found = results_of(study, runs)
    assert difference(found.cell(None, 0.1), found.cell(None, 1.0), loss_of) == interval([1.0, 2.0])


def test_one_seed_tells_nothing() -> None:
    found = difference(place(90.0), place(30.0), loss_of)
    assert found == Difference(60.0, inf, 1)
    assert not found.told


def test_either_sign_is_told_and_a_difference_as_large_as_its_reach_is_not() -> None:
    assert Difference(2.0, 1.9, 5).told
    assert Difference(-2.0, 1.9, 5).told
    assert not Difference(2.0, 2.0, 5).told
    assert not Difference(-1.0, 1.9, 5).told
    assert not Difference(0.0, 0.0, 5).told


def test_the_number_is_any_of_a_run() -> None:
    # Of all these runs the hard loss is 31, whatever the test set's.
    assert difference(place(1.0, 5.0), place(2.0, 9.0), lambda run: run.hard) == Difference(0.0, 0.0, 2)


# Simulation. The bounds are those that a right interval passes in all but one of 10,000 series of draws.


def test_nineteen_of_twenty_intervals_hold_the_difference() -> None:
    chance, draws, shift = np.random.default_rng(1), 2_000, 0.7
    held = 0
    for _ in range(draws):
        found = interval(list(chance.normal(shift, 2.0, 5)))
        held += abs(found.mean - shift) <= found.half_width
    low, high = binom.interval(0.9999, draws, 1 - CHANCE)
    assert CHANCE == 0.05
    assert low <= held <= high


def test_of_several_differences_told_at_once_chance_makes_hardly_any() -> None:
    chance, families, among = np.random.default_rng(2), 400, 8
    by_chance = 0
    for _ in range(families):
        found = [interval(list(chance.normal(0.0, 1.0, 5)), among=among) for _ in range(among)]
        by_chance += any(one.told for one in found)
    assert binom.ppf(0.0001, families, 0.03) <= by_chance <= binom.ppf(0.9999, families, CHANCE)


# Means and the best temperature


def test_a_mean_over_runs() -> None:
    assert mean_of(place(30.0, 31.0, 35.0), loss_of) == 32.0
    assert mean_of([], loss_of) is None


def study_of(*losses: list[float | None]) -> Results:
    """Two estimators: ReinMax with these test losses, a list a temperature (None diverged), and another."""
    study = Study("mine", estimators=("reinmax", "gumbel_softmax"), temperatures=TEMPERATURES, seeds=2)
    by_place = {
        ("reinmax", tau, seed): loss
        for tau, seeds in zip(TEMPERATURES, losses, strict=True)
        for seed, loss in enumerate(seeds)
    }
    # The other one's best is elsewhere, and better than all of them.
    by_place |= {("gumbel_softmax", tau, seed): tau for tau in TEMPERATURES for seed in range(2)}
    runs = []
    for key in study.keys:
        loss = by_place[str(key.estimator), key.temperature or 0.0, key.seed]
        runs.append(diverged(key, 1) if loss is None else over(key, loss))
    return results_of(study, runs)


@pytest.mark.parametrize(
    ("losses", "best"),
    [
        (([33.0, 33.0], [31.0, 32.0], [32.0, 32.5]), 0.5),
        # The lowest mean, not the lowest run.
        (([20.0, 50.0], [31.0, 32.0], [32.0, 32.5]), 0.5),
        (([33.0, 33.0], [32.0, 33.0], [31.0, 31.0]), 1.0),
        # What diverged is no loss, and what has none is no place.
        (([None, None], [32.0, 33.0], [None, 31.0]), 1.0),
        (([None, None], [None, None], [None, None]), None),
    ],
)
def test_the_best_temperature_has_the_lowest_mean(
    losses: tuple[list[float | None], ...], best: float | None
) -> None:
    assert best_temperature(study_of(*losses), "reinmax", loss_of) == best
    assert best_temperature(study_of(*losses), "gumbel_softmax", loss_of) == 0.1
    assert best_temperature(study_of(*losses), None, loss_of) is None


def test_where_nothing_is_lost_is_the_best_temperature() -> None:
    """A hard estimator has no gap."""
    study = Study("mine", temperatures=TEMPERATURES, seeds=1, epochs=1)
    runs = [
        Run(key, (epoch(1, 30.0, 30.0 + (key.temperature != 0.5)),), diverged=False) for key in study.keys
    ]
    assert best_temperature(results_of(study, runs), None, lambda run: run.gap) == 0.5
