"""Inside one image's code: read it, change a latent and look again, resample it, walk to another image's.

A code is the category of each of N latents, counted from 0: int64, (..., N). A picture (..., D) is the mean
image in [0, 1] that a code decodes to. The model is in evaluation mode for the time of a call, and is left as
it was. Nothing carries a gradient.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from gumbel_core.checks import check_name, check_whole
from gumbel_core.sampling import gumbel_max, gumbel_noise, gumbel_softmax
from gumbel_core.surrogates import one_hot
from gumbel_core.vae.evaluation import evaluating
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.objective import Terms, categorical_kl, log_softmax, softplus

# Of one image, or of the prior, at once.
SAMPLES = (1, 1_000)


@torch.no_grad()
def logits_of(model: CategoricalVAE, images: Tensor) -> Tensor:
    """The encoder's logits (B, N, K) for images (B, D) in [0, 1]."""
    with evaluating(model):
        return model.encode(images)


def posterior(model: CategoricalVAE, images: Tensor) -> Tensor:
    """q(z|x), the probability of each category: (B, N, K) for images (B, D) in [0, 1]."""
    return log_softmax(logits_of(model, images)).exp()


@torch.no_grad()
def latent_kl(model: CategoricalVAE, logits: Tensor) -> Tensor:
    """KL(q(z_n|x) || p(z_n)), (..., N): the nats that each latent carries of an image.

    logits: what the encoder says of it, (..., N, K)
    """
    return categorical_kl(log_softmax(logits.double()), model.log_prior().double())


def best_code(model: CategoricalVAE, images: Tensor) -> Tensor:
    """The most probable category of each latent, (B, N): as latents are independent, the posterior's mode."""
    return logits_of(model, images).argmax(-1)


