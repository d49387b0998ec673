"""The simplex of three categories: the exact Concrete density, samples on it, and the corners' masses.

Maddison, Mnih, Teh, "The Concrete Distribution", ICLR 2017, arXiv:1611.00712, figure 2.
"""

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, Figure, axis, labels, layout

Array = NDArray[np.float64]

# Where the three corners stand on the page: an equilateral triangle, the third on top.
HEIGHT = 0.75**0.5
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, HEIGHT]])
# The trace that holds the samples: what moves while the temperature is dragged.
SAMPLES = 2
# Densities from a hundredth of the uniform one to a hundred times it, on one scale at every tau.
DECADES = 2.0
SHADES = 64
SHADE = (156, 180)  # rows and columns of its pixels
LINES = (45, 52)  # of the grid that the lines are found on
KEY = -0.24  # of the plot's height: where the key to the shades stands
CIRCLE = 64  # pixels across, for a corner that holds all the mass


def place(points: Array) -> Array:
    """Points (..., 3) of the simplex on the page, (..., 2)."""
    placed: Array = points @ CORNERS
    return placed


def simplex_figure(
    log_ratio: Array, samples: Array, masses: Array, names: Sequence[str], weights: Sequence[float]
) -> Figure:
    """The density as a shade with a line at each power of ten, samples as dots, masses as circles.

    log_ratio (G, G): log10 of the density over the uniform one, where the point at row i and column j has
    the share i / (G - 1) at the third corner, and j / (G - 1) of the rest at the second
    samples (N, 3); masses (3,), names and weights of the three corners
    """
    dots = place(samples).round(4)
    rows, columns = LINES
    outline = np.vstack([CORNERS, CORNERS[:1]])
    circles = CIRCLE * np.sqrt(masses)
    corners = zip(labels([name[:12] for name in names]), weights, masses, circles, CORNERS, strict=True)
    return {
        "data": [
            {"type": "contour", "x": _centres(1, columns), "y": _centres(HEIGHT, rows),
             "z": _rows(_pixels(log_ratio, rows, columns, margin=0.02)),
             "autocontour": False,
             "contours": {"start": -DECADES, "end": DECADES, "size": 1, "coloring": "lines"},
             "colorscale": [[0, MUTED], [1, MUTED]], "line": {"width": 0.8}, "showscale": False,
             "hoverinfo": "skip"},
            {"type": "scatter", "mode": "lines", "x": outline[:, 0].tolist(), "y": outline[:, 1].tolist(),
             "line": {"color": MUTED, "width": 1.5}, "hoverinfo": "skip"},
            {"type": "scatter", "mode": "markers", "x": dots[:, 0].tolist(), "y": dots[:, 1].tolist(),
             "marker": {"color": CONTRAST, "size": 5.5, "opacity": 0.9,
                        "line": {"color": "white", "width": 0.7}},
             "hovertemplate": "a sample<extra></extra>", "cliponaxis": False},
            {"type": "scatter", "mode": "markers", "x": CORNERS[:, 0].tolist(), "y": CORNERS[:, 1].tolist(),
             "hoverinfo": "skip", "cliponaxis": False,
             "marker": {"color": "rgba(0,0,0,0)", "size": circles.round(1).tolist(),
                        "line": {"color": CONTRAST, "width": 1.8}}},
        ],
        "layout": layout(
            height=500, margin={"l": 6, "r": 6, "t": 56, "b": 118},
            xaxis=axis(visible=False, range=[-0.14, 1.14], constrain="domain"),
            yaxis=axis(visible=False, range=[-0.04, HEIGHT + 0.04], scaleanchor="x", constrain="domain"),
            images=[
                {"source": _shade(_level(_pixels(log_ratio, *SHADE))), "xref": "x", "yref": "y", "x": 0,
                 "y": HEIGHT, "sizex": 1, "sizey": HEIGHT, "sizing": "stretch", "layer": "below"},
                {"source": _shade(np.arange(SHADES)[None, :]), "xref": "paper", "yref": "paper", "x": 0.5,
                 "xanchor": "center", "y": KEY, "yanchor": "top", "sizex": 0.8, "sizey": 0.03,
                 "sizing": "stretch"},
            ],
            annotations=[*(_corner(*corner) for corner in corners), *_key()],
        ),
    }  # fmt: skip


