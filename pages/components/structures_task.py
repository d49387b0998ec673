"""A task that trains while one looks: a few steps at each run of its fragment, until it is done."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import streamlit as st
from streamlit.errors import StreamlitAPIException

from gumbel_core.figures.structures import task_figure
from gumbel_core.structures.tasks import TEMPERATURES, TaskConfig, TaskStep, train
from pages.components.code import download_csv
from pages.components.figure import figure
from pages.components.link import rerun_page

# Seconds of training between two pictures: short enough to look alive, and to let others in.
STRIDE = 0.25


@dataclass
class Run:
    """A session's own run, as far as it has come."""

    config: TaskConfig
    steps: list[TaskStep] = field(default_factory=list)
    coming: Iterator[TaskStep] = field(init=False)

    def __post_init__(self) -> None:
        self.coming = train(self.config)

    @property
    def done(self) -> bool:
        return len(self.steps) == self.config.steps

    def advance(self) -> None:
        """Train for a moment."""
        end = time.monotonic() + STRIDE
        while not self.done and time.monotonic() < end:
            self.steps.append(next(self.coming))


@st.fragment
def task_panel(task: str, title: str, words: str, tau: float, seed: int) -> None:
    """A task's words, its button, and its run so far. A run stays as it is until another is asked for."""
    st.markdown(f"**{title}** {words}")
    asked = TaskConfig(task, min(max(tau, TEMPERATURES[0]), TEMPERATURES[1]), seed=seed)
    key = f"_task_{task}"
    run: Run | None = st.session_state.get(key)
    label = "Train" if run is None else "Train again"
    if st.button(label, icon=":material/play_arrow:", key=f"train_{task}"):
        run = st.session_state[key] = Run(asked)
    if run is None:
        return
    run.advance()
    draw_run(run)
    if not run.done:
        go_on()


def draw_run(run: Run) -> None:
    relaxed, hard, right = (
        [getattr(step, name) for step in run.steps] for name in ("relaxed", "hard", "right")
    )
    config, last = run.config, run.steps[-1]
    state = "solved" if last.right == 1 else f"{last.right:.0%} of it is right"
    figure(
        task_figure(relaxed, hard, right),
        key=f"task_{config.task}",
        alt=f"Loss against steps, relaxed and hard, at tau {config.temperature:g} with seed {config.seed}: "
        f"after {len(run.steps)} of {config.steps} steps {last.relaxed:.3g} and {last.hard:.3g}; {state}.",
    )
    words, download = st.columns([5, 1])
    words.caption(
        f"Step {len(run.steps)} of {config.steps}, τ = {config.temperature:g}, seed {config.seed}: {state}. "
        "The relaxed loss is what is trained; the hard one, of the same noise, is what is wanted."
    )
    with download:
        rows = [(number, *row) for number, row in enumerate(zip(relaxed, hard, right, strict=True), start=1)]
        download_csv(f"task_{config.task}", ["step", "relaxed", "hard", "right"], rows)


def go_on() -> None:
    """Run the fragment again. Between two runs a visitor's move comes first."""
    try:
        st.rerun(scope="fragment")
    except StreamlitAPIException:  # this was a run of the whole page
        rerun_page()
