"""What the temperature does to relaxed samples, as numbers: four pictures of the field.

[1] Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, arXiv:1611.01144
    (figure 1: expectation and one sample at several temperatures, on the same noise)
[2] Maddison, Mnih, Teh, "The Concrete Distribution", ICLR 2017, arXiv:1611.00712
    (figure 2: the simplex of three categories; figure 3: the binary Concrete)
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, logit
from torch import Tensor
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical

from gumbel_core.concrete import binary_density, expected_max, is_log_convex, log_density
from gumbel_core.draw import (
    TEMPERATURES,
    DrawConfig,
    check_logits,
    check_seed,
    check_shown_temperature,
    seeded_noise,
)
from gumbel_core.logits import parse_logits
from gumbel_core.sampling import gumbel_max, gumbel_noise, gumbel_softmax

Array = NDArray[np.float64]

STRIP = (0.1, 0.5, 1.0, 10.0)  # the columns of [1], figure 1
UNIFORM = (2, 4, 8, 16)  # categories of the faint lines beside a sparsity curve
LOG_ODDS = (-4.0, 4.0)
CORNERS = 3
# Density is drawn on a grid that stays this far from the edge, where it is 0 or infinite.
EDGE = 0.004
GRID = 45


@dataclass(frozen=True)
class StripConfig:
    """Relaxed samples of one law at several temperatures, all on the noise of one seed."""

    logits: tuple[float, ...]
    temperatures: tuple[float, ...] = STRIP
    seed: int = 0
    draws: int = 10_000

    def __post_init__(self) -> None:
        check_logits(self.logits)
        check_seed(self.seed)
        for tau in self.temperatures:
            check_shown_temperature(tau)
        if self.draws < 2:
            raise ValueError(f"A standard error needs at least 2 draws, not {self.draws}.")


@dataclass(frozen=True)
class Strip:
    """Figure 1 of [1]. T temperatures, K categories.

    probabilities (K,), one_hot (K,): the categorical column
    means (T, K), standard_errors (T, K): of `draws` relaxed samples
    samples (T, K): the seed's one relaxed sample, the draw of the Sampling lesson
    """

    probabilities: Array
    one_hot: Array
    means: Array
    standard_errors: Array
    samples: Array


def strip(config: StripConfig) -> Strip:
    """Expectation and one sample at each temperature."""
    logits = torch.tensor(config.logits, dtype=torch.float64)
    one = seeded_noise(DrawConfig(config.logits, seed=config.seed))
    generator = torch.Generator().manual_seed(config.seed)
    many = gumbel_noise((config.draws, len(logits)), generator=generator, dtype=torch.float64)
    relaxed = [gumbel_softmax(logits, tau, noise=many) for tau in config.temperatures]
    return Strip(
        probabilities=logits.softmax(-1).numpy(),
        one_hot=torch.nn.functional.one_hot(gumbel_max(logits, noise=one), len(logits)).double().numpy(),
        means=np.stack([y.mean(0).numpy() for y in relaxed]),
        standard_errors=np.stack([y.std(0).numpy() for y in relaxed]) / math.sqrt(config.draws),
        samples=np.stack([gumbel_softmax(logits, tau, noise=one).numpy() for tau in config.temperatures]),
    )


@dataclass(frozen=True)
class SparsityConfig:
    """The mean of the largest component over the whole range of temperatures, on the noise of one seed."""

    logits: tuple[float, ...]
    temperatures: tuple[float, ...] = tuple(np.geomspace(*TEMPERATURES, 25).tolist())
    seed: int = 0
    draws: int = 2_000

    def __post_init__(self) -> None:
        StripConfig(self.logits, self.temperatures, self.seed, self.draws)  # the same limits


@dataclass(frozen=True)
class Sparsity:
    """E[max y] against tau. `floor` is where it ends at a large tau: one over the unmasked categories."""

    temperatures: Array
    mean: Array
    standard_error: Array
    floor: float


def sparsity(config: SparsityConfig) -> Sparsity:
    """E[max y] and its standard error, both (T,): 1 is a one-hot sample, `floor` a uniform one."""
    logits = torch.tensor(config.logits, dtype=torch.float64)
    generator = torch.Generator().manual_seed(config.seed)
    mean, error = expected_max(logits, config.temperatures, draws=config.draws, generator=generator)
    floor = 1 / int(logits.isfinite().sum())
    return Sparsity(np.asarray(config.temperatures), mean.numpy(), error.numpy(), floor)


def uniform_sparsity() -> dict[int, Sparsity]:
    """The same curve for uniform logits, by the number of categories."""
    return {k: sparsity(SparsityConfig((0.0,) * k)) for k in UNIFORM}


@dataclass(frozen=True)
class SimplexConfig:
    """Three weights (the alpha of [2]), and as many relaxed samples as are drawn on the density."""

    weights: tuple[float, ...]
    temperature: float = 1.0
    seed: int = 0
    draws: int = 400

    def __post_init__(self) -> None:
        check_corners(self.weights)
        check_shown_temperature(self.temperature)
        check_seed(self.seed)


@dataclass(frozen=True)
class Simplex:
    """Figure 2 of [2]. N samples, a grid of G x G points.

    masses (3,): the share of one-hot samples at each corner, the weights normalised
    perturbed (N, 3): logits + noise; samples (N, 3): softmax of it over tau
    log_densities (N,): at the samples, over the first two coordinates
    log_ratio (G, G): on `simplex_grid`, log10 of the density over that of the uniform law
    at_centre: the density at (1/3, 1/3, 1/3), over the first two coordinates
    log_convex: tau <= 1/2
    """

    masses: Array
    perturbed: Array
    samples: Array
    log_densities: Array
    log_ratio: Array
    at_centre: float
    log_convex: bool


def simplex(config: SimplexConfig) -> Simplex:
    """The exact density of three categories, and samples that follow it."""
    logits = torch.tensor(config.weights, dtype=torch.float64).log()
    generator = torch.Generator().manual_seed(config.seed)
    noise = gumbel_noise((config.draws, CORNERS), generator=generator, dtype=torch.float64)
    perturbed = logits + noise
    points = torch.from_numpy(simplex_grid())
    uniform = math.lgamma(CORNERS)  # log (n-1)!, the uniform density
    log_ratio = (log_density(points, logits, config.temperature) - uniform) / math.log(10)
    centre = torch.full((CORNERS,), 1 / CORNERS, dtype=torch.float64)
    return Simplex(
        masses=logits.softmax(-1).numpy(),
        perturbed=perturbed.numpy(),
        samples=gumbel_softmax(logits, config.temperature, noise=noise).numpy(),
        log_densities=_log_density_at(perturbed, logits, config.temperature).numpy(),
        log_ratio=log_ratio.numpy(),
        at_centre=log_density(centre, logits, config.temperature).exp().item(),
        log_convex=is_log_convex(CORNERS, config.temperature),
    )


def _log_density_at(perturbed: Tensor, logits: Tensor, temperature: float) -> Tensor:
    """Log density (N,) at `softmax(perturbed / tau)`, (N, 3): finite also where that rounds to a corner."""
    log_samples = torch.log_softmax(perturbed / temperature, dim=-1)
    law = ExpRelaxedCategorical(
        torch.tensor(temperature, dtype=torch.float64), logits=logits, validate_args=False
    )
    # The law of log y; dy = y d(log y) makes it that of y.
    density: Tensor = law.log_prob(log_samples) - log_samples.sum(-1)
    return density


def simplex_grid() -> Array:
    """Points (G, G, 3) inside the simplex: a square folded into a triangle.

    Rows go from the edge opposite the third corner up to it, columns from the first corner to the second.
    """
    share = np.linspace(EDGE, 1 - EDGE, GRID)
    third, second = np.meshgrid(share, share, indexing="ij")
    return np.stack([(1 - third) * (1 - second), (1 - third) * second, third], axis=-1)


def check_corners(weights: tuple[float, ...]) -> tuple[float, ...]:
    """The three weights, or a ValueError with one plain sentence."""
    if len(weights) != CORNERS:
        raise ValueError(f"The simplex has three corners: type three weights, not {len(weights)}.")
    if not all(0 < weight < math.inf for weight in weights):
        raise ValueError("Each corner needs a weight above 0: without it the triangle has no density.")
    return weights


def parse_corners(text: str) -> tuple[float, ...]:
    """Three weights from text such as `2, 0.5, 1`, or a ValueError with one plain sentence."""
    logits = parse_logits(text, "weights")
    return check_corners(tuple(float(f"{weight:.15g}") for weight in logits.exp().tolist()))


def corners_of(logits: tuple[float, ...]) -> tuple[float, ...] | None:
    """The probabilities of a law with exactly three unmasked categories, as corners; else None.

    Four digits, which is what a text field shows; None also where one of them would vanish.
    """
    live = [logit for logit in logits if math.isfinite(logit)]
    if len(live) != CORNERS:
        return None
    corners = tuple(float(f"{p:.4g}") for p in torch.tensor(live, dtype=torch.float64).softmax(-1).tolist())
    return corners if min(corners) >= 1e-6 else None


@dataclass(frozen=True)
class BinaryConfig:
    """Two categories: the log-odds of the first, and the temperature."""

    log_odds: float = 1.0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        check_log_odds(self.log_odds)
        check_shown_temperature(self.temperature)


def check_log_odds(log_odds: float) -> float:
    """The log-odds, or a ValueError: the picture reaches from -4 to 4."""
    if not LOG_ODDS[0] <= log_odds <= LOG_ODDS[1]:
        raise ValueError(f"The log-odds lie from {LOG_ODDS[0]:g} to {LOG_ODDS[1]:g}, not at {log_odds:g}.")
    return log_odds


@dataclass(frozen=True)
class Binary:
    """Figure 3 of [2].

    x, x_density, curve: the logistic density of x = log-odds + noise, and sigmoid(x / tau)
    y, y_density: the binary Concrete density
    draws_x, draws_y: equally likely x (quantiles of the logistic) and where the curve sends them
    p_one: the probability of the hard 1
    at_half: the density of y at one half
    """

    x: Array
    x_density: Array
    curve: Array
    y: Array
    y_density: Array
    draws_x: Array
    draws_y: Array
    p_one: float
    at_half: float


def binary(config: BinaryConfig) -> Binary:
    """Logistic noise through a step and through a sigmoid, with the densities on both axes."""
    x = np.linspace(-10, 10, 161)
    curve = expit(x / config.temperature)
    # Even steps, and closer ones where the curve puts its mass.
    y = np.unique(np.clip(np.concatenate([curve, np.linspace(0, 1, 101)]), EDGE, 1 - EDGE))
    draws_x = config.log_odds + logit((np.arange(16) + 0.5) / 16)
    return Binary(
        x=x,
        x_density=stats.logistic.pdf(x, loc=config.log_odds),
        curve=curve,
        y=y,
        y_density=binary_density(torch.from_numpy(y), config.log_odds, config.temperature).numpy(),
        draws_x=draws_x,
        draws_y=expit(draws_x / config.temperature),
        p_one=float(expit(config.log_odds)),
        at_half=binary_density(torch.tensor(0.5), config.log_odds, config.temperature).item(),
    )
