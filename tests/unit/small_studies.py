"""What the tests of studies share: runs that nobody trained, and how a refusal sounds."""

from collections.abc import Sequence
from functools import cache

import torch

from gumbel_core.checkpoints import files_of
from gumbel_core.datasets import DATASETS, load
from gumbel_core.studies.grid import RunKey, Study, config_of
from gumbel_core.studies.results import Results, Run
from gumbel_core.vae.objective import Terms
from gumbel_core.vae.records import EpochSummary
from gumbel_core.vae.training import Training

SHA256 = "5" * 64
COMMAND = "python -m gumbel_core study mine --out 'runs/with a space'"
VERSIONS = {"torch": "2.9.0", "python": "3.11.14"}


def epoch(number: int, relaxed: float = 30.0, hard: float | None = 31.0, test: float = 32.0) -> EpochSummary:
    """Two nats of each loss are the KL term."""
    return EpochSummary(
        number,
        step=30 * number,
        temperature=1 / 3,
        relaxed=Terms(relaxed - 2, 2.0),
        hard=None if hard is None else Terms(hard - 2, 2.0),
        test=Terms(test - 2, 2.0),
        images_per_second=12_345.678,
    )


def over(key: RunKey, test: float = 32.0, epochs: int = 2) -> Run:
    """A run that came to its end after so many epochs, with that loss in the last one."""
    earlier = [epoch(number, test=test + 9) for number in range(1, epochs)]
    return Run(key, (*earlier, epoch(epochs, test=test)), diverged=False)


def diverged(key: RunKey, epochs: int = 0) -> Run:
    return Run(key, tuple(epoch(number) for number in range(1, epochs + 1)), diverged=True)


def results_of(study: Study, runs: Sequence[Run]) -> Results:
    return Results(study, tuple(runs), COMMAND, SHA256, VERSIONS)


def assert_one_sentence(error: BaseException) -> None:
    sentence = str(error)
    assert sentence[0].isupper() or sentence.startswith("/"), sentence
    assert sentence.endswith("."), sentence
    assert len(sentence.splitlines()) == 1, sentence
    assert ". " not in sentence, sentence


@cache
def run_files(
    study: Study, key: RunKey, *, sha256: str = SHA256, epochs: int | None = None
) -> dict[str, bytes]:
    """What a worker brings of a run that came to its end, or so far. Its weights are the first ones."""
    config = config_of(study, key)
    steps = DATASETS[study.dataset].train // config.batch
    came = config.epochs if epochs is None else epochs
    training = Training(config, load("digits"))
    training.step, training.history = steps * came, [epoch(number) for number in range(1, came + 1)]
    if 0 < came < config.epochs:
        # In the middle of a run there are moments, of a step that leaves all weights where they are.
        for parameter in training.model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        training.optimiser.step()
    return {"events.out.1": b"events"} | files_of(training.state(), dataset_sha256=sha256, command=COMMAND)
