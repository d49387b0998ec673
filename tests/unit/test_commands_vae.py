"""`python -m gumbel_core train`, `resume`, `evaluate`, `sample`: what they print and write, how they end."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gumbel_core import datasets
from gumbel_core.__main__ import main
from gumbel_core.checkpoints import CARD, load, save
from gumbel_core.commands import running
from gumbel_core.surrogates import SURROGATES
from gumbel_core.vae.recipes import RECIPES
from gumbel_core.vae.training import Training

ROOT = Path(__file__).parents[2]
# The digits make 15 steps an epoch.
TRAIN = ["train", "--recipe", "best", "--threads", "1", "--device", "cpu"]
# Long enough that a signal finds it in the middle.
LONG = 12
EPOCH = re.compile(
    r"epoch +(\d+) of (\d+): train +([\d.]+), hard +([\d.]+), hard test +([\d.]+), tau [\d.]+, .* images/s"
)

Streams = pytest.CaptureFixture[str]


def train(folder: Path, *arguments: str, epochs: int = 2) -> int:
    return main([*TRAIN, "--epochs", str(epochs), "--out", str(folder), *arguments])


def card(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / CARD).read_bytes())
    return content


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def bits(folder: Path) -> str:
    """The hash of the weights."""
    sha256: str = card(folder)["weights"]["sha256"]
    return sha256


def total(terms: dict[str, float]) -> float:
    return terms["reconstruction"] + terms["kl"]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, for all who only read it."""
    folder = tmp_path_factory.mktemp("runs") / "short"
    assert train(folder) == 0
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that is stopped elsewhere, not stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert train(folder, epochs=LONG) == 0
    return folder


# Train.


def test_a_run_prints_a_line_an_epoch_and_its_loss(tmp_path: Path, capsys: Streams) -> None:
    assert train(tmp_path / "run") == 0
    out, err = capsys.readouterr()
    assert err == ""  # the bar is for terminals
    *epochs, last = out.splitlines()
    history = card(tmp_path / "run")["history"]
    assert len(epochs) == len(history) == 2
    for number, (line, epoch) in enumerate(zip(epochs, history, strict=True), start=1):
        found = EPOCH.fullmatch(line)
        assert found
        losses = [f"{total(epoch[name]):.2f}" for name in ("relaxed", "hard", "test")]
        assert found.groups() == (str(number), "2", *losses)
    assert last == f"hard test loss: {total(history[-1]['test']):.2f}, in {tmp_path / 'run'}"
    assert sorted(path.suffix for path in (tmp_path / "run").iterdir()) == [".json", ".safetensors"]


