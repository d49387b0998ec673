"""Permutations against the one closed law, symmetry, brute force, and a plain loop of Sinkhorn's."""

import math
from collections import Counter
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import integrate, stats
from torch import Tensor

from gumbel_core.sampling import gumbel_noise
from gumbel_core.structures.permutations import (
    ITERATIONS,
    gibbs_law,
    hard_permutation,
    order_of,
    relaxed_permutation,
    sinkhorn,
    straight_through_permutation,
    two_law,
)
from tests.unit.known_structures import DRAWS, LEVEL, fit, normal, seeded, total_variation

INF, NAN = math.inf, math.nan


def noise_of(*shape: int, seed: int = 1) -> Tensor:
    return gumbel_noise(shape, generator=seeded(seed), dtype=torch.float64)


def orders(hard: Tensor) -> Counter[tuple[int, ...]]:
    return Counter(map(tuple, hard.argmax(-1).tolist()))


def drawn(scores: Tensor, draws: int = DRAWS, seed: int = 0) -> Tensor:
    return hard_permutation(scores.expand(draws, -1, -1), generator=seeded(seed))


def normalised(weights: NDArray[np.float64], iterations: int) -> NDArray[np.float64]:
    """Sinkhorn without logarithms: rows, then columns."""
    weights = weights.copy()
    for _ in range(iterations):
        for row in range(len(weights)):
            weights[row] /= weights[row].sum()
        for column in range(len(weights)):
            weights[:, column] /= weights[:, column].sum()
    return weights


# The hard sampler


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_the_hard_permutation_is_the_best_of_all(n: int) -> None:
    scores, noise = normal(50, n, n), noise_of(50, n, n)
    for matrix, keys in zip(hard_permutation(scores, noise=noise), scores + noise, strict=True):
        assert matrix.sum(0).tolist() == matrix.sum(1).tolist() == [1] * n
        best = max(permutations(range(n)), key=lambda order: sum(keys[i, j] for i, j in enumerate(order)))
        assert order_of(matrix) == best


def test_a_matrix_puts_row_i_into_column_j() -> None:
    matrix = hard_permutation(torch.tensor([[0.0, 9, 0], [0, 0, 9], [9, 0, 0]]), noise=torch.zeros(3, 3))
    assert matrix.tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert order_of(matrix) == (1, 2, 0)


