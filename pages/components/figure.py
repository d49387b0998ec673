"""The in-place figure: one component draws every Plotly figure of the app, without a remount."""

from importlib.metadata import version
from typing import Any

import streamlit as st

from pages.components.sources import source

_figure = st.components.v2.component(
    "figure",
    html='<div class="figure" role="figure" data-testid="figure"></div><p role="alert"></p>',
    js=source("mounts.js", "figure.js"),
    # Plotly puts its style sheet into the document, which a shadow root would not see.
    isolate_styles=False,
)


def figure(figure: dict[str, Any], *, key: str, alt: str) -> None:
    """Draw a figure of `gumbel_core.figures`.

    `alt` states in words what it shows now; `key` also names its PNG.
    """
    _figure(key=key, data={"figure": figure, "alt": alt, "name": key, "plotly": plotly_url()})


def plotly_url() -> str:
    """Where app.py serves Plotly.js. A new version has a new address, for browsers keep what they have."""
    base = st.get_option("server.baseUrlPath").strip("/")
    return f"{'/' + base if base else ''}/vendor/plotly.min.js?v={version('plotly')}"
