"""Why this noise: how it is made, the race that proves Gumbel-Max, and three ways to get it wrong."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.draw import SEEDS
from gumbel_core.figures.noise import bell, feeds, headroom, lanes, reach, sign_panel
from gumbel_core.gumbel_law import (
    LOCATIONS,
    SAMPLES,
    SCALES,
    UNIFORMS,
    Law,
    LawConfig,
    gumbel_law,
    inverse_transform,
    standard_density,
)
from gumbel_core.logits import format_numbers
from gumbel_core.noise import UNIFORM_STEP, WAYS, core_at_zero, wins_from_behind
from gumbel_core.noise_trials import (
    DRAWS,
    WEIGHT_SUMS,
    OneRace,
    Races,
    Trials,
    TrialsConfig,
    log_trials,
    one_race,
    race_trials,
    sign_trials,
    weights_of,
)
from pages.components.code import download_csv, show_code
from pages.components.controls import Typed, logits_input, seed_input
from pages.components.figure import figure
from pages.components.link import FIELDS
from pages.components.words import plain, question, tex, tex_vector

LAW_CODE = """\
import math
import torch
from gumbel_core import gumbel_noise

u, location, scale = {u}, {location}, {scale}
exponential = -math.log(u)
g = -math.log(exponential)
noise = gumbel_noise(({samples},), generator=torch.Generator().manual_seed({seed}), dtype=torch.float64)
samples = location + scale * noise

print("u, -log u, g, draw:", u, round(exponential, 4), round(g, 4), round(location + scale * g, 4))
print("mean of the law:", round(location + 0.57722 * scale, 4))
print("variance of the law:", round((math.pi * scale) ** 2 / 6, 4))
print(len(samples), "samples of it")
print("their mean:", round(samples.mean().item(), 4))
print("their variance:", round(samples.var().item(), 4))
"""

# Every snippet about the typed logits starts with the same noise: its first row is the one draw of the seed.
NOISE_CODE = """\
import torch
from gumbel_core import gumbel_max, gumbel_noise
{imports}
logits = torch.tensor([{logits}], dtype=torch.float64)
generator = torch.Generator().manual_seed({seed})
noise = gumbel_noise(({draws}, len(logits)), generator=generator, dtype=torch.float64)

def shares(winners):
    return [round(share, 4) for share in (winners.bincount(minlength=len(logits)) / {draws}).tolist()]

"""

RACE_CODE = """\
race = exponential_race(logits, noise)
print("rates:  ", [round(rate, 4) for rate in race.rates.tolist()])
print("times:  ", [round(time, 4) for time in race.times[0].tolist()])
print("winner: ", race.winner[0].item())
print("won:    ", shares(race.winner))
print("softmax:", [round(p, 4) for p in logits.softmax(-1).tolist()])
"""

SIGN_CODE = """\
print("softmax:        ", [round(p, 4) for p in logits.softmax(-1).tolist()])
print("logits + noise: ", shares(gumbel_max(logits, noise=noise)))
print("logits - noise: ", shares(gumbel_max(logits, noise=-noise)))
print("exact, wrong sign:", [round(p, 4) for p in wrong_sign_law(logits).tolist()])
"""

LOG_CODE = """\
p = logits.softmax(-1)
w = {weight_sum} * p
print("wanted:", [round(x, 4) for x in p.tolist()])
for name, scores in [("log w", w.log()), ("w", w), ("p", p)]:
    exact = [round(x, 4) for x in scores.softmax(-1).tolist()]
    print(name, "drawn:", shares(gumbel_max(scores, noise=noise)), "exact:", exact)
"""

TAILS_CODE = """\
from gumbel_core.noise import WAYS, core_at_zero

for way in WAYS.values():
    low, high = way.tails()
    print(f"{way.formula:30} from {low:.2f} to {high:.2f}, U = 0 gives {way.at_zero():.2f}")
