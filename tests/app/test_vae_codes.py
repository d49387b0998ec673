"""The lesson Inside a code: what a link brings, and what clicks change, is the code on show."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest
from torch.distributions import Categorical

from gumbel_core.checkpoints import Checkpoint
from gumbel_core.datasets import load
from gumbel_core.vae.codes import best_code, drawn_code, pictures_of, resampled, sweep, walk
from gumbel_core.vae.edits import MOST, edited, parse_edits
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.settings import Setting
from gumbel_core.vae.training import Training
from gumbel_core.vae.views import as_bytes
from pages.components.link import DEFAULTS, FIELDS, not_taken
from pages.components.live_runs import kept, runs
from pages.components.words import plain
from tests.app.codes import (
    DIGITS,
    FLIP,
    FOLDER,
    MNIST,
    OWNER,
    PAGE,
    ROOT,
    SELECT,
    STAND_IN,
    Shown,
    errors,
    folders,
    images,
    model_of,
    open_codes,
    press,
    quiet,
    same,
    seeded,
    snippets,
    titles,
    warnings,
    words,
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("shown")

OURS = "run 1 at step 0"


@pytest.fixture
def ours() -> CategoricalVAE:
    """The model of a run that this owner has saved, of 5 latents of 6 categories."""
    dataset = load("digits")
    training = Training(Setting(latents=5, categories=6, seed=3).config(), dataset)
    checkpoint = Checkpoint(training.state(), dataset.sha256, "a test", {})
    assert runs().save(OWNER, kept(OURS, checkpoint)) == OURS
    return checkpoint.model()


# What is on show.


@folders
@titles
def test_untouched_it_shows_a_sample_of_the_first_image(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, title: str, mnist: bool
) -> None:
    if mnist:
        monkeypatch.setenv("GUMBEL_DATA_DIR", str(FOLDER))
    at = open_codes(code_model=title)
    assert quiet(at)
    assert (STAND_IN in words(at)) == (title == MNIST and not mnist)
    model, image = model_of(title), images(title, mnist)[:1]
    code = drawn_code(model, image, generator=seeded(0))[0]
    assert same(shown.code.original, as_bytes(image[0]))
    assert same(shown.code.drawn, code)
    assert same(shown.code.chosen, code)
    assert same(shown.code.decoded, as_bytes(pictures_of(model, code)))
    assert same(shown.code.before, shown.code.decoded)
    assert np.allclose(shown.code.probabilities, model.encode(image)[0].detach().softmax(-1), atol=1e-6)
    assert at.selectbox(key="code_model").options == [MNIST, DIGITS]


@pytest.mark.parametrize("kind", ["a sample", "the most probable"])
def test_an_image_is_encoded_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the code and what it costs: the panels below ask of other images and other models."""
    for panel in ("again_and_again", "as_a_whole", "from_the_prior", "on_the_way", "side_by_side"):
        monkeypatch.setattr(f"pages.components.codes_panels.{panel}", lambda *_: None)
    encode, encoded = CategoricalVAE.encode, []

    def counted(model: CategoricalVAE, images: torch.Tensor) -> torch.Tensor:
        # `shipped` has its own pictures, of many images.
        encoded.append(len(images))
        return encode(model, images)

    at = open_codes(code_kind=kind)
    monkeypatch.setattr(CategoricalVAE, "encode", counted)
    press(at, "flip")
    assert encoded == [1]


def test_the_latent_that_is_swept_at_first_says_the_most(shown: Shown) -> None:
    assert quiet(open_codes(code_model=DIGITS, code_image="3"))
    with torch.no_grad():
        law = Categorical(logits=model_of(DIGITS).encode(images(DIGITS, False)[3:4])[0])
    # Under a uniform prior it is the one that is the least uncertain.
    assert shown.code.selected == int(law.entropy().argmin())


def test_a_saved_run_is_there_and_has_no_file_to_show_the_code_of(shown: Shown, ours: CategoricalVAE) -> None:
    at = open_codes(code_image="7", code_edits="5:6")
    assert at.selectbox(key="code_model").options == [MNIST, DIGITS, OURS]
    at.selectbox(key="code_model").set_value(OURS).run()
    assert quiet(at)
    assert snippets(at) == []
    image = images(DIGITS, False)[7:8]
    assert at.session_state.code_edits == ""
    assert same(shown.code.original, as_bytes(image[0]))
    assert same(shown.code.chosen, drawn_code(ours, image, generator=seeded(0))[0])
    # Its latents are fewer than the one that was picked before.
    assert shown.code.selected is not None
    assert 0 <= shown.code.selected < 5


