"""The structures in numbers: names of what is drawn, the laws' equations, verdicts, and the code."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gumbel_core.logits import format_numbers
from gumbel_core.structures.scenes import (
    DRAWS,
    ITERATIONS,
    Key,
    PermutationConfig,
    Scene,
    SubsetConfig,
    TreeConfig,
)
from pages.components.words import tex

Array = NDArray[np.float64]

# A p-value above it is no reason to doubt: one right sampler in a thousand falls below.
LEVEL = 1e-3

SUBSET_CODE = """\
import torch
from gumbel_core import gumbel_noise
from gumbel_core.structures.subsets import relaxed_top_k, top_k

logits = torch.tensor([{scores}], dtype=torch.float64)  # up to a shift
noise = gumbel_noise(logits.shape, generator=torch.Generator().manual_seed({seed}), dtype=torch.float64)
print("hard:   ", top_k(logits, {k}, noise=noise).int().tolist())
print("relaxed:", [round(y, 4) for y in relaxed_top_k(logits, {k}, {tau}, noise=noise).tolist()])
"""
PERMUTATION_CODE = """\
import torch
from gumbel_core import gumbel_noise
from gumbel_core.structures.permutations import hard_permutation, relaxed_permutation

scores = torch.tensor([{scores}], dtype=torch.float64)  # up to a shift
noise = gumbel_noise(scores.shape, generator=torch.Generator().manual_seed({seed}), dtype=torch.float64)
print("hard:   ", hard_permutation(scores, noise=noise).int().flatten().tolist())
relaxed = relaxed_permutation(scores, {tau}, iterations={iterations}, noise=noise)
print("relaxed:", [round(y, 4) for y in relaxed.flatten().tolist()])
"""
TREE_CODE = """\
import torch
from gumbel_core import gumbel_noise
from gumbel_core.structures.trees import complete, maximum_tree, relaxed_tree

graph = complete({nodes})
scores = torch.tensor([{scores}], dtype=torch.float64)  # up to a shift
noise = gumbel_noise(scores.shape, generator=torch.Generator().manual_seed({seed}), dtype=torch.float64)
print("hard:   ", maximum_tree(graph, scores, noise=noise).int().tolist())
print("relaxed:", [round(y, 4) for y in relaxed_tree(graph, scores, {tau}, noise=noise).tolist()])
"""


def members(scene: Scene) -> Key:
    """What the hard draw holds."""
    return tuple(int(place) for place in scene.hard.nonzero()[0])


def columns(scene: Scene) -> Key:
    """The column of each row of the hard permutation."""
    side = int(scene.hard.sum())
    return tuple(int(column) for column in scene.hard.reshape(side, side).argmax(1))


def subset_name(key: Key, names: Sequence[str]) -> str:
    """Its members."""
    return ", ".join(names[member] for member in key)


def permutation_name(key: Key) -> str:
    """The column of each row, counted from 1."""
    return " ".join(str(column + 1) for column in key)


def tree_name(key: Key, edges: Sequence[str]) -> str:
    """Its edges."""
    return " ".join(edges[edge] for edge in key)


def listed(names: Sequence[str], values: Array) -> str:
    """Names and numbers for an alt text, the first eight."""
    shown = [f"{name} {value:.2f}" for name, value in zip(names, values.tolist(), strict=True)]
    return ", ".join(shown[:8]) + (" and so on" if len(shown) > 8 else "")


def edge_names(config: TreeConfig) -> list[str]:
    """1-2, 1-3 and so on."""
    return [f"{one + 1}-{other + 1}" for one, other in config.graph.edges]


def subset_equation(config: SubsetConfig, scene: Scene) -> str:
    """The law of the drawn subset: of a pair in full, of others as the sum over its orders."""
    drawn = members(scene)
    value = "" if scene.law is None else f" = {tex(scene.law[drawn])}"
    if config.k != 2:
        return (
            r"P(S) = \sum_{\text{orders}} \prod_{j=1}^{k} \frac{p_{i_j}}{1 - p_{i_1} - \cdots - p_{i_{j-1}}}"
            + value
        )
    weights = np.exp(np.array(config.logits) - max(config.logits))
    one, other = (weights / weights.sum())[list(drawn)].tolist()

    def in_order(first: float, second: float) -> str:
        return rf"{tex(first)} \cdot \frac{{{tex(second)}}}{{1 - {tex(first)}}}"

    return rf"P(S) = {in_order(one, other)} + {in_order(other, one)}{value}"


def sinkhorn_equation(tau: float, row_error: float) -> str:
    """The normalisation, and how far the rows are from done."""
    return (
        rf"P = \mathrm{{Sinkhorn}}\!\left(\frac{{X + g}}{{{tex(tau)}}}\right), \qquad"
        rf"\max_i \Bigl| \sum_j P_{{ij}} - 1 \Bigr| = {tex(float(f'{row_error:.2g}'))}"
    )


def tree_equation(scene: Scene) -> str:
    """The drawn tree's probability, and what the product of its weights would give it."""
    drawn, law, contrast = members(scene), scene.law or {}, scene.contrast or {}
    return (
        rf"P(T) = {tex(law[drawn])} \qquad"
        rf"\frac{{\prod_{{e \in T}} w_e}}{{\sum_{{T'}} \prod_{{e \in T'}} w_e}} = {tex(contrast[drawn])}"
    )


def verdict(scene: Scene, contrast: str) -> str:
    """What the counts say of the law, and how far they are from the contrast."""
    if scene.law is None or scene.fit is None:
        sentence = f"{DRAWS:,} draws, and no law to hold them against."
    else:
        follow = "follow" if scene.fit.p_value > LEVEL else "are far from"
        sentence = (
            f"{DRAWS:,} draws {follow} their exact law: total variation {scene.variation(scene.law):.3f}, "
            f"{scene.fit.sentence}"
        )
    if scene.contrast is None:
        return sentence
    return f"{sentence} From {contrast} the total variation is {scene.variation(scene.contrast):.3f}."


def subset_code(config: SubsetConfig, tau: float) -> str:
    return SUBSET_CODE.format(scores=_shifted(config.logits), k=config.k, tau=tau, seed=config.seed)


def permutation_code(config: PermutationConfig, tau: float) -> str:
    peak = max(max(row) for row in config.scores)
    rows = ", ".join(f"[{_shifted(row, peak)}]" for row in config.scores)
    return PERMUTATION_CODE.format(scores=rows, tau=tau, iterations=ITERATIONS, seed=config.seed)


def tree_code(config: TreeConfig, tau: float) -> str:
    return TREE_CODE.format(nodes=config.nodes, scores=_shifted(config.scores), tau=tau, seed=config.seed)


def _shifted(scores: Sequence[float], peak: float | None = None) -> str:
    """The scores less their peak: a shift changes no structure, and the sums keep the noise's digits."""
    top = max(scores) if peak is None else peak
    return format_numbers([score - top for score in scores]).replace("-inf", "-torch.inf")
