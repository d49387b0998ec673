"""Checkpoints on the training page: kept, taken along, brought, gone on from."""

import re
from collections.abc import Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError

import streamlit as st

from gumbel_core.packing import MAX_PACKED, packed, unpacked
from gumbel_core.runs import Begun, Saved
from gumbel_core.vae.past import longer
from gumbel_core.vae.settings import EPOCHS, check_live
from pages.components.live_runs import kept, on_disk, readable, resumed, runs
from pages.components.words import plain

# Seconds that a running step may take until the page gives up on it.
PATIENCE = 10.0


def there_are(owner: str, dataset: str) -> list[Saved]:
    """The owner's checkpoints, newest first, and the one that ships."""
    return [*reversed(runs().saved(owner)), *readable(dataset)]


def chosen(checkpoints: Sequence[Saved]) -> Saved | None:
    """The one that the box below names; the first, until one is chosen."""
    title = st.session_state.get("vae_checkpoint")
    named = [saved for saved in checkpoints if saved.title == title]
    return next(iter([*named, *checkpoints]), None)


def checkpoints_box(owner: str, begun: Begun | None, checkpoints: Sequence[Saved]) -> None:
    """Save, choose, download, go on, bring."""
    with st.expander("Keep a run, take it along, bring one, go on from one", icon=":material/save:"):
        st.markdown(
            "A checkpoint is two files: the weights as safetensors, and a card that says what they are. "
            "Nothing in it is ever executed. The server forgets it some minutes after you have left."
        )
        if told := st.session_state.pop("_vae_told", ""):
            st.error(told, icon=":material/edit:")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.button(
                "Save this run", icon=":material/bookmark_add:", on_click=_save, args=(owner,),
                disabled=begun is None,
            )  # fmt: skip
            if checkpoints:
                titles = [saved.title for saved in checkpoints]
                st.selectbox("Checkpoint", titles, key="vae_checkpoint", width=280)
        if saved := chosen(checkpoints):
            _take_along_or_go_on(owner, begun, saved)
        st.file_uploader(
            "Bring one: the ZIP that was downloaded here, or its two files",
            type=["zip", "json", "safetensors"],
            accept_multiple_files=True,
            # A box of files keeps what it has: each checkpoint that was taken leaves an empty one.
            key=f"vae_upload_{st.session_state.setdefault('_vae_brought', 0)}",
            on_change=_bring,
            args=(owner,),
            max_upload_size=MAX_PACKED // 2**20,
        )


def _take_along_or_go_on(owner: str, begun: Begun | None, saved: Saved) -> None:
    done, state = len(saved.state.history), saved.state
    config = state.config
    st.caption(
        f"{plain(saved.title)}: {config.model.latents} x {config.model.categories} on {config.dataset}, "
        f"{done} of {config.epochs} epochs." + (" Reset shows its pictures." if begun else "")
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.download_button(
            "Download", lambda: _packed(saved), f"{_file_name(saved.title)}.zip", "application/zip",
            icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        if done >= EPOCHS[1]:
            return
        until = st.number_input(
            "Go on until epoch", done + 1, EPOCHS[1], _next_end(done, config.epochs), 1, width=140,
            help="The schedules are stretched to the new end; a run that was done starts its moments anew.",
        )  # fmt: skip
        st.button("Go on from it", icon=":material/resume:", on_click=_go_on, args=(owner, saved, until))


def _next_end(done: int, epochs: int) -> int:
    """Where a run was to end; half as far again for one that has."""
    return epochs if done < epochs <= EPOCHS[1] else min(EPOCHS[1], done + max(1, done // 2))


def _save(owner: str) -> None:
    begun = runs().now(owner)
    if begun is None:
        return
    try:
        if not begun.run.snapshot().steps:
            raise RuntimeError("It has not begun.")
        state = begun.run.state().result(PATIENCE)
    except RuntimeError:
        st.session_state["_vae_told"] = "This run has learned nothing yet that could be saved."
        return
    except FutureTimeoutError:
        st.session_state["_vae_told"] = "This run is busy: try again in a moment."
        return
    sha256 = on_disk(begun.config.dataset, begun.config.pixels).sha256
    title = f"run {begun.number} at step {state.step:,}"
    _keep(owner, Saved(title, state, begun.run.snapshot(), sha256))


def _packed(saved: Saved) -> bytes:
    return packed(
        saved.state, dataset_sha256=saved.dataset_sha256, command=f"the training page: {saved.title}"
    )


def _file_name(title: str) -> str:
    """Letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _bring(owner: str) -> None:
    """Take what was uploaded among the owner's, or say why not. Nothing of it becomes a path."""
    state = st.session_state
    uploaded = state[f"vae_upload_{state['_vae_brought']}"] or []
    if not uploaded:
        return
    try:
        if len(uploaded) > 2 or sum(file.size for file in uploaded) > MAX_PACKED:
            raise ValueError(
                f"A checkpoint is one ZIP or two files, of at most {MAX_PACKED:,} bytes together."
            )
        checkpoint = unpacked({file.name: file.getvalue() for file in uploaded})
        check_live(checkpoint.state.config)
        run = checkpoint.state
        saved = kept(f"brought: {run.config.dataset} at step {run.step:,}", checkpoint)
    except ValueError as error:
        state["_vae_told"] = plain(str(error))
        return
    _keep(owner, saved)
    state["_vae_brought"] += 1


def _keep(owner: str, saved: Saved) -> None:
    """Among the owner's, and in the box; from now on the browser keeps the owner's token."""
    st.session_state.update(vae_checkpoint=runs().save(owner, saved), _keep_owner=True)


def _go_on(owner: str, saved: Saved, until: int) -> None:
    try:
        state = longer(saved.state, until)
        check_live(state.config)
    except ValueError as error:
        st.session_state["_vae_told"] = plain(str(error))
        return
    title = f"{saved.title}, gone on with"
    st.session_state.update(_moment=None, _keep_owner=True)
    # It has a config of its own, whatever the fields say.
    st.session_state.pop("_vae_begun", None)
    runs().begin(owner, title, state.config, resumed(state, saved.dataset_sha256))
