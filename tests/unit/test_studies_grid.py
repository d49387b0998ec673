"""A grid: its keys are counted, each has a folder's name of its own, and a config that is the recipe's but
for what the grid names."""

import json
import math
import re
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
import torch

from gumbel_core.datasets import load
from gumbel_core.schedules import Constant, OneCycle
from gumbel_core.studies.grid import MAX_RUNS, RunKey, Study, config_of
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.recipes import RECIPES, configured
from gumbel_core.vae.settings import check_live
from tests.unit.small_studies import assert_one_sentence

DIGITS = load("digits")
# Numbers that are written alike, or may be rounded to one another.
CLOSE = (
    0.01, math.nextafter(0.01, 1), 0.1, math.nextafter(0.1, 1), 0.1 + 0.2, 0.3, 1 / 3, 0.333, 1,
    math.nextafter(1.0, 2), 1.01, 10, math.nextafter(10.0, 0), 100, math.nextafter(100.0, 0),
)  # fmt: skip


# Keys


@pytest.mark.parametrize(
    ("recipes", "estimators", "temperatures", "seeds", "runs"),
    [
        (("small",), (), (), 1, 1),
        (("small",), (), (), 7, 7),
        (("small", "best"), (), (0.1, 1.0, 2.0), 2, 12),
        (("small",), ("reinmax", "gumbel_softmax"), (), 3, 6),
        (("guide", "notebook", "best"), ("reinmax", "gumbel_softmax"), (0.5, 1), 4, 48),
    ],
)
def test_a_run_for_each_place_and_seed(
    recipes: tuple[str, ...],
    estimators: tuple[str, ...],
    temperatures: tuple[float, ...],
    seeds: int,
    runs: int,
) -> None:
    study = Study("mine", "digits", recipes, estimators, temperatures, seeds)
    assert len(study) == len(study.keys) == len(set(study.keys)) == runs
    places = product(recipes, estimators or [None], temperatures or [None], range(seeds))
    assert set(study.keys) == {RunKey(*place) for place in places}


def test_what_is_stopped_in_the_middle_has_something_of_each_cell() -> None:
    study = Study("mine", estimators=("reinmax", "gumbel_softmax"), temperatures=(0.1, 1.0), seeds=3)
    assert [key.seed for key in study.keys] == [0] * 4 + [1] * 4 + [2] * 4
    cells = [(key.estimator, key.temperature) for key in study.keys]
    assert cells[:4] == cells[4:8] == cells[8:]
    assert cells[:4] == [*product(("reinmax", "gumbel_softmax"), (0.1, 1.0))]


def test_no_two_runs_share_a_folder() -> None:
    """Not on a disk that takes A for a, either; and whether a grid names an axis or leaves it out."""
    everything = [
        Study("mine", "digits", tuple(RECIPES), estimators, temperatures, seeds=9)
        for estimators in ((), tuple(SURROGATES))
        for temperatures in ((), CLOSE)
    ]
    keys = {key for study in everything for key in study.keys}
    assert len(keys) == len(RECIPES) * (1 + len(SURROGATES)) * (1 + len(CLOSE)) * 9
    assert len({key.name.casefold() for key in keys}) == len(keys)
    for key in keys:
        assert re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,99}", key.name), key.name


def test_a_whole_temperature_and_the_same_with_a_point_are_one_run() -> None:
    assert RunKey("small", None, 1, 0) == RunKey("small", None, 1.0, 0)
    assert RunKey("small", None, 1, 0).name == RunKey("small", None, 1.0, 0).name == "small-tau1.0-seed0"
    assert RunKey("best", "reinmax", 1e-2, 31).name == "best-reinmax-tau0.01-seed31"
    assert RunKey("best", None, None, 3).name == "best-seed3"


# Configs


def only(study: Study) -> TrainConfig:
    (config,) = {config_of(study, key) for key in study.keys}
    return config


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize(("dataset", "pixels", "batch"), [("digits", 64, 50), ("mnist", 784, 100)])
def test_what_a_grid_does_not_name_is_the_recipes(recipe: str, dataset: str, pixels: int, batch: int) -> None:
    images = replace(DIGITS, name=dataset, train=torch.zeros(1, pixels))
    study = Study("mine", dataset, (recipe,), seeds=1, epochs=7)
    assert only(study) == configured(recipe, images, batch=batch, epochs=7, seed=0)
    check_live(only(study))


def test_each_run_has_its_seed() -> None:
    study = Study("mine", recipes=("guide",), seeds=4)
    assert [config_of(study, key).seed for key in study.keys] == [0, 1, 2, 3]
    assert {replace(config_of(study, key), seed=0) for key in study.keys} == {
        configured("guide", DIGITS, batch=50, epochs=10, seed=0)
    }


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("estimator", SURROGATES)
def test_an_estimator_is_the_runs_from_its_first_step_to_its_last(recipe: str, estimator: str) -> None:
    study = Study("mine", recipes=(recipe,), estimators=(estimator,), seeds=1)
    wanted = configured(recipe, DIGITS, batch=50, epochs=10, seed=0, surrogate=estimator, finish=None)
    assert only(study) == wanted
    assert {only(study).way_at(step, 300) for step in range(300)} == {(estimator, wanted.temperature)}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("tau", [0.01, 0.7, 100])
