"""What the lesson shows against the core's own samplers and laws, and against what the texts say."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gumbel_core.draw import TEMPERATURES as SHOWN
from gumbel_core.logits import LogitsError
from gumbel_core.sampling import gumbel_noise
from gumbel_core.structures import permutations, subsets, trees
from gumbel_core.structures.scenes import (
    DRAWS,
    ITERATIONS,
    TEMPERATURES,
    PermutationConfig,
    Scene,
    SubsetConfig,
    TreeConfig,
    parse_rows,
    permutation_scene,
    subset_scene,
    tree_scene,
)
from tests.unit.known_structures import LEVEL, fit

INF, NAN = math.inf, math.nan
LOGITS = (1.0, 0.5, -0.5, -INF, 0.0)
SCORES = ((1.0, 0.0, 0.5), (0.0, 0.3, -INF), (-1.0, 0.2, 0.0))
EDGES = (1.0, 0.0, 0.5, -0.5, 0.2, -INF)
TAUS = (0.05, 1.0, 30.0)


def subset(seed: int = 3, k: int = 2) -> Scene:
    return subset_scene(SubsetConfig(LOGITS, k, seed), TAUS)


def permutation(seed: int = 3) -> Scene:
    return permutation_scene(PermutationConfig(SCORES, seed), TAUS)


def tree(seed: int = 3) -> Scene:
    return tree_scene(TreeConfig(4, EDGES, seed), TAUS)


SCENES: dict[str, Callable[..., Scene]] = {"subset": subset, "permutation": permutation, "tree": tree}


def as_the_core_draws(name: str, seed: int, draws: int = 1) -> tuple[Tensor, list[Tensor]]:
    """Hard draws (draws, M) of the seed's noise, and the first one's relaxed entries at each temperature."""
    typed = torch.tensor({"subset": LOGITS, "permutation": SCORES, "tree": EDGES}[name], dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    noise = gumbel_noise((draws, *typed.shape), generator=generator, dtype=torch.float64)
    rows, first = typed.expand(noise.shape), noise[0]
    if name == "subset":
        relaxed = [subsets.relaxed_top_k(typed, 2, tau, noise=first) for tau in TAUS]
        return subsets.top_k(rows, 2, noise=noise), relaxed
    if name == "permutation":
        relaxed = [
            permutations.relaxed_permutation(typed, tau, iterations=ITERATIONS, noise=first).flatten()
            for tau in TAUS
        ]
        return permutations.hard_permutation(rows, noise=noise).flatten(1), relaxed
    graph = trees.complete(4)
    return trees.maximum_tree(graph, rows, noise=noise), [
        trees.relaxed_tree(graph, typed, tau, noise=first) for tau in TAUS
    ]


def key_of(name: str, hard: Any) -> tuple[int, ...]:
    if name == "permutation":
        return tuple(np.asarray(hard).reshape(3, 3).argmax(-1).tolist())
    return tuple(np.flatnonzero(np.asarray(hard)).tolist())


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("name", SCENES)
def test_the_draw_and_its_relaxed_frames_are_the_cores(name: str, seed: int) -> None:
    scene = SCENES[name](seed)
    (hard,), relaxed = as_the_core_draws(name, seed)
    assert scene.hard.tolist() == hard.tolist()
    assert scene.relaxed.shape == (len(TAUS), len(hard))
    assert scene.relaxed.dtype == np.float64
    np.testing.assert_allclose(scene.relaxed, torch.stack(relaxed).numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", SCENES)
def test_the_shown_draw_is_the_first_of_the_many(name: str) -> None:
    scene = SCENES[name]()
    many, _ = as_the_core_draws(name, 3, DRAWS)
    assert scene.hard.tolist() == many[0].tolist()
    wanted: dict[tuple[int, ...], int] = {}
    for row in many:
        wanted[key_of(name, row)] = wanted.get(key_of(name, row), 0) + 1
    assert dict(scene.counts) == wanted
    assert sum(scene.counts.values()) == DRAWS


@pytest.mark.parametrize("name", SCENES)
def test_laws_and_counts_speak_of_the_same_keys(name: str) -> None:
    scene = SCENES[name]()
    assert key_of(name, scene.hard) in scene.counts
    for law in (scene.law, scene.contrast):
        if law is not None:
            assert sum(law.values()) == pytest.approx(1)
            assert set(scene.counts) <= {key for key, probability in law.items() if probability > 0}


@pytest.mark.parametrize("name", ["subset", "tree"])
def test_the_counts_fit_the_law_that_is_shown(name: str) -> None:
    scene = SCENES[name]()
    assert scene.law is not None
    assert fit(scene.counts, scene.law) > LEVEL


def test_two_are_permuted_by_their_law() -> None:
    scores = ((0.4, 0.0), (0.0, 0.4))
    scene = permutation_scene(PermutationConfig(scores, 1), TAUS)
    assert scene.law is not None
    stay = permutations.two_law(torch.tensor(scores, dtype=torch.float64)).item()
    assert scene.law == pytest.approx({(0, 1): stay, (1, 0): 1 - stay})
    assert fit(scene.counts, scene.law) > LEVEL


def test_which_scenes_have_which_laws() -> None:
    assert subset().contrast is None
    assert permutation().law is None
    gibbs = permutations.gibbs_law(torch.tensor(SCORES, dtype=torch.float64))
    assert permutation().contrast == pytest.approx(gibbs)
    products = trees.product_law(trees.complete(4), torch.tensor(EDGES, dtype=torch.float64))
    assert tree().contrast == pytest.approx(products)
    assert subset_scene(SubsetConfig((0.0,) * 12, 2), TAUS).law is not None
    assert subset_scene(SubsetConfig((0.0,) * 13, 2), TAUS).law is None


def test_a_shift_changes_nothing_even_where_it_swallows_the_noise() -> None:
    shifted = subset_scene(SubsetConfig(tuple(logit + 2.0**40 for logit in LOGITS), 2, 3), TAUS)
    assert dict(shifted.counts) == dict(subset().counts)
    np.testing.assert_allclose(shifted.relaxed, subset().relaxed, rtol=0, atol=1e-9)
    moved = tree_scene(TreeConfig(4, tuple(score + 2.0**40 for score in EDGES), 3), TAUS)
    assert dict(moved.counts) == dict(tree().counts)


@pytest.mark.parametrize("name", SCENES)
def test_every_seed_has_its_own_draws(name: str) -> None:
    assert dict(SCENES[name](3).counts) == dict(SCENES[name](3).counts)
    assert dict(SCENES[name](3).counts) != dict(SCENES[name](4).counts)


def test_the_temperatures_reach_as_far_as_the_pictures() -> None:
    assert TEMPERATURES[0] == pytest.approx(SHOWN[0], rel=1e-12)
    assert TEMPERATURES[-1] == pytest.approx(SHOWN[1], rel=1e-12)
    ratios = np.diff(np.log(TEMPERATURES))
    assert ratios == pytest.approx(ratios[0])
    assert subset_scene(SubsetConfig((0.0, 1.0), 1)).relaxed.shape == (len(TEMPERATURES), 2)


# What is typed


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1, 2; 3, 4", [[1, 2], [3, 4]]),
        ("1 2\n3 4", [[1, 2], [3, 4]]),
        ("1, 2\r\n3, 4\r\n", [[1, 2], [3, 4]]),
        ("1, 2;\n3, 4;\n\n", [[1, 2], [3, 4]]),
        ("-inf, .5; \u22121, 2e0", [[-INF, 0.5], [-1, 2]]),
        ("1, 2, 3", [[1, 2, 3]]),
        ("1; 2, 3", [[1], [2, 3]]),
    ],
)
def test_rows_are_parted_by_semicolons_and_line_breaks(text: str, rows: Sequence[Sequence[float]]) -> None:
    assert parse_rows(text) == tuple(map(tuple, rows))


@pytest.mark.parametrize(
    "text", ["", " \n ; ", "1, two; 3, 4", "1,, 2; 3, 4", "1, inf; 0, 0", "1, 2; nan, 0"]
)
def test_rows_that_cannot_be_read_are_named(text: str) -> None:
    with pytest.raises(LogitsError) as refused:
        parse_rows(text)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


SQUARE = ((0.0, 0.0), (0.0, 0.0))
NO_NUMBER = "A score is a number or -inf, which masks: not a NaN, and not +inf."


@pytest.mark.parametrize(
    ("config", "arguments", "sentence"),
    [
        (SubsetConfig, (LOGITS, 0), "A subset of 5 has 1 to 5 members, not 0."),
        (SubsetConfig, (LOGITS, 6), "A subset of 5 has 1 to 5 members, not 6."),
        (
            SubsetConfig,
            (LOGITS, 5),
            "A subset of 5 needs 5 open entries: only 4 are not masked with -inf.",
        ),
        (SubsetConfig, ((0.0, NAN), 1), "One logit at least must be finite, and none NaN or +inf."),
        (SubsetConfig, ((), 1), "There must be 1 to 64 categories, not 0."),
        (SubsetConfig, (LOGITS, 2, -1), "A seed is a whole number from 0 to 2,147,483,647, not -1."),
        (PermutationConfig, ((),), "Permutations of 2 to 6 are shown, not of 0."),
        (PermutationConfig, (((0.0,),),), "Permutations of 2 to 6 are shown, not of 1."),
        (PermutationConfig, (((0.0,) * 7,) * 7,), "Permutations of 2 to 6 are shown, not of 7."),
        (
            PermutationConfig,
            (((0.0, 1.0), (2.0,)),),
            "A permutation needs as many columns as rows: there are 2 rows, and one of 1 numbers.",
        ),
        (PermutationConfig, (((0.0, INF), (0.0, 0.0)),), NO_NUMBER),
        (PermutationConfig, (((0.0, NAN), (0.0, 0.0)),), NO_NUMBER),
        (
            PermutationConfig,
            (((0.0, -INF), (0.0, -INF)),),
            "Every permutation meets a masked score: leave one open.",
        ),
        (
            PermutationConfig,
            (SQUARE, 2**31),
            "A seed is a whole number from 0 to 2,147,483,647, not 2147483648.",
        ),
        (TreeConfig, (2, (0.0,)), "Graphs of 3 to 6 nodes are shown, not of 2."),
        (TreeConfig, (7, (0.0,) * 21), "Graphs of 3 to 6 nodes are shown, not of 7."),
        (TreeConfig, (4, (0.0,) * 5), "4 nodes have 6 edges, 1-2, 1-3 and so on: there are 5 numbers."),
        (TreeConfig, (3, (0.0, NAN, 0.0)), "One logit at least must be finite, and none NaN or +inf."),
        (
            TreeConfig,
            (3, (0.0, -INF, -INF)),
            "The edges that are not masked do not join all nodes: there is no spanning tree.",
        ),
        (TreeConfig, (3, (0.0,) * 3, -1), "A seed is a whole number from 0 to 2,147,483,647, not -1."),
    ],
)
def test_what_cannot_be_shown_is_refused_in_a_sentence(
    config: type, arguments: tuple[object, ...], sentence: str
) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        config(*arguments)
    assert str(refused.value) == sentence


def test_an_edge_that_is_masked_is_in_no_tree() -> None:
    scene = tree()
    assert scene.law is not None
    assert not any(5 in key for key in scene.law)
    assert scene.hard[5] == 0
    assert not scene.relaxed[:, 5].any()
