"""The lesson Studies: what its fields choose is what it shows, and what cannot be shown is told."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.studies.findings import HARD, TEST, interval
from tests.app.codes import snippets
from tests.app.conftest import forget
from tests.app.studies import (
    FOLDER,
    SHIPPED,
    TWO,
    Drawn,
    made,
    measured,
    put,
    quiet,
    shelves,
    stand_ins,
    table,
    warnings,
    words,
)

Open = Callable[..., AppTest]
SOFT = "gumbel_softmax"


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawn]:
    forget()
    yield stand_ins(monkeypatch)
    forget()


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the command would write."""
    return shelves(monkeypatch, tmp_path)


# What ships.


def test_the_picture_and_the_equation_have_the_means_of_what_ships(open_page: Open, drawn: Drawn) -> None:
    at = open_page("studies")
    assert quiet(at)
    assert at.selectbox(key="study").value == SHIPPED
    results = measured()
    cells = {tau: results.cell(SOFT, tau) for tau in results.study.temperatures}
    for of in ("relaxed", "hard"):
        assert drawn.line("study_losses", f"Gumbel-Softmax, {of}") == pytest.approx(
            {tau: fmean(getattr(run, of) for run in runs) for tau, runs in cells.items()}, rel=1e-3
        )
    gaps = {tau: fmean(run.gap for run in runs) for tau, runs in cells.items()}
    assert drawn.line("study_gap", "Gumbel-Softmax") == pytest.approx(gaps, rel=1e-2)
    gap = interval([run.gap for run in cells[1.0]])
    assert rf"{gap.mean:.2f} \pm {gap.half_width:.2f}\ \text{{nats}}" in at.latex[0].value
    assert "Gumbel-Softmax's relaxed loss falls from" in words(at)
    assert "The lowest hard loss is" in words(at)


def test_what_ships_has_the_weights_of_the_first_seed() -> None:
    keys = measured().study.keys
    assert {key for key in keys if (FOLDER / key.name).is_dir()} == {key for key in keys if key.seed == 0}


def test_the_snippet_prints_the_numbers_of_the_picture(
    open_page: Open, drawn: Drawn, printed: Callable[[str], str]
) -> None:
    at = open_page("studies", study_estimator="ReinMax", study_tau="2", study_loss="test set")
    (code,) = snippets(at)
    said = dict(line.split(":") for line in printed(code).splitlines())
    test = drawn.line("study_losses", "ReinMax, test")[2.0]
    # Another machine adds its numbers up in another order.
    assert float(said["hard"].split()[0]) == pytest.approx(test, abs=0.1)
    relaxed = fmean(run.relaxed for run in measured().cell("reinmax", 2.0))
    assert float(said["relaxed"].split()[0]) == pytest.approx(relaxed, abs=0.1)


# The fields.


def test_the_estimator_moves_the_pictures(open_page: Open, drawn: Drawn) -> None:
    at = open_page("studies")
    assert {"Gumbel-Softmax, relaxed", "Gumbel-Softmax, hard", "ReinMax"} <= drawn.names("study_losses")
    drawn.figures.clear()
    at.segmented_control(key="study_estimator").set_value("ReinMax").run()
    assert quiet(at)
    assert {"ReinMax, hard", "Gumbel-Softmax", "ST Gumbel-Softmax"} == drawn.names("study_losses")
    assert "study_gap" not in drawn.figures
    assert "ReinMax samples hard: what it descends is the hard loss itself" in words(at)


def test_the_temperature_moves_the_rule_the_equation_the_code_and_the_table(
    open_page: Open, drawn: Drawn
) -> None:
    at = open_page("studies")
    at.select_slider(key="study_tau").set_value(5.0).run()
    assert quiet(at)
    assert "At tau 5: " in drawn.alt("study_losses")
    assert "At tau 5: " in drawn.alt("study_gap")
    assert r"\tau = 5)" in at.latex[0].value
    assert "!= ('gumbel_softmax', 5.0):" in snippets(at)[0]
    assert {row["τ"] for row in table(at)[:5]} == {5.0}


def test_the_loss_is_the_test_sets_where_that_is_asked_for(open_page: Open, drawn: Drawn) -> None:
    at = open_page("studies", study_tau="5")
    assert "batch normalisation learned" not in words(at)
    at.segmented_control(key="study_loss").set_value("test set").run()
    assert quiet(at)
    results = measured()
    of = {tau: fmean(run.test for run in results.cell(SOFT, tau)) for tau in results.study.temperatures}
    assert drawn.line("study_losses", "Gumbel-Softmax, test") == pytest.approx(of, rel=1e-3)
    assert not any(name.endswith("relaxed") for name in drawn.names("study_losses"))
    assert f"At τ = 5 the test set costs {of[5.0]:.2f} nats" in words(at)
    assert "The lowest hard loss of the test set is" in words(at)


def test_the_learning_curves_are_drawn_for_who_asks(open_page: Open, drawn: Drawn) -> None:
    at = open_page("studies")
    assert "study_learning" not in drawn.figures
    at.session_state["study_curves"] = True
    at.run()
    assert quiet(at)
    thin = {name for name in drawn.names("study_learning") if name.startswith("seed")}
    assert thin == {f"seed {seed}" for seed in range(5)}
    end = fmean(run.test for run in measured().cell(SOFT, 1.0))
    assert f"they end at {end:.2f} nats" in drawn.alt("study_learning")


