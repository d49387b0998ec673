"""Checkpoints: a folder with weights as safetensors and a JSON card that says what they are.

    save(folder, state, dataset_sha256=..., command=...)
    checkpoint = load(folder)

`files_of` and `checkpoint_of` are the same without a disk.

Nothing is unpickled. The card names its weights file by content and holds hashes of it and of itself, so a
damaged or a foreign file is told from a good one. Hashes are no signature: what a stranger wrote with hashes
that fit is held against what a run can be, before any of it is used. The card is written last, and each file
is moved in place whole: a process killed at any moment leaves the last checkpoint or the next.

Cards of older versions are read: a field that one lacks takes its default. A field that is not known here is
of a later version, and is refused, for nobody can tell what it changes.
"""

import hashlib
import json
import platform
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from math import isfinite, prod
from pathlib import Path, PurePath
from stat import S_ISREG
from typing import Any

import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as written_tensors
from torch import Tensor

from gumbel_core.datasets import DATASETS
from gumbel_core.files import NEW, replace_file
from gumbel_core.vae.config import OPTIMISERS, TrainConfig
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.records import EpochSummary, Sums
from gumbel_core.vae.training import TrainingState

FORMAT = "gumbel-softmax-explorer 1"
CARD = "card.json"
WEIGHTS = re.compile(r"weights-[0-9a-f]{16}\.safetensors")
# A thousand epochs of history; fifty times the paper's model with an optimiser's moments.
MAX_CARD, MAX_WEIGHTS = 2**20, 2**28
# What of a reason is told, for a card may hold a megabyte of it.
TOLD = 200
# Beyond it a number of steps is no whole number for NumPy.
MOST_STEPS = 2**53


