"""The bench in numbers: the error's equation, the table of all estimators, and the code that prints them."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gumbel_core.estimators import ESTIMATORS, Estimator
from gumbel_core.functions import FUNCTIONS, check_numbers
from gumbel_core.gradient_bench import (
    BIAS_ROUNDING,
    TEMPERATURES,
    VARIANCE_ROUNDING,
    BenchConfig,
    Curve,
    Moments,
    Problem,
)
from gumbel_core.gradient_learning import Goal
from gumbel_core.gradient_pairs import Comparison
from gumbel_core.logits import format_numbers
from pages.components.words import tex, tex_vector

Array = NDArray[np.float64]

SNIPPET = """\
import torch
from gumbel_core.estimators import ESTIMATORS{imports}
from gumbel_core.functions import function_of

tau, samples = {tau}, {samples}
logits = torch.tensor([[{logits}]] * {variables}, dtype=torch.float32)  # up to a shift
f = function_of("{function}", {numbers}, *logits.shape)
exact = ESTIMATORS["exact"](f, logits.double(), tau, None, 1)[0]

generator = torch.Generator().manual_seed({seed})
estimates = {estimator}(f, logits, tau, generator, samples).double()
mean, unit = estimates.mean(0), {unit}
print("exact:", [round(x, 4) for x in exact.flatten().tolist()])
print("mean: ", [round(x, 4) for x in mean.flatten().tolist()])
print(f"off by {{(mean - exact).norm() / unit:.3g}}")
print(f"variance {{(estimates - mean).square().sum() / (samples - 1) / unit**2:.3g}}")
"""
HEADER = (
    "Estimator", "Bias", "Variance", "Error of the mean", "Evaluations of f", "Time", "Needs of f", "Source",
)  # fmt: skip
ROW_NAMES = ("estimator", "tau", "off", "scatter", "bias", "variance", "vanished", "seconds")


def error_equation(now: Moments, means_of: int) -> str:
    """The mean squared error of a mean of estimates, in units of the exact gradient."""
    return (
        r"\begin{aligned} \text{error} &= \text{bias}^2 + \frac{\text{variance}}{m} \\"
        rf"&= {_factor(now.bias)}^2 + \frac{{{tex(now.variance)}}}{{{means_of}}} = {tex(now.mse(means_of))}"
        r"\end{aligned}"
    )


def gradient_equation(config: BenchConfig, problem: Problem, goal: Goal) -> str:
    """What is asked for: E f and its exact gradient, of the first variable."""
    kind = FUNCTIONS[config.function]
    formula = kind.formula if config.variables == 1 else kind.joint
    numbers = numbers_of(config)
    typed = rf"{kind.symbol} &= {tex_vector(numbers, most=3)} \\" if numbers else ""
    return (
        r"\begin{aligned}"
        rf"f(z) &= {formula} \\ {typed}"
        rf"\mathbb E\, f &= {tex(goal.start)} \\"
        rf"\nabla\, \mathbb E\, f &= {tex_vector(problem.gradient[0].tolist(), most=3)}"
        r"\end{aligned}"
    )


def numbers_of(config: BenchConfig) -> tuple[float, ...]:
    """The numbers of f: those that were typed, or the example's."""
    return check_numbers(config.function, config.numbers, config.variables, len(config.logits))


def told(config: BenchConfig, now: Moments, name: str) -> str:
    """What the equation's numbers were measured on."""
    title, count = ESTIMATORS[name].title, f"{config.samples:,} estimates by"
    if now.unbiased:
        chance = "rounding" if now.off < BIAS_ROUNDING else "chance"
        return f"From {count} {title}, which has no bias: its mean is off by {now.off:.2g}, by {chance}."
    if now.is_seen:
        return f"From {count} {title}."
    if now.off < BIAS_ROUNDING and now.variance < VARIANCE_ROUNDING:
        return f"From {count} {title}: exact here in every draw, up to rounding."
    return f"From {count} {title}: too noisy to tell a bias below {3 * now.floor:.1g} from none."


def verdict(found: Comparison, left: str, right: str) -> str:
    """What the running z-score says of two estimators."""
    if found.equal:
        return f"{left} and {right} agree draw by draw, up to rounding ({found.largest:.0e})."
    ends = f"after {found.counts[-1]:,} draws the furthest z is {found.furthest:.1f}"
    if found.differ:
        return f"Their means differ: {ends}, beyond the band of {found.band:.1f}."
    return f"No difference is seen: {ends}, within the band of {found.band:.1f}."


