"""A run on a thread: it is queued, paused, asked, stopped and left, and nothing of it leaks.

No test waits for a time to pass; each waits for a state, and gives up after `PATIENCE` seconds.
"""

import gc
import math
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest
import torch

from gumbel_core.datasets import DataError, load
from gumbel_core.schedules import Constant
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import FRAMES, LOSSES, POINTS, LiveRun, Phase
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.records import Record, StepRecord
from gumbel_core.vae.sharing import Lease, Slots
from gumbel_core.vae.training import Training, TrainingState
from gumbel_core.vae.views import SAMPLES, SHOWN
from tests.waiting import PATIENCE, in_phase, reached

DIGITS = load("digits")
CONFIG = TrainConfig(
    model=ModelConfig(
        pixels=64, encoder=(16,), decoder=(16,), latents=4, categories=3, normalisation="layer"
    ),
    epochs=1_000,
)

Begin = Callable[..., LiveRun]


class Told(Training):
    """A training that tells, on its own thread, of each record before whoever follows it sees that."""

    def __init__(self, config: TrainConfig, tell: Callable[[Training], None]) -> None:
        super().__init__(config, DIGITS)
        self.tell = tell

    def records(self) -> Iterator[Record]:
        for record in super().records():
            self.tell(self)
            yield record


@pytest.fixture
def start() -> Iterator[Callable[[LiveRun], LiveRun]]:
    """Start a run, and stop it at the test's end if it still goes on."""
    runs = []

    def start(run: LiveRun) -> LiveRun:
        runs.append(run)
        run.start()
        return run

    yield start
    for run in runs:
        run.stop()
        run.join(PATIENCE)


@pytest.fixture
def begin(start: Callable[[LiveRun], LiveRun]) -> Begin:
    """Begin a run of `CONFIG` with changes."""

    def begin(slots: Slots | None = None, lease: Lease | None = None, **changes: object) -> LiveRun:
        config = replace(CONFIG, **changes)  # type: ignore[arg-type]
        return start(LiveRun(lambda: Training(config, DIGITS), slots or Slots(1), lease))

    return begin


def headless(config: TrainConfig) -> Training:
    """The same run with nobody to see it, at its end."""
    training = Training(config, DIGITS)
    for _ in training.records():
        pass
    return training


def assert_same(found: TrainingState, wanted: TrainingState) -> None:
    """Bit for bit, but for the seconds that it took."""
    assert (found.config, found.step) == (wanted.config, wanted.step)
    assert list(found.model) == list(wanted.model)
    for name, tensor in wanted.model.items():
        assert torch.equal(found.model[name], tensor), name
    assert [(e.relaxed, e.test) for e in found.history] == [(e.relaxed, e.test) for e in wanted.history]


def test_a_run_ends_with_the_weights_of_a_headless_one(begin: Begin) -> None:
    run = begin(epochs=3)
    done = reached(run, in_phase(Phase.DONE))
    wanted = headless(replace(CONFIG, epochs=3))
    assert_same(run.state().result(PATIENCE), wanted.state())
    assert [epoch.test for epoch in done.epochs] == [epoch.test for epoch in wanted.history]
    assert (done.step, done.steps, len(done.losses)) == (45, 45, 45)


def test_pictures_and_questions_at_each_step_change_no_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gumbel_core.vae.live.FRAME_SECONDS", 0.0)
    config, states = replace(CONFIG, epochs=2), list[Future[TrainingState]]()
    # Batch normalisation would learn from whatever it sees.
    config = replace(config, model=replace(config.model, normalisation="batch"))
    run = LiveRun(lambda: Told(config, lambda _: states.append(run.state())), Slots(1))
    run.start()
    run.join(PATIENCE)
    assert [state.result(0).step for state in states] == [*range(1, 16), 15, *range(16, 31), 30]
    assert {frame.step for frame in run.snapshot().frames} == set(range(31))
    assert_same(run.state().result(0), headless(config).state())


@pytest.mark.parametrize("step", [1, 15, 20, 45])
def test_a_run_goes_on_from_its_state(step: int, start: Callable[[LiveRun], LiveRun]) -> None:
    """From within an epoch, from between two, and from the end; live again, or headless."""
    config = replace(CONFIG, epochs=3)

    def pause(training: Training) -> None:
        if training.step == step:
            run.pause()

    run = LiveRun(lambda: Told(config, pause), Slots(1))
    start(run)
    reached(run, in_phase(Phase.PAUSED))
    state = run.state().result(PATIENCE)
    run.stop()
    assert state.step == step
    wanted, alone = headless(config).state(), Training.resume(state, DIGITS)
    for _ in alone.records():
        pass
    assert_same(alone.state(), wanted)
    again = start(LiveRun(lambda: Training.resume(state, DIGITS), Slots(1)))
    done = reached(again, in_phase(Phase.DONE))
    assert_same(again.state().result(PATIENCE), wanted)
    assert (done.step, done.steps, len(done.losses), len(done.epochs)) == (45, 45, 45 - step, 3)


