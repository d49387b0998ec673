"""Learning against gradient ascent written out by hand, and its E[f] against enumeration in plain Python."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gumbel_core.estimators import ESTIMATORS
from gumbel_core.functions import FUNCTIONS, Function
from gumbel_core.gradient_bench import BenchConfig, problem_of
from gumbel_core.gradient_learning import LearningConfig, expected, goal_of, learn

Array = NDArray[np.float64]

BENCH = BenchConfig((0.9, -0.4, 0.1), numbers=(1.0, 4.0, -2.0), function="linear", seed=3)
CONFIG = LearningConfig(BENCH, temperature=0.7, steps=12, rate=1.5)
# Logits are kept in single precision, as one trains.
SINGLE = 1e-5


def softmax(logits: Array) -> Array:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def mean_of(f: Function, logits: Array) -> float:
    """E[f], one combination after the other."""
    p, total = softmax(logits), 0.0
    for places in product(range(p.shape[-1]), repeat=len(p)):
        z = np.eye(p.shape[-1])[list(places)]
        total += math.prod(p[n, k] for n, k in enumerate(places)) * f(torch.from_numpy(z)).item()
    return total


# E[f] and what f offers


@pytest.mark.parametrize("function", FUNCTIONS)
def test_expected_is_the_sum_over_all_combinations(function: str) -> None:
    f = problem_of(BenchConfig((0.0,) * 3, variables=3, function=function)).f
    logits = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    wanted = [mean_of(f, rows) for rows in logits.flatten(0, 1).numpy()]
    np.testing.assert_allclose(expected(f, logits).flatten(), wanted, rtol=1e-12)
    # One row by itself, in single precision: it is added up in double.
    single = logits[0, 0].float()
    assert expected(f, single).item() == pytest.approx(mean_of(f, single.double().numpy()), rel=1e-12)


def test_a_goal_is_the_best_corner_the_start_and_the_spread() -> None:
    goal = goal_of(BENCH)
    p = softmax(np.array(BENCH.logits))
    assert (goal.best, goal.spread) == (4.0, 6.0)
    assert goal.start == pytest.approx(p @ BENCH.numbers, rel=1e-12)


def test_the_best_of_a_loss_is_its_least() -> None:
    goal = goal_of(replace(BENCH, function="distance", numbers=(1.5,)))
    assert (goal.best, goal.spread) == (0.5, 1.0)


def test_the_best_of_several_variables_is_a_combination() -> None:
    rewards = (0.0, 1.0, 2.0, 3.0, 4.0, 9.0, 5.0, 6.0, 7.0)
    goal = goal_of(replace(BENCH, variables=2, function="table", numbers=rewards))
    assert (goal.best, goal.spread) == (9.0, 9.0)


def test_what_is_masked_is_not_on_offer() -> None:
    goal = goal_of(replace(BENCH, logits=(0.0, -math.inf, 0.0)))
    assert (goal.best, goal.start, goal.spread) == (1.0, -0.5, 3.0)
    loss = goal_of(replace(BENCH, logits=(0.0, 0.0, -math.inf), function="distance", numbers=(2.0,)))
    assert (loss.best, loss.spread) == (1.0, 1.0)


def test_equal_corners_have_a_spread_of_1() -> None:
    assert goal_of(replace(BENCH, numbers=(2.0, 2.0, 2.0))).spread == 1.0


# Learning


def test_the_exact_gradient_climbs_as_written_out_by_hand() -> None:
    """Of p . w the gradient is p_k (w_k - p . w); the rate is over the spread of w, 6."""
    logits, w, wanted = np.array(BENCH.logits), np.array(BENCH.numbers), []
    for _ in range(CONFIG.steps + 1):
        p = softmax(logits)
        wanted.append(p @ w)
        logits = logits + CONFIG.rate / 6 * p * (w - p @ w)
    values = learn(CONFIG, "exact")
    assert values.shape == (CONFIG.steps + 1,)
    np.testing.assert_allclose(values, wanted, rtol=0, atol=SINGLE)
    assert (np.diff(values) > 0).all()


def test_the_exact_gradient_descends_a_loss() -> None:
    """Of |e_k - t|^2 over K = 3 places the gradient is that of p . w with w_k = 1 - 2 t_k + |t|^2."""
    bench = replace(BENCH, function="quadratic", numbers=(0.2, 1.0, 0.5))
    target, logits, wanted = np.array(bench.numbers), np.array(bench.logits), []
    w = 1 - 2 * target + target @ target
    for _ in range(CONFIG.steps + 1):
        p = softmax(logits)
        wanted.append(p @ w)
        logits = logits - CONFIG.rate / np.ptp(w) * p * (w - p @ w)
    values = learn(replace(CONFIG, bench=bench), "exact")
    np.testing.assert_allclose(values, wanted, rtol=0, atol=SINGLE)
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("means_of", [1, 5])
def test_each_step_goes_along_a_mean_of_fresh_estimates(name: str, means_of: int) -> None:
    """The loop again, with one generator for all steps."""
    bench = BenchConfig((0.9, -0.4, 0.1), variables=2, function="network", seed=3)
    problem, generator = problem_of(bench), torch.Generator().manual_seed(3)
    logits = problem.logits.float()
    wanted = [mean_of(problem.f, logits.double().numpy())]
    for _ in range(4):
        gradients = ESTIMATORS[name](problem.f, logits, 0.7, generator, means_of)
        logits = logits - 1.5 / goal_of(bench).spread * gradients.sum(0) / means_of
        wanted.append(mean_of(problem.f, logits.double().numpy()))
    found = learn(LearningConfig(bench, 0.7, steps=4, rate=1.5, means_of=means_of), name)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=SINGLE)


@pytest.mark.parametrize("name", ["exact", "reinforce", "gumbel_softmax", "gumbel_rao"])
def test_a_larger_f_is_learned_in_the_same_steps(name: str) -> None:
    larger = replace(BENCH, numbers=tuple(100 * number for number in BENCH.numbers))
    np.testing.assert_allclose(
        learn(replace(CONFIG, bench=larger), name), 100 * learn(CONFIG, name), rtol=0, atol=100 * SINGLE
    )


def test_the_seed_decides_and_the_exact_one_has_none() -> None:
    other = replace(CONFIG, bench=replace(BENCH, seed=4))
    np.testing.assert_array_equal(learn(CONFIG, "reinforce"), learn(CONFIG, "reinforce"))
    assert (learn(CONFIG, "reinforce")[1:] != learn(other, "reinforce")[1:]).all()
    np.testing.assert_array_equal(learn(CONFIG, "exact"), learn(other, "exact"))


def test_gumbel_raos_draws_are_the_configs() -> None:
    squares = replace(BENCH, function="squares")
    one, fifty = (
        learn(replace(CONFIG, bench=replace(squares, rao_draws=draws)), "gumbel_rao") for draws in (1, 50)
    )
    assert (one[1:] != fifty[1:]).all()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_masked_reward_is_never_learned(name: str) -> None:
    bench = replace(BENCH, logits=(0.5, -math.inf, 0.0), function="squares", numbers=(1.0, 1e4, 2.0))
    values = learn(replace(CONFIG, bench=bench), name)
    assert np.isfinite(values).all()
    assert (values <= 2.0).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"temperature": 0.0}, "The temperature must be above 0"),
        ({"temperature": math.nan}, "must be a finite number"),
        ({"steps": 0}, "The number of steps is a whole number from 1 to 500, not 0"),
        ({"steps": 501}, "from 1 to 500, not 501"),
        ({"means_of": 0}, "The estimates in a step is a whole number from 1 to 100, not 0"),
        ({"means_of": 101}, "from 1 to 100, not 101"),
        ({"rate": 0.009}, "The learning rate lies between 0.01 and 10, not 0.009"),
        ({"rate": 10.1}, "not 10.1"),
        ({"rate": math.nan}, "not nan"),
        ({"rate": math.inf}, "not inf"),
    ],
)
def test_what_the_config_refuses_it_refuses_in_one_sentence(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        replace(CONFIG, **changes)  # type: ignore[arg-type]
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
