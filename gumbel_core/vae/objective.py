"""The loss of a categorical VAE, in nats an image.

    loss = cross-entropy of the pixels, summed + KL(q(z|x) || p(z)), summed over latents

With z relaxed this is not a bound on -log p(x): the KL is the categorical's, the sample is not. With z
one-hot (the hard loss) and pixels that are bits it is one, the negative ELBO. With m samples the bound is
tighter (Burda et al. 2016, arXiv:1509.00519): `gumbel_core.vae.evaluation.sample_bound`.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor


class Terms(NamedTuple):
    """The loss by its terms, means over images, in nats."""

    reconstruction: float
    kl: float

    @property
    def total(self) -> float:
        return self.reconstruction + self.kl


def reconstruction_loss(pixel_logits: Tensor, images: Tensor) -> Tensor:
    """Bernoulli cross-entropy (), summed over pixels (B, D) and averaged over images.

    For grey pixels the target is the grey value: a mean of cross-entropies, not a likelihood.
    """
    summed: Tensor = _CrossEntropy.apply(pixel_logits, images)
    return summed / len(images)


class _CrossEntropy(torch.autograd.Function):
    """`sum_d softplus(a) - x a`, over all rows, for logits a and targets x of one shape.

    `binary_cross_entropy_with_logits` is the same in twice the time: PyTorch's log1p is slow on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(a, x)
        return softplus(a).addcmul_(a, x, value=-1).sum()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        a, x = ctx.saved_tensors
        return (a.sigmoid() - x) * gradient, None


@torch.no_grad()
def softplus(a: Tensor) -> Tensor:
    """`log(1 + e^a)`, without a gradient.

    A plain log rounds at 1, where log1p would not: off by 6e-8 in single precision, next to nothing in a sum
    over pixels.
    """
    return a.abs().neg_().exp_().add_(1).log_().add_(a.relu())


def log_softmax(logits: Tensor) -> Tensor:
    """As PyTorch's, over the last axis: in a third of its time on a CPU where that is short."""
    shifted = logits - logits.detach().amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


def categorical_kl(log_q: Tensor, log_p: Tensor) -> Tensor:
    """KL(q || p) over the last axis: (B, N) for log-probabilities (B, N, K) and (N, K).

    q comes first: the expectation is over what the encoder says, which is the bound's way round.
    """
    return (log_q.exp() * (log_q - log_p)).sum(-1)
