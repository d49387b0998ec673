"""`python -m benchmarks.structures`: batches of permutations and trees beside a loop over single samples.

One thread, in processor time: what other processes take from the machine does not count. The loop is what one
would write for a single sample with torch operations: Sinkhorn's two normalisations, Kruskal edge by edge, a
log-determinant. Kruskal is quicker on Python's own lists, so that loop has a line, too. Each sample of a loop
takes the same time: a part of them is measured, and multiplied.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from benchmarks.report import Line, report
from gumbel_core.sampling import gumbel_noise
from gumbel_core.structures.permutations import ITERATIONS, relaxed_permutation
from gumbel_core.structures.trees import complete, maximum_tree, relaxed_tree

SAMPLES, LOOPED = 1_000, 100
SIDE = 8
GRAPH = complete(8)
TAU = 0.5
ROUNDS = 7
TARGET = 20.0
# A third below what was measured.
TARGET_ON_LISTS = 6.5


def main() -> int:
    torch.set_num_threads(1)
    return report(lines())


def lines() -> Iterator[Line]:
    square, edges = (SIDE, SIDE), (len(GRAPH.edges),)
    yield line(
        f"{SIDE} x {SIDE} Sinkhorn samples of {ITERATIONS} iterations, forward and backward", square,
        batch=backward(lambda scores, noise: relaxed_permutation(scores, TAU, noise=noise)),
        single=backward(sinkhorn_by_hand),
    )  # fmt: skip
    for ways, single, target in (("", tree_by_hand, TARGET), (" on lists", tree_on_lists, TARGET_ON_LISTS)):
        yield line(
            f"maximum trees on {GRAPH.nodes} nodes", edges, ways=ways, target=target,
            batch=lambda noise: maximum_tree(GRAPH, torch.zeros_like(noise), noise=noise),
            single=single,
        )  # fmt: skip
    yield line(
        f"relaxed trees on {GRAPH.nodes} nodes, forward and backward", edges,
        batch=backward(lambda scores, noise: relaxed_tree(GRAPH, scores, TAU, noise=noise)),
        single=backward(marginals_by_hand),
    )  # fmt: skip


def line(
    name: str,
    shape: tuple[int, ...],
    *,
    batch: Callable[[Tensor], object],
    single: Callable[[Tensor], object],
    ways: str = "",
    target: float = TARGET,
) -> Line:
    """The batch takes turns with the loop, on the same noise."""
    noise = gumbel_noise((SAMPLES, *shape), generator=torch.Generator().manual_seed(0))
    times = [(seconds(lambda: loop(single, noise)), seconds(lambda: batch(noise))) for _ in range(ROUNDS)]
    looped = statistics.median(time[0] for time in times) * SAMPLES / LOOPED
    batched = statistics.median(time[1] for time in times)
    return Line(
        f"{SAMPLES:,} {name}, times a loop of single samples{ways}", looped / batched, target,
        unit="x", detail=f"{batched * 1e3:,.1f} ms beside {looped * 1e3:,.0f} ms",
    )  # fmt: skip


def loop(single: Callable[[Tensor], object], noise: Tensor) -> None:
    for row in noise[:LOOPED]:
        single(row)


def backward(sample: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor], None]:
    """Scores of their own for every sample, and a gradient that is not 0, as a sum of entries' would be."""

    def both_ways(noise: Tensor) -> None:
        scores = torch.zeros_like(noise, requires_grad=True)
        sample(scores, noise).square().sum().backward()

    return both_ways


def sinkhorn_by_hand(scores: Tensor, noise: Tensor) -> Tensor:
    log_weights = (scores + noise) / TAU
    for _ in range(ITERATIONS):
        log_weights = log_weights - log_weights.logsumexp(1, keepdim=True)
        log_weights = log_weights - log_weights.logsumexp(0, keepdim=True)
    return log_weights.exp()


def tree_by_hand(keys: Tensor) -> Tensor:
    """Kruskal: the best edge first, and its two parts become one."""
    part, tree = torch.arange(GRAPH.nodes), torch.zeros_like(keys)
    for edge in keys.argsort(descending=True):
        kept, gone = part[GRAPH.ends[:, edge]]
        if kept != gone:
            tree[edge] = 1.0
            part = torch.where(part == gone, kept, part)
    return tree


def tree_on_lists(keys: Tensor) -> Tensor:
    """The same, with the parts in a list."""
    part, tree = list(range(GRAPH.nodes)), torch.zeros_like(keys)
    for edge in keys.argsort(descending=True).tolist():
        kept, gone = (part[node] for node in GRAPH.edges[edge])
        if kept != gone:
            tree[edge] = 1.0
            part = [kept if label == gone else label for label in part]
    return tree


def marginals_by_hand(scores: Tensor, noise: Tensor) -> Tensor:
    """The gradient of the Laplacian's log-determinant, less a node."""
    one, other = GRAPH.ends
    log_weights = ((scores + noise) / TAU).double()
    # A peak of 0: a determinant cannot bear what logarithms can.
    weights = (log_weights - log_weights.detach().max()).exp()
    nodes = torch.eye(GRAPH.nodes, dtype=weights.dtype)
    ends = nodes[one] - nodes[other]
    laplacian = ends.T @ (weights.unsqueeze(-1) * ends)
    partition = torch.linalg.slogdet(laplacian[1:, 1:]).logabsdet
    (gradient,) = torch.autograd.grad(partition, log_weights, create_graph=True)
    return gradient


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
