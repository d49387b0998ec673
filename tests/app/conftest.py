"""What the tests of the pages with models stand in: a server of their own, without data and a network."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from torchvision import datasets as theirs

from gumbel_core.runs import Runs
from pages.components.live_runs import on_disk, runs
from tests.app.codes import ROOT, Shown, stand_ins
from tests.waiting import PATIENCE


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
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shown]:
    """What the page of the codes draws on a server without a data set on its disk."""
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(ROOT)
    forget()
    yield stand_ins(monkeypatch)
    forget()
