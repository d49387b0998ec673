"""The pad: which of the browser's drawings reach the page."""

import base64
from typing import Any

import numpy as np
import pytest
import streamlit as st
from numpy.typing import NDArray

from pages.components import pad

INK = np.random.default_rng(0).integers(0, 256, (pad.SIDE, pad.SIDE), np.uint8)
TEXT = base64.b64encode(INK.tobytes()).decode()


class Browser:
    """In the place of the component: keeps what was sent, and says a drawing to the last callback."""

    def __call__(self, *, key: str, data: dict[str, Any], on_drawing_change: Any) -> None:
        self.key, self.data, self.hear = key, data, on_drawing_change

    def say(self, said: Any) -> None:
        st.session_state[self.key] = {"drawing": said}
        self.hear()


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = Browser()
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(pad, "_pad", browser)
    return browser


@pytest.fixture
def drawings() -> list[NDArray[np.uint8]]:
    return []


def test_a_drawing_arrives_row_by_row(browser: Browser, drawings: list[NDArray[np.uint8]]) -> None:
    pad.pad(on_drawing=drawings.append, cleared=2)
    assert browser.data == {"side": 56, "cleared": 2}
    browser.say({"ink": TEXT, "cleared": 2})
    (drawing,) = drawings
    assert drawing.shape == (56, 56)
    assert drawing.dtype == np.uint8
    assert np.array_equal(drawing, INK)
    # The page may scale it in place.
    assert drawing.flags.writeable


def test_a_cleared_pad_is_a_blank_drawing(browser: Browser, drawings: list[NDArray[np.uint8]]) -> None:
    pad.pad(on_drawing=drawings.append, cleared=0)
    browser.say({"ink": base64.b64encode(bytes(56 * 56)).decode(), "cleared": 0})
    assert drawings[0].shape == (56, 56)
    assert not drawings[0].any()


def test_a_drawing_from_before_the_wipe_is_not_taken(
    browser: Browser, drawings: list[NDArray[np.uint8]]
) -> None:
    pad.pad(on_drawing=drawings.append, cleared=1)
    browser.say({"ink": TEXT, "cleared": 0})
    assert drawings == []


def encoded(length: int) -> str:
    return base64.b64encode(bytes(length)).decode()


@pytest.mark.parametrize(
    "said",
    [
        None, 7, TEXT, [TEXT], {}, {"ink": None}, {"ink": 7}, {"ink": ""}, {"ink": [TEXT]},
        {"ink": TEXT.encode()}, {"ink": encoded(3)}, {"ink": encoded(56 * 56 - 1)},
        # A byte too many, and two: they are as many letters.
        {"ink": encoded(56 * 56 + 1)}, {"ink": encoded(56 * 56 + 2)},
        # As long as a drawing, and not base64; or base64 with what a lax decoder skips.
        {"ink": "!" + TEXT[1:]}, {"ink": "é" + TEXT[1:]}, {"ink": "=" * len(TEXT)}, {"ink": "-" + TEXT[1:]},
        {"ink": TEXT[:-2] + "\n="}, {"ink": TEXT + "\n"}, {"ink": "    " + TEXT[4:]},
    ],
)  # fmt: skip
def test_what_is_no_drawing_is_not_taken(
    browser: Browser, drawings: list[NDArray[np.uint8]], said: Any
) -> None:
    pad.pad(on_drawing=drawings.append, cleared=0)
    browser.say(said | {"cleared": 0} if isinstance(said, dict) else said)
    assert drawings == []


def test_what_is_far_too_long_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(base64, "b64decode", refuse)
    assert pad.drawing_of({"ink": 1000 * TEXT}) is None
    with pytest.raises(AssertionError):
        pad.drawing_of({"ink": TEXT})
