"""Take up a run where it was stopped."""

import argparse
from pathlib import Path

from gumbel_core.checkpoints import CheckpointError
from gumbel_core.checkpoints import load as load_checkpoint
from gumbel_core.commands.report import refused
from gumbel_core.commands.running import add_machine_arguments, go_on, use_threads
from gumbel_core.datasets import DataError, load, with_pixels
from gumbel_core.vae.training import Training, choose_device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    parser.add_argument("out", type=Path, metavar="RUN", help="the folder that train wrote")
    add_machine_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Train the rest. The exit status is train's."""
    try:
        use_threads(args.threads)
        checkpoint = load_checkpoint(args.out)
        config = checkpoint.state.config
        dataset = with_pixels(load(config.dataset, download=args.download), config.pixels)
        if dataset.sha256 != checkpoint.dataset_sha256:
            return refused(f"{dataset.name} has changed since this run began: it cannot go on.")
        training = Training.resume(
            checkpoint.state, dataset, device=choose_device(args.device), hard=args.hard
        )
    except (ValueError, CheckpointError, DataError) as error:
        return refused(str(error))
    return go_on(training, dataset, args, checkpoint.command)
