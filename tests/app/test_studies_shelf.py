"""The lesson Studies with whatever lies on a disk: it is offered and shown, or told to be left out."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from gumbel_core.studies.grid import RunKey, Study
from gumbel_core.studies.results import Results
from pages.components import studies_shelf
from tests.app.conftest import forget
from tests.app.studies import (
    SHIPPED,
    TWO,
    Drawn,
    errors,
    made,
    put,
    quiet,
    shelves,
    stand_ins,
    table,
    words,
)

Open = Callable[..., AppTest]
SOFT = "gumbel_softmax"


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch) -> Iterator[Drawn]:
    forget()
    yield stand_ins(monkeypatch)
    forget()


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where the command would write."""
    return shelves(monkeypatch, tmp_path)


def shown(open_page: Open, here: Path, results: Results, **query: str) -> AppTest:
    """The page with that study."""
    put(results, here / "mine")
    return open_page("studies", **{"study": "runs: mine"} | query)


def test_what_the_command_made_is_offered_and_anew_when_it_has_changed(
    open_page: Open, here: Path, drawn: Drawn
) -> None:
    at = shown(open_page, here, made(TWO))
    assert quiet(at)
    assert at.selectbox(key="study").options == [SHIPPED, "runs: mine"]
    assert drawn.line("study_losses", "Gumbel-Softmax, relaxed")[2.0] == pytest.approx(24.0625, rel=1e-3)
    more = replace(TWO, seeds=1)
    (here / "mine" / "results.json").write_bytes(made(more).to_json())
    at.run()
    assert drawn.line("study_losses", "Gumbel-Softmax, relaxed")[2.0] == 24.0


def test_what_cannot_be_read_is_told_and_left_out(open_page: Open, here: Path) -> None:
    put(made(TWO), here / "mine")
    (here / "<b>bad").mkdir()
    (here / "<b>bad" / "results.json").write_text("{")
    at = open_page("studies")
    assert not at.exception
    (told,) = errors(at)
    assert told.startswith("A study is left out. ")
    assert "is no study of ours, or is damaged" in told
    assert "<b>" not in at.error[0].value
    assert at.selectbox(key="study").options == [SHIPPED, "runs: mine"]


def test_a_study_without_temperatures_is_left_out_and_told(open_page: Open, here: Path) -> None:
    put(made(replace(TWO, temperatures=())), here / "<b>mine")
    at = open_page("studies")
    assert quiet(at)
    assert "Left out: runs: <b>mine. It names no temperatures to compare." in words(at)
    assert not any("<b>" in caption.value for caption in at.caption)
    assert at.selectbox(key="study").options == [SHIPPED]


def test_without_any_study_one_can_be_begun(
    open_page: Open, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(studies_shelf.PLACES, "shipped", here)
    at = open_page("studies")
    assert quiet(at)
    assert [info.value for info in at.info] == ["There is no study here yet."]
    assert [button.label for button in at.button] == ["Start"]


NO_ESTIMATOR = replace(TWO, estimators=())


@pytest.mark.parametrize(
    "results",
    [
        made(replace(TWO, temperatures=(1,))),
        made(replace(TWO, temperatures=(1.0,), estimators=("reinmax",), seeds=1)),
        made(replace(TWO, seeds=1)),
        made(replace(TWO, temperatures=tuple(number / 4 for number in range(1, 13)))),
        made(replace(TWO, temperatures=(2, 0.5))),
        made(replace(TWO, recipes=("notebook", "guide"))),
        made(NO_ESTIMATOR),
        made(replace(TWO, estimators=("straight_through", "gumbel_rao", "gumbel_softmax", "reinmax"))),
        made(TWO, *TWO.keys),
        made(TWO, *TWO.keys[::2]),
        made(TWO, RunKey("small", "gumbel_softmax", 2.0, 0), RunKey("small", "gumbel_softmax", 2.0, 1)),
        replace(made(TWO), runs=()),
        replace(made(TWO), runs=made(TWO).runs[:1]),
    ],
    ids=[
        "one temperature", "one place", "one seed", "twelve temperatures", "falling", "recipes",
        "no estimator", "straight-through", "all diverged", "many diverged", "a place diverged", "no runs",
        "one run",
    ],
)  # fmt: skip
def test_whatever_a_study_holds_the_page_shows_it(open_page: Open, here: Path, results: Results) -> None:
    at = shown(open_page, here, results, study_tau="2")
    at.session_state["study_curves"] = True
    at.run()
    assert quiet(at)
    study = results.study
    offered = [choice.options for choice in at.segmented_control if choice.key == "study_estimator"]
    for estimator in offered[0] if offered else [None]:
        if estimator:
            at.segmented_control(key="study_estimator").set_value(estimator)
        for loss in ("last epoch", "test set"):
            at.segmented_control(key="study_loss").set_value(loss)
            for tau in sorted(map(float, study.temperatures))[::5]:
                if len(study.temperatures) > 1:
                    at.select_slider(key="study_tau").set_value(tau)
                at.run()
                assert quiet(at)


def test_what_diverged_is_counted_and_has_a_line(open_page: Open, here: Path) -> None:
    at = shown(open_page, here, made(TWO, TWO.keys[0]), study_tau="0.5")
    assert "1 run diverged and is in no mean." in words(at)
    assert table(at)[0]["Kept"] == "diverged after 1 epoch"


def test_a_study_with_one_place_has_nothing_to_choose(open_page: Open, here: Path, drawn: Drawn) -> None:
    at = shown(
        open_page, here, made(Study("one", estimators=(SOFT,), temperatures=(3.0,), seeds=1, epochs=2))
    )
    assert quiet(at)
    assert not at.select_slider
    assert [choice.key for choice in at.segmented_control] == ["study_loss"]
    assert (
        "At τ = 3 Gumbel-Softmax's relaxed loss is 23.00 nats, its hard loss is 29.00 nats, and its gap is "
        "6.00 nats." in words(at)
    )
    # A rerun, and another study before it, have left nothing behind.
    at.run()
    assert quiet(at)
    at.selectbox(key="study").set_value(SHIPPED).run()
    at.selectbox(key="study").set_value("runs: mine").run()
    at.run()
    assert quiet(at)
    assert "At tau 3: Gumbel-Softmax 29.00." in drawn.alt("study_losses")


def test_the_other_recipes_are_in_the_table(open_page: Open, here: Path) -> None:
    at = shown(open_page, here, made(replace(TWO, recipes=("notebook", "guide"))))
    assert "Its other recipes are in the table: guide." in words(at)
    assert [row["Recipe"] for row in table(at)] == ["notebook"] * 8 + ["guide"] * 8
