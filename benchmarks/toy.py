"""`python -m benchmarks.toy`: the toy over 1,000 seeds at once, on one thread."""

import statistics
import sys
import time

import torch

from benchmarks.report import Line, report
from gumbel_core.toy_argmax import ToyConfig
from gumbel_core.toy_shares import outcomes

ROUNDS = 11


def main() -> int:
    torch.set_num_threads(1)
    outcomes(ToyConfig())  # the first optimiser of a process imports a second's worth of PyTorch
    return report([Line("toy, 1,000 seeds x 10 steps", seconds(), 1.0, at_least=False, unit="s")])


def seconds() -> float:
    """The median of a few runs."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        outcomes(ToyConfig(steps=10), range(1_000))
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
