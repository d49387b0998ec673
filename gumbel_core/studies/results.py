"""What came of a study: each run's history, and the numbers at its end.

A run that diverged has a shorter history than its study has epochs. It has a line in the table, and no part
in a mean.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from gumbel_core.studies.grid import RunKey, Study
from gumbel_core.vae.records import EpochSummary

FORMAT = "gumbel-softmax-explorer study 1"
MAX_RESULTS = 2**26
# Nats that no image costs. Sums and squares of less are finite.
MOST = 1e9
COLUMNS = (
    "recipe", "estimator", "temperature", "seed", "epochs", "diverged",
    "relaxed", "hard", "gap", "test", "test_reconstruction", "test_kl",
)  # fmt: skip


class StudyError(ValueError):
    """A study that cannot be read or carried out: one plain sentence."""


@dataclass(frozen=True)
class Run:
    """A run that is over. Losses in nats an image: means over its last epoch, the test set's at its end."""

    key: RunKey
    history: tuple[EpochSummary, ...]
    diverged: bool

    @property
    def relaxed(self) -> float:
        """What was descended; of a hard estimator this is the hard loss."""
        return self.history[-1].relaxed.total

    @property
    def hard(self) -> float:
        """The loss of the same samples, made one-hot."""
        hard = self.history[-1].hard
        return self.relaxed if hard is None else hard.total

    @property
    def gap(self) -> float:
        return self.hard - self.relaxed

    @property
    def test(self) -> float:
        """The test set's hard loss."""
        return self.history[-1].test.total

    def row(self) -> tuple[object, ...]:
        """A line of the table, by `COLUMNS`. Of a run that diverged, the last epoch that it came to."""
        key = self.key
        numbers: tuple[object, ...] = (None,) * 6
        if self.history:
            test = self.history[-1].test
            numbers = (self.relaxed, self.hard, self.gap, self.test, test.reconstruction, test.kl)
        return (
            key.recipe, key.estimator, key.temperature, key.seed, len(self.history), self.diverged, *numbers,
        )  # fmt: skip


@dataclass(frozen=True)
class Results:
    """A study with those of its runs that are over, in the order of its keys."""

    study: Study
    runs: tuple[Run, ...]
    command: str
    dataset_sha256: str
    versions: Mapping[str, str]

    def cell(self, estimator: str | None, temperature: float | None, recipe: str | None = None) -> list[Run]:
        """The runs of one place of the grid, a seed each, that came to their end; of the first recipe."""
        place = (recipe or self.study.recipes[0], estimator, temperature)
        return [
            run
            for run in self.runs
            if (run.key.recipe, run.key.estimator, run.key.temperature) == place and not run.diverged
        ]

    def values(self, of: Callable[[Run], float], estimator: str | None) -> list[list[float]]:
        """A number of each run with that estimator: a list for each temperature, in it a value a seed."""
        return [[of(run) for run in self.cell(estimator, tau)] for tau in self.study.temperatures]

    def table(self) -> list[tuple[object, ...]]:
        return [run.row() for run in self.runs]

    def to_json(self) -> bytes:
        """The file that `read_results` reads."""
        told = {
            "format": FORMAT,
            "study": self.study.to_json(),
            "command": self.command,
            "dataset_sha256": self.dataset_sha256,
            "versions": dict(self.versions),
            "runs": [
                {**vars(run.key), "diverged": run.diverged, "history": [e.to_json() for e in run.history]}
                for run in self.runs
            ],
        }
        return json.dumps(told, separators=(",", ":")).encode()


def read_results(path: Path) -> Results:
    """The results in a file. Raises StudyError for whatever holds none."""
    try:
        if path.stat().st_size > MAX_RESULTS:
            raise StudyError(f"{path} has more than {MAX_RESULTS:,} bytes: it is no study of ours.")
        told = json.loads(path.read_bytes())
        if told["format"] != FORMAT:
            raise StudyError(f"{path} is not one of our studies: its format is not {FORMAT!r}.")
        return _results(told)
    except StudyError:
        raise
    except OSError as error:
        raise StudyError(f"There is no study to read: {path}: {error.strerror}.") from None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise StudyError(f"{path} is no study of ours, or is damaged ({type(error).__name__}).") from None


def _results(told: Mapping[str, Any]) -> Results:
    """What `to_json` told. Raises ValueError, or what else wrong JSON leads to."""
    study = Study.from_json(told["study"])
    # By what they equal: a file may say 1.0 where the study says 1.
    keys = {key: key for key in study.keys}
    runs = tuple(_run(keys, study.epochs, fields) for fields in told["runs"])
    found = {run.key for run in runs}
    _check([run.key for run in runs] == [key for key in keys if key in found])
    texts = [told["command"], told["dataset_sha256"], *told["versions"].values()]
    _check(all(isinstance(text, str) for text in texts))
    return Results(study, runs, told["command"], told["dataset_sha256"], told["versions"])


def _run(keys: Mapping[RunKey, RunKey], epochs: int, told: Mapping[str, Any]) -> Run:
    fields = dict(told)
    history = tuple(map(EpochSummary.from_json, fields.pop("history")))
    diverged = fields.pop("diverged")
    _check(len(history) <= epochs and diverged is (len(history) < epochs))
    _check_history(history)
    return Run(keys[RunKey(**fields)], history, diverged)


def _check_history(history: Sequence[EpochSummary]) -> None:
    """A page computes with these numbers: epochs that follow each other, and losses that are finite."""
    for number, epoch in enumerate(history, 1):
        losses = [epoch.relaxed, epoch.test] + ([] if epoch.hard is None else [epoch.hard])
        numbers = [epoch.temperature, epoch.images_per_second, *(loss for terms in losses for loss in terms)]
        _check(all(type(value) in (int, float) and isfinite(value) for value in numbers))
        _check(all(abs(loss) <= MOST for terms in losses for loss in terms))
        _check(type(epoch.epoch) is int and type(epoch.step) is int and epoch.step > 0)
        _check((epoch.epoch, epoch.step) == (number, number * history[0].step))


def _check(holds: bool) -> None:
    if not holds:
        raise ValueError
