"""Recipes: what LESSONS says of the tutorials they follow, and that each takes its steps."""

import math
import os
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from gumbel_core.datasets import Dataset, load
from gumbel_core.schedules import Constant, Restarting
from gumbel_core.vae.config import Finish, TrainConfig
from gumbel_core.vae.recipes import PUBLISHED, RECIPES, configured
from gumbel_core.vae.records import StepRecord
from gumbel_core.vae.training import Training

MNIST = Path(os.environ.get("GUMBEL_DATA_DIR", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    if not (MNIST / "MNIST").is_dir():
        pytest.skip(f"MNIST is not in {MNIST}: name its folder in GUMBEL_DATA_DIR.")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GUMBEL_DATA_DIR", str(MNIST))
        return load("mnist")


def takes_three_steps(config: TrainConfig, dataset: Dataset) -> None:
    # Few images: a batch of them is what a step takes.
    few = replace(dataset, train=dataset.train[:500], test=dataset.test[:100])
    records = list(islice(Training(config, few).records(), 3))
    assert len(records) == 3
    for record in records:
        assert isinstance(record, StepRecord)
        assert math.isfinite(record.relaxed.total)
        assert record.hard is not None
        assert math.isfinite(record.hard.total)


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_runs_on_digits(name: str) -> None:
    digits = load("digits")
    config = configured(name, digits)
    assert (config.dataset, config.model.pixels) == ("digits", 64)
    takes_three_steps(config, digits)


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_runs_on_mnist(name: str, mnist: Dataset) -> None:
    config = configured(name, mnist)
    assert (config.dataset, config.model.pixels) == ("mnist", 784)
    takes_three_steps(config, mnist)


def test_the_recipes_by_name() -> None:
    assert list(RECIPES) == ["guide", "notebook", "jang2017", "binary", "best", "small", "long"]
    for recipe in RECIPES.values():
        assert recipe.sentence.endswith(".")


@pytest.mark.parametrize("name", ["guide", "notebook", "best", "long"])
def test_the_tutorials_network(name: str) -> None:
    model = RECIPES[name].config.model
    assert (model.pixels, model.encoder, model.decoder) == (784, (512, 256), (256, 512))
    assert (model.latents, model.categories, model.prior) == (30, 10, "uniform")
    config = RECIPES[name].config
    assert (config.pixels, config.batch, config.epochs) == ("grey", 100, 100 if name == "long" else 10)


@pytest.mark.parametrize("name", ["guide", "notebook"])
def test_the_tutorials_training(name: str) -> None:
    config = RECIPES[name].config
    assert (config.optimiser, config.learning_rate) == ("adam", Constant(1e-3))
    assert config.surrogate == "gumbel_softmax"
    assert (config.model.logits, config.model.normalisation) == ("relu", "none")


def test_the_guide_restarts_its_temperature() -> None:
    config = RECIPES["guide"].config
    assert config.temperature == Restarting(start=1.0, floor=0.5, rate=3e-5, every=100)
    assert config.seed == 2020


def test_the_notebook_keeps_its_temperature() -> None:
    assert RECIPES["notebook"].config.temperature == Constant(1.0)


def test_what_the_notebook_prints() -> None:
    # The guide logs to a tracker and prints no number.
    assert list(PUBLISHED) == ["notebook"]
    said = PUBLISHED["notebook"]
    assert dict(zip(said.epochs, said.test, strict=True)) == {1: 178.96, 5: 135.59, 10: 126.71}
    assert said.epochs[-1] == RECIPES["notebook"].config.epochs


def test_the_papers_network() -> None:
    config = RECIPES["jang2017"].config
    model = config.model
    assert (model.encoder, model.latents, model.categories, model.decoder) == ((), 20, 10, (200,))
    assert (model.prior, model.logits, config.pixels) == ("learned", "raw", "fixed")
    assert model.normalisation == "batch"


def test_binary() -> None:
    assert RECIPES["binary"].config.model.categories == 2


@pytest.mark.parametrize("name", ["best", "small", "long"])
def test_what_does_better_reads_raw_logits_and_ends_hard(name: str) -> None:
    config = RECIPES[name].config
    assert (config.model.logits, config.model.normalisation) == ("raw", "batch")
    assert config.finish is not None
    assert (config.finish.surrogate, config.finish.temperature) == ("reinmax", Constant(1.3))


def test_small_is_small() -> None:
    model = RECIPES["small"].config.model
    assert (model.encoder, model.latents, model.categories, model.decoder) == ((128,), 16, 8, (128,))


class Steady(Constant):
    """A schedule without a name: no card could say it."""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"temperature": 0.5}, r"A run's temperature is one of the schedules constant, .*, not 0\.5\.$"),
        ({"temperature": Constant}, "A run's temperature is one of the schedules"),
        ({"temperature": Steady(0.5)}, "A run's temperature is one of the schedules"),
        ({"learning_rate": 1e-3}, r"A run's learning rate is one of the schedules .*, not 0\.001\.$"),
        ({"model": None}, r"A run's model is a ModelConfig, not None\.$"),
        ({"finish": 0.5}, r"A run's finish is a Finish, not 0\.5\.$"),
        ({"finish": False}, r"A run's finish is a Finish, not False\.$"),
    ],
)
def test_parts_of_another_kind_are_refused(changes: dict[str, Any], sentence: str) -> None:
    digits = load("digits")
    with pytest.raises(ValueError, match=sentence):
        replace(configured("best", digits), **changes)


def test_a_finish_with_a_number_for_its_temperature_is_refused() -> None:
    with pytest.raises(ValueError, match="A run's temperature in its finish is one of the schedules"):
        Finish(temperature=1.3)  # type: ignore[arg-type]


def test_changes_and_refusals() -> None:
    digits = load("digits")
    config = configured("notebook", digits, epochs=3, seed=7)
    assert (config.epochs, config.seed) == (3, 7)
    assert RECIPES["notebook"].config.epochs == 10
    with pytest.raises(ValueError, match="There is no recipe 'better'"):
        configured("better", digits)
    with pytest.raises(ValueError, match="number of epochs"):
        configured("best", digits, epochs=0)
