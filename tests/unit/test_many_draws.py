"""The count against `category_counts`, the relaxed samples against LESSONS.md, the exact marginal."""

import math
from itertools import islice

import numpy as np
import pytest
import torch
from scipy.special import expit, logit

from gumbel_core import category_counts, gumbel_max, gumbel_noise, gumbel_softmax
from gumbel_core.many_draws import (
    BINS,
    EDGES,
    GROWS_FROM,
    MAX_RELAXED,
    STEPS,
    Count,
    ManyDrawsConfig,
    exact_marginal,
    relax,
    tallies,
)

LESSON = tuple(torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log().tolist())
MASKED = (1.5, -math.inf, 0.5, 0.0)


def noise_of(config: ManyDrawsConfig, rows: int) -> torch.Tensor:
    shape, generator = (rows, len(config.logits)), torch.Generator().manual_seed(config.seed)
    return gumbel_noise(shape, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("draws", [10, 10_000, GROWS_FROM, 500_000])
def test_the_last_tally_is_one_call_of_category_counts(draws: int) -> None:
    """However it is cut into steps, and at 64 categories into chunks, a seed's noise is one stream."""
    for logits in (LESSON, tuple(np.linspace(-1, 2, 64))):
        *_, last = tallies(ManyDrawsConfig(logits, draws, seed=5))
        whole = category_counts(
            torch.tensor(logits, dtype=torch.float64), draws, generator=torch.Generator().manual_seed(5)
        )
        np.testing.assert_array_equal(last.counts, whole.numpy())
        assert last.draws == draws


def test_large_counts_grow_in_steps_and_small_ones_do_not() -> None:
    grown = [tally.draws for tally in tallies(ManyDrawsConfig(LESSON, GROWS_FROM))]
    assert grown == [GROWS_FROM // STEPS * step for step in range(1, STEPS + 1)]
    assert [tally.draws for tally in tallies(ManyDrawsConfig(LESSON, 100_000))] == [100_000]


def test_an_interrupted_count_ends_in_the_same_numbers() -> None:
    config, other = ManyDrawsConfig(MASKED, GROWS_FROM, seed=1), ManyDrawsConfig(LESSON, GROWS_FROM, seed=2)
    left = tallies(config)
    list(islice(left, 3))
    *_, _ = tallies(other)  # a visitor's move: another count, to its end
    *_, resumed = left
    *_, anew = tallies(config)
    np.testing.assert_array_equal(resumed.counts, anew.counts)
    assert resumed.fit == anew.fit


def test_a_count_advances_to_its_end_and_stays_there() -> None:
    count = Count(ManyDrawsConfig(LESSON, GROWS_FROM))
    for _ in range(STEPS - 1):
        assert not count.done
        count.advance()
    assert count.done
    last = count.tally
    count.advance()
    assert count.tally is last


def test_tally_is_of_the_argmax_of_this_noise() -> None:
    config = ManyDrawsConfig(MASKED, 2_000, seed=3)
    (tally,) = tallies(config)
    winners = gumbel_max(torch.tensor(MASKED), noise=noise_of(config, 2_000))
    np.testing.assert_array_equal(tally.counts, np.bincount(winners.numpy(), minlength=4))
    np.testing.assert_allclose(tally.probabilities, np.exp(MASKED) / np.exp(MASKED).sum(), atol=1e-12)
    np.testing.assert_allclose(tally.frequencies.sum(), 1)
    assert tally.counts[1] == tally.high[1] == 0
    assert tally.outside == int(((tally.frequencies < tally.low) | (tally.frequencies > tally.high)).sum())


@pytest.mark.parametrize(("tau", "first"), [(0.1, 0.698), (0.5, 0.662), (1, 0.593), (2, 0.499), (5, 0.405)])
def test_first_mean_of_the_lesson(tau: float, first: float) -> None:
    """LESSONS.md: the first component's mean for p = (.7, .2, .1). Seeded; at 4.5 standard errors and the
    rounding of three digits, a fresh seed would fail once in 150,000."""
    relaxed = relax(ManyDrawsConfig(LESSON, 1_000_000, seed=0), tau)
    assert relaxed.draws == MAX_RELAXED
    assert abs(relaxed.mean[0] - first) < 4.5 * relaxed.standard_error[0] + 5e-4


def test_relaxed_samples_are_of_the_counted_draws() -> None:
    config = ManyDrawsConfig(MASKED, 150, seed=4)
    noise = noise_of(config, 150)
    samples = gumbel_softmax(torch.tensor(MASKED, dtype=torch.float64), 0.7, noise=noise).numpy()
    relaxed = relax(config, 0.7)
    np.testing.assert_allclose(relaxed.mean, samples.mean(0), atol=1e-12)
    np.testing.assert_allclose(relaxed.standard_error, samples.std(0, ddof=1) / math.sqrt(150), atol=1e-12)
    assert relaxed.mean_largest == pytest.approx(samples.max(1).mean(), abs=1e-12)
    np.testing.assert_allclose(np.sort(relaxed.shown, axis=0), np.sort(samples, axis=0), atol=1e-12)
    (tally,) = tallies(config)
    np.testing.assert_array_equal(np.bincount(relaxed.winners, minlength=4), tally.counts)
    np.testing.assert_array_equal(relaxed.winners, relaxed.shown.argmax(1))


def test_densities_are_histograms_of_area_1() -> None:
    config = ManyDrawsConfig(MASKED, 1_000, seed=4)
    noise = noise_of(config, 1_000)
    samples = gumbel_softmax(torch.tensor(MASKED, dtype=torch.float64), 0.7, noise=noise).numpy()
    relaxed = relax(config, 0.7)
    largest, _ = np.histogram(samples.max(1), EDGES, density=True)
    np.testing.assert_allclose(relaxed.largest, largest, atol=1e-9)
    for density, column in zip(relaxed.marginals, samples.T, strict=True):
        np.testing.assert_allclose(density, np.histogram(column, EDGES, density=True)[0], atol=1e-9)


def test_a_shown_sample_keeps_its_place_when_the_temperature_moves() -> None:
    config = ManyDrawsConfig(LESSON, 1_000)
    cold, warm = relax(config, 0.2), relax(config, 2.0)
    np.testing.assert_array_equal(cold.winners, warm.winners)
    assert (np.diff(cold.winners) >= 0).all()
    # The ratio of two components to the power tau is exp(logit + noise), the same at every temperature.
    cold_ratio, warm_ratio = (np.log(at.shown / at.shown[:, :1]) for at in (cold, warm))
    np.testing.assert_allclose(0.2 * cold_ratio, 2.0 * warm_ratio, atol=1e-6)


@pytest.mark.parametrize("tau", [0.1, 1.0, 4.0])
def test_exact_marginal_is_the_slope_of_its_distribution(tau: float) -> None:
    """P(y <= x) = sigmoid(tau logit(x) - (l1 - l2)), for the noise's difference is logistic."""
    found = exact_marginal(ManyDrawsConfig((0.9, -math.inf, 0.2)), tau, category=2)
    assert found is not None
    x, density = found
    inner = (x > 0.01) & (x < 0.99)
    below, above = (expit(tau * logit(x[inner] + step) + 0.7) for step in (-1e-6, 1e-6))
    slope = (above - below) / 2e-6
    np.testing.assert_allclose(density[inner], slope, rtol=1e-5)


def test_exact_marginal_is_for_two_open_categories_alone() -> None:
    assert exact_marginal(ManyDrawsConfig(LESSON), 1.0, 0) is None
    assert exact_marginal(ManyDrawsConfig((0.0, -math.inf, 0.0)), 1.0, 1) is None


@pytest.mark.parametrize(
    "logits", [(0.0,), (1e30, -1e30), (-1e30, -1e30, -1e30), (0.0, -math.inf), (0.0,) * 64]
)
@pytest.mark.parametrize("tau", [0.01, 100.0])
def test_extreme_logits_give_numbers(logits: tuple[float, ...], tau: float) -> None:
    for draws in (1, 10, 1_000):
        config = ManyDrawsConfig(logits, draws)
        (tally,), relaxed = tallies(config), relax(config, tau)
        assert np.isfinite([tally.frequencies, tally.low, tally.high]).all()
        assert np.isfinite([relaxed.mean, relaxed.standard_error]).all()
        assert relaxed.marginals.shape == (len(logits), BINS)
        np.testing.assert_allclose(relaxed.marginals.mean(1), 1)
        exact = exact_marginal(config, tau, 0)
        assert exact is None or np.isfinite(exact[1]).all()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"draws": 0}, "number of draws"),
        ({"draws": 10**12}, "number of draws"),
        ({"seed": -1}, "seed"),
        ({"logits": ()}, "categories"),
        ({"logits": (-math.inf,)}, "finite"),
        ({"logits": (math.nan, 0.0)}, "NaN"),
    ],
)
def test_bad_configs_are_refused_in_a_sentence(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        ManyDrawsConfig(**({"logits": LESSON} | change))  # type: ignore[arg-type]


def test_bad_temperatures_are_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        relax(ManyDrawsConfig(LESSON), 0.0)
