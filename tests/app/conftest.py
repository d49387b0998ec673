"""What the tests of the training page stand in: a server of their own, without a network."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from torchvision import datasets as theirs

from gumbel_core.vae.live import LiveRun, Snapshot
from gumbel_core.vae.runs import Runs
from pages.components.live_runs import on_disk, runs

# Seconds until a test gives a run up.
PATIENCE = 60.0


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runs]:
    """The runs of a server that has no data set on its disk and reaches nobody. None outlives the test."""
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(tmp_path / "data"))
    for source in (theirs.MNIST, theirs.FashionMNIST, theirs.KMNIST):
        # Nothing listens there.
        monkeypatch.setattr(source, "mirrors", ["http://127.0.0.1:9/"])
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    forget()
    ours = runs()
    yield ours
    for owned in ours.owners.values():
        if owned.now:
            owned.now.run.stop()
    for thread in threading.enumerate():
        if thread.name == "live run":
            thread.join(PATIENCE)
    forget()


def forget() -> None:
    """What the process keeps between two tests."""
    runs.cache_clear()
    on_disk.cache_clear()
    st.cache_resource.clear()


@pytest.fixture
def reached() -> Callable[[LiveRun, Callable[[Snapshot], bool]], Snapshot]:
    def reached(run: LiveRun, state: Callable[[Snapshot], bool]) -> Snapshot:
        """The first snapshot of that state."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            snapshot = run.snapshot()
            if state(snapshot):
                return snapshot
            time.sleep(0.01)
        raise AssertionError(f"The run is still {run.snapshot().phase}.")

    return reached
