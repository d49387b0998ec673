"""The tasks' losses by hand, and that all three are learned, over 20 seeds at the default temperature.

Seen on these seeds: every one of the 20 runs of every task ends with its whole hidden answer found, after
150 steps and after the fewer ones that are taken here.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import astuple
from itertools import islice

import numpy as np
import pytest
import torch
from torch import Tensor

from gumbel_core.structures import permutations, subsets, trees
from gumbel_core.structures.tasks import (
    ARRAY,
    CHOSEN,
    FEATURES,
    NODES,
    SAMPLES,
    TASKS,
    Features,
    HiddenTree,
    Order,
    TaskConfig,
    TaskStep,
    train,
)
from tests.unit.known_structures import seeded

SEEDS = range(20)
ENOUGH = {"features": 80, "order": 60, "tree": 120}


def k_hot(members: tuple[int, ...], size: int) -> Tensor:
    found = torch.zeros(size, dtype=torch.float64)
    found[list(members)] = 1
    return found


def walked(tree: tuple[int, ...], lengths: Tensor, graph: trees.Graph) -> Tensor:
    """The length of the path along the tree between the ends of every edge, by a walk from each node."""
    beside: dict[int, list[tuple[int, float]]] = {node: [] for node in range(graph.nodes)}
    for place in tree:
        one, other = graph.edges[place]
        beside[one].append((other, lengths[place].item()))
        beside[other].append((one, lengths[place].item()))
    reached = []
    for start in range(graph.nodes):
        far, queue = {start: 0.0}, deque([start])
        while queue:
            here = queue.popleft()
            for there, length in beside[here]:
                if there not in far:
                    far[there] = far[here] + length
                    queue.append(there)
        reached.append(far)
    return torch.tensor([reached[one][other] for one, other in graph.edges], dtype=torch.float64)


# Features


def test_the_features_loss_by_hand() -> None:
    task = Features(seeded())
    task.inputs = torch.zeros(2, FEATURES, dtype=torch.float64)
    task.inputs[0, 0], task.inputs[1, 1] = 2.0, 3.0
    task.target = torch.tensor([5.0, 7.0], dtype=torch.float64)
    with torch.no_grad():
        task.coefficients[:2] = torch.tensor([1.0, 10.0])
    # The first mask keeps both features, the second half of one: (5 - 2, 7 - 30) and (5 - 1, 7 - 0).
    masks = torch.zeros(2, FEATURES, dtype=torch.float64)
    masks[0, :2], masks[1, 0] = 1.0, 0.5
    assert task.loss(masks).item() == pytest.approx((9 + 529 + 16 + 49) / 4)


@pytest.mark.parametrize("seed", range(5))
def test_the_hidden_features_explain_the_target_and_no_other_three_do(seed: int) -> None:
    task = Features(seeded(seed))
    assert len(task.hidden) == CHOSEN == len(set(task.hidden))
    fitted, *_ = np.linalg.lstsq(task.inputs[:, list(task.hidden)].numpy(), task.target.numpy())
    assert np.abs(fitted) == pytest.approx(1)
    with torch.no_grad():
        task.coefficients[list(task.hidden)] = torch.from_numpy(fitted)
    assert task.loss(k_hot(task.hidden, FEATURES)).item() == pytest.approx(0, abs=1e-20)
    others = tuple(index for index in range(FEATURES) if index not in task.hidden)[:CHOSEN]
    _, residues, *_ = np.linalg.lstsq(task.inputs[:, list(others)].numpy(), task.target.numpy())
    assert residues[0] > 1


# Order


def test_the_order_loss_by_hand() -> None:
    task = Order(seeded())
    arrays = torch.tensor([[0.5, 0.1, 0.3]], dtype=torch.float64)
    # Number 0 belongs in the last place, 1 in the first, 2 between.
    right = torch.tensor([[[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]], dtype=torch.float64)
    assert task.loss(arrays, right).item() == 0
    still = torch.eye(3, dtype=torch.float64).unsqueeze(0)
    # .5 .1 .3 beside .1 .3 .5
    assert task.loss(arrays, still).item() == pytest.approx((0.16 + 0.04 + 0.04) / 3)


@pytest.mark.parametrize("ascending", [True, False])
def test_ascending_weights_sort_and_others_do_not(ascending: bool) -> None:
    task = Order(seeded())
    weights = torch.arange(float(ARRAY), dtype=torch.float64)
    task.weights = weights if ascending else weights.flip(0)
    assert unsorted(task) == (0 if ascending else pytest.approx(1, abs=0.02))
    assert task.right() == (1 if ascending else 0)


def unsorted(task: Order) -> float:
    """The share of fresh arrays that the weights do not sort, without noise."""
    arrays = torch.rand(500, ARRAY, generator=seeded(99), dtype=torch.float64)
    scores = (arrays.unsqueeze(-1) * task.weights.detach()).contiguous()
    hard = permutations.hard_permutation(scores, noise=torch.zeros_like(scores))
    placed = (hard.transpose(-1, -2) @ arrays.unsqueeze(-1)).squeeze(-1)
    return float((placed != arrays.sort(-1).values).any(-1).double().mean())


# Hidden tree


@pytest.mark.parametrize("seed", range(5))
def test_the_resistance_along_a_tree_is_the_length_of_the_path(seed: int) -> None:
    task = HiddenTree(seeded(seed))
    torch.testing.assert_close(task.paths, walked(task.hidden, task.lengths, task.graph))
    for tree in trees.trees(task.graph)[seed::200]:
        found = task.resistances(k_hot(tree, len(task.graph.edges)))
        torch.testing.assert_close(found, walked(tree, task.lengths, task.graph))


def test_resistors_in_series_and_in_parallel() -> None:
    task = HiddenTree(seeded())
    task.lengths = torch.ones_like(task.lengths)
    # A ring of six: one unit beside five.
    ring = torch.zeros(len(task.graph.edges), dtype=torch.float64)
    for edge in [*zip(range(NODES - 1), range(1, NODES), strict=True), (0, NODES - 1)]:
        ring[task.graph.edges.index(edge)] = 1
    found = task.resistances(ring)
    assert found[task.graph.edges.index((0, 1))].item() == pytest.approx(5 / 6)
    assert found[task.graph.edges.index((0, 3))].item() == pytest.approx(9 / 6)
    # Half a share conducts half as well.
    torch.testing.assert_close(task.resistances(ring / 2), 2 * found)


def test_the_tree_loss_by_hand() -> None:
    task = HiddenTree(seeded(3))
    assert task.loss(k_hot(task.hidden, 15)).item() == pytest.approx(0, abs=1e-20)
    other = next(tree for tree in trees.trees(task.graph) if tree != task.hidden)
    off = walked(other, task.lengths, task.graph) - task.paths
    both = torch.stack([k_hot(task.hidden, 15), k_hot(other, 15)])
    assert task.loss(both).item() == pytest.approx(off.square().mean().item() / 2)


# Runs


def run(name: str, seed: int, **settings: float) -> list[TaskStep]:
    return list(train(TaskConfig(name, seed=seed, **settings)))  # type: ignore[arg-type]


def mean(losses: Iterator[float]) -> float:
    return float(np.mean(list(losses)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", TASKS)
def test_every_seed_is_learned(name: str, seed: int) -> None:
    steps = run(name, seed, steps=ENOUGH[name])
    assert len(steps) == ENOUGH[name]
    assert steps[-1].right == 1
    for loss in ("relaxed", "hard"):
        first, last = (mean(getattr(step, loss) for step in part) for part in (steps[:3], steps[-20:]))
        assert last < 0.55 * first


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_learned_sorts_arrays_it_has_not_seen(seed: int) -> None:
    # `right` is 1 before the first step, too: equal weights rank as the answer does.
    generator = seeded(seed)
    task = Order(generator)
    assert unsorted(task) > 0.99
    optimiser = torch.optim.Adam(task.parameters, lr=task.rate)
    for _ in range(ENOUGH["order"]):
        optimiser.zero_grad()
        task.losses(0.5, generator)[0].backward()
        optimiser.step()
    assert unsorted(task) == 0


@pytest.mark.parametrize("name", TASKS)
def test_steps_are_by_the_tasks_own_parts(name: str) -> None:
    """A record comes before its update, and an update is Adam's on that step's gradient alone."""
    generator = seeded(5)
    task = TASKS[name](generator)
    optimiser = torch.optim.Adam(task.parameters, lr=task.rate)
    for step in islice(train(TaskConfig(name, seed=5, temperature=0.8)), 4):
        relaxed, hard = task.losses(0.8, generator)
        assert (step.relaxed, step.hard) == pytest.approx((relaxed.item(), hard.item()))
        assert (step.found, step.right) == (task.found(), task.right())
        gradients = torch.autograd.grad(relaxed, task.parameters)
        for parameter, gradient in zip(task.parameters, gradients, strict=True):
            parameter.grad = gradient
        optimiser.step()


SAMPLERS = {
    "features": (subsets, "relaxed_top_k", "top_k"),
    "order": (permutations, "relaxed_permutation", "hard_permutation"),
    "tree": (trees, "relaxed_tree", "maximum_tree"),
}


@pytest.mark.parametrize("name", TASKS)
def test_the_hard_loss_has_the_relaxed_ones_noise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task = TASKS[name](seeded(1))
    module, *samplers = SAMPLERS[name]
    noises = []
    for sampler in samplers:
        original = getattr(module, sampler)

        def spied(*args: object, original: Callable[..., Tensor] = original, **kwargs: Tensor) -> Tensor:
            noises.append(kwargs["noise"])
            return original(*args, **kwargs)

        monkeypatch.setattr(module, sampler, spied)
    relaxed, _hard = task.losses(0.5, seeded(2))
    assert relaxed.requires_grad
    one, other = noises
    assert len(one) == SAMPLES
    assert torch.equal(one, other)


@pytest.mark.parametrize("name", TASKS)
def test_a_seed_is_a_run(name: str) -> None:
    one, again, other = (list(islice(train(TaskConfig(name, seed=seed)), 5)) for seed in (3, 3, 4))
    assert one == again
    assert one != other
    assert all(math.isfinite(value) for step in one for value in astuple(step)[:2])


@pytest.mark.parametrize("name", ["features", "tree"])
def test_each_seed_hides_its_own_answer(name: str) -> None:
    hidden = {TASKS[name](seeded(seed)).hidden for seed in range(30)}
    assert len(hidden) > 15


def test_right_is_the_share_that_is_found() -> None:
    task = Features(seeded(0))
    missing = next(index for index in range(FEATURES) if index not in task.hidden)
    with torch.no_grad():
        task.logits[list(task.hidden[1:])] = 2.0
        task.logits[missing] = 1.0
    assert task.found() == tuple(sorted((*task.hidden[1:], missing)))
    assert task.right() == pytest.approx(2 / 3)


@pytest.mark.parametrize("temperature", [0.05, 10.0])
@pytest.mark.parametrize("name", TASKS)
def test_losses_stay_finite_at_both_ends_of_the_temperature(name: str, temperature: float) -> None:
    for step in run(name, 0, temperature=temperature, steps=30):
        assert math.isfinite(step.relaxed)
        assert math.isfinite(step.hard)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"task": "chess"}, "There is no task 'chess': it is one of features, order, tree."),
        ({"temperature": 0.04}, "A task's temperature is 0.05 to 10, not 0.04."),
        ({"temperature": 11}, "A task's temperature is 0.05 to 10, not 11."),
        ({"temperature": math.nan}, "The temperature must be a finite number, not nan."),
        ({"steps": 0}, "The number of steps is a whole number from 1 to 500, not 0."),
        ({"steps": 501}, "The number of steps is a whole number from 1 to 500, not 501."),
        ({"steps": 2.0}, "The number of steps is a whole number from 1 to 500, not 2.0."),
        ({"steps": True}, "The number of steps is a whole number from 1 to 500, not True."),
        ({"seed": -1}, "A seed is a whole number from 0 to 2,147,483,647, not -1."),
    ],
)
def test_what_is_no_run_is_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError) as refused:  # noqa: PT011
        TaskConfig(**settings)  # type: ignore[arg-type]
    assert str(refused.value) == sentence
