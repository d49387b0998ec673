"""Three small tasks that are learned through a relaxed structure: features, an order, a tree.

Each has parameters that score a structure, a loss that takes it relaxed or hard, and a hidden answer. It is
trained on relaxed samples, by Adam; the hard samples of the same noise are what the loss is wanted for.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gumbel_core.checks import check_name, check_whole
from gumbel_core.draw import check_seed
from gumbel_core.sampling import check_temperature, gumbel_noise
from gumbel_core.structures import permutations, subsets, trees

STEPS = (1, 500)
TEMPERATURES = (0.05, 10.0)
SAMPLES = 32  # of the structure, in each step

FEATURES, CHOSEN, ROWS = 10, 3, 100
ARRAY = 6
NODES = 6


@dataclass(frozen=True)
class TaskConfig:
    """What defines a run. Each seed has its own hidden answer; of the order, its own start."""

    task: str = "features"
    temperature: float = 0.5
    steps: int = 150
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("task", self.task, TASKS)
        tau = check_temperature(self.temperature)
        if not TEMPERATURES[0] <= tau <= TEMPERATURES[1]:
            raise ValueError(
                f"A task's temperature is {TEMPERATURES[0]:g} to {TEMPERATURES[1]:g}, not {tau:g}."
            )
        check_whole("The number of steps", self.steps, STEPS)
        check_seed(self.seed)


@dataclass(frozen=True)
class TaskStep:
    """One step, before its update.

    relaxed, hard: the mean loss of the relaxed samples, and of the hard ones of the same noise
    found: the structure that the scores stand for, without noise: as `hidden` of its task
    right: the share of it that is right: 1 where the task is solved
    """

    relaxed: float
    hard: float
    found: tuple[int, ...]
    right: float


class Task:
    """A hidden answer, parameters, and the losses of structures that they score."""

    parameters: list[Tensor]
    rate: float
    hidden: tuple[int, ...]

    def losses(self, temperature: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The mean loss of relaxed samples, with its gradient, and of the hard ones of the same noise."""
        raise NotImplementedError

    def found(self) -> tuple[int, ...]:
        """The structure that the parameters stand for."""
        raise NotImplementedError

    def right(self) -> float:
        """The share of the hidden members that are found."""
        return len(set(self.found()) & set(self.hidden)) / len(self.hidden)


