"""The diagrams of the five ways say the numbers of `gumbel_core.gradient_flow`, and where nothing passes."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures.gradient_flow import ROWS, TALL, UP, Way, flow_figure
from gumbel_core.figures.layout import ACCENT, MUTED
from gumbel_core.gradient_bench import BenchConfig
from gumbel_core.gradient_flow import Flow, flows

NAMES = ["a", "<i>b</i>", "c", "d", "e"]
CONFIG = BenchConfig((1.0, 0.0, 0.5, -0.5, 2.0), variables=2, seed=3)
WAYS = {flow.name: flow for flow in flows(CONFIG, 0.5)}
# Half of the narrowest diagram.
ROOM = 100


def words(figure: dict[str, Any]) -> str:
    return "\n".join(note["text"] for note in figure["layout"]["annotations"])


def climbs(figure: dict[str, Any]) -> list[tuple[float, float]]:
    """From where to where the gradient's arrows go up, in pixels from the bottom."""
    arrows = [note for note in figure["layout"]["annotations"] if note.get("arrowcolor") == ACCENT]
    return sorted((note["y"] - note["ay"], note["y"]) for note in arrows if note["ax"] == 0)


def steps(*rows: str) -> list[tuple[float, float]]:
    """Arrows from each of the rows up to the next."""
    return [(ROWS[low] + TALL, ROWS[high] - TALL) for low, high in pairwise(rows)]


def read(text: str) -> list[float]:
    """The numbers in brackets."""
    return [
        float(number) for number in re.sub("[^0-9.,e-]", "", text.replace("−", "-").rstrip(", …)")).split(",")
    ]


@pytest.mark.parametrize("name", WAYS)
def test_a_diagram_is_json_that_plotly_accepts_and_fits_a_narrow_column(name: str) -> None:
    figure = flow_figure(WAYS[name], NAMES)
    assert "<i>" not in json.dumps(figure, allow_nan=False)
    go.Figure(figure)
    assert figure["layout"]["height"] == 380
    for shape in figure["layout"]["shapes"]:
        if "path" in shape:
            reach = [float(x) for x in re.findall(r"(-?[\d.]+),", shape["path"])]
        else:
            reach = [shape["x0"], shape["x1"]]
        assert max(map(abs, reach)) <= ROOM
    for note in figure["layout"]["annotations"]:
        # Eleven pixels high, a letter is a little more than five wide on average.
        lines = [re.sub("<[^>]*>", "", line) for line in note["text"].split("<br>")]
        width = 5.4 * max(map(len, lines))
        right = note.get("xshift", 0) + (width if note.get("xanchor") == "left" else width / 2)
        assert right <= ROOM + 12


def test_the_gradient_goes_all_the_way_where_every_step_has_a_derivative() -> None:
    assert climbs(flow_figure(WAYS["deterministic"], NAMES)) == steps("f", "z", "theta")
    whole = steps("f", "z", "made", "theta")
    assert climbs(flow_figure(WAYS["gumbel_softmax"], NAMES)) == whole
    assert climbs(flow_figure(WAYS["straight_through"], NAMES)) == whole


def test_a_draw_stops_the_gradient_with_a_cross_and_a_word() -> None:
    figure = flow_figure(WAYS["blocked"], NAMES)
    assert climbs(figure) == steps("f", "z")
    strokes = [shape for shape in figure["layout"]["shapes"] if shape["line"]["color"] == ACCENT]
    assert len(strokes) == 3
    assert strokes[0]["path"].startswith(f"M{UP},{ROWS['z'] + TALL}L{UP},")
    assert "stops" in words(figure)
    for stroke in strokes:
        heights = [float(y) for y in re.findall(r",(-?[\d.]+)", stroke["path"])]
        assert ROWS["z"] < min(heights) <= max(heights) < ROWS["made"]


