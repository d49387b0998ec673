"""The reel, the sheet and the owner: what Python sends to the browser, and what it takes from it."""

import base64
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
import streamlit as st

from gumbel_core.vae.views import Frame
from pages.components import owner, reel, sheet

SHAPE = (2, 3)
PICTURES = np.arange(3 * 48, dtype=np.uint8).reshape(3, 8, 6)


def frame(step: int) -> Frame:
    """A frame with the four fields that the reel reads."""
    others = {field.name: None for field in fields(Frame)}
    pictures = dict(zip(("originals", "soft", "hard"), PICTURES + np.uint8(step), strict=True))
    return Frame(**others | pictures | {"step": step})


class Browser:
    """In the place of a component: keeps what was sent, and answers with a word."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.word: Any = None

    def __call__(self, *, key: str, data: dict[str, Any], **callbacks: Any) -> dict[str, Any]:
        self.key, self.callbacks = key, callbacks
        self.sent.append(data)
        return {"token": self.word}

    def say(self, word: str, **said: Any) -> None:
        st.session_state[self.key] = {word: said}
        self.callbacks[f"on_{word}_change"]()


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    state: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", state)
    return state


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch, session: dict[str, Any]) -> Browser:
    browser = Browser()
    for module in (reel, sheet, owner):
        monkeypatch.setattr(module, f"_{module.__name__.rpartition('.')[2]}", browser)
    return browser


def draw(
    browser: Browser, steps: Iterable[int], *, run: str = "a", moment: int | None = None
) -> dict[str, Any]:
    reel.reel(run, [frame(step) for step in steps], SHAPE, moment=moment)
    return browser.sent[-1]


def decoded(text: str) -> list[int]:
    return list(base64.b64decode(text))


def test_a_frame_travels_once(browser: Browser) -> None:
    first = draw(browser, [1, 2])
    assert list(first["frames"]) == ["1", "2"]
    assert decoded(first["originals"]) == frame(1).originals.ravel().tolist()
    assert decoded(first["frames"]["2"]["soft"]) == frame(2).soft.ravel().tolist()
    assert decoded(first["frames"]["2"]["hard"]) == frame(2).hard.ravel().tolist()
    second = draw(browser, [2, 3], moment=2)
    assert (second["steps"], list(second["frames"]), second["moment"]) == ([2, 3], ["3"], 2)
    assert "originals" not in second
    assert draw(browser, [2, 3])["frames"] == {}


def test_all_frames_travel_again_where_the_browser_may_have_lost_them(browser: Browser) -> None:
    draw(browser, [1, 2])
    reel.send_reel()
    assert list(draw(browser, [1, 2])["frames"]) == ["1", "2"]
    browser.say("missing", run="a", count=1)
    again = draw(browser, [1, 2])
    assert list(again["frames"]) == ["1", "2"]
    assert "originals" in again
    # Another run has other pictures behind the same steps.
    other = draw(browser, [1, 2], run="b")
    assert list(other["frames"]) == ["1", "2"]
    assert "originals" in other


def test_one_frame_that_was_sent_brought_the_originals(browser: Browser) -> None:
    assert "originals" in draw(browser, [1])
    assert "originals" not in draw(browser, [1, 2])


def test_two_frames_of_one_step_are_one(browser: Browser) -> None:
    assert draw(browser, [1, 2, 2])["steps"] == [1, 2]


def test_without_a_frame_nothing_is_drawn(browser: Browser) -> None:
    reel.reel("a", [], SHAPE, moment=None)
    assert browser.sent == []


def test_where_the_thumb_is_let_go_is_the_moment(browser: Browser, session: dict[str, Any]) -> None:
    draw(browser, [1, 2])
    browser.say("moment", run="a", step=1, count=1)
    assert session["_moment"] == 1
    assert draw(browser, [1, 2])["heard"] == 1
    browser.say("moment", run="a", step=None, count=2)
    assert session["_moment"] is None
    # The frames that the browser has are not sent again for that.
    assert draw(browser, [1, 2])["frames"] == {}


def test_the_moment_of_a_run_that_has_gone_is_heard_and_not_taken(
    browser: Browser, session: dict[str, Any]
) -> None:
    draw(browser, [1, 2])
    draw(browser, [1], run="b")
    session["_moment"] = None
    browser.say("moment", run="a", step=1, count=1)
    assert session["_moment"] is None
    assert draw(browser, [1], run="b")["heard"] == 1


def test_words_are_counted_in_whichever_order_they_are_heard(browser: Browser) -> None:
    draw(browser, [1, 2])
    browser.say("missing", run="a", count=2)
    browser.say("moment", run="a", step=1, count=1)
    assert draw(browser, [1, 2])["heard"] == 2


@pytest.mark.parametrize(("moment", "step"), [(None, 9), (5, 5), (7, 5), (9, 9), (20, 9), (1, 3)])
def test_a_moment_that_lost_its_frame_shows_the_one_before(moment: int | None, step: int) -> None:
    assert reel.frame_at([frame(3), frame(5), frame(9)], moment).step == step


def test_a_sheet_carries_its_bytes_row_by_row(browser: Browser) -> None:
    # Not contiguous, as a transposed array is not.
    images = np.asfortranarray(PICTURES[0])
    sheet.sheet(images, SHAPE, columns=4, key="samples", alt="Eight samples")
    (data,) = browser.sent
    assert decoded(data["images"]) == list(range(48))
    assert (data["shape"], data["columns"], data["alt"]) == ([2, 3], 4, "Eight samples")


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Images of 2 by 2 cannot be read off an array \(8, 6\)."):
        sheet.encoded(PICTURES[0], (2, 2))


def test_a_session_has_one_token_and_another_session_another(
    browser: Browser, session: dict[str, Any]
) -> None:
    token = owner.owner_token()
    assert owner.TOKEN.fullmatch(token)
    assert owner.owner_token() == token
    assert browser.sent == [{"token": token, "keep": False}] * 2
    session.clear()
    assert owner.owner_token() != token


def test_the_token_that_the_browser_keeps_is_adopted_in_the_rerun_that_brings_it(browser: Browser) -> None:
    owner.owner_token()
    browser.word = "kept_by-the_browser" + "0" * 13
    assert owner.owner_token() == browser.word
    # The browser that hears its own token has nothing more to say.
    assert owner.owner_token() == browser.word
    assert browser.sent[-1] == {"token": browser.word, "keep": False}


def test_only_who_has_begun_something_leaves_a_token(browser: Browser, session: dict[str, Any]) -> None:
    session["_keep_owner"] = True
    assert browser.sent == []
    token = owner.owner_token()
    assert browser.sent == [{"token": token, "keep": True}]


@pytest.mark.parametrize(
    "word",
    ["", "a" * 31, "a" * 33, "a" * 32 + "\n", "../" + "a" * 29, "é" * 32, 7, ["a" * 32], {"a": 1}, None],
)
def test_what_is_no_token_is_not_taken(browser: Browser, word: Any) -> None:
    token = owner.owner_token()
    browser.word = word
    assert owner.owner_token() == token
