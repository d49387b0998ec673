"""A study in pictures: what its runs cost against the temperature, and the learning curves of one cell.

A study trains one model over a grid of temperatures, gradient estimators and seeds. All losses are in nats an
image, and what is no number is left out.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

from gumbel_core.figures.direct_labels import End
from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, THIRD, Figure, labels
from gumbel_core.figures.log_axes import digits, here
from gumbel_core.figures.studies_panel import Scale, epochs_axis, is_wide, panel, scale_of, taus_axis
from gumbel_core.figures.vae import GAP, HARD, HIGHEST, RELAXED, ROOM

# A temperature, and two values there; None where a shade has a gap.
Edge = tuple[float, float, float] | None

# Told apart by dash, width and mark as well. A hard loss that coincides with the relaxed one lies on it.
RELAXED_STYLE: Figure = {**RELAXED, "dash": "solid", "symbol": "circle", "size": 9}
HARD_STYLE: Figure = {**HARD, "symbol": "square", "size": 7}
TEST_STYLE: Figure = {"color": THIRD, "width": 2.4, "dash": "solid", "symbol": "diamond", "size": 9}
GAP_STYLE: Figure = {"color": CONTRAST, "width": 2.4, "dash": "solid", "symbol": "square", "size": 7}
# Five and four, so that twenty lines differ in one of them.
BESIDE_DASHES = ("solid", "dash", "dashdot", "longdash", "longdashdot")
BESIDE_SYMBOLS = ("diamond", "triangle-up", "cross", "triangle-down")
BANDS: Mapping[str, str] = {
    ACCENT: "rgba(31,119,196,0.22)",
    CONTRAST: "rgba(213,94,0,0.22)",
    MUTED: "rgba(122,130,142,0.18)",
}
CURVES: Mapping[str, tuple[str, Figure]] = {
    "relaxed": ("relaxed", RELAXED_STYLE),
    "hard": ("hard", HARD_STYLE),
    "test": ("test, hard", TEST_STYLE),
}

# An axis is logarithmic where the highest is more than this many times the lowest: of losses, and of gaps.
WIDE_LOSSES, WIDE_GAPS = 3, 10
# Pixels at the right for a name of so many letters, and for a role's.
MARGIN, MOST_LETTERS, ROLE_MARGIN = 138, 23, 76


@dataclass(frozen=True)
class Line:
    """One loss against the temperature: a value for each seed that came to its end.

    title: the name at the line's end
    values: a sequence for each temperature, empty where every run diverged
    role: the chosen estimator's `relaxed` or `hard` loss, or another estimator's hard loss, `beside` them
    """

    title: str
    temperatures: Sequence[float]
    values: Sequence[Sequence[float]]
    role: Literal["relaxed", "hard", "beside"]

    def __post_init__(self) -> None:
        taus, given = len(self.temperatures), len(self.values)
        if taus != given:
            raise ValueError(f"A line has values at each of its {taus} temperatures, not at {given}.")
        if not all(0 < tau < math.inf for tau in self.temperatures):
            raise ValueError(f"Temperatures are above 0, and {list(self.temperatures)} are not.")


@dataclass(frozen=True)
class Curve:
    """A loss of one run after each of its epochs; of a run that diverged, up to there."""

    title: str
    epochs: Sequence[int]
    values: Sequence[float]
    role: Literal["relaxed", "hard", "test"]

    def __post_init__(self) -> None:
        epochs, given = len(self.epochs), len(self.values)
        if epochs != given:
            raise ValueError(f"A curve has a value for each of its {epochs} epochs, not {given}.")


@dataclass(frozen=True)
class _Spot:
    """The runs of one line at one temperature; no values where none came to its end."""

    tau: float
    values: Sequence[float]

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)


@dataclass(frozen=True)
class _Run:
    """A curve's points, by epoch: one at least."""

    curve: Curve
    points: Mapping[int, float]

    @property
    def last(self) -> int:
        return max(self.points)


@dataclass(frozen=True)
class _Cell:
    """The runs of one role: those that came to the last epoch, the others, and the mean of the first."""

    whole: Sequence[_Run]
    stopped: Sequence[_Run]
    mean: Mapping[int, float]

    @classmethod
    def of(cls, runs: Sequence[_Run]) -> "_Cell":
        last = max(run.last for run in runs)
        whole = [run for run in runs if run.last == last]
        return cls(whole, [run for run in runs if run.last < last], _mean([run.points for run in whole]))


def losses_figure(lines: Sequence[Line], tau: float) -> Figure:
    """Loss against temperature: the mean of the runs, each run a dot, a band from the lowest to the highest.

    The chosen estimator's relaxed and hard loss are in colour, and the gap between them is shaded.
    """
    behind = [line for line in lines if line.role == "beside"]
    relaxed = [line for line in lines if line.role == "relaxed"]
    hard = [line for line in lines if line.role == "hard"]
    return _against_tau(
        [*((line, _beside(rank)) for rank, line in enumerate(behind)),
         *((line, RELAXED_STYLE) for line in relaxed), *((line, HARD_STYLE) for line in hard)],
        [_area(_apart(low, high), GAP) for low, high in zip(relaxed, hard, strict=False)],
        scale_of([value for line in lines for value in _values(line)], WIDE_LOSSES),
        tau, height=420, title="<b>Loss</b>, nats an image",
    )  # fmt: skip


