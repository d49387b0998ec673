"""Spanning trees: Kruskal's maximum tree of noisy edges, and edge marginals by the matrix-tree theorem.

A graph of n nodes is the list of its E edges, pairs of nodes; scores and trees are (..., E), in its order.

[1] Paulus, Choi, Tarlow, Krause, Maddison, "Gradient Estimation with Stochastic Softmax Tricks", 2020,
    arXiv:2006.08063
[2] Kruskal, 1956, doi:10.1090/S0002-9939-1956-0078686-7
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import torch
from torch import Tensor

from gumbel_core.sampling import check_temperature, gumbel_noise, straight_through
from gumbel_core.structures.noise import perturbed, share_of

Edge = tuple[int, int]

NODES = (2, 32)
# Of a law's enumeration: K5 has 125 trees and 291 forests.
MAX_FORESTS = 20_000
# The logarithm of no weight. An infinity would give NaN gradients; what is added to it leaves it what it is.
ABSENT = -1e30


@dataclass(frozen=True)
class Graph:
    """A connected graph: its nodes are 0 .. nodes - 1."""

    nodes: int
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        low, high = NODES
        if not low <= self.nodes <= high:
            raise ValueError(f"A graph has {low} to {high} nodes, not {self.nodes}.")
        for edge in self.edges:
            if not (0 <= edge[0] < edge[1] < self.nodes):
                raise ValueError(f"An edge is a pair of two of the nodes, the smaller first, not {edge}.")
        if len(set(self.edges)) < len(self.edges):
            raise ValueError("An edge stands twice in the list.")
        if not self.connected(self.edges):
            raise ValueError("The graph is not connected: it has no spanning tree.")

    @cached_property
    def ends(self) -> Tensor:
        """The edges' nodes, (2, E)."""
        return torch.tensor(self.edges).T

    def connected(self, edges: Iterable[Edge]) -> bool:
        """Whether these edges join all nodes."""
        return len(set(components(self.nodes, edges))) == 1


def complete(nodes: int) -> Graph:
    """Every node joined to every other: K4, K5 and so on."""
    return Graph(nodes, tuple(combinations(range(nodes), 2)))