class CheckpointError(ValueError):
    """A checkpoint that cannot be read, or a run that would make such a one: one plain sentence."""


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint holds: a run as it stood, and where it comes from."""

    state: TrainingState
    dataset_sha256: str
    command: str
    versions: Mapping[str, str]

    def model(self) -> CategoricalVAE:
        """The model with its weights, ready to evaluate."""
        model = _empty_model(self.state)
        weights = {name: tensor.clone() for name, tensor in self.state.model.items()}
        model.load_state_dict(weights, assign=True)
        return model.eval()


def save(folder: Path, state: TrainingState, *, dataset_sha256: str, command: str) -> None:
    """Write a run as it stands. What was in the folder before is replaced whole or not at all.

    Raises CheckpointError, before anything is replaced, for what `load` would refuse; else OSError.
    """
    try:
        files = files_of(state, dataset_sha256=dataset_sha256, command=command)
    except ValueError as error:
        raise CheckpointError(f"The run cannot be saved in {folder}: {_reason(error)}.") from None
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        replace_file(folder / name, content)
    _clear(folder, files)


def files_of(state: TrainingState, *, dataset_sha256: str, command: str) -> dict[str, bytes]:
    """A checkpoint's files by their names, in the order in which they are written: the card is last.

    Raises ValueError, with half a sentence, for what `checkpoint_of` would refuse.
    """
    versions = {package: version(package) for package in ("torch", "numpy", "safetensors")}
    versions["python"] = platform.python_version()
    weights = written_tensors(_flat(state))
    name = f"weights-{_sha256(weights)[:16]}.safetensors"
    named = {"file": name, "bytes": len(weights), "sha256": _sha256(weights)}
    card = _written_card(_told_by(Checkpoint(state, dataset_sha256, command, versions), named))
    _check_run(state)
    _check(len(weights) <= MAX_WEIGHTS, f"its weights are more than {MAX_WEIGHTS:,} bytes")
    _check(len(card) <= MAX_CARD, f"its card is more than {MAX_CARD:,} bytes")
    return {name: weights, CARD: card}


def _clear(folder: Path, kept: Mapping[str, bytes]) -> None:
    """Take away older weights, and what a process left behind that was killed while it wrote.

    The checkpoint is in place by now: what cannot be taken away is left, and so is what is no plain file.
    """
    with suppress(OSError):
        for other in list(folder.iterdir()):
            ours = other.name.startswith(NEW) or (WEIGHTS.fullmatch(other.name) and other.name not in kept)
            with suppress(OSError):
                if ours and S_ISREG(other.lstat().st_mode):
                    other.unlink()


def load(path: Path) -> Checkpoint:
    """Read a checkpoint by its folder or its card. Raises CheckpointError for whatever is none (any more)."""
    folder = path.parent if path.name == CARD and not path.is_dir() else path
    while True:
        content = _read(folder / CARD, MAX_CARD)
        try:
            return checkpoint_of(content, lambda name: _read(folder / name, MAX_WEIGHTS), folder)
        except CheckpointError:
            # A run that saves meanwhile takes a card's weights away, but not without a new card.
            if _read(folder / CARD, MAX_CARD) == content:
                raise


def checkpoint_of(card: bytes, weights: Callable[[str], bytes], folder: PurePath) -> Checkpoint:
    """The checkpoint of a card's content. Raises CheckpointError for a card or weights that are not ours.

    `weights` gives the content of the file that the card names, or raises CheckpointError. `folder` is only
    told, in an error's sentence: nothing is read from it here.
    """
    return _checkpoint(folder, _card(folder / CARD, card), weights)


def _card(path: PurePath, content: bytes) -> dict[str, Any]:
    try:
        card = json.loads(content)
        if not isinstance(card, dict) or card.get("format") != FORMAT:
            raise CheckpointError(f"The card {path} is not one of ours: its format is not {FORMAT!r}.")
        card.pop("sha256", None)
        # Byte for byte, for JSON has several ways to say the same.
        if content != _written_card(card):
            raise CheckpointError(f"The card {path} is damaged: it does not match its own hash.")
    except CheckpointError:
        raise
    except (ValueError, RecursionError):
        raise CheckpointError(f"The card {path} is damaged: it is no JSON.") from None
    return card


def _checkpoint(folder: PurePath, card: Mapping[str, Any], weights: Callable[[str], bytes]) -> Checkpoint:
    """What the card says, and the tensors that it names, each held against the others."""
    try:
        config = TrainConfig.from_json(card["config"])
        history = [EpochSummary.from_json(epoch) for epoch in card["history"]]
        sums, step = Sums(**card["sums"]), card["step"]
        texts = [card["dataset_sha256"], card["command"], *card["versions"].values()]
        _check(all(isinstance(text, str) for text in texts), "its origin is not told in words")
        # Before its weights are read.
        _check_progress(config, step, sums, history)
        tensors = _tensors(folder, weights, **card["weights"])
        model, optimiser = _part(tensors, "model"), _part(tensors, "optimiser")
        _check(len(model) + len(optimiser) == len(tensors), "its weights hold more than a run")
        state = TrainingState(config, model, optimiser, step, sums, history)
        _check_run(state)
        checkpoint = Checkpoint(state, card["dataset_sha256"], card["command"], card["versions"])
        _check(_comes_back(card, _told_by(checkpoint, card["weights"])), "it says more than was understood")
    except CheckpointError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CheckpointError(
            f"The card {folder / CARD} was written by a later version or is not ours: {_reason(error)}."
        ) from None
    return checkpoint


def _told_by(checkpoint: Checkpoint, weights: Mapping[str, Any]) -> dict[str, Any]:
    """What a card says of a checkpoint and of its file of weights."""
    state = checkpoint.state
    return {
        "format": FORMAT,
        "command": checkpoint.command,
        "config": state.config.to_json(),
        "dataset_sha256": checkpoint.dataset_sha256,
        "step": state.step,
        "sums": vars(state.sums),
        "history": [epoch.to_json() for epoch in state.history],
        "versions": checkpoint.versions,
        "weights": weights,
    }


def _comes_back(said: object, ours: object) -> bool:
    """Whether all that a card says is ours, too. What it does not say has taken its default."""
    if isinstance(said, dict) and isinstance(ours, dict):
        return all(name in ours and _comes_back(value, ours[name]) for name, value in said.items())
    if isinstance(said, list) and isinstance(ours, list):
        return len(said) == len(ours) and all(map(_comes_back, said, ours))
    return said == ours


def _tensors(
    folder: PurePath, weights: Callable[[str], bytes], *, file: str, bytes: int, sha256: str
) -> dict[str, Tensor]:
    """The tensors, from what a card says of their file."""
    if not WEIGHTS.fullmatch(file):
        raise CheckpointError(f"The card {folder / CARD} names no weights of ours.")
    content = weights(file)
    if len(content) != bytes or _sha256(content) != sha256:
        raise CheckpointError(f"The weights {folder / file} are damaged: they do not match their card.")
    try:
        tensors: dict[str, Tensor] = read_tensors(content)
    # A foreign file ends in whatever the parser stumbles over.
    except Exception as error:
        raise CheckpointError(f"The weights {folder / file} cannot be read: {_reason(error)}.") from None
    return tensors


def _check_run(state: TrainingState) -> None:
    """A run can stand like this."""
    _check_progress(state.config, state.step, state.sums, state.history)
    _check_model(state)
    _check_optimiser(state)


def _check_progress(config: TrainConfig, step: object, sums: Sums, history: list[EpochSummary]) -> None:
    """A run of that config can have come this far."""
    counts = [step, sums.steps, *(count for epoch in history for count in (epoch.epoch, epoch.step))]
    whole = all(type(count) is int and 0 <= count <= MOST_STEPS for count in counts)
    _check(whole, "its steps are no whole numbers")
    numbers = [sums.reconstruction, sums.kl, sums.seconds]
    numbers += [] if sums.hard_reconstruction is None else [sums.hard_reconstruction]
    for epoch in history:
        numbers += [epoch.temperature, epoch.images_per_second, *epoch.relaxed, *epoch.test]
        numbers += epoch.hard or ()
    _check(all(_is_finite(number) for number in numbers), "its losses are no finite numbers")
    _check(all(epoch.temperature > 0 for epoch in history), "its temperatures are not above 0")
    epoch_steps = history[0].step if history else 0
    ends = [(number, number * epoch_steps) for number in range(1, len(history) + 1)]
    _check([(epoch.epoch, epoch.step) for epoch in history] == ends, "its epochs do not follow each other")
    _check(len(history) <= config.epochs, "it has more epochs than its config")
    _check(step == len(history) * epoch_steps + sums.steps, "its step is not where its history ends")
    _check(not history or sums.steps < epoch_steps, "its last epoch is longer than the others")


def _check_model(state: TrainingState) -> None:
    """The weights are the config's model's, before any memory is taken for it."""
    config = state.config
    _check(config.model.pixels == prod(DATASETS[config.dataset].shape), "its images have other pixels")
    expected = _empty_model(state).state_dict()
    _check(_kinds(state.model) == _kinds(expected), "its weights are not those of its model")
    _check(_all_finite(state.model), "its weights are not all finite")


def _check_optimiser(state: TrainingState) -> None:
    """The moments are those of the config's optimiser, and are there as long as the run goes on."""
    running = state.step > 0 and len(state.history) < state.config.epochs
    _check(running == bool(state.optimiser), "it has moments of the optimiser only in the middle of a run")
    if not running:
        return
    parameters = [parameter for parameter in _empty_model(state).parameters() if parameter.requires_grad]
    expected = {
        f"{index}.{name}": parameter if moment.shape else moment
        for name, moment in _moments(state.config.optimiser).items()
        for index, parameter in enumerate(parameters)
    }
    _check(_kinds(state.optimiser) == _kinds(expected), "its moments are not those of its optimiser")
    _check(_all_finite(state.optimiser), "its moments are not all finite")


