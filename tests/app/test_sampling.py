"""The Sampling page as a visitor uses it: what is typed reaches the draw, and nothing ends in a traceback."""

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.draw import SEEDS, DrawConfig, draw
from gumbel_core.logits import PRESETS, format_numbers, parse_logits
from pages.components.link import CUSTOM, FIELDS

Open = Callable[..., AppTest]
Printed = Callable[[str], str]
DEFAULT = next(iter(PRESETS.values()))


def code(at: AppTest) -> str:
    return str(at.code[0].value)


def shown_logits(at: AppTest) -> str:
    """The logits in the code box: those of the picture."""
    match = re.search(r"torch\.tensor\(\[(.*)\], dtype", code(at))
    assert match
    return match[1].replace("-torch.inf", "-inf")


def type_numbers(at: AppTest, text: str, kind: str = "logits") -> AppTest:
    at.text_input(key="logits").set_value(text).run()
    return at.button_group(key="kind").set_value(kind).run()


def press(at: AppTest, label: str) -> AppTest:
    (button,) = [button for button in at.button if button.label == label]
    return button.click().run()


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def sentences(at: AppTest) -> list[str]:
    """Every error, as the visitor reads it."""
    return [re.sub(r"\\(.)", r"\1", error.value) for error in at.error]


def assert_picture(at: AppTest, config: DrawConfig, printed: Printed) -> None:
    """No traceback, no complaint, and a code box that prints the numbers of this draw."""
    assert not at.exception
    assert sentences(at) == []
    now = draw(config)
    relaxed, winner, gradient = printed(code(at)).splitlines()
    # Four digits, rounded the same way from the same double-precision numbers.
    assert relaxed == f"relaxed:  {[round(y, 4) for y in now.relaxed.tolist()]}"
    assert winner == f"winner:   {now.winner}"
    assert gradient == f"gradient: {[round(slope, 4) for slope in now.gradient.tolist()]}"
    assert "nan" not in at.latex[0].value


def default_config(text: str, kind: str = "logits") -> DrawConfig:
    logits = tuple(parse_logits(text, kind).tolist())
    return DrawConfig(logits, FIELDS["tau"].default, FIELDS["seed"].default)


# What is shown


def test_the_defaults(open_page: Open, printed: Printed) -> None:
    at = open_page("sampling")
    assert_picture(at, default_config(DEFAULT.text), printed)
    assert shown_logits(at) == DEFAULT.text
    assert at.session_state["preset"] == next(iter(PRESETS))


@pytest.mark.parametrize("title", PRESETS)
def test_each_example_by_hand_and_by_link(open_page: Open, printed: Printed, title: str) -> None:
    preset = PRESETS[title]
    by_hand = open_page("sampling")
    by_hand.selectbox(key="preset").set_value(title).run()
    for at in (by_hand, open_page("sampling", preset=title)):
        assert_picture(at, default_config(preset.text, preset.kind), printed)
        assert (at.session_state["kind"], at.session_state["names"]) == (preset.kind, preset.names)
        assert at.session_state["preset"] == title
        assert preset.sentence in [caption.value for caption in at.caption]


@pytest.mark.parametrize(
    "text",
    [
        "5",
        ", ".join(str(place / 8) for place in range(64)),
        "-inf, 1, -inf, 0",
        "1e30, -1e30, 0",
        "1e30, 1e30",
        "-1e30, -1e30",
        "1e300, -1e300",
        "1, 2, 3,",
        "\u22121, 2, \u20131.5",
        "1\t2\t3",
        "-\u221e 1 2",
    ],
)
def test_every_size_and_spelling_has_a_picture(open_page: Open, printed: Printed, text: str) -> None:
    at = type_numbers(open_page("sampling"), text)
    assert_picture(at, default_config(text), printed)
    assert at.session_state["preset"] == CUSTOM


