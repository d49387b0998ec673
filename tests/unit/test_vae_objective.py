"""The loss against `torch.distributions`, a model worked by hand, and log p(x) by enumeration.

The statistical tests are seeded; each z-score is held below 4, so with other seeds a right bound would fail
one in 16,000 of them.
"""

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, kl_divergence
from torch.nn import functional

from gumbel_core.surrogates import one_hot
from gumbel_core.vae.evaluation import evaluate, evaluate_bound, sample_bound
from gumbel_core.vae.model import CategoricalVAE, ModelConfig
from gumbel_core.vae.objective import Terms, categorical_kl, log_softmax, reconstruction_loss

FAR = 4.0


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# The terms


def test_the_kl_is_that_of_torch_distributions() -> None:
    q, p = 3 * torch.randn(8, 5, 4, generator=seeded()), torch.randn(5, 4, generator=seeded(1))
    wanted = kl_divergence(Categorical(logits=q), Categorical(logits=p.expand_as(q)))
    found = categorical_kl(q.log_softmax(-1), p.log_softmax(-1))
    assert found.shape == (8, 5)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    # And not the other way round.
    assert not torch.allclose(found, kl_divergence(Categorical(logits=p), Categorical(logits=q)), atol=0.1)


def test_the_kl_from_uniform_is_between_0_and_log_k() -> None:
    uniform = torch.full((3, 4), 0.25).log()
    torch.testing.assert_close(categorical_kl(uniform.unsqueeze(0), uniform), torch.zeros(1, 3))
    # A certain posterior, down to probabilities that round to 0.
    certain = torch.tensor([500.0, 0.0, 0.0, -500.0]).log_softmax(-1).expand(1, 3, 4)
    torch.testing.assert_close(categorical_kl(certain, uniform), torch.full((1, 3), math.log(4)))


def test_the_reconstruction_loss_of_bits_is_a_log_likelihood() -> None:
    pixel_logits = 3 * torch.randn(7, 20, generator=seeded())
    bits = torch.bernoulli(torch.full((7, 20), 0.4), generator=seeded(1))
    wanted = -Bernoulli(logits=pixel_logits).log_prob(bits).sum(-1).mean()
    torch.testing.assert_close(reconstruction_loss(pixel_logits, bits), wanted)


