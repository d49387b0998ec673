"""Beyond one category: subsets, permutations and trees, drawn by the same noise and softened the same way."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gumbel_core.figures.structures import law_figure
from gumbel_core.logits import parse_logits
from gumbel_core.structures.scenes import (
    ITERATIONS,
    NODES,
    TEMPERATURES,
    Key,
    PermutationConfig,
    Scene,
    SubsetConfig,
    TreeConfig,
    parse_rows,
    permutation_scene,
    subset_scene,
    tree_scene,
)
from pages.components import structures_math as in_numbers
from pages.components.code import download_csv, show_code
from pages.components.controls import Typed, logits_input, seed_input
from pages.components.figure import figure
from pages.components.link import FIELDS
from pages.components.morph import Kind, morph
from pages.components.scrub import tau_scrub
from pages.components.sticky import sticky
from pages.components.structures_task import task_panel
from pages.components.words import plain, question

T = TypeVar("T")
Array = NDArray[np.float64]
# Where nothing good was typed before.
FIRST_SUBSET: tuple[SubsetConfig, tuple[str, ...]] = SubsetConfig((2.0, 0.5, -1.0)), ("A", "B", "C")

# Scenes are shared by all visitors and never changed.
shared = st.cache_resource(max_entries=64, show_spinner=False)
subset_of, permutation_of, tree_of = shared(subset_scene), shared(permutation_scene), shared(tree_scene)


@st.fragment
def lesson(typed: Typed) -> None:
    seed = seed_input()
    with sticky("structures_bar"):
        tau = tau_scrub()
    subset_part(typed, tau, seed)
    permutation_part(tau, seed)
    tree_part(tau, seed)


def subset_part(typed: Typed, tau: float, seed: int) -> None:
    st.markdown("#### Some of them: a subset of k")
    default = FIELDS["subset_k"].default
    st.number_input("Members k", 1, 64, default, key="subset_k", bind="query-params", width=120)
    config, names = last_good(
        "_subset",
        lambda: (SubsetConfig(typed.logits, int(st.session_state.subset_k), seed), typed.names),
        FIRST_SUBSET,
    )
    scene, relaxed = subset_of(config), config.relaxed(tau)
    drawn = in_numbers.subset_name(in_numbers.members(scene), names)
    left, right = st.columns(2, gap="large")
    with left:
        draw(
            "subset", scene, relaxed, tau, names,
            f"Bars of a relaxed subset of {config.k} at tau {tau:g}: {in_numbers.listed(names, relaxed)}. "
            f"The hard one of the same noise: {drawn}.",
        )  # fmt: skip
    with right:
        laws("subset_law", scene, lambda key: in_numbers.subset_name(key, names), "")
    if config.k > 1:
        question(
            f"Drag τ down. Where do the bars of k = {config.k} end?",
            {
                "One full bar": "One softmax would end there. The next takes what the first has left.",
                f"{config.k} full bars": f"Right: those that win with this noise. {config.k} softmaxes share "
                f"out {config.k} wholes.",
                "All alike": "That is the other end: at a large τ every bar is k/n.",
            },
            key="structures_question",
        )
    st.latex(in_numbers.subset_equation(config, scene))
    st.caption(
        "Gumbel noise on every logit, and the k largest: a draw without replacement (Kool et al. 2019). "
        "Relaxed, k softmaxes follow each other, each on what is left (Xie and Ermon 2019); on the way a bar "
        "can rise above 1."
    )
    show_code(in_numbers.subset_code(config, tau))
    task_panel(
        "features", "Choose what explains.",
        "Ten features that look alike, and a target made of three of them: which three?", tau, seed,
    )  # fmt: skip


def permutation_part(tau: float, seed: int) -> None:
    st.markdown("#### In which order: a permutation")
    st.text_input(
        "Scores, row by row", FIELDS["matrix"].default, max_chars=400, key="matrix", bind="query-params",
        help="Semicolons between rows; -inf forbids a place. Two to six rows.",
    )  # fmt: skip
    config = last_good(
        "_permutation",
        lambda: PermutationConfig(parse_rows(st.session_state.matrix), seed),
        PermutationConfig(parse_rows(FIELDS["matrix"].default)),
    )
    scene, relaxed, side = permutation_of(config), config.relaxed(tau), len(config.scores)
    matrix, places = relaxed.reshape(side, side), [str(place) for place in range(1, side + 1)]
    drawn = in_numbers.permutation_name(in_numbers.columns(scene))
    left, right = st.columns(2, gap="large")
    with left:
        draw(
            "permutation", scene, relaxed, tau, places * 2,
            f"A matrix of {side} rows at tau {tau:g}, the largest entry of each row "
            f"{in_numbers.listed(places, matrix.max(1))}. The assignment of the same noise puts the rows "
            f"into columns {drawn}.",
        )  # fmt: skip
    with right:
        laws("permutation_law", scene, in_numbers.permutation_name, "Gibbs' law")
    st.latex(in_numbers.sinkhorn_equation(tau, float(np.abs(matrix.sum(1) - 1).max())))
    st.caption(
        f"Sinkhorn divides rows and columns by their sums in turn, here {ITERATIONS:,} times (Mena et al. "
        "2018): the smaller τ, the more it needs. The assignment's own law has a closed form for two rows "
        "only. It is not Gibbs' law, which stands beside it for contrast."
    )
    show_code(in_numbers.permutation_code(config, tau))
    task_panel(
        "order", "Learn to sort.", "Six numbers, and a score for each place: what sorts them?", tau, seed
    )


def tree_part(tau: float, seed: int) -> None:
    st.markdown("#### What holds together: a spanning tree")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(
            "Nodes", *NODES, FIELDS["tree_nodes"].default, key="tree_nodes", bind="query-params", width=120
        )
        st.text_input(
            "Scores of the edges", FIELDS["tree_scores"].default, max_chars=400, key="tree_scores",
            bind="query-params", placeholder="1-2, 1-3 and so on; empty for an example", width="stretch",
            help="-inf takes an edge away.",
        )  # fmt: skip
    config = last_good("_tree", lambda: typed_tree(seed), TreeConfig(3, (0.0, 0.0, 0.0)))
    scene, relaxed, edges = tree_of(config), config.relaxed(tau), in_numbers.edge_names(config)
    drawn = in_numbers.tree_name(in_numbers.members(scene), edges)
    left, right = st.columns(2, gap="large")
    with left:
        draw(
            "tree", scene, relaxed, tau, [str(node) for node in range(1, config.nodes + 1)],
            f"A graph of {config.nodes} nodes at tau {tau:g}, its edges as wide as their marginals: "
            f"{in_numbers.listed(edges, relaxed)}. The tree of the same noise: {drawn}.",
        )  # fmt: skip
    with right:
        laws("tree_law", scene, lambda key: in_numbers.tree_name(key, edges), "the product of weights")
    st.latex(in_numbers.tree_equation(scene))
    st.caption(
        "Gumbel noise on every edge, and the largest tree by Kruskal: edges come one by one, in proportion "
        "to their weights among those that close no cycle. That is not the law in proportion to the product "
        "of weights. The widths are the edges' marginals under that one, at the noisy weights, by the "
        "matrix-tree theorem (Paulus et al. 2020)."
    )
    show_code(in_numbers.tree_code(config, tau))
    task_panel(
        "tree", "Recover a hidden tree.",
        "Six nodes, and the lengths of the paths between them: which edges are they made of?", tau, seed,
    )  # fmt: skip


def draw(kind: Kind, scene: Scene, relaxed: Array, tau: float, labels: Sequence[str], alt: str) -> None:
    """A structure that follows the scrub, exact where the scrub rests."""
    at = int(np.searchsorted(TEMPERATURES, tau))
    morph(
        kind, kind=kind, temperatures=[*TEMPERATURES[:at], tau, *TEMPERATURES[at:]],
        frames=np.insert(scene.relaxed, at, relaxed, axis=0), hard=scene.hard, tau=tau, labels=labels,
        alt=alt,
    )  # fmt: skip


def typed_tree(seed: int) -> TreeConfig:
    """The typed edges, or an example: a score that falls from edge to edge."""
    nodes, text = int(st.session_state.tree_nodes), st.session_state.tree_scores.strip()
    if text:
        return TreeConfig(nodes, tuple(parse_logits(text).tolist()), seed)
    count = nodes * (nodes - 1) // 2
    return TreeConfig(nodes, tuple(round(2 - 3 * edge / (count - 1), 1) for edge in range(count)), seed)


def laws(key: str, scene: Scene, name: Callable[[Key], str], contrast: str) -> None:
    """The hard draws' histogram, their exact law where there is one, and another law for contrast."""
    names = [name(found) for found in scene.keys]
    law = None if scene.law is None else scene.shares(scene.law)
    other = None if scene.contrast is None else scene.shares(scene.contrast)
    verdict = in_numbers.verdict(scene, contrast)
    figure(
        law_figure(names, scene.frequencies, law, other, contrast),
        key=key,
        alt=f"How often each structure came, first of all {names[0]}: {scene.frequencies[0]:.3f}. {verdict}",
    )
    words, download = st.columns([5, 2])
    words.caption(verdict)
    with download:
        known = {
            title: shares for title, shares in {"law": law, contrast: other}.items() if shares is not None
        }
        rows = zip(names, scene.frequencies, *known.values(), strict=True)
        download_csv(key, ["structure", "frequency", *known], rows)


def last_good(key: str, make: Callable[[], T], fallback: T) -> T:
    """What was typed, or, with one sentence, what was typed well before."""
    try:
        made = st.session_state[key] = make()
    except ValueError as error:
        st.error(plain(str(error)), icon=":material/edit:")
        kept: T = st.session_state.get(key, fallback)
        return kept
    return made


st.title("Beyond one category")
st.markdown(
    "The same noise draws richer things than one category, and the same softening lets a gradient through: "
    "k of n, an order, a tree. One temperature for all three."
)
lesson(logits_input())
