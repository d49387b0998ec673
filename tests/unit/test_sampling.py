"""The trick against its oracles: SciPy's Gumbel law, softmax by chi-squared, autograd, arithmetic by hand.

The statistical tests are seeded. Each is held at a level of 1e-4: with other seeds a right sampler would
fail one in ten thousand of them, some sixty in all.
"""

import math
from collections.abc import Callable

import pytest
import torch
from scipy import stats
from torch import Tensor

from gumbel_core.sampling import (
    CHUNK,
    category_counts,
    count_in_chunks,
    gumbel_max,
    gumbel_noise,
    gumbel_softmax,
    straight_through,
    tempered_softmax,
)

LEVEL = 1e-4
DRAWS = 20_000
INF, NAN = math.inf, math.nan
HALVES = (torch.float16, torch.bfloat16)
DTYPES = (*HALVES, torch.float32, torch.float64)
THREE = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_logits(categories: int, dtype: torch.dtype = torch.float64, *, masked: bool = False) -> Tensor:
    logits = torch.randn(categories, generator=seeded(categories)).to(dtype)
    if masked:
        logits[1::3] = -INF
    return logits


def fit(counts: Tensor, logits: Tensor) -> float:
    """The p-value of the counts under softmax(logits), by chi-squared. A masked category has no counts."""
    live = logits > -INF
    assert not counts[~live].any()
    expected = counts.sum() * torch.softmax(logits[live].double(), -1)
    assert expected.min() >= 5
    return float(stats.chisquare(counts[live].numpy(), expected.numpy()).pvalue)


def counted(winners: Tensor, logits: Tensor) -> Tensor:
    return torch.bincount(winners, minlength=len(logits))


# Noise


@pytest.mark.parametrize("dtype", DTYPES)
def test_noise_has_the_gumbel_law(dtype: torch.dtype) -> None:
    noise = gumbel_noise((DRAWS,), generator=seeded(), dtype=dtype)
    assert noise.dtype == dtype
    distance = stats.kstest(noise.double().numpy(), stats.gumbel_r.cdf).statistic
    # Rounding to half precision moves the empirical law by half a step of the format times the density:
    # at most eps/4, and nothing beside the statistic's own spread in single and double.
    assert distance < stats.kstwo.isf(LEVEL, DRAWS) + torch.finfo(dtype).eps / 4


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_has_both_tails(dtype: torch.dtype) -> None:
    # The distance above is blind to a tail that a clumsy guard cuts off.
    noise = gumbel_noise((2**20,), generator=seeded(), dtype=dtype).double()
    for beyond in (noise < stats.gumbel_r.ppf(1e-4), noise > stats.gumbel_r.isf(1e-4)):
        assert stats.binomtest(int(beyond.sum()), len(noise), 1e-4).pvalue > LEVEL


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_noise_keeps_the_tails_of_single(dtype: torch.dtype) -> None:
    single = gumbel_noise((2**20,), generator=seeded())
    assert torch.equal(gumbel_noise((2**20,), generator=seeded(), dtype=dtype), single.to(dtype))
    # Uniform numbers of half precision end at 1 - 2^-11, and so would the noise at 7.6.
    assert single.max() > 10


def test_noise_is_finite_where_the_uniform_number_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "rand", lambda shape, **_kwargs: torch.zeros(shape))
    assert gumbel_noise((3,)).isfinite().all()


def test_noise_takes_any_shape() -> None:
    for shape in [(), (0,), (3,), (2, 0, 5), (2, 3, 4)]:
        assert gumbel_noise(shape).shape == shape


# The law of the winner


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("categories", "masked"), [(2, False), (5, False), (5, True), (64, False), (64, True)]
)
def test_gumbel_max_follows_softmax(categories: int, masked: bool, dtype: torch.dtype) -> None:
    logits = some_logits(categories, dtype, masked=masked)
    winners = gumbel_max(logits.expand(DRAWS, -1), generator=seeded())
    assert winners.shape == (DRAWS,)
    assert winners.dtype == torch.int64
    assert fit(counted(winners, logits), logits) > LEVEL


