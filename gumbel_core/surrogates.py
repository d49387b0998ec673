"""Samples of a categorical that carry a gradient back to its logits, by name: `SURROGATES`.

Each takes logits (..., K) and a temperature and returns z (..., K): relaxed, or one-hot in the forward pass
with a surrogate's gradient in the backward pass.

[1] Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017, arXiv:1611.01144
[2] Bengio, Leonard, Courville, 2013, arXiv:1308.3432 (straight-through)
[3] Liu, Dong, Liu, Yu, Gao, "Bridging Discrete and Backpropagation", 2023, arXiv:2304.08612 (ReinMax)
[4] Paulus, Maddison, Krause, "Rao-Blackwellizing the Straight-Through Gumbel-Softmax Gradient Estimator",
    2021, arXiv:2010.04838 (Gumbel-Rao)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from gumbel_core.sampling import (
    gumbel_max,
    gumbel_noise,
    gumbel_softmax,
    straight_through,
    tempered_softmax,
)

# Gumbel-Rao averages over this many conditional draws.
RAO_DRAWS = 10


class Sampler(Protocol):
    def __call__(
        self, logits: Tensor, temperature: float, *, generator: torch.Generator | None = None
    ) -> Tensor: ...


def relaxed(logits: Tensor, temperature: float, *, generator: torch.Generator | None = None) -> Tensor:
    """The relaxed sample, `softmax((logits + g) / tau)` ([1] eq. 2)."""
    return gumbel_softmax(logits, temperature, generator=generator)


def st_gumbel_softmax(
    logits: Tensor, temperature: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """One-hot, with the gradient of the relaxed sample of the same noise ([1] section 2.2)."""
    return gumbel_softmax(logits, temperature, hard=True, generator=generator)


def plain_straight_through(
    logits: Tensor, temperature: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """One-hot, with the gradient of its mean, `softmax(logits)` [2]. It has no temperature."""
    return straight_through(_one_hot_draw(logits, generator), tempered_softmax(logits))


def reinmax(logits: Tensor, temperature: float, *, generator: torch.Generator | None = None) -> Tensor:
    """One-hot, with a gradient of second order: exact in the mean for a quadratic loss ([3] alg. 2)."""
    hard = _one_hot_draw(logits, generator)
    halfway = (hard + tempered_softmax(logits.detach(), temperature)) / 2
    # The value of `halfway`, and the gradient of a softmax at that value.
    bent = tempered_softmax(halfway.log() + slope(logits))
    return straight_through(hard, 2 * bent - tempered_softmax(logits) / 2)


def gumbel_rao(
    logits: Tensor,
    temperature: float,
    *,
    draws: int = RAO_DRAWS,
    generator: torch.Generator | None = None,
) -> Tensor:
    """One-hot, with the relaxed gradient averaged over noise that leads to the same one-hot ([4] eq. 8)."""
    hard = _one_hot_draw(logits, generator)
    noise = conditional_gumbels(logits.detach(), hard, draws, generator=generator)
    mean = gumbel_softmax(logits.expand_as(noise), temperature, noise=noise).mean(0)
    return straight_through(hard, mean)


def conditional_gumbels(
    logits: Tensor, winner: Tensor, draws: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """Gumbel noise (draws, ..., K), given that `winner`, a one-hot, has the largest sum ([4] eq. 6).

    The largest of `log p + g` is a standard Gumbel, whoever wins; the others are Gumbels cut off at it.
    """
    log_p = logits.log_softmax(-1)
    shape = (draws, *logits.shape)
    race = -gumbel_noise(shape, generator=generator, dtype=logits.dtype, device=logits.device)
    first = (race * winner).sum(-1, keepdim=True)
    perturbed = torch.where(winner.bool(), -first, -torch.logaddexp(race - log_p, first))
    # A masked category loses with any noise: 0 stands for it, where -inf less -inf would be a NaN.
    return (perturbed - log_p).masked_fill(log_p == -torch.inf, 0.0)


def slope(logits: Tensor) -> Tensor:
    """Zeros with the gradient of `logits`: what is added to a value gives it a way back."""
    # A masked logit less itself is a NaN; it has no way back.
    return (logits - logits.detach()).nan_to_num(nan=0.0)


def _one_hot_draw(logits: Tensor, generator: torch.Generator | None) -> Tensor:
    return one_hot(gumbel_max(logits.detach(), generator=generator), logits)


def one_hot(index: Tensor, like: Tensor) -> Tensor:
    """`index` (...) as one-hot rows of the shape and dtype of `like` (..., K)."""
    return torch.zeros_like(like).scatter_(-1, index.unsqueeze(-1), 1.0)


@dataclass(frozen=True)
class Surrogate:
    """A way to the gradient. Where `hard`, its forward value is one-hot already."""

    sample: Sampler
    hard: bool


SURROGATES: Mapping[str, Surrogate] = {
    "gumbel_softmax": Surrogate(relaxed, hard=False),
    "st_gumbel_softmax": Surrogate(st_gumbel_softmax, hard=True),
    "straight_through": Surrogate(plain_straight_through, hard=True),
    "reinmax": Surrogate(reinmax, hard=True),
    "gumbel_rao": Surrogate(gumbel_rao, hard=True),
}
