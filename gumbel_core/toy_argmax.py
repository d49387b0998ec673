"""The smallest model in which argmax stops the gradient.

After a TensorFlow tutorial: find where the maximum of a shuffled array of 0 .. n-1 stands.

    logits = W a                        one linear layer, no bias, W = 0 at the start
    z = sampling layer (logits)         by name: `LAYERS`
    prediction = sum_k k z_k            loss = |prediction - target|

Trained by RMSprop with Keras' constants. `train` runs one seed and yields a record a step; `train_many`
runs many seeds at once, each exactly as it would run alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gumbel_core.checks import check_name, check_whole
from gumbel_core.draw import check_seed
from gumbel_core.sampling import check_temperature, gumbel_max, gumbel_noise, gumbel_softmax

# Keras' constants; PyTorch's own defaults are .99 and 1e-8.
RHO, EPSILON = 0.9, 1e-7

SIZES = (2, 20)
STEPS = (1, 100)
LEARNING_RATES = (1e-3, 10.0)
TEMPERATURES = (0.05, 10.0)
ARRAYS = ("fixed", "fresh")

# logits (..., n), temperature, noise (..., n) -> z (..., n)
Layer = Callable[[Tensor, float, Tensor], Tensor]


def argmax(logits: Tensor, temperature: float, noise: Tensor) -> Tensor:
    """The Gumbel-Max draw, one-hot. It is made from an index, and an integer has no gradient."""
    winner = gumbel_max(logits, noise=noise)
    return torch.nn.functional.one_hot(winner, logits.shape[-1]).to(logits.dtype)


def softmax(logits: Tensor, temperature: float, noise: Tensor) -> Tensor:
    """Relaxed, and no noise."""
    return gumbel_softmax(logits, temperature, noise=torch.zeros_like(noise))


def relaxed(logits: Tensor, temperature: float, noise: Tensor) -> Tensor:
    """The relaxed sample."""
    return gumbel_softmax(logits, temperature, noise=noise)


def hard(logits: Tensor, temperature: float, noise: Tensor) -> Tensor:
    """One-hot in the forward pass, the relaxed sample's gradient in the backward pass."""
    return gumbel_softmax(logits, temperature, hard=True, noise=noise)


LAYERS: Mapping[str, Layer] = {
    "argmax": argmax,
    "softmax": softmax,
    "gumbel_softmax": relaxed,
    "straight_through": hard,
}


@dataclass(frozen=True)
class ToyConfig:
    """What defines a run; the defaults are the tutorial's."""

    layer: str = "gumbel_softmax"
    n: int = 5
    temperature: float = 0.75
    learning_rate: float = 0.5
    steps: int = 10
    seed: int = 0
    arrays: str = "fixed"  # one array as in the tutorial, or a fresh shuffle each step
    target: int | None = None  # where the maximum stands; None leaves it to the shuffle

    def __post_init__(self) -> None:
        check_name("layer", self.layer, LAYERS)
        if self.arrays not in ARRAYS:
            raise ValueError(f"Arrays are {' or '.join(ARRAYS)}, not {self.arrays!r}.")
        check_whole("The array's length", self.n, SIZES)
        _check_range("The temperature", check_temperature(self.temperature), TEMPERATURES)
        _check_range("The learning rate", self.learning_rate, LEARNING_RATES)
        check_whole("The number of steps", self.steps, STEPS)
        check_seed(self.seed)
        if self.target is not None:
            check_whole("The target's place", self.target, (0, self.n - 1))


