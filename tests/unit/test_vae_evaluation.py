"""Evaluation against the same sums written out, and samples against the prior that they come from.

The statistical tests are seeded and held at a level of 1e-4.
"""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from gumbel_core.vae import evaluation
from gumbel_core.vae.evaluation import (
    DEAD,
    evaluate,
    evaluate_bound,
    image_information,
    is_dead,
    reconstruct,
    sample,
)
from gumbel_core.vae.model import CategoricalVAE, ModelConfig

LEVEL = 1e-4
CONFIG = ModelConfig(
    pixels=6, encoder=(8,), decoder=(8,), latents=3, categories=4, normalisation="batch", prior="learned"
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> Tensor:
    return torch.rand(230, 6, generator=seeded())


@pytest.fixture
def model(images: Tensor) -> CategoricalVAE:
    """Random weights, moved out of their first state, and normalisation layers that have seen images."""
    torch.manual_seed(0)
    model = CategoricalVAE(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=seeded()))
        model.decode(model.encode(images))
    return model


def certain(model: CategoricalVAE) -> CategoricalVAE:
    """The model with logits so far apart that each sample is the posterior's mode."""
    with torch.no_grad():
        model.get_parameter("encoder.3.weight").mul_(1e4)
    return model


def test_the_sums_written_out(model: CategoricalVAE, images: Tensor) -> None:
    found = evaluate(certain(model), images)
    model.eval()
    with torch.no_grad():
        q = model.encode(images).double().softmax(-1)
        code = torch.nn.functional.one_hot(q.argmax(-1), 4).float()
        probability = model.decode(code).double().sigmoid()
        x = images.double()
        entropy = -(x * probability.log() + (1 - x) * (1 - probability).log()).sum(-1).mean()
        prior = model.log_prior().double()
        kl = torch.where(q > 0, q * (q.log() - prior), 0.0).sum(-1).mean(0)
    assert found.hard.reconstruction == pytest.approx(entropy.item(), rel=1e-5)
    np.testing.assert_allclose(found.latent_kl, kl, rtol=1e-5)
    np.testing.assert_allclose(found.usage, q.mean(0), atol=1e-6)
    assert found.hard.kl == pytest.approx(kl.sum().item(), rel=1e-5)


def test_shapes_and_sums(model: CategoricalVAE, images: Tensor) -> None:
    found = evaluate(model, images)
    assert found.usage.shape == (3, 4)
    assert found.latent_kl.shape == (3,)
    np.testing.assert_allclose(found.usage.sum(-1), 1, rtol=1e-5)
    assert found.hard.kl == pytest.approx(found.latent_kl.sum(), rel=1e-6)
    assert found.hard.total == found.hard.reconstruction + found.hard.kl


