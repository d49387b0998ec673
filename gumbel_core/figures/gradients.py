"""The gradient estimators against the temperature: bias and variance, squared error, vanished estimates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gumbel_core.figures.direct_labels import APART, SIZE, End, end_labels, spread
from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, Figure, axis, labels, layout
from gumbel_core.figures.log_axes import decades, digits, here, log_axis, span_of, tau_axis

Array = NDArray[np.float64]
Role = Literal["chosen", "beside", "rest"]

# Told apart by dash, width and marker as well. The two that are looked at lie on the rest.
ROLES: Mapping[Role, Figure] = {
    "rest": {"color": MUTED, "width": 1.1, "dash": "solid", "symbol": "circle"},
    "beside": {"color": CONTRAST, "width": 2.4, "dash": "6px,3px", "symbol": "square", "size": 7},
    "chosen": {"color": ACCENT, "width": 3, "dash": "solid", "symbol": "circle", "size": 7},
}
# Below it a variance is rounding, in units of the exact gradient's squared length.
ROUNDING = 1e-12
LOOKED_AT: Sequence[Role] = ("chosen", "beside")
# Pixels: at the left, at the right with the lines' names, over and under the panels; and a panel's share.
LEFT, MARGIN, TOP, BOTTOM = 52, 112, 72, 44
HEIGHT, PANEL = 610, 0.435
MOST_LETTERS = 56  # in a row of names


@dataclass(frozen=True)
class BenchLine:
    """One estimator over temperatures, all of one length; of length 1 where it reads no temperature.

    bias, variance: in units of the exact gradient's length, and of its square
    seen: whether a bias stands out of the samples' scatter; elsewhere it is what was measured all the same
    role: how it is drawn
    unbiased: whether it is known to have no bias, whatever was measured
    """

    title: str
    temperatures: Sequence[float]
    bias: Sequence[float]
    variance: Sequence[float]
    seen: Sequence[bool]
    role: Role
    unbiased: bool = False


@dataclass(frozen=True)
class ErrorLines:
    """One estimator's squared error: mse (M, T) of the mean of each `means_of` (M,), at temperatures (T,)."""

    title: str
    temperatures: Sequence[float]
    means_of: Sequence[int]
    mse: Array


def bias_variance_figure(lines: Sequence[BenchLine], tau: float) -> Figure:
    """Bias above, variance below, on one axis of temperatures; every line is named at its end.

    A line of bias is broken where the bias is not told from the samples' scatter; there the two estimators
    that are looked at have hollow marks. A logarithm has no place for 0: who has no bias at all, or none that
    was seen, is named over the panel.
    """
    drawn = sorted(lines, key=lambda line: list(ROLES).index(line.role))
    ends = span_of([line.temperatures for line in drawn])
    bias = [_line(line, _told(line), "bias", "y", ends) for line in drawn]
    variance = [_line(line, _scattered(line), "variance", "y2", ends) for line in drawn]
    hollow = [_hollow(line, ends) for line in drawn if line.role != "rest"]
    spans = _bias_span(bias, hollow), decades([trace["y"] for trace in variance])
    pixels = PANEL * (HEIGHT - TOP - BOTTOM)
    return {
        "data": [trace for trace in bias + variance + hollow if _any(trace["y"])],
        "layout": layout(
            height=HEIGHT, margin={"l": LEFT, "r": MARGIN, "t": TOP, "b": BOTTOM},
            xaxis=tau_axis(ends, tau) | {"anchor": "y2"},
            yaxis=log_axis(spans[0]) | {"domain": [1 - PANEL, 1]},
            yaxis2=log_axis(spans[1]) | {"domain": [0, PANEL]},
            shapes=[here(tau, 1 - PANEL, 1), here(tau, 0, PANEL)],
            annotations=[
                _heading("Bias", 1, {
                    "none": [line for line in drawn if line.unbiased],
                    "none seen": [line for line in drawn if not line.unbiased and not _any(_told(line))],
                }),
                _heading("Variance", PANEL, {
                    "none": [line for line in drawn if not _any(_scattered(line))],
                }),
                *_named_ends(drawn, bias, spans[0], pixels, "y"),
                *_named_ends(drawn, variance, spans[1], pixels, "y2"),
            ],
        ),
    }  # fmt: skip


def mse_figure(lines: ErrorLines, tau: float, beside: ErrorLines | None = None) -> Figure:
    """The squared error of means of several sizes; a mark at each one's best temperature, the marks joined.

    `beside` is another estimator, of which the best temperatures alone are drawn.
    """
    both = [lines] if beside is None else [lines, beside]
    ends = span_of([line.temperatures for line in both])
    paths = [_bests(line, ROLES[role]) for line, role in zip(both, LOOKED_AT, strict=False)]
    errors = [_errors(lines, rank, ends) for rank in range(len(lines.means_of))]
    span = decades([trace["y"] for trace in errors + paths])
    return {
        "data": [*errors, *(path for path in reversed(paths) if path["x"])],
        "layout": layout(
            height=400, margin={"l": LEFT, "r": 14, "t": 48, "b": BOTTOM}, showlegend=True,
            xaxis=tau_axis(ends, tau), yaxis=log_axis(span, "mean squared error"),
            shapes=[here(tau, 0, 1)],
            annotations=_named_starts(errors, span, 400 - 48 - BOTTOM) or [_no_error(lines.title)],
        ),
    }  # fmt: skip


