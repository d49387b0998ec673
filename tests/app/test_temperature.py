"""The lesson Temperature: its widgets reach its configs, nothing raises, its snippets print its numbers."""

import re
from collections.abc import Callable

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.logits import PRESETS
from gumbel_core.temperature import (
    BinaryConfig,
    SimplexConfig,
    SparsityConfig,
    StripConfig,
    binary,
    simplex,
    sparsity,
    strip,
    uniform_sparsity,
)

Open = Callable[..., AppTest]
Downloads = dict[str, list[list[str]]]
Printed = Callable[[str], str]


def equations(at: AppTest) -> str:
    return "\n".join(element.value for element in at.latex)


def sentences(at: AppTest) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", error.value) for error in at.error]


def press(at: AppTest, label: str) -> None:
    (button,) = [button for button in at.button if button.label == label]
    button.click().run()


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_drawn(open_page: Open, preset: str) -> None:
    at = open_page("temperature", preset=preset)
    assert not at.exception
    assert len(at.code) == 3


@pytest.mark.parametrize(
    "logits",
    ["3", "1, -inf", "1e300, -1e300", "-1e300, -1e300, 0", "0, -1000, -inf", ", ".join(map(str, range(64)))],
)
@pytest.mark.parametrize("tau", ["0.01", "100"])
def test_odd_logits_give_a_picture(open_page: Open, printed: Printed, logits: str, tau: str) -> None:
    at = open_page("temperature", preset="Your own", logits=logits, tau=tau)
    assert not at.exception
    assert "nan" not in equations(at)
    assert "nan" not in printed(at.code[0].value)


def test_a_link_reaches_every_picture(open_page: Open, printed: Printed) -> None:
    at = open_page("temperature", tau="0.3", seed="7", corners="1, 2, 4", log_odds="-1.5")
    assert not at.exception
    logits = (2.0, 0.5, -1.0)
    now = strip(StripConfig(logits, (0.3,), 7))
    curve = sparsity(SparsityConfig(logits, (0.3,), 7))
    triangle, pair = simplex(SimplexConfig((1, 2, 4), 0.3, 7)), binary(BinaryConfig(-1.5, 0.3))
    # The snippets print the numbers of the page, rounded as the page rounds them.
    mean, error = curve.mean.item(), curve.standard_error.item()
    assert printed(at.code[0].value).splitlines() == [
        f"sample:   {[round(y, 4) for y in now.samples[0].tolist()]}",
        f"mean:     {[round(y, 4) for y in now.means[0].tolist()]}",
        f"E[max y]: {mean:.3g} +- {error:.1g}",
    ]
    assert printed(at.code[1].value).splitlines() == [
        f"density at the centre: {float(f'{triangle.at_centre:.3g}')}",
        "log-convex: True",
    ]
    assert printed(at.code[2].value).splitlines() == [
        f"density at one half: {float(f'{pair.at_half:.3g}')}",
        f"P(y > 1/2): {round(pair.p_one, 3)}",
    ]
    shown = equations(at)
    assert rf"{mean:.3g} \pm {error:.1g}" in shown
    assert f"{triangle.at_centre:.3g}" in shown
    assert f"{pair.at_half:.3g}" in shown


@pytest.mark.parametrize(
    ("tau", "badge"), [("0.5", "log-convex: no mode inside"), ("0.51", "above: a mode can stand inside")]
)
def test_the_badge_says_in_words_which_side_of_one_half(open_page: Open, tau: str, badge: str) -> None:
    at = open_page("temperature", tau=tau)
    assert any(badge in element.value for element in at.markdown)


def test_bad_corners_are_told_and_the_last_good_stay(open_page: Open) -> None:
    at = open_page("temperature", corners="1, 2, 4")
    at.text_input(key="corners").set_value("1, 0, 4").run()
    assert not at.exception
    assert sentences(at) == ["Each corner needs a weight above 0: without it the triangle has no density."]
    assert "[1, 2, 4]" in at.code[1].value


def test_bad_corners_of_a_link_give_the_default(open_page: Open) -> None:
    at = open_page("temperature", corners="a, b")
    assert not at.exception
    assert sentences(at) == ["Entry 1, 'a', is not a number."]
    assert "[2, 0.5, 1]" in at.code[1].value


