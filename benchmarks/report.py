"""How every benchmark reports: a line per figure, `name: measured (target)`, and an exit status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """One measured figure beside its target.

    Args:
        name: what was measured, in words.
        measured: the figure; NaN never passes.
        target: the bound, itself allowed.
        at_least: True when more is better, False when less is.
        unit: printed after both numbers: "ms", "x", "frames/s", or nothing.
        detail: what the figure was made of, such as the two times behind a ratio.
    """

    name: str
    measured: float
    target: float
    at_least: bool = True
    unit: str = ""
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the target is met."""
        return self.measured >= self.target if self.at_least else self.measured <= self.target

    def __str__(self) -> str:
        bound = f"{'at least' if self.at_least else 'at most'} {self._number(self.target)}"
        missed = "" if self.passed else ", missed"
        detail = f"  [{self.detail}]" if self.detail else ""
        return f"{self.name}: {self._number(self.measured)} ({bound}{missed}){detail}"

    def _number(self, value: float) -> str:
        return f"{value:.4g} {self.unit}".rstrip()


def report(lines: Iterable[Line]) -> int:
    """Print each line as it is measured, and return the exit status: 1 when any target is missed.

    `lines` may be a generator: when a later measurement fails, the earlier ones are already on the screen.
    """
    missed = False
    for line in lines:
        print(line, flush=True)
        missed |= not line.passed
    return int(missed)