@pytest.mark.parametrize("d", [-6.0, -1.0, -2e-3, -5e-4, 0.0, 5e-4, 2e-3, 0.3, 1.0, 4.0, 30.0])
def test_the_law_of_two_by_integration(d: float) -> None:
    """P(L1 + L2 > -d) for two logistic variables: the differences of two pairs of Gumbel variables."""
    logistic = stats.logistic
    wanted, _ = integrate.quad(
        lambda x: logistic.cdf(d + x) * logistic.pdf(x), -60, 60, points=[-d], epsabs=1e-13, limit=200
    )
    # d is spread over all four entries, with a shift of a row and of a column.
    scores = torch.tensor([[d + 1, 2.0], [4.0, 5.0]], dtype=torch.float64)
    assert two_law(scores).item() == pytest.approx(wanted, abs=1e-9)
    assert two_law(scores.flip(0)).item() == pytest.approx(1 - wanted, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_two_are_drawn_by_their_law(seed: int) -> None:
    scores = normal(2, 2, seed=seed)
    stay = two_law(scores).item()
    assert fit(orders(drawn(scores)), {(0, 1): stay, (1, 0): 1 - stay}) > LEVEL


def test_the_law_of_two_takes_a_batch() -> None:
    scores = 3 * normal(4, 5, 2, 2)
    law = two_law(scores)
    assert law.shape == (4, 5)
    assert law[1, 2].item() == two_law(scores[1, 2]).item()


@pytest.mark.parametrize("n", [3, 4])
def test_equal_scores_make_every_permutation_equally_likely(n: int) -> None:
    counts = orders(drawn(torch.full((n, n), 0.7)))
    assert fit(counts, {order: 1 / math.factorial(n) for order in permutations(range(n))}) > LEVEL


def test_relabelled_rows_and_columns_relabel_the_permutation() -> None:
    scores, noise = normal(50, 4, 4), noise_of(50, 4, 4)
    rows, columns = torch.tensor([2, 0, 3, 1]), torch.tensor([1, 3, 0, 2])
    for sampler in (hard_permutation, lambda s, noise: relaxed_permutation(s, 0.5, noise=noise)):
        moved = sampler(scores[:, rows][..., columns], noise=noise[:, rows][..., columns])
        torch.testing.assert_close(moved, sampler(scores, noise=noise)[:, rows][..., columns])


def test_a_shift_of_a_row_or_a_column_changes_nothing() -> None:
    scores, noise = normal(50, 4, 4), noise_of(50, 4, 4)
    shifted = scores + 3 * normal(4, 1, seed=5) + 3 * normal(4, seed=6)
    assert torch.equal(hard_permutation(shifted, noise=noise), hard_permutation(scores, noise=noise))
    one, other = (relaxed_permutation(s, 1.0, iterations=500, noise=noise) for s in (shifted, scores))
    torch.testing.assert_close(one, other)


# The Gibbs law, which it does not follow


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_gibbs_law_by_brute_force(n: int) -> None:
    scores = 2 * normal(n, n)
    masses = {
        order: math.prod(math.exp(scores[row, column]) for row, column in enumerate(order))
        for order in permutations(range(n))
    }
    total = sum(masses.values())
    wanted = {order: mass / total for order, mass in masses.items()}
    assert gibbs_law(scores) == pytest.approx(wanted, abs=1e-12)


def test_the_gibbs_law_is_stable_and_bounded() -> None:
    assert gibbs_law(torch.tensor([[1e5, 0.0], [0.0, 1e5]]))[0, 1] == 1
    assert gibbs_law(torch.tensor([[0.0, -INF], [0.0, 0.0]])) == {(0, 1): 1.0, (1, 0): 0.0}
    assert len(gibbs_law(torch.zeros(6, 6))) == 720
    with pytest.raises(ValueError, match=r"^The permutations of 7 are not enumerated: 6 at most\.$"):
        gibbs_law(torch.zeros(7, 7))


@pytest.mark.parametrize(("seed", "distance"), [(0, 0.14), (1, 0.07), (2, 0.11), (3, 0.13)])
def test_the_assignment_does_not_follow_the_gibbs_law(seed: int, distance: float) -> None:
    scores = normal(4, 4, seed=seed)
    counts, gibbs = orders(drawn(scores)), gibbs_law(scores)
    assert fit(counts, gibbs) < 1e-30
    # LESSONS.md has .10 at scores of its own. Draws of a law itself are .01 away from it.
    frequencies = {order: count / DRAWS for order, count in counts.items()}
    assert total_variation(frequencies, gibbs) == pytest.approx(distance, abs=0.02)


# Sinkhorn


@pytest.mark.parametrize("iterations", [1, 2, 20])
@pytest.mark.parametrize("n", [1, 3, 5])
def test_sinkhorn_is_the_plain_loop(n: int, iterations: int) -> None:
    scores = 2 * normal(n, n)
    wanted = normalised(scores.exp().numpy(), iterations)
    np.testing.assert_allclose(sinkhorn(scores, iterations).exp().numpy(), wanted, rtol=0, atol=1e-12)


def test_the_relaxed_permutation_is_sinkhorn_at_the_temperature() -> None:
    scores, noise = normal(3, 3), noise_of(3, 3)
    wanted = normalised(((scores + noise) / 0.4).exp().numpy(), ITERATIONS)
    found = relaxed_permutation(scores, 0.4, noise=noise)
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0, 100.0])
def test_columns_sum_to_one_and_rows_come_closer(tau: float) -> None:
    scores, noise = normal(100, 4, 4), noise_of(100, 4, 4)
    off = []
    for iterations in (1, 20, 1000):
        relaxed = relaxed_permutation(scores, tau, iterations=iterations, noise=noise)
        assert (relaxed >= 0).all()
        torch.testing.assert_close(relaxed.sum(-2), torch.ones(100, 4, dtype=torch.float64))
        off.append(float((relaxed.sum(-1) - 1).abs().max()))
    assert off[0] >= off[1] >= off[2]
    assert off[2] < 0.01


