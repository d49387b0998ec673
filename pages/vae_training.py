"""A categorical VAE that learns while one watches: start it, stop it, move back through it."""

import streamlit as st

from gumbel_core.datasets import DATASETS
from gumbel_core.figures.vae import losses_figure
from gumbel_core.runs import Begun, Saved
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LOSSES, LiveRun, Phase, Snapshot
from gumbel_core.vae.settings import Setting
from pages.components.code import csv_text, show_code
from pages.components.figure import figure
from pages.components.live_runs import fresh, runs, watch
from pages.components.owner import this_owner
from pages.components.reel import frame_at, reel, send_reel
from pages.components.vae_checkpoints import checkpoints_box, chosen, there_are
from pages.components.vae_lesson import bound, predict, snippet
from pages.components.vae_panels import panels
from pages.components.vae_setting import setting_input
from pages.components.vae_view import comparable, losses_alt, losses_of, progress, published, title_of
from pages.components.words import plain

# Seconds between two looks at a run that moves.
TICK = 0.7
# It cannot be paused yet.
WAITING = (Phase.QUEUED, Phase.PREPARING)


def opening() -> None:
    st.title("Watch a discrete autoencoder learn")
    st.markdown(
        "An encoder describes an image by a few choices among categories; a decoder draws it again from them "
        "alone."
    )


def is_moving(begun: Begun | None) -> bool:
    return begun is not None and not begun.run.phase.ended


def view(owner: str, setting: Setting, kept: Saved | None, ticking: bool) -> None:
    """The owner's run as it is now; before there is one, the checkpoint that is chosen."""
    watch()
    begun = runs().now(owner)
    if is_moving(begun) != ticking:
        # Whether the clock ticks is the whole page's.
        st.rerun()
    acting, standing = st.columns([2, 3], gap="large", vertical_alignment="center")
    snapshot = begun.run.snapshot() if begun else None
    with acting:
        buttons(owner, setting, begun.run if begun else None, snapshot.phase if snapshot else None)
    with standing:
        if begun and snapshot:
            told(snapshot, begun.config)
            if ticking and st.session_state.get("_vae_begun", setting) != setting:
                st.caption("The fields have changed since it began: they hold for the next run.")
        # A run that has not come to a picture yet, or never will, leaves the last one where it is.
        if kept and not (snapshot and snapshot.frames):
            shown(kept)
    if begun and snapshot and snapshot.frames:
        pictures(owner, snapshot, begun.config, f"run{begun.number}")
    elif kept:
        pictures(owner, kept.snapshot, kept.state.config, kept.title)


def buttons(owner: str, setting: Setting, run: LiveRun | None, phase: Phase | None) -> None:
    """One button to move on, one to end, one to go back to the start."""
    over = phase is None or phase.ended
    with st.container(horizontal=True):
        if run is None or over:
            st.button(
                "Start", type="primary", icon=":material/play_arrow:", on_click=begin, args=(owner, setting)
            )
        elif phase == Phase.PAUSED:
            st.button("Resume", type="primary", icon=":material/play_arrow:", on_click=run.resume)
        else:
            st.button("Pause", icon=":material/pause:", on_click=run.pause, disabled=phase in WAITING)
        st.button(
            "Leave the line" if phase == Phase.QUEUED else "Stop", icon=":material/stop:",
            key="vae_stop", on_click=stop, args=(run,), disabled=over,
        )  # fmt: skip
        st.button(
            "Reset", icon=":material/restart_alt:", on_click=reset, args=(owner,), disabled=run is None,
            help="Back before the first step: the same seed starts from the same weights. The curve stays.",
        )  # fmt: skip


def begin(owner: str, setting: Setting) -> None:
    st.session_state.update(_moment=None, _vae_begun=setting, _keep_owner=True)
    config = setting.config()
    runs().begin(owner, title_of(setting), config, fresh(config))


def stop(run: LiveRun | None) -> None:
    if run:
        run.stop()


def reset(owner: str) -> None:
    st.session_state["_moment"] = None
    runs().reset(owner)


def told(snapshot: Snapshot, config: TrainConfig) -> None:
    """Where the run stands."""
    words = plain(progress(snapshot, config, runs().slots.count))
    if snapshot.phase == Phase.FAILED:
        st.error(words, icon=":material/error:")
    else:
        st.progress(snapshot.step / max(1, snapshot.steps), words)


def shown(kept: Saved) -> None:
    """What stands here before Start."""
    words = f"On show: {plain(kept.title)}."
    if kept.stand_ins:
        words += " Its images are not on this disk: in their place stand the bundled digits, enlarged."
    st.caption(words)


def pictures(owner: str, snapshot: Snapshot, config: TrainConfig, name: str) -> None:
    """Losses beside reconstructions; below them the code at the moment that the reel shows."""
    main_picture(owner, snapshot, config, name)
    panels(snapshot, frame_at(snapshot.frames, st.session_state.get("_moment")), config)
    bound(snapshot, config.pixels)


def main_picture(owner: str, snapshot: Snapshot, config: TrainConfig, name: str) -> None:
    moment = st.session_state.get("_moment")
    left, right = st.columns([4, 3], gap="large", vertical_alignment="center")
    with left:
        figure(
            losses_figure(
                losses_of(snapshot), steps=snapshot.steps, earlier=comparable(runs().earlier(owner), config),
                references=published(config), moment=moment,
            ),
            key="vae_losses",
            alt=losses_alt(snapshot),
        )  # fmt: skip
    with right:
        reel(name, snapshot.frames, DATASETS[config.dataset].shape, moment=moment)


def take_away(owner: str, setting: Setting, kept: Saved | None) -> None:
    def curves() -> str:
        """As they are when the button is pressed: a run may have gone on since the page was drawn."""
        begun = runs().now(owner)
        snapshot = begun.run.snapshot() if begun else kept and kept.snapshot
        return csv_text(LOSSES, snapshot.losses.tolist() if snapshot else [])

    st.download_button(
        "CSV", curves, "vae_losses.csv", "text/csv",
        on_click="ignore", icon=":material/download:", help="The curves that are drawn.",
    )  # fmt: skip
    show_code(snippet(setting))


opening()
setting = setting_input()
owner = this_owner()
begun = runs().now(owner)
send_reel()
checkpoints = there_are(owner, setting.dataset)
kept = chosen(checkpoints)
ticking = is_moving(begun)
st.fragment(view, run_every=TICK if ticking else None)(owner, setting, kept, ticking)
predict()
take_away(owner, setting, kept)
checkpoints_box(owner, begun, checkpoints)
