"""What the tests of Inside a code stand in: stand-ins for what the browser draws, and oracles."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest
from torch import Tensor

from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.datasets import enlarged, load, unit
from gumbel_core.vae.model import CategoricalVAE
from pages.components.cells import CodeOnShow
from pages.components.live_runs import CHECKPOINTS

ROOT, OWNER = CHECKPOINTS.parent, "o" * 32
PAGE = ROOT / "pages" / "vae_codes.py"
FOLDER = Path(os.environ.get("GUMBEL_DATA_DIR", ROOT.parent / "shared" / "data"))
MNIST, DIGITS = "shipped: mnist", "shipped: digits"
STAND_IN = "MNIST's images are not on this disk: in their place stand the bundled digits, enlarged."
# What the stand-in cells and pad do when their button is pressed.
FLIP, SELECT = (3, 1), 4
INK = np.zeros((56, 56), np.uint8)
INK[10:46, 24:30] = 255

needs_mnist = pytest.mark.skipif(not (FOLDER / "MNIST").is_dir(), reason="MNIST is not on this disk.")
# With MNIST on the disk, and without.
folders = pytest.mark.parametrize("mnist", [False, pytest.param(True, marks=needs_mnist)])
titles = pytest.mark.parametrize("title", [MNIST, DIGITS])


@dataclass
class Shown:
    """What the page has drawn: its codes, and its newest sheets of pictures by key."""

    codes: list[CodeOnShow] = field(default_factory=list)
    sheets: dict[str, Any] = field(default_factory=dict)

    @property
    def code(self) -> CodeOnShow:
        return self.codes[-1]


def stand_ins(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """In place of what the browser draws. The stand-ins' buttons call what a click or a stroke would."""
    shown = Shown()

    def cells(code: CodeOnShow, _shape: Any, *, on_flip: Any, on_select: Any, **_: object) -> None:
        shown.codes.append(code)
        st.button("flip", on_click=on_flip, args=FLIP)
        st.button("select", on_click=on_select, args=(SELECT,))

    def pad(*, on_drawing: Any, **_: object) -> None:
        st.button("draw", on_click=on_drawing, args=(INK,))
        st.button("wipe", on_click=on_drawing, args=(INK * 0,))

    def sheet(pictures: Any, _shape: Any, *, key: str, **_: object) -> None:
        shown.sheets[key] = pictures

    monkeypatch.setattr("pages.components.cells.cells", cells)
    monkeypatch.setattr("pages.components.codes_choice.pad", pad)
    for place in ("sheet", "codes_panels"):
        monkeypatch.setattr(f"pages.components.{place}.sheet", sheet)
    return shown


def open_codes(**query: str) -> AppTest:
    """The page behind that query, as the frame leaves it to its pages."""
    at = AppTest.from_file(PAGE, default_timeout=60)
    at.session_state["_owner"] = OWNER
    at.query_params.update(query)
    return at.run()


def press(at: AppTest, label: str) -> None:
    (button,) = [button for button in at.button if button.label == label]
    assert not button.disabled
    button.click().run()
    assert not at.exception


def words(at: AppTest) -> str:
    """What the page says, as it is read: a backslash makes a character literal."""
    return re.sub(r"\\(.)", r"\1", "\n".join(element.value for element in [*at.caption, *at.markdown]))


def errors(at: AppTest) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", element.value) for element in at.error]


def warnings(at: AppTest) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", element.value) for element in at.warning]


def snippets(at: AppTest) -> list[str]:
    return [element.value for element in at.code if element.language == "python"]


def quiet(at: AppTest) -> bool:
    return not (at.exception or at.error or at.warning)


def model_of(title: str) -> CategoricalVAE:
    return load_checkpoint(CHECKPOINTS / title.removeprefix("shipped: ")).model()


def images(title: str, mnist: bool) -> Tensor:
    """(M, D) in [0, 1]: what the page has to show."""
    if title == MNIST:
        return unit(load("mnist").test if mnist else enlarged(load("digits").test))
    return unit(load("digits").test)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def same(left: Any, right: Any) -> bool:
    """Two arrays or tensors of one shape, equal to the last bit."""
    return np.array_equal(np.asarray(left), np.asarray(right))
