"""Inside a code: its images, its numbers against `torch.distributions`, the snippet's picture bit by bit."""

import hashlib
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from streamlit.testing.v1 import AppTest
from torch.distributions import Categorical, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from gumbel_core.datasets import DIGITS_TRAIN, enlarged, load, unit
from gumbel_core.strokes import FORMATS, as_digits, as_mnist
from gumbel_core.vae.views import as_bytes
from pages.components.codes_choice import other_format
from pages.components.live_runs import images_of
from tests.app.codes import (
    DIGITS,
    FOLDER,
    INK,
    MNIST,
    Shown,
    folders,
    images,
    model_of,
    needs_mnist,
    open_codes,
    press,
    quiet,
    same,
    snippets,
    titles,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("shown")

Printed = Callable[[str], str]
NUMBER = re.compile(r"-?\d+\.\d+")


@pytest.fixture
def labels() -> list[int]:
    """The classes of the digits' test images."""
    return [int(label) for label in load_digits().target[DIGITS_TRAIN:]]


def numbers(at: AppTest) -> list[float]:
    """Of the equation: reconstruction, KL, total."""
    (equation,) = [element.value for element in at.latex if "underbrace" in element.value]
    return [float(number) for number in NUMBER.findall(equation)]


# The image.


@pytest.mark.parametrize("title", [DIGITS, MNIST])
def test_a_class_goes_to_its_next_image_and_around(shown: Shown, labels: list[int], title: str) -> None:
    places = [place for place, label in enumerate(labels) if label == 4]
    for now, wanted in (
        (0, places[0]), (places[0], places[1]), (places[2] - 1, places[2]), (places[-2], places[-1]),
        (places[-1], places[0]), (len(labels) - 1, places[0]),
    ):  # fmt: skip
        at = open_codes(code_model=title, code_image=str(now))
        at.pills(key="code_class").set_value("4").run()
        assert quiet(at)
        assert at.number_input(key="code_image").value == wanted
        assert at.pills(key="code_class").value is None
        assert same(shown.code.original, as_bytes(images(title, False)[wanted]))


def test_each_class_reaches_an_image_of_its_own(labels: list[int]) -> None:
    at = open_codes(code_model=DIGITS)
    for label in map(str, range(10)):
        at.pills(key="code_class").set_value(label).run()
        assert labels[at.session_state.code_image] == int(label)


@needs_mnist
def test_a_smaller_set_has_its_last_image_in_place_of_one_beyond(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(FOLDER))
    at = open_codes(code_image="5000", code_target="7000")
    assert same(shown.code.original, as_bytes(images(MNIST, True)[5000]))
    at.selectbox(key="code_model").set_value(DIGITS).run()
    assert quiet(at)
    assert at.number_input(key="code_image").value == 296
    assert same(shown.code.original, as_bytes(images(DIGITS, True)[296]))
    assert at.session_state.code_target <= 296


def test_a_drawing_is_read_until_it_is_wiped_or_another_image_is_picked(shown: Shown) -> None:
    at = open_codes(code_model=DIGITS, code_image="3")
    test_image = shown.code.original
    press(at, "draw")
    assert quiet(at)
    assert same(shown.code.original, as_digits(INK).flatten())
    # There is no test image that a snippet could name.
    assert snippets(at) == []
    press(at, "wipe")
    assert same(shown.code.original, test_image)
    press(at, "draw")
    at.selectbox(key="code_model").set_value(MNIST).run()
    assert quiet(at)
    assert same(shown.code.original, as_bytes(images(MNIST, False)[3]))


def test_the_other_format_is_that_of_a_drawing() -> None:
    for shape, to in {(28, 28): as_digits, (8, 8): as_mnist}.items():
        own = FORMATS[shape](INK)
        other = other_format(unit(torch.from_numpy(own).flatten()), shape)
        assert same(other, unit(torch.from_numpy(to(own)).flatten()))
        assert float(other.max()) > 0.5


def test_images_stand_in_until_there_are_some(labels: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    there = images_of("mnist", "grey")
    assert there.stand_in
    assert there.shape == (28, 28)
    assert same(there.pixels, unit(enlarged(load("digits").test)))
    assert there.labels.tolist() == labels
    own = images_of("digits", "grey")
    assert not own.stand_in
    assert same(own.pixels, unit(load("digits").test))
    assert own.labels.tolist() == labels


@needs_mnist
def test_images_that_have_come_since_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    assert images_of("mnist", "grey").stand_in
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(FOLDER))
    there = images_of("mnist", "grey")
    assert not there.stand_in
    assert same(there.pixels, unit(load("mnist").test))
    # The first test images of MNIST, as everybody knows them.
    assert there.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


# The numbers, and the code.


@folders
@titles
@pytest.mark.parametrize("edits", ["", "3:5, 7:1, 1:8"])
def test_the_equation_is_that_of_torch_distributions(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, title: str, mnist: bool, edits: str
) -> None:
    if mnist:
        monkeypatch.setenv("GUMBEL_DATA_DIR", str(FOLDER))
    at = open_codes(code_model=title, code_image="5", code_edits=edits)
    assert quiet(at)
    model, image = model_of(title), images(title, mnist)[5:6]
    code = torch.from_numpy(shown.code.chosen)
    with torch.no_grad():
        logits = model.encode(image)[0].double()
        hot = one_hot(code, logits.shape[-1]).float()
        pixels = model.decode(hot[None])[0].double()
    reconstruction = binary_cross_entropy_with_logits(pixels, image[0].double(), reduction="sum").item()
    q, p = Categorical(logits=logits), Categorical(logits=torch.zeros_like(logits))
    kl = kl_divergence(q, p).sum().item()
    # Two decimals are shown, of a loss in which single precision has its share.
    assert numbers(at) == pytest.approx([reconstruction, kl, reconstruction + kl], abs=0.006)
    (caption,) = [element.value for element in at.caption if "this very code" in element.value]
    rarity = [-q.log_prob(code).sum().item(), -p.log_prob(code).sum().item()]
    assert [float(number) for number in NUMBER.findall(caption)] == pytest.approx(rarity, abs=0.051)


@folders
@titles
@pytest.mark.parametrize(
    "link",
    [
        {},
        {"code_image": "11", "code_seed": "4", "code_edits": "3:5, 7:1, 3:6"},
        {"code_image": "296", "code_kind": "the most probable", "code_edits": "16:8"},
    ],
)
def test_the_snippet_prints_the_pages_own_picture(
    shown: Shown,
    printed: Printed,
    monkeypatch: pytest.MonkeyPatch,
    title: str,
    mnist: bool,
    link: dict[str, str],
) -> None:
    if mnist:
        monkeypatch.setenv("GUMBEL_DATA_DIR", str(FOLDER))
    at = open_codes(code_model=title, **link)
    assert quiet(at)
    (code,) = snippets(at)
    loss, sha256 = printed(code).splitlines()
    assert sha256 == hashlib.sha256(np.asarray(shown.code.decoded).tobytes()).hexdigest()
    assert [float(number) for number in NUMBER.findall(loss)] == pytest.approx(numbers(at)[:1], abs=0.0051)
