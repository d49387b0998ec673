"""A training run on a thread of its own, to be watched: it knows nothing of who watches, or how.

    run = LiveRun(lambda: Training(config, load("digits")), slots)
    run.start()
    run.renew()                  # every now and then: a run that nobody renews ends by itself
    run.snapshot()               # whenever; bounded, immutable, and cheap

The thread is the only one that touches the model. Whoever needs the model asks, and is answered between two
steps: `run.ask(lambda training: training.state())`.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from gumbel_core.thinning import Thinned, thinned
from gumbel_core.vae.records import EpochSummary, StepRecord
from gumbel_core.vae.training import Training, TrainingDivergedError
from gumbel_core.vae.views import SHOWN, Frame, frame_of

Answer = TypeVar("Answer")

# Seconds without a `renew` after which a run ends: longer than a network drop or a reload of the page.
GRACE = 60.0
# Seconds between two frames of pictures.
FRAME_SECONDS = 0.5
# Seconds between two looks at the events while nothing is computed.
NAP = 0.05
POINTS, FRAMES = 400, 48

log = logging.getLogger(__name__)


class Phase(StrEnum):
    """Where a run stands. The last four are ends."""

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
    steps: int
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


class Slots:
    """How many runs train at once. The others wait in line."""

    def __init__(self, count: int) -> None:
        self.free, self.line, self.lock = count, deque["LiveRun"](), threading.Lock()

    def enter(self, run: "LiveRun") -> None:
        """Into the line, at its end."""
        with self.lock:
            self.line.append(run)

    def take(self, run: "LiveRun") -> bool:
        """Whether this run is first in line and a slot is free: then it has left the line, and has it."""
        with self.lock:
            if not self.free or self.line[0] is not run:
                return False
            self.line.popleft()
            self.free -= 1
            return True

    def leave(self, run: "LiveRun") -> None:
        """Out of the line, without a slot."""
        with self.lock:
            if run in self.line:
                self.line.remove(run)

    def give_back(self) -> None:
        with self.lock:
            self.free += 1

    def place(self, run: "LiveRun") -> int:
        """The run's place in the line, from 1; 0 if it stands in none."""
        with self.lock:
            return self.line.index(run) + 1 if run in self.line else 0


