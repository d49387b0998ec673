"""One run of a study, as a worker carries it out: from a task to the files of the run's folder.

A worker writes nothing but a temporary folder. What it has made travels back as bytes, from another process
or another machine, and whoever asked for it writes it whole: so a worker may die at any moment.
"""

from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from gumbel_core.checkpoints import files_of
from gumbel_core.datasets import Dataset, load, with_pixels
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.events import events_written
from gumbel_core.vae.records import EpochRecord
from gumbel_core.vae.training import Training, TrainingDivergedError


@dataclass(frozen=True)
class Task:
    """A run to carry out."""

    config: TrainConfig
    dataset_sha256: str  # of the images it is to learn from, for each machine has its own copy
    command: str
    threads: int = 1  # of PyTorch


def carried_out(task: Task) -> dict[str, bytes]:
    """The files of the run's folder by name: a checkpoint's, and TensorBoard's events.

    A run that diverges ends where it last was good, with a shorter history than its config has epochs.
    Raises DataError where the images are not here, ValueError where they are others, or where what is left
    of the run is no checkpoint: losses may be finite where a weight is not.
    """
    torch.set_num_threads(task.threads)
    dataset = _images(task.config.dataset, task.config.pixels)
    if dataset.sha256 != task.dataset_sha256:
        raise ValueError(f"A worker has other images of {dataset.name} than the study.")
    training = Training(task.config, dataset)
    with TemporaryDirectory(prefix="gumbel-study-") as folder:
        with events_written(Path(folder), training) as write, suppress(TrainingDivergedError):
            for record in training.records():
                if isinstance(record, EpochRecord):
                    write(record)
        files = {path.name: path.read_bytes() for path in Path(folder).iterdir()}
    try:
        return files | files_of(training.state(), dataset_sha256=dataset.sha256, command=task.command)
    except ValueError as error:
        raise ValueError(f"A run cannot be kept: {error}.") from None


# A worker carries out many runs on the same images.
@cache
def _images(name: str, pixels: str) -> Dataset:
    return with_pixels(load(name), pixels)
