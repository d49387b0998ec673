"""What the machine has for us."""

import os


def cores() -> int:
    """Those that this process may run on: in a container or under `taskset` fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
