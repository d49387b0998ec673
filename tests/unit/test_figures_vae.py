"""The training page's pictures hold the numbers they were given, and stay short JSON that Plotly accepts."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures.vae import (
    HARD,
    HIGHEST,
    MOST_MARKERS,
    NOTHING,
    RELAXED,
    Losses,
    losses_figure,
    schedule_figure,
    terms_figure,
)

MARKUP = "<b>x</b>"
STEPS = 60_000


def run(points: int = 400, epochs: int = 10, seed: int = 0) -> Losses:
    """A run of `STEPS` steps as a live one is: noisy, and its first loss many times the last."""
    generator = np.random.default_rng(seed)
    step = (np.arange(points) + 0.5) * STEPS / max(points, 1)
    reconstruction = 90 + 440 * np.exp(-np.arange(points) / 4) + generator.normal(size=points)
    return Losses(
        step=step,
        reconstruction=reconstruction,
        hard_reconstruction=reconstruction + 12 + generator.normal(size=points),
        kl=20 * (1 - np.exp(-np.arange(points) / 40)),
        temperature=np.geomspace(1, 0.3, points),
        test_step=[STEPS * (epoch + 1) // max(epochs, 1) for epoch in range(epochs)],
        test=[120 + 60 / (epoch + 1) for epoch in range(epochs)],
    )


RUN = run()
SHIPPED = replace(NOTHING, test_step=RUN.test_step, test=RUN.test)


def named(figure: Mapping[str, Any], name: str) -> dict[str, Any]:
    (trace,) = (trace for trace in figure["data"] if trace["name"] == name)
    return dict(trace)


def drawn(figure: Mapping[str, Any], name: str) -> Any:
    """A trace's values, NaN where there is none."""
    return np.array(named(figure, name)["y"], dtype=float)


def in_legend(figure: Mapping[str, Any]) -> list[str]:
    return [trace["name"] for trace in figure["data"] if trace["showlegend"]]


def check(figure: dict[str, Any]) -> None:
    json.dumps(figure, allow_nan=False)
    go.Figure(figure)


def short(values: Any) -> Any:
    """Four digits."""
    return pytest.approx(values, rel=5e-4, nan_ok=True)


def test_the_losses_are_totals_and_the_gap_is_hard_minus_relaxed() -> None:
    figure = losses_figure(RUN, steps=STEPS)
    check(figure)
    assert drawn(figure, "relaxed") == short(RUN.reconstruction + RUN.kl)
    assert drawn(figure, "hard, same step") == short(RUN.hard_reconstruction + RUN.kl)
    assert named(figure, "hard, same step")["customdata"] == short(
        RUN.hard_reconstruction - RUN.reconstruction
    )
    assert drawn(figure, "test loss") == short(RUN.test)
    assert drawn(figure, "temperature") == short(RUN.temperature)


def test_the_gap_is_shaded_from_the_hard_loss_to_the_relaxed_one_and_to_nothing_else() -> None:
    """Plotly's shade ends at the trace before that is not hidden, were it an earlier run's."""
    for figure in (
        losses_figure(RUN, steps=STEPS, earlier={"one": run(seed=1)}),
        terms_figure(RUN, steps=STEPS),
    ):
        (place,) = (place for place, trace in enumerate(figure["data"]) if trace.get("fill") == "tonexty")
        before, shaded = figure["data"][place - 1 : place + 1]
        assert (before["name"], shaded["name"]) == ("relaxed", "hard, same step")
        assert before["legendgroup"] == shaded["legendgroup"]
        assert "groupclick" not in figure["layout"]["legend"]  # by default a click hides the whole group


def test_coinciding_losses_are_both_seen() -> None:
    figure = losses_figure(replace(RUN, hard_reconstruction=RUN.reconstruction), steps=STEPS)
    names = [trace["name"] for trace in figure["data"]]
    assert names.index("relaxed") < names.index("hard, same step")
    assert RELAXED["width"] > HARD["width"]
    assert "dash" in HARD
    assert set(named(figure, "hard, same step")["customdata"]) == {0}


