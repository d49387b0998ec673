"""The estimators' bench: bias and variance of each estimator against the exact gradient, over temperatures.

    bias      |E g - exact|             variance  E |g - E g|^2          mse(m)  bias^2 + variance / m

of one estimate g and of the mean of m, all in units of the exact gradient's length. Single precision, as one
trains; the exact gradient and every mean are in double.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.checks import check_whole
from gumbel_core.draw import check_logits, check_seed
from gumbel_core.estimators import (
    ESTIMATORS,
    MAX_CORNERS,
    Estimator,
    corner_probabilities,
    enumerate_corners,
    exact,
    gumbel_rao_of,
)
from gumbel_core.functions import Function, check_numbers, function_of
from gumbel_core.surrogates import RAO_DRAWS

Array = NDArray[np.float64]

# Four decades in sixths, from where single precision fails to where a sample is uniform.
TEMPERATURES: tuple[float, ...] = tuple(10 ** (-2 + sixth / 6) for sixth in range(25))
SAMPLES = (100, 1_000_000)
VARIABLES = (1, 6)
RAO = (1, 50)
# N K entries each: a picture of 64 categories is as quick as one of 5.
QUICK_SAMPLES, QUICK_ENTRIES = 10_000, 60_000
# Entries held at once, Gumbel-Rao's draws included.
CHUNK = 2**22
# Combinations that are expected so rarely, all together, may be missing from the samples with their scatter.
RARE = 50
# Below these, in units of the exact gradient and of its square, bias and variance are rounding.
BIAS_ROUNDING, VARIANCE_ROUNDING = 1e-4, 1e-12


@dataclass(frozen=True)
class BenchConfig:
    """What defines the problem and its measurement. Every variable has the same logits to start from."""

    logits: tuple[float, ...]
    variables: int = 1
    function: str = "squares"
    numbers: tuple[float, ...] = ()  # of the function; none for its defaults
    rao_draws: int = RAO_DRAWS
    samples: int = QUICK_SAMPLES
    seed: int = 0

    def __post_init__(self) -> None:
        check_logits(self.logits)
        check_seed(self.seed)
        if len(self.logits) < 2:
            raise ValueError("One category leaves nothing to choose: the gradient is 0. Type two at least.")
        check_whole("The number of variables", self.variables, VARIABLES)
        if len(self.logits) ** self.variables > MAX_CORNERS:
            raise ValueError(
                f"{self.variables} variables of {len(self.logits)} categories have too many combinations: "
                f"at most {MAX_CORNERS:,} are enumerated."
            )
        check_numbers(self.function, self.numbers, self.variables, len(self.logits))
        check_whole("Gumbel-Rao's R", self.rao_draws, RAO)
        check_whole("The number of samples", self.samples, SAMPLES)


def quick_samples(variables: int, categories: int) -> int:
    """How many samples a picture can afford that is to be there before one wonders."""
    return max(SAMPLES[0], min(QUICK_SAMPLES, QUICK_ENTRIES // (variables * categories)))


@dataclass(frozen=True)
class Problem:
    """The config as tensors: logits (N, K) in double precision, f, and the exact gradient (N, K)."""

    logits: Tensor
    f: Function
    gradient: Tensor

    @cached_property
    def corners(self) -> Tensor:
        """Every combination of categories, (C, N, K)."""
        return enumerate_corners(self.logits)

    @cached_property
    def weights(self) -> Tensor:
        """The combinations' probabilities, (C,)."""
        return corner_probabilities(self.logits)

    @cached_property
    def values(self) -> Tensor:
        """f at the combinations, (C,)."""
        return self.f(self.corners)

    @cached_property
    def unit(self) -> float:
        """The exact gradient's length, in which all is measured; 1 where it is 0."""
        length = self.gradient.norm().item()
        return length if length > 1e-9 else 1.0


@dataclass(frozen=True)
class Moments:
    """What was measured of one estimator at one temperature, in units of `Problem.unit`.

    unbiased: whether the estimator is, by its making: then what is off is scatter alone
    mean: of the estimates, (N, K), not in these units
    off: |mean - exact|
    floor: what `off` would be on average without any bias, from the variance and from `rare_variance`
    variance: of one estimate, summed over its entries
    vanished: the share of samples whose whole gradient is exactly 0
    seconds: of one thread's processor time for one estimate, in a call for all
    """

    temperature: float
    unbiased: bool
    mean: Array
    off: float
    floor: float
    variance: float
    vanished: float
    seconds: float

    @property
    def bias(self) -> float:
        """`off`, less what the samples' own scatter adds to it: 0 where they do not tell it from none."""
        if self.unbiased:
            return 0.0
        return math.sqrt(max(0.0, self.off**2 - self.floor**2))

    @property
    def is_seen(self) -> bool:
        """Whether a bias is beyond three times what scatter alone makes, and beyond rounding.

        By chance that is once in a few hundred times; more often at a tau so small that a few samples which
        are all but tied make up the whole mean.
        """
        return not self.unbiased and self.off > 3 * self.floor and self.off > BIAS_ROUNDING

    def mse(self, means_of: int) -> float:
        """The mean squared error of the mean of so many estimates."""
        return self.bias**2 + self.variance / means_of


