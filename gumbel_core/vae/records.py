"""What a training run reports: floats and small arrays. Somebody else draws, saves and prints."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gumbel_core.vae.objective import Terms

Array = NDArray[np.float32]


@dataclass(frozen=True)
class StepRecord:
    """One step, as the batch saw it: losses in nats an image, before the update.

    With batch normalisation both losses read the batch's statistics, and only those of the sample that is
    descended are learned. So the test set, which is decoded hard, reads statistics of relaxed samples as long
    as a run is relaxed: its loss may lie far above the hard loss of a step.
    """

    step: int  # counted from 1
    epoch: int  # counted from 1
    temperature: float
    learning_rate: float
    relaxed: Terms  # what is descended; of a hard surrogate this is the hard loss
    hard: Terms | None  # None where it was not asked for
    gradient_norm: float
    images_per_second: float
    usage: Array  # (N, K): the batch's mean posterior
    latent_kl: Array  # (N,): nats that each latent carries


@dataclass(frozen=True)
class EpochSummary:
    """A pass over the data: the batches' mean losses, and the test set's with the weights at its end.

    A field that is added later has a default, and the default means what older runs did. So it is of `Sums`.
    """

    epoch: int  # counted from 1
    step: int
    temperature: float  # of the last step
    relaxed: Terms
    hard: Terms | None
    test: Terms  # hard
    images_per_second: float

    def to_json(self) -> dict[str, Any]:
        """Names and numbers only: a line of a card's history."""
        return {
            name: value._asdict() if isinstance(value, Terms) else value for name, value in vars(self).items()
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "EpochSummary":
        """What `to_json` wrote."""
        names = [name for name in ("relaxed", "hard", "test") if fields[name] is not None]
        terms = {name: Terms(**fields[name]) for name in names}
        return cls(**{**fields, **terms})


@dataclass(frozen=True)
class EpochRecord:
    """An epoch's summary, and what its model makes of the test set."""

    summary: EpochSummary
    usage: Array  # (N, K): the mean posterior of each latent
    latent_kl: Array  # (N,): nats that each latent carries
    originals: Array  # (SHOWN, D), in [0, 1]
    reconstructions: Array  # (SHOWN, D), in [0, 1], each from one one-hot sample


Record = StepRecord | EpochRecord


@dataclass
class Sums:
    """What the steps of the current epoch add up to, for its means. It outlives a stop in the middle."""

    reconstruction: float = 0.0
    hard_reconstruction: float | None = 0.0  # None once a step has not reported it
    kl: float = 0.0
    steps: int = 0
    seconds: float = 0.0

    def add(self, record: StepRecord, seconds: float) -> None:
        self.reconstruction += record.relaxed.reconstruction
        self.kl += record.relaxed.kl
        self.steps += 1
        self.seconds += seconds
        if record.hard is None or self.hard_reconstruction is None:
            self.hard_reconstruction = None
        else:
            self.hard_reconstruction += record.hard.reconstruction

    def relaxed(self) -> Terms:
        return Terms(self.reconstruction / self.steps, self.kl / self.steps)

    def hard(self) -> Terms | None:
        if self.hard_reconstruction is None:
            return None
        return Terms(self.hard_reconstruction / self.steps, self.kl / self.steps)
