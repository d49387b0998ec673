"""Data sets: the images are the ones that were meant, and what is missing or broken is said in a sentence."""

import gzip
import hashlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torchvision import datasets as theirs

from gumbel_core import datasets
from gumbel_core.datasets import (
    CLASSES,
    DATASETS,
    DIGITS_TRAIN,
    PIXELS,
    DataError,
    Dataset,
    binarised,
    data_dir,
    enlarged,
    load,
    test_images,
    test_labels,
    unit,
    with_pixels,
)

test_images.__test__ = False  # type: ignore[attr-defined]  # it is no test
test_labels.__test__ = False  # type: ignore[attr-defined]
ROOT = Path(__file__).parents[2]
TORCHVISION = {name: source for name, source in DATASETS.items() if name != "digits"}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


# The digits.


def test_the_digits_are_scikit_learns(digits: Dataset) -> None:
    images = load_digits().images  # (1797, 8, 8), 0 to 16
    ours = torch.cat([digits.train, digits.test]).view(-1, *digits.shape).numpy()
    assert ours.shape == images.shape
    # 17 levels of grey over 256 bytes: each level has its own, to the nearest whole.
    assert np.array_equal(np.round(ours * (16 / 255)), images)
    assert np.abs(ours - images * (255 / 16)).max() <= 0.5


def test_the_digits_are_bytes_and_split(digits: Dataset) -> None:
    assert (digits.name, digits.shape) == ("digits", (8, 8))
    assert digits.train.shape == (DIGITS_TRAIN, 64)
    assert digits.test.shape == (297, 64)
    assert digits.train.dtype == digits.test.dtype == torch.uint8
    assert (int(digits.train.min()), int(digits.train.max())) == (0, 255)
    assert DATASETS["digits"].shape == digits.shape


def test_enlarged_digits_lie_as_mnists_do(digits: Dataset) -> None:
    large = enlarged(digits.test).view(-1, 28, 28)
    assert (large.dtype, len(large)) == (torch.uint8, len(digits.test))
    # MNIST's own digits fill 20 x 20 pixels, with 4 empty ones on each side.
    frame = torch.ones(28, 28, dtype=torch.bool)
    frame[4:24, 4:24] = False
    assert not large[:, frame].any()
    # Every pixel of the small picture has as much of the large one: the mean grey stays.
    inside = large[:, 4:24, 4:24].double().mean((1, 2))
    assert inside.numpy() == pytest.approx(digits.test.double().mean(1).numpy(), abs=4)
    # And nothing is turned or mirrored: shrunk again, it is the digit.
    shrunk = torch.nn.functional.interpolate(large[:, None, 4:24, 4:24].double(), (8, 8), mode="area")
    for small, again in zip(digits.test.double(), shrunk.flatten(1), strict=True):
        assert np.corrcoef(small, again)[0, 1] > 0.9


def test_a_flat_picture_stays_flat_when_it_is_enlarged() -> None:
    flat = torch.full((2, 64), 200, dtype=torch.uint8)
    assert enlarged(flat).view(2, 28, 28)[:, 4:24, 4:24].unique().tolist() == [200]


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_source_says_how_many_images_train(name: str, digits: Dataset) -> None:
    assert (DATASETS[name].train, DATASETS[name].shape) == (60_000, (28, 28))
    assert DATASETS["digits"].train == len(digits.train)


def test_every_name_has_a_source_and_no_other_is_a_data_set() -> None:
    assert list(DATASETS) == ["digits", "mnist", "fashion_mnist", "kmnist"]
    for name in ("Digits", "", "imagenet"):
        with pytest.raises(ValueError, match="There is no data set"):
            load(name)


def test_the_hash_is_of_every_pixel(digits: Dataset) -> None:
    content = digits.train.numpy().tobytes() + digits.test.numpy().tobytes()
    assert digits.sha256 == hashlib.sha256(content).hexdigest() == load("digits").sha256
    # Pinned: a card written yesterday knows its digits tomorrow.
    assert digits.sha256 == "b41ca9fd335466eee997366c2e6f6bbe0a1b4582afe091fc4eba35f4a254182f"
    for part in ("train", "test"):
        images = getattr(digits, part).clone()
        images[-1, -1] ^= 1
        assert replace(digits, **{part: images}).sha256 != digits.sha256


# The pixels.


def test_grey_and_dynamic_pixels_are_left_grey(digits: Dataset) -> None:
    assert with_pixels(digits, "grey") is digits
    assert with_pixels(digits, "dynamic") is digits
    assert torch.equal(test_images(digits, "grey"), digits.test.float() / 255)