@dataclass(frozen=True)
class Step:
    """One step: what the forward pass saw, and what came back. Double precision.

    The shapes are a single run's; `train_many` puts the run in front of each.
    """

    array: Tensor  # (n,): 0 .. n-1, shuffled
    weights: Tensor  # (n, n), before this step's update
    logits: Tensor  # (n,): weights @ array
    noise: Tensor  # (n,): Gumbel; the layer `softmax` ignores it
    sample: Tensor  # (n,): z
    prediction: Tensor  # (): sum_k k z_k
    target: Tensor  # (): where the array's maximum stands
    loss: Tensor  # (): |prediction - target|
    gradient: Tensor | None  # (n, n): of the loss; None where none came back
    refusal: str | None  # PyTorch's own words if it could not differentiate

    @property
    def index(self) -> Tensor:
        """The predicted index, (): where the sample is largest."""
        return self.sample.argmax(-1)

    @property
    def on_target(self) -> Tensor:
        """The sample's mass on the target, ()."""
        return self.sample.gather(-1, self.target.unsqueeze(-1)).squeeze(-1)


def train(config: ToyConfig) -> Iterator[Step]:
    """Train one run and yield a record each step. A run to which no gradient comes back ends."""
    for step in train_many(config, [config.seed]):
        yield _run(step, 0)


def train_many(config: ToyConfig, seeds: Sequence[int]) -> Iterator[Step]:
    """Train a run for each seed, side by side (`config.seed` is not read).

    RMSprop works on each weight alone, so the runs' losses may be summed: no run feels another.
    """
    arrays, noise = _drawn(config, seeds)  # each (steps, S, n)
    layer, positions = LAYERS[config.layer], torch.arange(config.n, dtype=torch.float64)
    weights = torch.zeros(len(seeds), config.n, config.n, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.RMSprop([weights], lr=config.learning_rate, alpha=RHO, eps=EPSILON)
    for array, gumbel in zip(arrays, noise, strict=True):
        # Products and sums, not `@`: a matrix product may round otherwise for another number of runs.
        logits = (weights * array.unsqueeze(-2)).sum(-1)  # (S, n)
        sample = layer(logits, config.temperature, gumbel)
        prediction, target = (sample * positions).sum(-1), array.argmax(-1)  # (S,)
        loss = (prediction - target).abs()
        before = weights.detach().clone()
        optimiser.zero_grad()
        refusal = _backward(loss.sum())
        yield Step(
            array, before, logits.detach(), gumbel, sample.detach(),
            prediction.detach(), target, loss.detach(), weights.grad, refusal,
        )  # fmt: skip
        if refusal:
            return
        optimiser.step()


def _backward(loss: Tensor) -> str | None:
    """Differentiate, or return what PyTorch says against it."""
    try:
        loss.backward()
    except RuntimeError as error:
        # Where there is a way back, an error is no refusal but a fault.
        if loss.requires_grad:
            raise
        return str(error)
    return None


def _drawn(config: ToyConfig, seeds: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Arrays and noise, each (steps, S, n). A seed's first steps do not depend on how many follow."""
    shape = (config.steps, 2, config.n)
    draws = [gumbel_noise(shape, generator=_seeded(seed), dtype=torch.float64) for seed in seeds]
    order, noise = torch.stack(draws, 2).unbind(1)
    # The ranks of independent draws are a uniform shuffle.
    arrays = order.argsort(-1)
    if config.target is not None:
        arrays = _with_maximum_at(config.target, arrays)
    if config.arrays == "fixed":
        arrays = arrays[:1].expand_as(arrays)
    return arrays.to(torch.float64), noise


def _with_maximum_at(target: int, arrays: Tensor) -> Tensor:
    """The arrays with the maximum moved to `target`, by a swap with what stands there."""
    displaced = arrays[..., target : target + 1].clone()
    moved = torch.where(arrays == arrays.shape[-1] - 1, displaced, arrays)
    moved[..., target] = arrays.shape[-1] - 1
    return moved


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(check_seed(seed))


def _run(step: Step, run: int) -> Step:
    """One run's record out of the records of many."""
    fields = vars(step).items()
    tensors: dict[str, Any] = {name: value[run] for name, value in fields if isinstance(value, Tensor)}
    return replace(step, **tensors)


def _check_range(what: str, value: float, limits: tuple[float, float]) -> None:
    low, high = limits
    if not low <= value <= high:
        raise ValueError(f"{what} lies between {low:g} and {high:g}, not {value:g}.")
