"""Where the gradient flows, and where it stops: one way from logits to f, forward and back.

After Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017, arXiv:1611.01144, figure 2.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gumbel_core.figures.layout import ACCENT, MUTED, Figure, axis, labels, layout

Array = NDArray[np.float64]

HEIGHT, TITLE = 380, 28
# The rows' middles in pixels from the bottom, and half a node's height. All five ways stand on the same rows.
ROWS: Mapping[str, int] = {"f": 26, "z": 126, "made": 226, "theta": 326}
TALL = 21
# Pixels right of the middle. A diagram is legible from 200 pixels on.
WIDE, DOWN, UP, TEXT, ROUND = 84, -70, -52, -43, 94
# Where the noise stands that is added to the logits, and its radius: apart from the way of the gradient.
NOISE, RADIUS = 66, 16
MOST_NUMBERS = 3
NODE: Figure = {"size": 12}
EDGE: Figure = {"size": 11}


class Way(Protocol):
    """What a diagram reads of `gumbel_core.gradient_flow.Flow`, where its fields are told. Arrays (N, K)."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def z(self) -> Array: ...
    @property
    def value(self) -> float: ...
    @property
    def inner(self) -> Array | None: ...
    @property
    def score(self) -> Array | None: ...
    @property
    def gradient(self) -> Array | None: ...


