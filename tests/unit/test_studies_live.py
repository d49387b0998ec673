"""A study on a server: the table of the same seeds elsewhere, one run at a time, each with its turn.

No test waits for a time to pass. What happens at a moment of a run happens on that run's own thread.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gumbel_core.checkpoints import CARD, checkpoint_of
from gumbel_core.datasets import DataError, load
from gumbel_core.schedules import Constant
from gumbel_core.studies.grid import RunKey, Study, config_of
from gumbel_core.studies.live import LiveStudy, StudySnapshot
from gumbel_core.studies.results import Run
from gumbel_core.studies.work import Task, carried_out
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import LiveRun, Phase
from gumbel_core.vae.records import Record, StepRecord
from gumbel_core.vae.sharing import Lease, Slots
from gumbel_core.vae.training import Training
from tests.unit.conftest import Clock
from tests.unit.small_studies import COMMAND
from tests.waiting import PATIENCE, in_phase, reached, until

DIGITS = load("digits")
STUDY = Study("mine", estimators=("reinmax", "gumbel_softmax"), temperatures=(0.5,), seeds=2, epochs=1)
KEYS = STUDY.keys
STEPS = 30

Make = Callable[[TrainConfig], Training]
Begin = Callable[..., LiveStudy]


def training_of(config: TrainConfig) -> Training:
    return Training(config, DIGITS)


class Told(Training):
    """A training that tells of each step, on its own thread, before whoever follows it sees that."""

    def __init__(self, config: TrainConfig, tell: Callable[[int], None]) -> None:
        super().__init__(config, DIGITS)
        self.tell = tell

    def records(self) -> Iterator[Record]:
        for record in super().records():
            self.tell(self.step)
            yield record


def numbered(make: Callable[[int, TrainConfig], Training]) -> Make:
    """Made with the number of the run, counted from 0."""
    made = list[TrainConfig]()

    def counted(config: TrainConfig) -> Training:
        made.append(config)
        return make(len(made) - 1, config)

    return counted


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begin a study; whatever still goes on at the test's end is stopped."""
    begun = list[LiveStudy]()

    def begin(
        make: Make = training_of, slots: Slots | None = None, lease: Lease | None = None, study: Study = STUDY
    ) -> LiveStudy:
        one = LiveStudy(study, make, slots or Slots(1), lease)
        begun.append(one)
        one.start()
        return one

    yield begin
    for one in begun:
        one.stop()
        one.join(PATIENCE)


def ended(study: LiveStudy) -> StudySnapshot:
    study.join(PATIENCE)
    snapshot = study.snapshot()
    assert snapshot.phase.ended
    assert snapshot.phase is study.phase
    assert (snapshot.current, snapshot.place) == (None, 0)
    return snapshot


def keys(snapshot: StudySnapshot) -> tuple[RunKey, ...]:
    return tuple(run.key for run in snapshot.runs)


# What comes of it


def test_a_live_study_has_the_table_and_the_weights_of_one_elsewhere(begin: Begin) -> None:
    study = begin()
    done = ended(study)
    assert (done.phase, done.message, done.done, keys(done)) == (Phase.DONE, "", 1.0, KEYS)
    table = study.results(COMMAND, DIGITS.sha256).table()
    for key, line in zip(KEYS, table, strict=True):
        files = carried_out(Task(config_of(STUDY, key), DIGITS.sha256, COMMAND))
        elsewhere = checkpoint_of(files[CARD], files.__getitem__, Path()).state
        assert line == Run(key, tuple(elsewhere.history), diverged=False).row()
        state = study.state(key)
        assert state is not None
        assert state.config == elsewhere.config
        assert state.model.keys() == elsewhere.model.keys()
        for name, tensor in elsewhere.model.items():
            assert torch.equal(state.model[name], tensor), name
    # Runs of other seeds and estimators are other runs.
    assert len(set(table)) == len(KEYS)


def test_its_results_are_a_studys(begin: Begin) -> None:
    study = begin()
    ended(study)
    results = study.results(COMMAND, DIGITS.sha256)
    assert (results.study, results.command, results.dataset_sha256) == (STUDY, COMMAND, DIGITS.sha256)
    assert results.runs == study.snapshot().runs
    assert results.versions["torch"].startswith(torch.__version__.partition("+")[0])


def test_a_run_that_diverges_is_over_and_the_others_go_on(begin: Begin) -> None:
    def make(number: int, config: TrainConfig) -> Training:
        wild = replace(config, optimiser="sgd", learning_rate=Constant(100.0))
        return training_of(wild if number == 1 else config)

    study = begin(numbered(make))
    done = ended(study)
    assert (done.phase, done.message, done.done, keys(done)) == (Phase.DONE, "", 1.0, KEYS)
    assert [run.diverged for run in done.runs] == [False, True, False, False]
    assert [len(run.history) for run in done.runs] == [1, 0, 1, 1]


