"""Where pages and live runs meet: the server's one registry, this session's lease, and what ships.

Runs belong to an owner's token (`pages.components.owner`), not to a session: a reload of the tab is a new
session of the same owner.
"""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st
from torch import Tensor

from gumbel_core.checkpoints import Checkpoint, CheckpointError
from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.datasets import (
    DATASETS,
    DataError,
    Dataset,
    enlarged,
    load,
    test_images,
    test_labels,
    unit,
    with_pixels,
)
from gumbel_core.machine import cores
from gumbel_core.runs import Runs, Saved
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LOOKED_AT
from gumbel_core.vae.past import snapshot_of
from gumbel_core.vae.sharing import GRACE, Lease, Slots
from gumbel_core.vae.training import Training, TrainingState
from pages.components.words import plain

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
# A data set without weights that ship shows those of its format.
SHIPPED = {"digits": "digits"}
OTHERWISE = "mnist"

log = logging.getLogger(__name__)


@cache
def runs() -> Runs:
    """Everybody's runs on this server.

    The environment says how many train at once (GUMBEL_LIVE_RUNS, else one a core), and for how many seconds
    a run goes on unwatched (GUMBEL_LIVE_GRACE).
    """
    slots = Slots(_said("GUMBEL_LIVE_RUNS", cores()))
    return Runs(slots, grace=_said("GUMBEL_LIVE_GRACE", round(GRACE)))


def _said(name: str, otherwise: int) -> int:
    """A whole number above 0 from the environment; a word in the log about anything else."""
    said = os.environ.get(name, "")
    if said.isascii() and said.isdigit() and int(said):
        return int(said)
    if said:
        log.warning("%s must be a whole number above 0: %d is taken.", name, otherwise)
    return otherwise


@st.cache_resource(scope="session", on_release=Lease.let_go, show_spinner=False)
def _held(owner: str) -> Lease:
    return runs().watch(owner)


def watch() -> None:
    """As long as this session is connected, on whatever page, its owner's run goes on."""
    if owner := st.session_state.get("_owner"):
        _held(owner)


def keep_watching() -> None:
    """`watch` now, and every now and then where there is anything to watch over.

    A network drop ends the lease, and a browser that is connected again has no script run for it.
    """
    owner = st.session_state.get("_owner")
    has_any = owner is not None and runs().has_any(owner)
    st.fragment(watch, run_every=runs().grace / 4 if has_any else None)()


# Not Streamlit's cache, which is for scripts: a run's thread asks for its data set.
@cache
def on_disk(name: str, pixels: str) -> Dataset:
    """A data set in memory, once for all runs. Raises DataError where it is not on the disk."""
    return with_pixels(load(name), pixels)


def load_or_download(name: str, pixels: str) -> Dataset:
    """A data set, downloaded where it is not on the disk. Raises DataError."""
    try:
        return on_disk(name, pixels)
    except DataError:
        load(name, download=True)
        return on_disk(name, pixels)


def fresh(config: TrainConfig) -> Callable[[], Training]:
    """How a run's thread makes its training."""
    return lambda: Training(config, load_or_download(config.dataset, config.pixels))


def resumed(state: TrainingState, dataset_sha256: str) -> Callable[[], Training]:
    """How a run's thread takes a kept run up again."""

    def make() -> Training:
        dataset = load_or_download(state.config.dataset, state.config.pixels)
        if dataset.sha256 != dataset_sha256:
            raise ValueError(f"This run learned from other images than the {dataset.name} that are here.")
        return Training.resume(state, dataset)

    return make


def shipped(dataset: str) -> Saved:
    """The weights that ship for a data set. Raises CheckpointError."""
    name = SHIPPED.get(dataset, OTHERWISE)
    return _shipped(name, has_images(name))


def readable(*datasets: str) -> list[Saved]:
    """The weights that ship for these data sets. What cannot be read is told, and left out."""
    found = []
    for dataset in datasets:
        try:
            found.append(shipped(dataset))
        except CheckpointError as error:
            st.error(
                f"The weights that ship cannot be read. {plain(str(error))}", icon=":material/broken_image:"
            )
    return found


# Anew, once its images have come.
@st.cache_resource(show_spinner=False)
def _shipped(name: str, has_images: bool) -> Saved:
    return kept(f"shipped: {name}", load_checkpoint(CHECKPOINTS / name))


def kept(title: str, checkpoint: Checkpoint) -> Saved:
    """A checkpoint to look at and to go on from."""
    state = checkpoint.state
    snapshot = snapshot_of(state, checkpoint.model(), looked_at(state.config))
    return Saved(title, state, snapshot, checkpoint.dataset_sha256, not has_images(state.config.dataset))


def looked_at(config: TrainConfig) -> Tensor:
    """The test images that a kept run is shown by."""
    return images_of(config.dataset, config.pixels).pixels[:LOOKED_AT]


@dataclass(frozen=True)
class Images:
    """What a model is shown: test images (M, D) in [0, 1] with their classes (M,)."""

    pixels: Tensor
    labels: Tensor
    shape: tuple[int, int]
    stand_in: bool  # the bundled digits, for images that are not on this disk


def images_of(dataset: str, pixels: str) -> Images:
    """The test set; in place of images that are not on the disk, the bundled digits in their format."""
    return _images_of(dataset, pixels, has_images(dataset))


# Anew, once the images have come. Ten thousand take 31 MB, and there are nine such sets.
@st.cache_resource(max_entries=4, show_spinner=False)
def _images_of(dataset: str, pixels: str, on_the_disk: bool) -> Images:
    shape = DATASETS[dataset].shape
    if on_the_disk:
        return Images(test_images(on_disk(dataset, pixels), pixels), test_labels(dataset), shape, False)
    return Images(unit(enlarged(load("digits").test)), test_labels("digits"), shape, True)


def has_images(name: str) -> bool:
    """Whether a data set is on the disk."""
    try:
        on_disk(name, "grey")
    except DataError:
        return False
    return True
