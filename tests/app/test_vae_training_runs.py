"""The lesson Training: its buttons move the run, and a run that fails says so while the page goes on."""

import re
from collections.abc import Callable
from html import unescape

import pytest
import torch
from streamlit.testing.v1 import AppTest

from gumbel_core.datasets import DataError, Dataset
from gumbel_core.figures.layout import Figure
from gumbel_core.runs import Begun, Runs
from gumbel_core.vae.live import Phase, Snapshot
from gumbel_core.vae.settings import Setting, setting_of
from gumbel_core.vae.sharing import Slots
from pages.components.vae_setting import KEYS
from tests.waiting import ended, in_phase, reached

pytestmark = pytest.mark.usefixtures("server")

Open = Callable[..., AppTest]
LONG = {"vae_epochs": "300"}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """The newest figure of each name that the page itself draws."""
    figures: dict[str, Figure] = {}

    def figure(picture: Figure, *, key: str, alt: str) -> None:
        figures[key] = picture | {"alt": alt}

    monkeypatch.setattr("pages.components.figure.figure", figure)
    return figures


def press(at: AppTest, label: str) -> None:
    (button,) = [button for button in at.button if button.label == label]
    assert not button.disabled
    button.click().run()
    assert not at.exception


def buttons(at: AppTest) -> dict[str, bool]:
    """Those that move a run, and whether each can be pressed."""
    other = ("Save this run", "Go on from it")
    return {button.label: not button.disabled for button in at.button if button.label not in other}


def now(at: AppTest, server: Runs) -> Begun:
    begun = server.now(at.session_state["_owner"])
    assert begun
    return begun


def standing(at: AppTest) -> str:
    """Where the run stands, as it is read: a backslash makes a character literal."""
    (progress,) = at.get("progress")
    return unescaped(progress.proto.text)


def unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def errors(at: AppTest) -> list[str]:
    return [unescaped(element.value) for element in at.error]


def trains(snapshot: Snapshot) -> bool:
    return snapshot.phase == Phase.TRAINING and snapshot.step > 0


def names(figure: Figure) -> list[str]:
    return [trace["name"] for trace in figure["data"]]


# The buttons.


def test_start_pause_resume_stop_and_reset(open_page: Open, server: Runs) -> None:
    at = open_page("vae_training", **LONG)
    assert buttons(at) == {"Start": True, "Stop": False, "Reset": False}

    press(at, "Start")
    run = now(at, server).run
    reached(run, trains)
    at.run()
    assert buttons(at) == {"Pause": True, "Stop": True, "Reset": True}
    assert re.match(r"Epoch \d+ of 300, step [\d,]+ of 9,000", standing(at))

    press(at, "Pause")
    paused = reached(run, in_phase(Phase.PAUSED))
    at.run()
    assert buttons(at) == {"Resume": True, "Stop": True, "Reset": True}
    assert standing(at) == f"Paused at step {paused.step:,} of 9,000."

    press(at, "Resume")
    reached(run, lambda snapshot: snapshot.step > paused.step)
    at.run()
    press(at, "Stop")
    stopped = reached(run, ended)
    at.run()
    assert stopped.phase == Phase.STOPPED
    assert buttons(at) == {"Start": True, "Stop": False, "Reset": True}
    assert standing(at) == f"Stopped at step {stopped.step:,} of 9,000. What it has learned is kept."

    press(at, "Reset")
    assert server.now(at.session_state["_owner"]) is None
    assert buttons(at) == {"Start": True, "Stop": False, "Reset": False}
    assert not at.get("progress")
    assert any("On show: " in caption.value for caption in at.caption)


def test_a_paused_run_can_be_stopped(open_page: Open, server: Runs) -> None:
    at = open_page("vae_training", **LONG)
    press(at, "Start")
    run = now(at, server).run
    reached(run, trains)
    at.run()
    press(at, "Pause")
    reached(run, in_phase(Phase.PAUSED))
    at.run()
    press(at, "Stop")
    assert reached(run, ended).phase == Phase.STOPPED


def test_a_run_goes_to_its_end(open_page: Open, server: Runs, drawn: dict[str, Figure]) -> None:
    at = open_page("vae_training", vae_epochs="2")
    press(at, "Start")
    done = reached(now(at, server).run, ended)
    at.run()
    assert not at.exception
    assert not at.error
    assert standing(at) == "Done: 60 steps."
    (equation,) = [element.value for element in at.latex]
    assert f"= {done.epochs[-1].test.total:.2f}" in equation
    assert f"test after epoch 2: {done.epochs[-1].test.total:.1f}" in drawn["vae_losses"]["alt"]


def test_the_fields_are_the_next_runs(open_page: Open, server: Runs) -> None:
    told = "The fields have changed since it began: they hold for the next run."
    at = open_page("vae_training", **LONG)
    press(at, "Start")
    first = now(at, server)
    reached(first.run, trains)
    at.run()
    assert told not in [caption.value for caption in at.caption]
    at.number_input(key="vae_seed").set_value(7).run()
    assert told in [caption.value for caption in at.caption]
    assert now(at, server) is first
    assert first.config.seed == 0
    press(at, "Stop")
    reached(first.run, ended)
    at.run()
    press(at, "Start")
    assert now(at, server).config.seed == 7


def test_earlier_runs_are_listed_by_number_and_title(
    open_page: Open, server: Runs, drawn: dict[str, Figure]
) -> None:
    at = open_page("vae_training", vae_epochs="1")
    press(at, "Start")
    reached(now(at, server).run, ended)
    at.run()
    assert not any(name.startswith("1. ") for name in names(drawn["vae_losses"]))
    at.number_input(key="vae_seed").set_value(7).run()
    press(at, "Start")
    reached(now(at, server).run, ended)
    at.run()
    assert names(drawn["vae_losses"])[0] == "1. small on digits, epochs 1"
    press(at, "Reset")
    assert names(drawn["vae_losses"])[:2] == [
        "1. small on digits, epochs 1", "2. small on digits, epochs 1, seed 7",
    ]  # fmt: skip


