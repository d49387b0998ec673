"""Many draws: the argmax settles on softmax(logits), the mean of the relaxed samples does not."""

import time

import numpy as np
import streamlit as st
from streamlit.errors import StreamlitAPIException

from gumbel_core.figures import many_draws as figures
from gumbel_core.logits import MAX_CATEGORIES, format_numbers
from gumbel_core.many_draws import EDGES, Count, ManyDrawsConfig, Relaxed, Tally, exact_marginal, relax
from pages.components.code import download_csv, show_code
from pages.components.controls import Typed, draws_input, logits_input, seed_input
from pages.components.figure import figure
from pages.components.link import FIELDS, rerun_page
from pages.components.scrub import tau_scrub
from pages.components.words import Cases, question, tex, tex_vector, words_that_set

# A header and rows.
Table = tuple[list[str], list[tuple[object, ...]]]

CASES: Cases = {
    "ten draws": {"draws": 10},
    "a million, counted as you watch": {"draws": 1_000_000},
    "τ = 0.1, nearly one-hot": {"tau": 0.1},
    "τ = 10, nearly uniform": {"tau": 10.0},
}

# Seconds that each step of a growing count stays on the screen, to be seen.
STEP_SHOWN = 0.08

SNIPPET = """\
import numpy as np
import torch
from gumbel_core import category_counts, gumbel_noise, gumbel_softmax
from gumbel_core.goodness import goodness_of_fit, total_variation

logits = torch.tensor([{logits}], dtype=torch.float64)
law = logits.softmax(-1)
counts = category_counts(logits, {draws}, generator=torch.Generator().manual_seed({seed}))
fit = goodness_of_fit(counts, law, rng=np.random.default_rng({seed}))

# The same seed again: the noise of the same draws.
generator = torch.Generator().manual_seed({seed})
noise = gumbel_noise(({relaxed}, {categories}), generator=generator, dtype=torch.float64)
relaxed = gumbel_softmax(logits, {temperature}, noise=noise)

print("softmax:        ", [round(p, 4) for p in law.tolist()])
print("frequencies:    ", [round(f, 4) for f in (counts / {draws}).tolist()])
print("total variation:", round(total_variation(counts, law), 4))
print("p-value:        ", round(fit.p_value, 4))
print("relaxed mean:   ", [round(y, 4) for y in relaxed.mean(0).tolist()])
"""


def count(config: ManyDrawsConfig) -> Count:
    """The session's count of this config, one step further. Another config starts anew, from its seed."""
    now: Count | None = st.session_state.get("_count")
    if now is None or now.config != config:
        now = st.session_state["_count"] = Count(config)
    else:
        now.advance()
    return now


# Only a move of the temperature or of the draws makes them anew.
relaxed_samples = st.cache_data(max_entries=64, show_spinner=False)(relax)


def snippet(config: ManyDrawsConfig, tau: float, relaxed: Relaxed) -> str:
    return SNIPPET.format(
        logits=format_numbers(config.logits).replace("-inf", "-torch.inf"), categories=len(config.logits),
        draws=config.draws, seed=config.seed, temperature=tau, relaxed=relaxed.draws,
    )  # fmt: skip


@st.fragment
def lab(typed: Typed) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        with st.container(width=380):
            draws = draws_input()
        seed = seed_input()
    tau = tau_scrub()
    config = ManyDrawsConfig(typed.logits, draws, seed)
    now, relaxed = count(config), relaxed_samples(config, tau)

    two_pictures(config, now.tally, relaxed, tau, typed.names)
    verdict(now)
    words_that_set(CASES)
    question(
        "Turn τ up to 10. Which of the two pictures moves?",
        {
            "The counts": "They rest: τ divides all perturbed logits alike, so each draw keeps its winner.",
            "The mean": "Right. Every draw keeps its winner and gives more to the others, until the mean is "
            "flat (with equal logits it is flat already).",
            "Both": "Only the mean: τ divides all perturbed logits alike, so each draw keeps its winner.",
        },
        key="many_draws_question",
    )
    equation(config, now.tally, relaxed, tau)
    download_csv("many_draws", *table(now.tally, relaxed, typed.names))
    samples(config, relaxed, tau, typed.names)
    download_csv("relaxed_samples", *samples_table(relaxed, typed.names))
    show_code(snippet(config, tau, relaxed))
    if not now.done:
        grow()


def grow() -> None:
    """Take the next step of the count. Between two steps a visitor's move comes first."""
    time.sleep(STEP_SHOWN)
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # this was a run of the whole page, as at its opening
        rerun_page()


def two_pictures(
    config: ManyDrawsConfig, tally: Tally, relaxed: Relaxed, tau: float, names: tuple[str, ...]
) -> None:
    left, right = st.columns(2, gap="medium")
    uniform = 1 / len(config.live)
    top = figures.ceiling(tally.probabilities, tally.high, tally.frequencies)
    with left:
        st.markdown(f"#### Who wins: the argmax of {tally.draws:,} draws")
        figure(
            figures.argmax_shares(tally.frequencies, tally.probabilities, tally.low, tally.high, names),
            key="argmax_shares",
            alt=f"Bars: how often each category won in {tally.draws:,} draws, beside its probability. "
            f"{in_words(names, tally.frequencies, tally.probabilities)}. "
            f"Total variation {tally.total_variation:.4f}; {tally.outside} bars outside the 95 % band.",
        )
    with right:
        st.markdown(f"#### The mean of their relaxed samples at τ\u00a0=\u00a0{tau:g}")
        figure(
            figures.relaxed_means(relaxed.mean, tally.probabilities, uniform, names, top),
            key="relaxed_means",
            alt=f"Bars: the mean of {relaxed.draws:,} relaxed samples at temperature {tau:g}, beside "
            f"the probability. {in_words(names, relaxed.mean, tally.probabilities)}. Uniform: {uniform:.3g}.",
        )


