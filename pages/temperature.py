"""What the temperature does: from one-hot to uniform, four pictures of the field for one τ."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from gumbel_core.figures.simplex import SAMPLES, simplex_figure
from gumbel_core.figures.temperature import MOST_OUTLINED, binary_figure, sparsity_figure, strip_figure
from gumbel_core.logits import format_numbers
from gumbel_core.temperature import (
    LOG_ODDS,
    STRIP,
    Array,
    Binary,
    BinaryConfig,
    Simplex,
    SimplexConfig,
    Sparsity,
    SparsityConfig,
    Strip,
    StripConfig,
    binary,
    corners_of,
    parse_corners,
    simplex,
    sparsity,
    strip,
    uniform_sparsity,
)
from pages.components.code import download_csv, show_code
from pages.components.controls import Typed, logits_input, seed_input
from pages.components.figure import figure
from pages.components.follow import follow_scrub
from pages.components.link import FIELDS
from pages.components.scrub import tau_scrub
from pages.components.sticky import sticky
from pages.components.words import plain, question, tex

STRIP_CODE = """\
import torch
from gumbel_core import gumbel_noise, gumbel_softmax
from gumbel_core.concrete import expected_max

tau = {tau}
logits = torch.tensor([{logits}], dtype=torch.float64)

def seeded():
    return torch.Generator().manual_seed({seed})

one = gumbel_noise(logits.shape, generator=seeded(), dtype=torch.float64)
many = gumbel_noise(({draws}, len(logits)), generator=seeded(), dtype=torch.float64)
largest, error = expected_max(logits, [tau], draws={sparsity_draws}, generator=seeded())

print("sample:  ", [round(y, 4) for y in gumbel_softmax(logits, tau, noise=one).tolist()])
print("mean:    ", [round(y, 4) for y in gumbel_softmax(logits, tau, noise=many).mean(0).tolist()])
print("E[max y]:", f"{{largest.item():.3g}} +- {{error.item():.1g}}")
"""

SIMPLEX_CODE = """\
import torch
from gumbel_core.concrete import is_log_convex, log_density

tau, weights = {tau}, torch.tensor([{weights}], dtype=torch.float64)
centre = torch.ones(3, dtype=torch.float64) / 3

print("density at the centre:", float(f"{{log_density(centre, weights.log(), tau).exp().item():.3g}}"))
print("log-convex:", is_log_convex(3, tau))
"""

BINARY_CODE = """\
import torch
from gumbel_core.concrete import binary_density

tau, log_odds = {tau}, {log_odds}

