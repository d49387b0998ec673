"""A study's pictures hold the numbers they were given, whatever runs came to their end."""

import json
import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import plotly.graph_objects as go
import pytest

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, THIRD
from gumbel_core.figures.studies import Curve, Line, curves_figure, gap_figure, losses_figure
from gumbel_core.figures.vae import GAP, HARD, RELAXED

TAUS = (0.1, 0.5, 1.0, 5.0)
RELAXED_LINE = Line(
    "Chosen, relaxed", TAUS, ((24.6, 24.2), (23.0, 22.9), (21.4, 21.0), (15.1, 15.0)), "relaxed"
)
HARD_LINE = Line("Chosen, hard", TAUS, ((24.7, 24.4), (24.0, 23.6), (24.9, 25.3), (40.0, 39.0)), "hard")
BESIDE = Line("<i>Other</i>", TAUS, ((26.0, 26.3), (24.4, 24.1), (23.5, 23.6), (25.0, 24.4)), "beside")
# No run at two temperatures came to its end, and one at another.
HOLES = Line("Holes", TAUS, ((), (25.0, 25.2), (), (27.0,)), "beside")
SEEDS = ((60.0, 30.0, 26.0, 25.0), (64.0, 31.0, 27.0, 24.0))


def drawn(figure: dict[str, Any], title: str, mode: str = "lines+markers") -> dict[str, Any]:
    (trace,) = (trace for trace in figure["data"] if (trace.get("name"), trace["mode"]) == (title, mode))
    return dict(trace)


def shades(figure: dict[str, Any]) -> list[dict[str, Any]]:
    return [trace for trace in figure["data"] if trace.get("fill")]


def points(trace: dict[str, Any]) -> list[tuple[Any, Any]]:
    return list(zip(trace["x"], trace["y"], strict=True))


def around(taus: Sequence[float], low: Sequence[float], high: Sequence[float]) -> list[tuple[Any, Any]]:
    """A shade's outline by hand: along the top, and back along the bottom."""
    up, down = zip(taus, high, strict=True), zip(reversed(taus), reversed(low), strict=True)
    return [*up, *down, (None, None)]


