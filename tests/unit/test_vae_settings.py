"""Settings: the recipes come through them as they are, and every limit is refused in one sentence."""

import math
import re
from dataclasses import fields, replace
from itertools import islice, product
from typing import Any

import pytest

from gumbel_core.datasets import DATASETS, Dataset, load
from gumbel_core.draw import SEEDS
from gumbel_core.schedules import Constant, Exponential, Geometric, OneCycle, Restarting, Schedule, Staircase
from gumbel_core.studies.grid import Study, config_of
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.config import Finish, TrainConfig
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.recipes import RECIPES
from gumbel_core.vae.records import StepRecord
from gumbel_core.vae.settings import (
    HAS_END,
    HAS_FALL,
    TEMPERATURE_SCHEDULES,
    THEN_REINMAX,
    WAYS,
    Setting,
    changes,
    check_live,
    setting_for,
    setting_of,
)
from gumbel_core.vae.training import Training

ALL = list(product(RECIPES, DATASETS))
SENTENCE = re.compile(r"^[A-Z0-9][^\n]*[^.\n]\.\Z")
NOT_NUMBERS: list[Any] = [True, False, math.nan, math.inf, -math.inf, "1", None, [1], 1 + 0j]
# Each limit's two ends: the last that is taken, and the first that is not.
WHOLE: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "latents": ((1, 64), (0, 65)),
    "categories": ((2, 64), (1, 65)),
    "batch": ((10, 1_000), (9, 1_001)),
    "epochs": ((1, 300), (0, 301)),
    "seed": (SEEDS, (-1, SEEDS[1] + 1)),
}
NUMBERS: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "start": ((0.01, 100), (0.00999, 100.1)),
    "end": ((0.01, 100), (0.00999, 100.1)),
    "fall": ((1e-6, 1), (0.99e-6, 1.001)),
    "learning_rate": ((1e-5, 1), (0.99e-5, 1.001)),
}
LIMITS = {**WHOLE, **NUMBERS}
# Cells of one latent or of two categories are few: the limits of each are met alone.
NARROW = {"latents": 1, "categories": 2}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def refused(values: dict[str, Any]) -> str:
    """The one sentence that it is refused in."""
    with pytest.raises(ValueError, match=SENTENCE) as caught:
        Setting(**values)
    return str(caught.value)


@pytest.mark.parametrize(("recipe", "dataset"), ALL)
def test_a_recipe_is_what_it_was_but_for_its_size(recipe: str, dataset: str) -> None:
    wanted = RECIPES[recipe].config
    found = setting_of(recipe, dataset).config()
    pixels = math.prod(DATASETS[dataset].shape)
    model = replace(wanted.model, pixels=pixels)
    assert found == replace(wanted, dataset=dataset, model=model, batch=found.batch, epochs=found.epochs)


@pytest.mark.parametrize(("recipe", "dataset"), ALL)
def test_a_recipe_may_be_trained_live_and_changes_nothing(recipe: str, dataset: str) -> None:
    setting = setting_of(recipe, dataset)
    assert changes(setting) == {}
    check_live(setting.config())


@pytest.mark.parametrize(("recipe", "dataset"), ALL)
@pytest.mark.parametrize("tau", [None, 0.1, 5.0])
@pytest.mark.parametrize("estimator", [None, *SURROGATES])
def test_a_run_of_a_study_has_a_setting(
    recipe: str, dataset: str, tau: float | None, estimator: str | None
) -> None:
    estimators, temperatures = (estimator,) if estimator else (), (tau,) if tau else ()
    study = Study("any", dataset, (recipe,), estimators, temperatures, seeds=3, epochs=7)
    config = config_of(study, study.keys[-1])
    setting = setting_for(recipe, config)
    assert setting.config() == config
    assert (setting.epochs, setting.seed) == (7, 2)


