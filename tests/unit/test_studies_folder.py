"""A study's folder: whose it is, and which of its runs are over."""

import csv
import json
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gumbel_core.checkpoints import CARD
from gumbel_core.files import NEW, UMASK
from gumbel_core.studies import folder as module
from gumbel_core.studies.folder import RESULTS, STUDY, TABLE, Folder, table_csv
from gumbel_core.studies.grid import RunKey, Study
from gumbel_core.studies.results import COLUMNS, Results, StudyError, read_results
from tests.unit.small_studies import SHA256, assert_one_sentence, diverged, over, results_of, run_files

STUDY_OF_TWO = Study("mine", temperatures=(0.5,), seeds=2, epochs=1)
FIRST, SECOND = STUDY_OF_TWO.keys


@pytest.fixture
def store(tmp_path: Path) -> Folder:
    """Open, and empty."""
    store = Folder(tmp_path / "studies" / "mine", STUDY_OF_TWO, SHA256)
    store.open()
    return store


def contents(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def refusal(store: Folder) -> str:
    """The sentence with which it is not opened; nothing in it has changed."""
    before = contents(store.path)
    with pytest.raises(StudyError) as refused:
        store.open()
    assert contents(store.path) == before
    assert_one_sentence(refused.value)
    return str(refused.value)


# Whose the folder is


def test_a_new_folder_is_made_and_opened_again(store: Folder) -> None:
    assert contents(store.path).keys() == {STUDY}
    assert json.loads((store.path / STUDY).read_bytes()) == {
        "study": STUDY_OF_TWO.to_json(), "dataset_sha256": SHA256,
    }  # fmt: skip
    before = contents(store.path)
    store.open()
    assert contents(store.path) == before
    assert store.finished() == {}


@pytest.mark.parametrize(
    "axes",
    [
        {"seeds": 5}, {"seeds": 1}, {"temperatures": (0.1, 0.5, 2.0)}, {"temperatures": ()},
        {"estimators": ("reinmax",)}, {"recipes": ("small", "guide")},
    ],
)  # fmt: skip
def test_a_study_is_taken_up_with_other_axes_and_keeps_its_runs(axes: dict[str, Any], store: Folder) -> None:
    run = store.write_run(FIRST, run_files(STUDY_OF_TWO, FIRST))
    other = replace(store, study=replace(STUDY_OF_TWO, **axes))
    other.open()
    assert other.finished() == ({FIRST: run} if FIRST in other.study.keys else {})
    assert json.loads((store.path / STUDY).read_bytes())["study"] == other.study.to_json()
    store.open()
    assert store.finished() == {FIRST: run}


@pytest.mark.parametrize(
    "other",
    [
        Folder(Path(), replace(STUDY_OF_TWO, name="other"), SHA256),
        Folder(Path(), replace(STUDY_OF_TWO, dataset="mnist"), SHA256),
        Folder(Path(), replace(STUDY_OF_TWO, epochs=2), SHA256),
        Folder(Path(), STUDY_OF_TWO, "6" * 64),
    ],
    ids=["name", "data set", "epochs", "images"],
)
def test_another_studys_folder_is_refused(other: Folder, store: Folder) -> None:
    assert "holds another study" in refusal(replace(other, path=store.path))


@pytest.mark.parametrize("name", ["notes.txt", ".hidden", "small-tau0.5-seed0/card.json", f"{NEW}mine/a.txt"])
def test_a_folder_of_something_else_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("theirs")
    assert "is not an empty folder, and holds no study" in refusal(Folder(tmp_path, STUDY_OF_TWO, SHA256))


def test_a_file_in_its_place_is_the_systems_to_refuse(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("theirs")
    with pytest.raises(FileExistsError):
        Folder(tmp_path / "mine", STUDY_OF_TWO, SHA256).open()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"3", b"{}", b'{"study": 3, "dataset_sha256": ""}', b"[" * 100_000,
        json.dumps({"study": STUDY_OF_TWO.to_json()}).encode(),
        json.dumps({"study": {**STUDY_OF_TWO.to_json(), "later": 1}, "dataset_sha256": SHA256}).encode(),
        json.dumps({"study": {**STUDY_OF_TWO.to_json(), "name": "A/B"}, "dataset_sha256": SHA256}).encode(),
    ],
    ids=range(11),
)  # fmt: skip
def test_a_damaged_study_is_refused(content: bytes, store: Folder) -> None:
    (store.path / STUDY).write_bytes(content)
    assert "study.json is damaged: name another folder." in refusal(store)


