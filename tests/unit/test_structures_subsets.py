"""Subsets against draws without replacement, against the sampler of one category, against a plain loop."""

import math
from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.sampling import gumbel_max, gumbel_noise, gumbel_softmax
from gumbel_core.structures.subsets import (
    MAX_ENUMERATED,
    relaxed_top_k,
    straight_through_top_k,
    subset_law,
    top_k,
)
from tests.unit.known_structures import DRAWS, LEVEL, fit, members, normal, seeded

INF, NAN = math.inf, math.nan


def noise_of(*shape: int, seed: int = 1) -> Tensor:
    return gumbel_noise(shape, generator=seeded(seed), dtype=torch.float64)


def plackett_luce(weights: list[float], k: int) -> dict[tuple[int, ...], float]:
    """Every order in which k are drawn, one after another, in proportion to their weights."""
    law = dict.fromkeys(combinations(range(len(weights)), k), 0.0)
    for order in permutations(range(len(weights)), k):
        probability, left = 1.0, sum(weights)
        for member in order:
            probability *= weights[member] / left if weights[member] else 0.0
            left -= weights[member]
        law[tuple(sorted(order))] += probability
    return law


def successive_softmaxes(keys: NDArray[np.float64], k: int, tau: float) -> NDArray[np.float64]:
    """Xie and Ermon's algorithm 1 on one row, as it is printed."""
    keys, total = keys.copy(), np.zeros_like(keys)
    for _ in range(k):
        share = np.exp(keys / tau) / np.exp(keys / tau).sum()
        total += share
        keys = keys + np.log(1 - share)
    return total


# The law


@pytest.mark.parametrize(("n", "k"), [(2, 1), (4, 1), (4, 2), (5, 3), (5, 5), (6, 4)])
def test_the_law_is_the_sum_over_all_orders(n: int, k: int) -> None:
    logits = 2 * normal(n, seed=n)
    assert subset_law(logits, k) == pytest.approx(plackett_luce(logits.exp().tolist(), k), abs=1e-12)


def test_the_law_of_masked_entries() -> None:
    logits = torch.tensor([0.5, -INF, -1.0, 2.0])
    wanted = plackett_luce([math.exp(0.5), 0.0, math.exp(-1), math.exp(2)], 2)
    assert subset_law(logits, 2) == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize("gap", [40.0, 700.0])
def test_the_law_keeps_its_digits_where_one_weight_holds_nearly_all(gap: float) -> None:
    # 1 - w of the first item is 0 in double precision; the two others share the second place as 2 to 1.
    logits = torch.tensor([gap, math.log(2), 0.0], dtype=torch.float64)
    law = subset_law(logits, 2)
    assert law[0, 1] == pytest.approx(2 / 3, rel=1e-12)
    assert law[0, 2] == pytest.approx(1 / 3, rel=1e-12)


def test_the_law_is_enumerated_up_to_a_size() -> None:
    assert sum(subset_law(normal(MAX_ENUMERATED), 6).values()) == pytest.approx(1)
    with pytest.raises(ValueError, match=r"^The law of 13 items is not enumerated: 12 at most\.$"):
        subset_law(normal(MAX_ENUMERATED + 1), 2)


# The hard sampler


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "k"), [(3, 1), (3, 2), (5, 2), (6, 4)])
def test_top_k_draws_without_replacement(n: int, k: int, dtype: torch.dtype) -> None:
    logits = normal(n, seed=10 + n).to(dtype)
    hard = top_k(logits.expand(DRAWS, -1), k, generator=seeded())
    assert hard.dtype == dtype
    assert fit(members(hard), subset_law(logits, k)) > LEVEL


def test_top_k_never_draws_what_is_masked() -> None:
    logits = torch.tensor([0.0, -INF, 1.0, 0.5])
    hard = top_k(logits.expand(DRAWS, -1), 2, generator=seeded())
    assert not hard[:, 1].any()
    assert fit(members(hard), subset_law(logits, 2)) > LEVEL


