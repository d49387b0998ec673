"""Bias and variance of gradient estimators, against the exact gradient, as the temperature moves."""

from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gumbel_core.estimators import ESTIMATORS
from gumbel_core.figures.gradients import BenchLine, ErrorLines, bias_variance_figure, mse_figure
from gumbel_core.figures.gradients_arrows import MEAN, SHAFTS, TIPS, arrows_figure
from gumbel_core.functions import FUNCTIONS
from gumbel_core.gradient_arrows import FRAMES, after_step, means_between
from gumbel_core.gradient_bench import Curve, Moments, Problem, means_for, problem_of
from gumbel_core.gradient_learning import goal_of
from pages.components import gradients_math as in_numbers
from pages.components.code import download_csv
from pages.components.controls import Typed, logits_input
from pages.components.fan import follow_fan
from pages.components.figure import figure
from pages.components.gradients_config import TITLES, Bench, bench_input
from pages.components.gradients_measured import curves_of, estimates_of, measured, moments_of
from pages.components.gradients_panels import (
    RELAXED,
    costs,
    learning,
    role_of,
    same_draws,
    vanishing,
    where_it_flows,
)
from pages.components.scrub import tau_scrub
from pages.components.sticky import sticky
from pages.components.words import question

Array = NDArray[np.float64]


@st.fragment
def lesson(typed: Typed) -> None:
    bench = bench_input(typed)
    with sticky("gradients_bar"):
        tau = tau_scrub()
    arrows(bench, tau)
    curves = measured(bench.config)
    now = {name: moments_of(bench.config, name, tau) for name in ESTIMATORS}
    against_tau(bench, curves, now, tau)
    which_tau(bench, curves, tau)
    where_it_flows(bench, tau)
    learning(bench, tau)
    same_draws(bench, tau)
    vanishing(bench, tau)
    costs(bench, curves, now, tau)


def arrows(bench: Bench, tau: float) -> None:
    """Single estimates around the exact one. They lie in a plane for three categories alone."""
    picture, words = st.columns([5, 4], gap="medium", vertical_alignment="center")
    config, problem = bench.config, problem_of(bench.config)
    now = moments_of(config, bench.chosen, tau)
    with picture:
        if config.variables == 1 and len(bench.names) == 3:
            draw_arrows(bench, problem, tau)
        else:
            st.info(
                "Arrows lie in the triangle of three categories and one variable: type three numbers, or "
                "take the example Three classes. The pictures below are of any size.",
                icon=":material/change_history:",
            )
    with words:
        st.latex(in_numbers.gradient_equation(config, problem, goal_of(config)))
        st.caption(FUNCTIONS[config.function].says)
        st.latex(in_numbers.error_equation(now, bench.means_of))
        st.caption(in_numbers.told(config, now, bench.chosen))
    # Those whose answer is the same for every f.
    if bench.chosen in RELAXED:
        question(
            "Drag τ up. What becomes of the arrows?",
            {
                "They agree on the truth": "They agree, but look where: their mean leaves the exact arrow.",
                "They agree on something else": "Right: less variance, more bias.",
                "They scatter": "The other way round: it is a small τ that scatters them.",
            },
            key="gradients_question",
        )


def draw_arrows(bench: Bench, problem: Problem, tau: float) -> None:
    config, title = bench.config, TITLES[bench.chosen]

    def ends(gradients: Array) -> Array:
        return after_step(config, gradients)[..., 0, :]

    start, exact = problem.logits.softmax(-1)[0].numpy(), ends(problem.gradient.numpy())
    tips = ends(estimates_of(config, bench.chosen, (tau,))[0])
    mean = ends(moments_of(config, bench.chosen, tau).mean)
    figure(
        arrows_figure(start, exact, tips, mean, bench.names),
        key="gradient_arrows",
        alt=f"{len(tips)} single estimates by {title} at tau {tau:g} as arrows on the triangle "
        f"of {', '.join(bench.names)}: one step takes the distribution from {in_numbers.listed(start)} to "
        f"{in_numbers.listed(exact)} by the exact gradient, and to {in_numbers.listed(mean)} by the mean of "
        f"{config.samples:,}.",
    )
    curve = curves_of(config, bench.chosen)
    # An estimator without a temperature stands still.
    if len(curve.points) > 1:
        frames = ends(estimates_of(config, bench.chosen, FRAMES))
        means = ends(means_between(curve, FRAMES))
        follow_fan(
            "gradient_arrows", shafts=SHAFTS, tips=TIPS, mean=MEAN,
            temperatures=np.array(FRAMES), frames=frames, means=means, start=start,
        )  # fmt: skip


