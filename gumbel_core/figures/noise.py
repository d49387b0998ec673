"""The pictures of the Noise lesson: the law and its making, the race, the signs, the logarithm, the tails."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from gumbel_core.figures.layout import (
    ACCENT,
    CONTRAST,
    MUTED,
    THIRD,
    Figure,
    axis,
    category_axis,
    labels,
    layout,
)

# Beyond these many categories a label stands at the winner alone, and bars carry no numbers.
_LABELLED = 16
_NUMBERED = 6


def bell(
    *, x: ArrayLike, pdf: ArrayLike, cdf: ArrayLike, centres: ArrayLike, heights: ArrayLike, mean: float,
    u: float, value: float,
) -> Figure:  # fmt: skip
    """Above, the cdf with the path of one uniform number `u` to its draw `value`; below, on the same axis,
    where the draw lands among the samples."""
    low, high = np.asarray(x)[[0, -1]].tolist()
    path = {"color": CONTRAST, "width": 2, "dash": "dot"}
    return {
        "data": [
            _curve(x, cdf, "cdf"),
            {"type": "scatter", "mode": "lines", "x": [low, value, value], "y": [u, u, 0], "line": path,
             "hoverinfo": "skip", "name": "path of u"},
            {"type": "scatter", "mode": "markers", "x": [low, value], "y": [u, u], "name": "u",
             "marker": {"color": CONTRAST, "size": 11, "symbol": ["circle", "circle-open"],
                        "line": {"width": 2, "color": CONTRAST}},
             "cliponaxis": False, "hovertemplate": "u = %{y:.3f}<extra></extra>"},
            {"type": "bar", "x": _rounded(centres), "y": _rounded(heights), "yaxis": "y2", "name": "samples",
             "marker": {"color": MUTED, "opacity": 0.45},
             "hovertemplate": "samples near %{x:.2f}: %{y:.3f}<extra></extra>"},
            _curve(x, pdf, "pdf", yaxis="y2"),
            {"type": "scatter", "mode": "lines", "x": [mean, mean], "y": [0, 0.66], "yaxis": "y2",
             "name": "mean", "line": {"color": MUTED, "width": 1.5, "dash": "dash"}, "hoverinfo": "skip"},
            {"type": "scatter", "mode": "lines", "x": [value, value], "y": [0, 0.8], "yaxis": "y2",
             "line": path, "hoverinfo": "skip", "name": "path of u"},
            {"type": "scatter", "mode": "markers", "x": [value], "y": [0], "yaxis": "y2", "cliponaxis": False,
             "marker": {"color": CONTRAST, "size": 13, "symbol": "diamond"}, "name": "draw",
             "hovertemplate": "the draw: %{x:.3f}<extra></extra>"},
        ],
        "layout": layout(
            height=460, bargap=0, margin={"l": 48, "r": 12, "t": 30, "b": 40},
            xaxis=axis("noise", range=[low, high], anchor="y2"),
            yaxis=axis(range=[0, 1.04], domain=[0.54, 1], tickvals=[0, 0.5, 1]),
            yaxis2=axis(range=[0, 0.8], domain=[0, 0.46], tickvals=[0, 0.2, 0.4, 0.6]),
            annotations=[
                _note(f"u = {u:.3g}", low, u, "y", xshift=8, yshift=10 if u < 0.9 else -12, xanchor="left"),
                _note("cdf: share below", high, 0.12, "y", xanchor="right"),
                _note("pdf and samples", high, 0.14, "y2", xanchor="right"),
                _note(f"draw {value:.2f}", value, 0.74, "y2", **_side(right=mean <= value < 0.6 * high)),
                _note(f"mean {mean:.2f}", mean, 0.62, "y2", **_side(right=value < mean)),
            ],
        ),
    }  # fmt: skip


def lanes(
    names: Sequence[str], *, times: ArrayLike, winner: int, frequencies: ArrayLike, law: ArrayLike, races: int
) -> Figure:
    """One race, a lane per category, its bar as long as its clock takes; beside it who won many of them."""
    places = list(range(len(names)))
    rings = np.asarray(times, dtype=np.float64)
    end = _window(rings)
    drawn = np.minimum(rings, end).tolist()
    colours = [ACCENT if place == winner else MUTED for place in places]
    shown = len(names) <= _LABELLED
    return {
        "data": [
            {"type": "bar", "orientation": "h", "y": places, "x": drawn, "width": 0.16,
             "marker": {"color": colours}, "hoverinfo": "skip"},
            {"type": "scatter", "mode": "markers+text", "y": places, "x": drawn, "cliponaxis": False,
             "marker": {
                 "symbol": [_ring(rings[k], end, first=k == winner) for k in places],
                 "size": [18 if k == winner else 10 for k in places],
                 "color": colours, "opacity": 1, "line": {"width": 0},
             },
             "text": [_time(rings[k], end, first=k == winner, shown=shown) for k in places],
             "textposition": ["top left" if time > 0.6 * end else "middle right" for time in drawn],
             "customdata": [f"{time:.4g}" if math.isfinite(time) else "never" for time in rings.tolist()],
             "hovertemplate": "%{customdata}<extra></extra>"},
            {"type": "bar", "orientation": "h", "xaxis": "x2", "y": places, "x": _rounded(frequencies),
             "width": 0.5, "marker": {"color": ACCENT, "opacity": 0.75},
             "hovertemplate": "won %{x:.4f}<extra></extra>"},
            {"type": "scatter", "mode": "markers", "xaxis": "x2", "y": places, "x": _rounded(law),
             "cliponaxis": False, "hovertemplate": "softmax %{x:.4f}<extra></extra>",
             "marker": {"symbol": "line-ns-open", "color": CONTRAST, "size": _tick(len(names)),
                        "line": {"width": 3}}},
        ],
        "layout": layout(
            height=min(460, 140 + 70 * len(names)), margin={"l": 48, "r": 16, "t": 50, "b": 44},
            xaxis=axis("time", domain=[0, 0.6], range=[0, 1.08 * end], nticks=5),
            xaxis2=axis(
                "share of races won", domain=[0.68, 1], range=[0, headroom(frequencies, law)], nticks=3
            ),
            yaxis=axis(
                tickvals=places, ticktext=labels(names) if shown else _alone(names, winner), showgrid=False,
                range=[len(names) - 0.4, -0.6],
            ),
            annotations=[
                _heading("This race: when each clock rings", 0),
                _heading(f"{races:,} races", 0.68),
            ],
        ),
    }  # fmt: skip


def sign_panel(
    names: Sequence[str], *, x: ArrayLike, density: ArrayLike, frequencies: ArrayLike, law: ArrayLike,
    wanted: ArrayLike, top: float, right: bool,
) -> Figure:  # fmt: skip
    """One sign: its density above; below, the frequencies of the argmax in the outlined bars they should
    fill, up to `top`. Where the exact law is another one, diamonds mark it."""
    colour = ACCENT if right else CONTRAST
    low, high = np.asarray(x)[[0, -1]].tolist()
    data = [
        _curve(x, density, "density", yaxis="y2", xaxis="x2", colour=colour,
               dash="solid" if right else "dash", fill="tozeroy"),
        _frames(wanted),
        _measured(frequencies, "frequency", colour, hatch="" if right else "/"),
    ]  # fmt: skip
    if not right:
        data.append(_exact(law))
    formula = "argmax(ℓ + g)" if right else "argmax(ℓ − g)"
    return {
        "data": data,
        "layout": layout(
            height=420, barmode="overlay", margin={"l": 44, "r": 8, "t": 46, "b": 44},
            xaxis=category_axis(names) | {"anchor": "y", "ticktext": _numbered(names, frequencies)},
            yaxis=axis(range=[0, top], domain=[0, 0.6]),
            xaxis2=axis(range=[low, high], anchor="y2", showgrid=False),
            yaxis2=axis(range=[0, 0.42], domain=[0.76, 1], showticklabels=False, showgrid=False, anchor="x2"),
            annotations=[
                _heading("Gumbel for maxima: +g" if right else "Gumbel for minima: −g", 0),
                _heading(f"{formula}, how often; outlined: softmax", 0, y=0.61),
            ],
        ),
    }  # fmt: skip


def feeds(
    names: Sequence[str],
    frequencies: Mapping[str, ArrayLike],
    laws: Mapping[str, ArrayLike],
    wanted: ArrayLike,
) -> Figure:
    """Bars of each feed's frequencies by category, diamonds at its exact law, in outlined bars of softmax."""
    styles = zip((ACCENT, CONTRAST, THIRD), ("", "/", "x"), strict=True)
    width = 0.8 / len(frequencies)
    data = [_frames(wanted)]
    for index, ((feed, drawn), (colour, hatch)) in enumerate(zip(frequencies.items(), styles, strict=True)):
        offset = (index - (len(frequencies) - 1) / 2) * width
        data.append(_measured(drawn, feed, colour, hatch=hatch, offset=offset, width=0.86 * width))
        data.append(_exact(laws[feed], offset=offset, legend=index == 0))
    return {
        "data": data,
        "layout": layout(
            height=400, barmode="overlay", showlegend=True, margin={"l": 44, "r": 8, "t": 30, "b": 84},
            legend={"orientation": "h", "x": 0, "y": -0.14, "yanchor": "top", "bgcolor": "rgba(0,0,0,0)"},
            xaxis=category_axis(names) | {"ticktext": _few(names)},
            yaxis=axis(range=[0, headroom(wanted, *frequencies.values())]),
        ),
    }  # fmt: skip


