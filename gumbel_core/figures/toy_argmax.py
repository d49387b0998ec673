"""The toy in pictures: its layers race from one seed, and how often three steps are enough."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, THIRD, Figure, axis, labels, layout

# From wide to thin: where lines coincide, the narrower one lies on the wider, and all of them are seen.
RACING: Mapping[str, Figure] = {
    "softmax": {"color": CONTRAST, "width": 5.5, "dash": "solid", "symbol": "square-open", "size": 14},
    "straight_through": {
        "color": THIRD,
        "width": 3.5,
        "dash": "6px,4px",
        "symbol": "diamond-open",
        "size": 12,
    },
    "gumbel_softmax": {"color": ACCENT, "width": 2, "dash": "solid", "symbol": "circle", "size": 6},
    "argmax": {"color": MUTED, "width": 1.5, "dash": "dot", "symbol": "triangle-up-open", "size": 11},
}
# Told apart by their marker, for the dash tells a share from a probability.
SHARES: Sequence[tuple[str, str, str]] = (
    (ACCENT, "circle", "rgba(31,119,196,0.18)"),
    (CONTRAST, "square", "rgba(213,94,0,0.18)"),
)
# A line of a hundred steps with a marker on each is a caterpillar.
MOST_MARKERS = 14
MOST_TICKS = 12


@dataclass(frozen=True)
class Race:
    """One layer's run: a value each step, and whether it stopped because no gradient came back."""

    predictions: Sequence[float]
    losses: Sequence[float]
    stopped: bool


@dataclass(frozen=True)
class Curve:
    """One layer over many seeds. All of the length of the figure's x.

    share, low, high: of the seeds that end within .5 of the target, and its interval
    on_target: the mean probability on the target
    """

    title: str
    share: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    on_target: Sequence[float]


def race_figure(races: Mapping[str, Race], target: int | Sequence[int], n: int) -> Figure:
    """Prediction above, loss below, on one axis of steps. Races are named as in `RACING`.

    target: the place of the maximum; one for each step where it moves.
    """
    steps = max(len(race.losses) for race in races.values())
    highest = max(max(race.losses) for race in races.values())
    drawn = {name: races[name] for name in RACING if name in races}
    return {
        "data": [
            _target(target, steps),
            *(_run(name, race, race.predictions, "y") for name, race in drawn.items()),
            *(_run(name, race, race.losses, "y2") for name, race in drawn.items()),
            *(_stop(name, values, place) for name, race in drawn.items() if race.stopped
              for values, place in ((race.predictions, "y"), (race.losses, "y2"))),
        ],
        "layout": layout(
            height=420, showlegend=True,
            xaxis=_whole("step", 1, steps) | {"anchor": "y2"},
            yaxis=_whole("prediction", 0, n - 1) | {"domain": [0.47, 1]},
            yaxis2=axis("loss", domain=[0, 0.37], range=_padded(0, max(highest, 0.5)), nticks=5),
        ),
    }  # fmt: skip


def shares_figure(x: Sequence[float], x_title: str, curves: Sequence[Curve], log_x: bool = False) -> Figure:
    """Share of seeds within .5 of the target, with its band, and dashed the probability on the target."""
    across = _log(x_title, x) if log_x else _whole(x_title, math.floor(min(x)), math.ceil(max(x)))
    styled = list(zip(curves, SHARES, strict=False))
    return {
        "data": [
            *(_band(x, curve, fill) for curve, (_, _, fill) in styled),
            *(_share(x, curve, colour, symbol) for curve, (colour, symbol, _) in styled),
            *(_on_target(x, curve, colour, symbol) for curve, (colour, symbol, _) in styled),
        ],
        "layout": layout(
            height=380, showlegend=True, xaxis=across,
            yaxis=axis("share, probability", range=[-0.02, 1.04], tickvals=[0, 0.25, 0.5, 0.75, 1]),
        ),
    }  # fmt: skip


def _run(name: str, race: Race, values: Sequence[float], place: str) -> Figure:
    line = RACING[name]
    return {
        "type": "scatter", "mode": "lines+markers", "x": list(range(1, len(values) + 1)),
        "y": _short(values), "yaxis": place, "name": name,
        "legendgroup": name, "showlegend": place == "y" and not race.stopped, "cliponaxis": False,
        "line": {key: line[key] for key in ("color", "width", "dash")},
        "marker": {"color": line["color"], "symbol": line["symbol"], "size": line["size"],
                   "line": {"width": 2, "color": line["color"]}, "maxdisplayed": MOST_MARKERS},
        "hovertemplate": f"{name}, step %{{x}}: %{{y:.3f}}<extra></extra>",
    }  # fmt: skip


