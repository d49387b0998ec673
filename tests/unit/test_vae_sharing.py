"""Slots and their line, leases and their grace, and runs that share them.

A lease's time is a number that the tests turn on by hand. Who waits for a run gives up after `PATIENCE`
seconds.
"""

import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from gumbel_core.datasets import load
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LiveRun, Phase
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.sharing import Lease, Slots
from gumbel_core.vae.training import Training
from tests.unit.conftest import Clock
from tests.waiting import PATIENCE, in_phase, reached

DIGITS = load("digits")
CONFIG = TrainConfig(
    model=ModelConfig(pixels=64, encoder=(16,), decoder=(16,), latents=4, categories=3), epochs=1_000
)


def in_line(slots: Slots) -> tuple[object, object, object]:
    """Three runs, one behind the other."""
    a, b, c = object(), object(), object()
    for run in (a, b, c):
        slots.enter(run)
    return a, b, c


def test_the_line_is_served_from_its_head() -> None:
    slots = Slots(1)
    a, b, c = in_line(slots)
    assert [slots.place(run) for run in (a, b, c)] == [1, 2, 3]
    assert not slots.take(b)
    assert slots.take(a)
    assert [slots.place(run) for run in (a, b, c)] == [0, 1, 2]
    assert not slots.take(b)
    slots.give_back()
    assert not slots.take(c)
    assert slots.take(b)


def test_as_many_have_a_slot_as_there_are() -> None:
    slots = Slots(2)
    assert [slots.take(run) for run in in_line(slots)] == [True, True, False]


def test_who_leaves_the_line_lets_the_others_up() -> None:
    slots = Slots(1)
    a, b, c = in_line(slots)
    slots.leave(a)
    slots.leave(a)
    assert [slots.place(run) for run in (a, b, c)] == [0, 1, 2]
    assert slots.take(b)
    slots.leave(b)
    assert not slots.take(c), "Leaving the line gave back a slot."


def test_who_stands_in_no_line_takes_nothing() -> None:
    slots = Slots(1)
    in_line(slots)
    stranger = object()
    assert not slots.take(stranger)
    assert slots.place(stranger) == 0


def test_who_stands_in_no_line_takes_nothing_of_an_empty_one() -> None:
    assert not Slots(1).take(object())


