"""The lesson Training: before Start something is on show, and what is chosen is what Start begins."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.datasets import DATASETS, DataError, enlarged, load
from gumbel_core.runs import Begun, Runs
from gumbel_core.vae.live import Phase
from gumbel_core.vae.recipes import RECIPES
from gumbel_core.vae.settings import THEN_REINMAX, Setting, setting_of
from pages.components.link import not_taken
from pages.components.live_runs import CHECKPOINTS
from pages.components.vae_panels import PANELS
from pages.components.vae_setting import CASES, KEYS
from pages.components.words import plain
from tests.waiting import ended, reached

pytestmark = pytest.mark.usefixtures("server")

Open = Callable[..., AppTest]
Printed = Callable[[str], str]
MNIST = Path(os.environ.get("GUMBEL_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))
NO_IMAGES = "Its images are not on this disk: in their place stand the bundled digits, enlarged."


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that are begun with their config, and come to nothing."""

    def refuse(*_: str) -> None:
        raise DataError("There are no images in this test.")

    monkeypatch.setattr("pages.components.live_runs.load_or_download", refuse)


@pytest.fixture
def originals(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The first images of the newest picture, each time that the page draws it."""
    drawn = []

    def reel(_name: str, frames: Any, _shape: Any, **_: object) -> None:
        drawn.append(frames[-1].originals)

    monkeypatch.setattr("pages.components.reel.reel", reel)
    return drawn


def press(at: AppTest, label: str) -> None:
    (button,) = [button for button in at.button if button.label == label]
    assert not button.disabled
    button.click().run()


def begun(at: AppTest, server: Runs) -> Begun:
    """The run that Start begins now."""
    press(at, "Start")
    now = server.now(at.session_state["_owner"])
    assert now
    return now


def words(at: AppTest) -> str:
    """What the page says, as it is read: a backslash makes a character literal."""
    return re.sub(r"\\(.)", r"\1", "\n".join(element.value for element in [*at.caption, *at.markdown]))


def errors(at: AppTest) -> list[str]:
    return [re.sub(r"\\(.)", r"\1", element.value) for element in at.error]


def fields(at: AppTest) -> Setting:
    """What the page's fields say."""
    widgets = {widget.key: widget.value for widget in [*at.selectbox, *at.number_input]}
    return Setting(**{name: widgets[key] for name, key in KEYS.items()})


def snippet(at: AppTest) -> str:
    (code,) = [element.value for element in at.code if element.language == "python"]
    return code


def link_of(setting: Setting) -> dict[str, str]:
    return {key: str(getattr(setting, name)) for name, key in KEYS.items()}


# Before Start.


@pytest.mark.parametrize("dataset", DATASETS)
def test_untouched_it_shows_the_weights_that_ship(
    open_page: Open, originals: list[Any], dataset: str
) -> None:
    at = open_page("vae_training", vae_data=dataset)
    assert not at.exception
    assert not at.error
    assert not at.warning
    name = "digits" if dataset == "digits" else "mnist"
    checkpoint = load_checkpoint(CHECKPOINTS / name)
    test = checkpoint.state.history[-1].test
    (equation,) = [element.value for element in at.latex]
    assert rf"\underbrace{{{test.reconstruction:.2f}}}" in equation
    assert rf"\underbrace{{{test.kl:.2f}}}" in equation
    assert f"= {test.reconstruction + test.kl:.2f}" in equation
    assert f"On show: shipped: {name}." in words(at)
    # Nothing but the digits is on this disk.
    assert (NO_IMAGES in words(at)) == (dataset != "digits")
    digits = load("digits").test
    shown = digits if dataset == "digits" else enlarged(digits)
    assert np.array_equal(originals[-1], shown[:8])


def test_mnists_own_images_are_shown_where_they_are(
    open_page: Open, originals: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (MNIST / "MNIST").is_dir():
        pytest.skip(f"MNIST is not in {MNIST}: name its folder in GUMBEL_DATA_DIR.")
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(MNIST))
    at = open_page("vae_training", vae_data="mnist")
    assert not at.exception
    assert NO_IMAGES not in words(at)
    assert np.array_equal(originals[-1], load("mnist").test[:8])


@pytest.mark.parametrize("tab", PANELS)
@pytest.mark.parametrize("dataset", ["digits", "mnist"])
def test_every_tab_has_its_words(open_page: Open, dataset: str, tab: str) -> None:
    at = open_page("vae_training", vae_data=dataset)
    at.session_state["vae_tab"] = tab
    at.run()
    assert not at.exception
    tabs = {element.label: element for element in at.tabs}
    assert [label for label, element in tabs.items() if element.children] == [tab]
    step = load_checkpoint(CHECKPOINTS / dataset).state.step
    told = [caption.value for caption in tabs[tab].caption]
    assert told
    assert told[0].startswith("The two terms" if tab == "Two terms" else f"Step {step:,}")


def test_the_latents_that_are_told_dead_are_those_of_the_picture(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr("pages.components.vae_panels.figure", lambda figure, **_: drawn.append(figure))
    at = open_page("vae_training")
    at.session_state["vae_tab"] = "Latents"
    at.run()
    _, dead = drawn[-1]["data"]
    assert dead["x"]
    assert f"{len(dead['x'])} of 16 latents are dead" in words(at)


def test_weights_that_cannot_be_read_are_told_and_the_page_goes_on(
    open_page: Open, server: Runs, still: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages.components.live_runs.CHECKPOINTS", tmp_path)
    at = open_page("vae_training")
    assert not at.exception
    (told,) = errors(at)
    assert told.startswith("The weights that ship cannot be read. ")
    assert begun(at, server).config == Setting().config()
    assert not at.exception


def test_the_checkpoint_on_show_follows_the_data_set(open_page: Open) -> None:
    at = open_page("vae_training")
    at.selectbox(key="vae_checkpoint").set_value("shipped: digits").run()
    at.selectbox(key="vae_data").set_value("mnist").run()
    assert not at.exception
    assert at.selectbox(key="vae_checkpoint").value == "shipped: mnist"
    assert "On show: shipped: mnist." in words(at)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [("lower", "Yes, and "), ("higher", "Lower, in fact. "), ("at the same", "Lower, in fact. ")],
)
def test_the_question_is_answered(open_page: Open, answer: str, verdict: str) -> None:
    at = open_page("vae_training")
    at.button_group(key="vae_question").set_value(answer).run()
    (said,) = [element.value for element in at.markdown if "See it with “τ large”." in element.value]
    assert said.startswith(verdict)


# The words that set a run.

HELD: dict[str, Any] = {"way": "gumbel_softmax", "schedule": "constant"}
# What each case is: a recipe, and what it changes of it.
MEANT: dict[str, tuple[str, dict[str, Any]]] = {
    "small: good": ("small", {}),
    "best: good": ("best", {}),
    "guide: tutorial": ("guide", {}),
    "notebook: tutorial": ("notebook", {}),
    "τ large: bad": ("small", {**HELD, "start": 10.0}),
    "τ small: bad": ("small", {**HELD, "start": 0.01}),
    "one latent: bad": ("small", {"latents": 1, "categories": 10}),
    "binary: good": ("binary", {}),
}
# No field of it is as in any case.
ELSEWHERE = Setting(
    recipe="long", latents=5, categories=7, way="gumbel_rao", schedule="exponential", start=2.5, end=0.2,
    fall=0.01, learning_rate=0.002, batch=60, epochs=11, seed=4,
)  # fmt: skip


@pytest.mark.parametrize("dataset", ["digits", "mnist"])
@pytest.mark.parametrize("case", CASES)
def test_a_word_sets_its_run_and_says_what_to_see(
    open_page: Open, server: Runs, still: None, case: str, dataset: str
) -> None:
    recipe, changes = MEANT[case]
    wanted = replace(setting_of(recipe, dataset), **changes)
    at = open_page("vae_training", **link_of(replace(ELSEWHERE, dataset=dataset)))
    assert CASES[case].sentence not in words(at)
    at.pills(key="case").set_value(case).run()
    assert not at.exception
    assert not at.error
    assert at.pills(key="case").value is None
    assert fields(at) == wanted
    assert CASES[case].sentence in words(at)
    assert begun(at, server).config == wanted.config()


def test_a_sentence_stays_with_another_seed_and_goes_with_another_run(open_page: Open) -> None:
    at = open_page("vae_training")
    sentence = CASES["one latent: bad"].sentence
    at.pills(key="case").set_value("one latent: bad").run()
    at.number_input(key="vae_seed").set_value(5).run()
    assert sentence in words(at)
    at.number_input(key="vae_categories").set_value(11).run()
    assert sentence not in words(at)
    assert RECIPES["small"].sentence in words(at)


# The fields.


@pytest.mark.parametrize("dataset", ["digits", "kmnist"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_fills_the_fields(
    open_page: Open, server: Runs, still: None, recipe: str, dataset: str
) -> None:
    # One field is off, so that each choice is a change.
    start = replace(ELSEWHERE, dataset=dataset, recipe="guide" if recipe != "guide" else "best")
    at = open_page("vae_training", **link_of(start))
    at.selectbox(key="vae_recipe").set_value(recipe).run()
    assert not at.exception
    assert fields(at) == setting_of(recipe, dataset)
    config = begun(at, server).config
    assert (config.model.encoder, config.pixels) == (
        RECIPES[recipe].config.model.encoder, RECIPES[recipe].config.pixels,
    )  # fmt: skip


def test_other_images_change_the_passes_and_nothing_else(open_page: Open) -> None:
    at = open_page("vae_training", **link_of(ELSEWHERE))
    at.selectbox(key="vae_data").set_value("mnist").run()
    assert not at.exception
    assert fields(at) == replace(ELSEWHERE, dataset="mnist", batch=100, epochs=100)
    at.selectbox(key="vae_data").set_value("digits").run()
    assert fields(at) == replace(ELSEWHERE, batch=50, epochs=150)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dataset": "mnist"},
        {"recipe": "jang2017"},
        {"latents": 64},
        {"categories": 64},
        {"way": "reinmax"},
        {"way": THEN_REINMAX, "recipe": "guide"},
        {"schedule": "constant"},
        {"start": 0.37},
        {"start": 100.0},
        {"end": 0.01},
        {"schedule": "exponential", "fall": 0.000123},
        {"schedule": "restarting", "fall": 1.0},
        {"learning_rate": 0.000251},
        {"learning_rate": 0.02, "recipe": "notebook"},
        {"batch": 10},
        {"epochs": 300},
        {"seed": 2**31 - 1},
        {name: getattr(ELSEWHERE, name) for name in KEYS},
    ],
)
def test_a_link_reaches_the_run_that_start_begins(
    open_page: Open, server: Runs, still: None, changes: dict[str, Any]
) -> None:
    link = {KEYS[name]: str(value) for name, value in changes.items()}
    assert not_taken(link) == []
    at = open_page("vae_training", **link)
    assert not at.exception
    assert not at.error
    config = begun(at, server).config
    assert config == Setting(**changes).config()
    # Each is told from the default: no field is left behind.
    assert (config == Setting().config()) == (not changes)


def test_all_fields_have_a_link_above() -> None:
    assert all(getattr(ELSEWHERE, name) != getattr(Setting, name) for name in KEYS if name != "dataset")


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("vae_data", "imagenet"),
        ("vae_recipe", "<b>"),
        ("vae_latents", "0"),
        ("vae_latents", "65"),
        ("vae_categories", "1"),
        ("vae_categories", "many"),
        ("vae_way", "argmax"),
        ("vae_schedule", "cosine"),
        ("vae_tau", "0"),
        ("vae_tau", "nan"),
        ("vae_tau_end", "-1"),
        ("vae_tau_fall", "2"),
        ("vae_rate", "0"),
        ("vae_rate", "quick"),
        ("vae_batch", "9"),
        ("vae_epochs", "301"),
        ("vae_epochs", "-5"),
        ("vae_seed", "-1"),
        ("vae_seed", "2147483648"),
    ],
)
def test_a_bad_link_gives_the_default_and_is_told(
    open_page: Open, server: Runs, still: None, key: str, raw: str
) -> None:
    (sentence,) = not_taken({key: raw})
    assert sentence.startswith(f"The link's {key} = {plain(raw)} is not taken. ")
    at = open_page("vae_training", **{key: raw})
    assert not at.exception
    assert not at.error
    assert begun(at, server).config == Setting().config()


