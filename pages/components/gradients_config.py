"""The bench's controls: the function, the pair of estimators, and the known truths as settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from gumbel_core.estimators import ESTIMATORS, ZERO_TEMPERATURE_RAO
from gumbel_core.functions import FUNCTIONS
from gumbel_core.gradient_bench import RAO, VARIABLES, BenchConfig, quick_samples
from gumbel_core.gradient_learning import MEANS, RATES
from gumbel_core.logits import parse_numbers
from pages.components.controls import Typed, seed_input
from pages.components.link import BESIDE, ESTIMATES, FIELDS
from pages.components.words import Cases, plain

NAMES: Mapping[str, str] = {
    **{estimator.title: name for name, estimator in ESTIMATORS.items()},
    ZERO_TEMPERATURE_RAO.title: "zero_temperature_rao",
}
TITLES: Mapping[str, str] = {name: title for title, name in NAMES.items()}


def case(chosen: str, beside: str, **changes: Any) -> dict[str, Any]:
    """A case sets the pair and all that it rests on; what it does not name is as untouched."""
    keys = ("f", "f_numbers", "variables", "rao_draws", "tau")
    untouched = {key: FIELDS[key].default for key in keys}
    return untouched | {"estimator": TITLES[chosen], "beside": TITLES[beside]} | changes


CASES: Cases = {
    "Straight-through, linear f": case("straight_through", "exact", f="linear"),
    "ReinMax, quadratic f": case("reinmax", "exact", f="quadratic"),
    "ReinMax, a network": case("reinmax", "exact", f="network"),
    "ReinMax, Gumbel-Rao at τ = 0": case("reinmax", "zero_temperature_rao", f="network"),
    "Gumbel-Rao with R = 1": case("gumbel_rao", "st_gumbel_softmax", f="quadratic", rao_draws=1, tau=0.5),
    "REINFORCE": case("reinforce", "exact", f="network"),
    "Leave-one-out of 4": case("reinforce_loo", "exact", f="network"),
    "REBAR": case("rebar", "exact", f="network", tau=0.5),
    "Vanishing": case("gumbel_softmax", "exact", f="linear", tau=0.01),
}


# Where nothing good was typed before.
LAST_RESORT = BenchConfig((2.0, 0.5, -1.0)), ("A", "B", "C")


@dataclass(frozen=True)
class Bench:
    """What the pictures are about: the problem with its categories' names, and two estimators, by name.

    means_of: how many estimates a step averages
    """

    config: BenchConfig
    names: tuple[str, ...]
    chosen: str
    beside: str
    means_of: int


def bench_input(typed: Typed) -> Bench:
    """The problem, its draws and the pair. What cannot be read is told here, and the last good one stays."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _function_input()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _choice("Estimator", "estimator", ESTIMATES)
        _choice("Beside it", "beside", BESIDE)
        seed = seed_input()
    state = st.session_state
    try:
        problem = state["_bench"] = _config(typed, seed), typed.names
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        problem = state.get("_bench", LAST_RESORT)
    return Bench(*problem, NAMES[state.estimator], NAMES[state.beside], int(state.means))


def _function_input() -> None:
    st.segmented_control(
        "Function f", list(FUNCTIONS), default=FIELDS["f"].default, required=True, key="f",
        bind="query-params", wrap=True, on_change=_clear_numbers,
    )  # fmt: skip
    reads = FUNCTIONS[st.session_state.f].reads
    st.text_input(
        "Its numbers", FIELDS["f_numbers"].default, max_chars=1_000, key="f_numbers",
        bind="query-params", width="stretch", placeholder=reads or "none",
        help=f"For this f: {reads}. Empty for an example." if reads else "This f reads none.",
    )  # fmt: skip
    with st.popover("More", icon=":material/tune:"):
        _whole("Variables, each with these logits", "variables", VARIABLES)
        _whole("Gumbel-Rao's R", "rao_draws", RAO)
        st.select_slider(
            "Estimates averaged in a step, m", MEANS, FIELDS["means"].default, key="means",
            bind="query-params",
        )  # fmt: skip


def rate_input() -> float:
    """The learning rate of the runs."""
    low, high = RATES
    st.number_input(
        "Learning rate", low, high, float(FIELDS["learn_rate"].default), step=0.1, format="%.4g",
        key="learn_rate", bind="query-params", width=140, help="In units of one over the spread of f.",
    )  # fmt: skip
    return float(st.session_state.learn_rate)


def _config(typed: Typed, seed: int) -> BenchConfig:
    state = st.session_state
    text = state.f_numbers.strip()
    numbers = parse_numbers(text) if text and FUNCTIONS[state.f].reads else ()
    variables = int(state.variables)
    return BenchConfig(
        typed.logits, variables, state.f, numbers, int(state.rao_draws),
        quick_samples(variables, len(typed.logits)), seed,
    )  # fmt: skip


def _clear_numbers() -> None:
    """Another f reads other numbers."""
    st.session_state.f_numbers = ""


def _choice(label: str, key: str, options: tuple[str, ...]) -> None:
    at = options.index(FIELDS[key].default)
    st.selectbox(label, options, at, key=key, bind="query-params", width=200)


def _whole(label: str, key: str, limits: tuple[int, int]) -> None:
    st.number_input(label, *limits, FIELDS[key].default, step=1, key=key, bind="query-params")