def test_a_study_that_ends_too_early_is_refused(store: Folder) -> None:
    content = (store.path / STUDY).read_bytes()
    for length in range(len(content)):
        (store.path / STUDY).write_bytes(content[:length])
        assert "study.json is damaged" in refusal(store)


def test_a_study_that_is_too_large_is_not_read(store: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    size = (store.path / STUDY).stat().st_size
    monkeypatch.setattr(module, "MAX_STUDY", size)
    store.open()
    monkeypatch.setattr(module, "MAX_STUDY", size - 1)
    assert "is too large to be a study's" in refusal(store)


# Runs


def test_a_run_is_kept_and_found(store: Folder) -> None:
    files = run_files(STUDY_OF_TWO, SECOND)
    run = store.write_run(SECOND, files)
    assert contents(store.path / SECOND.name) == files
    assert (run.key, len(run.history), run.diverged) == (SECOND, 1, False)
    assert [epoch.to_json() for epoch in run.history] == json.loads(files[CARD])["history"]
    assert store.finished() == {SECOND: run}
    assert replace(store).finished() == {SECOND: run}


def test_a_runs_folder_is_for_whom_the_umask_lets(store: Folder) -> None:
    store.write_run(FIRST, run_files(STUDY_OF_TWO, FIRST))
    assert stat.S_IMODE((store.path / FIRST.name).stat().st_mode) == 0o777 & ~UMASK


def test_a_run_that_diverged_is_over_too(store: Folder) -> None:
    longer = replace(store.study, epochs=3)
    store = Folder(store.path.parent / "longer", longer, SHA256)
    store.open()
    run = store.write_run(FIRST, run_files(longer, FIRST, epochs=1))
    assert (len(run.history), run.diverged) == (1, True)
    assert store.write_run(SECOND, run_files(longer, SECOND, epochs=0)).history == ()
    assert {key: run.diverged for key, run in store.finished().items()} == {FIRST: True, SECOND: True}


def flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(bytes(content))


def emptied(path: Path) -> None:
    shutil.rmtree(path)
    path.mkdir()


DAMAGES: Mapping[str, Callable[[Path], object]] = {
    "a bit of the weights": lambda path: flip(next(path.glob("weights-*")), -1),
    "a bit of the card": lambda path: flip(path / CARD, 100),
    "no weights": lambda path: next(path.glob("weights-*")).unlink(),
    "no card": lambda path: (path / CARD).unlink(),
    "half a card": lambda path: (path / CARD).write_bytes((path / CARD).read_bytes()[:500]),
    "nothing": emptied,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_missing_and_is_replaced(damage: str, store: Folder) -> None:
    files = run_files(STUDY_OF_TWO, FIRST)
    run, other = (store.write_run(key, run_files(STUDY_OF_TWO, key)) for key in STUDY_OF_TWO.keys)
    (store.path / FIRST.name / "more.txt").write_bytes(b"theirs")
    DAMAGES[damage](store.path / FIRST.name)
    store.open()
    assert store.finished() == {SECOND: other}
    assert store.write_run(FIRST, files) == run
    assert contents(store.path / FIRST.name) == files
    assert store.finished() == {FIRST: run, SECOND: other}


def test_another_run_in_its_place_is_not_taken_for_it(store: Folder) -> None:
    """Whoever renames a folder, or starts with other images, has none of this study's runs."""
    longer = replace(STUDY_OF_TWO, epochs=2)
    others = [
        run_files(STUDY_OF_TWO, SECOND),
        run_files(STUDY_OF_TWO, FIRST, sha256="6" * 64),
        run_files(longer, FIRST),
        run_files(STUDY_OF_TWO, replace(FIRST, temperature=0.25)),
    ]
    for files in others:
        with pytest.raises(StudyError, match=f"The run {FIRST.name} came back as another one") as refused:
            store.write_run(FIRST, files)
        assert_one_sentence(refused.value)
        assert store.finished() == {}
    assert store.write_run(FIRST, run_files(STUDY_OF_TWO, FIRST)).key == FIRST


def test_files_that_came_back_damaged_are_told(store: Folder) -> None:
    files = run_files(STUDY_OF_TWO, FIRST)
    (weights,) = (name for name in files if name.startswith("weights"))
    with pytest.raises(StudyError, match="or damaged"):
        store.write_run(FIRST, {**files, weights: files[weights][:-1]})


def test_runs_are_found_in_the_order_of_the_grid(store: Folder) -> None:
    for key in (SECOND, FIRST):
        store.write_run(key, run_files(STUDY_OF_TWO, key))
    assert list(store.finished()) == [FIRST, SECOND]


# What came of it


def test_the_results_and_the_table_are_read_back(store: Folder) -> None:
    study = Study("mine", estimators=("reinmax",), temperatures=(1, 1 / 3), seeds=2, epochs=2)
    runs = [over(key, test=32 + number / 7) for number, key in enumerate(study.keys)]
    runs[1], runs[2] = diverged(study.keys[1]), diverged(study.keys[2], epochs=1)
    found = results_of(study, runs)
    store.write_results(found)
    assert read_results(store.path / RESULTS) == found
    with (store.path / TABLE).open(newline="") as file:
        head, *lines = csv.reader(file)
    assert tuple(head) == COLUMNS
    assert lines == [["" if cell is None else str(cell) for cell in line] for line in found.table()]
    # A number has all its digits.
    assert float(lines[3][COLUMNS.index("test")]) == runs[3].test
    assert (store.path / TABLE).read_text().count("\n") == 5
    assert "\r" not in table_csv(found)
    store.write_results(results_of(study, []))
    assert (store.path / TABLE).read_text() == ",".join(COLUMNS) + "\n"


def test_a_run_without_axes_has_empty_cells() -> None:
    study = Study("mine", seeds=1, epochs=2)
    line = table_csv(results_of(study, [over(RunKey("small", None, None, 0))])).splitlines()[1]
    assert line == "small,,,0,2,False,30.0,31.0,1.0,32.0,30.0,2.0"


# What a folder loses.


def shipped(store: Folder) -> Results:
    """The store as a study that ships: results, and no run's folder but the first."""
    results = results_of(store.study, [over(key, epochs=1) for key in store.study.keys])
    with store.alone():
        store.open()
        store.write_results(results)
    return results


def test_results_without_folders_are_known(store: Folder) -> None:
    results = shipped(store)
    assert store.finished() == {}
    assert list(store.known().values()) == list(results.runs)
    wider = replace(store, study=replace(store.study, seeds=store.study.seeds + 1))
    assert wider.known() == store.known()


@pytest.mark.parametrize("change", [{"name": "theirs"}, {"epochs": 7}, {"dataset": "mnist"}])
def test_results_of_another_study_are_not_known(change: dict[str, Any], store: Folder) -> None:
    shipped(store)
    assert replace(store, study=replace(store.study, **change)).known() == {}
    assert replace(store, dataset_sha256="0" * 64).known() == {}


def test_a_grid_that_would_lose_results_is_refused(store: Folder) -> None:
    shipped(store)
    before = (store.path / RESULTS).read_bytes()
    narrower = replace(store, study=replace(store.study, seeds=1))
    with pytest.raises(StudyError, match="has results of runs that this grid leaves out, and that have no f"):
        narrower.open()
    assert (store.path / RESULTS).read_bytes() == before


def test_one_command_at_a_time_works_on_a_folder(store: Folder) -> None:
    with (
        store.alone(),
        pytest.raises(StudyError, match=r"^Another command is at work on .*: wait for its end\.$"),
        replace(store).alone(),
    ):
        pass
    with store.alone():
        pass
