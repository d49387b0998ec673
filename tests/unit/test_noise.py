"""Gumbel noise against SciPy's two Gumbel laws, its tails counted, the wrong laws simulated, the race run."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from gumbel_core.noise import (
    UNIFORM_STEP,
    WAYS,
    core_at_zero,
    exponential_race,
    from_exponential,
    from_uniform,
    from_uniform_eps,
    gumbel_minima,
    wins_from_behind,
    without_log_law,
    wrong_sign_law,
)
from gumbel_core.sampling import gumbel_max, gumbel_noise

LOGITS = torch.tensor([0.7, 0.2, 0.1]).double().log()
DRAWS = 40_000


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_of(rows: int, categories: int, seed: int = 0) -> torch.Tensor:
    return gumbel_noise((rows, categories), generator=seeded(seed), dtype=torch.float64)


def test_noise_is_the_inverse_of_the_cdf() -> None:
    u = torch.linspace(0.001, 0.999, 999).double()
    np.testing.assert_allclose(from_uniform(u), stats.gumbel_r.ppf(u.numpy()), atol=1e-12)
    np.testing.assert_allclose(from_uniform_eps(u), stats.gumbel_r.ppf(u.numpy()), atol=1e-12)
    np.testing.assert_allclose(from_exponential(-u.log()), stats.gumbel_r.ppf(u.numpy()), atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_every_way_has_the_gumbel_law(way: str) -> None:
    noise = WAYS[way].noise(torch.rand(DRAWS, generator=seeded(), dtype=torch.float64))
    # KS tests at a level of 1e-4 each, seeded.
    assert stats.kstest(noise.numpy(), stats.gumbel_r.cdf).pvalue > 1e-4
    assert stats.kstest(gumbel_minima(noise).numpy(), stats.gumbel_l.cdf).pvalue > 1e-4


def test_the_tails_end_where_the_uniform_grid_does() -> None:
    tails = {name: way.tails() for name, way in WAYS.items()}
    # LESSONS.md: 16.6 above, and the padding floors the noise at -3.83.
    assert [high for _, high in tails.values()] == pytest.approx([16.6355] * 3, abs=1e-4)
    assert [low for low, _ in tails.values()] == pytest.approx([-2.8115, -3.8298, -2.8115], abs=1e-4)
    assert [way.at_zero() for way in WAYS.values()] == pytest.approx([-math.inf, -3.8298, math.inf], abs=1e-4)


def test_the_core_lifts_a_uniform_number_of_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, **_: torch.zeros(shape))
    assert gumbel_noise((1,)).item() == pytest.approx(core_at_zero(), abs=1e-6)
    assert core_at_zero() == pytest.approx(-math.log(126 * math.log(2)), abs=1e-6)  # u = 2^-126


def test_a_lead_wider_than_the_gap_is_turned_over_by_infinite_noise_alone() -> None:
    for way in WAYS.values():
        gap, high = way.widest_gap(), way.tails()[1]
        # The leader's noise is at its least finite value, the other's at its largest.
        assert high - way.tails()[0] == pytest.approx(gap)
        lost_at_zero = way.at_zero() + gap + 1 < high
        won_from_behind = way.at_zero() > high + gap + 1
        assert (lost_at_zero or won_from_behind) == math.isinf(way.at_zero())
    # For the plain logarithms that is once in 2^24, more often than by the exact law at the gap.
    gap = WAYS["double-log"].widest_gap()
    assert wins_from_behind(gap) == pytest.approx(math.exp(-19.4470), rel=1e-3)
    assert wins_from_behind(gap) < UNIFORM_STEP


def test_padding_alters_one_single_precision_number_in_2_to_the_24() -> None:
    altered, block = 0, 2**20
    for start in range(0, 2**24, block):
        u = torch.arange(start, start + block, dtype=torch.float32) * UNIFORM_STEP
        altered += int((from_uniform(u) != from_uniform_eps(u)).sum())
    assert altered == 1


def test_padding_would_cap_the_noise_at_1_which_torch_rand_never_gives() -> None:
    assert from_uniform_eps(torch.tensor(1.0)).item() == pytest.approx(20 * math.log(10), rel=1e-6)
    assert from_uniform(torch.tensor(1.0)).isposinf()


def test_torch_rand_lies_on_the_grid() -> None:
    u = torch.rand(100_000, generator=seeded()) / UNIFORM_STEP
    assert torch.equal(u, u.round())
    assert (u % 2 == 1).any()  # and on no coarser one


@pytest.mark.parametrize("logits", [[0.0, 0.0], [1.2, -0.3], [0.0, 1.0, 2.0], [0.5, -2.0, 1.0, 0.0, 3.0]])
def test_the_wrong_sign_law_is_that_of_the_last_clock(logits: list[float]) -> None:
    rates = np.exp(-np.array(logits))
    for k, law in enumerate(wrong_sign_law(logits)):
        others = [j for j in range(len(logits)) if j != k]
        subsets = itertools.chain.from_iterable(
            itertools.combinations(others, size) for size in range(len(logits))
        )
        # Inclusion and exclusion over who rings after k: P(k rings before all of S) is a ratio of rates.
        last = sum((-1) ** len(s) * rates[k] / (rates[k] + rates[list(s)].sum()) for s in subsets)
        assert law == pytest.approx(last, abs=1e-11)


def test_the_wrong_sign_law_agrees_with_simulation_and_not_with_softmax() -> None:
    law = wrong_sign_law(LOGITS)
    assert law.tolist() == pytest.approx([0.740, 0.193, 0.067], abs=5e-4)
    winners = (LOGITS + gumbel_minima(noise_of(DRAWS, 3))).argmax(-1)
    counts = torch.bincount(winners, minlength=3).numpy()
    # A chi-squared test at a level of 1e-4, seeded; against softmax it fails beyond doubt.
    assert stats.chisquare(counts, DRAWS * law / law.sum()).pvalue > 1e-4
    assert stats.chisquare(counts, DRAWS * np.array([0.7, 0.2, 0.1])).pvalue < 1e-20


def test_two_categories_do_not_mind_the_sign() -> None:
    assert wrong_sign_law([1.3, 0.2]) == pytest.approx(special.softmax([1.3, 0.2]), abs=1e-12)


@pytest.mark.parametrize(
    "logits",
    [
        np.zeros(64),
        np.random.default_rng(0).normal(0, 5, 64),
        [1e300, -1e300, 0, -math.inf],
        [-math.inf, -3.0],
    ],
)
def test_the_wrong_sign_law_sums_to_1(logits: list[float]) -> None:
    law = wrong_sign_law(logits)
    assert law.sum() == pytest.approx(1, abs=1e-12)
    assert (law[np.isneginf(logits)] == 0).all()


@pytest.mark.parametrize("logits", [[-math.inf, -math.inf], [math.nan, 0.0], [math.inf, 0.0]])
def test_the_wrong_sign_law_refuses_what_cannot_be_drawn(logits: list[float]) -> None:
    with pytest.raises(ValueError, match="nothing can be drawn"):
        wrong_sign_law(logits)


def test_the_forgotten_logarithm() -> None:
    law = without_log_law([7, 2, 1])
    assert law.tolist() == pytest.approx([0.991, 0.007, 0.002], abs=5e-4)
    winners = (torch.tensor([7.0, 2.0, 1.0]) + noise_of(DRAWS, 3)).argmax(-1)
    # A chi-squared test at a level of 1e-4, seeded.
    assert stats.chisquare(torch.bincount(winners, minlength=3), DRAWS * law).pvalue > 1e-4


def test_the_clocks_are_exponential() -> None:
    race = exponential_race(LOGITS, noise_of(DRAWS, 3))
    torch.testing.assert_close(race.rates, torch.tensor([1, 2 / 7, 1 / 7]).double(), rtol=1e-6, atol=0)
    # KS tests at a level of 1e-4 each, seeded.
    for k in range(3):
        clock = stats.expon(scale=1 / race.rates[k].item())
        assert stats.kstest(race.times[:, k].numpy(), clock.cdf).pvalue > 1e-4
    first = stats.expon(scale=1 / race.rates.sum().item())
    assert stats.kstest(race.winning_time.numpy(), first.cdf).pvalue > 1e-4


def test_the_first_clock_is_the_gumbel_max() -> None:
    noise = noise_of(DRAWS, 3)
    race = exponential_race(LOGITS, noise)
    assert torch.equal(race.times.argmin(-1), gumbel_max(LOGITS, noise=noise))
    assert torch.equal(race.times.argmin(-1), race.winner)
    assert torch.equal(race.times.amin(-1), race.winning_time)


def test_winner_and_winning_time_are_independent() -> None:
    race = exponential_race(LOGITS, noise_of(DRAWS, 3))
    deciles = np.quantile(race.winning_time, np.linspace(0.1, 0.9, 9))
    decile = np.digitize(race.winning_time, deciles)
    table = np.zeros((3, 10))
    np.add.at(table, (race.winner.numpy(), decile), 1)
    # A chi-squared test at a level of 1e-4, seeded. A loser's time, for contrast, does tell who won.
    assert stats.chi2_contingency(table).pvalue > 1e-4
    loser = np.zeros((3, 10))
    np.add.at(loser, (race.winner.numpy(), np.digitize(race.times[:, 0], deciles)), 1)
    assert stats.chi2_contingency(loser).pvalue < 1e-20


def test_a_shift_changes_no_race() -> None:
    noise = noise_of(100, 3)
    race, shifted = exponential_race(LOGITS, noise), exponential_race(LOGITS + 1000, noise)
    assert torch.equal(race.winner, shifted.winner)
    torch.testing.assert_close(race.times, shifted.times, rtol=1e-9, atol=0)


def test_huge_and_masked_logits_race_without_nan() -> None:
    logits = torch.tensor([1e30, -1e30, 1e30, -math.inf])
    race = exponential_race(logits, gumbel_noise((1000, 4), generator=seeded()))
    assert race.rates.tolist() == [1, 0, 1, 0]
    assert race.times[:, [1, 3]].isposinf().all()
    assert race.winning_time.isfinite().all()
    # The two equal clocks share the wins: outside 400..600 with a probability below 1e-9.
    assert 400 < (race.winner == 0).sum() < 600
    assert set(race.winner.tolist()) == {0, 2}


def test_a_race_without_clocks_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing can be drawn"):
        exponential_race(torch.full((3,), -math.inf), torch.zeros(3))
