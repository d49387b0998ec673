"""What a study's numbers bear, against SciPy's paired t-test and by simulation."""

from dataclasses import replace
from math import inf, sqrt

import numpy as np
import pytest
from scipy.stats import binom, ttest_rel

from gumbel_core.studies.findings import (
    CHANCE,
    GAP,
    HARD,
    RELAXED,
    TEST,
    Comparison,
    Interval,
    Loss,
    compare,
    interval,
    mean_of,
    ranked,
)
from gumbel_core.studies.grid import RunKey, Study
from gumbel_core.studies.results import Results, Run
from tests.unit.small_studies import diverged, over, results_of

TEMPERATURES = (0.1, 0.5, 1.0)


def place(*tests: float | None, tau: float = 0.1, estimator: str | None = None) -> list[Run]:
    """The runs of a place, by their test losses seed by seed; None has no run there."""
    keys = [RunKey("small", estimator, tau, seed) for seed in range(len(tests))]
    return [over(key, test) for key, test in zip(keys, tests, strict=True) if test is not None]


# Comparisons


@pytest.mark.parametrize("among", [1, 2, 7])
@pytest.mark.parametrize("seeds", [2, 3, 5, 20])
def test_a_comparison_is_a_paired_t_test(seeds: int, among: int) -> None:
    chance = np.random.default_rng(seeds)
    first, second = chance.normal(30, 3, seeds), chance.normal(31, 2, seeds)
    found = compare(place(*first), place(*second, tau=1.0), TEST)
    assert found is not None
    assert (found.first, found.second) == pytest.approx((first.mean(), second.mean()), rel=1e-12)
    apart, wanted = found.apart, ttest_rel(first, second)
    # What is printed is the plain interval, however many are told.
    ends = (apart.mean - apart.half_width, apart.mean + apart.half_width)
    assert ends == pytest.approx(wanted.confidence_interval(0.95), rel=1e-9)
    assert apart.seeds == seeds
    assert apart.is_told(among) == (wanted.pvalue < 0.05 / among)


def test_a_comparison_by_hand() -> None:
    found = compare(place(31.0, 32.0, 36.0), place(30.0, 30.0, 33.0), TEST)
    assert found is not None
    assert (found.first, found.second, found.apart.mean, found.apart.seeds) == (33.0, 31.0, 2.0, 3)
    # Student's 97.5 % point with two degrees of freedom, from a printed table.
    assert found.apart.half_width == pytest.approx(4.3027 / sqrt(3), rel=1e-4)


def test_more_told_at_once_need_more_of_each() -> None:
    found = interval([0.2, 0.8, 0.3, 0.7, 0.5])
    # .5 with a standard error of .114: Student's t is 4.39, its p of 4 degrees of freedom .0118.
    assert found.is_told(4)
    assert not found.is_told(5)


def test_what_is_compared_is_one_seed_with_itself() -> None:
    """The seeds differ by far more than the places: without its pairs no difference would be told."""
    found = compare(place(10, 20, 30, 40), place(11, 21.1, 30.9, 41)[::-1], TEST)
    assert found is not None
    assert found.apart.is_told()
    assert found.apart.mean == pytest.approx(-1)


def test_a_seed_that_only_one_place_has_is_in_no_number() -> None:
    first, second = place(None, 20.0, 30.0, 43.0), place(11.0, 21.0, None, 41.0)
    assert compare(first, second, TEST) == Comparison(31.5, 31.0, interval([-1.0, 2.0]))
    assert compare(place(1.0), place(None, 2.0), TEST) is None
    assert compare([], place(1.0), TEST) is compare(place(1.0), [], TEST) is None


def test_one_seed_tells_nothing() -> None:
    found = compare(place(90.0), place(30.0), TEST)
    assert found == Comparison(90.0, 30.0, Interval(60.0, inf, 1))
    assert found.apart.half_width == inf
    assert not found.apart.is_told()


def test_either_sign_is_told_and_what_does_not_move_is_not() -> None:
    assert interval([2.0, 2.1]).is_told()
    assert interval([-2.0, -2.1]).is_told()
    assert not interval([-1.0, 1.2]).is_told()
    assert not interval([0.0, 0.0]).is_told()
    assert interval([0.1, 0.1]).is_told()


@pytest.mark.parametrize(("of", "wanted"), [(RELAXED, 30.0), (HARD, 31.0), (GAP, 1.0), (TEST, 5.5)])
def test_the_number_is_any_of_a_run(of: Loss, wanted: float) -> None:
    assert mean_of(place(2.0, 9.0), of) == wanted


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
        found = [interval(list(chance.normal(0.0, 1.0, 5))) for _ in range(among)]
        by_chance += any(one.is_told(among) for one in found)
    assert binom.ppf(0.0001, families, 0.03) <= by_chance <= binom.ppf(0.9999, families, CHANCE)


# The places in their order


def study_of(*losses: list[float | None]) -> Results:
    """ReinMax with these test losses, a list a temperature (None diverged), beside straight-through."""
    study = Study(
        "mine", estimators=("reinmax", "straight_through"), temperatures=TEMPERATURES[: len(losses)], seeds=2
    )
    by_place = {
        (tau, seed): loss
        for tau, seeds in zip(TEMPERATURES, losses, strict=False)
        for seed, loss in enumerate(seeds)
    }
    runs = []
    for key in study.keys:
        loss = 34.0 if key.estimator == "straight_through" else by_place[key.temperature or 0, key.seed]
        runs.append(diverged(key, 1) if loss is None else over(key, loss))
    return results_of(study, runs)


def order(results: Results) -> list[tuple[str | None, float]]:
    return [(cell.estimator, cell.temperature) for cell in ranked(results, TEST)]


# It reads no temperature: one place, not three.
STRAIGHT = ("straight_through", 0.1)


@pytest.mark.parametrize(
    ("losses", "wanted"),
    [
        (([33.0, 33.0], [31.0, 32.0], [32.0, 32.5]), [0.5, 1.0, 0.1]),
        # The lowest mean, not the lowest run.
        (([20.0, 46.0], [31.0, 32.0], [32.0, 32.5]), [0.5, 1.0, 0.1]),
        # What is left of a place that lost a seed may be its easy one.
        (([33.0, 33.0], [32.0, 33.0], [None, 31.0]), [0.5, 0.1]),
        (([None, None], [None, None], [None, None]), []),
    ],
)
def test_the_lowest_mean_comes_first(losses: tuple[list[float | None], ...], wanted: list[float]) -> None:
    assert order(study_of(*losses)) == [*(("reinmax", tau) for tau in wanted), STRAIGHT]


def test_a_study_that_goes_on_is_ordered_by_the_seeds_that_all_places_have() -> None:
    """The second seed is hard everywhere, and only the best place has come to it."""
    results = study_of([30.0, 60.0], [31.0, 61.0])
    early = replace(results, runs=results.runs[:5])
    assert [run.key.seed for run in early.runs] == [0, 0, 0, 0, 1]
    assert order(early) == [("reinmax", 0.1), ("reinmax", 0.5), STRAIGHT]
    assert {run.key.seed for cell in ranked(early, TEST) for run in cell.runs} == {0}
    assert ranked(replace(results, runs=()), TEST) == []


def test_places_that_share_no_seed_have_no_order() -> None:
    results = study_of([30.0, 60.0], [31.0, 61.0])
    assert ranked(replace(results, runs=(results.runs[0], results.runs[5])), TEST) == []
