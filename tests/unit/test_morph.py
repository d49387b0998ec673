"""The morphing picture: what Python sends. What the browser draws of it is in tests/browser/test_morph.py."""

import json
from typing import Any

import numpy as np
import pytest

from pages.components import morph
from pages.components.morph import Kind

FRAMES = np.array([[1, 0.123456, 0.8], [0.7, 1.2, 0.1]])


def sent(monkeypatch: pytest.MonkeyPatch, kind: Kind, labels: list[str]) -> dict[str, Any]:
    """Of three entries: three items, three edges, or what a permutation never has."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(morph, "_morph", lambda **said: found.update(said))
    morph.morph(
        "picture", kind=kind, temperatures=(0.1, 1.0), frames=FRAMES, hard=np.array([1.0, 0.0, 1.0]),
        tau=0.25, labels=labels, alt="Three <b>bars</b>.",
    )  # fmt: skip
    return found


def test_a_structure_travels_as_plain_numbers_once_for_each_temperature(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = sent(monkeypatch, "subset", ["a", "<i>b</i>", "c"])
    data = found["data"]
    assert found["key"] == "morph_picture"
    assert data["frames"] == [[1, 0.1235, 0.8], [0.7, 1.2, 0.1]]
    assert (data["temperatures"], data["tau"]) == ([0.1, 1.0], 0.25)
    assert data["hard"] == [1, 0, 1]
    # As they are typed: the browser sets them as text, never as markup.
    assert data["labels"] == ["a", "<i>b</i>", "c"]
    assert data["alt"] == "Three <b>bars</b>."
    assert (data["kind"], data["name"], data["edges"]) == ("subset", "picture", [])
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_a_tree_travels_with_the_ends_of_its_edges(monkeypatch: pytest.MonkeyPatch) -> None:
    data = sent(monkeypatch, "tree", ["a", "b", "c"])["data"]
    assert data["edges"] == [[0, 1], [0, 2], [1, 2]]
    assert len(data["edges"]) == len(data["hard"])


def test_the_caller_s_frames_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    before = FRAMES.copy()
    sent(monkeypatch, "subset", ["a", "b", "c"])
    np.testing.assert_array_equal(before, FRAMES)
