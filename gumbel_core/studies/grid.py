"""What a study is: a grid of training runs over recipe, gradient estimator, temperature and seed.

    study = Study("temperature", temperatures=(0.1, 1.0), estimators=("gumbel_softmax", "reinmax"), seeds=3)
    [config_of(study, key) for key in study.keys]       # twelve of them

What a grid does not name is the recipe's. A temperature that it names is held from the first step to the
last, and neither it nor an estimator leaves room for the recipe's `Finish`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from gumbel_core.checks import check_name, check_whole
from gumbel_core.datasets import DATASETS
from gumbel_core.schedules import Constant
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.config import EPOCHS, TrainConfig
from gumbel_core.vae.recipes import RECIPES
from gumbel_core.vae.settings import TEMPERATURES, setting_of

# A study's name is a folder's, too.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# Of all runs together: what came of that many is a file of 50 MB.
SEEDS, MAX_RUNS, MAX_EPOCHS = (1, 100), 5_000, 200_000


@dataclass(frozen=True)
class RunKey:
    """A run's place in its grid. None is what the recipe says."""

    recipe: str
    estimator: str | None
    temperature: float | None
    seed: int

    @property
    def name(self) -> str:
        """Of the run's folder: no two keys share one."""
        tau = "" if self.temperature is None else f"-tau{float(self.temperature)!r}"
        estimator = "" if self.estimator is None else f"-{self.estimator}"
        return f"{self.recipe}{estimator}{tau}-seed{self.seed}"


@dataclass(frozen=True)
class Study:
    """A grid by its axes; an empty one is as the recipe says. Seeds are counted from 0."""

    name: str
    dataset: str = "digits"
    recipes: tuple[str, ...] = ("small",)
    estimators: tuple[str, ...] = ()
    temperatures: tuple[float, ...] = ()
    seeds: int = 5
    epochs: int = 10

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not NAME.fullmatch(self.name):
            raise ValueError(f"A study's name is made of small letters, digits, - and _, not {self.name!r}.")
        check_name("data set", self.dataset, DATASETS)
        _check_axis("recipe", self.recipes, RECIPES)
        _check_axis("estimator", self.estimators, SURROGATES)
        _check_temperatures(self.temperatures)
        check_whole("The number of seeds", self.seeds, SEEDS)
        check_whole("The number of epochs", self.epochs, EPOCHS)
        if not self.recipes:
            raise ValueError("A study needs a recipe.")
        if len(self) > MAX_RUNS:
            raise ValueError(f"This grid has {len(self):,} runs: a study has at most {MAX_RUNS:,}.")
        if len(self) * self.epochs > MAX_EPOCHS:
            raise ValueError(
                f"This grid has {len(self) * self.epochs:,} epochs: a study has at most {MAX_EPOCHS:,}."
            )

    def __len__(self) -> int:
        axes = (self.recipes, self.estimators or (None,), self.temperatures or (None,))
        return prod(map(len, axes)) * self.seeds

    @property
    def keys(self) -> tuple[RunKey, ...]:
        """Seed by seed: a study that is stopped in the middle has something of each of its cells."""
        cells = [*product(self.recipes, self.estimators or (None,), self.temperatures or (None,))]
        return tuple(RunKey(*cell, seed) for seed in range(self.seeds) for cell in cells)

    def to_json(self) -> dict[str, Any]:
        """Names and numbers only."""
        return {name: [*value] if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Study":
        """What `to_json` wrote. Raises ValueError for whatever is no study."""
        try:
            axes = {name: tuple(fields[name]) for name in ("recipes", "estimators", "temperatures")}
            return cls(**{**fields, **axes})
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"This is no study: {error}.") from None


def config_of(study: Study, key: RunKey) -> TrainConfig:
    """What defines that run, from the data to the last weight."""
    recipe = RECIPES[key.recipe].config
    config = replace(
        recipe,
        dataset=study.dataset,
        model=replace(recipe.model, pixels=prod(DATASETS[study.dataset].shape)),
        batch=setting_of(key.recipe, study.dataset).batch,
        epochs=study.epochs,
        seed=key.seed,
    )
    if key.estimator is not None:
        config = replace(config, surrogate=key.estimator, finish=None)
    if key.temperature is not None:
        config = replace(config, temperature=Constant(key.temperature), finish=None)
    return config


def _check_axis(what: str, names: Sequence[str], known: Mapping[str, object]) -> None:
    for name in names:
        check_name(what, name, known)
    _check_once(what, names)


def _check_temperatures(temperatures: Sequence[float]) -> None:
    low, high = TEMPERATURES
    for tau in temperatures:
        if isinstance(tau, bool) or not isinstance(tau, int | float) or not low <= tau <= high:
            raise ValueError(f"A temperature is a number from {low:g} to {high:g}, not {tau!r}.")
    _check_once("temperature", temperatures)


def _check_once(what: str, values: Sequence[object]) -> None:
    if len(set(values)) < len(values):
        raise ValueError(f"Each {what} of a grid is named once.")
