"""What the tests of structures share: seeded numbers, and draws held against a law.

The statistical tests are seeded, each at a level of 1e-4: with other seeds a right sampler would fail one in
ten thousand of them.
"""

from collections import Counter
from collections.abc import Mapping

import torch
from scipy import stats
from torch import Tensor

LEVEL = 1e-4
DRAWS = 20_000

Key = tuple[int, ...]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def members(hard: Tensor) -> Counter[Key]:
    """How often each set of entries was drawn: hard (draws, M), of zeros and ones."""
    rows, counts = hard.unique(dim=0, return_counts=True)
    keys = (tuple(row.nonzero().flatten().tolist()) for row in rows)
    return Counter(dict(zip(keys, counts.tolist(), strict=True)))


def fit(counts: Mapping[Key, int], law: Mapping[Key, float]) -> float:
    """The p-value of the counts under the law, by chi-squared. What is rare is put into one cell."""
    assert set(counts) <= {key for key, probability in law.items() if probability > 0}
    draws = sum(counts.values())
    expected, seen = [0.0], [0]
    for key, probability in law.items():
        if draws * probability >= 5:
            expected.append(draws * probability)
            seen.append(counts.get(key, 0))
        else:
            expected[0] += draws * probability
            seen[0] += counts.get(key, 0)
    if expected[0] < 5:
        # Too little even together: it joins the last cell.
        expected[-1] += expected.pop(0)
        seen[-1] += seen.pop(0)
    if len(expected) < 3:
        return float(stats.binomtest(seen[0], draws, expected[0] / draws).pvalue)
    return float(stats.chisquare(seen, expected, sum_check=False).pvalue)


def total_variation(one: Mapping[Key, float], other: Mapping[Key, float]) -> float:
    return sum(abs(one.get(key, 0) - other.get(key, 0)) for key in {*one, *other}) / 2
