"""Names at the ends of lines stand apart from each other, and as near to their lines as that allows."""

import json

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from gumbel_core.figures.direct_labels import APART, End, end_labels, spread
from gumbel_core.figures.layout import ACCENT, MUTED


def nearest(wanted: np.ndarray, apart: float, low: float, high: float) -> np.ndarray:
    """The oracle: less their rank times `apart`, places need only rise, which is isotonic regression."""
    ranks = apart * np.arange(len(wanted))
    order = wanted.argsort(kind="stable")
    found = np.empty(len(wanted))
    rising = isotonic_regression(wanted[order] - ranks).x
    found[order] = rising.clip(low, high - ranks[-1]) + ranks
    return found


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_places_are_the_nearest_that_stand_apart(count: int) -> None:
    generator = np.random.default_rng(count)
    for _ in range(200):
        wanted = generator.uniform(0, 200, count)
        found = spread(wanted.tolist(), 14, 0, 200)
        assert found == pytest.approx(nearest(wanted, 14, 0, 200))


def test_places_that_stand_apart_already_are_kept() -> None:
    assert spread([80.0, 10.0, 40.0], 14, 0, 100) == [80.0, 10.0, 40.0]


def test_equal_wishes_share_the_space_around_them() -> None:
    assert sorted(spread([50.0] * 3, 10, 0, 100)) == [40.0, 50.0, 60.0]
    assert sorted(spread([100.0] * 3, 10, 0, 100)) == [80.0, 90.0, 100.0]
    assert sorted(spread([0.0] * 3, 10, 0, 100)) == [0.0, 10.0, 20.0]


def test_none_are_none() -> None:
    assert spread([], 14, 0, 100) == []


def test_a_name_is_led_to_its_own_end() -> None:
    ends = [
        End("low", 1.0, -1.0, MUTED),
        End("high", 1.0, 2.9, ACCENT, bold=True),
        End("near", 1.0, -0.9, MUTED),
    ]
    found = end_labels(ends, span=(-1.0, 3.0), pixels=200, place="y2")
    assert [(label["x"], label["yref"]) for label in found] == [(1.0, "y2")] * 3
    assert [label["y"] for label in found] == pytest.approx([-1.0, 2.9, -0.9])
    assert [label["text"] for label in found] == ["low", "<b>high</b>", "near"]
    # Plotly measures pixels downwards.
    places = [50 * (end.y + 1) - label["ay"] for end, label in zip(ends, found, strict=True)]
    assert places == pytest.approx(spread([0, 195, 5], APART, 0, 200), abs=0.06)
    assert places[2] - places[0] == pytest.approx(APART, abs=0.11)
    assert [label["arrowcolor"] for label in found] == [end.colour for end in ends]


def test_an_end_outside_of_its_axis_is_led_to_its_edge() -> None:
    (label,) = end_labels([End("far", 1.0, 9.0, MUTED)], span=(0.0, 1.0), pixels=100)
    assert (label["y"], label["ay"]) == (1.0, 0.0)


def test_a_name_is_never_markup() -> None:
    labels = end_labels([End("<i>x</i>", 0.0, 0.0, MUTED)], span=(-1.0, 1.0), pixels=100)
    assert "<i>" not in json.dumps(labels)