def maximum_tree(
    graph: Graph,
    scores: Tensor,
    *,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The spanning tree with the largest sum of `scores + g`, (..., E) of zeros and ones, by Kruskal [2].

    It is drawn as if its edges came one at a time, in proportion to their weights `exp(score)` among those
    that close no cycle: see `tree_law`. Raises ValueError where the edges that are not -inf join too little.
    """
    _check(graph, scores)
    return _kruskal(graph, perturbed(scores, noise, generator))


def relaxed_tree(
    graph: Graph,
    scores: Tensor,
    temperature: float,
    *,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Edge marginals (..., E), of sum n - 1, at weights `exp((scores + g) / tau)` ([1] section 4).

    Computed in double precision. For tau to 0 they are the maximum tree of the same noise.
    """
    _check(graph, scores)
    keys = perturbed(scores, noise, generator).double() / check_temperature(temperature)
    return marginals(graph, keys).to(scores.dtype)


def straight_through_tree(
    graph: Graph,
    scores: Tensor,
    temperature: float,
    *,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The tree in the forward pass, the relaxed one's gradient in the backward pass."""
    _check(graph, scores)
    if noise is None:
        noise = gumbel_noise(scores.shape, generator=generator, dtype=scores.dtype, device=scores.device)
    relaxed = relaxed_tree(graph, scores, temperature, noise=noise)
    return straight_through(maximum_tree(graph, scores, noise=noise), relaxed)


def marginals(graph: Graph, log_weights: Tensor) -> Tensor:
    """The probability of each edge (..., E) under `P(T)` in proportion to the product of its weights.

    The derivative of `log_partition`; it can be differentiated again.
    """
    with torch.enable_grad():
        keys = log_weights if log_weights.requires_grad else log_weights.detach().requires_grad_()
        (found,) = torch.autograd.grad(log_partition(graph, keys).sum(), keys, create_graph=True)
    return found if log_weights.requires_grad else found.detach()


def log_partition(graph: Graph, log_weights: Tensor) -> Tensor:
    """`log sum_T prod_{e in T} w_e`, (...): the log-determinant of the matrix-tree theorem.

    The nodes are eliminated one by one: what a node joined is joined without it, by `w_iv w_jv / sum_k w_kv`.
    Nothing is subtracted, so that weights of a hundred decades lose no digit, where a determinant would.
    """
    weights = _adjacency(graph, log_weights.clamp(min=ABSENT))
    total = torch.zeros_like(weights[..., 0, 0])
    for node in range(graph.nodes - 1, 0, -1):
        row = weights[..., node, :node]
        degree = row.logsumexp(-1)
        total = total + degree
        detour = row.unsqueeze(-1) + row.unsqueeze(-2) - degree[..., None, None]
        # Not logaddexp: its second derivative is a NaN where one of the two is absent.
        weights = torch.stack([weights[..., :node, :node], detour]).logsumexp(0)
    return total


def tree_law(graph: Graph, scores: Tensor) -> dict[tuple[int, ...], float]:
    """The law of `maximum_tree`: each tree, by its edges' ascending places, for scores (E,).

    Kruskal on Gumbel keys draws the edges in the order of an exponential race, and leaves out those that
    close a cycle: `P(F + e) gains P(F) w_e / (the weights of all edges that close none with F)`.
    """
    typed = scores.double().tolist()
    law: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(graph.nodes - 1):
        grown: dict[tuple[int, ...], float] = defaultdict(float)
        for forest, probability in law.items():
            free = _free(graph, forest, typed)
            left = [typed[edge] for edge in free]
            for edge in free:
                grown[tuple(sorted((*forest, edge)))] += probability * share_of(typed[edge], left)
        law = _not_too_many(grown)
    return law


def product_law(graph: Graph, scores: Tensor) -> dict[tuple[int, ...], float]:
    """`P(T)` in proportion to the product of its weights: the law of `marginals`, not of `maximum_tree`."""
    every = trees(graph)
    sums = torch.stack([scores.double()[list(tree)].sum() for tree in every])
    return dict(zip(every, sums.softmax(-1).tolist(), strict=True))


def trees(graph: Graph) -> list[tuple[int, ...]]:
    """Every spanning tree, by its edges' ascending places."""
    return sorted(tree_law(graph, torch.zeros(len(graph.edges))))


def components(nodes: int, edges: Iterable[Edge]) -> list[int]:
    """A label for each node: equal where the edges join them."""
    label = list(range(nodes))
    for one, other in edges:
        kept, gone = label[one], label[other]
        label = [kept if mark == gone else mark for mark in label]
    return label


def _check(graph: Graph, scores: Tensor) -> None:
    if scores.shape[-1:] != (len(graph.edges),):
        raise ValueError(f"The graph has {len(graph.edges)} edges: scores {tuple(scores.shape)} do not fit.")
    open_everywhere = (scores > -torch.inf).reshape(-1, len(graph.edges)).unique(dim=0)
    for row in open_everywhere.tolist():
        if not graph.connected(edge for edge, is_open in zip(graph.edges, row, strict=True) if is_open):
            raise ValueError(
                "The edges that are not masked do not join all nodes: there is no spanning tree."
            )


def _kruskal(graph: Graph, keys: Tensor) -> Tensor:
    """Kruskal on a whole batch: in each tree's own order of edges, take one whose ends are not joined yet."""
    flat = keys.detach().reshape(-1, len(graph.edges))
    order = flat.argsort(-1, descending=True)
    one, other = graph.ends.to(keys.device)
    label = torch.arange(graph.nodes, device=keys.device).expand(len(flat), -1).clone()
    tree = torch.zeros_like(flat)
    for edge in order.unbind(-1):  # (B,)
        edge = edge.unsqueeze(-1)
        kept, gone = label.gather(-1, one[edge]), label.gather(-1, other[edge])
        tree.scatter_(-1, edge, (kept != gone).to(tree.dtype))
        label = torch.where(label == gone, kept, label)
    return tree.reshape(keys.shape)


def _adjacency(graph: Graph, log_weights: Tensor) -> Tensor:
    """Symmetric log-weights (..., n, n), `ABSENT` where there is no edge."""
    one, other = graph.ends.to(log_weights.device)
    empty = log_weights.new_full((*log_weights.shape[:-1], graph.nodes * graph.nodes), ABSENT)
    places = torch.cat([one * graph.nodes + other, other * graph.nodes + one])
    both = torch.cat([log_weights, log_weights], -1)
    filled = empty.scatter(-1, places.expand(both.shape), both)
    return filled.reshape(*log_weights.shape[:-1], graph.nodes, graph.nodes)


def _free(graph: Graph, forest: Sequence[int], scores: Sequence[float]) -> list[int]:
    """The open edges that close no cycle with the forest."""
    label = components(graph.nodes, [graph.edges[edge] for edge in forest])
    return [
        place
        for place, (one, other) in enumerate(graph.edges)
        if label[one] != label[other] and scores[place] > -math.inf
    ]


def _not_too_many(forests: dict[tuple[int, ...], float]) -> dict[tuple[int, ...], float]:
    if len(forests) > MAX_FORESTS:
        raise ValueError("This graph has too many trees to enumerate: K5 and graphs of its size can be.")
    return dict(forests)
