"""The lesson Bias and variance: its widgets reach its configs, and nothing raises. Its numbers have a file of
their own, and the pages here measure with few samples and few steps."""

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core import gradient_bench, gradient_learning
from gumbel_core.estimators import ESTIMATORS
from gumbel_core.functions import FUNCTIONS
from gumbel_core.gradient_bench import RAO, Moments
from gumbel_core.logits import PRESETS, parse_logits
from pages.components.gradients_config import TITLES
from pages.components.gradients_measured import moments_of
from pages.components.link import BESIDE, ESTIMATES
from pages.components.words import tex_vector
from tests.app.codes import ROOT, errors, quiet, words
from tests.app.gradients import (
    FEW,
    OWN,
    TEMPERED,
    Downloads,
    Drawn,
    Open,
    Printed,
    equations,
    snippet,
    softmax,
    spare,
    stand_ins,
)

FIGURES = {
    "bias_variance",
    "gradient_mse",
    "gradient_learning",
    "gradient_z",
    "vanished",
    *(f"flow_{way}" for way in ("deterministic", "blocked", "score_function")),
    *(f"flow_{way}" for way in ("straight_through", "gumbel_softmax")),
}


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    spare(monkeypatch)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    return stand_ins(monkeypatch)


def is_sound(at: AppTest, drawn: Drawn) -> bool:
    """Nothing raised, nothing is complained of, and every number is one."""
    said = [equations(at), words(at), *(drawn.alt(key) for key in drawn.figures)]
    return quiet(at) and not any(re.search(r"\bnan\b", text) for text in said)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_example_is_drawn(open_page: Open, drawn: Drawn, preset: str) -> None:
    at = open_page("gradients", preset=preset)
    assert is_sound(at, drawn)
    p = softmax(tuple(parse_logits(PRESETS[preset].text, PRESETS[preset].kind).tolist()))
    weights = np.arange(1, len(p) + 1)
    gradient = p * (weights - p @ weights)
    assert rf"\nabla\, \mathbb E\, f &= {tex_vector(gradient.tolist(), most=3)}" in equations(at)
    # The triangle has three corners.
    assert set(drawn.figures) == FIGURES | ({"gradient_arrows"} if len(p) == 3 else set())
    assert [element.value[:30] for element in at.info] == (
        [] if len(p) == 3 else ["Arrows lie in the triangle of "]
    )


@pytest.mark.parametrize(
    "logits",
    ["1, 0", "1, -inf", "1e300, -1e300", "0, -1000, -inf", "5, 5, 5", ", ".join(map(str, range(64)))],
)
def test_odd_logits_give_pictures_and_code(
    open_page: Open, drawn: Drawn, printed: Printed, logits: str
) -> None:
    at = open_page("gradients", logits=logits, tau="0.01", **OWN)
    assert is_sound(at, drawn)
    exact, mean = (
        ast.literal_eval(line.partition(": ")[2].strip()) for line in printed(snippet(at)).splitlines()[:2]
    )
    entries = logits.split(", ")
    assert len(exact) == len(mean) == len(entries)
    assert all(exact[k] == mean[k] == 0 for k, entry in enumerate(entries) if entry == "-inf")
    at.number_input(key="tau").set_value(100.0).run()
    assert is_sound(at, drawn)
    assert "nan" not in printed(snippet(at))


def test_one_category_leaves_the_last_good_picture_with_its_own_names(open_page: Open, drawn: Drawn) -> None:
    at = open_page("gradients", logits="1, 2, 4", names="owl, elk, yak", **OWN)
    before = snippet(at)
    at.text_input(key="names").set_value("ant").run()
    at.text_input(key="logits").set_value("3").run()
    assert not at.exception
    assert errors(at) == ["One category leaves nothing to choose: the gradient is 0. Type two at least."]
    assert snippet(at) == before
    assert "triangle of ant, B, C:" in drawn.alt("gradient_arrows")
    at.text_input(key="logits").set_value("1, 0").run()
    assert not errors(at)
    assert {"ant", "B"} <= set(drawn.texts("gradient_z"))


@pytest.mark.parametrize("link", [{"logits": "3", **OWN}, {"f": "linear", "f_numbers": "1, 2"}])
def test_a_link_that_cannot_be_read_gives_an_example(
    open_page: Open, drawn: Drawn, link: dict[str, str]
) -> None:
    at = open_page("gradients", **link)
    assert not at.exception
    assert len(errors(at)) == 1
    assert FIGURES | {"gradient_arrows"} == set(drawn.figures)
    assert 'function_of("squares", (1.0, 2.0, 3.0)' in snippet(at)
    assert "triangle of A, B, C:" in drawn.alt("gradient_arrows")


