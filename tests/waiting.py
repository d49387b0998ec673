"""Waiting for a run or a process: no test waits for a time to pass, each waits for a state."""

import time
from collections.abc import Callable

from gumbel_core.vae.live import LiveRun, Phase, Snapshot

# Seconds until a test gives a run up.
PATIENCE = 60.0


def reached(run: LiveRun, state: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot of that state."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        snapshot = run.snapshot()
        if state(snapshot):
            return snapshot
        time.sleep(0.01)
    raise AssertionError(f"The run is still {run.snapshot().phase}.")


def until(happened: Callable[[], object], what: str, *, patience: float = PATIENCE) -> None:
    """Return as soon as it has happened. What is waited for is told by the error."""
    give_up = time.monotonic() + patience
    while not happened():
        if time.monotonic() > give_up:
            raise AssertionError(f"There still is no {what}.")
        time.sleep(0.01)


def in_phase(phase: Phase) -> Callable[[Snapshot], bool]:
    return lambda snapshot: snapshot.phase == phase


def ended(snapshot: Snapshot) -> bool:
    return snapshot.phase.ended
