"""Studies: many runs over the temperature, and what it does to the relaxed loss and to the hard one."""

import streamlit as st

from gumbel_core.figures.studies import curves_figure, gap_figure, losses_figure
from gumbel_core.studies.grid import Study
from gumbel_core.studies.results import Results
from gumbel_core.vae.settings import setting_of
from pages.components import studies_math as in_numbers
from pages.components import studies_words as words
from pages.components.code import show_code
from pages.components.figure import figure
from pages.components.live_runs import runs, watch
from pages.components.owner import this_owner
from pages.components.sticky import sticky
from pages.components.studies_choice import (
    Place,
    estimator_input,
    loss_input,
    place_now,
    settled,
    study_input,
    tau_input,
)
from pages.components.studies_form import standing, study_form
from pages.components.studies_runs import runs_box
from pages.components.studies_shelf import YOURS, Shelved, shelf
from pages.components.words import plain, question

# Seconds between two looks at a study that goes on.
TICK = 1.0


def opening() -> None:
    st.title("What the temperature does")
    st.markdown(
        "Try other temperatures, a notebook says, and see how the relaxed objective parts from the true one. "
        "Here it was tried: a run for each temperature, estimator and seed."
    )


def is_shown_moving(owner: str) -> bool:
    live = runs().study(owner)
    return st.session_state.get("study") == YOURS and live is not None and not live.phase.ended


def view(owner: str, ticking: bool) -> None:
    """The study that is chosen, as far as it has come."""
    watch()
    there = shelf(owner)
    if not there:
        study_form(owner)
        st.info("There is no study here yet.", icon=":material/science:")
        return
    shelved = settled(there, owner)
    if shelved.moves != ticking:
        # Whether the clock ticks is the whole page's.
        st.rerun()
    results = shelved.results
    with st.container(horizontal=True, vertical_alignment="bottom"):
        study_input([*there])
        study_form(owner)
        estimator_input(results.study)
    if shelved.live:
        standing(shelved.live)
    with sticky("study_bar"):
        tau_input(results.study)
    lesson(owner, shelved, results)


def lesson(owner: str, shelved: Shelved, results: Results) -> None:
    place = place_now(results.study)
    losses(place, results)
    answer(shelved.title, place, results)
    gap(place, results)
    learning(place, results)
    runs_box(owner, shelved, results, place)
    show_code(in_numbers.snippet(place))


def losses(place: Place, results: Results) -> None:
    figure(
        losses_figure(in_numbers.loss_lines(place, results), place.tau),
        key="study_losses",
        alt=in_numbers.losses_alt(place, results),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(caption(place, results))
        loss_input()


def caption(place: Place, results: Results) -> str:
    """What a dot is, and which runs have none."""
    study = place.study
    when = "after the last epoch, on the test set" if place.tested else "mean over the last epoch"
    parts = [
        f"A dot is a run, {when}; a band spans the seeds. {study.recipes[0]} on {study.dataset}, "
        f"{_epochs(study)}, {_many(study.seeds, 'seed')}."
    ]
    if study.seeds > 1:
        parts.append("±: 95 % interval over the seeds.")
    if diverged := sum(run.diverged for run in results.runs):
        parts.append(f"{_many(diverged, 'run')} diverged and {'is' if diverged == 1 else 'are'} in no mean.")
    if len(study.recipes) > 1:
        parts.append(f"Its other recipes are in the table: {', '.join(study.recipes[1:])}.")
    return plain(" ".join(parts))


def answer(title: str, place: Place, results: Results) -> None:
    """A question, and then what the numbers bear."""
    if asked := words.prediction(place, results):
        # Each has a key of its own: no answer is there before its question.
        question(*asked, key=f"study_question_{title}_{place.estimator}")
    equation = in_numbers.gap_equation(place, results)
    if not equation:
        return
    left, right = st.columns([1, 1], gap="large", vertical_alignment="center")
    left.latex(equation)
    said = [words.temperature_words(place, results), words.best_words(place, results)]
    if place.tested:
        said.append(words.statistics_words(place, results))
    # An equation in a sentence stays in one line.
    right.markdown("\n\n".join(filter(None, said)).replace("τ = ", "τ\u00a0=\u00a0"))


def gap(place: Place, results: Results) -> None:
    if not place.relaxed:
        said = f"{place.title} samples hard: what it descends is the hard loss itself, without a gap."
        st.caption(f"{said} {words.decoding_words(place)}")
        return
    figure(
        gap_figure(in_numbers.gap_line(place, results), place.tau),
        key="study_gap",
        alt=in_numbers.gap_alt(place, results),
    )
    st.caption(f"Both losses are means over the last epoch. {words.decoding_words(place)}")


def learning(place: Place, results: Results) -> None:
    """The learning curves, for who asks for them."""
    box = st.expander("Learning curves", icon=":material/show_chart:", key="study_curves", on_change="rerun")
    if not box.open:
        return
    with box:
        figure(
            curves_figure(in_numbers.learning_curves(place, results)),
            key="study_learning",
            alt=in_numbers.curves_alt(place, results),
        )
        said = words.statistics_words(place, results)
        st.caption(said or f"{place.title} at τ = {place.tau:g}. Thin: a seed. Thick: their mean.")


def _epochs(study: Study) -> str:
    usual = setting_of(study.recipes[0], study.dataset).epochs
    if study.epochs < usual:
        return f"{study.epochs} of the recipe's {usual} epochs"
    return _many(study.epochs, "epoch")


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


opening()
owner = this_owner()
ticking = is_shown_moving(owner)
st.fragment(view, run_every=TICK if ticking else None)(owner, ticking)
