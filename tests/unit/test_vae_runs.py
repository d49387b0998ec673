"""Runs by owner: one at a time, a few lines of what came before, and nothing of those who have gone.

Time is a number that the tests turn on by hand. Who waits for a run gives up after `PATIENCE` seconds.
"""

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gumbel_core.datasets import load
from gumbel_core.runs import EARLIER, SAVED, Begun, Runs, Saved
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LiveRun, Phase
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.sharing import Slots
from gumbel_core.vae.training import Training
from tests.unit.conftest import Clock
from tests.waiting import PATIENCE

DIGITS = load("digits")
FEW = replace(DIGITS, train=DIGITS.train[:200], test=DIGITS.test[:20])
CONFIG = TrainConfig(
    model=ModelConfig(pixels=64, encoder=(16,), decoder=(16,), latents=4, categories=3), epochs=1
)
ENDLESS = replace(CONFIG, epochs=1_000)


Begin = Callable[..., Begun]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begin an owner's run; whatever still runs at the test's end is stopped."""
    begun = []

    def begin(runs: Runs, owner: str, title: str = "A run", config: TrainConfig = ENDLESS) -> Begun:
        one = runs.begin(owner, title, config, lambda: Training(config, FEW))
        begun.append(one)
        return one

    yield begin
    for one in begun:
        one.run.stop()
        one.run.join(PATIENCE)


def ended(begun: Begun) -> Phase:
    begun.run.join(PATIENCE)
    return begun.run.snapshot().phase


def saved(title: str) -> Saved:
    run = LiveRun(lambda: Training(CONFIG, FEW), Slots(1))
    run.start()
    return Saved(title, run.state().result(PATIENCE), run.snapshot(), FEW.sha256)


def test_a_run_that_is_begun_is_the_owners_and_nobody_elses(begin: Begin) -> None:
    runs = Runs(Slots(1))
    assert runs.now("a") is None
    begun = begin(runs, "a", "Small, seed 0", CONFIG)
    assert runs.now("a") is begun
    assert (begun.number, begun.title, begun.config) == (1, "Small, seed 0", CONFIG)
    assert (runs.now("b"), runs.earlier("a"), runs.saved("a")) == (None, (), ())
    assert ended(begun) == Phase.DONE
    assert runs.now("a") is begun


def test_the_next_run_takes_the_place_of_the_first(begin: Begin) -> None:
    runs = Runs(Slots(1))
    first = begin(runs, "a", "First")
    state = first.run.state().result(PATIENCE)
    second = begin(runs, "a", "Second")
    assert (runs.now("a"), second.number) == (second, 2)
    assert ended(first) == Phase.STOPPED
    (line,) = runs.earlier("a")
    assert (line.number, line.title, line.config) == (1, "First", ENDLESS)
    assert len(line.snapshot.losses) >= state.step
    assert line.snapshot.frames == ()
    assert second.run.state().result(PATIENCE).step >= 1, "The slot of the first one was not free again."


def test_another_owners_run_goes_on(begin: Begin) -> None:
    runs = Runs(Slots(2))
    theirs = begin(runs, "b")
    begin(runs, "a")
    begin(runs, "a")
    runs.reset("a")
    step = theirs.run.state().result(PATIENCE).step
    assert theirs.run.state().result(PATIENCE).step > step
    assert (runs.now("a"), runs.now("b")) == (None, theirs)


def test_a_reset_leaves_a_line_and_no_run(begin: Begin) -> None:
    runs = Runs(Slots(1))
    begun = begin(runs, "a", "Only", CONFIG)
    assert ended(begun) == Phase.DONE
    runs.reset("a")
    assert runs.now("a") is None
    (line,) = runs.earlier("a")
    assert (line.title, line.snapshot.phase, line.snapshot.step) == ("Only", Phase.DONE, 2)
    runs.reset("a")
    assert runs.earlier("a") == (line,)


def test_a_run_without_a_step_leaves_no_line(begin: Begin) -> None:
    runs = Runs(Slots(0))
    begun = begin(runs, "a")
    runs.reset("a")
    assert ended(begun) == Phase.STOPPED
    assert (runs.now("a"), runs.earlier("a")) == (None, ())
    assert begin(runs, "a").number == 2


def test_the_last_lines_are_kept_oldest_first(begin: Begin) -> None:
    runs = Runs(Slots(1))
    for number in range(1, EARLIER + 4):
        assert ended(begin(runs, "a", f"Run {number}", CONFIG)) == Phase.DONE
    lines = [(line.number, line.title) for line in runs.earlier("a")]
    assert lines == [(number, f"Run {number}") for number in range(3, EARLIER + 3)]


def test_the_last_checkpoints_are_kept_newest_last() -> None:
    runs, one = Runs(Slots(1)), saved("A run")
    kept = [replace(one, title=f"Save {number}") for number in range(SAVED + 2)]
    for checkpoint in kept:
        runs.save("a", checkpoint)
    assert runs.saved("a") == tuple(kept[2:])
    assert runs.saved("b") == ()


def test_a_run_lives_on_the_owners_lease(clock: Clock, begin: Begin) -> None:
    runs = Runs(Slots(2), grace=60)
    lease, other = runs.watch("a"), runs.watch("b")
    assert runs.watch("a") is lease
    assert lease is not other
    begun, theirs = begin(runs, "a"), begin(runs, "b")
    lease.let_go()
    clock.now += 61
    begun.run.state().result(PATIENCE)  # One watcher of two has gone.
    lease.let_go()
    clock.now += 61
    assert ended(begun) == Phase.ABANDONED
    assert theirs.run.state().result(PATIENCE).step > 0
    assert not theirs.run.snapshot().phase.ended


def test_an_abandoned_run_is_found_again_for_a_while(clock: Clock, begin: Begin) -> None:
    runs = Runs(Slots(1), grace=60, kept=600)
    begun = begin(runs, "a")
    begun.run.state().result(PATIENCE)
    clock.now += 600
    assert ended(begun) == Phase.ABANDONED
    assert runs.now("a") is begun
    runs.watch("a")
    clock.now += 1e6
    assert runs.now("a") is begun
    assert not begin(runs, "a").run.snapshot().phase.ended


def test_who_has_gone_is_forgotten(clock: Clock, begin: Begin) -> None:
    runs = Runs(Slots(1), grace=60, kept=600)
    begun, one = begin(runs, "a"), saved("A run")
    runs.save("a", one)
    runs.watch("b")
    clock.now += 601
    assert ended(begun) == Phase.ABANDONED
    assert list(runs.owners) == ["a", "b"]
    assert runs.now("b") is None
    assert list(runs.owners) == ["b"]
    assert (runs.now("a"), runs.earlier("a"), runs.saved("a")) == (None, (), ())


def test_a_hundred_runs_of_two_owners_leave_nothing(clock: Clock) -> None:
    runs, begun = Runs(Slots(2), grace=0, kept=0), list[weakref.ref[LiveRun]]()
    before, trainings = threading.active_count(), weakref.WeakSet[Training]()

    def make() -> Training:
        training = Training(CONFIG, FEW)
        trainings.add(training)
        return training

    leases = [runs.watch(owner) for owner in "ab"]
    for number in range(50):
        for owner in "ab":
            run = runs.begin(owner, f"Run {number}", CONFIG, make).run
            begun.append(weakref.ref(run))
            # Half of them come to their end, and half are replaced wherever they stand.
            if number % 2:
                run.join(PATIENCE)
    del run
    for owner in "ab":
        assert len(runs.earlier(owner)) == EARLIER
    for reference in begun:
        if remaining := reference():
            remaining.join(PATIENCE)
    remaining = None
    gc.collect()
    assert (runs.slots.free, len(runs.slots.line)) == (2, 0)
    assert threading.active_count() <= before
    assert len([run for run in (reference() for reference in begun) if run]) == 2
    assert len(trainings) == 0
    for lease in leases:
        lease.let_go()
    clock.now += 1
    assert runs.now("c") is None
    gc.collect()
    assert list(runs.owners) == ["c"]
    assert [run for run in (reference() for reference in begun) if run] == []


def at_once(actions: list[Callable[[], object]]) -> None:
    """All of them, on threads of their own that set out together."""
    gate = threading.Barrier(len(actions))

    def act(action: Callable[[], object]) -> None:
        gate.wait(PATIENCE)
        action()

    threads = [threading.Thread(target=act, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)


@pytest.mark.usefixtures("hurried")
def test_of_runs_that_begin_at_once_one_is_left(begin: Begin) -> None:
    """Two tabs of an owner: each run that is not the current one has been told to stop."""
    told = [begun_at_once(Runs(Slots(0)), begin, count=8) for _ in range(20)]
    for one in (one for runs in told for one in runs):
        one.run.join(0.2)
    assert {one.run.snapshot().phase for runs in told for one in runs} == {Phase.STOPPED}


def begun_at_once(runs: Runs, begin: Begin, count: int) -> list[Begun]:
    """Runs of one owner that began together, after a reset."""
    told = list[Begun]()
    at_once([lambda: told.append(begin(runs, "a"))] * count)
    assert {one.number for one in told} == set(range(1, count + 1))
    runs.reset("a")
    return told


@pytest.mark.usefixtures("hurried")
def test_resets_at_once_leave_one_line(begin: Begin) -> None:
    runs = Runs(Slots(1))
    assert ended(begin(runs, "a", config=CONFIG)) == Phase.DONE
    at_once([lambda: runs.reset("a")] * 8)
    assert len(runs.earlier("a")) == 1


def test_an_owner_is_not_forgotten_while_a_run_trains(clock: Clock, begin: Begin) -> None:
    """Where the grace is longer than runs are kept."""
    runs = Runs(Slots(1), grace=6_000, kept=600)
    begun = begin(runs, "a")
    clock.now += 601
    assert runs.now("b") is None
    assert runs.now("a") is begun


def test_an_earlier_run_is_over(begin: Begin) -> None:
    runs = Runs(Slots(1))
    begun = begin(runs, "a")
    begun.run.state().result(PATIENCE)
    begin(runs, "a")
    (line,) = runs.earlier("a")
    assert line.snapshot.phase == Phase.STOPPED
    assert line.snapshot.step == begun.run.snapshot().step
