"""Subsets of k out of n: Gumbel top-k draws without replacement, and k successive softmaxes.

[1] Kool, van Hoof, Welling, "Stochastic Beams and Where to Find Them", 2019, arXiv:1903.06059 (Gumbel top-k)
[2] Xie, Ermon, "Reparameterizable Subset Sampling via Continuous Relaxations", 2019, arXiv:1901.10517
[3] Plackett, 1975, doi:10.2307/2346567 (the law of draws without replacement)
"""

from itertools import combinations

import torch
from torch import Tensor

from gumbel_core.sampling import check_temperature, gumbel_noise, straight_through
from gumbel_core.structures.noise import perturbed, share_of

# The law is a sum over the subsets of the subset's members: 2^n of them.
MAX_ENUMERATED = 12


def top_k(
    logits: Tensor, k: int, *, noise: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """The k largest of `logits + g` as a k-hot (..., n): k draws of softmax(logits) without replacement [1].

    Raises ValueError for a k that is not from 1 to n, and where fewer than k are open (not -inf).
    """
    check_k(logits, k)
    return _k_hot(perturbed(logits, noise, generator), k)


def relaxed_top_k(
    logits: Tensor,
    k: int,
    temperature: float,
    *,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A relaxed k-hot (..., n), of sum k: the sum of k softmaxes ([2] algorithm 1). An entry can exceed 1.

    Each softmax is taken from what the ones before it have left: a share a of an entry costs it log(1 - a).
    For tau to 0 it is the k-hot of the same noise.
    """
    check_k(logits, k)
    keys, tau = perturbed(logits, noise, generator), check_temperature(temperature)
    total = torch.zeros_like(keys)
    for taken in range(1, k + 1):
        total = total + (keys / tau).softmax(-1)
        if taken < k:
            keys = keys + _log_rest(keys / tau)
    return total


def straight_through_top_k(
    logits: Tensor,
    k: int,
    temperature: float,
    *,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The k-hot in the forward pass, the relaxed one's gradient in the backward pass."""
    check_k(logits, k)
    if noise is None:
        noise = gumbel_noise(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device)
    return straight_through(top_k(logits, k, noise=noise), relaxed_top_k(logits, k, temperature, noise=noise))


def subset_law(logits: Tensor, k: int) -> dict[tuple[int, ...], float]:
    """The probability of each subset of k, by its ascending members: logits (n,), in double precision.

    A subset is reached through any of its members as the last one [3]:
    `P(S) = sum_{i in S} P(S - i) w_i / (W - w(S - i))`.
    """
    check_k(logits, k)
    if (n := logits.shape[-1]) > MAX_ENUMERATED:
        raise ValueError(f"The law of {n} items is not enumerated: {MAX_ENUMERATED} at most.")
    scores = logits.double().tolist()
    law: dict[tuple[int, ...], float] = {(): 1.0}
    for size in range(1, k + 1):
        law = {subset: _reached(subset, law, scores) for subset in combinations(range(n), size)}
    return law


def check_k(logits: Tensor, k: int) -> int:
    """The size of a subset, or a ValueError that says which sizes there are."""
    n = logits.shape[-1]
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= n:
        raise ValueError(f"A subset of {n} has 1 to {n} members, not {k}.")
    fewest = int((logits > -torch.inf).sum(-1).min()) if logits.numel() else n
    if k > fewest:
        raise ValueError(f"A subset of {k} needs {k} open entries: only {fewest} are not masked with -inf.")
    return k


def _reached(subset: tuple[int, ...], law: dict[tuple[int, ...], float], scores: list[float]) -> float:
    """The subset's probability, from those with one member less."""
    total = 0.0
    for last in subset:
        before = tuple(member for member in subset if member != last)
        # What is left is weighed afresh: less what is taken, one heavy weight would leave 0 of all others.
        left = [score for index, score in enumerate(scores) if index not in before]
        total += law[before] * share_of(scores[last], left)
    return total


def _k_hot(keys: Tensor, k: int) -> Tensor:
    return torch.zeros_like(keys).scatter_(-1, keys.topk(k, -1).indices, 1.0)


def _log_rest(keys: Tensor) -> Tensor:
    """`log(1 - softmax(keys))`, from the others: where a share rounds to 1, the rest is small and not 0."""
    itself = torch.eye(keys.shape[-1], dtype=torch.bool, device=keys.device)
    others = keys.unsqueeze(-2).masked_fill(itself, -torch.inf).logsumexp(-1)
    return others - keys.logsumexp(-1, keepdim=True)
