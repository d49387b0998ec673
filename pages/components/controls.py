"""Controls that the lessons share. Whatever defines a picture is bound to the URL under its key.

Every value is validated again where it is used: a widget's limits hold in the browser alone.
"""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from gumbel_core.draw import SEEDS, TEMPERATURES
from gumbel_core.logits import (
    KINDS,
    PRESETS,
    LogitsError,
    Preset,
    looks_like_probabilities,
    parse_logits,
    parse_names,
    split_entries,
)
from pages.components.link import CUSTOM, DRAWS, FIELDS
from pages.components.words import plain

_DEFAULT = next(iter(PRESETS.values()))


@dataclass(frozen=True)
class Typed:
    """What was typed, read: logits of shape (K,) and a name for each category."""

    logits: tuple[float, ...]
    names: tuple[str, ...]


def logits_input() -> Typed:
    """The distribution that the visitor types. A text that cannot be read is told at the field, and the last
    good one stays."""
    _open_link()
    _leave_edited_preset()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Example",
            [*PRESETS, CUSTOM],
            key="preset",
            bind="query-params",
            on_change=_load_preset,
            width=170,
        )
        st.segmented_control(
            "What you type",
            KINDS,
            default=_DEFAULT.kind,
            required=True,
            key="kind",
            bind="query-params",
        )
        st.text_input(
            "Numbers",
            value=_DEFAULT.text,
            key="logits",
            bind="query-params",
            help="Commas or spaces between them; -inf masks a category.",
            width="stretch",
        )
        with st.popover("Table", icon=":material/table:"):
            _table()
        st.button(
            "Reset", icon=":material/restart_alt:", on_click=_reset, help="The defaults, with the same seed."
        )
    typed = _read()
    preset = PRESETS.get(st.session_state.preset)
    if preset and _is_shown(preset):
        st.caption(preset.sentence)
    return typed


def temperature_input() -> float:
    """The field for tau: the scrub's other face, and the keyboard's and the phone's way in."""
    low, high = TEMPERATURES
    st.number_input(
        "Temperature τ",
        low,
        high,
        float(FIELDS["tau"].default),
        step=0.1,
        format="%.4g",
        key="tau",
        bind="query-params",
        width=150,
    )
    return float(st.session_state.tau)


def seed_input() -> int:
    """The seed of the noise, with a button for the next one."""
    low, high = SEEDS
    with st.container(horizontal=True, vertical_alignment="bottom", width="content"):
        st.number_input(
            "Seed", low, high, int(FIELDS["seed"].default), step=1, key="seed", bind="query-params", width=120
        )
        st.button("New noise", icon=":material/casino:", on_click=_next_seed)
    return int(st.session_state.seed)


def draws_input() -> int:
    """How many draws: 10 to a million, in steps of 1, 2, 5."""
    draws: int = st.select_slider(
        "Draws",
        DRAWS,
        FIELDS["draws"].default,
        key="draws",
        bind="query-params",
    )
    return draws


def _reset() -> None:
    """Back to the defaults, with the same seed."""
    for name, field in FIELDS.items():
        if name != "seed" and name in st.session_state:
            st.session_state[name] = field.default
    _load_preset()


def _next_seed() -> None:
    """The next seed's own noise: an edit belongs to the noise that it edited."""
    if "edits" in st.session_state:
        st.session_state.edits = ""
    st.session_state.seed = int(st.session_state.seed) + 1 if st.session_state.seed < SEEDS[1] else SEEDS[0]


def _open_link() -> None:
    """A link that names an example opens that example; one with numbers of its own names none."""
    if "logits" in st.session_state:
        return
    query = st.query_params
    preset = PRESETS.get(query.get("preset", ""))
    if preset and "logits" not in query:
        _write(preset)
    elif not preset and ("logits" in query or "kind" in query):
        st.session_state.preset = CUSTOM


def _load_preset() -> None:
    preset = PRESETS.get(st.session_state.preset)
    if preset:
        _write(preset)


def _write(preset: Preset) -> None:
    st.session_state.update(logits=preset.text, kind=preset.kind, names=preset.names)


def _leave_edited_preset() -> None:
    """Numbers that are no longer the example's are the visitor's own."""
    if "preset" in st.session_state and not _is_shown(PRESETS.get(st.session_state.preset)):
        st.session_state.preset = CUSTOM


def _is_shown(preset: Preset | None) -> bool:
    state = st.session_state
    return preset is not None and (state.logits, state.kind) == (preset.text, preset.kind)


def _read() -> Typed:
    state = st.session_state
    try:
        typed = _typed(state.logits, state.kind, state.names)
    except LogitsError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        if error.read_as:
            st.button(f"Read them as {error.read_as}", on_click=_read_as, args=(error.read_as,))
        last_good: Typed = state.get("_typed", _typed(_DEFAULT.text, _DEFAULT.kind, _DEFAULT.names))
        return last_good
    if state.kind == "logits" and looks_like_probabilities(typed.logits):
        st.info(
            "These sum to 1, like probabilities. Typed as logits they give another law: "
            "probabilities enter as their logarithm.",
            icon=":material/lightbulb:",
        )
        st.button("Read them as probabilities", on_click=_read_as, args=("probabilities",))
    state["_typed"] = typed
    return typed


def _typed(text: str, kind: str, names: str) -> Typed:
    logits = parse_logits(text, kind)
    return Typed(tuple(logits.tolist()), _names(names, len(logits)))


def _names(text: str, categories: int) -> tuple[str, ...]:
    """A name for each category. An example's names stay with as many categories as the example has."""
    is_examples = any(text == preset.names for preset in PRESETS.values())
    fits = len(text.split(",")) == categories
    return parse_names("" if is_examples and not fits else text, categories)


def _read_as(kind: str) -> None:
    st.session_state.kind = kind


def _table() -> None:
    """The same numbers as a table with names. What is edited is written back into the bound texts."""
    rows = _rows()
    # An editor keeps its edits as long as its key: each write-back starts a fresh one.
    key = f"table_{st.session_state.setdefault('_table_writes', 0)}"
    st.data_editor(
        pd.DataFrame(rows, columns=["name", "number"], dtype=str),
        key=key,
        num_rows="dynamic",
        hide_index=True,
        width=280,
        on_change=_write_table,
        args=(key, rows),
        column_config={"name": "Name", "number": st.column_config.TextColumn("Number", required=True)},
    )
    st.text_input("Names", value=_DEFAULT.names, key="names", bind="query-params")


def _rows() -> list[list[str]]:
    """A name and a number, as texts, for each entry of the bound text; none if the text is too long."""
    try:
        numbers = split_entries(st.session_state.logits)
        names = _names(st.session_state.get("names", _DEFAULT.names), len(numbers))
    except LogitsError:
        return []
    return [[name, number] for name, number in zip(names, numbers, strict=True)]


def _write_table(key: str, rows: list[list[str]]) -> None:
    edits = st.session_state[key]
    for index, cells in edits["edited_rows"].items():
        rows[index] = [cells.get("name", rows[index][0]) or "", cells.get("number", rows[index][1]) or ""]
    rows = [row for index, row in enumerate(rows) if index not in edits["deleted_rows"]]
    rows += [[row.get("name") or "", row.get("number") or "0"] for row in edits["added_rows"]]
    # A comma separates entries in the bound texts.
    columns = zip(*rows, strict=True) if rows else ("", "")
    names, numbers = (", ".join(cell.replace(",", " ") for cell in column) for column in columns)
    st.session_state.update(logits=numbers, names=names, _table_writes=st.session_state["_table_writes"] + 1)
