"""A study that is killed at ten random moments and started again ends with the table of one that is not."""

import subprocess
from pathlib import Path
from random import Random

import pytest

from gumbel_core.__main__ import main
from gumbel_core.commands import study
from gumbel_core.files import NEW
from tests.unit.study_commands import kept, left, on_a_thread, session, started, table, told, words
from tests.waiting import until

# More runs than ten lives can do.
EPOCHS, SEEDS, LIVES = 2, 44, 10
NAMES = {f"small-seed{seed}" for seed in range(SEEDS)}
# What a life comes to at least, and how many seconds it may have from there.
STAGES = ("opened", "a run", "two runs", "writing")
LONGEST = 0.3


@pytest.fixture
def undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The table of a study that nobody kills."""
    with monkeypatch.context() as patched:
        patched.setattr(study, "processes", on_a_thread)
        assert main(words(tmp_path / "undisturbed", epochs=EPOCHS, seeds=SEEDS)) == 0
    return table(tmp_path / "undisturbed")


def test_a_study_that_is_killed_again_and_again_ends_with_the_same_table(
    undisturbed: bytes, tmp_path: Path
) -> None:
    folder, temporary, random = tmp_path / "study", tmp_path / "temporary", Random(0)
    arguments = [*words(folder, epochs=EPOCHS, seeds=SEEDS), "--processes", "2"]
    for _ in range(LIVES):
        before = kept(folder) & NAMES if folder.exists() else set()
        with started(arguments, temporary) as process:
            reach(random.choice(STAGES), process, folder)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(random.uniform(0, LONGEST))
            kill(process)
        # A run that was kept stays.
        assert kept(folder) & NAMES >= before
        assert left(temporary) == []
    before = kept(folder) & NAMES
    with started(arguments, temporary) as process:
        out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    assert table(folder) == undisturbed
    # Only what was missing was done, and nothing lies beside the runs.
    assert len(told(out)) == len(NAMES - before)
    assert set(told(out)) == NAMES - before
    assert kept(folder) == NAMES


def kill(process: "subprocess.Popen[str]") -> None:
    """Kill the command. Its workers notice, and take what is theirs away."""
    process.kill()
    process.communicate(timeout=60)
    until(lambda: not session(process.pid), "end of the workers")


def reach(stage: str, process: "subprocess.Popen[str]", folder: Path) -> None:
    """Let the command come so far."""
    assert process.stdout
    if stage == "opened":
        about = folder / "study.json"
        # Each life writes it anew.
        written = about.stat().st_mtime_ns if about.exists() else 0
        until(lambda: about.exists() and about.stat().st_mtime_ns != written, "study")
    elif stage == "writing":
        # Another life may have left one.
        there = set(folder.glob(f"{NEW}*/*"))
        until(lambda: set(folder.glob(f"{NEW}*/*")) - there, "run that is being written")
    else:
        for _ in range(1 + (stage == "two runs")):
            while not told(process.stdout.readline()):
                assert process.poll() is None
