"""The smallest model in which argmax stops the gradient, played step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from pages.components.link import FIELDS, rerun_page
from pages.components.player import pack, player, send_run
from pages.components.toy_config import NOISELESS, config_input
from pages.components.toy_math import backward_equation, forward_equation, snippet, step_header, step_rows
from pages.components.toy_verdicts import (
    fresh_verdict,
    noise_table,
    noise_verdict,
    question_answers,
    question_prompt,
)
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
# What a count does not read of the config: the field that it sweeps, and a target that it drops.
UNREAD: Mapping[str, Mapping[str, Any]] = {
    "temperature": {"temperature": ToyConfig.temperature},
    "n": {"n": ToyConfig.n, "target": None},
    "target": {"target": None},
    "step": {},
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


def counted(config: ToyConfig) -> ToyConfig:
    """The config of a count: the seeds are its own, and so are its steps."""
    return replace(config, seed=0, steps=LATER_STEPS)


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
        player(repr(config), packed_run(config), at)
    with beside:
        if refusal := run[-1].refusal:
            refused(refusal)
        without_noise(config)
    equation(config, run, at)


def step_input(steps: int) -> int:
    """The player's other face: a step of the run, counted from 1. A link's beyond the end is the last."""
    st.markdown("#### The step in numbers")
    state = st.session_state
    if "step" not in state and linked_step() > steps:
        # Before its field exists the link can be put right, and so can the address.
        st.query_params["step"] = str(steps)
        state["_beyond"] = True
        rerun_page()
    if "step" in state:
        state.step = min(int(state.step), steps)
    if state.pop("_beyond", False):
        st.info(f"This run has {steps} {'steps' if steps > 1 else 'step'}: its last is shown.")
    st.number_input("Step", STEPS[0], steps, 1, step=1, key="step", bind="query-params", width=120)
    return int(state.step)


def linked_step() -> int:
    """A link's step before its field exists."""
    asked = st.query_params.get("step", "1")
    try:
        FIELDS["step"].check(asked)
    except ValueError:
        return STEPS[0]
    return int(float(asked))


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
    """A prediction to make, and what a thousand seeds of this setting answer. One step teaches nothing."""
    if config.steps == 1:
        return
    at = min(config.steps, LATER_STEPS)
    bare = outcomes_of(replace(counted(config), layer=NOISELESS)).at(at)
    question(question_prompt(config.layer), question_answers(bare, at), key="toy_question")


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
        race_figure({layer: race_of(run) for layer, run in runs.items()}, targets, config.n),
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
        "All four start from the same array and zeros. Softmax uses no noise; the others share theirs. "
        "Argmax stops where it starts: no gradient comes back."
    )
    with download:
        rows = [
            (layer, number, step.prediction.item(), step.loss.item())
            for layer, run in runs.items()
            for number, step in enumerate(run, start=1)
        ]
        download_csv("toy_race", ["layer", "step", "prediction", "loss"], rows)


def race_of(run: Sequence[Step]) -> Race:
    predictions, losses = ([getattr(step, name).item() for step in run] for name in ("prediction", "loss"))
    return Race(predictions, losses, stopped=run[-1].refusal is not None)


@st.fragment
def often(config: ToyConfig) -> None:
    st.markdown("#### How often are three steps enough?")
    against = st.segmented_control(
        "Against", list(AGAINST), default=next(iter(AGAINST)), required=True, key="against",
        bind="query-params",
    )  # fmt: skip
    every = counted(config)
    swept = replace(every, **UNREAD[against])
    found = {layer: shares_of(against, replace(swept, layer=layer)) for layer in CURVES}
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
    dropped = config.target is not None and "target" in UNREAD[against]
    words.caption(
        f"{RUNS:,} seeds{COUNTED[against]}, the band a 95 % interval. Dashed: the probability that the "
        "sample puts on the target, because a prediction can come close as a mean of wrong places."
        + (" The target that you set is left to the shuffle here." if dropped else "")
    )
    with download:
        download_csv("toy_shares", ["layer", against, "share", "low", "high", "on_target"], _rows(found))
    st.markdown(lessons(every))


def lessons(config: ToyConfig) -> str:
    """What a thousand seeds say: of the noise, the trap and fresh arrays, each with its measured numbers."""
    noisy, bare = (outcomes_of(replace(config, layer=layer)) for layer in CURVES)
    trap = outcomes_of(TRAP).at(LATER_STEPS)
    # A target that never moves could be named without a look at the array.
    shuffled = replace(config, layer="gumbel_softmax", arrays="fresh", target=None)
    fresh = outcomes_of(shuffled).at(LATER_STEPS)
    verdict = noise_verdict(noisy, bare, config.n)
    return (
        f"{noise_table(noisy, bare)}\n\n"
        f"- **The noise.** {verdict} Where the sample itself must be random, it is needed: "
        "a latent variable that is drawn, as in the next lessons.\n"
        f"- **The trap.** No noise, five places, the target in the middle: the uniform start predicts "
        f"exactly 2, so the loss and the gradient are 0. {trap.share:.0%} of the seeds count as learned, and "
        f"the probability on the target stays at {trap.on_target:.2f}.\n"
        f"- **Fresh arrays.** {fresh_verdict(fresh, config.learning_rate, config.n)}"
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
send_run()
lab(config)
race(config)
often(config)
