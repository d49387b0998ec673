"""The pictures of the Noise lesson: the law and its making, the race, the two signs, the logarithm, the tails."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, THIRD, Figure, axis, category_axis, labels, layout

# Beyond these many categories a label stands at the winner alone, and bars carry no numbers.
_LABELLED = 16
_NUMBERED = 6


def bell(
    *, x: ArrayLike, pdf: ArrayLike, cdf: ArrayLike, centres: ArrayLike, heights: ArrayLike, mean: float,
    u: float, value: float,
) -> Figure:  # fmt: skip
    """Above, the cdf with the path of one uniform number `u` to its draw `value`; below, on the same axis, where
    the draw lands among the samples."""
    low, high = np.asarray(x)[[0, -1]].tolist()
    path = {"color": CONTRAST, "width": 2, "dash": "dot"}
    return {
        "data": [
            _line(x, cdf, "cdf"),
            {"type": "scatter", "mode": "lines", "x": [low, value, value], "y": [u, u, 0], "line": path,
             "hoverinfo": "skip", "name": "path of u"},
            {"type": "scatter", "mode": "markers", "x": [low, value], "y": [u, u], "name": "u", "cliponaxis": False,
             "marker": {"color": CONTRAST, "size": 10, "symbol": ["circle", "circle-open"], "line": {"width": 2}},
             "hovertemplate": "u = %{y:.3f}<extra></extra>"},
            {"type": "bar", "x": _short(centres), "y": _short(heights), "yaxis": "y2", "name": "samples",
             "marker": {"color": MUTED, "opacity": 0.45}, "hovertemplate": "samples near %{x:.2f}: %{y:.3f}<extra></extra>"},
            _line(x, pdf, "pdf", yaxis="y2"),
            {"type": "scatter", "mode": "lines", "x": [value, value], "y": [0, 0.8], "yaxis": "y2", "line": path,
             "hoverinfo": "skip", "name": "path of u"},
            {"type": "scatter", "mode": "markers", "x": [value], "y": [0], "yaxis": "y2", "cliponaxis": False,
             "marker": {"color": CONTRAST, "size": 13, "symbol": "diamond"}, "name": "draw",
             "hovertemplate": "the draw: %{x:.3f}<extra></extra>"},
        ],
        "layout": layout(
            height=440, bargap=0, margin={"l": 48, "r": 12, "t": 12, "b": 40},
            xaxis=axis("noise", range=[low, high], anchor="y2"),
            yaxis=axis(range=[0, 1.04], domain=[0.54, 1], tickvals=[0, 0.5, 1]),
            yaxis2=axis(range=[0, 0.8], domain=[0, 0.46], tickvals=[0, 0.2, 0.4, 0.6]),
            annotations=[
                _note(f"u = {u:.3g}", low, u, "y", xshift=8, yshift=10 if u < 0.9 else -12, xanchor="left"),
                _note("cdf: the share of draws below", high, 0.9, "y", xanchor="right"),
                _note("pdf, over the samples' histogram", high, 0.72, "y2", xanchor="right"),
                _note(f"draw {value:.2f}", value, 0.72, "y2", xshift=6, yshift=-18, xanchor="left"),
                _note("mean", mean, 0, "y2", yshift=-4, ay=-26, ax=0, showarrow=True, arrowhead=2, arrowwidth=1.5,
                      arrowcolor=MUTED),
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
    named = labels(names) if len(names) <= _LABELLED else _alone(names, winner)
    return {
        "data": [
            {"type": "bar", "orientation": "h", "y": places, "x": np.minimum(rings, end).tolist(), "width": 0.16,
             "marker": {"color": [ACCENT if k == winner else MUTED for k in places]}, "hoverinfo": "skip"},
            {"type": "scatter", "mode": "markers+text", "y": places, "x": np.minimum(rings, end).tolist(),
             "marker": {
                 "symbol": [_ring(rings[k], end, first=k == winner) for k in places],
                 "size": [18 if k == winner else 10 for k in places],
                 "color": [ACCENT if k == winner else MUTED for k in places], "line": {"width": 2},
             },
             "text": [_time(rings[k], first=k == winner, shown=len(names) <= _LABELLED) for k in places],
             "textposition": ["top left" if t > 0.7 * end else "middle right" for t in rings.tolist()],
             "customdata": [f"{t:.4g}" if math.isfinite(t) else "never" for t in rings.tolist()],
             "hovertemplate": "%{customdata}<extra></extra>", "cliponaxis": False},
            {"type": "bar", "orientation": "h", "xaxis": "x2", "y": places, "x": _short(frequencies), "width": 0.5,
             "marker": {"color": ACCENT, "opacity": 0.75}, "hovertemplate": "won %{x:.4f}<extra></extra>"},
            {"type": "scatter", "mode": "markers", "xaxis": "x2", "y": places, "x": _short(law),
             "marker": {"symbol": "line-ns-open", "color": CONTRAST, "size": _tick(len(names)), "line": {"width": 3}},
             "hovertemplate": "softmax %{x:.4f}<extra></extra>", "cliponaxis": False},
        ],
        "layout": layout(
            height=min(460, 130 + 70 * len(names)), margin={"l": 48, "r": 16, "t": 34, "b": 44},
            xaxis=axis("time", domain=[0, 0.6], range=[0, 1.08 * end], nticks=5),
            xaxis2=axis("share of races won", domain=[0.68, 1], range=[0, 1.02], tickvals=[0, 0.5, 1]),
            yaxis=axis(tickvals=places, ticktext=named, showgrid=False, range=[len(names) - 0.4, -0.6]),
            annotations=[
                _heading("This race: when each clock rings", 0),
                _heading(f"{races:,} races", 0.68),
            ],
        ),
    }  # fmt: skip


def sign_panel(
    names: Sequence[str], *, x: ArrayLike, density: ArrayLike, frequencies: ArrayLike, law: ArrayLike,
    wanted: ArrayLike, right: bool,
) -> Figure:  # fmt: skip
    """One sign: its density above; below, the frequencies of the argmax in the outlined bars they should fill.
    Where the exact law is another one, diamonds mark it."""
    colour = ACCENT if right else CONTRAST
    low, high = np.asarray(x)[[0, -1]].tolist()
    data = [
        _line(x, density, "density", yaxis="y2", xaxis="x2", colour=colour, dash="solid" if right else "dash",
              fill="tozeroy"),
        _frames(wanted),
        _measured(frequencies, "frequency", colour, hatch="" if right else "/", numbered=len(names) <= _NUMBERED),
    ]  # fmt: skip
    if not right:
        data.append(_exact(law))
    formula = "argmax(ℓ + g)" if right else "argmax(ℓ − g)"
    top = _top(wanted, frequencies)
    return {
        "data": data,
        "layout": layout(
            height=400, barmode="overlay", margin={"l": 44, "r": 8, "t": 26, "b": 40},
            xaxis=category_axis(_few(names)) | {"anchor": "y"}, yaxis=axis(range=[0, top], domain=[0, 0.6]),
            xaxis2=axis(range=[low, high], anchor="y2", showgrid=False),
            yaxis2=axis(range=[0, 0.42], domain=[0.76, 1], showticklabels=False, showgrid=False, anchor="x2"),
            annotations=[
                _heading("Gumbel for maxima: +g" if right else "Gumbel for minima: −g", 0),
                _heading(f"how often {formula} is each; outlined: softmax", 0, y=0.61),
            ],
        ),
    }  # fmt: skip


def feeds(names: Sequence[str], frequencies: Mapping[str, ArrayLike], laws: Mapping[str, ArrayLike], wanted: ArrayLike) -> Figure:
    """Bars of each feed's frequencies by category, diamonds at its exact law, in outlined bars of softmax."""
    styles = zip((ACCENT, CONTRAST, THIRD), ("", "/", "x"), strict=True)
    width = 0.8 / len(frequencies)
    data = [_frames(wanted)]
    for index, ((feed, drawn), (colour, hatch)) in enumerate(zip(frequencies.items(), styles, strict=True)):
        offset = (index - (len(frequencies) - 1) / 2) * width
        data.append(
            _measured(drawn, feed, colour, hatch=hatch, numbered=len(names) <= 4, offset=offset, width=0.86 * width)
        )
        data.append(_exact(laws[feed], offset=offset))
    return {
        "data": data,
        "layout": layout(
            height=360, barmode="overlay", showlegend=True, margin={"l": 44, "r": 8, "t": 30, "b": 36},
            xaxis=category_axis(_few(names)), yaxis=axis(range=[0, _top(wanted, *frequencies.values())]),
        ),
    }  # fmt: skip


