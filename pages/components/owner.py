"""Whose run it is: a token that this browser keeps, so that a reload or a second tab finds the same run."""

import re
import secrets

import streamlit as st

from pages.components.link import say_again

TOKEN = re.compile(r"[A-Za-z0-9_-]{32}")

_owner = st.components.v2.component(
    "owner",
    html="<span hidden></span>",
    js="""
const NAME = "gumbel-owner"
// What was told already, and in answer to which token: a script that is still running may ask once more.
const told = new WeakMap()

// Storage that is switched off throws: then the session's own token has to do.
function kept({ token, keep }) {
  try {
    const stored = localStorage.getItem(NAME)
    if (/^[A-Za-z0-9_-]{32}$/.test(stored)) return stored
    if (keep) localStorage.setItem(NAME, token)
  } catch {}
  return token
}

export default function ({ parentElement, data, setStateValue }) {
  const token = kept(data), answer = `${data.token} ${token}`
  if (token === data.token || told.get(parentElement) === answer) return
  told.set(parentElement, answer)
  setStateValue("token", token)
}
""",
)


def this_owner() -> str:
    """The token that this session goes by now."""
    token: str = st.session_state.setdefault("_owner", secrets.token_urlsafe(24))
    return token


def owner_token() -> str:
    """This browser's token: 32 letters, digits, - and _, random, never in the address and never shown.

    The first run of a session answers with a new one. Where the browser keeps an older one, it says so,
    and the rerun that this brings answers with that.
    """
    ours = this_owner()
    # Who has begun nothing leaves no trace in the browser, and needs no second run of a page.
    keep = st.session_state.get("_keep_owner", False)
    said = _owner(key="owner", data={"token": ours, "keep": keep}, on_token_change=lambda: None).get("token")
    # Read here and not in a callback: a browser that comes back to a new session brings its word along,
    # unchanged, and no callback hears of that.
    if isinstance(said, str) and TOKEN.fullmatch(said) and said != ours:
        st.session_state["_owner"] = said
        say_again()
    return this_owner()