def test_the_losses_are_the_records(begin: Begin) -> None:
    done = reached(begin(epochs=2), in_phase(Phase.DONE))
    training = Training(replace(CONFIG, epochs=2), DIGITS)
    records = [record for record in training.records() if isinstance(record, StepRecord)]
    column = dict(zip(LOSSES, done.losses.T, strict=True))
    assert column["step"].tolist() == list(range(1, 31))
    assert column["reconstruction"].tolist() == [record.relaxed.reconstruction for record in records]
    assert column["hard_reconstruction"].tolist() == [
        record.hard.reconstruction for record in records if record.hard
    ]
    assert column["kl"].tolist() == [record.relaxed.kl for record in records]
    assert column["temperature"].tolist() == [record.temperature for record in records]
    assert column["gradient_norm"].tolist() == [record.gradient_norm for record in records]


def test_a_long_run_stays_small(monkeypatch: pytest.MonkeyPatch, begin: Begin) -> None:
    monkeypatch.setattr("gumbel_core.vae.live.FRAME_SECONDS", 0.0)
    done = reached(begin(batch=25, epochs=9), in_phase(Phase.DONE))
    assert done.steps == 540 > POINTS
    assert POINTS // 2 <= len(done.losses) <= POINTS
    assert len(done.frames) <= FRAMES
    steps = [frame.step for frame in done.frames]
    assert (steps[0], steps[-1]) == (0, 540)
    assert steps == sorted(steps)


def test_no_moment_is_shown_twice(monkeypatch: pytest.MonkeyPatch, begin: Begin) -> None:
    monkeypatch.setattr("gumbel_core.vae.live.FRAME_SECONDS", 0.0)
    steps = [frame.step for frame in reached(begin(epochs=1), in_phase(Phase.DONE)).frames]
    assert steps == list(range(16))


def test_frames_begin_before_the_first_step_and_end_with_the_last(begin: Begin) -> None:
    frames = reached(begin(epochs=1), in_phase(Phase.DONE)).frames
    assert (frames[0].step, frames[-1].step) == (0, 15)
    assert frames[0].originals.shape == frames[0].soft.shape == frames[0].hard.shape == (SHOWN, 64)
    assert frames[0].samples.shape == (SAMPLES, 64)
    assert frames[0].code.shape == frames[0].usage.shape == (4, 3)
    assert (frames[0].hard != frames[-1].hard).any()
    assert (frames[0].originals == frames[-1].originals).all()


def test_a_snapshot_does_not_change_any_more(begin: Begin) -> None:
    run = begin()
    early = reached(run, lambda snapshot: snapshot.step > 3)
    losses, frames, epochs, step = early.losses.copy(), early.frames, early.epochs, early.step
    reached(run, lambda snapshot: snapshot.step > step + 20)
    np.testing.assert_array_equal(early.losses, losses)
    assert (early.frames, early.epochs, early.step) == (frames, epochs, step)


def test_before_the_first_step_there_are_columns_without_a_row() -> None:
    losses = LiveRun(lambda: Training(CONFIG, DIGITS), Slots(1)).snapshot().losses
    assert losses.shape == (0, len(LOSSES))


def test_a_paused_run_stands_still_answers_and_goes_on(begin: Begin) -> None:
    run = begin()
    reached(run, lambda snapshot: snapshot.step > 3)
    run.pause()
    step = reached(run, in_phase(Phase.PAUSED)).step
    assert run.state().result(PATIENCE).step == step
    assert run.snapshot().step == step
    run.resume()
    reached(run, lambda snapshot: snapshot.step > step)


def test_a_stopped_run_keeps_what_it_has_learned(begin: Begin) -> None:
    run = begin()
    reached(run, lambda snapshot: snapshot.step > 3)
    run.stop()
    stopped = reached(run, in_phase(Phase.STOPPED))
    state = run.state().result(PATIENCE)
    assert state.step == stopped.step > 3


def test_a_paused_run_can_be_stopped(begin: Begin) -> None:
    run = begin()
    run.pause()
    reached(run, in_phase(Phase.PAUSED))
    run.stop()
    reached(run, in_phase(Phase.STOPPED))


def test_a_paused_run_has_no_end_in_sight(begin: Begin) -> None:
    run = begin()
    reached(run, lambda snapshot: snapshot.seconds_left is not None)
    run.pause()
    assert reached(run, in_phase(Phase.PAUSED)).seconds_left is None


