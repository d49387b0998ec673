"""`python -m gumbel_core gradients`: its table against the bench, its problem in words, what it refuses."""

import math
import re

import numpy as np
import pytest

from gumbel_core.__main__ import main
from gumbel_core.commands import gradients
from gumbel_core.estimators import ESTIMATORS
from gumbel_core.gradient_bench import BenchConfig, Moments, moments_at

Streams = pytest.CaptureFixture[str]

QUICK = ["gradients", "--samples", "2000"]
LESSON = BenchConfig((1.0, 0.5, 0.0, -0.5, -1.0), numbers=(1.0, 4.0, -1.0, 2.0, 2.0), samples=2_000)
CELL = re.compile(r"(<?[\d.e-]+) / ([\d.,e-]+)")


def printed(capsys: Streams, *arguments: str) -> list[str]:
    assert main([*QUICK, *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out.splitlines()


def cells(lines: list[str]) -> dict[str, list[tuple[str, str]]]:
    """The (bias, variance) of each row, by its title."""
    return {re.split(r"  +|, R", line)[0]: CELL.findall(line) for line in lines[3:-1]}


def near(text: str, value: float) -> bool:
    """Whether the text is the value, as far as two digits tell."""
    return math.isclose(float(text.replace(",", "")), value, rel_tol=0.05)


def test_every_cell_is_the_bench_s(capsys: Streams) -> None:
    table = cells(printed(capsys, "--temperatures", "0.1, 2"))
    assert list(table) == [estimator.title for estimator in ESTIMATORS.values()]
    for name, estimator in ESTIMATORS.items():
        temperatures = (0.1, 2.0) if estimator.tempered else (0.1,)
        row = table[estimator.title]
        assert len(row) == len(temperatures)
        for (bias, variance), tau in zip(row, temperatures, strict=True):
            found = moments_at(LESSON, name, tau)
            assert variance == "0" if name == "exact" else near(variance, found.variance)
            if estimator.unbiased:
                assert bias == "0"
            elif found.is_seen:
                assert near(bias, found.bias)
            else:
                assert bias.startswith("<")
                assert near(bias[1:], 3 * found.floor)


def test_what_a_temperature_changes_stands_under_it_and_the_rest_once(capsys: Streams) -> None:
    _, _, heading, *rows, _ = printed(capsys, "--temperatures", "0.5, 100")
    ends = [match.end() for match in re.finditer(r"any tau|tau [\d.]+", heading)]
    assert heading.split() == ["any", "tau", "tau", "0.5", "tau", "100"]
    for row, estimator in zip(rows, ESTIMATORS.values(), strict=True):
        wanted = ends[1:] if estimator.tempered else ends[:1]
        assert [match.end() for match in CELL.finditer(row)] == wanted


def test_the_default_problem_is_the_known_one(capsys: Streams) -> None:
    """A table as it was seen for another quadratic f of five categories: within a fourth, where 20,000
    samples tell (a variance at tau .1 is known to 5%), but for the bias of plain straight-through."""
    assert main(["gradients", "--samples", "20000"]) == 0
    table = cells(capsys.readouterr().out.splitlines())
    known = {
        "Gumbel-Softmax": [("", "21"), ("0.36", "2.1"), ("", ""), ("0.78", "0.06")],
        "ST Gumbel-Softmax": [("", "41"), ("0.28", "5.9"), ("", ""), ("0.75", "0.50")],
        "Gumbel-Rao": [("", "8.7"), ("0.28", "3.4"), ("", ""), ("0.75", "0.47")],
        "ReinMax": [("", ""), ("", ""), ("", "5.3"), ("", "")],
        "REINFORCE": [("0", "5.7")],
        "Straight-through": [("", "1.6")],
    }
    for title, row in known.items():
        for found, seen in zip(table[title], row, strict=True):
            for number, wanted in zip(found, seen, strict=True):
                assert not wanted or float(number) == pytest.approx(float(wanted), rel=0.25), title
    # A quadratic f: ReinMax has no bias at temperature 1, and has one at any other.
    assert [bias.startswith("<") for bias, _ in table["ReinMax"]] == [False, False, True, False]


def test_the_first_line_is_the_problem(capsys: Streams) -> None:
    p = np.exp(LESSON.logits) / np.exp(LESSON.logits).sum()
    w = np.array(LESSON.numbers)
    said = printed(capsys, "--temperatures", "1")[0]
    vectors = [[float(number) for number in vector.split(",")] for vector in re.findall(r"\(([^)]+)\)", said)]
    assert said.startswith("p = (0.429, 0.26, ")
    assert ", f = squares of (1, 4, -1, 2, 2), exact gradient (" in said
    np.testing.assert_allclose(vectors[0], p, rtol=5e-3)
    np.testing.assert_allclose(vectors[2], p * (w - p @ w), rtol=5e-3)


def test_several_variables_have_a_gradient_each(capsys: Streams) -> None:
    said = printed(
        capsys, "--logits", "0, 0", "--variables", "2", "--function", "table", "--numbers", "0 0 0 4",
        "--temperatures", "1",
    )  # fmt: skip
    assert said[0] == (
        "2 variables of p = (0.5, 0.5), f = table of (0, 0, 0, 4), exact gradient (-0.5, 0.5), (-0.5, 0.5)"
    )


def test_a_function_without_numbers_names_none(capsys: Streams) -> None:
    said = printed(capsys, "--function", "network", "--temperatures", "1")
    assert ", f = network, exact gradient" in said[0]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (["--logits", "0, 1, 2"], "squares of (1, 2, 3)"),
        (["--function", "linear"], "linear of (1, 2, 3, 4, 5)"),
        (["--numbers=-1, 0, 1, 0, 3"], "squares of (-1, 0, 1, 0, 3)"),
        (["--variables", "2"], "squares of (1, 4, -1, 2, 2)"),
    ],
)
def test_numbers_untyped_fit_the_problem(arguments: list[str], numbers: str, capsys: Streams) -> None:
    assert f"f = {numbers}, exact" in printed(capsys, *arguments, "--temperatures", "1")[0]


