"""A study of one's own: what is asked for, what it costs, and its start and end."""

import streamlit as st

from gumbel_core.datasets import DATASETS
from gumbel_core.estimators import ESTIMATORS
from gumbel_core.logits import parse_numbers
from gumbel_core.studies import grid
from gumbel_core.studies.grid import Study, config_of
from gumbel_core.studies.live import LiveStudy, StudySnapshot, check_live_study
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae import settings
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import Phase
from gumbel_core.vae.recipes import RECIPES
from gumbel_core.vae.settings import steps_of
from gumbel_core.vae.training import Training
from pages.components.link import FIELDS, TRAINED
from pages.components.live_runs import fresh, runs
from pages.components.studies_choice import title_of
from pages.components.studies_shelf import YOURS
from pages.components.vae_view import in_line
from pages.components.words import plain

NAMES = {ESTIMATORS[name].title: name for name in SURROGATES}


def study_form(owner: str) -> None:
    """Starts a study in the place of the owner's last one. What is refused is told, and nothing is lost."""
    with st.popover("Try your own", icon=":material/science:", key="st_open", on_change="rerun"):
        # What it comes to stands above what is asked for: below, a phone's popover would hide it.
        above = st.container()
        _fields()
        with above:
            _start(owner, _study())


def _start(owner: str, study: Study | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Start", type="primary", icon=":material/play_arrow:", key="st_start", on_click=_begin,
            args=(owner, study), disabled=study is None,
        )  # fmt: skip
        if study:
            last = " It takes your last one's place." if runs().study(owner) else ""
            st.caption(_cost(study) + last)


def standing(live: LiveStudy) -> None:
    """How far the owner's study is, with a button to end it."""
    snapshot = live.snapshot()
    words = plain(progress(snapshot, live.study, runs().slots.count))
    if snapshot.phase == Phase.FAILED:
        st.error(words, icon=":material/error:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(1.0, snapshot.done), words)
        if not snapshot.phase.ended:
            label = "Leave the line" if snapshot.phase == Phase.QUEUED else "Stop"
            st.button(label, icon=":material/stop:", key="study_stop", on_click=live.stop)


def progress(snapshot: StudySnapshot, study: Study, at_once: int) -> str:
    """Where a study stands, in a sentence."""
    over, total = len(snapshot.runs), len(study)
    match snapshot.phase:
        case Phase.QUEUED:
            return in_line("The next of this study", snapshot.place, at_once)
        case Phase.STOPPED:
            return f"Stopped after {over} of {total} runs."
        case Phase.ABANDONED:
            return f"Ended after {over} of {total} runs, because nobody watched it any more."
        case Phase.FAILED:
            return snapshot.message
        case Phase.DONE:
            return f"Done: {total} runs."
    key = snapshot.current
    if key is None:
        return "It begins."
    return (
        f"Run {over + 1} of {total}: {title_of(study, key.estimator)}, τ = {key.temperature:g}, "
        f"seed {key.seed}."
    )


def _fields() -> None:
    with st.container(horizontal=True):
        _one_of("Images", "st_data", list(DATASETS))
        _one_of("Recipe", "st_recipe", list(RECIPES))
    st.text_input(
        "Temperatures", FIELDS["st_taus"].default, 200, key="st_taus", bind="query-params",
        help="Each is held from the first step to the last.",
    )  # fmt: skip
    st.pills(
        "Estimators", TRAINED, selection_mode="multi", default=FIELDS["st_estimators"].default,
        key="st_estimators", bind="query-params",
    )  # fmt: skip
    with st.container(horizontal=True):
        _whole("Seeds", "st_seeds", grid.SEEDS)
        _whole("Epochs", "st_epochs", settings.EPOCHS)


def _one_of(label: str, key: str, options: list[str]) -> None:
    at = options.index(FIELDS[key].default)
    st.selectbox(label, options, at, key=key, bind="query-params", width=150)


def _whole(label: str, key: str, limits: tuple[int, int]) -> None:
    st.number_input(label, *limits, FIELDS[key].default, 1, key=key, bind="query-params", width=150)


def _study() -> Study | None:
    """What the fields say. What a visitor may not ask is told."""
    state = st.session_state
    try:
        estimators = tuple(NAMES[title] for title in state.st_estimators)
        if not estimators:
            raise ValueError("Choose an estimator: a study holds at least one against the temperature.")
        study = Study(
            YOURS, state.st_data, (state.st_recipe,), estimators, parse_numbers(state.st_taus),
            int(state.st_seeds), int(state.st_epochs),
        )  # fmt: skip
        check_live_study(study)
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        return None
    return study


def _cost(study: Study) -> str:
    steps = steps_of(config_of(study, study.keys[0]))
    many = "1 run" if len(study) == 1 else f"{len(study)} runs"
    return f"{many} of {steps:,} steps."


def _begin(owner: str, study: Study) -> None:
    st.session_state.update(study=YOURS, st_open=False, _keep_owner=True)
    runs().begin_study(owner, study, _training)


def _training(config: TrainConfig) -> Training:
    return fresh(config)()
