"""The estimators' pictures against the temperature hold the numbers they were given, or say why not."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures.gradients import (
    ROLES,
    BenchLine,
    ErrorLines,
    Role,
    bias_variance_figure,
    mse_figure,
    vanished_figure,
)
from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED
from gumbel_core.figures.log_axes import decades, log_axis

TAUS = (0.01, 0.1, 1.0, 10.0)
TEMPERED = BenchLine(
    "Tempered", TAUS, (0.05, 0.2, 0.6, 0.9), (300.0, 20.0, 1.0, 0.004), (False, True, True, True), "chosen"
)
FLAT = BenchLine("Flat", (0.01,), (0.7,), (1.6,), (True,), "beside")
SCORED = BenchLine("Scored", (0.01,), (0.0,), (5.7,), (False,), "rest", unbiased=True)
SILENT = BenchLine("Silent", TAUS, (0.01, 0.0, 0.02, 0.01), (4.0,) * 4, (False,) * 4, "rest")
EXACT = BenchLine("Exact", (0.01,), (0.0,), (1e-14,), (False,), "rest", unbiased=True)
ALL = (TEMPERED, FLAT, SCORED, SILENT, EXACT)


def check(figure: dict[str, Any]) -> None:
    """JSON that Plotly accepts, in which every trace says what it is."""
    json.dumps(figure, allow_nan=False)
    go.Figure(figure)
    assert all("hovertemplate" in trace for trace in figure["data"])


def traces(figure: dict[str, Any], name: str, place: str = "y") -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace["name"] == name and trace.get("yaxis", "y") == place]


def texts(figure: dict[str, Any]) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


def headings(figure: dict[str, Any]) -> list[list[str]]:
    """The rows of the panels' headings, without tags."""
    rows = [text.split("<br>") for text in texts(figure) if text.startswith(("<b>Bias", "<b>Variance"))]
    return [[re.sub("<[^>]*>", "", row) for row in heading] for heading in rows]


def in_range(axis: dict[str, Any]) -> list[float]:
    low, high = axis["range"]
    return [mark for mark in axis["tickvals"] if 10**low <= mark <= 10**high]


def test_roles_are_told_apart_without_colour() -> None:
    for told_apart in ("color", "width"):
        assert len({style[told_apart] for style in ROLES.values()}) == len(ROLES)
    chosen, beside = ROLES["chosen"], ROLES["beside"]
    assert all(chosen[what] != beside[what] for what in ("dash", "symbol"))


def test_a_bias_is_drawn_where_it_is_told_and_hollow_elsewhere() -> None:
    figure = bias_variance_figure(ALL, 0.5)
    check(figure)
    line, hollow = traces(figure, "Tempered")
    assert line["x"] == hollow["x"] == list(TAUS)
    assert line["y"] == [None, 0.2, 0.6, 0.9]
    assert hollow["y"] == [0.05, None, None, None]
    assert (hollow["mode"], hollow["marker"]["symbol"]) == ("markers", "circle-open")
    (below,) = traces(figure, "Tempered", "y2")
    assert below["y"] == list(TEMPERED.variance)


def test_an_estimator_without_a_temperature_lies_flat() -> None:
    figure = bias_variance_figure(ALL, 0.5)
    for place, value in (("y", 0.7), ("y2", 1.6)):
        (line,) = traces(figure, "Flat", place)
        assert (line["x"], line["y"]) == ([0.01, 10.0], [value, value])
    assert traces(bias_variance_figure([FLAT], 0.5), "Flat")[0]["x"] == [0.01, 10.0]
    narrow = replace(TEMPERED, temperatures=(0.1, 0.2, 0.5, 1.0))
    assert traces(bias_variance_figure([FLAT, narrow], 0.5), "Flat")[0]["x"] == [0.1, 1.0]


def test_who_is_not_on_the_logarithmic_axis_is_named_over_it() -> None:
    figure = bias_variance_figure(ALL, 0.5)
    assert headings(figure) == [
        ["Bias", "none: Exact, Scored", "none seen: Silent"],
        ["Variance", "none: Exact"],
    ]
    assert not traces(figure, "Scored")
    assert not traces(figure, "Silent")
    assert not traces(figure, "Exact")
    assert not traces(figure, "Exact", "y2")
    assert traces(figure, "Scored", "y2")
    assert traces(figure, "Silent", "y2")


def test_what_an_unbiased_one_was_measured_at_is_not_its_bias() -> None:
    figure = bias_variance_figure([replace(TEMPERED, unbiased=True)], 0.5)
    assert not traces(figure, "Tempered")
    assert headings(figure)[0] == ["Bias", "none: Tempered"]
    assert f"color:{ACCENT}" in "".join(texts(figure))


