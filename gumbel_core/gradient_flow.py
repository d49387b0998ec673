"""Where the gradient flows, and where it stops: five ways from logits to f, each with one draw's numbers.

After Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017, arXiv:1611.01144, figure 2.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.gradient_bench import BenchConfig, Problem, problem_of
from gumbel_core.sampling import check_temperature, gumbel_noise, gumbel_softmax, tempered_softmax
from gumbel_core.surrogates import one_hot

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Flow:
    """One way, forward and back. Arrays are of shape (N, K).

    z: what goes into f, and `value`, what comes out
    inner: f's own gradient at z, where this way uses it; the score function does not
    score: of the draw, z - p, where this way uses it
    gradient: what reaches the logits; none where nothing does
    """

    name: str
    title: str
    z: Array
    value: float
    inner: Array | None = None
    score: Array | None = None
    gradient: Array | None = None


def flows(config: BenchConfig, temperature: float) -> list[Flow]:
    """The five ways, on one draw: the first of the config's seed, in double precision."""
    tau, problem = check_temperature(temperature), problem_of(config)
    noise = gumbel_noise(
        problem.logits.shape, generator=torch.Generator().manual_seed(config.seed), dtype=torch.float64
    )
    hard = one_hot((problem.logits + noise).argmax(-1), problem.logits)
    return [*_ways(problem, noise, hard, tau)]


def _ways(problem: Problem, noise: Tensor, hard: Tensor, tau: float) -> Iterator[Flow]:
    p = problem.logits.softmax(-1)
    leaf = problem.logits.clone().requires_grad_()
    yield _pathwise("deterministic", "No draw: softmax", problem, leaf, tempered_softmax(leaf))
    value, inner = _at(problem, hard)
    yield Flow("blocked", "A draw stops it", hard.numpy(), value, inner=inner.numpy())
    score = hard - p
    yield Flow(
        "score_function", "Score function", hard.numpy(), value,
        score=score.numpy(), gradient=(value * score).numpy(),
    )  # fmt: skip
    (back,) = torch.autograd.grad(tempered_softmax(leaf), leaf, grad_outputs=inner)
    yield Flow(
        "straight_through",
        "Straight-through",
        hard.numpy(),
        value,
        inner=inner.numpy(),
        gradient=back.numpy(),
    )
    relaxed = gumbel_softmax(leaf, tau, noise=noise)
    yield _pathwise("gumbel_softmax", "Gumbel-Softmax", problem, leaf, relaxed)


def _pathwise(name: str, title: str, problem: Problem, leaf: Tensor, z: Tensor) -> Flow:
    """A way that every derivative can take."""
    value, inner = _at(problem, z.detach())
    (gradient,) = torch.autograd.grad(z, leaf, grad_outputs=inner)
    return Flow(name, title, z.detach().numpy(), value, inner=inner.numpy(), gradient=gradient.numpy())


def _at(problem: Problem, z: Tensor) -> tuple[float, Tensor]:
    """f and its gradient at z (N, K)."""
    point = z.unsqueeze(0).requires_grad_()
    value = problem.f(point)
    (inner,) = torch.autograd.grad(value.sum(), point)
    return value.item(), inner[0]