def test_batch_and_epochs_are_cut_to_the_data() -> None:
    sizes = {name: (setting_of(*name).batch, setting_of(*name).epochs) for name in ALL}
    assert {size for (_, dataset), size in sizes.items() if dataset == "digits"} == {(50, 150)}
    assert sizes["small", "mnist"] == (100, 10)
    for (recipe, dataset), size in sizes.items():
        if dataset != "digits" and recipe != "small":
            assert size == (RECIPES[recipe].config.batch, RECIPES[recipe].config.epochs)


def test_what_a_setting_is_without_a_word_is_a_recipe() -> None:
    assert Setting() == setting_of("small", "digits")


OTHER: dict[str, Any] = {
    "latents": 3, "categories": 5, "way": "gumbel_rao", "schedule": "staircase", "start": 1.5, "end": 0.2,
    "fall": 3e-3, "learning_rate": 0.02, "batch": 64, "epochs": 7, "seed": 11,
}  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", OTHER)
def test_a_change_is_told_by_its_name(recipe: str, name: str) -> None:
    setting = replace(setting_of(recipe, "digits"), **{name: OTHER[name]})
    assert changes(setting) == {name: OTHER[name]}


def test_all_changes_are_told_and_nothing_else() -> None:
    assert changes(Setting(**OTHER)) == OTHER
    named = {field.name for field in fields(Setting)}
    assert named == {*OTHER, "dataset", "recipe"}


def test_another_recipe_or_data_set_is_no_change_of_itself() -> None:
    assert changes(setting_of("guide", "mnist")) == {}
    # What one recipe chooses, another has to be changed into.
    assert changes(replace(setting_of("guide", "digits"), recipe="notebook")) == {
        "schedule": "restarting",
        "end": 0.5,
        "fall": 3e-5,
        "seed": 2020,
    }


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("constant", Constant(2.0)),
        ("geometric", Geometric(2.0, 0.25)),
        ("exponential", Exponential(2.0, 0.25, 1e-3)),
        ("staircase", Staircase(2.0, 0.25, 1e-3, 500)),
        ("restarting", Restarting(2.0, 0.25, 1e-3, 100)),
    ],
)
def test_the_temperature_is_scheduled_as_asked(schedule: str, wanted: Schedule) -> None:
    assert Setting(schedule=schedule, start=2.0, end=0.25, fall=1e-3).config().temperature == wanted


@pytest.mark.parametrize("schedule", TEMPERATURE_SCHEDULES)
def test_a_schedule_reads_the_numbers_that_it_is_said_to(schedule: str) -> None:
    """So no control stands beside a picture that it does not change."""

    def temperature(**values: Any) -> Schedule:
        return Setting(schedule=schedule, **values).config().temperature

    assert (temperature(end=0.2) != temperature(end=0.4)) == (schedule in HAS_END)
    assert (temperature(fall=1e-3) != temperature(fall=1e-2)) == (schedule in HAS_FALL)
    assert temperature(start=1.0) != temperature(start=2.0)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_rate_is_a_recipes_peak_or_its_constant(recipe: str) -> None:
    before = RECIPES[recipe].config.learning_rate
    found = replace(setting_of(recipe, "digits"), learning_rate=0.02).config().learning_rate
    assert found == (replace(before, peak=0.02) if isinstance(before, OneCycle) else Constant(0.02))


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_way_is_one_surrogate_or_two(recipe: str) -> None:
    setting, before = setting_of(recipe, "digits"), RECIPES[recipe].config
    for way in SURROGATES:
        config = replace(setting, way=way).config()
        assert (config.surrogate, config.finish) == (way, None)
    config = replace(setting, way=THEN_REINMAX).config()
    assert (config.surrogate, config.finish) == ("gumbel_softmax", before.finish or Finish())
    assert config.finish
    assert config.finish.surrogate == "reinmax"


