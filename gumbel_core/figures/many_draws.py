"""The lesson Many draws in pictures: shares of draws beside the law, and the relaxed samples themselves."""

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, Figure, axis, category_axis, labels, layout

Array = NDArray[np.float64]

HEIGHT = 340
# More categories than this are told apart by every second or third name.
MANY = 20
# What the narrowest screen has room for, over the heat map.
_CHARACTERS = 32
HATCH = "rgba(255,255,255,0.6)"
BAND = "rgba(122,130,142,0.45)"
_HALF_BAR = 0.4


def argmax_shares(frequencies: Array, law: Array, low: Array, high: Array, names: Sequence[str]) -> Figure:
    """How often each category won, with the law (a rule across each bar) and its band (a box). All (K,)."""
    band = {
        "type": "bar", "x": _places(names), "base": _short(low), "y": _short(high - low), "name": "95 % band",
        "width": 0.94, "marker": {"color": BAND, "line": {"color": MUTED, "width": 1}},
        "customdata": [list(ends) for ends in zip(_short(low), _short(high), strict=True)],
        "hovertemplate": "band: %{customdata[0]:.4f} to %{customdata[1]:.4f}<extra></extra>",
    }  # fmt: skip
    return {
        "data": [_bars(frequencies, names, "argmax"), band, _law(law, names)],
        "layout": _layout(names, "share of draws", ceiling(law, high, frequencies)),
    }


def relaxed_means(mean: Array, law: Array, uniform: float, names: Sequence[str], top: float) -> Figure:
    """The mean of the relaxed samples, with the same law and the uniform that it drifts to."""
    bars = _bars(mean, names, "mean")
    # Hatched, for these are another quantity than the solid bars beside them.
    bars["marker"]["pattern"] = {"shape": "/", "size": 8, "fillmode": "overlay", "fgcolor": HATCH}
    level = {
        "type": "scatter", "mode": "lines", "x": [-0.6, len(names) - 0.4], "y": [round(uniform, 6)] * 2,
        "name": "uniform", "line": {"color": MUTED, "width": 2, "dash": "dash"},
        "hovertemplate": "uniform: %{y:.4f}<extra></extra>",
    }  # fmt: skip
    return {"data": [bars, level, _law(law, names)], "layout": _layout(names, "mean component", top)}


def ceiling(*shares: Array) -> float:
    """The top of the axis: a round step above all that is drawn, so that it rests while a count grows."""
    top = max(float(share.max()) for share in shares)
    step = 0.5 * 10.0 ** math.floor(math.log10(top))
    return float(min(1.05, round(step * math.ceil(top / step + 0.4), 6)))


def samples_map(shown: Array, winners: NDArray[np.int64], names: Sequence[str]) -> Figure:
    """Relaxed samples (n, K) as columns, sorted by winner: the width of a block is how often it won."""
    count, categories = shown.shape
    ends = [int(end) for end in np.flatnonzero(np.diff(winners)) + 1]
    # Many blocks are told apart by their staircase: rules would hide it.
    ruled = ends if len(ends) < MANY else []
    return {
        "data": [
            {"type": "heatmap", "z": np.round(shown.T, 3).tolist(), "zmin": 0, "zmax": 1, "ygap": 1,
             "colorscale": [[0, "rgba(31,119,196,0.04)"], [1, ACCENT]],
             "colorbar": {"title": {"text": "y"}, "thickness": 10, "len": 1, "outlinewidth": 0,
                          "tickvals": [0, 0.5, 1]},
             "hovertemplate": "component %{z}<extra></extra>"},
        ],
        "layout": layout(
            height=max(190, min(460, 90 + 34 * categories)), margin={"l": 56, "r": 12, "t": 26, "b": 44},
            xaxis=axis(f"the first {count:,} draws, sorted by winner", showgrid=False, showticklabels=False),
            yaxis=_categories(names) | {"range": [categories - 0.5, -0.5]},
            shapes=[{"type": "line", "x0": end - 0.5, "x1": end - 0.5, "yref": "paper", "y0": 0, "y1": 1,
                     "line": {"color": CONTRAST, "width": 1.5, "dash": "dot"}} for end in ruled],
            annotations=_block_labels([0, *ends, count], winners, names),
        ),
    }  # fmt: skip


