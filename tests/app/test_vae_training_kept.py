"""The lesson Training: a run that is kept, brought and gone on from."""

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.datasets import Dataset, load
from gumbel_core.packing import packed
from gumbel_core.runs import Begun, Runs
from gumbel_core.vae.live import Phase
from pages.components.live_runs import shipped
from tests.waiting import ended, reached

pytestmark = pytest.mark.usefixtures("server")

Open = Callable[..., AppTest]


def press(at: AppTest, label: str) -> None:
    (button,) = [button for button in at.button if button.label == label]
    assert not button.disabled
    button.click().run()
    assert not at.exception


def now(at: AppTest, server: Runs) -> Begun:
    begun = server.now(at.session_state["_owner"])
    assert begun
    return begun


def errors(at: AppTest) -> list[str]:
    """As they are read: a backslash makes a character literal."""
    return [re.sub(r"\\(.)", r"\1", element.value) for element in at.error]


def test_a_run_is_saved_and_gone_on_from(open_page: Open, server: Runs) -> None:
    at = open_page("vae_training", vae_epochs="2")
    (save,) = [button for button in at.button if button.label == "Save this run"]
    assert save.disabled
    press(at, "Start")
    first = now(at, server)
    reached(first.run, ended)
    at.run()
    press(at, "Save this run")
    assert not at.error
    assert at.selectbox(key="vae_checkpoint").options == ["run 1 at step 60", "shipped: digits"]
    assert at.selectbox(key="vae_checkpoint").value == "run 1 at step 60"
    (until,) = [field for field in at.number_input if field.label == "Go on until epoch"]
    assert (until.value, until.min, until.max) == (3, 3, 300)
    press(at, "Go on from it")
    second = now(at, server)
    done = reached(second.run, ended)
    assert (done.phase, done.step, done.steps) == (Phase.DONE, 90, 90)
    assert done.epochs[:2] == first.run.snapshot().epochs
    assert second.title == "run 1 at step 60, gone on with"
    at.run()
    assert not at.exception


def test_what_ships_is_gone_on_from(open_page: Open, server: Runs) -> None:
    at = open_page("vae_training")
    (until,) = [field for field in at.number_input if field.label == "Go on until epoch"]
    until.set_value(151).run()
    press(at, "Go on from it")
    done = reached(now(at, server).run, ended)
    assert (done.phase, done.message, done.step) == (Phase.DONE, "", 4_530)


def test_going_on_with_other_images_is_refused(
    open_page: Open, server: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = load("digits")
    other = Dataset("digits", digits.shape, 255 - digits.train, digits.test)
    at = open_page("vae_training")
    monkeypatch.setattr("pages.components.live_runs.load_or_download", lambda *_: other)
    press(at, "Go on from it")
    assert reached(now(at, server).run, ended).phase == Phase.FAILED
    at.run()
    assert not at.exception
    (told,) = errors(at)
    assert "This run learned from other images than the digits that are here." in told


def test_what_was_downloaded_is_brought_again(open_page: Open) -> None:
    saved = shipped("digits")
    content = packed(saved.state, dataset_sha256=saved.dataset_sha256, command="a test")
    at = open_page("vae_training")
    at.file_uploader(key="vae_upload_0").upload("run.zip", content, "application/zip").run()
    assert not at.exception
    assert not at.error
    assert at.selectbox(key="vae_checkpoint").value == "brought: digits at step 4,500"


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x02}q\x00."])
def test_what_is_no_checkpoint_is_refused_in_a_sentence(open_page: Open, content: bytes) -> None:
    at = open_page("vae_training")
    at.file_uploader(key="vae_upload_0").upload("<b>x</b>.zip", content, "application/zip").run()
    assert not at.exception
    (told,) = errors(at)
    assert told.endswith(".")
    assert at.selectbox(key="vae_checkpoint").options == ["shipped: digits"]
    at.run()
    assert not at.error
