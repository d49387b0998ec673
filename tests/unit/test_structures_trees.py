"""Trees against Cayley's counts, every order of the edges, SciPy's spanning trees, sums over all trees."""

import math
from collections import defaultdict
from collections.abc import Callable
from itertools import permutations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree
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
    tree_law,
    trees,
)
from tests.unit.known_structures import DRAWS, LEVEL, fit, members, normal, seeded, total_variation

INF, NAN = math.inf, math.nan
K4, K5 = complete(4), complete(5)
# A square with one diagonal and a tail.
KITE = Graph(5, ((0, 1), (1, 2), (2, 3), (0, 3), (0, 2), (3, 4)))
BIPARTITE = Graph(5, ((0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)))


def noise_of(*shape: int, seed: int = 1) -> Tensor:
    return gumbel_noise(shape, generator=seeded(seed), dtype=torch.float64)


def is_tree(graph: Graph, edges: list[int]) -> bool:
    ends = np.array([graph.edges[edge] for edge in edges])
    matrix = csr_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(graph.nodes, graph.nodes))
    return len(edges) == graph.nodes - 1 and connected_components(matrix, directed=False)[0] == 1


def races(weights: list[float], graph: Graph) -> dict[tuple[int, ...], float]:
    """Kruskal's tree of every order of the edges, with the probability of that order."""
    law: dict[tuple[int, ...], float] = defaultdict(float)
    for order in permutations(range(len(weights))):
        left, probability = sum(weights), 1.0
        parts, tree = [{node} for node in range(graph.nodes)], []
        for edge in order:
            probability *= weights[edge] / left
            left -= weights[edge]
            one, other = (next(part for part in parts if end in part) for end in graph.edges[edge])
            if one is not other:
                parts.remove(other)
                one |= other
                tree.append(edge)
        law[tuple(sorted(tree))] += probability
    return dict(law)


