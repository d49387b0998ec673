"""A code in pictures: the probabilities of each latent's categories, and what each latent carries."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, Figure, axis, layout

Array = NDArray[np.floating]

# Pixels: of a latent's row, of all rows together where there are many, of the cells' width on a phone.
ROWS, TALLEST, PHONE = (7, 22), 420, 270
FAINT = "rgba(31,119,196,0.05)"
MOST_TICKS = 12
LEAST_TOP = 0.01
HATCHED = {"shape": "/", "fillmode": "overlay", "fgcolor": "rgba(255,255,255,.5)"}


def code_figure(code: Array, *, drawn: Sequence[int] | None = None) -> Figure:
    """The posterior of one image, code (N, K): a row for each latent, a column for each category.

    drawn: the category that each latent's sample fell on, counted from 0, which gets a small square
    """
    figure = _heat_map(code, {"title": {"text": "q(z|x)"}, "tickvals": [0, 0.5, 1]}, top=1.0)
    if drawn is not None:
        figure["data"].append(_drawn(drawn, code.shape[1], row=_row(len(code))))
        figure["layout"]["showlegend"] = True
    return figure


def usage_figure(usage: Array) -> Figure:
    """The mean posterior over many images, usage (N, K).

    The scale is the share 1/K that all categories would have if they were used alike, and its double: an idle
    category is pale in its row, and one that takes the others' place is full.
    """
    share = 1 / usage.shape[1]
    marks = {"tickvals": [0, share, 2 * share], "ticktext": ["0", "1/K", "≥ 2/K"]}
    return _heat_map(usage, {"title": {"text": "mean"}} | marks, top=2 * share)


def latents_figure(latent_kl: Array, *, dead: NDArray[np.bool_], most: float | None = None) -> Figure:
    """The KL of each latent, (N,) nats, the largest first.

    dead: which latents (N,) say nothing with it
    most: the largest KL there can be, log K under a uniform prior, drawn as a rule
    """
    order = [int(latent) for latent in np.argsort(-latent_kl, kind="stable")]
    alive, asleep = ([latent for latent in order if dead[latent] == state] for state in (False, True))
    # An axis of no height would have no numbers.
    top = max(float(latent_kl.max()), most or 0.0, LEAST_TOP)
    return {
        "data": [
            _bars(latent_kl, alive, "in use") | {"marker": {"color": ACCENT}},
            _bars(latent_kl, asleep, "dead") | {
                "marker": {"color": MUTED, "pattern": HATCHED},
                # Its bar may be next to nothing, and a hatch needs room to be seen.
                "text": ["×"] * len(asleep), "textposition": "outside", "textfont": {"color": MUTED},
            },
        ],
        "layout": layout(
            height=240, showlegend=bool(asleep), barmode="overlay", bargap=0.2,
            xaxis=axis("latent, by its KL", type="category", showgrid=False, tickangle=0,
                       categoryorder="array", categoryarray=_numbers(order)),
            yaxis=axis("KL, nats", range=[0, round(1.12 * top, 6)], nticks=5),
            shapes=_ceiling(most),
            annotations=_ceiling_name(most),
        ),
    }  # fmt: skip


def _heat_map(values: Array, bar: Figure, *, top: float) -> Figure:
    latents, categories = values.shape
    return {
        "data": [
            {"type": "heatmap", "z": np.round(values.astype(np.float64), 3).tolist(), "zmin": 0, "zmax": top,
             "x0": 1, "dx": 1, "y0": 1, "dy": 1, "xgap": 1, "ygap": 1,
             "colorscale": [[0, FAINT], [1, ACCENT]],
             "colorbar": bar | {"thickness": 10, "len": 1, "outlinewidth": 0},
             "hovertemplate": "latent %{y}, category %{x}: %{z:.2f}<extra></extra>"},
        ],
        "layout": layout(
            height=round(max(180, 78 + latents * _row(latents))), margin={"l": 48, "r": 8, "t": 30, "b": 44},
            xaxis=axis("category", showgrid=False, range=[0.5, categories + 0.5], **_counted(categories)),
            yaxis=axis("latent", showgrid=False, range=[latents + 0.5, 0.5], **_counted(latents)),
        ),
    }  # fmt: skip


def _row(latents: int) -> float:
    """A row's height: comfortable for few latents, and for many as much as the picture has."""
    narrow, wide = ROWS
    return min(wide, max(narrow, TALLEST / latents))


def _counted(count: int) -> Figure:
    """Ticks on round numbers, few enough for a phone."""
    every = next(step for step in (1, 2, 5, 10) if count / step <= MOST_TICKS)
    return {"tickvals": list(range(every, count + 1, every))}


def _drawn(drawn: Sequence[int], categories: int, *, row: float) -> Figure:
    size = max(4.0, min(12.0, row - 3, PHONE / categories - 2))
    return {
        "type": "scatter", "mode": "markers", "name": "drawn", "hoverinfo": "skip",
        "x": [int(category) + 1 for category in drawn], "y": list(range(1, len(drawn) + 1)),
        "marker": {"symbol": "square-open", "size": round(size, 1), "color": CONTRAST,
                   "line": {"width": 1.5}},
    }  # fmt: skip


def _bars(latent_kl: Array, latents: Sequence[int], name: str) -> Figure:
    return {
        "type": "bar", "name": name, "x": _numbers(latents),
        "y": [float(f"{latent_kl[latent]:.6g}") for latent in latents],
        "hovertemplate": f"latent %{{x}}, {name}: %{{y:.3g}} nats<extra></extra>",
    }  # fmt: skip


def _numbers(latents: Sequence[int]) -> list[str]:
    """Latents by their number, counted from 1."""
    return [str(latent + 1) for latent in latents]


def _ceiling(most: float | None) -> list[Figure]:
    if most is None:
        return []
    return [{
        "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": most, "y1": most,
        "line": {"color": MUTED, "width": 1.5, "dash": "dot"},
    }]  # fmt: skip


def _ceiling_name(most: float | None) -> list[Figure]:
    if most is None:
        return []
    return [{
        "text": f"log K = {most:.3g}", "xref": "paper", "x": 1, "xanchor": "right", "y": most,
        "yanchor": "bottom", "showarrow": False, "font": {"size": 12},
    }]  # fmt: skip
