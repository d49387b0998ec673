"""The link: which query parameters there are, and one word about a value that could not be taken.

Widgets bound to the URL drop a value that does not fit in silence, before any code of ours runs. So the raw
query is read first, and what will be dropped is said once, in a sentence.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from gumbel_core.datasets import DATASETS
from gumbel_core.draw import check_seed, check_shown_temperature
from gumbel_core.estimators import ESTIMATORS, ZERO_TEMPERATURE_RAO
from gumbel_core.functions import FUNCTIONS
from gumbel_core.gradient_bench import RAO, VARIABLES, BenchConfig
from gumbel_core.gradient_learning import MEANS, LearningConfig, check_rate
from gumbel_core.gumbel_law import check_location, check_scale, check_uniform
from gumbel_core.logits import KINDS, MAX_CATEGORIES, PRESETS
from gumbel_core.noise_trials import WEIGHT_SUMS
from gumbel_core.structures import scenes
from gumbel_core.studies import grid
from gumbel_core.surrogates import SURROGATES
from gumbel_core.temperature import check_log_odds
from gumbel_core.toy_argmax import ARRAYS, LAYERS, SIZES, STEPS, ToyConfig
from gumbel_core.toy_shares import AGAINST
from gumbel_core.vae import settings
from gumbel_core.vae.codes import ORDERS
from gumbel_core.vae.recipes import RECIPES
from gumbel_core.vae.settings import Setting
from pages.components.words import plain

CUSTOM = "Your own"
DRAWS = (*(step * 10**power for power in range(1, 6) for step in (1, 2, 5)), 1_000_000)
FORWARDS = ("soft", "straight-through")
AS_SHUFFLED = "as shuffled"
CODES = ("a sample", "the most probable")
ESTIMATES = tuple(estimator.title for estimator in ESTIMATORS.values())
BESIDE = (*ESTIMATES, ZERO_TEMPERATURE_RAO.title)
# Those that a model is trained with, by title.
TRAINED = tuple(ESTIMATORS[name].title for name in SURROGATES)
STUDY_LOSSES = ("last epoch", "test set")


@dataclass(frozen=True)
class Field:
    """A query parameter: its default, and a check of its raw text that raises ValueError with the reason.

    One whose default is a list stands in the query once for each of its values.
    """

    default: Any
    check: Callable[[str], object]


def _temperature(raw: str) -> float:
    try:
        tau = float(raw)
    except ValueError:
        raise ValueError("The temperature must be a number.") from None
    return check_shown_temperature(tau)


def _seed(raw: str) -> int:
    try:
        seed = float(raw)
        if not seed.is_integer():
            raise ValueError
        return check_seed(int(seed))
    except (ValueError, OverflowError):
        raise ValueError("A seed is a whole number from 0 to 2,147,483,647.") from None


def _draws(raw: str) -> int:
    if raw not in map(str, DRAWS):
        raise ValueError("The number of draws is 10, 20, 50, 100 and so on, to 1,000,000.")
    return int(raw)


def _component(raw: str) -> int:
    if raw not in map(str, range(1, MAX_CATEGORIES + 1)):
        raise ValueError(f"A category's place is a whole number from 1 to {MAX_CATEGORIES}.")
    return int(raw)


def _whole(limits: tuple[int, int], name: str) -> Callable[[str], int]:
    low, high = limits

    def check(raw: str) -> int:
        # A number field cuts a fraction off.
        try:
            value = int(float(raw))
        except (ValueError, OverflowError):
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"{name} is a whole number from {low} to {high}.")
        return value

    return check


def _number(check: Callable[[float], float], name: str) -> Callable[[str], float]:
    def checked(raw: str) -> float:
        try:
            value = float(raw)
        except ValueError:
            raise ValueError(f"The {name} must be a number.") from None
        return check(value)

    return checked


def _one_of(options: tuple[str, ...]) -> Callable[[str], str]:
    def check(raw: str) -> str:
        if raw not in options:
            raise ValueError(f"It can be {', '.join(options[:-1])} or {options[-1]}.")
        return raw

    return check


def _setting(field: str, name: str) -> Callable[[str], float]:
    """A number of a training run's setting."""

    def check(value: float) -> float:
        replace(Setting(), **{field: value})  # type: ignore[arg-type]
        return value

    return _number(check, name)


def _held(tau: float) -> float:
    """A temperature of a study."""
    low, high = settings.TEMPERATURES
    if not low <= tau <= high:
        raise ValueError(f"A study's temperatures are numbers from {low:g} to {high:g}.")
    return tau


def _code_tau(tau: float) -> float:
    if not 0.1 <= tau <= 5:
        raise ValueError("The temperature here is a number from 0.1 to 5.")
    return tau


