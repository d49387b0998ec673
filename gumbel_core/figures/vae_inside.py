"""Inside a discrete code, in pictures: a walk between two codes, and what latents say of image and class."""

import math
from collections.abc import Sequence
from itertools import count

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, Figure, axis, labels, layout

Array = NDArray[np.floating]

# ACCENT and MUTED again, where something else is to be seen through them or beside them.
CLEAR, PALE = "rgba(31,119,196,0)", "rgba(122,130,142,0.35)"
# Of a latent's place: the class stands inside what is said of the image, and that inside the KL.
WIDE, NARROW = 0.84, 0.38
# Pixels: of a class's row, and of the frame around the rows.
ROW, FRAME = 26, 104
MOST_TICKS = 12
# A line of a hundred steps with a marker on each is a caterpillar.
MOST_MARKERS = 24
DIGITS = 4


def walk_figure(to_start: ArrayLike, to_end: ArrayLike, labels_: Sequence[str]) -> Figure:
    """-log p(x|z) in nats of two images, (S + 1,) each, over the S flips from the one's code to the other's.

    labels_: the latent that each step flips, (S,)

    Raises ValueError if they are not of these lengths.
    """
    flips = len(labels_)
    if {np.shape(to_start), np.shape(to_end)} != {(flips + 1,)}:
        raise ValueError(
            f"A walk has a loss of each image at its start and after each of {flips} flips, "
            f"not {np.size(to_start)} and {np.size(to_end)} losses."
        )
    steps = _steps(labels_)
    return {
        "data": [
            _course(to_start, "start's image", steps, {"color": ACCENT, "width": 2.5}, "circle"),
            _course(to_end, "end's image", steps, {"color": CONTRAST, "width": 2.5, "dash": "5px,3px"},
                    "square"),
        ],
        "layout": layout(
            height=300, showlegend=True,
            xaxis=axis("flips", range=_padded(flips), showgrid=False, tickvals=_whole(0, flips)),
            yaxis=axis("−log p(x|z), nats", nticks=6),
        ),
    }  # fmt: skip


def information_figure(
    kl: Array, image_information: Array, class_information: Array, *, most: float
) -> Figure:
    """What each latent costs and says, (N,) nats each, the largest KL first.

    The KL is a wide pale bar, I(z_n; x) a frame in it, I(z_n; y) a narrow bar in that: neither is more than
    the one around it, so all three are seen. What the frame leaves of the pale bar is KL(q(z_n) || p), which
    is paid and says nothing.

    most: the largest KL there can be, log K under a uniform prior, drawn as a rule

    Raises ValueError if they are not of one length.
    """
    if not kl.shape == image_information.shape == class_information.shape:
        raise ValueError(
            "Each latent has a KL and says something of the image and of its class, "
            f"not {len(kl)}, {len(image_information)} and {len(class_information)} of them."
        )
    order = np.argsort(-kl, kind="stable")
    said = [_short(values[order]) for values in (kl, image_information, class_information)]
    numbers = [str(latent + 1) for latent in order.tolist()]
    top = float(np.nanmax(kl, initial=most))
    return {
        "data": [
            _bars(numbers, said[0], "KL", WIDE) | {
                "marker": {"color": PALE},
                "customdata": [list(both) for both in zip(*said[1:], strict=True)], "hoverinfo": "all",
                "hovertemplate": "latent %{x}: KL %{y:.3g} nats<br>of the image %{customdata[0]:.3g}, "
                                 "of the class %{customdata[1]:.3g}<extra></extra>",
            },
            _bars(numbers, said[1], "of the image", WIDE) | {
                "marker": {"color": "rgba(0,0,0,0)", "line": {"color": MUTED, "width": 1.5}},
            },
            _bars(numbers, said[2], "of the class", NARROW) | {"marker": {"color": ACCENT}},
        ],
        "layout": layout(
            height=270, showlegend=True, barmode="overlay",
            xaxis=axis("latent, by its KL", type="category", showgrid=False, tickangle=0,
                       categoryorder="array", categoryarray=numbers),
            yaxis=axis("nats", range=[0, round(1.12 * top, 6)], nticks=5),
            shapes=[_ceiling(most)],
            annotations=[_ceiling_name(most)],
        ),
    }  # fmt: skip