def test_an_evaluation_is_the_same_each_time(model: CategoricalVAE, images: Tensor) -> None:
    before = torch.get_rng_state()
    first, again = evaluate(model, images), evaluate(model, images)
    assert first.hard == again.hard
    assert evaluate_bound(model, images, 5) == evaluate_bound(model, images, 5)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_size_of_its_batches_is_nothing_to_an_evaluation(
    model: CategoricalVAE, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last batch is smaller than the others: a mean of means would be off.
    whole, bound = evaluate(certain(model), images), evaluate_bound(model, images, 4)
    monkeypatch.setattr(evaluation, "BATCH", 100)
    monkeypatch.setattr(evaluation, "BOUND_ROWS", 400)
    parts = evaluate(model, images)
    assert parts.hard == pytest.approx(whole.hard, rel=1e-5)
    np.testing.assert_allclose(parts.usage, whole.usage, atol=1e-6)
    assert evaluate_bound(model, images, 4) == pytest.approx(bound, rel=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(model: CategoricalVAE, images: Tensor, training: bool) -> None:
    model.train(training)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    evaluate(model, images)
    evaluate_bound(model, images, 2)
    reconstruct(model, images)
    sample(model, 5)
    assert model.training == model.decoder[1].training == training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(parameter.grad is None for parameter in model.parameters())


def test_the_mode_comes_back_after_an_error(model: CategoricalVAE, images: Tensor) -> None:
    with pytest.raises(RuntimeError):
        evaluate(model, images[:, :3])
    assert model.training


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_nothing_to_the_numbers(model: CategoricalVAE, images: Tensor, training: bool) -> None:
    wanted = evaluate(model.eval(), images).hard
    assert evaluate(model.train(training), images).hard == wanted


def test_more_samples_bound_more_tightly(model: CategoricalVAE, images: Tensor) -> None:
    # By whole nats here, far beyond what the seed moves.
    hard = evaluate(model, images).hard.total
    one, many = evaluate_bound(model, images, 1), evaluate_bound(model, images, 200)
    assert one == pytest.approx(hard, rel=0.05)
    assert many < min(one, hard) - 0.3


def test_reconstructions(model: CategoricalVAE, images: Tensor) -> None:
    found = reconstruct(certain(model), images, generator=seeded())
    assert found.shape == images.shape
    assert ((found > 0) & (found < 1)).all()
    model.eval()
    with torch.no_grad():
        code = torch.nn.functional.one_hot(model.encode(images).argmax(-1), 4).float()
        torch.testing.assert_close(found, model.decode(code).sigmoid())


# What a latent says.


def test_information_is_the_mean_distance_to_the_mean_posterior() -> None:
    log_q = (3 * torch.randn(200, 3, 4, generator=seeded())).log_softmax(-1)
    law, mean = Categorical(logits=log_q.double()), Categorical(log_q.double().exp().mean(0))
    np.testing.assert_allclose(image_information(log_q), kl_divergence(law, mean).mean(0), rtol=1e-5)


def test_a_certain_latent_says_the_entropy_of_its_categories_and_an_idle_one_nothing() -> None:
    certain = torch.eye(4).log().clamp(min=-200).unsqueeze(1)
    idle = torch.tensor([0.7, 0.1, 0.1, 0.1]).log().expand(4, 1, 4)
    found = image_information(torch.cat([certain, idle], 1))
    np.testing.assert_allclose(found, [np.log(4), 0], atol=1e-6)
    assert (found >= 0).all()


@pytest.mark.parametrize("seed", range(10))
def test_rounding_leaves_no_information_below_0(seed: int) -> None:
    same = torch.randn(1, 3, 4, generator=seeded(seed)).log_softmax(-1).expand(500, -1, -1)
    assert (image_information(same) >= 0).all()


def test_a_latent_at_the_limit_is_not_dead() -> None:
    assert is_dead(np.array([0.0, 0.99 * DEAD, DEAD, 0.5])).tolist() == [True, True, False, False]


# Samples of the prior.


def reader(latents: int, categories: int, prior: str) -> CategoricalVAE:
    """A model whose images are its codes: pixel logits +20 and -20."""
    size = latents * categories
    config = ModelConfig(size, (), (), latents, categories, prior=prior)
    model = CategoricalVAE(config)
    with torch.no_grad():
        model.get_parameter("decoder.0.weight").copy_(40 * torch.eye(size))
        model.get_parameter("decoder.0.bias").fill_(-20)
    return model


@pytest.mark.parametrize("prior", ["uniform", "learned"])
def test_samples_follow_the_prior(prior: str) -> None:
    model = reader(3, 4, prior)
    with torch.no_grad():
        model.prior_logits.copy_(torch.randn(3, 4, generator=seeded()))
    before = torch.get_rng_state()
    images = sample(model, 5_000, generator=seeded())
    assert torch.equal(torch.get_rng_state(), before)
    assert images.shape == (5_000, 12)
    codes = images.view(5_000, 3, 4).round()
    assert (codes.sum(-1) == 1).all()
    expected = (
        model.prior_logits.detach().double().softmax(-1) if prior == "learned" else torch.full((3, 4), 0.25)
    )
    for counts, share in zip(codes.sum(0), expected, strict=True):
        assert stats.chisquare(counts, 5_000 * share / share.sum()).pvalue > LEVEL


def test_samples_are_determined_by_their_generator() -> None:
    model = reader(3, 4, "uniform")
    first, again, other = (sample(model, 20, generator=seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
