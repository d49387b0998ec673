"""Train the toy, the smallest model in which argmax stops the gradient, and print its steps."""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import fields

from gumbel_core.commands.report import refused
from gumbel_core.toy_argmax import ARRAYS, LAYERS, Step, ToyConfig, train
from gumbel_core.toy_shares import LEARNED

NO_GRADIENT = 1
PLACEHOLDERS = {str: "NAME", int: "INTEGER", float: "NUMBER"}

# The help of each field of the config: its default is the config's, and so are its limits.
OPTIONS: Mapping[str, str] = {
    "layer": f"the sampling layer: {', '.join(LAYERS)}",
    "n": "the array is a shuffle of 0 .. n-1",
    "temperature": "of the relaxed sample",
    "learning_rate": "of RMSprop",
    "steps": "how many to train",
    "seed": "of the array and the noise",
    "arrays": f"{' or '.join(ARRAYS)}: one array, or a fresh shuffle each step",
    "target": "where the maximum stands, counted from 0; left to the shuffle by default",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """An option for each field of `ToyConfig`."""
    for field in fields(ToyConfig):
        kind = int if field.default is None else type(field.default)
        default = "" if field.default is None else f" ({field.default})"
        parser.add_argument(
            f"--{field.name.replace('_', '-')}", type=kind, default=field.default, metavar=PLACEHOLDERS[kind],
            help=OPTIONS[field.name] + default,
        )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Print each step. 0 at the end, 1 if no gradient came back, 2 if the config refuses a value."""
    try:
        config = ToyConfig(**{name: getattr(args, name) for name in OPTIONS})
    except ValueError as error:
        return refused(str(error))
    shown = None
    for number, step in enumerate(train(config), start=1):
        if step.array.tolist() != shown:
            shown = step.array.tolist()
            print(_task(step))
        print(f"step {number:3}: prediction {step.prediction:4.1f}, loss {step.loss:.2f}", flush=True)
    if step.refusal is not None:
        print(_no_gradient(config.layer, step.refusal), file=sys.stderr)
        return NO_GRADIENT
    print(_summary(step))
    return 0


def _task(step: Step) -> str:
    numbers = " ".join(f"{value:.0f}" for value in step.array)
    return f"array {numbers}: its maximum stands at {step.target}"


def _summary(step: Step) -> str:
    """Within .5 may still mean little mass on the target, so both are said."""
    sense = "within" if step.loss < LEARNED else "not within"
    return (
        f"It predicts {step.prediction:.1f} for the maximum at {step.target}, {sense} {LEARNED:g} of it,"
        f" with {step.on_target:.2f} of the sample there."
    )


def _no_gradient(layer: str, refusal: str) -> str:
    return f'The layer {layer} stopped the gradient and no weight can learn; PyTorch says "{refusal}".'