def test_what_is_not_over_has_no_state(begin: Begin) -> None:
    found = list[object]()

    def make(number: int, config: TrainConfig) -> Training:
        found.append([study.state(key) is not None for key in KEYS])
        return training_of(config)

    study = LiveStudy(STUDY, numbered(make), Slots(1))
    study.start()
    ended(study)
    assert found == [[number < count for number in range(4)] for count in range(4)]
    assert study.state(RunKey("small", None, None, 0)) is None


# While it goes on


def test_a_snapshot_says_how_far_it_has_come() -> None:
    seen = list[StudySnapshot]()

    def make(number: int, config: TrainConfig) -> Training:
        seen.append(study.snapshot())
        return Told(config, lambda step: seen.append(study.snapshot()))

    study = LiveStudy(STUDY, numbered(make), Slots(1))
    assert study.snapshot() == StudySnapshot(Phase.QUEUED, 0, "", (), None, 0.0)
    study.start()
    last = ended(study)
    assert [snapshot.current for snapshot in seen if snapshot.phase is Phase.PREPARING] == list(KEYS)
    assert {snapshot.phase for snapshot in seen} == {Phase.PREPARING, Phase.TRAINING}
    assert [len(snapshot.runs) for snapshot in seen] == sorted(len(snapshot.runs) for snapshot in seen)
    shares = [snapshot.done for snapshot in [*seen, last]]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    # A quarter a run, in equal steps. The first share is told before them, and each step before it is noted.
    assert shares[1 : STEPS + 2] == pytest.approx([step / STEPS / 4 for step in range(STEPS + 1)])
    first = next(snapshot for snapshot in seen if snapshot.current == KEYS[1])
    assert (first.done, keys(first)) == (0.25, KEYS[:1])


