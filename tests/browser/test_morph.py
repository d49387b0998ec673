"""The morphing picture alone in Chromium: what it draws at each temperature, of each kind of structure."""

import json
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Page

from pages.components import morph
from pages.components.morph import Kind
from pages.components.sources import source
from tests.browser.test_fan import DRAG, HOLD

Array = NDArray[np.float64]

TEMPERATURES = tuple(np.geomspace(0.01, 100, 9).tolist())
# The grid's ends, a point of it, places between, and beyond both ends.
TAUS = (0.001, 0.01, 0.0123, 0.1, 0.37, 2.9, 100.0, 900.0)

_random = np.random.default_rng(0)
SIDE = 4
SUBSET = 2 * _random.random((len(TEMPERATURES), 5))
CELLS = _random.random((len(TEMPERATURES), SIDE * SIDE))
EDGES = _random.random((len(TEMPERATURES), 6))
PLACES = np.eye(SIDE)[[2, 0, 3, 1]].flatten()

HOST = """
<style>:root { --st-text-color: #1B1F24; --st-background-color: #FFFFFF; --st-border-color: #DDE1E6 }</style>
<div id="part"><div class="morph"><svg role="img"></svg><button class="png">PNG</button></div></div>
"""
# A module of a string, as Streamlit loads a component's.
LOAD = """
async ([source, style, width]) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }))
  window.part = document.querySelector("#part")
  window.part.style.width = `${width}px`
  const drawn = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })))
  window.mount = (data) => drawn.default({ parentElement: window.part, data })
}
"""
MOUNT = "(data) => { window.mount(data) }"
SAID = "() => ({ ...document.querySelector('.morph').dataset })"
BOXES = """
(selector) => [...document.querySelectorAll(selector)].map((node) => {
  const { left, right, top, bottom } = node.getBoundingClientRect()
  return [left, right, top, bottom]
})
"""
WORDS = "() => [...document.querySelectorAll('svg text')].map((node) => node.textContent)"
NUMBERS = "(selector) => [...document.querySelectorAll(selector)].map((node) => Number(node.textContent))"
# Of the entries in their order, without the legend's.
FILLS = "[...document.querySelectorAll('svg :is(.value, .edge):has(title)')]"
OF_FILLS = f"(name) => {FILLS}.map((node) => Number(node.getAttribute(name)))"
TITLES = f"() => {FILLS}.map((node) => node.querySelector('title').textContent)"
HARD = "() => [...document.querySelectorAll('[data-hard]')].map((node) => Number(node.dataset.hard))"


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """An empty page with the component's code. Nothing on it may throw."""
    page, wrong = browser.new_page(), list[str]()
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.set_content(HOST)
    load(page, 358)
    yield page
    page.close()
    assert wrong == []


def load(page: Page, width: int) -> None:
    code = source("mounts.js", "between.js", "svg.js", "drawing.js", "morph_pictures.js", "morph.js")
    page.evaluate(LOAD, [code, source("morph.css"), width])


