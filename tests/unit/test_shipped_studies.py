"""The studies that ship: whole, and made by the code that stands beside them."""

from pathlib import Path

import pytest

from gumbel_core import datasets
from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.datasets import DATASETS, load
from gumbel_core.studies.folder import RESULTS, TABLE, Folder, table_csv
from gumbel_core.studies.grid import RunKey, config_of
from gumbel_core.studies.results import Results, read_results
from gumbel_core.vae.evaluation import evaluate
from gumbel_core.vae.training import Training

SHIPPED = Path(__file__).parents[2] / "studies"
DIGITS, MNIST = (SHIPPED / f"temperature-{name}" for name in ("digits", "mnist"))


def results(folder: Path) -> Results:
    return read_results(folder / RESULTS)


@pytest.mark.parametrize("folder", [DIGITS, MNIST], ids=lambda folder: folder.name)
def test_every_run_of_the_grid_is_there_and_came_to_its_end(folder: Path) -> None:
    found = results(folder)
    assert tuple(run.key for run in found.runs) == found.study.keys
    assert not any(run.diverged for run in found.runs)
    assert (folder / TABLE).read_text() == table_csv(found)
    assert found.command.startswith("python -m gumbel_core study temperature ")


def test_the_study_on_digits_is_of_the_digits_that_are_here() -> None:
    assert results(DIGITS).dataset_sha256 == load("digits").sha256


def test_each_seed_0_has_its_weights_and_they_cost_what_the_results_say() -> None:
    found = results(DIGITS)
    store = Folder(DIGITS, found.study, found.dataset_sha256)
    there = store.finished()
    assert list(there) == [key for key in found.study.keys if key.seed == 0]
    images = datasets.test_images(load("digits"), "grey")
    for run in found.runs:
        if run.key in there:
            assert there[run.key] == run
            scored = evaluate(load_checkpoint(DIGITS / run.key.name).model(), images).hard.total
            assert scored == pytest.approx(run.test, rel=1e-4)


@pytest.mark.parametrize("estimator", ["gumbel_softmax", "reinmax"])
def test_a_run_can_be_made_again(estimator: str) -> None:
    """On the same kind of processor to the last bit; elsewhere rounding takes another course."""
    found = results(DIGITS)
    key = RunKey("small", estimator, 0.5, 3)
    (run,) = (run for run in found.runs if run.key == key)
    training = Training(config_of(found.study, key), load("digits"))
    for _ in training.records():
        pass
    last = training.history[-1]
    assert last.hard is not None
    assert last.relaxed.total == pytest.approx(run.relaxed, rel=0.01)
    assert last.hard.total == pytest.approx(run.hard, rel=0.01)
    assert last.test.total == pytest.approx(run.test, rel=0.03)


def test_the_study_on_mnist_is_the_notebooks_question() -> None:
    study = results(MNIST).study
    assert (study.recipes, study.temperatures) == (("notebook",), (0.1, 0.3, 0.5, 1.0, 2.0, 5.0))
    assert all(run.history[0].step == DATASETS["mnist"].train // 100 for run in results(MNIST).runs)
