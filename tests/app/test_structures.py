"""The lesson Beyond one category: its widgets reach its configs, nothing raises, its numbers are the core's.

AppTest runs the whole page again for each stride of a task: here a run is one stride, but where strides are
what is tested."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from gumbel_core.structures import permutations, scenes, subsets, trees
from gumbel_core.structures.tasks import TASKS, TaskConfig, TaskStep, train
from pages.components.words import tex
from tests.app.codes import ROOT, errors, press, quiet, snippets, warnings, words
from tests.app.gradients import Downloads, Open, Printed

SEED, OWN = 11, {"preset": "Your own"}
LOGITS, SCORES = (2.0, 0.5, -1.0), ((2.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.5))
EXAMPLE = (2.0, 1.4, 0.8, 0.2, -0.4, -1.0)
SIX = "; ".join(["0, 1, 2, 3, 4, -inf", *["0, 1, 2, 3, 4, 5"] * 5])
MANY = ", ".join(map(str, range(64)))
KINDS = ("subset", "permutation", "tree")


@dataclass
class Drawn:
    """The newest data of each figure and of each structure that follows the temperature, by key."""

    figures: dict[str, Any] = field(default_factory=dict)
    morphs: dict[str, Any] = field(default_factory=dict)

    def alts(self) -> dict[str, str]:
        return {key: data["alt"] for key, data in (self.figures | self.morphs).items()}

    def at_tau(self, kind: str) -> list[float]:
        """The relaxed structure where the scrub rests."""
        data = self.morphs[f"morph_{kind}"]
        frame: list[float] = data["frames"][data["temperatures"].index(data["tau"])]
        return frame


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """In place of what the browser draws."""
    drawn = Drawn()

    for name, kept in (("figure", drawn.figures), ("morph", drawn.morphs)):
        kept_at = partial(lambda kept, *, key, data: kept.__setitem__(key, data), kept)
        monkeypatch.setattr(f"pages.components.{name}._{name}", kept_at)
    return drawn


@pytest.fixture(autouse=True)
def one_stride(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pages.components.structures_task.STRIDE", 1e6)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[TaskConfig]:
    """The runs that the page has begun. In place of training each finds one third at every step."""
    configs: list[TaskConfig] = []

    def at_once(config: TaskConfig) -> Iterator[TaskStep]:
        configs.append(config)
        return (TaskStep(1.0, 2.0, (0,), 1 / 3) for _ in range(config.steps))

    monkeypatch.setattr("pages.components.structures_task.train", at_once)
    return configs


def equations(at: AppTest) -> list[str]:
    return [element.value.strip("$\n") for element in at.latex]


def is_sound(at: AppTest, drawn: Drawn) -> bool:
    """Nothing raised, nothing is complained of, and every number is one."""
    finite = all(np.isfinite(data["frames"]).all() for data in drawn.morphs.values())
    said = "\n".join([*equations(at), words(at), *drawn.alts().values()])
    return quiet(at) and finite and not re.search(r"\bnan\b", said)


def printed_numbers(output: str) -> tuple[list[int], list[float]]:
    hard, relaxed = (ast.literal_eval(line.partition(":")[2].strip()) for line in output.splitlines())
    return hard, relaxed


def train_of(at: AppTest, task: str) -> AppTest:
    return at.button(key=f"train_{task}").click().run()


def test_the_page_untouched_says_the_cores_numbers(open_page: Open, drawn: Drawn) -> None:
    at = open_page("structures")
    assert is_sound(at, drawn)
    assert set(drawn.figures) == {f"{kind}_law" for kind in KINDS}
    chosen = scenes.subset_scene(scenes.SubsetConfig(LOGITS, 2, SEED))
    order = scenes.permutation_scene(scenes.PermutationConfig(SCORES, SEED))
    tree = scenes.tree_scene(scenes.TreeConfig(4, EXAMPLE, SEED))
    pair, edges = (tuple(np.flatnonzero(scene.hard).tolist()) for scene in (chosen, tree))
    subset_law = subsets.subset_law(torch.tensor(LOGITS), 2)
    gibbs = permutations.gibbs_law(torch.tensor(SCORES))
    graph, scores = trees.complete(4), torch.tensor(EXAMPLE, dtype=torch.float64)
    tree_law, product = trees.tree_law(graph, scores), trees.product_law(graph, scores)
    of_subset, of_order, of_tree = equations(at)
    assert of_subset.endswith(f"= {tex(subset_law[pair])}")
    rows = scenes.PermutationConfig(SCORES, SEED).relaxed(1.0).reshape(3, 3).sum(1)
    assert of_order.endswith(f"= {tex(float(f'{abs(rows - 1).max():.2g}'))}")
    assert of_tree.startswith(f"P(T) = {tex(tree_law[edges])} ")
    assert of_tree.endswith(f"= {tex(product[edges])}")
    said = words(at)
    assert f"10,000 draws follow their exact law: total variation {chosen.variation(subset_law):.3f}," in said
    assert f"From the product of weights the total variation is {tree.variation(product):.3f}." in said
    assert f"From Gibbs' law the total variation is {order.variation(gibbs):.3f}." in said


def test_a_link_reaches_every_snippet_and_they_print_what_is_drawn(
    open_page: Open, drawn: Drawn, printed: Printed
) -> None:
    link = {"logits": "1, 0, -inf, 2", "subset_k": "3", "matrix": SIX, "tree_nodes": "3"}
    at = open_page("structures", tau="0.35", seed="7", tree_scores="0.5, -inf, 1", **OWN, **link)
    assert is_sound(at, drawn)
    for kind, code in zip(KINDS, snippets(at), strict=True):
        hard, relaxed = printed_numbers(printed(code))
        assert hard == drawn.morphs[f"morph_{kind}"]["hard"]
        np.testing.assert_allclose(relaxed, drawn.at_tau(kind), rtol=0, atol=1.01e-4)
        assert "manual_seed(7)" in code
        assert "at tau 0.35" in drawn.alts()[f"morph_{kind}"]
    assert "no law to hold them against" in drawn.alts()["permutation_law"]


@pytest.mark.parametrize(
    ("logits", "k"),
    [("2, 0.5, -1", 1), ("2, 0.5, -1", 3), ("1, -inf, 2", 2), ("3", 1), (MANY, 2), (MANY, 64),
     ("1e300, -1e300, 0", 3)],
)  # fmt: skip
def test_subsets_of_every_size(
    open_page: Open, drawn: Drawn, downloads: Downloads, logits: str, k: int
) -> None:
    at = open_page("structures", logits=logits, subset_k=str(k), **OWN)
    assert is_sound(at, drawn)
    typed = torch.tensor([float(entry) for entry in logits.split(",")], dtype=torch.float64)
    data = drawn.morphs["morph_subset"]
    assert sum(data["hard"]) == k
    np.testing.assert_allclose(np.array(data["frames"]).sum(1), k, rtol=0, atol=1e-4 * len(typed))
    header, *rows = downloads["subset_law"]
    assert sum(float(row[1]) for row in rows) == pytest.approx(1)
    # Where there is no law, none is claimed.
    assert ("law" in header) == ("exact law" in str(drawn.figures["subset_law"])) == (len(typed) <= 12)
    if len(typed) <= 12:
        law = sorted(subsets.subset_law(typed, k).values())
        assert sorted(float(row[2]) for row in rows) == pytest.approx(law)
    else:
        assert "no law to hold them against" in drawn.alts()["subset_law"]


@pytest.mark.parametrize(
    "matrix",
    ["1, 0; 0, 1", "1, -inf; -inf, 1",
     "-inf, 0; 0, 1", "1e300, -1e300; 0, 1"],
)  # fmt: skip
def test_two_rows_have_an_exact_law(open_page: Open, drawn: Drawn, downloads: Downloads, matrix: str) -> None:
    at = open_page("structures", matrix=matrix)
    assert is_sound(at, drawn)
    a, b, c, d = (float(entry) for entry in re.split("[,;]", matrix))
    gap = a + d - b - c
    # The closed form, where it does not overflow.
    stays = float(gap > 0) if abs(gap) > 100 else (1 - (gap + 1) * np.exp(-gap)) / (1 - np.exp(-gap)) ** 2
    header, *rows = downloads["permutation_law"]
    assert header == ["structure", "frequency", "law", "Gibbs' law"]
    assert {row[0]: float(row[2]) for row in rows} == pytest.approx({"1 2": stays, "2 1": 1 - stays})
    assert "10,000 draws follow their exact law" in drawn.alts()["permutation_law"]


@pytest.mark.parametrize(
    ("nodes", "scores"),
    [(3, ""), (4, "-inf, 0, 0, 0, 0, 0"), (4, "1e3, 1, -1e3, 0, -1, 2"), (5, ""), (6, ""),
     (3, "-inf, 0, 0")],
)  # fmt: skip
def test_trees_of_every_size(
    open_page: Open, drawn: Drawn, printed: Printed, nodes: int, scores: str
) -> None:
    at = open_page("structures", tree_nodes=str(nodes), tree_scores=scores)
    assert is_sound(at, drawn)
    data = drawn.morphs["morph_tree"]
    assert sum(data["hard"]) == nodes - 1
    assert len(data["labels"]) == nodes
    # Marginals of trees sum to a tree's edges.
    np.testing.assert_allclose(np.array(data["frames"]).sum(1), nodes - 1, rtol=0, atol=2e-3)
    hard, relaxed = printed_numbers(printed(snippets(at)[2]))
    assert hard == data["hard"]
    np.testing.assert_allclose(relaxed, drawn.at_tau("tree"), rtol=0, atol=1.01e-4)


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("subset_k", 4, "A subset of 3 has 1 to 3 members, not 4."),
        ("logits", "1, -inf, -inf", "A subset of 2 needs 2 open entries: only 1 are not masked with -inf."),
        ("matrix", "1, 2; 3, 4; 5, 6",
         "A permutation needs as many columns as rows: there are 3 rows, and one of 2 numbers."),
        ("matrix", "1", "Permutations of 2 to 6 are shown, not of 1."),
        ("matrix", "", "There is nothing to read: type numbers such as 2, 0.5, -1."),
        ("matrix", "one two", "Entry 1, 'one', is not a number."),
        ("matrix", "0, -inf; 0, -inf", "Every permutation meets a masked score: leave one open."),
        ("tree_nodes", 5, "5 nodes have 10 edges, 1-2, 1-3 and so on: there are 6 numbers."),
        ("tree_scores", "1, 2, 3", "4 nodes have 6 edges, 1-2, 1-3 and so on: there are 3 numbers."),
        ("tree_scores", "-inf, -inf, -inf, 0, 0, 0",
         "The edges that are not masked do not join all nodes: there is no spanning tree."),
        ("tree_scores", "1e300, 0, 0, 0, 0, 0", "Scores of edges lie within 1e+09 of each other."),
        ("tree_scores", "a tree", "Entry 1, 'a', is not a number."),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told_in_one_sentence_and_the_last_good_stays(
    open_page: Open, drawn: Drawn, key: str, value: int | str, sentence: str
) -> None:
    at = open_page("structures", tree_scores="3, 1, 2, 0, 0, 1", matrix="0, 1; 3, 0", subset_k="2")
    before, code = drawn.alts(), snippets(at)
    # Each kind of field has a type of its own.
    widget: Any = at.number_input(key=key) if isinstance(value, int) else at.text_input(key=key)
    widget.set_value(value).run()
    assert not at.exception
    assert errors(at) == [sentence]
    assert (drawn.alts(), snippets(at)) == (before, code)


def test_a_link_out_of_range_is_told_and_gives_the_default(open_page: Open, drawn: Drawn) -> None:
    at = AppTest.from_file(ROOT / "pages" / "_frame.py", default_timeout=60)
    at.query_params.update(subset_k="99", tree_nodes="9", matrix="1, 0; 0, 1")
    at.run()
    told = [sentence.split(" is not taken")[0] for sentence in warnings(at)]
    assert told == ["The link's subset_k = 99", "The link's tree_nodes = 9"]
    at.switch_page("structures.py").run()
    assert is_sound(at, drawn)
    assert (at.number_input(key="subset_k").value, at.number_input(key="tree_nodes").value) == (2, 4)
    assert len(drawn.morphs["morph_permutation"]["hard"]) == 4


@pytest.mark.parametrize("hostile", ["<img src=x onerror=alert(1)>", "**[a](b)**", "$x$ :red[y]"])
def test_typed_text_is_shown_and_never_interpreted(open_page: Open, drawn: Drawn, hostile: str) -> None:
    at = open_page("structures", matrix=hostile, tree_scores=hostile, names=f"{hostile}, b, c")
    assert not at.exception
    assert len(errors(at)) == 2
    for element in at.error:
        assert "is not a number" in element.value
        # A backslash before punctuation makes it literal.
        assert not set(re.sub(r"\\.", "", element.value)) & set("<>*[]$")
    assert not any("<img" in str(data["figure"]) for data in drawn.figures.values())
    for element in [*at.markdown, *at.caption, *at.latex]:
        assert hostile[:10] not in element.value


@pytest.mark.parametrize("task", TASKS)
def test_a_task_trains_to_its_end_and_gives_its_numbers(
    open_page: Open, drawn: Drawn, downloads: Downloads, task: str
) -> None:
    at = train_of(open_page("structures", tau="0.5"), task)
    assert is_sound(at, drawn)
    config = TaskConfig(task, 0.5, seed=SEED)
    steps = list(train(config))
    assert f"Step {config.steps} of {config.steps}, τ = 0.5, seed {SEED}: solved." in words(at)
    assert drawn.alts()[f"task_{task}"].endswith("solved.")
    assert downloads[f"task_{task}"][0] == ["step", "relaxed", "hard", "right"]
    rows = downloads[f"task_{task}"][1:]
    assert [tuple(map(float, row)) for row in rows] == [
        (number, step.relaxed, step.hard, step.right) for number, step in enumerate(steps, start=1)
    ]
    assert [key for key in drawn.figures if key.startswith("task_")] == [f"task_{task}"]


@pytest.mark.parametrize(("tau", "taken"), [(0.01, 0.05), (3.0, 3.0), (100.0, 10.0)])
def test_a_task_takes_the_nearest_temperature_it_can(
    open_page: Open, asked: list[TaskConfig], tau: float, taken: float
) -> None:
    at = train_of(open_page("structures", tau=str(tau), seed="5"), "order")
    assert quiet(at)
    assert asked == [TaskConfig("order", taken, seed=5)]
    assert f"τ = {taken:g}, seed 5: 33% of it is right." in words(at)


def test_a_run_goes_on_by_itself_and_stays_until_another_is_asked_for(
    open_page: Open, drawn: Drawn, asked: list[TaskConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = count()
    pictures: list[int] = []

    def picture(losses: list[float], *_: object) -> dict[str, Any]:
        pictures.append(len(losses))
        return {}

    task = "pages.components.structures_task"
    monkeypatch.setattr(f"{task}.STRIDE", 50.5)
    monkeypatch.setattr(f"{task}.time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(f"{task}.task_figure", picture)
    at = train_of(open_page("structures"), "tree")
    assert quiet(at)
    assert pictures == [50, 100, 150]
    press(at, "New noise")
    assert len(asked) == 1
    assert f"Step 150 of 150, τ = 1, seed {SEED}" in words(at)
    press(at, "Train again")
    assert [config.seed for config in asked] == [SEED, SEED + 1]
    assert f"seed {SEED + 1}" in words(at)
