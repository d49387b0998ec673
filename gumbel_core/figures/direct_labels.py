"""Names at the ends of lines, instead of a legend: kept apart, each led to its own line."""

from collections.abc import Sequence
from dataclasses import dataclass

from gumbel_core.figures.layout import Figure, labels

# Pixels from one name to the next, and from a line's end to its name.
APART, REACH = 14, 12
SIZE = 11


@dataclass(frozen=True)
class End:
    """A line's end: its name, where it lies on the axes (exponents, on logarithmic ones), its colour."""

    text: str
    x: float
    y: float
    colour: str
    bold: bool = False


def end_labels(
    ends: Sequence[End], *, span: tuple[float, float], pixels: float, place: str = "y"
) -> list[Figure]:
    """The names at the right of a panel, as annotations.

    span: from where to where the panel's axis `place` goes, in its own values
    pixels: the panel's height
    """
    low, high = span
    heights = [pixels * (min(max(end.y, low), high) - low) / (high - low) for end in ends]
    moved = spread(heights, APART, 0, pixels)
    texts = labels([end.text for end in ends])
    return [
        {
            "text": f"<b>{text}</b>" if end.bold else text, "font": {"size": SIZE, "color": end.colour},
            "x": end.x, "y": low + height * (high - low) / pixels, "yref": place,
            "ax": REACH, "ay": round(height - put, 1), "xanchor": "left", "yanchor": "middle",
            "showarrow": True, "arrowhead": 0, "arrowwidth": 0.8, "arrowcolor": end.colour,
            "borderpad": 0, "captureevents": False,
        }
        for end, text, height, put in zip(ends, texts, heights, moved, strict=True)
    ]  # fmt: skip


def spread(wanted: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Places `apart` or more from each other, in the order wanted, between low and high while they fit.

    Of all such places those nearest to the wanted ones, in the least squares: who stands too close shares one
    block, and the block stands where its members wish on average.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    blocks: list[list[float]] = []  # of each member, where it wishes the block's first to stand
    for index in order:
        blocks.append([wanted[index]])
        while len(blocks) > 1 and _next_free(blocks[-2], apart) > _mean(blocks[-1]):
            last = blocks.pop()
            reach = apart * len(blocks[-1])
            blocks[-1] += [wish - reach for wish in last]
    starts = [_mean(block) + apart * place for block in blocks for place in range(len(block))]
    inside = _within(starts, apart, low, high)
    places = [0.0] * len(wanted)
    for index, place in zip(order, inside, strict=True):
        places[index] = place
    return places


def _mean(wishes: Sequence[float]) -> float:
    return sum(wishes) / len(wishes)


def _next_free(block: Sequence[float], apart: float) -> float:
    return _mean(block) + apart * len(block)


def _within(places: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Sorted places pushed down from `high`, then up from `low`."""
    count = len(places)
    under = [min(place, high - apart * (count - 1 - rank)) for rank, place in enumerate(places)]
    return [max(place, low + apart * rank) for rank, place in enumerate(under)]
