"""The structures' pictures hold the numbers they were given, in an order and on axes that can be read."""

import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures.structures import MOST_BARS, law_figure, task_figure

NAMES = ["{A, B}", "{A, <i>C</i>}", "{B, C}"]
FREQUENCIES = np.array([0.2, 0.45, 0.35])
LAW = np.array([0.21, 0.38, 0.41])
CONTRAST = np.array([0.5, 0.3, 0.2])


def check(figure: dict[str, Any]) -> None:
    """JSON that Plotly accepts, without markup, in which every trace says what it is."""
    assert "<i>" not in json.dumps(figure, allow_nan=False)
    go.Figure(figure)
    assert all("hovertemplate" in trace for trace in figure["data"])


def many(count: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Structures whose law falls as their number rises, and frequencies of another order."""
    law = np.arange(count, 0, -1.0)
    frequencies = np.roll(law, 3)
    return [f"s{number}" for number in range(count)], frequencies / frequencies.sum(), law / law.sum()


def test_the_law_decides_the_order_and_every_trace_keeps_it() -> None:
    figure = law_figure(NAMES, FREQUENCIES, LAW, CONTRAST, "another <i>law</i>")
    check(figure)
    bars, rules, diamonds = figure["data"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["{B, C}", "{A, &lt;i&gt;C&lt;/i&gt;}", "{A, B}"]
    assert bars["customdata"] == diamonds["customdata"] == figure["layout"]["xaxis"]["ticktext"]
    assert bars["y"] == [0.35, 0.45, 0.2]
    assert rules["y"] == [0.41, 0.41, None, 0.38, 0.38, None, 0.21, 0.21, None]
    assert rules["x"] == pytest.approx([-0.4, 0.4, 0.4, 0.6, 1.4, 1.4, 1.6, 2.4, 2.4])
    assert rules["customdata"] == [name for name in bars["customdata"] for _ in range(3)]
    assert diamonds["y"] == [0.2, 0.3, 0.5]
    assert diamonds["name"] == "another &lt;i&gt;law&lt;/i&gt;"
    assert figure["layout"]["annotations"] == []


def test_without_a_law_the_draws_decide_and_nothing_stands_for_it() -> None:
    figure = law_figure(NAMES, FREQUENCIES, None, CONTRAST, "another law")
    check(figure)
    bars, diamonds = figure["data"]
    assert bars["y"] == [0.45, 0.35, 0.2]
    assert diamonds["y"] == [0.3, 0.2, 0.5]
    assert len(law_figure(NAMES, FREQUENCIES, None, None, "")["data"]) == 1
    assert [trace["name"] for trace in law_figure(NAMES, FREQUENCIES, LAW, None, "")["data"]] == [
        "draws",
        "exact law",
    ]


@pytest.mark.parametrize("highest", [FREQUENCIES, LAW, CONTRAST])
def test_the_axis_holds_whatever_is_drawn(highest: np.ndarray) -> None:
    given = [values + (0.5 if values is highest else 0) for values in (FREQUENCIES, LAW, CONTRAST)]
    figure = law_figure(NAMES, given[0], given[1], given[2], "another law")
    assert figure["layout"]["yaxis"]["range"][1] > highest.max() + 0.5


def test_of_many_the_likeliest_are_drawn_and_the_others_are_told() -> None:
    names, frequencies, law = many(1296)
    figure = law_figure(names, frequencies, law, None, "")
    check(figure)
    bars, rules = figure["data"]
    assert bars["customdata"] == names[:MOST_BARS]
    (told,) = figure["layout"]["annotations"]
    assert told["text"] == (
        f"1,276 others: {1 - sum(bars['y']):.3f} of the draws,<br>{1 - sum(rules['y'][::3]):.3f} by the law"
    )
    # The others' share is no bar, for it would dwarf the rest.
    assert figure["layout"]["yaxis"]["range"][1] < 2 * max(bars["y"])
    (told,) = law_figure(names, frequencies, None, None, "")["layout"]["annotations"]
    assert told["text"].endswith("of the draws")


def test_as_many_as_there_are_bars_leave_no_others() -> None:
    names, frequencies, law = many(MOST_BARS)
    figure = law_figure(names, frequencies, law, None, "")
    assert figure["layout"]["annotations"] == []
    assert len(figure["data"][0]["y"]) == MOST_BARS


def test_long_names_stand_upright_with_room_for_them_and_the_longest_are_cut() -> None:
    level = law_figure(NAMES, FREQUENCIES, LAW, None, "")["layout"]
    names, frequencies, law = many(16)
    upright = law_figure([f"12 13 14 {name}" for name in names], frequencies, law, None, "")["layout"]
    assert (level["xaxis"]["tickangle"], upright["xaxis"]["tickangle"]) == (0, -90)
    # What the names take comes on top of the panel.
    assert upright["height"] - upright["margin"]["b"] == level["height"] - level["margin"]["b"]
    assert upright["margin"]["b"] > level["margin"]["b"] + 50
    cut = law_figure(["x" * 30, "<" * 30], np.array([0.6, 0.4]), None, None, "")["layout"]
    assert cut["xaxis"]["ticktext"] == ["x" * 19 + "…", "&lt;" * 19 + "…"]


def test_losses_and_the_share_stand_step_by_step() -> None:
    figure = task_figure([3, 2, 1], [4, 2, 0.5], [0, 1 / 3, 1])
    check(figure)
    relaxed, hard, right = figure["data"]
    assert [trace["x"] for trace in figure["data"]] == [[1, 2, 3]] * 3
    assert (relaxed["y"], hard["y"], right["y"]) == ([3, 2, 1], [4, 2, 0.5], [0, 0.33333, 1])
    assert relaxed["line"]["dash"] != hard["line"]["dash"]
    # On a panel of its own, by steps.
    assert (right["yaxis"], right["line"]["shape"]) == ("y2", "hv")
    low, high = figure["layout"]["yaxis"]["range"]
    assert "type" not in figure["layout"]["yaxis"]
    assert low < 0.5 < 4 < high


def test_a_loss_that_falls_far_is_drawn_by_its_logarithm() -> None:
    figure = task_figure([8, 1, 0.1], [8, 0.5, 0.02], [0, 1, 1])
    assert figure["data"][1]["y"] == [8, 0.5, 0.02]
    yaxis = figure["layout"]["yaxis"]
    assert yaxis["type"] == "log"
    assert yaxis["range"][0] < math.log10(0.02) < math.log10(8) < yaxis["range"][1]
    assert not any("≤" in text for text in yaxis["ticktext"])


def test_a_loss_of_nothing_stands_at_the_foot_of_its_axis_and_is_told_as_it_is() -> None:
    figure = task_figure([8, 1, 0.1], [8, 0, 1e-12], [0, 1, 1])
    check(figure)
    _, hard, _ = figure["data"]
    assert hard["y"] == [8, 0.001, 0.001]
    assert hard["customdata"] == ["8", "0", "1e-12"]
    yaxis = figure["layout"]["yaxis"]
    assert dict(zip(yaxis["tickvals"], yaxis["ticktext"], strict=True))[0.001] == "≤ 0.001"
    assert sum("≤" in text for text in yaxis["ticktext"]) == 1
    assert yaxis["range"][0] < -3


@pytest.mark.parametrize("losses", [[2.0], [0.0, 0.0], [1.0, math.nan, 2.0], [1.0, math.inf]])
def test_short_flat_and_broken_runs_are_drawn(losses: list[float]) -> None:
    figure = task_figure(losses, losses, [1.0] * len(losses))
    check(figure)
    assert figure["data"][0]["y"] == [value if math.isfinite(value) else None for value in losses]
    low, high = figure["layout"]["yaxis"]["range"]
    assert low < high