@pytest.mark.parametrize("temperature", [0.1, 1, 10])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("categories", "masked"), [(2, False), (5, True), (64, False)])
def test_the_relaxed_argmax_follows_softmax_at_every_temperature(
    categories: int, masked: bool, dtype: torch.dtype, temperature: float
) -> None:
    logits = some_logits(categories, dtype, masked=masked)
    relaxed = gumbel_softmax(logits.expand(DRAWS, -1), temperature, generator=seeded())
    assert fit(counted(relaxed.argmax(-1), logits), logits) > LEVEL


@pytest.mark.parametrize("temperature", [0.1, 1, 10])
@pytest.mark.parametrize("dtype", HALVES)
def test_the_hard_sample_follows_softmax_in_half_precision(dtype: torch.dtype, temperature: float) -> None:
    # The relaxed sample rounds to ties here; the hard one is chosen before.
    logits = some_logits(5, dtype)
    hard = gumbel_softmax(logits.expand(DRAWS, -1), temperature, hard=True, generator=seeded())
    assert fit(hard.double().sum(0).long(), logits) > LEVEL


@pytest.mark.parametrize(
    ("temperature", "mean"), [(0.1, 0.698), (0.5, 0.662), (1, 0.593), (2, 0.499), (5, 0.405)]
)
def test_the_relaxed_mean_drifts_to_uniform(temperature: float, mean: float) -> None:
    first = gumbel_softmax(THREE.expand(100_000, -1), temperature, generator=seeded())[:, 0]
    # LESSONS.md's figures have three digits; four standard errors fail one seed in 16,000.
    tolerance = 0.0005 + 4 * first.std().item() / math.sqrt(len(first))
    assert first.mean().item() == pytest.approx(mean, abs=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("magnitude", [1e30, -1e30])
def test_equal_huge_logits_leave_the_choice_to_the_noise(magnitude: float, dtype: torch.dtype) -> None:
    logits = torch.tensor([magnitude, magnitude], dtype=dtype)
    even = torch.zeros(2)
    assert fit(counted(gumbel_max(logits.expand(DRAWS, -1), generator=seeded()), logits), even) > LEVEL
    assert fit(category_counts(logits, DRAWS, generator=seeded()), even) > LEVEL
    relaxed = gumbel_softmax(logits.expand(DRAWS, -1), 1.0, generator=seeded())
    assert relaxed.min() > 0
    assert fit(counted(relaxed.argmax(-1), logits), even) > LEVEL


def test_a_shift_that_would_swallow_the_noise_changes_nothing() -> None:
    logits = torch.tensor([0.0, 1.0, -0.5])
    shifted = logits + 2.0**20
    counts = category_counts(shifted, DRAWS, generator=seeded())
    assert torch.equal(counts, category_counts(logits, DRAWS, generator=seeded()))


# Counts


@pytest.mark.parametrize("dtype", DTYPES)
def test_counts_follow_softmax(dtype: torch.dtype) -> None:
    logits = some_logits(5, dtype, masked=True)
    assert fit(category_counts(logits, DRAWS, generator=seeded()), logits) > LEVEL


@pytest.mark.parametrize("draws", [1, 7, CHUNK // 2, CHUNK // 2 + 1])
def test_counts_add_up_over_the_chunks(draws: int) -> None:
    logits = torch.zeros(2)
    counts = category_counts(logits, draws, generator=seeded())
    assert counts.dtype == torch.int64
    assert counts.sum() == draws
    assert torch.equal(counts, category_counts(logits, draws, generator=seeded()))


def test_counts_of_a_batch_are_counted_row_by_row() -> None:
    logits = torch.stack([some_logits(5), some_logits(5, masked=True)]).reshape(2, 1, 5)
    counts = category_counts(logits, DRAWS, generator=seeded())
    assert counts.shape == logits.shape
    for row, of in zip(counts[:, 0], logits[:, 0], strict=True):
        assert row.sum() == DRAWS
        assert fit(row, of) > LEVEL
    assert category_counts(torch.zeros(0, 5), 3).shape == (0, 5)


def test_running_counts_grow_to_the_whole() -> None:
    draws = 3 * CHUNK // 64 + 5
    running = list(count_in_chunks(torch.zeros(64), draws, generator=seeded()))
    assert [int(counts.sum()) for counts in running] == [CHUNK // 64, CHUNK // 32, 3 * CHUNK // 64, draws]
    assert torch.equal(running[-1], category_counts(torch.zeros(64), draws, generator=seeded()))


@pytest.mark.parametrize("draws", [0, -1])
def test_no_draws_are_refused(draws: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, not {draws}"):
        category_counts(torch.zeros(2), draws)


# Straight-through


@pytest.mark.parametrize("dtype", DTYPES)
def test_straight_through_is_exactly_one_hot_forward(dtype: torch.dtype) -> None:
    logits = some_logits(10, dtype).expand(10_000, -1).clone().requires_grad_()
    noise = gumbel_noise(logits.shape, generator=seeded(), dtype=dtype)
    hard = gumbel_softmax(logits, 0.5, hard=True, noise=noise)
    winners = gumbel_max(logits, noise=noise)
    assert torch.equal(hard, torch.nn.functional.one_hot(winners, 10).to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_straight_through_carries_the_relaxed_gradient(dtype: torch.dtype) -> None:
    logits = some_logits(10, dtype).expand(1_000, -1).clone().requires_grad_()
    noise = gumbel_noise(logits.shape, generator=seeded(), dtype=dtype)
    upstream = torch.randn(logits.shape, generator=seeded(1)).to(dtype)
    hard, relaxed = (
        torch.autograd.grad(gumbel_softmax(logits, 0.5, hard=hard, noise=noise), logits, upstream)[0]
        for hard in (True, False)
    )
    assert relaxed.any()
    assert torch.equal(hard, relaxed)


def test_straight_through_never_rounds() -> None:
    relaxed = torch.softmax(torch.randn(100_000, 10, generator=seeded()), -1)
    one_hot = torch.nn.functional.one_hot(relaxed.argmax(-1), 10).float()
    assert torch.equal(straight_through(one_hot, relaxed), one_hot)


# Gradients


@pytest.mark.parametrize("temperature", [0.3, 1.0, 7.0])
def test_gradients_agree_with_finite_differences(temperature: float) -> None:
    logits = some_logits(12).reshape(3, 4).requires_grad_()
    noise = gumbel_noise((3, 4), generator=seeded(), dtype=torch.float64).requires_grad_()

    def sample(logits: Tensor, noise: Tensor) -> Tensor:
        return gumbel_softmax(logits, temperature, noise=noise)

    assert torch.autograd.gradcheck(sample, (logits, noise))
    assert torch.autograd.gradgradcheck(sample, (logits, noise))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 7.0])
def test_the_softmax_without_noise_is_pytorchs(temperature: float) -> None:
    logits = some_logits(12).reshape(3, 4).requires_grad_()
    upstream = torch.randn(3, 4, generator=seeded(), dtype=torch.float64)
    found, wanted = tempered_softmax(logits, temperature), (logits / temperature).softmax(-1)
    torch.testing.assert_close(found, wanted)
    gradients = [torch.autograd.grad(softmax, logits, upstream)[0] for softmax in (found, wanted)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("hard", [False, True])
def test_a_masked_category_gets_probability_0_and_gradient_0(hard: bool) -> None:
    logits = torch.tensor([1.5, -INF, 0.5, 0.0], dtype=torch.float64, requires_grad=True)
    noise = gumbel_noise((4,), generator=seeded(), dtype=torch.float64)
    upstream = torch.tensor([1.0, 2.0, -3.0, 4.0], dtype=torch.float64)
    masked = gumbel_softmax(logits, 0.5, hard=hard, noise=noise)
    (gradient,) = torch.autograd.grad(masked, logits, upstream)
    assert masked[1] == 0
    assert gradient[1] == 0

    kept = torch.tensor([0, 2, 3])
    without = logits.detach()[kept].requires_grad_()
    expected = gumbel_softmax(without, 0.5, hard=hard, noise=noise[kept])
    torch.testing.assert_close(masked[kept], expected)
    torch.testing.assert_close(gradient[kept], torch.autograd.grad(expected, without, upstream[kept])[0])


def all_zero_gradients(dtype: torch.dtype, temperature: float) -> float:
    """The share of draws, K = 10 and uniform, in which no logit gets a gradient."""
    logits = torch.zeros(50_000, 10, dtype=dtype, requires_grad=True)
    relaxed = gumbel_softmax(logits, temperature, generator=seeded())
    upstream = torch.randn(relaxed.shape, generator=seeded(1), dtype=dtype)
    (gradient,) = torch.autograd.grad(relaxed, logits, upstream)
    return (gradient == 0).all(-1).double().mean().item()


def all_underflow(gap: float, categories: int = 10) -> float:
    """The probability that the winner of K uniform categories leads by more than `gap`: every other one
    starts behind by e^gap in an exponential race."""
    return categories / (1 + (categories - 1) * math.exp(gap))


def test_at_a_tiny_temperature_the_gradient_is_often_exactly_0() -> None:
    # LESSONS.md: 40 % of draws at tau = .01 in single precision. Uniform logits are the least affected
    # (38 %; 41 % for standard normal ones): exp(-x) is 0 where x > 103.97, half the smallest subnormal.
    single = all_zero_gradients(torch.float32, 0.01)
    assert 0.35 < single < 0.45
    # Four standard errors, and one logit in fifty thousand.
    assert single == pytest.approx(all_underflow(0.01 * 103.97), abs=0.009)
    assert all_zero_gradients(torch.float64, 0.01) < 0.002
    assert all_zero_gradients(torch.float32, 0.5) == 0


# Limits, extremes, shapes


def test_a_temperature_near_0_is_the_one_hot_of_the_same_noise() -> None:
    logits = some_logits(5, masked=True).expand(200, -1)
    noise = gumbel_noise(logits.shape, generator=seeded(), dtype=torch.float64)
    one_hot = torch.nn.functional.one_hot(gumbel_max(logits, noise=noise), 5).double()
    torch.testing.assert_close(gumbel_softmax(logits, 1e-6, noise=noise), one_hot)


def test_a_large_temperature_is_uniform_over_what_is_not_masked() -> None:
    logits = some_logits(5, masked=True)
    relaxed = gumbel_softmax(logits.expand(200, -1), 1e6, generator=seeded())
    uniform = (logits > -INF).double() / (logits > -INF).sum()
    torch.testing.assert_close(relaxed, uniform.expand(200, -1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("temperature", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_huge_logits_give_a_one_hot_and_not_a_nan(dtype: torch.dtype, temperature: float) -> None:
    for huge in ([1e30, -1e30, 0.0], [3e38, -3e38, 0.0], [1e37, 0.0, -INF]):
        logits = torch.tensor(huge, dtype=dtype, requires_grad=True)
        for hard in (False, True):
            sample = gumbel_softmax(logits, temperature, hard=hard, generator=seeded())
            (gradient,) = torch.autograd.grad(sample[0], logits)
            assert sample.tolist() == [1, 0, 0]
            assert gradient.tolist() == [0, 0, 0]


def test_a_huge_row_leaves_its_neighbours_alone() -> None:
    ordinary = torch.tensor([0.5, -1.0, 2.0])
    noise = gumbel_noise((2, 3), generator=seeded())
    rows = torch.stack([torch.tensor([1e30, 1e30, -1e30]), ordinary])
    together = gumbel_softmax(rows, 0.5, noise=noise)
    torch.testing.assert_close(together[1], gumbel_softmax(ordinary, 0.5, noise=noise[1]))


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (1, 4), (0, 4), (2, 0, 4), (1,), (5, 1)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_leading_shape_and_the_dtype_come_back(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    logits = torch.zeros(shape, dtype=dtype)
    for hard in (False, True):
        sample = gumbel_softmax(logits, 0.5, hard=hard)
        assert sample.shape == shape
        assert sample.dtype == dtype
        # Half precision rounds each entry: a sum of four is off by a few eps.
        total = sample.double().sum(-1)
        torch.testing.assert_close(total, torch.ones_like(total), atol=4 * torch.finfo(dtype).eps, rtol=0)
    assert gumbel_max(logits).shape == shape[:-1]


def test_one_category_always_wins_and_has_no_slope() -> None:
    logits = torch.tensor([[3.0], [-2.0]], requires_grad=True)
    sample = gumbel_softmax(logits, 0.1, generator=seeded())
    assert sample.tolist() == [[1], [1]]
    assert torch.autograd.grad(sample.sum(), logits)[0].tolist() == [[0], [0]]
    assert category_counts(logits.detach()[0], 10).tolist() == [10]


# Randomness is an argument

SAMPLERS: dict[str, Callable[[Tensor, torch.Generator | None], Tensor]] = {
    "noise": lambda logits, generator: gumbel_noise(logits.shape, generator=generator),
    "max": lambda logits, generator: gumbel_max(logits, generator=generator),
    "softmax": lambda logits, generator: gumbel_softmax(logits, 0.5, generator=generator),
    "counts": lambda logits, generator: category_counts(logits, 100, generator=generator),
}


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_generator_decides_everything(sampler: str) -> None:
    sample, logits = SAMPLERS[sampler], torch.zeros(8, 16)
    before = torch.get_rng_state()
    assert torch.equal(sample(logits, seeded(1)), sample(logits, seeded(1)))
    assert not torch.equal(sample(logits, seeded(1)), sample(logits, seeded(2)))
    assert torch.equal(torch.get_rng_state(), before)
    generator = seeded(1)
    assert not torch.equal(sample(logits, generator), sample(logits, generator))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_explicit_noise_is_taken_as_it_is(dtype: torch.dtype) -> None:
    logits = some_logits(12, dtype).reshape(3, 4)
    noise = gumbel_noise((3, 4), generator=seeded(), dtype=dtype)
    untouched = logits.clone(), noise.clone()
    assert torch.equal(gumbel_max(logits, noise=noise), (logits + noise).argmax(-1))
    torch.testing.assert_close(
        gumbel_softmax(logits, 0.7, noise=noise), torch.softmax((logits + noise) / 0.7, -1)
    )
    assert torch.equal(logits, untouched[0])
    assert torch.equal(noise, untouched[1])


# What is refused


@pytest.mark.parametrize(
    ("temperature", "reason"),
    [
        (0, "must be above 0, not 0: at 0 .* one-hot, .* no gradient"),
        (-1, "must be above 0, not -1"),
        (NAN, "must be a finite number, not nan"),
        (INF, "must be a finite number, not inf"),
    ],
)
@pytest.mark.parametrize("hard", [False, True])
def test_an_impossible_temperature_is_refused_with_the_reason(
    temperature: float, reason: str, hard: bool
) -> None:
    with pytest.raises(ValueError, match=reason):
        gumbel_softmax(torch.zeros(2), temperature, hard=hard)


@pytest.mark.parametrize("row", [[-INF, -INF], [NAN, 0.0], [0.0, NAN], [INF, 0.0], [NAN, INF]])
@pytest.mark.parametrize("dtype", DTYPES)
def test_logits_that_leave_nothing_to_draw_are_refused(row: list[float], dtype: torch.dtype) -> None:
    for logits in (torch.tensor(row, dtype=dtype), torch.tensor([[0.0, 1.0], row], dtype=dtype)):
        for refused in (
            lambda logits: gumbel_max(logits),
            lambda logits: gumbel_softmax(logits, 1.0),
            lambda logits: category_counts(logits, 10),
        ):
            with pytest.raises(ValueError, match="one finite entry, and no NaN or \\+inf"):
                refused(logits)


def test_whole_numbers_are_no_logits() -> None:
    with pytest.raises(ValueError, match="floating-point numbers, not torch\\.int64"):
        gumbel_softmax(torch.tensor([1, 2]), 1.0)
