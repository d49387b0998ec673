"""What several configs refuse alike: a number that is not whole or out of its range, and an unknown name."""

from collections.abc import Collection


def check_whole(what: str, value: object, limits: tuple[int, int]) -> None:
    """A ValueError in a sentence, unless the value is a whole number within the limits, ends included.

    What is counted begins the sentence: `The number of steps`.
    """
    low, high = limits
    # True is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{what} is a whole number from {low:,} to {high:,}, not {value!r}.")


def check_name(what: str, name: object, names: Collection[str]) -> None:
    """A ValueError in a sentence, unless the name is one of the names."""
    # A card may hold a list where a name belongs, and a map cannot be asked for it.
    if name not in list(names):
        raise ValueError(f"There is no {what} {name!r}: it is one of {', '.join(names)}.")