def test_what_the_link_says_is_what_is_drawn(open_page: Open, printed: Printed) -> None:
    at = open_page(
        "sampling", preset=CUSTOM, logits="3,1,0,2", kind="weights", tau="0.25", seed="7",
        edits="2: 1.5; 4: -0.25", forward="straight-through", names="a,b,c,d",
    )  # fmt: skip
    logits = tuple(parse_logits("3,1,0,2", "weights").tolist())
    assert_picture(at, DrawConfig(logits, 0.25, 7, {1: 1.5, 3: -0.25}), printed)
    assert at.session_state["forward"] == "straight-through"


def test_the_controls_reach_the_draw(open_page: Open, printed: Printed) -> None:
    at = open_page("sampling")
    at.number_input(key="tau").set_value(0.1).run()
    at.number_input(key="seed").set_value(3).run()
    at.text_input(key="edits").set_value("1: -2.5").run()
    at.button_group(key="forward").set_value("straight-through").run()
    assert_picture(at, DrawConfig((2.0, 0.5, -1.0), 0.1, 3, {0: -2.5}), printed)


def test_the_code_box_holds_the_logits_to_the_last_digit(open_page: Open) -> None:
    at = type_numbers(open_page("sampling"), "0.1, 0.30000000000000004, -inf")
    assert shown_logits(at) == format_numbers((0.1, 0.30000000000000004, float("-inf")))


def test_both_answers_to_the_question_earn_a_sentence(open_page: Open) -> None:
    at = open_page("sampling")
    before = {markdown.value for markdown in at.markdown}
    for answer in at.button_group(key="sampling_question").options:
        at.button_group(key="sampling_question").set_value(answer).run()
        assert len({markdown.value for markdown in at.markdown} - before) == 1


# What cannot be read


@pytest.mark.parametrize(
    ("text", "kind", "sentence"),
    [
        ("", "logits", "There is nothing to read: type numbers such as 2, 0.5, -1."),
        ("a, b", "logits", "Entry 1, 'a', is not a number."),
        ("1,,2", "logits", "Entry 2 is empty: two commas stand side by side."),
        ("0, nan", "logits", "Entry 2, 'nan', is not a number."),
        ("0, inf", "logits", "Entry 2, 'inf', is infinite: only a logit of -inf is read, as a mask."),
        ("1e999", "logits", "Entry 1, '1e999', is too large: numbers up to 1e300 are read."),
        ("1e308, -1e308", "logits", "Entry 1, '1e308', is too large: numbers up to 1e300 are read."),
        ("-inf, -inf", "logits", "Every category is masked with -inf: leave at least one open."),
        (",".join("1" * 65), "logits", "There are 65 numbers: at most 64 categories are read."),
        ("1" * 100_000, "logits", "The text has 100,000 characters: at most 4,000 are read."),
        ("1," * 50_000, "logits", "The text has 100,000 characters: at most 4,000 are read."),
        ("3, -1", "weights", "Entry 2, '-1', is negative: a weight is 0 or more."),
        ("0, 0", "weights", "Every weight is 0: at least one must be above 0."),
        ("0.5, 0.2", "probabilities", "The probabilities sum to 0.7, not to 1."),
        ("1.5, -0.5", "probabilities", "Entry 1, '1.5', is above 1: a probability lies between 0 and 1."),
        ("<b>x</b>, $y$", "logits", "Entry 1, '<b>x</b>', is not a number."),
    ],
)
def test_bad_numbers_get_one_sentence_and_the_last_good_picture_stays(
    open_page: Open, printed: Printed, text: str, kind: str, sentence: str
) -> None:
    at = type_numbers(open_page("sampling"), "0.25, 0.75", kind)
    last_good = code(at)
    at.text_input(key="logits").set_value(text).run()
    assert not at.exception
    assert sentences(at) == [sentence]
    assert not at.warning
    assert not at.info
    assert code(at) == last_good
    # And good numbers are taken again.
    assert_picture(type_numbers(at, "1, 2"), default_config("1, 2"), printed)


def test_the_last_good_picture_is_kept_through_several_bad_texts(open_page: Open) -> None:
    at = type_numbers(open_page("sampling"), "0.25, 4")
    for text in ("x", "1,,2", "", "inf", "1" * 5_000):
        at.text_input(key="logits").set_value(text).run()
        assert not at.exception
        assert shown_logits(at) == "0.25, 4"