def test_arrows_are_of_one_variable(open_page: Open, drawn: Drawn) -> None:
    at = open_page("gradients", variables="2")
    assert is_sound(at, drawn)
    assert "gradient_arrows" not in drawn.figures
    assert len(at.info) == 1


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_of_several_variables(
    open_page: Open, drawn: Drawn, printed: Printed, function: str
) -> None:
    at = open_page("gradients", f=function, variables="2", preset="A masked category", tau="0.5")
    assert is_sound(at, drawn)
    kind = FUNCTIONS[function]
    assert f"f(z) &= {kind.joint}" in equations(at)
    assert kind.says in words(at)
    numbers = kind.defaults(2, 4)
    assert not numbers or f"{kind.symbol} &= {tex_vector(numbers, most=3)}" in equations(at)
    assert f'function_of("{function}"' in snippet(at)
    assert {f"{name} {variable}" for name in "ABCD" for variable in (1, 2)} <= set(drawn.texts("gradient_z"))
    exact = printed(snippet(at)).splitlines()[0]
    assert len(exact.split(",")) == 2 * 4
    assert "the first variable" in words(at)


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        (
            {"f_numbers": "1, 2"},
            "The function squares reads 3 numbers, a weight for each category: there are 2.",
        ),
        ({"f_numbers": "1, 2, -inf"}, "A number of a function lies between -10000 and 10000."),
        ({"f_numbers": "1e5, 1, 1"}, "A number of a function lies between -10000 and 10000."),
        ({"f_numbers": "one, two, three"}, "Entry 1, 'one', is not a number."),
        ({"f_numbers": "1,, 2"}, "Entry 2 is empty: two commas stand side by side."),
        (
            {"f": "table", "f_numbers": "1, 2, 3", "variables": "2"},
            "The function table reads 9 numbers, a reward for each combination: there are 3.",
        ),
        (
            {"f": "distance", "f_numbers": "1, 2"},
            "The function distance reads 1 number, the target: there are 2.",
        ),
        (
            {"preset": "Uniform", "variables": "6"},
            "6 variables of 5 categories have too many combinations: at most 4,096 are enumerated.",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_sentence_and_the_last_good_stays(
    open_page: Open, drawn: Drawn, link: dict[str, str], sentence: str
) -> None:
    at = open_page("gradients", f=link.get("f", "linear"))
    at.selectbox(key="preset").set_value(link.get("preset", "Three classes")).run()
    if "f_numbers" in link:
        at.number_input(key="variables").set_value(int(link.get("variables", 1))).run()
        before = snippet(at)
        at.text_input(key="f_numbers").set_value(link["f_numbers"]).run()
    else:
        at.number_input(key="variables").set_value(int(link["variables"])).run()
    assert errors(at) == [sentence.replace("squares", "linear")]
    assert not at.exception
    if "preset" not in link:
        assert snippet(at) == before


def test_another_function_forgets_the_numbers_of_the_last(open_page: Open) -> None:
    at = open_page("gradients", f="linear", f_numbers="5, 0, 1")
    at.button_group(key="f").set_value("quadratic").run()
    assert at.text_input(key="f_numbers").value == ""
    assert not errors(at)


def test_a_table_of_many_combinations_can_be_typed(open_page: Open) -> None:
    rewards = ", ".join(str(reward) for reward in range(81))
    at = open_page("gradients", f="table", variables="4", f_numbers=rewards)
    assert quiet(at)
    assert "79.0, 80.0)" in snippet(at)


def test_a_function_without_numbers_reads_none(open_page: Open, printed: Printed) -> None:
    at = open_page("gradients", f="network", f_numbers="no numbers")
    assert quiet(at)
    assert 'function_of("network", ()' in snippet(at)


def test_every_estimator_is_drawn_beside_another(open_page: Open, drawn: Drawn) -> None:
    at = open_page("gradients", beside="Exact")
    for name, estimator in ESTIMATORS.items():
        drawn.fans.clear()
        at.selectbox(key="estimator").set_value(estimator.title).run()
        assert is_sound(at, drawn)
        assert f"estimates by {estimator.title} at tau 1" in drawn.alt("gradient_arrows")
        assert f"{estimator.title} at tau 1: bias" in drawn.alt("bias_variance")
        # What reads no temperature stands still while it is dragged.
        assert bool(drawn.fans) == estimator.tempered
        assert ("Neither of the two has a temperature." in words(at)) != estimator.tempered
        assert f'["{name}"]' in snippet(at) or name == "gumbel_rao"
        assert ("The same estimator twice" in words(at)) == (name == "exact")


def test_every_estimator_stands_beside(open_page: Open, drawn: Drawn) -> None:
    at = open_page("gradients", estimator="REINFORCE")
    for beside in BESIDE:
        drawn.figures.clear()
        at.selectbox(key="beside").set_value(beside).run()
        assert is_sound(at, drawn)
        assert f"On the same draws: REINFORCE less {beside}" in words(at)
        assert ("gradient_z" in drawn.figures) == (beside != "REINFORCE")
        tempered = beside in [TITLES[name] for name in TEMPERED]
        assert ("gradient_mse" in drawn.figures) == tempered
        assert not tempered or f"estimates by {beside}." in drawn.alt("gradient_mse")


def test_both_of_the_pair_stand_out(open_page: Open, drawn: Drawn) -> None:
    open_page("gradients", estimator="ReinMax", beside="REBAR")
    lines = {
        trace["name"]: trace["line"]["width"]
        for trace in drawn.figures["gradient_learning"]["figure"]["data"]
        if trace.get("name") in ESTIMATES
    }
    assert lines["ReinMax"] > lines["REBAR"] > lines["REINFORCE"]
    assert {"<b>ReinMax</b>", "<b>REBAR</b>"} <= set(drawn.texts("bias_variance"))
    assert "<b>REINFORCE</b>" not in drawn.texts("bias_variance")


def test_the_fan_ends_where_the_figure_stands(open_page: Open, drawn: Drawn) -> None:
    """What is dragged to in the browser is what the server draws on release."""
    open_page("gradients", tau="0.1")
    (fan,) = drawn.fans
    traces = drawn.figures["gradient_arrows"]["figure"]["data"]
    at_tau = int(np.abs(np.log(np.array(fan["temperatures"]) / 0.1)).argmin())
    frame = np.array(fan["frames"][at_tau])
    tips, mean = (traces[fan["traces"][name]] for name in ("tips", "mean"))
    np.testing.assert_allclose(frame[1:], np.stack([tips["x"], tips["y"]], 1), rtol=0, atol=1e-3)
    np.testing.assert_allclose(frame[0], [mean["x"][1], mean["y"][1]], rtol=0, atol=1e-3)
    np.testing.assert_allclose(fan["start"], [mean["x"][0], mean["y"][0]], rtol=0, atol=1e-3)


@pytest.mark.parametrize("rao_draws", RAO)
def test_raos_draws_reach_the_measurement(open_page: Open, downloads: Downloads, rao_draws: int) -> None:
    at = open_page("gradients", rao_draws=str(rao_draws), estimator="Gumbel-Rao", tau="0.2")
    assert quiet(at)
    assert f"gumbel_rao_of({rao_draws})" in snippet(at)
    by_name = {
        name: [float(row[5]) for row in downloads["bias_variance"] if row[0] == name]
        for name in ("gumbel_rao", "st_gumbel_softmax")
    }
    # At the smallest temperatures: one draw is no better, fifty are.
    ratio = sum(by_name["gumbel_rao"][8:16]) / sum(by_name["st_gumbel_softmax"][8:16])
    assert ratio < 0.7 if rao_draws > 1 else 0.7 < ratio < 1.4


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[tuple[Any, ...]]:
    """The arguments of each call of a module's function from now on."""
    calls: list[tuple[Any, ...]] = []
    real: Callable[..., Any] = getattr(module, name)

    def call(*args: Any, **more: Any) -> Any:
        calls.append(args)
        return real(*args, **more)

    monkeypatch.setattr(module, name, call)
    return calls


def test_nothing_is_measured_twice(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    at = open_page("gradients", seed="77")
    enumerated = counted(monkeypatch, gradient_bench, "exact")
    measured = counted(monkeypatch, gradient_bench, "estimates")
    runs = counted(monkeypatch, gradient_learning, "expected")
    at.selectbox(key="estimator").set_value("ReinMax").run()
    at.selectbox(key="beside").set_value("REBAR").run()
    assert (measured, runs, enumerated) == ([], [], [])
    at.number_input(key="tau").set_value(0.35).run()
    assert sorted(call[1:3] for call in measured) == sorted((name, 0.35) for name in TEMPERED)
    assert len(runs) == len(TEMPERED)
    at.number_input(key="seed").set_value(78).run()
    # For all the nine, at all temperatures.
    assert len(enumerated) == 1


def test_two_visitors_share_a_measurement_and_not_its_place(open_page: Open) -> None:
    first, second = (open_page("gradients", seed="79", estimator=name) for name in ("REBAR", "ReinMax"))
    assert 'ESTIMATORS["rebar"]' in snippet(first)
    assert 'ESTIMATORS["reinmax"]' in snippet(second)
    config = gradient_bench.BenchConfig((2.0, 0.5, -1.0), samples=FEW, seed=79)
    found: Moments = moments_of(config, "rebar", 1.0)
    assert found is moments_of(config, "rebar", 1.0)


def test_caches_are_bounded() -> None:
    """A visitor who turns a knob for an hour fills no server's memory."""
    tree = ast.parse((ROOT / "pages/components/gradients_measured.py").read_text())
    caches = [
        {word.arg for word in node.keywords}
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("st.cache_resource", "st.cache_data")
    ]
    assert len(caches) == 5
    assert all("max_entries" in words for words in caches)
