"""The live training page: it moves by itself, obeys its buttons, and is found again by whoever began it."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from gumbel_core.vae.live import LOSSES
from tests.browser.conftest import PHONE, Open, settle
from tests.browser.live import (
    LONGEST,
    PATH,
    SHIPPED_STEP,
    button,
    curve,
    drawn,
    losses,
    moves_on,
    pictured_step,
    poll,
    press,
    reel,
    start,
    stop,
    told,
    told_step,
    words_move_on,
)
from tests.browser.test_toy import REACH


def heard(page: Page) -> list[bytes | str]:
    """What the server says from now on. Loads the page anew, for a socket is only heard from its start."""
    received: list[bytes | str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(frame)))
    page.reload()
    settle(page)
    return received


def test_untouched_it_shows_the_run_that_ships(open_page: Open) -> None:
    page = open_page(PATH)
    expect(button(page, "Start")).to_be_enabled()
    expect(button(page, "Stop")).to_be_disabled()
    expect(button(page, "Reset")).to_be_disabled()
    expect(page.get_by_text("On show: shipped: digits.")).to_be_visible()
    expect(losses(page)).to_have_attribute("aria-label", re.compile(r"test after epoch 150: 2\d\.\d"))
    assert len(curve(page, "test loss")) == 150
    expect(reel(page)).to_have_attribute("data-step", SHIPPED_STEP)
    sheet = page.get_by_test_id("sheet")
    sheet.scroll_into_view_if_needed()
    expect(sheet).to_have_attribute("aria-label", re.compile("64 images decoded from codes"))
    assert sheet.evaluate(INKED)
    assert reel(page).locator("canvas").last.evaluate(INKED)


# Whether anything is drawn on a canvas.
INKED = """
canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
  .some((value, at) => at % 4 === 3 && value > 100)