def drawn_code(
    model: CategoricalVAE,
    images: Tensor,
    *,
    noise: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """A sample of the posterior, (B, N): argmax of logits and Gumbel noise (B, N, K)."""
    return gumbel_max(logits_of(model, images), noise=noise, generator=generator)


def pictures_of(model: CategoricalVAE, codes: Tensor) -> Tensor:
    """The pictures (..., D) of codes (..., N). Raises ValueError for what is no code of the model."""
    return _pixel_logits(model, _one_hots(model, codes)).sigmoid()


def flipped(code: Tensor, latent: int, category: int) -> Tensor:
    """The code (N,) with one latent changed: a new tensor. Raises ValueError for a latent that it lacks."""
    _check_place("latent", latent, len(code))
    changed = code.clone()
    changed[latent] = category
    return changed


def sweep(model: CategoricalVAE, code: Tensor, latent: int) -> Tensor:
    """The pictures (K, D) of a code (N,) with one latent in each of its categories."""
    _check_place("latent", latent, len(code))
    codes = code.repeat(model.config.categories, 1)
    codes[:, latent] = torch.arange(model.config.categories)
    return pictures_of(model, codes)


@dataclass(frozen=True)
class CodeLoss:
    """Of one image x under one code z, in nats.

    With z drawn from q, `terms.total` and `sampled_total` both have the negative ELBO as their mean (where
    pixels are bits; of grey ones it is a mean of cross-entropies). The first takes the KL exactly.
    """

    terms: Terms  # -log p(x|z), and KL(q(z|x) || p(z)), which is the image's and the same for every code
    posterior: float  # -log q(z|x): how far the code is from what the encoder says
    prior: float  # -log p(z): N log K for every code where the prior is uniform

    @property
    def sampled_total(self) -> float:
        """-log p(x|z) p(z) / q(z|x), in which the code itself stands for the KL."""
        return self.terms.reconstruction + self.prior - self.posterior


@torch.no_grad()
def loss_of(model: CategoricalVAE, image: Tensor, code: Tensor, *, logits: Tensor | None = None) -> CodeLoss:
    """What the code (N,) costs, whoever chose it, for an image (D,) in [0, 1].

    logits: what the encoder says of the image, (N, K), for whoever has encoded it already
    """
    if logits is None:
        logits = logits_of(model, image.unsqueeze(0))[0]
    log_q, log_p = log_softmax(logits.double()), model.log_prior().double()
    chosen = _one_hots(model, code).bool()
    return CodeLoss(
        Terms(float(reconstruction_of(model, image, code)), float(latent_kl(model, logits).sum())),
        float(-log_q[chosen].sum()),
        float(-log_p[chosen].sum()),
    )


def reconstruction_of(model: CategoricalVAE, image: Tensor, codes: Tensor) -> Tensor:
    """-log p(x|z) in nats, (...), of one image (D,) under each of the codes (..., N): double precision."""
    return _cross_entropy(_pixel_logits(model, _one_hots(model, codes)), image)


@dataclass(frozen=True)
class Resampled:
    """R samples of one image's posterior at a temperature. Soft and hard ones share their noise."""

    temperature: float
    codes: Tensor  # (R, N): the category that wins in each sample, at every temperature the same
    soft: Tensor  # (R, D): pictures of the relaxed samples
    hard: Tensor  # (R, D): pictures of the one-hots
    best: Tensor  # (D,): the picture of the posterior's mode
    soft_loss: Tensor  # (R,): -log p(x|z) in nats, in double precision
    hard_loss: Tensor  # (R,)
    best_loss: float

    @property
    def soft_mean(self) -> Tensor:
        return self.soft.mean(0)

    @property
    def hard_mean(self) -> Tensor:
        return self.hard.mean(0)

    @property
    def soft_spread(self) -> Tensor:
        """The standard deviation of each pixel (D,) over the samples: 0 for a single one."""
        return self.soft.std(0, correction=0)

    @property
    def hard_spread(self) -> Tensor:
        return self.hard.std(0, correction=0)


@torch.no_grad()
def resampled(
    model: CategoricalVAE,
    image: Tensor,
    temperature: float,
    count: int,
    *,
    generator: torch.Generator | None = None,
) -> Resampled:
    """An image (D,) in [0, 1], encoded once and sampled `count` times.

    Raises ValueError for a temperature or a count out of range.
    """
    check_whole("The number of samples", count, SAMPLES)
    logits = logits_of(model, image.unsqueeze(0))
    many = logits.expand(count, -1, -1)
    noise = gumbel_noise(many.shape, generator=generator)
    codes, best = gumbel_max(many, noise=noise), logits.argmax(-1)
    soft, hard, mode = (
        _pixel_logits(model, z)
        for z in (gumbel_softmax(many, temperature, noise=noise), one_hot(codes, many), one_hot(best, logits))
    )
    return Resampled(
        float(temperature), codes,
        soft.sigmoid(), hard.sigmoid(), mode[0].sigmoid(),
        _cross_entropy(soft, image), _cross_entropy(hard, image), float(_cross_entropy(mode, image)),
    )  # fmt: skip


@dataclass(frozen=True)
class Walk:
    """From one code to another in S flips, S being the latents in which they differ."""

    latents: Tensor  # (S,): the latent that each step flips
    codes: Tensor  # (S + 1, N): the first is the start's, the last the end's
    pictures: Tensor  # (S + 1, D)
    loss_to_start: Tensor  # (S + 1,): -log p(x|z) in nats of the start's image, in double precision
    loss_to_end: Tensor  # (S + 1,): of the end's image


# (model, start (N,), end (N,), the end's image (D,), generator) -> the latents that differ, (S,), in an order
Order = Callable[[CategoricalVAE, Tensor, Tensor, Tensor, torch.Generator | None], Tensor]


def by_effect(
    model: CategoricalVAE, start: Tensor, end: Tensor, image: Tensor, generator: torch.Generator | None
) -> Tensor:
    """At each step the flip that lowers the loss of the end's image the most, or raises it the least.

    Greedy: it looks one flip ahead, by decoding all that are left, S (S + 1) / 2 codes in all. The generator
    is not read.
    """
    code, left, latents = start, _differing(start, end), []
    while left:
        tries = torch.stack([flipped(code, latent, int(end[latent])) for latent in left])
        first = int(reconstruction_of(model, image, tries).argmin())
        code = tries[first]
        latents.append(left.pop(first))
    return torch.tensor(latents, dtype=torch.int64)


def at_random(
    model: CategoricalVAE, start: Tensor, end: Tensor, image: Tensor, generator: torch.Generator | None
) -> Tensor:
    """Every order is equally probable."""
    latents = torch.tensor(_differing(start, end), dtype=torch.int64)
    return latents[torch.randperm(len(latents), generator=generator)]


ORDERS: Mapping[str, Order] = {"effect": by_effect, "random": at_random}


def walk(
    model: CategoricalVAE,
    start: Tensor,
    end: Tensor,
    start_image: Tensor,
    end_image: Tensor,
    *,
    order: str = "effect",
    generator: torch.Generator | None = None,
) -> Walk:
    """Flip the latents in which two codes (N,) differ, one at a time, and look at each step.

    Raises ValueError for an unknown order and for what is no code of the model.
    """
    check_name("order", order, ORDERS)
    _check_codes(model, torch.stack([start, end]))
    latents = ORDERS[order](model, start, end, end_image, generator)
    codes = [start]
    for latent in latents.tolist():
        codes.append(flipped(codes[-1], latent, int(end[latent])))
    path = torch.stack(codes)
    pixel_logits = _pixel_logits(model, _one_hots(model, path))
    to_start, to_end = (_cross_entropy(pixel_logits, image) for image in (start_image, end_image))
    return Walk(latents, path, pixel_logits.sigmoid(), to_start, to_end)


@torch.no_grad()
def prior_codes(model: CategoricalVAE, count: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Codes (count, N) drawn from the prior. Raises ValueError for a count out of range."""
    check_whole("The number of samples", count, SAMPLES)
    return gumbel_max(model.log_prior().expand(count, -1, -1), generator=generator)


@torch.no_grad()
def redrawn(
    model: CategoricalVAE,
    codes: Tensor,
    sample: int,
    latent: int,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The codes (M, N) with one latent of one of them drawn anew from the prior: a new tensor.

    What was a sample of the prior is one again, for its latents are independent. One draw in K, where the
    prior is uniform, is the category that was there.
    """
    _check_place("sample", sample, len(codes))
    _check_place("latent", latent, codes.shape[-1])
    changed = codes.clone()
    changed[sample, latent] = gumbel_max(model.log_prior()[latent], generator=generator)
    return changed


def _differing(start: Tensor, end: Tensor) -> list[int]:
    latents: list[int] = (start != end).nonzero().flatten().tolist()
    return latents


def _one_hots(model: CategoricalVAE, codes: Tensor) -> Tensor:
    """(..., N, K), in the model's precision."""
    _check_codes(model, codes)
    return one_hot(codes, model.prior_logits.detach().expand(*codes.shape, -1))


@torch.no_grad()
def _pixel_logits(model: CategoricalVAE, z: Tensor) -> Tensor:
    """Pixel logits (..., D) of one-hot or relaxed codes (..., N, K)."""
    # The normalisation layers read rows.
    rows = z.reshape(-1, *z.shape[-2:])
    with evaluating(model):
        return model.decode(rows).view(*z.shape[:-2], -1)


def _cross_entropy(pixel_logits: Tensor, image: Tensor) -> Tensor:
    """-log p(x|z) in nats, (...), of an image (D,): `sum_d softplus(a) - x a`, in double precision."""
    a = pixel_logits.double()
    return softplus(a).addcmul_(a, image.double(), value=-1).sum(-1)


def _check_codes(model: CategoricalVAE, codes: Tensor) -> None:
    latents, categories = model.config.latents, model.config.categories
    whole = codes.dtype == torch.int64 and codes.ndim > 0 and codes.shape[-1] == latents
    if not whole or (codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < categories):
        raise ValueError(
            f"A code of this model is {latents} categories, whole numbers from 0 to {categories - 1}."
        )


def _check_place(what: str, place: int, count: int) -> None:
    if not 0 <= place < count:
        raise ValueError(f"The {what} is one of {count}, counted from 0, not {place}.")
