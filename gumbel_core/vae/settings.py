"""A run as one asks for it beside a live picture: a recipe, and the few numbers over it that matter.

    setting = setting_of("small", "digits")
    Training(setting.config(), load("digits"))

A server is shared: the limits are narrower than those of a config, which may train overnight.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from math import prod

import numpy as np

from gumbel_core.checks import check_name, check_whole
from gumbel_core.datasets import DATASETS
from gumbel_core.draw import check_seed
from gumbel_core.schedules import (
    Constant,
    Exponential,
    Geometric,
    OneCycle,
    Restarting,
    Schedule,
    Staircase,
    to_json,
)
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.config import Finish, TrainConfig
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.recipes import RECIPES

LATENTS, CATEGORIES, MAX_CELLS = (1, 64), (2, 64), 1_024
# Twice the tutorials' network: with its optimiser's moments it can still be packed, and brought again.
MAX_WEIGHTS = 2_500_000
# A quarter of an hour and more of a slot that others wait for.
MAX_STEPS = 200_000
TEMPERATURES, RATES, FALLS = (0.01, 100.0), (1e-5, 1.0), (1e-6, 1.0)
BATCHES, EPOCHS = (10, 1_000), (1, 300)

# Relaxed while it searches, then hard: the recipe's `Finish`, or the default one.
THEN_REINMAX = "relaxed, then reinmax"
WAYS = (*SURROGATES, THEN_REINMAX)

# name -> the temperature's schedule from a start, an end or floor, and how fast it falls
TEMPERATURE_SCHEDULES: Mapping[str, Callable[[float, float, float], Schedule]] = {
    "constant": lambda start, end, fall: Constant(start),
    "geometric": lambda start, end, fall: Geometric(start, end),
    "exponential": lambda start, end, fall: Exponential(start, end, fall),
    "staircase": lambda start, end, fall: Staircase(start, end, fall, every=500),
    "restarting": lambda start, end, fall: Restarting(start, end, fall),
}
# Which of a schedule's numbers it reads.
HAS_END = ("geometric", "exponential", "staircase", "restarting")
HAS_FALL = ("exponential", "staircase", "restarting")

# Images in a batch, and passes. The digits are few: a pass over them is 30 steps.
PASSES: Mapping[str, tuple[int, int]] = {"digits": (50, 150)}
SMALL_PASSES = (100, 10)


@dataclass(frozen=True)
class Setting:
    """What a visitor may choose. What it leaves out is the recipe's: the network, the prior, the pixels."""

    dataset: str = "digits"
    recipe: str = "small"
    latents: int = 16
    categories: int = 8
    way: str = THEN_REINMAX
    schedule: str = "geometric"
    start: float = 1.0
    end: float = 0.3  # where the temperature ends, or its floor
    fall: float = 1e-4  # the rate of an exponential fall, per step
    learning_rate: float = 5e-3  # constant, or the peak of the recipe's cycle
    batch: int = 50
    epochs: int = 150
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("data set", self.dataset, DATASETS)
        check_name("recipe", self.recipe, RECIPES)
        check_whole("The number of latents", self.latents, LATENTS)
        check_whole("The number of categories", self.categories, CATEGORIES)
        _check_cells(self.latents, self.categories)
        check_name("way to the gradient", self.way, WAYS)
        check_name("schedule", self.schedule, TEMPERATURE_SCHEDULES)
        _check_number("temperature's start", self.start, TEMPERATURES)
        _check_number("temperature's end", self.end, TEMPERATURES)
        _check_number("temperature's fall", self.fall, FALLS)
        _check_number("learning rate", self.learning_rate, RATES)
        check_whole("The number of images in a batch", self.batch, BATCHES)
        check_whole("The number of epochs", self.epochs, EPOCHS)
        _check_steps(self.dataset, self.batch, self.epochs)
        check_seed(self.seed)

    def config(self) -> TrainConfig:
        """The run's config: the recipe's with these numbers."""
        recipe = RECIPES[self.recipe].config
        pixels = prod(DATASETS[self.dataset].shape)
        finishes = self.way == THEN_REINMAX
        return replace(
            recipe,
            dataset=self.dataset,
            model=replace(recipe.model, pixels=pixels, latents=self.latents, categories=self.categories),
            surrogate=recipe.surrogate if finishes else self.way,
            temperature=TEMPERATURE_SCHEDULES[self.schedule](self.start, self.end, self.fall),
            finish=(recipe.finish or Finish()) if finishes else None,
            learning_rate=_with_rate(recipe.learning_rate, self.learning_rate),
            batch=self.batch,
            epochs=self.epochs,
            seed=self.seed,
        )