def test_it_runs_as_a_module_and_prints_the_same(short: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gumbel_core", *TRAIN, "--epochs", "2", "--out", str(tmp_path / "run")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    *epochs, last = ended.stdout.splitlines()
    assert [EPOCH.fullmatch(line) is not None for line in epochs] == [True, True]
    assert re.fullmatch(rf"hard test loss: \d+\.\d\d, in {re.escape(str(tmp_path / 'run'))}", last)
    assert bits(tmp_path / "run") == bits(short)


def test_the_command_on_the_card_makes_the_run_again(tmp_path: Path) -> None:
    first = tmp_path / "a run"
    assert train(first, "--surrogate", "reinmax", "--seed", "7") == 0
    words = shlex.split(card(first)["command"])
    assert words[:3] == ["python", "-m", "gumbel_core"]
    assert words[words.index("--out") + 1] == str(first)
    words[words.index("--out") + 1] = str(tmp_path / "again")
    assert main(words[3:]) == 0
    assert bits(tmp_path / "again") == bits(first)
    config = card(first)["config"]
    assert (config["surrogate"], config["seed"], config["epochs"]) == ("reinmax", 7, 2)


@pytest.mark.parametrize("arguments", [["--no-hard"], ["--tensorboard"]])
def test_what_is_only_watched_changes_no_bit(arguments: list[str], short: Path, tmp_path: Path) -> None:
    assert train(tmp_path / "run", *arguments) == 0
    assert bits(tmp_path / "run") == bits(short)
    assert (card(tmp_path / "run")["history"][0]["hard"] is None) == (arguments == ["--no-hard"])


def test_a_folder_that_holds_a_run_is_left_alone(short: Path, capsys: Streams) -> None:
    before = contents(short)
    capsys.readouterr()
    assert train(short, epochs=1) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (sentence,) = err.splitlines()
    assert "holds a run" in sentence
    assert "resume" in sentence
    assert contents(short) == before


def refusal(arguments: list[str], capsys: Streams, status: int = 2) -> str:
    """The sentence with which a command line is refused: the last line, behind argparse's usage."""
    capsys.readouterr()
    try:
        ended = main(arguments)
    except SystemExit as refused:
        usage, ended = True, int(refused.code or 0)
    else:
        usage = False
    assert ended == status
    lines = capsys.readouterr().err.splitlines()
    assert usage or len(lines) == 1
    assert lines[0].startswith("usage: ") == usage
    return lines[-1]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--epochs 0", "The number of epochs is a whole number from 1 to 1,000, not 0."),
        ("--epochs 1001", "not 1001."),
        ("--epochs many", "invalid int value"),
        ("--seed -1", "A seed is a whole number from 0"),
        ("--recipe none", "invalid choice: 'none'"),
        ("--dataset faces", "invalid choice: 'faces'"),
        ("--surrogate none", "invalid choice: 'none'"),
        ("--device warp", "There is no device 'warp' here: there is"),
        ("--threads 0", "The number of threads is a whole number from 1 to 1,024, not 0."),
        ("--threads -2", "not -2."),
        ("--threads 1000000", "not 1000000."),
        ("--dataset mnist", "The data set mnist is not in the folder"),
    ],
)
def test_bad_values_are_one_sentence_and_exit_2(
    arguments: str, reason: str, tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GUMBEL_DATA_DIR", str(tmp_path / "nowhere"))
    run = tmp_path / "run"
    assert reason in refusal(["train", "--out", str(run), *arguments.split()], capsys)
    assert not run.exists()


def test_a_run_needs_a_folder(capsys: Streams) -> None:
    assert "--out" in refusal(["train"], capsys)


@pytest.mark.parametrize("command", ["train", "resume", "evaluate", "sample"])
def test_the_help_says_what_each_option_is(command: str, capsys: Streams) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    if command == "train":
        for name in (*datasets.DATASETS, *RECIPES, *SURROGATES):
            assert name in said
    # Each option's own text begins with a word, not with its default.
    assert not re.search(r"(INTEGER|NAME|PNG|\}) \(", said.partition("options:")[2])


# What the system refuses.


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path, capsys: Streams) -> None:
    (tmp_path / "file").write_text("")
    sentence = refusal([*TRAIN, "--out", str(tmp_path / "file" / "run")], capsys, status=1)
    assert sentence.startswith("A file could not be read or written: ")
    assert str(tmp_path / "file") in sentence


