"""A study carried out: its missing runs go to workers, and come back one by one as they end."""

from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from gumbel_core.studies.grid import RunKey
from gumbel_core.studies.results import StudyError
from gumbel_core.studies.work import Task, carried_out
from gumbel_core.studies.workers import Workers

# How often a run is tried whose worker died.
TRIES = 3
# Seconds between two looks for signals.
PULSE = 0.5


def carry_out(tasks: Mapping[RunKey, Task], workers: Workers) -> Iterator[tuple[RunKey, dict[str, bytes]]]:
    """Each run's key and files, as it ends. A run is left out whose workers died as often as it is tried.

    What a run raises ends the study, and is raised here; of runs that ended before, nothing is lost.
    """
    tried: Counter[RunKey] = Counter()
    going: dict[Future[Any], RunKey] = {}
    # In the order in which they end: behind one that raises there is nothing that ended before it.
    ended: SimpleQueue[Future[Any]] = SimpleQueue()

    def begin(key: RunKey) -> None:
        future = workers.executor.submit(carried_out, tasks[key])
        going[future] = key
        future.add_done_callback(ended.put)

    for key in tasks:
        begin(key)
    while going:
        future = _next(ended)
        key = going.pop(future)
        try:
            yield key, future.result()
        except workers.died:
            tried[key] += 1
            if tried[key] < TRIES:
                begin(key)
        except CancelledError:
            raise StudyError("The scheduler let go of the study's runs.") from None


def _next(ended: "SimpleQueue[Future[Any]]") -> "Future[Any]":
    """Wait, but never for good: a signal just before a wait is heard only when that is over."""
    while True:
        with suppress(Empty):
            return ended.get(timeout=PULSE)
