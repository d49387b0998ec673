"""Processes that carry runs out: each dies alone, none outlives its parent, and all end when told to."""

import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import torch

from gumbel_core.datasets import load
from gumbel_core.studies.grid import Study, config_of
from gumbel_core.studies.work import Task, carried_out
from gumbel_core.studies.workers import Workers, processes
from tests.unit.errands import alive, cut_off, failing, held, let_go, pid_of
from tests.waiting import PATIENCE, until

ROOT = Path(__file__).parents[2]
PARENT = """
import os, sys
from pathlib import Path
from gumbel_core.studies.workers import Workers, processes
from tests.unit.errands import held

folder = Path(sys.argv[1])
with processes(2) as workers:
    busy = workers.executor.submit(held, folder, "busy")
    print(workers.executor.submit(os.getpid).result(), flush=True)
    busy.result()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the workers have their temporary folders."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_results_and_exceptions_come_back_and_no_process_stays(tmp_path: Path) -> None:
    with processes(2) as workers:
        powers = [workers.executor.submit(pow, 2, number) for number in range(5)]
        wrong = workers.executor.submit(failing, "Seven is not a prime.")
        pids = {workers.executor.submit(os.getpid).result(PATIENCE) for _ in range(4)}
        assert [power.result(PATIENCE) for power in powers] == [1, 2, 4, 8, 16]
        # It tells where it was raised, and costs no process.
        error = wrong.exception(PATIENCE)
        assert isinstance(error, ValueError)
        assert str(error) == "Seven is not a prime."
        assert "in failing" in error.__notes__[0]
        assert len(pids) <= 2
        assert os.getpid() not in pids
    assert not any(map(alive, pids))
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_dies_costs_its_own_run_only(
    number: signal.Signals, tmp_path: Path, temporary: Path
) -> None:
    with processes(2) as workers:
        killed = workers.executor.submit(held, tmp_path, "killed")
        neighbour = workers.executor.submit(held, tmp_path, "neighbour")
        pids = {name: pid_of(tmp_path, name) for name in ("killed", "neighbour")}
        os.kill(pids["killed"], number)
        assert isinstance(killed.exception(PATIENCE), workers.died)
        # The neighbour is held up, so whatever is carried out now is so in the place of the one that died.
        new = workers.executor.submit(os.getpid).result(PATIENCE)
        assert new not in pids.values()
        assert workers.executor.submit(os.getpid).result(PATIENCE) == new
        assert not neighbour.done()
        let_go(tmp_path, "neighbour")
        assert neighbour.result(PATIENCE) == pids["neighbour"]
        assert not alive(pids["killed"])
    assert not alive(new)
    assert multiprocessing.active_children() == []
    assert list(temporary.iterdir()) == []


def test_a_worker_that_dies_while_its_result_is_under_way_is_not_waited_for() -> None:
    with processes(1) as workers:
        run = workers.executor.submit(cut_off)
        assert isinstance(run.exception(PATIENCE), workers.died)
        assert workers.executor.submit(pow, 2, 3).result(PATIENCE) == 8


def test_a_worker_leaves_its_terminal_to_its_parent(tmp_path: Path) -> None:
    with processes(1) as workers:
        run = workers.executor.submit(held, tmp_path, "run")
        pid = pid_of(tmp_path, "run")
        os.kill(pid, signal.SIGINT)
        let_go(tmp_path, "run")
        assert run.result(PATIENCE) == pid
        # From its first moment on.
        blocked = workers.executor.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result(PATIENCE)
        assert {signal.SIGINT, signal.SIGHUP} <= blocked
    assert not {signal.SIGINT, signal.SIGHUP} & signal.pthread_sigmask(signal.SIG_BLOCK, ())


@contextmanager
def ended_by_ctrl_c(count: int) -> Iterator[Workers]:
    """So many processes, whose user has had enough when the block is over."""
    with suppress(KeyboardInterrupt), processes(count) as workers:
        yield workers
        raise KeyboardInterrupt


def test_ctrl_c_ends_all_runs_and_leaves_nothing(tmp_path: Path, temporary: Path) -> None:
    with ended_by_ctrl_c(2) as workers:
        first, second, waiting = (workers.executor.submit(held, tmp_path, name) for name in "abc")
        pids = [pid_of(tmp_path, name) for name in "ab"]
        assert len(list(temporary.iterdir())) == 2
    assert not any(map(alive, pids))
    assert multiprocessing.active_children() == []
    assert isinstance(first.exception(0), workers.died)
    assert isinstance(second.exception(0), workers.died)
    assert waiting.cancelled()
    assert not (tmp_path / "c.pid").exists()
    assert list(temporary.iterdir()) == []


def test_ctrl_c_while_a_process_begins_carries_nothing_out(tmp_path: Path) -> None:
    with ended_by_ctrl_c(1) as workers:
        run = workers.executor.submit(held, tmp_path, "run")
        until(run.running, "thread that takes the run")
    # By the time it takes, its process has begun to begin, or is not begun.
    with pytest.raises((CancelledError, *workers.died)):
        run.result(0)
    assert not (tmp_path / "run.pid").exists()
    assert multiprocessing.active_children() == []


def test_a_run_that_does_not_hear_is_ended_all_the_same(tmp_path: Path, temporary: Path) -> None:
    with ended_by_ctrl_c(1) as workers:
        run = workers.executor.submit(held, tmp_path, "run")
        pid = pid_of(tmp_path, "run")
        os.kill(pid, signal.SIGSTOP)
    assert not alive(pid)
    assert isinstance(run.exception(0), workers.died)
    assert list(temporary.iterdir()) == []


def test_workers_do_not_outlive_a_parent_that_is_killed(tmp_path: Path, temporary: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    # What Python says of the parent's semaphores when it is killed is nobody's concern.
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as parent:
        assert parent.stdout
        pids = [int(parent.stdout.readline()), pid_of(tmp_path, "busy")]
        assert all(map(alive, pids))
        parent.kill()
    until(lambda: not any(map(alive, pids)), "end of the workers")
    assert list(temporary.iterdir()) == []


def test_a_run_has_the_threads_that_its_task_asks_for() -> None:
    study, here = Study("threads", seeds=1, epochs=1), torch.get_num_threads()
    config, sha256 = config_of(study, study.keys[0]), load("digits").sha256
    with processes(1) as workers:
        for threads in (2, 1):
            files = workers.executor.submit(carried_out, Task(config, sha256, "", threads)).result(PATIENCE)
            assert "card.json" in files
            assert workers.executor.submit(torch.get_num_threads).result(PATIENCE) == threads
    assert torch.get_num_threads() == here
