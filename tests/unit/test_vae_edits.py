"""Changes to a code as a text: what is written is read again, what cannot be read is told in a sentence."""

from contextlib import suppress

import numpy as np
import pytest
import torch

from gumbel_core.vae.edits import MOST, Edit, edited, parse_edits, written

LATENTS, CATEGORIES = 12, 10


def random_edits(rng: np.random.Generator) -> tuple[list[Edit], int, int]:
    """Up to `MOST` edits of a code of some size, with the size: (edits, latents, categories)."""
    latents, categories = (int(size) for size in rng.integers((1, 2), (65, 65)))
    count = int(rng.integers(MOST + 1))
    pairs = rng.integers(0, (latents, categories), (count, 2)).tolist()
    return [(latent, category) for latent, category in pairs], latents, categories


def test_what_is_written_is_read_again() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        edits, latents, categories = random_edits(rng)
        assert parse_edits(written(edits), latents, categories) == edits


def test_the_text_counts_from_one() -> None:
    assert written([(2, 4), (6, 0)]) == "3:5, 7:1"
    assert parse_edits("3:5, 7:1", LATENTS, CATEGORIES) == [(2, 4), (6, 0)]
    assert written([]) == ""


@pytest.mark.parametrize("text", ["", " ", ",", " , ,", "\n"])
def test_nothing_is_no_change(text: str) -> None:
    assert parse_edits(text, LATENTS, CATEGORIES) == []


@pytest.mark.parametrize("text", ["3:5,7:1", " 3 : 5 , 7 : 1 ", "3:5,,7:1,", "03:05, 007:1"])
def test_spaces_zeros_and_stray_commas_do_no_harm(text: str) -> None:
    assert parse_edits(text, LATENTS, CATEGORIES) == [(2, 4), (6, 0)]


def test_the_last_latent_and_category_are_in_and_the_next_are_not() -> None:
    assert parse_edits("12:10", LATENTS, CATEGORIES) == [(11, 9)]
    for text in ("13:10", "12:11"):
        with pytest.raises(ValueError, match="latents 1 to 12 with categories 1 to 10"):
            parse_edits(text, LATENTS, CATEGORIES)


def test_the_most_changes_are_taken_and_one_more_is_not() -> None:
    most = written([(0, 0)] * MOST)
    assert len(parse_edits(most, LATENTS, CATEGORIES)) == MOST
    with pytest.raises(ValueError, match=f"At most {MOST} changes are taken, not {MOST + 1}."):
        parse_edits(f"{most}, 1:1", LATENTS, CATEGORIES)


@pytest.mark.parametrize(
    "text",
    [
        "3", ":", "3:", ":5", "3:5:1", "3;5", "3 5", "a:b", "3:five",
        "-1:2", "+1:2", "1:-2", "1.0:2", "1e0:2", "1_0:2", "0x1:2", "nan:1", "inf:1",
        # Digits to `isdigit`, the first two not to `int`.
        "²:1", "1:⑤", "٣:1", "１:1",
        "<b>3</b>:5", "$x$:1", "3:5\x00", "3:5; import os", "'" * 900,
    ],
)  # fmt: skip
def test_what_is_no_change_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^A change is latent:category, such as 3:5, not .*\.$") as told:
        parse_edits(f"1:1, {text}", LATENTS, CATEGORIES)
    # What is hostile is quoted in part, with nothing that a terminal or a log would obey.
    assert len(str(told.value)) < 120
    assert str(told.value).isprintable()


@pytest.mark.parametrize("text", ["0:1", "1:0", "99:1", "1:99", "000000099:1", "1:999999999"])
def test_what_the_code_does_not_have_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^This code has latents 1 to 12 .*: it has no .*\.$"):
        parse_edits(f"1:1, {text}", LATENTS, CATEGORIES)


# Whoever reads the first digits alone takes a number behind zeros for a small one, or for none.
@pytest.mark.parametrize("number", ["0000000099", "000000001" + "9" * 300, "9" * 400, "9" * 5_000])
def test_a_long_number_is_told_in_a_sentence(number: str) -> None:
    for text in (f"{number}:1", f"1:{number}", f"{number}:{number}"):
        with pytest.raises(ValueError, match=r"^(This code has|A change is) .*\.$") as told:
            parse_edits(f"1:1, {text}", LATENTS, CATEGORIES)
        assert len(str(told.value)) < 120


def test_what_is_read_of_hostile_texts_never_points_outside() -> None:
    rng = np.random.default_rng(1)
    signs = list("0123456789:::::::,,, ²-")
    taken = 0
    for _ in range(2_000):
        text = "".join(rng.choice(signs, rng.integers(8)))
        with suppress(ValueError):
            edits = parse_edits(text, LATENTS, CATEGORIES)
            taken += len(edits)
            for latent, category in edits:
                assert 0 <= latent < LATENTS, text
                assert 0 <= category < CATEGORIES, text
    assert taken > 10


def test_a_code_is_edited_in_order_and_left_as_it_was() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        edits, latents, categories = random_edits(rng)
        code = torch.from_numpy(rng.integers(0, categories, latents))
        before = code.clone()
        # A dict keeps the last word on each latent.
        last = dict(edits)
        wanted = [last.get(latent, category) for latent, category in enumerate(code.tolist())]
        assert edited(code, edits).tolist() == wanted
        assert torch.equal(code, before)


def test_without_its_last_change_a_code_is_what_it_was_before_it() -> None:
    code = torch.tensor([3, 1, 4])
    edits = parse_edits("2:5, 2:6", 3, 10)
    assert edited(code, edits).tolist() == [3, 5, 4]
    assert edited(code, edits[:-1]).tolist() == [3, 4, 4]
    assert edited(code, []).tolist() == [3, 1, 4]
