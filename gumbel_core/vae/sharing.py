"""How live runs share a server: slots with a line before them, and leases that end with the last watcher."""

import threading
import time
from collections import deque
from typing import Any

# Seconds from the last watcher's going to a run's end: longer than a network drop or a reload of the page.
GRACE = 60.0


class Slots:
    """How many train at once. The others wait in line."""

    def __init__(self, count: int) -> None:
        self.count, self.free = count, count
        self.line, self.lock = deque[Any](), threading.Lock()

    def enter(self, run: object) -> None:
        """Into the line, at its end."""
        with self.lock:
            self.line.append(run)

    def take(self, run: object) -> bool:
        """Whether this run is first in line and a slot is free: then it has left the line, and has it."""
        with self.lock:
            if not self.free or not self.line or self.line[0] is not run:
                return False
            self.line.popleft()
            self.free -= 1
            return True

    def leave(self, run: object) -> None:
        """Out of the line, without a slot."""
        with self.lock:
            if run in self.line:
                self.line.remove(run)

    def give_back(self) -> None:
        with self.lock:
            self.free += 1

    def place(self, run: object) -> int:
        """The run's place in the line, from 1; 0 if it stands in none."""
        with self.lock:
            return self.line.index(run) + 1 if run in self.line else 0


class Lease:
    """Whether anybody still watches: held by any number of watchers, and good for a while after the last."""

    def __init__(self, grace: float = GRACE) -> None:
        self.grace, self.lock = grace, threading.Lock()
        self.holders, self.free_since = 0, time.monotonic()

    def hold(self) -> None:
        with self.lock:
            self.holders += 1

    def let_go(self) -> None:
        with self.lock:
            self.holders = max(0, self.holders - 1)
            self.free_since = time.monotonic()

    @property
    def unwatched(self) -> float:
        """Seconds since the last watcher went; 0 while there is one."""
        with self.lock:
            return 0.0 if self.holders else time.monotonic() - self.free_since

    @property
    def expired(self) -> bool:
        return self.unwatched > self.grace
