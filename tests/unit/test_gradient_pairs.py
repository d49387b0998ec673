"""Comparisons: the running z-score against a plain loop, and its verdicts where the truth is known.

The comparisons are seeded. Each verdict on two equal means is wrong for one seed in 1,000.
"""

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from gumbel_core.estimators import ESTIMATORS
from gumbel_core.gradient_bench import (
    BenchConfig,
    estimators_of,
    moments_at,
    problem_of,
    rare_variance,
)
from gumbel_core.gradient_pairs import FALSE_ALARM, Comparison, compare, compared, running_z

CONFIG = BenchConfig((0.9, -0.4, 0.1), numbers=(1.0, 4.0, -2.0), samples=4_000, seed=1)
NETWORK = replace(CONFIG, function="network", numbers=(), variables=2)


def test_the_running_z_is_a_plain_loops() -> None:
    difference = np.random.default_rng(0).normal(0.1, [[1.0, 2.0, 3.0]] * 2, size=(300, 2, 3))
    counts = np.array([2, 20, 77, 300])
    found = running_z(difference, counts)
    assert found.shape == (4, 2, 3)
    for row, count in zip(found, counts, strict=True):
        for entry in np.ndindex(2, 3):
            seen = [float(value) for value in difference[(slice(count), *entry)]]
            wanted = statistics.mean(seen) / (statistics.stdev(seen) / math.sqrt(count))
            assert row[entry] == pytest.approx(wanted, rel=1e-9)


def test_an_entry_that_never_differs_has_a_z_of_0() -> None:
    difference = np.zeros((100, 1, 2))
    difference[:, 0, 0] = np.random.default_rng(0).normal(size=100)
    found = running_z(difference, np.array([20, 100]))
    assert (found[..., 1] == 0).all()
    assert (found[..., 0] != 0).all()


def test_the_counts_rise_to_all_samples() -> None:
    for samples in (100, 4_000):
        counts = compare(replace(CONFIG, samples=samples), "reinforce", "exact", 1.0).counts
        assert counts[0] == 20
        assert counts[-1] == samples
        assert (np.diff(counts) > 0).all()
        assert len(counts) <= 60
    # Even in their logarithm: each decade has about as many.
    assert np.diff(np.log(counts)).max() < 2 * np.log(4_000 / 20) / 60 + 0.05


@pytest.mark.parametrize("config", [CONFIG, NETWORK])
def test_the_band_leaves_one_comparison_in_a_thousand_outside(config: BenchConfig) -> None:
    """Bonferroni's: each entry has its share of the false alarms, on both sides."""
    entries = config.variables * len(config.logits)
    band = compare(config, "reinforce", "exact", 1.0).band
    assert band == pytest.approx(stats.norm.isf(FALSE_ALARM / entries / 2), rel=1e-9)
    assert FALSE_ALARM == 1e-3


def test_the_comparison_is_of_left_less_right_on_one_seeds_draws_in_units_of_the_gradient() -> None:
    problem = problem_of(CONFIG)
    left, right = (
        ESTIMATORS[name](
            problem.f, problem.logits, 0.5, torch.Generator().manual_seed(CONFIG.seed), CONFIG.samples
        ).numpy()
        for name in ("gumbel_softmax", "reinforce")
    )
    found = compare(CONFIG, "gumbel_softmax", "reinforce", 0.5)
    assert found.largest == pytest.approx(np.abs(left - right).max() / problem.unit, rel=1e-12)
    np.testing.assert_allclose(found.z, running_z(left - right, found.counts), rtol=1e-9)
    turned = compare(CONFIG, "reinforce", "gumbel_softmax", 0.5)
    np.testing.assert_allclose(turned.z, -found.z, rtol=1e-9)


@pytest.mark.parametrize(
    ("config", "left", "right", "temperature"),
    [
        (CONFIG, "gumbel_rao", "gumbel_rao", 0.5),
        # Shekhovtsov 2023: ReinMax at temperature 1 is the limit of Gumbel-Rao, for any f.
        (CONFIG, "reinmax", "zero_temperature_rao", 1.0),
        (NETWORK, "reinmax", "zero_temperature_rao", 1.0),
        # A linear f has one slope everywhere: at the relaxed sample, and at its corner.
        (replace(CONFIG, function="linear"), "gumbel_softmax", "st_gumbel_softmax", 0.5),
        (replace(CONFIG, function="linear"), "straight_through", "exact", 1.0),
        # f'(z) at a corner is 2 f there, along the winner alone: the sum of ReinMax is f (z - p).
        (replace(CONFIG, function="squares"), "reinmax", "reinforce", 1.0),
    ],
)
def test_equal_draw_by_draw(config: BenchConfig, left: str, right: str, temperature: float) -> None:
    found = compare(config, left, right, temperature)
    assert found.equal
    assert not found.differ
    # Rounding is no finding.
    assert not found.z.any()