def test_the_score_goes_round_the_draw_from_f_to_the_logits() -> None:
    figure = flow_figure(WAYS["score_function"], NAMES)
    assert climbs(figure) == []
    (around,) = (shape for shape in figure["layout"]["shapes"] if shape["line"]["color"] == ACCENT)
    heights = [float(y) for y in re.findall(r",(-?[\d.]+)", around["path"])]
    assert (heights[0], heights[-1]) == (ROWS["f"], ROWS["theta"])
    (head,) = (note for note in figure["layout"]["annotations"] if note.get("arrowcolor") == ACCENT)
    assert head["y"] == ROWS["theta"]


@pytest.mark.parametrize("name", WAYS)
def test_the_value_goes_down_from_the_logits_to_f(name: str) -> None:
    arrows = [
        note
        for note in flow_figure(WAYS[name], NAMES)["layout"]["annotations"]
        if note.get("arrowcolor") == MUTED
    ]
    falls = sorted((note["y"] - note["ay"], note["y"]) for note in arrows if note["ax"] == 0)
    rows = ["f", "z", *([] if name == "deterministic" else ["made"]), "theta"]
    assert falls == [(high, low) for low, high in steps(*rows)]


@pytest.mark.parametrize("name", WAYS)
def test_round_is_what_is_drawn(name: str) -> None:
    shapes = flow_figure(WAYS[name], NAMES)["layout"]["shapes"]
    rounds = [shape for shape in shapes if shape["line"]["color"] == MUTED and shape["type"] != "rect"]
    assert len(rounds) == (0 if name == "deterministic" else 1)
    squares = [shape for shape in shapes if shape["type"] == "rect"]
    assert len(squares) + len(rounds) == (
        5 if name == "gumbel_softmax" else 3 if name == "deterministic" else 4
    )


@pytest.mark.parametrize("variable", [0, 1])
@pytest.mark.parametrize("name", WAYS)
def test_the_first_three_numbers_of_each_vector_are_written(name: str, variable: int) -> None:
    way = WAYS[name]
    lines = words(flow_figure(way, NAMES, variable)).replace("<br>", "\n").split("\n")
    vectors = [read(line) for line in lines if line.startswith("(") and line.endswith(", …)")]
    wanted = [
        values[variable][:3] for values in (way.z, way.inner, way.score, way.gradient) if values is not None
    ]
    if name == "score_function":
        assert way.inner is None
    assert len(vectors) == len(wanted)
    for values in wanted:
        assert any(np.allclose(vector, values, atol=0.0051) for vector in vectors)
    assert any(line.startswith("f(z) = ") and abs(float(line[7:]) - way.value) < 0.0051 for line in lines)


def test_a_draw_is_named() -> None:
    way = WAYS["blocked"]
    winner = int(way.z[0].argmax())
    names = [f"name {place} is long" for place in range(5)]
    assert f"z ~ p: name {winner} i…" in words(flow_figure(way, names))


def test_three_numbers_are_all_and_have_no_dots() -> None:
    (way, *_) = flows(BenchConfig((0.0, 0.0, 0.0)), 1.0)
    assert "…" not in words(flow_figure(way, NAMES))
    assert "(0.33, 0.33, 0.33)" in words(flow_figure(way, NAMES))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"), (1.0, "1"), (-2.0, "−2"), (0.9996, "1.00"), (0.0004, "0.00"), (-0.0004, "0.00"),
        (0.0041, "0.004"), (-0.123, "−0.12"), (12.34, "12.3"), (123.4, "123"), (-43_210.0, "−4.3e4"),
        (1e10, "1.0e10"),
    ],
)  # fmt: skip
def test_numbers_are_short_and_only_whole_ones_look_whole(value: float, text: str) -> None:
    way: Way = Flow("blocked", "x", np.eye(1, 3), value)
    assert f"f(z) = {text}" in words(flow_figure(way, NAMES)).split("\n")


def test_words_are_never_markup() -> None:
    assert "<i>" not in words(flow_figure(WAYS["blocked"], ["<i>x</i>"] * 5))
    assert "<i>" not in words(flow_figure(replace(WAYS["blocked"], title="<i>x</i>"), NAMES))
