"""The sentences follow the counts: the settings below are those at which a fixed sentence was false."""

import re
from dataclasses import replace

import numpy as np
import pytest

from gumbel_core.toy_argmax import ToyConfig
from gumbel_core.toy_shares import Outcome, Outcomes, outcomes
from pages.components import toy_verdicts as verdicts

DEFAULT = ToyConfig()


def made(share: float, mass: float) -> Outcomes:
    """Ten steps of a thousand seeds: at first none is close, and from the second on these are."""
    loss = np.where(np.arange(1_000) < 1_000 * share, 0.1, 1.0) * np.ones((10, 1))
    loss[0] = 1
    return Outcomes(loss, np.full((10, 1_000), mass), np.zeros((10, 1_000), dtype=np.int64))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, verdicts.BARE_AHEAD),
        ({"n": 7}, verdicts.NOISE_AHEAD),
        ({"n": 10}, verdicts.NOISE_AHEAD),
        ({"n": 20}, verdicts.TIE),
        ({"target": 2}, verdicts.SPLIT),
        ({"arrays": "fresh"}, verdicts.NEITHER),
        ({"learning_rate": 0.001}, verdicts.NEITHER),
        ({"learning_rate": 0.001, "target": 2}, verdicts.NEITHER),
    ],
)
def test_the_noise_is_judged_by_ten_steps_of_a_thousand_seeds(
    changes: dict[str, object], sentence: str
) -> None:
    config = replace(DEFAULT, **changes)  # type: ignore[arg-type]
    noisy, bare = (outcomes(replace(config, layer=layer)) for layer in ("gumbel_softmax", "softmax"))
    assert verdicts.noise_verdict(noisy, bare, config.n) == sentence


def test_the_measures_may_disagree_either_way() -> None:
    close, there = made(share=0.9, mass=0.3), made(share=0.5, mass=0.5)
    assert verdicts.noise_verdict(there, close, 5) == verdicts.SPLIT
    assert verdicts.noise_verdict(close, there, 5) == verdicts.SPLIT_AGAINST


def test_the_table_holds_share_and_probability() -> None:
    noisy, bare = (outcomes(replace(DEFAULT, layer=layer)) for layer in ("gumbel_softmax", "softmax"))
    table = verdicts.noise_table(noisy, bare).splitlines()
    third, tenth = (f"{at.share:.1%}, {at.on_target:.2f}" for at in (noisy.at(3), noisy.at(10)))
    assert table[2] == f"| with noise | {third} | {tenth} |"


@pytest.mark.parametrize(("n", "words"), [(2, "above it"), (5, "no better than naming one place")])
def test_fresh_arrays_against_chance(n: int, words: str) -> None:
    found = outcomes(replace(DEFAULT, n=n, arrays="fresh")).at(10)
    said = verdicts.fresh_verdict(found, 0.5, n)
    assert said.endswith(f"{words}.")
    assert f"{found.share:.1%} are within 0.5, against a chance of {1 / n:.1%}" in said


def test_a_share_a_little_above_chance_does_not_cry_wolf() -> None:
    """.23 of 1,000 is 2.4 standard errors above .2, .26 is 4.7."""
    assert "no better" in verdicts.fresh_verdict(Outcome(1_000, 230, 0.2), 0.5, 5)
    assert "above it" in verdicts.fresh_verdict(Outcome(1_000, 260, 0.2), 0.5, 5)


@pytest.mark.parametrize(
    ("share", "mass", "yes", "no"),
    [
        (900, 0.9, "Right:", "Most runs do:"),
        (900, 0.2, "So it seems, but look:", "Right, though it seems to:"),
        (200, 0.2, "Most runs here do not:", "Right:"),
    ],
)
def test_the_answers_follow_the_counts(share: int, mass: float, yes: str, no: str) -> None:
    answers = verdicts.question_answers(Outcome(1_000, share, mass), 4)
    assert answers["Yes"].startswith(yes)
    assert answers["No"].startswith(no)
    assert all(re.search(r"of 1,000 seeds .* in step 4,", answer) for answer in answers.values())
