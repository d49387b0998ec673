"""A run in words: a sentence for every phase, curves by their names, and only what compares is compared."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gumbel_core.runs import Earlier
from gumbel_core.vae.live import LOSSES, Phase, Snapshot
from gumbel_core.vae.objective import Terms
from gumbel_core.vae.records import EpochSummary
from gumbel_core.vae.settings import Setting, setting_of
from pages.components.vae_view import comparable, losses_alt, losses_of, progress, published, title_of

CONFIG = Setting(epochs=3).config()
# In the order of `LOSSES`.
ROWS = [[30.0, 20.5, 22.5, 1.5, 0.75, 9.0, 1_000.0], [60.0, 18.25, 19.25, 2.0, 0.5, 8.0, 2_000.0]]


def epoch(number: int, total: float) -> EpochSummary:
    return EpochSummary(number, 30 * number, 0.5, Terms(1.0, 1.0), None, Terms(total - 1, 1.0), 100.0)


SNAPSHOT = Snapshot(
    phase=Phase.TRAINING,
    place=0,
    message="",
    step=60,
    steps=9_000,
    seconds_left=None,
    record=None,
    losses=np.array(ROWS),
    epochs=(epoch(1, 25.0), epoch(2, 23.0)),
    frames=(),
)
EMPTY = replace(SNAPSHOT, step=0, losses=np.empty((0, len(LOSSES))), epochs=())


def said(**changes: Any) -> str:
    return progress(replace(SNAPSHOT, **changes), CONFIG, 2)


SENTENCES = {
    Phase.QUEUED: "2 runs train here at a time. This one is third in the line.",
    Phase.PREPARING: "Reading the images.",
    Phase.TRAINING: "Epoch 3 of 3, step 60 of 9,000. 2,000 images a second.",
    Phase.PAUSED: "Paused at step 60 of 9,000.",
    Phase.STOPPED: "Stopped at step 60 of 9,000. What it has learned is kept.",
    Phase.ABANDONED: (
        "Ended at step 60 of 9,000, because nobody watched it any more. What it has learned is kept."
    ),
    Phase.FAILED: "The disk has gone.",
    Phase.DONE: "Done: 9,000 steps.",
}


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_its_sentence(phase: Phase) -> None:
    message = "The disk has gone." if phase == Phase.FAILED else ""
    place = 3 if phase == Phase.QUEUED else 0
    assert said(phase=phase, message=message, place=place) == SENTENCES[phase]


@pytest.mark.parametrize(("place", "told"), [(1, "first"), (2, "second"), (4, "number 4"), (21, "number 21")])
def test_the_place_in_the_line(place: int, told: str) -> None:
    assert f"This one is {told} in the line." in said(phase=Phase.QUEUED, place=place)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, ", 0 s left."), (59.4, ", 59 s left."), (59.6, ", 1 min 0 s left."),
        (3_725.0, ", 62 min 5 s left."),
    ],
)  # fmt: skip
def test_the_time_that_is_left(seconds: float, told: str) -> None:
    assert told in said(seconds_left=seconds)
    assert "left" not in said(seconds_left=None)


@pytest.mark.parametrize(("done", "told"), [(0, "Epoch 1 of 3"), (2, "Epoch 3 of 3"), (3, "Epoch 3 of 3")])
def test_the_epoch_is_the_one_under_way(done: int, told: str) -> None:
    assert said(epochs=(epoch(1, 25.0),) * done).startswith(f"{told}, ")


def test_the_speed_is_the_last_tenths_at_two_digits() -> None:
    rows = np.tile(ROWS[0], (20, 1))
    rows[:, LOSSES.index("images_per_second")] = [1.0] * 18 + [12_000.0, 12_900.0]
    assert said(losses=rows).endswith(". 12,000 images a second.")
    rows[-1, LOSSES.index("images_per_second")] = 13_100.0
    assert said(losses=rows).endswith(". 13,000 images a second.")
    assert said(losses=rows[:0]) == "Epoch 3 of 3, step 60 of 9,000."


def test_the_curves_are_the_columns_of_their_names() -> None:
    curves = losses_of(SNAPSHOT)
    assert curves.step.tolist() == [30, 60]
    assert curves.relaxed_total.tolist() == [22, 20.25]
    assert curves.hard_total.tolist() == [24, 21.25]
    assert curves.kl.tolist() == [1.5, 2]
    assert curves.temperature.tolist() == [0.75, 0.5]
    assert (curves.test_step, curves.test) == ([30, 60], [25, 23])


def test_the_main_picture_in_words() -> None:
    assert losses_alt(SNAPSHOT).endswith(
        "At step 60: relaxed 20.2, hard 21.2, test after epoch 2: 23.0, temperature 0.5."
    )
    assert losses_alt(replace(SNAPSHOT, epochs=())).endswith("relaxed 20.2, hard 21.2, temperature 0.5.")
    unhard = SNAPSHOT.losses.copy()
    unhard[-1, LOSSES.index("hard_reconstruction")] = np.nan
    assert losses_alt(replace(SNAPSHOT, losses=unhard)).endswith(
        "At step 60: relaxed 20.2, test after epoch 2: 23.0, temperature 0.5."
    )
    assert "nothing yet" in losses_alt(EMPTY)


def earlier(number: int, setting: Setting) -> Earlier:
    return Earlier(number, title_of(setting), setting.config(), SNAPSHOT)


def test_only_losses_of_the_same_pixels_are_compared() -> None:
    runs = [
        earlier(1, setting_of("small", "digits")),
        earlier(2, setting_of("small", "mnist")),
        earlier(3, setting_of("jang2017", "digits")),  # bits
        earlier(4, setting_of("notebook", "digits")),
        earlier(5, setting_of("jang2017", "mnist")),
    ]
    assert list(comparable(runs, CONFIG)) == ["1. small on digits", "4. notebook on digits"]
    bits = setting_of("jang2017", "mnist").config()
    assert list(comparable(runs, bits)) == ["5. jang2017 on mnist"]
    assert comparable(runs, CONFIG)["1. small on digits"].test == [25, 23]


NOTEBOOK = setting_of("notebook", "mnist")


@pytest.mark.parametrize("seed", [0, 12])
def test_the_tutorials_losses_stand_beside_its_own_run(seed: int) -> None:
    # An epoch is 600 steps of 100 of MNIST's 60,000 images; the notebook prints these three.
    assert published(replace(NOTEBOOK, seed=seed).config()) == {
        "the notebook's": ([600, 3_000, 6_000], [178.96, 135.59, 126.71])
    }


@pytest.mark.parametrize(
    "setting",
    [
        Setting(),
        *(setting_of(recipe, "mnist") for recipe in ("guide", "jang2017", "binary", "best", "small", "long")),
        *(setting_of("notebook", dataset) for dataset in ("digits", "fashion_mnist", "kmnist")),
        *(
            replace(NOTEBOOK, **change)
            for change in (
                {"latents": 29}, {"categories": 11}, {"way": "reinmax"}, {"start": 0.9}, {"epochs": 11},
                {"schedule": "geometric"}, {"learning_rate": 2e-3}, {"batch": 50},
            )
        ),
    ],
)  # fmt: skip
def test_no_other_run_has_published_losses(setting: Setting) -> None:
    assert published(setting.config()) == {}


@pytest.mark.parametrize(
    ("setting", "title"),
    [
        (Setting(), "small on digits"),
        (setting_of("guide", "mnist"), "guide on mnist"),
        (Setting(seed=3, start=0.5), "small on digits, start 0.5, seed 3"),
        (
            replace(NOTEBOOK, learning_rate=1e-5, way="reinmax"),
            "notebook on mnist, way reinmax, learning_rate 1e-05",
        ),
    ],
)
def test_a_runs_title_says_what_it_changes(setting: Setting, title: str) -> None:
    assert title_of(setting) == title
