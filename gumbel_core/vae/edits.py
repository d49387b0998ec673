"""Changes to a code as a text that fits into a link: `3:5, 7:1` puts latent 3 to category 5, then 7 to 1."""

from collections.abc import Sequence

from torch import Tensor

from gumbel_core.vae.codes import flipped

# A link stays short, and a page quick.
MOST = 100

Edit = tuple[int, int]


def parse_edits(text: str, latents: int, categories: int) -> list[Edit]:
    """(latent, category), counted from 0, in the order of the text, which counts from 1.

    Raises ValueError with what cannot be read.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > MOST:
        raise ValueError(f"At most {MOST} changes are taken, not {len(parts)}.")
    return [_parsed(part, latents, categories) for part in parts]


def written(edits: Sequence[Edit]) -> str:
    """The text that `parse_edits` reads. An edit that a later one undoes stays: it can be undone itself."""
    return ", ".join(f"{latent + 1}:{category + 1}" for latent, category in edits)


def edited(code: Tensor, edits: Sequence[Edit]) -> Tensor:
    """The code (N,) after its changes."""
    for latent, category in edits:
        code = flipped(code, latent, category)
    return code


def _parsed(part: str, latents: int, categories: int) -> Edit:
    latent, colon, category = part.partition(":")
    places = _place(latent), _place(category)
    if not colon or None in places:
        raise ValueError(f"A change is latent:category, such as 3:5, not {part[:24]!r}.")
    for place, count in zip(places, (latents, categories), strict=True):
        if place is None or not 1 <= place <= count:
            raise ValueError(
                f"This code has latents 1 to {latents} with categories 1 to {categories}: it has no "
                f"{part[:24]}."
            )
    return int(latent) - 1, int(category) - 1


def _place(text: str) -> int | None:
    """A whole number; 0, which is no place, for one that is far too long; None for what is no number."""
    text = text.strip()
    # To `isdigit` alone a superscript is a digit, and to `int` it is not.
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= 18 else 0