def test_fixed_pixels_are_bits_drawn_once(digits: Dataset) -> None:
    first, second = with_pixels(digits, "fixed"), with_pixels(digits, "fixed")
    assert torch.equal(first.train, second.train)
    assert torch.equal(first.test, second.test)
    assert set(torch.cat([first.train, first.test]).unique().tolist()) == {0, 255}
    assert first.train.dtype == torch.uint8
    assert first.sha256 != digits.sha256
    # Black stays black and white stays white.
    assert not first.train[digits.train == 0].any()
    assert (first.train[digits.train == 255] == 255).all()


@pytest.mark.parametrize("level", [4, 8, 12])
def test_a_bit_is_white_as_often_as_its_pixel_is_bright(level: int, digits: Dataset) -> None:
    grey = round(level * 255 / 16)
    there = digits.train == grey
    share, count = (with_pixels(digits, "fixed").train[there] == 255).double().mean(), int(there.sum())
    p = grey / 255
    # The seed is fixed; over seeds, 4 standard errors are passed once in 16,000.
    assert abs(share - p) < 4 * (p * (1 - p) / count) ** 0.5
    assert count > 2_000


def test_fixed_bits_are_unlike_for_train_and_test() -> None:
    grey = torch.full((50, 64), 128, dtype=torch.uint8)
    bits = with_pixels(Dataset("digits", (8, 8), grey, grey), "fixed")
    assert not torch.equal(bits.train, bits.test)


def test_dynamic_test_bits_are_the_same_in_each_evaluation(digits: Dataset) -> None:
    first = test_images(digits, "dynamic")
    assert torch.equal(first, test_images(digits, "dynamic"))
    assert set(first.unique().tolist()) == {0.0, 1.0}
    assert first.shape == digits.test.shape


@pytest.mark.parametrize("pixels", PIXELS)
def test_what_a_loss_scores_lies_between_0_and_1(pixels: str, digits: Dataset) -> None:
    before = torch.get_rng_state()
    images = test_images(digits, pixels)
    assert images.dtype == torch.float32
    assert images.min() >= 0
    assert images.max() == 1
    assert torch.equal(torch.get_rng_state(), before)


