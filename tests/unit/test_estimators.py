"""What every estimator promises: shapes, precision, masks, seeds, what it asks of f; and enumeration.

Their means are in `test_estimators_unbiased.py` and `test_estimators_surrogates.py`.
"""

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from gumbel_core.estimators import (
    ESTIMATORS,
    INSIDE,
    LOO_DRAWS,
    NOTHING,
    SLOPE,
    corner_probabilities,
    enumerate_corners,
    exact,
    gumbel_rao_of,
)
from gumbel_core.functions import FUNCTIONS, Function, function_of
from gumbel_core.sampling import gumbel_max, gumbel_noise
from tests.unit.known_gradients import (
    EVERY,
    FAR,
    enumerated,
    masked,
    normal,
    seeded,
    typed,
    watched,
    z_scores,
)

DRAWN = [name for name in EVERY if name != "exact"]
LOGITS = normal(2, 4)


def gradients(
    name: str, f: Function, logits: Tensor = LOGITS, temperature: float = 0.7, samples: int = 50
) -> Tensor:
    return EVERY[name](f, logits, temperature, seeded(), samples)


# Enumeration


@pytest.mark.parametrize("function", [*FUNCTIONS, "crossed"])
@pytest.mark.parametrize("shape", [(1, 2), (1, 5), (2, 4), (3, 3)])
def test_the_exact_gradient_is_that_of_the_expectation(function: str, shape: tuple[int, int]) -> None:
    f, logits = typed(function, *shape), normal(*shape)
    for given in (logits, masked(logits)):
        found = exact(f, given, 1.0, None, 3)
        assert found.shape == (3, *shape)
        torch.testing.assert_close(found, enumerated(f, given).expand(3, -1, -1), rtol=0, atol=1e-12)


def test_the_exact_gradient_is_the_slope_of_the_expectation() -> None:
    """Finite differences, with no derivative in sight."""
    f, step = typed("network", 2, 4), 1e-5

    def expectation(logits: Tensor) -> Tensor:
        return corner_probabilities(logits) @ f(enumerate_corners(logits))

    for variable, category in product(range(2), range(4)):
        moved = torch.zeros_like(LOGITS)
        moved[variable, category] = step
        slope = (expectation(LOGITS + moved) - expectation(LOGITS - moved)) / (2 * step)
        assert gradients("exact", f)[0, variable, category] == pytest.approx(slope.item(), abs=1e-8)


def test_the_exact_gradient_of_a_linear_function_by_hand() -> None:
    """p_k (w_k - w . p), the only one that needs no sum over combinations."""
    w, p = torch.tensor([2.0, -1.0, 0.5, 3.0], dtype=torch.float64), LOGITS.softmax(-1)
    found = gradients("exact", lambda z: (z @ w).sum(-1))[0]
    torch.testing.assert_close(found, p * (w - (p @ w).unsqueeze(-1)), rtol=0, atol=1e-13)


def test_a_constant_does_not_drown_the_exact_gradient() -> None:
    """In single precision the rounding of a million times the score is as large as the gradient."""
    f = function_of("linear", (1.0, 2.0, 3.0, 4.0), 2, 4)
    found = exact(lambda z: f(z) + 2**20, LOGITS.float(), 1.0, None, 1)[0]
    torch.testing.assert_close(found.double(), enumerated(f, LOGITS), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 3), (3, 2), (2, 2, 2)])
def test_corners_are_every_combination_the_last_variable_first(shape: tuple[int, ...]) -> None:
    logits = normal(*shape)
    *variables, categories = shape
    count = math.prod(variables)
    wanted = list(product(range(categories), repeat=count))
    corners = enumerate_corners(logits)
    assert corners.shape == (len(wanted), *shape)
    assert corners.dtype == logits.dtype
    assert ((corners == 0) | (corners == 1)).all()
    assert (corners.sum(-1) == 1).all()
    assert [tuple(row) for row in corners.argmax(-1).reshape(-1, count).tolist()] == wanted
    p = logits.softmax(-1).reshape(count, categories)
    by_hand = [math.prod(p[n, k].item() for n, k in enumerate(index)) for index in wanted]
    assert corner_probabilities(logits).tolist() == pytest.approx(by_hand, abs=1e-15)