def reach(titles: Sequence[str], *, lows: ArrayLike, highs: ArrayLike, zeros: ArrayLike, x: ArrayLike, density: ArrayLike) -> Figure:
    """How far each way to make noise reaches: a line from its smallest to its largest, and what U = 0 gives."""
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
            _line(x, density, "density of the noise", yaxis="y2", colour=MUTED, dash="dot", fill="tozeroy"),
            {"type": "scatter", "mode": "lines", "x": spans, "y": rows, "line": {"color": ACCENT, "width": 5},
             "hoverinfo": "skip"},
            _ends(low, places, "bottom center"),
            _ends(high, places, "bottom center"),
            {"type": "scatter", "mode": "markers+text", "x": at_edge, "y": places, "cliponaxis": False,
             "marker": {"symbol": [_zero_mark(value) for value in zero], "color": CONTRAST, "size": 13},
             "text": [f"U = 0: {_signed(value)}" for value in zero],
             "textposition": ["top left" if value > right else "top right" for value in zero], "hoverinfo": "skip"},
        ],
        "layout": layout(
            height=330, margin={"l": 12, "r": 12, "t": 12, "b": 40},
            xaxis=axis("noise in single precision", range=[left, right]),
            yaxis=axis(range=[len(titles) - 0.35, -0.75], showticklabels=False, showgrid=False),
            yaxis2=axis(range=[0, 1.6], overlaying="y", showticklabels=False, showgrid=False),
            annotations=[
                _note(labels([title])[0], 5.5, place, "y", xanchor="center", yshift=14)
                for place, title in zip(places, titles, strict=True)
            ],
        ),
    }  # fmt: skip


