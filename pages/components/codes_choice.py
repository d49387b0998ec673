"""Which model, and which image: picked by its place, by its class, at random, or drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.checkpoints import Checkpoint
from gumbel_core.datasets import CLASSES, unit
from gumbel_core.draw import SEEDS
from gumbel_core.runs import Saved
from gumbel_core.sampling import gumbel_max
from gumbel_core.strokes import FORMATS
from gumbel_core.vae.codes import logits_of
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.views import as_bytes
from pages.components.link import CODES, FIELDS
from pages.components.live_runs import Images, images_of, readable, runs
from pages.components.owner import this_owner
from pages.components.pad import pad
from pages.components.words import plain

# Bound fields of which a link may ask for what is not here.
ASKED = ("code_model", "code_image", "code_target")


@dataclass(frozen=True)
class Choice:
    """A model, the image that it looks at, and what its encoder says of that."""

    title: str
    model: CategoricalVAE
    images: Images
    image: Tensor  # (D,) in [0, 1]
    logits: Tensor  # (N, K): encoded once, for all that the page shows of the image
    index: int | None  # None for a drawing
    label: int | None


def models(owner: str) -> dict[str, Saved]:
    """What ships and can be read, and what the owner has saved or brought in this session, by title."""
    return {saved.title: saved for saved in (*readable("mnist", "digits"), *reversed(runs().saved(owner)))}


def model_of(saved: Saved) -> CategoricalVAE:
    """A model of its own: nobody shares it."""
    return Checkpoint(saved.state, saved.dataset_sha256, saved.title, {}).model()


def choice_input(there: dict[str, Saved]) -> Choice:
    """The model, and the image by its place, its class, at random, or by hand."""
    titles = list(there)
    asked = _asked(titles)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.selectbox(
            "Model", titles, 0, key="code_model", bind="query-params", width=190, on_change=_new_image,
            help="What ships, and what you have saved or brought on Live training.",
        )  # fmt: skip
        saved = there[title]
        config = saved.state.config
        images = images_of(config.dataset, config.pixels)
        _keep_within(len(images.labels))
        st.number_input(
            "Test image", 0, len(images.labels) - 1, FIELDS["code_image"].default, 1, key="code_image",
            bind="query-params", width=130, on_change=_new_image,
        )  # fmt: skip
        st.button("Another", icon=":material/casino:", on_click=_another, args=(len(images.labels),))
        with st.popover("Draw one", icon=":material/draw:"):
            pad(on_drawing=_take_drawing, cleared=st.session_state.setdefault("_pad_cleared", 0))
        st.segmented_control(
            "Code", CODES, default=CODES[0], required=True, key="code_kind", bind="query-params",
            on_change=_other_code,
        )  # fmt: skip
        st.number_input(
            "Seed", *SEEDS, FIELDS["code_seed"].default, 1, key="code_seed", bind="query-params", width=110,
            on_change=_other_code,
        )  # fmt: skip
    st.pills(
        "A test image of class", list(map(str, range(CLASSES))), key="code_class", on_change=_of_class,
        args=(images.labels,), label_visibility="collapsed",
    )  # fmt: skip
    _say_what_is_not_here(asked, titles, title, len(images.labels))
    if images.stand_in:
        st.caption("MNIST's images are not on this disk: in their place stand the bundled digits, enlarged.")
    image, index = _image(images)
    label = None if index is None else int(images.labels[index])
    model = model_of(saved)
    return Choice(title, model, images, image, logits_of(model, image.unsqueeze(0))[0], index, label)


def encoded(choice: Choice) -> Tensor:
    """The encoder's code (N,): a sample of its seed, or the most probable one."""
    if st.session_state.code_kind == CODES[1]:
        return choice.logits.argmax(-1)
    generator = torch.Generator().manual_seed(int(st.session_state.code_seed))
    return gumbel_max(choice.logits, generator=generator)


