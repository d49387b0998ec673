"""A link's values: what is not taken is said once, in a sentence, with the visitor's text made harmless."""

import json
import re

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.link import DRAWS, FIELDS, not_taken
from pages.components.words import plain


@pytest.mark.parametrize("name", FIELDS)
def test_every_default_passes_its_own_check(name: str) -> None:
    default = FIELDS[name].default
    for value in default if isinstance(default, list) else [default]:
        assert not_taken({name: str(value)}) == []


@pytest.mark.parametrize(
    ("name", "raw", "reason"),
    [
        ("tau", "0", "The temperature must be above 0"),
        ("tau", "-1", "The temperature must be above 0"),
        ("tau", "nan", "The temperature must be a finite number"),
        ("tau", "inf", "The temperature must be a finite number"),
        ("tau", "1e9", "The pictures reach from tau 0.01 to 100"),
        ("tau", "warm", "The temperature must be a number."),
        ("tau", "", "The temperature must be a number."),
        ("draws", "0", "The number of draws is 10, 20, 50, 100 and so on, to 1,000,000."),
        ("draws", "1e12", "The number of draws is"),
        ("draws", "1000000000000", "The number of draws is"),
        ("draws", "12", "The number of draws is"),
        ("preset", "nope", "It can be Three classes, "),
        ("kind", "odds", "It can be logits, probabilities or weights."),
        ("forward", "hard", "It can be soft or straight-through."),
        ("seed", "1.5", "A seed is a whole number from 0 to 2,147,483,647."),
        ("seed", "eleven", "A seed is a whole number from 0 to 2,147,483,647."),
        ("seed", "-1", "A seed is a whole number from 0 to 2,147,483,647."),
        ("seed", "2147483648", "A seed is a whole number from 0 to 2,147,483,647."),
        ("seed", "9" * 10_000, "A seed is a whole number from 0 to 2,147,483,647."),
    ],
)
def test_a_value_that_does_not_fit_is_named_with_its_reason_and_what_is_shown(
    name: str, raw: str, reason: str
) -> None:
    (sentence,) = not_taken({name: raw})
    assert sentence.startswith(f"The link's {name} = ")
    assert plain(reason) in sentence
    assert sentence.endswith(f"Shown instead: {FIELDS[name].default}.")
    assert "\n" not in sentence
    # What a link carries can be long: it is cut.
    assert len(sentence) < 300


# What a text field holds is told at the field, and is shown in the field alone.
TEXTS = (
    "edits", "corners", "code_edits", "code_model", "f_numbers", "matrix", "tree_scores", "study", "st_taus",
)  # fmt: skip


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in TEXTS])
def test_hostile_text_is_shown_and_never_interpreted(name: str) -> None:
    hostile = "<img src=x>**[a](b)**$x$"
    (sentence,) = not_taken({name: hostile})
    assert plain(hostile) in sentence
    # Nor does the reason quote it as it is. A backslash before punctuation makes it literal.
    assert not set(re.sub(r"\\.", "", sentence)) & set("<>*[]$")


def test_good_values_and_foreign_parameters_pass_in_silence() -> None:
    assert not_taken({"tau": "2.5", "seed": "0", "draws": str(DRAWS[-1]), "preset": "Uniform"}) == []
    assert not_taken({"utm_source": "<b>", "embed": "true"}) == []
    assert not_taken({}) == []


def test_every_parameter_that_does_not_fit_gets_its_own_sentence() -> None:
    assert len(not_taken({"tau": "0", "seed": "x", "draws": "0", "kind": "logits"})) == 3


def test_it_is_said_once_a_session() -> None:
    script = "from pages.components.link import say_what_was_not_taken; say_what_was_not_taken()"
    at = AppTest.from_string(script, default_timeout=30)
    at.query_params["tau"] = "nan"
    assert len(at.run().warning) == 1
    assert len(at.run().warning) == 0


LISTED = """
import streamlit as st
from pages.components.link import FIELDS, TRAINED, say_what_was_not_taken
say_what_was_not_taken()
st.pills("Estimators", TRAINED, selection_mode="multi", default=FIELDS["st_estimators"].default,
         key="st_estimators", bind="query-params")
"""


def test_of_a_list_each_value_is_read() -> None:
    at = AppTest.from_string(LISTED, default_timeout=30)
    at.query_params["st_estimators"] = ["ReinMax", "Gumbel-Rao", "Straight-through"]
    at.run()
    assert not at.warning
    assert at.pills(key="st_estimators").value == ["ReinMax", "Gumbel-Rao", "Straight-through"]


@pytest.mark.parametrize("values", [["ReinMax", "nobody", "Gumbel-Rao"], ["nobody", "ReinMax"], ["nobody"]])
def test_of_a_list_with_a_value_that_does_not_fit_nothing_is_taken(values: list[str]) -> None:
    at = AppTest.from_string(LISTED, default_timeout=30)
    at.query_params["st_estimators"] = values
    at.run()
    (told,) = at.warning
    assert told.value.startswith("The link's st_estimators = nobody is not taken. ")
    assert told.value.endswith("Shown instead: Gumbel-Softmax, ReinMax.")
    assert at.pills(key="st_estimators").value == ["Gumbel-Softmax", "ReinMax"]


def test_a_list_that_was_moved_is_written_value_by_value() -> None:
    script = "import streamlit as st; from pages.components.link import moved; st.json(moved())"
    at = AppTest.from_string(script, default_timeout=30)
    at.session_state["st_estimators"] = ["ReinMax", "Gumbel-Rao"]
    at.session_state["st_seeds"] = 3
    at.session_state["st_epochs"] = FIELDS["st_epochs"].default
    assert json.loads(at.run().json[0].value) == {
        "st_estimators": ["ReinMax", "Gumbel-Rao"],
        "st_seeds": ["3"],
    }
