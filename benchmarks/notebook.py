"""A training loop written as a university notebook's is: what `benchmarks.training` measures ours against.

After A. Pervez, "Sampling Discrete Structures", UvA Deep Learning Tutorials, on a CPU. Its operations are
kept: a DataLoader that makes a tensor of each image by itself, double-log noise with an eps, a decoder that
ends in a sigmoid, plain Adam, and for the unrelaxed loss a second pass of the whole model, with one-hot
samples from `torch.distributions` and its graph recorded.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.distributions import OneHotCategorical
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import MNIST

from gumbel_core.datasets import data_dir

LATENTS, CATEGORIES = 30, 10
TAU = 1.0
EPS = 1e-20
EPOCHS, EPOCH_STEPS = 10, 600


class NotebookVAE(nn.Module):
    """784-512-256-(30 x 10) and back. The ReLU that closes the encoder is the notebook's."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(784, 512), nn.ReLU(),
            nn.Linear(512, 256), nn.ReLU(),
            nn.Linear(256, LATENTS * CATEGORIES), nn.ReLU(),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(LATENTS * CATEGORIES, 256), nn.ReLU(),
            nn.Linear(256, 512), nn.ReLU(),
            nn.Linear(512, 784), nn.Sigmoid(),
        )  # fmt: skip

    def loss(self, images: Tensor, hard: bool = False) -> Tensor:
        """Cross-entropy of the pixels (B, 1, 28, 28) plus KL, averaged over images."""
        pixels = images.view(-1, 784)
        logits = self.encoder(pixels).view(-1, LATENTS, CATEGORIES)
        if hard:
            code = OneHotCategorical(logits=logits).sample()
        else:
            noise = -torch.log(-torch.log(torch.rand(logits.shape) + EPS) + EPS)
            code = functional.softmax((logits + noise) / TAU, dim=-1)
        means = self.decoder(code.flatten(1))
        reconstruction = functional.binary_cross_entropy(means, pixels, reduction="sum") / len(images)
        probabilities = functional.softmax(logits, dim=-1).flatten(1)
        log_ratio = torch.log(probabilities * CATEGORIES + EPS)
        return reconstruction + torch.sum(probabilities * log_ratio, dim=-1).mean()


def steps() -> Iterator[tuple[float, float]]:
    """Train for as long as it is asked: the relaxed and the unrelaxed loss of each step."""
    mnist = MNIST(str(data_dir()), train=True, transform=transforms.ToTensor())
    loader = DataLoader(mnist, batch_size=100, shuffle=True)
    model = NotebookVAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    while True:
        for images, _ in loader:
            optimizer.zero_grad()
            relaxed = model.loss(images)
            relaxed.backward()
            relaxed_loss = relaxed.item()
            optimizer.step()
            unrelaxed = model.loss(images, hard=True)
            yield relaxed_loss, unrelaxed.item()
