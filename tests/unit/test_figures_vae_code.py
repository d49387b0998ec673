"""The pictures of a code hold its probabilities, count from 1, and name the latents that say nothing."""

import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures.vae_code import MOST_TICKS, code_figure, latents_figure, usage_figure

SHAPES = [(1, 2), (3, 64), (16, 8), (30, 10), (64, 2), (64, 64)]
KL = np.array([0.4, 0.0, 2.1, 0.009, 0.4, 1.3], dtype=np.float32)
IDLE = np.array([False, True, False, True, False, True])


def code(latents: int, categories: int) -> Any:
    rows = np.random.default_rng(0).dirichlet(np.full(categories, 0.3), latents)
    return rows.astype(np.float32)


def check(figure: dict[str, Any]) -> None:
    json.dumps(figure, allow_nan=False)
    go.Figure(figure)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_heat_map_has_a_row_for_each_latent_with_the_first_on_top(shape: tuple[int, int]) -> None:
    values = code(*shape)
    for figure in (code_figure(values), usage_figure(values)):
        check(figure)
        (cells,) = figure["data"]
        assert np.array(cells["z"]) == pytest.approx(values, abs=5.1e-4)
        # Latent 3, category 5 is what people count to, not the place in an array.
        assert [cells[key] for key in ("x0", "dx", "y0", "dy")] == [1, 1, 1, 1]
        assert "latent %{y}, category %{x}" in cells["hovertemplate"]
        layout = figure["layout"]
        assert layout["yaxis"]["range"] == [shape[0] + 0.5, 0.5]
        assert layout["xaxis"]["range"] == [0.5, shape[1] + 0.5]
        assert 150 <= layout["height"] <= 560


@pytest.mark.parametrize("shape", SHAPES)
def test_ticks_are_few_and_evenly_apart(shape: tuple[int, int]) -> None:
    layout = code_figure(code(*shape))["layout"]
    for axis, count in (("yaxis", shape[0]), ("xaxis", shape[1])):
        marks = layout[axis]["tickvals"]
        assert 0 < len(marks) <= MOST_TICKS
        assert set(np.diff(marks)) <= {marks[0]}
        assert set(marks) <= set(range(1, count + 1))


def test_probabilities_have_one_scale_and_shares_have_the_uniforms() -> None:
    posterior, mean = code_figure(code(16, 8))["data"][0], usage_figure(code(16, 8))["data"][0]
    assert (posterior["zmin"], posterior["zmax"]) == (0, 1)
    assert (mean["zmin"], mean["zmax"]) == (0, 0.25)
    assert dict(zip(mean["colorbar"]["tickvals"], mean["colorbar"]["ticktext"], strict=True)) == {
        0: "0",
        0.125: "1/K",
        0.25: "≥ 2/K",
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_drawn_is_marked_in_its_cell(shape: tuple[int, int]) -> None:
    values = code(*shape)
    drawn = [int(category) for category in values.argmax(1)]
    figure = code_figure(values, drawn=drawn)
    check(figure)
    cells, marks = figure["data"]
    assert marks["y"] == list(range(1, shape[0] + 1))
    for latent, category in zip(marks["y"], marks["x"], strict=True):
        assert cells["z"][latent - 1][category - 1] == max(cells["z"][latent - 1])
    assert marks["marker"]["symbol"] == "square-open"
    assert 4 <= marks["marker"]["size"] <= 12
    assert figure["layout"]["showlegend"]
    assert not code_figure(values)["layout"]["showlegend"]


def test_latents_are_sorted_by_their_kl_and_the_dead_are_named() -> None:
    figure = latents_figure(KL, dead=IDLE)
    check(figure)
    alive, dead = figure["data"]
    assert alive["x"] == ["3", "1", "5"]  # equal ones in their order
    assert alive["y"] == pytest.approx([2.1, 0.4, 0.4], rel=1e-5)
    # The first of the dead costs more than some that say something.
    assert dead["x"] == ["6", "4", "2"]
    assert dead["y"] == pytest.approx([1.3, 0.009, 0.0], rel=1e-5)
    assert figure["layout"]["xaxis"]["categoryarray"] == ["3", "6", "1", "5", "4", "2"]
    assert dead["name"] == "dead"
    assert "dead" in dead["hovertemplate"]
    assert dead["marker"]["pattern"]["shape"] == "/"
    assert dead["text"] == ["×", "×", "×"]
    assert "pattern" not in alive["marker"]


@pytest.mark.parametrize(("values", "alive"), [([0.0, 0.0], 0), ([1.0, 2.0], 2), ([1.0], 1)])
def test_all_may_be_dead_or_none(values: list[float], alive: int) -> None:
    figure = latents_figure(np.array(values), dead=np.array(values) < 0.01)
    check(figure)
    assert len(figure["data"][0]["x"]) == alive
    assert len(figure["data"][1]["x"]) == len(values) - alive
    assert figure["layout"]["showlegend"] == (alive < len(values))
    assert figure["layout"]["yaxis"]["range"][1] > max(values)


def test_the_most_that_a_latent_can_carry_is_a_dotted_rule() -> None:
    most = math.log(10)
    layout = latents_figure(KL, dead=IDLE, most=most)["layout"]
    (rule,) = layout["shapes"]
    assert rule["y0"] == rule["y1"] == most
    assert rule["line"]["dash"] == "dot"
    assert [note["text"] for note in layout["annotations"]] == ["log K = 2.3"]
    assert layout["yaxis"]["range"][1] > most
    assert latents_figure(KL, dead=IDLE)["layout"]["shapes"] == []
