"""What the tests of the estimators stand on: problems, their gradients by plain enumeration, z-scores."""

from collections.abc import Mapping
from itertools import product

import torch
from torch import Tensor

from gumbel_core.estimators import ESTIMATORS, ZERO_TEMPERATURE_RAO, Estimator
from gumbel_core.functions import Function, function_of
from gumbel_core.surrogates import Sampler

EVERY: Mapping[str, Estimator] = {**ESTIMATORS, "zero_temperature_rao": ZERO_TEMPERATURE_RAO}
# A right value in 147,000 is further from 0 than that.
FAR = 4.5


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def crossed(variables: int, categories: int) -> Function:
    """A quadratic function of all entries, with every product of two of them and far from symmetric."""
    size = variables * categories
    matrix, vector = normal(size, size, seed=11), normal(size, seed=12)

    def f(z: Tensor) -> Tensor:
        flat = z.flatten(-2)
        return torch.einsum("...i,ij,...j->...", flat, matrix.to(z), flat) + flat @ vector.to(z)

    return f


def typed(name: str, variables: int, categories: int) -> Function:
    """The named function with numbers of either sign; `crossed` too."""
    if name == "crossed":
        return crossed(variables, categories)
    counts = {"linear": categories, "squares": categories, "quadratic": categories, "distance": 1}
    count = {**counts, "table": categories**variables, "network": 0}[name]
    numbers = [1.3] if name == "distance" else (2 * normal(count, seed=13)).tolist()
    return function_of(name, numbers, variables, categories)


def through(
    sampler: Sampler, logits: Tensor, f: Function, temperature: float = 1.0, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """One sample for each row of the logits, and the gradient of its f with respect to that row."""
    leaf = logits.clone().requires_grad_()
    z = sampler(leaf, temperature, generator=seeded(seed))
    (gradient,) = torch.autograd.grad(f(z).sum(), leaf)
    return z.detach(), gradient


def masked(logits: Tensor) -> Tensor:
    """The logits with another category masked in each variable."""
    hidden = logits.clone()
    for variable, row in enumerate(hidden):
        row[variable % len(row)] = -torch.inf
    return hidden


def enumerated(f: Function, logits: Tensor) -> Tensor:
    """The gradient of E[f(z)], (N, K): the sum over all combinations, term by term, differentiated."""
    leaf = logits.clone().requires_grad_()
    p, (variables, categories) = leaf.softmax(-1), logits.shape
    total = torch.zeros((), dtype=logits.dtype)
    for index in product(range(categories), repeat=variables):
        corner = torch.zeros_like(logits)
        weight = torch.ones((), dtype=logits.dtype)
        for variable, category in enumerate(index):
            corner[variable, category] = 1.0
            weight = weight * p[variable, category]
        total = total + weight * f(corner.unsqueeze(0)).squeeze(0)
    (gradient,) = torch.autograd.grad(total, leaf)
    return gradient


def watched(f: Function) -> tuple[Function, list[Tensor]]:
    """f, and the list of every z that it will be asked for."""
    seen: list[Tensor] = []

    def watching(z: Tensor) -> Tensor:
        seen.append(z.detach().clone())
        return f(z)

    return watching, seen


def mean_over_corners(
    estimator: Estimator, f: Function, logits: Tensor, temperature: float = 1.0, samples: int = 20_000
) -> Tensor:
    """The estimator's exact mean, where its gradient depends on nothing but which categories have won.

    No sampling error: each corner's gradient is found once, and weighed by the corner's probability.
    """
    watching, seen = watched(f)
    gradients = estimator(watching, logits, temperature, seeded(), samples)
    winners = seen[0].argmax(-1)
    p, mean = logits.softmax(-1), torch.zeros_like(logits)
    for index in product(range(logits.shape[-1]), repeat=len(logits)):
        weight = p.gather(-1, torch.tensor(index).unsqueeze(-1)).prod()
        rows = gradients[(winners == torch.tensor(index)).all(-1)]
        assert len(rows) > 0 or weight == 0, f"{index} never won: draw more"
        if len(rows):
            torch.testing.assert_close(rows, rows[:1].expand_as(rows), rtol=0, atol=1e-12)
            mean = mean + weight * rows[0]
    return mean


def z_scores(gradients: Tensor, wanted: Tensor) -> Tensor:
    """Each entry's mean over the rows less what is wanted, in standard errors of that mean.

    `wanted` may be rows too, of another sample: then of the difference of the two means.
    """
    error = gradients.var(0) / len(gradients)
    if wanted.dim() == gradients.dim():
        error, wanted = error + wanted.var(0) / len(wanted), wanted.mean(0)
    # A masked entry has no scatter, and may not be off at all.
    return (gradients.mean(0) - wanted) / error.sqrt().clamp(min=1e-12)


def relative(found: Tensor, wanted: Tensor) -> float:
    """How far off, over the length of what is wanted."""
    return float((found - wanted).norm() / wanted.norm())