@pytest.mark.parametrize("text", ["a, b", "1" * 100_000, ",", "nan"])
def test_a_link_with_bad_numbers_shows_the_default_picture(open_page: Open, text: str) -> None:
    at = open_page("sampling", logits=text)
    assert not at.exception
    assert len(sentences(at)) == 1
    assert shown_logits(at) == DEFAULT.text


def test_an_examples_names_stay_with_its_number_of_categories(open_page: Open) -> None:
    at = open_page("sampling")
    assert "The winner w is dog" in at.caption[1].value
    at = type_numbers(at, "2, 5, -1")
    assert "The winner w is dog" in at.caption[0].value
    at = type_numbers(at, "2, 5")
    assert "The winner w is B" in at.caption[0].value


def test_names_too_long_get_one_sentence(open_page: Open) -> None:
    at = open_page("sampling")
    at.text_input(key="names").set_value("n" * 5_000).run()
    assert not at.exception
    assert sentences(at) == ["The names have 5,000 characters: at most 4,000 are read."]
    assert shown_logits(at) == DEFAULT.text


@pytest.mark.parametrize(
    ("edits", "sentence"),
    [
        ("9: 1", "'9: 1' names no category: places run from 1 to 3."),
        ("one", "'one' is not an edit: write a place and its noise, such as 2: 1.35."),
        ("1: nan", "'1: nan' is not an edit: write a place and its noise, such as 2: 1.35."),
        ("1: 2;" * 1_000, "The text has 5,000 characters: at most 1,000 are read."),
    ],
)
def test_bad_edits_of_a_link_get_one_sentence_and_the_seeds_own_noise(
    open_page: Open, printed: Printed, edits: str, sentence: str
) -> None:
    at = open_page("sampling", edits=edits)
    assert not at.exception
    assert sentences(at) == [sentence]
    at.text_input(key="edits").set_value("").run()
    assert_picture(at, default_config(DEFAULT.text), printed)


def test_bad_edits_get_one_sentence_and_the_last_good_ones_stay(open_page: Open, printed: Printed) -> None:
    at = open_page("sampling", edits="1: 2")
    good = printed(at.code[0].value)
    at.text_input(key="edits").set_value("1: 2; x").run()
    assert sentences(at) == ["'x' is not an edit: write a place and its noise, such as 2: 1.35."]
    assert printed(at.code[0].value) == good


def test_edits_of_a_category_that_is_gone_do_not_end_in_a_traceback(open_page: Open) -> None:
    at = open_page("sampling", edits="3: 5")
    at = type_numbers(at, "1, 2")
    assert not at.exception
    assert sentences(at) == ["'3: 5' names no category: places run from 1 to 2."]


@pytest.mark.parametrize(
    ("name", "raw"), [("tau", "0"), ("tau", "nan"), ("tau", "1e9"), ("seed", "x"), ("preset", "?")]
)
def test_a_link_value_that_does_not_fit_falls_back_on_the_default(
    open_page: Open, printed: Printed, name: str, raw: str
) -> None:
    at = open_page("sampling", **{name: raw})
    assert_picture(at, default_config(DEFAULT.text), printed)


# Corrections and buttons


def test_probabilities_that_do_not_sum_to_1_can_be_read_as_weights(open_page: Open, printed: Printed) -> None:
    at = type_numbers(open_page("sampling"), "0.5, 0.2", "probabilities")
    at = press(at, "Read them as weights")
    assert_picture(at, default_config("0.5, 0.2", "weights"), printed)
    assert (at.session_state["kind"], at.session_state["preset"]) == ("weights", CUSTOM)


def test_a_link_with_numbers_of_its_own_names_no_example(open_page: Open, printed: Printed) -> None:
    at = open_page("sampling", kind="weights")
    assert at.session_state["preset"] == CUSTOM
    at = press(at, "Read them as logits")
    assert_picture(at, default_config(DEFAULT.text), printed)
    assert open_page("many_draws", logits="1, 2").session_state["preset"] == CUSTOM
    assert open_page("many_draws", tau="2").session_state["preset"] == next(iter(PRESETS))


