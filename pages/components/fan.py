"""The fan of single estimates that follows the temperature while it is dragged: in the browser."""

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gumbel_core.figures.simplex import place
from pages.components.sources import source

Array = NDArray[np.float64]

_fan = st.components.v2.component(
    "fan",
    html='<span class="fan" hidden></span>',
    js=source("between.js", "fan.js"),
    isolate_styles=False,
)


def follow_fan(
    figure_key: str,
    *,
    shafts: int,
    tips: int,
    mean: int,
    temperatures: Array,
    frames: Array,
    means: Array,
    start: Array,
) -> None:
    """Move three traces of the standing figure with the scrub: shafts, tips, and the mean's arrow.

    The temperatures (T,) ascend. At each of them, frames (T, A, 3) holds where the A single estimates take
    the distribution from `start` (3,), and means (T, 3) where their mean takes it. All are shares of three
    categories; between two temperatures a point is on the straight line, by the temperature's logarithm. On
    release the server draws the whole figure.
    """
    # The mean stands first in every frame. A straight line on the simplex is one on the page.
    points = np.concatenate([means[:, None], frames], axis=1)
    _fan(
        key=f"fan_{figure_key}",
        data={
            "figure": figure_key,
            "traces": {"shafts": shafts, "tips": tips, "mean": mean},
            "temperatures": temperatures.tolist(),
            "frames": place(points).round(4).tolist(),
            "start": place(start).round(4).tolist(),
        },
    )