FIELDS: Mapping[str, Field] = {
    "preset": Field(next(iter(PRESETS)), _one_of((*PRESETS, CUSTOM))),
    "kind": Field("logits", _one_of(KINDS)),
    "tau": Field(1.0, _temperature),
    # With this seed the noise lets the second of the default classes win: the first draw already has a story.
    "seed": Field(11, _seed),
    "draws": Field(10_000, _draws),
    "forward": Field("soft", _one_of(FORWARDS)),
    # A text that cannot be read is told at its field.
    "edits": Field("", str),
    "corners": Field("2, 0.5, 1", str),
    "log_odds": Field(1.0, _number(check_log_odds, "log-odds")),
    "component": Field(1, _component),
    "location": Field(0.0, _number(check_location, "location")),
    "scale": Field(1.0, _number(check_scale, "scale")),
    "u": Field(0.8, _number(check_uniform, "uniform number u")),
    "weight_sum": Field(10, lambda raw: int(_one_of(tuple(map(str, WEIGHT_SUMS)))(raw))),
    "layer": Field(ToyConfig.layer, _one_of(tuple(LAYERS))),
    "n": Field(ToyConfig.n, _whole(SIZES, "The array's length")),
    "toy_tau": Field(
        ToyConfig.temperature, _number(lambda tau: ToyConfig(temperature=tau).temperature, "temperature")
    ),
    "toy_rate": Field(
        ToyConfig.learning_rate,
        _number(lambda rate: ToyConfig(learning_rate=rate).learning_rate, "learning rate"),
    ),
    "toy_steps": Field(ToyConfig.steps, _whole(STEPS, "The number of steps")),
    # This seed's three predictions are all but the tutorial's.
    "toy_seed": Field(12, _seed),
    "arrays": Field(ToyConfig.arrays, _one_of(ARRAYS)),
    "target": Field(AS_SHUFFLED, _one_of((AS_SHUFFLED, *map(str, range(SIZES[1]))))),
    "step": Field(1, _whole(STEPS, "A step")),
    "against": Field(next(iter(AGAINST)), _one_of(tuple(AGAINST))),
    "estimator": Field(ESTIMATORS["gumbel_softmax"].title, _one_of(ESTIMATES)),
    "beside": Field(ESTIMATORS["reinforce"].title, _one_of(BESIDE)),
    "f": Field(BenchConfig.function, _one_of(tuple(FUNCTIONS))),
    "f_numbers": Field("", str),
    "variables": Field(BenchConfig.variables, _whole(VARIABLES, "The number of variables")),
    "rao_draws": Field(BenchConfig.rao_draws, _whole(RAO, "Gumbel-Rao's R")),
    "means": Field(LearningConfig.means_of, lambda raw: int(_one_of(tuple(map(str, MEANS)))(raw))),
    "learn_rate": Field(LearningConfig.rate, _number(check_rate, "learning rate")),
    "subset_k": Field(scenes.SubsetConfig.k, _whole((1, MAX_CATEGORIES), "The size of a subset")),
    "matrix": Field("2, 0, 1; 0, 1, 0; 1, 0, 0.5", str),
    "tree_nodes": Field(4, _whole(scenes.NODES, "The number of nodes")),
    "tree_scores": Field("", str),
    "vae_data": Field(Setting.dataset, _one_of(tuple(DATASETS))),
    "vae_recipe": Field(Setting.recipe, _one_of(tuple(RECIPES))),
    "vae_latents": Field(Setting.latents, _whole(settings.LATENTS, "The number of latents")),
    "vae_categories": Field(Setting.categories, _whole(settings.CATEGORIES, "The number of categories")),
    "vae_way": Field(Setting.way, _one_of(settings.WAYS)),
    "vae_schedule": Field(Setting.schedule, _one_of(tuple(settings.TEMPERATURE_SCHEDULES))),
    "vae_tau": Field(Setting.start, _setting("start", "temperature")),
    "vae_tau_end": Field(Setting.end, _setting("end", "temperature")),
    "vae_tau_fall": Field(Setting.fall, _setting("fall", "temperature's fall")),
    "vae_rate": Field(Setting.learning_rate, _setting("learning_rate", "learning rate")),
    "vae_batch": Field(Setting.batch, _whole(settings.BATCHES, "A batch")),
    "vae_epochs": Field(Setting.epochs, _whole(settings.EPOCHS, "The number of epochs")),
    "vae_seed": Field(Setting.seed, _seed),
    # What is saved in a session has a title of its own: a link can only bring what ships.
    "code_model": Field("shipped: mnist", str),
    "code_image": Field(0, _whole((0, 9_999), "A test image's place")),
    "code_kind": Field(CODES[0], _one_of(CODES)),
    "code_seed": Field(0, _seed),
    "code_edits": Field("", str),
    "code_tau": Field(1.0, _number(_code_tau, "temperature")),
    "code_target": Field(1, _whole((0, 9_999), "A test image's place")),
    "code_order": Field(next(iter(ORDERS)), _one_of(tuple(ORDERS))),
    # Which of these a study has is told beside it.
    "study": Field("shipped: temperature-digits", str),
    "study_estimator": Field(ESTIMATORS["gumbel_softmax"].title, _one_of(TRAINED)),
    "study_tau": Field(1.0, _number(_held, "temperature")),
    "study_loss": Field(STUDY_LOSSES[0], _one_of(STUDY_LOSSES)),
    "st_data": Field("digits", _one_of(tuple(DATASETS))),
    "st_recipe": Field("small", _one_of(tuple(RECIPES))),
    "st_taus": Field("0.1, 0.5, 1, 5", str),
    "st_estimators": Field(
        [ESTIMATORS[name].title for name in ("gumbel_softmax", "reinmax")], _one_of(TRAINED)
    ),
    "st_seeds": Field(2, _whole(grid.SEEDS, "The number of seeds")),
    "st_epochs": Field(10, _whole(settings.EPOCHS, "The number of epochs")),
}


