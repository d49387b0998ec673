"""Numbers that change while a model trains: temperatures and learning rates, by name: `SCHEDULES`.

A schedule knows nothing of what it drives. `at(step, steps=..., epoch_steps=...)` is its value at a step
counted from 0, in a run of `steps` that pass over the data every `epoch_steps`.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np

from gumbel_core.checks import check_name

# Tensors are of single precision, where a larger number is infinite.
MOST = float(np.finfo(np.float32).max)


class Schedule(Protocol):
    def at(self, step: int, *, steps: int, epoch_steps: int) -> float: ...


@dataclass(frozen=True)
class Constant:
    value: float

    def __post_init__(self) -> None:
        _check_positive(self)

    def at(self, step: int, *, steps: int, epoch_steps: int) -> float:
        return self.value


@dataclass(frozen=True)
class Exponential:
    """`max(floor, start e^(-rate t))` over all steps, never per epoch (Jang et al. 2017, section 4.2)."""

    start: float = 1.0
    floor: float = 0.5
    rate: float = 1e-4

    def __post_init__(self) -> None:
        _check_positive(self)

    def at(self, step: int, *, steps: int, epoch_steps: int) -> float:
        return max(self.floor, self.start * math.exp(-self.rate * step))


@dataclass(frozen=True)
class Staircase:
    """The exponential, updated every `every` steps as in the paper's experiments."""

    start: float = 1.0
    floor: float = 0.5
    rate: float = 1e-4
    every: int = 1_000

    def __post_init__(self) -> None:
        _check_positive(self)

    def at(self, step: int, *, steps: int, epoch_steps: int) -> float:
        held = step - step % self.every
        return max(self.floor, self.start * math.exp(-self.rate * held))


@dataclass(frozen=True)
class Geometric:
    """From `start` at the first step to `end` at the last, by the same factor each step."""

    start: float = 1.0
    end: float = 0.5

    def __post_init__(self) -> None:
        _check_positive(self)

    def at(self, step: int, *, steps: int, epoch_steps: int) -> float:
        return float(self.start * (self.end / self.start) ** (step / max(1, steps - 1)))


@dataclass(frozen=True)
class Restarting:
    """A PyTorch guide's annealing, kept as it was: it starts anew each epoch, so its floor is never reached.

    Within an epoch of batches 0, 1, 2, ... the temperature is multiplied by `e^(-rate b)` behind each batch
    b = 1, 101, 201, ...: after 600 batches it has come to .956, and the next epoch begins at `start` again.
    """

    start: float = 1.0
    floor: float = 0.5
    rate: float = 3e-5
    every: int = 100

    def __post_init__(self) -> None:
        _check_positive(self)

    def at(self, step: int, *, steps: int, epoch_steps: int) -> float:
        exponent = sum(range(1, step % epoch_steps, self.every))
        return max(self.floor, self.start * math.exp(-self.rate * exponent))


@dataclass(frozen=True)
class OneCycle:
    """Up to `peak` over the first `rise` of all steps and down to nearly 0, on half cosines.

    Smith and Topin, "Super-Convergence", 2018, arXiv:1708.07120; its ends are those
    of PyTorch's OneCycleLR.
    """

    peak: float = 2e-3
    rise: float = 0.3

    def __post_init__(self) -> None:
        _check_positive(self)
        if not self.rise < 1:
            raise ValueError(f"A cycle's rise is a part of all steps, below 1, not {self.rise!r}.")

    def at(self, step: int, *, steps: int, epoch_steps: int) -> float:
        done = step / max(1, steps - 1)
        low, last = self.peak / 25, self.peak / 25e4
        if done < self.rise:
            return _half_cosine(low, self.peak, done / self.rise)
        return _half_cosine(self.peak, last, (done - self.rise) / (1 - self.rise))


SCHEDULES: Mapping[str, type[Schedule]] = {
    "constant": Constant,
    "exponential": Exponential,
    "staircase": Staircase,
    "geometric": Geometric,
    "restarting": Restarting,
    "one_cycle": OneCycle,
}


def to_json(schedule: Schedule) -> dict[str, Any]:
    """The schedule's name and numbers."""
    (name,) = (name for name, kind in SCHEDULES.items() if type(schedule) is kind)
    return {"schedule": name, **asdict(schedule)}  # type: ignore[call-overload]


def from_json(fields: Mapping[str, Any]) -> Schedule:
    """What `to_json` wrote. Raises ValueError for a name or a field that is none."""
    numbers = dict(fields)
    name = numbers.pop("schedule", None)
    check_name("schedule", name, SCHEDULES)
    try:
        return SCHEDULES[name](**numbers)
    except TypeError:
        raise ValueError(f"The schedule {name!r} is not made of {', '.join(numbers) or 'nothing'}.") from None


def _half_cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2


def _check_positive(schedule: Any) -> None:
    """Temperatures and learning rates, and what they are made of, are finite and above 0."""
    for name, value in asdict(schedule).items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MOST:
            raise ValueError(f"A schedule's {name} must be a finite number above 0, not {value!r}.")
        if name == "every" and not isinstance(value, int):
            raise ValueError(f"A schedule counts whole steps, not {value!r} of them.")