def test_every_line_is_named_at_its_end() -> None:
    figure = bias_variance_figure(ALL, 0.5)
    ends = {
        (note["text"], note["yref"]): note for note in figure["layout"]["annotations"] if note["showarrow"]
    }
    assert set(ends) == {
        ("<b>Tempered</b>", "y"), ("<b>Flat</b>", "y"), ("<b>Tempered</b>", "y2"), ("<b>Flat</b>", "y2"),
        ("Scored", "y2"), ("Silent", "y2"),
    }  # fmt: skip
    last = ends["<b>Tempered</b>", "y2"]
    assert (last["x"], last["y"]) == pytest.approx((1.0, np.log10(0.004)))
    colours = {text: note["font"]["color"] for (text, _), note in ends.items()}
    assert (colours["<b>Tempered</b>"], colours["<b>Flat</b>"], colours["Silent"]) == (
        ACCENT,
        CONTRAST,
        MUTED,
    )


def test_a_name_stands_where_its_line_breaks_off() -> None:
    line = replace(TEMPERED, seen=(True, True, False, False))
    (note,) = (
        note for note in bias_variance_figure([line], 1.0)["layout"]["annotations"] if note.get("yref") == "y"
    )
    assert (note["x"], note["y"]) == pytest.approx((-1.0, np.log10(0.2)))


def test_the_two_that_are_looked_at_lie_on_the_rest() -> None:
    figure = bias_variance_figure(ALL, 0.5)
    for place in ("y", "y2"):
        drawn = [
            trace["line"]["color"] for trace in figure["data"] if trace["yaxis"] == place and "line" in trace
        ]
        assert drawn == sorted(drawn, key=(MUTED, CONTRAST, ACCENT).index)


def test_a_point_between_two_gaps_is_seen() -> None:
    line = replace(TEMPERED, role="rest", seen=(True, False, True, True))
    (found,) = traces(bias_variance_figure([line], 0.5), "Tempered")
    assert found["marker"]["size"] == [4, 0, 0, 0]


def test_a_dotted_line_stands_at_the_temperature_of_now_and_the_axis_says_so() -> None:
    layout = bias_variance_figure(ALL, 0.37)["layout"]
    assert [(shape["x0"], shape["x1"]) for shape in layout["shapes"]] == [(0.37, 0.37)] * 2
    panels = [layout["yaxis"]["domain"], layout["yaxis2"]["domain"]]
    assert [[shape["y0"], shape["y1"]] for shape in layout["shapes"]] == panels
    assert "0.37" in layout["xaxis"]["title"]["text"]
    assert layout["xaxis"]["ticktext"] == ["0.01", "0.1", "1", "10"]
    assert panels[0][0] > panels[1][1]


def test_chance_does_not_stretch_the_axis() -> None:
    odd = replace(TEMPERED, bias=(1e-7, 0.2, 0.6, 0.9))
    low, high = bias_variance_figure([odd], 0.5)["layout"]["yaxis"]["range"]
    assert 10**low > 0.05
    assert 10**high > 0.9
    low, _ = bias_variance_figure([replace(odd, bias=(0.1, 0.2, 0.6, 0.9))], 0.5)["layout"]["yaxis"]["range"]
    assert 10**low < 0.1


@pytest.mark.parametrize("values", [[0.7], [0.21, 0.22], [0.3, 4.0], [1e-5, 1e4], [1e-9, 3e-9], [1.0, 1e12]])
def test_a_logarithmic_axis_holds_its_values_and_a_few_marks(values: Sequence[float]) -> None:
    span = decades([values, [None]])
    axis = log_axis(span)
    assert 10 ** span[0] < min(values) <= max(values) < 10 ** span[1]
    assert 1 <= len(in_range(axis)) <= 6
    assert len(axis["ticktext"]) == len(axis["tickvals"])


def test_marks_are_written_as_their_values() -> None:
    written = dict(zip(*(log_axis((-6.0, 4.5))[key] for key in ("tickvals", "ticktext")), strict=True))
    assert written[1e-3] == "0.001"
    assert written[1.0] == "1"
    assert written[1e-6] == "10<sup>−6</sup>"
    fine = log_axis((-1.2, 0.3))
    assert fine["ticktext"][fine["tickvals"].index(0.05)] == "0.05"


def test_nothing_told_leaves_panels_that_plotly_accepts() -> None:
    nothing = [
        replace(SILENT, title=f"A silent estimator {place}", bias=(0.0,) * 4, variance=(0.0,) * 4)
        for place in range(8)
    ]
    figure = bias_variance_figure(nothing, 0.5)
    check(figure)
    assert figure["data"] == []
    for heading in headings(figure):
        assert "".join(heading).count("silent") == 8
        assert max(map(len, heading)) <= 58


