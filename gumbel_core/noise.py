"""Gumbel noise itself: three ways to make it, the wrong sign, the forgotten logarithm, the race behind it.

Gumbel-Max needs the Gumbel law for maxima: cdf `exp(-exp(-x))`, `scipy.stats.gumbel_r`.

[1] Maddison, Tarlow, Minka, "A* Sampling", NeurIPS 2014, arXiv:1411.0030 (Gumbel-Max)
[2] Yellott, "The relationship between Luce's choice axiom, Thurstone's theory of comparative judgment, and
    the double exponential distribution", Journal of Mathematical Psychology 15, 1977 (why this law)
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats
from torch import Tensor

from gumbel_core.sampling import gumbel_max

# torch.rand in single precision gives multiples of this: 0, 2^-24, ..., 1 - 2^-24.
UNIFORM_STEP = 2.0**-24


def from_uniform(u: Tensor) -> Tensor:
    """`-log(-log(u))`, the inverse of the cdf. `u = 0` gives -inf."""
    return -torch.log(-torch.log(u))


def from_uniform_eps(u: Tensor, eps: float = 1e-20) -> Tensor:
    """`-log(-log(u + eps) + eps)`, as the tutorials write it: in single precision it alters `u = 0` alone."""
    return -torch.log(-torch.log(u + eps) + eps)


def from_exponential(e: Tensor) -> Tensor:
    """`-log(e)` of a standard exponential. `e = 0` gives +inf."""
    return -torch.log(e)


def _exponential_of(u: Tensor) -> Tensor:
    """The inverse of the exponential's cdf, so that the three ways can be compared on the same `u`.

    `Tensor.exponential_` does the same, but on a CPU from a double-precision `u`: its large noise goes on.
    """
    return -torch.log1p(-u)


@dataclass(frozen=True)
class Way:
    """One way to make Gumbel noise.

    title, formula: for a reader
    function: from `source(u)` to noise
    source: from uniform numbers to what `function` takes: themselves, or exponentials
    """

    title: str
    formula: str
    function: Callable[[Tensor], Tensor]
    source: Callable[[Tensor], Tensor] = torch.clone

    def noise(self, uniform: Tensor) -> Tensor:
        """Noise from uniform numbers in [0, 1), any shape: the same numbers can go all three ways."""
        return self.function(self.source(uniform))

    def tails(self) -> tuple[float, float]:
        """The smallest and the largest finite noise that single-precision uniform numbers can give."""
        # Each way is monotone in u, so its extremes lie at the ends of the grid; u = 0 may be infinite.
        ends = self.noise(torch.tensor([0.0, UNIFORM_STEP, 1 - UNIFORM_STEP]))
        finite = ends[ends.isfinite()]
        return finite.min().item(), finite.max().item()

    def widest_gap(self) -> float:
        """The lead in logits that finite noise can just turn over: its largest value less its smallest.

        An infinite `at_zero` turns over any lead, with probability `UNIFORM_STEP`: a leader's -inf, or
        +inf for one behind.
        """
        low, high = self.tails()
        return high - low

    def at_zero(self) -> float:
        """The noise at `u = 0`, which comes once in 2^24 draws."""
        return self.noise(torch.zeros(())).item()


WAYS = {
    "double-log": Way("Two logarithms", "-log(-log(U))", from_uniform),
    "eps": Way("Two logarithms, padded", "-log(-log(U + 1e-20) + 1e-20)", from_uniform_eps),
    "exponential": Way("Logarithm of an exponential", "-log(E)", from_exponential, _exponential_of),
}


def core_at_zero() -> float:
    """-4.47: what `gumbel_noise` makes of a single-precision `u = 0`, lifted to the least normal number."""
    return from_uniform(torch.tensor(torch.finfo(torch.float32).tiny)).item()


def wins_from_behind(gap: float) -> float:
    """The probability of the second of two categories that is `gap` behind in logits."""
    return float(special.expit(-gap))


def gumbel_minima(g: Tensor) -> Tensor:
    """`-g`: the mirror image, the Gumbel law for minima (`scipy.stats.gumbel_l`), wrong for Gumbel-Max."""
    return -g


def wrong_sign_law(logits: ArrayLike) -> NDArray[np.float64]:
    """The law of `argmax(logits - g)`, shape (K,): with K > 2 not softmax(logits) in general [2].

    `exp(logit - g)` is a clock of rate `exp(-logit)`, and the *last* to ring wins. That law is a sum over all
    subsets of the others; the integral over the winner's value x takes K terms instead:
    P(k) = int f(x - logit_k) prod_(j != k) F(x - logit_j) dx, with the pdf f and cdf F of `gumbel_l`.
    Probabilities (.7, .2, .1) become .740/.193/.067. Raises ValueError if nothing can be drawn.
    """
    scores = np.asarray(logits, dtype=np.float64)
    if not np.isfinite(scores.max()):
        raise ValueError("The logits need one finite entry, and no NaN or +inf: nothing can be drawn.")
    # 60 below the top a category wins with probability about exp(-60), and so does one that is 1e30 below.
    centred = np.maximum(scores - scores.max(), -60.0)
    x, step = np.linspace(-70.0, 6.0, 4865, retstep=True)  # all but exp(-70) of the top one's mass
    z = x - centred[:, None]  # (K, grid)
    log_cdf = stats.gumbel_l.logcdf(z)
    log_others = log_cdf.sum(0) - log_cdf
    # The integrand is smooth and 0 at both ends, where equal steps are as exact as any quadrature.
    law = np.exp(stats.gumbel_l.logpdf(z) + log_others).sum(1) * step
    return np.where(np.isneginf(scores), 0.0, law)


def without_log_law(weights: ArrayLike) -> NDArray[np.float64]:
    """The law of `argmax(weights + g)`, the logarithm forgotten: softmax of the weights, shape (K,).

    Weights (7, 2, 1) give .991/.007/.002 in place of .7/.2/.1, and a weight of 0 can be drawn.
    """
    law: NDArray[np.float64] = special.softmax(np.asarray(weights, dtype=np.float64))
    return law


@dataclass(frozen=True)
class Race:
    """The exponential race behind one Gumbel-Max draw: `K` clocks, the first to ring wins.

    rates: (..., K), the clocks' rates, the fastest 1
    times: (..., K), when each rings; inf for a masked category
    winner: (...), the index of the first
    winning_time: (...), when it rings: exponential at the summed rate, whoever wins
    """

    rates: Tensor
    times: Tensor
    winner: Tensor
    winning_time: Tensor


def exponential_race(logits: Tensor, noise: Tensor) -> Race:
    """The race that Gumbel-Max runs on `logits` (..., K) with this `noise` (..., K) [1].

    Clock k rings at exp(-(logit_k + g_k)), an exponential time of rate exp(logit_k). A shift of all logits
    multiplies all times by one factor and changes no winner, so the largest logit is taken off first:
    logits of +-1e30 do no harm, and times are in units of the fastest clock's mean.
    """
    logits = logits - logits.amax(-1, keepdim=True)
    # Compared as scores, because exp may round two times to one.
    winner = gumbel_max(logits, noise=noise)
    times = torch.exp(-(logits + noise))
    winning_time = times.gather(-1, winner.unsqueeze(-1)).squeeze(-1)
    return Race(logits.exp(), times, winner, winning_time)
