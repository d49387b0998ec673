"""Draw codes from the prior, decode them, and write the images as one PNG."""

import argparse
import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from gumbel_core.checkpoints import CheckpointError
from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.commands.report import refused
from gumbel_core.datasets import DATASETS
from gumbel_core.draw import check_seed
from gumbel_core.files import replace_file
from gumbel_core.vae.evaluation import sample
from gumbel_core.vae.views import Bytes, as_bytes

COUNTS = (1, 1_024)
COLUMNS = 8
GAP = 1  # pixels between two images
ENLARGED = 3  # pixels of the PNG to one of the model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which checkpoint, how many images, where to."""
    parser.add_argument("checkpoint", type=Path, metavar="RUN_OR_CHECKPOINT", help="a folder with a card")
    parser.add_argument(
        "--count", type=int, default=64, metavar="INTEGER", help="how many images (64: a grid of 8 by 8)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="INTEGER", help="of the codes (0)")
    parser.add_argument(
        "--out", type=Path, default=Path("samples.png"), metavar="PNG", help="the file to write (samples.png)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the grid, in rows of eight."""
    if not COUNTS[0] <= args.count <= COUNTS[1]:
        return refused(f"The number of images is from {COUNTS[0]} to {COUNTS[1]:,}, not {args.count}.")
    try:
        check_seed(args.seed)
        checkpoint = load_checkpoint(args.checkpoint)
    except (ValueError, CheckpointError) as error:
        return refused(str(error))
    shape = DATASETS[checkpoint.state.config.dataset].shape
    generator = torch.Generator().manual_seed(args.seed)
    images = sample(checkpoint.model(), args.count, generator=generator).view(-1, *shape)
    replace_file(args.out, _png(as_bytes(images)))
    print(f"{args.count} samples in {args.out}")
    return 0


def _png(images: Bytes) -> bytes:
    """Images (N, H, W) in rows of eight, a black line between."""
    columns = min(COLUMNS, len(images))
    framed = np.pad(images, ((0, -len(images) % columns), (0, GAP), (0, GAP)))  # (R C, H, W)
    _, height, width = framed.shape
    rows = framed.reshape(-1, columns, height, width).transpose(0, 2, 1, 3)  # (R, H, C, W)
    grid = np.pad(rows.reshape(-1, columns * width), ((GAP, 0), (GAP, 0)))
    file = io.BytesIO()
    Image.fromarray(grid.repeat(ENLARGED, 0).repeat(ENLARGED, 1)).save(file, "png")
    return file.getvalue()
