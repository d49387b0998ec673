"""The bench's further pictures: where the gradient flows, what it learns, the same draws, the costs."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st
import torch

from gumbel_core.estimators import ESTIMATORS, enumerate_corners
from gumbel_core.figures.gradient_flow import flow_figure
from gumbel_core.figures.gradients import Role, vanished_figure
from gumbel_core.figures.gradients_runs import LearningLine, learning_figure, z_figure
from gumbel_core.functions import FUNCTIONS
from gumbel_core.gradient_bench import TEMPERATURES, Curve, Moments, estimators_of, problem_of
from gumbel_core.gradient_flow import Flow, flows
from gumbel_core.gradient_learning import LearningConfig, goal_of
from pages.components import gradients_math as in_numbers
from pages.components.code import download_csv, show_code
from pages.components.figure import figure
from pages.components.gradients_config import CASES, TITLES, Bench, rate_input
from pages.components.gradients_measured import comparison_of, curves_of, learned
from pages.components.words import words_that_set

# Whose gradient passes through a relaxed sample alone.
RELAXED = ("gumbel_softmax", "st_gumbel_softmax")


def role_of(name: str, bench: Bench) -> Role:
    """How an estimator is drawn."""
    return "chosen" if name == bench.chosen else "beside" if name == bench.beside else "rest"


def where_it_flows(bench: Bench, tau: float) -> None:
    st.markdown("#### Where the gradient flows, and where it stops")
    ways = flows(bench.config, tau)
    # Two rows of three places: narrower than a third of the page the numbers do not fit.
    *places, last = [*st.columns(3), *st.columns(3)]
    for place, way in zip(places, ways, strict=True):
        with place:
            draw_way(bench, way)
    with last:
        one = " of the first variable" if bench.config.variables > 1 else ""
        st.caption(
            f"One draw{one} at τ = {tau:g}, after Jang et al. (2017), figure 2. Down go the values, up the "
            "derivatives. A round node is drawn: no derivative passes it. The score function goes around f, "
            "straight-through passes the node as if it were not there, and Gumbel-Softmax moves the drawing "
            "aside, into g, so that all that is left between θ and f has a slope."
        )


def draw_way(bench: Bench, way: Flow) -> None:
    back = (
        "nothing comes back"
        if way.gradient is None
        else f"the gradient {in_numbers.listed(way.gradient[0])} comes back"
    )
    figure(
        flow_figure(way, bench.names),
        key=f"flow_{way.name}",
        alt=f"{way.title}: z = {in_numbers.listed(way.z[0])} gives f = {way.value:.3g}, and {back}.",
    )


def learning(bench: Bench, tau: float) -> None:
    st.markdown("#### The same problem, learned with each of them")
    setting = LearningConfig(bench.config, tau, rate=rate_input(), means_of=bench.means_of)
    goal = goal_of(bench.config)
    runs = {name: learned(setting, name) for name in ESTIMATORS}
    lines = [
        LearningLine(
            ESTIMATORS[name].title, values.tolist(), "exact" if name == "exact" else role_of(name, bench)
        )
        for name, values in runs.items()
    ]
    loss = not FUNCTIONS[bench.config.function].climbs
    figure(
        learning_figure(lines, goal.best, goal.start, loss),
        key="gradient_learning",
        alt=f"E f against {setting.steps} steps for nine estimators, from {goal.start:.3g}; the best is "
        f"{goal.best:.3g}. " + " ".join(f"{TITLES[name]} ends at {runs[name][-1]:.3g}." for name in runs),
    )
    words, download = st.columns([5, 1])
    words.caption(
        "One seed, one start, one learning rate; E f is exact after every step. Dashed: the best corner. "
        "With another seed the noisy ones go another way. Leave-one-out takes four draws where the others "
        "take one."
    )
    with download:
        rows = [(name, step, value) for name in runs for step, value in enumerate(runs[name].tolist())]
        download_csv("gradient_learning", ["estimator", "step", "expected_f"], rows)


def same_draws(bench: Bench, tau: float) -> None:
    title = f"{TITLES[bench.chosen]} less {TITLES[bench.beside]}"
    st.markdown(f"#### On the same draws: {title}")
    words_that_set(CASES)
    if bench.chosen == bench.beside:
        st.caption("The same estimator twice: choose another beside it.")
        return
    found = comparison_of(bench.config, bench.chosen, bench.beside, tau)
    verdict = in_numbers.verdict(found, TITLES[bench.chosen], TITLES[bench.beside])
    names = in_numbers.entries(bench.names, bench.config.variables)
    figure(
        z_figure(found.counts.tolist(), found.z.reshape(len(found.z), -1), found.band, names),
        key="gradient_z",
        alt=f"The running z-score of {title}, over {bench.config.samples:,} draws. {verdict}",
    )
    st.markdown(verdict)


def vanishing(bench: Bench, tau: float) -> None:
    """The share of gradients that are exactly 0, where that is single precision's doing."""
    name = bench.chosen if bench.chosen in RELAXED else RELAXED[0]
    single, double = curves_of(bench.config, name), curves_of(bench.config, name, dtype=torch.float64)
    st.markdown("#### Where single precision loses the gradient")
    figure(
        vanished_figure(TEMPERATURES, single.vanished.tolist(), double.vanished.tolist(), tau),
        key="vanished",
        alt=f"The share of estimates by {TITLES[name]} that are exactly 0, against tau: at "
        f"{TEMPERATURES[0]:g} {single.vanished[0]:.2f} in single and {double.vanished[0]:.2f} in double "
        "precision.",
    )
    of_f = double.vanished[-1]
    st.caption(
        f"{TITLES[name]}. At a small τ a relaxed sample is rounded to a one-hot, and its gradient to exactly "
        f"0: {single.vanished[0]:.0%} of the draws at τ = {TEMPERATURES[0]:g}, {double.vanished[0]:.0%} in "
        "double precision."
        + (f" In {of_f:.0%} of the draws it is 0 at every τ, by f's own doing." if of_f else "")
    )


def costs(bench: Bench, curves: Mapping[str, Curve], now: Mapping[str, Moments], tau: float) -> None:
    st.markdown(f"#### What they cost, at τ = {tau:g}")
    problem = problem_of(bench.config)
    corners = len(enumerate_corners(problem.logits))
    rows = in_numbers.table(estimators_of(bench.config), curves, now, bench.means_of, corners)
    st.dataframe(pd.DataFrame(rows, columns=list(in_numbers.HEADER)), hide_index=True)
    show_code(in_numbers.snippet(bench.config, problem, bench.chosen, tau))