class Features(Task):
    """Choose the 3 of 10 features that a target is made of, and their coefficients with them."""

    rate = 0.1

    def __init__(self, generator: torch.Generator) -> None:
        common = torch.randn(ROWS, 1, generator=generator, dtype=torch.float64)
        own = torch.randn(ROWS, FEATURES, generator=generator, dtype=torch.float64)
        # Features that look alike: the wrong ones explain something, too.
        self.inputs = (own + common) / math.sqrt(2)
        members = torch.randperm(FEATURES, generator=generator)[:CHOSEN].sort().values
        signs = torch.randint(0, 2, (CHOSEN,), generator=generator).double() * 2 - 1
        self.target = self.inputs[:, members] @ signs
        self.hidden = tuple(members.tolist())
        self.logits = torch.zeros(FEATURES, dtype=torch.float64, requires_grad=True)
        self.coefficients = torch.zeros(FEATURES, dtype=torch.float64, requires_grad=True)
        self.parameters = [self.logits, self.coefficients]

    def losses(self, temperature: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = self.logits.expand(SAMPLES, -1)
        noise = gumbel_noise(rows.shape, generator=generator, dtype=rows.dtype)
        relaxed = subsets.relaxed_top_k(rows, CHOSEN, temperature, noise=noise)
        hard = subsets.top_k(rows, CHOSEN, noise=noise)
        return self.loss(relaxed), self.loss(hard)

    def loss(self, mask: Tensor) -> Tensor:
        """The mean squared error of a linear model on the masked features: mask (S, n)."""
        predicted = (mask * self.coefficients) @ self.inputs.T
        return (predicted - self.target).square().mean()

    def found(self) -> tuple[int, ...]:
        return tuple(self.logits.topk(CHOSEN).indices.sort().values.tolist())


class Order(Task):
    """Learn to sort: number i scores x_i w_j for place j, and w is all that is learned."""

    rate = 0.1

    def __init__(self, generator: torch.Generator) -> None:
        # Equal weights would stand for the very order that is looked for.
        start = 0.1 * torch.randn(ARRAY, generator=generator, dtype=torch.float64)
        self.weights = start.requires_grad_()
        self.parameters = [self.weights]
        self.hidden = tuple(range(ARRAY))

    def losses(self, temperature: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        arrays = torch.rand(SAMPLES, ARRAY, generator=generator, dtype=torch.float64)
        scores = arrays.unsqueeze(-1) * self.weights
        noise = gumbel_noise(scores.shape, generator=generator, dtype=scores.dtype)
        relaxed = permutations.relaxed_permutation(scores, temperature, noise=noise)
        hard = permutations.hard_permutation(scores, noise=noise)
        return self.loss(arrays, relaxed), self.loss(arrays, hard)

    def loss(self, arrays: Tensor, matrices: Tensor) -> Tensor:
        """The mean squared distance of the permuted arrays (S, n) from the sorted ones."""
        placed = (matrices * arrays.unsqueeze(-1)).sum(-2)
        return (placed - arrays.sort(-1).values).square().mean()

    def found(self) -> tuple[int, ...]:
        """Where the ascending numbers go: in their own order, if the weights ascend."""
        return tuple(self.weights.argsort().argsort().tolist())

    def right(self) -> float:
        """The share of the places that are in order."""
        return sum(one == other for one, other in zip(self.found(), self.hidden, strict=True)) / ARRAY


class HiddenTree(Task):
    """Find a tree by the lengths of the paths between its nodes.

    Edges are resistors: along a tree the resistance between two nodes is the length of their path, and a
    relaxed edge conducts in proportion to its share.
    """

    rate = 0.1

    def __init__(self, generator: torch.Generator) -> None:
        self.graph = trees.complete(NODES)
        count = len(self.graph.edges)
        self.lengths = 0.5 + torch.rand(count, generator=generator, dtype=torch.float64)
        nothing = torch.zeros(count, dtype=torch.float64)
        tree = trees.maximum_tree(self.graph, nothing, generator=generator)
        self.hidden = tuple(tree.nonzero().flatten().tolist())
        self.paths = self.resistances(tree)
        self.scores = nothing.clone().requires_grad_()
        self.parameters = [self.scores]

    def losses(self, temperature: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rows = self.scores.expand(SAMPLES, -1)
        noise = gumbel_noise(rows.shape, generator=generator, dtype=rows.dtype)
        relaxed = trees.relaxed_tree(self.graph, rows, temperature, noise=noise)
        hard = trees.maximum_tree(self.graph, rows, noise=noise)
        return self.loss(relaxed), self.loss(hard)

    def loss(self, tree: Tensor) -> Tensor:
        """The mean squared error of the lengths between all pairs of nodes: tree (S, E)."""
        return (self.resistances(tree) - self.paths).square().mean()

    def resistances(self, tree: Tensor) -> Tensor:
        """Between the ends of every edge, (..., E)."""
        one, other = self.graph.ends
        ends = torch.eye(NODES, dtype=tree.dtype)[one] - torch.eye(NODES, dtype=tree.dtype)[other]  # (E, n)
        laplacian = ends.T @ ((tree / self.lengths).unsqueeze(-1) * ends)
        # 1/n in every entry leaves differences of potentials as they are, and makes it invertible.
        inverse = torch.linalg.inv(laplacian + 1 / NODES)
        found: Tensor = ((ends @ inverse) * ends).sum(-1)
        return found

    def found(self) -> tuple[int, ...]:
        still = torch.zeros_like(self.scores)
        tree = trees.maximum_tree(self.graph, self.scores.detach(), noise=still)
        return tuple(tree.nonzero().flatten().tolist())


TASKS: Mapping[str, Callable[[torch.Generator], Task]] = {
    "features": Features,
    "order": Order,
    "tree": HiddenTree,
}


def train(config: TaskConfig) -> Iterator[TaskStep]:
    """Train one run, a record a step."""
    generator = torch.Generator().manual_seed(config.seed)
    task = TASKS[config.task](generator)
    optimiser = torch.optim.Adam(task.parameters, lr=task.rate)
    for _ in range(config.steps):
        relaxed, hard = task.losses(config.temperature, generator)
        yield TaskStep(relaxed.item(), hard.item(), task.found(), task.right())
        optimiser.zero_grad()
        relaxed.backward()
        optimiser.step()
