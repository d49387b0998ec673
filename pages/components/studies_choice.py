"""Which study, and where in it one looks: an estimator, a loss, a temperature. All of it is in the link."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

import streamlit as st

from gumbel_core.estimators import ESTIMATORS
from gumbel_core.studies.findings import HARD, TEST, Loss
from gumbel_core.studies.grid import Study
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.recipes import RECIPES
from pages.components.link import FIELDS, STUDY_LOSSES
from pages.components.studies_shelf import YOURS, Shelved
from pages.components.words import plain

# What is settled before the fields stand: a link may ask in vain, for it hangs on the studies that there are,
# and a field may stand below what it moves.
ASKED = ("study", "study_estimator", "study_tau", "study_loss")


@dataclass(frozen=True)
class Place:
    """Where in a study one looks. The estimator is None where the study leaves it to its recipe."""

    study: Study
    estimator: str | None
    tau: float
    tested: bool  # whether the hard losses are the test set's

    @property
    def title(self) -> str:
        return title_of(self.study, self.estimator)

    @property
    def relaxed(self) -> bool:
        return is_relaxed(self.study, self.estimator)

    @property
    def loss(self) -> str:
        return "hard loss of the test set" if self.tested else "hard loss"

    @property
    def hard(self) -> Loss:
        """The hard loss that the pictures show."""
        return TEST if self.tested else HARD


def title_of(study: Study, estimator: str | None) -> str:
    return ESTIMATORS[_surrogate(study, estimator)].title


def is_relaxed(study: Study, estimator: str | None) -> bool:
    """Whether its samples are soft, so that a hard one costs something else."""
    return not SURROGATES[_surrogate(study, estimator)].hard


def _surrogate(study: Study, estimator: str | None) -> str:
    """A temperature that is held leaves no room for a recipe's finish: its first estimator is all of it."""
    return estimator or RECIPES[study.recipes[0]].config.surrogate


def estimators(study: Study) -> dict[str, str | None]:
    """By title, in the order of the grid."""
    return {title_of(study, name): name for name in study.estimators or (None,)}


def temperatures(study: Study) -> list[float]:
    return sorted(map(float, study.temperatures))


def settled(there: Mapping[str, Shelved], owner: str) -> Shelved:
    """The study that is looked at, with the choices below set to what it has.

    What the link asks for in vain is told. This is done before the fields exist, for they drop in silence
    what they do not have.
    """
    state, asked = st.session_state, _asked(owner)
    titles = list(there)
    if "study" in asked and asked["study"] not in titles:
        _say_not_taken(
            "study", asked["study"], "A study that was started on this page is there for its owner alone.",
            _first(titles),
        )  # fmt: skip
    _settle("study", asked.get("study"), titles, _first(titles))
    chosen = there[state.study]
    study = chosen.results.study
    titled = [*estimators(study)]
    if _is_sound("study_estimator", asked) and asked["study_estimator"] not in titled:
        _say_not_taken(
            "study_estimator", asked["study_estimator"], f"This study has {', '.join(titled)}.", titled[0]
        )
    _settle("study_estimator", asked.get("study_estimator"), titled, _usual("study_estimator", titled))
    _settle_tau(asked, temperatures(study))
    _settle("study_loss", asked.get("study_loss"), STUDY_LOSSES, STUDY_LOSSES[0])
    return chosen


def study_input(titles: Sequence[str]) -> None:
    """One of the studies that there are."""
    st.selectbox("Study", titles, titles.index(_first(titles)), key="study", bind="query-params", width=250)


def estimator_input(study: Study) -> None:
    """One of the study's estimators; nothing to choose where it has but one."""
    titled = [*estimators(study)]
    if len(titled) > 1:
        st.segmented_control(
            "Estimator", titled, default=_usual("study_estimator", titled), required=True,
            key="study_estimator", bind="query-params", wrap=True, label_visibility="collapsed",
        )  # fmt: skip


def loss_input() -> None:
    st.segmented_control(
        "Hard loss of the", STUDY_LOSSES, default=STUDY_LOSSES[0], required=True, key="study_loss",
        bind="query-params", label_visibility="collapsed",
    )  # fmt: skip


def tau_input(study: Study) -> None:
    """One of the study's temperatures; nothing to choose where it has but one."""
    taus = temperatures(study)
    if len(taus) > 1:
        st.select_slider(
            "Temperature τ", taus, _nearest(FIELDS["study_tau"].default, taus), key="study_tau",
            bind="query-params",
        )  # fmt: skip


def place_now(study: Study) -> Place:
    """What the fields say. Where there is nothing to choose there is no field."""
    state, named, taus = st.session_state, estimators(study), temperatures(study)
    estimator = named[state.study_estimator] if len(named) > 1 else next(iter(named.values()))
    tau = float(state.study_tau) if len(taus) > 1 else taus[0]
    return Place(study, estimator, tau, state.study_loss == STUDY_LOSSES[1])


def _first(titles: Sequence[str]) -> str:
    """The one that ships; else whatever there is, the owner's last."""
    default = FIELDS["study"].default
    others = [title for title in titles if title != YOURS]
    return default if default in titles else [*others, *titles][0]


def _usual(name: str, options: Sequence[str]) -> str:
    default: str = FIELDS[name].default
    return default if default in options else options[0]


def _asked(owner: str) -> dict[str, str]:
    """What the link asks for of `ASKED`, until the visitor moves on: then nothing.

    A browser tells whose it is on a session's second run: the link is read again, for the owner's study is
    here by then.
    """
    state = st.session_state
    if "_study_link" not in state:
        query = st.query_params.to_dict()
        state["_study_link"] = {name: query[name] for name in ASKED if name in query and name not in state}
    elif state["_study_owner"] == owner:
        return {}
    state["_study_owner"] = owner
    asked: dict[str, str] = state["_study_link"]
    return asked


def _is_sound(name: str, asked: Mapping[str, str]) -> bool:
    """Whether the field could take what is asked. The frame tells of what it refuses."""
    try:
        FIELDS[name].check(asked[name])
    except (KeyError, ValueError):
        return False
    return True


def _settle(name: str, asked: str | None, options: Sequence[str], otherwise: str) -> None:
    state = st.session_state
    if asked in options:
        state[name] = asked
    elif state.get(name) not in options:
        state[name] = otherwise


def _settle_tau(asked: Mapping[str, str], taus: Sequence[float]) -> None:
    """The measured temperature that is nearest to what is asked, or to what another study has left here."""
    state = st.session_state
    wanted = float(state.get("study_tau", FIELDS["study_tau"].default))
    if _is_sound("study_tau", asked):
        wanted = float(asked["study_tau"])
        if wanted not in taus:
            reason = f"This study has {', '.join(f'{tau:g}' for tau in taus)}."
            _say_not_taken("study_tau", asked["study_tau"], reason, f"{_nearest(wanted, taus):g}")
    state.study_tau = _nearest(wanted, taus)


def _nearest(wanted: float, taus: Sequence[float]) -> float:
    """By ratio, as the pictures have it."""
    return min(taus, key=lambda tau: abs(log(tau / wanted)))


def _say_not_taken(name: str, raw: str, reason: str, shown: str) -> None:
    st.warning(
        f"The link's {name} = {plain(raw[:40])} is not taken. {plain(reason)} Shown instead: {plain(shown)}.",
        icon=":material/link_off:",
    )
