"""Who carries a study out: processes of this machine, or a Dask cluster. Both are an `Executor`."""

import logging
import multiprocessing
import os
import secrets
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from gumbel_core.machine import cores
from gumbel_core.studies.results import StudyError

# Seconds that a scheduler may take to answer, and a worker to hear that it is to end.
PATIENCE, GRACE = 10.0, 3

# A forked process may find PyTorch's threads in the middle of something: a new one has none.
SPAWN = multiprocessing.get_context("spawn")


class WorkerDiedError(RuntimeError):
    """A process ended in the middle of its run."""


@dataclass(frozen=True)
class Workers:
    """An executor, and what is particular to it."""

    executor: Executor
    died: tuple[type[Exception], ...]  # what a run's future raises whose worker is gone


@contextmanager
def processes(count: int) -> Iterator[Workers]:
    """So many processes on this machine. Left by an error or Ctrl-C, they drop what they are doing."""
    executor = Processes(count)
    try:
        yield Workers(executor, (WorkerDiedError,))
    except BaseException:
        executor.stop()
        raise
    finally:
        executor.shutdown()


@contextmanager
def cluster(scheduler: str) -> Iterator[Workers]:
    """The workers of a Dask scheduler, `tcp://host:8786`. Raises StudyError without one, or without Dask.

    They import this package and read the data set on their own machines; nothing else is shared.
    """
    try:
        from distributed import Client, KilledWorker  # an optional requirement
    except ImportError:
        raise StudyError(
            "Dask is not installed here: pip install -r requirements-cluster.txt, or leave --scheduler out."
        ) from None
    # Of a scheduler that goes away they log tracebacks; we say it in a sentence.
    for name in ("distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        client = Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise StudyError(f"There is no Dask scheduler at {scheduler} ({type(error).__name__}).") from None
    with client:
        # Two runs of one config would be taken for the same without `pure=False`.
        executor = client.get_executor(pure=False)
        try:
            _check_package(executor, scheduler)
            yield Workers(executor, (KilledWorker,))
        finally:
            executor.shutdown(wait=False)


def _check_package(executor: Executor, scheduler: str) -> None:
    """Have a function of ours carried out: whoever cannot load this package says so before the first run."""
    try:
        executor.submit(cores).result()
    # What a cluster raises that has another environment than ours, nobody can list.
    except Exception as error:
        raise StudyError(
            f"The cluster at {scheduler} cannot load this package ({type(error).__name__}): start its "
            "scheduler and its workers in the package's folder, with python -m."
        ) from None


class Processes(ThreadPoolExecutor):
    """Processes that die alone: each belongs to a thread, and the next run of that thread gets a new one.

    In a `ProcessPoolExecutor` one that dies takes the runs of all others with it, and if it does so while its
    result is under way, the pool waits for the rest for ever.
    """

    def __init__(self, count: int) -> None:
        super().__init__(count, thread_name_prefix="study")
        # Python's own helper process would die of a hang-up, and where it began Ctrl-C would be unblocked.
        if os.name == "posix":  # nowhere else is there one
            with _terminal_blocked():
                resource_tracker.ensure_running()
        self._own = threading.local()
        self._all: list[_Process] = []
        self._stopped = False

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        return super().submit(self._in_process, function, *args, **kwargs)

    def stop(self) -> None:
        """Let go of all runs, those that wait and those that are being carried out."""
        self._stopped = True
        super().shutdown(wait=False, cancel_futures=True)
        processes = list(self._all)
        for process in processes:
            process.terminate()
        for process in processes:
            process.insist()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait, cancel_futures=cancel_futures)
        for process in list(self._all):
            process.close()

    def _in_process(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not hasattr(self._own, "process"):
            self._own.process = _Process()
            self._all.append(self._own.process)
        # One that began while all were stopped was not among them.
        if self._stopped:
            raise CancelledError
        try:
            return self._own.process.call(function, *args, **kwargs)
        except WorkerDiedError:
            self._all.remove(self._own.process)
            del self._own.process
            raise


class _Process:
    """A process that carries out one function after the other."""

    def __init__(self) -> None:
        self._pipe, theirs = SPAWN.Pipe()
        # Named here, for what a killed worker leaves is removed here. The worker makes it.
        self._folder = Path(tempfile.gettempdir()) / f"gumbel-worker-{secrets.token_hex(8)}"
        self._process = SPAWN.Process(target=_serve, args=(theirs, self._folder), daemon=True)
        with _terminal_blocked():
            self._process.start()
        # Nobody else holds its end: when the process ends, so does whatever is read from it.
        theirs.close()

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What the function returns or raises. Raises WorkerDiedError where the process ends before that."""
        try:
            self._pipe.send((function, args, kwargs))
            well, answer = self._pipe.recv()
        except (EOFError, OSError):
            self.close()
            raise WorkerDiedError("A worker ended in the middle of its run.") from None
        if well:
            return answer
        raise answer

    def terminate(self) -> None:
        self._process.terminate()

    def insist(self) -> None:
        """That it ends. Deep in a computation it hears nothing, nor while it is stopped."""
        self._process.join(GRACE)
        self._process.kill()

    def close(self) -> None:
        """Have no more functions for it, and wait for its end."""
        self._pipe.close()
        self.insist()
        self._process.join()
        for folder in (self._folder, _gone(self._folder)):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _terminal_blocked() -> Iterator[None]:
    """A process that begins here does not hear its terminal, which tells its parent, too: that decides.

    Before its first line of Python it could not ignore anything, and would say where it was.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(pipe: "Connection[Any, Any]", folder: Path) -> None:
    """A worker's life. It takes its temporary files with it, and does not outlive its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it could not be blocked
    signal.signal(signal.SIGTERM, lambda *_: _end(folder))
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    # Where there is no room for it, neither is there for a run, which says so in its turn.
    with suppress(OSError):
        folder.mkdir(mode=0o700)
        tempfile.tempdir = str(folder)
    # The parent closes its end when it has nothing more to do.
    with suppress(EOFError, OSError):
        while True:
            function, args, kwargs = pipe.recv()
            pipe.send(_answer(function, args, kwargs))
    _end(folder)


def _answer(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[bool, Any]:
    """Whether all went well, and what the function returned or raised."""
    try:
        return True, function(*args, **kwargs)
    except Exception as error:
        # A traceback does not travel.
        error.add_note("".join(traceback.format_tb(error.__traceback__)))
        return False, error


def _end(folder: Path) -> NoReturn:
    """At once. An exception would have to find its way out of whatever is being done, and of destructors."""
    # TensorBoard's thread writes on meanwhile, and complains where its folder is taken away under it.
    threading.excepthook = lambda _: None
    # Under another name nobody adds a file to it while it is removed.
    with suppress(OSError):
        folder.rename(_gone(folder))
    shutil.rmtree(_gone(folder), ignore_errors=True)
    os._exit(1)


def _gone(folder: Path) -> Path:
    return folder.with_suffix(".gone")


def _end_with_parent(folder: Path) -> None:
    """A parent that is killed cannot say so, and a worker in the middle of a run would go on to its end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
        # Where the signal does not wake it.
        time.sleep(GRACE)
        _end(folder)