@pytest.mark.parametrize("draw", [losses_figure, terms_figure])
def test_two_panels_share_one_axis_of_the_whole_runs_steps(draw: Any) -> None:
    figure = draw(RUN, steps=STEPS)
    assert {trace.get("xaxis", "x") for trace in figure["data"]} == {"x"}
    assert {trace.get("yaxis", "y") for trace in figure["data"]} == {"y", "y2"}
    assert figure["layout"]["xaxis"]["anchor"] == "y2"
    assert figure["layout"]["yaxis"]["domain"][0] > figure["layout"]["yaxis2"]["domain"][1]
    for now in (None, run(points=3, epochs=0), RUN):
        low, high = draw(now, steps=STEPS)["layout"]["xaxis"]["range"]
        assert low == 0
        assert STEPS < high < 1.05 * STEPS  # a marker on the last step is not cut in two


def test_the_axis_of_losses_is_free_and_ends_above_the_lowest() -> None:
    axis = losses_figure(RUN, steps=STEPS)["layout"]["yaxis"]
    assert "range" not in axis
    assert axis["type"] == "log"
    lowest = (RUN.reconstruction + RUN.kl).min()
    assert axis["autorangeoptions"] == {"clipmax": short(HIGHEST * lowest)}
    higher = {"published": ([600], [lowest * 9])}
    axis = losses_figure(RUN, steps=STEPS, references=higher)["layout"]["yaxis"]
    assert axis["autorangeoptions"] == {"clipmax": short(HIGHEST * lowest)}


def test_no_curve_of_the_run_ends_above_its_axis() -> None:
    """A large temperature: the lowest relaxed loss, and a hard one of many times as much."""
    hard = RUN.hard_reconstruction + 9 * RUN.reconstruction[-1]
    axis = losses_figure(replace(RUN, hard_reconstruction=hard), steps=STEPS)["layout"]["yaxis"]
    assert axis["autorangeoptions"]["clipmax"] > hard[-1] + RUN.kl[-1]


def test_what_is_no_number_is_null() -> None:
    hard = RUN.hard_reconstruction.copy()
    hard[[0, 7]] = np.nan, np.inf
    for draw in (losses_figure, terms_figure):
        figure = draw(replace(RUN, hard_reconstruction=hard), steps=STEPS)
        check(figure)
        line = named(figure, "hard, same step")
        for values in (line["y"], line["customdata"]):
            assert [place for place, value in enumerate(values) if value is None] == [0, 7]
        assert None not in named(figure, "relaxed")["y"]
        assert line["fill"] == "none"  # a shade does not stop where its line does


def test_without_hard_losses_none_is_named() -> None:
    figure = losses_figure(replace(RUN, hard_reconstruction=np.full(400, np.nan)), steps=STEPS)
    check(figure)
    assert in_legend(figure) == ["relaxed", "test, hard"]


def test_before_the_first_step_the_frame_stands_already() -> None:
    for now in (None, NOTHING):
        figure = losses_figure(now, steps=STEPS)
        check(figure)
        assert not any(trace["x"] or trace["y"] for trace in figure["data"])
        assert in_legend(figure) == []
        assert not figure["layout"]["yaxis"]["showticklabels"]
        assert "yaxis2" in figure["layout"]
    check(terms_figure(None, steps=STEPS))


def test_traces_keep_their_places_while_a_run_grows() -> None:
    """Plotly remembers by its place what a visitor has hidden."""
    earlier = {"one": run(seed=1)}
    begun = [None, run(points=1, epochs=0), run(points=9, epochs=1), RUN]
    names = [
        [trace["name"] for trace in losses_figure(now, steps=STEPS, earlier=earlier)["data"]] for now in begun
    ]
    assert names[0] == names[1] == names[2] == names[3]


def test_a_shipped_run_is_its_test_losses_alone() -> None:
    figure = losses_figure(SHIPPED, steps=STEPS)
    check(figure)
    assert drawn(figure, "test loss") == short(RUN.test)
    assert in_legend(figure) == ["test, hard"]
    assert "yaxis2" not in figure["layout"]
    assert all(trace.get("yaxis", "y") == "y" for trace in figure["data"])
    assert "domain" not in figure["layout"]["yaxis"]


@pytest.mark.parametrize("epochs", [0, 1, 10, 24, 25, 150, 300])
def test_diamonds_stand_on_the_test_curve_and_are_few(epochs: int) -> None:
    now = run(epochs=epochs)
    figure = losses_figure(now, steps=STEPS)
    line, marks = named(figure, "test loss"), named(figure, "test, hard")
    points = set(zip(line["x"], line["y"], strict=True))
    marked = list(zip(marks["x"], marks["y"], strict=True))
    assert len(line["x"]) == epochs
    assert set(marked) <= points
    assert len(marked) <= MOST_MARKERS + 1
    assert marks["x"][-1:] == line["x"][-1:]
    assert marks["x"][:1] == line["x"][:1]
    assert len(marked) == epochs or epochs > MOST_MARKERS
    assert marks["legendgroup"] == line["legendgroup"]


