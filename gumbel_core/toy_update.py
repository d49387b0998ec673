"""One weight's RMSprop update in the toy, number by number.

G is the gradient, eta the learning rate: v <- rho v + (1 - rho) G^2, then w <- w - eta G / (sqrt(v) + eps).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gumbel_core.toy_argmax import EPSILON, RHO, Step


@dataclass(frozen=True)
class Update:
    """What happens to one weight in one step. Plain numbers."""

    weight: float  # w, before
    slope: float  # of the loss in the logit that the weight feeds
    entry: float  # of the array that the weight multiplies
    gradient: float  # G = slope times entry
    mean_square_before: float  # v, before
    mean_square: float
    updated: float  # w, after


def update_of(run: Sequence[Step], at: int, learning_rate: float) -> Update | None:
    """The update at a step, counted from 1, of the weight from the array's maximum to the target's logit.

    None if no gradient came back.
    """
    step = run[at - 1]
    place = int(step.target)
    gradients = [float(past.gradient[place, place]) for past in run[:at] if past.gradient is not None]
    if step.gradient is None:
        return None
    *earlier, gradient = gradients
    before = 0.0
    for past in earlier:
        before = RHO * before + (1 - RHO) * past**2
    mean_square = RHO * before + (1 - RHO) * gradient**2
    weight, entry = float(step.weights[place, place]), float(step.array[place])
    updated = weight - learning_rate * gradient / (math.sqrt(mean_square) + EPSILON)
    return Update(weight, gradient / entry, entry, gradient, before, mean_square, updated)