def test_a_prediction_earns_its_sentence(open_page: Open) -> None:
    at = open_page("studies")
    (asked,) = (pills for pills in at.pills if str(pills.key).startswith("study_question"))
    asked.set_value("more than twice as much").run()
    assert quiet(at)
    results = measured()
    hard, test = (fmean(map(of, results.cell(SOFT, 5.0))) for of in (HARD, TEST))
    assert f"Right: {test:.2f} nats beside {hard:.2f}." in words(at)
    # Of another estimator it is another question, without an answer.
    at.segmented_control(key="study_estimator").set_value("ReinMax").run()
    assert "nats beside" not in words(at)
    at.segmented_control(key="study_loss").set_value("test set").run()
    assert not [pills for pills in at.pills if str(pills.key).startswith("study_question")]


def test_the_caption_says_how_much_was_measured(open_page: Open, here: Path) -> None:
    at = open_page("studies")
    assert "10 of the recipe's 150 epochs, 5 seeds. ±: 95 % interval over the seeds." in words(at)
    usual = made(replace(TWO, dataset="mnist", recipes=("notebook",), seeds=1))
    put(usual, here / "mine")
    assert "2 of the recipe's 10 epochs, 1 seed." in words(open_page("studies", study="runs: mine"))
    assert "±:" not in words(open_page("studies", study="runs: mine"))


def test_what_the_hard_loss_is_stands_in_both_views(open_page: Open) -> None:
    for loss in ("last epoch", "test set"):
        at = open_page("studies", study_loss=loss)
        assert "Both losses are means over the last epoch. With batch normalisation, the last" in words(at)
        at.segmented_control(key="study_estimator").set_value("ReinMax").run()
        assert "without a gap. With batch normalisation, the last epoch's hard samples" in words(at)


def test_the_table_has_every_run_the_chosen_ones_first(
    open_page: Open, drawn: Drawn, downloads: dict[str, list[list[str]]]
) -> None:
    at = open_page("studies", study_estimator="ReinMax", study_tau="0.3")
    rows, results = table(at), measured()
    assert len(rows) == len(results.runs)
    first = results.cell("reinmax", 0.3)
    assert [row["Test"] for row in rows[:5]] == [run.test for run in first]
    assert [row["Test KL"] for row in rows[:5]] == [run.history[-1].test.kl for run in first]
    assert {row["Estimator"] for row in rows[:30]} == {"ReinMax"}
    assert [row["Kept"] for row in rows[:2]] == ["weights", "numbers"]
    assert downloads["temperature-digits"][1:] == [
        ["" if value is None else str(value) for value in row] for row in results.table()
    ]


# Links.


def test_a_link_reaches_every_field(open_page: Open, drawn: Drawn) -> None:
    at = open_page(
        "studies", study=SHIPPED, study_estimator="ST Gumbel-Softmax", study_tau="0.3", study_loss="test set"
    )
    assert quiet(at)
    assert "ST Gumbel-Softmax, test" in drawn.names("study_losses")
    assert "At tau 0.3: " in drawn.alt("study_losses")


@pytest.mark.parametrize(
    ("name", "asked", "reason", "instead"),
    [
        ("study", "shipped: another", "for its owner alone.", SHIPPED),
        ("study", "yours", "for its owner alone.", SHIPPED),
        ("study_estimator", "Gumbel-Rao", "Gumbel-Softmax, ST Gumbel-Softmax, ReinMax.", "Gumbel-Softmax"),
        ("study_tau", "0.7", "This study has 0.1, 0.3, 0.5, 1, 2, 5.", "0.5"),
        ("study_tau", "40", "This study has 0.1, 0.3, 0.5, 1, 2, 5.", "5"),
        # By ratio: 1.45 is nearer to 2 than to 1.
        ("study_tau", "1.45", "This study has 0.1, 0.3, 0.5, 1, 2, 5.", "2"),
    ],
)  # fmt: skip
def test_what_a_link_asks_for_in_vain_is_told_once(
    open_page: Open, name: str, asked: str, reason: str, instead: str
) -> None:
    at = open_page("studies", **{name: asked})
    (told,) = warnings(at)
    assert told.startswith(f"The link's {name} = {asked} is not taken. ")
    assert f"{reason} Shown instead: {instead}." in told
    assert str(at.session_state[name]) in (instead, f"{instead}.0")
    at.run()
    assert quiet(at)


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", "**[a](b)**", "$x$ :red[y]"])
def test_a_links_study_is_quoted_and_never_markup(open_page: Open, hostile: str) -> None:
    at = open_page("studies", study=hostile)
    (told,) = at.warning
    assert hostile in warnings(at)[0]
    assert hostile not in told.value


def test_another_study_keeps_what_it_has_and_takes_the_nearest(
    open_page: Open, here: Path, drawn: Drawn
) -> None:
    put(made(TWO), here / "mine")
    at = open_page("studies", study_estimator="ST Gumbel-Softmax", study_tau="5")
    at.selectbox(key="study").set_value("runs: mine").run()
    assert quiet(at)
    assert (at.session_state["study_estimator"], at.session_state["study_tau"]) == ("Gumbel-Softmax", 2.0)
    at.segmented_control(key="study_estimator").set_value("ReinMax").run()
    at.selectbox(key="study").set_value(SHIPPED).run()
    assert quiet(at)
    assert (at.session_state["study_estimator"], at.session_state["study_tau"]) == ("ReinMax", 2.0)
