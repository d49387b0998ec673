"""Estimates of the gradient as arrows on the simplex of three categories."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gumbel_core.figures.layout import ACCENT, MUTED, Figure, axis, labels, layout
from gumbel_core.figures.simplex import CORNERS, HEIGHT, place

Array = NDArray[np.float64]

# The traces that move while the temperature is dragged.
SHAFTS, TIPS, MEAN = 1, 2, 4


def arrows_figure(
    start: ArrayLike,
    exact: ArrayLike,
    tips: ArrayLike,
    mean: ArrayLike,
    names: Sequence[str],
) -> Figure:
    """Where one step takes the distribution from `start`: along single estimates, their mean, the gradient.

    start, exact, mean: shares (3,); tips: (A, 3), one for each estimate
    """
    here = place(np.asarray(start, dtype=np.float64))
    ends = place(np.asarray(tips, dtype=np.float64))
    heads = [place(np.asarray(end, dtype=np.float64)) for end in (exact, mean)]
    outline = np.vstack([CORNERS, CORNERS[:1]])
    return {
        "data": [
            {"type": "scatter", "mode": "lines", "x": outline[:, 0].tolist(), "y": outline[:, 1].tolist(),
             "line": {"color": MUTED, "width": 1.5}, "hoverinfo": "skip", "showlegend": False},
            _shafts(here, ends),
            {"type": "scatter", "mode": "markers", "x": ends[:, 0].round(4).tolist(),
             "y": ends[:, 1].round(4).tolist(), "name": "single estimates", "cliponaxis": False,
             "marker": {"color": ACCENT, "size": 5, "opacity": 0.6},
             "hovertemplate": "one estimate<extra></extra>"},
            _arrow(here, heads[0], "exact", MUTED, 5, "arrow", "solid"),
            _arrow(here, heads[1], "mean of many", ACCENT, 2.5, "circle-open", "solid"),
        ],
        "layout": layout(
            height=460, margin={"l": 6, "r": 6, "t": 40, "b": 80}, showlegend=True,
            legend={"orientation": "h", "x": 0.5, "xanchor": "center", "y": -0.1, "yanchor": "top",
                    "bgcolor": "rgba(0,0,0,0)"},
            xaxis=axis(visible=False, range=[-0.08, 1.08], constrain="domain"),
            yaxis=axis(visible=False, range=[-0.03, HEIGHT + 0.03], scaleanchor="x", constrain="domain"),
            annotations=[_corner(name, corner) for name, corner in zip(names, CORNERS, strict=True)],
        ),
    }  # fmt: skip


def _shafts(here: Array, ends: Array) -> Figure:
    """All shafts as one line, to each tip and back, so that one path has to be moved."""
    points = np.repeat(here[None, :], 2 * len(ends), axis=0)
    points[1::2] = ends
    return {
        "type": "scatter", "mode": "lines", "x": points[:, 0].round(4).tolist(),
        "y": points[:, 1].round(4).tolist(), "showlegend": False, "hoverinfo": "skip", "cliponaxis": False,
        # Plotly would leave out points that lie close together.
        "line": {"color": ACCENT, "width": 1, "simplify": False}, "opacity": 0.4,
    }  # fmt: skip


def _arrow(here: Array, head: Array, name: str, colour: str, width: float, symbol: str, dash: str) -> Figure:
    """A line with a head of its own. The heads of the means are hollow, so that none hides another."""
    points = np.vstack([here, head]).round(4)
    return {
        "type": "scatter", "mode": "lines+markers", "x": points[:, 0].tolist(), "y": points[:, 1].tolist(),
        "name": name, "cliponaxis": False,
        "line": {"color": colour, "width": width, "dash": dash, "simplify": False},
        "marker": {"color": colour, "symbol": symbol, "size": [3, 15], "opacity": 1,
                   "line": {"color": colour, "width": 2.5},
                   "angleref": "previous" if symbol == "arrow" else "up"},
        "hovertemplate": f"{name}<extra></extra>",
    }  # fmt: skip


def _corner(name: str, corner: Array) -> Figure:
    top = bool(corner[1] > 0)
    (text,) = labels([name[:12]])
    return {
        "text": f"<b>{text}</b>", "x": float(corner[0]), "y": float(corner[1]), "showarrow": False,
        "yanchor": "bottom" if top else "top", "yshift": 4 if top else -4,
    }  # fmt: skip
