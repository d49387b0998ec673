"""One draw: from logits to a one-hot sample that carries a gradient."""

import streamlit as st

from gumbel_core.draw import Draw, DrawConfig, draw, parse_edits
from gumbel_core.figures.staircase import staircase
from gumbel_core.logits import format_numbers
from pages.components.code import download_csv, show_code
from pages.components.controls import Typed, logits_input, seed_input, temperature_input
from pages.components.figure import figure
from pages.components.link import FORWARDS
from pages.components.scrub import draw_scrub
from pages.components.words import Cases, plain, question, tex, tex_vector, words_that_set

SNIPPET = """\
import torch
from gumbel_core import gumbel_max, gumbel_noise, gumbel_softmax

logits = torch.tensor([{logits}], dtype=torch.float64, requires_grad=True)
noise = gumbel_noise(logits.shape, generator=torch.Generator().manual_seed({seed}), dtype=torch.float64)
{edits}relaxed = gumbel_softmax(logits, {temperature}, noise=noise)
winner = gumbel_max(logits, noise=noise)
(gradient,) = torch.autograd.grad(relaxed[winner], logits)

print("relaxed: ", [round(y, 4) for y in relaxed.tolist()])
print("winner:  ", winner.item())
print("gradient:", [round(d, 4) for d in gradient.tolist()])
"""

CASES: Cases = {
    "τ = 0.1, all but one-hot": {"tau": 0.1},
    "τ = 10, all alike": {"tau": 10.0},
    "τ = 0.01, no slope left": {"tau": 0.01},
    "one-hot forward, slope backward": {"forward": FORWARDS[1]},
}


def snippet(config: DrawConfig) -> str:
    logits = format_numbers(config.logits).replace("-inf", "-torch.inf")
    edits = "".join(f"noise[{index}] = {value}\n" for index, value in sorted(config.edits.items()))
    return SNIPPET.format(logits=logits, seed=config.seed, edits=edits, temperature=config.temperature)


def opening() -> None:
    st.title("One draw that can learn")
    words, picture = st.columns([5, 4], vertical_alignment="center", gap="large")
    with words:
        st.markdown(
            "A network that must **choose** (a token, a gate, an action) takes an argmax, and an argmax is a "
            "staircase: flat almost everywhere, so no gradient says which way to go.  \n"
            "Gumbel-Softmax draws the same choice at random, and a temperature τ softens it into a slope."
        )
    with picture:
        figure(
            staircase(),
            key="staircase",
            alt="A choice between two against a logit: argmax is flat with one jump, softmax slopes.",
        )


def read_edits(categories: int) -> dict[int, float]:
    """The edited noise of the bound text. What cannot be read is told there, and the last good edits stay."""
    try:
        edits = parse_edits(st.session_state.edits, categories)
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        last_good: dict[int, float] = st.session_state.get("_edits", {})
        return {index: value for index, value in last_good.items() if index < categories}
    st.session_state["_edits"] = edits
    return edits


@st.fragment
def lab(typed: Typed) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        tau = temperature_input()
        seed = seed_input()
        st.button(
            "Same noise",
            icon=":material/undo:",
            on_click=forget_edits,
            help="The seed's own noise: edits undone.",
        )
        st.segmented_control(
            "Goes forward", FORWARDS, default=FORWARDS[0], required=True, key="forward", bind="query-params"
        )
    picture = st.container()
    st.text_input(
        "Edited noise",
        key="edits",
        bind="query-params",
        placeholder="2: 1.35; 3: -0.2",
        help="A category's place and its noise. Dragging a bar of the second row writes it here.",
    )
    config = DrawConfig(typed.logits, tau, seed, read_edits(len(typed.logits)))
    now = draw(config)
    with picture:
        draw_scrub(now, typed.names, config, hard=st.session_state.forward == FORWARDS[1])
    words_that_set(CASES)
    question(
        "Drag τ from 10 down to .1. Does another category win on the way?",
        {
            "Yes, at some τ": "Watch the row argmax: it rests. τ divides all alike, so their order stays.",
            "No, never": "Right. τ divides all alike, so their order stays; only the noise can change it.",
        },
        key="sampling_question",
    )
    equation(config, now, typed.names)
    with st.container(horizontal=True):
        download_csv(
            "one_draw",
            ["category", "logit", "noise", "perturbed", "relaxed", "one_hot"],
            table(now, typed.names),
        )
    show_code(snippet(config))


def forget_edits() -> None:
    st.session_state.edits = ""


def table(now: Draw, names: tuple[str, ...]) -> list[tuple[object, ...]]:
    columns = (now.logits, now.noise, now.perturbed, now.relaxed)
    one_hot = [int(index == now.winner) for index in range(len(names))]
    return list(zip(names, *(column.tolist() for column in columns), one_hot, strict=True))


def equation(config: DrawConfig, now: Draw, names: tuple[str, ...]) -> None:
    """The relaxed sample and the gradient it carries, with the numbers of this draw."""
    st.markdown("#### In numbers")
    tau = tex(config.temperature)
    y, slope = now.relaxed[now.winner].item(), now.gradient[now.winner].item()
    rest = sum(value for index, value in enumerate(now.relaxed.tolist()) if index != now.winner)
    st.latex(
        rf"""\begin{{aligned}}
        y &= \mathrm{{softmax}}\bigl((\ell + g)\,/\,\tau\bigr) \\
          &= \mathrm{{softmax}}\bigl({tex_vector(now.perturbed.tolist())}\,/\,{tau}\bigr) \\
          &= {tex_vector(now.relaxed.tolist())} \\[8pt]
        \frac{{\partial y_w}}{{\partial \ell_w}} &= \frac{{y_w\,(1 - y_w)}}{{\tau}}
           = \frac{{{tex(y)} \cdot {tex(rest)}}}{{{tau}}} = {tex(slope)}
        \end{{aligned}}"""
    )
    st.caption(
        f"The winner w is {plain(names[now.winner])}. Straight-through sends the one-hot forward "
        "and this same slope back."
    )
    if slope < 1e-6 and len(names) > 1:
        st.caption("The sample is all but one-hot and its slope all but gone: a τ too small stops learning.")


opening()
lab(logits_input())