def test_three_typed_categories_can_be_the_corners(open_page: Open) -> None:
    at = open_page("temperature", preset="A masked category")
    press(at, "Use the three you typed")
    assert not at.exception
    assert at.text_input(key="corners").value == "0.6285, 0.2312, 0.1402"
    assert "[0.6285, 0.2312, 0.1402]" in at.code[1].value
    two = open_page("temperature", preset="Uniform")
    assert "Use the three you typed" not in [button.label for button in two.button]


def test_bad_numbers_leave_the_last_good_picture(open_page: Open) -> None:
    at = open_page("temperature")
    at.text_input(key="logits").set_value("1, 2, 3, 4").run()
    at.text_input(key="logits").set_value("1,,2").run()
    assert not at.exception
    assert sentences(at)
    assert "[1, 2, 3, 4]" in at.code[0].value


def test_reset_keeps_the_seed(open_page: Open) -> None:
    at = open_page("temperature", tau="0.3", seed="7", corners="1, 2, 4", log_odds="-1.5", logits="1, 2")
    press(at, "Reset")
    assert not at.exception
    assert at.text_input(key="corners").value == "2, 0.5, 1"
    assert at.slider(key="log_odds").value == 1
    assert at.number_input(key="tau").value == 1
    assert at.number_input(key="seed").value == 7


def test_the_question_answers_and_hides_nothing(open_page: Open) -> None:
    at = open_page("temperature")
    at.button_group(key="temperature_question").set_value("At the corners").run()
    assert not at.exception
    assert any("no mode stands inside" in element.value for element in at.markdown)
    assert len(at.code) == 3


def test_what_the_question_says_of_edges_holds_for_every_law(open_page: Open) -> None:
    at = open_page("temperature")
    at.button_group(key="temperature_question").set_value("Along the edges").run()
    assert any("smallest component fades fastest" in element.value for element in at.markdown)
    for weights in ((2.0, 0.5, 1.0), (1.0, 1.0, 1.0), (1000.0, 1.0, 1.0)):
        hot, warm, cold = (
            np.sort(simplex(SimplexConfig(weights, tau)).samples, axis=1) for tau in (0.5, 0.2, 0.1)
        )
        for later, earlier in ((warm, hot), (cold, warm)):
            assert (later[:, 0] < earlier[:, 0]).all()
            assert (later[:, 0] * earlier[:, 1] <= earlier[:, 0] * later[:, 1]).all()
            assert (later[:, 2] >= earlier[:, 2]).all()


def test_what_is_drawn_can_be_taken_away(open_page: Open, downloads: Downloads) -> None:
    open_page("temperature", tau="0.3", seed="7", corners="1, 2, 4", log_odds="-1.5")

    curves = np.array(downloads["sparsity"][1:], dtype=float)
    curve = sparsity(SparsityConfig((2.0, 0.5, -1.0), seed=7))
    np.testing.assert_array_equal(curves[:, :2], np.stack([curve.temperatures, curve.mean], 1))
    for (categories, line), name, column in zip(
        uniform_sparsity().items(), downloads["sparsity"][0][3:], curves.T[3:], strict=True
    ):
        assert name == f"{categories}_equal_categories"
        np.testing.assert_array_equal(column, line.mean)

    dots = np.array(downloads["simplex"][1:], dtype=float)
    triangle = simplex(SimplexConfig((1, 2, 4), 0.3, 7))
    np.testing.assert_array_equal(dots[:, :3], triangle.samples)
    np.testing.assert_array_equal(dots[:, 3], triangle.log_densities)

    pair = binary(BinaryConfig(-1.5, 0.3))
    for name, x, y in (
        ("density of x", pair.x, pair.x_density),
        ("sigmoid", pair.x, pair.curve),
        ("equally likely x", pair.draws_x, pair.draws_y),
        ("density of y", pair.y, pair.y_density),
    ):
        points = [(float(a), float(b)) for series, a, b in downloads["binary"][1:] if series == name]
        assert points == list(zip(x.tolist(), y.tolist(), strict=True))
