"""The Gumbel law for maxima with location mu and scale beta, and how one uniform number becomes a draw of it.

    cdf exp(-e^-z),   pdf exp(-(z + e^-z)) / beta,   z = (x - mu) / beta

The law itself is SciPy's `gumbel_r`.

[1] Devroye, "Non-Uniform Random Variate Generation", 1986, section II.2 (inverse transform)
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from gumbel_core.draw import check_seed
from gumbel_core.sampling import gumbel_noise

LOCATIONS = (-2.0, 2.0)
SCALES = (0.5, 2.0)
UNIFORMS = (0.01, 0.99)
SAMPLES = 10_000
# Holds the draw of every u, location and scale above, so that the picture's axis need not move.
WINDOW = (-6.0, 12.0)
_BINS = 72


@dataclass(frozen=True)
class LawConfig:
    """A Gumbel law and the seed of its samples."""

    location: float = 0.0
    scale: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_location(self.location)
        check_scale(self.scale)
        check_seed(self.seed)


@dataclass(frozen=True)
class Law:
    """The curves at `x`, and the seed's samples against them.

    x, pdf, cdf: (P,)
    centres, heights: (B,), the histogram of the samples as a density; what lies outside `WINDOW` is in no bar
    mean, variance: of the law
    sample_mean, sample_variance: of the samples, all of them
    """

    x: NDArray[np.float64]
    pdf: NDArray[np.float64]
    cdf: NDArray[np.float64]
    centres: NDArray[np.float64]
    heights: NDArray[np.float64]
    mean: float
    variance: float
    sample_mean: float
    sample_variance: float


@dataclass(frozen=True)
class Path:
    """One uniform number on its way: u -> -log u -> -log(-log u) -> location + scale times that."""

    u: float
    exponential: float
    standard: float
    value: float


def gumbel_law(config: LawConfig) -> Law:
    """The law's curves, its moments, and a histogram of `SAMPLES` samples: the same noise at every scale."""
    law = stats.gumbel_r(config.location, config.scale)
    x = np.linspace(*WINDOW, 217)
    generator = torch.Generator().manual_seed(config.seed)
    noise = gumbel_noise((SAMPLES,), generator=generator, dtype=torch.float64).numpy()
    samples = config.location + config.scale * noise
    counts, edges = np.histogram(samples, _BINS, WINDOW)
    return Law(
        x=x,
        pdf=law.pdf(x),
        cdf=law.cdf(x),
        centres=(edges[:-1] + edges[1:]) / 2,
        heights=counts / (SAMPLES * np.diff(edges)),
        mean=float(law.mean()),
        variance=float(law.var()),
        sample_mean=float(samples.mean()),
        sample_variance=float(samples.var(ddof=1)),
    )


def standard_density(
    low: float, high: float, *, minima: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places from `low` to `high` and the standard density there: for maxima, or its mirror, for minima."""
    x = np.linspace(low, high, 121)
    return x, (stats.gumbel_l if minima else stats.gumbel_r).pdf(x)


def inverse_transform(u: float, location: float = 0.0, scale: float = 1.0) -> Path:
    """The draw at which the law's cdf equals `u` [1]. Raises ValueError for a `u` off the picture."""
    exponential = -math.log(check_uniform(u))
    standard = -math.log(exponential)
    return Path(u, exponential, standard, location + scale * standard)


def check_location(location: float) -> float:
    """The location, or a ValueError: the picture reaches from -2 to 2."""
    return _check_within(location, LOCATIONS, "location")


def check_scale(scale: float) -> float:
    """The scale, or a ValueError: the picture reaches from .5 to 2."""
    return _check_within(scale, SCALES, "scale")


def check_uniform(u: float) -> float:
    """The uniform number, or a ValueError: the picture reaches from .01 to .99."""
    return _check_within(u, UNIFORMS, "uniform number u")


def _check_within(value: float, bounds: tuple[float, float], name: str) -> float:
    low, high = bounds
    # A NaN is within no bounds.
    if not low <= value <= high:
        raise ValueError(f"The {name} must lie between {low:g} and {high:g}, not at {value:g}.")
    return value
