"""Typed text against the logits it means, and every refusal against its sentence."""

import math
import random
import struct
from contextlib import suppress

import pytest
import torch

from gumbel_core.logits import (
    KINDS,
    MAX_CATEGORIES,
    MAX_NAME,
    MAX_NUMBER,
    MAX_TEXT,
    PRESETS,
    LogitsError,
    Preset,
    format_numbers,
    looks_like_probabilities,
    parse_logits,
    parse_names,
)

INF = math.inf
JANG = [0.06, 0.16, 0.20, 0.035, 0.105, 0.42, 0.02]


def refusal(text: str, kind: str = "logits") -> LogitsError:
    with pytest.raises(LogitsError) as caught:
        parse_logits(text, kind)
    return caught.value


def doubles(rng: random.Random, count: int) -> list[float]:
    """Doubles of any magnitude that is read: random bit patterns."""
    drawn = (struct.unpack("d", rng.randbytes(8))[0] for _ in range(2 * count + 8))
    return [value for value in drawn if abs(value) <= MAX_NUMBER][:count]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2, 0.5, -1", [2, 0.5, -1]),
        ("2,0.5,-1,", [2, 0.5, -1]),
        ("2; .5; -1.;", [2, 0.5, -1]),
        ("2\t0.5\t-1", [2, 0.5, -1]),
        ("2\n0.5\r\n\n-1\n", [2, 0.5, -1]),
        ("  2   0.5 -1 ", [2, 0.5, -1]),
        ("2, 0.5\n-1", [2, 0.5, -1]),
        ("2,\n0.5\n, -1,\n", [2, 0.5, -1]),
        ("2,\t0.5;\u00a0-1", [2, 0.5, -1]),
        ("\u22122, +1, 2e\u22123", [-2, 1, 2e-3]),
        ("\u20132, \u2013.5", [-2, -0.5]),
        ("1, -inf, -INF, \u2212\u221e, -\u221e", [1, -INF, -INF, -INF, -INF]),
        ("1e3, 2.5E-2, 1e+2", [1000, 0.025, 100]),
        ("1e30, -1e30", [1e30, -1e30]),
        ("1e300, -1e300", [1e300, -1e300]),
        ("1e-999", [0]),
        ("7", [7]),
    ],
)
def test_logits_are_taken_as_typed(text: str, expected: list[float]) -> None:
    logits = parse_logits(text)
    assert logits.dtype == torch.float64
    assert logits.shape == (len(expected),)
    assert logits.tolist() == expected


def test_the_largest_numbers_keep_their_differences_finite() -> None:
    logits = parse_logits(f"{MAX_NUMBER}, {-MAX_NUMBER}")
    assert (logits[:, None] - logits).isfinite().all()
    assert logits.softmax(-1).tolist() == [1, 0]
    weights = parse_logits(", ".join([str(MAX_NUMBER)] * MAX_CATEGORIES), "weights").exp()
    assert weights.sum().isfinite()


def test_64_numbers_are_read() -> None:
    assert parse_logits(",".join(["0"] * MAX_CATEGORIES)).shape == (64,)


def test_weights_enter_as_their_log() -> None:
    logits = parse_logits("7 2 1 0", "weights")
    # Tolerance: a rounding error of a double.
    torch.testing.assert_close(logits[:3], torch.tensor([7.0, 2.0, 1.0], dtype=torch.float64).log())
    assert logits[3] == -INF