def gap_figure(line: Line, tau: float) -> Figure:
    """What a hard sample costs more than the relaxed one, against temperature, drawn as the losses are.

    The axis is logarithmic where all gaps are above 0 and far apart; elsewhere it holds 0, and a rule there.
    """
    gaps = _values(line)
    wide = is_wide(gaps, WIDE_GAPS)
    figure = _against_tau(
        [(line, GAP_STYLE)], [], scale_of(gaps if wide else [0.0, *gaps], WIDE_GAPS),
        tau, height=240, title="<b>Gap</b>: hard − relaxed, nats an image",
    )  # fmt: skip
    figure["layout"]["yaxis"] |= {"zeroline": not wide, "zerolinecolor": MUTED}
    return figure


def curves_figure(curves: Sequence[Curve]) -> Figure:
    """The learning curves of one cell: a thin line for each run, and over them each role's mean.

    A mean is of the runs that came to the last epoch. Any other ends in a cross, and has no part in it.
    """
    found = [_Run(curve, points) for curve in curves if (points := _finite(curve))]
    roles = [role for role in CURVES if any(run.curve.role == role for run in found)]
    cells = {role: _Cell.of([run for run in found if run.curve.role == role]) for role in roles}
    scale = scale_of(_in_view(cells.values()), WIDE_LOSSES)
    return {
        "data": [
            *(_thin(run) for run in found),
            *(_thick(role, cell.mean) for role, cell in cells.items()),
            *(_last_marks(role, cell) for role, cell in cells.items()),
        ],
        "layout": panel(
            [_role_end(role, cell.mean, scale) for role, cell in cells.items()], scale,
            height=300, margin=ROLE_MARGIN, title="<b>Loss</b>, nats an image",
            xaxis=epochs_axis([epoch for run in found for epoch in run.points]),
        ),
    }  # fmt: skip


def _against_tau(
    styled: Sequence[tuple[Line, Figure]], shades: Sequence[Figure], scale: Scale, tau: float, **more: Any
) -> Figure:
    """Lines over shades, in the order given, each named at its end."""
    drawn = [(line, style, spots) for line, style in styled if _ended(spots := _spots(line))]
    ends = [_line_end(line, style, _ended(spots)[-1], scale) for line, style, spots in drawn]
    taus = {tau, *(tau for line, _ in styled for tau in line.temperatures)}
    return {
        "data": [*shades, *(trace for parts in drawn for trace in _traces(*parts))],
        "layout": panel(
            ends, scale, margin=MARGIN, xaxis=taus_axis(sorted(taus), tau), shapes=[here(tau, 0, 1)], **more
        ),
    }


def _traces(line: Line, style: Figure, spots: Sequence[_Spot]) -> Iterator[Figure]:
    """A line's band, its mean and its runs."""
    (name,) = labels([line.title])
    colour = style["color"]
    edges = [(spot.tau, min(spot.values), max(spot.values)) if spot.values else None for spot in spots]
    yield _area(edges, BANDS[colour])
    yield {
        "type": "scatter", "mode": "lines+markers", "name": name, "connectgaps": False, "cliponaxis": False,
        "x": digits(spot.tau for spot in spots),
        "y": [digits([spot.mean])[0] if spot.values else None for spot in spots],
        "customdata": [_told(spot.values) for spot in spots],
        "line": {key: style[key] for key in ("color", "width", "dash")},
        "marker": {"color": colour, "symbol": style["symbol"], "size": style["size"]},
        "hovertemplate": f"{name}, τ %{{x:.3g}}: %{{y:.4g}}, %{{customdata}}<extra></extra>",
    }  # fmt: skip
    runs = [(spot.tau, value) for spot in spots for value in spot.values]
    yield {
        "type": "scatter", "mode": "markers", "name": name, "cliponaxis": False,
        "x": digits(tau for tau, _ in runs), "y": digits(value for _, value in runs),
        "marker": {"color": colour, "symbol": "circle", "opacity": 0.6,
                   "size": 3 if line.role == "beside" else 4},
        "hovertemplate": f"{name}, τ %{{x:.3g}}: %{{y:.4g}}, one run<extra></extra>",
    }  # fmt: skip