@pytest.mark.parametrize(
    ("config", "left", "right", "temperature"),
    [
        (CONFIG, "reinforce", "exact", 1.0),
        (NETWORK, "reinforce_loo", "reinforce", 1.0),
        (NETWORK, "rebar", "exact", 0.5),
        (CONFIG, "reinmax", "exact", 1.0),
        # Paulus et al. 2021: it keeps the mean, bias and all.
        (NETWORK, "gumbel_rao", "st_gumbel_softmax", 0.5),
    ],
)
def test_equal_means_of_unequal_draws_are_not_told_apart(
    config: BenchConfig, left: str, right: str, temperature: float
) -> None:
    found = compare(config, left, right, temperature)
    assert found.largest > 0.1
    assert not found.equal
    assert not found.differ


@pytest.mark.parametrize(
    ("config", "left", "right", "temperature"),
    [
        (CONFIG, "straight_through", "exact", 1.0),
        (CONFIG, "gumbel_softmax", "reinforce", 2.0),
        (CONFIG, "reinmax", "zero_temperature_rao", 0.5),
        (NETWORK, "st_gumbel_softmax", "gumbel_softmax", 1.0),
        (NETWORK, "reinmax", "exact", 1.0),
    ],
)
def test_unequal_means_are_told_apart(config: BenchConfig, left: str, right: str, temperature: float) -> None:
    found = compare(config, left, right, temperature)
    assert found.differ
    assert not found.equal
    # z grows like the root of n: a quarter of the draws show about half of it.
    quarter = np.searchsorted(found.counts, config.samples / 4)
    assert 0.25 < np.abs(found.z[quarter]).max() / found.furthest < 0.9


def test_a_verdict_is_on_the_last_z_of_any_entry() -> None:
    z = np.array([[[9.0, 9.0]], [[0.5, -4.0]]])
    found = Comparison(np.array([20, 100]), z, largest=1.0, band=3.5)
    assert found.furthest == 4.0
    assert found.differ
    assert not replace(found, band=4.5).differ
    assert not replace(found, largest=1e-10).differ
    assert replace(found, largest=1e-10).equal


def test_a_masked_category_has_no_z() -> None:
    config = replace(CONFIG, logits=(0.5, -math.inf, 0.0))
    found = compare(config, "gumbel_softmax", "reinforce", 0.5)
    assert np.isfinite(found.z).all()
    assert (found.z[..., 1] == 0).all()
    assert (found.z[-1][..., [0, 2]] != 0).all()


def test_gumbel_raos_draws_are_the_configs() -> None:
    assert compared(CONFIG).keys() == {*estimators_of(CONFIG), "zero_temperature_rao"}
    one, fifty = (
        compare(replace(CONFIG, rao_draws=draws), "gumbel_rao", "zero_temperature_rao", 0.3)
        for draws in (1, 50)
    )
    # The more is averaged, the less is left between them: the scatter falls and the same bias stands out.
    assert fifty.furthest > 1.3 * one.furthest


@pytest.mark.parametrize("temperature", [0.0, math.nan])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="The temperature must be"):
        compare(CONFIG, "reinforce", "exact", temperature)


# One of the categories comes in none of 10,000 draws, or in a few. Before its scatter was added, such samples
# looked as if they had none, and REINFORCE was told from the exact gradient in up to 40 of 40 seeds.
PEAKED = [(0.0, -7.0), (0.0, -9.0), (0.0, -10.0), (0.0, -15.0), (0.0, -8.0, -9.0, 1.0, -10.0)]


@pytest.mark.parametrize("logits", PEAKED)
def test_a_category_that_hardly_ever_comes_makes_no_difference(
    logits: tuple[float, ...],
) -> None:
    for seed in range(12):
        config = BenchConfig(logits, function="squares", seed=seed)
        assert not compare(config, "reinforce", "exact", 1.0).differ
        # Both are without bias for the squares.
        assert not moments_at(config, "reinmax", 1.0).is_seen


def test_what_is_rare_is_added_from_enumeration() -> None:
    p, weights = torch.tensor([0.0, -9.0], dtype=torch.float64).softmax(-1), torch.tensor([1.0, 2.0])
    problem = problem_of(BenchConfig((0.0, -9.0), function="linear"))
    # The second category's draws, in REINFORCE without a baseline: p_2 f_2^2 (z - p)^2.
    score = torch.tensor([0.0, 1.0]) - p
    expected = p[1] * weights[1] ** 2 * score.square() / problem.unit**2
    torch.testing.assert_close(rare_variance(problem, 10_000)[0], expected)
    # A million draws hold it a hundred times and more: there the samples speak for themselves.
    assert (rare_variance(problem, 1_000_000) == 0).all()