def test_units_seed_and_samples_are_said(capsys: Streams) -> None:
    relative = printed(capsys, "--seed", "7", "--temperatures", "1")[1]
    assert relative == (
        "relative bias / variance over the exact gradient's squared norm, of 2,000 estimates in single "
        "precision, seed 7"
    )
    absolute = printed(capsys, "--numbers", "1 1 1 1 1", "--temperatures", "1")[1]
    assert absolute.startswith("bias / variance, of 2,000")


def test_the_seed_and_raos_draws_reach_the_bench(capsys: Streams) -> None:
    every = (
        printed(capsys, *arguments, "--temperatures", ".1")
        for arguments in ([], ["--seed", "1"], ["--rao-draws", "1"])
    )
    rows = [next(line for line in lines if line.startswith("Gumbel-Rao")) for lines in every]
    assert [row.split("  ")[0] for row in rows] == ["Gumbel-Rao, R = 10"] * 2 + ["Gumbel-Rao, R = 1"]
    assert len({CELL.findall(row)[0] for row in rows}) == 3


@pytest.mark.parametrize(
    ("bias", "variance", "cell"),
    [
        (0.5, 1234.5, "0.5 / 1,234"),
        (0.056, 99.4, "0.056 / 99"),
        (2.345, 99.6, "2.3 / 100"),
        # What single precision adds is neither a bias nor a variance.
        (1e-8, 1e-15, "<0.0001 / 0"),
    ],
)
def test_numbers_have_two_digits(bias: float, variance: float, cell: str) -> None:
    point = Moments(1.0, False, np.zeros((1, 2)), bias, 1e-9, variance, vanished=0.0, seconds=0.0)
    assert gradients._cell(point) == cell


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--logits x,1", "Entry 1, 'x', is not a number."),
        ("--logits 1", "One category leaves nothing to choose"),
        ("--function cubic", "There is no function 'cubic'"),
        ("--numbers 1,2", "reads 5 numbers, a weight for each category: there are 2"),
        ("--numbers 1,2,3,4,y", "Entry 5, 'y', is not a number"),
        ("--variables 7", "The number of variables is a whole number from 1 to 6, not 7"),
        ("--variables 6", "too many combinations"),
        ("--samples 99", "from 100 to 1,000,000, not 99"),
        ("--rao-draws 0", "Gumbel-Rao's R"),
        ("--seed -1", "A seed is"),
        ("--temperatures 0", "The temperature must be above 0"),
        ("--temperatures 1,1000", "from tau 0.01 to 100, not 1000"),
    ],
)
def test_bad_values_are_one_sentence_and_exit_2(arguments: str, reason: str, capsys: Streams) -> None:
    assert main(["gradients", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (sentence,) = err.splitlines()
    assert reason in sentence


def test_the_help_names_every_option_with_its_default(capsys: Streams) -> None:
    with pytest.raises(SystemExit):
        main(["gradients", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    defaults = {
        "logits": "1, 0.5, 0, -0.5, -1", "function": "squares", "numbers": "1, 4, -1, 2, 2", "variables": "1",
        "samples": "100,000", "rao-draws": "10", "seed": "0", "temperatures": "0.1, 0.5, 1, 2",
    }  # fmt: skip
    for option, default in defaults.items():
        assert re.search(rf"--{option} [A-Z]+ [^()]*\({re.escape(default)}", said), option
