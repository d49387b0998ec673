"""Functions f of one-hot samples, by name: `FUNCTIONS`. What the gradient estimators are measured on.

Each is built for N variables of K categories and takes z (..., N, K), one-hot or relaxed, to a value (...).
The corners of the simplices are what E[f(z)] asks about. What f is between them is a choice, and the
estimators that look there see that choice: `linear` and `squares` agree at every corner, and nowhere else.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gumbel_core.checks import check_name

# z (..., N, K) -> (...)
Function = Callable[[Tensor], Tensor]

HIDDEN, NETWORK_SEED = 16, 6
# Numbers beyond it leave a difference of two values few digits in single precision.
MAX_NUMBER = 1e4


def linear(numbers: Tensor, variables: int) -> Function:
    """`sum_n w . z_n`: a weight for each category."""
    return lambda z: (z @ numbers.to(z)).sum(-1)


def squares(numbers: Tensor, variables: int) -> Function:
    """`sum_n w . z_n^2`: at the corners, and only there, the same as `linear`."""
    return lambda z: (z.square() @ numbers.to(z)).sum(-1)


def quadratic(numbers: Tensor, variables: int) -> Function:
    """`|mean_n z_n - t|^2`: how far the variables' mean is from a target t."""
    return lambda z: (z.mean(-2) - numbers.to(z)).square().sum(-1)


def table(numbers: Tensor, variables: int) -> Function:
    """A reward for each combination of categories, the last variable's changing fastest.

    Between the corners it is filled in by its expectation under independent shares z, linear in each z_n.
    """

    def expected(z: Tensor) -> Tensor:
        first, *others = z.unbind(-2)
        rewards = first @ numbers.to(z).reshape(z.shape[-1], -1)  # (..., the others' combinations)
        for shares in others:
            rewards = (shares.unsqueeze(-2) @ rewards.unflatten(-1, (z.shape[-1], -1))).squeeze(-2)
        return rewards.squeeze(-1)

    return expected


def distance(numbers: Tensor, variables: int) -> Function:
    """`|sum_n sum_k k z_nk - t|`: the toy's loss, the distance of the places' sum from a target."""
    return lambda z: ((z @ torch.arange(z.shape[-1]).to(z)).sum(-1) - numbers.to(z).squeeze(-1)).abs()


def network(numbers: Tensor, variables: int) -> Function:
    """A layer of 16 tanh units on all of z, with weights drawn once: smooth, and of no low degree."""

    def output(z: Tensor) -> Tensor:
        inner, outer = _weights(variables * z.shape[-1])
        return (z.flatten(-2) @ inner.to(z)).tanh() @ outer.to(z)

    return output


def _weights(inputs: int) -> tuple[Tensor, Tensor]:
    """Of the network: (inputs, 16) and (16,)."""
    generator = torch.Generator().manual_seed(NETWORK_SEED)
    inner = 2 * torch.randn(inputs, HIDDEN, generator=generator, dtype=torch.float64)
    return inner, torch.randn(HIDDEN, generator=generator, dtype=torch.float64)


def _each_category(variables: int, categories: int) -> int:
    return categories


def _each_combination(variables: int, categories: int) -> int:
    return int(categories**variables)


def _rising(variables: int, categories: int) -> tuple[float, ...]:
    return tuple(float(k) for k in range(1, categories + 1))


def _last(variables: int, categories: int) -> tuple[float, ...]:
    return (*[0.0] * (categories - 1), 1.0)