def test_another_owner_does_not_see_it(ours: CategoricalVAE) -> None:
    at = AppTest.from_file(PAGE, default_timeout=60)
    at.session_state["_owner"] = "p" * 32
    assert OURS not in at.run().selectbox(key="code_model").options


# The link.

LINK = {
    "code_image": "7", "code_kind": "a sample", "code_seed": "5", "code_edits": "3:5, 7:1", "code_tau": "0.4",
    "code_target": "12", "code_order": "random",
}  # fmt: skip


@folders
@titles
@pytest.mark.parametrize("kind", ["a sample", "the most probable"])
def test_a_link_reaches_the_page(
    shown: Shown, monkeypatch: pytest.MonkeyPatch, title: str, mnist: bool, kind: str
) -> None:
    if mnist:
        monkeypatch.setenv("GUMBEL_DATA_DIR", str(FOLDER))
    link = LINK | {"code_model": title, "code_kind": kind}
    assert not_taken(link) == []
    at = open_codes(**link)
    assert quiet(at)
    model, all_images = model_of(title), images(title, mnist)
    image, target = all_images[7], all_images[12]
    drawn = drawn_code(model, image[None], generator=seeded(5))[0]
    own = drawn if kind == "a sample" else best_code(model, image[None])[0]
    code = own.clone()
    code[2], code[6] = 4, 0
    assert same(shown.code.original, as_bytes(image))
    assert same(shown.code.drawn, own)
    assert same(shown.code.chosen, code)
    assert same(shown.code.decoded, as_bytes(pictures_of(model, code)))
    soft = resampled(model, image, 0.4, 32, generator=seeded(5)).soft_mean
    assert same(shown.sheets["code_means"][2], as_bytes(soft))
    end = best_code(model, target[None])[0]
    path = walk(model, own, end, image, target, order="random", generator=seeded(5)).pictures
    assert same(shown.sheets["code_walk"], as_bytes(torch.cat([image[None], path, target[None]])))


def test_the_link_above_has_every_field_of_the_page() -> None:
    assert {name for name in FIELDS if name.startswith("code_")} == LINK.keys() | {"code_model"}
    assert all(LINK[name] != str(DEFAULTS[name]) for name in LINK if name != "code_kind")


@pytest.mark.parametrize(
    ("key", "raw"),
    [
        ("code_image", "-1"), ("code_image", "10000"), ("code_image", "first"), ("code_image", "nan"),
        ("code_kind", "best"), ("code_kind", "<b>"), ("code_seed", "-1"), ("code_seed", "2147483648"),
        ("code_tau", "0"), ("code_tau", "5.1"), ("code_tau", "nan"), ("code_tau", "warm"),
        ("code_target", "-1"), ("code_target", "10000"), ("code_target", "$x$"),
        ("code_order", "alphabetical"),
    ],
)  # fmt: skip
def test_a_bad_link_gives_the_default_and_is_told(shown: Shown, key: str, raw: str) -> None:
    (sentence,) = not_taken({key: raw})
    assert sentence.startswith(f"The link's {key} = {plain(raw)} is not taken. ")
    assert quiet(open_codes(code_model=DIGITS))
    wanted, sheets = shown.code, dict(shown.sheets)
    assert quiet(open_codes(code_model=DIGITS, **{key: raw}))
    assert same(shown.code.original, wanted.original)
    assert same(shown.code.chosen, wanted.chosen)
    assert all(same(shown.sheets[name], sheets[name]) for name in sheets)


@pytest.mark.parametrize(
    ("name", "raw", "default"),
    [
        ("code_model", "<script>", MNIST), ("code_model", "../mnist", MNIST), ("code_model", OURS, MNIST),
        ("code_image", "297", "0"), ("code_image", "9999", "0"), ("code_target", "297", "1"),
    ],
)  # fmt: skip
def test_what_is_not_here_gives_the_default_and_is_told_once(
    shown: Shown, name: str, raw: str, default: str
) -> None:
    assert quiet(open_codes())
    wanted, sheets = shown.code, dict(shown.sheets)
    # The form is right, so the frame lets it pass.
    assert not_taken({name: raw}) == []
    at = open_codes(**{name: raw})
    (told,) = warnings(at)
    assert told.startswith(f"The link's {name} = {raw} is not taken. ")
    assert told.endswith(f" Shown instead: {default}.")
    assert same(shown.code.original, wanted.original)
    assert same(shown.code.chosen, wanted.chosen)
    assert all(same(shown.sheets[key], sheets[key]) for key in sheets)
    assert not warnings(at.run())