def headroom(*shares: ArrayLike) -> float:
    """The top of an axis: room for the highest bar and its diamond."""
    return min(1.06, 1.08 * max(float(np.max(share)) for share in shares))


def reach(
    titles: Sequence[str],
    *,
    lows: ArrayLike,
    highs: ArrayLike,
    zeros: ArrayLike,
    x: ArrayLike,
    density: ArrayLike,
) -> Figure:
    """How far each way to make noise reaches: from its smallest to its largest, and what U = 0 gives."""
    left, right = np.asarray(x)[[0, -1]].tolist()
    low, high, zero = (np.asarray(ends, dtype=np.float64).tolist() for ends in (lows, highs, zeros))
    places = list(range(len(titles)))
    spans: list[float | None] = []
    rows: list[int | None] = []
    for place in places:
        spans += [low[place], high[place], None]
        rows += [place, place, None]
    at_edge = [min(max(value, left + 0.3), right - 0.3) for value in zero]
    return {
        "data": [
            _curve(x, density, "density of the noise", yaxis="y2", colour=MUTED, dash="dot", fill="tozeroy"),
            {"type": "scatter", "mode": "lines", "x": spans, "y": rows, "line": {"color": ACCENT, "width": 5},
             "hoverinfo": "skip"},
            _ends(low, places),
            _ends(high, places),
            {"type": "scatter", "mode": "markers+text", "x": at_edge, "y": places, "cliponaxis": False,
             "marker": {"symbol": [_zero_mark(value) for value in zero], "color": CONTRAST, "size": 13},
             "text": [f"U = 0: {_signed(value)}" for value in zero], "hoverinfo": "skip",
             "textposition": ["bottom left" if value > right else "bottom right" for value in zero]},
        ],
        "layout": layout(
            height=380, margin={"l": 12, "r": 12, "t": 30, "b": 40},
            xaxis=axis("noise in single precision", range=[left, right]),
            yaxis=axis(range=[len(titles) - 0.3, -0.7], showticklabels=False, showgrid=False),
            yaxis2=axis(range=[0, 2.4], overlaying="y", showticklabels=False, showgrid=False),
            annotations=[
                _note(labels([title])[0], 7, place, "y", xanchor="center", yshift=16)
                for place, title in zip(places, titles, strict=True)
            ],
        ),
    }  # fmt: skip