def _middle(variables: int, categories: int) -> tuple[float, ...]:
    return (float(variables * (categories - 1) // 2),)


def _places(variables: int, categories: int) -> tuple[float, ...]:
    """The sum of the places for each combination: 1, 2, ... for one variable."""
    place = torch.arange(1, categories + 1, dtype=torch.float64)
    total = torch.zeros(1, dtype=torch.float64)
    for _ in range(variables):
        total = (total.unsqueeze(-1) + place).flatten()
    return tuple(total.tolist())


@dataclass(frozen=True)
class Kind:
    """A function by name: how it is built, which numbers it reads, and which way one wants to go on it.

    build: from its numbers and N
    formula, joint: in LaTeX, of one variable and of several
    symbol, reads: what its numbers are called in the formula and in words; empty where it reads none
    count, defaults: how many numbers it reads for N variables of K categories, and which ones untyped
    climbs: whether it is a reward; otherwise it is a loss
    says: why one would look at it
    """

    build: Callable[[Tensor, int], Function]
    formula: str
    joint: str
    symbol: str
    reads: str
    count: Callable[[int, int], int]
    defaults: Callable[[int, int], tuple[float, ...]]
    climbs: bool
    says: str


FUNCTIONS: Mapping[str, Kind] = {
    "linear": Kind(
        linear, r"w \cdot z", r"\sum_n w \cdot z_n", "w", "a weight for each category", _each_category,
        _rising, climbs=True, says="Each category has a reward, and a mixture has the mixed one.",
    ),
    "squares": Kind(
        squares, r"w \cdot z^2", r"\sum_n w \cdot z_n^2", "w", "a weight for each category", _each_category,
        _rising, climbs=True,
        says="At the corners the same as linear: what differs lies between them, where no draw ever is.",
    ),
    "quadratic": Kind(
        quadratic, r"\lVert z - t \rVert^2", r"\lVert \bar z - t \rVert^2", "t", "a target for each category",
        _each_category, _last, climbs=False, says="The squared distance from a target.",
    ),
    "table": Kind(
        table, r"r \cdot z", r"\sum_{k_1, k_2, \ldots} r_{k_1 k_2 \ldots}\, z_{1 k_1} z_{2 k_2} \cdots",
        "r", "a reward for each combination", _each_combination, _places, climbs=True,
        says="A bandit: rewards stand at the corners alone, and between them is their expectation.",
    ),
    "network": Kind(
        network, r"v \cdot \tanh(W z)", r"v \cdot \tanh(W z)", "", "", lambda variables, categories: 0,
        lambda variables, categories: (), climbs=False,
        says="Sixteen tanh units: smooth, and of no low degree.",
    ),
    "distance": Kind(
        distance, r"\lvert \textstyle\sum_k k\, z_k - t \rvert",
        r"\lvert \textstyle\sum_{nk} k\, z_{nk} - t \rvert", "t", "the target",
        lambda variables, categories: 1, _middle, climbs=False,
        says="The toy's loss, of the places 0, 1 and so on, with a kink where the target is.",
    ),
}  # fmt: skip


def check_numbers(name: str, numbers: Sequence[float], variables: int, categories: int) -> tuple[float, ...]:
    """The numbers of the named function, its defaults for none; or a ValueError that says what is wrong."""
    check_name("function", name, FUNCTIONS)
    kind = FUNCTIONS[name]
    if not numbers:
        return kind.defaults(variables, categories)
    wanted = kind.count(variables, categories)
    if len(numbers) != wanted:
        raise ValueError(
            f"The function {name} reads {wanted} {'number' if wanted == 1 else 'numbers'}"
            f"{', ' + kind.reads if kind.reads else ''}: there are {len(numbers)}."
        )
    if not all(math.isfinite(number) and abs(number) <= MAX_NUMBER for number in numbers):
        raise ValueError(f"A number of a function lies between -{MAX_NUMBER:g} and {MAX_NUMBER:g}.")
    return tuple(numbers)


def function_of(name: str, numbers: Sequence[float], variables: int, categories: int) -> Function:
    """The named function for N variables of K categories. Raises ValueError as `check_numbers`."""
    checked = check_numbers(name, numbers, variables, categories)
    return FUNCTIONS[name].build(torch.tensor(checked, dtype=torch.float64), variables)
