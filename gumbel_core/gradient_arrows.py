"""Single estimates as arrows: where one step along each takes the distribution."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gumbel_core.functions import FUNCTIONS
from gumbel_core.gradient_bench import BenchConfig, estimators_of, problem_of

Array = NDArray[np.float64]

ARROWS = 60


def single_estimates(
    config: BenchConfig, name: str, temperatures: Sequence[float], count: int = ARROWS
) -> Array:
    """Single estimates (T, count, N, K), in double precision: the same noise at every temperature."""
    problem, estimator = problem_of(config), estimators_of(config)[name]
    return np.stack(
        [
            estimator(
                problem.f, problem.logits, tau, torch.Generator().manual_seed(config.seed), count
            ).numpy()
            for tau in temperatures
        ]
    )


def after_step(config: BenchConfig, gradients: Array) -> Array:
    """The distributions after one step along gradients (..., N, K): of the same shape.

    Up for a reward, down for a loss, and of the length that takes the exact gradient a distance of 1 in the
    logits. So an arrow that ends elsewhere is wrong in its length, its direction, or both.
    """
    problem = problem_of(config)
    uphill = 1.0 if FUNCTIONS[config.function].climbs else -1.0
    step = uphill / problem.unit * torch.from_numpy(np.array(gradients))
    shares: Array = (problem.logits + step).softmax(-1).numpy()
    return shares
