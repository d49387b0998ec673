"""`python -m gumbel_core study`: what it prints and keeps, and what it does when it is started again."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch

from gumbel_core.__main__ import main
from gumbel_core.checkpoints import load
from gumbel_core.commands import study
from gumbel_core.studies.results import read_results
from gumbel_core.studies.running import TRIES
from gumbel_core.studies.work import Task, carried_out
from gumbel_core.studies.workers import Workers
from gumbel_core.vae.training import Training
from tests.unit.study_commands import DeathError, kept, on_a_thread, rows, table, told, words

GRID = ["--estimators", "gumbel_softmax", "reinmax", "--temperatures", "0.5", "2"]
CELLS = [("gumbel_softmax", 0.5), ("gumbel_softmax", 2.0), ("reinmax", 0.5), ("reinmax", 2.0)]
NAMES = [f"small-{estimator}-tau{tau}-seed{seed}" for seed in range(2) for estimator, tau in CELLS]

Streams = pytest.CaptureFixture[str]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "processes", on_a_thread)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of eight runs, for all who only read it."""
    folder = tmp_path_factory.mktemp("studies") / "whole"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(study, "processes", on_a_thread)
        assert main(words(folder, *GRID)) == 0
    return folder


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    """The same, for who changes it."""
    return shutil.copytree(whole, tmp_path / "copy")


def stamps(folder: Path) -> dict[str, int]:
    """When each run's files were written."""
    return {str(path): path.stat().st_mtime_ns for path in folder.glob("*-seed*/*")}


# From beginning to end.


def test_a_study_on_two_processes_prints_its_table_and_keeps_its_runs(
    whole: Path, tmp_path: Path, capsys: Streams
) -> None:
    folder = tmp_path / "a study"
    capsys.readouterr()
    assert main(words(folder, *GRID, "--processes", "2")) == 0
    out, err = capsys.readouterr()
    assert err == ""  # the bar is for terminals
    *lines, header, first, second, third, fourth, last = out.splitlines()
    assert sorted(told(out)) == sorted(NAMES)
    assert len(lines) == len(NAMES)
    assert header.split()[:6] == ["recipe", "estimator", "tau", "relaxed", "hard", "gap"]
    found = rows(folder)
    for line, (estimator, tau) in zip((first, second, third, fourth), CELLS, strict=True):
        cell = [row for row in found if (row["estimator"], float(row["temperature"])) == (estimator, tau)]
        numbers = [
            *(
                f"{fmean(float(row[name]) for row in cell):.2f}"
                for name in ("relaxed", "hard", "gap", "test")
            ),
            f"({min(float(row['test']) for row in cell):.2f},",
            f"{max(float(row['test']) for row in cell):.2f})",
        ]
        assert line.split() == ["small", estimator, f"{tau:g}", *numbers, "of", "2"]
    assert last == f"in {folder}; to look at the runs: tensorboard --logdir {folder}"
    assert kept(folder) == set(NAMES)
    # Neither the processes nor their order change a number.
    assert table(folder) == table(whole)


def test_the_table_is_what_the_checkpoints_say(whole: Path) -> None:
    found = rows(whole)
    keys = (f"{row['recipe']}-{row['estimator']}-tau{row['temperature']}-seed{row['seed']}" for row in found)
    assert list(keys) == NAMES
    for row, name in zip(found, NAMES, strict=True):
        state = load(whole / name).state
        (epoch,) = state.history
        assert (str(state.config.seed), "1", "False") == (row["seed"], row["epochs"], row["diverged"])
        assert float(row["relaxed"]) == epoch.relaxed.total
        assert float(row["test"]) == epoch.test.total
        assert float(row["test"]) == float(row["test_reconstruction"]) + float(row["test_kl"])
        assert float(row["gap"]) == pytest.approx(float(row["hard"]) - float(row["relaxed"]), abs=1e-12)
        # A hard estimator has one loss.
        assert (float(row["gap"]) == 0) == (row["estimator"] == "reinmax")
    results = read_results(whole / "results.json")
    assert [run.key.name for run in results.runs] == NAMES
    assert [float(row["test"]) for row in found] == [run.test for run in results.runs]