print(f"the core at U = 0: {core_at_zero():.2f}")
"""


def opening() -> None:
    st.title("Why Gumbel noise")
    st.markdown(
        "Add Gumbel noise to the logits, take the argmax, and what you hold is a draw from their softmax. "
        "This page makes that noise from one uniform number, shows why this noise works, and breaks it "
        "in three ways."
    )


@st.fragment
def law(seed: int) -> None:
    """The inverse transform on the cdf, and the samples it gives against the pdf."""
    st.markdown("#### 1. From a uniform number to Gumbel noise")
    picture, beside = st.columns([5, 3], gap="large", vertical_alignment="center")
    with beside:
        u = _slider("Uniform number u", "u", UNIFORMS, 0.01)
        location = _slider("Location μ", "location", LOCATIONS, 0.1)
        scale = _slider("Scale β", "scale", SCALES, 0.05)
    path = inverse_transform(u, location, scale)
    drawn = gumbel_law(LawConfig(location, scale, seed))
    with picture:
        figure(
            bell(
                x=drawn.x, pdf=drawn.pdf, cdf=drawn.cdf, centres=drawn.centres, heights=drawn.heights,
                mean=drawn.mean, u=u, value=path.value,
            ),
            key="gumbel_law",
            alt=f"From u = {u:.3g} across to the Gumbel cdf and down to the draw {path.value:.2f}, "
            f"among {SAMPLES:,} samples whose histogram follows the pdf with location {location:g} and "
            f"scale {scale:g}.",
        )  # fmt: skip
    with beside:
        st.latex(
            rf"\begin{{aligned}} -\log u &= -\log {tex(u)} = {tex(path.exponential)} \\"
            rf"g &= -\log {tex(path.exponential)} = {tex(path.standard)} \\"
            rf"\mu + \beta g &= {tex(location)} + {tex(scale)} \cdot {_factor(path.standard)}"
            rf" = {tex(path.value)} \end{{aligned}}"
        )
        st.caption(
            "The first logarithm makes an exponential time, the second turns its scale into a shift. "
            "Going across to the cdf and down is the same step, read off the curve."
        )
    st.markdown(
        f"Mean $\\mu + 0.57722\\,\\beta = {tex(drawn.mean)}$, of the {SAMPLES:,} samples "
        f"${tex(drawn.sample_mean)}.$  \n"
        f"Variance $\\pi^2 \\beta^2 / 6 = {tex(drawn.variance)}$, of the samples "
        f"${tex(drawn.sample_variance)}.$"
    )
    take_away(
        "gumbel_law",
        ["series", "x", "y"],
        law_rows(drawn),
        LAW_CODE.format(u=u, location=location, scale=scale, samples=SAMPLES, seed=seed),
    )


def law_rows(drawn: Law) -> list[tuple[str, float, float]]:
    """The picture's curves and bars, point by point."""
    series = [
        ("cdf", drawn.x, drawn.cdf),
        ("pdf", drawn.x, drawn.pdf),
        ("histogram", drawn.centres, drawn.heights),
    ]
    return [(name, *point) for name, x, y in series for point in zip(x.tolist(), y.tolist(), strict=True)]


@st.fragment
def race(typed: Typed, config: TrialsConfig) -> None:
    """The proof of Gumbel-Max, with one race's numbers."""
    st.markdown("#### 2. Why it works: a race of clocks")
    now, many = one_race(config), race_trials(config)
    picture, beside = st.columns([5, 4], gap="large", vertical_alignment="center")
    with picture:
        draw_race(now, many, typed.names)
    with beside:
        st.markdown(proof(now, many, typed.names))
        st.caption(winning_time(many, typed.names))
        # The seed's field stands outside this fragment: the whole page follows.
        if st.button("Another race", icon=":material/casino:", on_click=another_seed):
            st.rerun()
    columns = (now.noise, now.race.rates, now.race.times, many.trials.frequencies, many.trials.law)
    take_away(
        "race",
        ["category", "logit", "noise", "rate", "time", "share_of_races", "softmax"],
        zip(typed.names, config.logits, *(column.tolist() for column in columns), strict=True),
        noise_code(config, "from gumbel_core.noise import exponential_race\n") + RACE_CODE,
    )


