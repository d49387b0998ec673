"""`python -m benchmarks.sampling`: the core's sampler beside `F.gumbel_softmax`, and its memory.

One thread. The two are timed in turns, so that a busy machine slows both.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as functional
from torch import Tensor

from benchmarks.report import Line, report
from gumbel_core.sampling import category_counts, gumbel_softmax

Sampler = Callable[[Tensor, float], Tensor]
TAU = 0.5
ROUNDS = 41


def main() -> int:
    torch.set_num_threads(1)
    return report(
        [
            Line("forward, 65,536 x 10, times F.gumbel_softmax", speed_up(forward, 65_536, 10), 3.0),
            Line("forward and backward, 65,536 x 10", speed_up(forward_and_backward, 65_536, 10), 2.0),
            Line("forward, 1,000 x 1,000", speed_up(forward, 1_000, 1_000), 1.0),
            Line("forward and backward, 1,000 x 1,000", speed_up(forward_and_backward, 1_000, 1_000), 1.0),
            Line("memory of 10 million draws of 64, MB", memory_of_counting(), 200.0, at_least=False),
        ]
    )


def speed_up(work: Callable[[Sampler, Tensor], None], rows: int, categories: int) -> float:
    """Median time of `F.gumbel_softmax` over the core's, at the same work."""
    logits = torch.randn(rows, categories)
    theirs, ours = [], []
    for _ in range(ROUNDS):
        theirs.append(seconds(lambda: work(functional.gumbel_softmax, logits)))
        ours.append(seconds(lambda: work(gumbel_softmax, logits)))
    return statistics.median(theirs) / statistics.median(ours)


def forward(sampler: Sampler, logits: Tensor) -> None:
    with torch.no_grad():
        sampler(logits, TAU)


def forward_and_backward(sampler: Sampler, logits: Tensor) -> None:
    logits = logits.detach().requires_grad_()
    sampler(logits, TAU).square().sum().backward()


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def memory_of_counting() -> float:
    """Peak resident memory that counting adds, in MB, measured in a process of its own (Linux)."""
    command = [sys.executable, "-c", "from benchmarks.sampling import count_and_print; count_and_print()"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def count_and_print() -> None:
    torch.set_num_threads(1)
    logits = torch.linspace(-1, 1, 64)
    category_counts(logits, 1)
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    category_counts(logits, 10_000_000)
    peak_kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(peak_kilobytes / 1024 - resident_pages * resource.getpagesize() / 2**20)


if __name__ == "__main__":
    sys.exit(main())
