"""The lesson Many draws: its widgets reach its config, nothing raises, and its snippet prints its numbers."""

import json
import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.logits import PRESETS
from gumbel_core.many_draws import Count, ManyDrawsConfig, relax

Open = Callable[..., AppTest]


def count_of(at: AppTest) -> Count:
    count: Count = at.session_state["_count"]
    return count


def words(at: AppTest) -> str:
    return "\n".join(element.value for element in [*at.markdown, *at.caption])


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_counted(open_page: Open, preset: str) -> None:
    at = open_page("many_draws", preset=preset)
    assert not at.exception
    assert count_of(at).done
    assert count_of(at).tally.draws == 10_000


@pytest.mark.parametrize(
    "logits",
    [
        "3",
        "1, -inf",
        "1e30, -1e30",
        "1e300, -1e300",
        "-1e30, -1e30, -1e30",
        "0, -1000, -inf",
        ", ".join(map(str, range(64))),
    ],
)
@pytest.mark.parametrize("tau", ["0.01", "100"])
def test_odd_logits_give_a_picture(open_page: Open, logits: str, tau: str) -> None:
    at = open_page("many_draws", preset="Your own", logits=logits, tau=tau, draws="100")
    assert not at.exception
    assert len(count_of(at).config.logits) == logits.count(",") + 1


def test_a_link_reaches_the_config(open_page: Open) -> None:
    at = open_page("many_draws", draws="500", seed="7", tau="2.5", component="2")
    assert not at.exception
    assert count_of(at).config == ManyDrawsConfig((2.0, 0.5, -1.0), 500, 7)
    assert "argmax of 500 draws" in words(at)
    assert at.number_input(key="component").value == 2
    assert "τ\u00a0=\u00a02.5" in words(at)


def test_bad_text_leaves_the_last_good_picture(open_page: Open) -> None:
    at = open_page("many_draws", draws="50")
    at.text_input(key="logits").set_value("1, 2, 3, 4").run()
    at.text_input(key="logits").set_value("1,,2").run()
    assert not at.exception
    assert at.error
    assert count_of(at).config.logits == (1.0, 2.0, 3.0, 4.0)


def test_a_component_beyond_the_last_category_shows_the_last(open_page: Open) -> None:
    at = open_page("many_draws", preset="Next token", component="9", draws="50")
    assert at.number_input(key="component").value == 9
    at.selectbox(key="preset").set_value("Three classes").run()
    assert not at.exception
    assert "There are 3 categories: the last is shown." in words(at)


def test_moving_tau_counts_nothing_anew(open_page: Open) -> None:
    at = open_page("many_draws")
    before = count_of(at)
    at.number_input(key="tau").set_value(10.0).run()
    assert count_of(at) is before
    at.number_input(key="seed").set_value(12).run()
    assert count_of(at).config.seed == 12


def test_a_large_count_grows_to_its_end(open_page: Open) -> None:
    at = open_page("many_draws", draws="200000")
    assert not at.exception
    assert count_of(at).done
    assert "argmax of 200,000 draws" in words(at)
    assert "the first 20,000 of them" in words(at)
    assert "Counting" not in words(at)


@pytest.mark.parametrize(("logits", "relation"), [("2, 2, -inf", "="), ("2, 1", r"\neq"), ("5", "=")])
def test_the_mean_is_the_law_for_equal_logits_alone(open_page: Open, logits: str, relation: str) -> None:
    at = open_page("many_draws", preset="Your own", logits=logits, draws="10")
    assert rf"_k\right] {relation} \mathrm{{softmax}}" in at.latex[0].value


def test_words_set_the_picture(open_page: Open) -> None:
    at = open_page("many_draws")
    at.pills(key="case").set_value("ten draws").run()
    assert count_of(at).tally.draws == 10
    at.pills(key="case").set_value("τ = 10, nearly uniform").run()
    assert at.number_input(key="tau").value == 10
    assert at.pills(key="case").value is None


@pytest.mark.parametrize(
    "query",
    [{}, {"preset": "A masked category", "draws": "20", "tau": "0.3"}, {"draws": "200000", "seed": "3"}],
    ids=["defaults", "masked", "large"],
)
def test_the_snippet_prints_the_numbers_of_the_page(
    open_page: Open, printed: Callable[[str], str], query: dict[str, str]
) -> None:
    at = open_page("many_draws", **query)
    output = printed(at.code[0].value)
    lines = re.findall(r"^([\w -]+):\s+(\S.*)$", output, re.MULTILINE)
    said = {name: json.loads(value) for name, value in lines}
    count = count_of(at)
    tally, relaxed = count.tally, relax(count.config, float(query.get("tau", 1)))
    assert said["softmax"] == pytest.approx(tally.probabilities, abs=6e-5)
    assert said["frequencies"] == pytest.approx(tally.frequencies, abs=6e-5)
    assert said["relaxed mean"] == pytest.approx(relaxed.mean, abs=6e-5)
    assert said["p-value"] == pytest.approx(tally.fit.p_value, abs=6e-5)
    assert f"Total variation {said['total variation']:.4f}" in words(at)
    assert tally.fit.sentence in words(at)
