"""The toy's player: it plays without the server, says where it rests, and replays to the same numbers."""

import json
from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Locator, Page, expect

from gumbel_core.toy_argmax import ToyConfig, train
from pages.components.sources import source
from tests.browser.conftest import PHONE, Open, settle
from tests.browser.test_pages import TOO_WIDE

PATH = "/toy_argmax"
FAST = "4"


def player(page: Page) -> Locator:
    return page.get_by_test_id("player")


def shown(page: Page, name: str) -> str:
    return player(page).get_attribute(f"data-{name}") or ""


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


def press(page: Page, name: str) -> None:
    player(page).get_by_role("button", name=name, exact=True).click()


REACH = """
host => Math.max(...[...host.querySelectorAll("*")].map((node) => node.getBoundingClientRect().right))
"""
# The numbers of each step, as they come by while it plays.
WATCH = """
host => {
  host.seen = {}
  const note = () => {
    const { step, prediction, loss, sample, weights } = host.dataset
    host.seen[step] = [prediction, loss, sample, weights]
  }
  note()
  new MutationObserver(note).observe(host, { attributes: true })
}
"""


def played(page: Page, name: str) -> dict[str, Any]:
    """Play to the end at four times the speed, and what came by."""
    player(page).evaluate(WATCH)
    player(page).get_by_role("combobox", name="Speed").select_option(FAST)
    press(page, name)
    expect(player(page)).to_have_attribute("data-playing", "true")
    expect(player(page)).to_have_attribute("data-step", shown(page, "steps"), timeout=20_000)
    expect(player(page)).to_have_attribute("data-playing", "false")
    settle(page)
    seen: dict[str, Any] = player(page).evaluate("host => host.seen")
    return seen


def test_it_plays_to_the_end_steps_back_and_replays_to_the_same_numbers(open_page: Open) -> None:
    page = open_page(PATH)
    assert shown(page, "step") == "1"
    first = played(page, "Play")
    run = list(train(ToyConfig(seed=12)))
    assert [float(first[str(step)][0]) for step in range(1, 11)] == [
        pytest.approx(step.prediction.item(), rel=1e-3) for step in run
    ]
    assert query(page)["step"] == ["10"]
    for step in ("9", "8"):
        press(page, "One step back")
        expect(player(page)).to_have_attribute("data-step", step)
    settle(page)
    # What the server answered to an earlier press has not moved it.
    assert shown(page, "step") == "8"
    assert query(page)["step"] == ["8"]
    assert played(page, "Replay from the first step") == first
    assert played(page, "Again") == first


# Six quick presses on one step back, and every step that was drawn until the last answer has come.
HURRY = """
async host => {
  const steps = []
  const note = () => { if (steps.at(-1) !== host.dataset.step) steps.push(host.dataset.step) }
  new MutationObserver(note).observe(host, { attributes: true, attributeFilter: ["data-frames"] })
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
  for (let press = 0; press < 6; press++) { host.querySelector("[data-move=back]").click(); await wait(60) }
  await wait(1500)
  return steps
}
"""


def test_a_late_answer_does_not_move_it_back(open_page: Open) -> None:
    page = open_page(f"{PATH}?step=10")
    assert player(page).evaluate(HURRY) == ["9", "8", "7", "6", "5", "4"]
    settle(page)
    assert query(page)["step"] == ["4"]


def test_nothing_is_sent_while_it_plays(open_page: Open) -> None:
    page = open_page(PATH)
    sent: list[bytes | str] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.reload()
    settle(page)
    press(page, "Play")
    sent.clear()
    expect(player(page)).to_have_attribute("data-step", "4", timeout=20_000)
    assert sent == []
    press(page, "Pause")
    settle(page)
    assert len(sent) == 1
    assert query(page)["step"] == [shown(page, "step")]


def test_a_step_is_a_small_message(open_page: Open) -> None:
    page = open_page(PATH)
    received: list[bytes | str] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(frame)))
    page.goto(page.url.split("?")[0] + "?n=20&toy_steps=100")
    settle(page)
    # The run itself has come: the sum below counts what it should.
    assert sum(map(len, received)) > 300_000
    # Streamlit sends a component's program with each of its messages; of the step itself there is little.
    most = len(source("mounts.js", "player.js").encode()) + len(source("player.css").encode()) + 10_000
    for step in ("2", "3"):
        received.clear()
        press(page, "One step on")
        settle(page)
        assert shown(page, "step") == step
        assert 0 < sum(map(len, received)) < most
    field = page.get_by_role("spinbutton", name="Step", exact=True)
    received.clear()
    field.fill("60")
    field.press("Enter")
    expect(player(page)).to_have_attribute("data-step", "60")
    settle(page)
    assert 0 < sum(map(len, received)) < most


def test_a_step_in_the_link_is_where_it_stands(open_page: Open) -> None:
    page = open_page(f"{PATH}?step=3&toy_seed=4")
    run = list(train(ToyConfig(seed=4)))
    assert shown(page, "step") == "3"
    assert float(shown(page, "prediction")) == pytest.approx(run[2].prediction.item(), rel=1e-3)
    assert json.loads(shown(page, "weights"))[3] == pytest.approx(run[2].weights[3].tolist(), rel=1e-3)


