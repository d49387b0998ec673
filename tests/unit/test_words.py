"""What a visitor typed is shown as itself; numbers in equations are TeX."""

import math
import re

import pytest

from pages.components.words import plain, tex, tex_vector

# Every character that starts something in Streamlit's Markdown: emphasis, links, images, HTML, LaTeX, colour
# and icon directives, tables, headings, lists, code.
MARKS = "\\`*_{}[]()#+-.!|$:<>~&"


@pytest.mark.parametrize(
    "hostile",
    [
        "**bold** _it_ ~~gone~~ `code`",
        "[click](https://evil.example)",
        "![pixel](https://evil.example/p.png)",
        "<script>alert(1)</script> <b>&amp;</b>",
        "$\\href{javascript:alert(1)}{x}$ $$1$$",
        ":red[danger] :material/home: :smile: :blue-background[x]",
        "# heading",
        "- list",
        "1. list",
        "a | b",
        "<https://evil.example>",
        "already \\*escaped\\*",
        MARKS,
    ],
)
def test_markup_is_neutralised_and_nothing_is_lost(hostile: str) -> None:
    escaped = plain(hostile)
    # CommonMark: a backslash before ASCII punctuation makes it literal. So, once such pairs are taken out, no
    # mark is left; and once their backslashes are, the text is what it was.
    assert not set(re.sub(r"\\[!-/:-@\[-`{-~]", "", escaped)) & set(MARKS)
    assert re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped).replace("\u2060", "") == hostile


@pytest.mark.parametrize(
    "live", ["https://a.b", "www.a.b", "a@b.c", ":material/home:", ":streamlit:", "->", "--", "<="]
)
def test_what_streamlit_makes_of_plain_text_is_parted(live: str) -> None:
    # Links, icons and arrows are made after Markdown is read, when no backslash is left.
    assert live not in plain(live).replace("\\", "")


def test_plain_is_one_paragraph() -> None:
    # A line break would start a block, where four spaces are code and a number is a list.
    assert plain("  a\n\n    b\tc\r\nd ") == "a b c d"
    assert plain("") == ""
    assert plain("cat, dog 0 α − é") == "cat, dog 0 α − é"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.inf, r"\infty"),
        (-math.inf, r"-\infty"),
        (0.0, "0"),
        (1.0, "1"),
        (0.12345, "0.123"),
        (-2.5, "-2.5"),
        (999.4, "999"),
        (1234.0, r"1.23\cdot 10^{3}"),
        (1e30, r"1\cdot 10^{30}"),
        (-1e30, r"-1\cdot 10^{30}"),
        (3.456e-7, r"3.46\cdot 10^{-7}"),
        (5e-324, r"4.94\cdot 10^{-324}"),
        (1.7e308, r"1.7\cdot 10^{308}"),
    ],
)
def test_numbers_are_tex(value: float, shown: str) -> None:
    assert tex(value) == shown


def test_a_vector_shows_its_first_numbers() -> None:
    assert tex_vector([1, -math.inf, 0.25]) == r"(1,\; -\infty,\; 0.25)"
    assert tex_vector(range(64)) == r"(0,\; 1,\; 2,\; 3,\; \ldots)"
    assert tex_vector(range(4)) == r"(0,\; 1,\; 2,\; 3)"
    assert tex_vector(range(5), most=2) == r"(0,\; 1,\; \ldots)"
    assert tex_vector([7]) == "(7)"
