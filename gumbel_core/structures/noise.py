"""What the structures have in common: scores with Gumbel noise on them, and shares among scores."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from gumbel_core.sampling import gumbel_noise


def perturbed(scores: Tensor, noise: Tensor | None, generator: torch.Generator | None) -> Tensor:
    """`scores + g`, with the given noise or fresh one.

    Raises ValueError for a NaN or +inf among the scores, and for noise of another shape.
    """
    if scores.isnan().any() or (scores == torch.inf).any():
        raise ValueError("A score is a number or -inf, which masks: not a NaN, and not +inf.")
    if noise is None:
        noise = gumbel_noise(scores.shape, generator=generator, dtype=scores.dtype, device=scores.device)
    if noise.shape[-1:] != scores.shape[-1:]:
        raise ValueError(f"The noise {tuple(noise.shape)} does not fit the scores {tuple(scores.shape)}.")
    return scores + noise


def share_of(score: float, scores: Sequence[float]) -> float:
    """`exp(score)` over the sum of `exp(scores)`; 0 for a masked one."""
    if score == -math.inf:
        return 0.0
    # From the peak: exp(1e300) is infinite, and exp(-1e300) is 0 even where it is all that is left.
    peak = max(scores)
    return math.exp(score - peak) / math.fsum(math.exp(other - peak) for other in scores)
