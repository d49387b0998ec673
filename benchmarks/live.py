"""A live run on its page in headless Chromium: what watching costs, how soon it moves, what it leaves behind.

    python -m benchmarks.live [--quick] [--only speed latency mounts pictures leaks]

Sides that are compared are taken in turn. Chromium shares the machine with the server: on two cores a watcher
costs the run twice, by what the server draws for him and by what his browser computes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from playwright.sync_api import Browser, Page, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg

from benchmarks import visitors
from benchmarks.report import Line, report
from benchmarks.servers import Server, exit_on_terminate, running, serve
from benchmarks.watch import launch, open_page
from gumbel_core.datasets import load
from gumbel_core.vae.records import StepRecord
from gumbel_core.vae.settings import EPOCHS, Setting
from gumbel_core.vae.training import Training

APP, PAGE = "app.py", "vae_training"
# The default recipe for as many epochs as a visitor may ask for; in small batches it is the longest run.
DEFAULT = f"/{PAGE}?vae_epochs={EPOCHS[1]}"
LONGEST = f"{DEFAULT}&vae_batch=10"
LOSSES = ".st-key-vae_losses [data-mounts]"
# All measured runs train at once, however few cores there are.
SLOTS = {"GUMBEL_LIVE_RUNS": "2"}
GRACE = 2  # seconds, of the server that is looked at for leaks
LIMIT = 60.0  # seconds for anything that a page is waited for
# Seconds between two moves: out of step with the page's ticks and the run's frames, so as to meet each phase.
EVERY = 0.37


@dataclass(frozen=True)
class Effort:
    """How often each thing is repeated, and for how long it is watched."""

    turns: int = 3
    speed_seconds: float = 8.0
    moves: int = 40
    warm_up: int = 5
    updates: int = 60
    starts: int = 3
    watch_seconds: float = 15.0
    sessions: int = 100

    def halved(self) -> Effort:
        """The same with half the repetitions."""
        return replace(self, turns=2, moves=20, updates=30, starts=2, sessions=50)


@dataclass
class Starter(visitors.Visitor):
    """A visitor of the training page who presses Start: no browser, so a hundred come in a minute."""

    told: str = ""  # where the run stands, as the page says it

    def note_element(self, delta: Any) -> None:
        super().note_element(delta)
        element = delta.new_element
        kind = element.WhichOneof("type")
        if kind == "progress":
            self.told = element.progress.text
        if kind == "button" and element.button.label == self.label:
            self.control, self.fragment_id = element.button, delta.fragment_id

    async def press(self) -> None:
        """Press the button, and wait until the page has told of the run."""
        message = BackMsg()
        message.rerun_script.fragment_id = self.fragment_id
        message.rerun_script.widget_states.widgets.add(id=self.control.id, trigger_value=True)
        await self.rerun(message)
        if not self.told:
            raise RuntimeError(f"{self.label} was pressed, and {self.address}/{self.page} tells of no run.")


def start(page: Page) -> float:
    """Start a run with the keyboard; when, in ms from the page's start."""
    page.get_by_role("button", name="Start", exact=True).press("Enter")
    pressed: float = page.evaluate("() => benchmark.noted.pressed")
    return pressed


def stop(page: Page) -> None:
    """End the run now: else it trains on into the next measurement, for as long as its lease is good.

    Raises RuntimeError where it had ended by itself, so that less was measured than it seems.
    """
    button = page.get_by_role("button", name="Stop", exact=True)
    if not button.is_enabled():
        raise RuntimeError("The run was over before it had been measured: this machine is too fast for it.")
    button.click()
    page.get_by_text("Stopped at step").wait_for(timeout=LIMIT * 1000)


def steps(page: Page, trace: str) -> list[tuple[float, int]]:
    """(ms, step) at each change so far, by the page's `pictures` or by its `words`."""
    return [(ms, step) for ms, step in page.evaluate("trace => benchmark.steps[trace]", trace)]


def first_picture(page: Page, pressed: float) -> float:
    """When the first picture came after `pressed` for which the model had learned; ms from the page's start.

    The untrained model's picture, of step 0, comes before it: that one does not move.
    """
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        moving = [ms for ms, step in steps(page, "pictures") if ms > pressed and step > 0]
        if moving:
            return moving[0]
        page.wait_for_timeout(50)
    raise RuntimeError(f"No picture moved within {LIMIT:.0f} s of Start.")


