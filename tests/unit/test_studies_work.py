"""A run as a worker carries it out: the same bits as one in this process, and files that are read back."""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from gumbel_core.checkpoints import CARD, Checkpoint, load
from gumbel_core.datasets import Dataset, with_pixels
from gumbel_core.datasets import load as load_data
from gumbel_core.schedules import Constant, Geometric
from gumbel_core.studies import work
from gumbel_core.studies.grid import Study, config_of
from gumbel_core.studies.work import Task, carried_out
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.records import Record
from gumbel_core.vae.training import Training, TrainingDivergedError
from tests.unit.checkpoints import assert_same
from tests.unit.small_studies import COMMAND, assert_one_sentence

DIGITS = load_data("digits")


def config(recipe: str = "small", epochs: int = 2, **axes: tuple[str | float, ...]) -> TrainConfig:
    study = Study("mine", recipes=(recipe,), seeds=1, epochs=epochs, **axes)  # type: ignore[arg-type]
    (key,) = study.keys
    return config_of(study, key)


def task(config: TrainConfig, threads: int = 1) -> Task:
    return Task(config, with_pixels(DIGITS, config.pixels).sha256, COMMAND, threads)


def kept(files: Mapping[str, bytes], folder: Path) -> Checkpoint:
    """The files on a disk, read as a checkpoint."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return load(folder)


def here(config: TrainConfig) -> Training:
    """The same run in this process, to its end or until it diverges."""
    training = Training(config, DIGITS)
    try:
        for _ in training.records():
            pass
    except TrainingDivergedError:
        pass
    return training


def timeless(checkpoint: Checkpoint | Training) -> list[object]:
    """A history without what a clock says."""
    history = checkpoint.history if isinstance(checkpoint, Training) else checkpoint.state.history
    return [replace(epoch, images_per_second=0) for epoch in history]


def assert_same_run(found: Checkpoint, wanted: Training) -> None:
    assert timeless(found) == timeless(wanted)
    state = replace(wanted.state(), history=found.state.history, sums=found.state.sums)
    assert_same(found.state, state)


@pytest.mark.parametrize(
    "config",
    [
        config(),
        config(estimators=("gumbel_softmax",), temperatures=(0.5,)),
        config("jang2017"),  # Bits that are drawn once.
        config("guide", epochs=1),
        config("binary", epochs=1, temperatures=(2,)),
    ],
    ids=["small", "held", "jang2017", "guide", "binary"],
)
def test_a_run_has_the_bits_of_one_in_this_process(config: TrainConfig, tmp_path: Path) -> None:
    checkpoint = kept(carried_out(task(config)), tmp_path)
    assert_same_run(checkpoint, here(config))
    assert checkpoint.state.config == config
    assert len(checkpoint.state.history) == config.epochs
    assert checkpoint.command == COMMAND
    assert checkpoint.dataset_sha256 == task(config).dataset_sha256


def test_runs_of_one_worker_do_not_touch_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker carries out many runs, of any pixels, and reads its images once."""
    small, bits = config(epochs=1), config("jang2017", epochs=1)
    reads = list[str]()

    def read_images(name: str) -> Dataset:
        reads.append(name)
        return DIGITS

    monkeypatch.setattr(work, "load", read_images)
    work._images.cache_clear()
    (tmp_path / "second").mkdir()
    carried_out(task(small))
    carried_out(task(bits))
    assert_same_run(kept(carried_out(task(small)), tmp_path), here(small))
    assert_same_run(kept(carried_out(task(bits)), tmp_path / "second"), here(bits))
    assert reads == ["digits", "digits"]


def test_its_files_are_a_checkpoint_and_tensorboards_and_the_card_is_the_last() -> None:
    events, weights, card = carried_out(task(config(epochs=1)))
    assert events.startswith("events.out.tfevents.")
    assert weights.startswith("weights-")
    assert card == CARD


@pytest.mark.parametrize("threads", [1, 2])
def test_pytorch_has_the_threads_that_were_asked_for(threads: int) -> None:
    torch.set_num_threads(3)
    carried_out(task(config(epochs=1), threads))
    assert torch.get_num_threads() == threads


# Other images


