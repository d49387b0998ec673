"""Distance, test and band, held against hand values, enumeration and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from gumbel_core.goodness import goodness_of_fit, simultaneous_band, total_variation

LAW = np.array([0.7, 0.2, 0.1])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_total_variation_by_hand() -> None:
    assert total_variation([3, 1], [0.5, 0.5]) == pytest.approx(0.25, abs=1e-15)
    assert total_variation([7, 2, 1], LAW) == pytest.approx(0, abs=1e-15)
    assert total_variation([0, 5], [1, 0]) == 1


def test_chi_squared_by_hand(rng: np.random.Generator) -> None:
    fit = goodness_of_fit([30, 70], [0.5, 0.5], rng=rng)
    assert fit.method == "chi-squared"
    assert fit.degrees_of_freedom == 1
    assert fit.statistic == pytest.approx(16, rel=1e-12)
    # One degree of freedom: the statistic is a squared standard normal.
    assert fit.p_value == pytest.approx(math.erfc(math.sqrt(16 / 2)), rel=1e-9)


def test_single_precision_probabilities_are_accepted(rng: np.random.Generator) -> None:
    law = np.full(7, 1 / 7, dtype=np.float32)
    assert goodness_of_fit(np.full(7, 100_000), law, rng=rng).p_value == pytest.approx(1)


@pytest.mark.parametrize("counts", [(6, 0, 0), (4, 0, 2), (2, 3, 1), (1, 4, 1)])
def test_monte_carlo_agrees_with_enumeration(counts: tuple[int, ...], rng: np.random.Generator) -> None:
    draws = sum(counts)

    def statistic(outcome: tuple[int, ...]) -> float:
        return float(((np.array(outcome) - draws * LAW) ** 2 / (draws * LAW)).sum())

    outcomes = [o for o in itertools.product(range(draws + 1), repeat=3) if sum(o) == draws]
    exact = sum(
        stats.multinomial.pmf(o, draws, LAW) for o in outcomes if statistic(o) >= statistic(counts) - 1e-9
    )
    fit = goodness_of_fit(counts, LAW, rng=rng)
    assert fit.method == "Monte Carlo"
    # Four standard errors of 2000 repeats, and 1/2001 for the added hit: errs once in 16,000 seeds.
    assert fit.p_value == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2000) + 1 / 2001)


@pytest.mark.parametrize(("draws", "method"), [(20, "Monte Carlo"), (2000, "chi-squared")])
def test_a_right_sampler_is_rarely_rejected(draws: int, method: str, rng: np.random.Generator) -> None:
    repeats = 300
    fits = [goodness_of_fit(rng.multinomial(draws, LAW), LAW, rng=rng) for _ in range(repeats)]
    assert {fit.method for fit in fits} == {method}
    rejected = sum(fit.p_value <= 0.05 for fit in fits)
    # At 5 % each, no more than this in all but 1 in 2,000 seeds, and hardly ever none at all.
    assert 1 <= rejected <= stats.binom.isf(5e-4, repeats, 0.05)


def test_a_wrong_sampler_is_rejected(rng: np.random.Generator) -> None:
    typed_as_logits = np.exp(LAW) / np.exp(LAW).sum()
    assert goodness_of_fit(rng.multinomial(1000, typed_as_logits), LAW, rng=rng).p_value < 1e-6
    # The least p-value that 2000 repeats can show: none of them is as far off as the reversed law.
    assert goodness_of_fit(rng.multinomial(45, LAW[::-1]), LAW, rng=rng).p_value == 1 / 2001


def test_masked_categories_are_left_out(rng: np.random.Generator) -> None:
    masked = goodness_of_fit([65, 0, 25, 10, 0], [0.7, 0, 0.2, 0.1, 0], rng=rng)
    assert masked == goodness_of_fit([65, 25, 10], LAW, rng=rng)


def test_a_draw_of_a_masked_category_is_impossible(rng: np.random.Generator) -> None:
    fit = goodness_of_fit([99, 1], [1, 0], rng=rng)
    assert (fit.p_value, fit.statistic) == (0, math.inf)
    assert fit.sentence == "p = 0: a category of probability 0 was drawn."


def test_one_live_category_always_fits(rng: np.random.Generator) -> None:
    fit = goodness_of_fit([0, 12], [0, 3], rng=rng)
    assert (fit.p_value, fit.degrees_of_freedom) == (1, 0)
    assert fit.sentence == "p = 1: only one category can be drawn."


def test_the_band_holds_all_bars_at_once(rng: np.random.Generator) -> None:
    law, draws, repeats = np.array([0.42, 0.2, 0.16, 0.105, 0.06, 0.035, 0.02, 0]), 500, 20_000
    low, high = simultaneous_band(law, draws)
    frequencies = rng.multinomial(draws, law, size=repeats) / draws
    inside = ((low <= frequencies) & (frequencies <= high)).all(1).mean()
    # Four standard errors below the level: errs once in 30,000 seeds. And it is no wider than it needs be.
    assert inside > 0.95 - 4 * math.sqrt(0.95 * 0.05 / repeats)
    assert inside < 0.985


@pytest.mark.parametrize("draws", [1, 10, 10_000, 10_000_000])
def test_the_band_ends_are_exact_binomial_quantiles(draws: int) -> None:
    low, high = (np.rint(end * draws) for end in simultaneous_band(LAW, draws, level=0.9))
    tail = 0.1 / 6
    slack = 1 + 1e-9
    assert (stats.binom.cdf(low - 1, draws, LAW) <= tail * slack).all()
    assert (stats.binom.cdf(low, draws, LAW) >= tail / slack).all()
    assert (stats.binom.sf(high, draws, LAW) <= tail * slack).all()
    assert (stats.binom.sf(high - 1, draws, LAW) >= tail / slack).all()


def test_masked_categories_do_not_widen_the_band() -> None:
    padded = simultaneous_band([0.7, 0, 0.2, 0.1, 0, 0], 1000)
    for end, alone in zip(padded, simultaneous_band(LAW, 1000), strict=True):
        assert end[[0, 2, 3]].tolist() == alone.tolist()


def test_the_band_of_certain_and_masked_categories_is_a_point() -> None:
    low, high = simultaneous_band([0, 1, 0], 50)
    assert low.tolist() == high.tolist() == [0, 1, 0]


def test_what_cannot_be_compared_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="no draws"):
        goodness_of_fit([0, 0], [0.5, 0.5], rng=rng)
    with pytest.raises(ValueError, match="do not match"):
        total_variation([1, 2, 3], [0.5, 0.5])
    with pytest.raises(ValueError, match="one of them above 0"):
        simultaneous_band([0, 0], 10)
    with pytest.raises(ValueError, match="at least 1"):
        simultaneous_band([1, 1], 0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        simultaneous_band([1, 1], 10, level=1)