def vanished_figure(
    temperatures: Sequence[float], single: Sequence[float], double: Sequence[float], tau: float
) -> Figure:
    """The share of estimates that are exactly 0, in single and in double precision, against tau."""
    return {
        "data": [
            _share(temperatures, double, "double precision", ROLES["beside"]),
            _share(temperatures, single, "single precision", ROLES["chosen"]),
        ],
        "layout": layout(
            height=300, margin={"l": LEFT, "r": 14, "t": 34, "b": BOTTOM}, showlegend=True,
            xaxis=tau_axis(span_of([temperatures]), tau),
            yaxis=axis("exactly 0", range=[-0.04, 1.06], tickvals=[0, 0.5, 1],
                       ticktext=["0 %", "50 %", "100 %"]),
            shapes=[here(tau, 0, 1)],
        ),
    }  # fmt: skip


def _told(line: BenchLine) -> list[float | None]:
    """The biases that stand out of the scatter; None elsewhere."""
    return [
        bias if seen and bias > 0 and not line.unbiased else None
        for bias, seen in zip(line.bias, line.seen, strict=True)
    ]


def _untold(line: BenchLine) -> list[float | None]:
    """What was measured where no bias was told from the scatter."""
    return [
        bias if not seen and bias > 0 and not line.unbiased else None
        for bias, seen in zip(line.bias, line.seen, strict=True)
    ]


def _scattered(line: BenchLine) -> list[float | None]:
    return [variance if variance >= ROUNDING else None for variance in line.variance]


def _any(values: Sequence[float | None]) -> bool:
    return any(value is not None for value in values)


def _across(
    temperatures: Sequence[float], values: Sequence[float | None], ends: tuple[float, float]
) -> tuple[list[float], list[float | None]]:
    """The points of a line; one without a temperature lies flat."""
    x, y = (list(ends), [values[0]] * 2) if len(temperatures) == 1 else (list(temperatures), list(values))
    return digits(x), [None if value is None else digits([value])[0] for value in y]


def _line(
    line: BenchLine, values: Sequence[float | None], what: str, place: str, ends: tuple[float, float]
) -> Figure:
    style, (x, y) = ROLES[line.role], _across(line.temperatures, values, ends)
    sizes = _alone(y) if line.role == "rest" or len(line.temperatures) == 1 else style["size"]
    (name,) = labels([line.title])
    return {
        "type": "scatter", "mode": "lines+markers", "x": x, "y": y, "yaxis": place,
        "name": name, "connectgaps": False, "cliponaxis": False,
        "line": {key: style[key] for key in ("color", "width", "dash")},
        "marker": {"color": style["color"], "symbol": style["symbol"], "size": sizes},
        "hovertemplate": f"{name}, τ %{{x:.3g}}: {what} %{{y:.3g}}<extra></extra>",
    }  # fmt: skip


def _alone(y: Sequence[float | None]) -> list[int]:
    """The markers' sizes of a line without markers: a point between two gaps would not be seen."""
    padded = [None, *y, None]
    return [4 if before is after is None else 0 for before, after in zip(padded, padded[2:], strict=False)]


def _hollow(line: BenchLine, ends: tuple[float, float]) -> Figure:
    style, (x, y) = ROLES[line.role], _across(line.temperatures, _untold(line), ends)
    (name,) = labels([line.title])
    return {
        "type": "scatter", "mode": "markers", "x": x, "y": y, "yaxis": "y", "name": name,
        "marker": {"color": style["color"], "symbol": f"{style['symbol']}-open", "size": style["size"]},
        "hovertemplate": f"{name}, τ %{{x:.3g}}: %{{y:.3g}}, not told from no bias<extra></extra>",
    }  # fmt: skip


def _named_ends(
    lines: Sequence[BenchLine], traces: Sequence[Figure], span: tuple[float, float], pixels: float, place: str
) -> list[Figure]:
    """Each line's name, where its last point lies."""
    ends = []
    for line, trace in zip(lines, traces, strict=True):
        points = [(x, y) for x, y in zip(trace["x"], trace["y"], strict=True) if y is not None]
        if points:
            x, y = points[-1]
            colour, bold = ROLES[line.role]["color"], line.role != "rest"
            ends.append(End(line.title, math.log10(x), math.log10(y), colour, bold))
    return end_labels(ends, span=span, pixels=pixels, place=place)


