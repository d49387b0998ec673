"""Inside a discrete code: flip a category and watch the picture change."""

import streamlit as st
import torch
from torch import Tensor

from gumbel_core.runs import Saved
from gumbel_core.vae.codes import latent_kl, loss_of, pictures_of, sweep
from gumbel_core.vae.edits import MOST, Edit, edited, parse_edits, written
from gumbel_core.vae.views import as_bytes
from pages.components.cells import CodeOnShow, cells
from pages.components.code import show_code
from pages.components.codes_choice import Choice, choice_input, encoded, models
from pages.components.codes_panels import (
    again_and_again,
    as_a_whole,
    from_the_prior,
    on_the_way,
    side_by_side,
)
from pages.components.link import CODES, FIELDS
from pages.components.owner import this_owner
from pages.components.sheet import sheet
from pages.components.words import plain, question


def opening() -> None:
    st.title("Inside a discrete code")
    st.markdown("An image is a handful of choices. Click on a cell: that latent takes that category.")


@st.fragment
def lab(choice: Choice, saved: Saved) -> None:
    """The code, its pictures, what it costs, and one latent through all its categories."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Changes", FIELDS["code_edits"].default, 800, key="code_edits", bind="query-params",
                      placeholder="3:5, 7:1", width=200)  # fmt: skip
        st.button("Undo", icon=":material/undo:", on_click=undo, disabled=not st.session_state.code_edits)
        st.button("The encoder's", icon=":material/restart_alt:", on_click=forget,
                  disabled=not st.session_state.code_edits)  # fmt: skip
    own, edits = encoded(choice), edits_of(choice)
    code, before = edited(own, edits), edited(own, edits[:-1])
    decoded, earlier = as_bytes(pictures_of(choice.model, torch.stack([code, before]))).copy()
    latents, categories = len(own), choice.model.config.categories
    telling = int(latent_kl(choice.model, choice.logits).argmax())
    selected = min(st.session_state.get("_latent", telling), latents - 1)
    cells(
        CodeOnShow(
            choice.logits.softmax(-1).numpy(), code.numpy(), own.numpy(), decoded, earlier,
            as_bytes(choice.image), selected,
        ),
        choice.images.shape, on_flip=flip, on_select=select,
    )  # fmt: skip
    cost(choice, code)
    if choice.index is not None and saved.title.startswith("shipped"):
        show_code(snippet(choice, saved, edits))
    st.caption(f"Latent {selected + 1} in each of its {categories} categories, the others as they are.")
    sheet(
        as_bytes(sweep(choice.model, code, selected)), choice.images.shape, columns=max(categories, 10),
        key="code_sweep", alt=f"Latent {selected + 1} in each of its {categories} categories.",
    )  # fmt: skip


def edits_of(choice: Choice) -> list[Edit]:
    """What the link or the clicks changed. What cannot be read is told, and nothing is changed."""
    config = choice.model.config
    try:
        return parse_edits(st.session_state.code_edits, config.latents, config.categories)
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        return []


def flip(latent: int, category: int) -> None:
    state = st.session_state
    parts = [part.strip() for part in state.code_edits.split(",") if part.strip()]
    # A link stays short: the oldest change goes when there are too many.
    state.code_edits = ", ".join([*parts, written([(latent, category)])][-MOST:])
    state["_latent"] = latent


def select(latent: int) -> None:
    st.session_state["_latent"] = latent


def undo() -> None:
    parts = [part.strip() for part in st.session_state.code_edits.split(",") if part.strip()]
    st.session_state.code_edits = ", ".join(parts[:-1])


def forget() -> None:
    st.session_state.code_edits = ""


def cost(choice: Choice, code: Tensor) -> None:
    """The loss of the image under the code on show."""
    loss = loss_of(choice.model, choice.image, code, logits=choice.logits)
    st.latex(
        rf"\underbrace{{{loss.terms.reconstruction:.2f}}}_{{-\log p(x|z)}} + "
        rf"\underbrace{{{loss.terms.kl:.2f}}}_{{\mathrm{{KL}}(q\,\|\,p)}} = {loss.terms.total:.2f}"
        r"\ \text{nats}"
    )
    st.caption(
        f"The encoder gives this very code the probability e^(−{loss.posterior:.1f}), the prior "
        f"e^(−{loss.prior:.1f})."
    )


def snippet(choice: Choice, saved: Saved, edits: list[Edit]) -> str:
    """The picture on show, from the shipped file: to the last bit on the same machine."""
    config, state = saved.state.config, st.session_state
    images = (
        'unit(enlarged(load("digits").test))'
        if choice.images.stand_in
        else f'test_images(load("{config.dataset}"), "{config.pixels}")'
    )
    code = (
        "best_code(model, image)[0]"
        if state.code_kind == CODES[1]
        else f"drawn_code(model, image, generator=torch.Generator().manual_seed({int(state.code_seed)}))[0]"
    )
    return f"""import hashlib
from pathlib import Path

import torch

from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.datasets import enlarged, load, test_images, unit
from gumbel_core.vae.codes import best_code, drawn_code, loss_of, pictures_of
from gumbel_core.vae.edits import edited
from gumbel_core.vae.views import as_bytes

model = load_checkpoint(Path("checkpoints/{config.dataset}")).model()
image = {images}[{choice.index}].unsqueeze(0)  # (1, D)
code = {code}  # (N,), the category of each latent
code = edited(code, {edits})  # (latent, category), counted from 0
picture = as_bytes(pictures_of(model, code))  # (D,)
print(f"-log p(x|z): {{loss_of(model, image[0], code).terms.reconstruction:.4f}} nats")
print(hashlib.sha256(picture.tobytes()).hexdigest())
"""


opening()
owner = this_owner()
there = models(owner)
if not there:
    # No model to look into: what was told says why.
    st.stop()
choice = choice_input(there)
lab(choice, there[choice.title])
question(
    "Flip a latent whose KL is next to nothing. What happens to the picture?",
    {
        "it changes a lot": "Hardly: a latent that the encoder leaves to the prior is one that the decoder "
        "has learned not to listen to. The last picture of this page says which these are.",
        "next to nothing": "Yes: what the encoder leaves to the prior, the decoder has learned not to listen "
        "to. The last picture of this page says which these are.",
    },
    key="code_question",
)
on_the_way(choice)
again_and_again(choice)
from_the_prior(choice)
as_a_whole(choice, there[choice.title])
side_by_side(choice, there)
