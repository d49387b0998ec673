"""The training page's words: a prediction, the loss with its current numbers, the code."""

import json
from collections.abc import Mapping
from dataclasses import fields

import streamlit as st

from gumbel_core.vae.live import Snapshot
from gumbel_core.vae.records import EpochSummary
from gumbel_core.vae.settings import Setting
from pages.components.words import question

TRAP = (
    "A soft code is a mixture, which tells the decoder more than one category could; the hard loss ends "
    "higher than in any other run here. See it with “τ large”."
)


# What a hard loss bounds, by what the pixels are.
BITS = "$-\\log p(x)$"
BOUNDED: Mapping[str, str] = {
    "grey": "the mean $-\\log p$ of black-and-white images, drawn with $x$'s greys as probabilities",
    "dynamic": BITS,
    "fixed": BITS,
}


def predict() -> None:
    question(
        "A run keeps τ at 10 from its first step to its last. Beside a run whose τ falls, where does its "
        "relaxed loss end?",
        {
            "lower": f"Yes, and that is the trap. {TRAP}",
            "higher": f"Lower, in fact. {TRAP}",
            "at the same": f"Lower, in fact. {TRAP}",
        },
        key="vae_question",
    )


def bound(snapshot: Snapshot, pixels: str) -> None:
    """The loss with its current numbers, and which of its two curves is a bound."""
    if not snapshot.epochs:
        return
    epoch = snapshot.epochs[-1]
    left, right = st.columns([3, 2], gap="large")
    with left:
        # In two rows, for a phone.
        st.latex(
            r"\begin{gathered}"
            r"\mathbb{E}_{q(z|x)}[-\log p(x|z)] + \textstyle\sum_n \mathrm{KL}(q_n \,\|\, p_n) \\"
            rf"\underbrace{{{epoch.test.reconstruction:.2f}}}_{{\text{{reconstruction}}}} +"
            rf"\underbrace{{{epoch.test.kl:.2f}}}_{{\text{{KL}}}} = {epoch.test.total:.2f}\ \text{{nats}}"
            r"\end{gathered}"
        )
        st.caption(f"On the test images after epoch {epoch.epoch}, with one-hot samples.")
    right.markdown(
        f"**Is the relaxed loss a bound?** No. The hard one bounds {BOUNDED[pixels]}: its $z$ is a code that "
        "the prior knows. A relaxed $z$ is none, while its KL is still that of categories. The shaded gap is "
        f"what the relaxation hides{_gap(epoch)}."
    )


def _gap(epoch: EpochSummary) -> str:
    if epoch.hard is None:
        return ""
    gap = epoch.hard.total - epoch.relaxed.total
    if gap == 0:
        return f"; in epoch {epoch.epoch} there is none, for its samples were hard"
    return f": {gap:.2f} nats in epoch {epoch.epoch}"


def snippet(setting: Setting) -> str:
    """The run that Start would begin, headless: it ends with the same bits."""
    names = [field.name for field in fields(Setting)]
    chosen = [name for name in names if getattr(setting, name) != getattr(Setting, name)]
    arguments = ", ".join(f"{name}={json.dumps(getattr(setting, name))}" for name in chosen)
    return f"""import torch

from gumbel_core.datasets import load
from gumbel_core.vae.settings import Setting
from gumbel_core.vae.training import Training

torch.set_num_threads(1)  # as the page trains
setting = Setting({arguments})
training = Training(setting.config(), load(setting.dataset, download=True))
for record in training.records():
    pass
for epoch in training.history:
    print(f"epoch {{epoch.epoch}}: hard test loss {{epoch.test.total:.4f}} nats")
"""