def setting_of(recipe: str, dataset: str) -> Setting:
    """The recipe as it is, for this data set. Batch and epochs are cut to the data set's size."""
    check_name("recipe", recipe, RECIPES)
    config = RECIPES[recipe].config
    batch, epochs = PASSES.get(dataset, SMALL_PASSES if recipe == "small" else (config.batch, config.epochs))
    return setting_for(recipe, replace(config, dataset=dataset, batch=batch, epochs=epochs))


def setting_for(recipe: str, config: TrainConfig) -> Setting:
    """The setting whose config this is, which is the recipe's but for what a visitor may choose.

    Raises ValueError for a run that no visitor may train, such as one of too many steps.
    """
    temperature = to_json(config.temperature)
    return Setting(
        dataset=config.dataset,
        recipe=recipe,
        latents=config.model.latents,
        categories=config.model.categories,
        way=THEN_REINMAX if config.finish else config.surrogate,
        schedule=temperature["schedule"],
        start=temperature["value"] if "value" in temperature else temperature["start"],
        end=temperature.get("end", temperature.get("floor", Setting.end)),
        fall=temperature.get("rate", Setting.fall),
        learning_rate=_rate(config.learning_rate),
        batch=config.batch,
        epochs=config.epochs,
        seed=config.seed,
    )


def scheduled(setting: Setting, points: int = 100) -> tuple[list[int], list[float], list[float]]:
    """The run ahead: at some of its steps, counted from 0, the temperature and the learning rate."""
    config = setting.config()
    epoch_steps = DATASETS[setting.dataset].train // setting.batch
    steps = epoch_steps * setting.epochs
    at = sorted({round(step) for step in np.linspace(0, steps - 1, points)})
    temperatures, rates = (
        [schedule(step).at(step, steps=steps, epoch_steps=epoch_steps) for step in at]
        for schedule in (lambda step: config.way_at(step, steps)[1], lambda step: config.learning_rate)
    )
    return at, temperatures, rates


def changes(setting: Setting) -> dict[str, object]:
    """What a setting changes of its recipe, by the names of its fields."""
    recipe = setting_of(setting.recipe, setting.dataset)
    names = [field.name for field in fields(Setting)]
    return {name: getattr(setting, name) for name in names if getattr(setting, name) != getattr(recipe, name)}


def check_live(config: TrainConfig) -> None:
    """Raises ValueError for a config, such as an uploaded card's, that asks more than a visitor may."""
    model = config.model
    check_whole("The number of latents", model.latents, LATENTS)
    check_whole("The number of categories", model.categories, CATEGORIES)
    _check_cells(model.latents, model.categories)
    weights = weights_of(model)
    if weights > MAX_WEIGHTS:
        raise ValueError(
            f"A live run's network has at most {MAX_WEIGHTS:,} weights, and this one {weights:,}."
        )
    check_whole("The number of images in a batch", config.batch, BATCHES)
    check_whole("The number of epochs", config.epochs, EPOCHS)
    _check_steps(config.dataset, config.batch, config.epochs)


def steps_of(config: TrainConfig) -> int:
    """Of a run, over all of its epochs."""
    return DATASETS[config.dataset].train // config.batch * config.epochs


def _check_steps(dataset: str, batch: int, epochs: int) -> None:
    steps = DATASETS[dataset].train // batch * epochs
    if steps > MAX_STEPS:
        raise ValueError(
            f"{epochs} epochs of {dataset} in batches of {batch} are {steps:,} steps: a live run has at most "
            f"{MAX_STEPS:,}."
        )


def _check_cells(latents: int, categories: int) -> None:
    if latents * categories > MAX_CELLS:
        raise ValueError(
            f"{latents} latents of {categories} categories are {latents * categories:,} cells: a live run "
            f"has at most {MAX_CELLS:,}."
        )


def weights_of(model: ModelConfig) -> int:
    """Of all linear layers, without their offsets."""
    code = model.latents * model.categories
    chains = ([model.pixels, *model.encoder, code], [code, *model.decoder, model.pixels])
    return sum(inputs * outputs for chain in chains for inputs, outputs in pairwise(chain))


def _with_rate(schedule: Schedule, rate: float) -> Schedule:
    """The same course with another height."""
    return replace(schedule, peak=rate) if isinstance(schedule, OneCycle) else Constant(rate)


def _rate(schedule: Schedule) -> float:
    numbers = to_json(schedule)
    rate: float = numbers["peak"] if "peak" in numbers else numbers["value"]
    return rate


def _check_number(what: str, value: object, limits: tuple[float, float]) -> None:
    low, high = limits
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"The {what} is a number from {low:g} to {high:g}, not {value!r}.")
