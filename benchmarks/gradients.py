"""`python -m benchmarks.gradients`: the estimators' bench, and each estimator beside `F.gumbel_softmax`.

One thread, in processor time: what other processes take from the machine does not count. Each estimator takes
turns with PyTorch's own sampler and autograd, on the same f and shape.
"""

import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
import torch.nn.functional as functional

from benchmarks.report import Line, report
from gumbel_core.estimators import ESTIMATORS
from gumbel_core.gradient_bench import BenchConfig, Problem, bench, problem_of

CONFIG = BenchConfig((1.0, 0.5, 0.0, -0.5, -1.0), numbers=(1.0, 4.0, -1.0, 2.0, 2.0))
TAU = 0.5
PICTURES, ROUNDS = 3, 21
# Gradients a second, times those through `F.gumbel_softmax`; a third below what was measured. What never
# looks between the corners spares the softmax of each sample; Gumbel-Rao takes ten of them. The exact
# gradient is not here: it is found once for all samples.
TARGETS: Mapping[str, float] = {
    "reinforce": 2.0,
    "reinforce_loo": 0.65,
    "straight_through": 1.2,
    "gumbel_softmax": 1.4,
    "st_gumbel_softmax": 1.2,
    "gumbel_rao": 0.09,
    "reinmax": 0.7,
    "rebar": 0.27,
}


def main() -> int:
    torch.set_num_threads(1)
    return report(lines())


def lines() -> Iterator[Line]:
    picture = statistics.median(seconds(lambda: deque(bench(CONFIG), 0)) for _ in range(PICTURES))
    yield Line(
        f"the bench, {len(ESTIMATORS)} estimators x 25 temperatures x {CONFIG.samples:,} samples of 5",
        picture, 3.0, at_least=False, unit="s",
    )  # fmt: skip
    problem = problem_of(CONFIG)
    for name, target in TARGETS.items():
        theirs, ours = in_turns(partial(beside, problem), partial(estimates, problem, name))
        yield Line(
            f"{ESTIMATORS[name].title}, gradients a second, times F.gumbel_softmax", theirs / ours, target,
            unit="x", detail=f"{CONFIG.samples / ours:,.0f} a second",
        )  # fmt: skip


def estimates(problem: Problem, name: str) -> None:
    """As the bench takes them: in single precision."""
    ESTIMATORS[name](problem.f, problem.logits.float(), TAU, torch.Generator().manual_seed(0), CONFIG.samples)


def beside(problem: Problem) -> None:
    """A gradient for each sample, as one would write it with PyTorch alone."""
    logits = problem.logits.float().expand(CONFIG.samples, -1, -1).clone().requires_grad_()
    problem.f(functional.gumbel_softmax(logits, TAU)).sum().backward()


def in_turns(first: Callable[[], object], second: Callable[[], object]) -> tuple[float, float]:
    """The median seconds of each."""
    times = [(seconds(first), seconds(second)) for _ in range(ROUNDS)]
    return statistics.median(time[0] for time in times), statistics.median(time[1] for time in times)


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    sys.exit(main())
