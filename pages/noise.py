"""Why this noise: how it is made, the race that proves Gumbel-Max, and three ways to get it wrong."""

import math

import streamlit as st

from gumbel_core.draw import SEEDS, DrawConfig, seeded_noise
from gumbel_core.figures.noise import bell, feeds, lanes, reach, sign_panel
from gumbel_core.gumbel_law import (
    LOCATIONS,
    SAMPLES,
    SCALES,
    UNIFORMS,
    LawConfig,
    gumbel_law,
    inverse_transform,
    standard_density,
)
from gumbel_core.logits import format_numbers
from gumbel_core.noise import WAYS, wins_from_behind
from gumbel_core.noise_trials import (
    DRAWS,
    WEIGHT_SUMS,
    Races,
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
print("mean of the law, of the samples:    ", round(location + 0.57722 * scale, 3), round(samples.mean().item(), 3))
print("variance of the law, of the samples:", round((math.pi * scale) ** 2 / 6, 3), round(samples.var().item(), 3))
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
from gumbel_core.noise import WAYS

for way in WAYS.values():
    low, high = way.tails()
    print(f"{way.formula:30} from {low:.2f} to {high:.2f}, U = 0 gives {way.at_zero():.2f}")
"""


def opening() -> None:
    st.title("Why Gumbel noise")
    st.markdown(
        "Add Gumbel noise to the logits, take the argmax, and what you hold is a draw from their softmax. "
        "This page makes that noise from one uniform number, shows why it must be this noise, and breaks it in three ways."
    )


@st.fragment
def law(seed: int) -> None:
    """The inverse transform on the cdf, and the samples it gives against the pdf."""
    st.markdown("#### 1. From a uniform number to Gumbel noise")
    picture, beside = st.columns([5, 3], gap="large", vertical_alignment="center")
    with beside:
        u = st.slider("Uniform number u", *UNIFORMS, FIELDS["u"].default, 0.001, format="%.3f", key="u", bind="query-params")
        location = st.slider("Location μ", *LOCATIONS, FIELDS["location"].default, 0.1, key="location", bind="query-params")
        scale = st.slider("Scale β", *SCALES, FIELDS["scale"].default, 0.05, key="scale", bind="query-params")
    path = inverse_transform(u, location, scale)
    drawn = gumbel_law(LawConfig(location, scale, seed))
    with picture:
        figure(
            bell(
                x=drawn.x, pdf=drawn.pdf, cdf=drawn.cdf, centres=drawn.centres, heights=drawn.heights,
                mean=drawn.mean, u=u, value=path.value,
            ),
            key="gumbel_law",
            alt=f"From u = {u:.3g} across to the Gumbel cdf and down to the draw {path.value:.2f}, which lands among "
            f"{SAMPLES:,} samples whose histogram follows the pdf with location {location:g} and scale {scale:g}.",
        )  # fmt: skip
    with beside:
        st.latex(
            rf"\begin{{aligned}} -\log {tex(u)} &= {tex(path.exponential)} \\"
            rf"-\log {tex(path.exponential)} &= {tex(path.standard)} \\"
            rf"x = \mu + \beta g &= {tex(location)} + {tex(scale)} \cdot {_signed(path.standard)}"
            rf" = {tex(path.value)} \end{{aligned}}"
        )
        st.caption(
            "The first logarithm makes an exponential time, the second turns its scale into a shift. Going across to "
            "the cdf and down is the same step, read off the curve."
        )
    st.markdown(
        f"Mean $\\mu + 0.57722\\,\\beta = {tex(drawn.mean)}$, of the {SAMPLES:,} samples ${tex(drawn.sample_mean)}$.  \n"
        f"Variance $\\pi^2 \\beta^2 / 6 = {tex(drawn.variance)}$, of the samples ${tex(drawn.sample_variance)}$."
    )
    code = LAW_CODE.format(u=u, location=location, scale=scale, samples=SAMPLES, seed=seed)
    rows = zip(drawn.centres.tolist(), drawn.heights.tolist(), strict=True)
    take_away("gumbel_samples", ["noise", "density_of_samples"], rows, code)


@st.fragment
def race(typed: Typed, config: TrialsConfig) -> None:
    """The proof of Gumbel-Max, with one race's numbers."""
    st.markdown("#### 2. Why it works: a race of clocks")
    picture, beside = st.columns([5, 4], gap="large", vertical_alignment="center")
    now, many = one_race(config), race_trials(config)
    rates, times, winner = now.rates.tolist(), now.times.tolist(), int(now.winner)
    law, frequencies = many.trials.law, many.trials.frequencies
    first = plain(typed.names[winner])
    with picture:
        figure(
            lanes(typed.names, times=times, winner=winner, frequencies=frequencies, law=law, races=DRAWS),
            key="race",
            alt=f"A race of {len(times)} clocks: {typed.names[winner]} rings first, at {times[winner]:.3g}. Of {DRAWS:,} "
            f"races {typed.names[many.favourite]} wins {frequencies[many.favourite]:.3f}, and softmax says "
            f"{law[many.favourite]:.3f}.",
        )
    with beside:
        noise = seeded_noise(DrawConfig(config.logits, seed=config.seed)).tolist()
        st.markdown(
            f"1. Give category $k$ a clock that rings at rate $e^{{\\ell_k}}$. Rates: ${tex_vector(rates)}$, "
            "in units of the fastest.\n"
            f"2. The noise $g = {tex_vector(noise)}$ sets each clock: it rings at "
            f"$e^{{-(\\ell_k + g_k)}} = {tex_vector(times)}$.\n"
            f"3. $e^{{-x}}$ falls, so the first to ring has the largest $\\ell_k + g_k$: **{first}**, at ${tex(times[winner])}$.\n"
            "4. A clock's rate over the sum of rates is its chance to ring first: "
            f"${tex_vector(law.tolist())} = \\mathrm{{softmax}}(\\ell)$. Of {DRAWS:,} races they won "
            f"${tex_vector(frequencies.tolist())}$."
        )
        st.caption(winning_time(many, typed.names))
        # The seed's field stands outside this fragment: the whole page follows.
        if st.button("Another race", icon=":material/casino:", on_click=another_seed):
            st.rerun()
    columns = (config.logits, noise, rates, times, frequencies.tolist(), law.tolist())
    take_away(
        "race",
        ["category", "logit", "noise", "rate", "time", "share_of_races", "softmax"],
        zip(typed.names, *columns, strict=True),
        noise_code(config, "from gumbel_core.noise import exponential_race\n") + RACE_CODE,
    )


@st.fragment
def signs(typed: Typed, config: TrialsConfig) -> None:
    """Maxima and minima side by side, and the law that each gives."""
    st.markdown("#### 3. The wrong sign")
    question(
        "Noise with the wrong sign: will the frequencies still follow softmax?",
        {
            "Yes, noise is noise": "Look at the right picture: the bars do not fill their outlines. "
            "Only two categories, or equal ones, cannot tell the signs apart.",
            "No": "Right. With −g the *last* clock to ring wins, at rates $e^{-\\ell}$, and that is another law.",
        },
        key="noise_question",
    )
    trials = sign_trials(config)
    for column, (sign, trial) in zip(st.columns(2, gap="large"), trials.items(), strict=True):
        right = sign == "+"
        x, density = standard_density(-6, 6, minima=not right)
        with column:
            figure(
                sign_panel(
                    typed.names, x=x, density=density, frequencies=trial.frequencies, law=trial.law,
                    wanted=trial.wanted, right=right,
                ),
                key="sign_right" if right else "sign_wrong",
                alt=f"The Gumbel density for {'maxima' if right else 'minima'}, and {DRAWS:,} draws of the argmax of the "
                f"logits {'plus' if right else 'minus'} noise: total variation {trial.distance:.3f} from softmax.",
            )  # fmt: skip
            st.markdown(verdict(trial.distance, trial.chance, trial.bias))
    st.latex(
        rf"\begin{{aligned}} \ell + g &\to {tex_vector(trials['+'].law.tolist())} = \mathrm{{softmax}}(\ell) \\"
        rf"\ell - g &\to {tex_vector(trials['-'].law.tolist())} \end{{aligned}}"
    )
    st.caption(
        "Diamonds: the exact law of the wrong sign, an integral. A popular tutorial prints the density $e^x e^{-e^x}$: "
        "that is the right picture, the noise whose sign goes wrong here."
    )
    plus, minus = trials["+"], trials["-"]
    columns = (plus.wanted, plus.frequencies, minus.frequencies, minus.law)
    take_away(
        "signs",
        ["category", "softmax", "plus_noise", "minus_noise", "exact_minus_noise"],
        zip(typed.names, *(column.tolist() for column in columns), strict=True),
        noise_code(config, "from gumbel_core.noise import wrong_sign_law\n") + SIGN_CODE,
    )


@st.fragment
def logarithm(typed: Typed, config: TrialsConfig) -> None:
    """Weights fed as if they were logits."""
    st.markdown("#### 4. The forgotten logarithm")
    picture, beside = st.columns([5, 4], gap="large", vertical_alignment="center")
    with beside:
        weight_sum = int(
            st.select_slider(
                "The weights add up to", WEIGHT_SUMS, FIELDS["weight_sum"].default, key="weight_sum", bind="query-params"
            )
        )
    trials = log_trials(config, weight_sum)
    weights = weights_of(config.logits, weight_sum).tolist()
    titles = {"log w": "log w: right", "w": "w itself", "p": "probabilities themselves"}
    with picture:
        figure(
            feeds(
                typed.names,
                {titles[feed]: trial.frequencies for feed, trial in trials.items()},
                {titles[feed]: trial.law for feed, trial in trials.items()},
                trials["log w"].wanted,
            ),
            key="logarithm",
            alt=f"{DRAWS:,} Gumbel-Max draws from weights that add up to {weight_sum}. Total variation from the wanted law: "
            f"{trials['log w'].distance:.3f} with the logarithm, {trials['w'].distance:.3f} without it, "
            f"{trials['p'].distance:.3f} with probabilities fed as logits.",
        )
    with beside:
        st.latex(
            rf"\begin{{aligned}} w &= {tex_vector(weights, most=3)} \\"
            rf"\log w &\to {tex_vector(trials['log w'].law.tolist(), most=3)} \\"
            rf"w &\to {tex_vector(trials['w'].law.tolist(), most=3)} \\"
            rf"p &\to {tex_vector(trials['p'].law.tolist(), most=3)} \end{{aligned}}"
        )
        st.caption(
            "Gumbel-Max wants log w. Then the unit of the weights is a shift, and shifts change nothing. Without the "
            "logarithm the unit acts as a temperature: too small a sum flattens the law, too large a sum freezes it, and a "
            "weight of 0 can still win."
        )
        if st.button("Take 7, 2, 1, as a university notebook does", type="tertiary", on_click=take_seven_two_one):
            st.rerun()
    columns = [trials["log w"].wanted, *(column for trial in trials.values() for column in (trial.frequencies, trial.law))]
    take_away(
        "logarithm",
        ["category", "weight", "wanted", "log_w", "exact_log_w", "w", "exact_w", "p", "exact_p"],
        zip(typed.names, weights, *(column.tolist() for column in columns), strict=True),
        noise_code(config, "") + LOG_CODE.format(weight_sum=weight_sum),
    )


def tails() -> None:
    """How far the noise reaches in single precision, made in three ways."""
    st.markdown("#### 5. Where the tails end")
    ways = list(WAYS.values())
    lows, highs = zip(*(way.tails() for way in ways), strict=True)
    zeros = [way.at_zero() for way in ways]
    gap = ways[0].widest_gap()
    picture, beside = st.columns([5, 4], gap="large", vertical_alignment="center")
    x, density = standard_density(-6, 20)
    with picture:
        figure(
            reach([f"{way.title}: {way.formula}" for way in ways], lows=lows, highs=highs, zeros=zeros, x=x, density=density),
            key="tails",
            alt="; ".join(
                f"{way.title} reaches from {low:.2f} to {high:.2f}, and U = 0 gives {zero:.2f}"
                for way, low, high, zero in zip(ways, lows, highs, zeros, strict=True)
            ) + ".",
        )  # fmt: skip
    with beside:
        st.markdown(
            f"- **Two logarithms.** `torch.rand` gives multiples of $2^{{-24}}$, so the noise ends at {highs[0]:.2f}; and once in "
            f"16.8 million draws $U = 0$ gives $-\\infty$. Here that one value is lifted, and nothing else.\n"
            f"- **Padded**, as tutorials write it. It alters $U = 0$ alone, which becomes {_minus(zeros[1])}: `1e-20` is below "
            "what single precision can add to any other $U$.\n"
            f"- **Logarithm of an exponential.** No padding, but $E = 0$ would give $+\\infty$, a winner for no reason. "
            "PyTorch's `exponential_` avoids it, and is the slower on a CPU."
        )
        st.caption(
            f"So a lead of more than {highs[0]:.2f} + {-lows[0]:.2f} = {gap:.1f} logits is never turned over in single "
            f"precision. It should be, {wins_from_behind(gap):.1e} of the time."
        )
    rows = zip([way.formula for way in ways], lows, highs, zeros, strict=True)
    take_away("tails", ["way", "smallest", "largest", "at_u_0"], rows, TAILS_CODE)


def winning_time(races: Races, names: tuple[str, ...]) -> str:
    """When the first clock rings does not depend on whose it is: measured."""
    exact = f"The first clock rings after {races.mean_time:.3f} on average"
    if math.isnan(races.other_error):
        return f"{exact}, 1 over the summed rates; no other than {plain(names[races.favourite])} won often enough to compare."
    return (
        f"{exact}, 1 over the summed rates, whoever wins: {races.favourite_time:.3f} where {plain(names[races.favourite])} "
        f"won, {races.other_time:.3f} ± {races.other_error:.3f} where another did. The time says nothing of the winner."
    )


def verdict(distance: float, chance: float, bias: float) -> str:
    """What the total variation says, beside what chance alone leaves."""
    measured = f"Total variation from softmax: **{distance:.4f}**; chance alone leaves about {chance:.4f}."
    if bias < 1e-9:
        return measured
    return f"{measured} No number of draws mends it: the exact law is {bias:.4f} away."


def another_seed() -> None:
    st.session_state.seed = (int(st.session_state.seed) + 1) % (SEEDS[1] + 1)


def take_seven_two_one() -> None:
    st.session_state.update(logits="7, 2, 1", kind="weights", names="", weight_sum=10)


def noise_code(config: TrialsConfig, imports: str) -> str:
    logits = format_numbers(config.logits).replace("-inf", "-torch.inf")
    return NOISE_CODE.format(imports=imports, logits=logits, seed=config.seed, draws=DRAWS)


def take_away(name: str, header: list[str], rows: object, code: str) -> None:
    download_csv(name, header, rows)
    show_code(code)


def _signed(value: float) -> str:
    return tex(value) if value >= 0 else f"({tex(value)})"


def _minus(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


opening()
typed = logits_input()
seed = seed_input()
config = TrialsConfig(typed.logits, seed)
law(seed)
race(typed, config)
signs(typed, config)
logarithm(typed, config)
tails()
