"""The estimators' pictures against draws and steps, and on the simplex, hold the numbers they were given."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures.gradients_arrows import MEAN, SHAFTS, TIPS, arrows_figure
from gumbel_core.figures.gradients_runs import LearningLine, learning_figure, z_figure
from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED
from gumbel_core.figures.simplex import HEIGHT

COUNTS = [20, 100, 1_000, 10_000]
Z = np.array([[0.5, -5.0, 0.1], [0.7, -1.0, 1.0], [1.2, 0.4, 2.0], [1.6, -0.3, -4.2]])
NAMES = ["a", "b", "<i>c</i> and more letters"]
LINES = (
    LearningLine("Chosen", (1.0, 1.5, 1.9), "chosen"),
    LearningLine("Exact", (1.0, 1.6, 2.0), "exact"),
    LearningLine("<i>Rest</i>", (1.0, 0.7, 0.4), "rest"),
    LearningLine("Beside", (1.0, 1.4, 1.9), "beside"),
)


def check(figure: dict[str, Any]) -> None:
    """JSON that Plotly accepts, without markup, in which every trace says what it is or is skipped."""
    assert "<i>" not in json.dumps(figure, allow_nan=False)
    go.Figure(figure)
    assert all("hovertemplate" in trace or trace.get("hoverinfo") == "skip" for trace in figure["data"])


def shown(figure: dict[str, Any]) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


def test_scores_are_drawn_and_the_one_that_ends_furthest_is_told_apart() -> None:
    figure = z_figure(COUNTS, Z, 3.6, NAMES)
    check(figure)
    *rest, last = figure["data"]
    assert [trace["y"] for trace in (*rest, last)] == Z.T.tolist()
    assert all(trace["x"] == COUNTS for trace in figure["data"])
    assert (last["line"]["color"], last["line"]["width"]) == (ACCENT, 3)
    assert {(trace["line"]["color"], trace["line"]["width"]) for trace in rest} == {(MUTED, 1)}


def test_the_furthest_is_named_at_its_end_whatever_it_was_before() -> None:
    notes = z_figure(COUNTS, Z[:, ::-1], 3.6, NAMES[::-1])["layout"]["annotations"]
    (note,) = (note for note in notes if note["showarrow"])
    assert (note["x"], note["y"]) == pytest.approx((4.0, -4.2))
    assert note["text"] == "<b>&lt;i&gt;c&lt;/i&gt; an…</b>"


@pytest.mark.parametrize("scores", [Z, 100 * Z, np.zeros((4, 3))])
def test_the_band_and_all_scores_lie_on_the_axis(scores: np.ndarray) -> None:
    figure = z_figure(COUNTS, scores, 3.6, NAMES)
    (band,) = figure["layout"]["shapes"]
    assert (band["y0"], band["y1"]) == (-3.6, 3.6)
    low, high = figure["layout"]["yaxis"]["range"]
    assert low == -high
    assert high > max(3.6, np.abs(scores).max())
    assert "±3.60" in shown(figure)[0]


def test_learning_holds_every_line_from_the_first_step() -> None:
    figure = learning_figure(LINES, best=2.0, start=1.0, loss=False)
    check(figure)
    best, *drawn = figure["data"]
    assert (best["y"], best["line"]["dash"]) == ([2.0, 2.0], "dash")
    assert {trace["name"]: trace["y"] for trace in drawn} == {
        "Exact": [1.0, 1.6, 2.0], "&lt;i&gt;Rest&lt;/i&gt;": [1.0, 0.7, 0.4],
        "Beside": [1.0, 1.4, 1.9], "Chosen": [1.0, 1.5, 1.9],
    }  # fmt: skip
    assert all(trace["x"] == [0, 1, 2] for trace in drawn)
    assert [trace["line"]["color"] for trace in drawn] == [MUTED, MUTED, CONTRAST, ACCENT]
    widths = [trace["line"]["width"] for trace in drawn]
    assert widths[0] == max(widths)
    assert len(set(widths)) == 4


def test_every_learner_is_named_at_its_end_apart_from_the_others() -> None:
    figure = learning_figure(LINES, best=2.0, start=1.0, loss=False)
    best, *names = figure["layout"]["annotations"]
    assert best["y"] == 2.0
    assert [name["text"] for name in names] == [
        "Exact",
        "&lt;i&gt;Rest&lt;/i&gt;",
        "<b>Beside</b>",
        "<b>Chosen</b>",
    ]
    assert [name["y"] for name in names] == pytest.approx([2.0, 0.4, 1.9, 1.9])
    low, high = figure["layout"]["yaxis"]["range"]
    pixels = (figure["layout"]["height"] - 74) / (high - low)
    places = sorted(pixels * name["y"] - name["ay"] for name in names)
    assert min(np.diff(places)) > 13.8


@pytest.mark.parametrize(("loss", "word", "side"), [(True, "loss", "top"), (False, "reward", "bottom")])
def test_the_words_at_the_best_stand_beyond_it(loss: bool, word: str, side: str) -> None:
    values = (1.0, -1.0) if loss else (1.0, 3.0)
    figure = learning_figure([LearningLine("Chosen", values, "chosen")], values[1], 1.0, loss)
    assert word in figure["layout"]["yaxis"]["title"]["text"]
    assert figure["layout"]["annotations"][0]["yanchor"] == side
    low, high = figure["layout"]["yaxis"]["range"]
    assert low < min(values) < max(values) < high


def test_equal_rewards_leave_a_picture() -> None:
    figure = learning_figure([LearningLine("Chosen", (2.0, 2.0), "chosen")], 2.0, 2.0, loss=False)
    check(figure)
    assert figure["layout"]["yaxis"]["range"] == pytest.approx([1.91, 2.09])


START, GRADIENT, AVERAGE = [0.2, 0.3, 0.5], [0.5, 0.3, 0.2], [0.4, 0.4, 0.2]
ENDS = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.25, 0.25, 0.5]]


def on_page(shares: Sequence[float]) -> tuple[float, float]:
    """By hand: the second corner at the right, the third on top."""
    return round(shares[1] + shares[2] / 2, 4), round(HEIGHT * shares[2], 4)


def points(trace: dict[str, Any]) -> list[tuple[float, float]]:
    return list(zip(trace["x"], trace["y"], strict=True))


def test_arrows_lead_from_the_start_to_each_end() -> None:
    figure = arrows_figure(START, GRADIENT, ENDS, AVERAGE, NAMES)
    check(figure)
    shafts, tips, mean = (figure["data"][place] for place in (SHAFTS, TIPS, MEAN))
    assert points(tips) == [on_page(end) for end in ENDS]
    assert points(shafts)[::2] == [on_page(START)] * 3
    assert points(shafts)[1::2] == points(tips)
    assert points(mean) == [on_page(START), on_page(AVERAGE)]
    (exact,) = (trace for trace in figure["data"] if trace.get("name") == "exact")
    assert points(exact) == [on_page(START), on_page(GRADIENT)]


def test_what_moves_is_one_path_that_plotly_leaves_whole() -> None:
    figure = arrows_figure(START, GRADIENT, ENDS, AVERAGE, NAMES)
    for place in (SHAFTS, MEAN):
        assert figure["data"][place]["line"]["simplify"] is False
        assert None not in figure["data"][place]["x"]
    assert figure["data"][TIPS]["mode"] == "markers"


def test_heads_are_told_apart_without_colour_and_hide_nothing() -> None:
    figure = arrows_figure(START, GRADIENT, ENDS, AVERAGE, NAMES)
    assert [trace["marker"]["symbol"] for trace in figure["data"][3:]] == ["arrow", "circle-open"]


def test_the_simplex_keeps_its_angles_and_its_corners_have_names() -> None:
    figure = arrows_figure(START, GRADIENT, ENDS, AVERAGE, NAMES)
    assert figure["layout"]["yaxis"]["scaleanchor"] == "x"
    corners = [(note["x"], note["y"]) for note in figure["layout"]["annotations"]]
    assert corners == [(0.0, 0.0), (1.0, 0.0), (0.5, HEIGHT)]
    assert shown(figure)[:2] == ["<b>a</b>", "<b>b</b>"]