def component_density(
    density: Array, edges: Array, title: str, exact: tuple[Array, Array] | None = None
) -> Figure:
    """A histogram with area 1 of a component in [0, 1], and the exact density as points (x, density)."""
    width = float(edges[1] - edges[0])
    traces: list[Figure] = [
        {"type": "bar", "x": _short((edges[:-1] + edges[1:]) / 2), "y": _short(density), "width": width,
         "name": "relaxed samples", "marker": {"color": ACCENT, "line": {"width": 0}},
         "hovertemplate": "%{x:.2f}: density %{y:.3g}<extra></extra>"},
        {"type": "scatter", "mode": "lines", "name": "exact density", "x": [], "y": [], "hoverinfo": "skip",
         "line": {"color": CONTRAST, "width": 2.5, "dash": "dash"}, "visible": exact is not None},
    ]  # fmt: skip
    if exact is not None:
        x, y = exact
        drawn = [float(f"{value:.4g}") if math.isfinite(value) else None for value in y]
        traces[1] |= {"x": np.round(x, 6).tolist(), "y": drawn}
    # The density may have no bound at the edge: the bars set the axis.
    top = 1.15 * float(density.max())
    return {
        "data": traces,
        "layout": layout(
            height=260, showlegend=exact is not None, bargap=0,
            xaxis=axis(labels([title])[0], range=[-0.01, 1.01], showgrid=False),
            yaxis=axis("density", range=[0, top], nticks=5),
        ),
    }  # fmt: skip


def _bars(values: Array, names: Sequence[str], name: str) -> Figure:
    return {
        "type": "bar", "x": _places(names), "y": _short(values), "name": name, "width": 2 * _HALF_BAR,
        "marker": {"color": ACCENT, "opacity": 0.75}, "customdata": labels(names),
        "hovertemplate": "%{customdata}: %{y:.4f}<extra></extra>",
    }  # fmt: skip


def _law(law: Array, names: Sequence[str]) -> Figure:
    """A rule across each bar: one line with gaps."""
    x = [place + side for place in _places(names) for side in (-_HALF_BAR, _HALF_BAR, _HALF_BAR)]
    y = [value for share in _short(law) for value in (share, share, None)]
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": "softmax(ℓ)", "connectgaps": False,
        "line": {"color": CONTRAST, "width": 2.5}, "hovertemplate": "softmax: %{y:.4f}<extra></extra>",
    }  # fmt: skip


def _layout(names: Sequence[str], title: str, top: float) -> Figure:
    return layout(
        height=HEIGHT, showlegend=True, barmode="overlay",
        xaxis=_categories(names), yaxis=axis(title, range=[0, top], nticks=6),
    )  # fmt: skip


def _categories(names: Sequence[str]) -> Figure:
    """The category axis, with no more names than can be read."""
    full, every = category_axis(names), math.ceil(len(names) / MANY)
    return full | {"tickvals": full["tickvals"][::every], "ticktext": full["ticktext"][::every]}


def _block_labels(ends: Sequence[int], winners: NDArray[np.int64], names: Sequence[str]) -> list[Figure]:
    """The winner and its count above each block that is wide enough to hold them."""
    found = []
    for start, end in pairwise(ends):
        text = f"{names[winners[start]]} {end - start}"
        if len(text) <= _CHARACTERS * (end - start) / ends[-1]:
            found.append(
                {"x": (start + end - 1) / 2, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
                 "text": labels([text])[0]}
            )  # fmt: skip
    return found


def _places(names: Sequence[str]) -> list[int]:
    return list(range(len(names)))


def _short(values: Array) -> list[float]:
    return [round(float(value), 6) for value in values]
