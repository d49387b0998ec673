"""What came of a study: its numbers are those of its last epochs, and its file is read back or refused."""

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gumbel_core.studies import results
from gumbel_core.studies.grid import RunKey, Study
from gumbel_core.studies.results import COLUMNS, FORMAT, Results, Run, StudyError, read_results
from tests.unit.small_studies import (
    COMMAND,
    SHA256,
    VERSIONS,
    assert_one_sentence,
    diverged,
    epoch,
    over,
    results_of,
)

STUDY = Study(
    "mine", recipes=("small", "guide"), estimators=("reinmax", "gumbel_softmax"), temperatures=(0.1, 1),
    seeds=3, epochs=2,
)  # fmt: skip
KEY = STUDY.keys[0]


def whole() -> Results:
    """Every run is over, each with a test loss of its own; three have diverged."""
    runs = [over(key, test=32 + number / 7) for number, key in enumerate(STUDY.keys)]
    runs[2], runs[5] = diverged(STUDY.keys[2]), diverged(STUDY.keys[5], epochs=1)
    runs[7] = diverged(STUDY.keys[7], epochs=1)
    return results_of(STUDY, runs)


# Numbers


def test_a_runs_numbers_are_its_last_epochs() -> None:
    run = Run(KEY, (epoch(1, 90, 95, 99), epoch(2, 30.5, 31.75, 33.0)), diverged=False)
    assert (run.relaxed, run.hard, run.gap, run.test) == (30.5, 31.75, 1.25, 33.0)
    assert run.row() == ("small", "reinmax", 0.1, 0, 2, False, 30.5, 31.75, 1.25, 33.0, 31.0, 2.0)


def test_where_the_hard_loss_was_not_asked_for_it_is_what_was_descended() -> None:
    run = Run(KEY, (epoch(1, 30.5, None, 33.0),), diverged=False)
    assert (run.relaxed, run.hard, run.gap) == (30.5, 30.5, 0.0)


def test_a_run_that_diverged_has_a_line_as_far_as_it_came() -> None:
    key = RunKey("best", None, None, 3)
    assert diverged(key).row() == ("best", None, None, 3, 0, True, *[None] * 6)
    line = dict(zip(COLUMNS, diverged(key, epochs=1).row(), strict=True))
    assert (line["epochs"], line["diverged"], line["test"], line["test_kl"]) == (1, True, 32.0, 2.0)


def test_a_cell_has_the_runs_of_one_place_that_came_to_their_end() -> None:
    found = whole()
    assert found.table() == [run.row() for run in found.runs]
    keys = [run.key for run in found.cell("reinmax", 0.1)]
    assert keys == [RunKey("small", "reinmax", 0.1, seed) for seed in range(3)]
    # Numbers 2, 5 and 7 diverged, of the first seed's eight.
    assert [run.key.seed for run in found.cell("gumbel_softmax", 0.1)] == [1, 2]
    assert [run.key.seed for run in found.cell("reinmax", 1, "guide")] == [1, 2]
    assert [run.key.seed for run in found.cell("reinmax", 1.0, "guide")] == [1, 2]
    assert [run.key.seed for run in found.cell("reinmax", 0.1, "guide")] == [0, 1, 2]
    assert [run.key.seed for run in found.cell("gumbel_softmax", 1, "guide")] == [1, 2]
    assert found.cell(None, 0.1) == found.cell("reinmax", None) == []


def test_values_are_a_list_for_each_temperature() -> None:
    tests = [run.test if run.history else None for run in whole().runs]
    found = whole().values(lambda run: run.test, "gumbel_softmax")
    assert found == [[tests[10], tests[18]], [tests[3], tests[11], tests[19]]]


# The file


def written(found: Results, folder: Path) -> Path:
    path = folder / "results.json"
    path.write_bytes(found.to_json())
    return path


@pytest.mark.parametrize(
    "found",
    [
        whole(),
        replace(whole(), runs=()),
        replace(whole(), runs=whole().runs[3::5]),
        results_of(
            Study("mine", seeds=1, epochs=1), [Run(RunKey("small", None, None, 0), (epoch(1),), False)]
        ),
        results_of(
            Study("mine", temperatures=(1,), seeds=1, epochs=1),
            [Run(RunKey("small", None, 1, 0), (epoch(1, 1e-300, None, 0.1 + 0.2),), False)],
        ),
    ],
    ids=["whole", "none", "some", "without axes", "without a hard loss"],
)
def test_a_file_is_read_back_byte_for_byte(found: Results, tmp_path: Path) -> None:
    again = read_results(written(found, tmp_path))
    assert again == found
    assert again.to_json() == found.to_json()
    assert again.table() == found.table()


