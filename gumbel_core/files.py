"""Files and folders that are replaced whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

# How the name of a file or a folder begins that is not in place yet. Only a process that is killed leaves
# one behind.
NEW = ".new-"


def _umask() -> int:
    """What new files keep from others. It is read by setting it, for all threads: once, at the import."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


# A temporary file is its maker's alone; what is in place is for whom the umask lets.
UMASK = _umask()
MODE = 0o666 & ~UMASK


def replace_file(path: Path, content: bytes) -> None:
    """Give the file its new content. Who reads it meanwhile, or after a crash, finds the old or the new.

    Raises OSError for that path, whatever the file was called meanwhile.
    """
    try:
        _replace(path, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


def replace_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Make the folder hold these files by name, in the place of whatever was there.

    Between the old one and the new one there may be none: who is killed then finds that it is missing.
    Raises OSError.
    """
    beside = Path(tempfile.mkdtemp(dir=path.parent, prefix=NEW))
    try:
        for name, content in files.items():
            replace_file(beside / name, content)
        beside.chmod(0o777 & ~UMASK)
        if path.exists():
            shutil.rmtree(path)
        beside.replace(path)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


@contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Whether nobody else holds the folder; if so it is ours until the end of the block, or of the process.

    Where the system has no such locks, nobody ever holds it.
    """
    try:
        import fcntl
    except ImportError:
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=NEW, delete=False) as file:
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, MODE)
            os.replace(file.name, path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
