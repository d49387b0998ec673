"""Single estimates as arrows: the bench's own estimates, and steps that NumPy takes too."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gumbel_core.gradient_arrows import after_step, single_estimates
from gumbel_core.gradient_bench import BenchConfig, estimates, problem_of

CONFIG = BenchConfig((0.9, -0.4, 0.1), variables=2, function="network", samples=100, seed=3)


def test_arrows_are_the_estimates_of_one_noise_at_every_temperature() -> None:
    temperatures = (0.1, 1.0, 5.0)
    arrows = single_estimates(CONFIG, "gumbel_softmax", temperatures, 100)
    assert arrows.shape == (3, 100, 2, 3)
    for found, tau in zip(arrows, temperatures, strict=True):
        (wanted,) = estimates(CONFIG, "gumbel_softmax", tau, torch.float64)
        np.testing.assert_array_equal(found, wanted)
    # One that reads no temperature stands still.
    still = single_estimates(CONFIG, "reinforce", temperatures)
    assert (still == still[0]).all()


def test_gumbel_raos_arrows_are_of_the_configs_draws() -> None:
    one, fifty = (
        single_estimates(replace(CONFIG, rao_draws=draws), "gumbel_rao", (0.2,), 500) for draws in (1, 50)
    )
    assert fifty.var(1).sum() < 0.5 * one.var(1).sum()


@pytest.mark.parametrize(("function", "uphill"), [("linear", 1.0), ("distance", -1.0)])
def test_a_step_is_up_for_a_reward_and_down_for_a_loss(function: str, uphill: float) -> None:
    config = replace(CONFIG, function=function)
    gradients = np.random.default_rng(0).normal(size=(4, 2, 3))
    logits = np.array(config.logits) + uphill * gradients / problem_of(config).unit
    shares = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(after_step(config, gradients), shares, rtol=0, atol=1e-14)


def test_the_exact_gradient_takes_the_logits_a_distance_of_1_towards_what_is_better() -> None:
    config = replace(CONFIG, function="linear", variables=1, numbers=(0.0, 5.0, 1.0))
    (after,) = after_step(config, problem_of(config).gradient.numpy())
    (before,) = after_step(config, np.zeros((1, 3)))
    np.testing.assert_allclose(before, problem_of(config).logits.softmax(-1)[0], rtol=0, atol=1e-15)
    assert after @ config.numbers > before @ config.numbers
    moved = np.log(after) - np.log(before)
    # Up to the shift that a softmax does not see: a gradient of logits has mean 0.
    assert np.linalg.norm(moved - moved.mean()) == pytest.approx(1.0, rel=1e-12)


def test_a_masked_category_stays_masked() -> None:
    config = replace(CONFIG, logits=(0.5, -math.inf, 0.0))
    tips = after_step(config, single_estimates(config, "rebar", (0.5,))[0])
    assert (tips[..., 1] == 0).all()
    np.testing.assert_allclose(tips.sum(-1), 1.0, rtol=0, atol=1e-12)
