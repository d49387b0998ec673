"""The Temperature lesson's strip, sparsity curve and binary Concrete, from plain arrays."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gumbel_core.figures.layout import ACCENT, CONTRAST, MUTED, Figure, axis, labels, layout

Array = NDArray[np.float64]

# Above these many categories a bar is too narrow for its outline, or for its name.
MOST_OUTLINED = 20
MOST_NAMED = 7


def strip_figure(
    probabilities: Array,
    one_hot: Array,
    means: Array,
    samples: Array,
    temperatures: Sequence[float],
    names: Sequence[str],
) -> Figure:
    """Two rows (expectation, one sample) by the categorical column and one column per temperature.

    probabilities, one_hot: (K,); means, samples: (T, K). The last temperature is the current one, accented.
    """
    rows = [np.vstack([probabilities, means]), np.vstack([one_hot, samples])]
    titles = ["one-hot", *(f"τ {tau:g}" for tau in temperatures)]
    columns = _columns(len(titles))
    tops = [next(top for top in (0.1, 0.25, 0.5, 1.0) if probabilities.max() <= top), 1.0]
    data: list[Figure] = []
    axes: Figure = {}
    for row, (values, height) in enumerate(zip(rows, ((0.56, 1.0), (0.0, 0.44)), strict=True)):
        for column, domain in enumerate(columns):
            place = str(row * len(titles) + column + 1)
            place = "" if place == "1" else place
            colour = ACCENT if column == len(titles) - 1 else CONTRAST if column == 0 else MUTED
            data.append(_strip_bars(values[column], names, place, colour))
            if row == 0 and column > 0 and len(names) <= MOST_OUTLINED:
                data.append(_outline(probabilities, place))
            axes[f"xaxis{place}"] = _strip_names(names, shown=row == 1) | {
                "domain": domain,
                "anchor": f"y{place}",
            }
            axes[f"yaxis{place}"] = axis(
                ("expectation", "one sample")[row] if column == 0 else "", domain=list(height),
                anchor=f"x{place}",
                range=[0, 1.04 * tops[row]], tickvals=[0, tops[row] / 2, tops[row]],
                showticklabels=column == 0, fixedrange=True,
            )  # fmt: skip
    return {
        "data": data,
        "layout": layout(
            height=400, margin={"l": 50, "r": 6, "t": 66, "b": 30}, barmode="overlay", bargap=0.18,
            annotations=[_header(t, d, last=t is titles[-1]) for t, d in zip(titles, columns, strict=True)],
            **axes,
        ),
    }  # fmt: skip


def _columns(count: int) -> list[list[float]]:
    """Domains of the columns, the last one set a little apart."""
    gap, apart = 0.018, 0.03
    width = (1 - gap * (count - 1) - apart) / count
    starts = [column * (width + gap) + (apart if column == count - 1 else 0) for column in range(count)]
    return [[round(start, 4), round(start + width, 4)] for start in starts]


def _strip_bars(values: Array, names: Sequence[str], place: str, colour: str) -> Figure:
    return {
        "type": "bar", "y": values.round(4).tolist(), "x": list(range(len(values))),
        "marker": {"color": colour},
        "xaxis": f"x{place}", "yaxis": f"y{place}", "customdata": labels(names),
        "hovertemplate": "%{customdata}: %{y:.3f}<extra></extra>",
    }  # fmt: skip


def _outline(values: Array, place: str) -> Figure:
    """The categorical law as hollow bars, over the relaxed mean that leaves it."""
    return {
        "type": "bar", "y": values.round(4).tolist(), "x": list(range(len(values))), "hoverinfo": "skip",
        "marker": {"color": "rgba(0,0,0,0)", "line": {"color": CONTRAST, "width": 1.2}},
        "xaxis": f"x{place}", "yaxis": f"y{place}",
    }  # fmt: skip


def _strip_names(names: Sequence[str], *, shown: bool) -> Figure:
    """Names under the last row where they fit into a phone's column: letters level, short words upright."""
    letters = max(map(len, names)) == 1
    fits = shown and len(names) <= (MOST_NAMED if letters else MOST_NAMED - 2)
    return axis(
        tickmode="array", tickvals=list(range(len(names))),
        ticktext=labels([name if len(name) <= 8 else f"{name[:7]}…" for name in names]),
        showticklabels=fits, tickangle=0 if letters else -90, tickfont={"size": 9 if letters else 11},
        showgrid=False, range=[-0.6, len(names) - 0.4], fixedrange=True, showline=True,
    )  # fmt: skip


