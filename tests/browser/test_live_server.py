"""Live runs on a server of few slots, and over a network that breaks."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open, Server, running_server, settle
from tests.browser.live import (
    LONGEST,
    button,
    moves_on,
    poll,
    press,
    start,
    stop,
    told,
    told_step,
    words_move_on,
)
from tests.browser.proxy import Proxy, network

SLOTS, GRACE = 2, 8
# A thread's name stays within Python: here the system is told it too, so that a test can count the live runs
# among all the threads of the server's pools, which come and go as they like.
TELLS_NAMES = """
import ctypes, threading
begin, system = threading.Thread._bootstrap_inner, ctypes.CDLL(None)
def named(self):
    system.prctl(15, self.name.encode()[:15])
    begin(self)
threading.Thread._bootstrap_inner = named
"""


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two train at once; a run that nobody watches ends soon."""
    folder = tmp_path_factory.mktemp("customised")
    (folder / "sitecustomize.py").write_text(TELLS_NAMES)
    environment = {"GUMBEL_LIVE_RUNS": str(SLOTS), "GUMBEL_LIVE_GRACE": str(GRACE), "PYTHONPATH": str(folder)}
    with running_server(**environment) as server:
        yield server


def threads(server: Server, name: str) -> int:
    """How many of the server's threads have a name. Linux keeps fifteen letters of it."""
    found = 0
    for task in Path(f"/proc/{server.pid}/task").iterdir():
        try:
            found += (task / "comm").read_text().strip() == name[:15]
        except OSError:
            # It has ended since the folder was read.
            continue
    return found


def runs_on(server: Server) -> int:
    return threads(server, "live run")


def test_who_is_third_waits_in_line_and_gets_a_turn(small_server: Server, visit: Open) -> None:
    first, second, third, other = (visit(small_server.address + path) for path in (*[LONGEST] * 3, "/"))
    for page in (first, second):
        start(page)
    press(third, "Start")
    line = "2 runs train here at a time. This one is first in the line."
    expect(told(third)).to_have_text(line)
    assert runs_on(small_server) == 3
    press(third, "Leave the line")
    expect(button(third, "Start")).to_be_enabled()
    poll(third, lambda: runs_on(small_server) == 2, "the third's thread to end")
    press(third, "Start")
    expect(told(third)).to_have_text(line)

    # A visitor who trains nothing is answered meanwhile.
    tau = other.get_by_role("spinbutton", name="Temperature τ")
    tau.fill("0.3")
    tau.press("Enter")
    settle(other)
    assert parse_qs(urlparse(other.url).query)["tau"] == ["0.3"]

    first.context.close()
    expect(told(third)).to_contain_text("Epoch", timeout=30_000)
    moves_on(third)
    moves_on(second)
    assert runs_on(small_server) == 2
    for page in (second, third):
        page.context.close()
    poll(other, lambda: runs_on(small_server) == 0, "the end of the runs that nobody watches")
    assert threads(small_server, "ScriptRunner.scriptThread") == 0


def drop(page: Page, proxy: Proxy, seconds: float) -> None:
    """No network for so long."""
    proxy.cut()
    page.wait_for_timeout(seconds * 1000)
    proxy.mend()


def test_a_run_outlives_a_network_drop_of_half_a_minute(server: str, visit: Open) -> None:
    with network(server) as proxy:
        page = visit(proxy.address + LONGEST)
        start(page)
        step = told_step(page)
        drop(page, proxy, 30)
        words_move_on(page, seconds=60)
        moves_on(page)
        assert stop(page) > step
        expect(button(page, "Start")).to_be_enabled()


def test_it_outlives_a_drop_while_its_visitor_reads_another_page(small_server: Server, visit: Open) -> None:
    with network(small_server.address) as proxy:
        page = visit(proxy.address + LONGEST)
        start(page)
        step = told_step(page)
        page.get_by_test_id("stSidebarNavLink").filter(has_text="Sampling").click()
        expect(page.get_by_test_id("scrub")).to_be_visible()
        settle(page)
        drop(page, proxy, GRACE / 4)
        # Long enough for a run that nobody watches any more to end.
        page.wait_for_timeout(1500 * GRACE)
        assert runs_on(small_server) == 1
        page.get_by_test_id("stSidebarNavLink").filter(has_text="Live training").click()
        expect(told(page)).to_contain_text("Epoch")
        moves_on(page)
        assert stop(page) > step
