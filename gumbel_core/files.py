"""Files that are replaced whole or not at all."""

import os
import tempfile
from pathlib import Path

# How the name of a file begins that is not in place yet. Only a process that is killed leaves one behind.
NEW = ".new-"


def _umask() -> int:
    """What new files keep from others. It is read by setting it, for all threads: once, at the import."""
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


# A temporary file is its maker's alone; what is in place is for whom the umask lets.
MODE = 0o666 & ~_umask()


def replace_file(path: Path, content: bytes) -> None:
    """Give the file its new content. Who reads it meanwhile, or after a crash, finds the old or the new.

    Raises OSError for that path, whatever the file was called meanwhile.
    """
    try:
        _replace(path, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


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
