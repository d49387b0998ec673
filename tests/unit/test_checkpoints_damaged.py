"""Checkpoints that are damaged, foreign or half written: none is taken for a sound one."""

import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gumbel_core import checkpoints
from gumbel_core.checkpoints import CARD, CheckpointError, load, save
from gumbel_core.schedules import OneCycle
from tests.unit.checkpoints import (
    COMMAND,
    ROOT,
    SHA256,
    STOP,
    config,
    refusal,
    stopped,
    weights_of,
)

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