@contextlib.contextmanager
def watched(browser: Browser, address: str) -> Iterator[Page]:
    """A page whose run has begun to move, for as long as it is watched."""
    with open_page(browser, address) as page:
        first_picture(page, start(page))
        yield page
        stop(page)


def speed(browser: Browser, address: str, effort: Effort) -> Iterator[Line]:
    """A watched run's steps a second over those of the same run without a page, between the same two steps.

    The page's steps are what it tells, with the times at which they stood there: the server's frames, ticks
    and messages and the watcher's Chromium all take their part. Without a page there is `records` alone, in
    this process, on one thread of PyTorch, with the same hard losses and tests, and no frames.
    """
    shown, alone = [], []
    for _ in range(effort.turns):
        with watched(browser, address + DEFAULT) as page:
            page.wait_for_timeout(effort.speed_seconds * 1000)
            told = steps(page, "words")
        (began, first), (ended, last) = told[0], told[-1]
        shown.append((last - first) / (ended - began) * 1000)
        alone.append(headless(first, last))
    ours, theirs = median(shown), median(alone)
    yield Line(
        "share of the headless training speed that the page keeps with one watcher", ours / theirs, 0.85,
        detail=f"{ours:.0f} steps a second beside {theirs:.0f}",
    )  # fmt: skip


def headless(first: int, last: int) -> float:
    """Steps a second of the page's run, from the one step to the other, with nobody who watches."""
    torch.set_num_threads(1)
    training = Training(replace(Setting(), epochs=EPOCHS[1]).config(), load("digits"))
    began = time.perf_counter()
    for record in training.records():
        if not isinstance(record, StepRecord):
            continue
        if record.step == first:
            began = time.perf_counter()
        if record.step == last:
            break
    return (last - first) / (time.perf_counter() - began)


def latency(browser: Browser, address: str, effort: Effort) -> Iterator[Line]:
    """Seconds of another visitor's moves on `/`, with one and with two watched runs, over those with none."""
    times: dict[int, list[float]] = {0: [], 1: [], 2: []}
    for _ in range(effort.turns):
        for going, taken in times.items():
            with contextlib.ExitStack() as stack:
                for _ in range(going):
                    stack.enter_context(watched(browser, address + LONGEST))
                taken += moves(address, effort)
    for going, target, words in ((1, 1.5, "one run"), (2, 2.0, "two runs")):
        none, some = (np.percentile(times[runs], (50, 95)) * 1000 for runs in (0, going))
        name = f"slider latency of another visitor with {words} going, relative to none"
        detail = f"{some[0]:.0f} ms beside {none[0]:.0f} ms; p95 {some[1]:.0f} beside {none[1]:.0f}"
        yield Line(name, float(some[0] / none[0]), target, at_least=False, unit="x", detail=detail)


def moves(address: str, effort: Effort) -> list[float]:
    """Seconds of one visitor's moves, once he has settled in."""
    count = effort.warm_up + effort.moves
    visit = visitors.crowd(address, visitors.REAL_LABEL, 1, count, EVERY)
    # Playwright's own event loop runs in this thread, and asyncio admits one in a thread.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, visit).result()[effort.warm_up :]


def mounts(browser: Browser, address: str, effort: Effort) -> Iterator[Line]:
    """Whether the loss figure stays the same one: by its own count, and by whether its node is a new one."""
    mark_new = "() => benchmark.markNewPlots()"
    replaced = 0
    with open_page(browser, address + LONGEST) as page:
        page.evaluate(mark_new)
        start(page)
        wanted = counted(page, "drawn") + effort.updates
        deadline = time.monotonic() + 2 * effort.updates + LIMIT
        while counted(page, "drawn") < wanted:
            page.wait_for_timeout(300)
            replaced += page.evaluate(mark_new)
            if time.monotonic() > deadline:
                raise RuntimeError(f"The loss figure was not drawn {effort.updates} times by its own count.")
        mounted = counted(page, "mounts")
        stop(page)
    name = f"mounts of the loss figure over {effort.updates} updates"
    yield Line(f"{name}, by its own count", mounted, 1, at_least=False)
    yield Line(f"{name}, new nodes after the first", replaced, 0, at_least=False)


def counted(page: Page, name: str) -> int:
    """The loss figure's count of how often it was `drawn`, or of its `mounts`."""
    return int(page.locator(LOSSES).get_attribute(f"data-{name}") or 0)


