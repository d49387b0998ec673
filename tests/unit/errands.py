"""What the tests send workers to do: small things that can be watched, held up and ended from outside."""

import os
import signal
import struct
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.waiting import until

# Seconds that an errand may be held up: longer than any test is patient.
HELD = 90.0


def failing(sentence: str) -> None:
    raise ValueError(sentence)


def held(folder: Path, name: str) -> int:
    """Tell the own process's id in a file, keep a temporary folder, and wait to be let go: the id."""
    with TemporaryDirectory():
        _tell(folder / f"{name}.pid")
        until((folder / f"{name}.go").exists, "word to go on", patience=HELD)
    return os.getpid()


def cut_off() -> None:
    """Be killed while the result is under way: behind its length and its first bytes."""
    frame = sys._getframe()
    while not (pipes := [value for value in frame.f_locals.values() if isinstance(value, Connection)]):
        assert frame.f_back
        frame = frame.f_back
    os.write(pipes[0].fileno(), struct.pack("!i", 2**20) + b"so far")
    os.kill(os.getpid(), signal.SIGKILL)


def let_go(folder: Path, name: str) -> None:
    (folder / f"{name}.go").touch()


def pid_of(folder: Path, name: str) -> int:
    """The process that is on that errand, as soon as it is."""
    path = folder / f"{name}.pid"
    until(path.exists, f"process on the errand {name}")
    return int(path.read_text())


def alive(pid: int) -> bool:
    """Whether the process is there. One that is over, and that nobody has asked for yet, is not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # The state stands behind the name, which is in brackets.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def _tell(path: Path) -> None:
    """Whole or not at all: a file that is there can be read."""
    beside = path.with_suffix(".new")
    beside.write_text(str(os.getpid()))
    beside.replace(path)
