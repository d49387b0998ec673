"""The pictures inside a code: every flip has its losses, bars stand inside bars, and names stay text."""

import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures.layout import ACCENT, CONTRAST
from gumbel_core.figures.vae_inside import MOST_TICKS, classes_figure, information_figure, walk_figure

KL = np.array([0.4, 0.0, 2.1, 0.009, 0.4, 1.3], dtype=np.float32)
IMAGE = np.array([0.3, 0.0, 2.0, 0.004, 0.4, 1.2], dtype=np.float32)
CLASS = np.array([0.1, 0.0, 0.9, 0.001, 0.2, 1.1], dtype=np.float32)
MOST = math.log(10)
HOSTILE = "<b onclick=x>7</b> & co"
ESCAPED = "&lt;b onclick=x&gt;7&lt;/b&gt; &amp; co"


def check(figure: dict[str, Any]) -> None:
    json.dumps(figure, allow_nan=False)
    go.Figure(figure)


def walk_losses(flips: int) -> Any:
    return np.random.default_rng(flips).uniform(60, 300, (2, flips + 1))


def walked(flips: int) -> dict[str, Any]:
    to_start, to_end = walk_losses(flips)
    return walk_figure(to_start, to_end, [f"latent {step + 3}" for step in range(flips)])


def information(**changed: Any) -> dict[str, Any]:
    said = {"kl": KL, "image_information": IMAGE, "class_information": CLASS} | changed
    return information_figure(**said, most=MOST)


@pytest.mark.parametrize("flips", [0, 1, 2, 17, 64, 256])
def test_a_walk_has_both_losses_before_the_first_flip_and_after_each(flips: int) -> None:
    figure = walked(flips)
    check(figure)
    for trace, values in zip(figure["data"], walk_losses(flips), strict=True):
        assert trace["x"] == list(range(flips + 1))
        assert trace["y"] == pytest.approx(values, rel=1e-3)
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < 0 <= flips < high


@pytest.mark.parametrize("flips", [0, 1, 11, 12, 64, 256])
def test_flips_are_marked_on_few_whole_numbers(flips: int) -> None:
    marks = walked(flips)["layout"]["xaxis"]["tickvals"]
    assert marks[0] == 0
    assert len(marks) <= MOST_TICKS
    assert all(type(mark) is int for mark in marks)
    assert len(set(np.diff(marks))) <= 1
    assert flips - marks[-1] < (marks[1] if len(marks) > 1 else 1)


def test_the_two_images_are_told_apart_without_colour() -> None:
    start, end = walked(3)["data"]
    assert (start["line"]["color"], start["marker"]["symbol"]) == (ACCENT, "circle")
    assert (end["line"]["color"], end["marker"]["symbol"]) == (CONTRAST, "square")
    assert "dash" in end["line"]
    assert "dash" not in start["line"]
    assert "start's image" in start["hovertemplate"]
    assert "end's image" in end["hovertemplate"]


def test_the_hover_says_which_latent_a_step_flips() -> None:
    figure = walk_figure([80, 90, 120.5], [200, 150, 90], ["latent 4", HOSTILE])
    check(figure)
    for trace in figure["data"]:
        assert trace["customdata"] == ["no flip yet", "flip 1, latent 4", f"flip 2, {ESCAPED}"]
        assert "%{customdata}" in trace["hovertemplate"]


@pytest.mark.parametrize(("start", "end"), [([1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0]), ([1.0], [1.0])])
def test_a_walk_without_a_loss_for_each_step_is_refused(start: list[float], end: list[float]) -> None:
    with pytest.raises(ValueError, match=f"not {len(start)} and {len(end)} losses"):
        walk_figure(start, end, ["latent 1"])


def test_latents_are_sorted_by_kl_and_counted_from_1() -> None:
    figure = information()
    check(figure)
    numbers = ["3", "6", "1", "5", "4", "2"]  # equal ones in their order
    assert figure["layout"]["xaxis"]["categoryarray"] == numbers
    for trace, values in zip(figure["data"], (KL, IMAGE, CLASS), strict=True):
        assert trace["x"] == numbers
        assert trace["y"] == pytest.approx([values[int(number) - 1] for number in numbers], rel=1e-3)


def test_the_class_is_a_narrower_bar_in_front_of_the_kl() -> None:
    figure = information()
    kl, image, label = figure["data"]
    assert figure["layout"]["barmode"] == "overlay"
    assert label["width"] < kl["width"] / 2
    # The frame covers neither.
    assert image["marker"]["color"] == "rgba(0,0,0,0)"
    assert image["marker"]["line"]["width"] > 0
    assert label["marker"]["color"] == ACCENT != kl["marker"]["color"]
    assert figure["layout"]["showlegend"]
    assert sum(len(trace["name"]) for trace in figure["data"]) < 30  # or a phone's legend has two rows