@pytest.mark.parametrize("text", ["0.5, 0.499", "0.333, 0.333, 0.333", "0.5005, 0.5005", "1, 0", "1"])
def test_probabilities_near_1_are_normalised(text: str) -> None:
    # Tolerance: a rounding error of a double; the typed numbers are up to 1e-3 away.
    assert parse_logits(text, "probabilities").exp().sum().item() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "kind", "sentence", "read_as"),
    [
        ("", "logits", "There is nothing to read: type numbers such as 2, 0.5, -1.", None),
        (" \n", "weights", "There is nothing to read: type numbers such as 2, 0.5, -1.", None),
        (" , ,", "logits", "There is nothing to read: type numbers such as 2, 0.5, -1.", None),
        ("a, b", "logits", "Entry 1, 'a', is not a number.", None),
        ("1, b", "logits", "Entry 2, 'b', is not a number.", None),
        ("1 2, 3", "logits", "Entry 1, '1 2', is not a number.", None),
        ("1\t2, 3", "logits", "Entry 1, '1 2', is not a number.", None),
        ("1,,2", "logits", "Entry 2 is empty: two commas stand side by side.", None),
        ("1,2, \n ,", "logits", "Entry 3 is empty: two commas stand side by side.", None),
        ("1;;2", "logits", "Entry 2 is empty: two semicolons stand side by side.", None),
        ("1;,2", "logits", "Entry 2 is empty: two separators stand side by side.", None),
        (",1", "logits", "Entry 1 is empty: the text starts with a comma.", None),
        ("1, nan", "logits", "Entry 2, 'nan', is not a number.", None),
        ("inf", "logits", "Entry 1, 'inf', is infinite: only a logit of -inf is read, as a mask.", None),
        (
            "+\u221e",
            "weights",
            "Entry 1, '+\u221e', is infinite: only a logit of -inf is read, as a mask.",
            None,
        ),
        ("1e999", "logits", "Entry 1, '1e999', is too large: numbers up to 1e300 are read.", None),
        ("0, -1e999", "logits", "Entry 2, '-1e999', is too large: numbers up to 1e300 are read.", None),
        ("1e308, -1e308", "logits", "Entry 1, '1e308', is too large: numbers up to 1e300 are read.", None),
        ("0, -1.01e300", "logits", "Entry 2, '-1.01e300', is too large: numbers up to 1e300 are read.", None),
        ("2e300", "weights", "Entry 1, '2e300', is too large: numbers up to 1e300 are read.", None),
        ("-inf, -inf", "logits", "Every category is masked with -inf: leave at least one open.", None),
        ("1, -2", "weights", "Entry 2, '-2', is negative: a weight is 0 or more.", "logits"),
        ("1, \u22122", "weights", "Entry 2, '\u22122', is negative: a weight is 0 or more.", "logits"),
        ("0, 0", "weights", "Every weight is 0: at least one must be above 0.", "logits"),
        ("-inf", "weights", "Entry 1, '-inf', is negative: a weight is 0 or more.", None),
        ("7, 2", "probabilities", "Entry 1, '7', is above 1: a probability lies between 0 and 1.", "weights"),
        (
            "1, -0.2",
            "probabilities",
            "Entry 2, '-0.2', is negative: a probability lies between 0 and 1.",
            "logits",
        ),
        ("0.5, 0.6", "probabilities", "The probabilities sum to 1.1, not to 1.", "weights"),
        ("0.5, 0.502", "probabilities", "The probabilities sum to 1.002, not to 1.", "weights"),
        ("0, 0", "probabilities", "The probabilities sum to 0, not to 1.", "logits"),
        ("1", "odds", "The kind 'odds' is unknown: choose logits, probabilities or weights.", None),
        (" ".join(["1"] * 65), "logits", "There are 65 numbers: at most 64 categories are read.", None),
        ("1, " * 33_333 + "1", "logits", "The text has 100,000 characters: at most 4,000 are read.", None),
        ("x" * 25, "logits", "Entry 1, '" + "x" * 24 + "…', is not a number.", None),
        ("1, x\u202e\x00", "logits", "Entry 2, 'x\ufffd\ufffd', is not a number.", None),
    ],
)
def test_a_refusal_is_one_sentence(text: str, kind: str, sentence: str, read_as: str | None) -> None:
    error = refusal(text, kind)
    assert str(error) == sentence
    assert error.read_as == read_as
    if read_as:
        parse_logits(text, read_as)


NOT_NUMBERS = [
    "1_000",
    "0x10",
    "infinity",
    "-infinity",
    "-nan",
    "1e",
    ".",
    "e5",
    "--1",
    "1-2",
    "1.2.3",
    "1j",
    "<b>1",
]
NOT_NUMBERS_IN_UNICODE = ["\uff11", "\u0661", "1\u20132", "1\u2013", "\u2013", "\u2013inf"]


@pytest.mark.parametrize("entry", NOT_NUMBERS + NOT_NUMBERS_IN_UNICODE)
def test_what_only_python_or_nobody_reads_is_not_a_number(entry: str) -> None:
    assert str(refusal(f"1, {entry}")) == f"Entry 2, '{entry}', is not a number."


