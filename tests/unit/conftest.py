"""What several unit tests share: a small random model and its images, a clock that is turned on by hand, a
checkpoint."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from gumbel_core.checkpoints import save
from gumbel_core.vae.model import CategoricalVAE, ModelConfig
from tests.unit.checkpoints import COMMAND, SHA256, config, stopped

IMAGES, PIXELS, LATENTS, CATEGORIES = 40, 6, 5, 3
CONFIG = ModelConfig(
    pixels=PIXELS,
    encoder=(8,),
    decoder=(8,),
    latents=LATENTS,
    categories=CATEGORIES,
    normalisation="batch",
    prior="learned",
)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(IMAGES, PIXELS, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def model(images: Tensor) -> Iterator[CategoricalVAE]:
    """In training, with random weights, a prior that is not uniform, and layers that have seen images."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CategoricalVAE(CONFIG)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape))
            model.decode(model.encode(images))
        yield model


class Clock(SimpleNamespace):
    """What leases read the time from."""

    now: float = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gumbel_core.vae.sharing.time", clock)
    return clock


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run as it was left in the middle of its second epoch."""
    save(tmp_path / "run", stopped(config()), dataset_sha256=SHA256, command=COMMAND)
    return tmp_path / "run"
