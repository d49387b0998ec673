"""How runs are handed out: each once, again where a worker died, told in the order in which they end."""

import _thread
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from gumbel_core.studies.grid import RunKey, Study, config_of
from gumbel_core.studies.results import StudyError
from gumbel_core.studies.running import TRIES, carry_out
from gumbel_core.studies.work import Task, carried_out
from gumbel_core.studies.workers import Workers
from tests.waiting import PATIENCE

STUDY = Study("handed", seeds=5, epochs=1)
TASKS = {key: Task(config_of(STUDY, key), "0" * 64, "") for key in STUDY.keys}
FILES = {key: {"card.json": key.name.encode()} for key in STUDY.keys}

Outcome = dict[str, bytes] | Exception | None


class DeathError(Exception):
    """What stands for a worker's death."""


class Recorder(Executor):
    """Keeps what it is given, and leaves its end to the test."""

    def __init__(self) -> None:
        self.given: list[tuple[Task, Future[Any]]] = []

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        assert function is carried_out
        (task,) = args
        self.given.append((task, Future()))
        return self.given[-1][1]

    @property
    def count(self) -> Counter[Task]:
        return Counter(task for task, _ in self.given)


class Prompt(Recorder):
    """Each task ends as soon as it is given, with its next outcome; cancelled where that is None."""

    def __init__(self, outcomes: Mapping[RunKey, Sequence[Outcome]]) -> None:
        super().__init__()
        self.outcomes = {TASKS[key]: iter(sequence) for key, sequence in outcomes.items()}

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future = super().submit(function, *args, **kwargs)
        match next(self.outcomes[args[0]]):
            case None:
                future.cancel()
            case Exception() as error:
                future.set_exception(error)
            case files:
                future.set_result(files)
        return future


class Late(Recorder):
    """Tasks end while the last one is given, in an order of the test's. What is given last is heard last."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = order

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        future = super().submit(function, *args, **kwargs)
        if len(self.given) == len(TASKS):
            self.end(*self.order)
        return future

    def end(self, *places: int) -> None:
        for place in places:
            self.given[place][1].set_result(FILES[STUDY.keys[place]])


def carried(executor: Executor) -> Iterator[tuple[RunKey, dict[str, bytes]]]:
    return carry_out(TASKS, Workers(executor, (DeathError,)))


def outcomes(**by_seed: Sequence[Outcome]) -> dict[RunKey, Sequence[Outcome]]:
    """All well, but for the seeds that are named: `seed2=[...]`."""
    return {key: by_seed.get(f"seed{key.seed}", [FILES[key]]) for key in STUDY.keys}


def test_each_task_is_given_once_and_its_files_come_back_with_its_key() -> None:
    executor = Prompt(outcomes())
    assert dict(carried(executor)) == FILES
    assert executor.count == Counter(TASKS.values())


def test_nothing_to_do_is_nothing_given() -> None:
    executor = Recorder()
    assert list(carry_out({}, Workers(executor, (DeathError,)))) == []
    assert executor.given == []


def test_all_tasks_are_given_before_the_first_is_waited_for() -> None:
    executor = Late([4])
    assert next(carried(executor))[0] == STUDY.keys[4]
    assert [task for task, _ in executor.given] == list(TASKS.values())


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 2, 1, 0, 4], [2, 0, 3, 1, 4]])
def test_runs_are_told_in_the_order_in_which_they_end(order: list[int]) -> None:
    assert [key.seed for key, _ in carried(Late(order))] == order


def test_a_run_is_told_while_others_go_on() -> None:
    executor = Late([3])
    runs = carried(executor)
    assert next(runs) == (STUDY.keys[3], FILES[STUDY.keys[3]])
    executor.end(1, 0)
    assert [next(runs)[0].seed for _ in range(2)] == [1, 0]
    executor.end(2, 4)
    assert [key.seed for key, _ in runs] == [2, 4]


@pytest.mark.parametrize("deaths", range(TRIES))
def test_a_run_whose_worker_died_is_tried_again(deaths: int) -> None:
    key = STUDY.keys[2]
    executor = Prompt(outcomes(seed2=[DeathError()] * deaths + [FILES[key]]))
    assert dict(carried(executor)) == FILES
    assert executor.count == Counter(TASKS.values()) + Counter({TASKS[key]: deaths})


def test_a_run_whose_workers_die_each_time_is_left_out_alone() -> None:
    key = STUDY.keys[2]
    # Another death or two of other runs is none of its own.
    executor = Prompt(outcomes(seed2=[DeathError()] * TRIES, seed4=[DeathError(), FILES[STUDY.keys[4]]]))
    assert dict(carried(executor)) == {other: files for other, files in FILES.items() if other != key}
    assert executor.count[TASKS[key]] == TRIES
    assert executor.count[TASKS[STUDY.keys[4]]] == 2


def test_an_error_that_is_no_death_is_raised_behind_all_that_ended_before() -> None:
    executor = Prompt(outcomes(seed3=[OSError(28, "No space left on device")]))
    runs = carried(executor)
    assert [next(runs)[0].seed for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="No space left"):
        next(runs)
    assert executor.count == Counter(TASKS.values())


def test_a_run_that_is_cancelled_from_elsewhere_ends_the_study_in_a_sentence() -> None:
    runs = carried(Prompt(outcomes(seed1=[None])))
    assert next(runs)[0].seed == 0
    with pytest.raises(StudyError, match=r"^The scheduler let go of the study's runs\.$"):
        next(runs)


def test_a_signal_that_wakes_nobody_is_heard_all_the_same() -> None:
    """One that comes just before a wait, as it is simulated here, does not interrupt it."""
    executor = Recorder()
    signal_soon = threading.Timer(0.1, _thread.interrupt_main)
    give_up = threading.Timer(PATIENCE, lambda: executor.given[0][1].set_result({}))

    def waited_for() -> None:
        signal_soon.start()
        give_up.start()
        next(carried(executor))

    with pytest.raises(KeyboardInterrupt):
        waited_for()
    give_up.cancel()
    assert not executor.given[0][1].done()