def test_too_many_cells_are_one_sentence_and_the_last_good_setting_stays(
    open_page: Open, server: Runs, still: None
) -> None:
    at = open_page("vae_training", vae_seed="3")
    at.number_input(key="vae_latents").set_value(64).run()
    good = snippet(at)
    at.number_input(key="vae_categories").set_value(64).run()
    assert not at.exception
    told = "64 latents of 64 categories are 4,096 cells: a live run has at most 1,024."
    assert errors(at) == [told]
    assert snippet(at) == good
    assert begun(at, server).config == Setting(seed=3, latents=64).config()
    at.number_input(key="vae_categories").set_value(16).run()
    assert told not in errors(at)
    assert begun(at, server).config == Setting(seed=3, latents=64, categories=16).config()


def test_a_link_of_too_many_cells_gives_the_first_page(open_page: Open, server: Runs, still: None) -> None:
    at = open_page("vae_training", vae_latents="64", vae_categories="64")
    assert not at.exception
    assert len(at.error) == 1
    assert begun(at, server).config == Setting().config()


# The code.


@pytest.mark.parametrize(
    "setting",
    [
        Setting(epochs=2),
        Setting(epochs=2, seed=9, latents=3, way="gumbel_softmax", schedule="staircase", fall=3e-5),
        replace(setting_of("jang2017", "digits"), epochs=2, batch=100, learning_rate=2e-3),
    ],
)
def test_the_snippet_prints_the_losses_of_the_pages_own_run(
    open_page: Open, printed: Printed, server: Runs, setting: Setting
) -> None:
    at = open_page("vae_training", **link_of(setting))
    code = snippet(at)
    run = begun(at, server).run
    done = reached(run, ended)
    assert done.phase == Phase.DONE
    assert len(done.epochs) == 2
    lines = [f"epoch {epoch.epoch}: hard test loss {epoch.test.total:.4f} nats" for epoch in done.epochs]
    assert printed(code).splitlines() == lines