def named(figure: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {note["text"]: note for note in figure["layout"]["annotations"] if note["showarrow"]}


def words(figure: dict[str, Any]) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


def check(figure: dict[str, Any]) -> None:
    """JSON that Plotly accepts, without markup, in which every trace says what it is or is skipped."""
    assert "<i>" not in json.dumps(figure, allow_nan=False)
    go.Figure(figure)
    assert all("hovertemplate" in trace or trace.get("hoverinfo") == "skip" for trace in figure["data"])
    for note in figure["layout"]["annotations"]:
        low, high = figure["layout"]["yaxis"]["range"]
        assert not note["showarrow"] or low <= note["y"] <= high


def curves(role: Any = "relaxed", seeds: Sequence[Sequence[float]] = SEEDS) -> list[Curve]:
    return [Curve(f"<i>seed</i> {rank}", range(1, len(run) + 1), run, role) for rank, run in enumerate(seeds)]


def test_a_line_is_the_mean_of_its_runs_and_each_run_is_a_dot() -> None:
    figure = losses_figure([RELAXED_LINE, HARD_LINE, BESIDE], 0.5)
    check(figure)
    for line, name in ((RELAXED_LINE, "Chosen, relaxed"), (BESIDE, "&lt;i&gt;Other&lt;/i&gt;")):
        mean, runs = drawn(figure, name), drawn(figure, name, "markers")
        assert mean["x"] == list(TAUS)
        assert mean["y"] == pytest.approx([fmean(values) for values in line.values])
        assert points(runs) == [
            (tau, value) for tau, values in zip(TAUS, line.values, strict=True) for value in values
        ]
    assert drawn(figure, "Chosen, relaxed")["customdata"][0] == "mean of 2 runs from 24.2 to 24.6"


def test_a_band_goes_from_the_lowest_run_to_the_highest() -> None:
    (band,) = shades(losses_figure([BESIDE], 0.5))
    assert points(band) == around(TAUS, [26.0, 24.1, 23.5, 24.4], [26.3, 24.4, 23.6, 25.0])


def test_the_gap_between_the_means_is_shaded_under_all_lines() -> None:
    figure = losses_figure([HARD_LINE, BESIDE, RELAXED_LINE], 0.5)
    (shade,) = (trace for trace in shades(figure) if trace["fillcolor"] == GAP)
    assert shade == figure["data"][0]
    lows, highs = ([fmean(values) for values in line.values] for line in (RELAXED_LINE, HARD_LINE))
    for found, wanted in zip(points(shade), around(TAUS, lows, highs), strict=True):
        assert found == (wanted if wanted == (None, None) else pytest.approx(wanted))
    for alone in ([HARD_LINE, BESIDE], [RELAXED_LINE], [BESIDE]):
        assert GAP not in [trace["fillcolor"] for trace in shades(losses_figure(alone, 0.5))]


def test_the_chosen_two_look_as_in_training_and_lie_on_the_others() -> None:
    figure = losses_figure([HARD_LINE, RELAXED_LINE, BESIDE, HOLES], 0.5)
    lines = [trace for trace in figure["data"] if trace["mode"] == "lines+markers"]
    assert [trace["name"] for trace in lines[2:]] == ["Chosen, relaxed", "Chosen, hard"]
    assert lines[2]["line"] == {**RELAXED, "dash": "solid"}
    assert lines[3]["line"] == HARD
    assert [trace["line"]["color"] for trace in lines] == [MUTED, MUTED, ACCENT, CONTRAST]


def test_twenty_others_are_told_apart_without_colour() -> None:
    many = [Line(f"line {rank}", TAUS, BESIDE.values, "beside") for rank in range(20)]
    lines = [trace for trace in losses_figure(many, 0.5)["data"] if trace["mode"] == "lines+markers"]
    looks = {(trace["line"]["dash"], trace["marker"]["symbol"]) for trace in lines}
    assert len(looks) == 20
    assert not {symbol for _, symbol in looks} & {"circle", "square"}
    # A dotted line is the rule at the temperature of now.
    assert not {dash for dash, _ in looks} & {"dot", HARD["dash"]}


def test_where_no_run_came_to_its_end_the_line_and_its_band_are_broken() -> None:
    figure = losses_figure([HOLES], 0.5)
    check(figure)
    mean = drawn(figure, "Holes")
    assert (mean["x"], mean["y"]) == (list(TAUS), [None, 25.1, None, 27.0])
    assert mean["connectgaps"] is False
    assert mean["customdata"][3] == "one run"
    (band,) = shades(figure)
    assert points(band) == around([0.5], [25.0], [25.2]) + around([5.0], [27.0], [27.0])


def test_the_shade_of_the_gap_is_broken_where_one_of_the_two_is_missing() -> None:
    hard = Line(
        "Chosen, hard", (*TAUS, 9.0), (*HARD_LINE.values[:1], (), *HARD_LINE.values[2:], (50.0,)), "hard"
    )
    figure = losses_figure([RELAXED_LINE, hard], 0.5)
    check(figure)
    (shade,) = (trace for trace in shades(figure) if trace["fillcolor"] == GAP)
    assert shade["x"] == [0.1, 0.1, None, 1.0, 5.0, 5.0, 1.0, None]


def test_what_is_no_number_is_no_run() -> None:
    broken = Line("Broken", (0.1, 1.0), ((25.0, math.nan, 27.0), (math.inf,)), "hard")
    for figure in (losses_figure([broken], 1.0), gap_figure(broken, 1.0)):
        check(figure)
        assert drawn(figure, "Broken")["y"] == [26.0, None]
        assert drawn(figure, "Broken", "markers")["y"] == [25.0, 27.0]


def test_a_line_is_drawn_by_rising_temperature_whatever_the_order_of_its_study() -> None:
    figure = losses_figure([Line("Turned", TAUS[::-1], BESIDE.values[::-1], "hard")], 0.5)
    assert drawn(figure, "Turned")["x"] == list(TAUS)
    assert drawn(figure, "Turned")["y"][0] == pytest.approx(26.15)
    assert named(figure)["<b>Turned</b>"]["x"] == pytest.approx(math.log10(5.0))


def test_every_line_is_named_at_its_end_in_its_colour_and_apart() -> None:
    figure = losses_figure([BESIDE, HOLES, RELAXED_LINE, HARD_LINE], 0.5)
    notes = named(figure)
    assert {text: note["font"]["color"] for text, note in notes.items()} == {
        "&lt;i&gt;Other&lt;/i&gt;": MUTED, "Holes": MUTED,
        "<b>Chosen, relaxed</b>": ACCENT, "<b>Chosen, hard</b>": CONTRAST,
    }  # fmt: skip
    ends = [note["y"] for note in notes.values()]
    assert ends == pytest.approx([24.7, 27.0, 15.05, 39.5])
    close = losses_figure([BESIDE, Line("Twin", TAUS, BESIDE.values, "beside")], 0.5)
    one, other = named(close).values()
    assert one["y"] == other["y"]
    assert abs(one["ay"] - other["ay"]) > 13.8


def test_a_name_is_cut_to_its_margin_and_whole_under_the_mouse() -> None:
    title = "An estimator of thirty letters"
    figure = losses_figure([Line(title, TAUS, BESIDE.values, "beside")], 0.5)
    assert list(named(figure)) == ["An estimator of thirty…"]
    assert title in drawn(figure, title)["hovertemplate"]
    assert list(named(losses_figure([Line(title[:23], TAUS, BESIDE.values, "beside")], 0.5))) == [title[:23]]


@pytest.mark.parametrize(("highest", "kind"), [(44.9, "linear"), (45.3, "log"), (900.0, "log")])
def test_losses_far_apart_are_on_a_logarithmic_axis(highest: float, kind: str) -> None:
    values = ((15.0, 15.1), (20.0,), (25.0,), (highest,))
    figure = losses_figure([Line("Far", TAUS, values, "hard")], 0.5)
    check(figure)
    yaxis = figure["layout"]["yaxis"]
    assert yaxis.get("type", "linear") == kind
    low, high = (10**end if kind == "log" else end for end in yaxis["range"])
    assert low < 15 < highest < high < 2 * highest
    (note,) = named(figure).values()
    assert note["y"] == pytest.approx(math.log10(highest) if kind == "log" else highest)


def test_losses_on_both_sides_of_zero_have_no_logarithm() -> None:
    figure = losses_figure([Line("Signed", (0.1, 1.0), ((-3.0,), (90.0,)), "hard")], 1.0)
    check(figure)
    assert "type" not in figure["layout"]["yaxis"]


def test_the_temperature_of_now_is_a_dotted_rule_within_the_axis() -> None:
    for tau in (0.02, 0.5, 30.0):
        figure = losses_figure([BESIDE], tau)
        (rule,) = figure["layout"]["shapes"]
        assert (rule["x0"], rule["x1"], rule["y0"], rule["y1"], rule["line"]["dash"]) == (
            tau,
            tau,
            0,
            1,
            "dot",
        )
        low, high = figure["layout"]["xaxis"]["range"]
        assert low < math.log10(min(tau, 0.1)) < math.log10(max(tau, 5.0)) < high
        assert f"{tau:g}" in figure["layout"]["xaxis"]["title"]["text"]


def test_temperatures_are_marked_where_there_is_room() -> None:
    few = losses_figure([BESIDE], 0.5)["layout"]["xaxis"]
    assert (few["tickvals"], few["ticktext"]) == (list(TAUS), ["0.1", "0.5", "1", "5"])
    taus = [0.05, 0.06, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 3.0, 5.0, 10.0]
    marks = losses_figure([Line("Many", taus, [(1.0,)] * 12, "hard")], 0.5)["layout"]["xaxis"]["tickvals"]
    assert marks == [0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]


def test_one_run_at_one_temperature_is_a_mark_in_the_middle() -> None:
    for figure in (
        losses_figure([Line("One", (20.0,), ((24.0,),), "hard")], 20.0),
        gap_figure(Line("One", (20.0,), ((24.0,),), "hard"), 20.0),
    ):
        check(figure)
        low, high = figure["layout"]["xaxis"]["range"]
        assert (low + high) / 2 == pytest.approx(math.log10(20))
        assert low < high
        assert points(drawn(figure, "One")) == [(20.0, 24.0)]


@pytest.mark.parametrize(
    "figure",
    [
        losses_figure([], 0.5),
        losses_figure([Line("None", TAUS, ((), (), (), ()), "relaxed")], 0.5),
        losses_figure([Line("None", (), (), "hard"), Line("Nor here", (1.0,), ((),), "relaxed")], 0.5),
        gap_figure(Line("None", TAUS, ((), (), (), (math.nan,)), "hard"), 0.5),
        curves_figure([]),
        curves_figure([Curve("None", (), (), "hard"), Curve("NaN", (1,), (math.nan,), "test")]),
    ],
)
def test_without_a_run_the_frame_says_so(figure: dict[str, Any]) -> None:
    check(figure)
    assert not any(trace["x"] for trace in figure["data"])
    assert "no run has come to its end" in words(figure)
    assert figure["layout"]["yaxis"]["showticklabels"] is False
    assert "no run has come to its end" not in words(losses_figure([BESIDE], 0.5))


def test_pictures_over_each_other_have_one_axis_of_temperatures() -> None:
    above = losses_figure([RELAXED_LINE, HARD_LINE], 0.5)["layout"]
    below = gap_figure(HARD_LINE, 0.5)["layout"]
    assert (above["height"], below["height"]) == (420, 240)
    assert above["margin"] == below["margin"]
    assert above["xaxis"] == below["xaxis"]


def test_gaps_that_span_decades_are_on_a_logarithmic_axis() -> None:
    line = Line("<i>Gap</i>", (0.1, 1.0, 5.0), ((0.01, 0.02), (1.0, 3.0), (20.0, 25.0)), "hard")
    figure = gap_figure(line, 1.0)
    check(figure)
    assert figure["layout"]["yaxis"]["type"] == "log"
    assert figure["layout"]["yaxis"]["zeroline"] is False
    assert drawn(figure, "&lt;i&gt;Gap&lt;/i&gt;")["y"] == pytest.approx([0.015, 2.0, 22.5])


@pytest.mark.parametrize(
    "values", [((-0.02, 0.01), (25.0,)), ((0.0, 0.0), (0.0,)), ((2.6, 3.0), (25.0,)), ((-3.0, -2.0), (-1.0,))]
)
def test_other_gaps_are_held_against_zero(values: Sequence[Sequence[float]]) -> None:
    figure = gap_figure(Line("Gap", (0.1, 1.0), values, "hard"), 1.0)
    check(figure)
    yaxis = figure["layout"]["yaxis"]
    assert "type" not in yaxis
    assert yaxis["zeroline"] is True
    flat = [0.0, *(value for there in values for value in there)]
    assert yaxis["range"][0] < min(flat) <= max(flat) < yaxis["range"][1]


def test_each_run_is_a_thin_curve_under_the_mean_of_its_role() -> None:
    figure = curves_figure([*curves("test"), *curves("hard"), *curves("relaxed")])
    check(figure)
    lines = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    thin, thick = lines[:6], lines[6:]
    assert [trace["y"] for trace in thin] == [list(run) for run in SEEDS] * 3
    assert [trace["line"]["color"] for trace in thin] == [THIRD] * 2 + [CONTRAST] * 2 + [ACCENT] * 2
    assert [trace["name"] for trace in thick] == ["relaxed", "hard", "test, hard"]
    assert [trace["line"]["color"] for trace in thick] == [ACCENT, CONTRAST, THIRD]
    assert all(points(trace) == [(1, 62.0), (2, 30.5), (3, 26.5), (4, 24.5)] for trace in thick)
    assert max(trace["line"]["width"] for trace in thin) < min(trace["line"]["width"] for trace in thick)


def test_roles_are_named_at_their_ends_and_marked_there_each_by_a_symbol() -> None:
    figure = curves_figure([*curves("relaxed"), *curves("hard"), *curves("test", [(70.0, 40.0, 33.0, 30.0)])])
    notes = named(figure)
    assert list(notes) == ["<b>relaxed</b>", "<b>hard</b>", "<b>test, hard</b>"]
    assert [(note["x"], note["y"]) for note in notes.values()] == [(4, 24.5), (4, 24.5), (4, 30.0)]
    marks = [trace for trace in figure["data"] if trace["mode"] == "markers"]
    assert [trace["marker"]["symbol"][-1] for trace in marks] == ["circle", "square", "diamond"]
    assert points(marks[0]) == [(4, 25.0), (4, 24.0), (4, 24.5)]
    assert marks[0]["customdata"] == [
        "&lt;i&gt;seed&lt;/i&gt; 0, relaxed",
        "&lt;i&gt;seed&lt;/i&gt; 1, relaxed",
        "mean of 2, relaxed",
    ]


def test_a_run_that_stopped_ends_in_a_cross_and_has_no_part_in_the_mean() -> None:
    figure = curves_figure(curves("hard", [(90.0, 50.0), *SEEDS, (1.0, 2.0, 3.0, math.nan)]))
    check(figure)
    assert drawn(figure, "hard", "lines")["y"] == [62.0, 30.5, 26.5, 24.5]
    (marks,) = (trace for trace in figure["data"] if trace["mode"] == "markers")
    crossed = [
        (x, y, told)
        for x, y, told, symbol in zip(
            marks["x"], marks["y"], marks["customdata"], marks["marker"]["symbol"], strict=True
        )
        if symbol == "x"
    ]
    assert [(x, y) for x, y, _ in crossed] == [(2, 50.0), (3, 3.0)]
    assert all("no number after this one" in told for _, _, told in crossed)
    assert "mean of 2, hard" in marks["customdata"]


def test_a_role_that_is_scored_less_often_ends_where_it_ends() -> None:
    """A hard loss may be kept of some epochs only: that run did not stop."""
    figure = curves_figure([*curves("relaxed"), Curve("seed 0", (1, 3), (50.0, 30.0), "hard")])
    assert points(drawn(figure, "hard", "lines")) == [(1, 50.0), (3, 30.0)]
    assert not any("x" in trace["marker"]["symbol"] for trace in figure["data"] if trace["mode"] == "markers")


def test_a_mean_is_of_the_epochs_that_all_its_runs_have() -> None:
    figure = curves_figure(
        [Curve("a", (3, 1, 2), (20.0, 40.0, 30.0), "hard"), *curves("hard", [(42.0, math.nan, 22.0)])]
    )
    check(figure)
    assert points(drawn(figure, "hard", "lines")) == [(1, 41.0), (3, 21.0)]


def test_the_first_epochs_come_in_from_above() -> None:
    run = (900.0, 70.0, 40.0, 30.0, 25.0)
    low, high = curves_figure(curves("relaxed", [run]))["layout"]["yaxis"]["range"]
    assert low < 25 < 40 < high < 70


def test_no_mean_ends_above_its_axis_and_a_run_that_stopped_sets_none() -> None:
    """A large temperature: the hard loss ends at many times the relaxed one."""
    figure = curves_figure([*curves("relaxed"), *curves("hard", [(300.0, 200.0, 160.0, 150.0)])])
    check(figure)
    yaxis = figure["layout"]["yaxis"]
    assert yaxis["type"] == "log"
    assert math.log10(150) < yaxis["range"][1]
    assert [note["y"] for note in named(figure).values()] == pytest.approx(
        [math.log10(24.5), math.log10(150)]
    )
    stopped = curves("relaxed", [*SEEDS, (60.0, 9e9)])
    without = curves_figure(stopped)["layout"]["yaxis"]
    assert "type" not in without
    assert without["range"][1] < 70


def test_epochs_are_whole_and_the_last_mark_is_not_cut() -> None:
    def xaxis(epochs: int) -> dict[str, Any]:
        axis: dict[str, Any] = curves_figure(curves(seeds=[[20.0] * epochs]))["layout"]["xaxis"]
        return axis

    assert xaxis(4)["tickvals"] == [1, 2, 3, 4]
    assert xaxis(20)["tickvals"] == [5, 10, 15, 20]
    assert xaxis(1000)["ticktext"] == ["200", "400", "600", "800", "1,000"]
    for epochs in (2, 20, 1000):
        low, high = xaxis(epochs)["range"]
        assert low == 1
        assert epochs < high < 1.05 * epochs


def test_one_epoch_is_seen_by_its_marks() -> None:
    figure = curves_figure(curves("test", [(30.0,), (32.0,)]))
    check(figure)
    marks = drawn(figure, "test, hard", "markers")
    assert points(marks) == [(1, 30.0), (1, 32.0), (1, 31.0)]
    assert figure["layout"]["xaxis"]["tickvals"] == [1]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < 1 < high


def test_values_of_another_length_and_temperatures_without_a_logarithm_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^A line has values at each of its 4 temperatures, not at 1\.$"):
        Line("short", TAUS, ((1.0,),), "hard")
    for tau in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=r"^Temperatures are above 0, and \[.*\] are not\.$"):
            Line("cold", (tau,), ((1.0,),), "hard")
    with pytest.raises(ValueError, match=r"^A curve has a value for each of its 2 epochs, not 1\.$"):
        Curve("short", (1, 2), (1.0,), "hard")
