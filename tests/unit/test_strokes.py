"""Drawings: size and place play no part, and images of the data sets' own come back as they are."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from gumbel_core import datasets
from gumbel_core.datasets import DATASETS, data_dir, load
from gumbel_core.strokes import FORMATS, as_digits, as_mnist

Bytes = NDArray[np.uint8]

ROOT = Path(__file__).parents[2]
# The centre of mass of MNIST's own images lies within half a pixel of pixel 14, counted from 0.
MIDDLE, HALF = 14, 0.5


def drawing(side: int = 56) -> Bytes:
    """A 7 with a slant, drawn with a pen of a fourteenth of the side, its edges as soft as a canvas' are."""
    fine = 8 * side
    rows, columns = (np.indices((fine, fine)) + 0.5) / fine
    ink = np.zeros((fine, fine))
    for (y0, x0), (y1, x1) in [((0.25, 0.3), (0.25, 0.6)), ((0.25, 0.6), (0.8, 0.42))]:
        along = ((rows - y0) * (y1 - y0) + (columns - x0) * (x1 - x0)) / ((y1 - y0) ** 2 + (x1 - x0) ** 2)
        along = along.clip(0, 1)
        distance = np.hypot(rows - y0 - along * (y1 - y0), columns - x0 - along * (x1 - x0))
        ink = np.maximum(ink, distance < 1 / 28)
    return np.asarray(ink.reshape(side, 8, side, 8).mean((1, 3)) * 255).round().astype(np.uint8)


def likeness(one: Bytes, other: Bytes) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.fixture(params=FORMATS, ids=lambda shape: f"{shape[0]} x {shape[1]}")
def shape(request: pytest.FixtureRequest) -> tuple[int, int]:
    value: tuple[int, int] = request.param
    return value


def test_every_data_set_has_a_format(shape: tuple[int, int]) -> None:
    assert {source.shape for source in DATASETS.values()} == set(FORMATS)
    image = FORMATS[shape](drawing())
    assert image.shape == shape
    assert image.dtype == np.uint8
    assert image.max() > 200


@pytest.mark.parametrize("move", [(0, 0), (-11, -14), (8, 18), (-3, 9)])
def test_where_a_drawing_lies_plays_no_part(shape: tuple[int, int], move: tuple[int, int]) -> None:
    moved = np.roll(drawing(), move, (0, 1))
    assert np.array_equal(FORMATS[shape](moved), FORMATS[shape](drawing()))


@pytest.mark.parametrize("times", [2, 3, 5])
def test_how_large_a_drawing_is_plays_no_part(shape: tuple[int, int], times: int) -> None:
    large = np.kron(drawing(), np.ones((times, times), np.uint8))
    assert np.array_equal(FORMATS[shape](large), FORMATS[shape](drawing()))


