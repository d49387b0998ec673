"""TensorBoard's event files beside a run: a popular guide's scalars and pictures, and the config."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from gumbel_core.datasets import binarised, unit
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.evaluation import reconstruct
from gumbel_core.vae.records import EpochRecord, EpochSummary
from gumbel_core.vae.training import Training


@contextmanager
def events_written(folder: Path, training: Training) -> Iterator[Callable[[EpochRecord], None]]:
    """A function that writes an epoch: its losses and temperature, and pictures of train and test images.

    The config is written at once, as hyperparameters. The losses and pictures are as the guide logs them, but
    that its test loss is relaxed and this one hard; the hard training loss is there where the run reports
    one. The train images are the first ones of the data set, as many as a batch has.
    """
    from torch.utils.tensorboard import SummaryWriter  # a second's import, for those who ask for it
    from torch.utils.tensorboard.summary import hparams

    height, width = training.shape
    first_images = unit(training.images[: training.config.batch])
    if training.config.pixels == "dynamic":
        first_images = binarised(first_images, generator=torch.Generator(training.device).manual_seed(0))

    def write(epoch: EpochRecord) -> None:
        step = epoch.summary.epoch
        for name, value in _scalars(epoch.summary).items():
            writer.add_scalar(name, value, step)
        generator = torch.Generator(first_images.device).manual_seed(0)
        train = reconstruct(training.model, first_images, generator=generator)
        test = torch.from_numpy(epoch.reconstructions)
        for name, images in {"reconstruction/train": train, "reconstruction/test": test}.items():
            writer.add_images(name, images.view(-1, 1, height, width), step)
        writer.add_images(
            "originals/test", torch.from_numpy(epoch.originals).view(-1, 1, height, width), step
        )
        writer.flush()

    with SummaryWriter(str(folder), purge_step=len(training.history) + 1) as writer:
        # The writer's own `add_hparams` opens a second file, in a folder of its own. The first part would say
        # that all runs beside this one have its columns; without it TensorBoard shows the union.
        _, begun, succeeded = hparams(hyperparameters(training.config), {})
        writer.file_writer.add_summary(begun)
        yield write
        if training.step == training.steps:
            writer.file_writer.add_summary(succeeded)


def hyperparameters(config: TrainConfig) -> dict[str, int | float | str]:
    """The config's numbers and names by their path, such as `temperature.value`.

    None and tuples are text, for TensorBoard leaves out the one and refuses the others.
    """
    return dict(_flat(config.to_json()))


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | float | str]]:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value if isinstance(value, int | float | str) else str(value)


def _scalars(epoch: EpochSummary) -> dict[str, float]:
    scalars = {
        "metrics/avg_train_loss": epoch.relaxed.total,
        "metrics/avg_test_loss": epoch.test.total,
        "schedule/temperature": epoch.temperature,
    }
    return scalars | ({"metrics/avg_hard_loss": epoch.hard.total} if epoch.hard else {})
