"""A checkpoint as one file: it comes back bit by bit, it unzips to a folder that is read, and files of other
names are not taken for one."""

import io
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
import torch

from gumbel_core import checkpoints, packing
from gumbel_core.__main__ import main
from gumbel_core.checkpoints import CARD, CheckpointError, load, save
from gumbel_core.datasets import load as load_data
from gumbel_core.packing import packed, unpacked
from gumbel_core.vae.config import OPTIMISERS
from gumbel_core.vae.training import Training, TrainingState
from tests.unit.checkpoints import (
    COMMAND,
    SHA256,
    STOP,
    assert_same,
    config,
    stopped,
    unsound,
)

Files = dict[str, bytes]
Member = tuple[str | ZipInfo, bytes]
OTHER = f"weights-{'0' * 16}.safetensors"


def pack(state: TrainingState | None = None) -> bytes:
    return packed(state or stopped(config()), dataset_sha256=SHA256, command=COMMAND)


def members(content: bytes) -> Files:
    with ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(*given: Member, compression: int = ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", compression) as archive:
        for name, content in given:
            archive.writestr(name, content, None if isinstance(name, str) else name.compress_type)
    return buffer.getvalue()


@pytest.fixture
def files() -> Files:
    """The two files of a run as it was left in the middle of its second epoch."""
    return members(pack())


def weights_of(files: Files) -> str:
    (name,) = files.keys() - {CARD}
    return name


def refusal(files: Files) -> str:
    """The sentence with which the upload is refused: a plain line that names no path of ours."""
    with pytest.raises(CheckpointError) as refused:
        unpacked(files)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert sentence.isprintable()
    assert len(sentence) < 320
    assert os.getcwd() not in sentence
    return sentence


# What is packed comes back.


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("step", [0, STOP, 15])
def test_a_run_comes_back_bit_by_bit(optimiser: str, step: int) -> None:
    state = stopped(config(optimiser), step)
    content = pack(state)
    for upload in ({"digits (1).zip": content}, members(content)):
        checkpoint = unpacked(upload)
        assert_same(checkpoint.state, state)
        assert (checkpoint.dataset_sha256, checkpoint.command) == (SHA256, COMMAND)
        assert checkpoint.versions["torch"].startswith(torch.__version__.partition("+")[0])
    assert bool(state.optimiser) == (step == STOP)


def test_a_run_resumed_from_a_file_is_the_one_that_was_never_stopped() -> None:
    data = load_data("digits")
    checkpoint = unpacked({"run.zip": pack()})
    training = Training.resume(checkpoint.state, data)
    for _ in training.records():
        pass
    whole = stopped(config(), 15)
    # The seconds are the clock's.
    assert [replace(epoch, images_per_second=0) for epoch in training.state().history] == [
        replace(epoch, images_per_second=0) for epoch in whole.history
    ]
    assert_same(replace(training.state(), history=[]), replace(whole, history=[]))


def test_it_holds_what_save_writes_stored_and_of_no_day(tmp_path: Path) -> None:
    content = pack()
    save(tmp_path / "saved", stopped(config()), dataset_sha256=SHA256, command=COMMAND)
    assert members(content) == {path.name: path.read_bytes() for path in (tmp_path / "saved").iterdir()}
    with ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.infolist():
            assert (entry.compress_type, entry.date_time) == (ZIP_STORED, (1980, 1, 1, 0, 0, 0))
            # Unzipped on a Unix, it is a file that its owner may read.
            assert (entry.create_system, stat.filemode(entry.external_attr >> 16)) == (3, "-rw-r--r--")


def test_the_same_run_is_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pack()
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("sys.platform", "win32")
    assert pack(unpacked({"run.zip": content}).state) == content


def test_unzipped_it_is_a_folder_that_the_commands_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = load_data("digits")
    state = stopped(config(), 15)
    with ZipFile(io.BytesIO(packed(state, dataset_sha256=data.sha256, command=COMMAND))) as archive:
        archive.extractall(tmp_path)
    assert_same(load(tmp_path).state, state)
    assert main(["evaluate", str(tmp_path)]) == 0
    assert f"{state.history[-1].test.total:.2f}" in capsys.readouterr().out


def test_what_another_tool_zipped_of_the_two_files_is_read(files: Files) -> None:
    def plain(name: str) -> ZipInfo:
        entry = ZipInfo(name, (2031, 5, 4, 3, 2, 0))
        entry.create_system, entry.compress_type, entry.comment = 0, ZIP_DEFLATED, b"mine"
        return entry

    for names in (sorted(files), sorted(files, reverse=True)):
        content = zipped(*((plain(name), files[name]) for name in names))
        assert_same(unpacked({"a.zip": content}).state, stopped(config()))


def test_no_disk_is_touched(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    content = pack()

    def touched(*_: object, **__: object) -> None:
        raise AssertionError("A file was opened.")

    for name in ("builtins.open", "io.open", "os.open", "os.stat", "os.replace", "os.mkdir"):
        monkeypatch.setattr(name, touched)
    uploads = ({"/etc/passwd": content}, {"../../run.zip": content}, files)
    states = [unpacked(upload).state for upload in uploads]
    monkeypatch.undo()
    for state in states:
        assert_same(state, stopped(config()))


# What cannot be packed.


@pytest.mark.parametrize("name", ["weights", "moments", "sums", "step"])
def test_a_run_that_could_not_be_unpacked_is_not_packed(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"^The run cannot be packed: its [a-z ]+\.$"):
        pack(unsound(name))


def test_the_limit_is_the_same_both_ways(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    content = pack()
    monkeypatch.setattr(packing, "MAX_PACKED", len(content))
    assert_same(unpacked({"run.zip": pack()}).state, stopped(config()))
    monkeypatch.setattr(packing, "MAX_PACKED", len(content) - 1)
    with pytest.raises(CheckpointError, match=f"it is more than {len(content) - 1:,} bytes"):
        pack()
    assert f"{len(content):,} bytes: at most" in refusal({"run.zip": content})
    monkeypatch.setattr(packing, "MAX_PACKED", sum(map(len, files.values())) - 1)
    assert "bytes: at most" in refusal(files)


def test_a_card_that_could_not_be_read_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="its card is more than 1,048,576 bytes"):
        packed(stopped(config()), dataset_sha256=SHA256, command="x" * 2**20)
    monkeypatch.setattr(checkpoints, "MAX_WEIGHTS", 10)
    with pytest.raises(CheckpointError, match="its weights are more than 10 bytes"):
        pack()


# What is no checkpoint.


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"PK", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), bytes(99), b"\x1f\x8b\x08" + bytes(99)],
)
def test_what_is_no_zip_is_told(content: bytes) -> None:
    sentence = refusal({"run.zip": content})
    assert "is no ZIP" in sentence or "the upload has 0 and 0" in sentence


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda files: files.clear(), "the upload has 0 and 0"),
        (lambda files: files.pop(CARD), "the upload has 0 and 1"),
        (lambda files: files.pop(weights_of(files)), "the upload has 1 and 0"),
        (lambda files: files.update({OTHER: b""}), "the upload has 1 and 2"),
        (lambda files: files.update({"notes.txt": b""}), "'notes.txt' is no part"),
        (lambda files: files.update({"a\n<b>\ud800\u202e": b""}), r"'a\n<b>\ud800\u202e' is no part"),
        (lambda files: files.update({"x" * 60_000: b""}), "x... is no part"),
        (lambda files: files.update({OTHER: files.pop(weights_of(files))}), f"not {OTHER}."),
    ],
)
def test_two_files_are_a_card_and_its_weights(
    change: Callable[[Files], object], reason: str, files: Files
) -> None:
    change(files)
    assert reason in refusal(files)


