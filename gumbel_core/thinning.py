"""Long series in bounded memory."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")


class Thinned:
    """Rows of numbers, at most `limit` of them: when they are full, each two neighbours become their mean.

    So a row stands for a stretch of steps, all stretches are equally long, and nothing is left out.
    """

    def __init__(self, limit: int) -> None:
        if limit < 2 or limit % 2:
            raise ValueError(f"The limit must be even and at least 2, not {limit}.")
        self.limit, self.stretch = limit, 1
        self.full: list[NDArray[np.float64]] = []
        self.open: list[NDArray[np.float64]] = []

    def add(self, row: Sequence[float]) -> None:
        self.open.append(np.asarray(row, dtype=np.float64))
        if len(self.open) == self.stretch:
            self.full.append(np.mean(self.open, axis=0))
            self.open = []
        if len(self.full) == self.limit:
            self.full = [(a + b) / 2 for a, b in zip(self.full[::2], self.full[1::2], strict=True)]
            self.stretch *= 2

    def rows(self) -> NDArray[np.float64]:
        """(rows, columns), oldest first; the last row is the mean of the stretch that is not full yet."""
        rows = [*self.full, np.mean(self.open, axis=0)] if self.open else self.full
        return np.array(rows)


def thinned(items: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` items: every second one, where there are more. The first and the last always stay."""
    kept = list(items)
    if len(kept) <= limit:
        return kept
    return [*kept[:-1:2], kept[-1]]
