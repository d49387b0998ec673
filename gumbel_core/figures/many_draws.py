"""The pictures of the lesson Many draws: shares of draws beside the law, and the relaxed samples themselves."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, Figure, axis, category_axis, labels, layout

Array = NDArray[np.float64]

HEIGHT = 340
_HALF_BAR = 0.4


def argmax_shares(frequencies: Array, law: Array, low: Array, high: Array, names: Sequence[str]) -> Figure:
    """How often each category won, on the law (a rule across each bar) and its band (a bracket). All (K,)."""
    return {
        "data": [
            _bars(frequencies, names, "argmax"),
            _law(law, names),
            {"type": "scatter", "mode": "markers", "x": _places(names), "y": _short(law), "name": "95 % band, all bars at once",
             "marker": {"symbol": "line-ns-open", "size": 9, "color": MUTED}, "hoverinfo": "skip",
             "error_y": {"type": "data", "symmetric": False, "array": _short(high - law), "arrayminus": _short(law - low),
                         "color": MUTED, "thickness": 2, "width": min(8, 120 // len(names))}},
        ],
        "layout": _layout(names, "share of draws", ceiling(law, high, frequencies)),
    }  # fmt: skip


def relaxed_means(mean: Array, law: Array, uniform: float, names: Sequence[str], top: float) -> Figure:
    """The mean of the relaxed samples, on the same law and on the uniform that it drifts to."""
    bars = _bars(mean, names, "relaxed mean")
    # Hatched, for these are another quantity than the solid bars beside them.
    bars["marker"] |= {"pattern": {"shape": "/", "size": 7, "solidity": 0.35, "fgcolor": "#FFFFFF"}}
    return {
        "data": [
            bars,
            _law(law, names),
            {"type": "scatter", "mode": "lines", "x": [-0.6, len(names) - 0.4], "y": [uniform] * 2, "hoverinfo": "skip",
             "name": f"uniform, {uniform:.3g}", "line": {"color": MUTED, "width": 2, "dash": "dash"}},
        ],
        "layout": _layout(names, "mean component", top),
    }  # fmt: skip


def ceiling(*shares: Array) -> float:
    """The top of the axis: a step of .05 above all that is drawn, so that it rests while a count grows."""
    return min(1.05, math.ceil(20 * max(float(share.max()) for share in shares) + 0.4) / 20)


def samples_map(shown: Array, winners: NDArray[np.int64], names: Sequence[str]) -> Figure:
    """Relaxed samples (n, K) as columns, sorted by winner: the width of a block is how often it won."""
    count, categories = shown.shape
    ends = [int(end) for end in np.flatnonzero(np.diff(winners)) + 1]
    return {
        "data": [
            {"type": "heatmap", "z": np.round(shown.T, 3).tolist(), "zmin": 0, "zmax": 1, "ygap": 1,
             "colorscale": [[0, "rgba(31,119,196,0.04)"], [1, ACCENT]],
             "colorbar": {"title": {"text": "y"}, "thickness": 10, "len": 1, "outlinewidth": 0, "tickvals": [0, 0.5, 1]},
             "hovertemplate": "component %{z}<extra></extra>"},
        ],
        "layout": layout(
            height=max(190, min(460, 90 + 34 * categories)), margin={"l": 56, "r": 12, "t": 26, "b": 44},
            xaxis=axis(f"the first {count:,} draws, sorted by winner", showgrid=False, showticklabels=False),
            yaxis=category_axis(names) | {"range": [categories - 0.5, -0.5]},
            shapes=[{"type": "line", "x0": end - 0.5, "x1": end - 0.5, "yref": "paper", "y0": 0, "y1": 1,
                     "line": {"color": CONTRAST, "width": 1.5, "dash": "dot"}} for end in ends],
            annotations=_block_labels([0, *ends, count], winners, names),
        ),
    }  # fmt: skip


def component_density(density: Array, edges: Array, title: str, exact: tuple[Array, Array] | None = None) -> Figure:
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
        traces[1] |= {"x": np.round(x, 6).tolist(), "y": [float(f"{value:.4g}") if math.isfinite(value) else None for value in y]}
    # The density may have no bound at the edge: the bars set the axis.
    top = 1.15 * float(density.max())
    return {
        "data": traces,
        "layout": layout(
            height=260, showlegend=exact is not None, bargap=0,
            xaxis=axis(title, range=[-0.01, 1.01], showgrid=False), yaxis=axis("density", range=[0, top], nticks=5),
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
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": "softmax of the logits", "connectgaps": False,
        "line": {"color": CONTRAST, "width": 2.5}, "hovertemplate": "softmax: %{y:.4f}<extra></extra>",
    }  # fmt: skip


def _layout(names: Sequence[str], title: str, top: float) -> Figure:
    return layout(
        height=HEIGHT, showlegend=True, xaxis=category_axis(names), yaxis=axis(title, range=[0, top], nticks=6),
    )  # fmt: skip


def _block_labels(ends: Sequence[int], winners: NDArray[np.int64], names: Sequence[str]) -> list[Figure]:
    """The winner and its count above each block that is wide enough to hold them."""
    return [
        {"x": (start + end - 1) / 2, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False,
         "text": f"{labels(names)[winners[start]]} {end - start}"}
        for start, end in zip(ends[:-1], ends[1:], strict=True)
        if end - start >= 0.08 * ends[-1]
    ]  # fmt: skip


def _places(names: Sequence[str]) -> list[int]:
    return list(range(len(names)))


def _short(values: Array) -> list[float]:
    return [round(float(value), 6) for value in values]
