"""The lesson Noise: its widgets reach its pictures, nothing raises, and its snippets print its numbers."""

import ast
import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.gumbel_law import LawConfig, gumbel_law, inverse_transform
from gumbel_core.logits import PRESETS
from gumbel_core.noise import WAYS, core_at_zero, wins_from_behind, wrong_sign_law
from gumbel_core.noise_trials import TrialsConfig, log_trials, one_race, race_trials, sign_trials
from pages.components.words import plain, tex, tex_vector

Open = Callable[..., AppTest]
Downloads = dict[str, list[list[str]]]
LOGITS = (2.0, 0.5, -1.0)
# The parts with a snippet, in the page's order.
LAW, RACE, SIGNS, LOGARITHM, TAILS = range(5)


def words(at: AppTest) -> str:
    return "\n".join(element.value for element in [*at.markdown, *at.caption, *at.latex])


def said(output: str, name: str) -> list[float]:
    """The numbers after `name:` in what a snippet printed."""
    (line,) = re.findall(rf"^{re.escape(name)}:? +(.*)$", output, re.MULTILINE)
    return [float(number) for number in re.findall(r"-?(?:inf|[0-9.]+(?:e-?\d+)?)", line)]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_shown(open_page: Open, preset: str) -> None:
    at = open_page("noise", preset=preset)
    assert not at.exception
    assert len(at.code) == 5


@pytest.mark.parametrize(
    "logits",
    ["3", "1, -inf", "1e300, -1e300", "-1e300, -1e300, 0", "0, -1000, -inf", ", ".join(map(str, range(64)))],
)
def test_odd_logits_give_a_page(open_page: Open, printed: Callable[[str], str], logits: str) -> None:
    at = open_page("noise", preset="Your own", logits=logits, weight_sum="100")
    assert not at.exception
    assert "nan" not in words(at)
    for code in at.code:
        assert printed(code.value)


def test_bad_text_leaves_the_last_good_page(open_page: Open) -> None:
    at = open_page("noise")
    at.text_input(key="logits").set_value("0, 0, 0, 0").run()
    at.text_input(key="logits").set_value("1,,2").run()
    assert not at.exception
    assert at.error
    assert tex_vector([0.25] * 4, most=3) in words(at)


def test_a_link_reaches_every_part(open_page: Open) -> None:
    at = open_page("noise", u="0.25", location="1.5", scale="0.5", seed="7", weight_sum="2", preset="Uniform")
    assert not at.exception
    config = TrialsConfig((0.0,) * 5, 7)
    shown = words(at)
    assert tex(inverse_transform(0.25, 1.5, 0.5).value) in shown
    assert tex(gumbel_law(LawConfig(1.5, 0.5, 7)).sample_mean) in shown
    assert tex_vector(one_race(config).race.times.tolist(), most=3) in shown
    assert tex_vector(race_trials(config).trials.frequencies.tolist(), most=3) in shown
    assert f"**{sign_trials(config)['-'].distance:.4f}**" in shown
    assert rf"w &= {tex_vector([0.4] * 5, most=3)}" in shown


def test_sliders_move_their_own_numbers(open_page: Open) -> None:
    at = open_page("noise")
    at.slider(key="u").set_value(0.3).run()
    assert r"-\log 0.3" in words(at)
    at.slider(key="scale").set_value(2.0).run()
    assert rf"\beta^2 / 6 = {tex(4 * 1.644934)}" in words(at)
    at.select_slider(key="weight_sum").set_value(1).run()
    # Weights that add up to 1 are probabilities.
    probabilities = tex_vector(log_trials(TrialsConfig(LOGITS, 11), 1)["p"].law.tolist(), most=3)
    assert rf"w &\to {probabilities}" in at.latex[2].value
    assert not at.exception


def test_another_race_takes_the_next_seed(open_page: Open) -> None:
    at = open_page("noise", seed="7")
    (button,) = (button for button in at.button if button.label == "Another race")
    button.click().run()
    assert at.number_input(key="seed").value == 8
    assert tex_vector(one_race(TrialsConfig(LOGITS, 8)).race.times.tolist()) in words(at)


def test_the_notebooks_weights_show_the_numbers_of_the_lessons(open_page: Open) -> None:
    at = open_page("noise", weight_sum="50")
    (button,) = (button for button in at.button if "7, 2, 1" in button.label)
    button.click().run()
    assert not at.exception
    assert at.text_input(key="logits").value == "7, 2, 1"
    equation = at.latex[2].value
    assert r"w &= (7,\; 2,\; 1)" in equation
    assert r"\log w &\to (0.7,\; 0.2,\; 0.1)" in equation
    assert r"w &\to (0.991,\; 0.00668,\; 0.00246)" in equation
    assert r"p &\to (0.464,\; 0.281,\; 0.255)" in equation


def test_two_categories_are_not_told_that_the_sign_matters(open_page: Open) -> None:
    assert "No number of draws" in words(open_page("noise"))
    assert "No number of draws" not in words(open_page("noise", preset="Your own", logits="1, 0"))