def test_the_longest_text_is_read() -> None:
    assert parse_logits("1".ljust(MAX_TEXT)).tolist() == [1]
    refusal("1".ljust(MAX_TEXT + 1))


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        ([0.7, 0.2, 0.1], True),
        ([0.333, 0.333, 0.333], True),
        ([1.0, 0.0], True),
        ([0.7, 0.2, 0.15], False),
        ([2, 0.5, -1], False),
        ([1.5, -0.75, 0.25], False),
        ([1.0], False),
        ([0.5, 0.5, -INF], False),
    ],
)
def test_probabilities_typed_as_logits_are_recognised(logits: list[float], expected: bool) -> None:
    assert looks_like_probabilities(logits) is expected


@pytest.mark.parametrize(
    ("text", "categories", "expected"),
    [
        ("cat, dog ,bird", 3, ("cat", "dog", "bird")),
        ("cat,, bird", 4, ("cat", "B", "bird", "D")),
        ("cat, dog", 1, ("cat",)),
        ("", 2, ("A", "B")),
        ("cat", 0, ()),
        ("a\x00b\u202ec, two\nwords, \ud800", 3, ("abc", "two words", "C")),
        ("x" * 30 + ", " + "y" * 23 + " z", 2, ("x" * 24, "y" * 23)),
    ],
)
def test_names(text: str, categories: int, expected: tuple[str, ...]) -> None:
    assert parse_names(text, categories) == expected


def test_filled_names_go_on_after_z() -> None:
    names = parse_names("", MAX_CATEGORIES)
    assert names[25:28] == ("Z", "A1", "B1")
    assert names[52] == "A2"
    assert len(set(names)) == MAX_CATEGORIES


def test_names_never_raise_but_for_length() -> None:
    rng = random.Random(0)
    for _ in range(200):
        text = "".join(chr(rng.randrange(0x110000)) for _ in range(rng.randrange(100)))
        names = parse_names(text, 5)
        assert len(names) == 5
        assert all(0 < len(name) <= MAX_NAME and name == name.strip() for name in names)
    with pytest.raises(LogitsError, match=r"^The names have 4,001 characters: at most 4,000 are read\.$"):
        parse_names("x" * (MAX_TEXT + 1), 3)


def test_whatever_is_not_refused_is_a_law() -> None:
    rng = random.Random(1)
    read = 0
    for _ in range(3000):
        text = "".join(rng.choices("0123456789.,;-+einf \n\t\u2212\u2013\u221e_x", k=rng.randrange(12)))
        with suppress(LogitsError):
            probabilities = parse_logits(text, rng.choice(KINDS)).softmax(-1)
            # Tolerance: a rounding error of a double for each of at most 12 categories.
            assert probabilities.sum().item() == pytest.approx(1, abs=1e-14)
            read += 1
    assert read > 100


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([2, 0.5, -1], "2, 0.5, -1"),
        ([-INF, 0.1, 1e30], "-inf, 0.1, 1e30"),
        ([torch.tensor(0.25), -0.0], "0.25, -0"),
    ],
)
def test_format_is_short(values: list[float], text: str) -> None:
    assert format_numbers(values) == text


def test_parse_inverts_format_exactly() -> None:
    rng = random.Random(2)
    for _ in range(300):
        values = doubles(rng, MAX_CATEGORIES)
        values[rng.randrange(len(values))] = -INF
        text = format_numbers(values)
        assert len(text) <= MAX_TEXT
        assert parse_logits(text).tolist() == values


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_presets_are_read(preset: Preset) -> None:
    assert preset.kind in KINDS
    logits = parse_logits(preset.text, preset.kind)
    typed_names = preset.names.split(",") if preset.names else []
    assert len(typed_names) in (0, len(logits))
    assert len(set(parse_names(preset.names, len(logits)))) == len(logits)
    assert not (preset.kind == "logits" and looks_like_probabilities(logits.tolist()))
    assert preset.sentence.endswith(".")


def test_presets_say_what_they_are() -> None:
    assert list(PRESETS) == [
        "Three classes",
        "Jang's figure 1",
        "Uniform",
        "One dominant",
        "A masked category",
        "Next token",
        "A policy's actions",
    ]
    probabilities = {
        key: parse_logits(preset.text, preset.kind).softmax(-1).tolist() for key, preset in PRESETS.items()
    }
    # Tolerance: a few rounding errors of a double.
    assert probabilities["Jang's figure 1"] == pytest.approx(JANG, abs=1e-12)
    assert probabilities["Uniform"] == pytest.approx([0.2] * 5, abs=1e-12)
    assert max(probabilities["One dominant"]) == pytest.approx(0.96, abs=1e-12)
    assert probabilities["A masked category"].count(0) == 1
