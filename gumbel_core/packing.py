"""A checkpoint as one file in memory: a ZIP of its card and its weights, for a browser to carry.

    content = packed(state, dataset_sha256=..., command=...)
    checkpoint = unpacked({"run.zip": content})

No disk is touched: a name in an upload is compared with the two that a checkpoint has, and never becomes a
path. Whoever uploads may have made the ZIP by hand: what it says of itself is held against limits before
memory is taken for it, and what it holds goes through the same checks as a folder's files.
"""

from collections.abc import Collection, Mapping
from io import BytesIO
from pathlib import PurePath
from stat import S_IFMT, S_IFREG
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from gumbel_core.checkpoints import (
    CARD,
    MAX_CARD,
    TOLD,
    WEIGHTS,
    Checkpoint,
    CheckpointError,
    checkpoint_of,
    files_of,
)
from gumbel_core.vae.training import TrainingState

# The largest live run with its optimiser's moments has 19 MB.
MAX_PACKED = 2**25
# Enough to tell what else a ZIP is. Each may bring 192 kB of names and remarks.
MAX_ENTRIES = 100
# What begins each entry of a ZIP's directory, and a pickle of the last twenty years.
ENTRY, PICKLE = b"PK\x01\x02", b"\x80"
# The first year that a ZIP can tell, so that the same run is the same bytes whenever it is packed.
LONG_AGO = (1980, 1, 1, 0, 0, 0)
UNIX, PLAIN_FILE = 3, (S_IFREG | 0o644) << 16
ENCRYPTED = 1


def packed(state: TrainingState, *, dataset_sha256: str, command: str) -> bytes:
    """A ZIP, stored and not deflated, of the two files that `save` would write: the same run, the same bytes.

    Raises CheckpointError for what `unpacked` would refuse.
    """
    try:
        files = files_of(state, dataset_sha256=dataset_sha256, command=command)
    except ValueError as error:
        raise CheckpointError(f"The run cannot be packed: {error}.") from None
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(_entry(name), content)
    if buffer.tell() > MAX_PACKED:
        raise CheckpointError(f"The run cannot be packed: it is more than {MAX_PACKED:,} bytes.")
    return buffer.getvalue()


def _entry(name: str) -> ZipInfo:
    """A plain file that its owner may read, of no day and of no machine."""
    entry = ZipInfo(name, LONG_AGO)
    entry.create_system, entry.external_attr = UNIX, PLAIN_FILE
    return entry


def unpacked(files: Mapping[str, bytes]) -> Checkpoint:
    """The checkpoint in an upload's files by name: one ZIP of whatever name, or the card and its weights.

    Raises CheckpointError for whatever is none. Its sentence may quote a name from the upload, and the
    checkpoint's texts are the uploader's: a page escapes both.
    """
    size = sum(map(len, files.values()))
    if size > MAX_PACKED:
        raise CheckpointError(f"The upload has {size:,} bytes: at most {MAX_PACKED:,} are read.")
    if len(files) == 1 and not any(map(_is_ours, files)):
        return _checkpoint(_unzipped(*files.values()))
    _check_names(files)
    _check_size(CARD, len(files[CARD]))
    return _checkpoint(files)


def _checkpoint(files: Mapping[str, bytes]) -> Checkpoint:
    """Of a card and of one file of weights, whatever they hold."""
    (name,) = files.keys() - {CARD}

    def weights(named: str) -> bytes:
        if named != name:
            raise CheckpointError(f"The card {CARD} is of other weights: it names {named}, not {name}.")
        return files[name]

    return checkpoint_of(files[CARD], weights, PurePath())


def _unzipped(content: bytes) -> dict[str, bytes]:
    """A ZIP's two members by name, each as large as the directory says."""
    if content.startswith(PICKLE):
        raise CheckpointError("The upload is a pickle: nothing is unpickled here.")
    # Before the directory is read, for it may have a million entries. Each begins like this.
    if content.count(ENTRY) > MAX_ENTRIES:
        raise CheckpointError(f"The upload has more than {MAX_ENTRIES} members: a checkpoint has two.")
    try:
        with ZipFile(BytesIO(content)) as archive:
            entries = archive.infolist()
            _check_entries(entries)
            return {entry.orig_filename: _member(archive, entry) for entry in entries}
    except CheckpointError:
        raise
    # A foreign file ends in whatever the parser stumbles over.
    except Exception:
        raise CheckpointError("The upload is no ZIP, or a damaged one.") from None


def _check_entries(entries: list[ZipInfo]) -> None:
    """Told from the directory alone, before any member is read."""
    # As they were written: `filename` is cut at a zero byte.
    names = [entry.orig_filename for entry in entries]
    if any(name.endswith("/data.pkl") for name in names):
        raise CheckpointError("The upload is a pickle, as torch saves it: nothing is unpickled here.")
    _check_names(names)
    for entry in entries:
        if entry.flag_bits & ENCRYPTED:
            raise CheckpointError(f"The member {entry.orig_filename} is encrypted.")
        # A ZIP that is not of a Unix says nothing of it.
        if S_IFMT(entry.external_attr >> 16) not in (0, S_IFREG):
            raise CheckpointError(f"The member {entry.orig_filename} is a link or no plain file.")
        # Of these two, what is read at once is bounded.
        if entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
            raise CheckpointError(f"The member {entry.orig_filename} is neither stored nor deflated.")
        _check_size(entry.orig_filename, entry.file_size)


def _member(archive: ZipFile, entry: ZipInfo) -> bytes:
    """Not a byte more than its entry says. Raises CheckpointError where there are fewer."""
    with archive.open(entry) as member:
        content = member.read(entry.file_size)
    if len(content) != entry.file_size:
        raise CheckpointError(f"The member {entry.orig_filename} is cut short.")
    return content


def _check_names(names: Collection[str]) -> None:
    """One card and one file of weights, and nothing around or beside them."""
    for name in names:
        if not _is_ours(name):
            raise CheckpointError(
                f"{_told(name)} is no part of a checkpoint: that is one {CARD} and its file of weights, or "
                "a ZIP of the two without a folder."
            )
    cards = list(names).count(CARD)
    if (cards, len(names)) != (1, 2):
        raise CheckpointError(
            f"A checkpoint is one {CARD} and one file of weights: the upload has {cards} and "
            f"{len(names) - cards}."
        )


def _check_size(name: str, size: int) -> None:
    most = MAX_CARD if name == CARD else MAX_PACKED
    if size > most:
        raise CheckpointError(f"{name} has {size:,} bytes: at most {most:,} are read.")


def _is_ours(name: str) -> bool:
    return name == CARD or WEIGHTS.fullmatch(name) is not None


def _told(name: str) -> str:
    """A name of whatever characters, in one line, and not in too long a one."""
    told = ascii(name)
    return told if len(told) <= TOLD // 2 else f"{told[: TOLD // 2]}..."
