"""A training run on a thread of its own, to be watched: it knows nothing of who watches, or how.

    run = LiveRun(lambda: Training(config, load("digits")), Slots(1))
    run.start()
    run.snapshot()               # whenever; bounded, immutable, and cheap
    run.state().result()         # all that it has learned, to save it or to go on from it

The thread is the only one that touches the model: `state` is answered between two steps.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray

from gumbel_core.datasets import DataError
from gumbel_core.thinning import Thinned, thinned
from gumbel_core.vae.records import EpochSummary, StepRecord
from gumbel_core.vae.sharing import Lease, Slots
from gumbel_core.vae.training import Training, TrainingDivergedError, TrainingState
from gumbel_core.vae.views import Frame, frame_of

# Seconds between two frames of pictures.
FRAME_SECONDS = 0.5
# Seconds between two looks at the events while nothing is computed.
NAP = 0.05
POINTS, FRAMES = 400, 48
# Test images that a frame's usage and KL are means of.
LOOKED_AT = 500

log = logging.getLogger(__name__)


class Phase(StrEnum):
    """Where a run stands. The last four are ends. A paused run has given its slot away."""

    QUEUED = "queued"
    PREPARING = "preparing"
    TRAINING = "training"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"
    ABANDONED = "abandoned"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        return self in (Phase.DONE, Phase.STOPPED, Phase.ABANDONED, Phase.FAILED)


@dataclass(frozen=True)
class Snapshot:
    """A run as it was a moment ago. Nothing in it changes any more."""

    phase: Phase
    place: int  # in the queue, from 1; 0 when it does not wait
    message: str  # why it failed, in a sentence
    step: int
    steps: int  # 0 before it begins
    seconds_left: float | None
    record: StepRecord | None  # the last one
    losses: NDArray[np.float64]  # (points, columns): a row a stretch of steps, see LOSSES
    epochs: tuple[EpochSummary, ...]
    frames: tuple[Frame, ...]  # oldest first, the last one newest


# The columns of `Snapshot.losses`, means over the steps that a row stands for; NaN where none reported it.
LOSSES = (
    "step",
    "reconstruction",
    "hard_reconstruction",
    "kl",
    "temperature",
    "gradient_norm",
    "images_per_second",
)


class LiveRun:
    """A training, from the queue to its end, on a daemon thread."""

    def __init__(
        self, make: Callable[[], Training], slots: Slots, lease: Lease | None = None, *, threads: int = 1
    ) -> None:
        """`make` is called on the thread, for it may read data from a disk. `threads` are PyTorch's.

        With a lease the run ends when that expires.
        """
        self._slots, self._lease, self._threads = slots, lease, threads
        # A thread that is done lets its arguments go, and with them what `make` holds.
        self._thread = threading.Thread(target=self._run, args=(make,), name="live run", daemon=True)
        self._stop, self._go = threading.Event(), threading.Event()
        self._go.set()
        self._lock = threading.Lock()
        self._asked = deque[Future[TrainingState]]()
        self._frame_due, self._has_slot = 0.0, False
        self._phase, self._message, self._diverged = Phase.QUEUED, "", False
        self._final: TrainingState | None = None
        self._record: StepRecord | None = None
        self._epochs: tuple[EpochSummary, ...] = ()
        self._losses, self._frames = Thinned(POINTS), list[Frame]()
        self._pace, self._step, self._steps = Pace(), 0, 0

    def start(self) -> None:
        """Take a place in the line, and train when it is this run's turn. Once only."""
        self._slots.enter(self)
        try:
            self._thread.start()
        except RuntimeError:
            # The system has no thread left: nobody may wait behind one that never comes.
            self._slots.leave(self)
            raise

    def pause(self) -> None:
        self._go.clear()

    def resume(self) -> None:
        self._go.set()

    def stop(self) -> None:
        """End after the step in progress, wherever the run stands; what it has learned stays."""
        self._stop.set()
        self._go.set()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def state(self) -> "Future[TrainingState]":
        """What the run has learned, between two steps or, after its end, at once.

        A run that ended before it began has a RuntimeError for an answer.
        """
        future: Future[TrainingState] = Future()
        with self._lock:
            waiting = not self._phase.ended
            if waiting:
                self._asked.append(future)
        if not waiting:
            _answer(future, self._kept)
        return future

    @property
    def phase(self) -> Phase:
        with self._lock:
            return self._phase

    @property
    def diverged(self) -> bool:
        """Whether it failed because a loss or a gradient was not finite any more."""
        with self._lock:
            return self._diverged

    def snapshot(self) -> Snapshot:
        with self._lock:
            place = self._slots.place(self) if self._phase == Phase.QUEUED else 0
            left = self._pace.seconds_left(self._step, self._steps) if self._phase == Phase.TRAINING else None
            return Snapshot(
                phase=self._phase,
                place=place,
                message=self._message,
                step=self._step,
                steps=self._steps,
                seconds_left=left,
                record=self._record,
                losses=self._losses.rows().reshape(-1, len(LOSSES)),
                epochs=self._epochs,
                frames=tuple(self._frames),
            )

    def _run(self, make: Callable[[], Training]) -> None:
        try:
            if over := self._wait_for_slot():
                self._end(over)
            else:
                self._train(make)
        finally:
            self._give_slot_back()

    def _wait_for_slot(self, training: Training | None = None) -> Phase | None:
        """In the line; None with a slot, or the end that came before it."""
        while True:
            if over := self._over():
                self._slots.leave(self)
                return over
            if self._slots.take(self):
                self._has_slot = True
                return None
            if training:
                self._answer_all(training)
            time.sleep(NAP)

    def _give_slot_back(self) -> None:
        if self._has_slot:
            self._has_slot = False
            self._slots.give_back()

    def _train(self, make: Callable[[], Training]) -> None:
        torch.set_num_threads(self._threads)
        message = ""
        try:
            self._enter(Phase.PREPARING)
            training = make()
            try:
                end = self._over() or self._follow(training)
            finally:
                # What is kept of it is small: the images are let go with the training.
                self._final = training.state()
        # These say in a sentence what is wrong.
        except (TrainingDivergedError, DataError, ValueError) as error:
            end, message = Phase.FAILED, str(error)
            with self._lock:
                self._diverged = isinstance(error, TrainingDivergedError)
        # Whatever a disk or a library says belongs to whoever watches: a thread has nobody else to tell.
        except Exception as error:
            log.exception("A live run failed.")
            end, message = Phase.FAILED, f"The run failed: {str(error) or type(error).__name__}"
        self._end(end, message)

    def _follow(self, training: Training) -> Phase:
        """Train, and note what there is to see, to the end that is returned."""
        with self._lock:
            self._steps, self._step, self._epochs = training.steps, training.step, tuple(training.history)
        self._frame(training)
        self._enter(Phase.TRAINING)
        over: Phase | None = None
        for record in training.records():
            if isinstance(record, StepRecord):
                self._note(training, record)
            self._answer_all(training)
            if over := self._over() or self._rest(training):
                break
        self._frame(training)
        return over or Phase.DONE

    def _note(self, training: Training, record: StepRecord) -> None:
        """Note a step, and now and then what the model makes of its images."""
        with self._lock:
            self._step, self._record, self._epochs = record.step, record, tuple(training.history)
            self._pace.count(record.step)
            self._losses.add(_row(record))
        if time.monotonic() >= self._frame_due:
            self._frame(training)

    def _frame(self, training: Training) -> None:
        if self._frames and self._frames[-1].step == training.step:
            return
        images = training.test[:LOOKED_AT]
        # From weights that are not finite nothing can be drawn. The next step meets them, too, and tells it.
        with suppress(ValueError):
            frame = frame_of(training.model, images, step=training.step, temperature=training.temperature)
            with self._lock:
                self._frames = thinned([*self._frames, frame], FRAMES)
        self._frame_due = time.monotonic() + FRAME_SECONDS

    def _rest(self, training: Training) -> Phase | None:
        """Between two steps, for as long as the run is paused; an end that comes meanwhile.

        A run that stands still lets another one train, and has to wait for its turn when it goes on.
        """
        if self._go.is_set():
            return None
        self._frame(training)
        self._enter(Phase.PAUSED)
        self._give_slot_back()
        while not self._go.wait(NAP):
            if over := self._over():
                return over
            self._answer_all(training)
        self._slots.enter(self)
        self._enter(Phase.QUEUED)
        over = self._wait_for_slot(training)
        with self._lock:
            self._pace = Pace()
        self._enter(Phase.TRAINING)
        return over

    def _over(self) -> Phase | None:
        """The end that the run has come to from outside, if it has."""
        if self._stop.is_set():
            return Phase.STOPPED
        return Phase.ABANDONED if self._lease and self._lease.expired else None

    def _enter(self, phase: Phase) -> None:
        with self._lock:
            self._phase = phase

    def _end(self, phase: Phase, message: str = "") -> None:
        with self._lock:
            self._phase, self._message = phase, message
        self._answer_those_waiting(self._kept)

    def _answer_all(self, training: Training) -> None:
        if self._asked:
            self._answer_those_waiting(training.state)

    def _answer_those_waiting(self, state: Callable[[], TrainingState]) -> None:
        """Those who have asked by now: whoever asks in answer to an answer waits for the next step."""
        with self._lock:
            asked, self._asked = self._asked, deque()
        for future in asked:
            _answer(future, state)

    def _kept(self) -> TrainingState:
        if self._final is None:
            raise RuntimeError("The run ended before it began.")
        return self._final


def _answer(future: "Future[TrainingState]", state: Callable[[], TrainingState]) -> None:
    """With the state or with the error, so that nobody waits for ever; unless nobody waits any more."""
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(state())
    except Exception as error:
        future.set_exception(error)


def _row(record: StepRecord) -> tuple[float, ...]:
    """The columns of `LOSSES`."""
    return (
        record.step,
        record.relaxed.reconstruction,
        record.hard.reconstruction if record.hard else np.nan,
        record.relaxed.kl,
        record.temperature,
        record.gradient_norm,
        record.images_per_second,
    )


class Pace:
    """How fast the run has been since it last began to move."""

    def __init__(self) -> None:
        self.began: tuple[float, int] | None = None

    def count(self, step: int) -> None:
        self.began = self.began or (time.monotonic(), step)

    def seconds_left(self, step: int, steps: int) -> float | None:
        """None until there is something to go by."""
        if self.began is None or step == self.began[1]:
            return None
        return (steps - step) * (time.monotonic() - self.began[0]) / (step - self.began[1])
