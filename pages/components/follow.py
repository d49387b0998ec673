"""Samples that follow the temperature while it is dragged: in the browser, on a figure that stands."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gumbel_core.figures.simplex import CORNERS
from pages.components.sources import source

_follow = st.components.v2.component(
    "follow",
    html='<span class="follow" hidden></span>',
    js=source("mounts.js", "softmax.js", "follow.js"),
    isolate_styles=False,
)


def follow_scrub(figure_key: str, *, trace: int, perturbed: NDArray[np.float64]) -> None:
    """Move one trace of dots with the scrub: `softmax(perturbed / tau)` for each row (N, 3), on the simplex.

    On release the server draws the whole figure, with the same samples at the same places.
    """
    _follow(
        key=f"follow_{figure_key}",
        data={
            "figure": figure_key,
            "trace": trace,
            "perturbed": perturbed.round(5).tolist(),
            "corners": CORNERS.tolist(),
        },
    )