@pytest.mark.parametrize(
    ("logits", "yes", "no"),
    [
        ("2, 0.5, -1", "Not here", "Right. With"),
        ("1, 0", "For these logits, yes", "Right for most laws"),
        ("0, 0, 0", "For these logits, yes", "Right for most laws"),
        ("1e300, -1e300, 0", "For these logits, yes", "Right for most laws"),
    ],
)
def test_the_verdict_is_that_of_the_typed_law(open_page: Open, logits: str, yes: str, no: str) -> None:
    at = open_page("noise", preset="Your own", logits=logits)
    for answer, verdict in (("Yes, noise is noise", yes), ("No", no)):
        at.button_group(key="noise_question").set_value(answer).run()
        assert verdict in words(at)
        assert not at.exception


def test_the_tails_are_told_with_both_probabilities(open_page: Open) -> None:
    shown = words(open_page("noise"))
    assert "But for $U = 0$" in shown
    assert tex(2.0**-24) in shown
    assert tex(wins_from_behind(WAYS["double-log"].widest_gap())) in shown
    assert f"to ${tex(core_at_zero())}$" in shown


def test_every_curve_of_the_law_can_be_taken_away(open_page: Open, downloads: Downloads) -> None:
    open_page("noise", scale="0.5", seed="3")
    header, *rows = downloads["gumbel_law"]
    drawn = gumbel_law(LawConfig(0.0, 0.5, 3))
    assert header == ["series", "x", "y"]
    for name, x, y in (
        ("cdf", drawn.x, drawn.cdf),
        ("pdf", drawn.x, drawn.pdf),
        ("histogram", drawn.centres, drawn.heights),
    ):
        points = [(float(a), float(b)) for series, a, b in rows if series == name]
        assert points == list(zip(x.tolist(), y.tolist(), strict=True))


def test_a_category_that_never_wins_has_no_time_to_compare(open_page: Open) -> None:
    shown = words(open_page("noise", preset="Your own", logits="0, -1000", names="*a*, b"))
    assert f"Hardly any but {plain('*a*')} won" in shown


@pytest.mark.parametrize("preset", ["Three classes", "A masked category"])
def test_the_snippets_print_the_numbers_of_the_page(
    open_page: Open, printed: Callable[[str], str], preset: str
) -> None:
    at = open_page("noise", preset=preset, seed="5", u="0.25", location="-1", weight_sum="20")
    config = TrialsConfig(at.session_state["_typed"].logits, 5)
    output = [printed(code.value) for code in at.code]

    law, path = gumbel_law(LawConfig(-1.0, 1.0, 5)), inverse_transform(0.25, -1.0)
    assert said(output[LAW], "u, -log u, g, draw") == pytest.approx(
        [0.25, path.exponential, path.standard, path.value], abs=6e-5
    )
    assert said(output[LAW], "mean of the law") == pytest.approx([law.mean], abs=6e-5)
    assert said(output[LAW], "variance of the law") == pytest.approx([law.variance], abs=6e-5)
    assert said(output[LAW], "their mean") == pytest.approx([law.sample_mean], abs=6e-5)
    assert said(output[LAW], "their variance") == pytest.approx([law.sample_variance], abs=6e-5)

    now, many = one_race(config).race, race_trials(config)
    assert said(output[RACE], "rates") == pytest.approx(now.rates.tolist(), abs=6e-5)
    assert said(output[RACE], "times") == pytest.approx(now.times.tolist(), abs=6e-5)
    assert said(output[RACE], "winner") == [now.winner.item()]
    assert said(output[RACE], "won") == pytest.approx(many.trials.frequencies.tolist(), abs=6e-5)
    assert said(output[RACE], "softmax") == pytest.approx(many.trials.law.tolist(), abs=6e-5)

    signs = sign_trials(config)
    assert said(output[SIGNS], "logits + noise") == pytest.approx(signs["+"].frequencies.tolist(), abs=6e-5)
    assert said(output[SIGNS], "logits - noise") == pytest.approx(signs["-"].frequencies.tolist(), abs=6e-5)
    exact = said(output[SIGNS], "exact, wrong sign")
    assert exact == pytest.approx(wrong_sign_law(config.logits).tolist(), abs=6e-5)

    for feed, trials in log_trials(config, 20).items():
        (line,) = re.findall(rf"^{feed} drawn: (.*) exact: (.*)$", output[LOGARITHM], re.MULTILINE)
        drawn, exact = map(ast.literal_eval, line)
        assert drawn == pytest.approx(trials.frequencies.tolist(), abs=6e-5)
        assert exact == pytest.approx(trials.law.tolist(), abs=6e-5)

    for way in WAYS.values():
        low, high = way.tails()
        assert f"from {low:.2f} to {high:.2f}, U = 0 gives {way.at_zero():.2f}" in output[TAILS]
        assert f"{high:.2f}" in words(at)
    assert said(output[TAILS], "the core at U = 0") == [round(core_at_zero(), 2)]
