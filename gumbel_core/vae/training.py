"""Training a categorical VAE: a generator of records that knows nothing of who watches.

    training = Training(TrainConfig(dataset="digits"), load("digits"))
    for record in training.records():      # a StepRecord, and after each pass over the data an EpochRecord
        ...

A run may be left at any record and taken up again, in another process, from `training.state()`: the
randomness of step t is seeded by (seed, t), so there is no generator to keep, and on one machine the resumed
run ends with the same bits.
"""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np
import torch
from torch import Tensor

from gumbel_core.datasets import Dataset, binarised, test_images, unit, with_pixels
from gumbel_core.surrogates import SURROGATES, one_hot
from gumbel_core.vae.config import OPTIMISERS, TrainConfig
from gumbel_core.vae.evaluation import evaluate, reconstruct
from gumbel_core.vae.model import CategoricalVAE, untaught
from gumbel_core.vae.objective import Terms, categorical_kl, log_softmax, reconstruction_loss
from gumbel_core.vae.records import EpochRecord, EpochSummary, Record, StepRecord, Sums

# Test images whose reconstructions are kept at each epoch.
SHOWN = 8
# A temperature below this is the first suspect when a loss is not finite.
COLD = 0.1
# What random numbers are drawn for; each has its own stream of a run's seed.
WEIGHTS, ORDER, NOISE, RECONSTRUCTIONS = range(4)
# Held while first weights are drawn. All threads share PyTorch's global generator: a run that begins at the
# same time would seed it anew in the middle, or put back a state that is not the one it was found in.
_DRAWING = threading.Lock()


class TrainingDivergedError(RuntimeError):
    """A loss or a gradient is not finite. The run stands again where it last was known to be good."""

    def __init__(self, step: int, term: str, temperature: float, learning_rate: float) -> None:
        cause = (
            f"a temperature as small as {temperature:.3g}"
            if temperature < COLD
            else f"a learning rate as high as {learning_rate:.3g}"
        )
        super().__init__(
            f"Training stopped at step {step}: the {term} is not finite. The likely cause is {cause}. The "
            "last good weights are kept."
        )
        self.step, self.term = step, term


@dataclass(frozen=True)
class TrainingState:
    """All that a run needs to go on: tensors by name, and plain numbers."""

    config: TrainConfig
    model: dict[str, Tensor]
    optimiser: dict[str, Tensor]  # empty when the run is done
    step: int
    sums: Sums
    history: list[EpochSummary]