def entries(names: Sequence[str], variables: int) -> list[str]:
    """A name for each entry of the gradient."""
    if variables == 1:
        return list(names)
    return [f"{name} {variable}" for variable in range(1, variables + 1) for name in names]


def listed(values: Array) -> str:
    """Numbers for an alt text, the first eight."""
    shown = ", ".join(f"{value:.2g}" for value in values.tolist()[:8])
    return f"({shown}{', ...' if len(values) > 8 else ''})"


def bias_in_words(now: Moments) -> str:
    """A bias as far as the samples tell it."""
    if now.unbiased:
        return "0"
    return f"{now.bias:.2g}" if now.is_seen else f"< {max(3 * now.floor, BIAS_ROUNDING):.1g}"


def best_in_words(curve: Curve, sizes: Sequence[int]) -> str:
    """Which temperature has the least error, for a mean of each size."""
    best = [(curve.best(size), size) for size in sizes]
    told = [f"{_tau_in_words(at.temperature)} for a mean of {size:,}" for at, size in best if at]
    return f"The best τ is {', '.join(told)}." if told else "No temperature is better than another."


def averaging_in_words(curve: Curve, sizes: Sequence[int]) -> str:
    """What becomes of the best temperature: averaging takes variance away and leaves the bias."""
    few, many = curve.best(sizes[0]), curve.best(sizes[-1])
    if curve.points[0].unbiased or few is None or many is None:
        return "Averaging takes variance away, whatever τ is."
    taken = "Averaging takes variance away and leaves the bias"
    if many.temperature < few.temperature:
        return f"{taken}: the more one averages, the smaller the τ that pays."
    if many.bias == curve.bias.min():
        return f"{taken}: a mean of many is best where the bias is least."
    return f"{taken}: {sizes[-1]:,} do not pay yet for the variance of a smaller τ."


def table(
    estimators: Mapping[str, Estimator],
    curves: Mapping[str, Curve],
    now: Mapping[str, Moments],
    means_of: int,
    corners: int,
) -> list[tuple[str, ...]]:
    """A row of `HEADER` for each estimator, at one temperature. Times are in those of Gumbel-Softmax."""
    clock = curves["gumbel_softmax"].seconds
    return [
        (
            estimator.title,
            bias_in_words(now[name]),
            f"{now[name].variance:.2g}",
            f"{now[name].mse(means_of):.2g}",
            f"{estimator.evaluations or corners:,}",
            # Enumeration happens once for all samples: no time for one of them.
            f"{curves[name].seconds / clock:.2g} x" if estimator.evaluations else "once",
            estimator.needs,
            estimator.source,
        )
        for name, estimator in estimators.items()
    ]


def snippet(config: BenchConfig, problem: Problem, name: str, temperature: float) -> str:
    """The chosen estimator's numbers at the current temperature."""
    logits = format_numbers(problem.logits[0].tolist()).replace("-inf", "-torch.inf")
    rao = name == "gumbel_rao"
    return SNIPPET.format(
        imports=", gumbel_rao_of" if rao else "", tau=temperature, samples=config.samples, logits=logits,
        variables=config.variables, function=config.function, numbers=numbers_of(config), seed=config.seed,
        estimator=f"gumbel_rao_of({config.rao_draws})" if rao else f'ESTIMATORS["{name}"]',
        unit="exact.norm()" if problem.unit != 1.0 else "1.0",
    )  # fmt: skip


def moments_row(name: str, now: Moments) -> tuple[object, ...]:
    """One measurement for the CSV file, in the order of `ROW_NAMES`."""
    tau = now.temperature if ESTIMATORS[name].tempered else None
    return (
        name, tau, now.off, now.floor, now.bias, now.variance, now.vanished, now.seconds,
    )  # fmt: skip


def _tau_in_words(tau: float) -> str:
    """A temperature of the bench; at its ends there may be a better one beyond."""
    beyond = {TEMPERATURES[0]: " or less", TEMPERATURES[-1]: " or more"}.get(tau, "")
    return f"{float(f'{tau:.2g}'):g}{beyond}"


def _factor(value: float) -> str:
    """A number to be squared: one in powers of ten stands in parentheses."""
    shown = tex(value)
    return rf"({shown})" if "cdot" in shown else shown
