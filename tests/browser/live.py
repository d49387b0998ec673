"""Hands and eyes on the training page, whose `settle` never comes while a run goes on."""

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

PATH = "/vae_training"
# For as many epochs as a visitor may ask for; and in small batches, the longest run that there is.
LONG = f"{PATH}?vae_epochs=300"
LONGEST = f"{LONG}&vae_batch=10"
SHIPPED_STEP = "4500"
POINTS = """
(host, name) => host.data.filter((trace) => trace.name === name)
  .flatMap(({ x, y }) => x.map((step, index) => [step, y[index]]))
"""


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def press(page: Page, name: str) -> None:
    button(page, name).click()


def reel(page: Page) -> Locator:
    return page.get_by_test_id("reel")


def losses(page: Page) -> Locator:
    return page.locator(".st-key-vae_losses [data-testid=figure]")


def told(page: Page) -> Locator:
    """Where the run stands, in words."""
    return page.get_by_test_id("stProgress")


def pictured_step(page: Page) -> int:
    return int(reel(page).get_attribute("data-step") or 0)


def told_step(page: Page) -> int:
    """The step in the words; 0 where they name none."""
    found = re.search(r"step ([\d,]+) of", told(page).inner_text())
    return int(found[1].replace(",", "")) if found else 0


def drawn(page: Page) -> int:
    """How often the loss figure was drawn."""
    return int(losses(page).get_attribute("data-drawn") or 0)


def curve(page: Page, name: str) -> list[tuple[int, float]]:
    """The points of a trace of the loss figure; none, if there is no trace of that name."""
    return [(step, loss) for step, loss in losses(page).evaluate(POINTS, name)]


def poll(page: Page, holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Wait until something holds of the page or of its server."""
    for _ in range(round(seconds * 10)):
        if holds():
            return
        page.wait_for_timeout(100)
    raise TimeoutError(f"{what}: not within {seconds:g} s")


def start(page: Page) -> None:
    """Start, and wait for the first picture that has learned something."""
    press(page, "Start")
    expect(told(page)).to_contain_text("Epoch")
    poll(page, lambda: 0 < pictured_step(page) <= told_step(page), "a picture of this run")


def words_move_on(page: Page, seconds: float = 30) -> None:
    """Wait until the words have come further than they are."""
    step = told_step(page)
    poll(page, lambda: told_step(page) > step, f"words beyond step {step}", seconds)


def moves_on(page: Page) -> None:
    """Wait until both the words and the picture have come further than they are."""
    step = pictured_step(page)
    words_move_on(page)
    poll(page, lambda: pictured_step(page) > step, f"a picture beyond step {step}")


def stop(page: Page) -> int:
    """Stop; the step that the run has come to."""
    press(page, "Stop")
    expect(told(page)).to_contain_text("Stopped at step")
    return told_step(page)