@pytest.mark.parametrize("side", [40, 112, 280])
def test_how_finely_a_drawing_is_kept_plays_a_small_part(shape: tuple[int, int], side: int) -> None:
    """But for the pixel by which MNIST's way may place it otherwise: it moves by whole ones."""
    other, image = FORMATS[shape](drawing(side)), FORMATS[shape](drawing())
    moved = [np.roll(other, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert max(likeness(each, image) for each in moved) > 0.93


def test_the_paper_around_plays_no_part(shape: tuple[int, int]) -> None:
    wide = np.pad(drawing(), ((0, 7), (30, 0)))
    assert np.array_equal(FORMATS[shape](wide), FORMATS[shape](drawing()))


def test_a_drawing_is_left_as_it_was(shape: tuple[int, int]) -> None:
    canvas = drawing()
    before = canvas.copy()
    FORMATS[shape](canvas)
    assert np.array_equal(canvas, before)


@pytest.mark.parametrize("sides", [(56, 56), (1, 1), (0, 5)])
def test_a_blank_canvas_is_refused(shape: tuple[int, int], sides: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="nothing on the canvas"):
        FORMATS[shape](np.zeros(sides, np.uint8))


@pytest.mark.parametrize("canvas", [np.ones((4, 4)), np.ones((2, 4, 4), np.uint8), np.ones(4, np.uint8)])
def test_what_is_no_drawing_is_refused(shape: tuple[int, int], canvas: Bytes) -> None:
    with pytest.raises(ValueError, match="bytes in rows"):
        FORMATS[shape](canvas)


@pytest.mark.parametrize(
    "sides", [(1, 1), (1, 56), (56, 1), (2, 300), (56, 56)], ids=lambda sides: f"{sides[0]} x {sides[1]}"
)
@pytest.mark.parametrize("ink", [1, 255])
def test_a_dot_a_line_and_a_full_canvas_are_images(
    shape: tuple[int, int], sides: tuple[int, int], ink: int
) -> None:
    image = FORMATS[shape](np.full(sides, ink, np.uint8))
    assert image.shape == shape
    assert image.any()


@pytest.mark.parametrize("seed", range(5))
def test_a_scribble_is_an_image(shape: tuple[int, int], seed: int) -> None:
    ink = np.random.default_rng(seed).integers(0, 256, (56, 56)) * (np.arange(56) % (seed + 1) == 0)
    assert FORMATS[shape](ink.astype(np.uint8)).shape == shape


# As MNIST's.


def test_the_longer_side_fills_the_box_and_the_aspect_stays() -> None:
    canvas = np.zeros((56, 56), np.uint8)
    canvas[8:48, 30:40] = 255
    assert [np.ptp(places) + 1 for places in as_mnist(canvas).nonzero()] == [20, 5]
    assert [np.ptp(places) + 1 for places in as_mnist(canvas.T.copy()).nonzero()] == [5, 20]


def test_the_centre_of_mass_is_in_the_middle() -> None:
    """Of a drawing whose ink lies mostly at its top left, and whose box is therefore not in the middle."""
    canvas = np.zeros((56, 56), np.uint8)
    canvas[10:40, 10:18] = canvas[10:18, 10:40] = 255
    image = as_mnist(canvas)
    for found in ndimage.center_of_mass(image):
        assert abs(found - MIDDLE) <= HALF
    rows, columns = image.nonzero()
    assert rows.min() == columns.min() > 4


def test_ink_is_spread_over_what_covers_it() -> None:
    """40 rows become 20: each is the mean of two. A checkerboard becomes an even grey."""
    canvas = np.zeros((40, 40), np.uint8)
    canvas[::2, ::2] = canvas[1::2, 1::2] = 200
    assert np.unique(as_mnist(canvas)).tolist() == [0, 100]


def test_a_box_never_leaves_the_field() -> None:
    """All the mass is at one end of a long line: its centre cannot be in the middle, and no ink is lost."""
    canvas = np.zeros((56, 56), np.uint8)
    canvas[5:55, 20] = 1
    canvas[5:8, 20] = 255
    rows, _ = as_mnist(canvas).nonzero()
    assert np.ptp(rows) + 1 == 20


@pytest.fixture(scope="module")
def labelled() -> tuple[Bytes, NDArray[np.int64]]:
    """MNIST's first 1,000 test images, (1000, 28, 28), and their classes."""
    for folder in (data_dir(), ROOT.parent / "shared/data"):
        if (folder / "MNIST").is_dir():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("GUMBEL_DATA_DIR", str(folder))
                images = load("mnist").test[:1_000].view(-1, 28, 28).numpy()
                return images, datasets.test_labels("mnist")[:1_000].numpy()
    pytest.skip("MNIST is in no folder here: GUMBEL_DATA_DIR may name one")


@pytest.fixture(scope="module")
def mnist(labelled: tuple[Bytes, NDArray[np.int64]]) -> Bytes:
    return labelled[0]


@pytest.mark.parametrize("times", [1, 2, 8])
def test_mnists_own_images_come_back(times: int, mnist: Bytes) -> None:
    """As drawings as they are, and as ones drawn larger, to the last grey level."""
    block = np.ones((times, times), np.uint8)
    for image in mnist:
        assert np.array_equal(as_mnist(np.kron(image, block)), image)


# As the bundled digits.


def test_the_digits_are_counts_of_bits() -> None:
    """A full canvas is stretched to 20 x 32, which is too much ink, and thinned twice, to 16 x 28."""
    counts = np.zeros((8, 8))
    counts[:, 2:6] = 16
    counts[0] /= 2
    counts[-1] /= 2
    image = as_digits(np.full((50, 50), 255, np.uint8))
    assert np.array_equal(image, np.round(counts * (255 / 16)))


def test_thin_strokes_are_thickened() -> None:
    """A frame of 1 pixel has 100 of its 20 x 32: below 108 it is thickened twice, inwards and outwards."""
    canvas = np.zeros((320, 200), np.uint8)
    canvas[:10] = canvas[-10:] = canvas[:, :10] = canvas[:, -10:] = 255
    counts = as_digits(canvas).astype(float) * 16 / 255
    # The two side walls, each 5 wide in the rows amid, of which 2 lie in the outermost blocks but one.
    assert counts[3].round().tolist() == [0, 16, 4, 0, 0, 4, 16, 0]


def test_a_slant_is_set_upright() -> None:
    """A parallelogram becomes a bar: in every row of blocks its ink begins in the same column."""
    canvas = np.zeros((320, 200), np.uint8)
    for row in range(320):
        start = round((319 - row) / 319 * 120)
        canvas[row, start : start + 80] = 255
    image = as_digits(canvas)
    assert np.unique(image[2:6].argmax(1)).size == 1
    assert np.abs(image[2].astype(int) - image[5]).max() <= 4 * 255 / 16


def bitmap(*bands: tuple[range, range]) -> Bytes:
    """A drawing (32, 20), which is not stretched, of bands of ink: rows and columns."""
    canvas = np.zeros((32, 20), np.uint8)
    for rows, columns in bands:
        canvas[np.ix_(rows, columns)] = 255
    return canvas


def test_a_hatching_is_not_thinned_to_nothing() -> None:
    """Lines 2 wide with 1 between have 440 of 640, which is much, but thinned there would be none."""
    lines = [(range(row, min(row + 2, 32)), range(20)) for row in range(0, 32, 3)]
    assert as_digits(bitmap(*lines)).any(1).all()


def test_what_thinning_leaves_flat_has_no_slant() -> None:
    """Among such lines one of 7 is left 5 wide: two rows in from its top are two from its bottom."""
    lines = [(range(row, row + 2), range(20)) for row in (0, 3, 6, 9, 21, 24, 27, 30)]
    image = as_digits(bitmap(*lines, (range(12, 19), range(20))))
    assert np.flatnonzero(image.any(1)).tolist() == [3, 4]


def test_a_broken_digit_has_no_slant() -> None:
    """Two rows in from the top there is nothing: the bar below stays a bar."""
    image = as_digits(bitmap((range(2), range(20)), (range(6, 32), range(8, 18))))
    for row in image[3:]:
        assert row.tolist() == [0, 0, 0, 128, 255, 255, 0, 0]


def nearest_labels(images: Bytes) -> NDArray[np.int64]:
    """What the bundled digits, as scikit-learn has them, say that images (M, 8, 8) are."""
    digits = load_digits()
    neighbours = KNeighborsClassifier(3).fit(digits.data, digits.target)
    return np.asarray(neighbours.predict(images.reshape(-1, 64) * (16 / 255)))


def read_by(make: Callable[[Bytes], Bytes], images: Bytes, labels: NDArray[np.int64]) -> float:
    """The share of images that the bundled digits read rightly, once they are made like them."""
    return float((nearest_labels(np.stack([make(image) for image in images])) == labels).mean())


def shrunk(image: Bytes) -> Bytes:
    """28 x 28 to 8 x 8 as one would without knowing how the digits came about."""
    blocks = np.pad(image, 2).reshape(8, 4, 8, 4)
    return np.asarray(blocks.mean((1, 3)).round(), np.uint8)


def test_the_bundled_digits_read_mnists(labelled: tuple[Bytes, NDArray[np.int64]]) -> None:
    """Other people's digits, made like the bundled ones, lie among them: 83% are read by their neighbours."""
    assert read_by(as_digits, *labelled) > 0.8
    assert read_by(shrunk, *labelled) < 0.6


def test_made_digits_have_as_much_ink_as_the_bundled_ones(mnist: Bytes) -> None:
    made = np.stack([as_digits(image) for image in mnist])
    assert made.mean() == pytest.approx(load_digits().images.mean() * (255 / 16), rel=0.02)
    # NIST's bounds on a bitmap's ink, 256 to 412 of its 1,024, hold for most, whatever their pen.
    share = made.mean((1, 2)) / 255
    assert np.mean((share > 0.24) & (share < 0.42)) > 0.9
