"""A training run in a terminal: a progress bar, a line an epoch, a checkpoint after each and at a stop."""

import argparse
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

import torch
from tqdm import tqdm

from gumbel_core.checkpoints import save
from gumbel_core.checks import check_whole
from gumbel_core.datasets import Dataset
from gumbel_core.vae.events import events_written
from gumbel_core.vae.records import EpochRecord, EpochSummary, StepRecord
from gumbel_core.vae.training import Training, TrainingDivergedError

DIVERGED, INTERRUPTED = 1, 130
THREADS = (1, 1_024)


def add_machine_arguments(parser: argparse.ArgumentParser) -> None:
    """What does not change the run's numbers, or only in their last bits."""
    add_device_arguments(parser)
    parser.add_argument(
        "--no-hard",
        dest="hard",
        action="store_false",
        help="leave the hard loss of training steps out: quicker",
    )
    parser.add_argument("--tensorboard", action="store_true", help="write event files into the run's folder")


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to compute, and where the data comes from."""
    parser.add_argument("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps (auto)")
    parser.add_argument(
        "--threads", type=int, metavar="INTEGER", help="of PyTorch on a CPU; else its own choice"
    )
    parser.add_argument("--download", action="store_true", help="fetch the data set if it is not there")


def use_threads(count: int | None) -> None:
    """Of PyTorch, if a number was asked for. Raises ValueError for one that it cannot take."""
    if count is not None:
        check_whole("The number of threads", count, THREADS)
        torch.set_num_threads(count)


def command_line(args: argparse.Namespace) -> str:
    """The command as it was typed, for a checkpoint's card."""
    return shlex.join(["python", "-m", "gumbel_core", *args.words])


def go_on(training: Training, dataset: Dataset, args: argparse.Namespace, command: str) -> int:
    """Train from where the run stands to its end. 0 there, 130 at a stop, 1 if the loss diverged."""

    def keep() -> None:
        save(args.out, training.state(), dataset_sha256=dataset.sha256, command=command)

    # A run that is done stays as it is: its card tells who made it, and with what.
    if training.step < training.steps:
        keep()
        try:
            _watched(training, args, keep)
        except TrainingDivergedError as error:
            keep()
            print(error, file=sys.stderr)
            return DIVERGED
        keep()
    if training.step < training.steps:
        resume = shlex.join(["python", "-m", "gumbel_core", "resume", str(args.out)])
        print(f"Stopped at step {training.step:,}; to go on: {resume}")
        return INTERRUPTED
    print(f"hard test loss: {training.history[-1].test.total:.2f}, in {args.out}")
    return 0


def _watched(training: Training, args: argparse.Namespace, keep: Callable[[], None]) -> None:
    """Train until the end or a stop. Each epoch is kept before it is told, for nobody may listen any more."""
    with ExitStack() as stack:
        watch = stack.enter_context(events_written(args.out, training)) if args.tensorboard else _ignored
        stopped = stack.enter_context(_stop_signals())
        for epoch in _epochs(training, stopped):
            keep()
            watch(epoch)
            tqdm.write(_line(epoch.summary, training.config.epochs))
            sys.stdout.flush()


def _epochs(training: Training, stopped: Callable[[], bool]) -> Iterator[EpochRecord]:
    """The run's epochs as they end, under a progress bar, until it ends or is told to stop.

    The bar is for a terminal only: a log keeps the lines.
    """
    with tqdm(total=training.steps, initial=training.step, unit=" steps", leave=False, disable=None) as bar:
        for record in training.records():
            if isinstance(record, EpochRecord):
                yield record
            else:
                bar.update()
                bar.set_postfix_str(
                    f"loss {record.relaxed.total:.1f}, tau {record.temperature:.2f}", refresh=False
                )
            # Behind an epoch's last step its record is still to come, and to be seen.
            closing = isinstance(record, StepRecord) and record.step % training.epoch_steps == 0
            if stopped() and not closing:
                return


def _line(epoch: EpochSummary, epochs: int) -> str:
    hard = f", hard {epoch.hard.total:7.2f}" if epoch.hard else ""
    return (
        f"epoch {epoch.epoch:3} of {epochs}: train {epoch.relaxed.total:7.2f}{hard}, hard test "
        f"{epoch.test.total:7.2f}, tau {epoch.temperature:.2f}, {epoch.images_per_second:,.0f} images/s"
    )


def _ignored(epoch: EpochRecord) -> None:
    """Nobody watches."""


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C, a termination or a hang-up was heard: a run stops between two steps, never within one.

    At a second Ctrl-C Python's own handler is back, for a step that hangs.
    """
    heard = []

    def hear(number: int, frame: FrameType | None) -> None:
        heard.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, hear) for number in stop_signals()}
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_signals() -> list[int]:
    """Ctrl-C, which a shell's background may have ignored, a termination, and a terminal's hang-up.

    A hang-up is left out where it is ignored: whoever wrote `nohup` means it.
    """
    numbers: list[int] = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers
