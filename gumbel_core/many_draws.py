"""Many draws at once: what the argmax settles on, and what the relaxed samples settle on.

Gumbel-Max draws follow softmax(logits) exactly; the mean of the relaxed samples of the same noise does not,
and drifts to the uniform as the temperature grows (Jang et al. 2017, arXiv:1611.01144, figure 1).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.concrete import binary_density
from gumbel_core.draw import check_logits, check_seed, check_shown_temperature
from gumbel_core.goodness import Fit, goodness_of_fit, simultaneous_band, total_variation
from gumbel_core.sampling import category_counts, gumbel_noise, gumbel_softmax

Array = NDArray[np.float64]

MAX_DRAWS = 1_000_000
# From here on a count comes in steps, to be watched while it grows.
GROWS_FROM = 200_000
STEPS = 10
# Relaxed samples are held in memory, and every move of the temperature makes them anew: so many are enough.
MAX_RELAXED = 20_000
MAX_SHOWN = 200
BINS = 50
EDGES: Array = np.linspace(0, 1, BINS + 1)


@dataclass(frozen=True)
class ManyDrawsConfig:
    """What defines the draws. The noise of a seed is one stream: more draws go on where fewer ended."""

    logits: tuple[float, ...]
    draws: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        check_logits(self.logits)
        check_seed(self.seed)
        if not 1 <= self.draws <= MAX_DRAWS:
            raise ValueError(f"The number of draws is 1 to {MAX_DRAWS:,}, not {self.draws:,}.")

    @property
    def live(self) -> list[int]:
        """The categories that are not masked, by index."""
        return [index for index, logit in enumerate(self.logits) if logit != -math.inf]


@dataclass(frozen=True)
class Tally:
    """The counts of the argmax so far, beside what they should be. Arrays of shape (K,).

    low, high: the simultaneous 95 % band of `goodness.simultaneous_band`
    """

    counts: NDArray[np.int64]
    probabilities: Array
    low: Array
    high: Array
    total_variation: float
    fit: Fit

    @property
    def draws(self) -> int:
        return int(self.counts.sum())

    @property
    def frequencies(self) -> Array:
        return self.counts / self.draws

    @property
    def outside(self) -> int:
        """How many bars lie outside the band."""
        return int(((self.frequencies < self.low) | (self.frequencies > self.high)).sum())


@dataclass(frozen=True)
class Relaxed:
    """The relaxed samples of the first draws of the same stream, and what is drawn of them.

    draws: how many, n
    mean, standard_error: of each component, shape (K,)
    mean_largest: the mean of the largest component
    shown: the first few samples, shape (at most 200, K), sorted by winner and then by its lead. Neither
        depends on the temperature, so a sample keeps its place when the temperature moves.
    winners: the winner of each shown sample
    largest: density of the largest component over `EDGES`, shape (BINS,)
    marginals: density of each component over `EDGES`, shape (K, BINS)
    """

    draws: int
    mean: Array
    standard_error: Array
    mean_largest: float
    shown: Array
    winners: NDArray[np.int64]
    largest: Array
    marginals: Array


def tallies(config: ManyDrawsConfig) -> Iterator[Tally]:
    """The tally as it grows: one step for few draws, `STEPS` of them from `GROWS_FROM` on.

    The last one depends on the config alone, and its counts are those of `category_counts`.
    """
    logits, generator = _logits(config), torch.Generator().manual_seed(config.seed)
    steps = STEPS if config.draws >= GROWS_FROM else 1
    counts = torch.zeros(len(logits), dtype=torch.int64)
    for size in np.diff(np.linspace(0, config.draws, steps + 1).astype(int)).tolist():
        counts = counts + category_counts(logits, size, generator=generator)
        yield _tally(counts.numpy(), logits.softmax(-1).numpy(), config.seed)


class Count:
    """A count under way: the tally so far, and the steps still to take."""

    def __init__(self, config: ManyDrawsConfig) -> None:
        self.config = config
        self._steps = tallies(config)
        self.tally = next(self._steps)

    @property
    def done(self) -> bool:
        return self.tally.draws == self.config.draws

    def advance(self) -> None:
        """Take the next step, if one is left."""
        self.tally = next(self._steps, self.tally)


def relax(config: ManyDrawsConfig, temperature: float) -> Relaxed:
    """The relaxed samples of the config's first draws (at most 20,000) at a temperature."""
    tau = check_shown_temperature(temperature)
    logits, generator = _logits(config), torch.Generator().manual_seed(config.seed)
    shape = (min(config.draws, MAX_RELAXED), len(logits))
    noise = gumbel_noise(shape, generator=generator, dtype=logits.dtype)
    relaxed = gumbel_softmax(logits, tau, noise=noise)
    # One draw has no spread to estimate an error from.
    error = relaxed.std(0, correction=min(1, shape[0] - 1)) / math.sqrt(shape[0])
    largest = relaxed.amax(-1, keepdim=True)
    order, winners = _order((logits + noise)[:MAX_SHOWN])
    return Relaxed(
        draws=shape[0],
        mean=relaxed.mean(0).numpy(),
        standard_error=error.numpy(),
        mean_largest=float(largest.mean()),
        shown=relaxed[order].numpy(),
        winners=winners.numpy(),
        largest=_densities(largest)[0],
        marginals=_densities(relaxed),
    )


def exact_marginal(config: ManyDrawsConfig, temperature: float, category: int) -> tuple[Array, Array] | None:
    """The exact density of one component, as points (x, density), if exactly two categories are open.

    None for any other number of them, where the marginal has no closed form, and for a masked category.
    """
    if len(config.live) != 2 or category not in config.live:
        return None
    (other,) = (index for index in config.live if index != category)
    logit = config.logits[category] - config.logits[other]
    # Even steps, and quantiles of the law itself, which find its peak however narrow it is.
    even = torch.linspace(0, 1, 201, dtype=torch.float64)[1:-1]
    quantiles = torch.sigmoid((logit + torch.logit(even)) / temperature)
    x = torch.cat([even, quantiles]).unique()
    x = x[(x > 1e-6) & (x < 1 - 1e-6)]
    return x.numpy(), binary_density(x, logit, temperature).numpy()


def _logits(config: ManyDrawsConfig) -> Tensor:
    return torch.tensor(config.logits, dtype=torch.float64)


def _tally(counts: NDArray[np.int64], probabilities: Array, seed: int) -> Tally:
    low, high = simultaneous_band(probabilities, int(counts.sum()))
    return Tally(
        counts=counts,
        probabilities=probabilities,
        low=low,
        high=high,
        total_variation=total_variation(counts, probabilities),
        fit=goodness_of_fit(counts, probabilities, rng=np.random.default_rng(seed)),
    )


def _order(perturbed: Tensor) -> tuple[Tensor, Tensor]:
    """An order of the rows, by winner and then by how far it leads, and the winners in that order."""
    best, winners = perturbed.sort(-1, descending=True)
    lead = best[:, 0] - best[:, min(1, best.shape[-1] - 1)]
    order = torch.from_numpy(np.lexsort((-lead.numpy(), winners[:, 0].numpy())))
    return order, winners[order, 0]


def _densities(samples: Tensor) -> Array:
    """A histogram of each column of `samples` (n, C) over `EDGES`, with area 1: shape (C, BINS)."""
    rows, columns = samples.shape
    places = (samples * BINS).long().clamp_(max=BINS - 1) + BINS * torch.arange(columns)
    counts = torch.bincount(places.flatten(), minlength=BINS * columns).reshape(columns, BINS)
    return counts.double().mul_(BINS / rows).numpy()