class Training:
    """A run: the model, its optimiser, and the step they stand at."""

    def __init__(
        self, config: TrainConfig, dataset: Dataset, *, device: torch.device | str = "cpu", hard: bool = True
    ) -> None:
        """With `hard`, a relaxed run reports its hard loss each step too, at the price of a second decoding.

        Raises ValueError where the config and the data set do not fit each other.
        """
        _check_fit(config, dataset)
        self.shape = dataset.shape
        self.config, self.hard, self.device = config, hard, torch.device(device)
        self.images = with_pixels(dataset, config.pixels).train.to(self.device)
        self.test = test_images(dataset, config.pixels).to(self.device)
        self.model = _initialised(config).to(self.device)
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimiser = OPTIMISERS[config.optimiser](trained)
        self.noise = torch.Generator(self.device)
        self.order, self.ordered_epoch = torch.empty(0), -1
        # What is left over behind the last whole batch has its chance in the next epoch's order.
        self.epoch_steps = len(self.images) // config.batch
        self.steps = self.epoch_steps * config.epochs
        self.step, self.sums = 0, Sums()
        self.history: list[EpochSummary] = []
        self.last_good = self.state()

    @classmethod
    def resume(
        cls,
        state: TrainingState,
        dataset: Dataset,
        *,
        device: torch.device | str = "cpu",
        hard: bool = True,
    ) -> "Training":
        """The run that `state` was taken from, at the step where it stood.

        Raises ValueError where the state and the data set do not fit each other.
        """
        training = cls(state.config, dataset, device=device, hard=hard)
        if state.step > training.steps or len(state.history) != state.step // training.epoch_steps:
            raise ValueError(f"The state's {state.step:,} steps are not those of a run on {dataset.name}.")
        training._return_to(state)
        training.last_good = state
        return training

    def state(self) -> TrainingState:
        """A copy of the run as it stands, which further steps do not touch."""
        optimiser = _optimiser_tensors(self.optimiser) if self.step < self.steps else {}
        return TrainingState(
            self.config,
            _copied(self.model.state_dict()),
            _copied(optimiser),
            self.step,
            replace(self.sums),
            list(self.history),
        )

    @property
    def temperature(self) -> float:
        """Of the step to come, or at the end of the last one."""
        return self._scheduled(min(self.step, self.steps - 1))[0]

    def records(self) -> Iterator[Record]:
        """Train to the end, and yield after each step and each epoch. Raises TrainingDivergedError."""
        while self.step < self.steps:
            record = self._step()
            # The epoch is closed before anybody may leave: a run that stops here has its line of history.
            closing = self._close_epoch() if self.step % self.epoch_steps == 0 else None
            yield record
            if closing:
                yield closing

    def _step(self) -> StepRecord:
        start = time.perf_counter()
        temperature, learning_rate = self._scheduled(self.step)
        self.noise.manual_seed(_seed(self.config, NOISE, self.step))
        images = self._batch()
        logits = self.model.encode(images)
        log_q = log_softmax(logits)
        latent_kl = categorical_kl(log_q, self.model.log_prior()).mean(0)  # (N,)
        kl = latent_kl.sum()
        # Before the sample: from logits that are not finite nothing can be drawn.
        self._check_finite("KL term", kl.item(), self.step)
        surrogate = SURROGATES[self.config.way_at(self.step, self.steps)[0]]
        code = surrogate.sample(logits, temperature, generator=self.noise)
        reconstruction = reconstruction_loss(self.model.decode(code), images)
        relaxed = Terms(reconstruction.item(), kl.item())
        self._check_finite("reconstruction loss", relaxed.reconstruction, self.step)
        # A hard surrogate's own loss is the hard one.
        hard = relaxed if surrogate.hard else self._hard_terms(code.detach(), images, relaxed)
        norm = self._descend(reconstruction + kl, learning_rate)
        self.step += 1
        seconds = time.perf_counter() - start
        record = StepRecord(
            step=self.step,
            epoch=(self.step - 1) // self.epoch_steps + 1,
            temperature=temperature,
            learning_rate=learning_rate,
            relaxed=relaxed,
            hard=hard,
            gradient_norm=norm,
            images_per_second=len(images) / seconds,
            usage=log_q.detach().exp().mean(0).cpu().numpy(),
            latent_kl=latent_kl.detach().cpu().numpy(),
        )
        self.sums.add(record, seconds)
        return record

    def _descend(self, loss: Tensor, learning_rate: float) -> float:
        """One step down the loss. Returns the gradient's norm."""
        self.optimiser.zero_grad()
        loss.backward()
        gradients = [parameter.grad for parameter in self.model.parameters() if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients).item()
        self._check_finite("gradient", norm, self.step)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        self.optimiser.step()
        return norm

    def _scheduled(self, step: int) -> tuple[float, float]:
        """Temperature and learning rate of a step, counted from 0."""
        temperature, learning_rate = (
            schedule.at(step, steps=self.steps, epoch_steps=self.epoch_steps)
            for schedule in (self.config.way_at(step, self.steps)[1], self.config.learning_rate)
        )
        return temperature, learning_rate

    def _batch(self) -> Tensor:
        """The step's images, (B, D) in [0, 1]: what the encoder sees and what the loss scores."""
        epoch, place = divmod(self.step, self.epoch_steps)
        start = place * self.config.batch
        rows = self._order(epoch)[start : start + self.config.batch]
        # Ten times as quick as `images[rows]`, which goes byte by byte.
        images = unit(self.images.index_select(0, rows))
        return binarised(images, generator=self.noise) if self.config.pixels == "dynamic" else images

    def _order(self, epoch: int) -> Tensor:
        """The order of an epoch's images, kept for as long as the epoch lasts."""
        if self.ordered_epoch != epoch:
            generator = torch.Generator().manual_seed(_seed(self.config, ORDER, epoch))
            self.order = torch.randperm(len(self.images), generator=generator).to(self.device)
            self.ordered_epoch = epoch
        return self.order

    @torch.no_grad()
    def _hard_terms(self, code: Tensor, images: Tensor, relaxed: Terms) -> Terms | None:
        """The loss with the sample's own one-hot in its place; encoder and KL are the same."""
        if not self.hard:
            return None
        # This second pass must not teach the normalisation layers.
        with untaught(self.model.decoder):
            pixel_logits = self.model.decode(one_hot(code.argmax(-1), code))
        return Terms(reconstruction_loss(pixel_logits, images).item(), relaxed.kl)

    def _close_epoch(self) -> EpochRecord:
        last = self.step - 1
        try:
            evaluation = evaluate(self.model, self.test)
        except ValueError:  # From logits that are not finite nothing can be drawn.
            raise self._diverged("test loss", last) from None
        self._check_finite("test loss", evaluation.hard.total, last)
        shown = self.test[:SHOWN]
        # The same noise each epoch: what changes in the pictures is the model.
        self.noise.manual_seed(_seed(self.config, RECONSTRUCTIONS, 0))
        reconstructions = reconstruct(self.model, shown, generator=self.noise)
        self.history.append(self._summary(evaluation.hard))
        self.sums = Sums()
        self.last_good = self.state()
        return EpochRecord(
            self.history[-1],
            evaluation.usage,
            evaluation.latent_kl,
            shown.cpu().numpy(),
            reconstructions.cpu().numpy(),
        )

    def _summary(self, test: Terms) -> EpochSummary:
        return EpochSummary(
            epoch=self.step // self.epoch_steps,
            step=self.step,
            temperature=self._scheduled(self.step - 1)[0],
            relaxed=self.sums.relaxed(),
            hard=self.sums.hard(),
            test=test,
            images_per_second=self.sums.steps * self.config.batch / self.sums.seconds,
        )

    def _check_finite(self, term: str, value: float, step: int) -> None:
        if not isfinite(value):
            raise self._diverged(term, step)

    def _diverged(self, term: str, step: int) -> TrainingDivergedError:
        """Take the run back to its last whole epoch, or to where it was taken up since.

        The step is counted from 0, and named from 1.
        """
        self._return_to(self.last_good)
        return TrainingDivergedError(step + 1, term, *self._scheduled(step))

    def _return_to(self, state: TrainingState) -> None:
        self.model.load_state_dict(state.model)
        _load_optimiser(self.optimiser, state.optimiser)
        self.step, self.sums, self.history = state.step, replace(state.sums), list(state.history)