def test_at_a_temperature_of_one_the_default_is_nearly_doubly_stochastic() -> None:
    relaxed = relaxed_permutation(normal(500, 4, 4), 1.0, generator=seeded())
    assert (relaxed.sum(-1) - 1).abs().max() < 0.1


# How many iterations the limit takes


@pytest.mark.parametrize("n", [3, 4, 6])
def test_near_zero_it_is_the_hard_permutation_after_a_thousand_iterations(n: int) -> None:
    scores, noise = normal(n, n).expand(200, -1, -1), noise_of(200, n, n, seed=3)
    hard = hard_permutation(scores, noise=noise)
    near = relaxed_permutation(scores, 0.01, iterations=1_000, noise=noise)
    assert torch.equal(near.round(), hard)
    far = relaxed_permutation(scores, 0.01, iterations=ITERATIONS, noise=noise)
    wrong = (far.round() != hard).flatten(1).any(-1).double().mean()
    # 20 iterations leave a quarter of the matrices of 3 elsewhere, and two thirds of those of 6.
    assert wrong > 0.2


def test_the_limit_itself() -> None:
    scores, noise = normal(3, 3).expand(40, -1, -1), noise_of(40, 3, 3, seed=3)
    hard = hard_permutation(scores, noise=noise)
    off = [
        float((relaxed_permutation(scores, tau, iterations=30_000, noise=noise) - hard).abs().amax())
        for tau in (0.1, 0.01, 0.001)
    ]
    assert off[0] > off[1] > off[2]
    assert off[2] < 1e-3


def test_far_from_zero_it_is_uniform() -> None:
    relaxed = relaxed_permutation(normal(20, 4, 4), 1e6, generator=seeded())
    torch.testing.assert_close(relaxed, torch.full_like(relaxed, 1 / 4), rtol=0, atol=1e-4)


# Gradients


