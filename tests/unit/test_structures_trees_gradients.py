"""Relaxed trees against finite differences; masks, shapes, randomness, and what is refused."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from gumbel_core.sampling import gumbel_noise
from gumbel_core.structures.trees import (
    Graph,
    complete,
    log_partition,
    marginals,
    maximum_tree,
    product_law,
    relaxed_tree,
    straight_through_tree,
    tree_law,
)
from tests.unit.known_structures import DRAWS, LEVEL, fit, members, normal, seeded

INF, NAN = math.inf, math.nan
K4 = complete(4)
KITE = Graph(5, ((0, 1), (1, 2), (2, 3), (0, 3), (0, 2), (3, 4)))


def noise_of(*shape: int, seed: int = 1) -> Tensor:
    return gumbel_noise(shape, generator=seeded(seed), dtype=torch.float64)


@pytest.mark.parametrize("graph", [complete(2), K4, KITE])
@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
def test_the_gradient_is_that_of_finite_differences(graph: Graph, tau: float) -> None:
    noise = noise_of(2, len(graph.edges))
    scores = normal(2, len(graph.edges)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: relaxed_tree(graph, x, tau, noise=noise), scores)


def test_the_partitions_derivatives_are_those_of_finite_differences() -> None:
    scores = normal(3, 6).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: log_partition(K4, x), scores)
    assert torch.autograd.gradgradcheck(lambda x: log_partition(K4, x), scores)


def test_marginals_need_no_gradient_and_leave_none() -> None:
    log_weights = normal(6)
    with torch.no_grad():
        still = marginals(K4, log_weights)
    found = marginals(K4, log_weights)
    assert torch.equal(still, found)
    assert not found.requires_grad
    assert not log_weights.requires_grad
    assert marginals(K4, log_weights.clone().requires_grad_()).requires_grad


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_straight_through_is_hard_forward_and_relaxed_backward(dtype: torch.dtype) -> None:
    noise, weights = noise_of(50, 6).to(dtype), normal(50, 6, seed=3).to(dtype)
    scores = normal(50, 6).to(dtype).requires_grad_()
    found = straight_through_tree(K4, scores, 0.8, noise=noise)
    assert found.dtype == dtype
    assert torch.equal(found, maximum_tree(K4, scores, noise=noise))
    (gradient,) = torch.autograd.grad((found * weights).sum(), scores)
    relaxed = relaxed_tree(K4, scores, 0.8, noise=noise)
    (wanted,) = torch.autograd.grad((relaxed * weights).sum(), scores)
    assert torch.equal(gradient, wanted)
    assert wanted.abs().max() > 0.1


# Masks


def test_masked_edges_are_as_if_they_were_not_there() -> None:
    scores, noise = normal(6, seed=8), noise_of(6)
    left = Graph(4, tuple(edge for edge in K4.edges if edge not in ((0, 2), (1, 3))))
    open_ones = torch.tensor([K4.edges.index(edge) for edge in left.edges])
    masked = torch.full_like(scores, -INF)
    masked[open_ones] = scores[open_ones]
    for tau in (0.05, 0.7, 20.0):
        relaxed = relaxed_tree(K4, masked, tau, noise=noise)
        without = relaxed_tree(left, scores[open_ones], tau, noise=noise[open_ones])
        torch.testing.assert_close(relaxed[open_ones], without)
        assert relaxed.sum().item() == pytest.approx(3)
        assert relaxed[1] == relaxed[4] == 0
    drawn = members(maximum_tree(K4, masked.expand(DRAWS, -1), generator=seeded()))
    wanted = {
        tuple(open_ones[list(tree)].tolist()): probability
        for tree, probability in tree_law(left, scores[open_ones]).items()
    }
    assert tree_law(K4, masked) == pytest.approx(wanted)
    assert fit(drawn, wanted) > LEVEL
    law = {tree: mass for tree, mass in product_law(K4, masked).items() if mass > 0}
    assert set(law) == set(wanted)


# With 0-1 and 1-3 gone there is neither an edge from 0 to 1 nor a way through 3.
@pytest.mark.parametrize("masked", [[1, 4], [0, 4], [0, 1]])
def test_a_mask_has_no_gradient_and_spoils_none(masked: list[int]) -> None:
    scores = torch.tensor([0.5, 0.3, 1.0, 0.2, -0.7, -0.4], dtype=torch.float64)
    scores[masked] = -INF
    scores.requires_grad_()
    relaxed = relaxed_tree(K4, scores, 0.7, noise=noise_of(6))
    (gradient,) = torch.autograd.grad((relaxed * normal(6)).sum(), scores)
    assert gradient.isfinite().all()
    assert not gradient[masked].any()
    assert gradient.abs().max() > 0.01


# Shapes and randomness

SAMPLERS: dict[str, Callable[..., Tensor]] = {
    "hard": maximum_tree,
    "relaxed": lambda graph, scores, **kwargs: relaxed_tree(graph, scores, 0.5, **kwargs),
    "straight-through": lambda graph, scores, **kwargs: straight_through_tree(graph, scores, 0.5, **kwargs),
}


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("leading", [(), (1,), (0,), (3,), (2, 3), (2, 0, 3)])
def test_any_leading_shape(sampler: Callable[..., Tensor], leading: tuple[int, ...]) -> None:
    scores, noise = normal(*leading, 6), noise_of(*leading, 6)
    found = sampler(K4, scores, noise=noise)
    assert found.shape == (*leading, 6)
    flat = (tensor.reshape(-1, 6) for tensor in (found, scores, noise))
    for tree, alone, own in zip(*flat, strict=True):
        torch.testing.assert_close(tree, sampler(K4, alone, noise=own))


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_the_generator_decides(sampler: Callable[..., Tensor]) -> None:
    scores = normal(40, 6)
    assert torch.equal(sampler(K4, scores, generator=seeded(4)), sampler(K4, scores, generator=seeded(4)))
    assert not torch.equal(sampler(K4, scores, generator=seeded(4)), sampler(K4, scores, generator=seeded(5)))
    own = gumbel_noise(scores.shape, generator=seeded(4), dtype=torch.float64)
    assert torch.equal(sampler(K4, scores, generator=seeded(4)), sampler(K4, scores, noise=own))


# What is refused


@pytest.mark.parametrize(
    ("nodes", "edges", "sentence"),
    [
        (1, (), "A graph has 2 to 32 nodes, not 1."),
        (33, ((0, 1),), "A graph has 2 to 32 nodes, not 33."),
        (3, ((0, 1), (2, 1)), "An edge is a pair of two of the nodes, the smaller first, not (2, 1)."),
        (3, ((0, 1), (1, 1)), "An edge is a pair of two of the nodes, the smaller first, not (1, 1)."),
        (3, ((0, 1), (1, 3)), "An edge is a pair of two of the nodes, the smaller first, not (1, 3)."),
        (3, ((-1, 1), (1, 2)), "An edge is a pair of two of the nodes, the smaller first, not (-1, 1)."),
        (3, ((0, 1), (1, 2), (0, 1)), "An edge stands twice in the list."),
        (4, ((0, 1), (2, 3)), "The graph is not connected: it has no spanning tree."),
        (2, (), "The graph is not connected: it has no spanning tree."),
    ],
)
def test_what_is_no_connected_graph_is_refused(
    nodes: int, edges: tuple[tuple[int, int], ...], sentence: str
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        Graph(nodes, edges)
    assert str(refused.value) == sentence


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("shape", [(5,), (2, 7), (6, 1)])
def test_scores_of_another_number_of_edges_are_refused(
    sampler: Callable[..., Tensor], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"^The graph has 6 edges: scores \([\d, ]+\) do not fit\.$"):
        sampler(K4, torch.zeros(shape))


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
def test_masks_that_part_the_graph_are_refused(sampler: Callable[..., Tensor]) -> None:
    parted = torch.zeros(2, 6)
    # The second graph's last node has no edge left.
    parted[1, [2, 4, 5]] = -INF
    for scores in (parted, parted[1], torch.full((6,), -INF)):
        with pytest.raises(ValueError, match=r"^The edges that are not masked do not join all nodes: there"):
            sampler(K4, scores)
    # One edge to it is enough.
    parted[1, 4] = 0.0
    assert sampler(K4, parted).shape == (2, 6)


@pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)
@pytest.mark.parametrize("value", [INF, NAN])
def test_scores_that_are_no_numbers_are_refused(sampler: Callable[..., Tensor], value: float) -> None:
    with pytest.raises(ValueError, match=r"^A score is a number or -inf, which masks: not a NaN, and not"):
        sampler(K4, torch.tensor([0.0, value, 0, 0, 0, 0]))


@pytest.mark.parametrize("tau", [0.0, -1.0, INF, NAN])
def test_a_temperature_that_is_none_is_refused(tau: float) -> None:
    for relax in (relaxed_tree, straight_through_tree):
        with pytest.raises(ValueError, match="The temperature must be"):
            relax(K4, torch.zeros(6), tau)
