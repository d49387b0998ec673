"""What the tests of checkpoints share: a run that was left, its forger, and how a refusal sounds.

`forged` is a stranger who knows how a card is hashed: it changes a card and writes hashes that fit.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from gumbel_core.checkpoints import CARD, CheckpointError, load
from gumbel_core.datasets import load as load_data
from gumbel_core.schedules import Geometric, OneCycle
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.model import ModelConfig
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


def huge(card: Card) -> None:
    card["config"]["model"] |= {"encoder": [4_096] * 8, "decoder": [4_096] * 8, "latents": 256}