def test_a_loss_that_is_not_finite_is_told_and_the_slot_is_free_again(begin: Begin) -> None:
    slots = Slots(1)
    run = begin(slots, optimiser="sgd", learning_rate=Constant(1e9))
    failed = reached(run, in_phase(Phase.FAILED))
    assert "not finite" in failed.message
    kept = run.state().result(PATIENCE)
    assert_same(kept, Training(kept.config, DIGITS).state())
    reached(begin(slots, epochs=1), in_phase(Phase.DONE))


def test_a_divergence_is_told_whether_or_not_a_picture_is_due(
    monkeypatch: pytest.MonkeyPatch, begin: Begin
) -> None:
    monkeypatch.setattr("gumbel_core.vae.live.FRAME_SECONDS", 0.0)
    # Weights that are not finite after the first step.
    run = begin(optimiser="adam", learning_rate=Constant(1e38))
    assert "last good weights are kept" in reached(run, in_phase(Phase.FAILED)).message
    assert all(tensor.isfinite().all() for tensor in run.state().result(PATIENCE).model.values())


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError("The disk is gone."), "The run failed: The disk is gone."),
        (MemoryError(), "The run failed: MemoryError"),
        (DataError("The data set mnist is not here."), "The data set mnist is not here."),
        (ValueError("The images are others."), "The images are others."),
    ],
)
def test_whatever_goes_wrong_is_told_in_a_sentence(error: Exception, sentence: str, begin: Begin) -> None:
    def broken() -> Training:
        raise error

    slots = Slots(1)
    run = LiveRun(broken, slots)
    asked = run.state()
    run.start()
    assert reached(run, in_phase(Phase.FAILED)).message == sentence
    for future in (asked, run.state()):
        with pytest.raises(RuntimeError, match="before it began"):
            future.result(PATIENCE)
    reached(begin(slots, epochs=1), in_phase(Phase.DONE))


def test_an_error_in_its_middle_leaves_what_the_run_has_learned(begin: Begin) -> None:
    def fail(training: Training) -> None:
        if training.step == 20:
            raise OSError("The disk is gone.")

    slots = Slots(1)
    run = LiveRun(lambda: Told(replace(CONFIG, epochs=3), fail), slots)
    run.start()
    assert reached(run, in_phase(Phase.FAILED)).message == "The run failed: The disk is gone."
    assert run.state().result(PATIENCE).step == 20
    reached(begin(slots, epochs=1), in_phase(Phase.DONE))


@pytest.mark.parametrize("end", [Phase.DONE, Phase.STOPPED, Phase.FAILED])
def test_the_training_is_let_go_at_the_end(end: Phase) -> None:
    """And its images with it: what is kept of an ended run is small."""
    trainings = list[weakref.ref[Training]]()

    def make() -> Training:
        rate = 1e9 if end == Phase.FAILED else 1e-3
        config = replace(CONFIG, epochs=3, optimiser="sgd", learning_rate=Constant(rate))
        training = Told(config, lambda _: run.stop() if end == Phase.STOPPED else None)
        trainings.append(weakref.ref(training))
        return training

    run = LiveRun(make, Slots(1))
    run.start()
    run.join(PATIENCE)
    assert run.snapshot().phase == end
    gc.collect()
    assert [reference() for reference in trainings] == [None]


def test_what_made_the_training_is_let_go_at_the_end() -> None:
    images = replace(DIGITS)

    def run_on(images: object) -> LiveRun:
        return LiveRun(lambda: Training(replace(CONFIG, epochs=1), images), Slots(1))  # type: ignore[arg-type]

    run, reference = run_on(images), weakref.ref(images)
    run.start()
    run.join(PATIENCE)
    del images
    gc.collect()
    assert reference() is None


def test_no_thread_is_left(begin: Begin) -> None:
    before = threading.active_count()
    slots = Slots(2)
    runs = [begin(slots, epochs=1) for _ in range(20)]
    for run in runs:
        run.join(PATIENCE)
    assert all(run.snapshot().phase == Phase.DONE for run in runs)
    assert threading.active_count() == before
    assert (slots.free, len(slots.line)) == (2, 0)


def test_the_seconds_left_are_a_number_or_nothing(begin: Begin) -> None:
    assert LiveRun(lambda: Training(CONFIG, DIGITS), Slots(1)).snapshot().seconds_left is None
    left = reached(begin(), lambda snapshot: snapshot.seconds_left is not None).seconds_left
    assert left
    assert math.isfinite(left)
    assert reached(begin(epochs=1), in_phase(Phase.DONE)).seconds_left is None
