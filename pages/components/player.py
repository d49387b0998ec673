"""The player: a training run of the toy, step by step, drawn in the browser without the server."""

import json
from collections.abc import Sequence
from typing import Any

import streamlit as st

from gumbel_core.toy_argmax import Step
from pages.components.sources import source

# What a visitor may read off a cell; the run itself is in double precision.
DIGITS = 4

_player = st.components.v2.component(
    "player",
    html="""
    <div class="player" data-testid="player">
      <div class="bar">
        <button type="button" class="play" data-testid="play"><svg viewBox="0 0 16 16" aria-hidden="true">
          <path></path></svg><span>Play</span></button>
        <button type="button" class="quiet" data-move="back" aria-label="One step back" title="One step back">
          <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M11 2.5v11L4.5 8z"></path></svg></button>
        <button type="button" class="quiet" data-move="on" aria-label="One step on" title="One step on">
          <svg viewBox="0 0 16 16" aria-hidden="true"><path d="M5 2.5v11L11.5 8z"></path></svg></button>
        <button type="button" class="quiet" data-move="replay" aria-label="Replay from the first step"
          title="Replay from the first step"><svg viewBox="0 0 16 16" aria-hidden="true">
          <path d="M3 2.5h2v11H3zM13.5 2.5v11L6 8z"></path></svg></button>
        <input type="range" min="1" step="1" aria-label="Step of the run" data-testid="player-range">
        <output class="count"></output>
        <select aria-label="Speed" title="Speed">
          <option value="0.5">½×</option><option value="1" selected>1×</option>
          <option value="2">2×</option><option value="4">4×</option>
        </select>
      </div>
      <svg class="picture" role="img" data-testid="toy"></svg>
      <p class="readout"></p>
    </div>
    """,
    css=source("player.css"),
    js=source("mounts.js", "svg.js", "player.js"),
)


def pack(run: Sequence[Step], *, noisy: bool) -> str:
    """The whole run for the browser, once: JSON with a record a step. `noisy` is False without noise."""
    return json.dumps({"noisy": noisy, "records": [_record(step) for step in run]}, allow_nan=False)


def player(name: str, packed: str, step: int) -> None:
    """Draw a packed run at a step, counted from 1. Where it rests, the bound field `step` takes its place.

    A run of a hundred steps is hundreds of kilobytes: a step is told by the run's name, and the run itself
    goes along only after `send_run`.
    """
    run = {"run": packed} if st.session_state.pop("_send_run", False) else {}
    _player(
        key="player",
        data={"name": name, "step": step, "heard": st.session_state.get("_heard", 0)} | run,
        on_step_change=_take_step,
        on_missing_change=send_run,
    )


def send_run() -> None:
    """Let the next picture carry its run: at a run of the whole page, and where the browser misses it."""
    st.session_state["_send_run"] = True


def _take_step() -> None:
    """Take the step, and count the words heard: the answer to an older one must not move the player back."""
    said = st.session_state.player.step
    st.session_state.step, st.session_state["_heard"] = int(said["step"]), int(said["count"])


def _record(step: Step) -> dict[str, Any]:
    names = ("array", "weights", "logits", "noise", "sample", "prediction", "loss")
    return {
        **{name: _rounded(getattr(step, name).tolist()) for name in names},
        "gradient": None if step.gradient is None else _rounded(step.gradient.tolist()),
        "index": int(step.index),
        "target": int(step.target),
    }


def _rounded(values: Any) -> Any:
    """The same nest of lists, each number at four significant digits; -0 is 0."""
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return float(f"{values:.{DIGITS}g}") + 0.0
