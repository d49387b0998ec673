"""A training run in pictures: its losses and their terms, its temperature, its schedules.

They are sent again and again while a run goes on, so their numbers are short and a step is whole.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, THIRD, Figure, axis, labels, layout

Array = NDArray[np.float64]
Points = tuple[ArrayLike, ArrayLike]

# From wide to thin: where the two coincide, as after a hard surrogate, the dashes lie on the line.
RELAXED: Figure = {"color": ACCENT, "width": 3.5}
HARD: Figure = {"color": CONTRAST, "width": 1.8, "dash": "5px,3px"}
# Drawn before the run's own curves, and named after them.
BEHIND: Figure = {"legendrank": 1001}
GAP = "rgba(213,94,0,0.16)"
# Dots are for what others published.
EARLIER_DASHES = ("solid", "dash", "dashdot", "longdash")
# The first steps cost many times what the last ones do, and would press all that follows flat. So the axis of
# losses ends at this many times the lowest of them, and a curve comes in from above.
HIGHEST = 2.5
# And no curve of the run itself ends above it.
ROOM = 1.15
DIGITS = 4
# An axis without a point has no scale, whatever Plotly makes up.
UNMARKED: Figure = {"showticklabels": False, "showgrid": False}
# A line of a hundred epochs with a diamond on each is a caterpillar.
MOST_MARKERS = 24


@dataclass(frozen=True)
class Losses:
    """A run's curves, in nats an image. A point stands for a stretch of steps, and NaN for none.

    step to temperature: (points,) each
    test_step, test: where the test set was scored, and its hard loss there
    """

    step: Array
    reconstruction: Array
    hard_reconstruction: Array
    kl: Array
    temperature: Array
    test_step: Sequence[float]
    test: Sequence[float]

    def __post_init__(self) -> None:
        curves = (self.step, self.reconstruction, self.hard_reconstruction, self.kl, self.temperature)
        if len({np.shape(curve) for curve in curves}) > 1:
            raise ValueError(f"A run's curves are of one length, not {[len(curve) for curve in curves]}.")
        if len(self.test_step) != len(self.test):
            raise ValueError(
                f"A test loss stands at its step: {len(self.test)} losses have {len(self.test_step)} steps."
            )

    @property
    def relaxed_total(self) -> Array:
        return self.reconstruction + self.kl

    @property
    def hard_total(self) -> Array:
        return self.hard_reconstruction + self.kl

    @property
    def gap(self) -> Array:
        """What the hard sample costs more than the relaxed one of the same step."""
        return self.hard_reconstruction - self.reconstruction


NONE = np.empty(0)
NOTHING = Losses(NONE, NONE, NONE, NONE, NONE, test_step=(), test=())


def losses_figure(
    now: Losses | None,
    *,
    steps: int,
    earlier: Mapping[str, Losses] = {},
    references: Mapping[str, Points] = {},
    moment: int | None = None,
) -> Figure:
    """Relaxed, hard and test loss above, with the gap of the first two shaded; the temperature below.

    steps: of the whole run, so that the curves grow into their frame
    earlier: runs to compare with, by name, each by its test loss or what else it has
    references: published losses by name: steps, and the loss at each
    moment: the step that other pictures of the page show, marked by a rule
    """
    now = now or NOTHING
    others = {name: _for_comparison(losses) for name, losses in earlier.items()}
    own: list[ArrayLike] = [now.relaxed_total, now.hard_total, now.test]
    theirs = [values for _, values in (*others.values(), *references.values())]
    losses = _log(own, theirs)
    return {
        "data": [
            *_references(references),
            *_earlier(others),
            *_two_ways(now, now.relaxed_total, now.hard_total),
            *_test(now),
            *_temperature(now),
        ],
        "layout": layout(
            height=460, showlegend=True, legend=_legend(), shapes=_rule(moment),
            **_panels(_steps(steps), losses, now),
        ),
    }  # fmt: skip


def terms_figure(now: Losses | None, *, steps: int) -> Figure:
    """The reconstruction, relaxed and hard, above; the KL, which both share, below."""
    now = now or NOTHING
    above = _log([now.reconstruction, now.hard_reconstruction], [], "reconstruction")
    kl = _line(now.step, now.kl, "KL", {"color": THIRD, "width": 2.5}) | {
        "yaxis": "y2", "hovertemplate": "step %{x:,}: KL %{y:.4g}<extra></extra>",
    }  # fmt: skip
    return {
        "data": [*_two_ways(now, now.reconstruction, now.hard_reconstruction), kl],
        "layout": layout(
            height=380, showlegend=True, legend=_legend(),
            xaxis=_steps(steps) | {"anchor": "y2"},
            yaxis=above | {"domain": [0.5, 1]},
            yaxis2=axis("KL", domain=[0, 0.42], rangemode="tozero", nticks=5),
        ),
    }  # fmt: skip


def schedule_figure(steps: Sequence[int], temperatures: Sequence[float], rates: Sequence[float]) -> Figure:
    """Temperature and learning rate over a whole run, side by side. All of one length."""
    line = {"color": ACCENT, "width": 2.5}
    half = {"tickformat": ",d", "nticks": 4, "range": [0, max(steps, default=1)], "showgrid": False}
    return {
        "data": [
            _line(steps, temperatures, "temperature τ", line)
            | {"hovertemplate": "step %{x:,}: τ = %{y:.4g}<extra></extra>"},
            _line(steps, rates, "learning rate", line | {"color": CONTRAST, "dash": "5px,3px"})
            | {"hovertemplate": "step %{x:,}: %{y:.4g}<extra></extra>", "xaxis": "x2", "yaxis": "y2"},
        ],
        "layout": layout(
            height=150, margin={"l": 34, "r": 14, "t": 26, "b": 38},
            xaxis=axis("step", domain=[0, 0.43], **half),
            xaxis2=axis("step", domain=[0.57, 1], anchor="y2", **half),
            yaxis=axis(rangemode="tozero", nticks=4),
            yaxis2=axis(rangemode="tozero", nticks=4, anchor="x2", tickformat="~g"),
            annotations=[_heading("temperature τ", 0), _heading("learning rate", 0.57)],
        ),
    }  # fmt: skip


def _panels(across: Figure, losses: Figure, now: Losses) -> Figure:
    """Losses over temperature, or losses alone."""
    if not _has_course(now):
        return {"xaxis": across, "yaxis": losses}
    below = axis("temperature τ", domain=[0, 0.24], rangemode="tozero", nticks=3)
    return {
        "xaxis": across | {"anchor": "y2"},
        "yaxis": losses | {"domain": [0.32, 1]},
        "yaxis2": below if len(now.step) else below | UNMARKED,
    }


def _has_course(now: Losses) -> bool:
    """Of a run that was read from a file only the test losses are left, and no temperature.

    A run that has not begun has its frame already.
    """
    return len(now.step) > 0 or len(now.test) == 0


def _two_ways(now: Losses, relaxed: Array, hard: Array) -> Iterator[Figure]:
    """A loss with the relaxed sample and with its one-hot, and the gap between them shaded.

    The two are hidden together: a shade reaches back to the last trace that is seen, and without the relaxed
    loss that would be an earlier run. Both always are there, for Plotly remembers by its place what a visitor
    has hidden.
    """
    yield _line(now.step, relaxed, "relaxed", RELAXED) | {
        "legendgroup": "sample", "hovertemplate": "step %{x:,}: relaxed %{y:.4g}<extra></extra>",
    }  # fmt: skip
    yield _line(now.step, hard, "hard, same step", HARD) | {
        "legendgroup": "sample", "customdata": _short(now.gap),
        # Where the hard loss is missing, the shade would go on all the same.
        "fill": "tonexty" if np.isfinite(hard).all() else "none", "fillcolor": GAP,
        "hovertemplate": "step %{x:,}: hard %{y:.4g}, that is %{customdata:+.3g}<extra></extra>",
    }  # fmt: skip


def _test(now: Losses) -> Iterator[Figure]:
    """A thin line through every epoch, and diamonds on some of them."""
    yield _line(now.test_step, now.test, "test loss", {"color": THIRD, "width": 1}) | {
        "showlegend": False, "legendgroup": "test",
        "hovertemplate": "step %{x:,}: test loss %{y:.4g}<extra></extra>",
    }  # fmt: skip
    places = _marked(len(now.test))
    step, test = ([values[place] for place in places] for values in (now.test_step, now.test))
    yield _line(step, test, "test, hard", {}) | {
        "mode": "markers", "marker": {"color": THIRD, "symbol": "diamond", "size": 8},
        "legendgroup": "test", "hoverinfo": "skip", "hovertemplate": None,
    }  # fmt: skip


def _marked(count: int) -> list[int]:
    """The first, the last, and few enough between; by powers of two, so that they rest while a run grows."""
    every = 2 ** max(0, math.ceil(math.log2(max(count, 1) / MOST_MARKERS)))
    return sorted({*range(0, count, every), *([count - 1] if count else [])})


def _temperature(now: Losses) -> Iterator[Figure]:
    # A trace would bring its axis back where there is none.
    if not _has_course(now):
        return
    yield _line(now.step, now.temperature, "temperature", {"color": MUTED, "width": 2}) | {
        "yaxis": "y2", "showlegend": False, "hovertemplate": "step %{x:,}: τ = %{y:.3g}<extra></extra>",
    }  # fmt: skip


def _references(references: Mapping[str, Points]) -> Iterator[Figure]:
    for name, (step, values) in references.items():
        yield _line(step, values, name, {"color": MUTED, "width": 1.8, "dash": "dot"}) | BEHIND


def _earlier(runs: Mapping[str, Points]) -> Iterator[Figure]:
    for index, (name, (step, values)) in enumerate(runs.items()):
        dash = EARLIER_DASHES[index % len(EARLIER_DASHES)]
        line = {"color": MUTED, "width": 1.4, "dash": dash}
        yield _line(step, values, name, line) | BEHIND | {"opacity": 0.6}


def _for_comparison(losses: Losses) -> Points:
    """The test loss, which every run can be held against; before its first, the hard or the relaxed loss."""
    if len(losses.test):
        return losses.test_step, losses.test
    return losses.step, losses.hard_total if np.isfinite(losses.hard_total).any() else losses.relaxed_total


def _line(step: ArrayLike, values: ArrayLike, name: str, line: Figure) -> Figure:
    y, (name,) = _short(values), labels([name])
    return {
        "type": "scatter", "mode": "lines", "x": np.rint(step).astype(int).tolist(), "y": y, "name": name,
        "line": line, "showlegend": any(value is not None for value in y),
        "hovertemplate": f"{name}, step %{{x:,}}: %{{y:.4g}}<extra></extra>",
    }  # fmt: skip


def _steps(steps: int) -> Figure:
    """The whole run, with room for a marker on its last step."""
    return axis("step", range=[0, round(1.015 * steps, 1)], tickformat=",d", showgrid=False, nticks=7)


def _log(own: Sequence[ArrayLike], theirs: Sequence[ArrayLike], title: str = "nats an image") -> Figure:
    """A logarithmic axis of losses. It has no range of its own, for Plotly keeps a zoom only over those."""
    values = np.concatenate([_array(curve) for curve in (*own, *theirs)])
    values = values[np.isfinite(values)]
    base = axis(title, type="log", autorange=True, tickformat="~g", nticks=6)
    if not len(values):
        return base | UNMARKED
    ends = [curve[np.isfinite(curve)][-1:] for curve in map(_array, own)]
    top = max(HIGHEST * values.min(), ROOM * np.concatenate([*ends, [0.0]]).max())
    return base | {"autorangeoptions": {"clipmax": _short([top])[0]}}


def _array(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)


def _rule(moment: int | None) -> list[Figure]:
    if moment is None:
        return []
    return [{
        "type": "line", "x0": moment, "x1": moment, "yref": "paper", "y0": 0, "y1": 1,
        "line": {"color": MUTED, "width": 1.5},
    }]  # fmt: skip


def _legend() -> Figure:
    """The layout's, in the order of the traces: where a shade reaches back, Plotly would turn it round.

    Smaller, for on a phone its longest name sets how many stand in a row.
    """
    legend: Figure = layout(height=0)["legend"]
    return legend | {"traceorder": "normal", "font": {"size": 12}}


def _heading(text: str, x: float) -> Figure:
    return {
        "text": text, "x": x, "xref": "paper", "xanchor": "left", "y": 1.03, "yref": "paper",
        "yanchor": "bottom", "showarrow": False, "font": {"size": 12},
    }  # fmt: skip


def _short(values: ArrayLike) -> list[float | None]:
    """As few digits as the eye can use; None where there is no number, for JSON has no NaN."""
    numbers = np.asarray(values, dtype=np.float64).tolist()
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in numbers]
