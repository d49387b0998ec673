"""Uploads that somebody made by hand, or that were damaged: bombs, pickles, flipped bytes, forged cards.

Each is refused in a sentence before it takes memory, or it holds the same run as before.
"""

import hashlib
import io
import json
import os
import pickle
import random
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile

import pytest
import torch
from safetensors.torch import load as read_tensors
from safetensors.torch import save as written_tensors

from gumbel_core.checkpoints import CARD, Checkpoint, CheckpointError
from gumbel_core.packing import MAX_ENTRIES, MAX_PACKED, unpacked
from tests.unit.checkpoints import Card, assert_same, config, huge, stopped, written
from tests.unit.test_packing import OTHER, Files, members, pack, refusal, weights_of, zipped


@pytest.fixture
def files() -> Files:
    """The two files of a run as it was left in the middle of its second epoch."""
    return members(pack())


# What takes memory.


def rewritten(content: bytes, name: str, **fields: int) -> bytes:
    """Other numbers in a member's header and in its entry of the directory."""
    places = {"flags": ("H", 6, 8), "crc": ("I", 14, 16), "size": ("I", 22, 24)}
    changed = bytearray(content)
    with ZipFile(io.BytesIO(content)) as archive:
        header = archive.getinfo(name).header_offset
    entry = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))
    for field, value in fields.items():
        kind, in_header, in_entry = places[field]
        struct.pack_into(f"<{kind}", changed, header + in_header, value)
        struct.pack_into(f"<{kind}", changed, entry + in_entry, value)
    return bytes(changed)


@pytest.mark.parametrize("flags", [0x1, 0x41])
def test_an_encrypted_member_is_told(flags: int, files: Files) -> None:
    content = rewritten(pack(), weights_of(files), flags=flags)
    assert f"The member {weights_of(files)} is encrypted." in refusal({"a.zip": content})


@pytest.mark.parametrize("compression", [ZIP_BZIP2, ZIP_LZMA])
def test_what_unpacks_without_a_bound_is_not_unpacked(compression: int, files: Files) -> None:
    content = zipped(*files.items(), compression=compression)
    assert "neither stored nor deflated" in refusal({"a.zip": content})


def taken(upload: Files) -> tuple[str, int]:
    """The sentence of a refusal, and the most memory that it took."""
    tracemalloc.start()
    try:
        return refusal(upload), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_bomb_is_told_by_its_directory(files: Files) -> None:
    name = weights_of(files)
    zeros = bytes(MAX_PACKED + 1)
    bomb = zipped((CARD, files[CARD]), (name, zeros), compression=ZIP_DEFLATED)
    assert len(bomb) < 100_000
    sentence, most = taken({"a.zip": bomb})
    assert sentence == f"{name} has {MAX_PACKED + 1:,} bytes: at most {MAX_PACKED:,} are read."
    assert most < 1_000_000
    bomb = zipped((CARD, zeros[: 2**20 + 1]), (name, b""), compression=ZIP_DEFLATED)
    assert taken({"a.zip": bomb})[0] == f"{CARD} has 1,048,577 bytes: at most 1,048,576 are read."


def test_a_bomb_whose_directory_lies_is_read_as_far_as_it_says(files: Files) -> None:
    # Its checksum fits what is read, so that nothing but the size stops the rest.
    bomb = zipped((CARD, files[CARD]), (weights_of(files), bytes(2**25)), compression=ZIP_DEFLATED)
    bomb = rewritten(bomb, weights_of(files), size=1_000, crc=zlib.crc32(bytes(1_000)))
    sentence, most = taken({"a.zip": bomb})
    assert "do not match their card" in sentence
    assert most < 1_000_000


def test_fewer_bytes_than_the_directory_says_are_told(files: Files) -> None:
    name = weights_of(files)
    short = zipped((CARD, files[CARD]), (name, bytes(99)), compression=ZIP_DEFLATED)
    assert f"{name} is cut short" in refusal({"a.zip": rewritten(short, name, size=2**20)})


def test_a_million_entries_are_not_read() -> None:
    entries = 2**25 // 46 - 1
    entry = b"PK\x01\x02" + bytes(42)
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 46 * entries, 0, 0)
    content = entry * entries + end
    sentence, most = taken({"a.zip": content})
    assert f"more than {MAX_ENTRIES} members" in sentence
    assert most < 1_000_000


def test_loose_files_have_their_limits_too(files: Files) -> None:
    sentence = refusal(files | {CARD: bytes(2**20 + 1)})
    assert sentence == f"{CARD} has 1,048,577 bytes: at most 1,048,576 are read."
    assert "33,554,433 bytes: at most 33,554,432 are read" in refusal({"a.zip": bytes(2**25 + 1)})


# Nothing is unpickled.