def _line(
    x: ArrayLike, y: ArrayLike, name: str, *, colour: str = ACCENT, dash: str = "solid", **more: str
) -> Figure:
    line = {"color": colour, "width": 2.5, "dash": dash}
    hover = "%{x:.2f}: %{y:.3f}<extra></extra>"
    drawn = {"type": "scatter", "mode": "lines", "x": _short(x), "y": _short(y), "name": name, "line": line}
    # Eight digits of a colour: the last two are its opacity.
    return drawn | {"hovertemplate": hover} | ({"fillcolor": f"{colour}22"} if "fill" in more else {}) | more


def _frames(wanted: ArrayLike) -> Figure:
    """Outlined bars, wider than those that should fill them."""
    return {
        "type": "bar", "x": list(range(np.size(wanted))), "y": _short(wanted), "width": 0.92, "name": "softmax(ℓ)",
        "marker": {"color": "rgba(0,0,0,0)", "line": {"color": MUTED, "width": 2}},
        "hovertemplate": "softmax %{y:.4f}<extra></extra>",
    }  # fmt: skip


def _measured(
    frequencies: ArrayLike, name: str, colour: str, *, hatch: str, numbered: bool, offset: float = 0, width: float = 0.6
) -> Figure:
    drawn = np.asarray(frequencies, dtype=np.float64)
    return {
        "type": "bar", "x": (np.arange(drawn.size) + offset).round(4).tolist(), "y": _short(drawn), "width": width,
        "name": name, "hovertemplate": "frequency %{y:.4f}<extra></extra>",
        "marker": {"color": colour, "opacity": 0.85,
                   "pattern": {"shape": hatch, "fgcolor": "rgba(255,255,255,0.7)", "size": 7}},
        "text": [_share(share) for share in drawn.tolist()] if numbered else None, "textposition": "outside",
        "cliponaxis": False, "textangle": 0, "constraintext": "none",
    }  # fmt: skip


def _exact(law: ArrayLike, offset: float = 0) -> Figure:
    exact = np.asarray(law, dtype=np.float64)
    return {
        "type": "scatter", "mode": "markers", "x": (np.arange(exact.size) + offset).round(4).tolist(),
        "y": _short(exact), "name": "exact law", "showlegend": False, "cliponaxis": False,
        "marker": {"symbol": "diamond", "size": 9, "color": "#FFFFFF", "line": {"color": "#1B1F24", "width": 1.5}},
        "hovertemplate": "exact law %{y:.4f}<extra></extra>",
    }  # fmt: skip


def _ends(values: Sequence[float], places: Sequence[int], position: str) -> Figure:
    return {
        "type": "scatter", "mode": "markers+text", "x": list(values), "y": list(places), "hoverinfo": "skip",
        "marker": {"symbol": "line-ns-open", "color": ACCENT, "size": 16, "line": {"width": 3}},
        "text": [_signed(value) for value in values], "textposition": position, "cliponaxis": False,
    }  # fmt: skip


def _note(text: str, x: float, y: float, yref: str, **more: object) -> Figure:
    return {"text": text, "x": x, "y": y, "xref": "x", "yref": yref, "showarrow": False} | more


def _heading(text: str, x: float, y: float = 1.0) -> Figure:
    place = {"x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom"}
    return {"text": text, "showarrow": False} | place


def _window(times: np.ndarray) -> float:
    """Where the race's picture ends: it holds the first two to ring, and whoever takes up to 12 times the first."""
    finite = np.sort(times[np.isfinite(times)])
    near = finite[finite <= max(finite[min(1, finite.size - 1)], 12 * finite[0])]
    return float(near[-1]) * 1.05 or 1.0


def _ring(time: float, end: float, *, first: bool) -> str:
    if first:
        return "star"
    return "circle-open" if time <= end else "triangle-right"


def _time(time: float, *, first: bool, shown: bool) -> str:
    text = f"{time:.3g}" if math.isfinite(time) else "never"
    return f"  first, at {text}" if first else f" {text}" if shown else ""


def _tick(categories: int) -> float:
    return max(5.0, min(34.0, 190 / categories))


def _alone(names: Sequence[str], winner: int) -> list[str]:
    """The winner's label alone, where all would not fit."""
    return [name if place == winner else "" for place, name in enumerate(labels(names))]


def _few(names: Sequence[str]) -> Sequence[str]:
    """Every label, or every fourth where all would not fit."""
    return names if len(names) <= _LABELLED else [name if place % 4 == 0 else "" for place, name in enumerate(names)]


def _top(*shares: ArrayLike) -> float:
    """Room for the highest bar and its number."""
    return min(1.12, 1.15 * max(float(np.max(share)) for share in shares))


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


def _short(values: ArrayLike) -> list[float]:
    """Five digits: finer than a pixel, and short messages."""
    rounded: list[float] = np.asarray(values, dtype=np.float64).round(5).tolist()
    return rounded
