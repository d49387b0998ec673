"""The fan: what Python sends to the browser. Where the browser moves it is in tests/browser/test_fan.py."""

import json
from typing import Any

import numpy as np
import pytest

from gumbel_core.figures.simplex import HEIGHT
from pages.components import fan

# Two temperatures of three single estimates each.
FRAMES = np.array(
    [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0.5, 0.5, 0], [0, 0.5, 0.5], [0.12345678, 0, 0.87654322]]]
)
MEANS = np.array([[0, 0.5, 0.5], [1, 0, 0]])
START = np.array([1, 1, 1]) / 3


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    monkeypatch.setattr(fan, "_fan", lambda **said: sent.update(said))
    fan.follow_fan(
        "arrows", shafts=1, tips=2, mean=4, temperatures=np.array([0.1, 1.0]), frames=FRAMES, means=MEANS,
        start=START,
    )  # fmt: skip
    return sent


def test_shares_travel_as_places_on_the_page_the_mean_before_the_estimates(sent: dict[str, Any]) -> None:
    # A corner's height times a share of it, by hand.
    first, second = sent["data"]["frames"]
    assert first == [[0.75, round(HEIGHT / 2, 4)], [0, 0], [1, 0], [0.5, round(HEIGHT, 4)]]
    assert second == [
        [0, 0], [0.5, 0], [0.75, round(HEIGHT / 2, 4)], [0.4383, round(HEIGHT * 0.87654322, 4)]
    ]  # fmt: skip
    assert sent["data"]["start"] == [0.5, round(HEIGHT / 3, 4)]


def test_the_figure_and_its_traces_are_named(sent: dict[str, Any]) -> None:
    assert sent["key"] == "fan_arrows"
    assert sent["data"]["figure"] == "arrows"
    assert sent["data"]["traces"] == {"shafts": 1, "tips": 2, "mean": 4}
    assert sent["data"]["temperatures"] == [0.1, 1.0]
    # Plain lists and numbers: nothing that Streamlit would have to turn into something else.
    assert json.loads(json.dumps(sent["data"])) == sent["data"]
