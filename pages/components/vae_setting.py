"""The training page's controls: what defines the next run, and the runs worth a look."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import streamlit as st

from gumbel_core.datasets import DATASETS
from gumbel_core.draw import SEEDS
from gumbel_core.figures.vae import schedule_figure
from gumbel_core.vae import settings
from gumbel_core.vae.recipes import RECIPES
from gumbel_core.vae.settings import HAS_END, HAS_FALL, Setting, scheduled, setting_of
from pages.components.figure import figure
from pages.components.link import FIELDS
from pages.components.words import plain, words_that_set

# The page's bound values that make the setting, by their names there.
KEYS: Mapping[str, str] = {
    "dataset": "vae_data",
    "recipe": "vae_recipe",
    "latents": "vae_latents",
    "categories": "vae_categories",
    "way": "vae_way",
    "schedule": "vae_schedule",
    "start": "vae_tau",
    "end": "vae_tau_end",
    "fall": "vae_tau_fall",
    "learning_rate": "vae_rate",
    "batch": "vae_batch",
    "epochs": "vae_epochs",
    "seed": "vae_seed",
}
WATCH: Mapping[str, str] = {
    "dataset": "The digits come with the app. MNIST is read from the server's disk, or downloaded once.",
    "recipe": "The network, its prior and its pixels; choosing one sets all other fields too.",
    "latents": "Independent choices that describe an image. Watch how many of them carry nothing.",
    "categories": "Options of each choice. Watch the bound on its KL: log K nats.",
    "way": "How a gradient passes the sample. Watch the gap: only a relaxed way has one.",
    "schedule": "How the temperature moves over the run. Watch the gap close as it falls.",
    "start": "Large: smooth and far from one-hot. Small: nearly one-hot, with wild gradients.",
    "end": "Where the fall ends, or its floor.",
    "fall": "The rate r of e^(-rt), per step. The paper took 1e-5 and 1e-4.",
    "learning_rate": "Constant, or the peak of the recipe's cycle. Watch the first hundred steps.",
    "batch": "Images a step. Watch the curves get smoother, and steps fewer.",
    "epochs": "Passes over the images; the schedules stretch with them.",
    "seed": "Of the weights, the order and all noise. The same seed repeats a run to the last bit.",
}


@dataclass(frozen=True)
class Case:
    """A run worth a look: what it changes of a recipe, and what to see in it."""

    recipe: str
    changes: Mapping[str, Any]
    sentence: str


# One temperature throughout, for the cases that show what a temperature does.
HELD: dict[str, Any] = {"way": "gumbel_softmax", "schedule": "constant"}
CASES: Mapping[str, Case] = {
    "small: good": Case(
        "small", {},
        "A third of the run is relaxed, and the hard loss stands above the relaxed one. Then ReinMax takes "
        "over, whose sample is hard: the gap is gone.",
    ),
    "best: good": Case(
        "best", {},
        "The tutorials' network with batch normalisation and one cycle of a high learning rate. On MNIST it "
        "ends far below the notebook. Watch the gap close where ReinMax takes over.",
    ),
    "guide: tutorial": Case(
        "guide", {},
        "Its temperature starts anew with every epoch, so its floor is never reached, and its encoder ends "
        "in a ReLU. Look for the gap at the end.",
    ),
    "notebook: tutorial": Case(
        "notebook", {},
        "Temperature 1 throughout: the relaxed loss that such a run reports stays below the hard one to its "
        "end.",
    ),
    "τ large: bad": Case(
        "small", HELD | {"start": 10.0},
        "The lowest relaxed loss of all these runs, and the highest hard one: a soft code tells what no "
        "category can. The test loss is higher still, for the normalisation learned from soft codes alone.",
    ),
    "τ small: bad": Case(
        "small", HELD | {"start": 0.01},
        "No gap, for its samples are one-hot all but exactly. But many gradients are 0 in single precision "
        "and the others are wild: it ends higher than a run whose τ falls.",
    ),
    "one latent: bad": Case(
        "small", {"latents": 1, "categories": 10},
        "Ten codes, ten pictures: the 64 samples repeat them. One choice carries at most log 10 = 2.3 nats. "
        "The coarse digits hardly mind; look at MNIST's.",
    ),
    "binary: good": Case(
        "binary", {},
        "Sixty choices between two: a binary autoencoder. Most of them carry nothing on the digits.",
    ),
}  # fmt: skip


def setting_input() -> Setting:
    """The next run's setting. What is refused is told, and the last good one stays."""
    state = st.session_state
    dataset = state.get("vae_data", st.query_params.get("vae_data", Setting.dataset))
    dataset = dataset if dataset in DATASETS else Setting.dataset
    words_that_set({title: values(case_setting(case, dataset)) for title, case in CASES.items()})
    said = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _one_of("Images", "dataset", list(DATASETS), 150, on_change=_take_passes)
        _one_of("Recipe", "recipe", list(RECIPES), 130, on_change=_take_recipe)
        _number("Latents N", "latents", settings.LATENTS, 1)
        _number("Categories K", "categories", settings.CATEGORIES, 1)
        _number("Epochs", "epochs", settings.EPOCHS, 10)
        more = st.popover("More", icon=":material/tune:")
        with more:
            _rarely_used()
    try:
        setting = Setting(**{field: state[key] for field, key in KEYS.items()})
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        last_good: Setting = state.get("_vae_setting", Setting())
        return last_good
    said.caption(_sentence(setting))
    with more:
        figure(
            schedule_figure(*scheduled(setting)), key="vae_ahead",
            alt=f"The temperature ({setting.schedule}) and the learning rate over the run ahead.",
        )  # fmt: skip
    state["_vae_setting"] = setting
    return setting


