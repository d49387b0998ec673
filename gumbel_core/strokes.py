"""A drawing as an image of a data set: cropped, scaled and placed as that set's own images were. `FORMATS`.

A drawing is its ink (H, W) in bytes, from 0 for paper to 255. What size it has and where it lies on the paper
plays no part.

[1] LeCun, Cortes, Burges, "The MNIST database of handwritten digits", yann.lecun.com/exdb/mnist
[2] Alpaydin, Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998: the
    bundled digits
[3] Garris et al., "NIST Form-Based Handprint Recognition System", NISTIR 5469, 1994: the programs behind [2]
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Bits = NDArray[np.bool_]

# MNIST's field, and the box that its digits fill.
FIELD, BOX = 28, 20
# The bitmap behind the bundled digits, the width that they are stretched to, the blocks they are counted in.
BITMAP, WIDTH, BLOCK = 32, 20, 4
# Below so many pixels of ink NIST's program thickens the strokes once or twice, above so many it thins them.
THICKENED, THINNED = (256, 108), (412, 560)
# Rows at either end that say nothing of a digit's slant: they may be a speck.
NOISY = 2


def as_mnist(canvas: Bytes) -> Bytes:
    """Bytes (28, 28): the ink in a box of 20 x 20, its centre of mass in the middle of the field [1].

    The aspect is kept, and each pixel is the mean of what it covers. Raises ValueError for a blank canvas.
    """
    ink = _cropped(_checked(canvas))
    scale = BOX / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    box = _resized(ink, height, width)
    top, left = (_start(box.sum(axis)) for axis in (1, 0))
    image = np.zeros((FIELD, FIELD), np.uint8)
    image[top : top + height, left : left + width] = box.round()
    return image


def as_digits(canvas: Bytes) -> Bytes:
    """Bytes (8, 8) of 17 levels: a bitmap of 32 x 32, its ink counted in blocks of 4 x 4 [2].

    The ink is first stretched to 20 x 32, whatever its aspect, made neither too thin nor too thick, and set
    upright [3]. Raises ValueError for a blank canvas.
    """
    ink = _cropped(_black_and_white(_checked(canvas)))
    bits = _black_and_white(_resized(ink, BITMAP, WIDTH))
    margin = (BITMAP - WIDTH) // 2
    bits = _upright(_evened(np.pad(bits, ((0, 0), (margin, margin)))))
    blocks = BITMAP // BLOCK
    counts = bits.reshape(blocks, BLOCK, blocks, BLOCK).sum((1, 3))
    return np.asarray(np.round(counts * (255 / BLOCK**2)), np.uint8)


# An image's shape -> a drawing as such an image.
FORMATS: Mapping[tuple[int, int], Callable[[Bytes], Bytes]] = {(28, 28): as_mnist, (8, 8): as_digits}


def _checked(canvas: Bytes) -> Bytes:
    if canvas.ndim != 2 or canvas.dtype != np.uint8:
        raise ValueError(f"A drawing is bytes in rows, not {canvas.dtype} of the shape {canvas.shape}.")
    if not canvas.any():
        raise ValueError("There is nothing on the canvas yet: draw a digit first.")
    return canvas


def _cropped(ink: NDArray[np.generic]) -> Floats:
    """What lies between the first and the last row, and column, with ink."""
    rows, columns = (np.flatnonzero(ink.any(axis)) for axis in (1, 0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float64)


def _resized(ink: Floats, height: int, width: int) -> Floats:
    """Each pixel (height, width) is the mean of the ink that it covers."""
    rows, columns = _shares(ink.shape[0], height), _shares(ink.shape[1], width)
    return np.asarray(rows @ ink @ columns.T)


def _shares(before: int, after: int) -> Floats:
    """How much of each new pixel each old one fills, (after, before), along one side: rows sum to 1."""
    edges = np.arange(after + 1) * (before / after)
    low, high = edges[:-1, None], edges[1:, None]
    old = np.arange(before)
    covered = np.minimum(high, old + 1) - np.maximum(low, old)
    return np.asarray(covered.clip(min=0) * (after / before))


def _start(mass: Floats) -> int:
    """Where along one side the box begins, so that its centre of mass lies on the field's middle pixel."""
    centre = float(mass @ np.arange(len(mass)) / mass.sum())
    # In MNIST that is pixel 14, counted from 0: its images' centres lie from 13.5 to just below 14.5.
    start = math.ceil(FIELD / 2 - 0.5 - centre)
    return min(max(start, 0), FIELD - len(mass))


def _black_and_white(ink: NDArray[np.generic]) -> Bits:
    """Ink is what has at least half of the most: a thin pen on a large canvas is not lost."""
    return np.asarray(ink >= ink.max() / 2)


def _evened(bits: Bits) -> Bits:
    """Strokes thickened where there is little ink, thinned where there is much [3]."""
    ink = bits.sum()
    thicker, thinner = sum(ink < bound for bound in THICKENED), sum(ink > bound for bound in THINNED)
    if thicker:
        return np.asarray(ndimage.binary_dilation(bits, iterations=thicker))
    thinned = ndimage.binary_erosion(bits, iterations=thinner) if thinner else bits
    # Of a hatching nothing may be left.
    return np.asarray(thinned if thinned.any() else bits)


def _upright(bits: Bits) -> Bits:
    """Rows shifted so that the ink begins at one column near the top and near the bottom [3]."""
    rows = np.flatnonzero(bits.any(1))
    top, bottom = rows[0] + NOISY, rows[-1] - NOISY
    # Too flat, or broken, to tell a slant.
    if top >= bottom or not bits[top].any() or not bits[bottom].any():
        return bits
    slant = (int(bits[top].argmax()) - int(bits[bottom].argmax())) / (bottom - top)
    shifts = np.round((np.arange(BITMAP) - BITMAP // 2) * slant).astype(int)
    source = np.arange(BITMAP) - shifts[:, None]
    inside = (source >= 0) & (source < BITMAP)
    return np.asarray(inside & np.take_along_axis(bits, source.clip(0, BITMAP - 1), 1))
