"""The toy's pictures hold the numbers they were given, and stay JSON that Plotly accepts."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from gumbel_core.figures.toy_argmax import MOST_TICKS, RACING, Curve, Race, race_figure, shares_figure
from gumbel_core.toy_argmax import LAYERS, ToyConfig, train
from gumbel_core.toy_shares import AGAINST, TEMPERATURE_GRID

DEFAULT = ToyConfig(seed=12)


def races(config: ToyConfig) -> tuple[dict[str, Race], list[int]]:
    """Every layer's race, and the target at each step."""
    found, target = {}, []
    for name in LAYERS:
        steps = list(train(replace(config, layer=name)))
        losses = [float(step.loss) for step in steps]
        stopped = steps[-1].refusal is not None
        found[name] = Race([float(step.prediction) for step in steps], losses, stopped)
        target = [int(step.target) for step in steps]
    return found, target


def curves(against: str) -> tuple[Sequence[float], list[Curve]]:
    found = []
    for layer in ("gumbel_softmax", "softmax"):
        shares = AGAINST[against](replace(DEFAULT, layer=layer))
        band = (shares.share.tolist(), shares.low.tolist(), shares.high.tolist())
        found.append(Curve(layer, *band, shares.on_target.tolist()))
    return shares.x.tolist(), found


def named(figure: dict[str, Any], name: str, place: str = "y") -> dict[str, Any]:
    (trace,) = (
        trace for trace in figure["data"] if trace.get("name") == name and trace.get("yaxis", "y") == place
    )
    return dict(trace)


def check(figure: dict[str, Any]) -> None:
    json.dumps(figure, allow_nan=False)
    go.Figure(figure)
    assert figure["layout"]["height"] <= 420


def test_the_layers_have_each_a_line_of_their_own() -> None:
    assert set(RACING) == set(LAYERS)
    for told_apart in ("color", "symbol", "width"):
        assert len({line[told_apart] for line in RACING.values()}) == len(RACING)
    widths = [line["width"] for line in RACING.values()]
    assert widths == sorted(widths, reverse=True)  # a narrower one lies on a wider


@pytest.mark.parametrize(
    "config",
    [
        DEFAULT,
        ToyConfig(n=2, steps=1),
        ToyConfig(n=20, steps=100, arrays="fresh", temperature=0.05, learning_rate=10),
        ToyConfig(layer="softmax", target=2),
    ],
)
def test_a_race_is_json_that_plotly_accepts(config: ToyConfig) -> None:
    found, target = races(config)
    check(race_figure(found, target[0], config.n))
    check(race_figure(found, target, config.n))


def test_a_race_holds_predictions_and_losses_on_one_axis_of_steps() -> None:
    found, target = races(DEFAULT)
    figure = race_figure(found, target[0], 5)
    for name in ("softmax", "gumbel_softmax", "straight_through"):
        above, below = named(figure, name), named(figure, name, "y2")
        assert above["y"] == pytest.approx(found[name].predictions, abs=1e-6)
        assert below["y"] == pytest.approx(found[name].losses, abs=1e-6)
        assert above["x"] == below["x"] == list(range(1, 11))
        assert above["line"] == below["line"]
    assert set(named(figure, "target")["y"]) == {4}
    assert figure["layout"]["xaxis"]["anchor"] == "y2"
    assert figure["layout"]["yaxis"]["domain"][0] > figure["layout"]["yaxis2"]["domain"][1]


def test_a_layer_without_a_gradient_ends_in_a_cross_in_both_panels() -> None:
    found, target = races(DEFAULT)
    figure = race_figure(found, target[0], 5)
    for place, values in (("y", found["argmax"].predictions), ("y2", found["argmax"].losses)):
        cross = named(figure, "argmax: no gradient", place)
        assert (cross["x"], cross["y"]) == ([1], values)
        assert cross["marker"]["symbol"] == "x-thin"
    assert sum("no gradient" in trace["name"] for trace in figure["data"]) == 2


def test_a_target_that_moves_is_drawn_at_each_step() -> None:
    found, target = races(replace(DEFAULT, arrays="fresh"))
    line = named(race_figure(found, target, 5), "target")
    assert line["y"][::2] == line["y"][1::2] == target
    assert line["x"][::2] == [step - 0.5 for step in range(1, 11)]


def test_everything_lies_within_the_axes() -> None:
    found, target = races(ToyConfig(n=20, arrays="fresh", steps=100))
    figure = race_figure(found, target, 20)
    for trace in figure["data"]:
        low, high = figure["layout"][
            f"{trace['yaxis'].replace('y', 'yaxis')}" if "yaxis" in trace else "yaxis"
        ]["range"]
        assert low < min(trace["y"]) <= max(trace["y"]) < high


@pytest.mark.parametrize("n", [2, 5, 12, 13, 20])
def test_ticks_are_few_whole_places(n: int) -> None:
    found, target = races(ToyConfig(n=n, steps=2))
    marks = race_figure(found, target[0], n)["layout"]["yaxis"]["tickvals"]
    assert len(marks) <= MOST_TICKS
    assert set(marks) <= set(range(n))
    assert 0 in marks


@pytest.mark.parametrize("against", AGAINST)
def test_shares_hold_the_curves_and_their_bands(against: str) -> None:
    x, found = curves(against)
    figure = shares_figure(x, against, found, log_x=against == "temperature")
    check(figure)
    for curve in found:
        share, mass = (
            named(figure, f"{curve.title}: {of}") for of in ("within .5", "probability on the target")
        )
        assert share["x"] == mass["x"] == pytest.approx(x)
        assert share["y"] == pytest.approx(curve.share, abs=1e-6)
        assert mass["y"] == pytest.approx(curve.on_target, abs=1e-6)
        assert mass["line"]["dash"] == "dash"
        assert "dash" not in share["line"]
    bands = [trace for trace in figure["data"] if trace.get("fill") == "toself"]
    for band, curve in zip(bands, found, strict=True):
        assert band["y"] == pytest.approx([*curve.high, *reversed(curve.low)], abs=1e-6)


def test_a_logarithmic_axis_spans_its_points_and_is_marked_at_round_ones() -> None:
    x, found = curves("temperature")
    axis = shares_figure(x, "τ", found, log_x=True)["layout"]["xaxis"]
    assert axis["type"] == "log"
    assert 10 ** axis["range"][0] < TEMPERATURE_GRID[0] < TEMPERATURE_GRID[-1] < 10 ** axis["range"][1]
    assert axis["ticktext"] == ["0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"]


def test_titles_never_become_markup() -> None:
    figure = shares_figure([1.0], "x", [Curve("<i>x</i>", [0.5], [0.4], [0.6], [0.5])])
    check(figure)
    assert "<i>" not in json.dumps(figure)
