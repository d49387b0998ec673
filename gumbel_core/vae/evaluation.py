"""What a categorical VAE is worth: the hard loss on the test set, and what its code is used for."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.sampling import gumbel_max
from gumbel_core.surrogates import one_hot
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.objective import Terms, categorical_kl, log_softmax, reconstruction_loss, softplus

Array = NDArray[np.float32]
Bools = NDArray[np.bool_]

BATCH = 1_000
# Codes held at once by the m-sample bound.
BOUND_ROWS = 20_000
# Nats of the image below which a latent is dead. The shipped models' others say ten times as much.
DEAD = 0.01
# The one-hot samples are the same in every evaluation.
SEED = 0


@dataclass(frozen=True)
class Evaluation:
    """Of a whole test set, with one one-hot sample for each image."""

    hard: Terms
    usage: Array  # (N, K): the mean posterior of each latent
    latent_kl: Array  # (N,): nats that each latent carries


@torch.no_grad()
def evaluate(model: CategoricalVAE, images: Tensor) -> Evaluation:
    """The hard loss, by its terms, on images (B, D) in [0, 1] such as `datasets.test_images` gives.

    The model is left in the mode that it was in.
    """
    generator = torch.Generator(images.device).manual_seed(SEED)
    parts = []
    with evaluating(model):
        for batch in images.split(BATCH):
            logits = model.encode(batch)
            log_q = log_softmax(logits)
            code = one_hot(gumbel_max(logits, generator=generator), logits)
            loss = reconstruction_loss(model.decode(code), batch) * len(batch)
            parts.append((loss, log_q.exp().sum(0), categorical_kl(log_q, model.log_prior()).sum(0)))
    reconstruction, usage, latent_kl = (
        (sum(part) / len(images)).cpu().numpy() for part in zip(*parts, strict=True)
    )
    return Evaluation(Terms(float(reconstruction), float(latent_kl.sum())), usage, latent_kl)


def image_information(log_q: Tensor) -> Tensor:
    """I(z_n; x), (N,): how much each latent says of the image, in nats.

    log_q: log q(z_n|x) for all images there are, (M, N, K)
    """
    q = log_q.exp()
    usage = q.mean(0)
    information = (q * log_q).sum(-1).mean(0) - torch.xlogy(usage, usage).sum(-1)
    # Rounding may leave a dead latent a hair below 0.
    return information.clamp(min=0)


def is_dead(information: NDArray[np.floating]) -> Bools:
    """Which latents (N,) are dead: of the image they say less than `DEAD` nats, (N,).

    Not by their KL: a latent may pay for being unlike the prior and say nothing with it. Burda et al. 2016
    call a unit active in the same sense: its posterior varies with the image.
    """
    return np.asarray(information < DEAD)


def evaluate_bound(model: CategoricalVAE, images: Tensor, samples: int) -> float:
    """The m-sample bound, in nats an image, as Jang et al. 2017 report it for m = 1000."""
    return float(torch.cat([*bounds(model, images, samples)]).mean())


def bounds(model: CategoricalVAE, images: Tensor, samples: int) -> Iterator[Tensor]:
    """The m-sample bound of each image (B, D), in nats, in parts (b,) of double precision on the CPU."""
    generator = torch.Generator(images.device).manual_seed(SEED)
    with evaluating(model):
        for batch in images.split(max(1, BOUND_ROWS // samples)):
            yield sample_bound(model, batch, samples, generator=generator).cpu().double()


@torch.no_grad()
def sample_bound(
    model: CategoricalVAE, images: Tensor, samples: int, *, generator: torch.Generator | None = None
) -> Tensor:
    """`-log 1/m sum_i p(x|z_i) p(z_i) / q(z_i|x)`, z_i one-hot from q: (B,) for images (B, D), m samples.

    A bound on -log p(x) where pixels are bits, and only by what the normalisation layers have learned: in
    training they would read the other samples. So the model has to be in evaluation mode.
    """
    log_q = log_softmax(model.encode(images)).unsqueeze(1)  # (B, 1, N, K)
    log_q = log_q.expand(-1, samples, -1, -1)
    code = one_hot(gumbel_max(log_q, generator=generator), log_q)  # (B, m, N, K)
    log_ratio = ((model.log_prior() - log_q) * code).sum((-2, -1))  # (B, m)
    # The normalisation layers read rows.
    pixel_logits = model.decode(code.flatten(0, 1)).unflatten(0, code.shape[:2])  # (B, m, D)
    # log p(x|z) = sum_d x a - softplus(a): one product, where a cross-entropy would copy the image m times.
    scores = pixel_logits @ images.unsqueeze(-1)
    log_likelihood = scores.squeeze(-1) - softplus(pixel_logits).sum(-1)
    bound: Tensor = math.log(samples) - (log_ratio + log_likelihood).logsumexp(1)
    return bound


@torch.no_grad()
def reconstruct(model: CategoricalVAE, images: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
    """Mean images (B, D) in [0, 1], each decoded from one one-hot sample of its image's code."""
    with evaluating(model):
        logits = model.encode(images)
        return model.decode(one_hot(gumbel_max(logits, generator=generator), logits)).sigmoid()


@torch.no_grad()
def sample(model: CategoricalVAE, count: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Mean images (count, D) in [0, 1], decoded from one-hot codes drawn from the prior."""
    with evaluating(model):
        log_p = model.log_prior().expand(count, -1, -1)
        return model.decode(one_hot(gumbel_max(log_p, generator=generator), log_p)).sigmoid()


@contextmanager
def evaluating(model: CategoricalVAE) -> Iterator[None]:
    """For the time of a block, the normalisation layers use what they have learned."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)
