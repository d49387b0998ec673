"""What a study's pictures share: one panel under its title, its lines named at their ends, and its axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from gumbel_core.figures.direct_labels import SIZE, End, end_labels
from gumbel_core.figures.layout import Figure, axis, layout
from gumbel_core.figures.log_axes import decades, log_axis, tau_axis
from gumbel_core.figures.vae import UNMARKED

# Pixels: at the left, where all marks have room and pictures over each other begin alike; and over and under
# the panel.
LEFT, TOP, BOTTOM = 54, 30, 44
# From one temperature's mark to the next, in axes: on a phone, the width of `0.75`. And the steps of epochs.
MARKS_APART, MOST_STEPS = 0.12, 7


@dataclass(frozen=True)
class Scale:
    """An axis from where to where, in its own values: exponents where it is logarithmic."""

    log: bool
    span: tuple[float, float]

    def place(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def axis(self) -> Figure:
        return log_axis(self.span) if self.log else axis(range=list(self.span), nticks=6)


def is_wide(values: Sequence[float], times: float) -> bool:
    """Whether all are above 0, and the highest more than so many times the lowest."""
    return min(values, default=0.0) > 0 and max(values) > times * min(values)


def scale_of(values: Sequence[float], times: float) -> Scale:
    """A scale that holds all values, a little apart from its ends; logarithmic where they are wide."""
    if is_wide(values, times):
        return Scale(True, decades([values]))
    low, high = min(values, default=0.0), max(values, default=1.0)
    pad = 0.06 * (high - low) or 0.5
    return Scale(False, (low - pad, high + pad))


def panel(ends: Sequence[End], scale: Scale, *, height: int, margin: int, title: str, **more: Any) -> Figure:
    """A layout of one panel, with a margin at the right for the names at the lines' ends."""
    named = end_labels(ends, span=scale.span, pixels=height - TOP - BOTTOM)
    return layout(
        height=height, margin={"l": LEFT, "r": margin, "t": TOP, "b": BOTTOM},
        yaxis=scale.axis() | ({} if ends else UNMARKED),
        annotations=[_heading(title), *(named or [_nothing()])], **more,
    )  # fmt: skip


def taus_axis(taus: Sequence[float], tau: float) -> Figure:
    """The axis of temperatures, which rise: marked where a study has one, as far as the marks have room."""
    low, high = taus[0], taus[-1]
    ends = (low, high) if low < high else (low / 3, high * 3)
    room = MARKS_APART * math.log10(ends[1] / ends[0])
    marks: list[float] = []
    for mark in taus:
        if not marks or math.log10(mark / marks[-1]) >= room:
            marks.append(mark)
    return tau_axis(ends, tau) | {
        "tickvals": marks, "ticktext": [f"{mark:g}" for mark in marks], "tickangle": 0, "showgrid": False,
    }  # fmt: skip


def epochs_axis(epochs: Sequence[int]) -> Figure:
    """The axis of epochs, marked at whole ones, with room for a mark on the last."""
    if not epochs:
        return axis("epoch") | UNMARKED
    low, high = min(epochs), max(epochs)
    steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
    every = next(step for step in steps if (high - low) / step < MOST_STEPS)
    marks = [epoch for epoch in range(low, high + 1) if epoch % every == 0]
    # A range of no width is none to Plotly.
    room = 0.02 * (high - low) or 1
    return axis(
        "epoch", range=[low - (0 if low < high else room), high + room], tickvals=marks, showgrid=False,
        ticktext=[f"{mark:,}" for mark in marks],
    )  # fmt: skip


def _heading(text: str) -> Figure:
    return {
        "text": text, "xref": "paper", "x": 0, "xanchor": "left", "xshift": 4 - LEFT, "yref": "paper", "y": 1,
        "yanchor": "bottom", "yshift": 6, "showarrow": False, "font": {"size": SIZE + 1},
    }  # fmt: skip


def _nothing() -> Figure:
    return {
        "text": "no run has come to its end", "xref": "paper", "x": 0.5, "yref": "paper", "y": 0.5,
        "showarrow": False,
    }  # fmt: skip
