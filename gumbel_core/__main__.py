"""The core without a browser: `python -m gumbel_core <command>`.

A command is a module of `gumbel_core.commands` with `add_arguments(parser)` and `run(args) -> int`, its exit
status. The first line of its docstring is its help.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

from gumbel_core.commands import toy
from gumbel_core.commands.report import failed

COMMANDS: Mapping[str, ModuleType] = {"toy": toy}
INTERRUPTED = 130  # what a shell expects after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run the named command, and return its exit status: 2 where argparse or a config refuses a value, 1
    where a file cannot be written."""
    words = sys.argv[1:] if argv is None else list(argv)
    args = _parser().parse_args(words, argparse.Namespace(words=words))
    try:
        return int(COMMANDS[args.command].run(args))
    except KeyboardInterrupt:
        return INTERRUPTED
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
