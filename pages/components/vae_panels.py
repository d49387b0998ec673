"""What a code is made of, at one moment of a run: a tab for each side of it."""

from collections.abc import Callable, Mapping
from math import log

import streamlit as st

from gumbel_core.datasets import DATASETS
from gumbel_core.figures.vae import terms_figure
from gumbel_core.figures.vae_code import code_figure, latents_figure, usage_figure
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.evaluation import DEAD
from gumbel_core.vae.live import Snapshot
from gumbel_core.vae.views import Frame
from pages.components.figure import figure
from pages.components.sheet import sheet
from pages.components.vae_view import losses_alt, losses_of


def panels(snapshot: Snapshot, frame: Frame, config: TrainConfig) -> None:
    """The tabs. Only the open one is drawn, and sent."""
    tabs = st.tabs(list(PANELS), key="vae_tab", on_change="rerun")
    for tab, panel in zip(tabs, PANELS.values(), strict=True):
        if tab.open:
            with tab:
                panel(snapshot, frame, config)


def _samples(_snapshot: Snapshot, frame: Frame, config: TrainConfig) -> None:
    picture, words = st.columns([3, 2], gap="large")
    with picture:
        sheet(
            frame.samples, DATASETS[config.dataset].shape, columns=8, key="vae_samples",
            alt=f"64 images decoded from codes that were drawn from the prior, at step {frame.step:,}.",
        )  # fmt: skip
    words.caption(
        f"Step {frame.step:,}. Codes drawn from the prior, always with the same noise: what changes is the "
        "model. No image went in. Where a sample looks like no digit, the codes that images get are not "
        "those that the prior draws."
    )


def _code(_snapshot: Snapshot, frame: Frame, config: TrainConfig) -> None:
    picture, words = st.columns([3, 2], gap="large")
    latents, categories = frame.code.shape
    with picture:
        figure(
            code_figure(frame.code, drawn=frame.drawn.tolist()), key="vae_code",
            alt=f"The first image's code at step {frame.step:,}: {latents} latents by {categories} "
                "categories, each row a probability over categories.",
        )  # fmt: skip
    with words:
        st.caption(
            f"Step {frame.step:,}. The first image's probabilities, a row for each latent; the square is the "
            "category that was drawn. A row that is sharp knows what it says."
        )
        for title, image in {
            "the image": frame.originals,
            "decoded from the squares": frame.hard,
        }.items():
            st.caption(title)
            sheet(
                image[:1], DATASETS[config.dataset].shape, columns=4, key=f"vae_{title}",
                alt=f"The first test image: {title}.",
            )  # fmt: skip


def _latents(_snapshot: Snapshot, frame: Frame, config: TrainConfig) -> None:
    count, categories = frame.usage.shape
    most = log(categories) if config.model.prior == "uniform" else None
    told = f"{frame.latent_kl.sum():.2f} nats in all; {frame.dead.sum()} of {count} latents are dead"
    figure(
        latents_figure(frame.latent_kl, dead=frame.dead, most=most), key="vae_latent_kl",
        alt=f"KL of each latent at step {frame.step:,}: {told}.",
    )  # fmt: skip
    st.caption(
        f"Step {frame.step:,}: {told}: they say less than {DEAD:g} nats of the image, whatever they cost."
    )


def _usage(_snapshot: Snapshot, frame: Frame, _config: TrainConfig) -> None:
    figure(
        usage_figure(frame.usage), key="vae_usage",
        alt=f"Mean probability of each category of each latent over the test images, at step {frame.step:,}.",
    )  # fmt: skip
    st.caption(
        f"Step {frame.step:,}. A mean over many test images. A row with one full cell says the same of every "
        "image; a row that is even here and sharp in each image is one that is put to use."
    )


def _terms(snapshot: Snapshot, _frame: Frame, _config: TrainConfig) -> None:
    figure(
        terms_figure(losses_of(snapshot), steps=snapshot.steps), key="vae_terms",
        alt=f"Reconstruction loss and KL against steps. {losses_alt(snapshot)}",
    )  # fmt: skip
    st.caption("The two terms of the loss. Both samples share one KL: it is of the probabilities alone.")


PANELS: Mapping[str, Callable[[Snapshot, Frame, TrainConfig], None]] = {
    "Samples": _samples,
    "A code": _code,
    "Latents": _latents,
    "Usage": _usage,
    "Two terms": _terms,
}
