"""TensorBoard's event files beside a run: the scalars and the pictures that a popular guide logs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from gumbel_core.datasets import binarised, unit
from gumbel_core.vae.evaluation import reconstruct
from gumbel_core.vae.records import EpochRecord
from gumbel_core.vae.training import Training


@contextmanager
def events_written(folder: Path, training: Training) -> Iterator[Callable[[EpochRecord], None]]:
    """A function that writes an epoch: its losses, and reconstructions of train and test images.

    As the guide logs them, but that its test loss is relaxed and this one hard. The train images are the
    first ones of the data set, as many as a batch has.
    """
    from torch.utils.tensorboard import SummaryWriter  # a second's import, for those who ask for it

    height, width = training.shape
    first_images = unit(training.images[: training.config.batch])
    if training.config.pixels == "dynamic":
        first_images = binarised(first_images, generator=torch.Generator(training.device).manual_seed(0))

    def write(epoch: EpochRecord) -> None:
        summary, step = epoch.summary, epoch.summary.epoch
        writer.add_scalar("metrics/avg_train_loss", summary.relaxed.total, step)
        writer.add_scalar("metrics/avg_test_loss", summary.test.total, step)
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
        yield write