def _moments(optimiser: str) -> dict[str, Tensor]:
    """What an optimiser keeps of a vector: found by letting it take a step."""
    vector = torch.zeros(1, requires_grad=True)
    vector.grad = torch.zeros(1)
    stepped = OPTIMISERS[optimiser]([vector])
    stepped.step()
    return dict(stepped.state[vector])


def _empty_model(state: TrainingState) -> CategoricalVAE:
    """The config's model without memory for its weights, and without a draw of random ones."""
    with torch.device("meta"):
        return CategoricalVAE(state.config.model)


def _kinds(tensors: Mapping[str, Tensor]) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in tensors.items()}


def _all_finite(tensors: Mapping[str, Tensor]) -> bool:
    return all(bool(tensor.isfinite().all()) for tensor in tensors.values())


def _is_finite(number: object) -> bool:
    return isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number)


def _reason(error: Exception) -> str:
    """The reason in one line, and in not too long a one."""
    reason = f"there is no {error}" if isinstance(error, KeyError) else str(error)
    told = " ".join(reason.split())[:TOLD].rstrip(".")
    # A stranger's card may hold what moves a terminal's cursor, or what no page can encode.
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in told)


def _check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _read(path: Path, most: int) -> bytes:
    try:
        size = path.stat().st_size
        if size > most:
            raise CheckpointError(f"{path} has {size:,} bytes: at most {most:,} are read.")
        # A pipe or a device would be read for ever.
        if not path.is_file():
            raise CheckpointError(f"There is no checkpoint to read: {path} is not a file.")
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"There is no checkpoint to read: {path}: {error.strerror}.") from None


def _flat(state: TrainingState) -> dict[str, Tensor]:
    parts = {"model": state.model, "optimiser": state.optimiser}
    return {
        f"{part}/{name}": tensor.contiguous()
        for part, tensors in parts.items()
        for name, tensor in tensors.items()
    }


def _part(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = f"{part}/"
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _written_card(card: Mapping[str, Any]) -> bytes:
    """The card's file: its JSON, with its own hash at the end."""
    sha256 = _sha256(json.dumps(card, sort_keys=True).encode())
    return json.dumps({**card, "sha256": sha256}, indent=1).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
