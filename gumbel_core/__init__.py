"""The Gumbel-Softmax trick as a small library: no Streamlit, no drawing, no printing.

from gumbel_core import gumbel_softmax, parse_logits
gumbel_softmax(parse_logits("2, 0.5, -1"), temperature=0.5)
"""

from gumbel_core.logits import LogitsError, parse_logits
from gumbel_core.sampling import (
    category_counts,
    gumbel_max,
    gumbel_noise,
    gumbel_softmax,
    straight_through,
)

__all__ = [
    "LogitsError",
    "category_counts",
    "gumbel_max",
    "gumbel_noise",
    "gumbel_softmax",
    "parse_logits",
    "straight_through",
]
