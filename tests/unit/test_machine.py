"""What the machine has for us."""

import os
import subprocess
import sys

import pytest

from gumbel_core.machine import cores


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process to a core")
def test_only_cores_that_the_process_may_run_on_are_counted() -> None:
    pinned = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "
        "from gumbel_core.machine import cores; print(cores())"
    )
    assert subprocess.run([sys.executable, "-c", pinned], check=True, capture_output=True).stdout == b"1\n"


def test_a_system_that_pins_nothing_is_asked_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert cores() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1
