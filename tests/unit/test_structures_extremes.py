"""Numbers that may be typed and are far apart: up to 1e300, and -inf for a mask."""

import math

import pytest
import torch

from gumbel_core.structures.permutations import relaxed_permutation, two_law
from gumbel_core.structures.scenes import (
    MOST_APART,
    PermutationConfig,
    SubsetConfig,
    TreeConfig,
    parse_rows,
    permutation_scene,
    subset_scene,
    tree_scene,
)
from gumbel_core.structures.subsets import subset_law
from gumbel_core.structures.trees import complete, product_law, relaxed_tree, tree_law, trees
from tests.unit.known_structures import LEVEL, fit, normal

INF = math.inf
K3, K4 = complete(3), complete(4)
TAUS = (0.01, 1.0, 100.0)
# Gaps beyond which weights vanish in single and in double precision, and the largest that may be typed.
GAPS = (100.0, 800.0, 1e5, 1e300)


@pytest.mark.parametrize("gap", GAPS)
def test_the_law_of_subsets_whose_weights_vanish(gap: float) -> None:
    law = subset_law(torch.tensor([0.0, -gap, -2 * gap], dtype=torch.float64), 2)
    assert law == pytest.approx({(0, 1): 1.0, (0, 2): 0.0, (1, 2): 0.0}, abs=1e-12)
    law = subset_law(torch.tensor([0.0, -800.0, -800.0 - math.log(2)], dtype=torch.float64), 2)
    assert law == pytest.approx({(0, 1): 2 / 3, (0, 2): 1 / 3, (1, 2): 0.0}, abs=1e-12)


@pytest.mark.parametrize("law_of", [tree_law, product_law])
@pytest.mark.parametrize("gap", GAPS)
def test_the_laws_of_trees_whose_weights_vanish(gap: float, law_of: type) -> None:
    law = law_of(K3, torch.tensor([0.0, -gap, -gap], dtype=torch.float64))
    assert {tree: law.get(tree, 0.0) for tree in trees(K3)} == pytest.approx(
        {(0, 1): 0.5, (0, 2): 0.5, (1, 2): 0.0}
    )


def test_the_product_law_has_double_precision() -> None:
    scores = normal(6, seed=2)
    masses = {tree: math.exp(scores[list(tree)].sum()) for tree in trees(K4)}
    wanted = {tree: mass / sum(masses.values()) for tree, mass in masses.items()}
    assert product_law(K4, scores) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize(
    ("scores", "stay"),
    [
        ([[0.0, -INF], [0.0, 0.0]], 1.0),
        ([[0.0, -INF], [-INF, 0.0]], 1.0),
        ([[-INF, 0.0], [0.0, 0.0]], 0.0),
        ([[0.0, -1e300], [0.0, 0.0]], 1.0),
    ],
)
def test_the_law_of_two_with_a_mask(scores: list[list[float]], stay: float) -> None:
    assert two_law(torch.tensor(scores, dtype=torch.float64)).item() == stay


@pytest.mark.parametrize(
    "scores",
    [[[-INF, -INF], [0.0, 0.0]], [[0.0, -INF, -INF], [0.0, -INF, -INF], [0.0, 0.0, 0.0]]],
)
def test_a_relaxed_permutation_is_refused_where_there_is_no_hard_one(scores: list[list[float]]) -> None:
    with pytest.raises(ValueError, match=r"^Every permutation meets a masked score: leave one open\.$"):
        relaxed_permutation(torch.tensor(scores), 1.0)


@pytest.mark.parametrize("gap", GAPS[:-1])
def test_a_relaxed_tree_has_all_its_edges(gap: float) -> None:
    scores = torch.tensor([0.0, -gap, -gap], dtype=torch.float64)
    for tau in TAUS:
        assert relaxed_tree(K3, scores, tau).sum().item() == pytest.approx(2)


@pytest.mark.parametrize("gap", GAPS)
def test_scenes_of_numbers_far_apart(gap: float) -> None:
    """The smaller ones are no masks, and the larger ones are no infinities."""
    for high, low in ((0.0, -gap), (gap, 0.0)):
        subset = subset_scene(SubsetConfig((high, low), 2), TAUS)
        assert dict(subset.counts) == {(0, 1): 10_000}
        permutation = permutation_scene(PermutationConfig(((high, low), (low, high))), TAUS)
        assert dict(permutation.counts) == {(0, 1): 10_000}
        assert permutation.law == {(0, 1): 1.0, (1, 0): 0.0}
        if gap > MOST_APART:
            with pytest.raises(ValueError, match="within 1e"):
                TreeConfig(3, (high, low, low))
            continue
        tree = tree_scene(TreeConfig(3, (high, low, low)), TAUS)
        assert tree.law is not None
        assert tree.relaxed.sum(-1) == pytest.approx(2)
        assert fit(tree.counts, tree.law) > LEVEL


def test_a_sentence_about_many_rows_stays_short() -> None:
    rows = parse_rows("1\n" * 2_000)
    with pytest.raises(ValueError, match=r"[Pp]ermutation") as refused:
        PermutationConfig(rows)
    assert len(str(refused.value)) < 200