_FIRST = next(iter(PRESETS.values()))
# Every bound value. The texts of the distribution have no check here: their field says what cannot be read.
DEFAULTS: Mapping[str, Any] = {
    **{name: field.default for name, field in FIELDS.items()},
    "logits": _FIRST.text,
    "names": _FIRST.names,
}


def not_taken(query: Mapping[str, str]) -> list[str]:
    """A sentence for each parameter of the query that does not fit."""
    sentences = []
    for name, field in FIELDS.items():
        if name not in query:
            continue
        try:
            field.check(query[name])
        except ValueError as error:
            shown, reason = plain(query[name][:24]), plain(str(error))
            sentences.append(
                f"The link's {name} = {shown} is not taken. {reason} Shown instead: {listed(field.default)}."
            )
    return sentences


def listed(value: Any) -> str:
    """A bound value in words."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def say_what_was_not_taken() -> None:
    """On a session's first run, before any widget exists: what the link asked for and does not get."""
    state = st.session_state
    if "_not_taken" not in state:
        state["_not_taken"] = state["_to_say"] = not_taken(_single_values())
        _drop_unfit()
    for sentence in state["_to_say"]:
        st.warning(sentence, icon=":material/link_off:")
    state["_to_say"] = []


def _single_values() -> dict[str, str]:
    """The query with one value for each name: of a list's the first that does not fit, else the last one."""
    query = st.query_params
    return {name: next(filter(_unfit(name), query.get_all(name)), query[name]) for name in query}


def _unfit(name: str) -> Callable[[str], bool]:
    """Whether a list's field refuses a value."""
    return lambda raw: _is_list(name) and bool(not_taken({name: raw}))


def _is_list(name: str) -> bool:
    return name in FIELDS and isinstance(FIELDS[name].default, list)


def _drop_unfit() -> None:
    """Take what Streamlit would take amiss out of the query, and run again without it.

    It drops in silence what does not fit. But at a number too large for a float a whole-number field raises,
    and of a list it drops one value and keeps the others, where our word is of them all.
    """
    wrong = [
        name
        for name, raw in _single_values().items()
        if name in FIELDS and (_is_infinite(raw) or _unfit(name)(raw))
    ]
    for name in wrong:
        del st.query_params[name]
    if wrong:
        st.rerun()


def _is_infinite(raw: str) -> bool:
    try:
        return math.isinf(float(raw))
    except ValueError:
        return False


def keep_values() -> None:
    """Carry what the link brought to the next page: Streamlit keeps what a visitor or our code has set."""
    for name in DEFAULTS:
        if name in st.session_state:
            st.session_state[name] = st.session_state[name]


def moved() -> dict[str, list[str]]:
    """The bound values that are not at their defaults, as the URL writes them: of a list each by itself."""
    state = st.session_state
    values = {name: state[name] for name in DEFAULTS if state.get(name, DEFAULTS[name]) != DEFAULTS[name]}
    return {
        name: [*map(str, value)] if isinstance(value, list) else [str(value)]
        for name, value in values.items()
    }


def rerun_page() -> None:
    """Run the page again of its own accord. What was said of the link is said again: it is unread."""
    say_again()
    st.rerun()


def say_again() -> None:
    """Keep what was said of the link on the page: this run was nobody's wish, and it is unread."""
    st.session_state["_to_say"] = st.session_state.get("_not_taken", [])
