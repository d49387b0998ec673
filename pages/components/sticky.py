"""A bar that stays in sight while a long page is scrolled: a control and its picture are seen together."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def sticky(key: str) -> DeltaGenerator:
    """A container that rests at the top of the window. `key` is the page's own."""
    # Streamlit wraps a container, and it is the wrapper that stands among the page's parts. The page's header
    # is opaque, and the bar rests below it.
    light, dark = (st.get_option(f"theme.{scheme}.backgroundColor") for scheme in ("light", "dark"))
    st.html(f"""<style>
    [data-testid="stLayoutWrapper"]:has(> .st-key-{key}) {{
      position: sticky; top: 3.75rem; z-index: 90; padding: .6rem 0 .2rem;
      background: Canvas; background: light-dark({light}, {dark});
    }}
    </style>""")
    return st.container(key=key)