@pytest.mark.parametrize(("way", "schedule"), list(product(WAYS, TEMPERATURE_SCHEDULES)))
def test_every_way_trains_by_every_schedule(way: str, schedule: str, digits: Dataset) -> None:
    # One step an epoch, so that both halves of a run that changes its way are taken.
    config = Setting(way=way, schedule=schedule, batch=1_000, epochs=2, latents=3, categories=3).config()
    records = [r for r in Training(config, digits).records() if isinstance(r, StepRecord)]
    assert len(records) == 2
    assert all(math.isfinite(record.relaxed.total + record.gradient_norm) for record in records)
    assert records[0].temperature == 1.0


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_takes_a_step_on_digits(recipe: str, digits: Dataset) -> None:
    (record,) = islice(Training(setting_of(recipe, "digits").config(), digits).records(), 1)
    assert isinstance(record, StepRecord)


@pytest.mark.parametrize("name", LIMITS)
def test_the_ends_of_a_limit_are_taken(name: str) -> None:
    for value in LIMITS[name][0]:
        taken: dict[str, Any] = {**NARROW, name: value}
        assert Setting(**taken).config()


@pytest.mark.parametrize("name", LIMITS)
def test_what_lies_beyond_a_limit_is_refused(name: str) -> None:
    for value in LIMITS[name][1]:
        assert repr(value) in refused({**NARROW, name: value}).replace(",", "")


@pytest.mark.parametrize("name", LIMITS)
def test_what_is_no_number_is_refused(name: str) -> None:
    for value in NOT_NUMBERS:
        assert str(value) in refused({**NARROW, name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_a_part_of_a_whole_is_refused(name: str) -> None:
    refused({**NARROW, name: 20.0})


@pytest.mark.parametrize("name", ["dataset", "recipe", "way", "schedule"])
def test_names_that_are_none_are_refused(name: str) -> None:
    for value in ("", "Digits", "one_cycle", "../digits", 1, None, True, ["digits"], math.nan):
        assert refused({name: value}).startswith("There is no ")


def test_more_cells_than_a_server_shares_are_refused() -> None:
    assert Setting(latents=16, categories=64)
    assert Setting(latents=64, categories=16)
    assert "64 latents of 17 categories are 1,088 cells" in refused({"latents": 64, "categories": 17})


def test_an_unknown_recipe_has_no_setting() -> None:
    with pytest.raises(ValueError, match=r"^There is no recipe 'better': it is one of guide, .*\.$"):
        setting_of("better", "digits")
    with pytest.raises(ValueError, match=r"^There is no data set 'cifar': it is one of digits, .*\.$"):
        setting_of("small", "cifar")


def code(latents: int, categories: int) -> dict[str, Any]:
    return {"model": ModelConfig(pixels=64, latents=latents, categories=categories)}


@pytest.mark.parametrize(
    "taken",
    [code(64, 16), code(16, 64), {"batch": 10}, {"batch": 1_000}, {"epochs": 1}, {"epochs": 300}],
)
def test_a_card_within_the_limits_may_go_on_live(taken: dict[str, Any]) -> None:
    check_live(replace(TrainConfig(**code(4, 3)), **taken))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (code(64, 17), "64 latents of 17 categories are 1,088 cells: a live run has at most 1,024."),
        (code(65, 2), "The number of latents is a whole number from 1 to 64, not 65."),
        ({"batch": 9}, "The number of images in a batch is a whole number from 10 to 1,000, not 9."),
        ({"batch": 1_001}, "The number of images in a batch is a whole number from 10 to 1,000, not 1001."),
        ({"epochs": 301}, "The number of epochs is a whole number from 1 to 300, not 301."),
    ],
)
def test_a_card_beyond_the_limits_is_refused(asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        check_live(replace(TrainConfig(**code(4, 3)), **asked))


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(pixels=64, encoder=(4_096,) * 8, decoder=(4_096,) * 8, latents=4, categories=3),
        ModelConfig(pixels=64, latents=256, categories=4),
        ModelConfig(pixels=64, latents=4, categories=256),
    ],
    ids=["widths", "latents", "categories"],
)
def test_a_card_of_a_network_that_nobody_could_ask_for_is_refused(model: ModelConfig) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        check_live(TrainConfig(model=model))
