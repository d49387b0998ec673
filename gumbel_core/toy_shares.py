"""How often are three steps enough? The toy over many seeds, in one vectorised run.

"Within .5 of the target" is the tutorial's sense of learned. It flatters: a prediction is a mean over
places, so the mass may stand on both sides of the target and none on it. Hence the probability beside it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from gumbel_core.toy_argmax import ToyConfig, train_many

Array = NDArray[np.float64]

RUNS = 1_000
LEARNED = 0.5
# The tutorial prints three steps; most runs that learn at all have by the tenth.
TUTORIAL_STEPS, LATER_STEPS = 3, 10
TEMPERATURE_GRID = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0)
SIZE_GRID = (2, 3, 4, 5, 7, 10, 14, 20)


@dataclass(frozen=True)
class Outcome:
    """How many seeds ended how."""

    runs: int
    learned: int  # seeds whose prediction is within .5 of the target
    on_target: float  # mean mass of the sample on the target
    on_target_error: float = 0.0  # standard error of that mean

    @property
    def share(self) -> float:
        return self.learned / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """95 % for the share (Wilson)."""
        return self.share_within(0.95)

    def share_within(self, confidence: float) -> tuple[float, float]:
        """A two-sided interval for the share (Wilson)."""
        low, high = binomtest(self.learned, self.runs).proportion_ci(confidence, method="wilson")
        return float(low), float(high)

    def on_target_within(self, confidence: float) -> tuple[float, float]:
        """A two-sided interval for the mean mass on the target (normal: for many seeds)."""
        reach = float(norm.isf((1 - confidence) / 2)) * self.on_target_error
        return self.on_target - reach, self.on_target + reach


@dataclass(frozen=True)
class Outcomes:
    """Every seed at every step: arrays of shape (steps, runs)."""

    loss: Array
    on_target: Array
    target: NDArray[np.int64]

    def at(self, step: int) -> Outcome:
        """All seeds at a step, counted from 1."""
        return _outcome(self.loss[step - 1], self.on_target[step - 1])

    def at_target(self, step: int, target: int) -> Outcome:
        """The seeds whose maximum stands at `target`, at a step counted from 1."""
        chosen = self.target[step - 1] == target
        return _outcome(self.loss[step - 1, chosen], self.on_target[step - 1, chosen])


def outcomes(config: ToyConfig, seeds: Sequence[int] = range(RUNS)) -> Outcomes:
    """Train every seed. A layer without a gradient never leaves its first step: that one alone is there."""
    # What is not counted, the weights above all, is let go step by step.
    counted = [
        (step.loss.numpy(), step.on_target.numpy(), step.target.numpy()) for step in train_many(config, seeds)
    ]
    loss, on_target, target = (np.stack(values) for values in zip(*counted, strict=True))
    return Outcomes(loss, on_target, target)


@dataclass(frozen=True)
class Shares:
    """What becomes of `RUNS` seeds while one setting moves. All of shape (X,).

    x: the setting; share: of the seeds within .5 of the target; low, high: its 95 % interval;
    on_target: the mean probability on the target
    """

    x: Array
    share: Array
    low: Array
    high: Array
    on_target: Array


def against_temperature(config: ToyConfig) -> Shares:
    """At step 3, over `TEMPERATURE_GRID`."""
    changed = [replace(config, temperature=tau) for tau in TEMPERATURE_GRID]
    return _shares(TEMPERATURE_GRID, [_after_three(each) for each in changed])


def against_n(config: ToyConfig) -> Shares:
    """At step 3, over `SIZE_GRID`. A target is dropped: a place means another thing in a longer array."""
    changed = [replace(config, n=n, target=None) for n in SIZE_GRID]
    return _shares(SIZE_GRID, [_after_three(each) for each in changed])


def against_target(config: ToyConfig) -> Shares:
    """At step 3, one run split by where the shuffle put the maximum; the config's own target is dropped."""
    trained = _trained(config, TUTORIAL_STEPS, target=None)
    places = range(config.n)
    return _shares(places, [trained.at_target(len(trained.loss), place) for place in places])


def against_step(config: ToyConfig) -> Shares:
    """At each of the first ten steps."""
    trained = _trained(config, LATER_STEPS)
    steps = range(1, LATER_STEPS + 1)
    return _shares(steps, [trained.at(min(step, len(trained.loss))) for step in steps])


AGAINST: Mapping[str, Callable[[ToyConfig], Shares]] = {
    "temperature": against_temperature,
    "n": against_n,
    "target": against_target,
    "step": against_step,
}


def _after_three(config: ToyConfig) -> Outcome:
    trained = _trained(config, TUTORIAL_STEPS)
    return trained.at(len(trained.loss))


def _trained(config: ToyConfig, steps: int, **changes: Any) -> Outcomes:
    """That many steps, or the first alone for a layer without a gradient, which stays there."""
    return outcomes(replace(config, steps=steps, **changes))


def _shares(x: Sequence[float], found: Sequence[Outcome]) -> Shares:
    low, high = np.array([each.interval for each in found]).T
    return Shares(
        x=np.array(x, dtype=np.float64),
        share=np.array([each.share for each in found]),
        low=low,
        high=high,
        on_target=np.array([each.on_target for each in found]),
    )


def _outcome(loss: Array, on_target: Array) -> Outcome:
    error = float(on_target.std(ddof=1)) / len(loss) ** 0.5 if len(loss) > 1 else 0.0
    return Outcome(len(loss), int((loss < LEARNED).sum()), float(on_target.mean()), error)