def other_format(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """An image (D,) of `shape` in the other format, as if it had been drawn."""
    (to,) = (as_other for other, as_other in FORMATS.items() if other != shape)
    return unit(torch.from_numpy(to(as_bytes(image).reshape(shape))).flatten())


def _image(images: Images) -> tuple[Tensor, int | None]:
    """The drawing, if there is one that can be read; else the test image."""
    state = st.session_state
    ink: NDArray[np.uint8] | None = state.get("_drawing")
    if ink is not None:
        try:
            drawn = FORMATS[images.shape](ink)
            return unit(torch.from_numpy(drawn).flatten()), None
        except ValueError as error:
            st.info(plain(str(error)))
    index = int(state.code_image)
    return images.pixels[index], index


def _asked(titles: Sequence[str]) -> dict[str, str]:
    """What the link asks for of `ASKED`, until the visitor moves on: then nothing.

    It is read before the fields exist, for they drop what they do not have in silence. A browser tells whose
    it is on a session's second run: the link is read again, for what its owner has saved is here by then.
    """
    state, owner = st.session_state, this_owner()
    if "_code_link" not in state:
        query = st.query_params.to_dict()
        state["_code_link"] = {name: query[name] for name in ASKED if name in query and name not in state}
    elif state["_code_owner"] == owner:
        return {}
    elif state["_code_link"].get("code_model") in titles:
        state.code_model = state["_code_link"]["code_model"]
    state["_code_owner"] = owner
    asked: dict[str, str] = state["_code_link"]
    return asked


def _say_what_is_not_here(asked: Mapping[str, str], titles: Sequence[str], title: str, count: int) -> None:
    """A sentence for a model, and for places beyond the `count` images, that the link asks for in vain."""
    model, last = asked.get("code_model", title), count - 1
    if model not in titles:
        _say_not_taken(
            "code_model", model, "A run that was saved or brought is there for its owner alone.", title
        )
    for name in ("code_image", "code_target"):
        if name in asked and _is_beyond(name, asked[name], last):
            reason = f"The test images here are those from 0 to {last:,}."
            _say_not_taken(name, asked[name], reason, FIELDS[name].default)


def _is_beyond(name: str, raw: str, last: int) -> bool:
    """Whether a place that the field takes has no image here. The frame tells of what the field refuses."""
    try:
        FIELDS[name].check(raw)
    except ValueError:
        return False
    return int(float(raw)) > last


def _say_not_taken(name: str, raw: str, reason: str, shown: object) -> None:
    st.warning(
        f"The link's {name} = {plain(raw[:40])} is not taken. {reason} Shown instead: {plain(str(shown))}.",
        icon=":material/link_off:",
    )


def _keep_within(count: int) -> None:
    """A smaller set has fewer places: the last one, then."""
    state = st.session_state
    if int(state.get("code_image", 0)) >= count:
        state.code_image = count - 1


def _take_drawing(ink: NDArray[np.uint8]) -> None:
    st.session_state["_drawing"] = ink if ink.any() else None
    st.session_state.code_edits = ""


def _other_code() -> None:
    st.session_state.code_edits = ""


def _new_image() -> None:
    """Another image has another code: changes to the last one's would say nothing here."""
    state = st.session_state
    state.code_edits = ""
    if state.pop("_drawing", None) is not None:
        state["_pad_cleared"] += 1


def _another(count: int) -> None:
    st.session_state.code_image = int(np.random.default_rng().integers(count))
    _new_image()


def _of_class(labels: Tensor) -> None:
    """The next test image of that class; the pill does not stay lit, for the next move may leave it."""
    state = st.session_state
    if state.code_class is not None:
        places = (labels == int(state.code_class)).nonzero().flatten().tolist()
        state.code_image = _next(places, int(state.code_image))
        _new_image()
    state.code_class = None


def _next(places: Sequence[int], now: int) -> int:
    return next((place for place in places if place > now), places[0])
