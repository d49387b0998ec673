"""Checkpoints of a stranger who knows how a card is hashed: what is no run of ours is refused."""

import ast
import inspect
import json
import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as written_tensors

from gumbel_core.checkpoints import CARD, CheckpointError, load
from gumbel_core.datasets import load as load_data
from gumbel_core.vae.training import Training
from tests.unit.checkpoints import (
    ROOT,
    Card,
    assert_same,
    config,
    forged,
    huge,
    refusal,
    stopped,
    weights_of,
)

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
        (lambda card: card["config"]["model"].update(encoder=[10**9]), "A width of the encoder"),
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
