"""What a visitor may ask of a study, and whose study is whose."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gumbel_core.datasets import load
from gumbel_core.runs import Runs
from gumbel_core.studies import live
from gumbel_core.studies.grid import Study, config_of
from gumbel_core.studies.live import MAX_RUNS, MAX_STEPS, MAX_WEIGHTS, LiveStudy, check_live_study
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.live import Phase
from gumbel_core.vae.sharing import Slots
from gumbel_core.vae.training import Training
from tests.unit.conftest import Clock
from tests.unit.small_studies import assert_one_sentence
from tests.waiting import PATIENCE, until

DIGITS = load("digits")
SMALL = Study("mine", temperatures=(0.5,), seeds=2, epochs=1)
LONG = replace(SMALL, epochs=300)


def refusal(study: Study) -> str:
    with pytest.raises(ValueError, match=r"\.$") as refused:
        check_live_study(study)
    assert_one_sentence(refused.value)
    # And it is not begun.
    with pytest.raises(ValueError, match=r"\.$"):
        LiveStudy(study, lambda _: pytest.fail("It trained."), Slots(1))
    return str(refused.value)


# Limits


def test_as_many_runs_as_a_visitor_may_ask() -> None:
    check_live_study(Study("mine", temperatures=(0.1, 0.5, 1.0), seeds=20, epochs=10))
    wanted = "This grid has 63 runs: a live study has at most 60."
    assert refusal(Study("mine", temperatures=(0.1, 0.5, 1.0), seeds=21, epochs=10)) == wanted
    assert MAX_RUNS == 60


@pytest.mark.parametrize(("dataset", "epoch_steps"), [("digits", 30), ("mnist", 600)])
def test_as_many_steps_as_a_visitor_may_ask(dataset: str, epoch_steps: int) -> None:
    """The sentence names the epochs that are taken."""
    seeds = 4
    most = MAX_STEPS // (seeds * epoch_steps)
    study = Study("mine", dataset, temperatures=(1.0,), seeds=seeds, epochs=min(most, 300))
    check_live_study(study)
    more = replace(study, seeds=20, epochs=study.epochs)
    told = refusal(more)
    assert f"These runs are {20 * study.epochs * epoch_steps:,} steps together" in told
    named = int(told.split()[-2])
    check_live_study(replace(more, epochs=named))
    assert "steps together" in refusal(replace(more, epochs=named + 1))


def test_steps_are_counted_to_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study("mine", estimators=("reinmax", "gumbel_rao"), seeds=3, epochs=7)
    monkeypatch.setattr(live, "MAX_STEPS", 2 * 3 * 7 * 30)
    check_live_study(study)
    monkeypatch.setattr(live, "MAX_STEPS", 2 * 3 * 7 * 30 - 1)
    assert "here some 6 epochs" in refusal(study)


def test_weights_are_counted_over_all_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study("mine", temperatures=(0.5, 1.0), seeds=3, epochs=1)
    training = Training(config_of(study, study.keys[0]), DIGITS)
    matrices = [parameter for parameter in training.model.parameters() if parameter.dim() == 2]
    # The prior's logits are no layer's.
    weights = sum(parameter.numel() for parameter in matrices if parameter.requires_grad)
    monkeypatch.setattr(live, "MAX_WEIGHTS", 6 * weights)
    check_live_study(study)
    monkeypatch.setattr(live, "MAX_WEIGHTS", 6 * weights - 1)
    assert "too large to be kept together: make the grid 2 times smaller" in refusal(study)


def test_a_grid_of_large_networks_is_too_large_before_it_is_too_long() -> None:
    study = Study("mine", "mnist", ("best",), temperatures=(0.1, 1.0), seeds=30, epochs=1)
    told = refusal(study)
    times = int(told.split()[-3])
    smaller = replace(study, temperatures=(1.0,), seeds=60 // times)
    check_live_study(smaller)
    assert MAX_WEIGHTS == 12_500_000


def test_a_run_of_its_own_may_not_ask_more_than_a_live_one() -> None:
    assert refusal(replace(SMALL, epochs=301)).startswith(
        "The number of epochs is a whole number from 1 to 300"
    )


# Owners


@pytest.fixture
def runs() -> Iterator[Runs]:
    """Everybody's, with a slot; whatever still goes on at the test's end is stopped."""
    runs = Runs(Slots(1), grace=60, kept=600)
    yield runs
    for study in (owned.study for owned in runs.owners.values() if owned.study):
        study.stop()
        study.join(PATIENCE)


def make(config: TrainConfig) -> Training:
    return Training(config, DIGITS)


def begun(runs: Runs, owner: str, study: Study = LONG) -> LiveStudy:
    """Begun, and in its first run."""
    live = runs.begin_study(owner, study, make)
    until(lambda: live.snapshot().done > 0, "step of a study")
    return live


def ended(study: LiveStudy) -> Phase:
    study.join(PATIENCE)
    return study.phase


def test_a_study_that_is_begun_is_the_owners_and_nobody_elses(runs: Runs) -> None:
    assert (runs.study("a"), runs.has_any("a")) == (None, False)
    study = runs.begin_study("a", SMALL, make)
    assert runs.study("a") is study
    assert (runs.study("b"), runs.has_any("a"), runs.has_any("b")) == (None, True, False)
    assert ended(study) is Phase.DONE
    assert runs.study("a") is study
    assert (runs.has_any("a"), runs.now("a"), runs.earlier("a")) == (True, None, ())


def test_the_next_study_takes_the_place_of_the_first(runs: Runs) -> None:
    first = begun(runs, "a")
    second = runs.begin_study("a", SMALL, make)
    assert runs.study("a") is second
    assert ended(first) is Phase.STOPPED
    assert ended(second) is Phase.DONE
    assert len(second.snapshot().runs) == 2


def test_another_owners_study_goes_on(runs: Runs) -> None:
    theirs = begun(runs, "b")
    mine = runs.begin_study("a", SMALL, make)
    runs.begin_study("a", SMALL, make)
    assert ended(mine) is Phase.STOPPED
    done = theirs.snapshot().done
    until(lambda: theirs.snapshot().done > done, "step of the other one's study")
    assert runs.study("b") is theirs


def test_a_study_that_is_refused_leaves_the_one_that_goes_on(runs: Runs) -> None:
    study = begun(runs, "a")
    with pytest.raises(ValueError, match="a live study has at most 60"):
        runs.begin_study("a", replace(SMALL, seeds=61), make)
    assert runs.study("a") is study
    done = study.snapshot().done
    until(lambda: study.snapshot().done > done, "step of a study")


def test_a_study_and_a_run_are_beside_each_other(runs: Runs) -> None:
    study = runs.begin_study("a", SMALL, make)
    config = config_of(SMALL, SMALL.keys[0])
    run = runs.begin("a", "A run", config, lambda: make(config))
    run.run.join(PATIENCE)
    assert (run.run.phase, ended(study)) == (Phase.DONE, Phase.DONE)
    assert (runs.now("a"), runs.study("a")) == (run, study)


def test_a_study_lives_on_the_owners_lease(clock: Clock, runs: Runs) -> None:
    lease = runs.watch("a")
    study = begun(runs, "a")
    lease.let_go()
    clock.now += 61
    assert ended(study) is Phase.ABANDONED
    # It is found again for a while, and then forgotten.
    assert runs.study("a") is study
    clock.now += 600
    assert runs.study("b") is None
    assert list(runs.owners) == ["b"]
    assert runs.study("a") is None


def test_an_owner_is_not_forgotten_while_a_study_goes_on(clock: Clock, runs: Runs) -> None:
    """Where the grace is longer than runs are kept."""
    runs.grace = 6_000
    study = begun(runs, "a")
    clock.now += 601
    assert runs.study("b") is None
    assert runs.study("a") is study
    study.stop()
    assert ended(study) is Phase.STOPPED
    assert runs.study("b") is None
    assert list(runs.owners) == ["b"]
