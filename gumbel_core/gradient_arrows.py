"""Single estimates as arrows: where one step along each takes the distribution."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from gumbel_core.functions import FUNCTIONS
from gumbel_core.gradient_bench import TEMPERATURES, BenchConfig, Curve, estimators_of, problem_of

Array = NDArray[np.float64]

ARROWS = 60
# Twice as dense as the bench: between two of them a drag follows a straight line, and an estimate bends.
FRAMES: tuple[float, ...] = tuple(
    np.geomspace(TEMPERATURES[0], TEMPERATURES[-1], 2 * len(TEMPERATURES) - 1).tolist()
)


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


def means_between(curve: Curve, temperatures: Sequence[float]) -> Array:
    """The curve's means at other temperatures (T, N, K), linear in the logarithm between its points."""
    known, wanted = np.log(curve.temperatures), np.log(temperatures)
    means = np.stack([point.mean for point in curve.points])
    after = np.clip(np.searchsorted(known, wanted), 1, len(known) - 1)
    share = np.clip((wanted - known[after - 1]) / (known[after] - known[after - 1]), 0, 1)[:, None, None]
    between: Array = (1 - share) * means[after - 1] + share * means[after]
    return between


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