print("density at one half:", float(f"{{binary_density(torch.tensor(0.5), log_odds, tau).item():.3g}}"))
print("P(y > 1/2):", round(torch.sigmoid(torch.tensor(log_odds)).item(), 3))
"""


@st.cache_data(max_entries=256, show_spinner=False)
def strip_of(config: StripConfig) -> Strip:
    return strip(config)


@st.cache_data(max_entries=256, show_spinner=False)
def sparsity_of(config: SparsityConfig) -> Sparsity:
    return sparsity(config)


@st.cache_data(show_spinner=False)
def uniform_lines() -> dict[int, Array]:
    return {categories: line.mean for categories, line in uniform_sparsity().items()}


@st.fragment
def lesson(typed: Typed) -> None:
    with sticky("temperature_bar"):
        tau = tau_scrub()
    seed = seed_input()
    one_noise(typed, tau, seed)
    sparse(typed, tau, seed)
    triangle(typed, tau, seed)
    binary_case(tau)


def one_noise(typed: Typed, tau: float, seed: int) -> None:
    st.markdown("#### One noise at every temperature")
    fixed = strip_of(StripConfig(typed.logits, seed=seed))
    now = strip_of(StripConfig(typed.logits, (tau,), seed))
    means, samples = np.vstack([fixed.means, now.means]), np.vstack([fixed.samples, now.samples])
    figure(
        strip_figure(fixed.probabilities, fixed.one_hot, means, samples, (*STRIP, tau), typed.names),
        key="strip",
        alt=f"Bars over {len(typed.names)} categories in two rows, expectation and one sample, for the "
        f"one-hot draw and tau 0.1, 0.5, 1, 10 and {tau:g}. At tau {tau:g} the mean is "
        f"{listed(typed.names, now.means[0])}, and the sample {listed(typed.names, now.samples[0])}.",
    )
    error = max(fixed.standard_errors.max(), now.standard_errors.max())
    hollow = ", drawn hollow," if len(typed.names) <= MOST_OUTLINED else ""
    caption = (
        f"Above, the mean of {StripConfig.draws:,} samples (standard error at most {error:.2g}), which "
        f"leaves the categorical law{hollow} as τ grows. Below, one sample: the same noise in every "
        "column, so the tallest bar stays the tallest."
    )
    rows = [
        (label, name, mean, sample)
        for label, mean_row, sample_row in zip(
            ["one-hot", *STRIP, tau], [fixed.probabilities, *means], [fixed.one_hot, *samples], strict=True
        )
        for name, mean, sample in zip(typed.names, mean_row.tolist(), sample_row.tolist(), strict=True)
    ]
    with below(caption):
        download_csv("strip", ["tau", "category", "mean", "sample"], rows)


def sparse(typed: Typed, tau: float, seed: int) -> None:
    st.markdown("#### How one-hot is a sample?")
    curve = sparsity_of(SparsityConfig(typed.logits, seed=seed))
    now = sparsity_of(SparsityConfig(typed.logits, (tau,), seed))
    mean, error = now.mean.item(), now.standard_error.item()
    figure(
        sparsity_figure(
            curve.temperatures, curve.mean, curve.standard_error,
            floor=curve.floor, uniform=uniform_lines(), now=(tau, mean),
        ),
        key="sparsity",
        alt=f"The mean of the largest component falls from {curve.mean[0]:.3f} at tau 0.01 to "
        f"{curve.mean[-1]:.3f} at tau 100, towards 1/K = {curve.floor:.3g}. At tau {tau:g} it is {mean:.3f}.",
    )  # fmt: skip
    value = rf"{tex(mean)} \pm {tex(float(f'{error:.1g}'))}"
    st.latex(rf"\mathbb{{E}}[\max_k y_k] = {value} \quad\text{{at}}\; \tau = {tex(tau)}")
    caption = (
        f"The blue curve is what you typed, from {SparsityConfig.draws:,} draws, in a ribbon of two standard "
        "errors. The grey ones are 2, 4, 8 and 16 equal categories: the more of them, the smaller the τ that "
        "makes a sample one-hot."
    )
    equal = uniform_lines()
    rows = np.stack([curve.temperatures, curve.mean, curve.standard_error, *equal.values()], 1).tolist()
    with below(caption):
        header = ["tau", "mean_of_max", "standard_error", *(f"{k}_equal_categories" for k in equal)]
        download_csv("sparsity", header, rows)
    show_code(strip_code(typed, tau, seed))


@st.fragment
def triangle(typed: Typed, tau: float, seed: int) -> None:
    st.markdown("#### Three categories: where the samples lie")
    question(
        "Where do the samples gather when τ falls below one half?",
        {
            "In the middle": "Drag τ down and look: the middle empties. It fills when τ grows.",
            "At the corners": "Right. From ½ = 1/(n − 1) down no mode stands inside.",
            "Along the edges": "On their way: a sample's smallest component fades fastest, which draws it "
            "towards an edge, and as τ → 0 it ends at a corner.",
        },
        key="temperature_question",
    )
    picture, words = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with words:
        weights = corners_input(typed)
        now = simplex(SimplexConfig(weights, tau, seed))
        badge(tau, log_convex=now.log_convex)
        density_equation(weights, tau, now)
    with picture:
        names = corner_names(typed, weights)
        figure(
            simplex_figure(now.log_ratio, now.samples, now.masses, names, weights),
            key="simplex",
            alt=f"The triangle of three categories with weights {format_numbers(weights)} at tau {tau:g}: "
            f"{(now.samples.max(1) > 0.9).sum()} of {len(now.samples)} samples have a component above .9, "
            f"and the density at the centre is {now.at_centre:.3g}.",
        )
        follow_scrub("simplex", trace=SAMPLES, perturbed=now.perturbed)
        origin = "" if weights == corners_of(typed.logits) else "Not your numbers: the weights beside. "
        caption = (
            f"{origin}{SimplexConfig.draws} samples (dots) on their exact density (shade; a line marks each "
            "power of ten times the uniform one). A circle's area is the mass its corner holds at τ → 0. "
            "While you drag τ the dots move with it; the shade follows on release."
        )
        with below(caption):
            rows = np.column_stack([now.samples, now.log_densities]).tolist()
            download_csv("simplex", ["y1", "y2", "y3", "log_density"], rows)
    show_code(SIMPLEX_CODE.format(tau=tau, weights=format_numbers(weights)))


def corners_input(typed: Typed) -> tuple[float, ...]:
    """The corners' weights, a bound text. What cannot be read is told there, and the last good ones stay."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(
            "Corner weights α", FIELDS["corners"].default, max_chars=120, key="corners", bind="query-params",
            width=190, help="2, 0.5, 1 at τ = 0.5, 1 and 2 is the figure of Maddison et al. (2017).",
        )  # fmt: skip
        if typed_corners := corners_of(typed.logits):
            st.button("Use the three you typed", on_click=write_corners, args=(typed_corners,))
    try:
        weights = parse_corners(st.session_state.corners)
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        default = parse_corners(FIELDS["corners"].default)
        last_good: tuple[float, ...] = st.session_state.get("_corners", default)
        return last_good
    st.session_state["_corners"] = weights
    return weights


def write_corners(weights: tuple[float, ...]) -> None:
    st.session_state.corners = format_numbers(weights)


def corner_names(typed: Typed, weights: tuple[float, ...]) -> tuple[str, ...]:
    """The typed names where the corners hold the typed law, else places."""
    if weights != corners_of(typed.logits):
        return ("1", "2", "3")
    return tuple(name for name, logit in zip(typed.names, typed.logits, strict=True) if np.isfinite(logit))


