"""What tests of `python -m gumbel_core study` share: its words, workers without processes, what it left."""

import csv
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from gumbel_core.studies.workers import Workers

ROOT = Path(__file__).parents[2]


class DeathError(Exception):
    """What stands for a worker's death where there is no process to die."""


@contextmanager
def on_a_thread(count: int) -> Iterator[Workers]:
    """In the place of `processes`: nothing has to start, and the numbers are the same."""
    with ThreadPoolExecutor(1) as executor:
        yield Workers(executor, (DeathError,))


def words(out: Path, *more: str, epochs: int = 1, seeds: int = 2) -> list[str]:
    """A study of digits that is quick, and whose numbers do not depend on the machine's cores."""
    numbers = ["--epochs", str(epochs), "--seeds", str(seeds), "--threads", "1"]
    return ["study", "tiny", "--out", str(out), *numbers, *more]


@contextmanager
def started(
    arguments: Sequence[str], temporary: Path, **environment: str
) -> Iterator["subprocess.Popen[str]"]:
    """The command as its user starts it, in a session of its own, its temporary folders in `temporary`.

    A line arrives when it is printed, not when the pipe is full: the command itself sees to it. Whatever of
    the session is there at the end is killed.
    """
    temporary.mkdir(exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        [sys.executable, "-m", "gumbel_core", *arguments],
        cwd=ROOT,
        env=inherited | environment | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def session(pid: int) -> bool:
    """Whether anybody is left of it: the command, a worker, one of Python's own helpers."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def table(folder: Path) -> bytes:
    return (folder / "table.csv").read_bytes()


def rows(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(table(folder).decode().splitlines()))


def kept(folder: Path) -> set[str]:
    """The names of the runs' folders, and of what was left beside them."""
    return {path.name for path in folder.iterdir()} - {"study.json", "results.json", "table.csv"}


def left(temporary: Path) -> list[Path]:
    """The temporary folders of runs and workers. PyTorch has one of its own, and leaves it."""
    return list(temporary.glob("gumbel-*"))


def told(out: str) -> list[str]:
    """The runs that a command told as they ended, in its order."""
    names = (line.partition(": ")[0] for line in out.splitlines())
    return [name for name in names if "-seed" in name]
