"""The temperature scrub: a logarithmic slider whose picture moves in the browser, without the server."""

import math

import streamlit as st

from gumbel_core.draw import Draw, DrawConfig, format_edits
from pages.components.controls import temperature_input
from pages.components.sources import source

# The temperatures of Jang's figure 1 and Maddison's figure 2: a dragged thumb rests there.
STOPS = (0.01, 0.1, 0.5, 1, 2, 10, 100)

_scrub = st.components.v2.component(
    "scrub",
    html="""
    <div class="scrub" data-testid="scrub">
      <label class="top">Temperature τ = <span class="value"></span>
        <span class="hint"></span></label>
      <div class="track">
        <input type="range" min="0" max="400" step="1" aria-label="Temperature" data-testid="scrub-range">
        <div class="stops"></div>
      </div>
      <svg role="img" data-testid="pipeline"></svg>
      <button type="button" class="png" aria-label="Save the picture as PNG">PNG</button>
    </div>
    """,
    css=source("scrub.css"),
    js=source("mounts.js", "softmax.js", "svg.js", "drawing.js", "scrub.js"),
)


def tau_scrub() -> float:
    """The slider alone, beside the bound field: what it moves is drawn by the server on release."""
    slider, field = st.columns([4, 1], vertical_alignment="bottom")
    with field:
        tau = temperature_input()
    with slider:
        _scrub(
            key="scrub",
            data={"tau": tau, "stops": STOPS, "hint": "drag, and let go to redraw"},
            on_tau_change=_take_tau,
        )
    return tau


def draw_scrub(draw: Draw, names: tuple[str, ...], config: DrawConfig, *, hard: bool) -> None:
    """One draw and its stages, at a temperature that is dragged in the browser.

    On release the bound field `tau` takes the value; a dragged bar is written into the bound text `edits`.
    """

    def take_edit() -> None:
        edit = st.session_state.scrub.edit
        edits = {**config.edits, int(edit["index"]): round(float(edit["value"]), 3)}
        st.session_state.edits = format_edits(edits)

    # JSON has no -Infinity: a masked logit travels as null.
    logits = [None if math.isinf(logit) else logit for logit in config.logits]
    drawn = {"logits": logits, "noise": draw.noise.tolist(), "names": names, "hard": hard}
    _scrub(
        key="scrub",
        data={
            "tau": config.temperature,
            "stops": STOPS,
            "draw": drawn,
            "hint": "drag: it moves in your browser",
        },
        on_tau_change=_take_tau,
        on_edit_change=take_edit,
    )


def _take_tau() -> None:
    st.session_state.tau = float(st.session_state.scrub.tau)
