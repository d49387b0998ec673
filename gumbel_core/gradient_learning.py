"""The same problem learned with each estimator: E[f(z)] against steps, from one start and one seed.

Plain gradient steps on the logits, up for a reward and down for a loss. E[f(z)] is exact at every step, by
enumeration: what is noisy is the way, not its measurement.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.checks import check_whole
from gumbel_core.estimators import enumerate_corners
from gumbel_core.functions import FUNCTIONS, Function
from gumbel_core.gradient_bench import BenchConfig, estimators_of, problem_of
from gumbel_core.sampling import check_temperature

Array = NDArray[np.float64]

STEPS = (1, 500)
# Estimates that can be averaged in a step.
MEANS = (1, 2, 5, 10, 20, 50, 100)
RATES = (0.01, 10.0)


def check_rate(rate: float) -> float:
    """The learning rate, or a ValueError that says which numbers are one."""
    if not (math.isfinite(rate) and RATES[0] <= rate <= RATES[1]):
        raise ValueError(f"The learning rate lies between {RATES[0]:g} and {RATES[1]:g}, not {rate:g}.")
    return rate


@dataclass(frozen=True)
class LearningConfig:
    """What defines the runs.

    rate: of learning, over the spread of f at the corners, so that it means the same for every f
    means_of: estimates that are averaged in each step
    """

    bench: BenchConfig
    temperature: float = 1.0
    steps: int = 100
    rate: float = 1.0
    means_of: int = 1

    def __post_init__(self) -> None:
        check_temperature(self.temperature)
        check_whole("The number of steps", self.steps, STEPS)
        check_whole("The estimates in a step", self.means_of, (MEANS[0], MEANS[-1]))
        check_rate(self.rate)


@dataclass(frozen=True)
class Goal:
    """What f offers: its best corner that is not masked, and E[f] where every logit is what it was."""

    best: float
    start: float
    spread: float


def goal_of(config: BenchConfig) -> Goal:
    """The best value at the corners, the first E[f(z)], and the corners' spread (1 where all are equal)."""
    problem = problem_of(config)
    open_ones = problem.values[problem.weights > 0]
    best = open_ones.max() if FUNCTIONS[config.function].climbs else open_ones.min()
    spread = (open_ones.max() - open_ones.min()).item()
    return Goal(best.item(), (problem.weights @ problem.values).item(), spread or 1.0)


def learn(config: LearningConfig, name: str) -> Array:
    """E[f(z)] before the first step and after each, (steps + 1,), with the named estimator."""
    problem, estimator = problem_of(config.bench), estimators_of(config.bench)[name]
    uphill = 1.0 if FUNCTIONS[config.bench.function].climbs else -1.0
    stride = uphill * config.rate / goal_of(config.bench).spread
    generator = torch.Generator().manual_seed(config.bench.seed)
    path = [problem.logits.float()]
    for _ in range(config.steps):
        estimate = estimator(problem.f, path[-1], config.temperature, generator, config.means_of).mean(0)
        path.append(path[-1] + stride * estimate)
    return expected(problem.f, torch.stack(path)).numpy()


def expected(f: Function, logits: Tensor) -> Tensor:
    """E[f(z)] by enumeration, for logits (..., N, K): (...), in double precision."""
    shares = logits.double().softmax(-1)
    corners = enumerate_corners(shares.reshape(-1, *shares.shape[-2:])[0])  # (C, N, K)
    # One variable after the other: (..., C) is all that is held at once.
    each = (shares[..., n, :] @ corners[:, n].T for n in range(shares.shape[-2]))
    return math.prod(each, start=torch.ones(())) @ f(corners)
