"""Many visitors at once, over Streamlit's own WebSocket protocol: no browser, so the load is on the server.

Each visitor opens a session, waits until the page's script has finished, and then moves one control, as a
rule once a second. A move's time runs from its message to the `script_finished` that answers it. A visitor
waits for the answer before the next move, as a person does: an overloaded server is asked less often, and
still timed in full.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlencode

import numpy as np
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.typing import Subprotocol

from benchmarks.report import Line

BARE_LABEL, REAL_LABEL = "height", "temperature"  # the control moved: the first whose label contains it
DONE = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)
ANSWER_LIMIT = 60.0  # seconds


@dataclass(frozen=True)
class Visits:
    """How many come at once, and how long they stay."""

    crowds: tuple[int, ...] = (10, 30)
    moves: int = 10
    rounds: int = 2

    def halved(self) -> Visits:
        """The same with one round instead of two."""
        return replace(self, rounds=1)


@dataclass
class Visitor:
    """One browser tab, as far as the server can tell."""

    address: str
    label: str
    page: str = ""  # its path, without the slash
    query: str = ""
    socket: Any = None
    page_script_hash: str = ""
    cached: set[str] = field(default_factory=set)
    control: Any = None  # the NumberInput or Slider message
    fragment_id: str = ""

    async def arrive(self) -> None:
        """Connect and run the page once; RuntimeError when the control is not on it."""
        stream = self.address.replace("http", "ws", 1) + "/_stcore/stream"
        self.socket = await websockets.connect(stream, subprotocols=[Subprotocol("streamlit")], max_size=None)
        await self.rerun(BackMsg())
        if self.control is None:
            raise RuntimeError(f"{self.address} has no control named {self.label!r}.")

    async def move(self, step: int) -> float:
        """Move the control by one step, there and back in turn; seconds until the script has finished."""
        message = BackMsg()
        message.rerun_script.fragment_id = self.fragment_id
        state = message.rerun_script.widget_states.widgets.add(id=self.control.id)
        default = self.control.default
        if isinstance(default, float):
            value = default + self.control.step * (1 - step % 2)
            state.double_value = value
        else:  # a slider's value is a list, one number for each thumb
            value = default[0] + self.control.step * (1 - step % 2)
            state.double_array_value.data.append(value)
        if self.control.query_param_key:
            message.rerun_script.query_string = urlencode({self.control.query_param_key: value})
        began = time.perf_counter()
        await self.rerun(message)
        return time.perf_counter() - began

    async def rerun(self, message: BackMsg) -> None:
        """Ask for a run of the script as the browser does, and read what it sends until it has finished."""
        state = message.rerun_script
        # A browser names the page until it is told the page's hash.
        state.page_script_hash, state.page_name = self.page_script_hash, self.page
        state.query_string = state.query_string or self.query
        state.cached_message_hashes.extend(self.cached)
        state.context_info.url = f"{self.address}/{self.page}"
        await self.socket.send(message.SerializeToString())
        async with asyncio.timeout(ANSWER_LIMIT):
            while True:
                answer = ForwardMsg.FromString(await self.socket.recv())
                self.note(answer)
                if answer.WhichOneof("type") == "script_finished" and answer.script_finished in DONE:
                    return

    def note(self, answer: ForwardMsg) -> None:
        """Keep what later messages need: the page, the cached messages, and the control with its fragment."""
        kind = answer.WhichOneof("type")
        if answer.metadata.cacheable:
            self.cached.add(answer.hash)
        if kind == "new_session":
            self.page_script_hash = answer.new_session.page_script_hash
        elif kind == "navigation":
            self.page_script_hash = answer.navigation.page_script_hash
        elif kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
            self.note_element(answer.delta)

    def note_element(self, delta: Any) -> None:
        """Remember the control when it comes by; an exception on the page ends the benchmark."""
        kind = delta.new_element.WhichOneof("type")
        if kind == "exception":
            raise RuntimeError(f"{self.address} shows: {delta.new_element.exception.message}")
        element = getattr(delta.new_element, kind)
        if kind in ("number_input", "slider") and self.label in element.label.lower():
            self.control, self.fragment_id = element, delta.fragment_id


async def stay(visitor: Visitor, moves: int, start: float, every: float = 1.0) -> list[float]:
    """A move every so many seconds from `start` on (event loop time); seconds that each took."""
    clock, times = asyncio.get_running_loop().time, []
    for step in range(moves):
        await asyncio.sleep(max(0.0, start + step * every - clock()))
        times.append(await visitor.move(step))
    return times


async def crowd(address: str, label: str, count: int, moves: int, every: float = 1.0) -> list[float]:
    """`count` visitors at once, their moves spread evenly over time; seconds of all moves together."""
    visitors = [Visitor(address, label) for _ in range(count)]
    try:
        await asyncio.gather(*(visitor.arrive() for visitor in visitors))
        start = asyncio.get_running_loop().time() + 1.0
        stays = [stay(visitor, moves, start + every * k / count, every) for k, visitor in enumerate(visitors)]
        return [seconds for times in await asyncio.gather(*stays) for seconds in times]
    finally:
        await asyncio.gather(*(visitor.socket.close() for visitor in visitors if visitor.socket))


def measure(bare: str, real: str, visits: Visits) -> Iterator[Line]:
    """For each crowd, the 95th percentile of the real app's moves over the bare app's, taken in turn."""
    for count in visits.crowds:
        times: dict[str, list[float]] = {BARE_LABEL: [], REAL_LABEL: []}
        for _ in range(visits.rounds):
            for address, label in ((bare, BARE_LABEL), (real, REAL_LABEL)):
                times[label] += asyncio.run(crowd(address, label, count, visits.moves))
        theirs, ours = (float(np.percentile(times[label], 95)) * 1000 for label in (BARE_LABEL, REAL_LABEL))
        detail = f"{ours:.0f} ms beside {theirs:.0f} ms"
        yield Line(f"{count} visitors at a move a second, p95", ours / theirs, 2.0, False, "x", detail)
