"""The categorical VAE: an encoder to N categoricals of K categories, and a decoder from their one-hots.

    image x (B, D) -> encode -> logits (B, N, K) -> a sample z (B, N, K) -> decode -> pixel logits (B, D)

After Jang et al. 2017 (arXiv:1611.01144), section 4. How z is sampled is not the model's business: see
`gumbel_core.surrogates`.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from gumbel_core.checks import check_name, check_whole

NORMALISATIONS: Mapping[str, Callable[[int], nn.Module]] = {
    "none": lambda width: nn.Identity(),
    "batch": nn.BatchNorm1d,
    "layer": nn.LayerNorm,
}
ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}
# What the encoder does to its last layer. Two tutorials end in a ReLU, which cuts off every negative logit.
LOGITS: Mapping[str, Callable[[Tensor], Tensor]] = {"raw": lambda logits: logits, "relu": torch.relu}
PRIORS = ("uniform", "learned")

MAX_PIXELS, MAX_WIDTH, MAX_LAYERS = 16_384, 4_096, 8
LATENTS, CATEGORIES = (1, 256), (2, 256)


@dataclass(frozen=True)
class ModelConfig:
    """The architecture. Layers between `pixels` and the code, and back, are hidden widths in order."""

    pixels: int = 784
    encoder: tuple[int, ...] = (512, 256)
    decoder: tuple[int, ...] = (256, 512)
    latents: int = 30
    categories: int = 10
    normalisation: str = "none"
    activation: str = "relu"
    logits: str = "raw"
    prior: str = "uniform"

    def __post_init__(self) -> None:
        check_whole("The number of pixels", self.pixels, (1, MAX_PIXELS))
        check_whole("The number of latents", self.latents, LATENTS)
        check_whole("The number of categories", self.categories, CATEGORIES)
        for name, widths in {"encoder": self.encoder, "decoder": self.decoder}.items():
            if not isinstance(widths, tuple) or len(widths) > MAX_LAYERS:
                raise ValueError(f"The {name} is a tuple of at most {MAX_LAYERS} widths, not {widths!r}.")
            for width in widths:
                check_whole(f"A width of the {name}", width, (1, MAX_WIDTH))
        check_name("normalisation", self.normalisation, NORMALISATIONS)
        check_name("activation", self.activation, ACTIVATIONS)
        check_name("kind of logits", self.logits, LOGITS)
        check_name("prior", self.prior, PRIORS)


class CategoricalVAE(nn.Module):
    """Encoder, decoder and prior. Shapes: B images of D pixels, N latents, K categories."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        code = config.latents * config.categories
        self.encoder = _layers([config.pixels, *config.encoder, code], config)
        self.decoder = _layers([code, *config.decoder, config.pixels], config)
        prior = torch.zeros(config.latents, config.categories)
        self.prior_logits = nn.Parameter(prior, requires_grad=config.prior == "learned")

    def encode(self, images: Tensor) -> Tensor:
        """The posterior's logits (B, N, K) for images (B, D) in [0, 1]."""
        logits: Tensor = LOGITS[self.config.logits](self.encoder(images))
        return logits.view(-1, self.config.latents, self.config.categories)

    def decode(self, code: Tensor) -> Tensor:
        """Pixel logits (..., D) for codes (..., N, K), one-hot or relaxed."""
        pixel_logits: Tensor = self.decoder(code.flatten(-2))
        return pixel_logits

    def log_prior(self) -> Tensor:
        """log p(z) of each category, (N, K)."""
        if self.config.prior == "uniform":
            return torch.full_like(self.prior_logits, -math.log(self.config.categories))
        return self.prior_logits.log_softmax(-1)


@contextmanager
def untaught(module: nn.Module) -> Iterator[None]:
    """For the time of a block, batch normalisation reads the batch's statistics and keeps none of them."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm1d)]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


def _layers(widths: list[int], config: ModelConfig) -> nn.Sequential:
    """Linear layers with a normalisation and an activation between each two."""
    normalised, activated = NORMALISATIONS[config.normalisation], ACTIVATIONS[config.activation]
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), normalised(outputs), activated()]
    return nn.Sequential(*layers[:-2])
