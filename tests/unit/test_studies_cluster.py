"""A study on a real Dask cluster: a scheduler and two workers on loopback, some of which are killed."""

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gumbel_core.__main__ import main
from tests.unit.study_commands import ROOT, kept, left, rows, started, table, told, words
from tests.waiting import until

# Each runs for long enough to be found in the middle.
EPOCHS, SEEDS = 15, 6
NAMES = [f"small-seed{seed}" for seed in range(SEEDS)]


@dataclass(frozen=True)
class Cluster:
    address: str
    scheduler: "subprocess.Popen[bytes]"
    workers: "tuple[subprocess.Popen[bytes], ...]"


@contextmanager
def dask(log: Path, folder: Path, role: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A scheduler or a worker that is started in that folder, with all that it says in a file."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{role}", *arguments, "--no-dashboard"]
    # Whatever data the command has are on another machine.
    environment = os.environ | {"GUMBEL_DATA_DIR": str(log.parent / "no data")}
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def said(words: str, log: Path) -> bool:
    return words in log.read_text()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler and two workers that know this package."""
    with dask_cluster(tmp_path, folder=ROOT) as cluster:
        yield cluster


@contextmanager
def dask_cluster(tmp_path: Path, *, folder: Path) -> Iterator[Cluster]:
    """A scheduler on a free port, and two workers that have registered with it, all started in a folder."""
    about, logs = tmp_path / "scheduler.json", [tmp_path / f"worker-{number}.log" for number in range(2)]
    # With --no-dashboard there still is a port for it, and another scheduler may have the usual one.
    where = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
    with ExitStack() as stack:
        scheduler = stack.enter_context(
            dask(tmp_path / "scheduler.log", folder, "scheduler", *where, "--scheduler-file", str(about))
        )
        until(lambda: about.exists() and about.read_text().endswith("}"), "scheduler")
        address = json.loads(about.read_text())["address"]
        options = ["--nthreads", "1", "--no-nanny", "--local-directory", str(tmp_path)]
        workers = tuple(stack.enter_context(dask(log, folder, "worker", address, *options)) for log in logs)
        for log in logs:
            until(partial(said, "Registered to", log), "worker")
        yield Cluster(address, scheduler, workers)


def test_a_worker_that_is_killed_costs_nothing_but_time(cluster: Cluster, tmp_path: Path) -> None:
    folder, local = tmp_path / "study", tmp_path / "local"
    arguments = words(folder, "--scheduler", cluster.address, epochs=EPOCHS, seeds=SEEDS)
    with started(arguments, tmp_path / "temporary") as process:
        assert process.stdout
        first = process.stdout.readline()
        cluster.workers[0].kill()
        out, err = process.communicate(timeout=180)
    assert (process.returncode, err) == (0, "")
    # Each once: a line is printed for each folder that is written.
    assert sorted(told(first + out)) == sorted(kept(folder)) == NAMES
    assert main(words(local, "--processes", "2", epochs=EPOCHS, seeds=SEEDS)) == 0
    assert table(folder) == table(local)
    for row in rows(folder):
        losses = read_events(folder / f"small-seed{row['seed']}")
        assert len(losses) == EPOCHS
        # TensorBoard keeps single precision.
        assert losses[-1] == pytest.approx(float(row["test"]), rel=1e-6)


def read_events(folder: Path) -> list[float]:
    """The test losses that TensorBoard's own reader finds, an epoch each. The images have to be there."""
    assert len(list(folder.glob("events.out.*"))) == 1
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    for name in ("reconstruction/train", "reconstruction/test"):
        assert [image.step for image in events.Images(name)] == list(range(1, EPOCHS + 1))
        assert events.Images(name)[0].encoded_image_string.startswith(b"\x89PNG")
    return [scalar.value for scalar in events.Scalars("metrics/avg_test_loss")]


def test_a_scheduler_that_goes_away_is_one_sentence_and_the_runs_are_kept(
    cluster: Cluster, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    arguments = words(folder, "--scheduler", cluster.address, epochs=EPOCHS, seeds=SEEDS)
    with started(arguments, tmp_path / "temporary") as process:
        assert process.stdout
        first = process.stdout.readline()
        cluster.scheduler.kill()
        out, err = process.communicate(timeout=180)
    assert (process.returncode, err) == (2, "The scheduler let go of the study's runs.\n")
    before = kept(folder)
    assert set(told(first + out)) == before == {f"small-seed{row['seed']}" for row in rows(folder)}
    assert 1 <= len(before) < SEEDS


def test_ctrl_c_leaves_a_cluster_to_others(cluster: Cluster, tmp_path: Path) -> None:
    folder, temporary = tmp_path / "study", tmp_path / "temporary"
    arguments = words(folder, "--scheduler", cluster.address, epochs=EPOCHS, seeds=SEEDS)
    with started(arguments, temporary) as process:
        assert process.stdout
        process.stdout.readline()
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=180)
    assert (process.returncode, err) == (130, "")
    assert out.splitlines()[-1].startswith(f"Stopped: {len(kept(folder))} of {SEEDS} runs are kept.")
    assert left(temporary) == []
    # The workers take the next one.
    arguments = words(tmp_path / "other", "--scheduler", cluster.address)
    with started(arguments, temporary) as process:
        out, err = process.communicate(timeout=180)
    assert (process.returncode, err) == (0, "")
    assert sorted(told(out)) == NAMES[:2]


def test_a_cluster_without_the_package_is_one_sentence(tmp_path: Path) -> None:
    with dask_cluster(tmp_path, folder=tmp_path) as cluster:
        arguments = words(tmp_path / "study", "--scheduler", cluster.address)
        with started(arguments, tmp_path / "temporary") as process:
            out, err = process.communicate(timeout=180)
    assert (process.returncode, out) == (2, "")
    (sentence,) = err.splitlines()
    assert sentence.startswith(f"The cluster at {cluster.address} cannot load this package (")
    assert kept(tmp_path / "study") == set()


def test_a_worker_without_the_data_is_one_sentence(cluster: Cluster, tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "study"
    write_kmnist(data / "KMNIST/raw")
    arguments = words(folder, "--dataset", "kmnist", "--scheduler", cluster.address)
    with started(arguments, tmp_path / "temporary", GUMBEL_DATA_DIR=str(data)) as process:
        out, err = process.communicate(timeout=180)
    assert (process.returncode, out) == (2, "")
    (sentence,) = err.splitlines()
    assert sentence.startswith(f"The data set kmnist is not in the folder {tmp_path / 'no data'}: ")
    assert kept(folder) == set()


def write_kmnist(raw: Path) -> None:
    """Black images, as many as there have to be, in the format of MNIST's files."""
    raw.mkdir(parents=True)
    for name, count in (("train", 60_000), ("t10k", 10_000)):
        images, labels = raw / f"{name}-images-idx3-ubyte", raw / f"{name}-labels-idx1-ubyte"
        images.write_bytes(struct.pack(">4I", 0x803, count, 28, 28) + bytes(count * 784))
        labels.write_bytes(struct.pack(">2I", 0x801, count) + bytes(count))
