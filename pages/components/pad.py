"""The pad: a square to draw a digit in, with a mouse or a finger."""

import base64
from collections.abc import Callable
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.sources import source

# Pixels of a drawing's side. A pen of 20 px on a pad of 280 is then 4 wide, of which MNIST's 28 leave 2.
SIDE = 56

_pad = st.components.v2.component(
    "pad",
    html="""
    <div class="pad" data-testid="pad">
      <div class="paper">
        <canvas role="img" aria-label="A square to draw a digit in, with a mouse or a finger. Without them,
          pick an image in this page's other ways."></canvas>
        <span class="hint" aria-hidden="true">Draw a digit</span>
      </div>
      <div class="bar">
        <button type="button" data-does="undo">Undo stroke</button>
        <button type="button" data-does="clear">Clear</button>
      </div>
    </div>
    """,
    css=source("pad.css"),
    js=source("mounts.js", "pad.js"),
)


def pad(*, on_drawing: Callable[[NDArray[np.uint8]], None], cleared: int, key: str = "pad") -> None:
    """A pad that calls on_drawing with its ink (SIDE, SIDE), from 0 for paper to 255, at each stroke's end.

    So do an undone stroke and a cleared pad: a blank drawing is all zeros. A new number in `cleared` wipes
    the pad and calls nothing. The strokes live in the browser until the pad leaves the page.
    """

    def hear() -> None:
        said = st.session_state[key]["drawing"]
        ink = drawing_of(said)
        # What was drawn on a pad that is being wiped is not on the one that the visitor sees next.
        if ink is not None and said.get("cleared") == cleared:
            on_drawing(ink)

    _pad(key=key, data={"side": SIDE, "cleared": cleared}, on_drawing_change=hear)


def drawing_of(said: Any) -> NDArray[np.uint8] | None:
    """The ink (SIDE, SIDE) in a message; None if it is not exactly that many bytes in base64."""
    text = said.get("ink") if isinstance(said, dict) else None
    # The length first: what is far too long is not decoded.
    if not isinstance(text, str) or len(text) != 4 * -(-SIDE * SIDE // 3):
        return None
    try:
        ink = base64.b64decode(text, validate=True)
    except ValueError:
        return None
    return np.frombuffer(ink, np.uint8).reshape(SIDE, SIDE).copy() if len(ink) == SIDE * SIDE else None
