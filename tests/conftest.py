"""What the tests stand in: one torch thread, a page opened by its link, its downloads, a snippet run
by itself."""

import contextlib
import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit
import torch
from streamlit.testing.v1 import AppTest

# Several test processes share a machine, and small tensors gain nothing from a second thread.
torch.set_num_threads(1)

PAGES = Path(__file__).parent.parent / "pages"


@pytest.fixture(autouse=True)
def _one_torch_thread() -> Iterator[None]:
    """A command sets the threads of its process, which here is that of all tests, and with them the last
    bits of a loss."""
    yield
    torch.set_num_threads(1)


@pytest.fixture
def open_page() -> Callable[..., AppTest]:
    """`open_page("sampling", tau="2.5")`: the page of that name, run once behind that query."""

    def open_page(name: str, **query: str) -> AppTest:
        at = AppTest.from_file(PAGES / f"{name}.py", default_timeout=30)
        at.query_params.update(query)
        return at.run()

    return open_page


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[list[str]]]:
    """The rows of every CSV file that a page offers, by name."""
    offered: dict[str, list[list[str]]] = {}

    def offer(_label: str, text: str, name: str, *_: object, **__: object) -> None:
        offered[name.removesuffix(".csv")] = list(csv.reader(text.splitlines()))

    monkeypatch.setattr(streamlit, "download_button", offer)
    return offered


@pytest.fixture
def printed() -> Callable[[str], str]:
    """What a piece of code prints when it is run by itself."""

    def printed(code: str) -> str:
        output = io.StringIO()
        with contextlib.redirect_stdout(output):
            exec(compile(code, "snippet", "exec"), {"__name__": "__main__"})
        return output.getvalue()

    return printed
