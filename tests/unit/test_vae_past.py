"""Runs that are over: their picture is what their history says, and a longer one stands where they stood."""

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from gumbel_core.datasets import load
from gumbel_core.schedules import Geometric
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LOSSES, Phase
from gumbel_core.vae.model import CategoricalVAE, ModelConfig
from gumbel_core.vae.past import longer, snapshot_of
from gumbel_core.vae.settings import EPOCHS
from gumbel_core.vae.training import Training, TrainingState
from gumbel_core.vae.views import SHOWN, frame_of

DIGITS = load("digits")
FEW = replace(DIGITS, train=DIGITS.train[:200], test=DIGITS.test[:20])
IMAGES = FEW.test.float() / 255
EPOCH_STEPS = 4
CONFIG = TrainConfig(
    model=ModelConfig(
        pixels=64, encoder=(16,), decoder=(16,), latents=4, categories=3, normalisation="batch"
    ),
    temperature=Geometric(1.0, 0.25),
    batch=50,
    epochs=3,
)

Trained = Callable[..., TrainingState]


@pytest.fixture(scope="module")
def trained() -> Trained:
    def trained(steps: int, *, hard: bool = True) -> TrainingState:
        """What `CONFIG` has learned after that many steps."""
        training = Training(CONFIG, FEW, hard=hard)
        records = training.records()
        while training.step < steps:
            next(records)
        return training.state()

    return trained


def model_of(state: TrainingState) -> CategoricalVAE:
    model = CategoricalVAE(state.config.model)
    model.load_state_dict(state.model)
    return model


def test_a_run_that_is_done_is_shown_by_its_history(trained: Trained) -> None:
    state = trained(12)
    shown = snapshot_of(state, model_of(state), IMAGES)
    assert (shown.phase, shown.step, shown.steps, shown.place, shown.message) == (Phase.DONE, 12, 12, 0, "")
    assert (shown.seconds_left, shown.record) == (None, None)
    assert list(shown.epochs) == state.history
    column = dict(zip(LOSSES, shown.losses.T, strict=True))
    assert column["step"].tolist() == [4, 8, 12]
    for place, epoch in enumerate(state.history):
        assert epoch.hard
        assert column["reconstruction"][place] + column["kl"][place] == pytest.approx(epoch.relaxed.total)
        assert column["hard_reconstruction"][place] + column["kl"][place] == pytest.approx(epoch.hard.total)
        assert column["images_per_second"][place] == epoch.images_per_second
    # Of the last step of each epoch: it falls from step 0 to step 11.
    assert column["temperature"] == pytest.approx(0.25 ** (np.array([3, 7, 11]) / 11))
    assert np.isnan(column["gradient_norm"]).all()


def test_without_a_hard_loss_there_is_none(trained: Trained) -> None:
    state = trained(12, hard=False)
    shown = snapshot_of(state, model_of(state), IMAGES)
    hard = shown.losses[:, LOSSES.index("hard_reconstruction")]
    assert np.isnan(hard).all()
    assert np.isfinite(shown.losses[:, LOSSES.index("reconstruction")]).all()


def test_its_picture_is_what_the_model_makes_of_the_images(trained: Trained) -> None:
    state = trained(12)
    (frame,) = snapshot_of(state, model_of(state), IMAGES).frames
    wanted = frame_of(model_of(state), IMAGES, step=12, temperature=state.history[-1].temperature)
    assert (frame.step, frame.temperature) == (12, wanted.temperature)
    assert np.array_equal(frame.originals, FEW.test[:SHOWN])
    for name in ("soft", "hard", "samples", "code", "usage", "latent_kl", "image_information"):
        assert np.array_equal(getattr(frame, name), getattr(wanted, name)), name


@pytest.mark.parametrize(("steps", "epochs"), [(5, 1), (8, 2), (11, 2)])
def test_a_run_that_was_left_has_the_rest_before_it(trained: Trained, steps: int, epochs: int) -> None:
    state = trained(steps)
    shown = snapshot_of(state, model_of(state), IMAGES)
    assert (shown.phase, shown.step, shown.steps) == (Phase.STOPPED, steps, 12)
    assert len(shown.epochs) == len(shown.losses) == epochs


@pytest.mark.parametrize("steps", [0, 2])
def test_a_run_without_an_epoch_has_a_picture_and_no_curve(trained: Trained, steps: int) -> None:
    state = trained(steps)
    shown = snapshot_of(state, model_of(state), IMAGES)
    assert (shown.phase, shown.step, shown.epochs) == (Phase.STOPPED, steps, ())
    assert shown.losses.shape == (0, len(LOSSES))
    assert shown.frames[0].step == steps


def same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> bool:
    return list(found) == list(wanted) and all(torch.equal(found[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("steps", [0, 5, 12])
def test_a_longer_run_stands_where_it_stood(trained: Trained, steps: int) -> None:
    state = trained(steps)
    stretched = longer(state, 6)
    assert stretched.config == replace(state.config, epochs=6)
    assert (stretched.step, stretched.history, stretched.sums) == (steps, state.history, state.sums)
    assert same(stretched.model, state.model)
    assert same(stretched.optimiser, state.optimiser)
    # The state that it came from is as it was.
    assert state.config == CONFIG


@pytest.mark.parametrize("steps", [5, 12])
def test_a_longer_run_goes_on_with_its_schedules_stretched(trained: Trained, steps: int) -> None:
    training = Training.resume(longer(trained(steps), 6), FEW)
    assert training.steps == 6 * EPOCH_STEPS
    assert training.temperature == pytest.approx(0.25 ** (steps / 23))
    (record,) = islice(training.records(), 1)
    assert getattr(record, "step", None) == steps + 1
    for _ in training.records():
        pass
    assert [epoch.epoch for epoch in training.history] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(("steps", "first"), [(0, 1), (4, 2), (7, 2), (12, 4)])
def test_the_first_end_that_is_taken_is_the_next_epochs(trained: Trained, steps: int, first: int) -> None:
    state = trained(steps)
    assert longer(state, first).config.epochs == first
    if first > 1:
        with pytest.raises(ValueError, match=rf"^This run has {first - 1} epochs behind it: .*\.$"):
            longer(state, first - 1)


@pytest.mark.parametrize("epochs", [0, -1, EPOCHS[1] + 1, 2.5, True])
def test_an_end_beyond_the_limits_is_refused(trained: Trained, epochs: int) -> None:
    with pytest.raises(ValueError, match="epochs"):
        longer(trained(0), epochs)
    assert longer(trained(0), EPOCHS[1]).config.epochs == EPOCHS[1]
