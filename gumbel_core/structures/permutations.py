"""Permutations of n: the best assignment of noisy scores, and Sinkhorn's doubly stochastic matrices.

A matrix P of a permutation has P_ij = 1 where row i is put into column j.

[1] Mena, Belanger, Linderman, Snoek, "Learning Latent Permutations with Gumbel-Sinkhorn Networks", 2018,
    arXiv:1802.08665

The assignment of a noisy matrix has no closed law but for n = 2; it is not the Gibbs law, which is here for
contrast.
"""

from itertools import permutations

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from gumbel_core.sampling import check_temperature, gumbel_noise, straight_through
from gumbel_core.structures.noise import perturbed

ITERATIONS = 20
# n! permutations.
MAX_ENUMERATED = 6
FAR = 700.0


def hard_permutation(
    scores: Tensor, *, noise: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """The permutation with the largest sum of `scores + g`, as matrices (..., n, n) ([1] eq. 5).

    Raises ValueError for scores that are not square, and where every permutation meets a -inf.
    """
    check_square(scores)
    return _assigned(perturbed(scores, noise, generator))


def relaxed_permutation(
    scores: Tensor,
    temperature: float,
    *,
    iterations: int = ITERATIONS,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A doubly stochastic matrix (..., n, n): Sinkhorn's normalisation of `(scores + g) / tau` ([1] eq. 6).

    Its columns sum to 1 exactly, its rows up to what the iterations leave. Raises ValueError as the hard one.
    """
    check_square(scores)
    tau = check_temperature(temperature)
    if (scores == -torch.inf).any():
        _assigned(scores)  # refuses what no permutation passes
    return sinkhorn(perturbed(scores, noise, generator) / tau, iterations).exp()


def straight_through_permutation(
    scores: Tensor,
    temperature: float,
    *,
    iterations: int = ITERATIONS,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The permutation in the forward pass, the relaxed one's gradient in the backward pass."""
    check_square(scores)
    if noise is None:
        noise = gumbel_noise(scores.shape, generator=generator, dtype=scores.dtype, device=scores.device)
    relaxed = relaxed_permutation(scores, temperature, iterations=iterations, noise=noise)
    return straight_through(hard_permutation(scores, noise=noise), relaxed)


def sinkhorn(log_weights: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """Rows and columns (..., n, n) normalised in turn, in logarithms ([1] eq. 2)."""
    if iterations < 1:
        raise ValueError(f"Sinkhorn takes one iteration at least, not {iterations}.")
    for _ in range(iterations):
        log_weights = log_weights.log_softmax(-1)
        log_weights = log_weights.log_softmax(-2)
    return log_weights


def two_law(scores: Tensor) -> Tensor:
    """The probability that two stay in their places, (...): scores (..., 2, 2), the one case in closed form.

    The identity wins by d = the trace less the rest, plus two logistic variables, so its probability is
    `(1 - d e^-d - e^-d) / (1 - e^-d)^2`.
    """
    rows = scores.double()
    d = rows[..., 0, 0] + rows[..., 1, 1] - rows[..., 0, 1] - rows[..., 1, 0]
    # Beyond it the law is 0 or 1, and at a masked score's infinity the closed form a NaN.
    d = d.clamp(-FAR, FAR)
    # Near 0 the closed form cancels: 1/2 + d/6 is exact there to d^3.
    far = torch.where(d.abs() < 1e-3, torch.ones_like(d), d.abs())
    above = (1 - (1 + far) * torch.exp(-far)) / torch.expm1(-far) ** 2
    law = torch.where(d < 0, 1 - above, above)
    return torch.where(d.abs() < 1e-3, 0.5 + d / 6, law)


def gibbs_law(scores: Tensor) -> dict[tuple[int, ...], float]:
    """`P(pi)` in proportion to `exp(sum_i scores_i,pi(i))`, by the columns of the rows: scores (n, n).

    Not the law of `hard_permutation`: a contrast to it.
    """
    n = check_square(scores)
    if n > MAX_ENUMERATED:
        raise ValueError(f"The permutations of {n} are not enumerated: {MAX_ENUMERATED} at most.")
    orders = list(permutations(range(n)))
    rows = torch.arange(n)
    sums = torch.stack([scores.double()[rows, torch.tensor(order)].sum() for order in orders])
    return dict(zip(orders, sums.softmax(-1).tolist(), strict=True))


def order_of(matrix: Tensor) -> tuple[int, ...]:
    """The column of each row of a permutation's matrix (n, n)."""
    return tuple(matrix.argmax(-1).tolist())


def check_square(scores: Tensor) -> int:
    """The n of scores (..., n, n), or a ValueError."""
    if scores.dim() < 2 or scores.shape[-1] != scores.shape[-2]:
        raise ValueError(f"Scores of permutations are square, not {tuple(scores.shape)}.")
    return int(scores.shape[-1])


def _assigned(keys: Tensor) -> Tensor:
    """The best assignment of each matrix, by SciPy."""
    n = keys.shape[-1]
    flat = keys.detach().double().reshape(-1, n, n).cpu().numpy()
    chosen = np.zeros_like(flat)
    for matrix, picked in zip(flat, chosen, strict=True):
        try:
            picked[linear_sum_assignment(matrix, maximize=True)] = 1.0
        except ValueError:
            raise ValueError("Every permutation meets a masked score: leave one open.") from None
    return torch.from_numpy(chosen).reshape(keys.shape).to(keys)
