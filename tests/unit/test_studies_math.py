"""A study in numbers: the gap's equation adds up, and the lines are those of the loss that is looked at."""

from collections.abc import Sequence

from gumbel_core.studies.grid import Study
from gumbel_core.studies.results import Results, Run
from pages.components.studies_choice import Place
from pages.components.studies_math import gap_equation, loss_lines
from tests.unit.small_studies import epoch, results_of
from tests.unit.study_means import APART, HARD, SOFT, at, made


def test_the_equation_has_the_runs_numbers() -> None:
    results = made({(SOFT, 1.0): (24.0, 26.0, 27.0)}, seeds=1)
    assert r"\underbrace{26.00}_{\text{hard}} - \underbrace{24.00}_{\text{relaxed}} = 2.00\ \text{nats}" in (
        gap_equation(at(results), results)
    )


def test_several_seeds_have_an_interval_by_students_t() -> None:
    study = Study("made", estimators=(SOFT,), temperatures=(1.0,), seeds=2, epochs=1)
    gaps = (2.0, 2.2)
    runs = [Run(key, (epoch(1, 24, 24 + gaps[key.seed], 27),), diverged=False) for key in study.keys]
    # Of two values: 12.706 times half their distance.
    assert rf"= 2.10 \pm {12.7062 * 0.1:.2f}\ \text" in gap_equation(
        at(results_of(study, runs)), results_of(study, runs)
    )


def test_numbers_that_do_not_add_up_when_rounded_are_not_set_equal() -> None:
    results = made({(SOFT, 1.0): (24.154, 26.158, 27.0)}, seeds=1)
    assert r"\approx 2.00" in gap_equation(at(results), results)
    results = made({(SOFT, 1.0): (24.154, 26.162, 27.0)}, seeds=1)
    assert r"26.16}_{\text{hard}} - \underbrace{24.15}_{\text{relaxed}} = 2.01" in (
        gap_equation(at(results), results)
    )


def roles(place: Place, results: Results) -> Sequence[tuple[str, str]]:
    return [(line.title, line.role) for line in loss_lines(place, results)]


def test_the_lines_are_the_chosen_estimators_before_the_others() -> None:
    results = made(APART)
    assert roles(at(results), results) == [
        ("ReinMax", "beside"), ("Gumbel-Softmax, relaxed", "relaxed"), ("Gumbel-Softmax, hard", "hard"),
    ]  # fmt: skip
    assert roles(at(results, HARD), results) == [("Gumbel-Softmax", "beside"), ("ReinMax, hard", "hard")]
    # The relaxed loss is of other images than the test set's.
    tested = at(results, tested=True)
    assert roles(tested, results) == [("ReinMax", "beside"), ("Gumbel-Softmax, test", "hard")]
    hard = loss_lines(tested, results)[-1]
    assert hard.values == [[run.test for run in results.cell(SOFT, tau)] for tau in (0.1, 1.0, 5.0)]
