"""The fan alone in Chromium: its arithmetic against NumPy, its elements against what Plotly draws anew."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import plotly
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from gumbel_core.figures.gradients_arrows import MEAN, SHAFTS, TIPS, arrows_figure
from gumbel_core.gradient_bench import TEMPERATURES
from pages.components import fan
from pages.components.sources import source

PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
# The grid's ends, points of it, places between, and beyond both ends.
TAUS = (0.001, 0.01, 0.0123, 0.0995, 0.1, 0.37, 1.0, 2.9, 99.0, 100.0, 999.0)

_random = np.random.default_rng(0)
START = np.array([0.5, 0.3, 0.2])
TIPS_AT = _random.dirichlet([1, 1, 1], (len(TEMPERATURES), 12))
# An estimate may be 0: its arrow has no length, and has one at the next temperature.
TIPS_AT[::2, 3] = START
MEANS = TIPS_AT.mean(1)

HOST = '<div class="st-key-arrows"><div id="plot"></div></div><div id="fan"><span class="fan"></span></div>'
# A module of a string, as Streamlit loads a component's.
LOAD = """
async (source) => {
  window.fan = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })))
  window.mount = (data) => window.fan.default({ parentElement: document.querySelector("#fan"), data })
}
"""
DRAW = "({ data, layout }) => Plotly.react('plot', data, layout)"
# Resolves when the display has drawn what was asked for before.
DRAG = """
(taus) => new Promise((resolve) => {
  for (const detail of taus) document.dispatchEvent(new CustomEvent("temperature", { detail }))
  requestAnimationFrame(() => requestAnimationFrame(resolve))
})
"""
# The same in the display's place: how often it is asked for a frame, which waits for `next`.
HOLD = """
(taus) => {
  const asked = [], display = window.requestAnimationFrame
  window.requestAnimationFrame = (draw) => asked.push(draw)
  for (const detail of taus) document.dispatchEvent(new CustomEvent("temperature", { detail }))
  window.requestAnimationFrame = display
  window.next = () => asked.forEach((draw) => draw())
  return asked.length
}
"""
ELEMENTS = """
() => [...document.querySelectorAll(".scatterlayer > .trace")].map((group) => [
  ...[...group.querySelectorAll("path.js-line")].map((line) => line.getAttribute("d")),
  ...[...group.querySelectorAll("path.point")].map((dot) => dot.getAttribute("transform")),
])
"""
SAID = "() => ({ ...document.querySelector('#fan .fan').dataset })"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page with Plotly and the component's code. Nothing on it may throw."""
    page, wrong = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_content(HOST)
    page.add_script_tag(path=PLOTLY)
    page.evaluate(LOAD, source("between.js", "fan.js"))
    yield page
    page.close()
    assert wrong == []


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What Python sends."""
    sent: dict[str, Any] = {}
    monkeypatch.setattr(fan, "_fan", lambda **said: sent.update(said))
    fan.follow_fan(
        "arrows", shafts=SHAFTS, tips=TIPS, mean=MEAN, temperatures=np.array(TEMPERATURES), frames=TIPS_AT,
        means=MEANS, start=START,
    )  # fmt: skip
    found: dict[str, Any] = sent["data"]
    return found


def interpolated(frames: NDArray[np.float64], tau: float) -> NDArray[np.float64]:
    """Frames (T, ...) at one temperature, each entry by NumPy."""
    entries = frames.reshape(len(frames), -1).T
    found = [np.interp(np.log(tau), np.log(TEMPERATURES), entry) for entry in entries]
    return np.array(found).reshape(frames.shape[1:])


def figure_at(tau: float, width: int) -> dict[str, Any]:
    """The figure that the server would draw, were it asked at this temperature."""
    tips, mean = interpolated(TIPS_AT, tau), interpolated(MEANS, tau)
    figure = arrows_figure(START, np.array([0.4, 0.5, 0.1]), tips, mean, ["a", "b", "c"])
    return figure | {"layout": figure["layout"] | {"width": width}}


def numbers(element: str) -> list[float]:
    """Of a line's path or a dot's place."""
    found = element.removeprefix("M").removeprefix("translate(").removesuffix(")")
    return [float(number) for number in found.replace("L", ",").split(",")]


def flat(elements: list[list[str]]) -> list[list[float]]:
    return [[number for element in trace for number in numbers(element)] for trace in elements]


def test_the_browser_interpolates_as_numpy_does(page: Page, data: dict[str, Any]) -> None:
    frames = np.array(data["frames"])
    for tau in TAUS:
        between = page.evaluate(
            "([data, tau]) => window.fan.between(data.temperatures, data.frames, tau)", [data, tau]
        )
        np.testing.assert_allclose(between, interpolated(frames, tau), rtol=0, atol=1e-12)


@pytest.mark.parametrize("width", [390, 900])
def test_a_drag_leaves_what_plotly_would_draw_there(page: Page, data: dict[str, Any], width: int) -> None:
    page.evaluate(DRAW, figure_at(TEMPERATURES[4], width))
    page.evaluate("(data) => { window.mount(data) }", data)
    standing = flat(page.evaluate(ELEMENTS))
    dragged = {}
    for tau in TAUS:
        page.evaluate(DRAG, [tau])
        dragged[tau] = flat(page.evaluate(ELEMENTS))
    assert dragged[0.001] == dragged[0.01]
    assert dragged[999.0] == dragged[100.0]
    for tau, elements in dragged.items():
        page.evaluate(DRAW, figure_at(tau, width))
        # Shares travel with four digits, a tenth of a pixel on the widest page.
        for moved, drawn in zip(elements, flat(page.evaluate(ELEMENTS)), strict=True):
            assert moved == pytest.approx(drawn, abs=0.1)
        for trace in (SHAFTS, TIPS, MEAN):
            assert elements[trace] != pytest.approx(standing[trace], abs=5)


def test_a_zoomed_figure_is_moved_within_its_zoom(page: Page, data: dict[str, Any]) -> None:
    page.evaluate(DRAW, figure_at(1.0, 900))
    page.evaluate("() => Plotly.relayout('plot', { 'xaxis.range': [0.2, 0.7], 'yaxis.range': [0.1, 0.5] })")
    drawn = flat(page.evaluate(ELEMENTS))
    page.evaluate("(data) => { window.mount(data) }", data)
    page.evaluate(DRAG, [10.0])
    page.evaluate(DRAG, [1.0])
    assert flat(page.evaluate(ELEMENTS))[MEAN] == pytest.approx(drawn[MEAN], abs=0.2)


def test_many_temperatures_between_two_frames_are_one_move_to_the_last(
    page: Page, data: dict[str, Any]
) -> None:
    page.evaluate(DRAW, figure_at(1.0, 900))
    page.evaluate("(data) => { window.mount(data) }", data)
    # Nothing moves before the display asks, and it is asked for one frame.
    assert page.evaluate(HOLD, [0.3, 0.7, 4.0, 2.0]) == 1
    assert page.evaluate(SAID) == {}
    page.evaluate("() => window.next()")
    assert page.evaluate(SAID) == {"moves": "1", "tau": "2"}
    page.evaluate(DRAG, [3.0])
    assert page.evaluate(SAID) == {"moves": "2", "tau": "3"}


def test_a_figure_that_is_not_drawn_or_has_fewer_arrows_is_no_error(page: Page, data: dict[str, Any]) -> None:
    page.evaluate("(data) => { window.mount(data) }", data)
    page.evaluate(DRAG, [0.3])
    assert page.evaluate(SAID) == {}
    fewer = arrows_figure(START, START, TIPS_AT[0, :2], MEANS[0], ["a", "b", "c"])
    page.evaluate(DRAW, fewer)
    page.evaluate(DRAG, [0.3])
    assert page.evaluate(SAID) == {"moves": "1", "tau": "0.3"}


@pytest.mark.parametrize(
    ("mounts", "moves"),
    [
        ("window.mount(data)()", 0),
        # A later run stands when the clean-up after the earlier one comes.
        ("const end = window.mount(data); window.mount({ ...data }); end()", 1),
    ],
)
def test_a_clean_up_ends_its_own_run(page: Page, data: dict[str, Any], mounts: str, moves: int) -> None:
    page.evaluate(DRAW, figure_at(1.0, 900))
    page.evaluate(f"(data) => {{ {mounts} }}", data)
    page.evaluate(DRAG, [0.3])
    assert int(page.evaluate(SAID).get("moves", 0)) == moves
