"""What the lesson shows of each structure: one draw, hard and relaxed over temperatures, and many hard draws.

A structure is an array of M entries, zeros and ones where it is hard: a subset's members, a permutation's
matrix row by row, a tree's edges. Hard ones are counted by what they hold: members, the column of each row,
places of edges.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.draw import check_logits, check_seed
from gumbel_core.goodness import Fit, goodness_of_fit, total_variation
from gumbel_core.logits import parse_logits
from gumbel_core.sampling import gumbel_noise
from gumbel_core.structures import permutations, subsets, trees

Array = NDArray[np.float64]
Key = tuple[int, ...]

DRAWS = 10_000
# Where the relaxed structure is known beforehand, so that a browser can follow a drag between them.
TEMPERATURES: tuple[float, ...] = tuple(np.geomspace(0.01, 100, 41).tolist())
SIDES = (2, 6)
NODES = (3, 6)
# At a small tau Sinkhorn takes its time: with twenty, a third of the matrices of three are not there at .01.
ITERATIONS = 1_000
# Edges further apart, over the smallest tau, leave the marginals no digit.
MOST_APART = 1e9


@dataclass(frozen=True)
class SubsetConfig:
    """Subsets of k out of the typed categories."""

    logits: tuple[float, ...]
    k: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        check_logits(self.logits)
        check_seed(self.seed)
        subsets.check_k(_double(self.logits), self.k)

    def relaxed(self, tau: float) -> Array:
        """The one draw, relaxed: (M,)."""
        logits = _shifted(self.logits)
        return subsets.relaxed_top_k(logits, self.k, tau, noise=_noise(self.seed, logits.shape)).numpy()


@dataclass(frozen=True)
class PermutationConfig:
    """Permutations, by the scores of rows for columns. A score of -inf forbids a place."""

    scores: tuple[tuple[float, ...], ...]
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        side, (low, high) = len(self.scores), SIDES
        if odd := [len(row) for row in self.scores if len(row) != side]:
            raise ValueError(
                f"A permutation needs as many columns as rows: there are {side} rows, and one of {odd[0]} "
                "numbers."
            )
        if not low <= side <= high:
            raise ValueError(f"Permutations of {low} to {high} are shown, not of {side}.")
        scores = _double(self.scores)
        permutations.hard_permutation(scores, noise=torch.zeros_like(scores))

    def relaxed(self, tau: float) -> Array:
        """The one draw, relaxed: (M,), row by row."""
        found: Array = self.over([tau])[0]
        return found

    def over(self, temperatures: Sequence[float]) -> Array:
        """The one draw at each temperature, (T, M), in one batch."""
        scores = _shifted(self.scores)
        keys = scores + _noise(self.seed, scores.shape)
        scaled = keys / torch.tensor(list(temperatures), dtype=torch.float64)[:, None, None]
        return permutations.sinkhorn(scaled, ITERATIONS).exp().flatten(1).numpy()


@dataclass(frozen=True)
class TreeConfig:
    """Spanning trees of the complete graph, by its edges' scores. A score of -inf takes an edge away."""

    nodes: int
    scores: tuple[float, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)
        low, high = NODES
        if not low <= self.nodes <= high:
            raise ValueError(f"Graphs of {low} to {high} nodes are shown, not of {self.nodes}.")
        count = self.nodes * (self.nodes - 1) // 2
        if len(self.scores) != count:
            raise ValueError(
                f"{self.nodes} nodes have {count} edges, 1-2, 1-3 and so on: there are {len(self.scores)} "
                "numbers."
            )
        check_logits(self.scores)
        finite = [score for score in self.scores if score > -math.inf]
        if max(finite) - min(finite) > MOST_APART:
            raise ValueError(f"Scores of edges lie within {MOST_APART:.0e} of each other.")
        trees.maximum_tree(self.graph, _double(self.scores), noise=torch.zeros(count, dtype=torch.float64))

    @property
    def graph(self) -> trees.Graph:
        return trees.complete(self.nodes)

    def relaxed(self, tau: float) -> Array:
        """The one draw, relaxed: (M,)."""
        scores = _shifted(self.scores)
        return trees.relaxed_tree(self.graph, scores, tau, noise=_noise(self.seed, scores.shape)).numpy()


