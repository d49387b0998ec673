"""The functions of the bench against plain Python and NumPy, at the corners and between them."""

import math
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gumbel_core.functions import FUNCTIONS, check_numbers, function_of

BY_HAND = [name for name in FUNCTIONS if name != "network"]
SIZES = list(product((1, 2, 3), (2, 3, 5)))
# One variable of three categories: a pin, so that no later change moves a picture that a link holds.
NETWORK_AT_THE_CORNERS = (-5.239761, 2.697936, -6.729017)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shares(*shape: int, seed: int = 0) -> Tensor:
    """Points inside the simplices, in double precision."""
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64).softmax(-1)


def typed(name: str, variables: int, categories: int) -> tuple[float, ...]:
    """Numbers as a visitor might type them, of either sign."""
    count = FUNCTIONS[name].count(variables, categories)
    return tuple(torch.randn(count, generator=seeded(count), dtype=torch.float64).tolist())


def by_hand(name: str, numbers: tuple[float, ...], z: list[list[float]]) -> float:
    """f of one point, by its formula, a number at a time."""
    variables, categories = len(z), len(z[0])
    if name == "linear":
        return sum(w * share for row in z for w, share in zip(numbers, row, strict=True))
    if name == "squares":
        return sum(w * share**2 for row in z for w, share in zip(numbers, row, strict=True))
    if name == "quadratic":
        means = [sum(row[k] for row in z) / variables for k in range(categories)]
        return sum((mean - target) ** 2 for mean, target in zip(means, numbers, strict=True))
    if name == "distance":
        return abs(sum(k * share for row in z for k, share in enumerate(row)) - numbers[0])
    rewards = np.array(numbers).reshape((categories,) * variables)
    axes = "abc"[:variables]
    return float(np.einsum(f"{','.join(axes)},{axes}->", *z, rewards))