def against_tau(bench: Bench, curves: Mapping[str, Curve], now: Mapping[str, Moments], tau: float) -> None:
    st.markdown("#### Bias and variance against the temperature")
    lines = [line_of(bench, curve) for name, curve in curves.items() if name != "exact"]
    chosen = now[bench.chosen]
    figure(
        bias_variance_figure(lines, tau),
        key="bias_variance",
        alt=f"Bias and variance of {len(lines)} estimators against tau, both axes logarithmic. "
        f"{TITLES[bench.chosen]} at tau {tau:g}: bias {in_numbers.bias_in_words(chosen)}, "
        f"variance {chosen.variance:.3g}.",
    )
    words, download = st.columns([5, 1])
    words.caption(
        "In units of the exact gradient, found by enumeration, and of its square. Hollow: off by less than "
        "three times what the samples' scatter makes. Flat: no temperature. Leave-one-out draws four times "
        "for each estimate."
    )
    with download:
        rows = [in_numbers.moments_row(name, at) for name, curve in curves.items() for at in curve.points]
        download_csv("bias_variance", in_numbers.ROW_NAMES, rows)


def line_of(bench: Bench, curve: Curve) -> BenchLine:
    # Where no bias is told from the scatter, the scatter is what there is to show.
    bias = np.where(curve.seen, curve.bias, curve.off)
    return BenchLine(
        TITLES[curve.name], curve.temperatures.tolist(), bias.tolist(), curve.variance.tolist(),
        curve.seen.tolist(), role_of(curve.name, bench), ESTIMATORS[curve.name].unbiased,
    )  # fmt: skip


def which_tau(bench: Bench, curves: Mapping[str, Curve], tau: float) -> None:
    st.markdown("#### Which temperature is best?")
    # Each once, where it stands beside itself.
    pair = [curves[name] for name in dict.fromkeys((bench.chosen, bench.beside)) if name in curves]
    tempered = [curve for curve in pair if ESTIMATORS[curve.name].tempered]
    if not tempered:
        st.caption("Neither of the two has a temperature.")
        return
    sizes = means_for(bench.config.samples)
    first, *others = tempered
    title, best = TITLES[first.name], in_numbers.best_in_words(first, sizes)
    figure(
        mse_figure(errors_of(first, sizes), tau, errors_of(others[0], sizes) if others else None),
        key="gradient_mse",
        alt=f"Mean squared error against tau for means of {', '.join(f'{size:,}' for size in sizes)} "
        f"estimates by {title}. {best}",
    )
    words, download = st.columns([5, 1])
    words.caption(
        f"{title}. {best} {in_numbers.averaging_in_words(first, sizes)} An error above 1 is worse than no "
        "step at all."
    )
    with download:
        points = [(curve.name, at) for curve in tempered for at in curve.points]
        rows = [(name, at.temperature, *map(at.mse, sizes)) for name, at in points]
        download_csv("gradient_mse", ["estimator", "tau", *(f"mean_of_{size}" for size in sizes)], rows)


def errors_of(curve: Curve, sizes: Sequence[int]) -> ErrorLines:
    mse = np.stack([curve.mse(size) for size in sizes])
    return ErrorLines(TITLES[curve.name], curve.temperatures.tolist(), sizes, mse)


st.title("Biased or noisy")
st.markdown(
    "How should the logits move to raise or lower $\\mathbb E\\, f(z)$, when z is a draw? For a few "
    "categories the answer can be enumerated, and every estimator held against it."
)
lesson(logits_input())
