"""Train a categorical VAE by a recipe, and save it after each epoch and at a stop."""

import argparse
from pathlib import Path

from gumbel_core.checkpoints import CARD
from gumbel_core.commands.report import refused
from gumbel_core.commands.running import add_machine_arguments, command_line, go_on, use_threads
from gumbel_core.datasets import DATASETS, DataError, load, with_pixels
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.recipes import RECIPES, configured
from gumbel_core.vae.training import Training, choose_device


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to train on, by which recipe, and what to change of it."""
    parser.add_argument(
        "--dataset", default="digits", choices=DATASETS, help="what to learn (digits: works offline)"
    )
    parser.add_argument("--recipe", default="best", choices=RECIPES, help="model and training by name (best)")
    parser.add_argument(
        "--surrogate",
        choices=SURROGATES,
        metavar="NAME",
        help=f"the way to the gradient: {', '.join(SURROGATES)}; else the recipe's",
    )
    parser.add_argument(
        "--epochs", type=int, metavar="INTEGER", help="passes over the images; else the recipe's"
    )
    parser.add_argument(
        "--seed", type=int, metavar="INTEGER", help="of the weights and of all noise; else the recipe's"
    )
    parser.add_argument("--out", type=folder, required=True, metavar="FOLDER", help="where the run is saved")
    add_machine_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """0 at the end, 130 at Ctrl-C, 1 where the loss diverged, 2 where a value is refused."""
    if (args.out / CARD).exists():
        return refused(f"{args.out} holds a run: take it up with resume, or name another folder.")
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        return refused(f"{args.out} is not an empty folder: name another.")
    changes = {name: getattr(args, name) for name in ("surrogate", "epochs", "seed")}
    try:
        use_threads(args.threads)
        dataset = load(args.dataset, download=args.download)
        config = configured(
            args.recipe, dataset, **{name: value for name, value in changes.items() if value is not None}
        )
        # What is scored is what the card's hash is of.
        dataset = with_pixels(dataset, config.pixels)
        training = Training(config, dataset, device=choose_device(args.device), hard=args.hard)
    except (ValueError, DataError) as error:
        return refused(str(error))
    return go_on(training, dataset, args, command_line(args))


def folder(text: str) -> Path:
    """A folder's name; an empty one would be the folder that one stands in."""
    if not text.strip():
        raise argparse.ArgumentTypeError("name a folder")
    return Path(text)