def test_a_file_and_a_folder_with_other_things_are_refused(tmp_path: Path, capsys: Streams) -> None:
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path):
        assert "not an empty folder" in refusal([*TRAIN, "--out", str(out)], capsys)
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_without_a_name_is_refused(capsys: Streams) -> None:
    with pytest.raises(SystemExit):
        main([*TRAIN, "--out", ""])
    assert "name a folder" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error(short: Path) -> None:
    command = [sys.executable, "-m", "gumbel_core", "evaluate", str(short)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as run:
        assert run.stdout
        assert run.stderr
        run.stdout.close()
        assert run.stderr.read() == b""
    assert run.returncode == 141


def test_a_disk_that_fills_up_is_one_sentence_and_keeps_the_last_epoch(
    tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0

    def full(*arguments: Any, **named: Any) -> None:
        nonlocal count
        count += 1
        if count > 2:  # at the start, after the first epoch
            raise OSError(28, "No space left on device")
        save(*arguments, **named)

    monkeypatch.setattr(running, "save", full)
    assert train(tmp_path / "run") == 1
    out, err = capsys.readouterr()
    assert err == "A file could not be read or written: No space left on device.\n"
    # What could not be kept is not told.
    assert len(EPOCH.findall(out)) == 1
    assert load(tmp_path / "run").state.step == 15


def test_samples_that_cannot_be_written_are_one_sentence(
    short: Path, tmp_path: Path, capsys: Streams
) -> None:
    nowhere = tmp_path / "nowhere" / "samples.png"
    assert "No such file" in refusal(["sample", str(short), "--out", str(nowhere)], capsys, status=1)


# Stop and resume.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_goes_on_to_the_same_bits(
    number: signal.Signals, whole: Path, tmp_path: Path, capsys: Streams
) -> None:
    folder = tmp_path / "a run's folder"
    command = [sys.executable, "-m", "gumbel_core", *TRAIN, "--epochs", str(LONG), "--out", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        # The line arrives when it is printed, not when the pipe is full.
        assert process.stdout.readline().startswith("epoch   1")
        process.send_signal(number)
        out, err = process.communicate()
    assert (process.returncode, err) == (130, "")
    last = out.splitlines()[-1]
    found = re.fullmatch(r"Stopped at step (\d+); to go on: (python -m gumbel_core resume .*)", last)
    assert found
    step = load(folder).state.step
    assert int(found[1]) == step
    assert 15 <= step < 15 * LONG
    words = shlex.split(found[2])
    assert words[3:] == ["resume", str(folder)]
    capsys.readouterr()
    assert main([*words[3:], "--threads", "1", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert bits(folder) == bits(whole)
    ours, theirs = card(folder)["history"], card(whole)["history"]
    # Numbers, too: the epoch that was stopped has the means of all its steps.
    assert [epoch | {"images_per_second": 0} for epoch in ours] == [
        epoch | {"images_per_second": 0} for epoch in theirs
    ]
    assert card(folder)["command"] == shlex.join(["python", *command[1:]])
    assert out.splitlines()[-1].startswith("hard test loss: ")


def stop_after(steps: int) -> Callable[[], Any]:
    """In the place of the signals: a stop that is heard at that question."""
    count = 0

    def stopped() -> bool:
        nonlocal count
        count += 1
        return count >= steps

    @contextmanager
    def signals() -> Iterator[Callable[[], bool]]:
        yield stopped

    return signals


@pytest.mark.parametrize("stop", [1, 7, 14, 15, 16, 29, 30])
def test_a_stop_at_any_step_keeps_every_line_and_every_bit(
    stop: int, short: Path, tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr(running, "_stop_signals", stop_after(stop))
        status = train(tmp_path / "run")
    stopped = load(tmp_path / "run").state
    assert status == (130 if stopped.step < 30 else 0)
    first = capsys.readouterr().out
    # An epoch that has ended has been seen to end.
    assert len(EPOCH.findall(first)) == len(stopped.history) == stopped.step // 15
    assert main(["resume", str(tmp_path / "run"), "--threads", "1", "--device", "cpu"]) == 0
    lines = EPOCH.findall(first + capsys.readouterr().out)
    assert [line[0] for line in lines] == ["1", "2"]
    assert bits(tmp_path / "run") == bits(short)


def test_signals_are_heard_once_and_given_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with running._stop_signals() as stopped:
        assert not stopped()
        signal.raise_signal(signal.SIGINT)
        assert stopped()
        # A second Ctrl-C does not wait for the end of a step.
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    with running._stop_signals() as stopped:
        signal.raise_signal(signal.SIGTERM)
        assert stopped()


def test_a_run_at_its_end_has_nothing_to_go_on_with(short: Path, capsys: Streams) -> None:
    before = contents(short)
    capsys.readouterr()
    assert main(["resume", str(short), "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("hard test loss: ")
    assert len(out.splitlines()) == 1
    assert contents(short) == before


@pytest.mark.parametrize("command", ["resume", "evaluate", "sample"])
def test_what_is_no_checkpoint_is_one_sentence(command: str, tmp_path: Path, capsys: Streams) -> None:
    assert "There is no checkpoint to read" in refusal([command, str(tmp_path / "nowhere")], capsys)
    (tmp_path / CARD).write_text("{}")
    assert "is not one of ours" in refusal([command, str(tmp_path)], capsys)
    assert os.listdir(tmp_path) == [CARD]


def test_a_run_on_other_images_does_not_go_on(
    short: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = datasets.load("digits")
    digits.train[0, 0] += 1
    for name in ("resume", "evaluate"):
        monkeypatch.setattr(f"gumbel_core.commands.{name}.load", lambda name, download: digits)
    before = contents(short)
    assert "digits has changed since this run began" in refusal(["resume", str(short)], capsys)
    assert contents(short) == before
    assert main(["evaluate", str(short)]) == 0
    assert "is not the one that the card names" in capsys.readouterr().out


def test_a_loss_that_is_not_finite_ends_the_run_in_a_sentence(
    tmp_path: Path, capsys: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Training._step

    def poisoned(training: Training) -> Any:
        if training.step == 20:
            with torch.no_grad():
                for weights in training.model.parameters():
                    weights.fill_(float("nan"))
        return step(training)

    monkeypatch.setattr(Training, "_step", poisoned)
    assert train(tmp_path / "run") == 1
    out, err = capsys.readouterr()
    (sentence,) = err.splitlines()
    assert "Training stopped at step 21" in sentence
    assert len(EPOCH.findall(out)) == 1
    # The last whole epoch.
    assert load(tmp_path / "run").state.step == 15


# Evaluate and sample.


def test_evaluation_prints_the_cards_loss_and_its_terms(short: Path, capsys: Streams) -> None:
    capsys.readouterr()
    assert main(["evaluate", str(short)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    test = card(short)["history"][-1]["test"]
    assert out.splitlines() == [
        "297 test images of digits, grey pixels (a mean of cross-entropies, not a likelihood), nats an image",
        f"hard test loss: {total(test):.2f}",
        f"  reconstruction: {test['reconstruction']:.2f}",
        f"  KL: {test['kl']:.2f} over 30 latents",
    ]


def test_the_bound_of_many_samples_is_below_the_hard_loss(whole: Path, capsys: Streams) -> None:
    capsys.readouterr()
    assert main(["evaluate", str(whole), "--samples", "20"]) == 0
    out = capsys.readouterr().out
    hard = re.search(r"^hard test loss: ([\d.]+)$", out, re.MULTILINE)
    bound = re.search(r"^bound of 20 samples: ([\d.]+)$", out, re.MULTILINE)
    assert hard
    assert bound
    assert float(bound[1]) < float(hard[1])


@pytest.mark.parametrize("samples", ["0", "-1", "10001"])
def test_other_numbers_of_samples_are_refused(samples: str, short: Path, capsys: Streams) -> None:
    assert "1 to 10,000 samples" in refusal(["evaluate", str(short), "--samples", samples], capsys)


@pytest.mark.parametrize(("count", "size"), [(64, (219, 219)), (9, (219, 57)), (1, (30, 30))])
def test_samples_are_a_grid_in_a_png(
    count: int, size: tuple[int, int], whole: Path, tmp_path: Path, capsys: Streams
) -> None:
    capsys.readouterr()
    path = tmp_path / "samples.png"
    assert main(["sample", str(whole), "--count", str(count), "--out", str(path)]) == 0
    assert capsys.readouterr().out == f"{count} samples in {path}\n"
    with Image.open(path) as image:
        # Digits of 8 x 8, three times as large, with one pixel between and around.
        assert (image.format, image.size) == ("PNG", size)
        greys = np.asarray(image.convert("L"))
    assert greys.min() < 64 < 128 < greys.max()
    assert os.listdir(tmp_path) == ["samples.png"]


def test_samples_follow_their_seed(whole: Path, tmp_path: Path) -> None:
    for name, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert main(["sample", str(whole), "--seed", seed, "--out", str(tmp_path / name)]) == 0
    first, second, third = (contents(tmp_path)[name] for name in "abc")
    assert first == second
    assert first != third


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [("--count 0", "from 1 to 1,024, not 0"), ("--count 1025", "not 1025"), ("--seed -1", "A seed is")],
)
def test_other_samples_are_refused(
    arguments: str, reason: str, short: Path, tmp_path: Path, capsys: Streams
) -> None:
    path = tmp_path / "samples.png"
    assert reason in refusal(["sample", str(short), "--out", str(path), *arguments.split()], capsys)
    assert not path.exists()


# TensorBoard.


def test_tensorboard_reads_a_run_and_what_is_added_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(running, "_stop_signals", stop_after(35))
        assert train(folder, "--tensorboard", epochs=3) == 130
    arguments = ["resume", str(folder), "--tensorboard", "--threads", "1", "--device", "cpu"]
    assert main(arguments) == 0
    assert len(list(folder.glob("events.out.*"))) == 2
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    losses = [total(epoch["test"]) for epoch in card(folder)["history"]]
    scalars = events.Scalars("metrics/avg_test_loss")
    assert [scalar.step for scalar in scalars] == [1, 2, 3]
    # TensorBoard keeps single precision.
    assert [scalar.value for scalar in scalars] == pytest.approx(losses, rel=1e-6)
    assert [picture.step for picture in events.Images("reconstruction/test")] == [1, 2, 3]
