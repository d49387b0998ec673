"""Checkpoints: what is saved comes back bit by bit, and nothing else is taken for one.

`forged` is a stranger who knows how a card is hashed: it changes a card and writes hashes that fit.
"""

import ast
import hashlib
import inspect
import json
import math
import os
import random
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import field, make_dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as written_tensors

from gumbel_core import checkpoints
from gumbel_core.checkpoints import CARD, Checkpoint, CheckpointError, load, save
from gumbel_core.datasets import load as load_data
from gumbel_core.files import MODE, NEW
from gumbel_core.schedules import Geometric, OneCycle
from gumbel_core.vae.config import OPTIMISERS, Finish, TrainConfig
from gumbel_core.vae.model import NORMALISATIONS, ModelConfig
from gumbel_core.vae.records import EpochSummary, Sums
from gumbel_core.vae.training import Training, TrainingState

ROOT = Path(__file__).parents[2]
SHA256 = "5" * 64
COMMAND = "python -m gumbel_core train --out 'runs/with a space'"
# Five steps an epoch; the stop is in the middle of the second.
STOP = 7

Card = dict[str, Any]


def config(optimiser: str = "adam", normalisation: str = "batch", seed: int = 0) -> TrainConfig:
    model = ModelConfig(
        pixels=64, encoder=(3,), decoder=(3,), latents=2, categories=2, normalisation=normalisation,
        prior="learned",
    )  # fmt: skip
    return TrainConfig(
        model=model, temperature=Geometric(), learning_rate=OneCycle(), optimiser=optimiser,
        batch=300, epochs=3, seed=seed,
    )  # fmt: skip


