"""Print the hard test loss of a run or a checkpoint, by its terms."""

import argparse
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from gumbel_core.checkpoints import CheckpointError
from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.commands.report import refused
from gumbel_core.commands.running import add_device_arguments, use_threads
from gumbel_core.datasets import DataError, load, test_images, with_pixels
from gumbel_core.vae.evaluation import bounds, evaluate
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.training import choose_device

# What a loss on these pixels is worth.
PIXELS: Mapping[str, str] = {
    "grey": "grey pixels (a mean of cross-entropies, not a likelihood)",
    "dynamic": "bits drawn at each visit, here once",
    "fixed": "bits drawn once",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which checkpoint, and whether with the bound of many samples."""
    parser.add_argument("checkpoint", type=Path, metavar="RUN_OR_CHECKPOINT", help="a folder with a card")
    parser.add_argument(
        "--samples",
        type=int,
        metavar="M",
        help="also the bound of M samples an image (Jang et al.: 1000)",
    )
    add_device_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate on the data set and the pixels of the card."""
    if args.samples is not None and not 1 <= args.samples <= 10_000:
        return refused(f"The bound takes 1 to 10,000 samples, not {args.samples}.")
    try:
        checkpoint = load_checkpoint(args.checkpoint)
        config = checkpoint.state.config
        dataset = with_pixels(load(config.dataset, download=args.download), config.pixels)
        use_threads(args.threads)
        device = choose_device(args.device)
    except (ValueError, CheckpointError, DataError) as error:
        return refused(str(error))
    if dataset.sha256 != checkpoint.dataset_sha256:
        print(f"Note: this {dataset.name} is not the one that the card names.")
    model, images = checkpoint.model().to(device), test_images(dataset, config.pixels).to(device)
    evaluation = evaluate(model, images)
    hard = evaluation.hard
    print(f"{len(images):,} test images of {dataset.name}, {PIXELS[config.pixels]}, nats an image")
    print(f"hard test loss: {hard.total:.2f}")
    print(f"  reconstruction: {hard.reconstruction:.2f}")
    print(f"  KL: {hard.kl:.2f} over {config.model.latents} latents")
    if args.samples:
        print(f"bound of {args.samples:,} samples: {_bound(model, images, args.samples):.2f}")
    return 0


def _bound(model: CategoricalVAE, images: Tensor, samples: int) -> float:
    """Minutes for many samples: hence a bar, for a terminal only."""
    parts = bounds(model, images, samples)
    with tqdm(total=len(images), unit=" images", leave=False, disable=None) as bar:
        found = []
        for part in parts:
            found.append(part)
            bar.update(len(part))
    return float(torch.cat(found).mean())