def _key() -> list[Figure]:
    """What the shades mean, under the strip of shades: densities over the uniform one."""
    return [
        {"text": text, "xref": "paper", "yref": "paper", "x": 0.1 + 0.2 * step, "y": KEY - 0.03,
         "yanchor": "top", "showarrow": False, "font": {"size": 11}}
        for step, text in enumerate(["1/100", "1/10", "uniform", "× 10", "× 100"])
    ]  # fmt: skip


def _corner(name: str, weight: float, mass: float, circle: float, corner: Array) -> Figure:
    top = bool(corner[1] > 0)
    reach = circle / 2 + 3
    return {
        "text": f"<b>{name}</b>, α = {weight:.4g}<br>mass {mass:.2f}", "x": float(corner[0]),
        "y": float(corner[1]), "showarrow": False,
        "yanchor": "bottom" if top else "top", "yshift": reach if top else -reach,
        "font": {"size": 12.5},
    }  # fmt: skip


def _pixels(values: Array, rows: int, columns: int, *, margin: float = 0.0) -> Array:
    """Values on the folded grid (G, G), interpolated to pixels of the triangle's box, bottom row first.

    NaN outside the triangle, and within a share `margin` of its slanted edges.
    """
    up = (np.arange(rows)[:, None] + 0.5) / rows
    across = (np.arange(columns) + 0.5) / columns
    along = (across - up / 2) / (1 - up)  # (rows, columns): the share of the way from the left edge
    last = len(values) - 1
    row, column = up * last, along.clip(0, 1) * last
    i, j = (np.minimum(index.astype(int), last - 1) for index in (row, column))
    a, b = row - i, column - j
    upright = values[i[:, 0]] * (1 - a) + values[i[:, 0] + 1] * a  # (rows, G)
    left, right = (np.take_along_axis(upright, j + step, axis=1) for step in (0, 1))
    return np.where((along >= margin) & (along <= 1 - margin), left + (right - left) * b, np.nan)


def _centres(length: float, count: int) -> list[float]:
    centres: list[float] = (length * (np.arange(count) + 0.5) / count).round(4).tolist()
    return centres


def _rows(values: Array) -> list[list[float | None]]:
    """JSON has no NaN: a place without a value is None."""
    cells = values.clip(-9, 9).round(2).astype(object)
    cells[np.isnan(values)] = None
    rows: list[list[float | None]] = cells.tolist()
    return rows


def _level(log_ratio: Array) -> NDArray[np.int64]:
    """The shade of each density, 0 to SHADES - 1; the lightest where there is none."""
    fraction = (np.nan_to_num(log_ratio, nan=-np.inf).clip(-DECADES, DECADES) + DECADES) / (2 * DECADES)
    return (fraction * (SHADES - 1)).round().astype(np.int64)


def _shade(levels: NDArray[np.int64]) -> str:
    """A PNG as a data URI: one hue, from clear to full, so that it reads on white and on near-black."""
    rows, columns = levels.shape
    # A PNG starts at the top, and each of its rows with the filter's number.
    pixels = np.hstack([np.zeros((rows, 1), np.uint8), levels[::-1].astype(np.uint8)]).tobytes()
    opacity = (np.linspace(0, 0.96, SHADES) ** 1.15 * 255).astype(np.uint8).tobytes()
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes.fromhex(ACCENT[1:]) * SHADES),
        (b"tRNS", opacity),
        (b"IDAT", zlib.compress(pixels, 1)),
        (b"IEND", b""),
    )
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
