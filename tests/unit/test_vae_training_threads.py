"""Runs that begin at once, in threads: PyTorch's one global generator serves each of them alone."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gumbel_core.datasets import Dataset, load
from gumbel_core.vae import training as module
from gumbel_core.vae.config import TrainConfig
from gumbel_core.vae.model import CategoricalVAE, ModelConfig
from gumbel_core.vae.training import Training

CONFIG = TrainConfig(model=ModelConfig(pixels=64, encoder=(8,), decoder=(8,), latents=3, categories=4))
SEEDS = (0, 1)
# Far longer than a model takes to build: only a deadlock waits for it.
PATIENCE = 30.0


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def alone(digits: Dataset) -> list[dict[str, Tensor]]:
    """The first weights of each seed, drawn with nobody beside it."""
    return [first_weights(seed, digits) for seed in SEEDS]


def first_weights(seed: int, dataset: Dataset) -> dict[str, Tensor]:
    return Training(replace(CONFIG, seed=seed), dataset).state().model


class TellingLock:
    """A lock that tells when somebody finds it taken."""

    def __init__(self, taken: threading.Event) -> None:
        self.lock, self.taken = threading.Lock(), taken

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.taken.set()
            self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


@pytest.fixture
def begun_at_once(monkeypatch: pytest.MonkeyPatch, digits: Dataset) -> Callable[[], list[dict[str, Tensor]]]:
    """The first weights of two runs. The second begins when the first has seeded, and not yet drawn.

    The first goes on when the second has drawn its weights or stands before a lock, and the second leaves
    its model after the first: without a lock these are the turns that do the most harm.
    """
    seeded, met, first_done = threading.Event(), threading.Event(), threading.Event()

    class Slow(CategoricalVAE):
        def __init__(self, config: ModelConfig) -> None:
            if seeded.is_set():
                super().__init__(config)
                met.set()
                assert first_done.wait(PATIENCE)
            else:
                seeded.set()
                assert met.wait(PATIENCE)
                super().__init__(config)

    def first() -> dict[str, Tensor]:
        try:
            return first_weights(SEEDS[0], digits)
        finally:
            first_done.set()

    def second() -> dict[str, Tensor]:
        assert seeded.wait(PATIENCE)
        return first_weights(SEEDS[1], digits)

    def begin() -> list[dict[str, Tensor]]:
        with ThreadPoolExecutor(2) as pool:
            runs = [pool.submit(first), pool.submit(second)]
        return [run.result() for run in runs]

    monkeypatch.setattr(module, "CategoricalVAE", Slow)
    monkeypatch.setattr(module, "_DRAWING", TellingLock(met))
    return begin


def test_two_runs_that_begin_at_once_have_the_weights_of_their_seeds(
    alone: list[dict[str, Tensor]], begun_at_once: Callable[[], list[dict[str, Tensor]]]
) -> None:
    for found, wanted in zip(begun_at_once(), alone, strict=True):
        assert list(found) == list(wanted)
        for name, tensor in wanted.items():
            assert torch.equal(found[name], tensor), name


def test_they_leave_the_global_generator_as_it_was(
    begun_at_once: Callable[[], list[dict[str, Tensor]]],
) -> None:
    with torch.random.fork_rng(devices=[]):
        # A state that no run beginning before this test can have left.
        torch.default_generator.manual_seed(123)
        before = torch.get_rng_state()
        begun_at_once()
        assert torch.equal(torch.get_rng_state(), before)


def test_seeds_tell_the_weights_apart(alone: list[dict[str, Tensor]]) -> None:
    first, second = (weights["encoder.0.weight"] for weights in alone)
    assert not torch.equal(first, second)
