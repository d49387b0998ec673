"""What README.md and CONTRIBUTING.md promise: files that exist, code that runs, commands that make knows."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "CONTRIBUTING.md")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def relative_links() -> list[tuple[str, str]]:
    """(document, target) for each link and image that leads to no other host."""
    targets = ((name, target) for name in DOCUMENTS for target in re.findall(r"\]\(([^)\s]+)\)", read(name)))
    return [(name, target) for name, target in targets if not re.match(r"[a-z]+:|#", target)]


@pytest.mark.parametrize(("document", "target"), relative_links())
def test_a_relative_link_leads_to_a_file(document: str, target: str) -> None:
    assert (ROOT / document).parent.joinpath(target.partition("#")[0]).is_file()


def test_the_python_block_runs() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", read("README.md"), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_make_command_is_a_target(document: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    # At the start of a line, as in a block, or of a code span.
    commands = re.findall(r"(?:^|`)make ([a-z]+)\b", read(document), re.MULTILINE)
    assert commands
    assert set(commands) <= targets
