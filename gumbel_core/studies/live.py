"""A small study on a server that others use too: one run after the other, each with its turn in the line.

    study = LiveStudy(Study("mine", temperatures=(0.1, 1.0)), make, Slots(1))
    study.start()
    study.snapshot()             # whenever; immutable, and cheap

Between two runs it gives its slot away, so whoever waits behind it waits for one run, not for all.
"""

import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from math import ceil

from gumbel_core.studies.grid import RunKey, Study, config_of
from gumbel_core.studies.results import Results, Run
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LiveRun, Phase
from gumbel_core.vae.settings import check_live, steps_of, weights_of
from gumbel_core.vae.sharing import Lease, Slots
from gumbel_core.vae.training import Training, TrainingState

# A few minutes of a slot; and 50 MB of weights, which are kept to be looked at.
MAX_RUNS, MAX_STEPS, MAX_WEIGHTS = 60, 60_000, 12_500_000


@dataclass(frozen=True)
class StudySnapshot:
    """A study as it was a moment ago."""

    phase: Phase
    place: int  # in the line, from 1; 0 when it does not wait
    message: str  # why it failed, in a sentence
    runs: tuple[Run, ...]  # those that are over
    current: RunKey | None
    done: float  # the share of all steps


class LiveStudy:
    """The runs of a study, on a thread of its own."""

    def __init__(
        self, study: Study, make: Callable[[TrainConfig], Training], slots: Slots, lease: Lease | None = None
    ) -> None:
        """`make` is called on a run's own thread. Raises ValueError for more than a visitor may ask."""
        check_live_study(study)
        self.study, self._make, self._slots, self._lease = study, make, slots, lease
        self._thread = threading.Thread(target=self._go_through, name="live study", daemon=True)
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._phase, self._message = Phase.QUEUED, ""
        self._key: RunKey | None = None
        self._live: LiveRun | None = None
        self._runs: dict[RunKey, Run] = {}
        self._states: dict[RunKey, TrainingState] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the step in progress. The runs that are over stay."""
        self._stop.set()
        with self._lock:
            live = self._live
        if live:
            live.stop()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    @property
    def phase(self) -> Phase:
        with self._lock:
            return self._phase

    def snapshot(self) -> StudySnapshot:
        with self._lock:
            phase, message, key, live = self._phase, self._message, self._key, self._live
            runs = tuple(self._runs.values())
        place, part = 0, 0.0
        if live and not phase.ended:
            now = live.snapshot()
            part = now.step / max(1, now.steps)
            phase = phase if now.phase.ended else now.phase
            if phase is Phase.QUEUED:
                # Between two runs it is in the line for a blink; it waits where others have all slots.
                place = now.place if now.place > 1 or not self._slots.free else 0
                phase = Phase.QUEUED if place else Phase.PREPARING
        return StudySnapshot(phase, place, message, runs, key, (len(runs) + part) / len(self.study))

    def state(self, key: RunKey) -> TrainingState | None:
        """What a run that is over has learned."""
        with self._lock:
            return self._states.get(key)

    def results(self, command: str, dataset_sha256: str) -> Results:
        """As far as it has come."""
        versions = {"torch": version("torch"), "python": platform.python_version()}
        return Results(self.study, self.snapshot().runs, command, dataset_sha256, versions)

    def _go_through(self) -> None:
        end, message = Phase.DONE, ""
        for key in self.study.keys:
            end, message = self._carry_out(key)
            if end is not Phase.DONE:
                break
        with self._lock:
            self._phase, self._message, self._key, self._live = end, message, None, None

    def _carry_out(self, key: RunKey) -> tuple[Phase, str]:
        """A run, from the line to its end. One that diverges is over, too: `DONE`."""
        config = config_of(self.study, key)
        live = LiveRun(lambda: self._make(config), self._slots, self._lease)
        with self._lock:
            self._phase, self._key, self._live = Phase.TRAINING, key, live
        # Who stopped the study before it had this run could not stop the run.
        if self._stop.is_set():
            return Phase.STOPPED, ""
        try:
            live.start()
        except RuntimeError as error:
            return Phase.FAILED, f"The server has no thread for a run: {error}."
        live.join()
        if live.phase is not Phase.DONE and not live.diverged:
            return live.phase, live.snapshot().message
        state = live.state().result()
        with self._lock:
            self._states[key] = state
            self._runs[key] = Run(key, tuple(state.history), len(state.history) < config.epochs)
            # It is counted among those that are over, and not as the current one, too.
            self._live = None
        return Phase.DONE, ""


def check_live_study(study: Study) -> None:
    """Raises ValueError for a study that asks more than a visitor may."""
    if len(study) > MAX_RUNS:
        raise ValueError(f"This grid has {len(study)} runs: a live study has at most {MAX_RUNS}.")
    configs = [config_of(study, key) for key in study.keys]
    for config in configs:
        check_live(config)
    steps = sum(map(steps_of, configs))
    if steps > MAX_STEPS:
        most = max(1, study.epochs * MAX_STEPS // steps)
        raise ValueError(
            f"These runs are {steps:,} steps together: a live study has at most {MAX_STEPS:,}, here some "
            f"{most} epochs."
        )
    weights = sum(weights_of(config.model) for config in configs)
    if weights > MAX_WEIGHTS:
        least = ceil(weights / MAX_WEIGHTS)
        raise ValueError(
            f"The networks of these runs are too large to be kept together: make the grid {least} times "
            "smaller."
        )
