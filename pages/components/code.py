"""The code behind a picture, and its numbers to take away."""

import csv
import io
from collections.abc import Iterable, Sequence

import streamlit as st


def show_code(snippet: str) -> None:
    """A self-contained snippet with the current values that prints the numbers on the page; tests run it."""
    with st.expander("Show the code", icon=":material/code:"):
        st.code(snippet, language="python")


def download_csv(name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """What is drawn, as a CSV file. PNG is in the figure's own toolbar."""
    st.download_button(
        "CSV",
        csv_text(header, rows),
        f"{name}.csv",
        "text/csv",
        on_click="ignore",
        icon=":material/download:",
        key=f"csv_{name}",
        help="The numbers that are drawn.",
    )


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A CSV file's text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    """A spreadsheet runs a text that starts like a formula: such a text is quoted."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