@pytest.mark.parametrize("shape", [(12, 2), (4, 8), (1, 64)])
def test_up_to_4096_combinations_are_enumerated(shape: tuple[int, int]) -> None:
    corners = corner_probabilities(torch.zeros(shape, dtype=torch.float64))
    assert len(corners) == shape[1] ** shape[0]
    assert corners.sum() == pytest.approx(1, abs=1e-12)


def test_more_combinations_are_refused() -> None:
    with pytest.raises(ValueError, match="5 variables of 6 categories") as refusal:
        enumerate_corners(torch.zeros(5, 6))
    assert str(refusal.value) == (
        "5 variables of 6 categories have 7,776 combinations: at most 4,096 are enumerated."
    )


# Every estimator


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_precision_and_a_finite_value(name: str, dtype: torch.dtype) -> None:
    for shape in product((1, 2, 3), range(2, 7)):
        f, logits = typed("quadratic", *shape), normal(*shape).to(dtype)
        found = gradients(name, f, logits, samples=7)
        assert found.shape == (7, *shape)
        assert found.dtype == dtype
        assert found.isfinite().all()
        assert not found.requires_grad


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("shape", [(4,), (2, 2, 3)])
def test_any_leading_axes(name: str, shape: tuple[int, ...]) -> None:
    """f sums over all of them; as one list of variables they have the same gradients."""
    w, logits = normal(shape[-1], seed=1), normal(*shape)
    found = gradients(name, lambda z: (z.square() @ w).reshape(len(z), -1).sum(-1), logits)
    rows = logits.reshape(-1, shape[-1])
    wanted = gradients(name, lambda z: (z.square() @ w).sum(-1), rows)
    torch.testing.assert_close(found, wanted.reshape(-1, *shape), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_a_shift_of_a_rows_logits_is_no_direction(name: str) -> None:
    found = gradients(name, typed("network", 2, 4))
    torch.testing.assert_close(found.sum(-1), torch.zeros_like(found[..., 0]), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [0.01, 0.5, 10.0])
def test_a_masked_category_has_no_gradient(name: str, dtype: torch.dtype, temperature: float) -> None:
    logits = masked(LOGITS).to(dtype)
    for function in ("squares", "network"):
        found = gradients(name, typed(function, 2, 4), logits, temperature, samples=1_000)
        assert found.isfinite().all()
        assert (found[:, logits == -torch.inf] == 0).all()
        # Of a thousand draws some are far enough from the corners even at the least temperature.
        assert found[:, logits > -torch.inf].abs().amax(0).min() > 0


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logits_far_apart_leave_it_finite(name: str, dtype: torch.dtype) -> None:
    logits = torch.tensor([[0.0, -2_000.0, 1.0], [90.0, 0.0, -1e30]], dtype=dtype)
    for temperature in (0.01, 1.0):
        assert gradients(name, typed("crossed", 2, 3), logits, temperature).isfinite().all()


@pytest.mark.parametrize("name", DRAWN)
def test_logits_so_large_that_they_swallow_the_noise_are_drawn_from_all_the_same(name: str) -> None:
    """A shift changes nothing: 1e30 three times over is three equal chances."""
    watching, seen = watched(typed("squares", 1, 3))
    gradients(name, watching, torch.full((1, 3), 1e30))
    assert set(seen[0].argmax(-1).flatten().tolist()) == {0, 1, 2}


@pytest.mark.parametrize("name", DRAWN)
def test_the_generator_decides_and_the_global_one_is_left_alone(name: str) -> None:
    before, f = torch.get_rng_state(), typed("network", 2, 4)
    found = gradients(name, f)
    assert torch.equal(found, gradients(name, f))
    assert not torch.equal(found, EVERY[name](f, LOGITS, 0.7, seeded(1), 50))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", DRAWN)
def test_one_seed_is_one_list_of_winners_for_all(name: str) -> None:
    noise = gumbel_noise((50, *LOGITS.shape), generator=seeded(), dtype=LOGITS.dtype)
    winners = gumbel_max(LOGITS, noise=noise)
    watching, seen = watched(typed("crossed", 2, 4))
    gradients(name, watching)
    # Leave-one-out's first draws, and both of what REBAR asks for, the hard and the relaxed.
    assert seen
    assert all(torch.equal(z[:50].argmax(-1), winners) for z in seen)


@pytest.mark.parametrize("name", EVERY)
def test_the_temperature_is_read_where_it_is_said_to_be(name: str) -> None:
    f = typed("network", 2, 4)
    cold, warm = (gradients(name, f, temperature=tau) for tau in (0.3, 3.0))
    assert torch.equal(cold, warm) != EVERY[name].tempered


@pytest.mark.parametrize("name", EVERY)
def test_what_it_asks_of_f_is_what_is_said(name: str) -> None:
    estimator, f = EVERY[name], typed("network", 2, 4)
    watching, seen = watched(f)
    wanted = gradients(name, watching)
    at_corners = all(((z == 0) | (z == 1)).all() for z in seen)
    assert at_corners == (estimator.needs != INSIDE)
    # An f without a derivative: NumPy's, a game's, a person's.
    if estimator.needs == NOTHING:
        assert torch.equal(gradients(name, lambda z: f(z).detach()), wanted)
    else:
        assert estimator.needs in (SLOPE, INSIDE)
        with pytest.raises(RuntimeError, match="does not require grad"):
            gradients(name, lambda z: f(z).detach())


@pytest.mark.parametrize("name", EVERY)
def test_so_many_evaluations_a_gradient(name: str) -> None:
    watching, seen = watched(typed("squares", 2, 4))
    gradients(name, watching)
    asked = sum(len(z) for z in seen)
    assert asked == (50 * EVERY[name].evaluations or 4**2)


def test_the_draws_of_leave_one_out() -> None:
    assert ESTIMATORS["reinforce_loo"].evaluations == LOO_DRAWS == 4


@pytest.mark.parametrize("name", [name for name in EVERY if not EVERY[name].unbiased])
def test_those_that_are_called_biased_are(name: str) -> None:
    """Held by the same z-score that the unbiased ones pass, on one and the same f."""
    f = typed("network", 2, 3)
    found = gradients(name, f, normal(2, 3), temperature=1.0, samples=20_000)
    assert z_scores(found, enumerated(f, normal(2, 3))).abs().max() > 2 * FAR


def test_which_are_called_unbiased() -> None:
    unbiased = [name for name, estimator in EVERY.items() if estimator.unbiased]
    assert unbiased == ["exact", "reinforce", "reinforce_loo", "rebar"]


def test_each_has_a_title_and_a_source_of_its_own() -> None:
    assert len({estimator.title for estimator in EVERY.values()}) == len(EVERY)
    assert all(estimator.source for estimator in EVERY.values())


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none_is_refused(name: str, temperature: float) -> None:
    with pytest.raises(ValueError, match="The temperature must be"):
        gradients(name, typed("linear", 2, 4), temperature=temperature)


@pytest.mark.parametrize("estimator", [*EVERY.values(), gumbel_rao_of(3)])
@pytest.mark.parametrize("samples", [0, -1])
def test_less_than_one_sample_is_refused(estimator: object, samples: int) -> None:
    assert callable(estimator)
    with pytest.raises(ValueError, match=f"at least 1, not {samples}"):
        estimator(typed("linear", 2, 4), LOGITS, 1.0, seeded(), samples)