def draw_race(now: OneRace, many: Races, names: tuple[str, ...]) -> None:
    winner, times = int(now.race.winner), now.race.times.tolist()
    won, softmax = many.trials.frequencies, many.trials.law
    figure(
        lanes(names, times=times, winner=winner, frequencies=won, law=softmax, races=DRAWS),
        key="race",
        alt=f"A race of {len(names)} clocks: {names[winner]} rings first, at {times[winner]:.3g}. "
        f"Of {DRAWS:,} races {names[many.favourite]} wins {won[many.favourite]:.3f}, "
        f"and softmax says {softmax[many.favourite]:.3f}.",
    )


def proof(now: OneRace, many: Races, names: tuple[str, ...]) -> str:
    """Four numbered sentences."""
    winner = int(now.race.winner)
    rates, times, noise = (_vector(v) for v in (now.race.rates, now.race.times, now.noise))
    softmax, won = (_vector(v) for v in (many.trials.law, many.trials.frequencies))
    return (
        f"1. Give category $k$ a clock that rings at rate $e^{{\\ell_k}}$. In units of the fastest, the "
        f"rates are ${rates}.$\n"
        f"2. The noise winds the clocks: $g = {noise}$ lets them ring at $e^{{-(\\ell_k + g_k)}},$ which is "
        f"${times}.$\n"
        f"3. $e^{{-x}}$ falls, so the first to ring is the argmax of $\\ell + g$. Here it is "
        f"**{plain(names[winner])}**, at ${tex(now.race.winning_time.item())}.$\n"
        f"4. A clock rings first with the probability rate over sum of rates, ${softmax} = "
        f"\\mathrm{{softmax}}(\\ell)$: the ticks. The bars, {DRAWS:,} races: ${won}.$"
    )


def winning_time(races: Races, names: tuple[str, ...]) -> str:
    """When the first clock rings does not depend on whose it is: measured."""
    favourite = plain(names[races.favourite])
    exact = f"The first clock rings after {races.mean_time:.3f} on average, 1 over the summed rates"
    if math.isnan(races.other_error):
        return f"{exact}. Hardly any but {favourite} won: there is nothing to compare."
    return (
        f"{exact}, whoever wins: {races.favourite_time:.3f} where {favourite} won, "
        f"{races.other_time:.3f} ± {races.other_error:.3f} where another did. "
        "The time says nothing of the winner."
    )


@st.fragment
def signs(typed: Typed, config: TrialsConfig) -> None:
    """Maxima and minima side by side, and the law that each gives."""
    st.markdown("#### 3. The wrong sign")
    trials = sign_trials(config)
    plus, minus = trials["+"], trials["-"]
    question(
        "Noise with the wrong sign: will the frequencies still follow softmax?",
        verdicts(minus),
        key="noise_question",
    )
    maxima, minima = st.columns(2, gap="large")
    top = headroom(plus.wanted, plus.frequencies, minus.frequencies)
    with maxima:
        draw_sign(plus, typed.names, top, right=True)
    with minima:
        draw_sign(minus, typed.names, top, right=False)
    st.latex(
        rf"\begin{{aligned}} \ell + g &\to {_vector(plus.law)} \\"
        rf"\ell - g &\to {_vector(minus.law)} \end{{aligned}}"
    )
    st.caption(
        "The law of ℓ + g is softmax(ℓ). That of ℓ − g, the diamonds, is the law of the *last* clock to ring "
        "at rates $e^{-\\ell_k}$. A popular tutorial prints the density $e^x e^{-e^x}$: it is the one for "
        "minima, the mirror image."
    )
    columns = (plus.wanted, plus.frequencies, minus.frequencies, minus.law)
    take_away(
        "signs",
        ["category", "softmax", "plus_noise", "minus_noise", "exact_minus_noise"],
        zip(typed.names, *(column.tolist() for column in columns), strict=True),
        noise_code(config, "from gumbel_core.noise import wrong_sign_law\n") + SIGN_CODE,
    )


