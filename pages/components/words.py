"""Words on a page: what a visitor typed shown as itself, equations with their numbers, a question."""

import math
import re
from collections.abc import Iterable, Mapping

import streamlit as st

_MARKUP = re.compile(r"([\\`*_{}\[\]()#+\-.!|$:<>~&])")


# Streamlit turns these into links, icons and arrows after Markdown is read, escaped or not: a word joiner,
# which has no width, parts them.
_LIVE = re.compile(r"(?i)(?<=:)(?=/|material|streamlit)|(?<=www)(?=\.)|(?<=@)|(?<=[-<>=])(?=[-<>=])")


def plain(text: str) -> str:
    """The text with Markdown's characters escaped: what a visitor typed is shown, never interpreted."""
    return _MARKUP.sub(r"\\\1", _LIVE.sub("\u2060", " ".join(text.split())))


def tex(value: float) -> str:
    """A number for an equation: three significant digits, `-inf` as a symbol."""
    if math.isinf(value):
        return r"-\infty" if value < 0 else r"\infty"
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return rf"{mantissa}\cdot 10^{{{int(exponent)}}}" if exponent else mantissa


def tex_vector(values: Iterable[float], *, most: int = 4) -> str:
    """Numbers in parentheses, the first `most` of them."""
    numbers = list(values)
    shown = [tex(value) for value in numbers[:most]] + ([r"\ldots"] if len(numbers) > most else [])
    return "(" + r",\; ".join(shown) + ")"


def question(prompt: str, answers: Mapping[str, str], *, key: str) -> None:
    """Invite a prediction. Each answer earns its own sentence; nothing is hidden, nothing is in the URL."""
    picked = st.pills(f"**Predict.** {prompt}", list(answers), key=key)
    if picked:
        st.markdown(answers[picked])


# Words, and the bound values that each sets.
Cases = Mapping[str, Mapping[str, int | float | str]]


def words_that_set(cases: Cases) -> None:
    """Words that set the picture: the cases worth a look."""
    st.pills(
        "See it with",
        list(cases),
        key="case",
        on_change=_set_case,
        args=(cases,),
        label_visibility="collapsed",
    )


def _set_case(cases: Cases) -> None:
    """Take the picked case's values. The word does not stay lit: the next move may leave the case."""
    st.session_state.update(cases.get(st.session_state.case, {}))
    st.session_state.case = None