def test_a_temperature_is_held_at_every_step(recipe: str, tau: float) -> None:
    study = Study("mine", recipes=(recipe,), temperatures=(tau,), seeds=1)
    found = only(study)
    ways = [found.way_at(step, 300) for step in range(300)]
    assert {way for way, _ in ways} == {RECIPES[recipe].config.surrogate}
    temperatures = [schedule.at(step, steps=300, epoch_steps=30) for step, (_, schedule) in enumerate(ways)]
    assert set(temperatures) == {tau}
    # And nothing else has changed.
    wanted = configured(recipe, DIGITS, batch=50, epochs=10, seed=0, temperature=Constant(tau), finish=None)
    assert found == wanted


def test_an_estimator_and_a_temperature_together() -> None:
    study = Study("mine", estimators=("straight_through",), temperatures=(0.5,), seeds=1)
    found = only(study)
    assert (found.surrogate, found.temperature, found.finish) == ("straight_through", Constant(0.5), None)
    # The learning rate is the recipe's.
    assert found.learning_rate == OneCycle(5e-3)


# JSON


@pytest.mark.parametrize(
    "study",
    [
        Study("a"),
        Study("0-9_z", "mnist", ("best", "guide"), ("reinmax",), CLOSE, 17, 300),
        Study("x" * 40, estimators=tuple(SURROGATES), seeds=100, epochs=1),
    ],
)
def test_a_study_comes_back_from_json(study: Study) -> None:
    told = json.loads(json.dumps(study.to_json()))
    again = Study.from_json(told)
    assert again == study
    assert (again.keys, hash(again)) == (study.keys, hash(study))
    assert again.to_json() == told


def test_its_json_is_its_axes_by_their_names() -> None:
    assert Study("mine", temperatures=(0.1, 1), seeds=3).to_json() == {
        "name": "mine", "dataset": "digits", "recipes": ["small"], "estimators": [],
        "temperatures": [0.1, 1], "seeds": 3, "epochs": 10,
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        None, [], 3, "mine", {}, {"name": "mine"},
        {**Study("mine").to_json(), "later": 1},
        *({**Study("mine").to_json(), axis: None} for axis in ("recipes", "estimators", "temperatures")),
        {**Study("mine").to_json(), "recipes": "small"},
        {**Study("mine").to_json(), "temperatures": [[1.0]]},
        {**Study("mine").to_json(), "estimators": [{}]},
    ],
)  # fmt: skip
def test_what_is_no_study_is_refused(fields: Any) -> None:
    with pytest.raises(ValueError, match=r"\.$"):
        Study.from_json(fields)


# Refusals


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        *[
            ({"name": name}, "A study's name is made of")
            for name in ("", "-a", "_a", "A", "a b", "a/b", "..", "a.b", "é", "x" * 41, "a\n", None, 3)
        ],
        ({"dataset": "cifar"}, "There is no data set 'cifar'"),
        ({"dataset": ["digits"]}, "There is no data set"),
        ({"recipes": ("small", "none")}, "There is no recipe 'none'"),
        ({"recipes": (None,)}, "There is no recipe None"),
        ({"recipes": ()}, "A study needs a recipe"),
        ({"recipes": ("small", "small")}, "Each recipe of a grid is named once"),
        ({"estimators": ("softmax",)}, "There is no estimator 'softmax'"),
        ({"estimators": ("reinmax", "reinmax")}, "Each estimator of a grid is named once"),
        *[
            ({"temperatures": (1.0, tau)}, "A temperature is a number from 0.01 to 100")
            for tau in (0, -1, 0.0099, 100.1, math.nan, math.inf, True, "1", None, 10**400)
        ],
        ({"temperatures": (0.5, 1, 1.0)}, "Each temperature of a grid is named once"),
        *[({"seeds": seeds}, "The number of seeds is a whole number") for seeds in (0, 101, 2.0, True, None)],
        *[({"epochs": epochs}, "The number of epochs is a whole number") for epochs in (0, 1_001, 1.5, "1")],
        (
            {"temperatures": tuple(1 + step / 100 for step in range(51)), "seeds": 100},
            "This grid has 5,100 runs: a study has at most 5,000",
        ),
    ],
)
def test_what_is_refused_is_refused_in_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}") as refused:
        Study(**{"name": "mine", **changes})
    assert_one_sentence(refused.value)
    # The same on the way back from a file.
    with pytest.raises(ValueError, match=r"\.$"):
        Study.from_json({**Study("mine").to_json(), **changes})


def test_the_ends_of_the_limits_are_within() -> None:
    fifty = tuple(1 + step / 100 for step in range(50))
    assert len(Study("x" * 40, temperatures=fifty, seeds=100, epochs=40)) == MAX_RUNS == 5_000
    assert Study("a", temperatures=(0.01, 100), seeds=1, epochs=1).temperatures == (0.01, 100)


def test_epochs_are_counted_over_all_runs() -> None:
    assert Study("mine", estimators=("reinmax", "gumbel_rao"), seeds=100, epochs=1_000)
    with pytest.raises(ValueError, match=r"^This grid has 300,000 epochs: a study has at most 200,000\.$"):
        Study("mine", estimators=("reinmax", "gumbel_rao", "straight_through"), seeds=100, epochs=1_000)
