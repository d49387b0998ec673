"""Image data sets by name, held in memory as bytes: `DATASETS`.

`digits` comes with scikit-learn and works offline. The others are read through torchvision from the folder
that the environment variable GUMBEL_DATA_DIR names (default `data/`), and are downloaded only when asked for.

What the pixels are is an option by name, `PIXELS`, for it changes what a loss scores: grey values as they
are, bits drawn anew at each visit, or bits drawn once. Losses of different pixels never compare.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch
from torch import Tensor

from gumbel_core.checks import check_name

PIXELS = ("grey", "dynamic", "fixed")
# The draw that makes the fixed bits is part of the data, so every run sees the same.
FIXED_SEED = 0
# The digits come without a split: the last ones are the test set.
DIGITS_TRAIN = 1_500
MNIST_TRAIN, MNIST_TEST = 60_000, 10_000
# Every set here has as many: ten digits, ten garments, ten characters.
CLASSES = 10
# Characters of a library's reason that are told on.
TOLD = 120


class DataError(RuntimeError):
    """A data set that cannot be had: one plain sentence, with what to do."""


@dataclass(frozen=True)
class Dataset:
    """Images of `shape` = (height, width), flattened: uint8, (N, D)."""

    name: str
    shape: tuple[int, int]
    train: Tensor
    test: Tensor

    @cached_property
    def sha256(self) -> str:
        """Of all bytes, train before test: says on a checkpoint's card which images it saw."""
        digest = hashlib.sha256(self.train.numpy().tobytes())
        digest.update(self.test.numpy().tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Source:
    """Where a data set comes from: its images' shape, how many train, and ways to read it."""

    shape: tuple[int, int]
    train: int
    read: Callable[[str, bool], tuple[Tensor, Tensor]]  # (name, download) -> uint8, each (N, D): train, test
    labels: Callable[[str], Tensor]  # name -> int64, (N,): of the test images


def data_dir() -> Path:
    return Path(os.environ.get("GUMBEL_DATA_DIR", "data"))


def load(name: str, *, download: bool = False) -> Dataset:
    """The data set of that name. Raises ValueError for an unknown name, DataError if it cannot be had."""
    source = _of_name(name)
    return Dataset(name, source.shape, *source.read(name, download))


def test_labels(name: str) -> Tensor:
    """The classes (N,) int64, 0 to 9, of the test images in their order. Nothing is downloaded.

    Raises as `load` does. Of enlarged digits the classes are those of the digits.
    """
    return _of_name(name).labels(name)


def _of_name(name: str) -> Source:
    check_name("data set", name, DATASETS)
    return DATASETS[name]


def with_pixels(dataset: Dataset, pixels: str) -> Dataset:
    """The data set with its bits drawn, if they are fixed; grey and dynamic ones keep their grey values.

    Bits stay what they are, so it may be done twice.
    """
    if pixels not in PIXELS:
        raise ValueError(f"There are no {pixels!r} pixels: they are {', '.join(PIXELS)}.")
    if pixels != "fixed":
        return dataset
    generator = torch.Generator().manual_seed(FIXED_SEED)
    train, test = (
        binarised(unit(images), generator=generator).to(torch.uint8) * 255
        for images in (dataset.train, dataset.test)
    )
    return replace(dataset, train=train, test=test)


def unit(images: Tensor) -> Tensor:
    """Bytes as single-precision numbers in [0, 1]."""
    return images.float().div_(255)


def test_images(dataset: Dataset, pixels: str) -> Tensor:
    """What a loss on the test set scores, (N, D) in [0, 1]. Dynamic bits are drawn once, so that two
    evaluations score the same."""
    images = unit(with_pixels(dataset, pixels).test)
    generator = torch.Generator().manual_seed(FIXED_SEED)
    return binarised(images, generator=generator) if pixels == "dynamic" else images


def binarised(images: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Bits, 1 with the grey value as probability: the shape of `images`, which lie in [0, 1]."""
    return torch.bernoulli(images, generator=generator)


def enlarged(digits: Tensor) -> Tensor:
    """The bundled digits (N, 64) as MNIST lays its own out: 20 x 20 in the middle of 28 x 28, (N, 784).

    Stand-ins where MNIST's images are not on the disk: blurred ones, of another pen.
    """
    squares = digits.view(-1, 1, 8, 8).float()
    large = torch.nn.functional.interpolate(squares, (20, 20), mode="bilinear", align_corners=False)
    return torch.nn.functional.pad(large, (4, 4, 4, 4)).round().to(torch.uint8).flatten(1)


def _digits(name: str, download: bool) -> tuple[Tensor, Tensor]:
    """1,797 real digits of 8 x 8 pixels, 17 levels of grey."""
    from sklearn.datasets import load_digits  # a second's import, for those who need it

    images = torch.from_numpy(np.round(load_digits().data * (255 / 16)).astype(np.uint8))
    return images[:DIGITS_TRAIN], images[DIGITS_TRAIN:]


def _digits_labels(name: str) -> Tensor:
    from sklearn.datasets import load_digits

    return torch.from_numpy(load_digits().target[DIGITS_TRAIN:].astype(np.int64))


def _torchvision(folder: str) -> Source:
    """A data set in MNIST's format: 60,000 and 10,000 images of 28 x 28."""

    def read(name: str, download: bool) -> tuple[Tensor, Tensor]:
        if download and not (data_dir() / folder).is_dir():
            _download(name, folder)
        with _reading(name, folder):
            return _images(folder, train=True), _images(folder, train=False)

    def labels(name: str) -> Tensor:
        with _reading(name, folder):
            return _labels(folder)

    return Source((28, 28), MNIST_TRAIN, read, labels)


@contextmanager
def _reading(name: str, folder: str) -> Iterator[None]:
    """A DataError for a folder that is missing, and for whatever goes wrong with its files."""
    if not (data_dir() / folder).is_dir():
        raise DataError(
            f"The data set {name} is not in the folder {data_dir()}: ask for its download, name its "
            "folder in GUMBEL_DATA_DIR, or take digits, which needs none."
        )
    try:
        yield
    # A broken file ends in whatever the parser stumbles over.
    except Exception as error:
        raise DataError(
            f"The files of {name} cannot be read ({_in_one_line(error)}): delete the folder "
            f"{data_dir() / folder} and download it again."
        ) from error


def _images(folder: str, train: bool) -> Tensor:
    count = MNIST_TRAIN if train else MNIST_TEST
    images: Tensor = _source(folder)(str(data_dir()), train=train).data
    if images.shape != (count, 28, 28) or images.dtype != torch.uint8:
        raise ValueError(f"{count:,} images of 28 x 28 were expected, not {tuple(images.shape)}")
    return images.flatten(1)


def _labels(folder: str) -> Tensor:
    labels: Tensor = _source(folder)(str(data_dir()), train=False).targets
    if labels.shape != (MNIST_TEST,) or not 0 <= labels.min() <= labels.max() < CLASSES:
        raise ValueError(f"{MNIST_TEST:,} classes of {CLASSES} were expected, not {tuple(labels.shape)}")
    return labels.long()


def _download(name: str, folder: str) -> None:
    """Fetch into a folder beside, checked by torchvision, and move it in place when it is whole."""
    source, root = _source(folder), data_dir()
    beside = None
    # No network, no room on the disk, no right to write on it.
    try:
        root.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".download-", dir=root))
        source(str(beside), download=True)
        _move(beside / folder, root / folder)
    except Exception as error:
        reason = shorten(_in_one_line(error), TOLD)
        raise DataError(
            f"{name} could not be downloaded ({reason}): nothing was left behind. Try again, or take digits, "
            "which needs no download."
        ) from error
    finally:
        if beside:
            shutil.rmtree(beside, ignore_errors=True)


def _move(whole: Path, place: Path) -> None:
    """Into its place, unless another process was quicker with the same."""
    try:
        whole.replace(place)
    except OSError:
        if not place.is_dir():
            raise


def _source(folder: str) -> type:
    """torchvision's class of that name. It does not load beside a torch that it was not built for."""
    try:
        from torchvision import datasets
    # It fails as its compiled part does: with an ImportError, an OSError, a RuntimeError, an AttributeError.
    except Exception as error:
        raise DataError(
            "torchvision does not load beside this torch: install the pair that requirements.txt names, or "
            "take digits, which does without."
        ) from error
    source: type = getattr(datasets, folder)
    return source


def _in_one_line(error: Exception) -> str:
    """Its message or, where it has none, its name."""
    return " ".join(str(error).split()) or type(error).__name__


DATASETS: Mapping[str, Source] = {
    "digits": Source((8, 8), DIGITS_TRAIN, _digits, _digits_labels),
    "mnist": _torchvision("MNIST"),
    "fashion_mnist": _torchvision("FashionMNIST"),
    "kmnist": _torchvision("KMNIST"),
}