@pytest.mark.parametrize("iterations", [1, 5, 20])
@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
def test_the_gradient_is_that_of_finite_differences(tau: float, iterations: int) -> None:
    scores, noise = normal(2, 3, 3).requires_grad_(), noise_of(2, 3, 3)
    assert torch.autograd.gradcheck(
        lambda x: relaxed_permutation(x, tau, iterations=iterations, noise=noise), scores
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_straight_through_is_hard_forward_and_relaxed_backward(dtype: torch.dtype) -> None:
    noise, weights = noise_of(50, 4, 4).to(dtype), normal(50, 4, 4, seed=3).to(dtype)
    scores = normal(50, 4, 4).to(dtype).requires_grad_()
    found = straight_through_permutation(scores, 0.8, iterations=7, noise=noise)
    assert found.dtype == dtype
    assert torch.equal(found, hard_permutation(scores, noise=noise))
    (gradient,) = torch.autograd.grad((found * weights).sum(), scores)
    relaxed = relaxed_permutation(scores, 0.8, iterations=7, noise=noise)
    (wanted,) = torch.autograd.grad((relaxed * weights).sum(), scores)
    assert torch.equal(gradient, wanted)
    assert wanted.abs().max() > 0.1


# Masks


def test_a_masked_place_is_never_taken() -> None:
    scores = torch.zeros(3, 3, dtype=torch.float64)
    scores[0, 0] = scores[1, 2] = -INF
    counts = orders(drawn(scores, 2_000))
    assert set(counts) == {(1, 0, 2), (2, 0, 1), (2, 1, 0)}
    scores.requires_grad_()
    relaxed = relaxed_permutation(scores, 0.5, noise=noise_of(3, 3))
    assert relaxed[0, 0] == relaxed[1, 2] == 0
    (gradient,) = torch.autograd.grad((relaxed * normal(3, 3)).sum(), scores)
    assert gradient.isfinite().all()
    assert gradient[0, 0] == gradient[1, 2] == 0
    assert gradient.abs().max() > 1e-3


@pytest.mark.parametrize(
    "scores",
    [
        [[-INF, -INF], [0.0, 0.0]],
        [[-INF, 0.0], [-INF, 0.0]],
        [[0.0, -INF, -INF], [0.0, -INF, -INF], [0.0, 0.0, 0.0]],
    ],
)
def test_masks_that_leave_no_permutation_are_refused(scores: list[list[float]]) -> None:
    for sampler in (hard_permutation, lambda s: straight_through_permutation(s, 0.5)):
        with pytest.raises(ValueError, match=r"^Every permutation meets a masked score: leave one open\.$"):
            sampler(torch.tensor([[[0.0] * len(scores)] * len(scores), scores]))


# Shapes, randomness, refusals

SAMPLERS: dict[str, Callable[..., Tensor]] = {
    "hard": hard_permutation,
    "relaxed": lambda scores, **kwargs: relaxed_permutation(scores, 0.5, **kwargs),
    "straight-through": lambda scores, **kwargs: straight_through_permutation(scores, 0.5, **kwargs),
}


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("leading", [(), (1,), (0,), (3,), (2, 3), (2, 0, 3)])
def test_any_leading_shape(sampler: Callable[..., Tensor], leading: tuple[int, ...]) -> None:
    scores, noise = normal(*leading, 4, 4), noise_of(*leading, 4, 4)
    found = sampler(scores, noise=noise)
    assert found.shape == (*leading, 4, 4)
    flat = (tensor.reshape(-1, 4, 4) for tensor in (found, scores, noise))
    for matrix, alone, own in zip(*flat, strict=True):
        torch.testing.assert_close(matrix, sampler(alone, noise=own))


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_the_generator_decides(sampler: Callable[..., Tensor]) -> None:
    scores = normal(40, 4, 4)
    assert torch.equal(sampler(scores, generator=seeded(4)), sampler(scores, generator=seeded(4)))
    assert not torch.equal(sampler(scores, generator=seeded(4)), sampler(scores, generator=seeded(5)))
    own = gumbel_noise(scores.shape, generator=seeded(4), dtype=torch.float64)
    assert torch.equal(sampler(scores, generator=seeded(4)), sampler(scores, noise=own))


@pytest.mark.parametrize("sampler", [*SAMPLERS.values(), gibbs_law], ids=[*SAMPLERS, "gibbs"])
@pytest.mark.parametrize("shape", [(2, 3), (4,), (5, 3, 2)])
def test_scores_that_are_not_square_are_refused(
    sampler: Callable[..., object], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"^Scores of permutations are square, not \([\d, ]+\)\.$"):
        sampler(torch.zeros(shape))


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("value", [INF, NAN])
def test_scores_that_are_no_numbers_are_refused(sampler: Callable[..., Tensor], value: float) -> None:
    with pytest.raises(ValueError, match=r"^A score is a number or -inf, which masks: not a NaN, and not"):
        sampler(torch.tensor([[0.0, value], [0.0, 0.0]]))


@pytest.mark.parametrize("iterations", [0, -1])
def test_no_iterations_are_refused(iterations: int) -> None:
    with pytest.raises(ValueError, match=rf"^Sinkhorn takes one iteration at least, not {iterations}\.$"):
        relaxed_permutation(torch.zeros(2, 2), 1.0, iterations=iterations)


@pytest.mark.parametrize("tau", [0.0, -1.0, INF, NAN])
def test_a_temperature_that_is_none_is_refused(tau: float) -> None:
    for relax in (relaxed_permutation, straight_through_permutation):
        with pytest.raises(ValueError, match="The temperature must be"):
            relax(torch.zeros(3, 3), tau)