class LiveRun:
    """A training, from the queue to its end, on a daemon thread."""

    def __init__(
        self, make: Callable[[], Training], slots: Slots, *, grace: float = GRACE, threads: int = 1
    ) -> None:
        """`make` is called on the thread, for it may read data from a disk. `threads` are PyTorch's."""
        self._make, self._slots, self._grace, self._threads = make, slots, grace, threads
        self._thread = threading.Thread(target=self._run, name="live run", daemon=True)
        self._stop, self._go = threading.Event(), threading.Event()
        self._go.set()
        self._lock = threading.Lock()
        self._asked = deque[tuple[Callable[[Training], Any], Future[Any]]]()
        self._frame_due = 0.0
        self._phase, self._message = Phase.QUEUED, ""
        self._training: Training | None = None
        self._record: StepRecord | None = None
        self._epochs: tuple[EpochSummary, ...] = ()
        self._losses, self._frames = Thinned(POINTS), list[Frame]()
        self._pace = Pace()
        self.renew()

    def start(self) -> None:
        """Take a place in the line, and train when it is this run's turn."""
        self._slots.enter(self)
        self._thread.start()

    def pause(self) -> None:
        self._go.clear()

    def resume(self) -> None:
        self._go.set()

    def stop(self) -> None:
        """End after the step in progress, wherever the run stands; what it has learned stays."""
        self._stop.set()
        self._go.set()

    def renew(self) -> None:
        """Somebody still watches: the run may go on for another while."""
        self._deadline = time.monotonic() + self._grace

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def ask(self, question: Callable[[Training], Answer]) -> "Future[Answer]":
        """What the question says of the training, answered between two steps, or at once after the end."""
        future: Future[Answer] = Future()
        with self._lock:
            waiting = not self._phase.ended
            if waiting:
                self._asked.append((question, future))
        if not waiting:
            self._answer(question, future)
        return future

    def snapshot(self) -> Snapshot:
        place = self._slots.place(self)
        with self._lock:
            return Snapshot(
                phase=self._phase,
                place=place,
                message=self._message,
                step=self._training.step if self._training else 0,
                steps=self._training.steps if self._training else 0,
                seconds_left=self._pace.seconds_left(self._training),
                record=self._record,
                losses=self._losses.rows(),
                epochs=self._epochs,
                frames=tuple(self._frames),
            )

    def _run(self) -> None:
        try:
            if self._wait_for_slot():
                try:
                    self._train()
                finally:
                    self._slots.give_back()
        except TrainingDivergedError as error:
            self._end(Phase.FAILED, str(error))
        except Exception as error:
            log.exception("A live run failed.")
            self._end(Phase.FAILED, f"The run failed: {str(error) or type(error).__name__}")

    def _wait_for_slot(self) -> bool:
        while not self._slots.take(self):
            if over := self._over():
                self._slots.leave(self)
                self._end(over)
                return False
            time.sleep(NAP)
        return True

    def _train(self) -> None:
        torch.set_num_threads(self._threads)
        self._enter(Phase.PREPARING)
        training = self._make()
        with self._lock:
            self._training = training
        self._frame(training)
        self._enter(Phase.TRAINING)
        for record in training.records():
            if isinstance(record, StepRecord):
                self._note(training, record)
            self._answer_all(training)
            if not self._go.is_set():
                self._rest(training)
            if over := self._over():
                self._end(over)
                return
        self._frame(training)
        self._end(Phase.DONE)

    def _note(self, training: Training, record: StepRecord) -> None:
        """Note a step, and now and then what the model makes of its images."""
        hard = record.hard.reconstruction if record.hard else np.nan
        with self._lock:
            self._record, self._epochs = record, tuple(training.history)
            self._pace.count(training.step)
            self._losses.add(
                (
                    record.step,
                    record.relaxed.reconstruction,
                    hard,
                    record.relaxed.kl,
                    record.temperature,
                    record.gradient_norm,
                    record.images_per_second,
                )
            )
        if time.monotonic() >= self._frame_due:
            self._frame(training)

    def _frame(self, training: Training) -> None:
        frame = frame_of(
            training.model, training.test[:SHOWN], step=training.step, temperature=training.temperature
        )
        with self._lock:
            self._frames = thinned([*self._frames, frame], FRAMES)
        self._frame_due = time.monotonic() + FRAME_SECONDS

    def _rest(self, training: Training) -> None:
        """Between two steps, until it may go on."""
        self._enter(Phase.PAUSED)
        while not self._go.wait(NAP) and not self._over():
            self._answer_all(training)
        with self._lock:
            self._pace = Pace()
        self._enter(Phase.TRAINING)

    def _over(self) -> Phase | None:
        """The end that the run has come to from outside, if it has."""
        if self._stop.is_set():
            return Phase.STOPPED
        return Phase.ABANDONED if time.monotonic() > self._deadline else None

    def _enter(self, phase: Phase) -> None:
        with self._lock:
            self._phase = phase

    def _end(self, phase: Phase, message: str = "") -> None:
        with self._lock:
            self._phase, self._message = phase, message
            asked, self._asked = list(self._asked), deque()
        for question, future in asked:
            self._answer(question, future)

    def _answer_all(self, training: Training) -> None:
        while self._asked:
            self._answer(*self._asked.popleft())

    def _answer(self, question: Callable[[Training], Any], future: "Future[Any]") -> None:
        try:
            if self._training is None:
                raise RuntimeError("The run ended before it began.")
            future.set_result(question(self._training))
        except Exception as error:
            future.set_exception(error)


class Pace:
    """How fast the run has been since it last began to move."""

    def __init__(self) -> None:
        self.began: tuple[float, int] | None = None

    def count(self, step: int) -> None:
        self.began = self.began or (time.monotonic(), step)

    def seconds_left(self, training: Training | None) -> float | None:
        """None until there is something to go by."""
        if training is None or self.began is None or training.step == self.began[1]:
            return None
        seconds, steps = time.monotonic() - self.began[0], training.step - self.began[1]
        return (training.steps - training.step) * seconds / steps