class Diagram:
    """Shapes and annotations, drawn row by row."""

    def __init__(self) -> None:
        self.shapes: list[Figure] = []
        self.words: list[Figure] = []

    def node(self, row: str, *lines: str, drawn: bool = False, right: int = WIDE) -> None:
        """A square for what is computed, a round one for what is drawn at random; it ends at `right`."""
        low, high = ROWS[row] - TALL, ROWS[row] + TALL
        if drawn:
            self._path(_rounded(WIDE, low, high), {"color": MUTED, "width": 1.4})
        else:
            self._shape("rect", (-WIDE, low), (right, high))
        self._write((right - WIDE) / 2, ROWS[row], "<br>".join(lines), NODE)

    def noise(self) -> None:
        """The draw that is added to the logits, beside the node that adds it."""
        row = ROWS["made"]
        self._shape("circle", (NOISE - RADIUS, row - RADIUS), (NOISE + RADIUS, row + RADIUS))
        self._write(NOISE, row, "g", NODE)
        self._arrow((NOISE - RADIUS, row), (NOISE - RADIUS - 14, row), MUTED)

    def forward(self, top: str, bottom: str) -> None:
        """The way of the value, down."""
        self._arrow((DOWN, ROWS[top] - TALL), (DOWN, ROWS[bottom] + TALL), MUTED)

    def back(self, bottom: str, top: str, *lines: str) -> None:
        """The way of the gradient, up, with what passes."""
        self._arrow((UP, ROWS[bottom] + TALL), (UP, ROWS[top] - TALL), ACCENT)
        self.note(bottom, top, *lines)

    def stop(self, bottom: str, top: str, *lines: str) -> None:
        """A cross where no derivative passes."""
        low, high = ROWS[bottom] + TALL, (ROWS[bottom] + ROWS[top]) / 2
        self._line([(UP, low), (UP, high)], ACCENT)
        for lean in (-5, 5):
            self._line([(UP - 5, high - lean), (UP + 5, high + lean)], ACCENT)
        self.note(bottom, top, *lines)

    def around(self, bottom: str, top: str) -> None:
        """The way of the gradient round everything between two rows."""
        low, high = ROWS[bottom], ROWS[top]
        self._line([(WIDE, low), (ROUND, low), (ROUND, high)], ACCENT)
        self._arrow((ROUND, high), (WIDE, high), ACCENT)

    def note(self, bottom: str, top: str, *lines: str) -> None:
        """Words between two rows."""
        middle = (ROWS[bottom] + ROWS[top]) / 2
        self._write(TEXT, middle, "<br>".join(lines), EDGE, xanchor="left", align="left")

    def _write(self, right: float, y: float, text: str, font: Figure, **more: object) -> None:
        words = {"text": text, "x": 0.5, "xshift": right, "y": y, "showarrow": False, "font": font}
        self.words.append(words | more)

    def _arrow(self, tail: tuple[float, float], head: tuple[float, float], colour: str) -> None:
        self.words.append(
            {"text": "", "x": 0.5, "y": head[1], "xshift": head[0], "ax": tail[0] - head[0],
             "ay": head[1] - tail[1], "showarrow": True, "arrowhead": 2, "arrowsize": 1, "arrowwidth": 2,
             "arrowcolor": colour}
        )  # fmt: skip

    def _line(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        self._path("M" + "L".join(f"{x:g},{y:g}" for x, y in points), {"color": colour, "width": 2})

    def _path(self, path: str, line: Figure) -> None:
        self.shapes.append({"type": "path", "path": path, "xsizemode": "pixel", "xanchor": 0.5, "line": line})

    def _shape(self, kind: str, low: tuple[float, float], high: tuple[float, float]) -> None:
        self.shapes.append(
            {"type": kind, "xsizemode": "pixel", "xanchor": 0.5, "x0": low[0], "x1": high[0], "y0": low[1],
             "y1": high[1], "line": {"color": MUTED, "width": 1.4}}
        )  # fmt: skip


def flow_figure(way: Way, names: Sequence[str], variable: int = 0) -> Figure:
    """One way as a small diagram, for one of the variables; names: of its K categories.

    Down the grey arrows goes the value, up the coloured ones the gradient, with the numbers of one draw.
    """
    diagram = Diagram()
    diagram.node("theta", "logits θ")
    diagram.node("f", f"f(z) = {_number(way.value)}")
    DRAWN[way.name](diagram, _Numbers(way, names, variable))
    (title,) = labels([way.title])
    return {
        "data": [{"type": "scatter", "mode": "markers", "x": [0.5], "y": [0], "opacity": 0,
                  "hoverinfo": "skip"}],
        "layout": layout(
            height=HEIGHT, margin={"l": 0, "r": 0, "t": TITLE, "b": 0},
            xaxis=axis(visible=False, range=[0, 1], fixedrange=True),
            yaxis=axis(visible=False, range=[0, HEIGHT - TITLE], fixedrange=True),
            shapes=diagram.shapes,
            annotations=[
                {"text": f"<b>{title}</b>", "x": 0.5, "yref": "paper", "y": 1, "yanchor": "bottom",
                 "showarrow": False, "font": {"size": 13}},
                *diagram.words,
            ],
        ),
    }  # fmt: skip


class _Numbers:
    """One variable's numbers, as they are written."""

    def __init__(self, way: Way, names: Sequence[str], variable: int) -> None:
        self.z = _vector(way.z[variable])
        self.winner = labels([_short(names[int(way.z[variable].argmax())])])[0]
        self.inner, self.score, self.gradient = (
            "" if values is None else _vector(values[variable])
            for values in (way.inner, way.score, way.gradient)
        )


def _deterministic(diagram: Diagram, numbers: _Numbers) -> None:
    diagram.node("z", "z = softmax θ", numbers.z)
    diagram.forward("theta", "z")
    diagram.forward("z", "f")
    diagram.back("f", "z", "∂f/∂z", numbers.inner)
    diagram.back("z", "theta", "∂f/∂θ", numbers.gradient)


def _drawn(diagram: Diagram, numbers: _Numbers) -> None:
    """What the three ways over a draw have in common."""
    diagram.node("made", "p = softmax θ")
    diagram.node("z", f"z ~ p: {numbers.winner}", numbers.z, drawn=True)
    diagram.forward("theta", "made")
    diagram.forward("made", "z")
    diagram.forward("z", "f")


def _blocked(diagram: Diagram, numbers: _Numbers) -> None:
    _drawn(diagram, numbers)
    diagram.back("f", "z", "∂f/∂z", numbers.inner)
    diagram.stop("z", "made", "stops: a draw", "has no derivative")


def _score_function(diagram: Diagram, numbers: _Numbers) -> None:
    _drawn(diagram, numbers)
    diagram.note("f", "z", "f is not", "differentiated")
    diagram.note("z", "made", "∂ log p(z)/∂θ = z − p", numbers.score)
    diagram.note("made", "theta", "f(z) · (z − p)", numbers.gradient)
    diagram.around("f", "theta")


def _straight_through(diagram: Diagram, numbers: _Numbers) -> None:
    _drawn(diagram, numbers)
    diagram.back("f", "z", "∂f/∂z", numbers.inner)
    diagram.back("z", "made", "passed on as if", "z were p")
    diagram.back("made", "theta", "taken for ∂f/∂θ", numbers.gradient)


def _gumbel_softmax(diagram: Diagram, numbers: _Numbers) -> None:
    diagram.node("made", "θ + g", right=NOISE - RADIUS - 14)
    diagram.noise()
    diagram.node("z", "z = softmax((θ + g)/τ)", numbers.z)
    diagram.forward("theta", "made")
    diagram.forward("made", "z")
    diagram.forward("z", "f")
    diagram.back("f", "z", "∂f/∂z", numbers.inner)
    diagram.back("z", "made", "∂f/∂θ", numbers.gradient)
    diagram.back("made", "theta", "the same:", "g does not depend on θ")


DRAWN = {
    "deterministic": _deterministic,
    "blocked": _blocked,
    "score_function": _score_function,
    "straight_through": _straight_through,
    "gumbel_softmax": _gumbel_softmax,
}


def _rounded(wide: float, low: float, high: float) -> str:
    """The outline of a box with round ends, each a Bezier curve whose handles are 4/3 of its radius long."""
    flat = wide - (high - low) / 2
    reach = flat + 4 / 3 * (high - low) / 2
    right, left = (f"C{side * reach:g}" for side in (1, -1))
    return (
        f"M{-flat:g},{low:g}L{flat:g},{low:g}{right},{low:g} {reach:g},{high:g} {flat:g},{high:g}"
        f"L{-flat:g},{high:g}{left},{high:g} {-reach:g},{low:g} {-flat:g},{low:g}Z"
    )


def _vector(values: Array) -> str:
    """The first three of the numbers."""
    shown = [_number(float(value)) for value in values[:MOST_NUMBERS]]
    return f"({', '.join(shown)}{', …' if len(values) > MOST_NUMBERS else ''})"


def _number(value: float) -> str:
    """Two digits or so. An integer has no decimals, so that 0 and 1 are told from what is rounded to them."""
    value += 0.0  # -0 is 0
    size = abs(value)
    if size >= 1e4:
        mantissa, exponent = f"{value:.1e}".split("e")
        text = f"{mantissa}e{int(exponent)}"
    elif value == round(value) or size >= 100:
        text = f"{value:.0f}"
    elif size < 0.0005:
        text = "0.00"
    else:
        text = f"{value:.{1 if size >= 10 else 2 if size >= 0.01 else 3}f}"
    return text.replace("-", "−")


def _short(name: str) -> str:
    return name if len(name) <= 9 else f"{name[:8]}…"
