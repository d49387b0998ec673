"""The pictures of Temperature hold the arrays they were given, and stay JSON that Plotly accepts."""

import base64
import json
import math
import zlib
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures import simplex as simplex_module
from gumbel_core.figures.layout import Figure
from gumbel_core.figures.simplex import CORNERS, HEIGHT, SAMPLES, SHADE, SHADES, place, simplex_figure
from gumbel_core.figures.temperature import binary_figure, sparsity_figure, strip_figure
from gumbel_core.temperature import (
    EDGE,
    STRIP,
    BinaryConfig,
    SimplexConfig,
    SparsityConfig,
    StripConfig,
    binary,
    simplex,
    simplex_grid,
    sparsity,
    strip,
)

CASES = {
    "three": (2.0, 0.5, -1.0),
    "masked": (1.5, -math.inf, 0.5, 0.0),
    "one": (0.0,),
    "huge": (1e30, -1e30),
    "sixty-four": tuple(np.linspace(-3, 3, 64)),
}
MADDISON = (2.0, 0.5, 1.0)


def strip_of(logits: tuple[float, ...], tau: float, names: tuple[str, ...]) -> Figure:
    now = strip(StripConfig(logits, (*STRIP, tau), draws=50))
    return strip_figure(now.probabilities, now.one_hot, now.means, now.samples, (*STRIP, tau), names)


def sparsity_of(logits: tuple[float, ...], tau: float) -> Figure:
    curve = sparsity(SparsityConfig(logits, draws=50))
    uniform = {2: np.linspace(1, 0.5, 25)}
    return sparsity_figure(
        curve.temperatures,
        curve.mean,
        curve.standard_error,
        floor=curve.floor,
        uniform=uniform,
        now=(tau, 0.7),
    )


def simplex_of(
    tau: float, weights: tuple[float, ...] = MADDISON, names: tuple[str, ...] = ("1", "2", "3")
) -> Figure:
    now = simplex(SimplexConfig(weights, tau, draws=20))
    return simplex_figure(now.log_ratio, now.samples, now.masses, names, weights)


def binary_of(tau: float, log_odds: float = 1.0) -> Figure:
    now = binary(BinaryConfig(log_odds, tau))
    draws = (now.draws_x, now.draws_y)
    return binary_figure(
        now.x, now.x_density, now.curve, now.y, now.y_density, draws, p_one=now.p_one, temperature=tau
    )


def texts(figure: Figure) -> list[str]:
    return [note["text"] for note in figure["layout"]["annotations"]]


@pytest.mark.parametrize("tau", [0.01, 0.5, 100.0])
def test_figures_are_json_that_plotly_accepts(tau: float) -> None:
    figures = [simplex_of(tau), simplex_of(tau, (1e-9, 1.0, 1e9)), binary_of(tau, -4.0), binary_of(tau, 4.0)]
    for logits in CASES.values():
        figures += [strip_of(logits, tau, tuple("x" * len(logits))), sparsity_of(logits, tau)]
    for figure in figures:
        json.dumps(figure, allow_nan=False)
        go.Figure(figure)


def test_the_strip_holds_two_rows_of_six_columns() -> None:
    now = strip(StripConfig(CASES["three"], (*STRIP, 0.3), draws=50))
    figure = strip_of(CASES["three"], 0.3, ("<b>a</b>", "dog", "bird"))
    bars = [trace for trace in figure["data"] if "hovertemplate" in trace]
    drawn = np.array([trace["y"] for trace in bars]).reshape(2, 6, 3)
    np.testing.assert_allclose(drawn[0], np.vstack([now.probabilities, now.means]), atol=6e-5)
    np.testing.assert_allclose(drawn[1], np.vstack([now.one_hot, now.samples]), atol=6e-5)
    outlines = [trace for trace in figure["data"] if "hovertemplate" not in trace]
    assert {trace["xaxis"] for trace in outlines} == {"x2", "x3", "x4", "x5", "x6"}
    assert all(np.allclose(trace["y"], now.probabilities, atol=6e-5) for trace in outlines)
    assert texts(figure) == ["one-hot", "τ 0.1", "τ 0.5", "τ 1", "τ 10", "now<br><b>τ 0.3</b>"]
    assert bars[0]["customdata"][0] == "&lt;b&gt;a&lt;/b&gt;"


def test_the_strip_s_columns_do_not_overlap() -> None:
    layout = strip_of(CASES["three"], 0.3, ("a", "b", "c"))["layout"]
    domains = [layout[f"xaxis{place}"]["domain"] for place in ("", 2, 3, 4, 5, 6)]
    assert domains[0][0] == 0
    assert domains[-1][1] == pytest.approx(1)
    assert all(left[1] < right[0] for left, right in pairwise(domains))


