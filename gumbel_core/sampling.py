"""The trick, from noise to a differentiable one-hot sample.

    gumbel_noise -> gumbel_max -> gumbel_softmax -> straight_through

Everything acts on the last axis of `logits`, shape (..., K), for any leading shape, and takes its
randomness as an argument: a `torch.Generator`, or the noise itself.

[1] Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, arXiv:1611.01144
[2] Maddison, Mnih, Teh, "The Concrete Distribution", ICLR 2017, arXiv:1611.00712
[3] Maddison, Tarlow, Minka, "A* Sampling", NeurIPS 2014, arXiv:1411.0030 (Gumbel-Max)
[4] Bengio, Leonard, Courville, 2013, arXiv:1308.3432 (straight-through)
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

# Noise values held at once by `count_in_chunks`: 4 MB in single precision, large enough to be quick.
CHUNK = 2**20
# On top of a larger logit, single-precision noise would keep fewer than 13 bits behind the point.
SWALLOWING = 2.0**10


def gumbel_noise(
    shape: Sequence[int],
    *,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Standard Gumbel noise, `-log(-log(U))`, of the given shape [3].

    Half precision is drawn in single and rounded: its uniform numbers are too coarse for the tails.
    """
    uniform = torch.rand(tuple(shape), generator=generator, dtype=_working(dtype), device=device)
    # U = 0 comes once in 2^24 single-precision draws and would give -inf. Nothing else is touched.
    uniform.clamp_(min=torch.finfo(uniform.dtype).tiny)
    return uniform.log_().neg_().log_().neg_().to(dtype)


def gumbel_max(
    logits: Tensor, *, noise: Tensor | None = None, generator: torch.Generator | None = None
) -> Tensor:
    """Indices, shape (...), distributed as Categorical(softmax(logits)): `argmax(logits + g)` [3]."""
    return _perturb(logits, noise, generator).argmax(-1)