def in_words(names: tuple[str, ...], shares: np.ndarray, law: np.ndarray) -> str:
    """The first few bars beside their probabilities, for an alt text."""
    bars = [f"{name} {share:.3f} of {p:.3f}" for name, share, p in zip(names, shares, law, strict=True)]
    return ", ".join(bars[:6]) + (f", and {len(bars) - 6} more" if len(bars) > 6 else "")


def verdict(now: Count) -> None:
    """How good the counts are, and what the band is."""
    tally = now.tally
    bars = f"{tally.outside} of {len(tally.counts)} {'lies' if tally.outside == 1 else 'lie'} outside"
    st.markdown(
        f"**Total variation {tally.total_variation:.4f}**, {tally.fit.sentence} If the sampler is right, "
        "all bars lie inside the band in at least 95 % of repeats; "
        f"here {bars if tally.outside else 'all do'}."
        + ("" if now.done else f" Counting: {tally.draws:,} of {now.config.draws:,}.")
    )


def equation(config: ManyDrawsConfig, tally: Tally, relaxed: Relaxed, tau: float) -> None:
    """What the two pictures settle on, with the current numbers."""
    st.markdown("#### In numbers")
    # By symmetry the two agree where the open categories are equal.
    relation = "=" if len({config.logits[index] for index in config.live}) == 1 else r"\neq"
    st.latex(
        r"\begin{gathered} P(\arg\max = k) = \mathrm{softmax}(\ell)_k \\"
        rf"\mathrm{{softmax}}(\ell) = {tex_vector(tally.probabilities, most=3)} \\"
        rf"\text{{counted: }} {tex_vector(tally.frequencies, most=3)} \\[8pt]"
        r"\mathbb{E}\!\left[\mathrm{softmax}\!"
        rf"\left(\tfrac{{\ell + g}}{{{tex(tau)}}}\right)_k\right] {relation} \mathrm{{softmax}}(\ell)_k \\"
        rf"\text{{mean: }} {tex_vector(relaxed.mean, most=3)} \end{{gathered}}"
    )
    which = "the same draws" if relaxed.draws == config.draws else f"the first {relaxed.draws:,} of them"
    st.caption(
        f"The mean is of {which}, with a standard error of at most {relaxed.standard_error.max():.2g}. "
        f"As τ falls to 0 it comes to softmax(ℓ); as τ grows, to the uniform, 1/{len(config.live)} each."
    )


def samples(config: ManyDrawsConfig, relaxed: Relaxed, tau: float, names: tuple[str, ...]) -> None:
    st.markdown("#### The relaxed samples themselves")
    shown = len(relaxed.shown)
    figure(
        figures.samples_map(relaxed.shown, relaxed.winners, names),
        key="samples_map",
        alt=f"A heat map of {shown} relaxed samples at temperature {tau:g}, a column each, sorted by winner. "
        f"The winner's component is {relaxed.shown.max(-1).mean():.2f} on average.",
    )
    st.caption(
        "Each column is one draw, in full colour where its component is near 1. A large τ fades the columns; "
        "the blocks keep their widths, for no draw changes its winner."
    )
    category = category_input(len(names))
    exact = exact_marginal(config, tau, category)
    left, right = st.columns(2, gap="medium")
    with left:
        figure(
            figures.component_density(relaxed.largest, EDGES, "largest component"),
            key="largest",
            alt=f"The distribution of the largest component at temperature {tau:g}: mean "
            f"{relaxed.mean_largest:.3f}.",
        )
        st.caption(f"1 is a one-hot sample; it cannot be less than 1/{len(config.live)}.")
    with right:
        title = f"component of {names[category]}"
        figure(
            figures.component_density(relaxed.marginals[category], EDGES, title, exact),
            key="marginal",
            alt=f"The distribution of the component of {names[category]} at temperature {tau:g}: mean "
            f"{relaxed.mean[category]:.3f}" + (", with the exact density over it." if exact else "."),
        )
        st.caption(
            "The line is the exact density for two categories, the binary Concrete."
            if exact
            else "With two open categories, the exact density stands over it."
        )


def category_input(categories: int) -> int:
    """Which category's marginal is drawn, by index. A place beyond the last category shows the last."""
    st.number_input(
        "Component of category", 1, MAX_CATEGORIES, FIELDS["component"].default,
        key="component", bind="query-params", width=180,
    )  # fmt: skip
    place = int(st.session_state.component)
    if place > categories:
        st.caption(f"There are {categories} categories: the last is shown.")
    return min(place, categories) - 1


def table(tally: Tally, relaxed: Relaxed, names: tuple[str, ...]) -> Table:
    header = ["category", "probability", "count", "frequency", "band_low", "band_high", "relaxed_mean"]
    columns = (tally.probabilities, tally.counts, tally.frequencies, tally.low, tally.high, relaxed.mean)
    return header, list(zip(names, *(column.tolist() for column in columns), strict=True))


def samples_table(relaxed: Relaxed, names: tuple[str, ...]) -> Table:
    """The samples of the heat map, a row each. Typed names stay out of the header, which is not quoted."""
    header = ["winner", *(f"y_{place}" for place in range(1, len(names) + 1))]
    rows = zip(relaxed.winners.tolist(), np.round(relaxed.shown, 6).tolist(), strict=True)
    return header, [(names[winner], *sample) for winner, sample in rows]


st.title("Many draws, one law")
st.markdown(
    "One draw can be anything. Of many, the **argmax** of logits + noise settles on softmax(logits) at every "
    "τ, while the **mean of the relaxed samples** of the very same draws drifts to the uniform as τ grows."
)
lab(logits_input())
