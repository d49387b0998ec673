"""A real server and a real Chromium.

Skipped where there is no Chromium, unless GUMBEL_REQUIRE_BROWSER is set, as it is in CI.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, expect, sync_playwright

from tests.browser.live import LONG, button, start, stop

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
# A machine that trains while its browser draws may take long to answer.
expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Server:
    """A server that answers: its address, and the number of its process."""

    address: str
    pid: int


@contextmanager
def running_server(**environment: str) -> Iterator[Server]:
    """`streamlit run app.py` on a free port, with these variables beside ours; yields it when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    variables, nowhere = os.environ | environment, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=nowhere, stderr=nowhere) as process:
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until_healthy(address, process)
            yield Server(address, process.pid)
        finally:
            process.terminate()


def wait_until_healthy(address: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(600):
        assert process.poll() is None, "the server stopped while starting"
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise TimeoutError("the server did not answer within a minute")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        try:
            yield playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        except Error:
            if os.environ.get("GUMBEL_REQUIRE_BROWSER"):
                raise
            pytest.skip("no Chromium here: `make test` installs one")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with running_server() as server:
        yield server.address


Open = Callable[..., Page]


@pytest.fixture
def open_page(visit: Open, server: str) -> Open:
    """Visits a path of the server that all tests share."""
    return lambda path, **options: visit(server + path, **options)


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Opens an address in a browser profile of its own and waits for its pictures.

    At the end, no page may have thrown, shown an exception, run into its content security policy, or asked a
    foreign host for anything.
    """
    contexts = []
    wrong: list[str] = []

    def open_address(address: str, **options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP} | options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"pageerror: {error}"))
        page.on("console", lambda message: wrong.append(message.text) if is_policy(message) else None)
        page.on("request", lambda request: wrong.append(request.url) if is_foreign(request.url) else None)
        page.goto(address)
        settle(page)
        return page

    yield open_address
    for context in contexts:
        for page in context.pages:
            assert page.get_by_test_id("stException").count() == 0
        context.close()
    assert wrong == []


@pytest.fixture
def train(open_page: Open) -> Iterator[Callable[..., Page]]:
    """Opens a path and starts its run. What still goes on at the end is stopped: the server is shared."""
    pages: list[Page] = []

    def train(path: str = LONG, before: Callable[[Page], None] = lambda _: None) -> Page:
        page = open_page(path)
        pages.append(page)
        before(page)
        start(page)
        return page

    yield train
    for page in pages:
        if button(page, "Stop").is_visible() and button(page, "Stop").is_enabled():
            stop(page)


def is_policy(message: ConsoleMessage) -> bool:
    return message.type == "error" and "Content Security Policy" in message.text


def is_foreign(url: str) -> bool:
    return url.startswith(("http:", "https:", "ws:")) and "//127.0.0.1:" not in url


# Resolves when nothing in the page, nor in a component's shadow root, has changed for a while.
QUIET = """
(quiet) => new Promise((resolve) => {
  let timer
  const wait = () => { clearTimeout(timer); timer = setTimeout(done, quiet) }
  const observer = new MutationObserver(wait)
  const watched = { subtree: true, childList: true, attributes: true, characterData: true }
  observer.observe(document, watched)
  for (const { shadowRoot } of document.querySelectorAll("*"))
    if (shadowRoot) observer.observe(shadowRoot, watched)
  const done = () => { observer.disconnect(); resolve() }
  wait()
})
"""
# Figures out of sight wait until they are scrolled to.
DRAWN = """
[...document.querySelectorAll('[data-testid=figure]')]
  .filter((host) => host.checkVisibility())
  .filter((host) => host.getBoundingClientRect().top < innerHeight && host.getBoundingClientRect().bottom > 0)
  .every((host) => host.dataset.drawn)
"""


def settle(page: Page) -> None:
    """Wait until the script has run, every figure in sight is drawn and nothing changes any more."""
    page.wait_for_selector("h1")
    # Every lesson has a picture: on a page without one, "every figure is drawn" would hold of none. The scrub
    # stands in a shadow root, where a locator looks and `querySelectorAll` does not.
    page.locator("[data-testid=figure], [data-testid=scrub]").first.wait_for()
    page.evaluate(QUIET, 250)
    page.wait_for_selector("[data-testid=stApp][data-test-script-state=notRunning]")
    page.evaluate(QUIET, 250)
    wait_until(page, DRAWN)


def wait_until(page: Page, condition: str) -> None:
    """Playwright's own `wait_for_function` evaluates a string, which the page's policy forbids."""
    for _ in range(300):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise TimeoutError(condition)