def choose_device(name: str = "auto") -> torch.device:
    """By name, or with `auto` the first there is of CUDA, MPS and CPU. A missing one is a ValueError."""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(device for device, available in there.items() if available)
    if not there.get(name, False):
        available = ", ".join(device for device, available in there.items() if available)
        raise ValueError(f"There is no device {name!r} here: there is {available}.")
    return torch.device(name)


def _initialised(config: TrainConfig) -> CategoricalVAE:
    """A model with its first weights. PyTorch draws them from the global generator, which is put back."""
    with _DRAWING, torch.random.fork_rng(devices=[]):
        # `torch.manual_seed` would seed every GPU's generator too, and nobody would put those back.
        torch.default_generator.manual_seed(_seed(config, WEIGHTS, 0))
        return CategoricalVAE(config.model)


def _seed(config: TrainConfig, purpose: int, number: int) -> int:
    """A seed for the number-th draw of a purpose, without a pattern that a neighbour shares."""
    return int(np.random.SeedSequence([config.seed, purpose, number]).generate_state(1, np.uint64)[0])


def _check_fit(config: TrainConfig, dataset: Dataset) -> None:
    if dataset.name != config.dataset:
        raise ValueError(f"The config is for {config.dataset}, and these are the images of {dataset.name}.")
    pixels = dataset.train.shape[1]
    if pixels != config.model.pixels:
        raise ValueError(
            f"The model reads images of {config.model.pixels:,} pixels, and those of {dataset.name} have "
            f"{pixels:,}."
        )
    if len(dataset.train) < config.batch:
        raise ValueError(
            f"{dataset.name} has {len(dataset.train):,} images: too few for a batch of {config.batch:,}."
        )


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def _optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's moments, by parameter and name: `3.exp_avg`."""
    state = optimiser.state_dict()["state"]
    return {f"{index}.{name}": tensor for index, moments in state.items() for name, tensor in moments.items()}


def _load_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """What `_optimiser_tensors` took out. Raises ValueError for other moments than this optimiser's."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        index, _, name = key.partition(".")
        moments.setdefault(int(index), {})[name] = tensor.clone()
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
