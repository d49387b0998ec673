"""The Concrete, or Gumbel-Softmax, law: how relaxed samples are spread over the simplex.

    y = softmax((logits + g) / tau),    g Gumbel noise

[1] Maddison, Mnih, Teh, "The Concrete Distribution", ICLR 2017, arXiv:1611.00712
    (density: eq. 11; convexity: proposition 1d; binary Concrete: appendix B)
[2] Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, arXiv:1611.01144
    (density: appendix B; sparsity against tau: figure 1)
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import RelaxedOneHotCategorical
from torch.distributions.constraints import simplex

from gumbel_core.sampling import CHUNK, check_temperature, gumbel_noise, gumbel_softmax


def log_density(points: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """Log density at `points` (..., K), over the first K - 1 coordinates: float64, shape (...) [1].

    With weights a = exp(logits), the density at y is
    (K-1)! tau^(K-1) prod_k [a_k y_k^(-tau-1)] / (sum_i a_i y_i^(-tau))^K.

    Raises ValueError for a point outside the simplex or on its edge, where the density has no value,
    and for masked categories, which leave no density on the whole simplex.
    """
    tau = check_temperature(temperature)
    points, logits = points.double(), _unmasked(logits)
    if not (simplex.check(points) & (points > 0).all(-1)).all():
        raise ValueError("Each point must lie inside the simplex: components above 0 that sum to 1.")
    law = RelaxedOneHotCategorical(torch.tensor(tau, dtype=torch.float64), logits=logits, validate_args=False)
    density: Tensor = law.log_prob(points)
    return density


def is_log_convex(categories: int, temperature: float) -> bool:
    """Whether `tau <= 1 / (K - 1)`: then the density has no mode inside the simplex ([1], proposition 1d).

    Its mass gathers at the corners, whatever the logits. Raises ValueError for fewer than 2 categories.
    """
    if categories < 2:
        raise ValueError(f"A density over the simplex needs at least 2 categories, not {categories}.")
    return check_temperature(temperature) <= 1 / (categories - 1)


def expected_max(
    logits: Tensor, temperatures: Sequence[float], *, draws: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Sparsity: the mean of the largest component at each temperature, and its standard error, both (T,).

    1 is a one-hot sample, 1/K a uniform one. `logits` has shape (K,). Every temperature sees the same
    noise, so the curve is smooth and falls even where its error is large.
    """
    if draws < 2:
        raise ValueError(f"A standard error needs at least 2 draws, not {draws}.")
    (categories,) = logits.shape
    total = torch.zeros(len(temperatures), dtype=torch.float64)
    squares = torch.zeros_like(total)
    rows = max(1, CHUNK // categories)
    for start in range(0, draws, rows):
        noise = gumbel_noise((min(rows, draws - start), categories), generator=generator, dtype=torch.float64)
        for t, tau in enumerate(temperatures):
            # Measured from 1/K: near the uniform sample, squares of the maximum itself would cancel.
            excess = gumbel_softmax(logits.double(), tau, noise=noise).amax(-1) - 1 / categories
            total[t] += excess.sum()
            squares[t] += excess.square().sum()
    mean = total / draws
    variance = (squares / draws - mean.square()).clamp(min=0) * draws / (draws - 1)
    return mean + 1 / categories, (variance / draws).sqrt()


def binary_density(x: Tensor, logit: float, temperature: float) -> Tensor:
    """Density of the first of two components at `x` in (0, 1): float64, the shape of `x` [1].

    `logit` is the first category's logit less the second's.
    """
    x = x.double()
    points = torch.stack([x, 1 - x], dim=-1)
    return log_density(points, torch.tensor([logit, 0.0], dtype=torch.float64), temperature).exp()


def binary_sample(logit: float, temperature: float, *, uniform: Tensor) -> Tensor:
    """A draw of the first of two components per entry of `uniform` in [0, 1): the binary Concrete [1].

    `sigmoid((logit + log u - log(1 - u)) / tau)`. The difference of two Gumbels is one logistic, so one
    uniform number does the work of two.
    """
    tau = check_temperature(temperature)
    location = _unmasked(torch.tensor(logit, dtype=torch.float64))  # a scalar: `uniform` keeps its dtype
    return torch.sigmoid((location + torch.logit(uniform)) / tau)


def _unmasked(logits: Tensor) -> Tensor:
    """The logits in double precision, or a ValueError if one is not finite."""
    if not logits.isfinite().all():
        raise ValueError("The Concrete law needs finite logits: leave masked categories out.")
    return logits.double()