def test_probabilities_typed_as_logits_can_be_read_as_probabilities(
    open_page: Open, printed: Printed
) -> None:
    at = type_numbers(open_page("sampling"), "0.7, 0.2, 0.1")
    # Until then they are what they were typed as, with a hint and no complaint.
    assert_picture(at, default_config("0.7, 0.2, 0.1"), printed)
    assert len(at.info) == 1
    at = press(at, "Read them as probabilities")
    assert_picture(at, default_config("0.7, 0.2, 0.1", "probabilities"), printed)
    assert not at.info
    assert "Read them as probabilities" not in labels(at)


def test_no_correction_is_offered_where_none_would_do(open_page: Open) -> None:
    for text in ("a, b", "1,,2", "2, 0.5, -1"):
        at = type_numbers(open_page("sampling"), text)
        assert not [label for label in labels(at) if label.startswith("Read them")]


def test_new_noise_moves_the_seed_and_nothing_else(open_page: Open, printed: Printed) -> None:
    at = press(open_page("sampling", tau="0.5", seed="7"), "New noise")
    assert at.session_state["seed"] == 8
    assert_picture(at, DrawConfig((2.0, 0.5, -1.0), 0.5, 8), printed)
    at = press(open_page("sampling", seed=str(SEEDS[1])), "New noise")
    assert at.session_state["seed"] == SEEDS[0]


def test_same_noise_empties_the_edits_and_keeps_the_seed(open_page: Open, printed: Printed) -> None:
    at = press(open_page("sampling", edits="1: 5", seed="7"), "Same noise")
    assert at.session_state["edits"] == ""
    assert_picture(at, DrawConfig((2.0, 0.5, -1.0), 1.0, 7), printed)


def test_reset_returns_to_the_defaults_with_the_same_seed(open_page: Open, printed: Printed) -> None:
    at = open_page(
        "sampling", preset=CUSTOM, logits="3,1", kind="weights", names="a,b", tau="0.25", seed="7",
        edits="2: 1.5", forward="straight-through",
    )  # fmt: skip
    at = press(at, "Reset")
    assert_picture(at, DrawConfig((2.0, 0.5, -1.0), FIELDS["tau"].default, 7), printed)
    state = at.session_state
    assert (state["logits"], state["kind"], state["names"]) == (DEFAULT.text, DEFAULT.kind, DEFAULT.names)
    assert (state["edits"], state["forward"], state["seed"]) == ("", "soft", 7)
    assert state["preset"] == next(iter(PRESETS))


# The table


@pytest.mark.parametrize(
    ("edits", "logits", "names"),
    [
        ({"edited_rows": {0: {"number": "3"}}}, "3, 0.5, -1", "cat, dog, bird"),
        ({"edited_rows": {1: {"name": "cow, calf"}}}, "2, 0.5, -1", "cat, cow  calf, bird"),
        ({"deleted_rows": [1]}, "2, -1", "cat, bird"),
        ({"deleted_rows": [0, 1, 2]}, "", ""),
        (
            {"added_rows": [{"name": "fox", "number": "1.5"}, {}]},
            "2, 0.5, -1, 1.5, 0",
            "cat, dog, bird, fox, ",
        ),
    ],
)
def test_a_table_edit_is_written_back_into_the_texts(
    edits: dict[str, object], logits: str, names: str
) -> None:
    # AppTest cannot type into a table: its callback gets what the table would hand it.
    script = f"""
import streamlit as st
from pages.components.controls import _rows, _write_table

if "table" not in st.session_state:
    st.session_state.update(logits="2, 0.5, -1", names="cat, dog, bird", _table_writes=0)
    st.session_state.table = {{"edited_rows": {{}}, "deleted_rows": [], "added_rows": []}} | {edits!r}
    _write_table("table", _rows())
"""
    at = AppTest.from_string(script, default_timeout=30).run()
    assert not at.exception
    assert (at.session_state["logits"], at.session_state["names"]) == (logits, names)