def test_what_is_kept_says_which_command_made_it(whole: Path) -> None:
    typed = " ".join(["python", "-m", "gumbel_core", *words(whole, *GRID)])
    assert read_results(whole / "results.json").command == typed
    assert {load(whole / name).command for name in NAMES} == {typed}


def test_a_run_of_a_study_is_the_run_of_the_train_command(quick: None, tmp_path: Path) -> None:
    assert main(words(tmp_path / "study", epochs=2, seeds=2)) == 0
    alone = [
        "train",
        "--recipe",
        "small",
        "--seed",
        "1",
        "--epochs",
        "2",
        "--threads",
        "1",
        "--device",
        "cpu",
    ]
    assert main([*alone, "--out", str(tmp_path / "alone")]) == 0
    ours, theirs = load(tmp_path / "study" / "small-seed1").state, load(tmp_path / "alone").state
    assert ours.config == theirs.config
    assert ours.model.keys() == theirs.model.keys()
    for name, weights in ours.model.items():
        assert torch.equal(weights, theirs.model[name])


def test_a_folder_is_named_for_the_study_and_its_data(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["study", "mine", "--seeds", "1", "--epochs", "1"]) == 0
    assert kept(tmp_path / "runs" / "mine-digits") == {"small-seed0"}


@pytest.mark.parametrize(
    ("cores", "arguments", "processes", "threads"),
    [
        (8, [], 8, 1),
        (8, ["--processes", "2"], 2, 4),
        (8, ["--processes", "3"], 3, 2),
        (2, ["--processes", "5"], 5, 1),
        (8, ["--processes", "2", "--threads", "3"], 2, 3),
        (8, ["--threads", "3"], 8, 3),
    ],
)  # fmt: skip
def test_cores_are_shared_among_the_processes(
    cores: int,
    arguments: list[str],
    processes: int,
    threads: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    @contextmanager
    def counted(count: int) -> Iterator[Workers]:
        asked.append(count)
        with on_a_thread(count) as workers:
            yield workers

    def watched(task: Task) -> dict[str, bytes]:
        asked.append(task.threads)
        return carried_out(task)

    monkeypatch.setattr(study, "cores", lambda: cores)
    monkeypatch.setattr(study, "processes", counted)
    monkeypatch.setattr("gumbel_core.studies.running.carried_out", watched)
    assert main(["study", "x", "--out", str(tmp_path), "--seeds", "1", "--epochs", "1", *arguments]) == 0
    assert asked == [processes, threads]


# Started again.


def test_a_study_that_is_done_is_left_as_it_is(copy: Path, quick: None, capsys: Streams) -> None:
    before, at = table(copy), stamps(copy)
    capsys.readouterr()
    assert main(words(copy, *GRID)) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"8 of 8 runs are in {copy} already.\n")
    assert told(out) == []
    assert (table(copy), stamps(copy)) == (before, at)


def test_only_what_is_missing_or_damaged_is_done_again(copy: Path, quick: None, capsys: Streams) -> None:
    before, at = table(copy), stamps(copy)
    missing, damaged, foreign = NAMES[1], NAMES[4], NAMES[6]
    shutil.rmtree(copy / missing)
    (copy / damaged / "card.json").write_bytes(b"{}")
    # A run with another seed, in the place of this one.
    shutil.rmtree(copy / foreign)
    shutil.copytree(copy / NAMES[2], copy / foreign)
    capsys.readouterr()
    assert main(words(copy, *GRID)) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"5 of 8 runs are in {copy} already.\n")
    assert sorted(told(out)) == sorted([missing, damaged, foreign])
    assert table(copy) == before
    same = {path for path in at if Path(path).parent.name not in (missing, damaged, foreign)}
    assert {path: stamps(copy)[path] for path in same} == {path: at[path] for path in same}


