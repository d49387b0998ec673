"""A study on the disk: a folder with `study.json`, a folder for each run that is over, and what came of it.

A run's folder is written whole or not at all, so whatever stops a study, starting it again does what is
missing. One command at a time works on a folder: `alone`.
"""

import csv
import io
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gumbel_core.checkpoints import CheckpointError, load
from gumbel_core.files import NEW, locked, replace_file, replace_folder
from gumbel_core.studies.grid import RunKey, Study, config_of
from gumbel_core.studies.results import COLUMNS, Results, Run, StudyError, read_results

STUDY, RESULTS, TABLE = "study.json", "results.json", "table.csv"
# What a study may be taken up with.
AXES = ("recipes", "estimators", "temperatures", "seeds")
MAX_STUDY = 2**20


@dataclass(frozen=True)
class Folder:
    """Where a study is kept, and which images it learns from."""

    path: Path
    study: Study
    dataset_sha256: str

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For the time of a block nobody else works on the folder. Raises StudyError where somebody does."""
        self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path) as ours:
            if not ours:
                raise StudyError(f"Another command is at work on {self.path}: wait for its end.")
            yield

    def open(self) -> None:
        """Make the folder this study's. Raises StudyError where it is another's, or something else.

        A study may be taken up with other recipes, estimators, temperatures or seeds: its runs stay.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        if (self.path / STUDY).exists():
            self._check_same()
            self._check_keeps()
        elif any(not _is_left(path) for path in self.path.iterdir()):
            raise StudyError(f"{self.path} is not an empty folder, and holds no study: name another.")
        self._sweep()
        replace_file(self.path / STUDY, json.dumps(self._told(), indent=1).encode())

    def finished(self) -> dict[RunKey, Run]:
        """The runs that are over. One that cannot be read, or is another run, is none."""
        found = ((key, self._run(key)) for key in self.study.keys)
        return {key: run for key, run in found if run is not None}

    def write_run(self, key: RunKey, files: Mapping[str, bytes]) -> Run:
        """Keep a run's files, and read back what came of it."""
        replace_folder(self.path / key.name, files)
        run = self._run(key)
        if run is None:
            raise StudyError(f"The run {key.name} came back as another one, or damaged.")
        return run

    def known(self) -> dict[RunKey, Run]:
        """What `results.json` says, of runs whose folders may be gone: of a study that ships, most are."""
        try:
            results = read_results(self.path / RESULTS)
        except StudyError:
            return {}
        same = (
            results.dataset_sha256 == self.dataset_sha256
            and _with_axes(results.study, self.study) == self.study
        )
        return {run.key: run for run in results.runs} if same else {}

    def write_results(self, results: Results) -> None:
        replace_file(self.path / RESULTS, results.to_json())
        replace_file(self.path / TABLE, table_csv(results).encode())

    def _run(self, key: RunKey) -> Run | None:
        try:
            checkpoint = load(self.path / key.name)
        except CheckpointError:
            return None
        config = config_of(self.study, key)
        if checkpoint.state.config != config or checkpoint.dataset_sha256 != self.dataset_sha256:
            return None
        history = tuple(checkpoint.state.history)
        return Run(key, history, diverged=len(history) < config.epochs)

    def _sweep(self) -> None:
        """Take away what a process left behind that was killed while it wrote."""
        for path in self.path.glob(f"{NEW}*"):
            if _is_left(path):
                path.unlink()
            else:
                shutil.rmtree(path, ignore_errors=True)

    def _check_keeps(self) -> None:
        """A narrower grid loses no result: what it leaves out has a folder, to be read again."""
        named = set(self.study.keys)
        if any(key not in named and not (self.path / key.name).is_dir() for key in self.known()):
            raise StudyError(
                f"{self.path} has results of runs that this grid leaves out, and that have no folder: name "
                "another folder."
            )

    def _told(self) -> dict[str, Any]:
        return {"study": self.study.to_json(), "dataset_sha256": self.dataset_sha256}

    def _check_same(self) -> None:
        there = _read(self.path / STUDY)
        try:
            study = _with_axes(Study.from_json(there["study"]), self.study)
            sha256 = there["dataset_sha256"]
        except (KeyError, TypeError, ValueError):
            raise StudyError(f"{self.path / STUDY} is damaged: name another folder.") from None
        if study != self.study or sha256 != self.dataset_sha256:
            raise StudyError(
                f"{self.path} holds another study, for its name, data or epochs differ: name another folder."
            )


def table_csv(results: Results) -> str:
    """The table as a file, a line a run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([COLUMNS, *results.table()])
    return text.getvalue()


def _with_axes(study: Study, other: Study) -> Study:
    """The study over another one's axes."""
    return replace(study, **{name: getattr(other, name) for name in AXES})


def _is_left(path: Path) -> bool:
    """Whether it is a file that was never moved in place. Only that is found before there is a study."""
    return path.name.startswith(NEW) and (path.is_file() or path.is_symlink())


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > MAX_STUDY:
        raise StudyError(f"{path} is too large to be a study's.")
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise StudyError(f"{path} is damaged: name another folder.") from None
    return told