def test_the_file_says_what_it_is() -> None:
    told = json.loads(whole().to_json())
    assert told["format"] == FORMAT
    assert (told["command"], told["dataset_sha256"], told["versions"]) == (COMMAND, SHA256, VERSIONS)
    assert told["study"] == STUDY.to_json()
    first = told["runs"][0]
    assert {name: first[name] for name in ("recipe", "estimator", "temperature", "seed", "diverged")} == {
        "recipe": "small", "estimator": "reinmax", "temperature": 0.1, "seed": 0, "diverged": False,
    }  # fmt: skip
    assert first["history"][1]["test"] == {"reconstruction": 30.0, "kl": 2.0}


# Refusals


def refusal(path: Path) -> str:
    with pytest.raises(StudyError) as refused:
        read_results(path)
    assert_one_sentence(refused.value)
    return str(refused.value)


def test_what_is_not_there_or_no_file(tmp_path: Path) -> None:
    assert (
        refusal(tmp_path / "nothing")
        == f"There is no study to read: {tmp_path / 'nothing'}: No such file or directory."
    )
    assert refusal(tmp_path) == f"There is no study to read: {tmp_path}: Is a directory."


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"3", b'"format"', b"{}", b"\xff\xfe", b"\x89PNG\r\n", b"[" * 100_000,
        b'{"format":' * 50_000, b'{"format": ' + b"9" * 5_000 + b"}",
    ],
    ids=range(12),
)  # fmt: skip
def test_what_is_no_study(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content)
    assert "is no study of ours, or is damaged" in refusal(path)


