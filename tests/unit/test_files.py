"""A file is replaced whole or not at all."""

import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gumbel_core.files import NEW, replace_file

ROOT = Path(__file__).parents[2]


def test_a_new_file_and_a_replaced_one(tmp_path: Path) -> None:
    path = tmp_path / "card"
    for content in (b"first", b"", bytes(range(256)) * 1_000):
        replace_file(path, content)
        assert path.read_bytes() == content
        assert os.listdir(tmp_path) == ["card"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_the_umask_says_who_may_read_it(umask: int, mode: int, tmp_path: Path) -> None:
    run_here(
        f"os.umask({umask})", f"replace_file(path, b''); print(os.umask(0) == {umask})", tmp_path / "card"
    )
    assert stat.S_IMODE((tmp_path / "card").stat().st_mode) == mode


def run_here(before: str, after: str, path: Path) -> None:
    """In a process of its own: `before`, the import, `after`, which prints True."""
    # By its path: the package beside it would import torch, which this does not need.
    code = f"""
import os, runpy
from pathlib import Path
path = Path({str(path)!r})
{before}
replace_file = runpy.run_path('gumbel_core/files.py')['replace_file']
{after}
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.stdout == "True\n", run.stderr


@pytest.mark.parametrize("failing", ["missing folder", "folder in its place", "fsync", "replace"])
def test_an_error_names_the_path_that_was_asked_for(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "card"
    if failing == "missing folder":
        path = tmp_path / "nowhere" / "card"
    elif failing == "folder in its place":
        path.mkdir()
    else:

        def fail(*arguments: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, failing, fail)
    with pytest.raises(OSError, match=r"^\[Errno \d+\]") as refused:
        replace_file(path, b"")
    assert (refused.value.filename, refused.value.filename2) == (str(path), None)
    assert NEW not in str(refused.value)
    assert isinstance(refused.value, FileNotFoundError) == (failing == "missing folder")


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / "card").symlink_to(tmp_path / "elsewhere")
    replace_file(tmp_path / "card", b"ours")
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"
    assert (tmp_path / "card").read_bytes() == b"ours"


@pytest.mark.parametrize("failing", ["chmod", "fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_fails_leaves_the_old_file_and_nothing_else(
    failing: str, error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise error

    path = tmp_path / "card"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(type(error)):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["card"]


def test_a_folder_in_its_place_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "card", b"")
    assert os.listdir(tmp_path) == ["card"]


def limited() -> None:
    """In the process to come a file grows to 1,000 bytes, as on a disk that is full there."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))


def test_a_disk_that_fills_up_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "card"
    path.write_bytes(b"old")
    # By its path: the package beside it would import torch, which this does not need.
    code = f"import runpy; runpy.run_path('gumbel_core/files.py')['replace_file'](path, bytes({2**20}))"
    code = f"from pathlib import Path; path = Path({str(path)!r}); {code}"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limited,
    )
    assert run.stderr.splitlines()[-1].startswith("OSError")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["card"]


def test_the_name_meanwhile_is_hidden_and_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(os, "replace", lambda old, new: seen.append(Path(old)))
    replace_file(tmp_path / "card", b"")
    (meanwhile,) = seen
    assert meanwhile.parent == tmp_path
    assert meanwhile.name.startswith(NEW)
    assert NEW.startswith(".")