def badge(tau: float, *, log_convex: bool) -> None:
    """Which side of 1/(n - 1) tau is on, in words and in the sign between."""
    relation = r"\le" if log_convex else ">"
    st.latex(rf"\tau = {tex(tau)} {relation} \frac{{1}}{{n-1}} = \frac12")
    if log_convex:
        st.badge("log-convex: no mode inside", icon=":material/change_history:", color="blue")
    else:
        st.badge("above: a mode can stand inside", icon=":material/landscape:", color="orange")


def density_equation(weights: tuple[float, ...], tau: float, now: Simplex) -> None:
    t = tex(tau)
    product = r"\cdot".join(tex(weight) for weight in weights)
    first, second, third = (rf"{tex(weight)}\,y_{k}^{{-{t}}}" for k, weight in enumerate(weights, start=1))
    st.latex(
        rf"""\begin{{aligned}}
        p(y) &= (n-1)!\,\tau^{{n-1}}\,\frac{{\prod_k \alpha_k\, y_k^{{-\tau-1}}}}
                {{\bigl(\sum_k \alpha_k\, y_k^{{-\tau}}\bigr)^n}} \\[2pt]
             &= \frac{{2\cdot {t}^2 \cdot A}}{{B^3}} \\[4pt]
        A &= {product} \\ &\quad \cdot (y_1 y_2 y_3)^{{-{tex(tau + 1)}}} \\[2pt]
        B &= {first} + {second} \\ &\quad + {third} \\[4pt]
        p(\tfrac13, \tfrac13, \tfrac13) &= {tex(now.at_centre)}
        \end{{aligned}}"""
    )


@st.fragment
def binary_case(tau: float) -> None:
    st.markdown("#### Two categories: one logistic through a slope")
    picture, words = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with words:
        st.slider("Log-odds", *LOG_ODDS, FIELDS["log_odds"].default, 0.1, key="log_odds", bind="query-params")
        log_odds = float(st.session_state.log_odds)
        now = binary(BinaryConfig(log_odds, tau))
        binary_equation(log_odds, tau, now)
    with picture:
        figure(
            binary_figure(
                now.x, now.x_density, now.curve, now.y, now.y_density, (now.draws_x, now.draws_y),
                p_one=now.p_one, temperature=tau,
            ),
            key="binary",
            alt=f"A logistic density of x around {log_odds:g}, below; sigmoid(x / {tau:g}) beside a step; "
            f"at the left the density of y, {now.at_half:.3g} at one half. "
            f"The step gives 1 with probability {now.p_one:.2f}.",
        )  # fmt: skip
        caption = (
            "Sixteen equally likely x climb to the curve and turn left to their y. A small τ steepens the "
            "curve into the step, and the y pile up at 0 and 1"
            + (", where the density is cut off here." if tau < 1 else ".")
        )
        with below(caption):
            download_csv("binary", ["series", "x", "y"], binary_rows(now))
    show_code(BINARY_CODE.format(tau=tau, log_odds=log_odds))


def binary_rows(now: Binary) -> list[tuple[str, float, float]]:
    """The picture's curves and dots, point by point."""
    drawn = [
        ("density of x", now.x, now.x_density),
        ("sigmoid", now.x, now.curve),
        ("equally likely x", now.draws_x, now.draws_y),
        ("density of y", now.y, now.y_density),
    ]
    return [(name, *point) for name, x, y in drawn for point in zip(x.tolist(), y.tolist(), strict=True)]


def binary_equation(log_odds: float, tau: float, now: Binary) -> None:
    st.latex(
        rf"""\begin{{aligned}}
        y &= \sigma\!\left(\frac{{{tex(log_odds)} + \log u - \log(1-u)}}{{{tex(tau)}}}\right) \\[4pt]
        P(y > \tfrac12) &= \sigma({tex(log_odds)}) = {now.p_one:.3f} \quad\text{{at every }}\tau \\[4pt]
        p(\tfrac12) &= {tex(now.at_half)}
        \end{{aligned}}"""
    )


def below(caption: str) -> DeltaGenerator:
    """A row under a picture: its caption, and the place of the download."""
    words, download = st.columns([5, 1])
    words.caption(caption)
    return download


def strip_code(typed: Typed, tau: float, seed: int) -> str:
    logits = format_numbers(typed.logits).replace("-inf", "-torch.inf")
    sizes = {"draws": StripConfig.draws, "sparsity_draws": SparsityConfig.draws}
    return STRIP_CODE.format(tau=tau, logits=logits, seed=seed, **sizes)


def listed(names: tuple[str, ...], values: Array, most: int = 8) -> str:
    """Names and numbers for an alt text, the first `most` of them."""
    shown = [f"{name} {value:.2f}" for name, value in zip(names, values.tolist(), strict=True)][:most]
    return ", ".join(shown) + (" and so on" if len(names) > most else "")


st.title("Temperature: from one-hot to uniform")
st.markdown(
    "A relaxed sample is the one-hot draw seen through a softmax, and τ says how soft. "
    "Move it and watch four pictures: near 0 every sample is all but one-hot, far up all look alike."
)
typed_now = logits_input()
lesson(typed_now)
