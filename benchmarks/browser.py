"""The app in headless Chromium, beside a bare Streamlit app in the same run: the machine's noise hits both.

    python -m benchmarks.browser [--quick] [--only scrub controls first_page remounts visitors]

Times of the two apps are taken in turn and compared by their medians.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from benchmarks import visitors
from benchmarks.report import Line, report
from benchmarks.servers import exit_on_terminate, serve
from benchmarks.watch import Control, Messages, Places, drag, launch, move, open_page

BARE_SCRIPT, REAL_SCRIPT = "benchmarks/bare_app.py", "app.py"
BARE_CONTROL = Control("/", "slider", "height", ("ArrowRight", "ArrowLeft"))
# All that is known of the real app: its controls, and the counters that its components keep in the page.
TAU = Control("/", "spinbutton", "temperature", ("ArrowUp", "ArrowDown"))
BENCH_TAU = replace(TAU, path="/gradients")
DRAWS = Control("/many_draws", "slider", "draws", ("ArrowRight", "ArrowLeft"))
STEP = Control("/toy_argmax", "spinbutton", "^step$", ("ArrowUp", "ArrowDown"))
# The link puts latent 2 to its second category, so that the first click changes it, too.
CELL = Places(
    "/vae_codes?code_edits=2:2",
    (".cell[data-latent='1'][data-category='0']", ".cell[data-latent='1'][data-category='1']"),
    answered="[data-testid='cells'][data-waiting='0']",
)
CONTROLS: dict[str, Control | Places] = {
    "tau on /": TAU,
    "draws on /many_draws": DRAWS,
    "step on /toy_argmax": STEP,
    "tau on /gradients": BENCH_TAU,
    "a cell on /vae_codes": CELL,
}
SCRUB = "[data-testid=scrub]"  # data-frames: how often it has drawn
SCRUB_RANGE = "[data-testid=scrub-range]"
FIGURE = "[data-mounts]"  # how often this host has mounted its figure


@dataclass(frozen=True)
class Setting:
    """Both servers' addresses and how often each thing is repeated."""

    bare: str
    real: str
    warm_up: int = 3
    moves: int = 15
    loads: int = 7
    remount_moves: int = 20
    drag_seconds: float = 3.0
    visits: visitors.Visits = field(default_factory=visitors.Visits)

    def halved(self) -> Setting:
        """The same with half the repetitions."""
        visits = self.visits.halved()
        return replace(self, moves=8, loads=4, remount_moves=10, drag_seconds=1.5, visits=visits)


def ratio(name: str, bare: list[float], real: list[float], target: float) -> Line:
    """The ratio of two medians in milliseconds."""
    theirs, ours = median(bare), median(real)
    return Line(name, ours / theirs, target, False, "x", f"{ours:.0f} ms beside {theirs:.0f} ms")


def scrub(browser: Browser, setting: Setting) -> Iterator[Line]:
    """Frames drawn, and messages sent, while the temperature's thumb is dragged and not yet let go."""
    messages = Messages()
    with open_page(browser, setting.real, messages) as page:
        thumb = page.locator(SCRUB_RANGE).first
        thumb.scroll_into_view_if_needed()
        if not messages.seen:
            raise RuntimeError("The page's own WebSocket was not heard, so silence would prove nothing.")
        messages.seen.clear()
        frames = drag(page, thumb, page.locator(SCRUB).first, setting.drag_seconds)
        heard = len(messages.seen)
        page.mouse.up()
    yield Line("scrub, frames a second while dragging", frames, 55, at_least=True)
    yield Line("scrub, WebSocket frames while dragging", heard, 0, at_least=False)


def controls(browser: Browser, setting: Setting) -> Iterator[Line]:
    """From a key on a native control, or a click, to the last redrawn picture, at the defaults."""
    for name, control in CONTROLS.items():
        bare_times, real_times = [], []
        address = setting.real + control.path
        with open_page(browser, setting.bare) as bare, open_page(browser, address) as real:
            for step in range(setting.warm_up + setting.moves):
                bare_times.append(move(bare, BARE_CONTROL, step))
                real_times.append(move(real, control, step))
        timed = slice(setting.warm_up, None)
        yield ratio(f"{name}, {control.by} to picture", bare_times[timed], real_times[timed], 2.0)


def first_page(browser: Browser, setting: Setting) -> Iterator[Line]:
    """A new visitor's first page, from a server that has served one before."""
    addresses = (setting.bare, setting.real)
    times = [[first_picture(browser, address) for address in addresses] for _ in range(1 + setting.loads)]
    bare_times, real_times = zip(*times[1:], strict=True)
    yield ratio("first page of a warm server", list(bare_times), list(real_times), 1.5)


def first_picture(browser: Browser, address: str) -> float:
    """Milliseconds from the start of a navigation until the pictures stood."""
    with open_page(browser, address) as page:
        changed: float = page.evaluate("() => benchmark.noted.changed")
        return changed


def remounts(browser: Browser, setting: Setting) -> Iterator[Line]:
    """Pictures built anew by moves: by the figures' own count, and by whether their nodes stayed the same.

    A figure counts on its host, so a host that is itself new starts from 1 again: that, only the nodes show.
    """
    count = "hosts => hosts.reduce((sum, host) => sum + Number(host.dataset.mounts), 0)"
    mark_new = "() => benchmark.markNewPlots()"
    replaced = 0
    with open_page(browser, setting.real + DRAWS.path) as page:
        mounted = page.locator(FIGURE).evaluate_all(count)
        if not mounted:
            raise RuntimeError(f"No figure on {DRAWS.path} counts its mounts, so no remount would be seen.")
        pictures = page.evaluate(mark_new)
        for step in range(setting.remount_moves):
            move(page, DRAWS, step)
            replaced += page.evaluate(mark_new)
        remounted = page.locator(FIGURE).evaluate_all(count) - mounted
    name = f"remounts in {setting.remount_moves} moves of {pictures} pictures"
    yield Line(f"{name}, by their own count", remounted, 0, at_least=False)
    yield Line(f"{name}, by new nodes", replaced, 0, at_least=False)


MEASURES: dict[str, Callable[[Browser, Setting], Iterator[Line]]] = {
    "scrub": scrub,
    "controls": controls,
    "first_page": first_page,
    "remounts": remounts,
}


def measure(names: list[str], quick: bool) -> Iterator[Line]:
    """Start both servers, then take what is named; the visitors come last, with no browser beside them."""
    with serve(BARE_SCRIPT) as bare, serve(REAL_SCRIPT) as real:
        setting = Setting(bare, real).halved() if quick else Setting(bare, real)
        with sync_playwright() as playwright, launch(playwright) as browser:
            for name in (name for name in MEASURES if name in names):
                yield from MEASURES[name](browser, setting)
        if "visitors" in names:
            yield from visitors.measure(bare, real, setting.visits)


def main() -> int:
    """Read the command line, measure, report."""
    choices = [*MEASURES, "visitors"]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser")
    parser.add_argument("--quick", action="store_true", help="half the repetitions")
    parser.add_argument("--only", nargs="+", choices=choices, default=choices, help="which measurements")
    arguments = parser.parse_args()
    exit_on_terminate()
    return report(measure(arguments.only, arguments.quick))


if __name__ == "__main__":
    sys.exit(main())
