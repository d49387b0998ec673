"""The lesson Studies in motion: a study is asked for, watched and stopped, and a run of one is opened."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core import checkpoints
from gumbel_core.datasets import DataError
from gumbel_core.runs import Runs
from gumbel_core.studies.grid import Study, config_of
from gumbel_core.studies.live import LiveStudy
from gumbel_core.studies.results import Results
from gumbel_core.vae.live import Phase
from gumbel_core.vae.settings import Setting
from gumbel_core.vae.sharing import Slots
from pages.components.codes_choice import models
from pages.components.vae_setting import KEYS
from tests.app.studies import (
    FOLDER,
    SHIPPED,
    TWO,
    Drawn,
    button,
    errors,
    made,
    measured,
    press,
    put,
    quiet,
    shelves,
    stand_ins,
    table,
    unescaped,
    warnings,
    words,
)
from tests.waiting import ended, reached, until

Open = Callable[..., AppTest]
# Four short runs, and some that take long.
SHORT = {"st_taus": "0.5 2", "st_seeds": "1", "st_epochs": "1"}
LONG = {"st_taus": "1", "st_seeds": "2", "st_epochs": "150"}


@pytest.fixture
def server(server: Runs) -> Iterator[Runs]:
    """No study outlives its test."""
    yield server
    for owned in server.owners.values():
        if owned.study:
            owned.study.stop()
            owned.study.join()


@pytest.fixture(autouse=True)
def drawn(server: Runs, monkeypatch: pytest.MonkeyPatch) -> Drawn:
    return stand_ins(monkeypatch)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the command would write."""
    return shelves(monkeypatch, tmp_path)


def study_of(at: AppTest, server: Runs) -> LiveStudy:
    study = server.study(at.session_state["_owner"])
    assert study
    return study


def standing(at: AppTest) -> str:
    (progress,) = at.get("progress")
    return unescaped(progress.proto.text)


def over(study: LiveStudy) -> None:
    until(lambda: study.phase.ended, "end of the study")


def trains(study: LiveStudy) -> None:
    until(lambda: study.snapshot().phase == Phase.TRAINING, "run that trains")


# What is asked for.


def test_every_field_reaches_the_study(
    open_page: Open, server: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Study] = []
    monkeypatch.setattr(server, "begin_study", lambda owner, study, make: begun.append(study))
    at = open_page("studies")
    at.selectbox(key="st_data").set_value("mnist")
    at.selectbox(key="st_recipe").set_value("notebook")
    at.text_input(key="st_taus").set_value("2; 0.25")
    at.pills(key="st_estimators").set_value(["Straight-through", "Gumbel-Rao"])
    at.number_input(key="st_seeds").set_value(1)
    at.number_input(key="st_epochs").set_value(4).run()
    assert quiet(at)
    assert "4 runs of 2,400 steps." in words(at)
    press(at, "Start")
    estimators = ("straight_through", "gumbel_rao")
    assert begun == [Study("yours", "mnist", ("notebook",), estimators, (2.0, 0.25), seeds=1, epochs=4)]