def test_titles_never_become_markup() -> None:
    for role in ROLES:
        for line in (
            replace(TEMPERED, title="<i>x</i>", role=role),
            replace(EXACT, title="<i>x</i>", role=role),
        ):
            assert "<i>" not in json.dumps(bias_variance_figure([line], 0.5))
    errors = ErrorLines("<i>x</i>", TAUS, (1, 10), np.ones((2, 4)))
    assert "<i>" not in json.dumps(mse_figure(errors, 0.5, errors))
    assert "<i>" not in json.dumps(mse_figure(replace(errors, mse=np.zeros((2, 4))), 0.5))


SIZES = (1, 10, 100)


def errors(title: str, line: BenchLine) -> ErrorLines:
    bias, variance = np.array(line.bias), np.array(line.variance)
    return ErrorLines(title, line.temperatures, SIZES, np.stack([bias**2 + variance / m for m in SIZES]))


def test_a_line_for_each_mean_and_a_mark_at_its_least_error() -> None:
    chosen = errors("Tempered", TEMPERED)
    figure = mse_figure(chosen, 0.5)
    check(figure)
    for rank, name in enumerate(("one estimate", "mean of 10", "mean of 100")):
        (line,) = traces(figure, name)
        assert line["y"] == pytest.approx(chosen.mse[rank].tolist(), rel=1e-4)
    (path,) = traces(figure, "Tempered, best τ")
    # By hand: .81 and .36 + 1/m and .04 + 20/m, of which the least are the last, the second, and the first.
    assert path["x"] == [10.0, 1.0, 0.1]
    assert path["y"] == pytest.approx([0.814, 0.46, 0.24], rel=1e-4)
    assert path["customdata"] == ["1", "10", "100"]


def test_beside_it_are_the_bests_of_another() -> None:
    other = errors("Other", replace(TEMPERED, bias=(0.0,) * 4))
    figure = mse_figure(errors("Tempered", TEMPERED), 0.5, other)
    (path,) = traces(figure, "Other, best τ")
    assert path["x"] == [10.0] * 3
    (own,) = traces(figure, "Tempered, best τ")
    assert path["marker"]["symbol"] != own["marker"]["symbol"]
    assert sum(trace.get("showlegend", True) for trace in figure["data"]) == 2
    low, high = figure["layout"]["yaxis"]["range"]
    assert 10**low < min(path["y"])
    assert 10**high > 300


def test_without_a_temperature_there_is_no_best() -> None:
    figure = mse_figure(errors("Flat", FLAT), 0.5, errors("Other", FLAT))
    check(figure)
    assert [trace["name"] for trace in figure["data"]] == ["one estimate", "mean of 10", "mean of 100"]
    assert figure["data"][0]["x"] == [0.01, 10.0]


def test_means_are_named_over_their_first_points() -> None:
    figure = mse_figure(errors("Tempered", TEMPERED), 0.5)
    notes = figure["layout"]["annotations"]
    assert [note["text"] for note in notes] == ["one estimate", "mean of 10", "mean of 100"]
    assert [note["y"] for note in notes] == pytest.approx(
        [np.log10(trace["y"][0]) for trace in figure["data"][:3]]
    )
    assert {note["x"] for note in notes} == {-2.0}


def test_the_gradient_itself_has_no_error_to_draw() -> None:
    figure = mse_figure(errors("Exact", EXACT), 0.5)
    check(figure)
    assert texts(figure) == ["Exact: no error"]
    # The error of a mean of many is small, and no rounding.
    small = ErrorLines("Small", TAUS, (1, 1000), np.array([[1e-9] * 4, [1e-12] * 4]))
    assert mse_figure(small, 0.5)["data"][1]["y"] == [1e-12] * 4


def test_vanished_shares_in_both_precisions() -> None:
    single, double = [0.4, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]
    figure = vanished_figure(TAUS, single, double, 0.02)
    check(figure)
    for name, share in (("single precision", single), ("double precision", double)):
        (line,) = traces(figure, name)
        assert (line["x"], line["y"]) == (list(TAUS), share)
    assert figure["layout"]["shapes"][0]["x0"] == 0.02
    styles: set[tuple[str, str]] = {
        (line["line"]["dash"], line["marker"]["symbol"]) for line in figure["data"]
    }
    assert len(styles) == 2


@pytest.mark.parametrize("role", ["chosen", "beside", "rest"])
def test_a_single_point_without_a_bias_does_not_break_the_picture(role: Role) -> None:
    check(bias_variance_figure([replace(FLAT, seen=(False,), role=role)], 0.5))