class Trap:
    """What runs when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("kind", ["torch", "torch of old", "pickle"])
def test_a_pickle_is_told_and_not_run(kind: str, tmp_path: Path) -> None:
    trap, buffer = {"trap": Trap(tmp_path / "sprung"), "weight": torch.ones(3)}, io.BytesIO()
    if kind == "pickle":
        pickle.dump(trap, buffer)
    else:
        torch.save(trap, buffer, _use_new_zipfile_serialization=kind == "torch")
    assert "nothing is unpickled here" in refusal({"model.pt": buffer.getvalue()})
    assert not (tmp_path / "sprung").exists()


def test_a_pickle_in_the_place_of_the_weights_is_not_run(files: Files, tmp_path: Path) -> None:
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    assert "do not match their card" in refusal(files | {weights_of(files): trap})
    assert "cannot be read" in refusal(forgery(files, lambda card: None, trap))
    assert not (tmp_path / "sprung").exists()


# What is damaged, and what a stranger wrote with hashes that fit.


def damages(sound: bytes, count: int, chance: random.Random) -> Iterator[bytes]:
    for _ in range(count):
        place, kind = (
            chance.randrange(len(sound)),
            chance.choice(["flip", "byte", "cut", "overwrite", "drop"]),
        )
        if kind == "flip":
            damaged = sound[:place] + bytes([sound[place] ^ 1 << chance.randrange(8)]) + sound[place + 1 :]
        elif kind == "byte":
            damaged = sound[:place] + chance.randbytes(1) + sound[place + 1 :]
        elif kind == "cut":
            damaged = sound[:place]
        elif kind == "overwrite":
            damaged = sound[:place] + chance.randbytes(16) + sound[place + 16 :]
        else:
            damaged = sound[:place] + sound[place + 1 :]
        yield damaged


@pytest.mark.parametrize("compression", [ZIP_STORED, ZIP_DEFLATED])
def test_a_damaged_file_is_refused_or_holds_the_same(compression: int, files: Files) -> None:
    whole = zipped(*files.items(), compression=compression)
    # The directory and the headers are a few hundred of thousands of bytes: they get damages of their own.
    directory = whole.index(b"PK\x01\x02")
    chance = random.Random(2)
    damaged = list(damages(whole, 600, chance))
    damaged += [whole[:directory] + end for end in damages(whole[directory:], 600, chance)]
    damaged += [start + whole[60:] for start in damages(whole[:60], 300, chance)]
    refused = 0
    for content in damaged:
        try:
            state = unpacked({"run.zip": content}).state
        except CheckpointError:
            refused += 1
        else:
            assert_same(state, stopped(config()))
    assert 1_000 < refused < 1_500


def test_every_byte_of_the_directory_and_of_the_headers_may_be_any(files: Files) -> None:
    content = pack()
    with ZipFile(io.BytesIO(content)) as archive:
        headers = [entry.header_offset for entry in archive.infolist()]
    places = {place for start in headers for place in range(start, start + 30)}
    places |= set(range(content.index(b"PK\x01\x02"), len(content)))
    for place in sorted(places):
        for value in (0x00, 0x01, 0x7F, 0x80, 0xFF):
            try:
                state = unpacked({"a.zip": content[:place] + bytes([value]) + content[place + 1 :]}).state
            except CheckpointError:
                continue
            assert_same(state, stopped(config()))


def test_a_cut_file_is_refused_wherever_it_ends() -> None:
    content = pack()
    for end in [*range(0, len(content) - 300, 211), *range(len(content) - 300, len(content))]:
        refusal({"run.zip": content[:end]})


def test_weights_of_another_run_are_told(files: Files) -> None:
    other = members(pack(stopped(config(seed=1))))
    assert "The card card.json is of other weights" in refusal({CARD: files[CARD]} | {
        weights_of(other): other[weights_of(other)]
    })  # fmt: skip
    sentence = refusal(files | {weights_of(files): other[weights_of(other)]})
    assert sentence == f"The weights {weights_of(files)} are damaged: they do not match their card."


def forgery(files: Files, change: Callable[[Card], object], weights: bytes | None = None) -> Files:
    """The two files, changed by a stranger who knows how a card is hashed."""
    card, name = json.loads(files[CARD]), weights_of(files)
    del card["sha256"]
    content = files[name] if weights is None else weights
    if weights is not None:
        sha256 = hashlib.sha256(weights).hexdigest()
        name = f"weights-{sha256[:16]}.safetensors"
        card["weights"] = {"file": name, "bytes": len(weights), "sha256": sha256}
    change(card)
    return {CARD: written(card), name: content}


def test_a_forger_who_changes_nothing_is_read(files: Files) -> None:
    same = forgery(files, lambda card: None)
    assert same == files
    assert isinstance(unpacked({"a.zip": zipped(*same.items())}), Checkpoint)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (huge, "weights are not those of its model"),
        (lambda card: card["config"]["model"].update(encoder=[10**9]), "A width of the encoder"),
        (lambda card: card["config"].update(dataset="mnist"), "other pixels"),
        (lambda card: card["config"].update(optimiser="sgd"), "moments are not those"),
        (lambda card: card.update(step=8), "not where its history ends"),
        (lambda card: card["config"].update({"a\ud800\x1b[2J\u202eb": 1}), "a\ufffd\ufffd[2J\ufffdb"),
        (lambda card: card["weights"].update(file="../run/card.json"), "names no weights of ours"),
        (lambda card: card["weights"].update(file="/etc/passwd"), "names no weights of ours"),
        (lambda card: card["weights"].update(file=CARD), "names no weights of ours"),
        (lambda card: card["weights"].update(file=OTHER), f"it names {OTHER}"),
        (lambda card: card["weights"].update(folder="/"), "not ours"),
        (lambda card: card.update(format="x"), "The card card.json is not one of ours"),
    ],
)
def test_a_forged_card_is_refused_for_its_reason(
    change: Callable[[Card], object], reason: str, files: Files
) -> None:
    upload = forgery(files, change)
    for sentence in (refusal(upload), refusal({"a.zip": zipped(*upload.items())})):
        assert reason in sentence


def test_forged_weights_are_refused_for_their_reason(files: Files) -> None:
    tensors = read_tensors(files[weights_of(files)])
    tensors["model/prior_logits"].fill_(torch.nan)
    upload = forgery(files, lambda card: None, written_tensors(tensors))
    assert "weights are not all finite" in refusal({"a.zip": zipped(*upload.items())})
    assert "cannot be read" in refusal(forgery(files, lambda card: None, b"x"))