def _told(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "one run"
    return f"mean of {len(values)} runs from {min(values):.4g} to {max(values):.4g}"


def _apart(low: Line, high: Line) -> list[Edge]:
    """From one line's means to another's, where both have runs."""
    lows, highs = ({spot.tau: spot.mean for spot in _ended(_spots(line))} for line in (low, high))
    return [
        (tau, lows[tau], highs[tau]) if tau in lows and tau in highs else None
        for tau in sorted({*low.temperatures, *high.temperatures})
    ]


def _area(edges: Sequence[Edge], fill: str) -> Figure:
    """A shade between two values over the temperatures, in pieces where some are None."""
    x: list[float | None] = []
    y: list[float | None] = []
    for there, piece in groupby(edges, key=lambda edge: edge is not None):
        if there:
            taus, lows, highs = zip(*piece, strict=True)
            x += [*digits(taus), *digits(reversed(taus)), None]
            y += [*digits(highs), *digits(reversed(lows)), None]
    return {
        "type": "scatter", "mode": "none", "fill": "toself", "fillcolor": fill, "hoverinfo": "skip",
        "x": x, "y": y,
    }  # fmt: skip


def _spots(line: Line) -> list[_Spot]:
    """By temperature, from the lowest, whatever the order in the study."""
    pairs = sorted(zip(line.temperatures, line.values, strict=True), key=lambda pair: pair[0])
    return [_Spot(tau, [value for value in values if math.isfinite(value)]) for tau, values in pairs]


def _ended(spots: Iterable[_Spot]) -> list[_Spot]:
    return [spot for spot in spots if spot.values]


def _values(line: Line) -> list[float]:
    return [value for spot in _spots(line) for value in spot.values]


def _beside(rank: int) -> Figure:
    return {
        "color": MUTED, "width": 1.3, "dash": BESIDE_DASHES[rank % len(BESIDE_DASHES)],
        "symbol": BESIDE_SYMBOLS[rank % len(BESIDE_SYMBOLS)], "size": 7,
    }  # fmt: skip


def _line_end(line: Line, style: Figure, spot: _Spot, scale: Scale) -> End:
    title = line.title if len(line.title) <= MOST_LETTERS else f"{line.title[: MOST_LETTERS - 1]}…"
    bold = line.role != "beside"
    return End(title, math.log10(spot.tau), scale.place(spot.mean), style["color"], bold)


def _finite(curve: Curve) -> dict[int, float]:
    pairs = sorted(zip(curve.epochs, curve.values, strict=True))
    return {epoch: value for epoch, value in pairs if math.isfinite(value)}


def _mean(runs: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """By epoch, where all of them have a value."""
    shared = [epoch for epoch in runs[0] if all(epoch in run for run in runs)]
    return {epoch: math.fsum(run[epoch] for run in runs) / len(runs) for epoch in shared}


def _in_view(cells: Iterable[_Cell]) -> list[float]:
    """What the axis holds. The first epochs cost much more than the rest, and come in from above."""
    values = [
        value for cell in cells for run in (*cell.whole, *cell.stopped) for value in run.points.values()
    ]
    ends = [run.points[run.last] for cell in cells for run in cell.whole]
    top = max(HIGHEST * min(values, default=0.0), ROOM * max(ends, default=0.0))
    return [value for value in values if value <= top]


def _thin(run: _Run) -> Figure:
    (name,), (word, style) = labels([run.curve.title]), CURVES[run.curve.role]
    return {
        "type": "scatter", "mode": "lines", "name": name, "opacity": 0.4,
        "x": list(run.points), "y": digits(run.points.values()),
        "line": {"color": style["color"], "width": 1, "dash": style["dash"]},
        "hovertemplate": f"{name}, {word}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
    }  # fmt: skip


def _thick(role: str, mean: Mapping[int, float]) -> Figure:
    word, style = CURVES[role]
    return {
        "type": "scatter", "mode": "lines", "name": word, "x": list(mean), "y": digits(mean.values()),
        "line": {key: style[key] for key in ("color", "width", "dash")},
        "hovertemplate": f"mean, {word}, epoch %{{x}}: %{{y:.4g}}<extra></extra>",
    }  # fmt: skip


def _last_marks(role: str, cell: _Cell) -> Figure:
    """The role's mark at the mean's end, a dot at each run's, a cross where one stopped before.

    A curve of one epoch is seen by these alone.
    """
    word, style = CURVES[role]
    last = max(cell.mean)
    runs = [*cell.whole, *cell.stopped]
    names = labels([run.curve.title for run in runs])
    told = [f"{name}, {word}" for name in names[: len(cell.whole)]]
    told += [f"{name}, {word}: no number after this one" for name in names[len(cell.whole) :]]
    return {
        "type": "scatter", "mode": "markers", "name": word,
        "x": [*(run.last for run in runs), last],
        "y": digits([*(run.points[run.last] for run in runs), cell.mean[last]]),
        "customdata": [*told, f"mean of {len(cell.whole)}, {word}"],
        "marker": {
            "color": style["color"], "line": {"width": 0},
            "symbol": [*["circle"] * len(cell.whole), *["x"] * len(cell.stopped), style["symbol"]],
            "size": [*[4] * len(cell.whole), *[7] * len(cell.stopped), style["size"]],
            "opacity": [*[0.6] * len(cell.whole), *[1.0] * len(cell.stopped), 1.0],
        },
        "hovertemplate": "%{customdata}, epoch %{x}: %{y:.4g}<extra></extra>",
    }  # fmt: skip


def _role_end(role: str, mean: Mapping[int, float], scale: Scale) -> End:
    word, style = CURVES[role]
    last = max(mean)
    return End(word, last, scale.place(mean[last]), style["color"], bold=True)
