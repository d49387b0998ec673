"""The gradient estimators against time: a running z-score against draws, and E[f] against steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gumbel_core.figures.direct_labels import SIZE, End, end_labels
from gumbel_core.figures.gradients import MARGIN, ROLES
from gumbel_core.figures.layout import ACCENT, MUTED, Figure, axis, labels, layout

# Whose line everyone else's is held against.
EXACT: Figure = {"color": MUTED, "width": 5, "dash": "solid"}
ORDER = ("exact", "rest", "beside", "chosen")


@dataclass(frozen=True)
class LearningLine:
    """E[f] before the first step and after each, with one estimator."""

    title: str
    values: Sequence[float]
    role: Literal["chosen", "beside", "rest", "exact"]


def z_figure(counts: Sequence[int], z: ArrayLike, band: float, names: Sequence[str]) -> Figure:
    """The running z-score of each entry of the gradient, the one that ends furthest from 0 accented.

    z: (L, E) after each of the counts (L,) of draws; names: of the E entries
    """
    scores = np.asarray(z, dtype=np.float64)
    furthest = int(np.abs(scores[-1]).argmax())
    top = 1.15 * max(float(np.abs(scores).max()), band)
    x = [int(count) for count in counts]
    shown = [name if len(name) <= 12 else f"{name[:11]}…" for name in names]
    height = 340
    last = End(shown[furthest], float(np.log10(x[-1])), float(scores[-1, furthest]), ACCENT, bold=True)
    return {
        "data": [
            *(_score(x, scores[:, entry].tolist(), shown[entry], MUTED, 1)
              for entry in range(scores.shape[1]) if entry != furthest),
            _score(x, scores[:, furthest].tolist(), shown[furthest], ACCENT, 3),
        ],
        "layout": layout(
            height=height, margin={"l": 48, "r": 84, "t": 28, "b": 44},
            xaxis=axis("draws", type="log", dtick=1, exponentformat="none", separatethousands=True,
                       range=[float(np.log10(x[0])), float(np.log10(x[-1]))]),
            yaxis=axis("z of the difference", range=[-top, top], nticks=6, zeroline=True),
            shapes=[{"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": -band, "y1": band,
                     "fillcolor": MUTED, "opacity": 0.16, "line": {"width": 0}, "layer": "below"}],
            annotations=[
                {"text": f"grey: no difference, ±{band:.2f}", "xref": "paper", "x": 0,
                 "xanchor": "left", "xshift": -40, "yref": "paper", "y": 1, "yanchor": "bottom", "yshift": 4,
                 "showarrow": False, "font": {"size": SIZE + 1}},
                *end_labels([last], span=(-top, top), pixels=height - 72),
            ],
        ),
    }  # fmt: skip


def learning_figure(lines: Sequence[LearningLine], best: float, start: float, loss: bool) -> Figure:
    """E[f] against steps, one line for each estimator, and dashed the best that f offers."""
    drawn = sorted(lines, key=lambda line: ORDER.index(line.role))
    found = [best, start, *(value for line in drawn for value in line.values)]
    low, high = min(found), max(found)
    # Room for the words at the best value, which lie outside of all lines.
    pad = 0.09 * ((high - low) or 1.0)
    span = (low - pad, high + pad)
    steps = max(len(line.values) for line in drawn) - 1
    height = 400
    ends = [
        End(
            line.title,
            steps,
            float(line.values[-1]),
            _style(line)["color"],
            line.role in ("chosen", "beside"),
        )
        for line in drawn
    ]
    return {
        "data": [
            {"type": "scatter", "mode": "lines", "x": [0, steps], "y": [best, best], "name": "best",
             "line": {"color": MUTED, "width": 1.5, "dash": "dash"},
             "hovertemplate": "the best corner: %{y:.4g}<extra></extra>"},
            *(_learned(line) for line in drawn),
        ],
        "layout": layout(
            height=height, margin={"l": 56, "r": MARGIN, "t": 30, "b": 44},
            xaxis=axis("step", range=[0, steps], nticks=6),
            yaxis=axis(f"E[f], a {'loss' if loss else 'reward'}", range=list(span), nticks=6),
            annotations=[
                {"text": "the best corner", "x": 0, "xanchor": "left", "xshift": 4, "y": best,
                 "yanchor": "top" if loss else "bottom", "showarrow": False, "font": {"size": SIZE}},
                *end_labels(ends, span=span, pixels=height - 74),
            ],
        ),
    }  # fmt: skip


def _score(x: list[int], y: list[float], name: str, colour: str, width: float) -> Figure:
    (text,) = labels([name])
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": [round(value, 3) for value in y], "name": text,
        "line": {"color": colour, "width": width},
        "hovertemplate": f"{text}, %{{x:,}} draws: z %{{y:.2f}}<extra></extra>",
    }  # fmt: skip


def _style(line: LearningLine) -> Figure:
    return EXACT if line.role == "exact" else ROLES[line.role]


def _learned(line: LearningLine) -> Figure:
    style = _style(line)
    (name,) = labels([line.title])
    return {
        "type": "scatter", "mode": "lines", "x": list(range(len(line.values))),
        "y": [round(float(value), 5) for value in line.values], "name": name,
        "line": {key: style[key] for key in ("color", "width", "dash")},
        "opacity": 0.55 if line.role == "exact" else 1,
        "hovertemplate": f"{name}, step %{{x}}: %{{y:.4g}}<extra></extra>",
    }  # fmt: skip
