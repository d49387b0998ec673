"""A run on a thread: it is queued, paused, asked, stopped and left, and nothing of it leaks.

No test waits for a time to pass; each waits for a state, and gives up after `PATIENCE` seconds.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch

from gumbel_core.datasets import load
from gumbel_core.schedules import Constant
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LOSSES, LiveRun, Phase, Slots, Snapshot
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.records import StepRecord
from gumbel_core.vae.training import Training
from gumbel_core.vae.views import SAMPLES, SHOWN

PATIENCE = 60.0
DIGITS = load("digits")
CONFIG = TrainConfig(
    model=ModelConfig(
        pixels=64, encoder=(16,), decoder=(16,), latents=4, categories=3, normalisation="layer"
    ),
    epochs=1_000,
)

Begin = Callable[..., LiveRun]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begin a run of `CONFIG` with changes; whatever still runs at the test's end is stopped."""
    runs = []

    def begin(slots: Slots | None = None, grace: float = PATIENCE, **changes: object) -> LiveRun:
        config = replace(CONFIG, **changes)  # type: ignore[arg-type]
        run = LiveRun(lambda: Training(config, DIGITS), slots or Slots(1), grace=grace)
        runs.append(run)
        run.start()
        return run

    yield begin
    for run in runs:
        run.stop()
        run.join(PATIENCE)


def reached(run: LiveRun, state: Callable[[Snapshot], bool]) -> Snapshot:
    """The first snapshot of that state."""
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        snapshot = run.snapshot()
        if state(snapshot):
            return snapshot
        time.sleep(0.01)
    raise AssertionError(f"The run is still {run.snapshot().phase}.")


def in_phase(phase: Phase) -> Callable[[Snapshot], bool]:
    return lambda snapshot: snapshot.phase == phase


def test_a_run_ends_with_the_weights_of_a_headless_one(begin: Begin) -> None:
    run = begin(epochs=3)
    done = reached(run, in_phase(Phase.DONE))
    headless = Training(replace(CONFIG, epochs=3), DIGITS)
    for _ in headless.records():
        pass
    weights = run.ask(lambda training: training.state().model).result(PATIENCE)
    assert all(torch.equal(weights[name], tensor) for name, tensor in headless.state().model.items())
    assert [epoch.test for epoch in done.epochs] == [epoch.test for epoch in headless.history]
    assert (done.step, done.steps, len(done.losses)) == (45, 45, 45)


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


def test_frames_begin_before_the_first_step_and_end_with_the_last(begin: Begin) -> None:
    frames = reached(begin(epochs=1), in_phase(Phase.DONE)).frames
    assert (frames[0].step, frames[-1].step) == (0, 15)
    assert frames[0].originals.shape == frames[0].soft.shape == frames[0].hard.shape == (SHOWN, 64)
    assert frames[0].samples.shape == (SAMPLES, 64)
    assert frames[0].code.shape == frames[0].usage.shape == (4, 3)
    assert (frames[0].hard != frames[-1].hard).any()
    assert (frames[0].originals == frames[-1].originals).all()


def test_a_paused_run_stands_still_answers_and_goes_on(begin: Begin) -> None:
    run = begin()
    reached(run, lambda snapshot: snapshot.step > 3)
    run.pause()
    step = reached(run, in_phase(Phase.PAUSED)).step
    assert run.ask(lambda training: training.step).result(PATIENCE) == step
    assert run.snapshot().step == step
    run.resume()
    reached(run, lambda snapshot: snapshot.step > step)


def test_a_stopped_run_keeps_what_it_has_learned(begin: Begin) -> None:
    run = begin()
    reached(run, lambda snapshot: snapshot.step > 3)
    run.stop()
    stopped = reached(run, in_phase(Phase.STOPPED))
    state = run.ask(lambda training: training.state()).result(PATIENCE)
    assert state.step == stopped.step > 3


def test_a_paused_run_can_be_stopped(begin: Begin) -> None:
    run = begin()
    run.pause()
    reached(run, in_phase(Phase.PAUSED))
    run.stop()
    reached(run, in_phase(Phase.STOPPED))


def test_a_run_that_nobody_renews_ends(begin: Begin) -> None:
    reached(begin(grace=0.2), in_phase(Phase.ABANDONED))


def test_a_run_that_is_renewed_goes_on(begin: Begin) -> None:
    run = begin(grace=2.0)
    began = time.monotonic()
    while time.monotonic() < began + 3:
        run.renew()
        time.sleep(0.05)
    assert run.snapshot().phase == Phase.TRAINING


def test_the_line_is_served_in_order(begin: Begin) -> None:
    slots = Slots(1)
    first, second, third = (begin(slots) for _ in range(3))
    reached(first, in_phase(Phase.TRAINING))
    assert [run.snapshot().place for run in (first, second, third)] == [0, 1, 2]
    assert second.snapshot().phase == Phase.QUEUED
    first.stop()
    reached(second, in_phase(Phase.TRAINING))
    assert third.snapshot().place == 1


def test_the_line_can_be_left(begin: Begin) -> None:
    slots = Slots(1)
    first, second, third = (begin(slots) for _ in range(3))
    second.stop()
    reached(second, in_phase(Phase.STOPPED))
    assert third.snapshot().place == 1
    with pytest.raises(RuntimeError, match="before it began"):
        second.ask(lambda training: training.step).result(PATIENCE)
    first.stop()
    reached(third, in_phase(Phase.TRAINING))


def test_a_loss_that_is_not_finite_is_told_and_the_slot_is_free_again(begin: Begin) -> None:
    slots = Slots(1)
    failed = reached(begin(slots, optimiser="sgd", learning_rate=Constant(1e9)), in_phase(Phase.FAILED))
    assert "not finite" in failed.message
    reached(begin(slots, epochs=1), in_phase(Phase.DONE))


def test_whatever_goes_wrong_is_told_in_a_sentence() -> None:
    def broken() -> Training:
        raise OSError("The disk is gone.")

    run = LiveRun(broken, Slots(1))
    run.start()
    assert reached(run, in_phase(Phase.FAILED)).message == "The run failed: The disk is gone."


def test_a_question_that_fails_does_not_hurt_the_run(begin: Begin) -> None:
    run = begin()
    with pytest.raises(ZeroDivisionError):
        run.ask(lambda training: 1 / 0).result(PATIENCE)
    reached(run, lambda snapshot: snapshot.step > 3)


def test_no_thread_is_left(begin: Begin) -> None:
    before = threading.active_count()
    slots = Slots(2)
    runs = [begin(slots, epochs=1) for _ in range(20)]
    for run in runs:
        run.join(PATIENCE)
    assert all(run.snapshot().phase == Phase.DONE for run in runs)
    assert threading.active_count() == before
