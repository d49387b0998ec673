"""The lesson The toy: its widgets reach its run, nothing raises, and its snippet prints its numbers."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.toy_argmax import LAYERS, Step, ToyConfig, train
from gumbel_core.toy_shares import AGAINST, outcomes
from gumbel_core.toy_update import update_of
from pages.components.link import not_taken
from pages.components.player import pack
from pages.components.words import plain, tex

Open = Callable[..., AppTest]
Printed = Callable[[str], str]
Downloads = dict[str, list[list[str]]]
TENSORFLOW = "No gradients provided for any variable"
PYTORCH = "element 0 of tensors does not require grad and does not have a grad_fn"


def equations(at: AppTest) -> str:
    return "\n".join(element.value for element in at.latex)


def snippet(at: AppTest) -> str:
    (code,) = [element.value for element in at.code if element.language == "python"]
    return code


def messages(at: AppTest) -> list[str]:
    return [element.value for element in at.code if element.language != "python"]


def press(at: AppTest, label: str) -> None:
    (button,) = [button for button in at.button if button.label == label]
    button.click().run()


def lines(run: list[Step]) -> list[str]:
    """What the snippet prints of a run."""
    steps = [
        f"step {number}: predicts {step.prediction.item():.4f}, loss {step.loss.item():.4f}"
        for number, step in enumerate(run, start=1)
    ]
    return steps + [step.refusal for step in run if step.refusal]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"n": 2},
        {"n": 20, "target": 19, "arrays": "fresh"},
        {"temperature": 0.05, "steps": 100, "learning_rate": 10.0},
        {"temperature": 10.0, "target": 0, "steps": 1},
    ],
)
def test_a_link_reaches_the_run_and_the_snippet_prints_it(
    open_page: Open, printed: Printed, layer: str, more: dict[str, Any]
) -> None:
    config = ToyConfig(layer=layer, **{"seed": 3} | more)
    names = {"temperature": "toy_tau", "learning_rate": "toy_rate", "steps": "toy_steps"}
    link = {names.get(name, name): str(value) for name, value in more.items()}
    at = open_page("toy_argmax", layer=layer, toy_seed="3", **link)
    assert not at.exception
    assert not at.warning
    assert not at.error
    run = list(train(config))
    assert printed(snippet(at)).splitlines() == lines(run)
    assert "nan" not in equations(at)
    assert rf"k\, z_k = {tex(run[0].prediction.item())}" in equations(at)


def test_untouched_it_is_the_tutorials_run(open_page: Open, printed: Printed) -> None:
    at = open_page("toy_argmax")
    predictions = re.findall(r"predicts ([0-9.]+)", printed(snippet(at)))
    # The tutorial prints 2.2, 3.5, 4.0.
    assert [round(float(value), 1) for value in predictions[:3]] == [2.1, 3.5, 4.0]


def test_argmax_shows_both_libraries_words_and_the_others_none(open_page: Open) -> None:
    assert messages(open_page("toy_argmax", layer="argmax")) == [PYTORCH, TENSORFLOW]
    for layer in LAYERS:
        if layer != "argmax":
            assert messages(open_page("toy_argmax", layer=layer)) == []


@pytest.mark.parametrize("at_step", [1, 2, 7])
def test_the_equation_shows_the_linked_step(open_page: Open, at_step: int) -> None:
    at = open_page("toy_argmax", step=str(at_step), toy_seed="4")
    run = list(train(ToyConfig(seed=4)))
    now = update_of(run, at_step, 0.5)
    assert now
    assert rf"k\, z_k = {tex(run[at_step - 1].prediction.item())}" in equations(at)
    assert rf"&= {tex(now.updated)} \end" in equations(at)
    assert at.number_input(key="step").value == at_step


@pytest.mark.parametrize(("link", "last"), [({"step": "50"}, 10), ({"step": "7", "layer": "argmax"}, 1)])
def test_a_step_beyond_the_run_is_its_last(open_page: Open, link: dict[str, str], last: int) -> None:
    at = open_page("toy_argmax", **link)
    assert not at.exception
    assert not at.warning
    assert at.number_input(key="step").value == at.number_input(key="step").max == last
    (said,) = [element.value for element in at.info]
    assert said == f"This run has {last} {'steps' if last > 1 else 'step'}: its last is shown."
    assert at.query_params.get("step", "1") == str(last)
    at.run()
    assert not at.info


def test_a_changed_run_begins_at_its_first_step(open_page: Open) -> None:
    at = open_page("toy_argmax", step="6")
    at.number_input(key="toy_seed").set_value(5).run()
    assert at.number_input(key="step").value == 1
    assert not at.exception


@pytest.mark.parametrize(
    ("link", "field"),
    [
        ({"layer": "hard"}, "layer"),
        ({"n": "1"}, "n"),
        ({"n": "21"}, "n"),
        ({"n": "five"}, "n"),
        ({"toy_tau": "0"}, "toy_tau"),
        ({"toy_tau": "nan"}, "toy_tau"),
        ({"toy_rate": "1e9"}, "toy_rate"),
        ({"toy_steps": "0"}, "toy_steps"),
        ({"toy_seed": "-1"}, "toy_seed"),
        ({"arrays": "none"}, "arrays"),
        ({"target": "20"}, "target"),
        ({"target": "²"}, "target"),
        ({"step": "0"}, "step"),
        ({"against": "seed"}, "against"),
    ],
)
def test_a_bad_link_gives_the_default_and_is_told(
    open_page: Open, printed: Printed, link: dict[str, str], field: str
) -> None:
    (sentence,) = not_taken(link)
    assert sentence.startswith(f"The link's {field} = ")
    assert plain(link[field]) in sentence
    at = open_page("toy_argmax", **link)
    assert not at.exception
    assert printed(snippet(at)).splitlines() == lines(list(train(ToyConfig(seed=12))))


def test_a_place_that_the_array_does_not_have_is_told_and_left(open_page: Open, printed: Printed) -> None:
    at = open_page("toy_argmax", n="3", target="7")
    assert [element.value for element in at.info] == [
        "An array of 3 numbers has no place 7: its maximum stands as shuffled."
    ]
    assert printed(snippet(at)).splitlines() == lines(list(train(ToyConfig(seed=12, n=3))))
    at.run()
    assert not at.info

    at = open_page("toy_argmax", target="4")
    at.number_input(key="n").set_value(3).run()
    assert not at.exception
    assert len(at.info) == 1
    assert at.selectbox(key="target").value == "as shuffled"


@pytest.mark.parametrize(
    ("case", "config"),
    [
        ("The tutorial", ToyConfig(seed=12)),
        ("Argmax", ToyConfig(seed=12, layer="argmax")),
        ("The trap", ToyConfig(seed=12, layer="softmax", target=2)),
        ("A seed that fails", ToyConfig(seed=34)),
        ("Fresh arrays", ToyConfig(seed=12, arrays="fresh", steps=40)),
    ],
)
def test_a_word_sets_the_whole_picture(
    open_page: Open, printed: Printed, case: str, config: ToyConfig
) -> None:
    at = open_page("toy_argmax", n="7", layer="straight_through", toy_tau="3", step="4", target="6")
    at.pills(key="case").set_value(case).run()
    assert not at.exception
    assert not at.info
    assert printed(snippet(at)).splitlines() == lines(list(train(config)))
    assert at.number_input(key="step").value == 1


def test_the_cases_are_what_their_words_say() -> None:
    assert list(train(ToyConfig(seed=34)))[-1].loss.item() > 0.5
    trap = list(train(ToyConfig(seed=12, layer="softmax", target=2)))
    assert all(step.loss.item() == 0 and step.on_target.item() == pytest.approx(0.2) for step in trap)


def test_reset_keeps_the_seed(open_page: Open, printed: Printed) -> None:
    at = open_page("toy_argmax", toy_seed="5", n="7", layer="argmax")
    press(at, "Reset")
    assert printed(snippet(at)).splitlines() == lines(list(train(ToyConfig(seed=5))))


def test_the_next_seed(open_page: Open, printed: Printed) -> None:
    at = open_page("toy_argmax", toy_seed="2147483647")
    press(at, "Next seed")
    assert printed(snippet(at)).splitlines() == lines(list(train(ToyConfig(seed=0))))


@pytest.mark.parametrize(
    ("link", "answer", "verdict"),
    [
        ({}, "Yes", "Right: "),
        ({"layer": "softmax", "target": "2"}, "Yes", "So it seems, but look: "),
        ({"arrays": "fresh"}, "No", "Right: "),
        ({"toy_steps": "4"}, "No", "Most runs do: "),
    ],
)
def test_the_question_is_answered_by_many_seeds(
    open_page: Open, link: dict[str, str], answer: str, verdict: str
) -> None:
    at = open_page("toy_argmax", **link)
    at.button_group(key="toy_question").set_value(answer).run()
    config = ToyConfig(
        layer="softmax", target=int(link["target"]) if "target" in link else None,
        arrays=link.get("arrays", "fixed"),
    )  # fmt: skip
    step = int(link.get("toy_steps", 10))
    (said,) = [element.value for element in at.markdown if "seeds without noise" in element.value]
    assert said.startswith(verdict)
    assert f"{outcomes(config).at(step).share:.1%} are within 0.5 of the target in step {step}" in said


def test_one_step_asks_nothing(open_page: Open) -> None:
    assert "toy_question" not in [group.key for group in open_page("toy_argmax", toy_steps="1").button_group]


def test_the_seeds_help_is_the_tutorials_alone(open_page: Open) -> None:
    said = "The tutorial prints 2.2, 3.5, 4.0 at this setting."
    assert open_page("toy_argmax", toy_seed="3").number_input(key="toy_seed").help == said
    for link in ({"n": "6"}, {"toy_rate": "1"}, {"target": "4"}):
        assert not open_page("toy_argmax", **link).number_input(key="toy_seed").help


@pytest.mark.parametrize(("against", "dropped"), [("n", True), ("target", True), ("step", False)])
def test_a_dropped_target_is_told(open_page: Open, against: str, dropped: bool) -> None:
    at = open_page("toy_argmax", against=against, target="3")
    assert any("left to the shuffle here" in element.value for element in at.caption) == dropped


@pytest.mark.parametrize("against", AGAINST)
def test_every_count_is_drawn(open_page: Open, downloads: Downloads, against: str) -> None:
    at = open_page("toy_argmax", against=against)
    assert not at.exception
    expected = AGAINST[against](ToyConfig())
    rows = [row for row in downloads["toy_shares"][1:] if row[0] == "gumbel_softmax"]
    assert [float(row[2]) for row in rows] == pytest.approx(expected.share.tolist())
    assert [float(row[5]) for row in rows] == pytest.approx(expected.on_target.tolist())


def test_the_sentences_carry_what_was_counted(open_page: Open) -> None:
    at = open_page("toy_argmax", n="4", toy_tau="0.3")
    config = ToyConfig(n=4, temperature=0.3)
    (said,) = [element.value for element in at.markdown if "**The noise.**" in element.value]
    for step in (3, 10):
        noisy = outcomes(config).at(step)
        assert f"{noisy.share:.1%}, {noisy.on_target:.2f}" in said
    assert "| no noise | 100.0%, 1.00 | 100.0%, 1.00 |" in said
    assert "Without noise it is ahead" in said
    assert "stays at 0.20" in said


def test_downloads_hold_the_runs(open_page: Open, downloads: Downloads) -> None:
    open_page("toy_argmax")
    run = list(train(ToyConfig(seed=12)))
    rows = downloads["toy_steps"][1:]
    assert [float(row[1]) for row in rows] == [step.prediction.item() for step in run]
    assert [float(value) for value in rows[1][4:9]] == run[1].array.tolist()
    race = downloads["toy_race"][1:]
    assert [row[0] for row in race].count("argmax") == 1
    assert {row[0] for row in race} == set(LAYERS)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_browser_gets_the_run_at_four_digits(layer: str) -> None:
    run = list(train(ToyConfig(seed=12, layer=layer)))
    packed = json.loads(pack(run, noisy=True))
    assert len(packed["records"]) == len(run)
    for record, step in zip(packed["records"], run, strict=True):
        assert record["loss"] == pytest.approx(step.loss.item(), rel=1e-3)
        assert record["weights"][4] == pytest.approx(step.weights[4].tolist(), rel=1e-3)
        assert (record["gradient"] is None) == (layer == "argmax")
        assert record["target"] == int(step.target)
    assert "-0.0," not in pack(run, noisy=True)


def test_equations_are_short_and_divide_by_something(open_page: Open) -> None:
    """Fresh arrays at n = 20 leave tiny logits, and a weight to which no gradient ever came."""
    query = {"n": "20", "layer": "straight_through", "toy_tau": "0.05", "toy_seed": "7", "toy_steps": "60"}
    at = open_page("toy_argmax", **query, arrays="fresh", step="33")
    forward, backward = (element.value for element in at.latex)
    assert r"\cdot 10^" not in forward
    # Four numbers and dots fit 390 pixels, five and dots do not.
    assert forward.count(r",\; \ldots") == 3
    assert all(row.count(r",\;") == 4 for row in forward.split(r"\\") if r"\ldots" in row)
    assert r"(\sqrt{0} + 10^{-7})" in backward
