"""The core without a browser: `python -m gumbel_core <command>`.

A command is a module of `gumbel_core.commands` with `add_arguments(parser)` and `run(args) -> int`, its exit
status. The first line of its docstring is its help.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from gumbel_core.checkpoints import CheckpointError
from gumbel_core.commands import evaluate, gradients, resume, sample, study, toy, train
from gumbel_core.commands.report import FAILED, failed

COMMANDS: Mapping[str, ModuleType] = {
    "toy": toy,
    "gradients": gradients,
    "train": train,
    "resume": resume,
    "evaluate": evaluate,
    "sample": sample,
    "study": study,
}
INTERRUPTED, BROKEN_PIPE = 130, 141  # what a shell expects after Ctrl-C, and of a pipe that is gone


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named command, and return its exit status: 2 where argparse or a config refuses a value, 1
    where a file cannot be written."""
    words = sys.argv[1:] if argv is None else list(argv)
    args = _parser().parse_args(words, argparse.Namespace(words=words))
    try:
        status = int(COMMANDS[args.command].run(args))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    # The reader went away, as `head` does. Python would complain once more when it flushes at its end.
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    # A run that grew beyond what a checkpoint may hold, or is no longer finite.
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return FAILED
    # A full disk, a folder that may not be written: nothing that a command could mend.
    except OSError as error:
        return failed(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gumbel_core", description="The Gumbel-Softmax trick.")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or name).partition("\n")[0]
        command.add_arguments(commands.add_parser(name, help=summary, description=summary))
    return parser


if __name__ == "__main__":
    sys.exit(main())
