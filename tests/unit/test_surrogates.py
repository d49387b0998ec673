"""Surrogate gradients against enumeration, against their papers' formulas in NumPy, and against each other.

The statistical tests are seeded. Each z-score is held below 4 (one right value in 16,000 is beyond) and each
p-value above 1e-4; there are some forty of them, so with other seeds right code would fail one run in 200.
"""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from gumbel_core.sampling import gumbel_noise
from gumbel_core.surrogates import (
    RAO_DRAWS,
    SURROGATES,
    conditional_gumbels,
    gumbel_rao,
    one_hot,
)
from tests.unit.known_gradients import through

Array = NDArray[np.float64]

LEVEL, FAR = 1e-4, 4.0
DRAWS = 20_000
HARD = ["st_gumbel_softmax", "straight_through", "reinmax", "gumbel_rao"]
TEMPERED = ["gumbel_softmax", "st_gumbel_softmax", "reinmax", "gumbel_rao"]

LOGITS = torch.tensor([0.9, -0.4, 0.1, -1.2], dtype=torch.float64)
K = len(LOGITS)
# f(z) = z' A z + b' z, far from symmetric.
A = torch.randn(K, K, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
B = torch.randn(K, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(z: Tensor) -> Tensor:
    return z @ B


def quadratic(z: Tensor) -> Tensor:
    return torch.einsum("...i,ij,...j->...", z, A, z) + z @ B


def cubic(z: Tensor) -> Tensor:
    # On one-hots z^3 = z, but not its derivative.
    return quadratic(z) + (z**3) @ B


def draws(
    name: str, f: Callable[[Tensor], Tensor], temperature: float = 1.0, count: int = DRAWS, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Samples (count, K), and the gradient of f of each with respect to its own logits (count, K)."""
    return through(SURROGATES[name].sample, LOGITS.expand(count, -1), f, temperature, seed)


def exact_gradient(f: Callable[[Tensor], Tensor]) -> Tensor:
    """Of E f(z) = sum_k softmax(logits)_k f(e_k): (K,)."""
    logits = LOGITS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(
        (logits.softmax(-1) * f(torch.eye(K, dtype=torch.float64))).sum(), logits
    )
    return gradient


def mean_over_winners(z: Tensor, gradient: Tensor) -> Tensor:
    """The estimator's exact mean, where its gradient depends on nothing but which category has won."""
    rows = [gradient[z[:, k] == 1] for k in range(K)]
    for row in rows:
        torch.testing.assert_close(row, row[:1].expand_as(row), rtol=0, atol=0)
    return LOGITS.softmax(-1) @ torch.stack([row[0] for row in rows])


def z_scores(gradient: Tensor, other: Tensor) -> Tensor:
    """Of the difference of two independent means over draws, each entry by itself."""
    spread = (gradient.var(0) / len(gradient) + other.var(0) / len(other)).sqrt()
    return (gradient.mean(0) - other.mean(0)) / spread


# The forward pass


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_hard_ones_are_exactly_one_hot_and_the_relaxed_one_is_not(name: str, dtype: torch.dtype) -> None:
    logits = torch.randn(500, 6, generator=seeded(), dtype=dtype, requires_grad=True)
    z = SURROGATES[name].sample(logits, 0.7, generator=seeded())
    assert z.dtype == dtype
    torch.testing.assert_close(z.sum(-1), torch.ones(500, dtype=dtype))
    rows_of_bits = ((z == 0) | (z == 1)).all(-1)
    assert rows_of_bits.all() if SURROGATES[name].hard else not rows_of_bits.any()


def test_which_are_hard() -> None:
    assert [name for name, surrogate in SURROGATES.items() if surrogate.hard] == HARD


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_winners_follow_softmax(name: str, temperature: float) -> None:
    z, _ = draws(name, linear, temperature)
    counts = torch.bincount(z.argmax(-1), minlength=K)
    assert stats.chisquare(counts, DRAWS * LOGITS.softmax(-1)).pvalue > LEVEL


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 4, 3), (0, 3), (2, 1, 2, 3)])
def test_any_leading_shape(name: str, shape: tuple[int, ...]) -> None:
    logits = torch.zeros(shape, requires_grad=True)
    z = SURROGATES[name].sample(logits, 1.0, generator=seeded())
    (gradient,) = torch.autograd.grad((z**2).sum(), logits)
    assert z.shape == gradient.shape == shape
    # A shift of a row's logits changes nothing, so a row of the gradient adds up to 0.
    torch.testing.assert_close(gradient.sum(-1), torch.zeros(shape[:-1]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", SURROGATES)
def test_the_generator_decides_and_the_global_one_is_left_alone(name: str) -> None:
    before = torch.get_rng_state()
    (z, gradient), again, other = (
        draws(name, quadratic),
        draws(name, quadratic),
        draws(name, quadratic, seed=1),
    )
    assert torch.equal(z, again[0])
    assert torch.equal(gradient, again[1])
    assert not torch.equal(z, other[0])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", TEMPERED)
@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none_is_refused(name: str, temperature: float) -> None:
    with pytest.raises(ValueError, match="The temperature must be"):
        SURROGATES[name].sample(LOGITS, temperature, generator=seeded())


@pytest.mark.parametrize("temperature", [0.01, 100.0, 0.0, math.nan])
def test_plain_straight_through_has_no_temperature(temperature: float) -> None:
    z, gradient = draws("straight_through", quadratic, temperature, count=100)
    wanted = draws("straight_through", quadratic, count=100)
    assert torch.equal(z, wanted[0])
    assert torch.equal(gradient, wanted[1])


# Straight-through


def jacobian(p: Array) -> Array:
    """Of a softmax at its value p."""
    return np.diag(p) - np.outer(p, p)


def softmax(logits: Array) -> Array:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def inner(z: Array) -> Array:
    """The gradient of the quadratic at z."""
    return np.asarray((A.numpy() + A.numpy().T) @ z + B.numpy())


def test_each_straight_through_gradient_is_the_softmax_jacobian() -> None:
    z, gradient = draws("straight_through", quadratic, count=200)
    for row, found in zip(z.numpy(), gradient.numpy(), strict=True):
        np.testing.assert_allclose(found, jacobian(softmax(LOGITS.numpy())) @ inner(row), rtol=0, atol=1e-13)


def test_straight_through_is_exact_for_a_linear_loss_and_for_no_more() -> None:
    mean = mean_over_winners(*draws("straight_through", linear))
    torch.testing.assert_close(mean, exact_gradient(linear), rtol=0, atol=1e-13)
    mean = mean_over_winners(*draws("straight_through", quadratic))
    assert (mean - exact_gradient(quadratic)).norm() > 0.1 * exact_gradient(quadratic).norm()


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_st_gumbel_softmax_has_the_gradient_of_the_relaxed_sample_of_its_noise(temperature: float) -> None:
    soft, wanted = draws("gumbel_softmax", linear, temperature, count=200)
    hard, gradient = draws("st_gumbel_softmax", linear, temperature, count=200)
    # A linear loss has the same slope at both.
    assert torch.equal(gradient, wanted)
    assert torch.equal(hard.argmax(-1), soft.argmax(-1))


def test_the_relaxed_sample_passes_gradcheck() -> None:
    def frozen(logits: Tensor) -> Tensor:
        return SURROGATES["gumbel_softmax"].sample(logits, 0.6, generator=seeded())

    logits = torch.randn(3, 4, generator=seeded(), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(frozen, logits)


# ReinMax


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.3])
def test_each_reinmax_gradient_is_the_papers(temperature: float) -> None:
    """Liu et al. 2023, eq. 7: (2 J((softmax_tau + D)/2) - J(softmax)/2) f'(D), J(p) = diag(p) - p p'."""
    z, gradient = draws("reinmax", quadratic, temperature, count=200)
    logits = LOGITS.numpy()
    for row, found in zip(z.numpy(), gradient.numpy(), strict=True):
        halfway = (softmax(logits / temperature) + row) / 2
        matrix = 2 * jacobian(halfway) - jacobian(softmax(logits)) / 2
        np.testing.assert_allclose(found, matrix @ inner(row), rtol=0, atol=1e-13)


def test_reinmax_is_exact_for_a_quadratic_loss_and_for_no_more() -> None:
    for f in (linear, quadratic):
        mean = mean_over_winners(*draws("reinmax", f))
        torch.testing.assert_close(mean, exact_gradient(f), rtol=0, atol=1e-13)
    mean = mean_over_winners(*draws("reinmax", cubic))
    assert (mean - exact_gradient(cubic)).norm() > 0.1 * exact_gradient(cubic).norm()


def test_reinmaxs_mean_over_draws_is_exact_for_a_quadratic_loss() -> None:
    _, gradient = draws("reinmax", quadratic)
    error = (gradient.mean(0) - exact_gradient(quadratic)) / (gradient.var(0) / DRAWS).sqrt()
    assert error.abs().max() < FAR


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_reinmax_stays_finite_where_softmax_rounds_to_zero(dtype: torch.dtype) -> None:
    logits = torch.tensor([0.0, -2_000.0, 1.0], dtype=dtype, requires_grad=True)
    z = SURROGATES["reinmax"].sample(logits, 0.5, generator=seeded())
    (gradient,) = torch.autograd.grad((z**2).sum(), logits)
    assert z.isfinite().all()
    assert gradient.isfinite().all()


# Gumbel-Rao


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_conditional_gumbels_lead_to_the_winner(dtype: torch.dtype) -> None:
    logits = 3 * torch.randn(500, 6, generator=seeded(), dtype=dtype)
    winner = torch.randint(6, (500,), generator=seeded())
    noise = conditional_gumbels(logits, one_hot(winner, logits), 20, generator=seeded())
    assert noise.shape == (20, 500, 6)
    assert noise.dtype == dtype
    assert ((logits + noise).argmax(-1) == winner).all()


def test_conditional_gumbels_are_gumbels_once_the_winner_is_averaged_over() -> None:
    logits = LOGITS.expand(DRAWS, -1)
    winner = torch.multinomial(LOGITS.softmax(-1), DRAWS, replacement=True, generator=seeded(1))
    noise = conditional_gumbels(logits, one_hot(winner, logits), 1, generator=seeded()).squeeze(0)
    for column in noise.T:
        assert stats.kstest(column, stats.gumbel_r.cdf).pvalue > LEVEL
    # Independent columns: sums of pairs have the variance of sums, and correlations are 0 up to 1/sqrt(n).
    off_diagonal = torch.corrcoef(noise.T) - torch.eye(K, dtype=torch.float64)
    assert off_diagonal.abs().max() < FAR / math.sqrt(DRAWS)


@pytest.mark.parametrize("winner", range(K))
def test_conditional_gumbels_are_those_that_rejection_leaves(winner: int) -> None:
    gumbels = torch.from_numpy(stats.gumbel_r.rvs(size=(DRAWS, K), random_state=winner))
    kept = gumbels[(LOGITS + gumbels).argmax(-1) == winner]
    noise = conditional_gumbels(LOGITS, one_hot(torch.tensor(winner), LOGITS), DRAWS, generator=seeded())
    for drawn, left in zip(noise.T, kept.T, strict=True):
        assert stats.ks_2samp(drawn, left).pvalue > LEVEL
    # The largest sum is a Gumbel, whoever wins.
    largest = (LOGITS.log_softmax(-1) + noise).amax(-1)
    assert stats.kstest(largest, stats.gumbel_r.cdf).pvalue > LEVEL


@pytest.mark.parametrize("temperature", [0.5, 1.0])
def test_gumbel_rao_keeps_the_mean_of_st_gumbel_softmax_and_lowers_its_variance(temperature: float) -> None:
    _, rao = draws("gumbel_rao", quadratic, temperature)
    _, plain = draws("st_gumbel_softmax", quadratic, temperature, seed=1)
    assert z_scores(rao, plain).abs().max() < FAR
    # Not by chance: both are far from the exact gradient, on the same side.
    assert z_scores(rao, exact_gradient(quadratic).expand(2, -1)).abs().max() > 5 * FAR
    assert rao.var(0).sum() < 0.8 * plain.var(0).sum()


def test_gumbel_rao_of_one_draw_is_no_better() -> None:
    _, rao = through(partial(gumbel_rao, draws=1), LOGITS.expand(DRAWS, -1), quadratic, 0.5)
    _, plain = draws("st_gumbel_softmax", quadratic, 0.5, seed=1)
    assert z_scores(rao, plain).abs().max() < FAR
    # Equal in law: the ratio of variances is 1 up to the heavy tails of 20,000 draws.
    assert 0.9 < rao.var(0).sum() / plain.var(0).sum() < 1.1


def test_each_gumbel_rao_gradient_is_the_mean_over_its_draws() -> None:
    """Paulus et al. 2021, eq. 8: mean over r of J(x_r) f'(D) / tau, J(x) = diag(x) - x x'."""
    logits, temperature, count = LOGITS.expand(50, -1), 0.7, 3
    z, gradient = through(partial(gumbel_rao, draws=count), logits, quadratic, temperature)
    # Its generator draws the winner first, and the other noise after it.
    generator = seeded()
    winner = one_hot((gumbel_noise((50, K), generator=generator, dtype=LOGITS.dtype) + logits).argmax(-1), z)
    assert torch.equal(winner, z)
    noise = conditional_gumbels(logits, winner, count, generator=generator).numpy()
    for row, found in enumerate(gradient.numpy()):
        relaxed = [softmax((LOGITS.numpy() + noise[r, row]) / temperature) for r in range(count)]
        matrix = sum(jacobian(x) for x in relaxed) / count / temperature
        np.testing.assert_allclose(found, matrix @ inner(z[row].numpy()), rtol=0, atol=1e-12)


def test_gumbel_raos_draws_are_ten_unless_it_is_told() -> None:
    wanted = through(partial(gumbel_rao, draws=RAO_DRAWS), LOGITS.expand(100, -1), quadratic)
    assert torch.equal(draws("gumbel_rao", quadratic, count=100)[1], wanted[1])
    assert RAO_DRAWS == 10


def test_one_hot() -> None:
    rows = one_hot(torch.tensor([[2], [0]]), LOGITS[:3].expand(2, 1, 3))
    assert rows.tolist() == [[[0, 0, 1]], [[1, 0, 0]]]
    assert rows.dtype == torch.float64