def test_one_hover_names_all_three() -> None:
    kl, image, label = information()["data"]
    assert image["hoverinfo"] == label["hoverinfo"] == "skip"
    assert kl["hoverinfo"] != "skip"
    assert kl["customdata"][0] == pytest.approx([2.0, 0.9])
    assert "of the image %{customdata[0]:.3g}, of the class %{customdata[1]:.3g}" in kl["hovertemplate"]


@pytest.mark.parametrize("highest", [0.0, 0.5, 5.0])
def test_the_most_that_a_latent_can_carry_is_a_dotted_rule_in_sight(highest: float) -> None:
    layout = information(kl=KL / KL.max() * highest)["layout"]
    (rule,) = layout["shapes"]
    assert rule["y0"] == rule["y1"] == MOST
    assert rule["line"]["dash"] == "dot"
    assert [note["text"] for note in layout["annotations"]] == ["log K = 2.3"]
    assert layout["yaxis"]["range"][1] > max(MOST, highest)


def test_latents_of_three_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="not 6, 5 and 6"):
        information(image_information=IMAGE[:5])
    with pytest.raises(ValueError, match="not 6, 6 and 1"):
        information(class_information=CLASS[:1])


@pytest.mark.parametrize("shape", [(1, 1), (10, 30), (10, 256), (47, 16)])
def test_classes_are_rows_and_latents_are_columns(shape: tuple[int, int]) -> None:
    divergence = np.random.default_rng(0).gamma(0.5, 0.4, shape)
    figure = classes_figure(divergence, [str(label) for label in range(shape[0])])
    check(figure)
    (cells,) = figure["data"]
    assert np.array(cells["z"]) == pytest.approx(divergence, rel=1e-3)
    assert [cells[key] for key in ("x0", "dx", "y0", "dy")] == [1, 1, 0, 1]
    layout = figure["layout"]
    assert layout["xaxis"]["range"] == [0.5, shape[1] + 0.5]
    assert layout["yaxis"]["range"] == [shape[0] - 0.5, -0.5]  # the first class on top
    assert 0 < len(layout["xaxis"]["tickvals"]) <= MOST_TICKS
    assert set(layout["xaxis"]["tickvals"]) <= set(range(1, shape[1] + 1))
    assert cells["hovertemplate"].startswith("class %{y}, latent %{x}: %{z:.2f} nats")


def test_a_class_is_named_in_its_row_and_its_name_stays_text() -> None:
    layout = classes_figure(np.ones((3, 2)), ["coat", HOSTILE, "coat"])["layout"]
    assert dict(zip(layout["yaxis"]["tickvals"], layout["yaxis"]["ticktext"], strict=True)) == {
        0: "coat",
        1: ESCAPED,
        2: "coat",
    }


def test_the_scale_goes_from_nothing_to_the_largest() -> None:
    (cells,) = classes_figure(np.array([[0.1, 0.62], [0.3, 0.0]]), ["a", "b"])["data"]
    assert (cells["zmin"], cells["zmax"]) == (0, 0.62)
    (_, nothing), (_, most) = cells["colorscale"]
    assert nothing.endswith(",0)")
    assert most == ACCENT
    assert cells["colorbar"]["title"]["text"] == "nats"


def test_where_no_latent_says_anything_the_scale_has_two_ends() -> None:
    figure = classes_figure(np.zeros((2, 3)), ["a", "b"])
    check(figure)
    assert figure["data"][0]["zmax"] > 0


def test_what_is_no_number_is_a_gap() -> None:
    gap = [1.0, math.nan]
    walk = walk_figure(gap, [math.inf, 2.0], ["latent 1"])
    bars = information_figure(*(np.array(gap),) * 3, most=MOST)
    cells = classes_figure(np.array([gap]), ["a"])
    for figure in (walk, bars, cells):
        check(figure)
    assert walk["data"][0]["y"] == bars["data"][0]["y"] == cells["data"][0]["z"][0] == [1.0, None]
    assert cells["data"][0]["zmax"] == 1


def test_classes_without_a_name_each_are_refused() -> None:
    with pytest.raises(ValueError, match="Each of 3 classes has a name, not 2 names"):
        classes_figure(np.ones((3, 2)), ["a", "b"])
