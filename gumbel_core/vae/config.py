"""What defines a training run, and its way to JSON and back: a checkpoint's card holds it.

A field that is added later has a default, and the default means what older runs did.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from gumbel_core import schedules
from gumbel_core.checks import check_name, check_whole
from gumbel_core.datasets import DATASETS, PIXELS
from gumbel_core.draw import check_seed
from gumbel_core.schedules import SCHEDULES, Constant, Schedule
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.model import ModelConfig

# name -> an optimiser of those parameters. `fused` updates all weights in one pass: half the time on a CPU.
OPTIMISERS: Mapping[str, Callable[[Iterable[Tensor]], torch.optim.Optimizer]] = {
    "adam": lambda parameters: torch.optim.Adam(parameters, fused=True),
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9),
    "radam": lambda parameters: torch.optim.RAdam(parameters),
}
BATCHES, EPOCHS = (2, 4_096), (1, 1_000)


@dataclass(frozen=True)
class Finish:
    """Another way to the gradient for the last part of a run: relaxed while it searches, then hard.

    It begins after the share `start` of all steps. Its temperature is scheduled over all steps, too.
    """

    surrogate: str = "reinmax"
    temperature: Schedule = field(default_factory=lambda: Constant(1.3))
    start: float = 0.5

    def __post_init__(self) -> None:
        check_name("surrogate", self.surrogate, SURROGATES)
        _check_schedule("temperature in its finish", self.temperature)
        if not isinstance(self.start, int | float) or not 0 < self.start < 1:
            raise ValueError(
                f"A finish starts after a share between 0 and 1 of the steps, not {self.start!r}."
            )


@dataclass(frozen=True)
class TrainConfig:
    """What defines a run, from the data to the last weight."""

    dataset: str = "digits"
    pixels: str = "grey"
    model: ModelConfig = field(default_factory=ModelConfig)
    surrogate: str = "gumbel_softmax"
    temperature: Schedule = field(default_factory=lambda: Constant(1.0))
    finish: Finish | None = None
    optimiser: str = "adam"
    learning_rate: Schedule = field(default_factory=lambda: Constant(1e-3))
    batch: int = 100
    epochs: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("data set", self.dataset, DATASETS)
        check_name("kind of pixels", self.pixels, PIXELS)
        check_name("surrogate", self.surrogate, SURROGATES)
        _check_kind("model", self.model, ModelConfig)
        _check_schedule("temperature", self.temperature)
        if self.finish is not None:
            _check_kind("finish", self.finish, Finish)
        check_name("optimiser", self.optimiser, OPTIMISERS)
        _check_schedule("learning rate", self.learning_rate)
        check_whole("The number of images in a batch", self.batch, BATCHES)
        check_whole("The number of epochs", self.epochs, EPOCHS)
        check_seed(self.seed)

    def way_at(self, step: int, steps: int) -> tuple[str, Schedule]:
        """The surrogate and the temperature's schedule at a step, counted from 0, of `steps`."""
        if self.finish and step >= self.finish.start * steps:
            return self.finish.surrogate, self.finish.temperature
        return self.surrogate, self.temperature

    def to_json(self) -> dict[str, Any]:
        """Names and numbers only."""
        return vars(self) | {
            "model": vars(self.model) | {"encoder": [*self.model.encoder], "decoder": [*self.model.decoder]},
            "temperature": schedules.to_json(self.temperature),
            "finish": self.finish
            and vars(self.finish) | {"temperature": schedules.to_json(self.finish.temperature)},
            "learning_rate": schedules.to_json(self.learning_rate),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "TrainConfig":
        """What `to_json` wrote. Names and numbers that are left out, and a finish, take their defaults.

        Raises ValueError for whatever is no config.
        """
        try:
            return cls(**_converted({"finish": None, **fields}, PARTS))
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"This is no training config: {error}.") from None


def _converted(fields: Mapping[str, Any], parts: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    """The fields, with each part read from its JSON."""
    return {**fields, **{name: read(fields[name]) for name, read in parts.items()}}


def _model(fields: Mapping[str, Any]) -> ModelConfig:
    return ModelConfig(**_converted(fields, {"encoder": tuple, "decoder": tuple}))


def _finish(fields: Mapping[str, Any] | None) -> Finish | None:
    if fields is None:
        return None
    return Finish(**_converted(fields, {"temperature": schedules.from_json}))


# field of a training config -> that part from its JSON
PARTS: Mapping[str, Callable[[Any], Any]] = {
    "model": _model,
    "temperature": schedules.from_json,
    "finish": _finish,
    "learning_rate": schedules.from_json,
}


def _check_kind(what: str, value: object, kind: type) -> None:
    if not isinstance(value, kind):
        raise ValueError(f"A run's {what} is a {kind.__name__}, not {value!r}.")


def _check_schedule(what: str, value: object) -> None:
    # Its very type, for that has the name by which it is saved.
    if type(value) not in SCHEDULES.values():
        raise ValueError(f"A run's {what} is one of the schedules {', '.join(SCHEDULES)}, not {value!r}.")