def verdicts(minus: Trials) -> dict[str, str]:
    """What each answer to the question earns: it depends on the typed law."""
    last = "With −g the *last* clock to ring wins, at rates $e^{-\\ell}$"
    if minus.biased:
        return {
            "Yes, noise is noise": "Not here: the diamonds, the exact law of ℓ − g, are a total variation of "
            f"${tex(minus.bias)}$ away from the outlines. The bars follow the diamonds, up to chance.",
            "No": f"Right. {last}: another law.",
        }
    same = "two open categories, equal ones or a sure winner cannot tell the signs apart"
    return {
        "Yes, noise is noise": f"For these logits, yes: {same}. Most others can.",
        "No": f"Right for most laws. {last}, and for these logits that is softmax too: {same}.",
    }


def draw_sign(trials: Trials, names: tuple[str, ...], top: float, *, right: bool) -> None:
    x, density = standard_density(-6, 6, minima=not right)
    figure(
        sign_panel(
            names, x=x, density=density, frequencies=trials.frequencies, law=trials.law, wanted=trials.wanted,
            top=top, right=right,
        ),
        key="sign_right" if right else "sign_wrong",
        alt=f"The Gumbel density for {'maxima' if right else 'minima'}, and {DRAWS:,} draws of the argmax of "
        f"logits {'plus' if right else 'minus'} noise: total variation {trials.distance:.4f} from softmax.",
    )  # fmt: skip
    chance = f"chance alone leaves {trials.chance:.4f} on average."
    st.markdown(f"Total variation from softmax: **{trials.distance:.4f}**; {chance}")
    if trials.biased:
        st.markdown(f"No number of draws mends it: the exact law is {trials.bias:.4f} away.")


@st.fragment
def logarithm(typed: Typed, config: TrialsConfig) -> None:
    """Weights fed as if they were logits."""
    st.markdown("#### 4. The forgotten logarithm")
    picture, beside = st.columns([5, 4], gap="large", vertical_alignment="center")
    with beside:
        weight_sum = st.select_slider(
            "The weights add up to", WEIGHT_SUMS, FIELDS["weight_sum"].default, key="weight_sum",
            bind="query-params",
        )  # fmt: skip
    trials = log_trials(config, weight_sum)
    weights = weights_of(config.logits, weight_sum)
    with picture:
        draw_feeds(trials, typed.names, weight_sum)
    with beside:
        st.latex(
            rf"\begin{{aligned}} w &= {_vector(weights)} \\"
            rf"\log w &\to {_vector(trials['log w'].law)} \\"
            rf"w &\to {_vector(trials['w'].law)} \\"
            rf"p &\to {_vector(trials['p'].law)} \end{{aligned}}"
        )
        st.caption(
            "An arrow leads from what is fed to the law of its draws. Gumbel-Max wants log w: then the unit "
            "of the weights is a shift, and shifts change nothing. Without the logarithm the unit acts as a "
            "temperature: a small sum flattens the law, a large one freezes it. And a weight of 0 can win."
        )
        # The numbers stand at the top of the page, outside this fragment: the whole page follows.
        word = ":primary[Take 7, 2, 1, as a university notebook does]"
        if st.button(word, type="tertiary", on_click=take_7_2_1):
            st.rerun()
    columns = [column for trial in trials.values() for column in (trial.frequencies, trial.law)]
    take_away(
        "logarithm",
        ["category", "weight", "log_w", "exact_log_w", "w", "exact_w", "p", "exact_p"],
        zip(typed.names, weights.tolist(), *(column.tolist() for column in columns), strict=True),
        noise_code(config, "") + LOG_CODE.format(weight_sum=weight_sum),
    )


def draw_feeds(trials: dict[str, Trials], names: tuple[str, ...], weight_sum: int) -> None:
    titles = {"log w": "log w", "w": "w itself", "p": "p itself"}
    log_w, w, p = trials.values()
    figure(
        feeds(
            names,
            {titles[feed]: trial.frequencies for feed, trial in trials.items()},
            {titles[feed]: trial.law for feed, trial in trials.items()},
            log_w.wanted,
        ),
        key="logarithm",
        alt=f"{DRAWS:,} Gumbel-Max draws from weights that add up to {weight_sum}. Total variation from the "
        f"wanted law: {log_w.distance:.3f} with the logarithm, {w.distance:.3f} without it, {p.distance:.3f} "
        "with probabilities fed as logits.",
    )