# Many at once.


def test_who_has_to_wait_is_told_and_may_leave(open_page: Open, server: Runs) -> None:
    server.slots = Slots(2)
    pages = [open_page("vae_training", **LONG) for _ in range(3)]
    for at in pages[:2]:
        press(at, "Start")
        reached(now(at, server).run, trains)
    waiting = pages[2]
    press(waiting, "Start")
    assert standing(waiting) == "2 runs train here at a time. This one is first in the line."
    assert buttons(waiting) == {"Pause": False, "Leave the line": True, "Reset": True}
    press(waiting, "Leave the line")
    assert reached(now(waiting, server).run, ended).step == 0
    waiting.run()
    assert not waiting.exception
    assert buttons(waiting) == {"Start": True, "Stop": False, "Reset": True}

    press(waiting, "Start")
    assert now(waiting, server).run.snapshot().phase == Phase.QUEUED
    pages[0].run()
    press(pages[0], "Stop")
    reached(now(waiting, server).run, trains)


def test_nobody_has_another_ones_run(open_page: Open, server: Runs) -> None:
    first, second = (open_page("vae_training", **LONG) for _ in range(2))
    assert first.session_state["_owner"] != second.session_state["_owner"]
    press(first, "Start")
    reached(now(first, server).run, trains)
    second.run()
    assert buttons(second) == {"Start": True, "Stop": False, "Reset": False}


# What fails.


@pytest.mark.parametrize(
    "error",
    [DataError("The files of digits cannot be read: delete them."), OSError("No space left on <the> device")],
)
def test_a_run_that_fails_says_why_and_the_page_goes_on(
    open_page: Open, server: Runs, error: Exception
) -> None:
    def fail(*_: str) -> Dataset:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pages.components.live_runs.load_or_download", fail)
        at = open_page("vae_training", vae_epochs="1")
        press(at, "Start")
        assert reached(now(at, server).run, ended).phase == Phase.FAILED
    at.run()
    assert not at.exception
    (told,) = errors(at)
    assert str(error) in told
    assert "Traceback" not in told
    assert "<" not in at.error[0].value.replace(r"\<", "")
    assert buttons(at) == {"Start": True, "Stop": False, "Reset": True}

    press(at, "Start")
    assert reached(now(at, server).run, ended).phase == Phase.DONE
    at.run()
    assert not at.error
    assert standing(at) == "Done: 30 steps."


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist", "kmnist"])
def test_a_start_without_images_and_without_a_network_says_what_to_do(
    open_page: Open, server: Runs, dataset: str
) -> None:
    at = open_page("vae_training", vae_data=dataset)
    press(at, "Start")
    assert reached(now(at, server).run, ended).phase == Phase.FAILED
    at.run()
    assert not at.exception
    (told,) = errors(at)
    assert f"{dataset} could not be downloaded" in told
    assert told.endswith("nothing was left behind. Try again, or take digits, which needs no download.")
    # What was on show is there still.
    assert at.latex
    at.selectbox(key="vae_data").set_value("digits").run()
    at.number_input(key="vae_epochs").set_value(1).run()
    press(at, "Start")
    assert reached(now(at, server).run, ended).phase == Phase.DONE


def test_a_loss_that_is_not_finite_is_told(
    open_page: Open, server: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing that the fields allow was found to end so on the digits.
    monkeypatch.setattr("gumbel_core.vae.training.reconstruction_loss", lambda *_: torch.tensor(torch.nan))
    at = open_page("vae_training", vae_rate="1")
    press(at, "Start")
    reached(now(at, server).run, ended)
    at.run()
    assert not at.exception
    (told,) = errors(at)
    assert told.startswith("Training stopped at step 1: the reconstruction loss is not finite. ")


# What others published.


@pytest.mark.parametrize(
    ("setting", "stands"),
    [
        (setting_of("notebook", "mnist"), True),
        (setting_of("notebook", "kmnist"), False),
        (setting_of("guide", "mnist"), False),
        (Setting(recipe="notebook", dataset="mnist"), False),
    ],
)
def test_the_tutorials_losses_stand_beside_its_run_alone(
    open_page: Open,
    server: Runs,
    drawn: dict[str, Figure],
    monkeypatch: pytest.MonkeyPatch,
    setting: Setting,
    stands: bool,
) -> None:
    def had(name: str, _pixels: str) -> Dataset:
        """A few images of noise under that name."""
        noise = torch.randint(0, 256, (220, 784), generator=torch.Generator().manual_seed(0))
        return Dataset(name, (28, 28), noise[:200].to(torch.uint8), noise[200:].to(torch.uint8))

    monkeypatch.setattr("pages.components.live_runs.load_or_download", had)
    at = open_page("vae_training", **{key: str(getattr(setting, name)) for name, key in KEYS.items()})
    press(at, "Start")
    reached(now(at, server).run, lambda snapshot: bool(snapshot.frames) and snapshot.step > 0)
    at.run()
    assert not at.exception
    theirs = [trace for trace in drawn["vae_losses"]["data"] if unescape(trace["name"]) == "the notebook's"]
    assert [(trace["x"], trace["y"]) for trace in theirs] == [
        # Its three printed losses, shortened to the four digits that a figure gets.
        ([600, 3_000, 6_000], [179.0, 135.6, 126.7])
    ] * stands