def test_a_step_beyond_the_run_is_its_last(open_page: Open) -> None:
    page = open_page(f"{PATH}?step=50")
    assert shown(page, "step") == "10"
    expect(page.get_by_role("spinbutton", name="Step", exact=True)).to_have_value("10")
    expect(page.get_by_test_id("stAlert")).to_have_text("This run has 10 steps: its last is shown.")
    assert query(page)["step"] == ["10"]
    press(page, "One step back")
    settle(page)
    assert page.get_by_test_id("stAlert").count() == 0
    assert query(page)["step"] == ["9"]


def test_the_field_and_the_keys_move_the_player(open_page: Open) -> None:
    page = open_page(PATH)
    field = page.get_by_role("spinbutton", name="Step", exact=True)
    field.fill("5")
    field.press("Enter")
    expect(player(page)).to_have_attribute("data-step", "5")
    settle(page)
    page.get_by_test_id("player-range").focus()
    page.keyboard.press("ArrowRight")
    expect(player(page)).to_have_attribute("data-step", "6")
    settle(page)
    expect(field).to_have_value("6")
    assert query(page)["step"] == ["6"]


def test_a_changed_run_begins_at_its_first_step(open_page: Open) -> None:
    page = open_page(f"{PATH}?step=6")
    page.get_by_role("button", name="Next seed").click()
    expect(player(page)).to_have_attribute("data-step", "1")
    settle(page)
    assert "step" not in query(page)
    assert query(page)["toy_seed"] == ["13"]


def test_to_argmax_nothing_comes_back(open_page: Open) -> None:
    page = open_page(f"{PATH}?layer=argmax")
    assert shown(page, "gradient") == "none"
    assert shown(page, "steps") == "1"
    picture = page.get_by_test_id("toy")
    expect(picture).to_contain_text("nothing")
    expect(picture).to_contain_text("came back")
    cells = picture.locator("[data-cell^=gradient]")
    assert cells.count() == 25
    assert not any(cell.is_visible() for cell in cells.all())
    assert "No gradient came back." in (picture.get_attribute("aria-label") or "")
    assert player(page).get_by_role("button", name="Play", exact=True).is_disabled()


def test_in_the_trap_the_gradient_is_all_zero(open_page: Open) -> None:
    page = open_page(PATH)
    page.get_by_text("The trap", exact=True).click()
    expect(player(page)).to_have_attribute("data-gradient", "zero")
    expect(page.get_by_test_id("toy")).to_contain_text("all zero")
    settle(page)
    assert query(page)["target"] == ["2"]


def test_a_cell_tells_its_number(open_page: Open) -> None:
    page = open_page(f"{PATH}?step=2")
    page.get_by_test_id("toy").locator("[data-cell='W,4,0']").hover()
    run = list(train(ToyConfig(seed=12)))
    expect(player(page)).to_contain_text(f"W[4, 0] = {float(run[1].weights[4, 0]):.4g}")


def test_the_picture_is_told_in_words(open_page: Open) -> None:
    page = open_page(f"{PATH}?step=2")
    words = page.get_by_test_id("toy").get_attribute("aria-label") or ""
    assert words.startswith("Step 2 of 10. The prediction is 3.51, the target 4, the loss 0.49.")


@pytest.mark.parametrize("n", [2, 6, 20])
def test_a_phone_shows_the_whole_width(open_page: Open, n: int) -> None:
    page = open_page(f"{PATH}?n={n}&step=4", viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.evaluate(TOO_WIDE) == []
    # The player stands in a shadow root, which TOO_WIDE does not see.
    assert player(page).evaluate(REACH) <= PHONE["width"]


def test_with_less_motion_nothing_slides(open_page: Open) -> None:
    duration = "node => getComputedStyle(node).transitionDuration"
    moving = open_page(PATH).get_by_test_id("toy").locator(".now").evaluate(duration)
    still = open_page(PATH, reduced_motion="reduce").get_by_test_id("toy").locator(".now").evaluate(duration)
    assert (moving, still) == ("0.22s", "0s")


def test_it_survives_a_page_change_and_the_back_button(open_page: Open) -> None:
    page = open_page(f"{PATH}?step=3&toy_seed=4")
    press(page, "Play")
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Noise").click()
    expect(page.get_by_role("heading", name="Why Gumbel noise")).to_be_visible()
    settle(page)
    page.go_back()
    player(page).wait_for()
    settle(page)
    assert shown(page, "playing") == "false"
    press(page, "One step on")
    settle(page)
    assert query(page)["step"] == [shown(page, "step")]


def test_a_link_follows_to_another_page_and_back(open_page: Open) -> None:
    page = open_page(f"{PATH}?step=3&toy_seed=4")
    for name, heading in (("Noise", "Why Gumbel noise"), ("The toy", "Argmax stops the gradient")):
        page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
        settle(page)
    assert shown(page, "step") == "3"
    assert float(shown(page, "prediction")) == pytest.approx(
        list(train(ToyConfig(seed=4)))[2].prediction.item(), rel=1e-3
    )
