"""What a model makes of its images at one moment: small arrays to look at, as bytes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.sampling import gumbel_max, gumbel_noise, gumbel_softmax
from gumbel_core.surrogates import one_hot
from gumbel_core.vae.evaluation import Bools, evaluating, image_information, is_dead, sample
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.objective import categorical_kl, log_softmax

Bytes = NDArray[np.uint8]
Array = NDArray[np.float32]

SHOWN, SAMPLES = 8, 64
# The same noise in every frame: what changes in the pictures is the model.
SEED = 0


@dataclass(frozen=True)
class Frame:
    """Pictures (..., D) as bytes, and what the code looks like."""

    step: int
    temperature: float
    originals: Bytes  # (SHOWN, D)
    soft: Bytes  # (SHOWN, D): decoded from relaxed samples
    hard: Bytes  # (SHOWN, D): decoded from the one-hots of the same noise
    samples: Bytes  # (SAMPLES, D): decoded from one-hot codes of the prior
    code: Array  # (N, K): the posterior of the first image
    drawn: NDArray[np.int64]  # (N,): the category of each latent in its hard sample
    usage: Array  # (N, K): the mean posterior of all images
    latent_kl: Array  # (N,): nats that each latent costs, a mean over all images
    image_information: Array  # (N,): nats of that which each latent says of the image

    @property
    def dead(self) -> Bools:
        """The latents (N,) that say next to nothing of the image."""
        return is_dead(self.image_information)


@torch.no_grad()
def frame_of(model: CategoricalVAE, images: Tensor, *, step: int, temperature: float) -> Frame:
    """A frame of the model as it stands, for images (B, D) in [0, 1], of which the first are shown."""
    shown = images[:SHOWN]
    generator = torch.Generator(images.device).manual_seed(SEED)
    with evaluating(model):
        logits = model.encode(images)
        noise = gumbel_noise(logits[:SHOWN].shape, generator=generator, device=images.device)
        relaxed = gumbel_softmax(logits[:SHOWN], temperature, noise=noise)
        drawn = gumbel_max(logits[:SHOWN], noise=noise)
        soft_images = model.decode(relaxed).sigmoid()
        hard_images = model.decode(one_hot(drawn, noise)).sigmoid()
    log_q = log_softmax(logits)
    return Frame(
        step,
        temperature,
        as_bytes(shown),
        as_bytes(soft_images),
        as_bytes(hard_images),
        as_bytes(sample(model, SAMPLES, generator=generator)),
        log_q[0].exp().cpu().numpy(),
        drawn[0].cpu().numpy(),
        log_q.exp().mean(0).cpu().numpy(),
        categorical_kl(log_q, model.log_prior()).mean(0).cpu().numpy(),
        image_information(log_q).cpu().numpy(),
    )


def as_bytes(images: Tensor) -> Bytes:
    """Images in [0, 1] as bytes."""
    return (images * 255).round().to(torch.uint8).cpu().numpy()