@pytest.mark.parametrize("link", [{"code_image": "296", "code_target": "296"}, {"code_image": "3.5"}, {}])
def test_what_is_here_is_not_told(link: dict[str, str]) -> None:
    assert quiet(open_codes(code_model=DIGITS, **link))


def test_markup_in_a_link_is_shown_as_itself() -> None:
    (told,) = [element.value for element in open_codes(code_model="**:red[x]** " * 9).warning]
    assert r"\*\*\:red\[x\]\*\*" in told
    assert len(told) < 200


def test_an_owner_who_is_known_on_the_second_run_has_the_model_of_the_link(
    shown: Shown, ours: CategoricalVAE
) -> None:
    at = AppTest.from_file(PAGE, default_timeout=60)
    at.session_state["_owner"] = "p" * 32
    at.query_params.update(code_model=OURS, code_image="7")
    (told,) = warnings(at.run())
    assert "for its owner alone" in told
    at.session_state["_owner"] = OWNER
    assert quiet(at.run())
    assert at.selectbox(key="code_model").value == OURS
    image = images(DIGITS, False)[7:8]
    assert same(shown.code.chosen, drawn_code(ours, image, generator=seeded(0))[0])
    # From then on the visitor chooses.
    at.selectbox(key="code_model").set_value(DIGITS).run()
    assert quiet(at)
    assert at.selectbox(key="code_model").value == DIGITS


def test_what_was_told_stays_for_a_stranger_who_is_known_on_the_second_run() -> None:
    at = open_codes(code_model=OURS)
    told = warnings(at)
    at.session_state["_owner"] = "p" * 32
    assert warnings(at.run()) == told != []


@pytest.mark.parametrize("missing", [("mnist",), ("digits",), ("mnist", "digits")])
def test_weights_that_cannot_be_read_are_told_and_the_others_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...]
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    left = [name for name in ("mnist", "digits") if name not in missing]
    for name in left:
        (folder / name).symlink_to(ROOT / "checkpoints" / name)
    monkeypatch.setattr("pages.components.live_runs.CHECKPOINTS", folder)
    at = open_codes()
    assert not at.exception
    assert len(errors(at)) == len(missing)
    assert all(told.startswith("The weights that ship cannot be read. ") for told in errors(at))
    boxes = [box for box in at.selectbox if box.key == "code_model"]
    assert [box.options for box in boxes] == ([[f"shipped: {name}" for name in left]] if left else [])


@titles
@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("<b>3</b>:5", "A change is latent:category, such as 3:5, not '<b>3</b>:5'."),
        ("²:1", "A change is latent:category, such as 3:5, not '²:1'."),
        ("3:5, :material/edit:", "A change is latent:category, such as 3:5, not ':material/edit:'."),
        ("1:1," * (MOST + 1), f"At most {MOST} changes are taken, not {MOST + 1}."),
        ("31:1", "it has no 31:1."),
        ("1:11", "it has no 1:11."),
        ("0:1", "it has no 0:1."),
        ("0000000099:1", "0000000099:1"),
        ("1:0000000099", "1:0000000099"),
    ],
)
def test_changes_that_cannot_be_read_are_one_sentence_and_the_picture_stays(
    shown: Shown, title: str, raw: str, told: str
) -> None:
    at = open_codes(code_model=title, code_edits=raw)
    assert not at.exception
    (sentence,) = errors(at)
    assert told in sentence.replace("\u2060", "")
    assert sentence.endswith(".")
    assert same(shown.code.chosen, shown.code.drawn)
    assert same(shown.code.before, shown.code.decoded)


# Changes.


