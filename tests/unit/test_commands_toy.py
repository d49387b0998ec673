"""`python -m gumbel_core toy`: what it prints, where, and how it ends."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from gumbel_core.__main__ import COMMANDS, main
from gumbel_core.commands import toy
from gumbel_core.toy_argmax import LAYERS, ToyConfig, train

ROOT = Path(__file__).parents[2]
STEP = re.compile(r"step +(\d+): prediction +(-?[\d.]+), loss ([\d.]+)")
TUTORIAL = (
    "--layer gumbel_softmax --seed 12 --n 5 --temperature .75 --learning-rate .5 --steps 3 --arrays fixed"
)

Streams = pytest.CaptureFixture[str]


def test_it_prints_steps_like_the_tutorials(capsys: Streams) -> None:
    assert main(["toy", *TUTORIAL.split()]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == "array 3 2 1 0 4: its maximum stands at 4"
    assert STEP.findall(out) == [("1", "2.1", "1.90"), ("2", "3.5", "0.49"), ("3", "4.0", "0.00")]
    assert out.splitlines()[-1] == (
        "It predicts 4.0 for the maximum at 4, within 0.5 of it, with 1.00 of the sample there."
    )
    assert err == ""


def test_argmax_ends_without_a_gradient_in_one_sentence(capsys: Streams) -> None:
    assert main(["toy", "--layer", "argmax"]) == toy.NO_GRADIENT == 1
    out, err = capsys.readouterr()
    assert len(STEP.findall(out)) == 1
    (sentence,) = err.splitlines()
    assert sentence == (
        "The layer argmax stopped the gradient and no weight can learn; PyTorch says "
        '"element 0 of tensors does not require grad and does not have a grad_fn".'
    )
    assert "It predicts" not in out


def test_a_run_that_has_not_learned_is_told_so(capsys: Streams) -> None:
    seed = next(seed for seed in range(99) if list(train(ToyConfig(seed=seed, steps=3)))[-1].loss > 1)
    assert main(["toy", "--seed", str(seed), "--steps", "3"]) == 0
    assert "not within 0.5 of it" in capsys.readouterr().out


def test_the_trap_does_not_pass_for_learned(capsys: Streams) -> None:
    assert main(["toy", "--layer", "softmax", "--target", "2"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "It predicts 2.0 for the maximum at 2, within 0.5 of it, with 0.20 of the sample there."


def test_each_fresh_array_is_shown_before_its_step(capsys: Streams) -> None:
    assert main(["toy", "--arrays", "fresh", "--steps", "3", "--n", "20"]) == 0
    kinds = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["array", "step"] * 3 + ["It"]


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_runs(layer: str, capsys: Streams) -> None:
    assert main(["toy", "--layer", layer]) == (1 if layer == "argmax" else 0)
    assert len(STEP.findall(capsys.readouterr().out)) == (1 if layer == "argmax" else 10)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("--layer gumbel", "There is no layer 'gumbel'"),
        ("--arrays new", "Arrays are fixed or fresh"),
        ("--n 1", "length is a whole number from 2 to 20, not 1"),
        ("--temperature nan", "must be a finite number"),
        ("--temperature 0", "above 0"),
        ("--learning-rate inf", "learning rate lies between"),
        ("--steps 101", "from 1 to 100, not 101"),
        ("--seed -1", "A seed is"),
        ("--target 5", "place is a whole number from 0 to 4"),
    ],
)
def test_bad_values_are_one_sentence_and_exit_2(arguments: str, reason: str, capsys: Streams) -> None:
    assert main(["toy", *arguments.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    (sentence,) = err.splitlines()
    assert reason in sentence


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["toy", "--n", "five"], ["toy", "--colour"]])
def test_what_argparse_refuses_exits_2_too(arguments: list[str], capsys: Streams) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_every_field_of_the_config_is_an_option_with_its_default(capsys: Streams) -> None:
    assert list(toy.OPTIONS) == [field.name for field in fields(ToyConfig)]
    with pytest.raises(SystemExit):
        main(["toy", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for field in fields(ToyConfig):
        assert f"--{field.name.replace('_', '-')} " in said
        assert field.default is None or f"({field.default})" in said


def test_an_interrupt_is_quiet(capsys: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(config: ToyConfig) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(toy, "train", interrupted)
    assert main(["toy"]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_command_is_a_module_with_two_functions_and_a_line_of_help(capsys: Streams) -> None:
    for command in COMMANDS.values():
        assert callable(command.add_arguments)
        assert callable(command.run)
    with pytest.raises(SystemExit):
        main(["--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name, command in COMMANDS.items():
        assert f"{name} {(command.__doc__ or '').partition(chr(10))[0]}" in said


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "gumbel_core", "toy", "--layer", "argmax"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout.startswith("array ")
    assert "PyTorch says" in ended.stderr
    assert "Traceback" not in ended.stderr