@cache
def stopped(config: TrainConfig, step: int = STOP) -> TrainingState:
    training = Training(config, load_data("digits"))
    records = training.records()
    while training.step < step:
        next(records)
    return training.state()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run as it was left in the middle of its second epoch."""
    save(tmp_path / "run", stopped(config()), dataset_sha256=SHA256, command=COMMAND)
    return tmp_path / "run"


def written(card: Card) -> bytes:
    """A card with a hash that fits, written anew from what the docstring says: no function of ours."""
    sha256 = hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()
    return json.dumps({**card, "sha256": sha256}, indent=1).encode()


def forged(folder: Path, change: Callable[[Card], object], weights: bytes | None = None) -> None:
    """Change the card, or the weights that it names, and make the hashes fit."""
    card = json.loads((folder / CARD).read_bytes())
    del card["sha256"]
    if weights is not None:
        sha256 = hashlib.sha256(weights).hexdigest()
        card["weights"] = {
            "file": f"weights-{sha256[:16]}.safetensors", "bytes": len(weights), "sha256": sha256
        }  # fmt: skip
        (folder / card["weights"]["file"]).write_bytes(weights)
    change(card)
    (folder / CARD).write_bytes(written(card))


def weights_of(folder: Path) -> Path:
    (path,) = folder.glob("weights-*")
    return path


def assert_same(state: TrainingState, other: TrainingState) -> None:
    assert replace(state, model={}, optimiser={}) == replace(other, model={}, optimiser={})
    for tensors, others in ((state.model, other.model), (state.optimiser, other.optimiser)):
        assert tensors.keys() == others.keys()
        for name, tensor in tensors.items():
            assert tensor.dtype == others[name].dtype
            assert torch.equal(tensor, others[name]), name


def refusal(folder: Path) -> str:
    """The sentence with which the folder is refused: one line, and not a long one."""
    with pytest.raises(CheckpointError) as refused:
        load(folder)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert len(sentence.splitlines()) == 1
    assert len(sentence) < 300 + 2 * len(str(folder))
    return sentence


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


def unsound(name: str) -> TrainingState:
    """A later state of the run that cannot be saved."""
    state = stopped(config(), 8)
    if name == "weights":
        bad = {**state.model, "prior_logits": torch.full((2, 2), math.nan)}
        return replace(state, model=bad)
    if name == "moments":
        return replace(state, optimiser={**state.optimiser, "0.step": torch.tensor(math.inf)})
    if name == "sums":
        return replace(state, sums=replace(state.sums, kl=math.inf))
    return replace(state, step=9)


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


# What is damaged.


def damages(folder: Path, chance: random.Random) -> Iterator[str]:
    """A thousand damages, each done to a sound checkpoint and undone: what was done."""
    for _ in range(1_000):
        path = chance.choice([folder / CARD, weights_of(folder)])
        sound = path.read_bytes()
        place = chance.randrange(len(sound))
        kind = chance.choice(["flip", "cut", "overwrite", "drop", "zeros"])
        if kind == "flip":
            damaged = sound[:place] + bytes([sound[place] ^ 1 << chance.randrange(8)]) + sound[place + 1 :]
        elif kind == "cut":
            damaged = sound[:place]
        elif kind == "overwrite":
            damaged = sound[:place] + chance.randbytes(16) + sound[place + 16 :]
        elif kind == "drop":
            damaged = sound[:place] + sound[place + 1 :]
        else:
            damaged = sound[:place] + bytes(len(sound) - place)
        # Of weights that end in zeros, zeros are no damage.
        if damaged != sound:
            path.write_bytes(damaged)
            yield f"{kind} at {place} of {path.name}"
            path.write_bytes(sound)


def test_a_thousand_damaged_checkpoints_are_refused(folder: Path) -> None:
    count = 0
    for damage in damages(folder, random.Random(1)):
        try:
            load(folder)
        except CheckpointError:
            count += 1
        else:
            pytest.fail(f"{damage} went unnoticed")
    assert count > 990
    assert load(folder).state.step == STOP


def test_every_bit_of_a_card_counts(tmp_path: Path) -> None:
    # JSON has several ways to say the same: 1e-05 and 1E-05 are a bit apart.
    state = stopped(replace(config(), learning_rate=OneCycle(1e-5)))
    save(tmp_path, state, dataset_sha256=SHA256, command="é")
    sound = (tmp_path / CARD).read_bytes()
    assert b"1e-05" in sound
    for damaged in (sound.replace(b"1e-05", b"1E-05"), sound.replace(b"\\u00e9", b"\\u00E9"), sound + b"\n"):
        assert damaged != sound
        (tmp_path / CARD).write_bytes(damaged)
        assert "does not match its own hash" in refusal(tmp_path)


def test_weights_of_another_run_are_told(folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "other", stopped(config(seed=1)), dataset_sha256=SHA256, command=COMMAND)
    weights_of(folder).write_bytes(weights_of(tmp_path / "other").read_bytes())
    assert "do not match their card" in refusal(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{}", b"[]", b"null", b"7", b'"card"', b"\xff\xfe\x00", b"{" * 99, b"\x80\x04K\x01.",
        b'{"format": "gumbel-softmax-explorer 1"}', b'{"format": "gumbel-softmax-explorer 2"}',
        b'{"format": ["gumbel-softmax-explorer 1"]}', b"NaN", b"1" * 5_000,
    ],
)  # fmt: skip
def test_foreign_cards_are_refused(content: bytes, folder: Path) -> None:
    (folder / CARD).write_bytes(content)
    assert "card" in refusal(folder)


@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_nested_brackets_are_refused_at_every_depth(brackets: str, folder: Path) -> None:
    # Near the limit of recursion, reading may pass where writing for the hash, or telling why, does not.
    start = '{"format": "gumbel-softmax-explorer 1", "config": '
    left, right = ("[", "]") if brackets == "[]" else ('{"a":', "}")
    for depth in [10, 400, *range(900, sys.getrecursionlimit() + 20, 9), 100_000]:
        (folder / CARD).write_text(start + left * depth + "1" + right * depth + "}")
        refusal(folder)


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in refusal(tmp_path / "nowhere")
    weights = weights_of(folder)
    weights.unlink()
    assert weights.name in refusal(folder)
    (folder / CARD).unlink()
    assert CARD in refusal(folder)
    (folder / CARD).mkdir()
    assert "not a file" in refusal(folder)


@pytest.mark.parametrize("name", [CARD, "weights"])
def test_what_is_too_large_is_not_read(name: str, folder: Path) -> None:
    path = folder / CARD if name == CARD else weights_of(folder)
    with path.open("r+b") as file:
        file.truncate(2**40)  # a hole: it takes no room
    assert "1,099,511,627,776 bytes" in refusal(folder)


@pytest.mark.parametrize("name", [CARD, "weights"])
def test_a_pipe_or_a_device_is_not_read_for_ever(name: str, folder: Path) -> None:
    path = folder / CARD if name == CARD else weights_of(folder)
    path.unlink()
    path.symlink_to("/dev/zero")
    assert "not a file" in refusal(folder)
    path.unlink()
    os.mkfifo(path)
    assert "not a file" in refusal(folder)


# What a stranger wrote, with hashes that fit.


def test_a_forger_who_changes_nothing_is_read(folder: Path) -> None:
    forged(folder, lambda card: None, weights_of(folder).read_bytes())
    assert_same(load(folder).state, stopped(config()))


FIELDS = [
    ("config",), ("dataset_sha256",), ("command",), ("versions",), ("step",), ("sums",), ("history",),
    ("weights",), ("config", "finish"), ("config", "model"), ("config", "dataset"), ("config", "seed"),
    ("config", "batch"),
    ("config", "temperature"), ("config", "learning_rate"), ("config", "learning_rate", "peak"),
    ("config", "temperature", "schedule"), ("config", "model", "pixels"), ("config", "model", "encoder"),
    ("config", "model", "latents"), ("config", "model", "prior"), ("config", "optimiser"),
    ("sums", "reconstruction"), ("sums", "steps"), ("sums", "seconds"), ("history", 0),
    ("history", 0, "epoch"), ("history", 0, "step"), ("history", 0, "relaxed"), ("history", 0, "test"),
    ("history", 0, "test", "kl"), ("history", 0, "images_per_second"), ("history", 0, "temperature"),
    ("weights", "file"), ("weights", "bytes"), ("weights", "sha256"), ("versions", "torch"),
]  # fmt: skip
VALUES: list[Any] = [
    None, True, -1, 0.5, 1e99, 10**400, math.nan, math.inf, -math.inf, "", "x" * 500_000, "a\nb", "\ud800",
    [], {}, [[]], [1], ["x"], {"a": 1}, [None] * 9, "../card.json",
    {"schedule": "constant", "value": 10**400},
]  # fmt: skip

# Any text is a command, a version or a hash of other images; a loss or a rate is any number that is one.
TEXTS = [("dataset_sha256",), ("command",), ("versions", "torch")]
NUMBERS = {"reconstruction", "kl", "seconds", "images_per_second"}
# What has a default that fits this run; the others lack one, or the weights tell.
LEFT_OUT = [
    ("config", "finish"), ("config", "dataset"), ("config", "seed"), ("config", "batch"),
    ("config", "optimiser"), ("config", "learning_rate", "peak"), ("sums", "reconstruction"),
    ("sums", "seconds"),
]  # fmt: skip


def passes(path: tuple[str | int, ...], value: object) -> bool:
    """Whether the value may stand there, or nothing: then it is the default."""
    if value == "missing" and path in LEFT_OUT:
        return True
    if path in TEXTS:
        return isinstance(value, str) and (value != "missing" or path[0] == "versions")
    if path == ("versions",):
        return value == {}
    if path == ("history", 0, "temperature"):
        return value in (0.5, 1e99)
    if path[-1] in NUMBERS:
        return value in (-1, 0.5, 1e99)
    return path[-1] == "peak" and value == 0.5


@pytest.mark.parametrize("path", FIELDS, ids=lambda path: ".".join(map(str, path)))
def test_no_value_is_taken_for_another(path: tuple[str | int, ...], folder: Path) -> None:
    sound = (folder / CARD).read_bytes()
    for value in [*VALUES, "missing"]:

        def change(card: Any, value: Any = value) -> None:
            for name in path[:-1]:
                card = card[name]
            if value == "missing":
                del card[path[-1]]
            else:
                card[path[-1]] = value

        (folder / CARD).write_bytes(sound)
        forged(folder, change)
        if passes(path, value):
            load(folder)
        elif json.loads((folder / CARD).read_bytes()) != json.loads(sound):
            refusal(folder)


def test_nested_brackets_are_refused_at_every_depth_behind_the_hash(folder: Path) -> None:
    # A stack that is nearly used up, as in an app: what can be read then cannot always be told.
    sound, limit = (folder / CARD).read_bytes(), sys.getrecursionlimit()
    for depth in range(30, 120, 2):
        nested: list[Any] = []
        for _ in range(depth):
            nested = [nested]

        def change(card: Card, nested: list[Any] = nested) -> None:
            card["config"]["dataset"] = nested

        (folder / CARD).write_bytes(sound)
        forged(folder, change)
        sys.setrecursionlimit(len(inspect.stack(0)) + 100)
        try:
            with pytest.raises(CheckpointError):
                load(folder)
        finally:
            sys.setrecursionlimit(limit)


def huge(card: Card) -> None:
    card["config"]["model"] |= {"encoder": [4_096] * 8, "decoder": [4_096] * 8, "latents": 256}


def set_step(step: object) -> Callable[[Card], None]:
    return lambda card: card.update(step=step)


def second_epoch(**changes: Any) -> Callable[[Card], None]:
    """A card whose history goes on with a second epoch."""

    def change(card: Card) -> None:
        card["history"].append(card["history"][0] | {"epoch": 2, "step": 10} | changes)
        card["sums"]["steps"], card["step"] = 0, 10

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (huge, "weights are not those of its model"),
        (lambda card: card["config"]["model"].update(encoder=[4]), "weights are not those"),
        (lambda card: card["config"]["model"].update(encoder=[10**9]), "The number of encoder's width"),
        (lambda card: card["config"]["model"].update(normalisation="layer"), "weights are not those"),
        (lambda card: card["config"]["model"].update(prior="uniform"), "moments are not those"),
        (lambda card: card["config"]["model"].update(pixels=784), "other pixels"),
        (lambda card: card["config"].update(dataset="mnist"), "other pixels"),
        (lambda card: card["config"].update(optimiser="sgd"), "moments are not those"),
        (lambda card: card["config"].update(epochs=1), "moments of the optimiser only in the middle"),
        (lambda card: card["config"].update(colour="red"), "colour"),
        (set_step("7"), "no whole numbers"),
        (set_step(True), "no whole numbers"),
        (set_step(7.0), "no whole numbers"),
        (set_step(-1), "no whole numbers"),
        (set_step(1e99), "no whole numbers"),
        (set_step(8), "not where its history ends"),
        (second_epoch(step=11), "do not follow"),
        (second_epoch(epoch=3), "do not follow"),
        (second_epoch(epoch="2"), "no whole numbers"),
        (second_epoch(temperature="1"), "no finite numbers"),
        (second_epoch(relaxed={}), "reconstruction"),
        (second_epoch(relaxed=None), "iterable"),
        (second_epoch(colour="red"), "colour"),
        (lambda card: card["sums"].update(steps=9) or card.update(step=14), "longer than the others"),
        (lambda card: card["weights"].update(file="../run/card.json"), "names no weights of ours"),
        (lambda card: card["weights"].update(file="/etc/passwd"), "names no weights of ours"),
        (lambda card: card["weights"].update(file=card["weights"]["file"] + "\n"), "names no weights"),
        (lambda card: card.pop("config"), "there is no 'config'"),
    ],
)
def test_a_forged_card_is_refused_for_its_reason(
    change: Callable[[Card], object], reason: str, folder: Path
) -> None:
    forged(folder, change)
    assert reason in refusal(folder)


def test_the_second_epoch_alone_is_no_reason(folder: Path) -> None:
    forged(folder, second_epoch())
    assert load(folder).state.step == 10


Tensors = dict[str, torch.Tensor]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda all: all["model/encoder.0.weight"].fill_(math.nan), "weights are not all finite"),
        (lambda all: all["model/prior_logits"].fill_(math.inf), "weights are not all finite"),
        (lambda all: all["optimiser/1.exp_avg"].fill_(math.nan), "moments are not all finite"),
        (lambda all: all.pop("model/prior_logits"), "weights are not those"),
        (lambda all: all.update({"model/more": torch.zeros(1)}), "weights are not those"),
        (lambda all: all.update({"more": torch.zeros(1)}), "more than a run"),
        (lambda all: all.update({"model/prior_logits": torch.zeros(4)}), "weights are not those"),
        (lambda all: all.update({"model/prior_logits": torch.zeros(2, 2).double()}), "weights are not those"),
        (lambda all: all.pop("optimiser/0.step"), "moments are not those"),
        (lambda all: all.update({"optimiser/x": torch.zeros(1)}), "moments are not those"),
        (lambda all: all.update({"optimiser/99.exp_avg": torch.zeros(1)}), "moments are not those"),
        (lambda all: all.update({"optimiser/1.exp_avg": torch.zeros(3)}), "moments are not those"),
        (
            lambda all: [all.pop(name) for name in list(all) if name.startswith("optimiser")],
            "moments of the optimiser only in the middle",
        ),
        (lambda all: all.clear(), "weights are not those"),
    ],
)
def test_forged_weights_are_refused_for_their_reason(
    change: Callable[[Tensors], object], reason: str, folder: Path
) -> None:
    tensors = read_tensors(weights_of(folder).read_bytes())
    change(tensors)
    forged(folder, lambda card: None, written_tensors(tensors))
    assert reason in refusal(folder)


def foreign(header: str, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header.encode() + data


@pytest.mark.parametrize(
    "content",
    [
        b"", b"x", b"\x80\x04K\x01.", bytes(8), (2**63).to_bytes(8, "little"), foreign("{"), foreign("[]"),
        foreign("{}"), foreign("{}", b"more"), foreign('{"a": 1}'), foreign("[" * 9_999),
        foreign('{"model/a": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}', b"x"),
        foreign('{"model/a": {"dtype": "F8_E8M0", "shape": [1], "data_offsets": [0, 1]}}', b"x"),
        foreign('{"model/a": {"dtype": "F32", "shape": [0, 4611686018427387904], "data_offsets": [0, 0]}}'),
        foreign('{"model/a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}', b"1234"),
        foreign('{"model/a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]}}', b"1234"),
        foreign('{"model/a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}', b"1234"),
    ],
)  # fmt: skip
def test_foreign_weights_with_hashes_that_fit_are_refused(content: bytes, folder: Path) -> None:
    forged(folder, lambda card: None, content)
    refusal(folder)


def test_a_state_of_another_data_set_is_not_taken_up() -> None:
    # 1,500 digits in batches of 300 are 5 steps an epoch: a history that says 4 is of other images.
    state = stopped(config())
    first = replace(state.history[0], step=4)
    for wrong in (
        replace(state, history=[first, replace(first, epoch=2, step=8)], step=9),
        replace(state, history=[], step=7),
        replace(state, step=16),
        replace(stopped(config(), 15), step=17),
    ):
        with pytest.raises(ValueError, match="are not those of a run on digits"):
            Training.resume(wrong, load_data("digits"))


# While somebody writes.


def test_a_reader_finds_the_old_or_the_new(folder: Path) -> None:
    first, second = stopped(config()), stopped(config(), 15)
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            for state in (second, first):
                save(folder, state, dataset_sha256=SHA256, command=COMMAND)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        steps = [load(folder).state.step for _ in range(60)]
    finally:
        done.set()
        writer.join()
    assert set(steps) == {STOP, 15}


def test_a_card_whose_weights_were_just_replaced_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, count = checkpoints._read, 0

    def late(path: Path, most: int) -> bytes:
        nonlocal count
        count += 1
        content = read(path, most)
        if count == 1:
            save(folder, stopped(config(), 15), dataset_sha256=SHA256, command=COMMAND)
        return content

    monkeypatch.setattr(checkpoints, "_read", late)
    assert load(folder).state.step == 15


# Forked from one process, so that torch is imported once. Each child saves for ever, and is killed.
KILLED = """
import os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from gumbel_core.checkpoints import load, save
folder, chance, loaded = Path(sys.argv[1]), random.Random(0), load(Path(sys.argv[1]))
for number in range(1, 16):
    before = (folder / "card.json").read_bytes()
    child = os.fork()
    if not child:
        count = 1_000 * number
        while True:
            count += 1
            loaded.state.sums.seconds = float(count)
            loaded.state.model["prior_logits"].fill_(count % 2)
            save(folder, loaded.state, dataset_sha256="5" * 64, command=str(count))
    while (folder / "card.json").read_bytes() == before:
        time.sleep(.001)
    time.sleep(chance.uniform(0, .05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = load(folder)
    print(found.command, found.state.sums.seconds, found.state.model["prior_logits"][0, 0].item())
print(*os.listdir(folder))
save(folder, loaded.state, dataset_sha256="5" * 64, command="last")
print(len(os.listdir(folder)))
"""


def test_a_process_killed_at_any_moment_leaves_a_checkpoint(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    *found, _, kept = run.stdout.splitlines()
    assert len(found) == 15
    for number, line in enumerate(found, start=1):
        command, seconds, prior = line.split(" ")
        assert int(command) // 1_000 == number
        # One save's card, numbers and weights, and not the half of another's.
        assert float(command) == float(seconds)
        assert int(command) % 2 == float(prior)
    assert kept == "2"


# Nothing is unpickled.


def test_no_module_of_the_core_unpickles() -> None:
    pickles = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    found = []
    for path in sorted((ROOT / "gumbel_core").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                names = {module.partition(".")[0]}
                names |= {f"{module}.{alias.name}" for alias in node.names}
            elif isinstance(node, ast.Attribute):
                names = {ast.unparse(node)}
                if isinstance(node.value, ast.Name) and node.attr == "load" and "np" in node.value.id:
                    names.add("numpy.load")
            else:
                continue
            found += [(path.name, name) for name in names & (pickles | {"torch.load", "numpy.load"})]
    assert found == []


def test_a_pickle_in_the_place_of_the_weights_is_not_run(folder: Path, tmp_path: Path) -> None:
    trap = f"cposix\nsystem\n(S'touch {tmp_path}/sprung'\ntR.".encode()
    forged(folder, lambda card: None, trap)
    refusal(folder)
    assert not (tmp_path / "sprung").exists()


def test_a_checkpoint_says_what_it_holds(folder: Path) -> None:
    checkpoint = load(folder)
    assert isinstance(checkpoint, Checkpoint)
    assert all(isinstance(epoch, EpochSummary) for epoch in checkpoint.state.history)
    assert checkpoint.state.config == config()
