"""Training: steps worked in NumPy, bit-exact resume, divergence, and what a record reports."""

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from gumbel_core.datasets import PIXELS, Dataset, load, unit
from gumbel_core.schedules import Constant, Geometric, OneCycle, Restarting, Schedule
from gumbel_core.surrogates import SURROGATES, Surrogate
from gumbel_core.vae.config import OPTIMISERS, Finish, TrainConfig
from gumbel_core.vae.evaluation import evaluate, evaluate_bound
from gumbel_core.vae.model import ModelConfig
from gumbel_core.vae.objective import reconstruction_loss
from gumbel_core.vae.records import EpochRecord, EpochSummary, Record, StepRecord
from gumbel_core.vae.training import SHOWN, Training, TrainingDivergedError, TrainingState, choose_device

Array = NDArray[np.float64]

SMALL = ModelConfig(pixels=64, encoder=(16,), decoder=(16,), latents=3, categories=4)
LINEAR = replace(SMALL, encoder=(), decoder=())
# 320 images in batches of 50: six steps an epoch, and 20 images left over.
CONFIG = TrainConfig(model=SMALL, batch=50, epochs=3, learning_rate=Constant(1e-2))
EPOCH_STEPS = 6


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def noise_images() -> Dataset:
    """Random bytes, so that no two images are alike."""
    images = torch.randint(256, (400, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return Dataset("digits", (8, 8), images[:320], images[320:])


def steps_of(records: Iterator[Record] | list[Record]) -> list[StepRecord]:
    return [record for record in records if isinstance(record, StepRecord)]


def epochs_of(records: Iterator[Record] | list[Record]) -> list[EpochRecord]:
    return [record for record in records if isinstance(record, EpochRecord)]


def assert_same_tensors(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def untimed(history: list[EpochSummary]) -> list[EpochSummary]:
    return [replace(epoch, images_per_second=0.0) for epoch in history]


def finished(config: TrainConfig, dataset: Dataset, **options: Any) -> Training:
    training = Training(config, dataset, **options)
    for _ in training.records():
        pass
    return training


def seen(training: Training) -> list[Tensor]:
    """A list that fills with the batches (B, D) of training steps, as the encoder sees them."""
    batches: list[Tensor] = []

    def see(encoder: torch.nn.Module, inputs: tuple[Tensor]) -> None:
        if encoder.training:
            batches.append(inputs[0].clone())

    training.model.encoder.register_forward_pre_hook(see)
    return batches


# One step, worked in NumPy


def log_softmax(logits: Array) -> Array:
    shifted = logits - logits.max(-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(-1, keepdims=True)))


def cross_entropy(a: Array, x: Array) -> float:
    """-sum_d x log s(a) + (1 - x) log (1 - s(a)), averaged over images."""
    return float((np.logaddexp(0, a) - x * a).sum(-1).mean())


@pytest.fixture
def noise_free(monkeypatch: pytest.MonkeyPatch) -> None:
    """z = softmax(logits / tau), whose arithmetic needs no random numbers."""

    def tempered(logits: Tensor, temperature: float, *, generator: torch.Generator | None = None) -> Tensor:
        return (logits / temperature).softmax(-1)

    monkeypatch.setitem(SURROGATES, "gumbel_softmax", Surrogate(tempered, hard=False))


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("pixels", PIXELS)
@pytest.mark.usefixtures("noise_free")
def test_a_step_worked_in_numpy(optimiser: str, pixels: str, noise_images: Dataset) -> None:
    """Linear maps W, b to the logits l and V, c to the pixels, z = softmax(l / tau), prior p = softmax(r).

    da = (s(a) - x) / B                     dV = da' z      dc = sum da      dz = da V
    dl = J(z) dz / tau + q (log q - log p - KL) / B         dW = dl' x       db = sum dl      dr = p - mean q
    """
    tau, rate = 0.6, 3e-3
    config = replace(
        CONFIG,
        model=replace(LINEAR, prior="learned"),
        pixels=pixels,
        optimiser=optimiser,
        temperature=Geometric(tau, 0.1),
        learning_rate=Geometric(rate, 1e-6),
    )
    training = Training(config, noise_images)
    with torch.no_grad():
        training.model.prior_logits.copy_(torch.arange(12).view(3, 4) / 5)
    batches = seen(training)
    before = {name: tensor.double().numpy() for name, tensor in training.state().model.items()}
    record = next(training.records())
    assert isinstance(record, StepRecord)
    after = {name: tensor.double().numpy() for name, tensor in training.state().model.items()}

    x, size = batches[0].double().numpy(), config.batch
    w, b, v, c = (
        before[f"{part}.0.{name}"] for part in ("encoder", "decoder") for name in ("weight", "bias")
    )
    logits = (x @ w.T + b).reshape(size, 3, 4)
    log_q, log_p = log_softmax(logits), log_softmax(before["prior_logits"])
    q, z = np.exp(log_q), np.exp(log_softmax(logits / tau))
    kl = (q * (log_q - log_p)).sum(-1, keepdims=True)  # (B, N, 1)
    a = z.reshape(size, 12) @ v.T + c
    one_hots = np.eye(4)[logits.argmax(-1)].reshape(size, 12)

    assert record.relaxed == pytest.approx((cross_entropy(a, x), kl.sum() / size), rel=1e-5)
    assert record.hard == pytest.approx((cross_entropy(one_hots @ v.T + c, x), kl.sum() / size), rel=1e-5)
    np.testing.assert_allclose(record.usage, q.mean(0), rtol=1e-5)
    np.testing.assert_allclose(record.latent_kl, kl.mean(0).squeeze(-1), rtol=1e-4)
    assert (record.temperature, record.learning_rate) == pytest.approx((tau, rate))

    da = (1 / (1 + np.exp(-a)) - x) / size
    dz = (da @ v).reshape(size, 3, 4)
    dl = z * (dz - (z * dz).sum(-1, keepdims=True)) / tau + q * (log_q - log_p - kl) / size
    dl = dl.reshape(size, 12)
    gradients = {
        "prior_logits": np.exp(log_p) - q.mean(0),
        "encoder.0.weight": dl.T @ x,
        "encoder.0.bias": dl.sum(0),
        "decoder.0.weight": da.T @ z.reshape(size, 12),
        "decoder.0.bias": da.sum(0),
    }
    norm = math.sqrt(sum((gradient**2).sum() for gradient in gradients.values()))
    assert record.gradient_norm == pytest.approx(norm, rel=1e-5)
    for name, gradient in gradients.items():
        # A first step: Adam's is a sign of the gradient; momentum and RAdam's warm-up leave it as it is.
        direction = gradient / (np.abs(gradient) + 1e-8) if optimiser == "adam" else gradient
        wanted = before[name] - rate * direction
        # Single precision leaves the weights 7 digits, and a sign of a gradient near 0 fewer.
        np.testing.assert_allclose(after[name], wanted, rtol=0, atol=1e-2 * rate, err_msg=name)


def test_a_uniform_prior_is_not_trained(noise_images: Dataset) -> None:
    uniform = finished(CONFIG, noise_images).model
    learned = finished(replace(CONFIG, model=replace(SMALL, prior="learned")), noise_images).model
    assert not uniform.prior_logits.any()
    assert learned.prior_logits.all()


# What is learned


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_the_loss_falls_on_digits(surrogate: str, digits: Dataset) -> None:
    model = replace(SMALL, encoder=(64,), decoder=(64,), latents=8, normalisation="batch")
    config = TrainConfig(model=model, surrogate=surrogate, learning_rate=Constant(1e-2))
    training = Training(config, digits)
    losses = [record.relaxed.total for record in steps_of(training.records())]
    assert all(map(math.isfinite, losses))
    # It begins near even odds.
    assert losses[0] == pytest.approx(64 * math.log(2), rel=0.1)
    # Without a code the best is the mean image, at 26.6 nats; here it is 24.8 to 25.7 with one.
    mean = unit(digits.train).mean(0).clamp(1e-3, 1 - 1e-3).logit()
    without_a_code = reconstruction_loss(mean.expand_as(training.test), training.test).item()
    hard = training.history[-1].test.total
    assert hard < without_a_code - 0.5
    # Fifty samples bound more tightly than one: by .3 to 1.2 nats here.
    assert evaluate_bound(training.model, training.test, 50) < hard - 0.1


# Stop and go on

RUNS = {
    "adam": CONFIG,
    "sgd": replace(CONFIG, optimiser="sgd", pixels="dynamic", learning_rate=Geometric(1e-3, 1e-4)),
    "radam": replace(CONFIG, optimiser="radam", pixels="fixed", temperature=Restarting(rate=1e-2)),
    "batch normalisation": replace(
        CONFIG,
        model=replace(SMALL, normalisation="batch", prior="learned"),
        pixels="dynamic",
        temperature=Geometric(1.0, 0.3),
        learning_rate=OneCycle(1e-2),
    ),
    "finish": replace(CONFIG, temperature=Geometric(1.0, 0.3), finish=Finish("reinmax", Constant(1.3), 0.4)),
    **{surrogate: replace(CONFIG, surrogate=surrogate) for surrogate in SURROGATES},
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_stopped_at_ten_moments_ends_with_the_same_bits(name: str, noise_images: Dataset) -> None:
    config = RUNS[name]
    whole = Training(config, noise_images)
    records = list(whole.records())
    stops = random.Random(name).sample(range(1, len(records)), 10)
    # Behind an epoch's last step, and behind the epoch, whatever else is drawn.
    for stop in {*stops, EPOCH_STEPS, EPOCH_STEPS + 1}:
        stopped = Training(config, noise_images)
        for _ in islice(stopped.records(), stop):
            pass
        resumed = Training.resume(stopped.state(), noise_images)
        rest = list(resumed.records())
        assert resumed.step == whole.step
        assert_same_tensors(resumed.state().model, whole.state().model)
        assert untimed(resumed.history) == untimed(whole.history)
        wanted = steps_of(records)[stopped.step :]
        assert [record.relaxed for record in steps_of(rest)] == [record.relaxed for record in wanted]


def test_a_run_may_be_stopped_at_each_of_its_steps(noise_images: Dataset) -> None:
    config = RUNS["batch normalisation"]
    state = Training(config, noise_images).state()
    while state.step < config.epochs * EPOCH_STEPS:
        training = Training.resume(state, noise_images)
        next(training.records())
        state = training.state()
    whole = finished(config, noise_images)
    assert_same_tensors(state.model, whole.state().model)
    assert untimed(state.history) == untimed(whole.history)


def test_a_finished_run_has_nothing_to_go_on_with(noise_images: Dataset) -> None:
    state = finished(CONFIG, noise_images).state()
    assert state.optimiser == {}
    assert list(Training.resume(state, noise_images).records()) == []


def test_a_state_is_a_copy(noise_images: Dataset) -> None:
    training = Training(RUNS["batch normalisation"], noise_images)
    records = training.records()
    for _ in range(9):
        next(records)
    state = training.state()
    model = {name: tensor.clone() for name, tensor in state.model.items()}
    optimiser = {name: tensor.clone() for name, tensor in state.optimiser.items()}
    sums, history = replace(state.sums), list(state.history)
    for _ in records:
        pass
    # A run that was taken up from it does not touch it either.
    finished_again = Training.resume(state, noise_images)
    for _ in finished_again.records():
        pass
    assert optimiser
    assert_same_tensors(state.model, model)
    assert_same_tensors(state.optimiser, optimiser)
    assert (state.step, state.sums, state.history) == (8, sums, history)


def test_a_stop_within_an_epoch_leaves_its_means_whole(noise_images: Dataset) -> None:
    """Its first steps reported their hard loss, the others did not: there is no mean of it."""
    training = Training(CONFIG, noise_images)
    next(training.records())
    resumed = Training.resume(training.state(), noise_images, hard=False)
    first, second, _ = (record.summary for record in epochs_of(resumed.records()))
    whole = finished(CONFIG, noise_images).history
    assert first.hard is second.hard is None
    assert (first.relaxed, first.test) == (whole[0].relaxed, whole[0].test)
    resumed = Training.resume(training.state(), noise_images)
    assert untimed([record.summary for record in epochs_of(resumed.records())]) == untimed(whole)


# Randomness


def test_the_seed_decides(noise_images: Dataset) -> None:
    first, again = finished(CONFIG, noise_images), finished(CONFIG, noise_images)
    other = finished(replace(CONFIG, seed=1), noise_images)
    assert_same_tensors(first.state().model, again.state().model)
    for name, tensor in other.state().model.items():
        assert name == "prior_logits" or not torch.equal(tensor, first.state().model[name])


def test_the_global_generators_are_neither_read_nor_moved(
    noise_images: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seed_all(seed: int) -> None:
        raise AssertionError("every GPU's generator would be seeded")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", seed_all)
    wanted = finished(CONFIG, noise_images).state()
    # `torch.manual_seed` is refused above, for here it would seed the GPUs too.
    torch.default_generator.manual_seed(4)
    torch_state, numpy_state, state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    found = finished(CONFIG, noise_images).state()
    assert_same_tensors(found.model, wanted.model)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert random.getstate() == state
    assert str(np.random.get_state()) == str(numpy_state)


def indices(batches: list[Tensor], dataset: Dataset) -> list[list[int]]:
    """Which images the batches are, epoch by epoch."""
    places = {image.numpy().tobytes(): place for place, image in enumerate(dataset.train)}
    flat = [
        places[(image * 255).round().to(torch.uint8).numpy().tobytes()]
        for batch in batches
        for image in batch
    ]
    return [flat[start : start + 300] for start in range(0, len(flat), 300)]


def test_each_epoch_takes_each_image_at_most_once_and_in_its_own_order(noise_images: Dataset) -> None:
    orders = []
    for seed in (0, 1):
        training = Training(replace(CONFIG, seed=seed), noise_images)
        batches = seen(training)
        list(training.records())
        assert {len(batch) for batch in batches} == {50}
        orders += indices(batches, noise_images)
    assert len(orders) == 6
    for order in orders:
        assert len(order) == len(set(order)) == 300
    # Of 320 images 20 stay behind, and not the same ones each time.
    assert len({frozenset(order) for order in orders}) == 6
    assert len({tuple(order[:5]) for order in orders}) == 6


@pytest.mark.parametrize("pixels", PIXELS)
def test_pixels(pixels: str, noise_images: Dataset) -> None:
    training = Training(replace(CONFIG, pixels=pixels, batch=320), noise_images)
    batches = seen(training)
    list(training.records())
    # The same 320 images each epoch: whole columns of pixels add up to the same, unless they are drawn anew.
    sums = [batch.double().sum(0) for batch in batches]
    assert torch.allclose(sums[0], sums[1]) == (pixels != "dynamic")
    bits = ((batches[0] == 0) | (batches[0] == 1)).all()
    assert bits == (pixels != "grey")
    test_bits = ((training.test == 0) | (training.test == 1)).all()
    assert test_bits == (pixels != "grey")


# The hard pass


@pytest.mark.parametrize("normalisation", ["none", "batch"])
def test_the_hard_pass_changes_no_bit(normalisation: str, noise_images: Dataset) -> None:
    config = replace(CONFIG, model=replace(SMALL, normalisation=normalisation), pixels="dynamic")
    with_it, without = (finished(config, noise_images, hard=hard) for hard in (True, False))
    assert with_it.history[-1].hard is not None
    assert without.history[-1].hard is None
    assert_same_tensors(with_it.state().model, without.state().model)


@pytest.mark.parametrize("name", SURROGATES)
def test_a_hard_surrogates_loss_is_its_hard_loss(name: str, noise_images: Dataset) -> None:
    records = steps_of(Training(replace(CONFIG, surrogate=name, epochs=1), noise_images).records())
    for record in records:
        assert record.hard is not None
        assert record.hard.kl == record.relaxed.kl
        assert (record.hard == record.relaxed) == SURROGATES[name].hard
    for record in steps_of(Training(replace(CONFIG, surrogate=name), noise_images, hard=False).records()):
        assert (record.hard is not None) == SURROGATES[name].hard


def test_a_finish_takes_another_way_to_the_gradient(noise_images: Dataset) -> None:
    """From step 10 of 18 on, that is from the ninth counted from 0, with its own temperature."""
    temperature = Geometric(0.9, 0.5)
    config = replace(CONFIG, finish=Finish("reinmax", temperature, start=0.5))
    records = steps_of(Training(config, noise_images).records())
    plain = steps_of(Training(CONFIG, noise_images).records())
    finish = records[9:]
    assert [record.relaxed for record in records[:9]] == [record.relaxed for record in plain[:9]]
    assert [record.temperature for record in records[:9]] == 9 * [1.0]
    for index, record in enumerate(finish, start=9):
        assert record.temperature == temperature.at(index, steps=18, epoch_steps=6)
        assert record.hard == record.relaxed
    # As a run of ReinMax from where the other stood at its ninth step.
    first = Training(CONFIG, noise_images)
    for _ in range(9):
        next(first.records())
    hard = replace(CONFIG, surrogate="reinmax", temperature=temperature)
    second = Training.resume(replace(first.state(), config=hard), noise_images)
    assert [record.relaxed for record in steps_of(second.records())] == [record.relaxed for record in finish]


# Records


def test_steps_and_epochs_are_counted_from_1(noise_images: Dataset) -> None:
    records = list(Training(CONFIG, noise_images).records())
    assert [record.step for record in steps_of(records)] == list(range(1, 19))
    assert [record.epoch for record in steps_of(records)] == [1] * 6 + [2] * 6 + [3] * 6
    assert [isinstance(record, EpochRecord) for record in records] == 3 * ([False] * 6 + [True])
    assert [(e.summary.epoch, e.summary.step) for e in epochs_of(records)] == [(1, 6), (2, 12), (3, 18)]


@pytest.mark.parametrize("schedule", [Restarting(rate=1e-2), Geometric(2.0, 0.5), OneCycle(0.7)])
def test_a_record_names_its_temperature_and_rate(schedule: Schedule, noise_images: Dataset) -> None:
    config = replace(CONFIG, temperature=schedule, learning_rate=Geometric(1e-3, 1e-2))
    records = list(Training(config, noise_images).records())
    for index, record in enumerate(steps_of(records)):
        assert record.temperature == schedule.at(index, steps=18, epoch_steps=6)
        assert record.learning_rate == config.learning_rate.at(index, steps=18, epoch_steps=6)
    last_of_each = steps_of(records)[5::6]
    for epoch, last in zip(epochs_of(records), last_of_each, strict=True):
        assert epoch.summary.temperature == last.temperature


def test_usage_and_latent_kl_add_up(noise_images: Dataset) -> None:
    for record in Training(RUNS["batch normalisation"], noise_images).records():
        assert record.usage.shape == (3, 4)
        np.testing.assert_allclose(record.usage.sum(-1), 1, rtol=1e-5)
        kl = record.relaxed.kl if isinstance(record, StepRecord) else record.summary.test.kl
        assert record.latent_kl.shape == (3,)
        assert record.latent_kl.sum() == pytest.approx(kl, rel=1e-5)
        assert (record.latent_kl > -1e-6).all()


def test_a_records_arrays_are_its_own(noise_images: Dataset) -> None:
    records = list(Training(CONFIG, noise_images).records())
    kept = [record.usage.copy() for record in records]
    again = list(Training(CONFIG, noise_images).records())
    for record, usage, fresh in zip(records, kept, again, strict=True):
        np.testing.assert_array_equal(record.usage, usage)
        np.testing.assert_array_equal(record.usage, fresh.usage)


def test_an_epoch_is_the_mean_of_its_steps_and_an_evaluation(noise_images: Dataset) -> None:
    training = Training(RUNS["batch normalisation"], noise_images)
    steps: list[StepRecord] = []
    for record in training.records():
        if isinstance(record, StepRecord):
            steps.append(record)
            continue
        summary = record.summary
        assert summary == training.history[-1]
        for term in (0, 1):
            assert summary.relaxed[term] == pytest.approx(np.mean([step.relaxed[term] for step in steps]))
            hard = [step.hard[term] for step in steps if step.hard]
            assert summary.hard is not None
            assert summary.hard[term] == pytest.approx(np.mean(hard))
        evaluation = evaluate(training.model, training.test)
        assert summary.test == evaluation.hard
        np.testing.assert_array_equal(record.usage, evaluation.usage)
        np.testing.assert_array_equal(record.latent_kl, evaluation.latent_kl)
        # As many images as the steps took, in the time that they took.
        seconds = sum(1 / step.images_per_second for step in steps)
        assert summary.images_per_second == pytest.approx(len(steps) / seconds)
        steps = []
    assert len(training.history) == 3


def test_reconstructions(noise_images: Dataset) -> None:
    # With a learning rate that rounds to nothing, all that could change is the noise.
    frozen = replace(CONFIG, learning_rate=Constant(1e-30))
    for config, still in ((frozen, True), (CONFIG, False)):
        first, *_, last = epochs_of(Training(config, noise_images).records())
        assert first.originals.shape == first.reconstructions.shape == (SHOWN, 64)
        np.testing.assert_allclose(first.originals * 255, noise_images.test[:SHOWN], rtol=1e-6)
        assert ((first.reconstructions > 0) & (first.reconstructions < 1)).all()
        np.testing.assert_array_equal(first.originals, last.originals)
        assert np.array_equal(first.reconstructions, last.reconstructions) == still


# Divergence


def run_to_divergence(
    training: Training, spoil: Callable[[Training], None] | None = None, at: int = 0
) -> tuple[TrainingDivergedError, TrainingState]:
    """The error, and the run's state at its last whole epoch, taken from outside."""
    kept = training.state()
    try:
        for record in training.records():
            if isinstance(record, EpochRecord):
                kept = training.state()
            elif spoil and record.step == at:
                spoil(training)
    except TrainingDivergedError as error:
        return error, kept
    pytest.fail("the run came to its end")


def assert_stands_at(training: Training, wanted: TrainingState) -> None:
    found = training.state()
    assert_same_tensors(found.model, wanted.model)
    assert_same_tensors(found.optimiser, wanted.optimiser)
    assert (found.step, found.sums, found.history) == (wanted.step, wanted.sums, wanted.history)


DEEP = replace(CONFIG, model=replace(SMALL, normalisation="layer"), optimiser="sgd")


def test_too_high_a_rate_stops_with_the_step_the_term_and_the_cause(noise_images: Dataset) -> None:
    training = Training(replace(DEEP, learning_rate=Constant(1e9)), noise_images)
    error, kept = run_to_divergence(training)
    assert kept.step == 0
    assert error.step > 1
    assert str(error) == (
        f"Training stopped at step {error.step}: the {error.term} is not finite. The likely cause is a "
        "learning rate as high as 1e+09. The last good weights are kept."
    )
    assert_stands_at(training, kept)


def test_a_rate_that_grows_too_high_leaves_the_last_whole_epoch(noise_images: Dataset) -> None:
    training = Training(replace(DEEP, learning_rate=Geometric(1e-6, 1e30)), noise_images)
    error, kept = run_to_divergence(training)
    assert kept.step in (6, 12)
    assert kept.step < error.step <= kept.step + 6
    assert len(kept.history) == kept.step // 6
    assert_stands_at(training, kept)
    # What is kept is a run that can be taken up, and that meets the same end.
    again, _ = run_to_divergence(Training.resume(kept, noise_images))
    assert (again.step, again.term) == (error.step, error.term)


def planted(part: str) -> Callable[[Training], None]:
    def plant(training: Training) -> None:
        with torch.no_grad():
            training.model.get_parameter(f"{part}.0.weight")[0, 0] = math.nan

    return plant


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize(("part", "term"), [("encoder", "KL term"), ("decoder", "reconstruction loss")])
def test_a_nan_in_the_weights(name: str, part: str, term: str, noise_images: Dataset) -> None:
    config = replace(CONFIG, surrogate=name, model=replace(SMALL, normalisation="batch"))
    training = Training(config, noise_images)
    error, kept = run_to_divergence(training, planted(part), at=9)
    assert (error.step, error.term, kept.step) == (10, term, 6)
    assert "a learning rate as high as 0.01" in str(error)
    assert_stands_at(training, kept)
    # Without the NaN, the run goes on to the end that it would have had.
    for _ in training.records():
        pass
    assert_same_tensors(training.state().model, finished(config, noise_images).state().model)


def test_a_gradient_that_is_not_finite(noise_images: Dataset) -> None:
    def spoil(training: Training) -> None:
        training.model.get_parameter("decoder.0.bias").register_hook(lambda gradient: gradient * math.inf)

    training = Training(CONFIG, noise_images)
    error, kept = run_to_divergence(training, spoil, at=3)
    assert (error.step, error.term) == (4, "gradient")
    assert_stands_at(training, kept)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_test_loss_that_is_not_finite(part: str, noise_images: Dataset) -> None:
    """The epoch's last step has a finite loss of its own, and leaves weights that are of no use."""
    training = Training(CONFIG, noise_images)

    def spoil(*_: Any) -> None:
        if training.step == 11:  # the twelfth, which is not yet counted
            planted(part)(training)

    training.optimiser.register_step_post_hook(spoil)
    error, kept = run_to_divergence(training)
    assert (error.step, error.term, kept.step) == (12, "test loss", 6)
    assert_stands_at(training, kept)


def test_a_cold_run_blames_its_temperature(noise_images: Dataset) -> None:
    training = Training(replace(CONFIG, temperature=Constant(0.05)), noise_images)
    error, _ = run_to_divergence(training, planted("decoder"), at=1)
    assert "The likely cause is a temperature as small as 0.05." in str(error)


# Config and device


@pytest.mark.parametrize("name", RUNS)
def test_a_config_to_json_and_back(name: str) -> None:
    assert TrainConfig.from_json(RUNS[name].to_json()) == RUNS[name]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"dataset": "cifar"}, "There is no data set 'cifar'"),
        ({"pixels": "red"}, "There is no kind of pixels 'red'"),
        ({"surrogate": "argmax"}, "There is no surrogate 'argmax'"),
        ({"optimiser": None}, "There is no optimiser None"),
        ({"batch": 1}, "number of images in a batch is a whole number from 2 to 4,096, not 1"),
        ({"batch": 4_097}, "number of images in a batch"),
        ({"batch": 100.0}, "number of images in a batch"),
        ({"epochs": 0}, "number of epochs is a whole number from 1 to 1,000, not 0"),
        ({"epochs": 1_001}, "number of epochs"),
        ({"seed": -1}, "A seed is a whole number"),
        ({"seed": 2**31}, "A seed is a whole number"),
        ({"seed": 1.5}, "A seed is a whole number"),
        ({"seed": True}, "A seed is a whole number"),
        ({"seed": "12"}, "A seed is a whole number"),
    ],
)
def test_configs_that_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TrainConfig(**changes)
    with pytest.raises(ValueError, match=sentence):
        TrainConfig.from_json(TrainConfig().to_json() | changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": None},
        {"model": {}},
        {"model": {"encoder": 3, "decoder": []}},
        {"temperature": 0.5},
        {"temperature": {"schedule": "constant"}},
        {"learning_rate": None},
        {"momentum": 0.9},
        {"finish": 0.5},
        {"finish": {"surrogate": "reinmax", "start": 0.5}},
    ],
)
def test_json_that_is_no_config(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        TrainConfig.from_json(TrainConfig().to_json() | changes)
    with pytest.raises(ValueError, match="no training config"):
        TrainConfig.from_json({})


@pytest.mark.parametrize("start", [0, 1, -0.5, math.nan, True, "0.5", None])
def test_a_finish_starts_within_the_run(start: Any) -> None:
    with pytest.raises(ValueError, match="A finish starts after a share between 0 and 1 of the steps"):
        Finish(start=start)


def test_a_finish_by_a_surrogate_that_is_none() -> None:
    with pytest.raises(ValueError, match="There is no surrogate 'argmax'"):
        Finish("argmax")


def test_a_config_that_does_not_fit_its_data(noise_images: Dataset) -> None:
    with pytest.raises(ValueError, match="reads images of 784 pixels, and those of digits have 64"):
        Training(TrainConfig(), noise_images)
    with pytest.raises(ValueError, match="digits has 320 images: too few for a batch of 321"):
        Training(replace(CONFIG, batch=321), noise_images)
    assert Training(replace(CONFIG, batch=320), noise_images).epoch_steps == 1


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device() == choose_device("cpu") == torch.device("cpu")
    for name in ("cuda", "mps", "tpu", "meta", ""):
        with pytest.raises(ValueError, match=f"There is no device '{name}' here: there is cpu."):
            choose_device(name)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device() == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device() == choose_device("cuda") == torch.device("cuda")
    assert choose_device("cpu") == torch.device("cpu")
