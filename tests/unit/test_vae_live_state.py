"""Whoever asks a run for its state is answered, at whatever moment: nobody waits for ever."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace

import pytest

from gumbel_core.datasets import load
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LiveRun, Phase
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.records import Record
from gumbel_core.vae.sharing import Lease, Slots
from gumbel_core.vae.training import Training, TrainingState
from tests.waiting import PATIENCE

DIGITS = load("digits")
CONFIG = TrainConfig(
    model=ModelConfig(pixels=64, encoder=(16,), decoder=(16,), latents=4, categories=3), epochs=1
)
ENDLESS = replace(CONFIG, epochs=1_000)

Asked = Future[TrainingState]


class Asking(Lease):
    """A lease that is found expired, and in that moment somebody asks."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = list[Asked]()
        self.run: LiveRun | None = None

    @property
    def expired(self) -> bool:
        assert self.run
        self.asked.append(self.run.state())
        return True


class AskedLast(Training):
    """A training that is asked behind its last record, when no step will follow."""

    def __init__(self, run: list[LiveRun], asked: list[Asked]) -> None:
        super().__init__(CONFIG, DIGITS)
        self.run, self.asked = run, asked

    def records(self) -> Iterator[Record]:
        yield from super().records()
        self.asked.append(self.run[0].state())


class Broken(Training):
    """A training whose state cannot be copied any more, as when memory has run out."""

    broken = False

    def state(self) -> TrainingState:
        if self.broken:
            raise RuntimeError("There is not enough memory.")
        return super().state()

    def records(self) -> Iterator[Record]:
        for record in super().records():
            self.broken = True
            yield record


def asked_at_once(run: LiveRun, threads: int) -> list[Asked]:
    """What many threads asked from before the run's start to behind its end."""
    futures = list[Asked]()

    def ask() -> None:
        while not run.snapshot().phase.ended:
            future = run.state()
            futures.append(future)
            # An answer, or an error: the next question is asked then, and not sooner.
            future.exception(PATIENCE)
        futures.append(run.state())

    askers = [threading.Thread(target=ask) for _ in range(threads)]
    for asker in askers:
        asker.start()
    run.start()
    for asker in askers:
        asker.join(PATIENCE)
    run.join(PATIENCE)
    return futures


def test_a_run_is_asked_from_its_start_to_its_end() -> None:
    for _ in range(5):
        futures = asked_at_once(LiveRun(lambda: Training(CONFIG, DIGITS), Slots(1)), threads=2)
        assert all(future.done() for future in futures)
        assert {future.result(0).step for future in futures} <= set(range(16))
        assert futures[-1].result(0).step == 15


def test_a_run_is_asked_behind_its_last_step() -> None:
    run, asked = list[LiveRun](), list[Asked]()
    run.append(LiveRun(lambda: AskedLast(run, asked), Slots(1)))
    run[0].start()
    run[0].join(PATIENCE)
    assert [future.result(0).step for future in asked] == [15]


def test_a_run_is_asked_in_the_moment_in_which_it_is_abandoned() -> None:
    lease = Asking()
    lease.run = LiveRun(lambda: Training(ENDLESS, DIGITS), Slots(1), lease)
    lease.run.start()
    lease.run.join(PATIENCE)
    assert lease.run.snapshot().phase == Phase.ABANDONED
    assert lease.asked
    for future in lease.asked:
        assert future.done()


def test_a_run_is_asked_in_the_moment_in_which_it_leaves_the_line() -> None:
    lease = Asking()
    lease.run = LiveRun(lambda: Training(ENDLESS, DIGITS), Slots(0), lease)
    lease.run.start()
    lease.run.join(PATIENCE)
    assert lease.run.snapshot().phase == Phase.ABANDONED
    assert lease.asked
    for future in lease.asked:
        with pytest.raises(RuntimeError, match=r"^The run ended before it began\.$"):
            future.result(0)


def test_who_asks_a_run_in_the_line_hears_of_its_first_step() -> None:
    run = LiveRun(lambda: Training(ENDLESS, DIGITS), Slots(1))
    asked = run.state()
    assert not asked.done()
    run.start()
    assert asked.result(PATIENCE).step >= 1
    run.stop()
    run.join(PATIENCE)


def test_an_answer_is_not_what_further_steps_change() -> None:
    run = LiveRun(lambda: Training(ENDLESS, DIGITS), Slots(1))
    run.start()
    state = run.state().result(PATIENCE)
    before = {name: tensor.clone() for name, tensor in state.model.items()}
    while run.state().result(PATIENCE).step < state.step + 5:
        pass
    run.stop()
    run.join(PATIENCE)
    assert all((before[name] == tensor).all() for name, tensor in state.model.items())


def test_who_is_answered_may_ask_again() -> None:
    """What a future calls when it is done runs on the run's own thread: no lock may be held there."""
    run, again = LiveRun(lambda: Training(CONFIG, DIGITS), Slots(1)), list[Asked]()
    run.state().add_done_callback(lambda _: again.append(run.state()))
    run.start()
    run.join(PATIENCE)
    assert [future.result(0).step <= 2 for future in again] == [True]


def test_who_asks_on_and_on_does_not_hold_up_the_run() -> None:
    run, asked = LiveRun(lambda: Training(CONFIG, DIGITS), Slots(1)), list[Asked]()

    def ask(_answered: Asked | None = None) -> None:
        if len(asked) < 50:
            asked.append(run.state())
            asked[-1].add_done_callback(ask)

    ask()
    run.start()
    run.join(PATIENCE)
    assert len({future.result(0).step for future in asked}) > 1


def test_who_does_not_wait_any_longer_does_not_hurt_the_run() -> None:
    run = LiveRun(lambda: Training(CONFIG, DIGITS), Slots(1))
    assert run.state().cancel()
    run.start()
    run.join(PATIENCE)
    assert run.snapshot().phase == Phase.DONE


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_does_not_wait_any_longer_does_not_hurt_who_waits() -> None:
    run = LiveRun(lambda: Training(CONFIG, DIGITS), Slots(0))
    first, second = run.state(), run.state()
    assert first.cancel()
    run.stop()
    run.start()
    run.join(PATIENCE)
    assert second.done()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_state_that_cannot_be_copied_ends_the_run_and_is_told() -> None:
    run = LiveRun(lambda: Broken(ENDLESS, DIGITS), Slots(1))
    asked = run.state()
    run.start()
    run.join(PATIENCE)
    assert run.snapshot().phase == Phase.FAILED
    with pytest.raises(RuntimeError):
        asked.result(0)
    with pytest.raises(RuntimeError):
        run.state().result(0)