def test_the_reconstruction_loss_of_grey_pixels_by_hand() -> None:
    """At probabilities .75 and .5 (logits ln 3 and 0), for grey values .25 and 1, and then 0 and .5."""
    pixel_logits = torch.tensor([[math.log(3), 0.0], [math.log(3), 0.0]])
    grey = torch.tensor([[0.25, 1.0], [0.0, 0.5]])
    first = -0.25 * math.log(0.75) - 0.75 * math.log(0.25) - math.log(0.5)
    second = -math.log(0.25) - math.log(0.5)
    assert reconstruction_loss(pixel_logits, grey).item() == pytest.approx((first + second) / 2, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("magnitude", [1.0, 30.0, 1e4, 1e30])
def test_the_reconstruction_loss_and_its_gradient_are_pytorchs(dtype: torch.dtype, magnitude: float) -> None:
    pixel_logits = magnitude * torch.randn(7, 20, generator=seeded(), dtype=dtype)
    grey = torch.rand(7, 20, generator=seeded(1), dtype=dtype)
    ours, theirs = (pixel_logits.clone().requires_grad_() for _ in range(2))
    loss = 3 * reconstruction_loss(ours, grey)
    wanted = 3 * functional.binary_cross_entropy_with_logits(theirs, grey, reduction="sum") / 7
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(*torch.autograd.grad(loss, ours), *torch.autograd.grad(wanted, theirs))


@pytest.mark.parametrize("magnitude", [1.0, 30.0, 1e4, 1e30])
def test_the_log_softmax_and_its_gradient_are_pytorchs(magnitude: float) -> None:
    logits = magnitude * torch.randn(6, 5, 4, generator=seeded())
    logits[0, 0, 0] = -math.inf
    weights = torch.randn(6, 5, 4, generator=seeded(1))
    weights[0, 0, 0] = 0.0
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    found, wanted = log_softmax(ours), theirs.log_softmax(-1)
    torch.testing.assert_close(found, wanted)
    found.backward(weights)
    wanted.backward(weights)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_the_total() -> None:
    assert Terms(3.0, 0.5).total == 3.5


# Two pixels, one latent, two categories


def worked_model() -> CategoricalVAE:
    model = CategoricalVAE(ModelConfig(pixels=2, encoder=(), decoder=(), latents=1, categories=2))
    model.load_state_dict(
        {
            "encoder.0.weight": torch.tensor([[1.0, 0.0], [0.0, -1.0]]),
            "encoder.0.bias": torch.tensor([0.5, 0.0]),
            "decoder.0.weight": torch.tensor([[2.0, -1.0], [0.0, 1.0]]),
            "decoder.0.bias": torch.tensor([0.0, -0.5]),
            "prior_logits": torch.zeros(1, 2),
        }
    )
    return model


def test_the_hard_loss_worked_by_hand() -> None:
    """The image (1, 0) has logits (1.5, 0), so q = 1 / (1 + e^-1.5) = .8176 on the first category.

    Its code decodes to pixel logits (2, -.5), the other's to (-1, .5). For the bits (1, 0) the cross-entropy
    is softplus(-a_1) + softplus(a_2): .1269 + .4741 = .6010, and 1.3133 + .9741 = 2.2873.
    KL = log 2 + .8176 log .8176 + .1824 log .1824 = .2181.
    """
    images = torch.tensor([[1.0, 0.0]]).expand(20_000, 2)
    hard = evaluate(worked_model(), images).hard
    assert hard.kl == pytest.approx(0.2181, abs=1e-4)
    first, second, q = 0.6010, 2.2873, 0.8176
    share = (second - hard.reconstruction) / (second - first)
    assert abs(share - q) < FAR * math.sqrt(q * (1 - q) / len(images))


def test_log_p_of_the_worked_model() -> None:
    """p(x) = (e^-.6010 + e^-2.2873) / 2 = .3249, so -log p(x) = 1.1242."""
    images = torch.tensor([[1.0, 0.0]])
    assert evaluate_bound(worked_model(), images, 100_000) == pytest.approx(1.1242, abs=2e-3)


# The m-sample bound


def small_model(normalisation: str = "none") -> CategoricalVAE:
    """N = 2 latents of K = 3: nine codes. Neither posterior nor prior is uniform."""
    config = ModelConfig(
        pixels=4,
        encoder=(6,),
        decoder=(5,),
        latents=2,
        categories=3,
        prior="learned",
        normalisation=normalisation,
    )
    model = CategoricalVAE(config)
    weights = {
        name: torch.rand(value.shape, generator=seeded(index)) - (0 if name.endswith("running_var") else 0.5)
        for index, (name, value) in enumerate(model.state_dict().items())
        if value.is_floating_point()
    }
    model.load_state_dict(model.state_dict() | weights)
    return model.eval()


IMAGE = torch.tensor([[1.0, 0.0, 0.0, 1.0]])


@torch.no_grad()
def log_p_by_enumeration(model: CategoricalVAE, image: Tensor) -> float:
    """log sum_z p(x|z) p(z), z over all codes."""
    codes = torch.tensor(list(itertools.product(range(3), repeat=2)))  # (9, 2)
    one_hots = torch.nn.functional.one_hot(codes, 3).float()
    log_prior = (model.log_prior() * one_hots).sum((-2, -1))
    log_likelihood = Bernoulli(logits=model.decode(one_hots)).log_prob(image).sum(-1)
    return float((log_prior + log_likelihood).logsumexp(0))


def test_a_bound_of_one_sample_is_that_samples_loss() -> None:
    model = small_model()
    images = torch.bernoulli(torch.full((50, 4), 0.5), generator=seeded())
    with torch.no_grad():
        q = Categorical(logits=model.encode(images))
        code = one_hot(
            (q.logits + -(-torch.rand(50, 2, 3, generator=seeded(3)).log()).log()).argmax(-1), q.logits
        )
        index = code.argmax(-1)
        log_prior = Categorical(logits=model.log_prior().expand(50, 2, 3)).log_prob(index).sum(-1)
        log_likelihood = Bernoulli(logits=model.decode(code)).log_prob(images).sum(-1)
        wanted = q.log_prob(index).sum(-1) - log_prior - log_likelihood
    torch.testing.assert_close(sample_bound(model, images, 1, generator=seeded(3)), wanted)


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
def test_a_bound_of_many_samples_is_log_p(normalisation: str) -> None:
    model = small_model(normalisation)
    wanted = -log_p_by_enumeration(model, IMAGE)
    bound = sample_bound(model, IMAGE, 100_000, generator=seeded())
    assert bound.shape == (1,)
    assert bound.item() == pytest.approx(wanted, abs=0.02)


def test_the_mean_of_the_bounds_falls_with_the_samples() -> None:
    model = small_model()
    log_p = log_p_by_enumeration(model, IMAGE)
    images = IMAGE.expand(4_000, -1)
    before = math.inf
    for samples in (1, 2, 5, 50):
        bounds = sample_bound(model, images, samples, generator=seeded(samples)).double()
        # e^-bound is p(x) in the mean, whatever the number of samples.
        ratio = (-bounds - log_p).exp()
        assert abs(ratio.mean() - 1) < FAR * ratio.std() / math.sqrt(len(images))
        # A bound from above, each tighter than the last by more than chance.
        error = FAR * bounds.std().item() / math.sqrt(len(images))
        assert -log_p - error < bounds.mean().item() < before
        before = bounds.mean().item() - error


def test_the_bound_is_determined_by_its_generator() -> None:
    model, before = small_model(), torch.get_rng_state()
    images = IMAGE.expand(20, -1)
    first, again = (sample_bound(model, images, 3, generator=seeded()) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, sample_bound(model, images, 3, generator=seeded(1)))
    assert not first.requires_grad
    assert torch.equal(torch.get_rng_state(), before)
