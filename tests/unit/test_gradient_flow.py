"""The five ways by hand for K = 3, by autograd for two variables, and against the bench's own estimates."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gumbel_core.estimators import ESTIMATORS
from gumbel_core.gradient_bench import BenchConfig, problem_of
from gumbel_core.gradient_flow import Flow, flows
from gumbel_core.sampling import gumbel_noise

Array = NDArray[np.float64]

TAU = 0.7
CONFIG = BenchConfig((0.9, -0.4, 0.1), numbers=(1.0, 4.0, -2.0), seed=3)
TWO = BenchConfig((0.9, -0.4, 0.1), variables=2, function="network", seed=3)


def named(config: BenchConfig, temperature: float = TAU) -> dict[str, Flow]:
    return {flow.name: flow for flow in flows(config, temperature)}


def softmax(logits: Array) -> Array:
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(weights / weights.sum(-1, keepdims=True))


def jacobian(p: Array) -> Array:
    return np.asarray(np.diag(p) - np.outer(p, p))


def by_hand() -> tuple[Array, Array, Array, Array]:
    """Of `CONFIG`: p, the noise of its seed, the one-hot of its winner, and the weights of f = w . z^2."""
    noise = gumbel_noise((1, 3), generator=torch.Generator().manual_seed(3), dtype=torch.float64)[0].numpy()
    logits = np.array(CONFIG.logits)
    return softmax(logits), noise, np.eye(3)[(logits + noise).argmax()], np.array(CONFIG.numbers)


def assert_is(found: Array | None, wanted: Array) -> None:
    """Of one variable."""
    assert found is not None
    assert found.shape == (1, 3)
    np.testing.assert_allclose(found[0], wanted, rtol=0, atol=1e-14)


def test_the_five_ways_in_their_order() -> None:
    assert [flow.name for flow in flows(CONFIG, TAU)] == [
        "deterministic", "blocked", "score_function", "straight_through", "gumbel_softmax"
    ]  # fmt: skip
    titles = [flow.title for flow in flows(CONFIG, TAU)]
    assert all(titles)
    assert len(set(titles)) == 5


def test_without_a_draw_softmax_goes_in_and_every_derivative_comes_back() -> None:
    p, _, _, w = by_hand()
    flow = named(CONFIG)["deterministic"]
    assert_is(flow.z, p)
    assert flow.value == pytest.approx(w @ p**2, rel=1e-12)
    assert_is(flow.inner, 2 * w * p)
    assert_is(flow.gradient, jacobian(p) @ (2 * w * p))
    assert flow.score is None


def test_a_draw_stops_it() -> None:
    _, _, winner, w = by_hand()
    flow = named(CONFIG)["blocked"]
    assert_is(flow.z, winner)
    assert flow.value == pytest.approx(w @ winner)
    assert_is(flow.inner, 2 * w * winner)
    assert flow.score is None
    assert flow.gradient is None


def test_the_score_function_goes_round_f() -> None:
    p, _, winner, w = by_hand()
    flow = named(CONFIG)["score_function"]
    assert_is(flow.z, winner)
    assert flow.value == pytest.approx(w @ winner)
    assert_is(flow.score, winner - p)
    assert_is(flow.gradient, (w @ winner) * (winner - p))
    assert flow.inner is None


def test_straight_through_goes_back_as_if_softmax_had_gone_in() -> None:
    p, _, winner, w = by_hand()
    flow = named(CONFIG)["straight_through"]
    assert_is(flow.z, winner)
    assert flow.value == pytest.approx(w @ winner)
    assert_is(flow.inner, 2 * w * winner)
    assert_is(flow.gradient, jacobian(p) @ (2 * w * winner))
    assert flow.score is None


@pytest.mark.parametrize("tau", [0.1, 0.7, 5.0])
def test_the_relaxed_draw_goes_in_and_its_derivative_comes_back(tau: float) -> None:
    _, noise, winner, w = by_hand()
    relaxed = softmax((np.array(CONFIG.logits) + noise) / tau)
    flow = named(CONFIG, tau)["gumbel_softmax"]
    assert_is(flow.z, relaxed)
    assert flow.value == pytest.approx(w @ relaxed**2, rel=1e-12)
    assert_is(flow.inner, 2 * w * relaxed)
    np.testing.assert_allclose(
        np.asarray(flow.gradient)[0], jacobian(relaxed) @ (2 * w * relaxed) / tau, rtol=1e-10, atol=1e-14
    )
    assert flow.score is None
    assert relaxed.argmax() == winner.argmax()


def test_two_variables_by_autograd_of_the_whole_way() -> None:
    problem = problem_of(TWO)
    noise = gumbel_noise((2, 3), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    logits = problem.logits.clone().requires_grad_()
    for name, z in {
        "deterministic": logits.softmax(-1), "gumbel_softmax": ((logits + noise) / TAU).softmax(-1)
    }.items():  # fmt: skip
        value = problem.f(z.unsqueeze(0)).squeeze(0)
        (gradient,) = torch.autograd.grad(value, logits)
        flow = named(TWO)[name]
        assert flow.value == pytest.approx(value.item(), rel=1e-12)
        np.testing.assert_allclose(flow.z, z.detach(), rtol=0, atol=1e-14)
        np.testing.assert_allclose(np.asarray(flow.gradient), gradient, rtol=0, atol=1e-12)


@pytest.mark.parametrize("config", [CONFIG, TWO], ids=["one variable", "two"])
@pytest.mark.parametrize(
    ("way", "estimator"),
    [
        ("score_function", "reinforce"),
        ("straight_through", "straight_through"),
        ("gumbel_softmax", "gumbel_softmax"),
    ],
)
def test_what_comes_back_is_the_first_estimate_of_the_seed(
    config: BenchConfig, way: str, estimator: str
) -> None:
    problem = problem_of(config)
    first = ESTIMATORS[estimator](problem.f, problem.logits, TAU, torch.Generator().manual_seed(3), 5)[0]
    np.testing.assert_allclose(np.asarray(named(config)[way].gradient), first, rtol=0, atol=1e-12)


def test_the_temperature_moves_the_relaxed_way_alone() -> None:
    cold, hot = named(CONFIG, 0.1), named(CONFIG, 5.0)
    moved = {name for name in cold if not np.array_equal(cold[name].z, hot[name].z)}
    assert moved == {"gumbel_softmax"}
    for name in cold.keys() - moved:
        np.testing.assert_array_equal(
            np.asarray(cold[name].gradient, dtype=float), np.asarray(hot[name].gradient, dtype=float)
        )


def test_the_seed_draws() -> None:
    winners = {int(named(replace(CONFIG, seed=seed))["blocked"].z.argmax()) for seed in range(20)}
    assert winners == {0, 1, 2}


def test_a_masked_category_has_no_part_in_any_way() -> None:
    for flow in flows(replace(CONFIG, logits=(0.5, -math.inf, 0.0)), TAU):
        assert flow.z[0, 1] == 0
        assert math.isfinite(flow.value)
        for part in (flow.inner, flow.score, flow.gradient):
            assert part is None or np.isfinite(part).all()
        assert flow.gradient is None or flow.gradient[0, 1] == 0


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="The temperature must be"):
        flows(CONFIG, temperature)