def _stop(name: str, values: Sequence[float], place: str) -> Figure:
    """A cross on the last step of a run to which no gradient came back."""
    return {
        "type": "scatter", "mode": "markers", "x": [len(values)], "y": _short(values[-1:]), "yaxis": place,
        "name": f"{name}: no gradient", "showlegend": place == "y", "cliponaxis": False,
        "marker": {"color": MUTED, "symbol": "x-thin", "size": 16, "line": {"color": MUTED, "width": 3}},
        "hovertemplate": f"{name}, step %{{x}}: %{{y:.3f}}, and no gradient came back<extra></extra>",
    }  # fmt: skip


def _target(target: int | Sequence[int], steps: int) -> Figure:
    places = [target] * steps if isinstance(target, int) else list(target)
    return {
        "type": "scatter", "mode": "lines", "name": "target", "connectgaps": False,
        # A bar as wide as its step, so that a target that moves is seen to jump.
        "x": [step + side for step in range(1, steps + 1) for side in (-0.5, 0.5)],
        "y": [place for place in places for _ in range(2)],
        "line": {"color": MUTED, "width": 1.5, "dash": "dash"},
        "hovertemplate": "target: %{y}<extra></extra>",
    }  # fmt: skip


def _share(x: Sequence[float], curve: Curve, colour: str, symbol: str) -> Figure:
    return {
        "type": "scatter", "mode": "lines+markers", "x": _short(x), "y": _short(curve.share),
        "name": f"{labels([curve.title])[0]}: within .5",
        "line": {"color": colour, "width": 2.5}, "marker": {"color": colour, "symbol": symbol, "size": 9},
        "customdata": [list(ends) for ends in zip(_short(curve.low), _short(curve.high), strict=True)],
        "hovertemplate": "%{x:.3g}: %{y:.3f} of the seeds (%{customdata[0]:.3f} to %{customdata[1]:.3f})"
                         "<extra></extra>",
    }  # fmt: skip


def _on_target(x: Sequence[float], curve: Curve, colour: str, symbol: str) -> Figure:
    return {
        "type": "scatter", "mode": "lines+markers", "x": _short(x), "y": _short(curve.on_target),
        "name": f"{labels([curve.title])[0]}: probability on the target",
        "line": {"color": colour, "width": 1.8, "dash": "dash"},
        "marker": {"color": colour, "symbol": f"{symbol}-open", "size": 8},
        "hovertemplate": "%{x:.3g}: probability %{y:.3f} on the target<extra></extra>",
    }  # fmt: skip


def _band(x: Sequence[float], curve: Curve, fill: str) -> Figure:
    return {
        "type": "scatter", "mode": "none", "fill": "toself", "fillcolor": fill, "hoverinfo": "skip",
        "x": _short([*x, *reversed(x)]), "y": _short([*curve.high, *reversed(curve.low)]),
        "showlegend": False,
    }  # fmt: skip


def _whole(title: str, low: int, high: int) -> Figure:
    """An axis of whole numbers, with a margin for the markers at its ends."""
    every = next(step for step in (1, 2, 5, 10, 20) if (high - low) / step < MOST_TICKS)
    marks = [value for value in range(low, high + 1) if value % every == 0]
    return axis(title, range=_padded(low, high), tickvals=marks)


def _log(title: str, x: Sequence[float]) -> Figure:
    """A logarithmic axis over x, marked at 1, 2 and 5 of each decade."""
    decades = range(math.floor(math.log10(min(x))), math.ceil(math.log10(max(x))) + 1)
    marks = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    marks = [mark for mark in marks if min(x) <= mark <= max(x)]
    ends = [math.log10(min(x)) - 0.08, math.log10(max(x)) + 0.08]
    return axis(title, type="log", range=ends, tickvals=marks, ticktext=[f"{mark:g}" for mark in marks])


def _padded(low: float, high: float) -> list[float]:
    margin = 0.08 * max(high - low, 1)
    return [low - margin, high + margin]


def _short(values: Sequence[float]) -> list[float]:
    return [round(float(value), 6) for value in values]