@pytest.mark.usefixtures("hurried")
def test_no_more_than_the_slots_are_taken_by_many_threads() -> None:
    slots, most, inside, lock = Slots(3), 0, 0, threading.Lock()

    def take_and_give_back(run: object) -> None:
        nonlocal most, inside
        slots.enter(run)
        while not slots.take(run):
            pass
        with lock:
            inside += 1
            most = max(most, inside)
        with lock:
            inside -= 1
        slots.give_back()

    threads = [threading.Thread(target=take_and_give_back, args=(object(),)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert (slots.free, len(slots.line)) == (3, 0)
    assert 1 <= most <= 3


def test_a_lease_is_good_for_its_grace_before_anybody_holds_it(clock: Clock) -> None:
    lease = Lease(60)
    clock.now += 60
    assert (lease.unwatched, lease.expired) == (60, False)
    clock.now += 0.5
    assert (lease.unwatched, lease.expired) == (60.5, True)


def test_a_lease_that_is_held_never_expires(clock: Clock) -> None:
    lease = Lease(60)
    lease.hold()
    clock.now += 1e6
    assert (lease.unwatched, lease.expired) == (0, False)


def test_the_grace_counts_from_the_last_of_two_holders(clock: Clock) -> None:
    lease = Lease(60)
    lease.hold()
    lease.hold()
    clock.now += 100
    lease.let_go()
    clock.now += 100
    assert (lease.unwatched, lease.expired) == (0, False)
    lease.let_go()
    clock.now += 60
    assert (lease.unwatched, lease.expired) == (60, False)
    clock.now += 1
    assert lease.expired


def test_who_comes_back_in_time_begins_the_grace_anew(clock: Clock) -> None:
    lease = Lease(60)
    lease.hold()
    lease.let_go()
    clock.now += 59
    lease.hold()
    clock.now += 59
    lease.let_go()
    clock.now += 59
    assert not lease.expired


def test_a_lease_let_go_once_too_often_expires_all_the_same(clock: Clock) -> None:
    lease = Lease(60)
    lease.hold()
    lease.let_go()
    lease.let_go()
    clock.now += 61
    assert lease.expired


@pytest.mark.usefixtures("hurried")
def test_holders_on_many_threads_are_all_counted() -> None:
    lease = Lease(60)

    def hold_and_let_go() -> None:
        for _ in range(500):
            lease.hold()
            lease.let_go()

    threads = [threading.Thread(target=hold_and_let_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert lease.holders == 0


Begin = Callable[[Slots, Lease | None], LiveRun]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begin a run that would go on for long; whatever still runs at the test's end is stopped."""
    runs = []

    def begin(slots: Slots, lease: Lease | None = None) -> LiveRun:
        run = LiveRun(lambda: Training(CONFIG, DIGITS), slots, lease)
        runs.append(run)
        run.start()
        return run

    yield begin
    for run in runs:
        run.stop()
        run.join(PATIENCE)


def test_runs_are_served_in_the_order_in_which_they_came(begin: Begin) -> None:
    slots = Slots(1)
    first, *others = runs = [begin(slots, None) for _ in range(5)]
    reached(first, in_phase(Phase.TRAINING))
    assert [run.snapshot().place for run in runs] == [0, 1, 2, 3, 4]
    assert {run.snapshot().phase for run in others} == {Phase.QUEUED}
    for served, following in pairwise(runs):
        served.stop()
        reached(following, in_phase(Phase.TRAINING))
    assert slots.free == 0


def test_a_run_that_waits_can_leave_the_line(begin: Begin) -> None:
    slots = Slots(1)
    first, second, third = (begin(slots, None) for _ in range(3))
    reached(first, in_phase(Phase.TRAINING))
    second.stop()
    assert reached(second, in_phase(Phase.STOPPED)).steps == 0
    assert third.snapshot().place == 1
    first.stop()
    reached(third, in_phase(Phase.TRAINING))


def test_a_paused_run_lets_another_one_train_and_waits_for_its_turn(begin: Begin) -> None:
    slots = Slots(1)
    first, second = begin(slots, None), begin(slots, None)
    first.pause()
    reached(first, in_phase(Phase.PAUSED))
    reached(second, in_phase(Phase.TRAINING))
    first.resume()
    reached(first, in_phase(Phase.QUEUED))
    assert first.snapshot().place == 1
    step = first.state().result(PATIENCE).step
    second.stop()
    reached(first, in_phase(Phase.TRAINING))
    assert first.state().result(PATIENCE).step >= step
    first.stop()
    first.join(PATIENCE)
    assert (slots.free, len(slots.line)) == (1, 0)


def test_a_paused_run_that_is_stopped_gives_no_slot_back_twice(begin: Begin) -> None:
    slots = Slots(1)
    run = begin(slots, None)
    run.pause()
    reached(run, in_phase(Phase.PAUSED))
    run.stop()
    run.join(PATIENCE)
    assert (run.snapshot().phase, slots.free, len(slots.line)) == (Phase.STOPPED, 1, 0)


def test_a_run_that_nobody_watches_is_abandoned_wherever_it_stands(clock: Clock, begin: Begin) -> None:
    slots, lease = Slots(2), Lease(60)
    lease.hold()
    training, paused, queued = begin(slots, lease), begin(slots, lease), begin(Slots(0), lease)
    paused.pause()
    reached(training, in_phase(Phase.TRAINING))
    reached(paused, in_phase(Phase.PAUSED))
    clock.now += 1e6
    step = training.state().result(PATIENCE).step
    assert training.state().result(PATIENCE).step > step, "A run that is watched has stopped."
    assert (paused.snapshot().phase, queued.snapshot().phase) == (Phase.PAUSED, Phase.QUEUED)
    lease.let_go()
    clock.now += 61
    for run in (training, paused, queued):
        reached(run, in_phase(Phase.ABANDONED))
        run.join(PATIENCE)
    assert (slots.free, len(slots.line)) == (2, 0)
    assert training.state().result(PATIENCE).step > step
    with pytest.raises(RuntimeError, match="before it began"):
        queued.state().result(PATIENCE)


def test_a_run_goes_on_while_one_of_two_watches(clock: Clock, begin: Begin) -> None:
    lease = Lease(60)
    lease.hold()
    lease.hold()
    run = begin(Slots(1), lease)
    lease.let_go()
    clock.now += 1e6
    step = run.state().result(PATIENCE).step
    assert run.state().result(PATIENCE).step > step
    lease.let_go()
    clock.now += 61
    reached(run, in_phase(Phase.ABANDONED))


def test_a_run_that_is_stopped_is_not_abandoned(clock: Clock, begin: Begin) -> None:
    lease = Lease(60)
    run = begin(Slots(0), lease)
    run.stop()
    clock.now += 61
    assert reached(run, in_phase(Phase.STOPPED)).place == 0


NOT_LOOKED = "`take` comes before the look at the events: a run that is over already has its turn."


def test_a_run_that_was_abandoned_before_its_turn_never_begins(clock: Clock, begin: Begin) -> None:
    lease = Lease(60)
    clock.now += 61
    run = begin(Slots(1), lease)
    assert reached(run, in_phase(Phase.ABANDONED)).steps == 0


def test_a_run_that_was_stopped_before_its_turn_never_begins() -> None:
    """Where a slot is free in that moment, too: it would read its images, and take a step."""
    made = list[Training]()

    def make() -> Training:
        made.append(Training(CONFIG, DIGITS))
        return made[0]

    run = LiveRun(make, Slots(1))
    run.stop()
    run.start()
    run.join(PATIENCE)
    assert (run.snapshot().phase, made) == (Phase.STOPPED, [])


def test_a_place_and_a_phase_are_of_one_moment() -> None:
    class Slow(Slots):
        def place(self, run: object) -> int:
            found = super().place(run)
            waiting.stop()
            waiting.join(PATIENCE)
            return found

    waiting = LiveRun(lambda: Training(CONFIG, DIGITS), Slow(0))
    waiting.start()
    snapshot = waiting.snapshot()
    assert (snapshot.phase, snapshot.place) in [(Phase.QUEUED, 1), (Phase.STOPPED, 0)]


def test_a_run_whose_thread_does_not_start_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine has only so many threads."""
    slots = Slots(1)
    run = LiveRun(lambda: Training(CONFIG, DIGITS), slots)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", _no_thread)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            run.start()
    assert len(slots.line) == 0


def _no_thread(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