def _header(title: str, domain: Sequence[float], *, last: bool) -> Figure:
    text = f"now<br><b>{title}</b>" if last else title
    return {
        "text": text, "x": sum(domain) / 2, "xref": "paper", "y": 1.01, "yref": "paper",
        "xanchor": "center", "yanchor": "bottom", "showarrow": False,
        "font": {"size": 12} | ({"color": ACCENT} if last else {}),
    }  # fmt: skip


def sparsity_figure(
    temperatures: Array,
    mean: Array,
    standard_error: Array,
    *,
    floor: float,
    uniform: Mapping[int, Array],
    now: tuple[float, float],
) -> Figure:
    """The mean of the largest component against tau, (T,), with a ribbon of two standard errors.

    `uniform` holds one more (T,) for each number of equal categories; `now` is the current (tau, mean).
    """
    tau, value = now
    ends = [float(temperatures[0]), float(temperatures[-1])]
    x = temperatures.round(5).tolist()
    ribbon = np.concatenate([mean + 2 * standard_error, (mean - 2 * standard_error)[::-1]]).clip(0, 1)
    faint = [
        _against_tau(x, curve.round(4).tolist(), {"color": MUTED, "width": 1.2}, f"{k} equal categories")
        for k, curve in uniform.items()
    ]
    return {
        "data": [
            *faint,
            {"type": "scatter", "x": x + x[::-1], "y": ribbon.round(4).tolist(), "fill": "toself",
             "mode": "none",
             "fillcolor": "rgba(31,119,196,0.22)", "hoverinfo": "skip"},
            _against_tau(ends, [1, 1], {"color": MUTED, "width": 1, "dash": "dot"}, "one-hot"),
            _against_tau(ends, [floor, floor], {"color": CONTRAST, "width": 1.4, "dash": "dash"}, "uniform"),
            _against_tau(x, mean.round(4).tolist(), {"color": ACCENT, "width": 3}, "what you typed"),
            {"type": "scatter", "mode": "markers", "x": [tau], "y": [round(value, 4)], "name": "now",
             "marker": {"color": ACCENT, "size": 13, "symbol": "diamond",
                        "line": {"color": "white", "width": 1.5}},
             "hovertemplate": "τ = %{x:.3g}: %{y:.3f}<extra></extra>"},
        ],
        "layout": layout(
            height=360, margin={"l": 50, "r": 58, "t": 16, "b": 44},
            xaxis=axis("τ", type="log", range=[-2, 2], tickvals=[0.01, 0.1, 0.5, 1, 2, 10, 100],
                       showgrid=False,
                       ticktext=["0.01", "0.1", "0.5", "1", "2", "10", "100"]),
            yaxis=axis("E[max y]", range=[0, 1.06], tickvals=[0, 0.25, 0.5, 0.75, 1]),
            shapes=[{"type": "line", "x0": tau, "x1": tau, "y0": 0, "y1": value,
                     "line": {"color": ACCENT, "width": 1, "dash": "dot"}}],
            annotations=[
                *(_at_end(f"K = {k}", float(curve[-1])) for k, curve in uniform.items()),
                _at_end("one-hot", 1.0),
                {"text": f"1/K = {floor:.3g}", "x": -2, "y": floor, "xanchor": "left", "yanchor": "bottom",
                 "showarrow": False, "font": {"color": CONTRAST, "size": 12}},
                {"text": f"<b>{value:.3f}</b> at τ {tau:.3g}", "x": float(np.log10(tau)), "y": value,
                 "yanchor": "bottom",
                 "xanchor": "left" if tau < 3 else "right", "xshift": 9 if tau < 3 else -6, "yshift": 4,
                 "showarrow": False,
                 "font": {"color": ACCENT}},
            ],
        ),
    }  # fmt: skip


def _against_tau(x: list[float], y: list[float], line: Figure, name: str) -> Figure:
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "line": line, "name": name,
        "hovertemplate": f"{name}, τ = %{{x:.3g}}: %{{y:.3f}}<extra></extra>",
    }  # fmt: skip


def _at_end(text: str, y: float) -> Figure:
    return {
        "text": text, "x": 1, "xref": "paper", "xanchor": "left", "xshift": 4, "y": y, "yanchor": "middle",
        "showarrow": False, "font": {"size": 11, "color": MUTED},
    }  # fmt: skip