def pictures(browser: Browser, address: str, effort: Effort) -> Iterator[Line]:
    """From Start to a picture that moves, and from each picture to the next: the slowest of all."""
    starts, pauses = [], []
    for _ in range(effort.starts):
        with open_page(browser, address + LONGEST) as page:
            pressed = start(page)
            first = first_picture(page, pressed)
            page.wait_for_timeout(effort.watch_seconds * 1000)
            changed = [ms for ms, _ in steps(page, "pictures") if ms >= first]
            # The last picture's pause is not over, and counts as far as it has gone.
            changed.append(page.evaluate("() => performance.now()"))
            stop(page)
        starts.append(first - pressed)
        pauses += [after - before for before, after in itertools.pairwise(changed)]
    yield Line(
        "Start to the first picture that moves", max(starts), 2000, at_least=False, unit="ms",
        detail=f"the slowest of {len(starts)}, their median {median(starts):.0f} ms",
    )  # fmt: skip
    yield Line(
        "longest pause between two changes of the pictures", max(pauses), 1000, at_least=False, unit="ms",
        detail=f"of {len(pauses)}, their median {median(pauses):.0f} ms",
    )  # fmt: skip


MEASURES: dict[str, Callable[[Browser, str, Effort], Iterator[Line]]] = {
    "speed": speed,
    "latency": latency,
    "mounts": mounts,
    "pictures": pictures,
}


def leaks(server: Server, effort: Effort) -> Iterator[Line]:
    """Threads and memory that visitors leave behind who start a run and go, some of them in the middle of it.

    The first few fill the server's pools of threads: those stay, and are no leak.
    """
    half = effort.sessions // 2
    asyncio.run(come_and_go(server.address, half // 5))
    threads = thread_count(server.pid)
    asyncio.run(come_and_go(server.address, half))
    memory = resident(server.pid)
    asyncio.run(come_and_go(server.address, half))
    more, grown = thread_count(server.pid) - threads, resident(server.pid) - memory
    name = f"leaks over {effort.sessions} sessions"
    yield Line(f"{name}, threads more than before", more, 0, at_least=False, detail=f"{threads} before")
    yield Line(
        f"{name}, growth of memory over the second half", grown, 50, at_least=False, unit="MB",
        detail=f"{memory:.0f} MB before",
    )  # fmt: skip


async def come_and_go(address: str, count: int) -> None:
    """Visitors one after another, each with a run of one epoch, and every fifth with one that outlasts him.

    Returns when the grace of the last one is over.
    """
    for number in range(count):
        epochs = 1 if number % 5 else EPOCHS[1]
        visitor = Starter(address, "Start", page=PAGE, query=f"vae_epochs={epochs}")
        try:
            await visitor.arrive()
            await visitor.press()
        finally:
            if visitor.socket:
                await visitor.socket.close()
    await asyncio.sleep(2 * GRACE)


def thread_count(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def resident(pid: int) -> float:
    """MB of memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024 / 1e6


def measure(names: list[str], effort: Effort) -> Iterator[Line]:
    """Take what is named; for the leaks there is a server of their own, which nobody has visited before."""
    in_browser = [name for name in MEASURES if name in names]
    if in_browser:
        with serve(APP, SLOTS) as address, sync_playwright() as playwright, launch(playwright) as browser:
            # A server that has served a visitor is a warm one.
            with open_page(browser, address + DEFAULT):
                pass
            for name in in_browser:
                yield from MEASURES[name](browser, address, effort)
    if "leaks" not in names:
        return
    if not Path("/proc/self/task").is_dir():
        print("No /proc here: threads and memory of the server cannot be counted.", file=sys.stderr)
        return
    with running(APP, SLOTS | {"GUMBEL_LIVE_GRACE": str(GRACE)}) as server:
        yield from leaks(server, effort)


def main() -> int:
    """Read the command line, measure, report."""
    choices = [*MEASURES, "leaks"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.live")
    parser.add_argument("--quick", action="store_true", help="half the repetitions")
    parser.add_argument("--only", nargs="+", choices=choices, default=choices, help="which measurements")
    arguments = parser.parse_args()
    exit_on_terminate()
    return report(measure(arguments.only, Effort().halved() if arguments.quick else Effort()))


if __name__ == "__main__":
    sys.exit(main())
