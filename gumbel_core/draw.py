"""One frozen draw and every stage of it: logits, + noise, / tau, softmax, argmax.

What the Sampling lesson shows, as numbers. Jang et al. 2017 (arXiv:1611.01144), equations 1 and 2.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import torch
from torch import Tensor

from gumbel_core.checks import check_whole
from gumbel_core.logits import MAX_CATEGORIES, format_numbers, parse_logits
from gumbel_core.sampling import check_temperature, gumbel_max, gumbel_noise, gumbel_softmax

TEMPERATURES = (0.01, 100.0)
SEEDS = (0, 2**31 - 1)
# Far beyond what Gumbel noise reaches in double precision (36.7), and still a readable picture.
MAX_EDIT = 100.0
MAX_EDIT_TEXT = 1_000


def check_seed(seed: int) -> int:
    """The seed, or a ValueError that says which whole numbers are seeds."""
    check_whole("A seed", seed, SEEDS)
    return seed


def check_shown_temperature(temperature: float) -> float:
    """The temperature, or a ValueError: the pictures reach from .01 to 100."""
    tau = check_temperature(temperature)
    if not TEMPERATURES[0] <= tau <= TEMPERATURES[1]:
        raise ValueError(
            f"The pictures reach from tau {TEMPERATURES[0]:g} to {TEMPERATURES[1]:g}, not {tau:g}."
        )
    return tau


def check_logits(logits: tuple[float, ...]) -> tuple[float, ...]:
    """The logits, or a ValueError: 1 to 64 of them, none NaN or +inf, one finite at least."""
    if not 1 <= len(logits) <= MAX_CATEGORIES:
        raise ValueError(f"There must be 1 to {MAX_CATEGORIES} categories, not {len(logits)}.")
    if not math.isfinite(max(logits, key=lambda logit: math.inf if math.isnan(logit) else logit)):
        raise ValueError("One logit at least must be finite, and none NaN or +inf.")
    return logits


@dataclass(frozen=True)
class DrawConfig:
    """What defines the picture. `edits` replaces the noise of single categories, by index."""

    logits: tuple[float, ...]
    temperature: float = 1.0
    seed: int = 0
    edits: Mapping[int, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_logits(self.logits)
        check_shown_temperature(self.temperature)
        check_seed(self.seed)
        object.__setattr__(self, "edits", MappingProxyType(dict(self.edits)))
        for index, value in self.edits.items():
            if not 0 <= index < len(self.logits) or not abs(value) <= MAX_EDIT:
                raise ValueError(f"Noise {value:g} for category {index + 1} is out of range.")


@dataclass(frozen=True)
class Draw:
    """Every stage of one draw. All of shape (K,), double precision, but `winner`, an index."""

    logits: Tensor
    noise: Tensor
    perturbed: Tensor
    relaxed: Tensor
    without_noise: Tensor
    gradient: Tensor  # of relaxed[winner] with respect to the logits
    winner: int


def draw(config: DrawConfig) -> Draw:
    """The draw that the seed freezes: the same noise at every temperature."""
    noise = seeded_noise(config)
    logits = torch.tensor(config.logits, dtype=torch.float64, requires_grad=True)
    relaxed = gumbel_softmax(logits, config.temperature, noise=noise)
    winner = int(gumbel_max(logits, noise=noise))
    (gradient,) = torch.autograd.grad(relaxed[winner], logits)
    return Draw(
        logits=logits.detach(),
        noise=noise,
        perturbed=logits.detach() + noise,
        relaxed=relaxed.detach(),
        without_noise=gumbel_softmax(logits.detach(), config.temperature, noise=torch.zeros_like(noise)),
        gradient=gradient,
        winner=winner,
    )


def seeded_noise(config: DrawConfig) -> Tensor:
    """The noise of the seed, with the edits in place."""
    generator = torch.Generator().manual_seed(config.seed)
    noise = gumbel_noise((len(config.logits),), generator=generator, dtype=torch.float64)
    for index, value in config.edits.items():
        noise[index] = value
    return noise


def parse_edits(text: str, categories: int) -> dict[int, float]:
    """Edited noise from text such as `2: 1.35; 3: -0.2` (places counted from 1), by index.

    Raises ValueError with one plain sentence that names the entry.
    """
    if len(text) > MAX_EDIT_TEXT:
        raise ValueError(f"The text has {len(text):,} characters: at most {MAX_EDIT_TEXT:,} are read.")
    edits = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        place, _, value = entry.partition(":")
        shown = f"'{entry[:24]}'"
        try:
            index, (noise,) = int(place) - 1, parse_logits(value).tolist()
        except ValueError:
            raise ValueError(
                f"{shown} is not an edit: write a place and its noise, such as 2: 1.35."
            ) from None
        if not 0 <= index < categories:
            raise ValueError(f"{shown} names no category: places run from 1 to {categories}.")
        if not abs(noise) <= MAX_EDIT:
            raise ValueError(
                f"{shown} is out of range: edited noise lies between -{MAX_EDIT:g} and {MAX_EDIT:g}."
            )
        edits[index] = noise
    return edits


def format_edits(edits: Mapping[int, float]) -> str:
    """The text that `parse_edits` reads back."""
    return "; ".join(f"{index + 1}: {format_numbers([value])}" for index, value in sorted(edits.items()))
