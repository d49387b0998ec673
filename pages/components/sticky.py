"""A bar that stays in sight while a long page is scrolled, so that a control and its picture are seen together."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator


def sticky(key: str) -> DeltaGenerator:
    """A container that rests under the header. `key` is the page's own."""
    st.html(f"""<style>
    .st-key-{key} {{ position: sticky; top: 3.5rem; z-index: 90; padding: .25rem 0; }}
    </style>""")
    return st.container(key=key)
