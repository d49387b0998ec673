"""The picture of one relaxed structure that follows the temperature while it is dragged: in the browser."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from pages.components.sources import source

Array = NDArray[np.float64]
Kind = Literal["subset", "permutation", "tree"]

_morph = st.components.v2.component(
    "morph",
    html="""
    <div class="morph" data-testid="morph">
      <svg role="img"></svg>
      <button type="button" class="png" aria-label="Save the picture as PNG">PNG</button>
    </div>
    """,
    css=source("morph.css"),
    js=source("mounts.js", "between.js", "svg.js", "drawing.js", "morph_pictures.js", "morph.js"),
)


def morph(
    key: str,
    *,
    kind: Kind,
    temperatures: Sequence[float],
    frames: Array,
    hard: Array,
    tau: float,
    labels: Sequence[str],
    alt: str,
) -> None:
    """A structure of M entries at `tau`, and in the browser at every temperature that the scrub passes.

    The temperatures (T,) ascend. At each of them frames (T, M) holds the relaxed structure, and hard (M,) is
    the hard one of the same noise, zeros and ones. Between two temperatures an entry goes straight, by the
    logarithm: where it has to be exact at `tau`, that is one of them.

    kind: what the entries are, and with them the labels. Bars of a "subset", one label each; cells of a
        "permutation", row by row, n labels of the rows and then n of the columns; of a "tree" the edges
        (0, 1), (0, 2) and so on between all nodes, a label for each node
    alt: what stands there at `tau`, in words
    """
    _morph(
        key=f"morph_{key}",
        data={
            "kind": kind,
            "temperatures": list(temperatures),
            "frames": np.round(frames, 4).tolist(),
            "hard": [int(entry) for entry in hard],
            "tau": tau,
            "labels": list(labels),
            "edges": [list(edge) for edge in combinations(range(len(labels)), 2)] if kind == "tree" else [],
            "alt": alt,
            "name": key,
        },
    )
