"""`python -m gumbel_core study`: what it refuses, in a sentence each, before it does anything."""

import json
import re
import sys
from pathlib import Path

import pytest

from gumbel_core.__main__ import main
from gumbel_core.commands import study
from gumbel_core.studies import workers
from tests.unit.study_commands import kept, on_a_thread, words

Streams = pytest.CaptureFixture[str]


def refusal(arguments: list[str], capsys: Streams, status: int = 2) -> str:
    """The one sentence with which a command line is refused; behind its usage, where argparse does it."""
    capsys.readouterr()
    try:
        ended = main(arguments)
    except SystemExit as refused:
        ended = int(refused.code or 0)
        lines = capsys.readouterr().err.splitlines()[-1:]
    else:
        lines = capsys.readouterr().err.splitlines()
    assert ended == status
    (sentence,) = lines
    return sentence


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--epochs 0", "from 1 to 1,000, not 0."),
        ("--seeds 0", "from 1 to 100, not 0."),
        ("--seeds 101", "not 101."),
        ("--seeds some", "invalid int value: 'some'"),
        ("--temperatures 0.5 0", "A temperature is a number from"),
        ("--temperatures nan", "not nan."),
        ("--temperatures inf", "not inf."),
        ("--temperatures 1 2 1", "is named once"),
        ("--temperatures cold", "invalid float value: 'cold'"),
        ("--estimators reinmax reinmax", "is named once"),
        ("--estimators none", "invalid choice: 'none'"),
        ("--recipes none", "invalid choice: 'none'"),
        ("--recipes small jang2017", "score different pixels (fixed, grey)"),
        ("--dataset faces", "invalid choice: 'faces'"),
        ("--dataset mnist", "The data set mnist is not in the folder"),
        ("--processes 0", "from 1 to 1,024, not 0."),
        ("--processes 1025", "not 1025."),
        ("--threads 0", "from 1 to 1,024, not 0."),
        ("--seeds 100 --temperatures .1 .2 .3 .4 .5 .6 .7 .8 .9 1 --estimators reinmax gumbel_softmax "
         "st_gumbel_softmax --recipes small best", "This grid has 6,000 runs: a study has at most 5,000."),
    ],
)  # fmt: skip
def test_bad_values_are_one_sentence_and_make_no_folder(
    arguments: str, reason: str, tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(tmp_path / "nowhere"))
    assert reason in refusal(["study", "x", "--out", str(tmp_path / "study"), *arguments.split()], capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "Mine", "my study", "../mine", "-", "ü", "a" * 41])
def test_other_names_are_refused(
    name: str, tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "name is made of small letters, digits" in refusal(["study", "--epochs", "1", "--", name], capsys)
    assert list(tmp_path.iterdir()) == []


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folders_of_other_things_are_refused_and_left_alone(
    tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "processes", on_a_thread)
    folder = tmp_path / "study"
    assert main(words(folder, seeds=1)) == 0
    before = contents(folder)
    for others in (
        words(folder, epochs=2),
        ["study", "other", *words(folder)[2:]],
        words(folder / "small-seed0"),
    ):
        assert "name another" in refusal(others, capsys)
    assert contents(folder) == before
    about = json.loads((folder / "study.json").read_bytes())
    for content, reason in (
        (json.dumps(about | {"dataset_sha256": "0" * 64}), "holds another study"),
        ("{", "is damaged"),
        ("[]", "is damaged"),
    ):
        (folder / "study.json").write_text(content)
        before = contents(folder)
        assert reason in refusal(words(folder), capsys)
        assert contents(folder) == before
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refusal(words(tmp_path / "file"), capsys, status=1)
    assert "name a folder" in refusal(["study", "x", "--out", " "], capsys)


def test_without_dask_its_absence_is_told(
    tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    sentence = refusal(words(tmp_path, "--scheduler", "tcp://127.0.0.1:8786"), capsys)
    assert sentence.startswith("Dask is not installed here: pip install -r requirements-cluster.txt")


@pytest.mark.parametrize("address", ["somewhere", "tcp://", "warp://127.0.0.1:1", "tcp://127.0.0.1:1"])
def test_a_scheduler_that_is_not_there_is_one_sentence(
    address: str, tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    sentence = refusal(words(tmp_path, "--scheduler", address), capsys)
    assert re.fullmatch(rf"There is no Dask scheduler at {re.escape(address)} \(\w+\)\.", sentence)
    assert kept(tmp_path) == set()


def test_the_help_says_what_each_option_is(capsys: Streams) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["study", "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    for word in ("digits", "mnist", "small", "notebook", "reinmax", "gumbel_softmax", "tcp://host:8786"):
        assert word in said