def test_names_stand_under_the_last_row_where_they_fit() -> None:
    layout = strip_of(CASES["three"], 1.0, ("a longer name", "dog", "bird"))["layout"]
    assert not layout["xaxis"]["showticklabels"]
    assert layout["xaxis7"]["showticklabels"]
    assert layout["xaxis7"]["ticktext"] == ["a longe…", "dog", "bird"]
    assert not strip_of(CASES["sixty-four"], 1.0, ("x",) * 64)["layout"]["xaxis7"]["showticklabels"]


def test_the_sparsity_curve_holds_its_ribbon_and_the_current_tau() -> None:
    curve = sparsity(SparsityConfig(CASES["three"], draws=50))
    figure = sparsity_of(CASES["three"], 2.0)
    (line,) = [trace for trace in figure["data"] if trace.get("name") == "what you typed"]
    np.testing.assert_allclose(line["y"], curve.mean, atol=6e-5)
    (ribbon,) = [trace for trace in figure["data"] if trace.get("fill") == "toself"]
    np.testing.assert_allclose(
        ribbon["y"][:25], np.minimum(curve.mean + 2 * curve.standard_error, 1), atol=6e-5
    )
    np.testing.assert_allclose(ribbon["y"][25:], (curve.mean - 2 * curve.standard_error)[::-1], atol=6e-5)
    assert figure["data"][-1]["x"] == [2.0]
    assert "<b>0.700</b> at τ 2" in texts(figure)
    assert "1/K = 0.333" in texts(figure)


def test_samples_and_corners_stand_where_their_shares_say() -> None:
    np.testing.assert_allclose(place(np.eye(3)), CORNERS)
    now = simplex(SimplexConfig(MADDISON, 0.5, draws=20))
    figure = simplex_of(0.5, names=("<i>", "b", "c"))
    dots = figure["data"][SAMPLES]
    np.testing.assert_allclose(dots["x"], now.samples[:, 1] + now.samples[:, 2] / 2, atol=6e-5)
    np.testing.assert_allclose(dots["y"], now.samples[:, 2] * HEIGHT, atol=6e-5)
    sizes = np.square(figure["data"][-1]["marker"]["size"])
    np.testing.assert_allclose(sizes / sizes.sum(), now.masses, atol=0.005)
    assert texts(figure)[0] == "<b>&lt;i&gt;</b>, α = 2<br>mass 0.57"


def test_pixels_interpolate_the_folded_grid() -> None:
    grid = simplex_grid()
    rows, columns = 40, 50
    for component in range(3):
        pixels = simplex_module._pixels(grid[..., component], rows, columns)
        for row, column in [(3, 10), (20, 25), (35, 24)]:
            up, across = (row + 0.5) / rows, (column + 0.5) / columns
            shares = [1 - across - up / 2, across - up / 2, up]
            # A share is linear in the plane; the grid stops EDGE short of each edge, and is drawn up to it.
            assert pixels[row, column] == pytest.approx(shares[component], abs=2 * EDGE)
    assert np.isnan(pixels[39, 0])
    assert np.isnan(pixels[20, 49])


def test_the_shade_is_a_png_that_is_dark_where_the_density_is_high() -> None:
    source = simplex_of(0.5)["layout"]["images"][0]["source"]
    png = base64.b64decode(source.removeprefix("data:image/png;base64,"))
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    start = png.index(b"IDAT")
    length = int.from_bytes(png[start - 4 : start], "big")
    levels = np.frombuffer(zlib.decompress(png[start + 4 : start + 4 + length]), np.uint8)
    levels = levels.reshape(SHADE[0], SHADE[1] + 1)[:, 1:]
    assert levels[0, 0] == 0  # outside, above the left edge
    # The bottom row near the first corner, which holds the most mass, against the middle of the triangle.
    assert levels[-1, 2] > levels[len(levels) * 2 // 3, SHADE[1] // 2] > 0
    assert levels.max() < SHADES


def test_lines_leave_no_number_outside_the_triangle() -> None:
    z = simplex_of(0.5)["data"][0]["z"]
    assert z[-1][0] is None
    assert z[0][len(z[0]) // 2] is not None


def test_the_binary_figure_leads_each_draw_to_its_y() -> None:
    now = binary(BinaryConfig(1.0, 0.5))
    figure = binary_of(0.5)
    paths = figure["data"][0]
    np.testing.assert_allclose(np.array(paths["x"][0::4], float), now.draws_x, atol=6e-5)
    np.testing.assert_allclose(np.array(paths["y"][1::4], float), now.draws_y, atol=6e-5)
    assert paths["x"][3::4] == [None] * 16
    np.testing.assert_allclose(figure["data"][4]["y"], now.x_density, atol=6e-6)
    shown = figure["layout"]["xaxis2"]["range"][0]
    within = now.y_density < shown
    np.testing.assert_allclose(np.array(figure["data"][5]["x"])[within], now.y_density[within], atol=6e-5)
    assert "step: P(1) = 0.73" in texts(figure)