def gumbel_softmax(
    logits: Tensor,
    temperature: float,
    *,
    hard: bool = False,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A relaxed one-hot sample, shape (..., K): `softmax((logits + g) / tau)` ([1] eq. 2, [2] eq. 10).

    Its argmax follows softmax(logits) at every temperature; its mean does not. With `hard`, the
    forward value is the exact one-hot and the gradient is the relaxed sample's. Gradients reach
    `logits`, and `noise` where it asks for them.

    Raises ValueError for a temperature that is not finite or not above 0, and for logits that leave
    nothing to draw (all -inf, a NaN, +inf).
    """
    tau = check_temperature(temperature)
    perturbed = _perturb(logits, noise, generator)
    relaxed: Tensor = _TemperedSoftmax.apply(perturbed, tau).to(logits.dtype)
    if not hard:
        return relaxed
    # The winner is read before softmax, which rounds close entries to a tie at a large tau.
    one_hot = torch.zeros_like(relaxed).scatter_(-1, perturbed.argmax(-1, keepdim=True), 1.0)
    return straight_through(one_hot, relaxed)


def tempered_softmax(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """`softmax(logits / tau)`, without noise: as PyTorch's, and quicker over a short last axis on a CPU."""
    relaxed: Tensor = _TemperedSoftmax.apply(logits, check_temperature(temperature))
    return relaxed


def straight_through(hard: Tensor, relaxed: Tensor) -> Tensor:
    """`hard` in the forward pass, the gradient of `relaxed` in the backward pass [4]."""
    # `relaxed - relaxed` is exactly 0, so the forward value is exactly `hard`. The other common order,
    # `(hard + relaxed) - relaxed.detach()`, rounds: it is off by up to 6e-8 in a fifth of the rows.
    return hard + (relaxed - relaxed.detach())


def category_counts(logits: Tensor, draws: int, *, generator: torch.Generator | None = None) -> Tensor:
    """How often each category wins in `draws` Gumbel-Max draws: int64, the shape of `logits`.

    The trick itself, not a multinomial call, in memory that does not grow with `draws`.
    """
    (counts,) = deque(count_in_chunks(logits, draws, generator=generator), maxlen=1)
    return counts


def count_in_chunks(
    logits: Tensor, draws: int, *, generator: torch.Generator | None = None
) -> Iterator[Tensor]:
    """Yield the running counts of `category_counts` after each chunk: a large count can be watched grow."""
    if draws < 1:
        raise ValueError(f"The number of draws must be at least 1, not {draws}.")
    counts = torch.zeros(logits.shape, dtype=torch.int64, device=logits.device)
    *batch, categories = logits.shape
    rows = max(1, CHUNK // max(1, logits.numel()))
    for start in range(0, draws, rows):
        shape = (*batch, min(rows, draws - start), categories)
        noise = gumbel_noise(shape, generator=generator, dtype=_working(logits.dtype), device=logits.device)
        winners = gumbel_max(logits.unsqueeze(-2), noise=noise)  # (..., rows)
        counts = counts.scatter_add(-1, winners, torch.ones_like(winners))
        yield counts


def check_temperature(temperature: float) -> float:
    """The temperature as a float, or a ValueError that says why it is none."""
    tau = float(temperature)
    if not math.isfinite(tau):
        raise ValueError(f"The temperature must be a finite number, not {tau}.")
    if tau <= 0:
        raise ValueError(
            f"The temperature must be above 0, not {tau:g}: at 0 a sample is one-hot, and has no gradient."
        )
    return tau


def _perturb(logits: Tensor, noise: Tensor | None, generator: torch.Generator | None) -> Tensor:
    """`logits + g`, up to one shift for each row, in at least single precision."""
    logits = _small_enough(logits.to(_working(logits.dtype)))
    if noise is not None:
        return logits + noise.to(logits.dtype)
    return gumbel_noise(logits.shape, generator=generator, dtype=logits.dtype, device=logits.device).add_(
        logits
    )


def _small_enough(logits: Tensor) -> Tensor:
    """The logits, shifted to a peak of 0 in each row if they are so large that they swallow the noise.

    1e30 + g is 1e30 again. A shift changes neither argmax nor softmax; it is paid for where it is needed.
    """
    if not logits.numel():
        return logits
    peak = logits.detach().amax(-1, keepdim=True)
    largest = peak.abs().max()
    if not largest.isfinite():
        raise ValueError(
            "Each row of logits needs one finite entry, and no NaN or +inf: nothing can be drawn."
        )
    if largest <= SWALLOWING:
        return logits
    # Row by row: what a row's samples are must not depend on its neighbours.
    return logits - torch.where(peak.abs() > SWALLOWING, peak, torch.zeros_like(peak))


class _TemperedSoftmax(torch.autograd.Function):
    """`softmax(perturbed / tau)` over the last axis, by exp-and-divide in one buffer.

    `torch.softmax` over a short last axis takes five times as long on a CPU, and composed in autograd
    the same arithmetic allocates a buffer for each of its steps.
    """

    @staticmethod
    def forward(ctx: Any, perturbed: Tensor, tau: float) -> Tensor:
        # The peak comes off before the division: 1e37 / .01 would overflow.
        relaxed = perturbed.sub(perturbed.amax(-1, keepdim=True)).div_(tau).exp_()
        relaxed.div_(relaxed.sum(-1, keepdim=True))
        ctx.tau = tau
        ctx.save_for_backward(relaxed)
        return relaxed

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (relaxed,) = ctx.saved_tensors
        weighted = relaxed * gradient
        return (weighted - relaxed * weighted.sum(-1, keepdim=True)) / ctx.tau, None


def _working(dtype: torch.dtype) -> torch.dtype:
    """The precision to compute in: the logits' own, but never less than single."""
    if not dtype.is_floating_point:
        raise ValueError(f"Logits must be floating-point numbers, not {dtype}.")
    return torch.promote_types(dtype, torch.float32)
