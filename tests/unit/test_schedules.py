"""Schedules against their formulas by hand, against PyTorch's OneCycleLR, and what they refuse."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch

from gumbel_core.schedules import (
    SCHEDULES,
    Constant,
    Exponential,
    Geometric,
    OneCycle,
    Restarting,
    Schedule,
    Staircase,
    from_json,
    to_json,
)

ONE_OF_EACH: list[Schedule] = [
    Constant(0.7),
    Exponential(2.0, 0.25, 1e-3),
    Staircase(2.0, 0.25, 1e-3, 500),
    Geometric(2.0, 0.1),
    Restarting(0.9, 0.4, 1e-5, 50),
    OneCycle(1e-2, 0.2),
]
INF, NAN = math.inf, math.nan


def values(schedule: Schedule, steps: int, epoch_steps: int = 600) -> list[float]:
    return [schedule.at(step, steps=steps, epoch_steps=epoch_steps) for step in range(steps)]


def test_constant() -> None:
    assert set(values(Constant(0.3), 50)) == {0.3}


def test_exponential_over_all_steps() -> None:
    at = values(Exponential(1.0, 0.5, 1e-3), 2_000)
    assert at[0] == 1
    assert at[600] == pytest.approx(math.exp(-0.6))  # an epoch's end is nothing to it
    assert at[693] > 0.5  # ln 2 = .6931
    assert set(at[694:]) == {0.5}


def test_staircase_holds_its_value() -> None:
    at = values(Staircase(1.0, 0.5, 1e-3, 250), 2_000)
    assert set(at[:250]) == {1}
    assert set(at[250:500]) == {math.exp(-0.25)}
    assert set(at[500:750]) == {math.exp(-0.5)}
    assert set(at[750:]) == {0.5}
    # Where it is updated it stands on the exponential.
    assert at[::250] == values(Exponential(1.0, 0.5, 1e-3), 2_000)[::250]


def test_geometric_falls_by_one_factor() -> None:
    at = values(Geometric(2.0, 0.5), 101)
    assert (at[0], at[50], at[-1]) == pytest.approx((2, 1, 0.5))
    for before, after in pairwise(at):
        assert after / before == pytest.approx(0.25**0.01, rel=1e-12)


def test_geometric_and_one_cycle_take_a_run_of_one_step() -> None:
    assert values(Geometric(2.0, 0.5), 1) == [2]
    assert values(OneCycle(1.0), 1) == pytest.approx([1 / 25])


def test_restarting_is_the_guides_loop() -> None:
    """As the guide writes it: behind batch b, if b % 100 == 1, tau <- max(tau e^(-rate b), floor)."""
    wanted = []
    for _epoch in range(2):
        tau = 1.0
        for batch in range(600):
            wanted.append(tau)
            if batch % 100 == 1:
                tau = max(tau * math.exp(-3e-5 * batch), 0.5)
    assert values(Restarting(), 1_200) == pytest.approx(wanted, rel=1e-12)
    assert tau == pytest.approx(0.956, abs=5e-4)


def test_restarting_never_reaches_its_floor_and_begins_anew() -> None:
    at = values(Restarting(), 1_200)
    assert at[0] == at[1] == at[600] == 1
    assert at[:600] == at[600:]
    assert min(at) == at[599] == pytest.approx(0.956, abs=5e-4)
    # With epochs long enough it would reach it.
    assert min(values(Restarting(), 3_000, 3_000)) == 0.5


@pytest.mark.parametrize(("peak", "rise"), [(2e-3, 0.3), (1.5e-2, 0.3), (1e-3, 0.5)])
def test_one_cycle_is_pytorchs(peak: float, rise: float) -> None:
    steps = 401
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=peak, total_steps=steps, pct_start=rise, anneal_strategy="cos"
    )
    wanted = []
    for _ in range(steps):
        wanted.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if len(wanted) < steps:
            theirs.step()
    found = values(OneCycle(peak, rise), steps)
    # Theirs puts the peak at rise * steps - 1, one step before ours: up to a step's slope apart.
    assert found == pytest.approx(wanted, abs=max(abs(b - a) for a, b in pairwise(wanted)))
    assert (found[0], max(found), found[-1]) == pytest.approx((wanted[0], peak, wanted[-1]), rel=1e-4)
    assert found[0] == pytest.approx(peak / 25)
    assert found[-1] == pytest.approx(peak / 25e4)


@pytest.mark.parametrize("schedule", ONE_OF_EACH)
def test_json_and_back(schedule: Schedule) -> None:
    fields = to_json(schedule)
    assert SCHEDULES[fields["schedule"]] is type(schedule)
    assert all(isinstance(value, str | int | float) for value in fields.values())
    assert from_json(fields) == schedule


def test_every_schedule_has_a_name() -> None:
    assert [type(schedule) for schedule in ONE_OF_EACH] == list(SCHEDULES.values())


@pytest.mark.parametrize("schedule", ONE_OF_EACH)
@pytest.mark.parametrize("value", [0, -1.0, INF, NAN, True, "1", None, 10**400, 3.41e38])
def test_numbers_that_are_refused(schedule: Schedule, value: Any) -> None:
    for name in set(to_json(schedule)) - {"schedule"}:
        with pytest.raises(ValueError, match=f"A schedule's {name} must be a finite number above 0"):
            type(schedule)(**{name: value})


def test_the_largest_number_is_finite_in_single_precision() -> None:
    assert math.isfinite(torch.tensor(Constant(3.4e38).value).item())
    assert math.isinf(torch.tensor(3.41e38).item())


@pytest.mark.parametrize("kind", [Staircase, Restarting])
def test_part_of_a_step_is_refused(kind: type[Staircase | Restarting]) -> None:
    with pytest.raises(ValueError, match="whole steps"):
        kind(every=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("rise", [1, 1.5])
def test_a_cycle_that_never_comes_down_is_refused(rise: float) -> None:
    with pytest.raises(ValueError, match="below 1"):
        OneCycle(1e-3, rise)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "There is no schedule None"),
        ({"schedule": "sawtooth"}, "There is no schedule 'sawtooth'"),
        ({"schedule": ["constant"]}, "There is no schedule"),
        ({"schedule": "constant"}, "is not made of nothing"),
        ({"schedule": "constant", "value": 1.0, "rate": 2.0}, "is not made of value, rate"),
        ({"schedule": "constant", "value": -1.0}, "must be a finite number above 0"),
    ],
)
def test_json_that_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        from_json(fields)