def test_a_run_that_has_ended_does_not_end_the_study_and_is_counted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As it ends, and when it is among those that are over: a bar on a page takes no more than 1."""
    seen = list[tuple[Phase, float]]()

    def look() -> None:
        snapshot = study.snapshot()
        seen.append((snapshot.phase, snapshot.done))

    class Looked(LiveStudy):
        def _carry_out(self, key: RunKey) -> tuple[Phase, str]:
            end = super()._carry_out(key)
            look()
            return end

    def joined(run: LiveRun) -> None:
        join(run)
        look()

    join = LiveRun.join
    monkeypatch.setattr(LiveRun, "join", joined)
    study = Looked(STUDY, training_of, Slots(1))
    study.start()
    ended(study)
    assert seen == [(Phase.TRAINING, share) for share in (0.25, 0.5, 0.75, 1.0) for _ in "ab"]


# The line


def test_whoever_waits_has_a_turn_between_two_runs(begin: Begin) -> None:
    slots, order = Slots(1), list[str]()

    def other() -> Training:
        order.append("other")
        return training_of(config_of(STUDY, KEYS[0]))

    others = [LiveRun(other, slots), LiveRun(other, slots)]

    def make(number: int, config: TrainConfig) -> Training:
        order.append(f"study {number}")
        # They enter the line while the first run, and the second, has the slot.
        if number < 2:
            others[number].start()
        return training_of(config)

    study = begin(numbered(make), slots)
    assert ended(study).phase == Phase.DONE
    for run in others:
        assert reached(run, in_phase(Phase.DONE)).epochs
    assert order == ["study 0", "other", "study 1", "other", "study 2", "study 3"]
    assert (slots.free, len(slots.line)) == (1, 0)


def test_two_studies_take_turns(begin: Begin) -> None:
    slots, order = Slots(1), list[str]()

    def first(number: int, config: TrainConfig) -> Training:
        order.append(f"first {number}")
        if number == 0:
            begun.append(begin(numbered(second), slots))
            # The second one stands in the line before the first one's run is over.
            until(lambda: slots.line, "study in the line")
        return training_of(config)

    def second(number: int, config: TrainConfig) -> Training:
        order.append(f"second {number}")
        until(lambda: slots.line or number == 3, "study in the line")
        return training_of(config)

    begun = list[LiveStudy]()
    assert ended(begin(numbered(first), slots)).phase == Phase.DONE
    assert ended(begun[0]).phase == Phase.DONE
    assert order == [f"{name} {number}" for number in range(4) for name in ("first", "second")]


def test_a_study_that_waits_knows_its_place_and_can_be_stopped_there(begin: Begin) -> None:
    slots = Slots(0)
    ahead = LiveRun(lambda: training_of(config_of(STUDY, KEYS[0])), slots)
    ahead.start()
    study = begin(slots=slots)
    until(lambda: study.snapshot().place == 2, "place behind the one ahead")
    waiting = study.snapshot()
    assert (waiting.phase, waiting.current, waiting.done) == (Phase.QUEUED, KEYS[0], 0.0)
    ahead.stop()
    until(lambda: study.snapshot().place == 1, "first place")
    study.stop()
    assert ended(study) == StudySnapshot(Phase.STOPPED, 0, "", (), None, 0.0)
    reached(ahead, in_phase(Phase.STOPPED))
    assert (slots.free, len(slots.line)) == (0, 0)


# Ends


def test_a_study_that_is_stopped_within_a_run_keeps_those_that_are_over(begin: Begin) -> None:
    slots, trained = Slots(1), list[int]()

    def tell(step: int) -> None:
        trained.append(step)
        if step == 7:
            study.stop()

    def make(number: int, config: TrainConfig) -> Training:
        return Told(config, tell) if number == 2 else training_of(config)

    study = LiveStudy(STUDY, numbered(make), slots)
    study.start()
    stopped = ended(study)
    assert (stopped.phase, stopped.message, stopped.done) == (Phase.STOPPED, "", 0.5)
    assert keys(stopped) == KEYS[:2]
    assert [study.state(key) is not None for key in KEYS] == [True, True, False, False]
    assert trained == [*range(1, 8)]
    assert len(study.results(COMMAND, DIGITS.sha256).runs) == 2
    assert (slots.free, len(slots.line)) == (1, 0)


def test_a_study_that_is_stopped_between_two_runs_begins_no_other() -> None:
    made = list[int]()

    class Stopped(LiveStudy):
        def _carry_out(self, key: RunKey) -> tuple[Phase, str]:
            end = super()._carry_out(key)
            self.stop()
            return end

    def make(number: int, config: TrainConfig) -> Training:
        made.append(number)
        return training_of(config)

    study = Stopped(STUDY, numbered(make), Slots(1))
    study.start()
    assert (ended(study).phase, keys(study.snapshot()), made) == (Phase.STOPPED, KEYS[:1], [0])


def test_a_study_that_is_stopped_before_it_begins_trains_nothing() -> None:
    study = LiveStudy(STUDY, lambda _: pytest.fail("It trained."), Slots(1))
    study.stop()
    study.start()
    assert (ended(study).phase, study.snapshot().runs) == (Phase.STOPPED, ())


def test_a_study_that_nobody_watches_any_more_ends(clock: Clock, begin: Begin) -> None:
    lease, slots = Lease(grace=60), Slots(1)
    lease.hold()

    def make(number: int, config: TrainConfig) -> Training:
        if number == 1:
            lease.let_go()
            clock.now += 61
        return training_of(config)

    study = begin(numbered(make), slots, lease)
    abandoned = ended(study)
    assert (abandoned.phase, abandoned.message, keys(abandoned)) == (Phase.ABANDONED, "", KEYS[:1])
    assert (slots.free, len(slots.line)) == (1, 0)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (DataError("The data set mnist is not here."), "The data set mnist is not here."),
        (ValueError("The images are others."), "The images are others."),
        (OSError("The disk is gone."), "The run failed: The disk is gone."),
    ],
)
@pytest.mark.parametrize("failing", [0, 2])
def test_what_cannot_be_made_fails_it_with_its_sentence(
    failing: int, error: Exception, sentence: str, begin: Begin
) -> None:
    def make(number: int, config: TrainConfig) -> Training:
        if number == failing:
            raise error
        return training_of(config)

    slots = Slots(1)
    failed = ended(begin(numbered(make), slots))
    assert (failed.phase, failed.message, keys(failed)) == (Phase.FAILED, sentence, KEYS[:failing])
    assert failed.done == failing / 4
    assert (slots.free, len(slots.line)) == (1, 0)


def test_a_server_without_a_thread_fails_it_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(run: LiveRun) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(LiveRun, "start", none_left)
    study = LiveStudy(STUDY, training_of, Slots(1))
    study.start()
    failed = ended(study)
    assert failed.phase is Phase.FAILED
    assert failed.message == "The server has no thread for a run: can't start new thread."


class Crashing(Training):
    """The machine gives out in its second epoch."""

    def records(self) -> Iterator[Record]:
        for record in super().records():
            if record_step(record) > self.epoch_steps:
                raise MemoryError("out of memory")
            yield record


def record_step(record: Record) -> int:
    return record.step if isinstance(record, StepRecord) else record.summary.step


def test_a_crash_in_the_middle_of_a_run_is_told_and_is_no_divergence(begin: Begin) -> None:
    study = replace(STUDY, epochs=2)
    failed = ended(begin(lambda config: Crashing(config, DIGITS), study=study))
    assert (failed.phase, failed.message, failed.runs) == (Phase.FAILED, "The run failed: out of memory", ())


@pytest.mark.parametrize(("free", "told"), [(1, (Phase.PREPARING, 0)), (0, (Phase.QUEUED, 1))])
def test_a_study_waits_only_where_others_have_all_slots(
    free: int, told: tuple[Phase, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A run that has entered the line, and whose thread has not looked yet whether it is its turn.
    monkeypatch.setattr("gumbel_core.vae.live.threading.Thread.start", lambda thread: None)
    slots = Slots(1)
    slots.free = free
    study = LiveStudy(STUDY, training_of, slots)
    live = LiveRun(lambda: training_of(config_of(STUDY, KEYS[0])), slots)
    live.start()
    study._live, study._phase = live, Phase.TRAINING
    snapshot = study.snapshot()
    assert (snapshot.phase, snapshot.place) == told