def test_a_link_brings_the_fields(open_page: Open) -> None:
    at = AppTest.from_file(FOLDER.parents[1] / "pages" / "studies.py", default_timeout=30)
    at.query_params["st_estimators"] = ["ReinMax", "Gumbel-Rao"]
    at.query_params.update(st_taus="3 1", st_data="kmnist", st_recipe="best", st_seeds="1", st_epochs="7")
    at.run()
    assert quiet(at)
    assert at.pills(key="st_estimators").value == ["ReinMax", "Gumbel-Rao"]
    assert "4 runs of 4,200 steps." in words(at)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("st_taus", "", "There is nothing to read: type numbers such as 2, 0.5, -1."),
        ("st_taus", "0.1, warm", "Entry 2, 'warm', is not a number."),
        ("st_taus", "0.1,,1", "Entry 2 is empty: two commas stand side by side."),
        ("st_taus", "0.1, 0", "A temperature is a number from 0.01 to 100, not 0.0."),
        ("st_taus", "-inf, 1", "A temperature is a number from 0.01 to 100, not -inf."),
        ("st_taus", "1, 0.5, 1.0", "Each temperature of a grid is named once."),
        ("st_taus", "<b>1</b>", "Entry 1, '<b>1</b>', is not a number."),
        ("st_taus", " ".join(map(str, range(1, 41))), "This grid has 160 runs: a live study has at most 60."),
        ("st_estimators", [], "Choose an estimator: a study holds at least one against the temperature."),
        (
            "st_epochs", 300,
            "These runs are 144,000 steps together: a live study has at most 60,000, here some 125 epochs.",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_and_nothing_is_lost(
    open_page: Open, drawn: Drawn, field: str, value: Any, sentence: str
) -> None:
    at = open_page("studies")
    picture = drawn.figures["study_losses"]
    widget: Any = next(
        widget
        for kind in (at.text_input, at.pills, at.number_input)
        for widget in kind
        if widget.key == field
    )
    widget.set_value(value).run()
    assert not at.exception
    assert errors(at) == [sentence]
    assert "<b>" not in at.error[0].value
    assert button(at, "Start").disabled
    assert drawn.figures["study_losses"] == picture
    assert at.session_state[field] == value


# A study that goes on.


def test_a_study_is_watched_to_its_end(open_page: Open, server: Runs, drawn: Drawn) -> None:
    at = open_page("studies", **SHORT)
    press(at, "Start")
    assert at.selectbox(key="study").value == "yours"
    study = study_of(at, server)
    over(study)
    at.run()
    assert quiet(at)
    assert standing(at) == "Done: 4 runs."
    results = study.results("", "")
    (run,) = results.cell("gumbel_softmax", 2.0)
    assert drawn.line("study_losses", "Gumbel-Softmax, hard")[2.0] == pytest.approx(run.hard, rel=1e-3)
    assert [row["Kept"] for row in table(at)] == ["weights"] * 4
    assert "(over one seed this may be chance)" in words(at)


def test_the_picture_fills_while_it_goes_on(open_page: Open, server: Runs, drawn: Drawn) -> None:
    at = open_page("studies", **LONG | {"st_taus": "1, 2", "st_epochs": "20"})
    press(at, "Start")
    study = study_of(at, server)
    until(lambda: len(study.snapshot().runs) >= 1, "run that is over")
    at.run()
    assert quiet(at)
    assert standing(at).startswith("Run ")
    assert len(table(at)) >= 1
    # While lines are added none can be marked.
    assert not at.dataframe[0].proto.selection_mode
    press(at, "Stop")
    over(study)
    at.run()
    assert quiet(at)
    many = len(study.snapshot().runs)
    assert standing(at) == f"Stopped after {many} of 8 runs."
    assert len(table(at)) == many


def test_before_the_first_run_is_over_the_page_stands(open_page: Open, server: Runs, drawn: Drawn) -> None:
    at = open_page("studies", **LONG)
    press(at, "Start")
    trains(study_of(at, server))
    at.run()
    assert quiet(at)
    assert standing(at) == "Run 1 of 4: Gumbel-Softmax, τ = 1, seed 0."
    assert drawn.alt("study_losses").endswith("no run at tau 1 has come to its end.")
    assert not at.dataframe


def test_another_study_takes_its_place(open_page: Open, server: Runs) -> None:
    at = open_page("studies", **LONG)
    press(at, "Start")
    first = study_of(at, server)
    trains(first)
    at.run()
    assert "4 runs of 4,500 steps. It takes your last one's place." in words(at)
    at.number_input(key="st_epochs").set_value(1).run()
    press(at, "Start")
    over(first)
    assert first.phase == Phase.STOPPED
    second = study_of(at, server)
    over(second)
    assert second.study.epochs == 1
    at.run()
    assert standing(at) == "Done: 4 runs."


def test_who_has_to_wait_is_told_and_may_leave(open_page: Open, server: Runs) -> None:
    server.slots = Slots(1)
    first, second = (open_page("studies", **LONG) for _ in range(2))
    press(first, "Start")
    trains(study_of(first, server))
    press(second, "Start")
    waiting = study_of(second, server)
    until(lambda: waiting.snapshot().place == 1, "place in the line")
    second.run()
    assert standing(second) == "One run trains here at a time. The next of this study is first in the line."
    press(second, "Leave the line")
    over(waiting)
    second.run()
    assert standing(second) == "Stopped after 0 of 4 runs."


def test_a_study_is_its_owners_alone(open_page: Open, server: Runs) -> None:
    at = open_page("studies", **SHORT)
    press(at, "Start")
    other = open_page("studies", study="yours")
    (told,) = warnings(other)
    assert told.startswith("The link's study = yours is not taken. ")
    assert other.selectbox(key="study").options == [SHIPPED]
    over(study_of(at, server))


def test_a_reload_finds_it_again_on_its_second_run(open_page: Open, server: Runs, drawn: Drawn) -> None:
    """A browser tells whose it is when the page has run once."""
    at = open_page("studies", **SHORT)
    press(at, "Start")
    over(study_of(at, server))
    again = open_page("studies", study="yours", study_estimator="ReinMax", study_tau="0.5")
    assert warnings(again)
    again.session_state["_owner"] = at.session_state["_owner"]
    again.run()
    assert quiet(again)
    assert again.selectbox(key="study").value == "yours"
    assert "ReinMax, hard" in drawn.names("study_losses")
    assert "At tau 0.5: " in drawn.alt("study_losses")
    # From then on the visitor's word holds, not the link's.
    again.segmented_control(key="study_estimator").set_value("Gumbel-Softmax").run()
    assert "Gumbel-Softmax, hard" in drawn.names("study_losses")


def test_what_cannot_begin_says_why(open_page: Open, server: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: str) -> None:
        raise DataError("The files of <digits> cannot be read: delete them.")

    monkeypatch.setattr("pages.components.live_runs.load_or_download", fail)
    at = open_page("studies", **SHORT)
    press(at, "Start")
    over(study_of(at, server))
    at.run()
    assert not at.exception
    assert errors(at) == ["The files of <digits> cannot be read: delete them."]
    assert "<digits>" not in at.error[0].value


# A run of one.


def test_a_run_that_ships_is_opened(open_page: Open, server: Runs, drawn: Drawn) -> None:
    at = open_page("studies", study_estimator="ReinMax", study_tau="0.3")
    press(at, "Open this run")
    owner = at.session_state["_owner"]
    (saved,) = server.saved(owner)
    assert drawn.went == ["vae_codes.py"]
    assert at.session_state["code_model"] == saved.title == "ReinMax, τ = 0.3, seed 0"
    assert saved.title in models(owner)
    key = measured().cell("reinmax", 0.3)[0].key
    assert saved.state.config == config_of(measured().study, key)
    assert (saved.dataset_sha256, len(saved.state.history)) == (measured().dataset_sha256, 10)


def test_who_opens_a_run_twice_has_it_once(open_page: Open, server: Runs) -> None:
    at = open_page("studies")
    press(at, "Open this run")
    press(at, "Open this run")
    assert len(server.saved(at.session_state["_owner"])) == 1


def test_a_run_of_ones_own_is_opened(open_page: Open, server: Runs, drawn: Drawn) -> None:
    at = open_page("studies", **SHORT)
    press(at, "Start")
    study = study_of(at, server)
    over(study)
    at.run()
    press(at, "Open this run")
    (saved,) = server.saved(at.session_state["_owner"])
    assert saved.title == "Gumbel-Softmax, τ = 0.5, seed 0"
    assert saved.state.config == config_of(study.study, study.study.keys[0])
    assert drawn.went == ["vae_codes.py"]


def with_weights(folder: Path, *, of: str) -> Results:
    """What ships, with another run's weights in the place of the one that is opened."""
    copytree(FOLDER / of, folder / "small-gumbel_softmax-tau1.0-seed0")
    (folder / "results.json").write_bytes((FOLDER / "results.json").read_bytes())
    return measured()


def test_another_runs_weights_in_its_place_are_refused(open_page: Open, server: Runs, here: Path) -> None:
    (here / "mine").mkdir()
    with_weights(here / "mine", of="small-reinmax-tau1.0-seed0")
    at = open_page("studies", study="runs: mine")
    press(at, "Open this run")
    assert errors(at) == ["What lies in small-gumbel_softmax-tau1.0-seed0 is another run than the study's."]
    assert server.saved(at.session_state["_owner"]) == ()


def test_damaged_weights_are_told(open_page: Open, server: Runs, here: Path, drawn: Drawn) -> None:
    (here / "mine").mkdir()
    with_weights(here / "mine", of="small-gumbel_softmax-tau1.0-seed0")
    (card,) = (here / "mine").rglob(checkpoints.CARD)
    card.write_text("{")
    at = open_page("studies", study="runs: mine")
    press(at, "Open this run")
    (told,) = errors(at)
    assert told.endswith(".")
    assert "card.json" in told
    assert (server.saved(at.session_state["_owner"]), drawn.went) == ((), [])


def test_a_run_without_weights_is_trained_again(
    open_page: Open, server: Runs, here: Path, drawn: Drawn
) -> None:
    put(made(TWO), here / "mine")
    at = open_page("studies", study="runs: mine")
    assert {row["Kept"] for row in table(at)} == {"numbers"}
    press(at, "Train this run again")
    begun = server.now(at.session_state["_owner"])
    assert begun
    assert drawn.went == ["vae_training.py"]
    assert begun.title == "Gumbel-Softmax, τ = 0.5, seed 0"
    assert begun.config == config_of(TWO, TWO.keys[0])
    # What the fields there say.
    setting = Setting(**{field: at.session_state[key] for field, key in KEYS.items()})
    assert setting.config() == begun.config
    assert at.session_state["_vae_begun"] == setting
    assert reached(begun.run, ended).phase == Phase.DONE


def test_a_run_that_asks_too_much_of_a_server_is_refused(
    open_page: Open, server: Runs, here: Path, drawn: Drawn
) -> None:
    study = Study("night", estimators=("reinmax",), temperatures=(1.0,), seeds=1, epochs=301)
    results = made(study)
    epochs = [replace(results.runs[0].history[0], epoch=n, step=30 * n) for n in range(1, 302)]
    put(replace(results, runs=(replace(results.runs[0], history=tuple(epochs)),)), here / "mine")
    at = open_page("studies", study="runs: mine")
    press(at, "Train this run again")
    assert errors(at) == ["The number of epochs is a whole number from 1 to 300, not 301."]
    assert (server.now(at.session_state["_owner"]), drawn.went) == (None, [])
