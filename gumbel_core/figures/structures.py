"""Structures in pictures: how often each was drawn beside its law, and how a task is learned through one."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, THIRD, Figure, axis, labels, layout
from gumbel_core.figures.log_axes import decades, digits, log_axis

Array = NDArray[np.float64]

# Of the structures, the likeliest have a bar of their own.
MOST_BARS = 20
# Names of more letters than this stand upright, and of more than `LONGEST` are cut.
LEVEL, LONGEST = 5, 20
_LETTER = 7
_HALF_BAR = 0.4
# A loss that falls further than this is drawn by its logarithm.
SPREAD = 30
# ... and over no more decades than this, for a loss may be 0: what is lower stands at the foot.
MOST_DECADES = 4


def law_figure(
    names: Sequence[str],
    frequencies: Array,
    law: Array | None,
    contrast: Array | None,
    contrast_name: str,
) -> Figure:
    """Shares of hard draws (S,) as bars, the law (S,) a rule across each, another law (S,) as diamonds.

    The likeliest stand first, by the law where there is one; what is beyond `MOST_BARS` is told in words.
    """
    order = np.argsort(-(frequencies if law is None else law), kind="stable")
    shown, others = order[:MOST_BARS], order[MOST_BARS:]
    texts = [_cut(names[place]) for place in shown]
    given = [values for values in (frequencies, law, contrast) if values is not None]
    # The words about the others stand above all bars, which may be of one height.
    top = (1.28 if len(others) else 1.08) * max(float(values[shown].max()) for values in given)
    traces = [_bars(frequencies[shown], texts)]
    if law is not None:
        traces.append(_rules(law[shown], texts))
    if contrast is not None:
        traces.append(_diamonds(contrast[shown], texts, contrast_name))
    upright = len(texts) * max(map(len, texts)) > 12 * LEVEL
    foot = 30 + (_LETTER * max(map(len, texts)) if upright else 0)
    return {
        "data": traces,
        "layout": layout(
            height=290 + foot, showlegend=True, barmode="overlay",
            margin={"l": 56, "r": 12, "t": 30, "b": foot},
            xaxis=axis(tickvals=list(range(len(texts))), ticktext=labels(texts), showgrid=False,
                       range=[-0.6, len(texts) - 0.4], tickangle=-90 if upright else 0),
            yaxis=axis("share of draws", range=[0, top], nticks=6),
            annotations=[_rest(frequencies, law, others)] if len(others) else [],
        ),
    }  # fmt: skip


def task_figure(relaxed: Sequence[float], hard: Sequence[float], right: Sequence[float]) -> Figure:
    """The loss of relaxed and of hard samples at each step, and below them the share of the answer found."""
    losses = [value for value in (*relaxed, *hard) if math.isfinite(value)]
    low, high = min(losses), max(losses)
    foot = _foot(high) if low < high / SPREAD else -math.inf
    return {
        "data": [
            _loss("relaxed", relaxed, foot, {"color": ACCENT, "width": 2.2, "dash": "solid"}),
            _loss("hard", hard, foot, {"color": CONTRAST, "width": 1.6, "dash": "3px,2px"}),
            _right(right),
        ],
        "layout": layout(
            height=360, showlegend=True,
            xaxis=axis("step", range=[1, max(len(relaxed), 2)], nticks=7, anchor="y2"),
            yaxis=_loss_axis(low, high, foot) | {"domain": [0.34, 1]},
            yaxis2=axis("right", domain=[0, 0.22], range=[-0.06, 1.06], tickvals=[0, 0.5, 1]),
        ),
    }  # fmt: skip


def _foot(high: float) -> float:
    """A power of ten, at which the axis has a mark."""
    return 10.0 ** math.ceil(math.log10(high) - MOST_DECADES)


def _loss_axis(low: float, high: float, foot: float) -> Figure:
    if low >= foot and math.isfinite(foot):
        return log_axis(decades([[low, high]]), "loss")
    if math.isfinite(foot):
        across = log_axis(decades([[foot, high]]), "loss")
        at_foot = [f"≤ {text}" if mark == foot else text
                   for mark, text in zip(across["tickvals"], across["ticktext"], strict=True)]  # fmt: skip
        return across | {"ticktext": at_foot}
    pad = 0.06 * ((high - low) or 1.0)
    return axis("loss", range=[low - pad, high + pad], nticks=6)


def _loss(name: str, values: Sequence[float], foot: float, line: Figure) -> Figure:
    return {
        "type": "scatter", "mode": "lines", "x": list(range(1, len(values) + 1)),
        "y": [max(value, foot) if math.isfinite(value) else None for value in digits(values)],
        "name": f"{name} samples", "line": line, "customdata": _told(values),
        "hovertemplate": f"{name}, step %{{x}}: %{{customdata}}<extra></extra>",
    }  # fmt: skip


def _told(values: Sequence[float]) -> list[str]:
    return [f"{value:.4g}" for value in values]


def _right(right: Sequence[float]) -> Figure:
    # It changes by whole members at a step: a slope would show shares that never were.
    return {
        "type": "scatter", "mode": "lines", "x": list(range(1, len(right) + 1)), "y": digits(right),
        "yaxis": "y2", "name": "share right", "showlegend": False, "fill": "tozeroy",
        "fillcolor": "rgba(0,158,115,0.16)", "line": {"color": THIRD, "width": 2, "shape": "hv"},
        "hovertemplate": "step %{x}: %{y:.2f} right<extra></extra>",
    }  # fmt: skip


def _bars(frequencies: Array, texts: Sequence[str]) -> Figure:
    return {
        "type": "bar", "x": list(range(len(texts))), "y": digits(frequencies), "name": "draws",
        "width": 2 * _HALF_BAR, "marker": {"color": ACCENT, "opacity": 0.75}, "customdata": labels(texts),
        "hovertemplate": "%{customdata}: %{y:.4f} of the draws<extra></extra>",
    }  # fmt: skip


def _rules(law: Array, texts: Sequence[str]) -> Figure:
    """One line with gaps, a rule across each bar."""
    sides = (-_HALF_BAR, _HALF_BAR, _HALF_BAR)
    return {
        "type": "scatter", "mode": "lines", "name": "exact law", "connectgaps": False,
        "x": [place + side for place in range(len(texts)) for side in sides],
        "y": [value for share in digits(law) for value in (share, share, None)],
        "customdata": [text for text in labels(texts) for _ in sides],
        "line": {"color": CONTRAST, "width": 2.5},
        "hovertemplate": "%{customdata}: %{y:.4f} by the law<extra></extra>",
    }  # fmt: skip


def _diamonds(contrast: Array, texts: Sequence[str], name: str) -> Figure:
    (name,) = labels([name])
    return {
        "type": "scatter", "mode": "markers", "name": name, "x": list(range(len(texts))),
        "y": digits(contrast), "customdata": labels(texts), "cliponaxis": False,
        # The white edge parts it from the bar that it may stand on.
        "marker": {"color": THIRD, "symbol": "diamond", "size": 11, "line": {"width": 1.5, "color": "white"}},
        "hovertemplate": f"%{{customdata}}: %{{y:.4f}} by {name}<extra></extra>",
    }  # fmt: skip


def _rest(frequencies: Array, law: Array | None, others: NDArray[np.int64]) -> Figure:
    """In words, for the many rest may be most of the draws: as a bar it would dwarf all others."""
    text = f"{len(others):,} others: {frequencies[others].sum():.3f} of the draws"
    if law is not None:
        text += f",<br>{law[others].sum():.3f} by the law"
    return {
        "text": text, "xref": "paper", "x": 1, "xanchor": "right", "yref": "paper", "y": 1, "yanchor": "top",
        "align": "right", "showarrow": False, "font": {"size": 12, "color": MUTED},
    }  # fmt: skip


def _cut(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
