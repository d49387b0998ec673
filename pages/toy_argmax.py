"""The smallest model in which argmax stops the gradient, played step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from gumbel_core.figures.toy_argmax import Curve, Race, race_figure, shares_figure
from gumbel_core.toy_argmax import (
    LAYERS,
    STEPS,
    Step,
    ToyConfig,
    train,
)
from gumbel_core.toy_shares import (
    AGAINST,
    LATER_STEPS,
    LEARNED,
    RUNS,
    TUTORIAL_STEPS,
    Outcomes,
    Shares,
    outcomes,
)
from gumbel_core.toy_update import update_of
from pages.components.code import download_csv, show_code
from pages.components.figure import figure
from pages.components.link import rerun_page
from pages.components.player import pack, player
from pages.components.toy_config import NOISELESS, config_input
from pages.components.toy_math import backward_equation, forward_equation, snippet, step_header, step_rows
from pages.components.words import question

TENSORFLOW_SAYS = "No gradients provided for any variable"
TRAP = ToyConfig(layer=NOISELESS, target=2)
AXES: Mapping[str, str] = {
    "temperature": "temperature τ",
    "n": "length n of the array",
    "target": "place of the maximum",
    "step": "step",
}
COUNTED: Mapping[str, str] = {
    "temperature": f" at each point, after step {TUTORIAL_STEPS}",
    "n": f" at each point, after step {TUTORIAL_STEPS}",
    "target": f" split by where the shuffle put the maximum, after step {TUTORIAL_STEPS}",
    "step": "",
}
CURVES: Mapping[str, str] = {"gumbel_softmax": "with noise", NOISELESS: "no noise"}


# Runs are shared and never changed: what nobody mutates need not be copied.
@st.cache_resource(max_entries=32, show_spinner=False)
def run_of(config: ToyConfig) -> tuple[Step, ...]:
    return tuple(train(config))


@st.cache_data(max_entries=32, show_spinner=False)
def packed_run(config: ToyConfig) -> str:
    return pack(run_of(config), noisy=config.layer != NOISELESS)


@st.cache_data(max_entries=64, show_spinner=False)
def shares_of(against: str, config: ToyConfig) -> Shares:
    return AGAINST[against](config)


@st.cache_data(max_entries=64, show_spinner=False)
def outcomes_of(config: ToyConfig) -> Outcomes:
    return outcomes(config)


def opening() -> None:
    st.title("Argmax stops the gradient")
    st.markdown(
        "Find the place of the largest number in a shuffled array: one linear layer, one sampling layer, "
        "one loss. With argmax as its sampling layer nothing comes back to learn from; relaxed, "
        "three steps are often enough."
    )


@st.fragment
def lab(config: ToyConfig) -> None:
    """The player, and below it the numbers of the step at which it rests."""
    run = run_of(config)
    picture, beside = st.container(), st.container()
    at = step_input(len(run))
    with picture:
        player(packed_run(config), at)
    with beside:
        if refusal := run[-1].refusal:
            refused(refusal)
        without_noise(config)
    equation(config, run, at)


def step_input(steps: int) -> int:
    """The player's other face: a step of the run, counted from 1. One beyond the end is the last."""
    st.markdown("#### The step in numbers")
    state = st.session_state
    if "step" in state:
        state.step = min(int(state.step), steps)
    st.number_input("Step", *STEPS, 1, step=1, key="step", bind="query-params", width=120)
    if state.step > steps:
        rerun_page()
    return int(state.step)


def refused(refusal: str) -> None:
    """What the libraries say of a gradient that does not come."""
    ours, theirs = st.columns(2, gap="large")
    with ours:
        st.markdown("**PyTorch says**, of this run:")
        st.code(refusal, language=None, wrap_lines=True)
        st.caption("The one-hot is made from an index, and an index has no slope: the loss hangs on nothing.")
    with theirs:
        st.markdown("**TensorFlow says**, in the tutorial:")
        st.code(TENSORFLOW_SAYS, language=None, wrap_lines=True)
        st.caption("The same absence, seen from the weights: the optimiser has nothing to move them with.")


def without_noise(config: ToyConfig) -> None:
    """A prediction to make, and what this page's own runs answer."""
    bare = run_of(replace(config, layer=NOISELESS))
    at = min(TUTORIAL_STEPS, len(bare))
    step, last = bare[at - 1], bare[-1]
    measured = (
        f"without noise it predicts {step.prediction.item():.2f} in step {at} and "
        f"{last.prediction.item():.2f} in step {len(bare)}, where the target is {int(last.target)}, with "
        f"{last.on_target.item():.2f} of the sample on the target"
    )
    close, sure = last.loss.item() < LEARNED, last.on_target.item() > LEARNED
    yes = "Right" if close and sure else "So it seems, but look" if close else "Not this time"
    question(
        "Take the noise away and keep the softmax. Does it still learn?",
        {
            "Yes": f"{yes}: {measured}.",
            "No, it needs the noise": f"{'It does' if close and sure else 'Here it fails'}: {measured}.",
        },
        key="toy_question",
    )


