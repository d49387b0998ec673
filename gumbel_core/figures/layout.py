"""What the figures share: the palette, a quiet layout, and text that cannot become markup.

The colours are Okabe and Ito's in kind: told apart by people with a colour vision deficiency, on white and
on near-black. No figure tells two things apart by colour alone. Text and grid take the page's theme.
"""

import html
from collections.abc import Sequence
from typing import Any

Figure = dict[str, Any]

ACCENT = "#1F77C4"
CONTRAST = "#D55E00"
THIRD = "#009E73"
MUTED = "#7A828E"


def layout(*, height: int, **more: Any) -> Figure:
    """The layout that every figure starts from; `more` adds to it or replaces parts of it."""
    base: Figure = {
        "height": height,
        "margin": {"l": 56, "r": 12, "t": 30, "b": 44},
        "font": {"size": 13},
        "showlegend": False,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "bgcolor": "rgba(0,0,0,0)"},
        "hovermode": "closest",
        "xaxis": axis(),
        "yaxis": axis(),
        "barmode": "group",
        "bargap": 0.3,
    }
    return base | more


def axis(title: str = "", **more: Any) -> Figure:
    """A quiet axis: a title, few ticks, no box."""
    base: Figure = {
        "title": {"text": title},
        "zeroline": False,
        "ticks": "",
        "automargin": True,
        "fixedrange": False,
    }
    return base | more


def category_axis(names: Sequence[str]) -> Figure:
    """One place per category. Bars stand at 0, 1, ... and names are labels, for two may be equal."""
    return axis(
        tickmode="array",
        tickvals=list(range(len(names))),
        ticktext=labels(names),
        showgrid=False,
        range=[-0.6, len(names) - 0.4],
    )


def labels(names: Sequence[str]) -> list[str]:
    """Names with HTML escaped: Plotly reads tags in every text it draws."""
    return [html.escape(name) for name in names]
