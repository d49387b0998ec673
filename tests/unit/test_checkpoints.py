"""Checkpoints: what is saved comes back bit by bit, whatever version wrote it."""

import json
import math
import os
import stat
from dataclasses import field, make_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gumbel_core import checkpoints
from gumbel_core.checkpoints import CARD, Checkpoint, CheckpointError, load, save
from gumbel_core.datasets import load as load_data
from gumbel_core.files import MODE, NEW
from gumbel_core.vae.config import OPTIMISERS, Finish, TrainConfig
from gumbel_core.vae.model import NORMALISATIONS, ModelConfig
from gumbel_core.vae.records import EpochSummary, Sums
from gumbel_core.vae.training import Training
from tests.unit.checkpoints import (
    COMMAND,
    ROOT,
    SHA256,
    STOP,
    Card,
    assert_same,
    config,
    forged,
    refusal,
    stopped,
    unsound,
    weights_of,
)

# What is saved comes back.


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("step", [0, 1, 5, STOP, 15])
def test_a_run_comes_back_bit_by_bit(optimiser: str, step: int, tmp_path: Path) -> None:
    state = stopped(config(optimiser), step)
    save(tmp_path, state, dataset_sha256=SHA256, command=COMMAND)
    checkpoint = load(tmp_path)
    assert_same(checkpoint.state, state)
    assert (checkpoint.dataset_sha256, checkpoint.command) == (SHA256, COMMAND)
    assert checkpoint.versions["torch"].startswith(torch.__version__.partition("+")[0])
    assert (checkpoint.state.step, len(checkpoint.state.history)) == (step, step // 5)
    # What an optimiser has learned is kept for as long as somebody may need it.
    assert bool(state.optimiser) == (0 < step < 15)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_the_model_has_the_weights_and_is_ready_to_evaluate(normalisation: str, tmp_path: Path) -> None:
    state = stopped(config(normalisation=normalisation))
    save(tmp_path, state, dataset_sha256=SHA256, command=COMMAND)
    checkpoint = load(tmp_path)
    before = torch.get_rng_state()
    model = checkpoint.model()
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    assert {name: tensor.tolist() for name, tensor in model.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in state.model.items()
    }
    # The model is the caller's: whoever trains it does not touch the checkpoint.
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.zero_()
    assert_same(checkpoint.state, state)


def test_numbers_without_a_hard_pass_come_back(tmp_path: Path) -> None:
    training = Training(config(), load_data("digits"), hard=False)
    records = training.records()
    while training.step < STOP:
        next(records)
    state = training.state()
    assert state.history[0].hard is None
    assert state.sums.hard_reconstruction is None
    save(tmp_path, state, dataset_sha256=SHA256, command=COMMAND)
    assert_same(load(tmp_path).state, state)


def test_the_longest_run_has_a_card_that_is_read(tmp_path: Path) -> None:
    state = stopped(replace(config(), epochs=1_000))
    # Numbers as long as they come.
    first = replace(state.history[0], temperature=1 / 3, images_per_second=-math.pi * 1e-100)
    history = [replace(first, epoch=epoch, step=5 * epoch) for epoch in range(1, 1_000)]
    state = replace(state, history=history, step=5 * 999 + 2)
    save(tmp_path, state, dataset_sha256=SHA256, command="x" * 10_000)
    assert_same(load(tmp_path).state, state)


def test_a_save_replaces_the_last_one_and_what_a_killed_one_left(folder: Path) -> None:
    first = weights_of(folder)
    (folder / f"{NEW}abc").write_bytes(b"half")
    (folder / "events.out").write_bytes(b"theirs")
    (folder / "weights-of-my-own.safetensors").write_bytes(b"theirs")
    save(folder, stopped(config(), 15), dataset_sha256=SHA256, command=COMMAND)
    assert not first.exists()
    assert load(folder).state.step == 15
    theirs = {"events.out", "weights-of-my-own.safetensors"}
    card = json.loads((folder / CARD).read_bytes())
    assert set(os.listdir(folder)) == {CARD, card["weights"]["file"]} | theirs


def test_saving_the_same_again_changes_nothing(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    save(folder, load(folder).state, dataset_sha256=SHA256, command=COMMAND)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_its_files_are_for_whom_the_umask_lets(folder: Path) -> None:
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {MODE}


def test_what_is_no_plain_file_is_left_when_a_save_clears_up(folder: Path, tmp_path: Path) -> None:
    theirs = f"weights-{'0' * 16}.safetensors"
    (folder / f"{NEW}folder").mkdir()
    (folder / theirs).mkdir()
    (folder / f"{NEW}link").symlink_to(tmp_path)
    save(folder, stopped(config(), 15), dataset_sha256=SHA256, command=COMMAND)
    assert load(folder).state.step == 15
    assert {f"{NEW}folder", f"{NEW}link", theirs} < set(os.listdir(folder))


@pytest.mark.parametrize("failing", ["iterdir", "lstat", "unlink"])
def test_clearing_up_never_fails_a_save(failing: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / f"{NEW}abc").write_bytes(b"half")

    def fail(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, failing, fail)
    save(folder, stopped(config(), 15), dataset_sha256=SHA256, command=COMMAND)
    monkeypatch.undo()
    assert load(folder).state.step == 15


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("weights", "its weights are not all finite"),
        ("moments", "its moments are not all finite"),
        ("sums", "its losses are no finite numbers"),
        ("step", "its step is not where its history ends"),
    ],
)
def test_a_run_that_could_not_be_read_is_not_saved(
    name: str, reason: str, folder: Path, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for place in (folder, tmp_path / "new"):
        with pytest.raises(CheckpointError, match=f"The run cannot be saved in {place}: {reason}\\.$"):
            save(place, unsound(name), dataset_sha256=SHA256, command=COMMAND)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("limit", ["MAX_CARD", "MAX_WEIGHTS"])
def test_what_is_too_large_to_be_read_is_not_saved(
    limit: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / CARD if limit == "MAX_CARD" else weights_of(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr(checkpoints, limit, path.stat().st_size)
    save(folder, stopped(config()), dataset_sha256=SHA256, command=COMMAND)
    monkeypatch.setattr(checkpoints, limit, path.stat().st_size - 1)
    with pytest.raises(CheckpointError, match="more than"):
        save(folder, stopped(config()), dataset_sha256=SHA256, command=COMMAND)
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    with pytest.raises(CheckpointError, match="its card is more than 1,048,576 bytes"):
        save(folder, stopped(config()), dataset_sha256=SHA256, command="x" * 2**20)


def test_a_run_is_named_by_its_card_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_same(load(folder / CARD).state, stopped(config()))
    monkeypatch.chdir(folder)
    assert_same(load(Path(CARD)).state, stopped(config()))
    # A folder may have that name.
    named = folder.rename(folder.parent / CARD)
    assert_same(load(named).state, stopped(config()))
    with pytest.raises(CheckpointError, match=f"{folder / CARD}: No such file"):
        load(folder / CARD)


# What other versions wrote.


@pytest.mark.parametrize(
    ("name", "pixels", "encoder", "latents", "categories", "decoder"),
    [
        ("mnist", 784, (512, 256), 30, 10, (256, 512)),
        ("digits", 64, (128,), 16, 8, (128,)),
    ],
)
def test_the_checkpoints_that_ship_are_read(
    name: str,
    pixels: int,
    encoder: tuple[int, ...],
    latents: int,
    categories: int,
    decoder: tuple[int, ...],
) -> None:
    checkpoint = load(ROOT / "checkpoints" / name)
    config = checkpoint.state.config
    assert (config.dataset, config.model.pixels) == (name, pixels)
    assert (config.model.encoder, config.model.decoder) == (encoder, decoder)
    assert (config.model.latents, config.model.categories) == (latents, categories)
    assert len(checkpoint.state.history) == config.epochs
    assert checkpoint.model().log_prior().shape == (latents, categories)


@pytest.mark.parametrize(
    ("part", "field", "default"),
    [
        ("config", "finish", None), ("config", "dataset", "digits"), ("config", "seed", 0),
        ("config", "optimiser", "adam"), ("model", "activation", "relu"), ("model", "logits", "raw"),
        ("learning_rate", "rise", 0.3), ("sums", "kl", 0.0),
    ],
)  # fmt: skip
def test_a_field_that_an_older_card_lacks_takes_its_default(
    part: str, field: str, default: object, folder: Path
) -> None:
    def change(card: Card) -> None:
        parts = {"config": card["config"], "sums": card["sums"], **card["config"]}
        del parts[part][field]

    forged(folder, change)
    state = load(folder).state
    found = {"config": state.config, "sums": state.sums, **vars(state.config)}[part]
    assert getattr(found, field) == default


def test_cards_of_today_are_read_when_every_part_has_a_field_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def later(module: str, kind: type) -> None:
        more = make_dataclass(
            kind.__name__, [("later", str, field(default="as before"))], bases=(kind,),
            frozen=kind is not Sums,
        )  # fmt: skip
        monkeypatch.setattr(f"{module}.{kind.__name__}", more)

    later("gumbel_core.vae.config", ModelConfig)
    later("gumbel_core.vae.config", Finish)
    later("gumbel_core.checkpoints", TrainConfig)
    later("gumbel_core.checkpoints", EpochSummary)
    later("gumbel_core.checkpoints", Sums)
    for place in (folder, ROOT / "checkpoints" / "mnist", ROOT / "checkpoints" / "digits"):
        state = load(place).state
        parts = [state.config, state.config.model, state.sums, *state.history]
        parts += [state.config.finish] if state.config.finish else []
        assert {part.later for part in parts} == {"as before"}  # type: ignore[attr-defined]
    # And what that version writes is refused by this one.
    save(folder, load(folder).state, dataset_sha256=SHA256, command=COMMAND)
    assert load(folder).state.step == STOP
    monkeypatch.undo()
    assert "was written by a later version or is not ours" in refusal(folder)


@pytest.mark.parametrize(
    "path",
    [
        (), ("config",), ("config", "model"), ("config", "temperature"), ("config", "finish"), ("sums",),
        ("history", 0), ("history", 0, "test"), ("weights",),
    ],
    ids=lambda path: ".".join(map(str, path)),
)  # fmt: skip
def test_a_field_that_is_not_known_is_of_a_later_version(path: tuple[str | int, ...], tmp_path: Path) -> None:
    state = stopped(replace(config(), finish=Finish(start=0.9)))
    save(tmp_path, state, dataset_sha256=SHA256, command=COMMAND)

    def change(card: Any) -> None:
        for name in path:
            card = card[name]
        card["later"] = 1

    forged(tmp_path, change)
    assert "was written by a later version or is not ours" in refusal(tmp_path)


@pytest.mark.parametrize("failing", [1, 2])
def test_a_full_disk_leaves_the_last_checkpoint(
    failing: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def full(path: Path, content: bytes) -> None:
        nonlocal count
        count += 1
        if count == failing:
            raise OSError(28, "No space left on device")
        path.write_bytes(content)

    monkeypatch.setattr(checkpoints, "replace_file", full)
    with pytest.raises(OSError, match="No space"):
        save(folder, stopped(config(), 15), dataset_sha256=SHA256, command=COMMAND)
    assert_same(load(folder).state, stopped(config()))


def test_a_checkpoint_says_what_it_holds(folder: Path) -> None:
    checkpoint = load(folder)
    assert isinstance(checkpoint, Checkpoint)
    assert all(isinstance(epoch, EpochSummary) for epoch in checkpoint.state.history)
    assert checkpoint.state.config == config()