def values(setting: Setting) -> dict[str, Any]:
    """A setting as the page's bound values."""
    return {key: getattr(setting, field) for field, key in KEYS.items()}


def case_setting(case: Case, dataset: str) -> Setting:
    """The case on this data set."""
    return replace(setting_of(case.recipe, dataset), **case.changes)


def _sentence(setting: Setting) -> str:
    """Of the case that the setting is, whatever its seed; else of its recipe."""
    for case in CASES.values():
        if replace(case_setting(case, setting.dataset), seed=setting.seed) == setting:
            return case.sentence
    return RECIPES[setting.recipe].sentence


def _rarely_used() -> None:
    schedule = st.session_state.get("vae_schedule", FIELDS["vae_schedule"].default)
    _one_of("Gradient", "way", list(settings.WAYS))
    _one_of("Schedule of τ", "schedule", list(settings.TEMPERATURE_SCHEDULES))
    with st.container(horizontal=True):
        _number("τ at the start", "start", settings.TEMPERATURES, 0.1)
        _number("τ at the end", "end", settings.TEMPERATURES, 0.1, disabled=schedule not in HAS_END)
        _number("Fall of τ", "fall", settings.FALLS, 1e-5, disabled=schedule not in HAS_FALL)
    with st.container(horizontal=True):
        _number("Learning rate", "learning_rate", settings.RATES, 1e-3)
        _number("Batch", "batch", settings.BATCHES, 10)
        _number("Seed", "seed", SEEDS, 1)


def _one_of(
    label: str,
    field: str,
    options: list[str],
    width: int | Literal["stretch"] = "stretch",
    on_change: Any = None,
) -> None:
    key = KEYS[field]
    st.selectbox(
        label, options, options.index(FIELDS[key].default), key=key, help=WATCH[field], on_change=on_change,
        bind="query-params", width=width,
    )  # fmt: skip


def _number(
    label: str, field: str, limits: tuple[float, float], step: float, *, disabled: bool = False
) -> None:
    """A bound number field, of whole numbers if its default is one."""
    key = KEYS[field]
    default: float = FIELDS[key].default
    whole = isinstance(default, int)
    low, high, step = (int(value) if whole else float(value) for value in (*limits, step))
    st.number_input(
        label, low, high, default, step, "%d" if whole else "%.4g", key, WATCH[field],
        bind="query-params", width=125, disabled=disabled,
    )  # fmt: skip


def _take_recipe() -> None:
    """All that the recipe says, on the data set that is chosen."""
    state = st.session_state
    state.update(values(setting_of(state.vae_recipe, state.vae_data)))


def _take_passes() -> None:
    """Batch and epochs of the recipe on the data set that is chosen now; the rest stays as it is."""
    state = st.session_state
    recipe = setting_of(state.vae_recipe, state.vae_data)
    state.update(vae_batch=recipe.batch, vae_epochs=recipe.epochs)
