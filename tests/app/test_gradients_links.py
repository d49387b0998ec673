"""The lesson Bias and variance, opened by links: what is not taken is told, and what is taken is kept."""

import re

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.gradients_config import TITLES
from pages.components.link import FIELDS, not_taken
from pages.components.words import plain
from tests.app.codes import ROOT, press, quiet, warnings
from tests.app.gradients import Drawn, Open, snippet, spare, stand_ins


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    spare(monkeypatch)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    return stand_ins(monkeypatch)


@pytest.mark.parametrize(
    ("link", "field"),
    [
        ({"estimator": "<b>Exact</b>"}, "estimator"),
        ({"estimator": TITLES["zero_temperature_rao"]}, "estimator"),
        ({"beside": "nobody"}, "beside"),
        ({"f": "cubic"}, "f"),
        ({"variables": "0"}, "variables"),
        ({"variables": "99"}, "variables"),
        ({"variables": "many"}, "variables"),
        ({"rao_draws": "51"}, "rao_draws"),
        ({"means": "3"}, "means"),
        ({"means": "1.0"}, "means"),
        ({"learn_rate": "0"}, "learn_rate"),
        ({"learn_rate": "1e400"}, "learn_rate"),
        ({"learn_rate": "nan"}, "learn_rate"),
    ],
)
def test_a_bad_link_is_told(link: dict[str, str], field: str) -> None:
    (sentence,) = not_taken(link)
    assert sentence.startswith(f"The link's {field} = {plain(link[field])} is not taken.")
    assert sentence.endswith(f"Shown instead: {FIELDS[field].default}.")


def test_a_bad_link_gives_the_defaults(open_page: Open) -> None:
    bad = {"estimator": "<b>Exact</b>", "beside": "nobody", "f": "cubic", "variables": "99", "means": "3"}
    at = open_page("gradients", rao_draws="0", learn_rate="1e400", **bad)
    assert quiet(at)
    for field in (*bad, "rao_draws", "learn_rate"):
        assert at.session_state[field] == FIELDS[field].default


def test_the_frame_tells_each_and_keeps_the_rest_from_page_to_page() -> None:
    bad = {"variables": "1e400", "means": "3", "learn_rate": "1e400"}
    good = {"estimator": "REBAR", "beside": "Exact", "f": "linear", "f_numbers": "1, 5, 2", "rao_draws": "3"}
    at = AppTest.from_file(ROOT / "pages" / "_frame.py", default_timeout=60)
    at.query_params.update(bad | good)
    at.run()
    assert [sentence.split(" = ")[0] for sentence in warnings(at)] == [
        "The link's variables",
        "The link's means",
        "The link's learn_rate",
    ]
    for page in ("gradients.py", "noise.py", "gradients.py"):
        at.switch_page(page).run()
        assert quiet(at)
    assert 'function_of("linear", (1.0, 5.0, 2.0)' in snippet(at)
    assert 'ESTIMATORS["rebar"]' in snippet(at)
    assert at.number_input(key="rao_draws").value == 3
    assert at.number_input(key="variables").value == 1


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", "**[a](b)**", "$x$ :red[y]"])
def test_typed_text_is_shown_and_never_interpreted(open_page: Open, drawn: Drawn, hostile: str) -> None:
    at = open_page("gradients", f_numbers=hostile, names=f"{hostile}, b, c")
    assert not at.exception
    (said,) = [element.value for element in at.error]
    assert "is not a number" in said
    # A backslash before punctuation makes it literal.
    assert not set(re.sub(r"\\.", "", said)) & set("<>*[]$")
    for key in drawn.figures:
        assert not any("<img" in text for text in drawn.texts(key))
    for element in [*at.markdown, *at.caption, *at.latex]:
        assert "<img" not in element.value


def test_reset_keeps_the_seed(open_page: Open) -> None:
    moved = {"estimator": "REBAR", "beside": "Exact", "f": "network", "variables": "2", "means": "20"}
    at = open_page("gradients", seed="7", tau="0.3", learn_rate="2", logits="1, 2", **moved)
    press(at, "Reset")
    for name in (*moved, "tau", "learn_rate", "f_numbers"):
        assert at.session_state[name] == FIELDS[name].default
    assert at.number_input(key="seed").value == 7
    assert "manual_seed(7)" in snippet(at)
    press(at, "New noise")
    assert "manual_seed(8)" in snippet(at)