def equation(config: ToyConfig, run: Sequence[Step], at: int) -> None:
    """The step's forward pass, and one weight's way back."""
    step = run[at - 1]
    forward, backward = st.columns(2, gap="large")
    with forward:
        st.latex(forward_equation(config, step))
    with backward:
        if now := update_of(run, at, config.learning_rate):
            st.latex(backward_equation(config, now, int(step.target)))
            st.caption("One weight: from the array's maximum to the target's own logit.")
        else:
            st.latex(r"\frac{\partial L}{\partial W} = \text{none}")
            st.caption("Nothing came back, so nothing moves: the run ends here.")
    with st.container(horizontal=True):
        download_csv("toy_steps", step_header(config.n), step_rows(run))
    show_code(snippet(config))


def race(config: ToyConfig) -> None:
    st.markdown("#### The race")
    runs = {layer: run_of(replace(config, layer=layer)) for layer in LAYERS}
    longest = max(runs.values(), key=len)
    targets = [int(step.target) for step in longest]
    figure(
        race_figure({layer: race_of(layer, run) for layer, run in runs.items()}, targets, config.n),
        key="race",
        alt="Prediction and loss against steps. "
        + " ".join(
            f"{layer} ends after {len(run)} {'steps' if len(run) > 1 else 'step'} at "
            f"{run[-1].prediction.item():.2f}, loss {run[-1].loss.item():.2f}."
            for layer, run in runs.items()
        ),
    )
    words, download = st.columns([5, 1])
    words.caption(
        "All four start from the same array, the same zeros and the same noise. "
        "Argmax stops where it starts: no gradient comes back."
    )
    with download:
        rows = [
            (layer, number, step.prediction.item(), step.loss.item())
            for layer, run in runs.items()
            for number, step in enumerate(run, start=1)
        ]
        download_csv("toy_race", ["layer", "step", "prediction", "loss"], rows)


def race_of(layer: str, run: Sequence[Step]) -> Race:
    predictions, losses = ([getattr(step, name).item() for step in run] for name in ("prediction", "loss"))
    return Race(layer, predictions, losses, stopped=run[-1].refusal is not None)


@st.fragment
def often(config: ToyConfig) -> None:
    st.markdown("#### How often are three steps enough?")
    against = st.segmented_control(
        "Against", list(AGAINST), default=next(iter(AGAINST)), required=True, key="against",
        bind="query-params",
    )  # fmt: skip
    # The seeds are the count's own, and so are its steps.
    every = replace(config, seed=0, steps=LATER_STEPS)
    found = {layer: shares_of(against, replace(every, layer=layer)) for layer in CURVES}
    x = found[NOISELESS].x.tolist()
    curves = [_curve(CURVES[layer], shares) for layer, shares in found.items()]
    figure(
        shares_figure(x, AXES[against], curves, log_x=against == "temperature"),
        key="shares",
        alt=f"Of {RUNS:,} seeds the share within {LEARNED:g} of the target against the {AXES[against]}. "
        + " ".join(
            f"{curve.title}: {curve.share[0]:.2f} at {x[0]:g}, {curve.share[-1]:.2f} at {x[-1]:g}."
            for curve in curves
        ),
    )
    words, download = st.columns([5, 1])
    words.caption(
        f"{RUNS:,} seeds{COUNTED[against]}, the band a 95 % interval. Dashed: the probability that the "
        "sample puts on the target, because a prediction can come close as a mean of wrong places."
    )
    with download:
        download_csv("toy_shares", ["layer", against, "share", "low", "high", "on_target"], _rows(found))
    st.markdown(lessons(every))


def lessons(config: ToyConfig) -> str:
    """What a thousand seeds say: of the noise, the trap and fresh arrays, each with its measured numbers."""
    noisy, bare = (outcomes_of(replace(config, layer=layer)).at(TUTORIAL_STEPS) for layer in CURVES)
    trap = outcomes_of(TRAP).at(LATER_STEPS)
    fresh = outcomes_of(replace(config, layer="gumbel_softmax", arrays="fresh")).at(LATER_STEPS)
    beyond = (
        "More than chance: in so short an array it begins to find the maximum, wherever it stands."
        if fresh.interval[0] > 1 / config.n
        else "What it learns on a fixed array is one answer, and not to find a maximum."
    )
    return (
        f"- **The noise.** Within {LEARNED:g} of the target after three steps: {noisy.share:.1%} of the "
        f"seeds with noise, {bare.share:.1%} without. Here the noise gives a fair draw and nothing else; the "
        "softmax does the learning. It is needed where the sample itself must be random: a latent variable "
        "that is drawn, as in the next lessons.\n"
        f"- **The trap.** No noise, five places, the target in the middle: the uniform start predicts "
        f"exactly 2, so the loss and the gradient are 0. {trap.share:.0%} of the seeds count as learned, and "
        f"the probability on the target stays at {trap.on_target:.2f}.\n"
        f"- **Fresh arrays.** With a new shuffle each step, {fresh.share:.1%} are within {LEARNED:g} at step "
        f"{LATER_STEPS}, with {fresh.on_target:.2f} on the target; one place in {config.n} is "
        f"{1 / config.n:.2f}. {beyond}"
    )


def _curve(title: str, shares: Shares) -> Curve:
    return Curve(title, *(getattr(shares, name).tolist() for name in ("share", "low", "high", "on_target")))


def _rows(found: Mapping[str, Shares]) -> list[tuple[object, ...]]:
    names = ("x", "share", "low", "high", "on_target")
    return [
        (layer, *point)
        for layer, shares in found.items()
        for point in zip(*(getattr(shares, name).tolist() for name in names), strict=True)
    ]


opening()
config = config_input()
lab(config)
race(config)
often(config)
