"""Train a grid of runs on all cores, or on a Dask cluster, and tabulate what came of it."""

import argparse
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tqdm import tqdm

from gumbel_core.checks import check_whole
from gumbel_core.commands.report import FAILED, refused
from gumbel_core.commands.running import INTERRUPTED, THREADS, command_line, stop_signals
from gumbel_core.commands.train import folder
from gumbel_core.datasets import DATASETS, DataError, load, with_pixels
from gumbel_core.machine import cores
from gumbel_core.studies.folder import Folder
from gumbel_core.studies.grid import RunKey, Study, config_of
from gumbel_core.studies.results import Results, Run
from gumbel_core.studies.running import TRIES, carry_out
from gumbel_core.studies.work import Task
from gumbel_core.studies.workers import Workers, cluster, processes
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.recipes import RECIPES

PROCESSES = (1, 1_024)

# Seconds in which a second signal is not heard: it would fall into the end that the first one began, and many
# a sender tells a process and its group.
DEAF = 1.0

# What is done under `with whole()` is done whole: a signal is heard at its end.
Whole = Callable[[], AbstractContextManager[None]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The grid, and who carries it out."""
    parser.add_argument("name", help="the study's name: letters, digits, - and _")
    parser.add_argument("--dataset", default="digits", choices=DATASETS, help="(digits: works offline)")
    parser.add_argument(
        "--recipes", nargs="+", default=["small"], choices=RECIPES, metavar="NAME",
        help=f"model and training: {', '.join(RECIPES)} (small)",
    )  # fmt: skip
    parser.add_argument(
        "--estimators", nargs="+", default=[], choices=SURROGATES, metavar="NAME",
        help=f"ways to the gradient: {', '.join(SURROGATES)}; else the recipe's",
    )  # fmt: skip
    parser.add_argument(
        "--temperatures", nargs="+", type=float, default=[], metavar="TAU",
        help="each held throughout a run; else the recipe's schedule",
    )  # fmt: skip
    parser.add_argument("--seeds", type=int, default=5, metavar="INTEGER", help="runs of each kind (5)")
    parser.add_argument(
        "--epochs", type=int, default=10, metavar="INTEGER", help="passes over the images (10)"
    )
    parser.add_argument("--out", type=folder, metavar="FOLDER", help="(runs/NAME-DATASET)")
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--processes", type=int, metavar="INTEGER", help="on this machine (one a core)")
    who.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, such as tcp://host:8786")
    parser.add_argument("--threads", type=int, metavar="INTEGER", help="of PyTorch, in each run")
    parser.add_argument("--download", action="store_true", help="fetch the data set if it is not there")


def run(args: argparse.Namespace) -> int:
    """0 at the end, 130 at Ctrl-C, 1 where a run could not be had, 2 where a value is refused."""
    try:
        study = Study(
            args.name, args.dataset, tuple(args.recipes), tuple(args.estimators), tuple(args.temperatures),
            args.seeds, args.epochs,
        )  # fmt: skip
        path = args.out or Path("runs") / f"{study.name}-{study.dataset}"
        threads = _threads(args)
        with _stoppable() as whole:
            store = Folder(path, study, _sha256(study, args.download))
            with store.alone():
                store.open()
                return _carry_out(store, args, threads, whole)
    except (ValueError, DataError) as error:
        return refused(str(error))


def _carry_out(store: Folder, args: argparse.Namespace, threads: int, whole: Whole) -> int:
    """Do what is missing, and write what came of it all, wherever it ends."""
    command, finished, total = command_line(args), store.finished(), len(store.study)
    tasks = {
        key: Task(config_of(store.study, key), store.dataset_sha256, command, threads)
        for key in store.study.keys
        if key not in finished
    }
    if finished:
        print(f"{len(finished)} of {total} runs are in {store.path} already.")
    try:
        with _workers(args) as workers, _bar(total, len(finished)) as bar:
            for key, files in carry_out(tasks, workers):
                with whole():
                    finished[key] = store.write_run(key, files)
                # A run is kept before it is told, for nobody may listen any more.
                bar.update()
                tqdm.write(_line(finished[key]))
                sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"Stopped: {len(finished)} of {total} runs are kept. The same command does the others.")
        return INTERRUPTED
    finally:
        with whole():
            results = _results(store, finished, command)
            store.write_results(results)
    print(summary(results))
    print(f"in {store.path}; to look at the runs: tensorboard --logdir {store.path}")
    if missing := total - len(finished):
        print(
            f"{missing} runs are missing: each was tried {TRIES} times, and its worker died. The same "
            "command tries again.",
            file=sys.stderr,
        )
        return FAILED
    return 0


def _bar(total: int, finished: int) -> "tqdm[Any]":
    """How far the study has come, and the time left. For a terminal only: a log keeps the lines."""
    return tqdm(total=total, initial=finished, unit=" runs", smoothing=0, disable=None)


def summary(results: Results) -> str:
    """A line for each cell of the grid: means over its seeds, and the test losses' lowest and highest."""
    study = results.study
    lines = ["recipe      estimator           tau   relaxed      hard       gap  hard test (lowest, highest)"]
    for recipe in study.recipes:
        for estimator in study.estimators or (None,):
            for tau in study.temperatures or (None,):
                lines.append(_cell_line(results.cell(estimator, tau, recipe), recipe, estimator, tau))
    return "\n".join(lines)


def _cell_line(runs: Sequence[Run], recipe: str, estimator: str | None, tau: float | None) -> str:
    place = f"{recipe:11} {estimator or '':18} {'' if tau is None else f'{tau:g}':>4}"
    if not runs:
        return f"{place}  no run came to its end"
    relaxed, hard, gap, test = (
        sum(numbers) / len(runs)
        for numbers in zip(*((run.relaxed, run.hard, run.gap, run.test) for run in runs), strict=True)
    )
    tests = [run.test for run in runs]
    return (
        f"{place} {relaxed:9.2f} {hard:9.2f} {gap:9.2f} {test:9.2f} ({min(tests):.2f}, {max(tests):.2f}) "
        f"of {len(runs)}"
    )


def _line(run: Run) -> str:
    if run.diverged:
        return f"{run.key.name}: diverged after {len(run.history)} epochs"
    return f"{run.key.name}: relaxed {run.relaxed:.2f}, hard {run.hard:.2f}, hard test {run.test:.2f}"


def _results(store: Folder, finished: Mapping[RunKey, Run], command: str) -> Results:
    versions = {package: version(package) for package in ("torch", "numpy")}
    versions["python"] = platform.python_version()
    # A run that is to be done again keeps its numbers until it is.
    found = store.known() | dict(finished)
    runs = tuple(found[key] for key in store.study.keys if key in found)
    return Results(store.study, runs, command, store.dataset_sha256, versions)


def _sha256(study: Study, download: bool) -> str:
    """Of the images as each run reads them. Recipes of different pixels have no loss in common."""
    pixels = {RECIPES[recipe].config.pixels for recipe in study.recipes}
    if len(pixels) > 1:
        raise ValueError(f"These recipes score different pixels ({', '.join(sorted(pixels))}): ask apart.")
    return with_pixels(load(study.dataset, download=download), *pixels).sha256


def _threads(args: argparse.Namespace) -> int:
    """As many as the cores have room for; one in a cluster, whose cores are not known here."""
    if args.processes is not None:
        check_whole("The number of processes", args.processes, PROCESSES)
    if args.threads is not None:
        check_whole("The number of threads", args.threads, THREADS)
        return int(args.threads)
    return 1 if args.scheduler else max(1, cores() // (args.processes or cores()))


def _workers(args: argparse.Namespace) -> AbstractContextManager[Workers]:
    return cluster(args.scheduler) if args.scheduler else processes(args.processes or cores())


@contextmanager
def _stoppable() -> Iterator[Whole]:
    """A termination and a hang-up end a study as Ctrl-C does."""
    heard, held, deaf_until = False, False, 0.0

    def interrupt() -> NoReturn:
        nonlocal heard, deaf_until
        heard, deaf_until = False, time.monotonic() + DEAF
        raise KeyboardInterrupt

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if time.monotonic() < deaf_until:
            return
        if not held:
            interrupt()
        heard = True

    @contextmanager
    def whole() -> Iterator[None]:
        nonlocal held
        held = True
        try:
            yield
        finally:
            held = False
        if heard:
            interrupt()

    before = {number: signal.signal(number, stop) for number in stop_signals()}
    try:
        yield whole
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