def test_top_k_holds_the_k_largest_keys() -> None:
    keys = torch.tensor([3.0, 1.0, 2.0, 0.0])
    wanted = [[1, 0, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    for k, row in enumerate(wanted, start=1):
        assert top_k(keys, k, noise=torch.zeros(4)).tolist() == row
        # The noise counts as the logits do.
        assert top_k(torch.zeros(4), k, noise=keys).tolist() == row


def test_tied_keys_are_still_k_members() -> None:
    for k in range(1, 6):
        assert top_k(torch.zeros(3, 5), k, noise=torch.zeros(3, 5)).sum(-1).tolist() == [k] * 3


def test_one_member_is_the_category() -> None:
    logits, noise = normal(50, 5), noise_of(50, 5)
    assert torch.equal(top_k(logits, 1, noise=noise).argmax(-1), gumbel_max(logits, noise=noise))
    for tau in (0.1, 1.0, 10.0):
        torch.testing.assert_close(
            relaxed_top_k(logits, 1, tau, noise=noise), gumbel_softmax(logits, tau, noise=noise)
        )


def test_all_members_leave_no_choice() -> None:
    hard = top_k(normal(20, 4), 4, generator=seeded())
    assert torch.equal(hard, torch.ones_like(hard))
    assert subset_law(normal(4), 4) == pytest.approx({(0, 1, 2, 3): 1.0})


# The relaxed sampler


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("tau", [0.5, 1.0, 4.0])
def test_the_relaxed_k_hot_is_the_printed_algorithm(k: int, tau: float) -> None:
    logits, noise = normal(30, 5), noise_of(30, 5)
    found = relaxed_top_k(logits, k, tau, noise=noise)
    rows = [successive_softmaxes(row, k, tau) for row in (logits + noise).numpy()]
    np.testing.assert_allclose(found.numpy(), rows, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0, 100.0])
def test_the_relaxed_k_hot_sums_to_k(tau: float, dtype: torch.dtype) -> None:
    logits = normal(2, 50, 6).to(dtype)
    for k in range(1, 7):
        relaxed = relaxed_top_k(logits, k, tau, generator=seeded(k))
        assert relaxed.dtype == dtype
        assert (relaxed >= 0).all()
        torch.testing.assert_close(relaxed.sum(-1), torch.full((2, 50), float(k), dtype=dtype))


def test_an_entry_can_exceed_one() -> None:
    keys = torch.tensor([4.0, 0.0, 0.0])
    assert relaxed_top_k(keys, 2, 2.0, noise=torch.zeros(3)).max() > 1.3


@pytest.mark.parametrize("k", [1, 2, 4])
def test_near_zero_it_is_the_hard_subset_of_the_same_noise(k: int) -> None:
    logits, noise = normal(200, 6), noise_of(200, 6)
    keys = (logits + noise).sort(-1).values
    # Two keys so close that .001 does not part them are a matter of the temperature, not of the limit.
    apart = keys.diff(dim=-1).amin(-1) > 0.02
    assert apart.sum() > 150
    relaxed, hard = relaxed_top_k(logits, k, 1e-3, noise=noise), top_k(logits, k, noise=noise)
    torch.testing.assert_close(relaxed[apart], hard[apart], rtol=0, atol=1e-6)


def test_far_from_zero_it_is_uniform() -> None:
    relaxed = relaxed_top_k(normal(20, 5), 3, 1e6, generator=seeded())
    torch.testing.assert_close(relaxed, torch.full_like(relaxed, 3 / 5), rtol=0, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("tau", [0.01, 0.1])
def test_a_huge_gap_does_not_pick_an_item_twice(tau: float, dtype: torch.dtype) -> None:
    keys = torch.tensor([2000.0, 1000.0, 0.0, -1000.0], dtype=dtype, requires_grad=True)
    for k, wanted in [(1, [1, 0, 0, 0]), (2, [1, 1, 0, 0]), (3, [1, 1, 1, 0]), (4, [1, 1, 1, 1])]:
        relaxed = relaxed_top_k(keys, k, tau, noise=torch.zeros(4, dtype=dtype))
        assert relaxed.tolist() == wanted
        (gradient,) = torch.autograd.grad((relaxed * torch.arange(4)).sum(), keys)
        assert gradient.tolist() == [0] * 4


@pytest.mark.parametrize("gap", [20.0, 300.0, 400.0, 1e5])
def test_a_share_that_rounds_to_1_leaves_no_jump(gap: float) -> None:
    """Above tau = 1 a far larger entry is taken again: log(1 - share) is less than the gap, however large."""
    relaxed = relaxed_top_k(torch.tensor([gap, 0.0]).double(), 2, 10.0, noise=torch.zeros(2).double())
    first = 1 / (1 + math.exp(-gap / 10))
    # Both lose log(1 + exp(-gap / 10)); the larger one gap / 10 more.
    second = 1 / (1 + math.exp(-(gap - gap / 10) / 10))
    assert relaxed[0].item() == pytest.approx(first + second, rel=1e-9)


def test_ties_share_alike() -> None:
    for k in (1, 2, 3):
        relaxed = relaxed_top_k(torch.zeros(4), k, 0.1, noise=torch.zeros(4))
        torch.testing.assert_close(relaxed, torch.full((4,), k / 4))


def test_a_mask_holds_when_relaxed_and_has_no_gradient() -> None:
    logits = torch.tensor([0.0, -INF, 1.0, 0.5], dtype=torch.float64, requires_grad=True)
    relaxed = relaxed_top_k(logits, 2, 0.7, noise=noise_of(4))
    assert relaxed[1] == 0
    assert relaxed.sum().item() == pytest.approx(2)
    (gradient,) = torch.autograd.grad((relaxed * normal(4)).sum(), logits)
    assert gradient[1] == 0
    assert gradient.isfinite().all()
    assert gradient.abs().max() > 0.01
    # As if it had not been there.
    open_ones = torch.tensor([0, 2, 3])
    without = relaxed_top_k(logits.detach()[open_ones], 2, 0.7, noise=noise_of(4)[open_ones])
    torch.testing.assert_close(relaxed.detach()[open_ones], without)


# Gradients


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
def test_the_gradient_is_that_of_finite_differences(k: int, tau: float) -> None:
    noise = noise_of(3, 4)
    logits = normal(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: relaxed_top_k(x, k, tau, noise=noise), logits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_straight_through_is_hard_forward_and_relaxed_backward(dtype: torch.dtype) -> None:
    noise, weights = noise_of(100, 5).to(dtype), normal(100, 5, seed=3).to(dtype)
    logits = normal(100, 5).to(dtype).requires_grad_()
    found = straight_through_top_k(logits, 2, 0.8, noise=noise)
    assert torch.equal(found, top_k(logits, 2, noise=noise))
    (gradient,) = torch.autograd.grad((found * weights).sum(), logits)
    relaxed = relaxed_top_k(logits, 2, 0.8, noise=noise)
    (wanted,) = torch.autograd.grad((relaxed * weights).sum(), logits)
    assert torch.equal(gradient, wanted)
    assert wanted.abs().max() > 0.1


# Shapes, randomness, refusals

SAMPLERS: dict[str, Callable[..., Tensor]] = {
    "hard": lambda logits, k, **kwargs: top_k(logits, k, **kwargs),
    "relaxed": lambda logits, k, **kwargs: relaxed_top_k(logits, k, 0.5, **kwargs),
    "straight-through": lambda logits, k, **kwargs: straight_through_top_k(logits, k, 0.5, **kwargs),
}


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("leading", [(), (1,), (0,), (3,), (2, 3), (2, 0, 3)])
def test_any_leading_shape(sampler: Callable[..., Tensor], leading: tuple[int, ...]) -> None:
    logits, noise = normal(*leading, 5), noise_of(*leading, 5)
    found = sampler(logits, 2, noise=noise)
    assert found.shape == (*leading, 5)
    rows = [
        sampler(row, 2, noise=drawn)
        for row, drawn in zip(logits.reshape(-1, 5), noise.reshape(-1, 5), strict=True)
    ]
    for row, alone in zip(found.reshape(-1, 5), rows, strict=True):
        torch.testing.assert_close(row, alone)


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_the_generator_decides(sampler: Callable[..., Tensor]) -> None:
    logits = normal(40, 6)
    assert torch.equal(sampler(logits, 2, generator=seeded(4)), sampler(logits, 2, generator=seeded(4)))
    assert not torch.equal(sampler(logits, 2, generator=seeded(4)), sampler(logits, 2, generator=seeded(5)))
    drawn = gumbel_noise(logits.shape, generator=seeded(4), dtype=torch.float64)
    assert torch.equal(sampler(logits, 2, generator=seeded(4)), sampler(logits, 2, noise=drawn))


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize(
    ("logits", "k", "sentence"),
    [
        ([0.0, 1.0], 0, "A subset of 2 has 1 to 2 members, not 0."),
        ([0.0, 1.0], -1, "A subset of 2 has 1 to 2 members, not -1."),
        ([0.0, 1.0], 3, "A subset of 2 has 1 to 2 members, not 3."),
        ([0.0, 1.0], 1.0, "A subset of 2 has 1 to 2 members, not 1.0."),
        ([0.0, 1.0], True, "A subset of 2 has 1 to 2 members, not True."),
        (
            [0.0, -INF, 1.0],
            3,
            "A subset of 3 needs 3 open entries: only 2 are not masked with -inf.",
        ),
        (
            [[0.0, 0.0, 1.0], [0.0, -INF, -INF]],
            2,
            "A subset of 2 needs 2 open entries: only 1 are not masked with -inf.",
        ),
        ([0.0, INF], 1, "A score is a number or -inf, which masks: not a NaN, and not +inf."),
        ([0.0, 1.0, NAN], 1, "A score is a number or -inf, which masks: not a NaN, and not +inf."),
    ],
)
def test_what_is_no_subset_is_refused(
    sampler: Callable[..., Tensor], logits: list[float], k: int, sentence: str
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        sampler(torch.tensor(logits), k)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_noise_of_another_length_is_refused(sampler: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match=r"^The noise \(3,\) does not fit the scores \(4,\)\.$"):
        sampler(torch.zeros(4), 2, noise=torch.zeros(3))


@pytest.mark.parametrize("tau", [0.0, -1.0, INF, NAN])
def test_a_temperature_that_is_none_is_refused(tau: float) -> None:
    for relax in (relaxed_top_k, straight_through_top_k):
        with pytest.raises(ValueError, match="The temperature must be"):
            relax(torch.zeros(3), 2, tau)
