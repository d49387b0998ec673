"""`python -m benchmarks.study`: a study by two processes over the same study by one.

The workers are at work already: each has read its images and trained once. What it takes to bring them there
is printed beside it, as a whole command's seconds, start to end.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import wait
from pathlib import Path

from benchmarks.report import Line, report
from gumbel_core.datasets import load
from gumbel_core.studies.grid import RunKey, Study, config_of
from gumbel_core.studies.running import carry_out
from gumbel_core.studies.work import Task, carried_out
from gumbel_core.studies.workers import Workers, processes

GOAL = 1.7
# Twelve runs of 600 steps.
STUDY = Study(
    "benchmark", temperatures=(0.3, 1.0), estimators=("gumbel_softmax", "reinmax"), seeds=3, epochs=20
)
ROUNDS = 3


def main() -> int:
    return report(lines())


def lines() -> Iterator[Line]:
    one, two = warm_seconds()
    ratio = statistics.median(first / second for first, second in zip(one, two, strict=True))
    cold = {count: cold_seconds(count) for count in (1, 2)}
    yield Line(
        f"a study of {len(STUDY)} runs, two processes over one",
        ratio,
        GOAL,
        unit="x",
        detail=f"{statistics.median(one):.1f} s beside {statistics.median(two):.1f}; whole commands "
        f"{cold[1]:.1f} s beside {cold[2]:.1f}",
    )


def warm_seconds() -> tuple[list[float], list[float]]:
    """Seconds of the study by one process and by two, in turns: what disturbs the machine disturbs both."""
    tasks = study_tasks()
    one, two = list[float](), list[float]()
    with processes(1) as single, processes(2) as pair:
        for workers, count in ((single, 1), (pair, 2)):
            warm_up(workers, count, next(iter(tasks.values())))
        for _ in range(ROUNDS):
            one.append(seconds(tasks, single))
            two.append(seconds(tasks, pair))
    return one, two


def study_tasks() -> Mapping[RunKey, Task]:
    sha256 = load(STUDY.dataset).sha256
    return {key: Task(config_of(STUDY, key), sha256, "benchmark") for key in STUDY.keys}


def warm_up(workers: Workers, count: int, task: Task) -> None:
    """A run on each worker."""
    wait([workers.executor.submit(carried_out, task) for _ in range(count)])


def seconds(tasks: Mapping[RunKey, Task], workers: Workers) -> float:
    start = time.perf_counter()
    ended = sum(1 for _ in carry_out(tasks, workers))
    if ended != len(tasks):
        raise RuntimeError("A worker died: nothing was measured.")
    return time.perf_counter() - start


def cold_seconds(count: int) -> float:
    """Of the command, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        who = ["--processes", str(count), "--threads", "1", "--out", str(Path(folder, "out"))]
        subprocess.run([*command(), *who], check=True, capture_output=True)
        return time.perf_counter() - start


def command() -> list[str]:
    """The study of `STUDY` as one types it."""
    return [
        sys.executable, "-m", "gumbel_core", "study", STUDY.name, "--epochs", str(STUDY.epochs),
        "--seeds", str(STUDY.seeds), "--estimators", *STUDY.estimators,
        "--temperatures", *map(str, STUDY.temperatures),
    ]  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
