"""A study's runs, one by one: the table, and the way from a line of it into what that run has learned."""

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from gumbel_core.runs import Saved
from gumbel_core.studies.folder import table_csv
from gumbel_core.studies.grid import RunKey, config_of
from gumbel_core.studies.results import COLUMNS, Results, Run
from gumbel_core.vae.settings import setting_for
from pages.components.live_runs import fresh, kept, runs
from pages.components.studies_choice import Place, title_of
from pages.components.studies_shelf import Shelved
from pages.components.vae_setting import values
from pages.components.words import plain

# A title in the table -> the column of the file.
NUMBERS = {"Relaxed": "relaxed", "Hard": "hard", "Gap": "gap", "Test": "test", "Test KL": "test_kl"}


def runs_box(owner: str, shelved: Shelved, results: Results, place: Place) -> None:
    """Every run that is over, the chosen place's first; one of them to look into."""
    ordered = sorted(results.runs, key=lambda run: distance(run.key, place))
    if not ordered:
        return
    st.markdown("#### Every run")
    chosen = ordered[_table(shelved, ordered, place)]
    with st.container(horizontal=True, vertical_alignment="center"):
        if shelved.has_weights(chosen.key):
            if st.button("Open this run", icon=":material/apps:", type="primary"):
                _open(owner, shelved, chosen, place)
        elif st.button("Train this run again", icon=":material/monitoring:"):
            _train(owner, chosen, place)
        st.caption(f"{told(chosen.key, place)}. Mark a line to choose another.")
        name = f"{results.study.name}-{results.study.dataset}"
        st.download_button(
            "CSV", table_csv(results), f"{name}.csv", "text/csv", on_click="ignore", key="csv_study",
            icon=":material/download:", help="The table, a line a run.",
        )  # fmt: skip


def distance(key: RunKey, place: Place) -> tuple[bool, bool, bool]:
    """What comes first: the recipe of the pictures, the chosen estimator, the chosen temperature."""
    return (
        key.recipe != place.study.recipes[0],
        key.estimator != place.estimator,
        key.temperature != place.tau,
    )


def told(key: RunKey, place: Place) -> str:
    """A run in words. They become a checkpoint's title, by which a link asks for it."""
    recipe = f"{key.recipe}, " if len(place.study.recipes) > 1 else ""
    return f"{recipe}{title_of(place.study, key.estimator)}, τ = {key.temperature:g}, seed {key.seed}"


def _table(shelved: Shelved, ordered: Sequence[Run], place: Place) -> int:
    """The place of the line that is marked, the first of them until one is."""
    rows = pd.DataFrame([_row(shelved, run, place) for run in ordered])
    if len(place.study.recipes) == 1:
        rows = rows.drop(columns="Recipe")
    numbers = {name: st.column_config.NumberColumn(format="%.2f") for name in NUMBERS}
    if shelved.moves:
        # While lines are added, a mark would move to another run.
        st.dataframe(rows, hide_index=True, height=250, column_config=numbers)
        return 0
    # So it would where the order changes: each order has a table of its own.
    key = f"study_table_{shelved.title}_{place.estimator}_{place.tau}"
    marked = st.dataframe(
        rows, hide_index=True, height=250, column_config=numbers, key=key, on_select="rerun",
        selection_mode="single-row",
    )["selection"]["rows"]  # fmt: skip
    return marked[0] if marked and marked[0] < len(ordered) else 0


def _row(shelved: Shelved, run: Run, place: Place) -> dict[str, object]:
    key = run.key
    found = dict(zip(COLUMNS, run.row(), strict=True))
    epochs = f"{len(run.history)} epoch{'' if len(run.history) == 1 else 's'}"
    ended = f"diverged after {epochs}" if run.diverged else ""
    return {
        "Recipe": key.recipe,
        "Estimator": title_of(place.study, key.estimator),
        "τ": key.temperature,
        "Seed": key.seed,
        **{title: found[column] for title, column in NUMBERS.items()},
        "Kept": ended or ("weights" if shelved.has_weights(key) else "numbers"),
    }


def _open(owner: str, shelved: Shelved, run: Run, place: Place) -> None:
    """Put the run among the owner's checkpoints, and go where its codes are looked into."""
    try:
        title = _among_the_owners(owner, kept(told(run.key, place), shelved.checkpoint(run.key)))
    except (ValueError, RuntimeError) as error:
        st.error(plain(str(error)), icon=":material/broken_image:")
        return
    # Changes to another model's code would say nothing here.
    st.session_state.update(code_model=title, code_edits="", _keep_owner=True)
    _go_to("vae_codes.py")


def _among_the_owners(owner: str, saved: Saved) -> str:
    """Its title there. Who opens a run twice has it once."""
    for other in runs().saved(owner):
        same = (other.state.config, other.state.history) == (saved.state.config, saved.state.history)
        if same and other.title.partition(" (")[0] == saved.title:
            return other.title
    return runs().save(owner, saved)


def _train(owner: str, run: Run, place: Place) -> None:
    """The same run on the training page, whose fields say what it is."""
    try:
        setting = setting_for(run.key.recipe, config_of(place.study, run.key))
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        return
    config = setting.config()
    st.session_state.update(values(setting), _moment=None, _vae_begun=setting, _keep_owner=True)
    runs().begin(owner, told(run.key, place), config, fresh(config))
    _go_to("vae_training.py")


def _go_to(page: str) -> None:
    # Without a query of its own a switch clears the bound values, which Streamlit refuses: the frame puts
    # them back.
    st.switch_page(page, query_params={})