def test_bits_follow_the_generator() -> None:
    grey = torch.full((1_000,), 0.5)
    first, second, third = (
        binarised(grey, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_bytes_as_numbers() -> None:
    assert unit(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])


@pytest.mark.parametrize("pixels", ["", "Grey", "binary"])
def test_other_pixels_are_refused(pixels: str, digits: Dataset) -> None:
    with pytest.raises(ValueError, match="they are grey, dynamic, fixed"):
        with_pixels(digits, pixels)


# The real MNIST, where the folder has it.


@pytest.fixture
def mnist(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    for folder in (data_dir(), ROOT.parent / "shared/data"):
        if (folder / "MNIST").is_dir():
            monkeypatch.setenv("GUMBEL_DATA_DIR", str(folder))
            return load("mnist")
    pytest.skip("MNIST is in no folder here: GUMBEL_DATA_DIR may name one")


def test_mnist_is_its_raw_files(mnist: Dataset) -> None:
    assert mnist.train.shape == (60_000, 784)
    assert mnist.test.shape == (10_000, 784)
    assert mnist.train.dtype == mnist.test.dtype == torch.uint8
    for images, name in ((mnist.train, "train"), (mnist.test, "t10k")):
        raw = (data_dir() / f"MNIST/raw/{name}-images-idx3-ubyte").read_bytes()
        assert images[0].numpy().tobytes() == raw[16 : 16 + 784]
        assert images[-1].numpy().tobytes() == raw[-784:]
    # The mean that every tutorial normalises with.
    assert round(float(mnist.train.double().mean()) / 255, 4) == 0.1307


# Files that are missing or broken.


def idx(numbers: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """Bytes as MNIST's files hold them: http://yann.lecun.com/exdb/mnist, "the IDX file format"."""
    head = [0x0800 + numbers.ndim, *numbers.shape]
    return b"".join(number.to_bytes(4, "big") for number in head) + numbers.tobytes()


@cache
def files() -> Mapping[str, bytes]:
    """A data set as large as MNIST, all black but for one pixel of train's first image."""
    parts = {}
    for name, count in (("train", 60_000), ("t10k", 10_000)):
        images = np.zeros((count, 28, 28), np.uint8)
        images[0, 0, 0] = count // 1_000
        parts[f"{name}-images-idx3-ubyte"] = idx(images)
        parts[f"{name}-labels-idx1-ubyte"] = idx(np.zeros(count, np.uint8))
    return parts


@cache
def zipped() -> Mapping[str, bytes]:
    return {f"{name}.gz": gzip.compress(content, 1) for name, content in files().items()}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def raw(folder: Path) -> Path:
    """The folder of a sound data set's raw files."""
    path = folder / "KMNIST/raw"
    path.mkdir(parents=True)
    for name, content in files().items():
        (path / name).write_bytes(content)
    return path


def refusal(name: str, *, download: bool = False) -> str:
    """The sentence with which a data set is refused: one line."""
    with pytest.raises(DataError) as refused:
        load(name, download=download)
    assert len(str(refused.value).splitlines()) == 1
    assert str(refused.value).endswith(".")
    return str(refused.value)


@pytest.mark.parametrize("name", TORCHVISION)
def test_a_missing_data_set_is_named_with_what_to_do(name: str, folder: Path) -> None:
    said = refusal(name)
    assert name in said
    assert str(folder) in said
    for way in ("download", "GUMBEL_DATA_DIR", "digits"):
        assert way in said
    assert not folder.exists()


def test_the_folder_is_data_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUMBEL_DATA_DIR", raising=False)
    assert data_dir() == Path("data")


def test_a_sound_folder_is_read(raw: Path) -> None:
    kmnist = load("kmnist")
    assert (kmnist.train.shape, kmnist.test.shape) == ((60_000, 784), (10_000, 784))
    assert [int(kmnist.train[0, 0]), int(kmnist.test[0, 0]), int(kmnist.train.sum())] == [60, 10, 60]


@pytest.mark.parametrize("name", files())
@pytest.mark.parametrize("broken", ["cut", "empty", "missing", "header", "few", "folder"])
def test_broken_files_are_one_sentence(name: str, broken: str, raw: Path) -> None:
    path = raw / name
    sound = path.read_bytes()
    path.unlink()
    if broken == "folder":
        path.mkdir()
    elif broken != "missing":
        shape = (1, 28, 28) if "images" in name else (1,)
        content = {
            "cut": sound[: len(sound) // 2],
            "empty": b"",
            "header": b"\xff" * 16 + sound[16:],
            "few": idx(np.zeros(shape, np.uint8)),
        }[broken]
        path.write_bytes(content)
    if (broken, "labels" in name) == ("few", True):
        load("kmnist")  # labels are not looked at
        return
    said = refusal("kmnist")
    assert "The files of kmnist cannot be read" in said
    assert str(raw.parent) in said
    assert "download it again" in said


# The download.


class Mirror(http.server.BaseHTTPRequestHandler):
    """Serves `zipped()`, with `damage` done to the last file that is asked for."""

    damage = ""

    def do_GET(self) -> None:
        content = zipped()[self.path.strip("/")]
        broken = self.path.endswith("t10k-labels-idx1-ubyte.gz") and self.damage
        if broken == "empty":
            content = b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if broken == "corrupt":
            content = content[:-9] + b"x" + content[-8:]
        elif broken == "dropped":
            content = content[: len(content) // 2]
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def mirror(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Mirror]]:
    """A server on this machine in the place of KMNIST's."""
    handler = type("Handler", (Mirror,), {})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    resources = [(name, hashlib.md5(content).hexdigest()) for name, content in zipped().items()]
    monkeypatch.setattr(theirs.KMNIST, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(theirs.KMNIST, "resources", resources)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_download_is_asked_for_and_then_kept(folder: Path, mirror: type[Mirror]) -> None:
    assert "ask for its download" in refusal("kmnist")
    downloaded = load("kmnist", download=True)
    assert [path.name for path in folder.iterdir()] == ["KMNIST"]
    mirror.damage = "empty"
    again = load("kmnist", download=True)
    assert downloaded.sha256 == again.sha256 == load("kmnist").sha256
    assert int(again.train.sum()) == 60


@pytest.mark.parametrize("damage", ["corrupt", "dropped", "empty"])
def test_a_broken_download_leaves_nothing(damage: str, folder: Path, mirror: type[Mirror]) -> None:
    mirror.damage = damage
    said = refusal("kmnist", download=True)
    assert "kmnist could not be downloaded" in said
    assert "t10k-labels" in said
    assert "nothing was left behind" in said
    assert list(folder.iterdir()) == []
    # And the next try begins anew.
    mirror.damage = ""
    assert len(load("kmnist", download=True).train) == 60_000


def test_an_interrupted_download_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def __init__(self, root: str, *, download: bool) -> None:
            (Path(root) / "KMNIST").mkdir()
            raise KeyboardInterrupt

    monkeypatch.setattr(theirs, "KMNIST", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        load("kmnist", download=True)
    assert list(folder.iterdir()) == []


def test_the_second_of_two_downloads_at_once_takes_the_firsts(
    folder: Path, mirror: type[Mirror], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both have found no folder, and the other one is done while ours is under way.
    download = datasets._download

    def both(name: str, place: str) -> None:
        download(name, place)
        download(name, place)

    monkeypatch.setattr(datasets, "_download", both)
    assert len(load("kmnist", download=True).train) == 60_000
    assert [path.name for path in folder.iterdir()] == ["KMNIST"]


def test_a_file_in_the_place_of_the_folder_is_said(folder: Path, mirror: type[Mirror]) -> None:
    folder.mkdir()
    (folder / "KMNIST").write_text("")
    assert "could not be downloaded" in refusal("kmnist", download=True)
    assert [path.name for path in folder.iterdir()] == ["KMNIST"]


# Without torchvision.

BLOCKED = """
import sys, types
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torchvision":
            raise {error}
sys.meta_path.insert(0, Blocked())
from gumbel_core.datasets import DataError, load
print(load("digits").train.shape[0])
for download in (False, True):
    try:
        load("mnist", download=download)
    except DataError as error:
        print(error)
"""


@pytest.mark.parametrize(
    "error",
    [
        "ImportError('no such file')",
        "RuntimeError('operator torchvision::nms does not exist')",
        "OSError('undefined symbol')",
        "AttributeError('partially initialized module')",
    ],
)
def test_a_torchvision_that_does_not_load_is_said(
    error: str, raw: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (raw.parent).rename(raw.parent.with_name("MNIST"))
    # In this process: torchvision and its parts are forgotten for the time of the test.
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    exec(compile(BLOCKED.format(error=error), "blocked", "exec"), {"__name__": "__main__"})
    count, sentence = capsys.readouterr().out.splitlines()[:2]
    assert count == "1500"
    assert "torchvision does not load beside this torch" in sentence
    assert "digits" in sentence


def test_the_digits_need_no_torchvision_in_a_fresh_process(folder: Path) -> None:
    code = BLOCKED.format(error="ImportError")
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    count, missing, unloaded = run.stdout.splitlines()
    assert count == "1500"
    assert "ask for its download" in missing
    assert "torchvision does not load beside this torch" in unloaded
    assert not folder.exists()


# The test images' classes.


def test_labels_are_those_of_the_test_images(digits: Dataset) -> None:
    labels, theirs = test_labels("digits"), load_digits()
    assert (labels.dtype, labels.shape) == (torch.int64, (len(digits.test),))
    for image, label in zip(digits.test, labels, strict=True):
        rows = (np.round(theirs.data * (255 / 16)) == image.numpy()).all(1)
        assert set(theirs.target[rows]) == {int(label)}
    assert labels.unique().tolist() == list(range(CLASSES))


def test_mnists_labels_are_its_raw_file(mnist: Dataset) -> None:
    labels = test_labels("mnist")
    assert (labels.dtype, labels.shape) == (torch.int64, (len(mnist.test),))
    raw = (data_dir() / "MNIST/raw/t10k-labels-idx1-ubyte").read_bytes()
    assert bytes(labels.tolist()) == raw[8:]


def test_labels_of_no_data_set_are_refused() -> None:
    with pytest.raises(ValueError, match="There is no data set 'imagenet'"):
        test_labels("imagenet")


@pytest.mark.parametrize("name", TORCHVISION)
def test_labels_are_not_downloaded(name: str, folder: Path) -> None:
    with pytest.raises(DataError, match=f"The data set {name} is not in the folder"):
        test_labels(name)
    assert not folder.exists()


def test_labels_of_a_sound_folder(raw: Path) -> None:
    assert test_labels("kmnist").tolist() == [0] * 10_000


@pytest.mark.parametrize("broken", ["cut", "few", "eleven"])
def test_broken_labels_are_one_sentence(broken: str, raw: Path) -> None:
    path = raw / "t10k-labels-idx1-ubyte"
    sound = path.read_bytes()
    content = {"cut": sound[:90], "few": idx(np.zeros(1, np.uint8)), "eleven": sound[:-1] + bytes([10])}
    path.write_bytes(content[broken])
    with pytest.raises(DataError, match="The files of kmnist cannot be read") as refused:
        test_labels("kmnist")
    assert len(str(refused.value).splitlines()) == 1
