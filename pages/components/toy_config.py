"""The toy's controls: what defines a run, and the runs worth a look."""

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

from gumbel_core.draw import SEEDS
from gumbel_core.toy_argmax import ARRAYS, LAYERS, LEARNING_RATES, SIZES, STEPS, TEMPERATURES, ToyConfig
from pages.components.link import AS_SHUFFLED, FIELDS
from pages.components.words import Cases, plain, words_that_set

NOISELESS = "softmax"
TUTORIAL_PRINTS = "The tutorial prints 2.2, 3.5, 4.0 at this setting."
# The page's bound values that make the config, by their names there.
KEYS: Mapping[str, str] = {
    "layer": "layer",
    "n": "n",
    "temperature": "toy_tau",
    "learning_rate": "toy_rate",
    "steps": "toy_steps",
    "seed": "toy_seed",
    "arrays": "arrays",
    "target": "target",
}


def case(**changes: Any) -> dict[str, Any]:
    """A case sets the whole picture: what it does not name is the tutorial's."""
    return {key: FIELDS[key].default for key in KEYS.values()} | changes | {"step": 1}


CASES: Cases = {
    "The tutorial": case(),
    "Argmax": case(layer="argmax"),
    "The trap": case(layer=NOISELESS, target="2"),
    "A seed that fails": case(toy_seed=34),
    "Fresh arrays": case(arrays="fresh", toy_steps=40),
}


def config_input() -> ToyConfig:
    """What defines the run. A target that the array does not have is told, and left to the shuffle."""
    _leave_lost_target()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Sampling layer", list(LAYERS), default=FIELDS["layer"].default, required=True, key="layer",
            bind="query-params", wrap=True,
        )  # fmt: skip
        _number("Length n", "n", SIZES, 1, width=90)
        _number("Temperature τ", "toy_tau", TEMPERATURES, 0.05, width=130)
        _number("Seed", "toy_seed", SEEDS, 1, width=110, help=TUTORIAL_PRINTS if _is_tutorial() else None)
    with st.container(horizontal=True, vertical_alignment="center"):
        # In a container of its own the words wrap on a phone.
        with st.container(width="content"):
            words_that_set(CASES)
        st.button("Next seed", icon=":material/casino:", on_click=_next_seed)
        with st.popover("More", icon=":material/tune:"):
            _rarely_used()
        st.button(
            "Reset", icon=":material/restart_alt:", on_click=_reset, help="The tutorial's, on the same seed."
        )
    state = st.session_state
    target = None if state.target == AS_SHUFFLED else int(state.target)
    values = {field: state[key] for field, key in KEYS.items()} | {"target": target}
    try:
        config = ToyConfig(**values)
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        last_good: ToyConfig = state.get("_toy_config", ToyConfig(seed=FIELDS["toy_seed"].default))
        return last_good
    _begin_anew(config)
    return config


def _rarely_used() -> None:
    _number("Learning rate", "toy_rate", LEARNING_RATES, 0.1)
    _number("Steps", "toy_steps", STEPS, 1)
    st.segmented_control(
        "Arrays", ARRAYS, default=ARRAYS[0], required=True, key="arrays", bind="query-params",
        help="One array as in the tutorial, or a fresh shuffle each step.",
    )  # fmt: skip
    places = [AS_SHUFFLED, *map(str, range(int(st.session_state.n)))]
    st.selectbox("The maximum stands at", places, key="target", bind="query-params")


def _number(
    label: str,
    key: str,
    limits: tuple[float, float],
    step: float,
    width: int | Literal["stretch"] = "stretch",
    help: str | None = None,
) -> None:
    """A bound number field, of whole numbers if its default is one."""
    default: float = FIELDS[key].default
    whole = isinstance(default, int)
    low, high, step = (int(value) if whole else float(value) for value in (*limits, step))
    st.number_input(
        label, low, high, default, step, "%d" if whole else "%.4g", key, help,
        bind="query-params", width=width,
    )  # fmt: skip


def _is_tutorial() -> bool:
    """Whether everything but the seed stands at the tutorial's: in the state, or in the link before it."""
    state, link = st.session_state, st.query_params
    defaults = {key: FIELDS[key].default for key in KEYS.values() if key != "toy_seed"}
    return all(str(state.get(key, link.get(key, value))) == str(value) for key, value in defaults.items())


def _leave_lost_target() -> None:
    """A place means another thing in a shorter array: it is not carried over."""
    state = st.session_state
    asked = state.get("target", st.query_params.get("target", AS_SHUFFLED))
    n = int(state.get("n", FIELDS["n"].default)) if "target" in state else _linked_n()
    # Not isdigit: to it a superscript is a digit, and to int it is not.
    if asked in map(str, range(n, SIZES[1])):
        st.info(f"An array of {n} numbers has no place {asked}: its maximum stands as shuffled.")
        state["target"] = AS_SHUFFLED


def _linked_n() -> int:
    """A link's n before its widget exists."""
    default: int = FIELDS["n"].default
    try:
        FIELDS["n"].check(asked := st.query_params.get("n", str(default)))
    except ValueError:
        return default
    return int(float(asked))


def _begin_anew(config: ToyConfig) -> None:
    """A link's run stands at the link's step; a changed run at its first."""
    if st.session_state.setdefault("_toy_config", config) != config:
        st.session_state.update(_toy_config=config, step=1)


def _next_seed() -> None:
    st.session_state.toy_seed = (int(st.session_state.toy_seed) + 1) % (SEEDS[1] + 1)


def _reset() -> None:
    """The tutorial's values, with the same seed."""
    st.session_state.update(case(toy_seed=st.session_state.toy_seed))