def summed(graph: Graph, log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """The logarithm of the partition function and the marginals, from a list of all trees: (E,)."""
    every = trees(graph)
    held = torch.zeros(len(every), len(graph.edges), dtype=torch.float64)
    for row, tree in zip(held, every, strict=True):
        row[list(tree)] = 1
    masses = torch.stack([log_weights[list(tree)].sum() for tree in every])
    return masses.logsumexp(0), masses.softmax(0) @ held


def laplacian(graph: Graph, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    matrix = np.zeros((graph.nodes, graph.nodes))
    for (one, other), weight in zip(graph.edges, weights, strict=True):
        matrix[one, one] += weight
        matrix[other, other] += weight
        matrix[one, other] -= weight
        matrix[other, one] -= weight
    return matrix


# Counts and laws


@pytest.mark.parametrize(("nodes", "count"), [(2, 1), (3, 3), (4, 16), (5, 125), (6, 1296)])
def test_a_complete_graph_has_as_many_trees_as_cayley_says(nodes: int, count: int) -> None:
    graph = complete(nodes)
    assert len(graph.edges) == nodes * (nodes - 1) // 2
    every = trees(graph)
    assert len(every) == count == len(set(every))
    assert all(is_tree(graph, list(tree)) for tree in every)
    total = log_partition(graph, torch.zeros(len(graph.edges), dtype=torch.float64))
    assert total.item() == pytest.approx(math.log(count), abs=1e-12)


def test_graphs_with_holes_have_fewer_trees() -> None:
    assert len(trees(KITE)) == 8
    assert len(trees(BIPARTITE)) == 12
    assert len(trees(Graph(4, ((0, 1), (1, 2), (2, 3))))) == 1


@pytest.mark.parametrize("graph", [complete(3), K4, KITE, BIPARTITE])
@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_the_law_is_that_of_all_orders_of_the_edges(graph: Graph, spread: float) -> None:
    scores = spread * normal(len(graph.edges), seed=2)
    assert tree_law(graph, scores) == pytest.approx(races(scores.exp().tolist(), graph), abs=1e-12)


@pytest.mark.parametrize("graph", [K4, K5, KITE])
def test_the_product_law_is_that_of_products(graph: Graph) -> None:
    scores = 1.5 * normal(len(graph.edges), seed=2)
    masses = {tree: math.exp(scores[list(tree)].sum()) for tree in trees(graph)}
    wanted = {tree: mass / sum(masses.values()) for tree, mass in masses.items()}
    assert product_law(graph, scores) == pytest.approx(wanted, abs=1e-7)


@pytest.mark.parametrize("law", [tree_law, product_law])
def test_laws_sum_to_one_and_ignore_a_shift(law: Callable[..., dict[tuple[int, ...], float]]) -> None:
    scores = normal(10)
    assert sum(law(K5, scores).values()) == pytest.approx(1)
    assert law(K5, scores + 5_000) == pytest.approx(law(K5, scores), abs=1e-9)


def test_the_two_laws_are_not_one() -> None:
    # LESSONS.md's .066, at these scores; with equal ones a star is 4/15 instead of 4/16.
    scores = 2 * normal(6, seed=1)
    assert total_variation(tree_law(K4, scores), product_law(K4, scores)) == pytest.approx(0.066, abs=5e-4)
    equal = torch.zeros(6)
    assert total_variation(tree_law(K4, equal), product_law(K4, equal)) == pytest.approx(4 / 15 - 4 / 16)
    drawn = members(maximum_tree(K4, scores.expand(DRAWS, -1), generator=seeded()))
    assert fit(drawn, product_law(K4, scores)) < 1e-30


def test_a_graph_too_large_to_enumerate_is_refused() -> None:
    for law in (tree_law, product_law):
        with pytest.raises(
            ValueError, match=r"^This graph has too many trees to enumerate: K5 and graphs of"
        ):
            law(complete(8), torch.zeros(28))


# The hard sampler


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("graph", "seed"), [(K4, 0), (K4, 1), (K5, 0), (K5, 1), (KITE, 0)])
def test_maximum_trees_follow_their_law(graph: Graph, seed: int, dtype: torch.dtype) -> None:
    scores = normal(len(graph.edges), seed=seed).to(dtype)
    hard = maximum_tree(graph, scores.expand(DRAWS, -1), generator=seeded(7))
    assert hard.dtype == dtype
    assert fit(members(hard), tree_law(graph, scores)) > LEVEL


@pytest.mark.parametrize("graph", [complete(2), K4, KITE, complete(8), complete(32)])
def test_the_maximum_tree_is_scipys(graph: Graph) -> None:
    scores, noise = normal(20, len(graph.edges)), noise_of(20, len(graph.edges))
    one, other = np.array(graph.edges).T
    for tree, keys in zip(maximum_tree(graph, scores, noise=noise), scores + noise, strict=True):
        # SciPy takes a weight of 0 for no edge.
        costs = csr_array(((keys.max() - keys + 1).numpy(), (one, other)), shape=(graph.nodes, graph.nodes))
        wanted = set(zip(*minimum_spanning_tree(costs).nonzero(), strict=True))
        assert {graph.edges[edge] for edge in tree.nonzero().flatten().tolist()} == wanted


@pytest.mark.parametrize("graph", [K4, K5, complete(32)])
def test_tied_keys_still_make_a_tree(graph: Graph) -> None:
    still = torch.zeros(3, len(graph.edges))
    for tree in maximum_tree(graph, still, noise=still):
        assert is_tree(graph, tree.nonzero().flatten().tolist())


# The matrix-tree theorem


@pytest.mark.parametrize("spread", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("graph", [complete(2), K4, K5, KITE, BIPARTITE, complete(6)])
def test_partition_and_marginals_are_sums_over_all_trees(graph: Graph, spread: float) -> None:
    log_weights = spread * normal(len(graph.edges), seed=3)
    total, wanted = summed(graph, log_weights)
    torch.testing.assert_close(log_partition(graph, log_weights), total)
    torch.testing.assert_close(marginals(graph, log_weights), wanted)
    law = product_law(graph, log_weights)
    for edge in range(len(graph.edges)):
        held = sum(mass for tree, mass in law.items() if edge in tree)
        assert wanted[edge].item() == pytest.approx(held, abs=1e-7)


@pytest.mark.parametrize("graph", [K4, KITE, complete(8), complete(32)])
def test_partition_and_marginals_are_the_laplacians(graph: Graph) -> None:
    log_weights = normal(len(graph.edges), seed=4)
    weights = log_weights.exp().numpy()
    matrix = laplacian(graph, weights)
    sign, total = np.linalg.slogdet(matrix[1:, 1:])
    assert sign == 1
    assert log_partition(graph, log_weights).item() == pytest.approx(total, rel=1e-12)
    inverse = np.linalg.pinv(matrix)
    resistance = [inverse[i, i] + inverse[j, j] - 2 * inverse[i, j] for i, j in graph.edges]
    np.testing.assert_allclose(marginals(graph, log_weights).numpy(), weights * resistance, rtol=0, atol=1e-9)


@pytest.mark.parametrize("decades", [30, 100, 1_000])
def test_weights_of_hundreds_of_decades_lose_no_digit(decades: int) -> None:
    log_weights = (
        decades * math.log(10) * torch.tensor([0.0, 0.9, 1.0, -1.0, -0.7, -0.7, 0.3, -0.2, 0.3, 0.1])
    )
    log_weights = log_weights.double() + normal(10)
    total, wanted = summed(K5, log_weights)
    torch.testing.assert_close(log_partition(K5, log_weights), total, rtol=1e-13, atol=0)
    torch.testing.assert_close(marginals(K5, log_weights), wanted, rtol=1e-9, atol=1e-12)


def test_a_determinant_would_lose_them() -> None:
    # Two strong pairs of nodes and weak edges between them: what the test above is for.
    log_weights = torch.full((6,), -50.0, dtype=torch.float64)
    log_weights[[0, 5]] = 50.0
    total, wanted = summed(K4, log_weights)
    _, lost = np.linalg.slogdet(laplacian(K4, log_weights.exp().numpy())[1:, 1:])
    assert lost != pytest.approx(total.item(), abs=0.1)
    assert log_partition(K4, log_weights).item() == pytest.approx(total.item(), rel=1e-14)
    torch.testing.assert_close(marginals(K4, log_weights), wanted)


@pytest.mark.parametrize("nodes", [2, 5, 32])
@pytest.mark.parametrize("tau", [0.01, 0.3, 1.0, 100.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_marginals_sum_to_the_edges_of_a_tree(nodes: int, tau: float, dtype: torch.dtype) -> None:
    graph = complete(nodes)
    scores = normal(20, len(graph.edges)).to(dtype)
    relaxed = relaxed_tree(graph, scores, tau, generator=seeded())
    assert relaxed.dtype == dtype
    assert relaxed.min() >= 0
    assert relaxed.max() <= 1 + 1e-6
    torch.testing.assert_close(relaxed.sum(-1), torch.full((20,), nodes - 1.0, dtype=dtype))


@pytest.mark.parametrize("graph", [K4, complete(8), KITE])
def test_near_zero_it_is_the_maximum_tree_of_the_same_noise(graph: Graph) -> None:
    scores, noise = normal(100, len(graph.edges)), noise_of(100, len(graph.edges))
    keys = (scores + noise).sort(-1).values
    # Two keys that .0001 does not part are a matter of the temperature, not of the limit.
    apart = keys.diff(dim=-1).amin(-1) > 2e-3
    assert apart.sum() > 20
    relaxed = relaxed_tree(graph, scores, 1e-4, noise=noise)
    hard = maximum_tree(graph, scores, noise=noise)
    torch.testing.assert_close(relaxed[apart], hard[apart], rtol=0, atol=1e-6)


def test_far_from_zero_all_trees_are_alike() -> None:
    relaxed = relaxed_tree(K5, normal(20, 10), 1e6, generator=seeded())
    torch.testing.assert_close(relaxed, torch.full_like(relaxed, 4 / 10), rtol=0, atol=1e-4)
