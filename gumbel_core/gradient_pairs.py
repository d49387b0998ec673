"""Two estimators on the same draws: a running z-score of their difference.

After n draws z is the mean of the differences over its standard error. If both have the same mean, it wanders
within a band; if not, it leaves it like the root of n.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray

from gumbel_core.estimators import ZERO_TEMPERATURE_RAO, Estimator
from gumbel_core.gradient_bench import BenchConfig, estimators_of, problem_of, rare_variance
from gumbel_core.sampling import check_temperature

Array = NDArray[np.float64]

# By chance one comparison in a thousand ends outside the band, whatever the number of its entries.
FALSE_ALARM = 1e-3
FIRST, LOOKS = 20, 60
# In units of the exact gradient: what double precision adds over a few hundred operations.
SAME = 1e-9


@dataclass(frozen=True)
class Comparison:
    """How two estimators differ on the same draws.

    counts: (L,), of draws, about evenly spaced in their logarithm
    z: (L, N, K), the running z-score of each entry of the gradient; 0 where nothing differs
    largest: difference in any draw and entry, in units of the exact gradient
    band: what the last z of all entries stays within, but for one time in a thousand
    """

    counts: NDArray[np.int64]
    z: Array
    largest: float
    band: float

    @property
    def equal(self) -> bool:
        """Whether they agree draw by draw, up to rounding."""
        return self.largest < SAME

    @property
    def furthest(self) -> float:
        """The largest absolute z after all draws."""
        return float(np.abs(self.z[-1]).max())

    @property
    def differ(self) -> bool:
        """Whether their means are told apart."""
        return not self.equal and self.furthest > self.band


def compared(config: BenchConfig) -> dict[str, Estimator]:
    """What can be held against each other: the bench's estimators and a limit of one of them."""
    return {**estimators_of(config), "zero_temperature_rao": ZERO_TEMPERATURE_RAO}


def compare(config: BenchConfig, left: str, right: str, temperature: float) -> Comparison:
    """`left` less `right`, both names of `compared`, in double precision, from one seed."""
    check_temperature(temperature)
    problem, named = problem_of(config), compared(config)
    drawn = [
        named[name](
            problem.f, problem.logits, temperature, torch.Generator().manual_seed(config.seed), config.samples
        )
        for name in (left, right)
    ]
    difference = ((drawn[0] - drawn[1]) / problem.unit).numpy()
    largest = float(np.abs(difference).max())
    counts = np.unique(np.geomspace(FIRST, config.samples, LOOKS).astype(np.int64))
    quantile = 1 - FALSE_ALARM / (2 * problem.logits.numel())
    # What is rounding has no z-score.
    rare = rare_variance(problem, config.samples).numpy()
    z = running_z(difference if largest >= SAME else np.zeros_like(difference), counts, rare)
    return Comparison(counts, z, largest, NormalDist().inv_cdf(quantile))


def running_z(difference: Array, counts: NDArray[np.int64], rare: Array | float = 0.0) -> Array:
    """The z-score of the mean of the first n rows (S, ...), for each n of `counts`: (L, ...).

    rare: what is added to the variance of each entry, (...): see `rare_variance`
    """
    n = counts.reshape(-1, *[1] * (difference.ndim - 1))
    mean = difference.cumsum(0)[counts - 1] / n
    variance = np.maximum(0.0, (difference**2).cumsum(0)[counts - 1] / n - mean**2) * n / (n - 1)
    error = np.sqrt((variance + rare) / n)
    # Entries that never differ, as a masked category's, have no scatter and no difference.
    return np.divide(mean, error, out=np.zeros_like(mean), where=error > 0)
