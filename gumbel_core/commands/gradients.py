"""Measure bias and variance of every gradient estimator against the exact gradient, as a table."""

import argparse
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gumbel_core.commands.report import refused
from gumbel_core.draw import check_shown_temperature
from gumbel_core.estimators import ESTIMATORS
from gumbel_core.functions import FUNCTIONS, check_numbers
from gumbel_core.gradient_bench import (
    BIAS_ROUNDING,
    RAO,
    SAMPLES,
    VARIABLES,
    VARIANCE_ROUNDING,
    BenchConfig,
    Moments,
    curve_of,
    problem_of,
)
from gumbel_core.logits import parse_logits, parse_numbers
from gumbel_core.surrogates import RAO_DRAWS

LOGITS, FUNCTION, NUMBERS = "1, 0.5, 0, -0.5, -1", "squares", "1, 4, -1, 2, 2"
TEMPERATURES = "0.1, 0.5, 1, 2"
TITLE, CELL = 20, 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The problem, and how it is measured."""
    parser.add_argument(
        "--logits", default=LOGITS, metavar="TEXT",
        help=f"of each variable ({LOGITS}); if the first is negative, write --logits=-1,0",
    )  # fmt: skip
    parser.add_argument(
        "--function", default=FUNCTION, metavar="NAME", help=f"f, one of {', '.join(FUNCTIONS)} ({FUNCTION})"
    )
    parser.add_argument(
        "--numbers",
        metavar="TEXT",
        help=f"which f reads ({NUMBERS}; with another f or other logits, an example)",
    )
    _add_whole(parser, "--variables", 1, f"of f, {VARIABLES[0]} to {VARIABLES[1]}, each with these logits")
    _add_whole(parser, "--samples", 100_000, f"of each estimate, {SAMPLES[0]:,} to {SAMPLES[1]:,}")
    _add_whole(parser, "--rao-draws", RAO_DRAWS, f"Gumbel-Rao's R, {RAO[0]} to {RAO[1]}")
    _add_whole(parser, "--seed", 0, "of all noise")
    parser.add_argument(
        "--temperatures", default=TEMPERATURES, metavar="TEXT", help=f"the columns ({TEMPERATURES})"
    )


def run(args: argparse.Namespace) -> int:
    """Print the problem and a row for each estimator. 0 at the end, 2 if the config refuses a value."""
    try:
        config = BenchConfig(
            logits=tuple(parse_logits(args.logits).tolist()),
            variables=args.variables,
            function=args.function,
            numbers=_numbers(args),
            rao_draws=args.rao_draws,
            samples=args.samples,
            seed=args.seed,
        )
        temperatures = [check_shown_temperature(tau) for tau in parse_logits(args.temperatures).tolist()]
    except ValueError as error:
        return refused(str(error))
    print(_problem(config))
    print(_units(config))
    print(_line("", ["any tau", *(f"tau {tau:g}" for tau in temperatures)]))
    for name in ESTIMATORS:
        print(_row(config, name, temperatures), flush=True)
    print('"<" stands before a bias that the samples do not tell from none: less than three standard errors.')
    return 0


def _add_whole(parser: argparse.ArgumentParser, option: str, default: int, words: str) -> None:
    parser.add_argument(option, type=int, default=default, metavar="INTEGER", help=f"{words} ({default:,})")


def _numbers(args: argparse.Namespace) -> tuple[float, ...]:
    """What was typed, or none for the function's own example: ours fits our logits and f alone."""
    if args.numbers is not None:
        return parse_numbers(args.numbers)
    ours = (args.logits, args.function) == (LOGITS, FUNCTION)
    return parse_numbers(NUMBERS) if ours else ()


def _problem(config: BenchConfig) -> str:
    problem, categories = problem_of(config), len(config.logits)
    numbers = check_numbers(config.function, config.numbers, config.variables, categories)
    many = f"{config.variables} variables of " if config.variables > 1 else ""
    return (
        f"{many}p = {_vector(problem.logits[0].softmax(-1).numpy())}"
        f", f = {config.function}{' of ' + _vector(np.array(numbers)) if numbers else ''}"
        f", exact gradient {', '.join(_vector(row) for row in problem.gradient.numpy())}"
    )


def _units(config: BenchConfig) -> str:
    """A gradient of 0 leaves nothing to be relative to."""
    problem = problem_of(config)
    is_relative = problem.unit == problem.gradient.norm().item()
    what = (
        "relative bias / variance over the exact gradient's squared norm"
        if is_relative
        else "bias / variance"
    )
    return f"{what}, of {config.samples:,} estimates in single precision, seed {config.seed}"


def _row(config: BenchConfig, name: str, temperatures: Sequence[float]) -> str:
    """One estimator: a cell for each temperature, or one for all where it reads none."""
    cells = [_cell(point) for point in curve_of(config, name, temperatures).points]
    title = ESTIMATORS[name].title + (f", R = {config.rao_draws}" if name == "gumbel_rao" else "")
    return _line(title, ["", *cells] if ESTIMATORS[name].tempered else cells)


def _cell(point: Moments) -> str:
    variance = "0" if point.variance < VARIANCE_ROUNDING else _short(point.variance)
    return f"{_bias(point)} / {variance}"


def _bias(point: Moments) -> str:
    if point.unbiased:
        return "0"
    if point.is_seen:
        return _short(point.bias)
    return f"<{_short(max(3 * point.floor, BIAS_ROUNDING))}"


def _short(value: float) -> str:
    """Two digits, or all before the point."""
    return f"{value:.2g}" if value < 99.5 else f"{value:,.0f}"


def _vector(values: NDArray[np.float64]) -> str:
    return f"({', '.join(f'{value:.3g}' for value in values)})"


def _line(title: str, cells: Sequence[str]) -> str:
    return f"{title:{TITLE}}{''.join(f'{cell:>{CELL}}' for cell in cells)}"
