"""The cells: a code to click on, beside what it draws. A click moves a ring at once, in the browser."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.sheet import encoded
from pages.components.sources import source

# Of latents, and of categories: more cells than that are too small to click on.
MOST = 64
# What a visitor may read off a cell.
DIGITS = 3

_cells = st.components.v2.component(
    "cells",
    html="""
    <div class="cells" data-testid="cells">
      <div class="pictures">
        <figure data-picture="original"><canvas role="img" aria-label="The image"></canvas>
          <figcaption>image</figcaption></figure>
        <figure data-picture="decoded"><canvas role="img" aria-label="What the code decodes to"></canvas>
          <figcaption>decoded</figcaption></figure>
        <figure data-picture="change"><canvas role="img" aria-label="What the last change altered"></canvas>
          <figcaption>change</figcaption></figure>
        <ul class="legend">
          <li><i class="tint"></i>probability, 0 to 1</li>
          <li><i class="chosen"></i>in the code</li>
          <li><i class="drawn"></i>the encoder's own</li>
          <li><i class="more"></i>more ink</li>
          <li><i class="less"></i>less ink</li>
        </ul>
      </div>
      <div class="code">
        <svg class="grid" tabindex="0" role="application"></svg>
        <p class="readout" aria-live="polite"></p>
      </div>
    </div>
    """,
    css=source("cells.css"),
    js=source("mounts.js", "pictures.js", "svg.js", "cells.js"),
)


@dataclass(frozen=True)
class CodeOnShow:
    """The posterior of one image, a code, and what the code draws. Pictures are bytes of ink.

    ValueError if the shapes do not fit together, or a number is out of its range.
    """

    probabilities: NDArray[np.floating]  # (N, K)
    chosen: NDArray[np.int64]  # (N,): each latent's category in the code, counted from 0
    drawn: NDArray[np.int64]  # (N,): the category that the encoder gave it
    decoded: NDArray[np.uint8]  # (D,): what the code draws
    before: NDArray[np.uint8]  # (D,): what it drew before the last change
    original: NDArray[np.uint8] | None = None  # (D,): None for a code of no image
    selected: int | None = None

    def __post_init__(self) -> None:
        shape = self.probabilities.shape
        if len(shape) != 2 or not all(1 <= size <= MOST for size in shape):
            raise ValueError(
                f"A code has 1 to {MOST} latents of 1 to {MOST} categories, not the shape {shape}."
            )
        # Written so that a NaN is refused, too. In single precision a sure category may be a hair above 1.
        if not ((self.probabilities >= 0) & (self.probabilities <= 1 + 1e-5)).all():
            raise ValueError("Probabilities lie between 0 and 1.")
        latents, categories = shape
        for code in (self.chosen, self.drawn):
            if code.shape != (latents,) or not ((code >= 0) & (code < categories)).all():
                raise ValueError(f"Each of {latents} latents needs one of {categories} categories.")
        if self.selected is not None and not 0 <= self.selected < latents:
            raise ValueError(f"The selected latent must be one of the {latents}.")

    @property
    def name(self) -> str:
        """Tells this posterior and its sample from others: a click on an earlier one is not for this one."""
        posterior = np.round(self.probabilities.astype(np.float64), DIGITS).tobytes()
        return f"{zlib.crc32(self.drawn.astype(np.int64).tobytes(), zlib.crc32(posterior)):08x}"


def cells(
    code: CodeOnShow,
    shape: tuple[int, int],
    *,
    on_flip: Callable[[int, int], None],
    on_select: Callable[[int], None],
    key: str = "cells",
) -> None:
    """Draw a code and its pictures of `shape` (height, width).

    A click on a cell calls on_flip(latent, category), one on a row's label on_select(latent), counted from 0
    and within the code, before the script runs again. ValueError if a picture is not of that shape.
    """

    def hear() -> None:
        said = st.session_state[key]["said"]
        for word in _words(said):
            if word["count"] <= st.session_state.get(f"_{key}_heard", 0):
                continue
            st.session_state[f"_{key}_heard"] = word["count"]
            if said.get("name") == code.name:
                _take(word, code, on_flip, on_select)

    pictures = {"original": code.original, "decoded": code.decoded, "before": code.before}
    data = {
        "name": code.name,
        "probabilities": np.round(code.probabilities.astype(np.float64), DIGITS).tolist(),
        "chosen": code.chosen.tolist(),
        "drawn": code.drawn.tolist(),
        "selected": code.selected,
        "shape": list(shape),
        "heard": st.session_state.get(f"_{key}_heard", 0),
    }
    sent = {name: encoded(picture[None], shape) for name, picture in pictures.items() if picture is not None}
    _cells(key=key, data=data | sent, on_said_change=hear)


def _words(said: Any) -> list[dict[str, Any]]:
    """The words in a message, by their count: all of them that the browser does not know to be heard.

    Streamlit keeps one message a rerun, and of two quick clicks would lose the first. What is not in form is
    left out.
    """
    words = said.get("words") if isinstance(said, dict) else None
    counted = [word for word in words if _is_word(word)] if isinstance(words, list) else []
    return sorted(counted, key=lambda word: int(word["count"]))


def _is_word(word: Any) -> bool:
    """A latent and its category, or a latent alone, with a count. A bool is no number here."""
    return (
        isinstance(word, dict)
        and type(word.get("count")) is int
        and type(word.get("latent")) is int
        and type(word.get("category")) in (int, type(None))
    )


def _take(
    word: dict[str, Any],
    code: CodeOnShow,
    on_flip: Callable[[int, int], None],
    on_select: Callable[[int], None],
) -> None:
    """Hand a word on, if it names a cell or a latent of this code."""
    latents, categories = code.probabilities.shape
    latent, category = word["latent"], word.get("category")
    if not 0 <= latent < latents:
        return
    if category is None:
        on_select(latent)
    elif 0 <= category < categories:
        on_flip(latent, category)