def classes_figure(divergence: Array, names: Sequence[str]) -> Figure:
    """KL(q(z_n|y) || q(z_n)) in nats, (C, N): how much each latent says when the class is y.

    Raises ValueError if the C classes have not a name each.
    """
    classes, latents = divergence.shape
    if len(names) != classes:
        raise ValueError(f"Each of {classes} classes has a name, not {len(names)} names.")
    return {
        "data": [
            {"type": "heatmap", "z": [_short(row) for row in divergence],
             # Where no latent says anything, the scale still has two ends.
             "zmin": 0, "zmax": _short([np.nanmax(divergence, initial=0)])[0] or 1,
             "x0": 1, "dx": 1, "y0": 0, "dy": 1, "xgap": 1, "ygap": 1,
             "colorscale": [[0, CLEAR], [1, ACCENT]],
             "colorbar": {"title": {"text": "nats"}, "thickness": 10, "len": 1, "outlinewidth": 0,
                          "nticks": 5},
             "hovertemplate": "class %{y}, latent %{x}: %{z:.2f} nats<extra></extra>"},
        ],
        "layout": layout(
            height=FRAME + ROW * classes, margin={"l": 48, "r": 8, "t": 30, "b": 44},
            xaxis=axis("latent", showgrid=False, range=[0.5, latents + 0.5], tickvals=_whole(1, latents)),
            # Named by place, as two names may be equal; Plotly's hover then says the name, too.
            yaxis=axis("class", showgrid=False, range=[classes - 0.5, -0.5],
                       tickvals=list(range(classes)), ticktext=labels(names)),
        ),
    }  # fmt: skip


def _course(losses: ArrayLike, name: str, steps: Sequence[str], line: Figure, symbol: str) -> Figure:
    y = _short(losses)
    return {
        "type": "scatter", "mode": "lines+markers", "x": list(range(len(y))), "y": y, "name": name,
        "line": line, "customdata": list(steps), "cliponaxis": False,
        "marker": {"color": line["color"], "symbol": symbol, "size": 8, "maxdisplayed": MOST_MARKERS},
        "hovertemplate": f"%{{customdata}}<br>{name}: %{{y:.1f}} nats<extra></extra>",
    }  # fmt: skip


def _steps(names: Sequence[str]) -> list[str]:
    """In words, with what each step flips: the first flips nothing."""
    flips = (f"flip {number}, {name}" for number, name in enumerate(labels(names), 1))
    return ["no flip yet", *flips]


def _bars(numbers: Sequence[str], values: Sequence[float | None], name: str, width: float) -> Figure:
    # The hover is the bar's behind, which names all three.
    return {
        "type": "bar", "x": list(numbers), "y": list(values), "name": name, "width": width,
        "hoverinfo": "skip",
    }  # fmt: skip


def _ceiling(most: float) -> Figure:
    return {
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": most, "y1": most,
        "line": {"color": MUTED, "width": 1.5, "dash": "dot"},
    }  # fmt: skip


def _ceiling_name(most: float) -> Figure:
    return {
        "text": f"log K = {most:.3g}", "xref": "paper", "x": 1, "xanchor": "right", "y": most,
        "yanchor": "bottom", "showarrow": False, "font": {"size": 12},
    }  # fmt: skip


def _whole(low: int, high: int) -> list[int]:
    """Ticks on whole, round numbers from low to high, few enough for a phone."""
    decades = (10**power for power in count())
    rounds = (digit * decade for decade in decades for digit in (1, 2, 5))
    every = next(step for step in rounds if (high - low) / step < MOST_TICKS)
    return [value for value in range(low, high + 1) if value % every == 0]


def _padded(high: int) -> list[float]:
    """From 0, with a margin for the markers at the ends."""
    margin = round(0.04 * max(high, 5), 2)
    return [-margin, high + margin]


def _short(values: ArrayLike) -> list[float | None]:
    """As few digits as the eye can use; None where there is no number, for JSON has no NaN."""
    numbers = np.asarray(values, dtype=np.float64).tolist()
    return [float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None for value in numbers]
