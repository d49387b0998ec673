"""What the tests of Studies stand in: what the browser would draw, a shelf of their own, and made-up runs."""

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from gumbel_core.studies.grid import RunKey, Study
from gumbel_core.studies.results import Results, Run, read_results
from pages.components.studies_shelf import PLACES
from tests.unit.small_studies import diverged, epoch, results_of

SHIPPED = "shipped: temperature-digits"
FOLDER = PLACES["shipped"] / "temperature-digits"
TWO = Study(
    "two", estimators=("gumbel_softmax", "reinmax"), temperatures=(0.5, 2.0), seeds=2, epochs=2
)  # fmt: skip


def shelves(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Path:
    """Nothing ships but the study of the digits. Returns the folder that the command would write into."""
    for kind in PLACES:
        (folder / kind).mkdir()
        monkeypatch.setitem(PLACES, kind, folder / kind)
    (folder / "shipped" / FOLDER.name).symlink_to(FOLDER)
    return folder / "runs"


def measured() -> Results:
    return read_results(FOLDER / "results.json")


def made(study: Study, *lost: RunKey) -> Results:
    """Every run over, each with losses of its own; the lost ones have diverged."""
    return results_of(study, [diverged(key, 1) if key in lost else run_of(key) for key in study.keys])


def run_of(key: RunKey) -> Run:
    """Its losses tell its temperature and its seed."""
    tau, more = key.temperature or 0.0, key.seed / 8
    hard = None if key.estimator == "reinmax" else 26 + tau + more
    epochs = [epoch(number, 26 - tau + more, hard, 27 + tau + more) for number in (1, 2)]
    return Run(key, tuple(epochs), diverged=False)


def put(results: Results, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "results.json").write_bytes(results.to_json())


@dataclass
class Drawn:
    """The newest data of each figure, and where the page would have gone."""

    figures: dict[str, Any] = field(default_factory=dict)
    went: list[str] = field(default_factory=list)

    def alt(self, key: str) -> str:
        text: str = self.figures[key]["alt"]
        return text

    def line(self, key: str, name: str) -> Mapping[float, float]:
        """A figure's mean line of that name, by temperature."""
        (trace,) = [
            trace
            for trace in self.figures[key]["figure"]["data"]
            if html.unescape(trace.get("name", "")) == name and "lines" in trace["mode"]
        ]
        return dict(zip(trace["x"], trace["y"], strict=True))

    def names(self, key: str) -> set[str]:
        traces = self.figures[key]["figure"]["data"]
        return {html.unescape(trace["name"]) for trace in traces if "name" in trace}


def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """In place of what the browser draws. Where the page would go elsewhere it stops."""
    drawn = Drawn()

    def figure(*, key: str, data: Any) -> None:
        drawn.figures[key] = data

    def go(page: str, **_: object) -> None:
        drawn.went.append(page)
        st.stop()

    monkeypatch.setattr("pages.components.figure._figure", figure)
    monkeypatch.setattr(st, "switch_page", go)
    return drawn


def unescaped(text: str) -> str:
    """As it is read: a backslash makes a character literal, and a space may be one that does not break."""
    return re.sub(r"\\(.)", r"\1", text).replace("\u00a0", " ")


def words(at: AppTest) -> str:
    return unescaped("\n".join(element.value for element in [*at.markdown, *at.caption]))


def errors(at: AppTest) -> list[str]:
    return [unescaped(element.value) for element in at.error]


def warnings(at: AppTest) -> list[str]:
    return [unescaped(element.value) for element in at.warning]


def quiet(at: AppTest) -> bool:
    return not (at.exception or at.error or at.warning)


def button(at: AppTest, label: str) -> Any:
    (found,) = [button for button in at.button if button.label == label]
    return found


def press(at: AppTest, label: str) -> None:
    assert not button(at, label).disabled
    button(at, label).click().run()
    assert not at.exception


def table(at: AppTest) -> list[dict[str, Any]]:
    (frame,) = at.dataframe
    rows: list[dict[str, Any]] = frame.value.to_dict("records")
    return rows