@dataclass(frozen=True)
class Curve:
    """One estimator over `TEMPERATURES`, or a single point where it reads none."""

    name: str
    points: tuple[Moments, ...]

    @cached_property
    def temperatures(self) -> Array:
        return self._each("temperature")

    @cached_property
    def off(self) -> Array:
        return self._each("off")

    @cached_property
    def bias(self) -> Array:
        return self._each("bias")

    @cached_property
    def variance(self) -> Array:
        return self._each("variance")

    @cached_property
    def vanished(self) -> Array:
        return self._each("vanished")

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        return self._each("is_seen").astype(bool)

    @property
    def seconds(self) -> float:
        """For one estimate: the median over the temperatures."""
        return float(np.median(self._each("seconds")))

    def mse(self, means_of: int) -> Array:
        """Of the mean of so many estimates, at each temperature."""
        return np.array([point.mse(means_of) for point in self.points])

    def best(self, means_of: int) -> Moments | None:
        """The point with the least mean squared error of a mean of so many; none where all have the same."""
        error = self.mse(means_of)
        if len(error) == 1 or np.ptp(error) <= 1e-3 * error.max():
            return None
        return self.points[int(error.argmin())]

    def _each(self, name: str) -> Array:
        return np.array([getattr(point, name) for point in self.points], dtype=np.float64)


def means_for(samples: int) -> list[int]:
    """Sizes of means whose error so many samples tell: up to a tenth, for the bias is known no better."""
    return [size for size in (1, 10, 100, 1_000) if size <= samples / 10]


@lru_cache(maxsize=64)
def problem_of(config: BenchConfig) -> Problem:
    """The config's problem, with its exact gradient by enumeration.

    Shared by all who ask for it, and never changed: for a large table enumeration is what takes time.
    The logits are shifted to a peak of 0, which changes nothing and lets 1e300 fit into single precision.
    """
    typed = torch.tensor(config.logits, dtype=torch.float64)
    logits = (typed - typed.max()).expand(config.variables, -1).contiguous()
    f = function_of(config.function, config.numbers, config.variables, len(config.logits))
    return Problem(logits, f, exact(f, logits, 1.0, None, 1)[0])


def rare_variance(problem: Problem, samples: int) -> Tensor:
    """What the rarest combinations add to the variance of one estimate, (N, K), in units.

    Samples that lack them look as if they had no scatter, and their mean as if it were biased. So what they
    may lack is added from enumeration, as it stands in REINFORCE with the baseline E f or without, whichever
    scatters more.
    """
    order = problem.weights.argsort()
    rare = order[problem.weights[order].cumsum(0) * samples < RARE]
    weights, values = problem.weights[rare], problem.values[rare]
    reach = torch.maximum(values.abs(), (values - problem.weights @ problem.values).abs())
    score = problem.corners[rare] - problem.logits.softmax(-1)
    added: Tensor = ((weights * reach.square()).reshape(-1, 1, 1) * score.square()).sum(0)
    return added / problem.unit**2


def estimators_of(config: BenchConfig) -> Mapping[str, Estimator]:
    """`ESTIMATORS`, with the config's R for Gumbel-Rao."""
    return {**ESTIMATORS, "gumbel_rao": gumbel_rao_of(config.rao_draws)}


def estimates(
    config: BenchConfig, name: str, temperature: float, dtype: torch.dtype = torch.float32
) -> Iterator[Tensor]:
    """The config's samples (S, N, K), in chunks. Every call starts from the same noise."""
    problem, estimator = problem_of(config), estimators_of(config)[name]
    generator = torch.Generator().manual_seed(config.seed)
    rows = max(1, CHUNK // (problem.logits.numel() * config.rao_draws))
    for start in range(0, config.samples, rows):
        count = min(rows, config.samples - start)
        yield estimator(problem.f, problem.logits.to(dtype), temperature, generator, count)


def moments_at(
    config: BenchConfig, name: str, temperature: float, dtype: torch.dtype = torch.float32
) -> Moments:
    """Measure one estimator at one temperature."""
    problem, samples = problem_of(config), config.samples
    total, squares, vanished = torch.zeros_like(problem.gradient), 0.0, 0
    start = time.thread_time()
    for chunk in estimates(config, name, temperature, dtype):
        # Around the exact gradient there is little to cancel.
        error = chunk.double() - problem.gradient
        total += error.sum(0)
        squares += error.square().sum().item()
        vanished += int((chunk == 0).flatten(1).all(-1).sum())
    seconds = (time.thread_time() - start) / samples
    off = (total / samples).norm().item()
    variance = max(0.0, squares - samples * off**2) / (samples - 1) / problem.unit**2
    return Moments(
        temperature=temperature,
        unbiased=ESTIMATORS[name].unbiased,
        mean=(problem.gradient + total / samples).numpy(),
        off=off / problem.unit,
        floor=math.sqrt((variance + rare_variance(problem, samples).sum().item()) / samples),
        variance=variance,
        vanished=vanished / samples,
        seconds=seconds,
    )


def curve_of(
    config: BenchConfig,
    name: str,
    temperatures: Sequence[float] = TEMPERATURES,
    dtype: torch.dtype = torch.float32,
) -> Curve:
    """One estimator over the temperatures; once where it reads none."""
    read = temperatures if ESTIMATORS[name].tempered else temperatures[:1]
    return Curve(name, tuple(moments_at(config, name, tau, dtype) for tau in read))


def bench(config: BenchConfig, temperatures: Sequence[float] = TEMPERATURES) -> Iterator[Curve]:
    """Every estimator's curve, one after the other."""
    for name in ESTIMATORS:
        yield curve_of(config, name, temperatures)