def _curve(
    x: ArrayLike, y: ArrayLike, name: str, *, colour: str = ACCENT, dash: str = "solid", **more: str
) -> Figure:
    line = {"color": colour, "width": 2.5, "dash": dash}
    hover = "%{x:.2f}: %{y:.3f}<extra></extra>"
    points = {"x": _rounded(x), "y": _rounded(y)}
    drawn = {"type": "scatter", "mode": "lines", "name": name, "line": line} | points
    # Eight digits of a colour: the last two are its opacity.
    return drawn | {"hovertemplate": hover} | ({"fillcolor": f"{colour}22"} if "fill" in more else {}) | more


def _frames(wanted: ArrayLike) -> Figure:
    """Outlined bars, wider than those that should fill them."""
    return {
        "type": "bar", "x": list(range(np.size(wanted))), "y": _rounded(wanted), "width": 0.92,
        "name": "softmax(ℓ)",
        "marker": {"color": "rgba(0,0,0,0)", "line": {"color": MUTED, "width": 2}},
        "hovertemplate": "softmax %{y:.4f}<extra></extra>",
    }  # fmt: skip


def _measured(
    frequencies: ArrayLike, name: str, colour: str, *, hatch: str, offset: float = 0, width: float = 0.6
) -> Figure:
    drawn = np.asarray(frequencies, dtype=np.float64)
    return {
        "type": "bar", "x": (np.arange(drawn.size) + offset).round(4).tolist(), "y": _rounded(drawn),
        "width": width, "name": name, "hovertemplate": "frequency %{y:.4f}<extra></extra>",
        "marker": {
            "color": colour, "opacity": 0.85,
            "pattern": {"shape": hatch, "fillmode": "overlay", "fgcolor": "rgba(255,255,255,.5)", "size": 7},
        },
    }  # fmt: skip


