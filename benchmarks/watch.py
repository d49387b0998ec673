"""A page in headless Chromium, and when its pictures change.

A picture counts as drawn when nothing in it has changed for `QUIET` milliseconds, and its time is that of the
last change. `pictures.js` keeps that time inside the page.
"""

from __future__ import annotations

import contextlib
import pathlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from playwright.sync_api import Browser, Locator, Page, Playwright, WebSocket

QUIET = 600  # ms
CHROMIUM = pathlib.Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PICTURES_JS = (pathlib.Path(__file__).parent / "pictures.js").read_text(encoding="utf-8")
READY = "[data-testid=stApp][data-test-script-state=notRunning]"


def launch(playwright: Playwright) -> Browser:
    """The system's Chromium where there is one, else Playwright's own."""
    executable = CHROMIUM if CHROMIUM.exists() else None
    return playwright.chromium.launch(executable_path=executable, args=FLAGS)


@dataclass(frozen=True)
class Control:
    """A native control: its page, its role and label there, and the keys that move it there and back."""

    by: ClassVar[str] = "key"
    path: str
    role: Literal["slider", "spinbutton"]
    label: str
    keys: tuple[str, str]

    def on(self, page: Page) -> Locator:
        """The control's element in an open page."""
        return page.get_by_role(self.role, name=re.compile(self.label, re.IGNORECASE)).first

    def press(self, page: Page, step: int) -> None:
        """The two keys in turn."""
        self.on(page).focus()
        page.keyboard.press(self.keys[step % 2])


@dataclass(frozen=True)
class Places:
    """Two places to click on in turn: their page, their selectors there, and what matches once it answered.

    Such a component may draw at once and again when the server has spoken, later than a picture is watched:
    only the last one of these is its answer.
    """

    by: ClassVar[str] = "click"
    path: str
    selectors: tuple[str, str]
    answered: str

    def press(self, page: Page, step: int) -> None:
        """Click on one of the two, and wait for the answer."""
        page.locator(self.selectors[step % 2]).click()
        page.locator(self.answered).wait_for()


@dataclass
class Messages:
    """What went over a page's WebSockets, both ways."""

    seen: list[str | bytes] = field(default_factory=list)

    def listen(self, socket: WebSocket) -> None:
        """Hear every frame of one socket."""
        socket.on("framesent", lambda payload: self.seen.append(payload))
        socket.on("framereceived", lambda payload: self.seen.append(payload))


@contextlib.contextmanager
def open_page(browser: Browser, address: str, messages: Messages | None = None) -> Iterator[Page]:
    """A page of a fresh browser context, with nothing cached, once its pictures have come to rest."""
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    try:
        context.add_init_script(PICTURES_JS)
        page = context.new_page()
        if messages is not None:
            page.on("websocket", messages.listen)
        page.goto(address)
        page.wait_for_selector(READY, timeout=60_000)
        settled(page, since=0)
        yield page
    finally:
        context.close()


def settled(page: Page, since: float) -> float:
    """Wait until the pictures rest; when they last changed after `since`, in ms from the page's start."""
    changed: float = page.evaluate("([since, quiet]) => benchmark.settled(since, quiet)", [since, QUIET])
    return changed


def move(page: Page, control: Control | Places, step: int) -> float:
    """Move a control there or back; milliseconds from the key or click to the last change of a picture."""
    control.press(page, step)
    pressed: float = page.evaluate("() => benchmark.noted.pressed")
    return settled(page, pressed) - pressed


def drag(page: Page, thumb: Locator, counter: Locator, seconds: float) -> float:
    """Drag a range input's thumb to and fro, and leave it held down.

    Returns:
        Frames a second, by the difference of the counter's `data-frames`.
    """
    box = thumb.bounding_box()
    if box is None:
        raise RuntimeError("The thumb to drag is not on the screen.")
    left, width, height = box["x"], box["width"], box["y"] + box["height"] / 2
    count = "host => [Number(host.dataset.frames), performance.now()]"
    page.mouse.move(left + width / 2, height)
    page.mouse.down()
    first, began = counter.evaluate(count)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        # Chromium takes one mouse position a frame, and answers then: any pause of ours would lose frames.
        for fraction in (0.9, 0.1):
            page.mouse.move(left + fraction * width, height, steps=40)
    last, ended = counter.evaluate(count)
    return float(last - first) / float(ended - began) * 1000