@titles
def test_a_flip_changes_one_latent_and_is_undone(shown: Shown, title: str) -> None:
    at = open_codes(code_model=title, code_kind="the most probable", code_image="3")
    assert {b.label: b.disabled for b in at.button}["Undo"]
    assert {b.label: b.disabled for b in at.button}["The encoder's"]
    own = shown.code
    press(at, "flip")
    after = shown.code
    assert np.flatnonzero(after.chosen != own.chosen).tolist() == [FLIP[0]]
    assert (after.chosen[FLIP[0]], after.selected) == (FLIP[1], FLIP[0])
    assert same(after.drawn, own.chosen)
    assert same(after.before, own.decoded)
    at.text_input(key="code_edits").set_value("4:2, 1:3, 1:5").run()
    assert shown.code.chosen[0] == 4
    earlier = edited(torch.from_numpy(own.chosen), [(3, 1), (0, 2)])
    assert same(shown.code.before, as_bytes(pictures_of(model_of(title), earlier)))
    press(at, "Undo")
    assert at.session_state.code_edits == "4:2, 1:3"
    assert shown.code.chosen[0] == 2
    press(at, "Undo")
    assert same(shown.code.chosen, after.chosen)
    assert same(shown.code.before, own.decoded)
    press(at, "Undo")
    assert same(shown.code.chosen, own.chosen)
    assert same(shown.code.decoded, own.decoded)


@pytest.mark.parametrize("raw", ["4:2, 5:3,", "4:2, 5:3 ,, "])
def test_undo_takes_a_change_whatever_commas_stand_after_it(shown: Shown, raw: str) -> None:
    at = open_codes(code_model=DIGITS, code_edits=raw)
    own, changed = shown.code.drawn, shown.code.chosen
    assert same(changed, edited(torch.from_numpy(own), [(3, 1), (4, 2)]))
    press(at, "Undo")
    assert same(shown.code.chosen, edited(torch.from_numpy(own), [(3, 1)]))


def test_the_encoders_own_code_comes_back_at_once(shown: Shown) -> None:
    at = open_codes(code_model=DIGITS, code_edits="1:2, 2:3, 3:4, 1:5")
    assert not same(shown.code.chosen, shown.code.drawn)
    press(at, "The encoder's")
    assert at.session_state.code_edits == ""
    assert same(shown.code.chosen, shown.code.drawn)


def test_flips_follow_one_another_and_their_link_brings_the_same_code(shown: Shown) -> None:
    at = open_codes(code_model=DIGITS, code_seed="9", code_edits=" 1:2,")
    press(at, "flip")
    flipped = shown.code
    assert parse_edits(at.session_state.code_edits, 16, 8) == [(0, 1), FLIP]
    assert quiet(open_codes(code_model=DIGITS, code_seed="9", code_edits=at.session_state.code_edits))
    assert same(shown.code.chosen, flipped.chosen)
    assert same(shown.code.decoded, flipped.decoded)


def test_a_selected_latent_is_swept(shown: Shown) -> None:
    at = open_codes(code_model=DIGITS, code_edits="2:2")
    press(at, "select")
    assert shown.code.selected == SELECT
    pictures = sweep(model_of(DIGITS), torch.from_numpy(shown.code.chosen), SELECT)
    assert same(shown.sheets["code_sweep"], as_bytes(pictures))
    assert at.session_state.code_edits == "2:2"


@pytest.mark.parametrize(
    "move",
    [
        lambda at: at.number_input(key="code_image").set_value(4).run(),
        lambda at: press(at, "Another"),
        lambda at: at.pills(key="code_class").set_value("8").run(),
        lambda at: at.selectbox(key="code_model").set_value(MNIST).run(),
        lambda at: at.number_input(key="code_seed").set_value(4).run(),
        lambda at: at.segmented_control(key="code_kind").set_value("the most probable").run(),
        lambda at: press(at, "draw"),
    ],
    ids=["place", "random", "class", "model", "seed", "kind", "drawing"],
)
def test_another_code_forgets_the_changes(shown: Shown, move: Callable[[AppTest], Any]) -> None:
    at = open_codes(code_model=DIGITS, code_edits="1:2, 2:3")
    move(at)
    assert quiet(at)
    assert at.session_state.code_edits == ""
    assert same(shown.code.chosen, shown.code.drawn)


@pytest.mark.parametrize(
    "move",
    [
        lambda at: at.slider(key="code_tau").set_value(2.0).run(),
        lambda at: at.number_input(key="code_target").set_value(4).run(),
        lambda at: press(at, "New samples"),
        lambda at: press(at, "Redraw that latent"),
        lambda at: press(at, "select"),
    ],
)
def test_what_shows_the_same_code_keeps_the_changes(shown: Shown, move: Callable[[AppTest], Any]) -> None:
    at = open_codes(code_model=DIGITS, code_edits="1:2, 2:3")
    before = shown.code
    move(at)
    assert quiet(at)
    assert same(shown.code.chosen, before.chosen)