def test_another_format_is_named(tmp_path: Path) -> None:
    content = whole().to_json().replace(b"study 1", b"study 2")
    path = tmp_path / "results.json"
    path.write_bytes(content)
    assert refusal(path) == f"{path} is not one of our studies: its format is not {FORMAT!r}."


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    content, path = whole().to_json(), tmp_path / "results.json"
    for length in range(0, len(content), len(content) // 50):
        path.write_bytes(content[:length])
        assert "damaged" in refusal(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(whole(), tmp_path)
    monkeypatch.setattr(results, "MAX_RESULTS", path.stat().st_size)
    assert read_results(path) == whole()
    monkeypatch.setattr(results, "MAX_RESULTS", path.stat().st_size - 1)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("It was read."))
    assert f"has more than {path.stat().st_size - 1:,} bytes" in refusal(path)


def _set(*path: str | int, to: object) -> Callable[[Any], None]:
    """Change the part of a file that is found at the path."""

    def change(told: Any) -> None:
        for name in path[:-1]:
            told = told[name]
        told[path[-1]] = to

    return change


RUN = ("runs", 0)
LAST = (*RUN, "history", 1)


@pytest.mark.parametrize(
    "change",
    [
        _set("study", to=None),
        _set("study", "epochs", to=0),
        _set("study", "seeds", to=2),  # There are runs of a third.
        _set("study", "epochs", to=1),  # There are runs of two.
        _set("study", "epochs", to=3),  # None has three, and not all have diverged.
        _set("study", "temperatures", to=[0.1]),
        _set("command", to=3),
        _set("dataset_sha256", to=None),
        _set("versions", to=["2.9.0"]),
        _set("versions", to={"torch": 2}),
        _set("runs", to=None),
        _set("runs", to={"0": 1}),
        _set("runs", 0, to=[]),
        _set("runs", 0, to="run"),
        _set(*RUN, "recipe", to="best"),
        _set(*RUN, "recipe", to=[]),
        _set(*RUN, "estimator", to=None),
        _set(*RUN, "temperature", to=0.11),
        _set(*RUN, "temperature", to="0.1"),
        _set(*RUN, "seed", to=3),
        _set(*RUN, "seed", to=1),  # There is one already.
        _set(*RUN, "later", to=1),
        _set(*RUN, "diverged", to=True),
        _set(*RUN, "diverged", to=0),
        _set("runs", 2, "diverged", to=False),  # It has no history.
        _set("runs", 2, "diverged", to=1),
        _set(*RUN, "history", to=None),
        _set(*RUN, "history", to=[]),
        _set(*RUN, "history", to=[None, None]),
        _set(*LAST, "relaxed", to=None),
        _set(*LAST, "test", to=None),
        _set(*LAST, "test", to=[30.0, 2.0]),
        _set(*LAST, "test", "kl", to="2"),
        _set(*LAST, "test", "kl", to=None),
        _set(*LAST, "test", "kl", to=True),
        _set(*LAST, "test", "kl", to=math.nan),
        _set(*LAST, "hard", "reconstruction", to=math.inf),
        _set(*LAST, "relaxed", "reconstruction", to=-math.inf),
        _set(*LAST, "test", "kl", to=10**400),
        _set(*LAST, "test", to={"reconstruction": 1.7e308, "kl": 1.7e308}),
        _set(*LAST, "test", "more", to=2.0),
        _set(*LAST, "temperature", to=math.nan),
        _set(*LAST, "temperature", to="0.1"),
        _set(*LAST, "images_per_second", to=math.inf),
        _set(*LAST, "hard", "kl", to=1e10),
        _set(*LAST, "epoch", to=1),
        _set(*LAST, "epoch", to=2.0),
        _set(*LAST, "step", to=61),
        _set(*LAST, "step", to=60.0),
        _set("runs", 5, "history", 0, "step", to=0),
        _set("runs", 5, "history", 0, "step", to=True),
        _set(*LAST, "later", to=1),
        lambda told: told["runs"].append(told["runs"][0]),
        lambda told: told["runs"].reverse(),
        lambda told: told["runs"][0].pop("diverged"),
        lambda told: told["runs"][0]["history"][1].pop("hard"),
        lambda told: told.pop("versions"),
    ],
)
def test_a_file_that_says_what_cannot_be(change: Callable[[Any], object], tmp_path: Path) -> None:
    told = json.loads(whole().to_json())
    change(told)
    path = tmp_path / "results.json"
    path.write_text(json.dumps(told))
    assert "is no study of ours, or is damaged" in refusal(path)


def test_a_run_longer_than_its_study(tmp_path: Path) -> None:
    told = json.loads(replace(whole(), runs=whole().runs[:1]).to_json())
    told["study"]["epochs"] = 1
    path = tmp_path / "results.json"
    path.write_text(json.dumps(told))
    assert "is no study of ours, or is damaged" in refusal(path)


def test_a_number_that_is_written_in_another_way_is_the_same_number(tmp_path: Path) -> None:
    told = json.loads(whole().to_json())
    path = tmp_path / "results.json"
    for run in told["runs"]:
        run["temperature"], run["seed"] = float(run["temperature"]), float(run["seed"])
    path.write_text(json.dumps(told, indent=2))
    assert read_results(path).to_json() == whole().to_json()


NASTY: list[object] = [
    None, True, False, 0, -1, 1.5, 10**400, -(10**30), math.nan, math.inf, 1e308, "", "NaN", "1", [], {},
    [[]], {"a": 1}, "\ud800",
]  # fmt: skip


def places(told: Any) -> list[tuple[Any, Any]]:
    """Every container of a file with each of its keys."""
    found = []
    for key, value in told.items() if isinstance(told, dict) else enumerate(told):
        found.append((told, key))
        if isinstance(value, dict | list):
            found += places(value)
    return found


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The file with a few bytes changed, cut out or doubled, or with a part of it replaced by another."""
    if chance.random() < 0.5:
        told = json.loads(content)
        for _ in range(chance.randint(1, 2)):
            container, key = chance.choice(places(told))
            container[key] = chance.choice([*NASTY, json.loads(content)["runs"][1]])
        return json.dumps(told).encode()
    at, length = chance.randrange(len(content)), chance.randint(1, 12)
    part = content[at : at + length]
    other = chance.choice([b"", part * 2, bytes(chance.randrange(256) for _ in part), b"9" * length, b"null"])
    return content[:at] + other + content[at + length :]


def assert_sound(found: Results) -> None:
    """All that a page or a table asks of results can be had."""
    numbers = [number for line in found.table() for number in line if isinstance(number, float)]
    assert all(math.isfinite(number) for number in numbers)
    for recipe in found.study.recipes:
        for estimator in found.study.estimators or (None,):
            found.values(lambda run: run.test + run.gap, estimator)
            for tau in found.study.temperatures or (None,):
                assert len(found.cell(estimator, tau, recipe)) <= found.study.seeds
    assert all(1 <= len(run.history) <= found.study.epochs or run.diverged for run in found.runs)
    assert [run.key for run in found.runs] == [key for key in found.study.keys if key in keys_of(found)]


def keys_of(found: Results) -> set[RunKey]:
    return {run.key for run in found.runs}


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_file_is_refused_or_holds_a_study(seed: int, tmp_path: Path) -> None:
    """And never anything in between, or another error."""
    chance, path, refused = random.Random(seed), tmp_path / "results.json", 0
    content = replace(whole(), runs=whole().runs[:8]).to_json()
    for _ in range(250):
        path.write_bytes(damaged(content, chance))
        try:
            found = read_results(path)
        except StudyError as error:
            refused += 1
            assert_one_sentence(error)
            continue
        assert_sound(found)
        path.write_bytes(found.to_json())
        assert read_results(path) == found
    assert 100 < refused < 250
