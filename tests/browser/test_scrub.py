"""The temperature scrub: its arithmetic against the core, its silence while dragged, its two other faces."""

import json
from urllib.parse import parse_qs, quote, urlparse

import pytest
import torch
from playwright.sync_api import Page, expect

from gumbel_core.draw import DrawConfig, draw
from gumbel_core.logits import parse_logits
from tests.browser.conftest import Open, settle

SIXTY_FOUR = ",".join(str(round(k * 0.37 % 3 - 1, 2)) for k in range(64))


def relaxed(page: Page) -> list[float]:
    values: list[float] = json.loads(page.get_by_test_id("scrub").get_attribute("data-relaxed") or "")
    return values


def frames(page: Page) -> int:
    return int(page.get_by_test_id("scrub").get_attribute("data-frames") or 0)


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


@pytest.mark.parametrize(
    ("logits", "tau"),
    [
        ("2, 0.5, -1", 0.5),
        ("2, 0.5, -1", 37.0),
        ("1.5, -inf, 0.5, 0", 0.01),
        ("1e30, 1e30, -1e30, 3", 0.8),
        ("0", 1.0),
        (SIXTY_FOUR, 0.3),
    ],
)
def test_the_browser_computes_what_the_core_computes(open_page: Open, logits: str, tau: float) -> None:
    page = open_page(f"/?tau={tau}&seed=5&logits={quote(logits)}&edits=1:0.25")
    core = draw(DrawConfig(tuple(parse_logits(logits).tolist()), tau, 5, {0: 0.25}))
    torch.testing.assert_close(
        torch.tensor(relaxed(page), dtype=torch.float64), core.relaxed, rtol=0, atol=1e-5
    )
    assert page.get_by_test_id("scrub").get_attribute("data-winner") == str(core.winner)


def test_dragging_moves_the_picture_without_the_server(open_page: Open) -> None:
    page = open_page("/?seed=11")
    sent: list[bytes | str] = []
    # A second visit, because a socket can only be listened to from its start.
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.reload()
    settle(page)
    slider = page.get_by_test_id("scrub-range")
    box = slider.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    sent.clear()
    before = frames(page)
    for step in range(40):
        page.mouse.move(box["x"] + box["width"] * (0.5 - step / 130), y)
        page.wait_for_timeout(20)
    # It moved on the way. How smoothly is for the benchmark: a loaded machine draws few frames.
    assert frames(page) - before >= 3
    assert sent == []
    page.mouse.up()
    settle(page)
    assert len(sent) == 1
    tau = float(query(page)["tau"][0])
    assert 0.03 < tau < 0.1
    expect(page.get_by_label("Temperature τ")).to_have_value(f"{tau:.4g}")
    core = draw(DrawConfig((2.0, 0.5, -1.0), tau, 11))
    torch.testing.assert_close(
        torch.tensor(relaxed(page), dtype=torch.float64), core.relaxed, rtol=0, atol=1e-5
    )


def test_a_dragged_thumb_rests_at_the_temperatures_of_the_figures(open_page: Open) -> None:
    page = open_page("/")
    box = page.get_by_test_id("scrub-range").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    # A hair beside tau = .1, a quarter of the way along.
    page.mouse.move(box["x"] + box["width"] * 0.252, y, steps=5)
    page.mouse.up()
    settle(page)
    assert query(page)["tau"] == ["0.1"]


def test_the_arrow_keys_move_it(open_page: Open) -> None:
    page = open_page("/")
    page.get_by_test_id("scrub-range").focus()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    settle(page)
    assert float(query(page)["tau"][0]) == pytest.approx(10 ** (-3 / 100), rel=0.01)


def test_a_stop_pressed_by_key_keeps_the_focus(open_page: Open) -> None:
    page = open_page("/")
    stop = page.get_by_role("button", name="Set temperature to 0.5", exact=True)
    stop.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Temperature τ")).to_have_value("0.5")
    settle(page)
    assert query(page)["tau"] == ["0.5"]
    expect(stop).to_be_focused()


def test_the_field_moves_the_scrub(open_page: Open) -> None:
    page = open_page("/")
    field = page.get_by_label("Temperature τ")
    field.fill("2.5")
    field.press("Enter")
    settle(page)
    assert query(page)["tau"] == ["2.5"]
    core = draw(DrawConfig((2.0, 0.5, -1.0), 2.5, 11))
    torch.testing.assert_close(
        torch.tensor(relaxed(page), dtype=torch.float64), core.relaxed, rtol=0, atol=1e-5
    )


def test_dragging_a_bar_edits_its_noise_until_the_winner_flips(open_page: Open) -> None:
    page = open_page("/?seed=11")
    scrub = page.get_by_test_id("scrub")
    assert scrub.get_attribute("data-winner") == "1"
    box = page.locator("[data-handle='0']").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y - 60, steps=6)
    page.mouse.up()
    settle(page)
    assert scrub.get_attribute("data-winner") == "0"
    (edit,) = query(page)["edits"]
    assert edit.startswith("1: ")
    expect(page.get_by_role("textbox", name="Edited noise")).to_have_value(edit)

    page.get_by_role("button", name="Same noise").click()
    settle(page)
    assert scrub.get_attribute("data-winner") == "1"
    assert "edits" not in query(page)
    assert query(page).get("seed", ["11"]) == ["11"]


def test_straight_through_goes_forward_as_a_one_hot(open_page: Open) -> None:
    page = open_page("/?forward=straight-through")
    assert "the one-hot goes forward" in page.get_by_test_id("pipeline").inner_html()


def test_the_samples_on_the_simplex_follow_the_drag(open_page: Open) -> None:
    page = open_page("/temperature?tau=1")
    figure = page.locator(".st-key-simplex [data-testid=figure]")
    figure.scroll_into_view_if_needed()
    settle(page)
    dots = figure.locator(".scatterlayer path.point")
    places = "dots => dots.map((dot) => dot.getAttribute('transform'))"
    before = dots.evaluate_all(places)
    slider = page.get_by_test_id("scrub-range")
    box = slider.bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, y, steps=10)
    page.wait_for_timeout(200)
    dragged = dots.evaluate_all(places)
    assert dragged != before
    page.mouse.up()
    settle(page)
    # The server draws the same samples where the drag had left them.
    assert [place(dot) for dot in dots.evaluate_all(places)] == [
        pytest.approx(place(dot), abs=0.2) for dot in dragged
    ]


def place(transform: str) -> list[float]:
    return [float(number) for number in transform.removeprefix("translate(").removesuffix(")").split(",")]
