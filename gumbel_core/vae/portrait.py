"""A trained model as a whole: what each latent carries, of the image and of its class; who is near whom.

The sums run over the posteriors q(z_n|x) of all images, exactly: nothing is sampled. With x drawn from the
images, y its class and z_n drawn from q(z_n|x),

    I(z_n; y) <= I(z_n; x) = mean KL(q(z_n|x) || q(z_n)) = mean KL(q(z_n|x) || p) - KL(q(z_n) || p)

the first because z_n sees the class only through the image (data processing: Cover, Thomas, "Elements of
Information Theory", 2006, section 2.8), the last as in Hoffman, Johnson, "ELBO surgery", 2016. So no latent
says more of the class than its KL, nor than log K, nor than the entropy of the classes.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import rel_entr
from torch import Tensor

from gumbel_core.datasets import CLASSES
from gumbel_core.vae.evaluation import BATCH, Bools, evaluating, is_dead
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.objective import log_softmax

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Portrait:
    """N latents of K categories over a set of images of C classes. Information in nats."""

    class_shares: Array  # (C,): p(y)
    class_usage: Array  # (C, N, K): p(category | class); zeros for a class without an image
    usage: Array  # (N, K): q(z_n), the mean posterior
    latent_kl: Array  # (N,): the mean of KL(q(z_n|x) || p), as the loss has it
    image_information: Array  # (N,): I(z_n; x)

    @property
    def class_divergence(self) -> Array:
        """KL(q(z_n|y) || q(z_n)), (C, N): how much a latent says when the class is y. Zeros for no image."""
        return np.asarray(rel_entr(self.class_usage, self.usage).sum(-1))

    @property
    def class_information(self) -> Array:
        """I(z_n; y), (N,): how much a latent says of the class, in the mean over classes."""
        return np.asarray(self.class_shares @ self.class_divergence)

    @property
    def class_entropy(self) -> float:
        """H(y): what there is to say of the class."""
        return float(-rel_entr(self.class_shares, 1).sum())

    @property
    def dead(self) -> Bools:
        """The latents (N,) that say next to nothing of the image."""
        return is_dead(self.image_information)


@torch.no_grad()
def portrait(model: CategoricalVAE, images: Tensor, labels: Tensor, *, classes: int = CLASSES) -> Portrait:
    """Of images (M, D) in [0, 1] and their classes (M,), from 0. The model is left in the mode it was in.

    Raises ValueError if there are no images, or not a class for each.
    """
    if not len(images) or labels.shape != images.shape[:1] or not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(f"Each image needs a class from 0 to {classes - 1}, and there has to be an image.")
    log_prior = model.log_prior().double().numpy()
    # Sums over images: of q by class (C, N, K), and of q log q (N,).
    by_class, certainty = np.zeros((classes, *log_prior.shape)), np.zeros(len(log_prior))
    with evaluating(model):
        for batch, those in zip(images.split(BATCH), labels.split(BATCH), strict=True):
            q = log_softmax(model.encode(batch).double()).exp().numpy()
            np.add.at(by_class, those.numpy(), q)
            certainty += rel_entr(q, 1).sum((0, -1))
    counts = np.bincount(labels.numpy(), minlength=classes)
    usage, certainty = by_class.sum(0) / len(images), certainty / len(images)
    return Portrait(
        counts / len(images),
        by_class / counts.clip(min=1)[:, None, None],
        usage,
        # Means of q log q - q log p, and of q log q - q log q(z_n): the second do not vary with x.
        # Rounding may leave a dead latent a hair below 0.
        (certainty - (usage * log_prior).sum(-1)).clip(min=0),
        (certainty - rel_entr(usage, 1).sum(-1)).clip(min=0),
    )


class Nearest(NamedTuple):
    """Of a set, the nearest first; of equally near ones the one with the smaller index."""

    indices: Tensor  # (count,) int64
    distances: Tensor  # (count,)


def nearest_in_code(codes: Tensor, code: Tensor, count: int) -> Nearest:
    """By Hamming distance, the number of latents in which codes (M, N) and a code (N,) differ.

    A dead latent's category says nothing, and its differences are noise: leave it out of both beforehand.
    """
    return _nearest((codes != code).sum(-1), count)


def nearest_in_pixels(images: Tensor, image: Tensor, count: int) -> Nearest:
    """By Euclidean distance between images (M, D) and an image (D,), in [0, 1]."""
    # `torch.cdist` takes a product for it, which rounds: equal images would be a little apart.
    return _nearest((images - image).square_().sum(-1).sqrt_(), count)


def _nearest(distances: Tensor, count: int) -> Nearest:
    if not 1 <= count <= len(distances):
        raise ValueError(f"The nearest are 1 to {len(distances)} of the set, not {count}.")
    indices = distances.argsort(stable=True)[:count]
    return Nearest(indices, distances[indices])