def tails() -> None:
    """How far the noise reaches in single precision, made in three ways."""
    st.markdown("#### 5. Where the tails end")
    ways = list(WAYS.values())
    lows, highs = zip(*(way.tails() for way in ways), strict=True)
    zeros = [way.at_zero() for way in ways]
    x, density = standard_density(-6, 20)
    picture, beside = st.columns([5, 4], gap="large", vertical_alignment="center")
    with picture:
        ends = zip(ways, lows, highs, zeros, strict=True)
        figure(
            reach([way.title for way in ways], lows=lows, highs=highs, zeros=zeros, x=x, density=density),
            key="tails",
            alt=" ".join(
                f"{way.title}: from {low:.2f} to {high:.2f}, and U = 0 gives {zero:.2f}."
                for way, low, high, zero in ends
            ),
        )
    with beside:
        st.markdown(
            f"- `{ways[0].formula}`: `torch.rand` gives multiples of $2^{{-24}}$, so the noise ends at "
            f"{highs[0]:.2f}, and once in {round(1 / UNIFORM_STEP):,} numbers $U = 0$ gives $-\\infty$. The "
            f"core lifts that one value to ${tex(core_at_zero())}$, and nothing else.\n"
            f"- `{ways[1].formula}`, as tutorials write it, changes $U = 0$ alone, which gives "
            f"${tex(zeros[1])}$: to any other $U$, single precision cannot add so little.\n"
            f"- `{ways[2].formula}` needs no padding, but $E = 0$ would give $+\\infty$, a winner for no "
            "reason. Drawn here is the $E$ of the same $U$; PyTorch's own `exponential_` avoids 0, reaches "
            "further on a CPU, and is the slower one there."
        )
        gap = ways[0].widest_gap()
        st.caption(
            f"But for $U = 0$, a lead of more than {highs[0]:.2f} + {-lows[0]:.2f} = {gap:.2f} logits is "
            "never turned over by a single-precision $U$. By the exact law it is, in up to "
            f"${tex(wins_from_behind(gap))}$ of draws. A leader's $-\\infty$ loses any lead, and comes more "
            f"often than that: with probability $2^{{-24}} = {tex(UNIFORM_STEP)}$. A $+\\infty$ behind the "
            "leader would do the same."
        )
    rows = zip([way.formula for way in ways], lows, highs, zeros, strict=True)
    take_away("tails", ["way", "smallest", "largest", "at_u_0"], rows, TAILS_CODE)


def another_seed() -> None:
    st.session_state.seed = (int(st.session_state.seed) + 1) % (SEEDS[1] + 1)


def take_7_2_1() -> None:
    st.session_state.update(logits="7, 2, 1", kind="weights", names="", weight_sum=10)


def noise_code(config: TrialsConfig, imports: str) -> str:
    logits = format_numbers(config.logits).replace("-inf", "-torch.inf")
    return NOISE_CODE.format(imports=imports, logits=logits, seed=config.seed, draws=DRAWS)


def take_away(name: str, header: list[str], rows: Iterable[Sequence[object]], code: str) -> None:
    """What a part draws, as numbers and as code."""
    with st.container(horizontal=True):
        download_csv(name, header, rows)
        show_code(code)


def _slider(label: str, key: str, bounds: tuple[float, float], step: float) -> float:
    value: float = st.slider(label, *bounds, FIELDS[key].default, step, key=key, bind="query-params")
    return value


def _vector(values: NDArray[np.float64] | Tensor) -> str:
    """The first three numbers: what fits beside a picture and on a phone."""
    return tex_vector(values.tolist(), most=3)


def _factor(value: float) -> str:
    return tex(value) if value >= 0 else f"({tex(value)})"


opening()
typed = logits_input()
seed = seed_input()
config = TrialsConfig(typed.logits, seed)
law(seed)
race(typed, config)
signs(typed, config)
logarithm(typed, config)
tails()