def test_earlier_runs_are_told_apart_and_lie_behind() -> None:
    untested = replace(run(seed=2), test_step=(), test=())
    relaxed_only = replace(untested, hard_reconstruction=np.full(400, np.nan))
    earlier = {"tested": run(seed=1), "untested": untested, "relaxed only": relaxed_only}
    figure = losses_figure(RUN, steps=STEPS, earlier=earlier)
    check(figure)
    assert drawn(figure, "tested") == short(run(seed=1).test)
    assert drawn(figure, "untested") == short(untested.hard_reconstruction + untested.kl)
    assert drawn(figure, "relaxed only") == short(relaxed_only.reconstruction + relaxed_only.kl)
    names = [trace["name"] for trace in figure["data"]]
    assert max(map(names.index, earlier)) < names.index("relaxed")
    assert len({named(figure, name)["line"]["dash"] for name in earlier}) == 3
    assert in_legend(figure).count("tested") == 1


def test_published_losses_are_dotted() -> None:
    figure = losses_figure(RUN, steps=STEPS, references={"notebook": ([600, 1200], [178.96, 160.2])})
    check(figure)
    line = named(figure, "notebook")
    assert (line["x"], line["y"], line["line"]["dash"]) == ([600, 1200], [179.0, 160.2], "dot")
    assert "notebook" in in_legend(figure)


def test_names_never_become_markup() -> None:
    names: dict[str, Any] = {MARKUP: run(seed=1)}
    figure = losses_figure(RUN, steps=STEPS, earlier=names, references={f"{MARKUP} too": ([1], [2.0])})
    check(figure)
    assert "<b>" not in json.dumps(figure)
    assert "&lt;b&gt;x&lt;/b&gt;" in in_legend(figure)


@pytest.mark.parametrize("moment", [None, 0, 1_234])
def test_a_moment_is_a_rule_through_both_panels(moment: int | None) -> None:
    shapes = losses_figure(RUN, steps=STEPS, moment=moment)["layout"]["shapes"]
    assert [shape["x0"] for shape in shapes] == ([] if moment is None else [moment])
    for shape in shapes:
        assert (shape["x1"], shape["yref"], shape["y0"], shape["y1"]) == (moment, "paper", 0, 1)


def test_a_live_picture_is_a_small_message() -> None:
    assert len(json.dumps(losses_figure(run(epochs=150), steps=STEPS))) < 25_000


def test_the_terms_are_the_reconstruction_both_ways_and_the_kl() -> None:
    figure = terms_figure(RUN, steps=STEPS)
    check(figure)
    assert drawn(figure, "relaxed") == short(RUN.reconstruction)
    assert drawn(figure, "hard, same step") == short(RUN.hard_reconstruction)
    assert drawn(figure, "KL") == short(RUN.kl)
    assert named(figure, "KL")["yaxis"] == "y2"


def test_schedules_stand_side_by_side() -> None:
    steps = [0, 30, 60]
    figure = schedule_figure(steps, [1.0, 0.5, 0.25], [1e-4, 3.14159265e-3, 0.0])
    check(figure)
    temperature, rate = (named(figure, name) for name in ("temperature τ", "learning rate"))
    assert (temperature["x"], temperature["y"]) == (steps, [1.0, 0.5, 0.25])
    assert (rate["x"], rate["y"]) == (steps, [1e-4, 3.142e-3, 0.0])
    assert (rate["xaxis"], rate["yaxis"]) == ("x2", "y2")
    layout = figure["layout"]
    assert layout["xaxis"]["domain"][1] < layout["xaxis2"]["domain"][0]
    assert layout["xaxis"]["range"] == layout["xaxis2"]["range"] == [0, 60]
    check(schedule_figure([], [], []))


def test_curves_of_several_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^A run's curves are of one length, not .*\.$"):
        replace(RUN, kl=RUN.kl[1:])
    with pytest.raises(ValueError, match=r"^A test loss stands at its step: 10 losses have 0 steps\.$"):
        replace(RUN, test_step=())


def test_the_largest_numbers_stay_numbers() -> None:
    figure = losses_figure(replace(RUN, reconstruction=RUN.reconstruction * 1e300), steps=STEPS)
    check(figure)
    assert math.isfinite(figure["layout"]["yaxis"]["autorangeoptions"]["clipmax"])
