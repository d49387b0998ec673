"""What people type, read as logits, or refused with one plain sentence.

Gumbel-Max draws `argmax(g + log pi)` (Jang et al. 2017, equation 1, https://arxiv.org/abs/1611.01144), so
weights and probabilities enter as their logarithm. Feeding them in as they are is the commonest mistake:
`looks_like_probabilities` recognises it, and the page offers the correction.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import torch

KINDS = ("logits", "probabilities", "weights")
MAX_CATEGORIES = 64
MAX_TEXT = 4_000
MAX_NAME = 24
# The difference of any two logits, and the sum of 64 weights, are then finite doubles.
MAX_NUMBER = 1e300

_MAX_ECHO = 24
# A hair wider than 1e-3: three-digit numbers that sum to .999 miss 1 by 1e-3 and a rounding error.
_SUM_TOLERANCE = 1e-3 + 1e-9
# Narrower than float(), which also takes 1_000, full-width digits, nan and infinity.
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?")
_EN_DASH_AS_MINUS = re.compile("\u2013(?=\\.?[0-9])")


class LogitsError(ValueError):
    """One plain sentence on what cannot be read; `read_as` is the kind that would accept the text, if any."""

    def __init__(self, sentence: str, read_as: str | None = None) -> None:
        super().__init__(sentence)
        self.read_as = read_as


def parse_logits(text: str, kind: str = "logits") -> torch.Tensor:
    """Logits, float64 of shape (K,) with 1 <= K <= 64, from typed numbers of the given kind.

    If the text holds a comma or a semicolon, these and line breaks separate the numbers; otherwise any white
    space does. One comma at the end is fine. A Unicode minus and an infinity sign are understood; the decimal
    mark is a point. A number's absolute value is at most 1e300, so that differences of logits stay finite.

    Logits are taken as typed, and `-inf` masks a category. Weights and probabilities become their logarithm,
    so a zero masks. Probabilities that sum to 1 within 1e-3 are accepted and normalised to sum to 1.

    Raises LogitsError, whose message quotes the text as typed: escape it before showing it as markup.
    """
    if kind not in KINDS:
        raise LogitsError(f"The kind {_quote(kind)} is unknown: choose logits, probabilities or weights.")
    entries = _checked_entries(text)
    values = [_number(entry, place) for place, entry in enumerate(entries, start=1)]
    if complaint := _COMPLAINTS[kind](entries, values):
        raise LogitsError(complaint, read_as=_kind_that_accepts(entries, values))
    numbers = torch.tensor(values, dtype=torch.float64)
    if kind == "logits":
        return numbers
    return (numbers / numbers.sum()).log() if kind == "probabilities" else numbers.log()


def parse_numbers(text: str) -> tuple[float, ...]:
    """Typed numbers of any count that the text can hold, read as `parse_logits` reads logits."""
    entries = _checked_entries(text, MAX_TEXT)
    return tuple(_number(entry, place) for place, entry in enumerate(entries, start=1))


def looks_like_probabilities(logits: Sequence[float]) -> bool:
    """Whether logits were probably meant as probabilities: two or more in [0, 1] that sum to 1.

    A masked logit says that the author meant logits: no probability is written -inf.
    """
    return len(logits) >= 2 and all(0 <= logit <= 1 for logit in logits) and _sums_to_one(logits)


def parse_names(text: str, categories: int) -> tuple[str, ...]:
    """One name per category from comma-separated text: trimmed, up to 24 characters, no control characters.

    Missing and empty names become A, B, ... Z, A1, ... by their place; extra ones are ignored.
    Raises LogitsError only if the text is longer than 4,000 characters.
    """
    _check_length(text, "The names have")
    names = chain(map(_clean_name, text.split(",")), repeat(""))
    return tuple(name or _letter(index) for index, name in zip(range(categories), names, strict=False))


def format_numbers(values: Sequence[float]) -> str:
    """The shortest text that `parse_logits` reads back as exactly these logits; a masked one becomes -inf."""
    return ", ".join(repr(float(value)).removesuffix(".0").replace("e+", "e") for value in values)


def split_entries(text: str) -> list[str]:
    """The entries of the text as typed, empty ones included, by the rule of `parse_logits`."""
    _check_length(text)
    return _split_at_marks(text) if re.search("[,;]", text) else text.split()


def _checked_entries(text: str, most: int = MAX_CATEGORIES) -> list[str]:
    entries = split_entries(text)
    if not any(entries):
        raise LogitsError("There is nothing to read: type numbers such as 2, 0.5, -1.")
    if "" in entries:
        raise LogitsError(_empty_entry(entries.index(""), text))
    if len(entries) > most:
        raise LogitsError(f"There are {len(entries)} numbers: at most {most} categories are read.")
    return entries


def _split_at_marks(text: str) -> list[str]:
    """Entries between commas, semicolons and line breaks; beside a comma, a line break adds no entry."""
    entries = []
    for piece in re.split("[,;]", text):
        lines = [line.strip() for line in piece.splitlines() if line.strip()]
        entries += lines or [""]
    return entries[:-1] if entries[-1] == "" else entries


def _empty_entry(index: int, text: str) -> str:
    mark = "comma" if ";" not in text else "semicolon" if "," not in text else "separator"
    reason = f"the text starts with a {mark}" if index == 0 else f"two {mark}s stand side by side"
    return f"Entry {index + 1} is empty: {reason}."


def _number(entry: str, place: int) -> float:
    plain = _EN_DASH_AS_MINUS.sub("-", entry).replace("\u2212", "-").replace("\u221e", "inf").lower()
    if plain == "-inf":
        return -math.inf
    if plain in ("inf", "+inf"):
        raise LogitsError(f"{_entry(entry, place)} is infinite: only a logit of -inf is read, as a mask.")
    if not _NUMBER.fullmatch(plain):
        raise LogitsError(f"{_entry(entry, place)} is not a number.")
    if abs(value := float(plain)) > MAX_NUMBER:
        raise LogitsError(f"{_entry(entry, place)} is too large: numbers up to 1e300 are read.")
    return value


def _complaint_about_logits(entries: Sequence[str], values: Sequence[float]) -> str | None:
    all_masked = all(value == -math.inf for value in values)
    return "Every category is masked with -inf: leave at least one open." if all_masked else None


def _complaint_about_weights(entries: Sequence[str], values: Sequence[float]) -> str | None:
    for place, (entry, value) in enumerate(zip(entries, values, strict=True), start=1):
        if value < 0:
            return f"{_entry(entry, place)} is negative: a weight is 0 or more."
    return "Every weight is 0: at least one must be above 0." if not any(values) else None


def _complaint_about_probabilities(entries: Sequence[str], values: Sequence[float]) -> str | None:
    for place, (entry, value) in enumerate(zip(entries, values, strict=True), start=1):
        if not 0 <= value <= 1:
            side = "negative" if value < 0 else "above 1"
            return f"{_entry(entry, place)} is {side}: a probability lies between 0 and 1."
    return None if _sums_to_one(values) else f"The probabilities sum to {math.fsum(values):.6g}, not to 1."


_COMPLAINTS: dict[str, Callable[[Sequence[str], Sequence[float]], str | None]] = {
    "logits": _complaint_about_logits,
    "probabilities": _complaint_about_probabilities,
    "weights": _complaint_about_weights,
}


def _kind_that_accepts(entries: Sequence[str], values: Sequence[float]) -> str | None:
    return next((kind for kind in ("weights", "logits") if not _COMPLAINTS[kind](entries, values)), None)


def _sums_to_one(values: Sequence[float]) -> bool:
    return abs(math.fsum(values) - 1) <= _SUM_TOLERANCE


def _check_length(text: str, subject: str = "The text has") -> None:
    if len(text) > MAX_TEXT:
        raise LogitsError(f"{subject} {len(text):,} characters: at most {MAX_TEXT:,} are read.")


def _entry(entry: str, place: int) -> str:
    return f"Entry {place}, {_quote(entry)},"


def _quote(text: str) -> str:
    shown = "".join(char if char.isprintable() else "\ufffd" for char in " ".join(text.split()))
    return f"'{shown}'" if len(shown) <= _MAX_ECHO else f"'{shown[:_MAX_ECHO]}…'"


def _clean_name(name: str) -> str:
    # Beside control characters (Cc): formats (Cf) can reverse the text around them, and lone surrogates (Cs)
    # cannot be sent as UTF-8. A tab or line break inside a name becomes a space.
    kept = (char for char in name if char.isspace() or unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
    return " ".join("".join(kept).split())[:MAX_NAME].rstrip()


def _letter(index: int) -> str:
    turn, letter = divmod(index, 26)
    return chr(ord("A") + letter) + (str(turn) if turn else "")


@dataclass(frozen=True)
class Preset:
    """An example: `text` is what one would type for this `kind`, `sentence` says why one would look at it."""

    kind: str
    text: str
    names: str
    sentence: str


# By title. The first is the default.
PRESETS: dict[str, Preset] = {
    "Three classes": Preset(
        "logits", "2, 0.5, -1", "cat, dog, bird",
        "A likely class, a possible one and a rare one: small enough to follow every number.",
    ),
    "Jang's figure 1": Preset(
        "probabilities", "0.06, 0.16, 0.20, 0.035, 0.105, 0.42, 0.02", "",
        "The seven bars of Jang et al. (2017), figure 1, to hold this page against the paper.",
    ),
    "Uniform": Preset(
        "weights", "1, 1, 1, 1, 1", "",
        "Five equal weights: the noise alone decides who wins.",
    ),
    "One dominant": Preset(
        "probabilities", "0.96, 0.01, 0.01, 0.01, 0.01", "",
        "One category holds .96, and still the noise lets another win one draw in twenty-five.",
    ),
    "A masked category": Preset(
        "logits", "1.5, -inf, 0.5, 0", "",
        "The second category has the logit -inf: no noise can make it win.",
    ),
    "Next token": Preset(
        "logits", "4.1, 3.6, 3.2, 2.9, 2.3, 1.9, 1.4, 0.8, 0.1, -1.2",
        "mat, floor, couch, bed, edge, roof, table, chair, grass, moon",
        "A language model's next word after “The cat sat on the”: a few likely candidates and a long tail.",
    ),
    "A policy's actions": Preset(
        "logits", "1.2, 0.9, 0.3, -0.4, -1.5", "left, right, jump, wait, duck",
        "An agent takes one action, never a mixture of five: a choice that stops the gradient.",
    ),
}  # fmt: skip
