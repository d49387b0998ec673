"""Why a discrete choice stops the gradient, as one small picture."""

import numpy as np

from gumbel_core.figures.layout import ACCENT, CONTRAST, Figure, axis, layout


def staircase() -> Figure:
    """A choice between two against the first one's logit: argmax is flat but for a jump, softmax slopes."""
    logit = np.linspace(-4, 4, 81)
    soft = 1 / (1 + np.exp(-logit))
    line = {"type": "scatter", "mode": "lines"}
    flat = {"color": CONTRAST, "width": 2.5, "dash": "dot"}
    slope = {"color": ACCENT, "width": 2.5}
    return {
        "data": [
            line | {"x": [-4, 0, 0, 4], "y": [0, 0, 1, 1], "name": "argmax: slope 0", "line": flat},
            line
            | {"x": logit.tolist(), "y": soft.tolist(), "name": "softmax: a slope to follow", "line": slope},
        ],
        "layout": layout(
            height=190,
            showlegend=True,
            margin={"l": 40, "r": 8, "t": 30, "b": 36},
            xaxis=axis("logit of the first choice", showgrid=False),
            yaxis=axis(tickvals=[0, 1], range=[-0.08, 1.08]),
        ),
    }
