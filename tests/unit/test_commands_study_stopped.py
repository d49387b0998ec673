"""`python -m gumbel_core study`, stopped by Ctrl-C, a termination or a hang-up: what it keeps and leaves."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gumbel_core.__main__ import main
from gumbel_core.commands import study
from gumbel_core.commands.study import Whole
from tests.unit.study_commands import kept, left, on_a_thread, rows, session, started, told, words
from tests.waiting import until

Streams = pytest.CaptureFixture[str]

# Epochs enough that a signal finds a study of two processes in the middle.
LONG = 5


def of_all(number: signal.Signals) -> Callable[[int], None]:
    """As a terminal sends it: to the command and its workers at once."""
    return lambda pid: os.killpg(pid, number)


def of_one(number: signal.Signals) -> Callable[[int], None]:
    return lambda pid: os.kill(pid, number)


@pytest.mark.parametrize(
    "send",
    [of_all(signal.SIGINT), of_one(signal.SIGTERM), of_all(signal.SIGTERM), of_all(signal.SIGHUP)],
    ids=["Ctrl-C", "termination", "termination of all", "hang-up"],
)
def test_a_stopped_study_keeps_its_runs_and_the_same_command_does_the_others(
    send: Callable[[int], None], tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, temporary = tmp_path / "study", tmp_path / "temporary"
    arguments = words(folder, epochs=LONG, seeds=8)
    with started([*arguments, "--processes", "2"], temporary) as process:
        assert process.stdout
        first = process.stdout.readline()
        assert len(told(first)) == 1
        send(process.pid)
        out, err = process.communicate(timeout=60)
        until(lambda: not session(process.pid), "end of the session")
    assert (process.returncode, err) == (130, "")
    found = re.fullmatch(
        r"Stopped: (\d) of 8 runs are kept\. The same command does the others\.", out.splitlines()[-1]
    )
    assert found
    # What is told is kept. The last one may be kept already, and no longer be told.
    assert set(told(first + out)) <= kept(folder)
    assert 1 <= int(found[1]) == len(kept(folder)) == len(rows(folder)) < 8
    assert left(temporary) == []
    before = kept(folder)
    capsys.readouterr()
    monkeypatch.setattr(study, "processes", on_a_thread)
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert len(told(out)) == len(set(told(out)) - before) == 8 - len(before)
    assert [row["seed"] for row in rows(folder)] == [*"01234567"]


def test_a_study_is_stopped_while_its_workers_begin(tmp_path: Path) -> None:
    folder, temporary = tmp_path / "study", tmp_path / "temporary"
    with started(words(folder, "--processes", "2", epochs=1_000), temporary) as process:
        until((folder / "study.json").exists, "study")
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    # A moment earlier there is no bar, and nothing to tell.
    assert out in ("", "Stopped: 0 of 2 runs are kept. The same command does the others.\n")
    assert kept(folder) == set()


def test_signals_are_given_back() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    for number in numbers:
        with pytest.raises(KeyboardInterrupt), study._stoppable():
            signal.raise_signal(number)
        assert [signal.getsignal(number) for number in numbers] == before


def test_a_hang_up_that_is_ignored_stays_so() -> None:
    """As `nohup` has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with study._stoppable():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_is_heard_behind_what_is_done_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "DEAF", 0.0)
    done = []

    def keep(whole: Whole, *numbers: int) -> None:
        with whole():
            for number in numbers:
                signal.raise_signal(number)
            done.append(len(numbers))

    with study._stoppable() as whole:
        with pytest.raises(KeyboardInterrupt):
            keep(whole, signal.SIGTERM, signal.SIGTERM)
        keep(whole)
        # At once where there is nothing to be kept.
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert done == [2, 0]


def test_a_signal_is_not_heard_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one would fall into the end that the first one began. It is not deaf for good."""
    with study._stoppable() as whole:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with whole():
            signal.raise_signal(signal.SIGINT)
        now = time.monotonic()
        monkeypatch.setattr("time.monotonic", lambda: now + study.DEAF)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_an_error_is_not_taken_for_a_signal() -> None:
    with study._stoppable() as whole:
        with pytest.raises(ZeroDivisionError), whole():
            raise ZeroDivisionError
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