def binary_figure(
    x: Array,
    x_density: Array,
    curve: Array,
    y: Array,
    y_density: Array,
    draws: tuple[Array, Array],
    *,
    p_one: float,
    temperature: float,
) -> Figure:
    """Logistic x below, through a step and through sigmoid(x / tau), to the density of y at the left.

    x, x_density, curve: (N,); y, y_density: (M,); draws: equally likely x and their y, led along thin lines.
    """
    highest = 1.15 * max(float(y_density[(y > 0.06) & (y < 0.94)].max()), 1.0)
    fill: Figure = {
        "type": "scatter",
        "mode": "lines",
        "line": {"color": ACCENT, "width": 2},
        "fillcolor": "rgba(31,119,196,0.18)",
    }
    paths_x, paths_y = _paths(*draws)
    return {
        "data": [
            {"type": "scatter", "mode": "lines", "x": paths_x, "y": paths_y, "hoverinfo": "skip",
             "line": {"color": MUTED, "width": 0.8}, "opacity": 0.55},
            {"type": "scatter", "mode": "lines", "x": [-10, 0, 0, 10], "y": [0, 0, 1, 1], "name": "step",
             "line": {"color": CONTRAST, "width": 2.5, "dash": "dot"},
             "hovertemplate": "step<extra></extra>"},
            {"type": "scatter", "mode": "lines", "x": x.round(4).tolist(), "y": curve.round(5).tolist(),
             "name": "sigmoid",
             "line": {"color": ACCENT,
                      "width": 2.5}, "hovertemplate": "x = %{x:.2f}: y = %{y:.3f}<extra></extra>"},
            {"type": "scatter", "mode": "markers", "x": draws[0].round(4).tolist(),
             "y": draws[1].round(4).tolist(),
             "marker": {"color": ACCENT, "size": 6, "line": {"color": "white", "width": 1}},
             "hoverinfo": "skip"},
            fill | {"x": x.round(4).tolist(), "y": x_density.round(5).tolist(), "fill": "tozeroy",
                    "yaxis": "y2",
                    "hovertemplate": "x = %{x:.2f}: density %{y:.3f}<extra></extra>"},
            fill | {"x": y_density.clip(0, 2 * highest).round(4).tolist(), "y": y.round(5).tolist(),
                    "fill": "tozerox",
                    "xaxis": "x2", "hovertemplate": "y = %{y:.3f}: density %{x:.3f}<extra></extra>"},
        ],
        "layout": layout(
            height=460, margin={"l": 40, "r": 8, "t": 54, "b": 42},
            xaxis=axis("x = log-odds + logistic noise", domain=[0.3, 1], anchor="y2", range=[-10, 10],
                       tickvals=[-8, -4, 0, 4, 8], showgrid=False),
            yaxis=axis(domain=[0.36, 1], anchor="x2", range=[-0.04, 1.04], tickvals=[0, 0.5, 1],
                       showgrid=False),
            xaxis2=axis(domain=[0, 0.27], anchor="y", range=[highest, 0], showticklabels=False,
                        showgrid=False),
            yaxis2=axis(domain=[0, 0.27], anchor="x", range=[0.27, 0], showticklabels=False, showgrid=False),
            annotations=[
                _tinted_note(f"sigmoid(x / {temperature:.3g})", "x", 9.8, "y", 0.4, "right", ACCENT),
                _tinted_note("density of y", "x2 domain", 0, "paper", 1.0, "left", ACCENT, yanchor="bottom"),
                _tinted_note("density of x", "x", -9.8, "y2", 0.2, "left", ACCENT),
                _tinted_note(f"step: P(1) = {p_one:.2f}", "x", 9.8, "y", 1.02, "right", CONTRAST,
                             yanchor="bottom"),
                _tinted_note(f"step: P(0) = {1 - p_one:.2f}", "x", -9.8, "y", -0.03, "left", CONTRAST,
                             yanchor="top"),
            ],
        ),
    }  # fmt: skip


def _paths(x: Array, y: Array) -> tuple[list[float | None], list[float | None]]:
    """Up from the bottom of the panel to the curve, then left to its edge: one broken line for all draws."""
    across: list[float | None] = []
    up: list[float | None] = []
    for a, b in zip(x.round(4).tolist(), y.round(4).tolist(), strict=True):
        across += [a, a, -10, None]
        up += [-0.04, b, b, None]
    return across, up


def _tinted_note(
    text: str, xref: str, x: float, yref: str, y: float, anchor: str, colour: str, **more: Any
) -> Figure:
    return {
        "text": text, "xref": xref, "x": x, "yref": yref, "y": y, "xanchor": anchor, "showarrow": False,
        "font": {"color": colour, "size": 12},
    } | more  # fmt: skip
