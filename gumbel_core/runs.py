"""Whose run is whose: the runs of everybody on a server, by owner's token.

    runs = Runs(Slots(2))
    runs.begin(owner, "Small, seed 0", config, lambda: Training(config, dataset))
    runs.now(owner).run.snapshot()

An owner has one run at a time. What came before stays as a line to compare with, and what was saved as a
checkpoint, until nobody has watched for a while: so many of each, and no more, for an owner.
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gumbel_core.studies.grid import Study
from gumbel_core.studies.live import LiveStudy
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LiveRun, Snapshot
from gumbel_core.vae.sharing import GRACE, Lease, Slots
from gumbel_core.vae.training import Training, TrainingState

# Seconds that an owner's runs are kept after the last watcher has gone.
KEPT = 600.0
EARLIER, SAVED = 4, 3
# Seconds that a run's last step and its evaluation may take.
LAST_STEP = 2.0


@dataclass(frozen=True)
class Begun:
    """A run that was begun. `number` counts an owner's runs from 1."""

    number: int
    title: str
    config: TrainConfig
    run: LiveRun


@dataclass(frozen=True)
class Earlier:
    """What is left of a run when the next one begins: its curves."""

    number: int
    title: str
    config: TrainConfig
    snapshot: Snapshot  # without frames


@dataclass(frozen=True)
class Saved:
    """A run as it stood when it was saved, or was brought, to look at and to go on from."""

    title: str
    state: TrainingState
    snapshot: Snapshot
    dataset_sha256: str  # of the images that it learned from
    stand_ins: bool = False  # whether its pictures are of other images, for its own were not on the disk


@dataclass
class Owned:
    """What one owner has."""

    lease: Lease
    now: Begun | None = None
    begun: int = 0
    earlier: deque[Earlier] = field(default_factory=lambda: deque(maxlen=EARLIER))
    saved: deque[Saved] = field(default_factory=lambda: deque(maxlen=SAVED))
    study: LiveStudy | None = None


class Runs:
    """Everybody's runs. All methods may be called from any thread."""

    def __init__(self, slots: Slots, *, grace: float = GRACE, kept: float = KEPT) -> None:
        self.slots, self.grace, self.kept = slots, grace, kept
        self.owners: dict[str, Owned] = {}
        self.lock = threading.Lock()

    def watch(self, owner: str) -> Lease:
        """A lease on this owner's runs, held; whoever stops watching lets it go."""
        with self.lock:
            lease = self._of(owner).lease
            lease.hold()
            return lease

    def now(self, owner: str) -> Begun | None:
        with self.lock:
            return self._of(owner).now

    def has_any(self, owner: str) -> bool:
        """Whether there is anything to watch over: a run, an earlier one, a checkpoint, a study."""
        with self.lock:
            owned = self._of(owner)
            return bool(owned.now or owned.earlier or owned.saved or owned.study)

    def earlier(self, owner: str) -> tuple[Earlier, ...]:
        """The runs before the current one, oldest first."""
        with self.lock:
            return tuple(self._of(owner).earlier)

    def saved(self, owner: str) -> tuple[Saved, ...]:
        """Newest last. Of more than `SAVED`, the oldest have gone."""
        with self.lock:
            return tuple(self._of(owner).saved)

    def begin(self, owner: str, title: str, config: TrainConfig, make: Callable[[], Training]) -> Begun:
        """Start a run, in the place of the owner's current one."""
        with self.lock:
            owned = self._of(owner)
            owned.begun += 1
            begun = Begun(owned.begun, title, config, LiveRun(make, self.slots, owned.lease))
            begun.run.start()
            before, owned.now = owned.now, begun
        self._put_aside(owner, before)
        return begun

    def study(self, owner: str) -> LiveStudy | None:
        with self.lock:
            return self._of(owner).study

    def begin_study(self, owner: str, study: Study, make: Callable[[TrainConfig], Training]) -> LiveStudy:
        """Start a study, in the place of the owner's current one. Raises ValueError for too large a one."""
        with self.lock:
            owned = self._of(owner)
            begun = LiveStudy(study, make, self.slots, owned.lease)
            begun.start()
            before, owned.study = owned.study, begun
        if before:
            before.stop()
        return begun

    def reset(self, owner: str) -> None:
        """Stop the current run and put it among the earlier ones, if it has come to anything."""
        with self.lock:
            owned = self._of(owner)
            before, owned.now = owned.now, None
        self._put_aside(owner, before)

    def save(self, owner: str, saved: Saved) -> str:
        """Keep a checkpoint for as long as the owner's runs are kept. Returns its title, which is its own."""
        with self.lock:
            kept = self._of(owner).saved
            # A title is what a visitor tells them apart by.
            taken = sum(other.title.partition(" (")[0] == saved.title for other in kept)
            title = f"{saved.title} ({taken + 1})" if taken else saved.title
            kept.append(replace(saved, title=title))
            return title

    def _put_aside(self, owner: str, begun: Begun | None) -> None:
        if begun is None:
            return
        begun.run.stop()
        # Its last step belongs to its line. One that still reads its images has none, and is not waited for.
        if begun.run.snapshot().step:
            begun.run.join(LAST_STEP)
        snapshot = replace(begun.run.snapshot(), frames=())
        if len(snapshot.losses):
            with self.lock:
                earlier = Earlier(begun.number, begun.title, begun.config, snapshot)
                self._of(owner).earlier.append(earlier)

    def _of(self, owner: str) -> Owned:
        """What the owner has; the lock is held."""
        for name in [name for name, owned in self.owners.items() if self._is_gone(owned)]:
            del self.owners[name]
        if owner not in self.owners:
            self.owners[owner] = Owned(Lease(self.grace))
        return self.owners[owner]

    def _is_gone(self, owned: Owned) -> bool:
        """Nobody has watched for longer than `kept`, and nothing trains any more."""
        if owned.lease.unwatched <= self.kept:
            return False
        ended = owned.now is None or owned.now.run.phase.ended
        return ended and (owned.study is None or owned.study.phase.ended)
