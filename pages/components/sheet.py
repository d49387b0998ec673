"""The sheet: a grid of grey images, drawn as ink on paper in the theme's own colours."""

import base64
import math

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.sources import source

_sheet = st.components.v2.component(
    "sheet",
    html='<canvas class="sheet" role="img" data-testid="sheet"></canvas>',
    css="""
    .sheet { display: block; width: 100%; max-width: 520px; image-rendering: pixelated;
      color: var(--st-text-color); }
    """,
    js=source("pictures.js", "sheet.js"),
)


def sheet(images: NDArray[np.uint8], shape: tuple[int, int], *, columns: int, key: str, alt: str) -> None:
    """Draw images (n, D) of `shape` (height, width), row by row. `alt` states in words what they show."""
    data = {"images": encoded(images, shape), "shape": list(shape), "columns": columns, "alt": alt}
    _sheet(key=key, data=data)


def encoded(images: NDArray[np.uint8], shape: tuple[int, int]) -> str:
    """Images (n, D) for the browser: their bytes as base64. ValueError if D is not height times width."""
    if images.ndim != 2 or images.shape[1] != math.prod(shape):
        raise ValueError(f"Images of {shape[0]} by {shape[1]} cannot be read off an array {images.shape}.")
    return base64.b64encode(images.tobytes()).decode("ascii")