"""


def test_a_phone_shows_the_whole_reel(open_page: Open) -> None:
    page = open_page(PATH, viewport=PHONE, has_touch=True, is_mobile=True)
    # It stands in a shadow root, where the test of all pages does not look.
    assert reel(page).evaluate(REACH) <= PHONE["width"]


RANGES = "host => [...host.layout.xaxis.range, ...host.layout.yaxis.range]"


def zoom(page: Page) -> None:
    """Drag over the middle of the losses, just after they were drawn."""
    losses(page).evaluate("host => host.scrollIntoView({ block: 'center' })")
    count = drawn(page)
    poll(page, lambda: drawn(page) > count, "the next points")
    box = losses(page).bounding_box()
    assert box
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.25 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.5 * box["height"], steps=3)
    page.mouse.up()


def test_it_moves_in_place_and_keeps_the_zoom(train: Callable[..., Page]) -> None:
    page = train(LONGEST)
    losses(page).evaluate("host => { host.mine = true }")
    before = losses(page).evaluate(RANGES)
    zoom(page)
    zoomed = losses(page).evaluate(RANGES)
    # The axis of steps is the whole run's until somebody zooms.
    assert zoomed[0] > before[0]
    assert zoomed[1] < before[1]
    updates, points, steps = drawn(page), curve(page, "relaxed"), {pictured_step(page)}

    def updated() -> bool:
        steps.add(pictured_step(page))
        return drawn(page) >= updates + 20

    poll(page, updated, "20 updates", seconds=90)
    assert curve(page, "relaxed")[-1][0] > points[-1][0]
    assert len(steps) > 3
    assert losses(page).get_attribute("data-mounts") == "1"
    assert losses(page).evaluate("host => host.mine") is True
    assert losses(page).evaluate(RANGES) == zoomed


def test_its_buttons_pause_resume_stop_and_reset(train: Callable[..., Page]) -> None:
    received: list[bytes | str] = []

    def listen(page: Page) -> None:
        nonlocal received
        received = heard(page)

    page = train(before=listen)
    press(page, "Pause")
    expect(told(page)).to_contain_text("Paused at step")
    step = told_step(page)
    # Each tick of the page is several messages.
    messages = len(received)
    poll(page, lambda: len(received) > messages + 12, "three ticks of the page")
    expect(told(page)).to_have_text(f"Paused at step {step:,} of 9,000.")
    expect(reel(page)).to_have_attribute("data-step", str(step))
    press(page, "Resume")
    expect(told(page)).to_contain_text("Epoch")
    poll(page, lambda: told_step(page) > step, "a step after the pause")
    step = stop(page)
    expect(told(page)).to_have_text(f"Stopped at step {step:,} of 9,000. What it has learned is kept.")
    expect(button(page, "Start")).to_be_enabled()
    expect(button(page, "Stop")).to_be_disabled()
    # A run that is stopped draws no last picture.
    assert 0 < pictured_step(page) <= step
    press(page, "Reset")
    expect(reel(page)).to_have_attribute("data-step", SHIPPED_STEP)
    expect(button(page, "Reset")).to_be_disabled()
    assert told(page).count() == 0


def test_its_curves_can_be_taken_along_while_it_trains(train: Callable[..., Page]) -> None:
    page = train()
    last = curve(page, "relaxed")[-1][0]
    with page.expect_download() as download:
        press(page, "CSV")
    header, *rows = Path(download.value.path()).read_text().splitlines()
    assert header.split(",") == list(LOSSES)
    assert rows
    assert float(rows[-1].split(",")[0]) >= last


def test_the_same_seed_repeats_the_earlier_run(train: Callable[..., Page]) -> None:
    page = train()
    poll(page, lambda: len(curve(page, "test loss")) >= 5, "five epochs")
    stop(page)
    settle(page)
    first = curve(page, "test loss")
    press(page, "Reset")
    expect(button(page, "Reset")).to_be_disabled()
    settle(page)
    name = "1. small on digits, epochs 300"
    assert curve(page, name) == first
    start(page)
    poll(page, lambda: len(curve(page, "test loss")) >= 5, "five epochs again")
    again = curve(page, "test loss")
    both = min(len(first), len(again))
    assert again[:both] == first[:both]
    assert curve(page, name) == first


def test_it_goes_on_while_the_visitor_is_on_another_page(train: Callable[..., Page]) -> None:
    page = train()
    step = told_step(page)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Sampling").click()
    expect(page.get_by_test_id("scrub")).to_be_visible()
    settle(page)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Live training").click()
    expect(told(page)).to_contain_text("Epoch")
    assert told_step(page) > step
    moves_on(page)
    assert stop(page) > step
    expect(button(page, "Start")).to_be_enabled()


TOKEN = "() => localStorage.getItem('gumbel-owner')"


def test_a_reload_finds_the_run_and_nobody_else_does(train: Callable[..., Page], open_page: Open) -> None:
    asked: list[str] = []

    def listen(page: Page) -> None:
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url))

    page = train(before=listen)
    token, step = page.evaluate(TOKEN), told_step(page)
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", token)
    page.reload()
    expect(told(page)).to_contain_text("Epoch")
    assert told_step(page) > step
    moves_on(page)
    stranger = open_page(page.url[page.url.index(PATH) :])
    assert stranger.evaluate(TOKEN) != token
    expect(button(stranger, "Start")).to_be_enabled()
    expect(button(stranger, "Stop")).to_be_disabled()
    expect(reel(stranger)).to_have_attribute("data-step", SHIPPED_STEP)
    assert told(stranger).count() == 0
    moves_on(page)
    stop(page)
    asked += [page.url, stranger.url]
    assert any(url.startswith("ws:") for url in asked)
    assert not [url for url in asked if token in url]
    assert token not in page.content()


# Where the loss figure marks the step that the other pictures show.
RULES = "host => host.layout.shapes.map((rule) => rule.x0)"


def test_the_reel_stays_where_it_is_put_until_the_latest_is_asked_for(train: Callable[..., Page]) -> None:
    page = train(LONGEST)
    for _ in range(3):
        moves_on(page)
    page.get_by_test_id("reel-range").focus()
    latest = pictured_step(page)
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    step = pictured_step(page)
    assert step < latest
    # The picture of the samples and the figure's rule have come to the same moment.
    expect(page.get_by_test_id("sheet")).to_have_attribute("aria-label", re.compile(f"at step {step:,}\\."))
    poll(page, lambda: losses(page).evaluate(RULES) == [step], "a rule")
    for _ in range(3):
        words_move_on(page)
        assert pictured_step(page) == step
    reel(page).get_by_role("button", name="Latest").click()
    poll(page, lambda: pictured_step(page) > latest, "the latest picture")
    moves_on(page)