def _exact(law: ArrayLike, *, offset: float = 0, legend: bool = False) -> Figure:
    exact = np.asarray(law, dtype=np.float64)
    return {
        "type": "scatter", "mode": "markers", "x": (np.arange(exact.size) + offset).round(4).tolist(),
        "y": _rounded(exact), "name": "exact law", "showlegend": legend, "legendrank": 2000,
        "cliponaxis": False, "marker": {"symbol": "diamond", "size": _size(exact.size), "color": "#FFFFFF",
                   "line": {"color": "#1B1F24", "width": 1.5}},
        "hovertemplate": "exact law %{y:.4f}<extra></extra>",
    }  # fmt: skip


def _ends(values: Sequence[float], places: Sequence[int]) -> Figure:
    return {
        "type": "scatter", "mode": "markers+text", "x": list(values), "y": list(places), "hoverinfo": "skip",
        "marker": {"symbol": "line-ns-open", "color": ACCENT, "size": 12, "line": {"width": 3}},
        "text": [_signed(value) for value in values], "textposition": "top center", "cliponaxis": False,
    }  # fmt: skip


def _note(text: str, x: float, y: float, yref: str, **more: object) -> Figure:
    return {"text": text, "x": x, "y": y, "xref": "x", "yref": yref, "showarrow": False} | more


def _side(*, right: bool) -> Figure:
    """A note to the right or to the left of its place."""
    return {"xanchor": "left", "xshift": 6} if right else {"xanchor": "right", "xshift": -6}


def _heading(text: str, x: float, y: float = 1.0) -> Figure:
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return {"text": text, "showarrow": False} | place


def _window(times: np.ndarray) -> float:
    """Where the race's picture ends: past the first two to ring, and all within 12 times the first."""
    finite = np.sort(times[np.isfinite(times)])
    near = finite[finite <= max(finite[min(1, finite.size - 1)], 12 * finite[0])]
    return float(near[-1]) * 1.05 or 1.0


def _ring(time: float, end: float, *, first: bool) -> str:
    if first:
        return "star"
    return "circle" if time <= end else "triangle-right"


def _time(time: float, end: float, *, first: bool, shown: bool) -> str:
    text = f"{time:.3g}" if math.isfinite(time) else "never"
    if first:
        return f"  first, at {text}  "
    arrow = " →" if end < time < math.inf else ""
    return f" {text}{arrow} " if shown else ""


def _size(categories: int) -> float:
    """Of a diamond: smaller where there are many."""
    return max(4.0, min(9.0, 90 / categories))


def _tick(categories: int) -> float:
    return max(5.0, min(34.0, 190 / categories))


def _alone(names: Sequence[str], winner: int) -> list[str]:
    """The winner's label alone, where all would not fit."""
    return [name if place == winner else "" for place, name in enumerate(labels(names))]


def _few(names: Sequence[str]) -> list[str]:
    """Every label, or every fourth where all would not fit."""
    step = 1 if len(names) <= _LABELLED else 4
    return [name if place % step == 0 else "" for place, name in enumerate(labels(names))]


def _numbered(names: Sequence[str], shares: ArrayLike) -> list[str]:
    """Each label with its bar's number under it, where these fit."""
    if len(names) > _NUMBERED:
        return _few(names)
    numbers = (_share(share) for share in np.asarray(shares).tolist())
    return [f"{name}<br>{number}" for name, number in zip(_few(names), numbers, strict=True)]


def _share(value: float) -> str:
    return f"{value:.3f}".removeprefix("0") if value < 1 else "1"


def _signed(value: float) -> str:
    if math.isinf(value):
        return "+∞" if value > 0 else "−∞"
    return f"{value:+.2f}".replace("-", "−")


def _zero_mark(value: float) -> str:
    if math.isinf(value):
        return "triangle-right" if value > 0 else "triangle-left"
    return "diamond"


def _rounded(values: ArrayLike) -> list[float]:
    """Five digits: finer than a pixel, and short messages."""
    rounded: list[float] = np.asarray(values, dtype=np.float64).round(5).tolist()
    return rounded
