"""A study's folder, whatever is cut short while it is written: a run is there whole or not at all, and
starting again mends the rest.

A crash is made at each call in turn by which a file or a folder is written, moved or taken away.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gumbel_core.files import NEW
from gumbel_core.studies.folder import RESULTS, STUDY, TABLE, Folder
from gumbel_core.studies.grid import Study
from gumbel_core.studies.results import read_results
from tests.unit.small_studies import SHA256, over, results_of, run_files

STUDY_OF_TWO = Study("mine", temperatures=(0.5,), seeds=2, epochs=1)
KEY, OTHER = STUDY_OF_TWO.keys
FILES = run_files(STUDY_OF_TWO, KEY)
CALLS = ("mkdir", "fsync", "chmod", "replace", "unlink", "rmdir")
CUT_SHORT = 9


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    """Open, with one run of two."""
    store = Folder(tmp_path / "mine", STUDY_OF_TWO, SHA256)
    store.open()
    store.write_run(OTHER, run_files(STUDY_OF_TWO, OTHER))
    return store


def nothing(path: Path) -> None:
    """There was no run in its place."""


def damaged(path: Path) -> None:
    foreign(path)
    next(path.glob("weights-*")).write_bytes(b"half")


def foreign(path: Path) -> None:
    """Another run was in its place, with more files."""
    path.mkdir()
    for name, content in {**run_files(STUDY_OF_TWO, OTHER), "a": b"", "z": b""}.items():
        (path / name).write_bytes(content)


def at_call(number: int, cut: Callable[[], None]) -> Callable[[pytest.MonkeyPatch], None]:
    """Have the system cut short whatever makes that call, counted from 1 over all of `CALLS`."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        calls = count(1)

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def counting(*arguments: Any, **named: Any) -> Any:
                if next(calls) == number:
                    cut()
                return call(*arguments, **named)

            return counting

        for name in CALLS:
            monkeypatch.setattr(os, name, counted(getattr(os, name)))

    return patch


def killed_at(number: int, write: Callable[[], object]) -> bool:
    """Whether a process that writes came to that call, and died there at once: nothing cleans up after it."""
    child = os.fork()
    if child == 0:
        try:
            at_call(number, lambda: os._exit(CUT_SHORT))(pytest.MonkeyPatch())
            write()
            os._exit(0)
        finally:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, CUT_SHORT)
    return status == CUT_SHORT


def kills(write: Callable[[], object]) -> Iterator[int]:
    """The process is killed at its first call, at its second, and so on, until one comes to its end."""
    return until_it_ends(lambda number: killed_at(number, write))


def until_it_ends(cut_at: Callable[[int], bool]) -> Iterator[int]:
    for number in count(1):
        if not cut_at(number):
            return
        yield number


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.iterdir()}


def is_whole(path: Path) -> bool:
    return path.is_dir() and {file.name: file.read_bytes() for file in path.iterdir()} == FILES


@pytest.mark.parametrize("before", [nothing, damaged, foreign])
def test_a_writer_that_is_killed_leaves_a_whole_run_or_none(
    before: Callable[[Path], None], store: Folder
) -> None:
    path, deaths, left = store.path / KEY.name, 0, 0
    before(path)
    for _ in kills(lambda: store.write_run(KEY, FILES)):
        deaths += 1
        assert (KEY in store.finished()) == is_whole(path)
        assert OTHER in store.finished()
        left += any(name.startswith(NEW) for name in names(store.path))
        # Starting again: what was left is swept, and the run is done anew.
        store.open()
        assert names(store.path) <= {STUDY, KEY.name, OTHER.name}
        assert before is not nothing or not path.exists() or is_whole(path)
        shutil.rmtree(path, ignore_errors=True)
        before(path)
    assert store.finished().keys() == {KEY, OTHER}
    assert is_whole(path)
    # A folder, three files, each with its own calls; and what was in the way.
    assert deaths >= 11 + (0 if before is nothing else 6)
    assert left >= 10


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("before", [nothing, damaged, foreign])
def test_a_full_disk_or_ctrl_c_leaves_a_whole_run_or_none_and_no_litter(
    before: Callable[[Path], None], error: BaseException, store: Folder
) -> None:
    path, failures = store.path / KEY.name, 0
    before(path)

    def fails_at(number: int) -> bool:
        def fail() -> None:
            raise error

        with pytest.MonkeyPatch.context() as monkeypatch:
            at_call(number, fail)(monkeypatch)
            try:
                store.write_run(KEY, FILES)
            except type(error):
                return True
        return False

    for _ in until_it_ends(fails_at):
        failures += 1
        assert not any(name.startswith(NEW) for name in names(store.path))
        assert (KEY in store.finished()) == is_whole(path)
        assert OTHER in store.finished()
    assert is_whole(path)
    assert failures >= 11


def test_a_study_that_was_killed_while_it_was_opened_is_opened_again(tmp_path: Path) -> None:
    store, deaths = Folder(tmp_path / "studies" / "mine", STUDY_OF_TWO, SHA256), 0
    for _ in kills(store.open):
        deaths += 1
        store.open()
        assert names(store.path) == {STUDY}
        (store.path / STUDY).unlink()
        store.path.rmdir()
        store.path.parent.rmdir()
    assert names(store.path) == {STUDY}
    assert deaths >= 4


def test_results_that_were_cut_short_are_the_last_ones_or_the_next(store: Folder) -> None:
    first, second = results_of(STUDY_OF_TWO, []), results_of(STUDY_OF_TWO, [over(KEY, epochs=1)])
    store.write_results(first)
    seen = []
    for _ in kills(lambda: store.write_results(second)):
        seen.append(read_results(store.path / RESULTS))
        assert seen[-1] in (first, second)
        assert len((store.path / TABLE).read_text().splitlines()) in (1, 2)
        store.write_results(first)
    assert read_results(store.path / RESULTS) == second
    assert first in seen
    assert second in seen
    store.open()
    assert names(store.path) == {STUDY, RESULTS, TABLE, OTHER.name}


def test_whatever_was_left_is_swept_and_nothing_else(store: Folder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(b"theirs")
    (store.path / f"{NEW}file").write_bytes(b"half")
    (store.path / f"{NEW}folder").mkdir()
    (store.path / f"{NEW}folder" / "card.json").write_bytes(b"half")
    (store.path / f"{NEW}link").symlink_to(tmp_path / "elsewhere")
    (store.path / "notes.txt").write_bytes(b"theirs")
    store.open()
    assert names(store.path) == {STUDY, OTHER.name, "notes.txt"}
    assert (tmp_path / "elsewhere" / "file").read_bytes() == b"theirs"
    assert store.finished().keys() == {OTHER}
