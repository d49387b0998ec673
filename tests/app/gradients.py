"""What the tests of Bias and variance stand in: what the browser would draw, and a page that costs little."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.estimators import ESTIMATORS
from gumbel_core.gradient_bench import QUICK_SAMPLES, BenchConfig
from gumbel_core.gradient_learning import LearningConfig
from tests.app.codes import snippets

Open = Callable[..., AppTest]
Printed = Callable[[str], str]
Downloads = dict[str, list[list[str]]]

FEW = 200
# The page untouched: the first example, at the link's default seed.
UNTOUCHED = BenchConfig((2.0, 0.5, -1.0), seed=11)
QUICK = BenchConfig((2.0, 0.5, -1.0), samples=FEW, seed=11)
OWN = {"preset": "Your own"}
TEMPERED = [name for name, estimator in ESTIMATORS.items() if estimator.tempered]


@dataclass
class Drawn:
    """The newest data of each figure, by key, and of the fan that follows the temperature."""

    figures: dict[str, Any] = field(default_factory=dict)
    fans: list[Any] = field(default_factory=list)

    def texts(self, key: str) -> list[str]:
        """Every text that Plotly draws in a figure."""
        return list(_texts(self.figures[key]["figure"]))

    def alt(self, key: str) -> str:
        text: str = self.figures[key]["alt"]
        return text


def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """In place of what the browser draws."""
    drawn = Drawn()

    def figure(*, key: str, data: Any) -> None:
        drawn.figures[key] = data

    def fan(*, key: str, data: Any) -> None:
        drawn.fans.append(data)

    monkeypatch.setattr("pages.components.figure._figure", figure)
    monkeypatch.setattr("pages.components.fan._fan", fan)
    return drawn


def spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few samples and few steps: every picture stands, and a page opens in a fraction of a second."""
    assert FEW < QUICK_SAMPLES
    monkeypatch.setattr("pages.components.gradients_config.quick_samples", lambda *_: FEW)
    monkeypatch.setattr("pages.components.gradients_panels.LearningConfig", partial(LearningConfig, steps=9))


def equations(at: AppTest) -> str:
    return "\n".join(element.value for element in at.latex)


def snippet(at: AppTest) -> str:
    (code,) = snippets(at)
    return code


def costs(at: AppTest) -> list[dict[str, str]]:
    """The rows of the table of costs. The editor of the logits is a table too."""
    (table,) = [element.value for element in at.dataframe if "Estimator" in element.value.columns]
    rows: list[dict[str, str]] = table.to_dict("records")
    return rows


def softmax(logits: tuple[float, ...]) -> Any:
    weights = np.exp(np.array(logits) - max(logits))
    return weights / weights.sum()


def _texts(part: Any) -> Any:
    """The strings under "text" and "name", however deep."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key in ("text", "name") and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)
    elif isinstance(part, list | tuple):
        for value in part:
            yield from _texts(value)