@pytest.mark.parametrize("asked", [config(), config("jang2017")])
def test_other_images_are_refused_before_anything_is_learned(
    asked: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Training, "records", lambda _: pytest.fail("It trained."))
    # Of the other kind of pixels, and of nobody.
    others = {with_pixels(DIGITS, pixels).sha256 for pixels in ("grey", "fixed")} | {"5" * 64}
    for sha256 in others - {task(asked).dataset_sha256}:
        with pytest.raises(ValueError, match="A worker has other images of digits than the study") as refused:
            carried_out(Task(asked, sha256, COMMAND))
        assert_one_sentence(refused.value)


# Runs that diverge


@pytest.mark.parametrize(
    ("changes", "epochs"),
    [
        ({"optimiser": "sgd", "learning_rate": Constant(100.0)}, 0),
        ({"optimiser": "adam", "learning_rate": Constant(1e38)}, 0),
        # It falls through all numbers of single precision, which end in the third epoch.
        ({"temperature": Geometric(1.0, 1e-70)}, 2),
    ],
    ids=["sgd", "adam", "temperature"],
)
def test_a_run_that_diverges_ends_where_it_last_was_good(
    changes: dict[str, object], epochs: int, tmp_path: Path
) -> None:
    wild = replace(config(epochs=4), finish=None, **changes)  # type: ignore[arg-type]
    checkpoint = kept(carried_out(task(wild)), tmp_path)
    assert (len(checkpoint.state.history), checkpoint.state.step) == (epochs, 30 * epochs)
    assert_same_run(checkpoint, here(wild))
    # It can be gone on from, and is not said to have succeeded.
    assert Training.resume(checkpoint.state, DIGITS).step == 30 * epochs
    events = read(tmp_path)
    assert metadata.SESSION_END_INFO_TAG not in events.PluginTagToContent(metadata.PLUGIN_NAME)
    steps = [scalar.step for scalar in events.Scalars("metrics/avg_test_loss")] if epochs else []
    assert steps == list(range(1, epochs + 1))


def test_a_run_that_is_no_checkpoint_is_told_in_a_sentence() -> None:
    # A layer's statistics overflow, while all losses are finite.
    wild = replace(config(), finish=None, optimiser="sgd", learning_rate=Constant(1e9))
    with pytest.raises(ValueError, match="cannot be kept: its weights are not all finite") as refused:
        carried_out(task(wild))
    assert_one_sentence(refused.value)


# What it leaves


def test_a_worker_leaves_nothing_on_its_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = list[Path]()

    def looked_at(_: Training) -> Iterator[Record]:
        used.extend(tmp_path.rglob("*"))
        yield from ()

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(Training, "records", looked_at)
    carried_out(task(config()))
    # PyTorch may have a folder of its own there.
    (folder,) = (path for path in used if path.name.startswith("gumbel-study-"))
    assert any(path.parent == folder and path.name.startswith("events.") for path in used)
    assert not folder.exists()

    def broken(_: Training) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Training, "records", broken)
    with pytest.raises(OSError, match="No space"):
        carried_out(task(config()))
    assert list(tmp_path.iterdir()) == []


# TensorBoard


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    return events


def test_tensorboard_finds_the_run_in_what_came_back(tmp_path: Path) -> None:
    asked = config(epochs=3, temperatures=(0.5,))
    checkpoint = kept(carried_out(task(asked)), tmp_path)
    events = read(tmp_path)
    for tag, values in {
        "metrics/avg_train_loss": [epoch.relaxed.total for epoch in checkpoint.state.history],
        "metrics/avg_hard_loss": [epoch.hard.total for epoch in checkpoint.state.history if epoch.hard],
        "metrics/avg_test_loss": [epoch.test.total for epoch in checkpoint.state.history],
        "schedule/temperature": [0.5] * 3,
    }.items():
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == [1, 2, 3]
        assert [scalar.value for scalar in scalars] == pytest.approx(values, rel=1e-6)
    for tag in ("originals/test", "reconstruction/test", "reconstruction/train"):
        assert [picture.step for picture in events.Images(tag)] == [1, 2, 3]
        assert events.Images(tag)[0].encoded_image_string.startswith(b"\x89PNG")
    told = events.PluginTagToContent(metadata.PLUGIN_NAME)
    start = metadata.parse_session_start_info_plugin_data(told[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["temperature.value"].number_value == 0.5
    assert start.hparams["surrogate"].string_value == "gumbel_softmax"
    assert metadata.SESSION_END_INFO_TAG in told
