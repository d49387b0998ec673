"""What else a code shows: samples of one image, a walk to another, the prior, the model as a whole."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import streamlit as st
import torch
from torch import Tensor

from gumbel_core.figures.vae_code import usage_figure
from gumbel_core.figures.vae_inside import classes_figure, information_figure, walk_figure
from gumbel_core.runs import Saved
from gumbel_core.vae.codes import (
    ORDERS,
    best_code,
    drawn_code,
    loss_of,
    pictures_of,
    prior_codes,
    redrawn,
    resampled,
    walk,
)
from gumbel_core.vae.evaluation import DEAD
from gumbel_core.vae.portrait import Portrait, nearest_in_code, nearest_in_pixels, portrait
from gumbel_core.vae.views import SAMPLES, as_bytes
from pages.components.code import download_csv
from pages.components.codes_choice import Choice, encoded, model_of, other_format
from pages.components.figure import figure
from pages.components.link import FIELDS
from pages.components.live_runs import images_of
from pages.components.sheet import sheet
from pages.components.words import plain

DRAWS, NEAREST = 32, 8
TABS = ("Latents", "Classes", "Usage")


@dataclass(frozen=True)
class Whole:
    """A model over its test set."""

    portrait: Portrait
    codes: Tensor  # (M, N): the most probable code of each test image


def pictures(images: Tensor, choice: Choice, *, columns: int, key: str, alt: str) -> None:
    sheet(as_bytes(images), choice.images.shape, columns=columns, key=key, alt=alt)


@st.fragment
def again_and_again(choice: Choice) -> None:
    """One image, sampled many times."""
    st.markdown("#### The same image, again and again")
    tau = st.slider(
        "Temperature τ of the soft samples", 0.1, 5.0, FIELDS["code_tau"].default, 0.1, key="code_tau",
        bind="query-params", width=320,
    )  # fmt: skip
    generator = torch.Generator().manual_seed(int(st.session_state.code_seed))
    many = resampled(choice.model, choice.image, tau, DRAWS, generator=generator)
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.caption(f"{DRAWS} hard samples: each redraws every latent.")
        pictures(
            many.hard,
            choice,
            columns=8,
            key="code_hard",
            alt=f"{DRAWS} pictures, each of another hard sample of this image.",
        )
    with right:
        named = {
            "most probable code": (many.best, f"{many.best_loss:.1f} nats"),
            "hard samples, mean": (many.hard_mean, f"{float(many.hard_loss.mean()):.1f} nats each"),
            "soft samples, mean": (many.soft_mean, f"{float(many.soft_loss.mean()):.1f} nats each"),
            "hard samples, spread": (many.hard_spread, "where they differ"),
            "soft samples, spread": (many.soft_spread, "where they differ"),
        }
        words = " · ".join(f"{name} ({word})" for name, (_, word) in named.items())
        stacked = torch.stack([picture for picture, _ in named.values()])
        pictures(stacked, choice, columns=5, key="code_means", alt=words)
        st.caption(f"From left to right: {words}.")


@st.fragment
def on_the_way(choice: Choice) -> None:
    """From this image's code to another's, one latent at a time."""
    st.markdown("#### From one image to another")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        target = st.number_input(
            "To the test image", 0, len(choice.images.labels) - 1, FIELDS["code_target"].default, 1,
            key="code_target", bind="query-params", width=150,
        )  # fmt: skip
        order = st.segmented_control(
            "Order of the flips", list(ORDERS), default=FIELDS["code_order"].default, required=True,
            key="code_order", bind="query-params",
        )  # fmt: skip
    there = choice.images.pixels[int(target)]
    generator = torch.Generator().manual_seed(int(st.session_state.code_seed))
    end = best_code(choice.model, there.unsqueeze(0))[0]
    path = walk(choice.model, encoded(choice), end, choice.image, there, order=order, generator=generator)
    flips = len(path.latents)
    rows = torch.cat([choice.image[None], path.pictures, there[None]])
    alt = f"The image, {flips + 1} pictures, the other image."
    pictures(rows, choice, columns=12, key="code_walk", alt=alt)
    st.caption(
        f"The first is this image, the last the other one; between them {flips} flips, "
        + ("each the one that helps the most." if order == "effect" else "in a random order.")
    )
    names = [f"latent {latent + 1}" for latent in path.latents.tolist()]
    figure(
        walk_figure(path.loss_to_start.numpy(), path.loss_to_end.numpy(), names), key="code_walk_losses",
        alt=f"Over {flips} flips the loss of the first image goes from {float(path.loss_to_start[0]):.0f} "
            f"to {float(path.loss_to_start[-1]):.0f} nats, that of the other from "
            f"{float(path.loss_to_end[0]):.0f} to {float(path.loss_to_end[-1]):.0f}.",
    )  # fmt: skip


@st.fragment
def from_the_prior(choice: Choice) -> None:
    """Codes that no image has, and one latent of one of them drawn anew."""
    st.markdown("#### Codes that no image has")
    state = st.session_state
    config = choice.model.config
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seed = state.setdefault("_prior_seed", 0)
        st.button("New samples", icon=":material/casino:", on_click=_more, args=("_prior_seed",))
        sample = st.number_input("Sample", 1, SAMPLES, 1, 1, key="code_sample", width=110)
        latent = st.number_input("Latent", 1, config.latents, 1, 1, key="code_latent", width=110)
        times = state.setdefault("_redrawn", 0)
        st.button("Redraw that latent", icon=":material/refresh:", on_click=_more, args=("_redrawn",))
    codes = prior_codes(choice.model, SAMPLES, generator=torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(times)
    after = redrawn(choice.model, codes, int(sample) - 1, int(latent) - 1, generator=generator)
    left, right = st.columns([3, 2], gap="large")
    with left:
        shown = after if times else codes
        pictures(
            pictures_of(choice.model, shown), choice, columns=8, key="code_prior",
            alt=f"{SAMPLES} pictures of codes drawn from the prior.",
        )  # fmt: skip
    with right:
        place = int(sample) - 1
        st.caption(f"Sample {sample}: before and after latent {latent} was drawn anew.")
        pair = torch.stack([codes[place], shown[place]])
        pictures(pictures_of(choice.model, pair), choice, columns=4, key="code_redrawn",
                 alt="The chosen sample before and after one of its latents was redrawn.")  # fmt: skip
        was, now = (int(row[int(latent) - 1]) + 1 for row in pair)
        st.caption(f"Category {was} → {now}. Its code: {' '.join(str(int(c) + 1) for c in shown[place])}.")
        header = [f"latent {latent + 1}" for latent in range(config.latents)]
        download_csv("code_prior", header, (shown + 1).tolist())


@st.fragment
def as_a_whole(choice: Choice, saved: Saved) -> None:
    """What each latent carries, of the image and of its class."""
    st.markdown("#### The model as a whole")
    whole = whole_of(saved)
    seen = whole.portrait
    tabs = st.tabs(TABS, key="code_tab", on_change="rerun")
    for tab, name in zip(tabs, TABS, strict=True):
        if tab.open:
            with tab:
                _panel(name, seen)
    st.caption(
        f"{seen.dead.sum()} of {len(seen.latent_kl)} latents are dead: they say less than {DEAD:g} nats of "
        f"the image. All latents together cost {seen.latent_kl.sum():.1f} nats of KL; the class of an image "
        f"has {seen.class_entropy:.2f}."
    )
    neighbours(choice, whole)


def _panel(name: str, seen: Portrait) -> None:
    categories = seen.usage.shape[1]
    if name == "Latents":
        best = int(seen.class_information.argmax())
        figure(
            information_figure(
                seen.latent_kl, seen.image_information, seen.class_information, most=log(categories)
            ),
            key="code_information",
            alt=f"KL and information about the class of each latent. Latent {best + 1} says the most of the "
            f"class, {seen.class_information[best]:.2f} nats.",
        )
    elif name == "Classes":
        names = list(map(str, range(len(seen.class_shares))))
        figure(
            classes_figure(seen.class_divergence, names), key="code_classes",
            alt="How much each latent says when the class is known: classes by latents, in nats.",
        )  # fmt: skip
    else:
        figure(
            usage_figure(seen.usage), key="code_usage",
            alt="Mean probability of each category of each latent over the test images.",
        )  # fmt: skip


def neighbours(choice: Choice, whole: Whole) -> None:
    """Test images near this one: by code, and by pixels."""
    code = best_code(choice.model, choice.image.unsqueeze(0))[0]
    alive = torch.from_numpy(~whole.portrait.dead)
    # One more than is shown, for a test image is its own nearest.
    count = NEAREST + (choice.index is not None)
    near_code = nearest_in_code(whole.codes[:, alive], code[alive], count)
    near_pixels = nearest_in_pixels(choice.images.pixels, choice.image, count)
    for title, near in {"by code": near_code, "by pixels": near_pixels}.items():
        kept = [
            (index, distance)
            for index, distance in zip(near.indices.tolist(), near.distances.tolist(), strict=True)
            if index != choice.index
        ][:NEAREST]
        indices = [index for index, _ in kept]
        unit = "latents" if title == "by code" else "in Euclid's distance"
        st.caption(
            f"Nearest {title}, {kept[0][1]:.3g} to {kept[-1][1]:.3g} {unit} away{_same(choice, indices)}"
        )
        pictures(
            choice.images.pixels[indices], choice, columns=NEAREST, key=f"code_near_{title}",
            alt=f"The {NEAREST} nearest test images {title}.",
        )  # fmt: skip


def _same(choice: Choice, indices: Sequence[int]) -> str:
    if choice.label is None:
        return "."
    same = sum(int(choice.images.labels[index]) == choice.label for index in indices)
    return f": {same} of {len(indices)} are of its class, {choice.label}."


@st.fragment
def side_by_side(choice: Choice, there: dict[str, Saved]) -> None:
    """The same image through another model."""
    st.markdown("#### Two models, one image")
    others = [name for name in there if name != choice.title]
    title = st.selectbox("The other model", others, key="code_other", width=220)
    if title is None:
        return
    saved = there[title]
    config = saved.state.config
    shape = images_of(config.dataset, config.pixels).shape
    model = model_of(saved)
    theirs = choice.image if shape == choice.images.shape else other_format(choice.image, choice.images.shape)
    for column, (name, net, image, size) in zip(
        st.columns(2, gap="large"),
        [(choice.title, choice.model, choice.image, choice.images.shape), (title, model, theirs, shape)],
        strict=True,
    ):
        code = best_code(net, image.unsqueeze(0))[0]
        loss = loss_of(net, image, code)
        drawn = drawn_code(net, image.expand(6, -1), generator=torch.Generator().manual_seed(0))
        with column:
            st.caption(
                f"**{plain(name)}**: the image, the picture of its most probable code "
                f"({loss.terms.reconstruction:.1f} + {loss.terms.kl:.1f} nats), six samples."
            )
            row = torch.cat([image[None], pictures_of(net, torch.cat([code[None], drawn]))])
            sheet(as_bytes(row), size, columns=8, key=f"code_side_{name}", alt=f"{name}: image and pictures.")
    if shape != choice.images.shape:
        st.caption("The image was turned into the other's format: losses of different pixels do not compare.")


def whole_of(saved: Saved) -> Whole:
    config = saved.state.config
    return _whole(_digest(saved), images_of(config.dataset, config.pixels).stand_in, saved)


# Known by its weights: another visitor's run may have the same title.
@st.cache_resource(max_entries=6, show_spinner=False)
def _whole(digest: str, stand_in: bool, _saved: Saved) -> Whole:
    config = _saved.state.config
    images, model = images_of(config.dataset, config.pixels), model_of(_saved)
    codes = torch.cat([best_code(model, batch) for batch in images.pixels.split(1_000)])
    return Whole(portrait(model, images.pixels, images.labels), codes)


def _digest(saved: Saved) -> str:
    digest = hashlib.sha256()
    for tensor in saved.state.model.values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def _more(name: str) -> None:
    st.session_state[name] += 1
