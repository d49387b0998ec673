"""Streamlit servers as child processes, each on a free port, gone when the benchmark ends."""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Both run from the root and so under the same .streamlit/config.toml: the ratios compare apps, not settings.
FLAGS = {"server.headless": "true", "server.address": "127.0.0.1"}
START_LIMIT = 120.0  # seconds; the real app imports torch before it answers


@dataclass(frozen=True)
class Server:
    """A server that answers: its address, and the number of its process."""

    address: str
    pid: int


def exit_on_terminate() -> None:
    """Turn SIGTERM and SIGHUP into SystemExit, so that the servers below are stopped then too."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: sys.exit(128 + received))


@contextlib.contextmanager
def serve(script: str, environment: Mapping[str, str] | None = None) -> Iterator[str]:
    """As `running`, for who needs no more than its address."""
    with running(script, environment) as server:
        yield server.address


@contextlib.contextmanager
def running(script: str, environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run `streamlit run script` from the repository's root, and yield it once it is healthy.

    Args:
        script: path of the app, relative to the root.
        environment: what the server's environment has beyond ours.

    Raises:
        RuntimeError: it ended or did not answer in time; the message ends with what the server said last.
    """
    port = free_port()
    flags = [f"--{name}={value}" for name, value in (FLAGS | {"server.port": str(port)}).items()]
    command = [sys.executable, "-m", "streamlit", "run", script, *flags]
    variables = {**os.environ, **(environment or {})}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT)
        try:
            address = f"http://127.0.0.1:{port}"
            await_health(address, process, log)
            yield Server(address, process.pid)
        finally:
            stop(process)


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_health(address: str, process: subprocess.Popen[bytes], log: IO[str]) -> None:
    """Return when `/_stcore/health` answers; RuntimeError when it cannot any more."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/_stcore/health", timeout=5):
            return
        time.sleep(0.1)
    log.seek(0)
    raise RuntimeError(f"{' '.join(map(str, process.args))} did not start:\n{log.read()[-2000:]}")  # type: ignore[arg-type]


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end, and insist after ten seconds."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
