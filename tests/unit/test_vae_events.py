"""Event files beside a run, as TensorBoard's own reader finds them: scalars, pictures, hyperparameters."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from gumbel_core.datasets import Dataset, load
from gumbel_core.schedules import Constant, Geometric
from gumbel_core.vae.config import Finish, TrainConfig
from gumbel_core.vae.events import events_written, hyperparameters
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.records import EpochRecord, EpochSummary
from gumbel_core.vae.training import Training

CONFIG = TrainConfig(
    model=ModelConfig(pixels=64, encoder=(16,), decoder=(), latents=3, categories=4),
    temperature=Geometric(1.0, 0.25),
    batch=300,
    epochs=3,
    seed=7,
)
EPOCH_STEPS = 5
# Each field of the config by its path, written out by hand.
NAMES_AND_NUMBERS = {
    "dataset": "digits",
    "pixels": "grey",
    "model.pixels": 64,
    "model.encoder": "[16]",
    "model.decoder": "[]",
    "model.latents": 3,
    "model.categories": 4,
    "model.normalisation": "none",
    "model.activation": "relu",
    "model.logits": "raw",
    "model.prior": "uniform",
    "surrogate": "gumbel_softmax",
    "temperature.schedule": "geometric",
    "temperature.start": 1.0,
    "temperature.end": 0.25,
    "finish": "None",
    "optimiser": "adam",
    "learning_rate.schedule": "constant",
    "learning_rate.value": 0.001,
    "batch": 300,
    "epochs": 3,
    "seed": 7,
}


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


def watched(training: Training, folder: Path, steps: int | None = None) -> list[EpochSummary]:
    """Train to the end, or for so many steps, under TensorBoard's eyes. The summaries of the whole run."""
    with events_written(folder, training) as write:
        for record in training.records():
            if isinstance(record, EpochRecord):
                write(record)
            elif training.step == steps:
                break
    return training.history


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    return events


def contents(events: EventAccumulator) -> dict[str, bytes]:
    """What the plugin for hyperparameters keeps, by its tags."""
    found: dict[str, bytes] = events.PluginTagToContent(metadata.PLUGIN_NAME)
    return found


def hyperparameters_in(events: EventAccumulator) -> dict[str, float | str]:
    start = metadata.parse_session_start_info_plugin_data(contents(events)[metadata.SESSION_START_INFO_TAG])
    return {name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()}


# Scalars and pictures


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        ("metrics/avg_train_loss", lambda epoch: epoch.relaxed.total),
        ("metrics/avg_hard_loss", lambda epoch: epoch.hard.total),
        ("metrics/avg_test_loss", lambda epoch: epoch.test.total),
        ("schedule/temperature", lambda epoch: epoch.temperature),
    ],
)
def test_a_scalar_an_epoch(
    tag: str, value: Callable[[EpochSummary], float], digits: Dataset, tmp_path: Path
) -> None:
    history = watched(Training(CONFIG, digits), tmp_path)
    scalars = read(tmp_path).Scalars(tag)
    assert [scalar.step for scalar in scalars] == [1, 2, 3]
    # TensorBoard keeps single precision.
    expected = [value(epoch) for epoch in history]
    assert [scalar.value for scalar in scalars] == pytest.approx(expected, rel=1e-6)
    assert len(set(expected)) == 3


@pytest.mark.parametrize("hard", [True, False])
def test_these_scalars_and_no_others(hard: bool, digits: Dataset, tmp_path: Path) -> None:
    watched(Training(replace(CONFIG, epochs=1), digits, hard=hard), tmp_path)
    always = {"metrics/avg_train_loss", "metrics/avg_test_loss", "schedule/temperature"}
    assert set(read(tmp_path).Tags()["scalars"]) == always | ({"metrics/avg_hard_loss"} if hard else set())


def test_the_originals_stay_and_what_is_made_of_them_changes(digits: Dataset, tmp_path: Path) -> None:
    watched(Training(CONFIG, digits), tmp_path)
    events = read(tmp_path)
    assert set(events.Tags()["images"]) == {"originals/test", "reconstruction/test", "reconstruction/train"}
    pictures = {tag: events.Images(tag) for tag in events.Tags()["images"]}
    for series in pictures.values():
        assert [picture.step for picture in series] == [1, 2, 3]
        assert series[0].encoded_image_string.startswith(b"\x89PNG")
    distinct = {
        tag: len({picture.encoded_image_string for picture in series}) for tag, series in pictures.items()
    }
    assert distinct == {"originals/test": 1, "reconstruction/test": 3, "reconstruction/train": 3}


# Hyperparameters


def test_the_configs_names_and_numbers_are_hyperparameters(digits: Dataset, tmp_path: Path) -> None:
    watched(Training(CONFIG, digits), tmp_path)
    events = read(tmp_path)
    assert hyperparameters_in(events) == NAMES_AND_NUMBERS
    # Of this the dashboard would take the columns for all runs beside it, whatever theirs are.
    assert metadata.EXPERIMENT_TAG not in contents(events)


def test_a_finish_has_its_own_names() -> None:
    found = hyperparameters(replace(CONFIG, finish=Finish("straight_through", Constant(0.5), start=0.75)))
    finish = {name: value for name, value in found.items() if name.startswith("finish")}
    assert finish == {
        "finish.surrogate": "straight_through",
        "finish.temperature.schedule": "constant",
        "finish.temperature.value": 0.5,
        "finish.start": 0.75,
    }
    assert set(found) - set(finish) == set(NAMES_AND_NUMBERS) - {"finish"}


def test_all_is_in_one_file(digits: Dataset, tmp_path: Path) -> None:
    watched(Training(CONFIG, digits), tmp_path)
    (path,) = tmp_path.rglob("*")
    assert path.name.startswith("events.out.")


def test_hyperparameters_are_there_before_the_first_epoch(digits: Dataset, tmp_path: Path) -> None:
    watched(Training(CONFIG, digits), tmp_path, steps=1)
    events = read(tmp_path)
    assert hyperparameters_in(events) == NAMES_AND_NUMBERS
    assert events.Tags()["scalars"] == []


def test_only_a_run_that_came_to_its_end_is_said_to_have_succeeded(digits: Dataset, tmp_path: Path) -> None:
    training = Training(CONFIG, digits)
    watched(training, tmp_path, steps=EPOCH_STEPS + 2)
    assert metadata.SESSION_END_INFO_TAG not in contents(read(tmp_path))
    watched(Training.resume(training.state(), digits), tmp_path)
    assert metadata.SESSION_END_INFO_TAG in contents(read(tmp_path))


def test_a_run_taken_up_again_goes_on_where_it_stood(digits: Dataset, tmp_path: Path) -> None:
    training = Training(CONFIG, digits)
    first = watched(training, tmp_path, steps=EPOCH_STEPS + 2)
    history = watched(Training.resume(training.state(), digits), tmp_path)
    assert (len(first), len(history)) == (1, 3)
    events = read(tmp_path)
    scalars = events.Scalars("metrics/avg_test_loss")
    assert [scalar.step for scalar in scalars] == [1, 2, 3]
    assert [scalar.value for scalar in scalars] == pytest.approx(
        [epoch.test.total for epoch in history], rel=1e-6
    )
    assert hyperparameters_in(events) == NAMES_AND_NUMBERS