def _named_starts(traces: Sequence[Figure], span: tuple[float, float], pixels: float) -> list[Figure]:
    """Each line's name over its first point: at the other end, where the bias is all, the lines meet."""
    low, high = span
    drawn = [trace for trace in traces if trace["y"][0] is not None]
    starts = [math.log10(trace["y"][0]) for trace in drawn]
    heights = spread([pixels * (start - low) / (high - low) for start in starts], APART, 0, pixels)
    return [
        {"text": trace["name"], "x": math.log10(trace["x"][0]), "xanchor": "left", "xshift": 3,
         "y": low + height * (high - low) / pixels, "yanchor": "bottom", "showarrow": False,
         "font": {"size": SIZE}}
        for trace, height in zip(drawn, heights, strict=True)
    ]  # fmt: skip


def _no_error(title: str) -> Figure:
    return {
        "text": f"{labels([title])[0]}: no error", "xref": "paper", "x": 0.5, "yref": "paper", "y": 0.5,
        "showarrow": False,
    }  # fmt: skip


def _heading(title: str, y: float, apart: Mapping[str, Sequence[BenchLine]]) -> Figure:
    """A panel's title, and under it who is not on its logarithmic axis, and why."""
    rows = [row for why, lines in apart.items() for row in _listed(why, list(reversed(lines)))]
    return {
        "text": "<br>".join([f"<b>{title}</b>", *rows]), "xref": "paper", "x": 0, "xanchor": "left",
        "xshift": 4 - LEFT, "yref": "paper", "y": y, "yanchor": "bottom", "yshift": 4, "align": "left",
        "showarrow": False, "font": {"size": SIZE + 1},
    }  # fmt: skip


def _listed(why: str, lines: Sequence[BenchLine]) -> list[str]:
    """`why: one, another`, in rows that fit on a phone."""
    rows: list[str] = []
    length = MOST_LETTERS
    for line in lines:
        length += len(line.title) + 2
        if length > MOST_LETTERS:
            rows.append("" if rows else f"{why}: ")
            length = len(rows[-1]) + len(line.title)
        rows[-1] += _named(line) + ("" if line is lines[-1] else ", ")
    return rows


def _named(line: BenchLine) -> str:
    (title,) = labels([line.title])
    return title if line.role == "rest" else f'<b style="color:{ROLES[line.role]["color"]}">{title}</b>'


def _erring(lines: ErrorLines, rank: int) -> list[float | None]:
    """The errors of one mean; None where an estimate's would be rounding."""
    m = lines.means_of[rank]
    return [error if m * error >= ROUNDING else None for error in lines.mse[rank].tolist()]


def _errors(lines: ErrorLines, rank: int, ends: tuple[float, float]) -> Figure:
    m = lines.means_of[rank]
    x, y = _across(lines.temperatures, _erring(lines, rank), ends)
    name = "one estimate" if m == 1 else f"mean of {m:,}"
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": name,
        "line": {"color": MUTED, "width": 1.6}, "showlegend": False,
        "hovertemplate": f"{name}, τ %{{x:.3g}}: %{{y:.3g}}<extra></extra>",
    }  # fmt: skip


def _bests(lines: ErrorLines, style: Figure) -> Figure:
    """The best temperature of each mean, joined; none where no temperature is read, or nothing errs."""
    ranks = range(len(lines.means_of)) if len(lines.temperatures) > 1 else range(0)
    bests = [(rank, int(lines.mse[rank].argmin())) for rank in ranks]
    points = [(rank, at) for rank, at in bests if _erring(lines, rank)[at] is not None]
    (name,) = labels([lines.title])
    return {
        "type": "scatter", "mode": "lines+markers", "name": f"{name}, best τ",
        "x": digits([lines.temperatures[at] for _, at in points]),
        "y": digits([lines.mse[rank, at] for rank, at in points]),
        "customdata": [f"{lines.means_of[rank]:,}" for rank, _ in points],
        "line": {"color": style["color"], "width": 2, "dash": "dash"},
        "marker": {"color": style["color"], "symbol": style["symbol"], "size": 10},
        "hovertemplate": f"{name}, mean of %{{customdata}}: best at τ %{{x:.3g}}, %{{y:.3g}}<extra></extra>",
    }  # fmt: skip


def _share(temperatures: Sequence[float], share: Sequence[float], name: str, style: Figure) -> Figure:
    return {
        "type": "scatter", "mode": "lines+markers", "name": name,
        "x": digits(temperatures), "y": digits(share),
        "line": {key: style[key] for key in ("color", "width", "dash")},
        "marker": {"color": style["color"], "symbol": style["symbol"], "size": style["size"]},
        "hovertemplate": f"{name}, τ %{{x:.3g}}: %{{y:.1%}}<extra></extra>",
    }  # fmt: skip


def _bias_span(bias: Sequence[Figure], hollow: Sequence[Figure]) -> tuple[float, float]:
    """As `decades`: the hollow marks with the lines, but for those that chance puts far below all lines."""
    told = [y for trace in bias for y in trace["y"] if y is not None]
    lowest = min(told, default=0.0) / 3
    near = [y for trace in hollow for y in trace["y"] if y is not None and y >= lowest]
    return decades([told, near])