def corners(variables: int, categories: int) -> Tensor:
    rows = torch.eye(categories, dtype=torch.float64)
    return torch.stack([rows[list(index)] for index in product(range(categories), repeat=variables)])


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize(("variables", "categories"), SIZES)
def test_each_is_its_formula_at_the_corners_and_between_them(
    name: str, variables: int, categories: int
) -> None:
    numbers = typed(name, variables, categories)
    f = function_of(name, numbers, variables, categories)
    for z in (corners(variables, categories), shares(9, variables, categories)):
        wanted = [by_hand(name, numbers, point) for point in z.tolist()]
        np.testing.assert_allclose(f(z), wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("variables", [1, 2, 3])
def test_linear_and_squares_agree_at_every_corner_and_nowhere_else(variables: int) -> None:
    linear, squares = (function_of(name, (2.0, -1.0, 0.5), variables, 3) for name in ("linear", "squares"))
    at_corners, inside = corners(variables, 3), shares(50, variables, 3)
    assert torch.equal(linear(at_corners), squares(at_corners))
    assert ((linear(inside) - squares(inside)).abs() > 1e-3).all()


def test_a_tables_rewards_stand_with_the_last_variable_changing_fastest() -> None:
    rewards = (1.0, 2.0, 4.0, 8.0)
    f = function_of("table", rewards, 2, 2)
    assert tuple(f(corners(2, 2)).tolist()) == rewards
    first, second = torch.eye(2, dtype=torch.float64)
    assert f(torch.stack([first, second])) == 2


@pytest.mark.parametrize("variables", [1, 2, 3])
def test_an_untyped_table_is_the_untyped_linear_function(variables: int) -> None:
    """The sum of the places 1 .. K is linear, so the two agree between the corners too."""
    table, linear = (function_of(name, (), variables, 4) for name in ("table", "linear"))
    inside = shares(20, variables, 4)
    torch.testing.assert_close(table(inside), linear(inside), rtol=0, atol=1e-12)


def test_the_network_is_odd_bounded_and_reads_every_entry() -> None:
    """`v . tanh(W z)`: a sum of odd functions, none of which passes its own |v|."""
    f = function_of("network", (), 2, 3)
    z = shares(20, 2, 3).requires_grad_()
    torch.testing.assert_close(f(-z), -f(z))
    far = f(1e9 * z)
    torch.testing.assert_close(f(1e6 * z), far)  # every unit has reached its end
    assert f(torch.zeros(2, 3, dtype=torch.float64)) == 0
    (gradient,) = torch.autograd.grad(f(z).sum(), z)
    assert (gradient.abs() > 1e-6).all()


def test_the_networks_weights_are_drawn_once_and_for_all() -> None:
    """A link that somebody kept shows the same network tomorrow. No noise of anybody's is used up."""
    before = torch.get_rng_state()
    f = function_of("network", (), 1, 3)
    values = f(corners(1, 3))
    assert torch.equal(values, f(corners(1, 3)))
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_allclose(values, NETWORK_AT_THE_CORNERS, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("shape", [(), (4,), (2, 3)])
def test_any_leading_shape_point_by_point(name: str, shape: tuple[int, ...]) -> None:
    f = function_of(name, typed(name, 2, 3), 2, 3)
    z = shares(*shape, 2, 3)
    values = f(z)
    assert values.shape == shape
    singles = [f(point) for point in z.reshape(-1, 2, 3)]
    torch.testing.assert_close(values.flatten().tolist(), [single.item() for single in singles])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_precision_is_the_points(name: str) -> None:
    f = function_of(name, typed(name, 2, 3), 2, 3)
    z = shares(10, 2, 3)
    assert f(z).dtype == torch.float64
    assert f(z.float()).dtype == torch.float32
    torch.testing.assert_close(f(z.float()).double(), f(z), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("variables", [1, 3])
def test_each_can_be_differentiated_between_the_corners(name: str, variables: int) -> None:
    f = function_of(name, typed(name, variables, 3), variables, 3)
    assert torch.autograd.gradcheck(f, shares(4, variables, 3).requires_grad_())


# Numbers


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("variables", "categories"), SIZES)
def test_the_defaults_are_as_many_as_are_read(name: str, variables: int, categories: int) -> None:
    kind = FUNCTIONS[name]
    defaults = check_numbers(name, (), variables, categories)
    assert len(defaults) == kind.count(variables, categories)
    # Typed out, they are taken, and mean the same.
    assert check_numbers(name, defaults, variables, categories) == defaults
    typed_out, untyped = (function_of(name, given, variables, categories) for given in (defaults, ()))
    points = shares(5, variables, categories)
    assert torch.equal(typed_out(points), untyped(points))


@pytest.mark.parametrize(
    ("name", "variables", "categories", "wanted"),
    [
        ("linear", 2, 4, (1, 2, 3, 4)),
        ("squares", 1, 3, (1, 2, 3)),
        ("quadratic", 2, 3, (0, 0, 1)),
        ("table", 1, 3, (1, 2, 3)),
        ("table", 2, 2, (2, 3, 3, 4)),
        ("table", 3, 2, (3, 4, 4, 5, 4, 5, 5, 6)),
        ("network", 2, 3, ()),
        ("distance", 1, 5, (2,)),
        ("distance", 3, 4, (4,)),
    ],
)
def test_the_defaults(name: str, variables: int, categories: int, wanted: tuple[float, ...]) -> None:
    assert check_numbers(name, (), variables, categories) == wanted


@pytest.mark.parametrize("name", ["quadratic", "distance"])
@pytest.mark.parametrize(("variables", "categories"), SIZES)
def test_an_untyped_target_is_reached_at_a_corner(name: str, variables: int, categories: int) -> None:
    f = function_of(name, (), variables, categories)
    assert f(corners(variables, categories)).min() == 0


def test_which_are_rewards() -> None:
    assert [name for name, kind in FUNCTIONS.items() if kind.climbs] == ["linear", "squares", "table"]


def test_what_is_read_is_said() -> None:
    for kind in FUNCTIONS.values():
        assert kind.formula
        assert bool(kind.reads) == (kind.count(2, 3) > 0)


@pytest.mark.parametrize(
    ("name", "numbers", "sentence"),
    [
        (
            "cubic", (1.0,),
            "There is no function 'cubic': "
            "it is one of linear, squares, quadratic, table, network, distance.",
        ),
        ("linear", (1.0,), "The function linear reads 3 numbers, a weight for each category: there are 1."),
        (
            "table", (1.0,) * 8,
            "The function table reads 9 numbers, a reward for each combination: there are 8.",
        ),
        ("distance", (1.0, 2.0), "The function distance reads 1 number, the target: there are 2."),
        ("network", (1.0,), "The function network reads 0 numbers: there are 1."),
        *[
            ("linear", (1.0, bad, 0.0), "A number of a function lies between -10000 and 10000.")
            for bad in (math.nan, math.inf, -math.inf, 10_001.0, -10_001.0)
        ],
    ],
)  # fmt: skip
def test_what_is_refused(name: str, numbers: tuple[float, ...], sentence: str) -> None:
    def refused(function: Any) -> str:
        with pytest.raises(ValueError, match="function") as refusal:
            function(name, numbers, 2, 3)
        return str(refusal.value)

    assert refused(check_numbers) == refused(function_of) == sentence


def test_the_largest_number_is_taken() -> None:
    f = function_of("linear", (1e4, -1e4), 1, 2)
    assert f(corners(1, 2)).tolist() == [1e4, -1e4]
