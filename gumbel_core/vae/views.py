"""What a model makes of its images at one moment: small arrays to look at, as bytes."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.sampling import gumbel_noise, gumbel_softmax
from gumbel_core.surrogates import one_hot
from gumbel_core.vae.evaluation import evaluating, sample
from gumbel_core.vae.model import CategoricalVAE

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
    usage: Array  # (N, K): the mean posterior of the shown images


@torch.no_grad()
def frame_of(model: CategoricalVAE, images: Tensor, *, step: int, temperature: float) -> Frame:
    """A frame of the model as it stands, for images (SHOWN, D) in [0, 1]."""
    generator = torch.Generator(images.device).manual_seed(SEED)
    with evaluating(model):
        logits = model.encode(images)
        noise = gumbel_noise(logits.shape, generator=generator, device=images.device)
        relaxed = gumbel_softmax(logits, temperature, noise=noise)
        hard = one_hot((logits + noise).argmax(-1), logits)
        soft_images, hard_images = model.decode(relaxed).sigmoid(), model.decode(hard).sigmoid()
    posterior = logits.softmax(-1)
    return Frame(
        step,
        temperature,
        as_bytes(images),
        as_bytes(soft_images),
        as_bytes(hard_images),
        as_bytes(sample(model, SAMPLES, generator=generator)),
        posterior[0].cpu().numpy(),
        posterior.mean(0).cpu().numpy(),
    )


def as_bytes(images: Tensor) -> Bytes:
    """Images in [0, 1] as bytes."""
    return (images * 255).round().to(torch.uint8).cpu().numpy()