def test_files_that_have_nothing_to_do_with_each_other_are_refused() -> None:
    assert "'a.zip' is no part of a checkpoint" in refusal({"a.zip": pack(), "b.zip": pack()})


def linked(name: str) -> ZipInfo:
    entry = ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "the upload has 0 and 0"),
        ([CARD], "the upload has 1 and 0"),
        (["W"], "the upload has 0 and 1"),
        ([CARD, CARD], "the upload has 2 and 0"),
        ([CARD, "W", "W"], "the upload has 1 and 2"),
        ([CARD, CARD, "W"], "the upload has 2 and 1"),
        ([CARD, OTHER], f"not {OTHER}."),
        ([f"../{CARD}", "W"], "'../card.json' is no part"),
        ([f"/{CARD}", "W"], "'/card.json' is no part"),
        ([f"C:\\{CARD}", "W"], "is no part"),
        ([f"digits/{CARD}", "digits/W"], "'digits/card.json' is no part"),
        (["digits/", CARD, "W"], "'digits/' is no part"),
        (["__MACOSX/._card.json", CARD, "W"], "is no part"),
        ([CARD, "W", "W\n"], "is no part"),
        ([linked(CARD), "W"], "card.json is a link"),
        ([CARD, "W", *(f"{number}.txt" for number in range(97))], "'0.txt' is no part"),
        ([CARD, "W", *(f"{number}.txt" for number in range(99))], "more than 100 members"),
    ],
)
def test_a_zip_of_other_members_is_refused(names: list[str | ZipInfo], reason: str, files: Files) -> None:
    weights = weights_of(files)

    def member(name: str | ZipInfo) -> Member:
        content = files[CARD if CARD in str(name) else weights]
        return (name.replace("W", weights) if isinstance(name, str) else name), content

    assert reason in refusal({"run.zip": zipped(*map(member, names))})


def test_a_name_is_not_cut_at_a_zero_byte(files: Files) -> None:
    content = zipped(("card.jsonX", files[CARD]), (weights_of(files), files[weights_of(files)]))
    assert r"'card.json\x00' is no part" in refusal({"a.zip": content.replace(b"jsonX", b"json\0")})