@pytest.fixture
def send(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What Python sends."""

    def send(kind: Kind, frames: Array, hard: Array, labels: list[str], tau: float = 1.0) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        monkeypatch.setattr(morph, "_morph", lambda **said: sent.update(said))
        morph.morph(
            "it", kind=kind, temperatures=TEMPERATURES, frames=frames, hard=hard, tau=tau, labels=labels,
            alt=f"A {kind} at {tau}.",
        )  # fmt: skip
        found: dict[str, Any] = sent["data"]
        return found

    return send


def subset(send: Any, tau: float = 1.0) -> dict[str, Any]:
    hard, labels = np.array([1, 0, 0, 1, 0]), ["a", "<b>b", "c", "d", "e"]
    found: dict[str, Any] = send("subset", SUBSET, hard, labels, tau)
    return found


def permutation(send: Any) -> dict[str, Any]:
    labels = ["one", "two", "three", "four", "I", "II", "III", "IV"]
    found: dict[str, Any] = send("permutation", CELLS, PLACES, labels)
    return found


def tree(send: Any) -> dict[str, Any]:
    found: dict[str, Any] = send("tree", EDGES, np.array([0, 1, 0, 1, 0, 1]), ["a", "b", "c", "d"])
    return found


def interpolated(frames: Array, tau: float) -> Array:
    """Frames (T, M) at one temperature, each entry by NumPy; they travel with four digits."""
    entries = np.round(frames, 4).T
    return np.array([np.interp(np.log(tau), np.log(TEMPERATURES), entry) for entry in entries])


def shown(page: Page) -> list[float]:
    found: list[float] = json.loads(page.evaluate(SAID)["values"])
    return found


def test_the_entries_are_those_of_the_temperature_as_numpy_interpolates_them(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, subset(send, 0.37))
    np.testing.assert_allclose(shown(page), interpolated(SUBSET, 0.37), rtol=0, atol=6e-5)
    for tau in TAUS:
        page.evaluate(DRAG, [tau])
        np.testing.assert_allclose(shown(page), interpolated(SUBSET, tau), rtol=0, atol=6e-5)
        assert page.evaluate(SAID)["tau"] == f"{tau:g}"
        assert f"τ = {tau:g}" in page.evaluate(WORDS)


def test_bars_are_as_high_as_their_entries_against_the_box_of_height_one(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, subset(send))
    assert page.evaluate(HARD) == [0, 3]
    for tau in TAUS:
        page.evaluate(DRAG, [tau])
        values = interpolated(SUBSET, tau)
        one = page.evaluate("() => Number(document.querySelector('[data-hard]').getAttribute('height'))")
        assert page.evaluate(OF_FILLS, "height") == pytest.approx(np.maximum(values * one, 0.75), abs=0.02)
        # All bars stand on one floor, and the largest of any temperature stays in the picture.
        bottoms = np.add(page.evaluate(OF_FILLS, "y"), page.evaluate(OF_FILLS, "height"))
        assert bottoms == pytest.approx(bottoms[0], abs=0.76)
        assert min(page.evaluate(OF_FILLS, "y")) >= 30
        assert page.evaluate(NUMBERS, "svg .number") == pytest.approx(values, abs=0.0051)


def test_names_are_text_and_the_hard_members_are_bold(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, subset(send))
    names = "(selector) => [...document.querySelectorAll(selector)].map((node) => node.textContent)"
    assert page.evaluate(names, "svg .name") == ["a", "<b>b", "c", "d", "e"]
    assert page.evaluate(names, "svg .name.strong") == ["a", "d"]
    assert page.evaluate("() => document.querySelectorAll('svg .mark').length") == 2
    assert page.evaluate("() => document.querySelectorAll('b').length") == 0
    assert page.evaluate(TITLES)[1] == f"<b>b: {interpolated(SUBSET, 1.0)[1]:.3f}"


@pytest.mark.parametrize(("count", "named"), [(12, True), (64, False)])
def test_many_bars_fit_a_phone(page: Page, send: Any, count: int, named: bool) -> None:
    frames = _random.random((len(TEMPERATURES), count))
    hard = np.ones(count)
    page.evaluate(MOUNT, send("subset", frames, hard, [f"c{number}" for number in range(1, count + 1)]))
    boxes = page.evaluate(BOXES, "svg rect[data-hard]")
    left, right, *_ = page.evaluate(BOXES, "svg")[0]
    assert len(boxes) == count
    assert boxes[0][0] >= left
    assert boxes[-1][1] <= right
    # No box and no name lies on its neighbour.
    assert all(one[1] < other[0] for one, other in pairwise(boxes))
    words = [box for box in page.evaluate(BOXES, "svg .name") if box[1] > box[0]]
    assert len(words) == (count if named else 0)
    assert all(one[1] < other[0] for one, other in pairwise(words))


def test_cells_are_shaded_and_numbered_row_by_row(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, permutation(send))
    assert page.evaluate(HARD) == [2, 4, 11, 13]
    for tau in TAUS:
        page.evaluate(DRAG, [tau])
        values = interpolated(CELLS, tau)
        assert page.evaluate(OF_FILLS, "fill-opacity") == pytest.approx(values, abs=1e-4)
        assert page.evaluate(NUMBERS, "svg .inside") == pytest.approx(values, abs=0.0051)
    boxes = np.array(page.evaluate(BOXES, "svg .cell")).reshape(SIDE, SIDE, 4)
    # Columns go right and rows go down, and a name stands by each.
    assert (np.diff(boxes[:, :, 0], axis=1) > 20).all()
    assert (np.diff(boxes[:, :, 2], axis=0) > 20).all()
    named = np.array(page.evaluate(BOXES, "svg .name"))
    rows, columns = named[:SIDE], named[SIDE:]
    assert rows[:, 2:].mean(1) == pytest.approx(boxes[:, 0, 2:].mean(1), abs=4)
    assert columns[:, :2].mean(1) == pytest.approx(boxes[0, :, :2].mean(1), abs=1)
    assert page.evaluate(TITLES)[6].startswith("two → III: ")


def test_rings_stand_in_the_cells_of_the_hard_permutation(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, permutation(send))
    cells = np.array(page.evaluate(BOXES, "svg .cell"))[PLACES == 1]
    rings = np.array(page.evaluate(BOXES, "svg circle[data-hard]"))
    np.testing.assert_allclose(rings[:, :2].mean(1), cells[:, :2].mean(1), atol=0.5)
    np.testing.assert_allclose(rings[:, 2:].mean(1), cells[:, 2:].mean(1), atol=0.5)


def test_large_matrices_are_shaded_without_numbers_on_a_phone(page: Page, send: Any) -> None:
    labels = [f"a very long name {row}" for row in range(6)] + [str(column) for column in range(6)]
    frames = _random.random((len(TEMPERATURES), 36))
    page.evaluate(MOUNT, send("permutation", frames, np.eye(6).flatten(), labels))
    assert page.evaluate(NUMBERS, "svg .inside") == []
    left, right, *_ = page.evaluate(BOXES, "svg")[0]
    drawn = np.array(page.evaluate(BOXES, "svg .cell") + page.evaluate(BOXES, "svg .name"))
    assert drawn[:, 0].min() >= left
    assert drawn[:, 1].max() <= right


def test_edges_join_their_nodes_and_are_as_wide_as_their_entries(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, tree(send))
    nodes = np.array(page.evaluate(BOXES, "svg .node"))
    assert sorted(page.evaluate(HARD)) == [1, 3, 5]
    titles = page.evaluate(TITLES)
    edges = list(combinations(range(4), 2))
    for tau in TAUS:
        page.evaluate(DRAG, [tau])
        values = interpolated(EDGES, tau)
        # The hard edges are drawn after the others.
        order = [0, 2, 4, 1, 3, 5]
        assert page.evaluate(OF_FILLS, "stroke-width") == pytest.approx(9 * values[order], abs=0.01)
    assert [title.split(":")[0] for title in titles] == [
        f"{'abcd'[edges[index][0]]} – {'abcd'[edges[index][1]]}" for index in order
    ]
    for index, box in zip(order, page.evaluate(BOXES, "svg .edge"), strict=True):
        centres = nodes[list(edges[index])].reshape(2, 2, 2).mean(2)
        assert [box[0], box[2]] == pytest.approx(centres.min(0).tolist(), abs=6)
        assert [box[1], box[3]] == pytest.approx(centres.max(0).tolist(), abs=6)


def test_new_data_draw_a_new_picture_and_new_words(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, subset(send, 0.1))
    page.evaluate(DRAG, [2.9])
    page.evaluate(MOUNT, tree(send))
    assert page.evaluate(SAID)["tau"] == "1"
    assert page.get_attribute("svg", "aria-label") == "A tree at 1.0."
    assert page.evaluate(BOXES, "svg .number") == []
    np.testing.assert_allclose(shown(page), interpolated(EDGES, 1.0), rtol=0, atol=6e-5)


def test_many_temperatures_between_two_frames_are_one_draw_of_the_last(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, subset(send))
    before = int(page.evaluate(SAID)["draws"])
    assert page.evaluate(HOLD, [0.3, 0.7, 4.0, 2.0]) == 1
    page.evaluate("() => window.next()")
    assert (page.evaluate(SAID)["tau"], int(page.evaluate(SAID)["draws"])) == ("2", before + 1)


def test_it_is_laid_out_anew_for_another_width_at_the_temperature_of_now(page: Page, send: Any) -> None:
    page.evaluate(MOUNT, permutation(send))
    page.evaluate(DRAG, [0.37])
    narrow = page.evaluate(BOXES, "svg .tau")[0][1]
    page.evaluate("() => { window.part.style.width = '700px' }")
    page.evaluate(DRAG, [])
    assert page.evaluate(BOXES, "svg .tau")[0][1] == pytest.approx(narrow + 342, abs=2)
    np.testing.assert_allclose(shown(page), interpolated(CELLS, 0.37), rtol=0, atol=6e-5)


def test_out_of_sight_it_waits_and_keeps_the_temperature(page: Page, send: Any) -> None:
    page.evaluate("() => { window.part.style.display = 'none' }")
    page.evaluate(MOUNT, subset(send))
    page.evaluate(DRAG, [0.37])
    assert page.evaluate(SAID) == {}
    page.evaluate("() => { window.part.style.display = '' }")
    page.evaluate(DRAG, [])
    np.testing.assert_allclose(shown(page), interpolated(SUBSET, 0.37), rtol=0, atol=6e-5)


@pytest.mark.parametrize(
    ("mounts", "moves"),
    [
        ("window.mount(data)()", False),
        # A later run stands when the clean-up after the earlier one comes.
        ("const end = window.mount(data); window.mount({ ...data }); end()", True),
        ("window.mount(data)(); window.mount(data)", True),
    ],
)
def test_a_clean_up_ends_its_own_run(page: Page, send: Any, mounts: str, moves: bool) -> None:
    page.evaluate(f"(data) => {{ {mounts} }}", subset(send))
    page.evaluate(DRAG, [0.3])
    assert (page.evaluate(SAID)["tau"] == "0.3") == moves
    page.evaluate("() => { window.part.style.width = '700px' }")
    page.evaluate(DRAG, [])
    wide = page.evaluate("() => document.querySelector('svg').viewBox.baseVal.width")
    assert wide == (700 if moves else 358)


def test_the_picture_is_saved_as_it_stands(page: Page, send: Any, tmp_path: Path) -> None:
    page.evaluate(MOUNT, permutation(send))
    with page.expect_download() as download:
        page.click(".png")
    assert download.value.suggested_filename == "it.png"
    download.value.save_as(tmp_path / "it.png")
    picture = Image.open(tmp_path / "it.png").convert("RGB")
    height = page.evaluate("() => document.querySelector('svg').getBoundingClientRect().height")
    assert picture.size == (2 * 358, round(2 * height))
    # The colours are the screen's: a corner of the first cell, shaded by its value over the page.
    left, _, top, _ = page.evaluate(BOXES, "svg .cell")[0]
    x, y, *_ = (page.evaluate(BOXES, "svg")[0][place] for place in (0, 2))
    found = picture.getpixel((round(2 * (left - x) + 8), round(2 * (top - y) + 8)))
    share = interpolated(CELLS, 1.0)[0]
    assert found == pytest.approx([255 + share * (c - 255) for c in (0x1F, 0x77, 0xC4)], abs=3)
