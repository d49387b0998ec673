"""The cells: what Python sends to the browser, and which of the browser's words reach the page."""

import base64
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import streamlit as st

from pages.components import cells

SHAPE = (2, 3)
N, K = 4, 3
CODE = cells.CodeOnShow(
    probabilities=np.arange(N * K, dtype=np.float32).reshape(N, K) / 66,
    chosen=np.array([2, 0, 1, 2]),
    drawn=np.array([2, 0, 0, 2]),
    decoded=np.arange(6, dtype=np.uint8),
    before=np.arange(6, 12, dtype=np.uint8),
)


class Browser:
    """In the place of the component: keeps what was sent, and says words to the last callback."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def __call__(self, *, key: str, data: dict[str, Any], on_said_change: Any) -> None:
        self.key, self.hear = key, on_said_change
        self.sent.append(data)

    def say(self, said: Any) -> None:
        st.session_state[self.key] = {"said": said}
        self.hear()


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = Browser()
    monkeypatch.setattr(st, "session_state", {})
    monkeypatch.setattr(cells, "_cells", browser)
    return browser


@pytest.fixture
def told() -> list[tuple[int, ...]]:
    """What the page heard: a flip as a pair, a selected latent alone."""
    return []


def draw(
    browser: Browser, told: list[tuple[int, ...]], code: cells.CodeOnShow = CODE, key: str = "cells"
) -> dict[str, Any]:
    cells.cells(
        code,
        SHAPE,
        on_flip=lambda latent, category: told.append((latent, category)),
        on_select=lambda latent: told.append((latent,)),
        key=key,
    )
    return browser.sent[-1]


def flip(count: Any, latent: Any, category: Any) -> dict[str, Any]:
    return {"count": count, "latent": latent, "category": category}


def said(*words: Any, code: cells.CodeOnShow = CODE) -> dict[str, Any]:
    return {"name": code.name, "words": list(words)}


def test_the_code_travels_with_its_pictures(browser: Browser, told: list[tuple[int, ...]]) -> None:
    data = draw(browser, told)
    assert data["probabilities"][1] == [0.045, 0.061, 0.076]
    assert (data["chosen"], data["drawn"], data["selected"]) == ([2, 0, 1, 2], [2, 0, 0, 2], None)
    assert (data["shape"], data["heard"]) == ([2, 3], 0)
    assert list(base64.b64decode(data["decoded"])) == [0, 1, 2, 3, 4, 5]
    assert list(base64.b64decode(data["before"])) == [6, 7, 8, 9, 10, 11]
    assert "original" not in data
    image = np.full(6, 9, np.uint8)
    data = draw(browser, told, replace(CODE, original=image, selected=3))
    assert (list(base64.b64decode(data["original"])), data["selected"]) == ([9] * 6, 3)


def test_a_picture_of_another_size_is_refused(browser: Browser, told: list[tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match=r"Images of 2 by 3 cannot be read off an array \(1, 5\)."):
        draw(browser, told, replace(CODE, before=np.zeros(5, np.uint8)))


def test_a_cell_flips_and_a_label_selects(browser: Browser, told: list[tuple[int, ...]]) -> None:
    draw(browser, told)
    browser.say(said(flip(1, 3, 0)))
    assert draw(browser, told)["heard"] == 1
    browser.say(said(flip(2, 1, None)))
    assert draw(browser, told)["heard"] == 2
    assert told == [(3, 0), (1,)]


def test_every_word_is_heard_once_and_in_its_order(browser: Browser, told: list[tuple[int, ...]]) -> None:
    draw(browser, told)
    browser.say(said(flip(1, 0, 1)))
    # The browser has not heard the answer to its first word, and repeats it.
    browser.say(said(flip(3, 2, 2), flip(1, 0, 1), flip(2, 0, 2), flip(2, 0, 0)))
    assert told == [(0, 1), (0, 2), (2, 2)]
    assert draw(browser, told)["heard"] == 3


def test_two_components_count_apart(browser: Browser, told: list[tuple[int, ...]]) -> None:
    draw(browser, told, key="a")
    browser.say(said(flip(5, 0, 1)))
    assert draw(browser, told, key="b")["heard"] == 0
    assert draw(browser, told, key="a")["heard"] == 5


@pytest.mark.parametrize(
    "other",
    [
        replace(CODE, drawn=np.array([2, 0, 0, 1])),
        replace(CODE, probabilities=CODE.probabilities + np.float32(0.002)),
    ],
)
def test_a_click_on_another_code_is_heard_and_not_taken(
    browser: Browser, told: list[tuple[int, ...]], other: cells.CodeOnShow
) -> None:
    draw(browser, told, other)
    browser.say(said(flip(1, 0, 1), code=CODE))
    assert told == []
    assert draw(browser, told, other)["heard"] == 1


def test_a_flip_leaves_the_code_its_name() -> None:
    flipped = replace(CODE, chosen=np.array([0, 0, 1, 2]), decoded=CODE.before, selected=1)
    # The encoder may round otherwise in another batch: what cannot be read off a cell does not count.
    assert replace(flipped, probabilities=CODE.probabilities + np.float32(1e-7)).name == CODE.name


@pytest.mark.parametrize(
    "word",
    [flip(1, N, 0), flip(1, -1, 0), flip(1, 0, K), flip(1, 0, -1), flip(1, N, None), flip(1, -1, None)],
)
def test_what_is_out_of_range_does_not_reach_the_page(
    browser: Browser, told: list[tuple[int, ...]], word: dict[str, Any]
) -> None:
    draw(browser, told)
    browser.say(said(word))
    assert told == []


@pytest.mark.parametrize(
    "said",
    [
        None, "flip", 7, [], {}, {"words": 3}, said(None), said([1, 0, 1]), said({}), said(flip(None, 0, 1)),
        said(flip("1", 0, 1)), said(flip(1, 0.0, 1)), said(flip(1, 0, 1.0)), said(flip(1, True, 1)),
        said(flip(1, 0, True)), said(flip(True, 0, 1)), said(flip(1, "0", 1)), said(flip(1, 0, [1])),
    ],
)  # fmt: skip
def test_what_is_out_of_form_is_as_good_as_unsaid(
    browser: Browser, told: list[tuple[int, ...]], said: Any
) -> None:
    draw(browser, told)
    browser.say(said)
    assert told == []
    assert draw(browser, told)["heard"] == 0


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"probabilities": np.zeros(3)}, "A code has 1 to 64 latents of 1 to 64 categories, not the shape"),
        ({"probabilities": np.zeros((65, 3))}, r"not the shape \(65, 3\)"),
        ({"probabilities": np.zeros((4, 0))}, r"not the shape \(4, 0\)"),
        ({"probabilities": np.full((N, K), 1.01)}, "Probabilities lie between 0 and 1."),
        ({"probabilities": np.full((N, K), -0.01)}, "Probabilities lie between 0 and 1."),
        ({"probabilities": np.full((N, K), np.nan)}, "Probabilities lie between 0 and 1."),
        ({"chosen": np.array([0, 0, 0, K])}, "Each of 4 latents needs one of 3 categories."),
        ({"drawn": np.array([0, 0, 0, -1])}, "Each of 4 latents needs one of 3 categories."),
        ({"drawn": np.array([0, 0, 0])}, "Each of 4 latents needs one of 3 categories."),
        ({"selected": N}, "The selected latent must be one of the 4."),
        ({"selected": -1}, "The selected latent must be one of the 4."),
    ],
)
def test_what_is_no_code_is_refused_in_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(CODE, **changes)


def test_a_sure_category_may_be_a_hair_above_one() -> None:
    sure = np.full((N, K), np.float32(1.0000001))
    assert replace(CODE, probabilities=sure).probabilities.max() > 1
