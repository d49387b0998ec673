"""The address bar after a page change: what a link brought follows to the next page.

Streamlit keeps in the URL, from page to page, what a visitor has moved; what came with the link itself it
drops at the first page change. So the frame puts it back.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

_address = st.components.v2.component(
    "address",
    html="<span hidden></span>",
    js="""
export default function ({ data }) {
  const url = new URL(location.href)
  for (const [name, values] of Object.entries(data.query)) {
    url.searchParams.delete(name)
    for (const value of values) url.searchParams.append(name, value)
  }
  if (url.href !== location.href) history.replaceState(history.state, "", url)
}
""",
)


def keep_in_address(query: Mapping[str, Sequence[str]]) -> None:
    """Put these parameters into the address bar, without an entry in the browser's history."""
    _address(key="address", data={"query": dict(query)})