def test_a_grid_is_extended_and_narrowed_and_keeps_its_runs(
    copy: Path, quick: None, tmp_path: Path, capsys: Streams
) -> None:
    wider = ["--estimators", "reinmax", "gumbel_softmax", "--temperatures", "0.5", "1", "2"]
    at = stamps(copy)
    capsys.readouterr()
    assert main(words(copy, *wider, seeds=3)) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"8 of 18 runs are in {copy} already.\n")
    assert len(told(out)) == len(set(told(out)) - set(NAMES)) == 10
    assert stamps(copy).items() >= at.items()
    assert main(words(tmp_path / "at once", *wider, seeds=3)) == 0
    assert table(copy) == table(tmp_path / "at once")
    # A part of it is a table of its own, and takes nothing away.
    assert main(words(copy, "--estimators", "reinmax", "--temperatures", "2")) == 0
    assert [(row["estimator"], row["temperature"], row["seed"]) for row in rows(copy)] == [
        ("reinmax", "2.0", "0"),
        ("reinmax", "2.0", "1"),
    ]
    assert len(kept(copy)) == 18


# What goes wrong in a run.


class Mortal:
    """`carried_out`, but for a run whose workers die."""

    def __init__(self, seed: int) -> None:
        self.seed, self.tried = seed, 0

    def __call__(self, task: Task) -> dict[str, bytes]:
        if task.config.seed == self.seed:
            self.tried += 1
            raise DeathError
        return carried_out(task)


def test_a_run_that_kills_its_workers_is_told_and_tried_by_the_next_command(
    quick: None, tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        mortal = Mortal(seed=1)
        patched.setattr("gumbel_core.studies.running.carried_out", mortal)
        assert main(words(tmp_path / "study", seeds=3)) == 1
        assert mortal.tried == TRIES
    out, err = capsys.readouterr()
    (sentence,) = err.splitlines()
    assert sentence.startswith("1 runs are missing: ")
    assert "The same command tries again." in sentence
    assert told(out) == ["small-seed0", "small-seed2"]
    assert [row["seed"] for row in rows(tmp_path / "study")] == ["0", "2"]
    assert out.splitlines()[-2].endswith(" of 2")
    assert main(words(tmp_path / "study", seeds=3)) == 0
    assert told(capsys.readouterr().out) == ["small-seed1"]
    assert main(words(tmp_path / "undisturbed", seeds=3)) == 0
    assert table(tmp_path / "study") == table(tmp_path / "undisturbed")


def test_runs_that_diverge_have_their_line_and_no_part_in_a_mean(
    quick: None, tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Training._step

    def poisoned(training: Training) -> Any:
        reached = {0: 31, 1: 1}.get(training.config.seed)
        if training.config.temperature.at(0, steps=1, epoch_steps=1) == 2 and training.step == reached:
            with torch.no_grad():
                for weights in training.model.parameters():
                    weights.fill_(float("nan"))
        return step(training)

    monkeypatch.setattr(Training, "_step", poisoned)
    grid = ["--estimators", "reinmax", "--temperatures", "1", "2"]
    assert main(words(tmp_path, *grid, epochs=2)) == 0
    out = capsys.readouterr().out.splitlines()
    assert "small-reinmax-tau2.0-seed0: diverged after 1 epochs" in out
    assert "small-reinmax-tau2.0-seed1: diverged after 0 epochs" in out
    assert out[-3].endswith(" of 2")
    assert out[-2].split() == ["small", "reinmax", "2", *["no", "run", "came", "to", "its", "end"]]
    found = [(row["epochs"], row["diverged"], row["test"] != "") for row in rows(tmp_path)]
    assert found == [("2", "False", True), ("1", "True", True), ("2", "False", True), ("0", "True", False)]
    # They are over: the next command does not do them again.
    assert main(words(tmp_path, *grid, epochs=2)) == 0
    assert told(capsys.readouterr().out) == []


def test_an_error_in_a_run_ends_the_study_and_keeps_what_was_over(
    quick: None, tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(task: Task) -> dict[str, bytes]:
        if task.config.seed == 2:
            raise OSError(28, "No space left on device")
        return carried_out(task)

    monkeypatch.setattr("gumbel_core.studies.running.carried_out", full)
    assert main(words(tmp_path, seeds=4)) == 1
    assert capsys.readouterr().err == "A file could not be read or written: No space left on device.\n"
    assert kept(tmp_path) >= {"small-seed0", "small-seed1"}
    assert [row["seed"] for row in rows(tmp_path)][:2] == ["0", "1"]