@dataclass(frozen=True)
class Scene:
    """One draw of the seed, and many.

    hard: (M,), of zeros and ones; relaxed: (T, M), of the same noise at each temperature
    counts: of hard draws; law: their exact probabilities, where there are any
    contrast: another law, which they do not follow
    """

    hard: Array
    relaxed: Array
    counts: Mapping[Key, int]
    law: Mapping[Key, float] | None
    contrast: Mapping[Key, float] | None

    @cached_property
    def keys(self) -> list[Key]:
        """Every structure that was drawn or has a probability, the most probable or most frequent first."""
        weights = self.law or {key: count / DRAWS for key, count in self.counts.items()}
        return sorted({*self.counts, *(self.law or {})}, key=lambda key: (-weights.get(key, 0.0), key))

    def shares(self, law: Mapping[Key, float]) -> Array:
        """A law in the order of `keys`."""
        return np.array([law.get(key, 0.0) for key in self.keys])

    @property
    def frequencies(self) -> Array:
        """Of the hard draws, in the order of `keys`."""
        return self.shares(self.counts) / DRAWS

    @cached_property
    def fit(self) -> Fit | None:
        """Of the counts to the law."""
        if self.law is None:
            return None
        counts = [self.counts.get(key, 0) for key in self.law]
        return goodness_of_fit(counts, list(self.law.values()), rng=np.random.default_rng(0))

    def variation(self, law: Mapping[Key, float]) -> float:
        """The total variation between the frequencies and a law."""
        keys = sorted({*self.counts, *law})
        return total_variation([self.counts.get(key, 0) for key in keys], [law.get(key, 0.0) for key in keys])


def subset_scene(config: SubsetConfig, temperatures: Sequence[float] = TEMPERATURES) -> Scene:
    """A subset, beside the law of draws without replacement for up to 12 categories."""
    logits, k = _shifted(config.logits), config.k
    many = subsets.top_k(logits.expand(DRAWS, -1), k, noise=_noise(config.seed, logits.shape, DRAWS))
    return Scene(
        hard=many[0].numpy(),
        relaxed=np.stack([config.relaxed(tau) for tau in temperatures]),
        counts=_count(many),
        law=subsets.subset_law(logits, k) if len(logits) <= subsets.MAX_ENUMERATED else None,
        contrast=None,
    )


def permutation_scene(config: PermutationConfig, temperatures: Sequence[float] = TEMPERATURES) -> Scene:
    """A permutation, beside its law for n = 2 and the Gibbs law for contrast."""
    scores = _shifted(config.scores)
    noise = _noise(config.seed, scores.shape, DRAWS)
    many = permutations.hard_permutation(scores.expand(DRAWS, -1, -1), noise=noise)
    two = permutations.two_law(scores).item() if len(scores) == 2 else None
    return Scene(
        hard=many[0].flatten().numpy(),
        relaxed=config.over(temperatures),
        counts=Counter(map(tuple, many.argmax(-1).tolist())),
        law=None if two is None else {(0, 1): two, (1, 0): 1 - two},
        contrast=permutations.gibbs_law(scores),
    )


def tree_scene(config: TreeConfig, temperatures: Sequence[float] = TEMPERATURES) -> Scene:
    """A spanning tree, beside its law; the law in proportion to products of weights for contrast."""
    graph, scores = config.graph, _shifted(config.scores)
    noise = _noise(config.seed, scores.shape, DRAWS)
    many = trees.maximum_tree(graph, scores.expand(DRAWS, -1), noise=noise)
    return Scene(
        hard=many[0].numpy(),
        relaxed=np.stack([config.relaxed(tau) for tau in temperatures]),
        counts=_count(many),
        law=trees.tree_law(graph, scores),
        contrast=trees.product_law(graph, scores),
    )


def parse_rows(text: str) -> tuple[tuple[float, ...], ...]:
    """Typed rows of scores, parted by semicolons or line breaks; raises `LogitsError` as `parse_logits`."""
    rows = [row for row in re.split(r"[;\n]", text) if row.strip()]
    if not rows:
        return (tuple(parse_logits(text).tolist()),)
    return tuple(tuple(parse_logits(row).tolist()) for row in rows)


def _shifted(scores: Sequence[float] | Sequence[Sequence[float]]) -> Tensor:
    """Double precision, with a peak of 0: a shift changes no structure, and 1e300 + g is 1e300."""
    typed = _double(scores)
    return typed - typed.max()


def _double(scores: Sequence[float] | Sequence[Sequence[float]]) -> Tensor:
    """In single precision -1e300 would be a mask."""
    return torch.tensor(scores, dtype=torch.float64)


def _noise(seed: int, shape: Sequence[int], *draws: int) -> Tensor:
    """The noise of a seed is one stream: a single draw's is the first of many."""
    generator = torch.Generator().manual_seed(seed)
    return gumbel_noise((*draws, *shape), generator=generator, dtype=torch.float64)


def _count(hard: Tensor) -> Counter[Key]:
    """How often each set of entries was drawn: hard (draws, M), all of one size."""
    size = int(hard[0].sum())
    members = hard.bool().nonzero()[:, -1].reshape(-1, size)
    return Counter(map(tuple, members.tolist()))
