"""A bar that stays in sight while a long page is scrolled: a control and its picture are seen together."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def sticky(key: str) -> DeltaGenerator:
    """A container that rests at the top of the window. `key` is the page's own."""
    # Streamlit wraps a container, and it is the wrapper that stands among the page's parts. `Canvas` is the
    # ground of the page's colour scheme, light or dark. On a phone the page's header is opaque.
    st.html(f"""<style>
    [data-testid="stLayoutWrapper"]:has(> .st-key-{key}) {{
      position: sticky; top: 0; z-index: 90; padding: .6rem 0 .2rem;
      background: color-mix(in srgb, Canvas 92%, transparent); backdrop-filter: blur(14px);
    }}
    @media (max-width: 768px) {{ [data-testid="stLayoutWrapper"]:has(> .st-key-{key}) {{ top: 3.75rem; }} }}
    </style>""")
    return st.container(key=key)
