"""The components' JavaScript and CSS, which lie beside them as files of their own."""

from pathlib import Path

_HERE = Path(__file__).parent


def source(*names: str) -> str:
    """The text of these files, one after the other: a component's code is a single module."""
    return "".join((_HERE / name).read_text(encoding="utf-8") for name in names)
