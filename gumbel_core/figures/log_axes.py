"""Logarithmic axes: of the temperature, and of what a figure measures against it."""

import math
from collections.abc import Iterable, Sequence

from gumbel_core.figures.layout import MUTED, Figure, axis

# The temperatures' ends, where no line has two points to say them.
ENDS = (0.01, 10.0)
MOST_POWERS, LEAST_DECADES = 5, 0.6


def tau_axis(ends: tuple[float, float], tau: float) -> Figure:
    """The axis of temperatures; its title says where the dotted line of `here` stands."""
    marks = [mark for mark in (0.01, 0.1, 1, 10, 100) if ends[0] * 0.999 <= mark <= ends[1] * 1.001]
    return axis(
        f"τ (dotted: {tau:.3g})", type="log", tickvals=marks, ticktext=[f"{mark:g}" for mark in marks],
        range=[math.log10(ends[0]) - 0.03, math.log10(ends[1]) + 0.03],
    )  # fmt: skip


def here(tau: float, low: float, high: float) -> Figure:
    """A thin line up a panel at the temperature of now; low, high: the panel's ends on the paper."""
    return {
        "type": "line", "x0": tau, "x1": tau, "yref": "paper", "y0": low, "y1": high,
        "line": {"color": MUTED, "width": 1.2, "dash": "dot"},
    }  # fmt: skip


def span_of(temperatures: Sequence[Sequence[float]]) -> tuple[float, float]:
    """From the lowest to the highest temperature; `ENDS` where none has two."""
    several = [taus for taus in temperatures if len(taus) > 1]
    if not several:
        return ENDS
    return min(min(taus) for taus in several), max(max(taus) for taus in several)


def log_axis(span: tuple[float, float], title: str = "") -> Figure:
    """A logarithmic axis with few marks: powers of ten, and 2 and 5 times them where these are too few."""
    powers = range(math.floor(span[0]), math.ceil(span[1]) + 1)
    leading = (1, 2, 5) if span[1] - span[0] < 2 else (1,)
    every = math.ceil((span[1] - span[0]) / MOST_POWERS)
    marks = [(digit, power) for power in powers if power % every == 0 for digit in leading]
    return axis(
        title, type="log", range=list(span), tickvals=[float(f"{digit}e{power}") for digit, power in marks],
        ticktext=[_mark(digit, power) for digit, power in marks],
    )  # fmt: skip


def decades(values: Iterable[Sequence[float | None]]) -> tuple[float, float]:
    """The exponents between which all values lie, a little apart from the ends; two decades for none."""
    found = [math.log10(v) for line in values for v in line if v is not None]
    low, high = (min(found), max(found)) if found else (-2.0, 0.0)
    # Wide enough that a mark at 1, 2 or 5 falls into it.
    pad = max(0.06 * (high - low), (LEAST_DECADES - (high - low)) / 2)
    return low - pad, high + pad


def digits(values: Iterable[float]) -> list[float]:
    """Rounded to five digits, whatever their size."""
    return [float(f"{value:.5g}") for value in values]


def _mark(digit: int, power: int) -> str:
    if -3 <= power <= 3:
        return f"{digit * 10.0**power:g}"
    return f"10<sup>{str(power).replace('-', '−')}</sup>"
