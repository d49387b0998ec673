"""One image's code: pictures and losses against `torch.distributions`, walks against each flip that was left.

The statistical tests are seeded and held at a level of 1e-4.
"""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, kl_divergence

from gumbel_core import checkpoints, datasets
from gumbel_core.goodness import goodness_of_fit
from gumbel_core.sampling import gumbel_noise
from gumbel_core.vae.codes import (
    ORDERS,
    best_code,
    drawn_code,
    flipped,
    latent_kl,
    logits_of,
    loss_of,
    pictures_of,
    posterior,
    prior_codes,
    reconstruction_of,
    redrawn,
    resampled,
    sweep,
    walk,
)
from gumbel_core.vae.evaluation import sample
from gumbel_core.vae.model import CategoricalVAE, ModelConfig
from tests.unit.conftest import CATEGORIES, IMAGES, LATENTS, PIXELS

ROOT = Path(__file__).parents[2]
LEVEL = 1e-4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def digits() -> tuple[CategoricalVAE, Tensor]:
    """The shipped model, and test images."""
    model = checkpoints.load(ROOT / "checkpoints/digits").model()
    return model, datasets.test_images(datasets.load("digits"), "grey")


def every_code() -> Tensor:
    return torch.tensor(list(product(range(CATEGORIES), repeat=LATENTS)))


def law_of(model: CategoricalVAE, images: Tensor) -> Categorical:
    """The posterior as torch.distributions has it."""
    model.eval()
    with torch.no_grad():
        return Categorical(logits=model.encode(images).double())


def pixel_law(model: CategoricalVAE, code: Tensor) -> Bernoulli:
    """The decoder's law of the pixels, of one code (N,)."""
    model.eval()
    with torch.no_grad():
        z = torch.nn.functional.one_hot(code, CATEGORIES).float()
        return Bernoulli(logits=model.decode(z.unsqueeze(0))[0].double(), validate_args=False)


# Codes and pictures.


def test_the_posterior_is_the_encoders(model: CategoricalVAE, images: Tensor) -> None:
    found = posterior(model, images)
    assert found.shape == (IMAGES, LATENTS, CATEGORIES)
    np.testing.assert_allclose(found, law_of(model, images).probs, atol=1e-6)


def test_the_best_code_is_the_posteriors_mode(model: CategoricalVAE, images: Tensor) -> None:
    """Of all codes there are, by enumeration."""
    law, codes = law_of(model, images), every_code()
    log_q = law.log_prob(codes.unsqueeze(1).expand(-1, IMAGES, -1)).sum(-1)
    assert torch.equal(best_code(model, images), codes[log_q.argmax(0)])


def test_a_drawn_code_is_a_draw_of_the_posterior(model: CategoricalVAE, images: Tensor) -> None:
    """Each of 5 latents is tested at a fifth of the level."""
    draws = drawn_code(model, images[:1].expand(20_000, -1), generator=seeded(2))
    for latent, law in enumerate(posterior(model, images[:1])[0].double().numpy()):
        counts = np.bincount(draws[:, latent], minlength=CATEGORIES)
        assert goodness_of_fit(counts, law, rng=np.random.default_rng(0)).p_value > LEVEL / LATENTS


def test_a_drawn_code_takes_the_noise_that_it_is_given(model: CategoricalVAE, images: Tensor) -> None:
    noise = gumbel_noise((IMAGES, LATENTS, CATEGORIES), generator=seeded(3))
    found = drawn_code(model, images, noise=noise)
    assert torch.equal(found, (posterior(model, images).log() + noise).argmax(-1))
    assert not torch.equal(found, best_code(model, images))
    assert torch.equal(drawn_code(model, images, noise=0 * noise), best_code(model, images))


def test_a_picture_is_the_decoders_mean(model: CategoricalVAE) -> None:
    codes = every_code()
    pictures = pictures_of(model, codes)
    assert pictures.shape == (len(codes), PIXELS)
    for code, picture in zip(codes[::17], pictures[::17], strict=True):
        np.testing.assert_allclose(picture, pixel_law(model, code).probs, atol=1e-6)


def test_codes_of_any_leading_shape(model: CategoricalVAE) -> None:
    codes = every_code()[:24]
    pictures = pictures_of(model, codes)
    torch.testing.assert_close(pictures_of(model, codes.view(2, 3, 4, -1)), pictures.view(2, 3, 4, -1))
    assert torch.equal(pictures_of(model, codes[5]), pictures_of(model, codes[5:6])[0])
    image = torch.full((PIXELS,), 0.25)
    losses = reconstruction_of(model, image, codes)
    torch.testing.assert_close(reconstruction_of(model, image, codes.view(2, 12, -1)), losses.view(2, 12))


@pytest.mark.parametrize(
    "codes",
    [
        torch.tensor([0, 0, 0, 0, CATEGORIES]),
        torch.tensor([0, 0, -1, 0, 0]),
        torch.zeros(4, dtype=torch.int64),
        torch.zeros(5),
        torch.tensor(0),
    ],
)
def test_what_is_no_code_is_refused(codes: Tensor, model: CategoricalVAE) -> None:
    with pytest.raises(ValueError, match="5 categories, whole numbers from 0 to 2"):
        pictures_of(model, codes)


def test_a_flip_changes_one_latent_and_can_be_undone() -> None:
    code = torch.tensor([2, 0, 1, 1, 0])
    changed = flipped(code, 2, 0)
    assert changed.tolist() == [2, 0, 0, 1, 0]
    assert code.tolist() == [2, 0, 1, 1, 0]
    assert torch.equal(flipped(changed, 2, 1), code)


@pytest.mark.parametrize("latent", [-1, 5])
def test_a_latent_that_is_not_there_is_refused(latent: int, model: CategoricalVAE) -> None:
    code = torch.zeros(LATENTS, dtype=torch.int64)
    for change in (
        lambda: flipped(code, latent, 0),
        lambda: sweep(model, code, latent),
        lambda: redrawn(model, code.unsqueeze(0), 0, latent),
        lambda: redrawn(model, code.expand(5, -1), latent, 0),
    ):
        with pytest.raises(ValueError, match=f"counted from 0, not {latent}"):
            change()


@pytest.mark.parametrize("latent", range(LATENTS))
def test_a_sweep_is_the_code_in_each_of_its_flips(latent: int, model: CategoricalVAE) -> None:
    code = torch.tensor([2, 0, 1, 1, 0])
    pictures = sweep(model, code, latent)
    assert pictures.shape == (CATEGORIES, PIXELS)
    for category, picture in enumerate(pictures):
        torch.testing.assert_close(picture, pictures_of(model, flipped(code, latent, category)))
    assert code.tolist() == [2, 0, 1, 1, 0]


# Losses.


@pytest.mark.parametrize("row", [0, 100, 242])
def test_a_loss_is_that_of_torch_distributions(row: int, model: CategoricalVAE, images: Tensor) -> None:
    image, code = images[3], every_code()[row]
    found = loss_of(model, image, code)
    q = law_of(model, image.unsqueeze(0))
    p = Categorical(logits=model.prior_logits.detach().double())
    assert found.terms.reconstruction == pytest.approx(
        -float(pixel_law(model, code).log_prob(image.double()).sum()), rel=1e-5
    )
    assert found.terms.kl == pytest.approx(float(kl_divergence(q, p).sum()), rel=1e-5)
    assert found.posterior == pytest.approx(-float(q.log_prob(code).sum()), rel=1e-5)
    assert found.prior == pytest.approx(-float(p.log_prob(code).sum()), rel=1e-5)


def test_what_the_latents_carry_is_torchs_kl(model: CategoricalVAE, images: Tensor) -> None:
    p = Categorical(logits=model.prior_logits.detach().double())
    theirs = kl_divergence(law_of(model, images), p)
    found = latent_kl(model, logits_of(model, images))
    np.testing.assert_allclose(found, theirs, rtol=1e-5)
    assert float(found[3].sum()) == pytest.approx(loss_of(model, images[3], START).terms.kl)


def test_an_image_that_is_encoded_already_is_not_encoded_again(
    model: CategoricalVAE, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, logits = loss_of(model, images[7], START), logits_of(model, images[7:8])[0]
    monkeypatch.setattr(CategoricalVAE, "encode", None)
    assert loss_of(model, images[7], START, logits=logits) == wanted


def test_both_totals_have_the_elbo_as_their_mean(model: CategoricalVAE, images: Tensor) -> None:
    """Over all codes there are, each weighted by its probability."""
    image = images[7].round()
    losses = [loss_of(model, image, code) for code in every_code()]
    weights = np.exp([-loss.posterior for loss in losses])
    assert weights.sum() == pytest.approx(1)
    negative_elbo = weights @ [loss.terms.total for loss in losses]
    assert weights @ [loss.sampled_total for loss in losses] == pytest.approx(negative_elbo, rel=1e-5)
    # And it is a bound on -log p(x), which enumeration knows.
    log_evidence = np.logaddexp.reduce([-loss.terms.reconstruction - loss.prior for loss in losses])
    assert negative_elbo > -log_evidence


def test_the_code_that_the_encoder_draws_explains_its_image(digits: tuple[CategoricalVAE, Tensor]) -> None:
    """On the shipped model: the image's own code costs less than another image's, for almost all."""
    model, images = digits
    codes = best_code(model, images)
    own = torch.stack([reconstruction_of(model, *pair) for pair in zip(images[:50], codes, strict=False)])
    others = torch.stack(
        [reconstruction_of(model, *pair) for pair in zip(images[:50], codes[50:], strict=False)]
    )
    assert (own < others).double().mean() > 0.9


# Resampling.


def test_soft_and_hard_samples_decode_their_own_noise(model: CategoricalVAE, images: Tensor) -> None:
    found = resampled(model, images[0], 0.7, 9, generator=seeded(4))
    noise = gumbel_noise((9, LATENTS, CATEGORIES), generator=seeded(4)).double()
    logits = law_of(model, images[:1]).logits
    soft = ((logits + noise) / 0.7).softmax(-1)
    assert torch.equal(found.codes, (logits + noise).argmax(-1))
    torch.testing.assert_close(found.hard, pictures_of(model, found.codes))
    with torch.no_grad():
        decoded = model.decode(soft.float()).double()
    torch.testing.assert_close(found.soft, decoded.sigmoid().float())
    law = Bernoulli(logits=decoded, validate_args=False)
    torch.testing.assert_close(found.soft_loss, -law.log_prob(images[0].double()).sum(-1))
    torch.testing.assert_close(found.hard_loss, reconstruction_of(model, images[0], found.codes))
    best = best_code(model, images[:1])[0]
    assert torch.equal(found.best, pictures_of(model, best))
    assert found.best_loss == float(reconstruction_of(model, images[0], best))
    assert found.temperature == 0.7


def test_mean_and_spread_are_over_the_samples(model: CategoricalVAE, images: Tensor) -> None:
    found = resampled(model, images[0], 1.5, 30, generator=seeded(5))
    for pictures, mean, spread in (
        (found.soft, found.soft_mean, found.soft_spread),
        (found.hard, found.hard_mean, found.hard_spread),
    ):
        np.testing.assert_allclose(mean, pictures.numpy().mean(0), atol=1e-6)
        np.testing.assert_allclose(spread, pictures.numpy().std(0), atol=1e-6)
    assert not torch.allclose(found.soft_mean, found.hard_mean, atol=1e-3)


def test_the_hard_mean_comes_near_the_posteriors_mean_picture(model: CategoricalVAE, images: Tensor) -> None:
    """Over all codes there are; each of 6 pixels is tested at a sixth of the level."""
    found = resampled(model, images[0], 1.0, 1_000, generator=seeded(6))
    weights = law_of(model, images[:1]).log_prob(every_code()).sum(-1).exp()
    pictures = pictures_of(model, every_code()).double()
    mean = weights @ pictures
    error = (weights @ (pictures - mean).square() / 1_000).sqrt()
    assert ((found.hard_mean - mean).abs() / error).max() < stats.norm.isf(LEVEL / PIXELS / 2)


def test_a_cold_soft_sample_is_the_hard_one(model: CategoricalVAE, images: Tensor) -> None:
    cold, warm = (resampled(model, images[0], tau, 20, generator=seeded(7)) for tau in (1e-5, 3.0))
    torch.testing.assert_close(cold.soft, cold.hard)
    assert torch.equal(cold.codes, warm.codes)
    assert torch.equal(cold.hard, warm.hard)
    assert not torch.allclose(warm.soft, warm.hard, atol=1e-2)


def test_one_sample_has_no_spread(model: CategoricalVAE, images: Tensor) -> None:
    found = resampled(model, images[0], 1.0, 1, generator=seeded())
    assert found.soft_spread.tolist() == found.hard_spread.tolist() == [0] * PIXELS


@pytest.mark.parametrize(
    ("temperature", "count", "sentence"),
    [
        (0.0, 5, "above 0"),
        (float("nan"), 5, "finite"),
        (1.0, 0, "number of samples"),
        (1.0, 1_001, "number of samples"),
    ],
)
def test_resampling_out_of_range_is_refused(
    temperature: float, count: int, sentence: str, model: CategoricalVAE, images: Tensor
) -> None:
    with pytest.raises(ValueError, match=sentence):
        resampled(model, images[0], temperature, count)


# Walks.

START, END = torch.tensor([0, 1, 2, 0, 1]), torch.tensor([1, 1, 0, 2, 2])


@pytest.mark.parametrize("order", ORDERS)
def test_a_walk_flips_each_differing_latent_once(order: str, model: CategoricalVAE, images: Tensor) -> None:
    found = walk(model, START, END, images[0], images[1], order=order, generator=seeded())
    assert sorted(found.latents.tolist()) == [0, 2, 3, 4]
    assert torch.equal(found.codes[0], START)
    assert torch.equal(found.codes[-1], END)
    for latent, before, after in zip(found.latents, found.codes, found.codes[1:], strict=False):
        assert (before != after).nonzero().flatten().tolist() == [int(latent)]
        assert after[latent] == END[latent]
    torch.testing.assert_close(found.pictures, pictures_of(model, found.codes))
    for losses, image in ((found.loss_to_start, images[0]), (found.loss_to_end, images[1])):
        for loss, code in zip(losses, found.codes, strict=True):
            assert float(loss) == pytest.approx(loss_of(model, image, code).terms.reconstruction, rel=1e-6)


@pytest.mark.parametrize("seed", range(30))
def test_by_effect_each_flip_is_the_best_that_is_left(
    seed: int, model: CategoricalVAE, images: Tensor
) -> None:
    start, end = prior_codes(model, 2, generator=seeded(seed))
    found = walk(model, start, end, images[0], images[1], order="effect")
    code, left = start, {n for n in range(LATENTS) if start[n] != end[n]}
    for latent in found.latents.tolist():
        losses = {
            n: loss_of(model, images[1], flipped(code, n, int(end[n]))).terms.reconstruction for n in left
        }
        assert losses[latent] == min(losses.values())
        code = flipped(code, latent, int(end[latent]))
        left.remove(latent)
    assert not left


def test_by_effect_needs_no_generator_and_looks_at_the_end(model: CategoricalVAE, images: Tensor) -> None:
    first, again = (walk(model, START, END, images[0], images[1], generator=seeded(seed)) for seed in (0, 1))
    assert torch.equal(first.latents, again.latents)
    others = {tuple(walk(model, START, END, images[0], image).latents.tolist()) for image in images}
    assert len(others) > 1


def test_at_random_each_order_comes_as_often(model: CategoricalVAE, images: Tensor) -> None:
    """Three latents differ: six orders, by Pearson's test."""
    end = torch.tensor([1, 1, 0, 2, 1])
    generator = seeded(8)
    latents = [ORDERS["random"](model, START, end, images[0], generator) for _ in range(3_000)]
    orders = [tuple(each.tolist()) for each in latents]
    counts = [orders.count(order) for order in permutations([0, 2, 3])]
    assert sum(counts) == len(orders)
    assert goodness_of_fit(counts, [1] * 6, rng=np.random.default_rng(0)).p_value > LEVEL


@pytest.mark.parametrize("order", ORDERS)
def test_a_walk_to_where_one_stands_has_no_step(order: str, model: CategoricalVAE, images: Tensor) -> None:
    found = walk(model, START, START, images[0], images[0], order=order)
    assert found.latents.tolist() == []
    assert torch.equal(found.codes, START.unsqueeze(0))
    assert torch.equal(found.loss_to_start, found.loss_to_end)


def test_the_greedy_way_is_quicker_on_the_shipped_model(digits: tuple[CategoricalVAE, Tensor]) -> None:
    """The loss to the end's image, summed along the way, against ten random orders."""
    model, images = digits
    start, end = best_code(model, images[:2])

    def along(order: str, seed: int = 0) -> float:
        found = walk(model, start, end, *images[:2], order=order, generator=seeded(seed))
        return float(found.loss_to_end.sum())

    assert along("effect") < min(along("random", seed) for seed in range(10))


def test_other_walks_are_refused(model: CategoricalVAE, images: Tensor) -> None:
    with pytest.raises(ValueError, match="no order 'best': it is one of effect, random"):
        walk(model, START, END, images[0], images[1], order="best")
    with pytest.raises(ValueError, match="A code of this model"):
        walk(model, START, END + 1, images[0], images[1])


# The prior.


def test_prior_codes_follow_the_prior(model: CategoricalVAE) -> None:
    """Each of 5 latents is tested at a fifth of the level."""
    generator = seeded(9)
    draws = torch.cat([prior_codes(model, 1_000, generator=generator) for _ in range(20)])
    law = model.prior_logits.detach().double().softmax(-1).numpy()
    for latent in range(LATENTS):
        counts = np.bincount(draws[:, latent], minlength=CATEGORIES)
        assert goodness_of_fit(counts, law[latent], rng=np.random.default_rng(0)).p_value > LEVEL / LATENTS


def test_prior_codes_are_those_of_the_samples(model: CategoricalVAE) -> None:
    codes = prior_codes(model, 64, generator=seeded(10))
    assert torch.equal(pictures_of(model, codes), sample(model, 64, generator=seeded(10)))


def test_one_latent_of_one_sample_is_redrawn(model: CategoricalVAE) -> None:
    """From the prior, whatever was there; and nothing else changes."""
    codes = prior_codes(model, 8, generator=seeded(11))
    before, generator = codes.clone(), seeded(12)
    drawn = [redrawn(model, codes, 6, 2, generator=generator) for _ in range(5_000)]
    assert torch.equal(codes, before)
    apart = torch.stack(drawn) != codes
    assert apart.any(0).nonzero().tolist() == [[6, 2]]
    counts = np.bincount([int(each[6, 2]) for each in drawn], minlength=CATEGORIES)
    law = model.prior_logits.detach().double().softmax(-1)[2].numpy()
    assert goodness_of_fit(counts, law, rng=np.random.default_rng(0)).p_value > LEVEL


@pytest.mark.parametrize("count", [0, 1_001, True])
def test_a_count_out_of_range_is_refused(count: int, model: CategoricalVAE) -> None:
    with pytest.raises(ValueError, match="number of samples"):
        prior_codes(model, count)


# Whatever is asked.


def test_the_model_and_the_randomness_are_left_as_they_were(model: CategoricalVAE, images: Tensor) -> None:
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    randomness = torch.get_rng_state()
    results = [
        posterior(model, images),
        latent_kl(model, logits_of(model, images)),
        best_code(model, images),
        drawn_code(model, images, generator=seeded()),
        pictures_of(model, START),
        sweep(model, START, 1),
        reconstruction_of(model, images[0], START),
        resampled(model, images[0], 1.0, 5, generator=seeded()).soft_mean,
        walk(model, START, END, images[0], images[1]).pictures,
        redrawn(model, prior_codes(model, 3, generator=seeded()), 0, 0, generator=seeded()),
    ]
    loss_of(model, images[0], START)
    assert not any(result.requires_grad for result in results)
    assert model.training
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), randomness)


def test_large_logits_do_not_swallow_the_noise(model: CategoricalVAE, images: Tensor) -> None:
    with torch.no_grad():
        model.get_parameter("encoder.3.weight").zero_()
        model.get_parameter("encoder.3.bias").fill_(1e9)
    codes = resampled(model, images[0], 1.0, 50, generator=seeded()).codes
    assert codes.unique().tolist() == [0, 1, 2]
    assert np.isfinite(loss_of(model, images[0], codes[0]).sampled_total)


@pytest.mark.parametrize("normalisation", ["none", "batch", "layer"])
def test_every_normalisation_reads_codes_of_any_shape(normalisation: str) -> None:
    model = CategoricalVAE(ModelConfig(6, (8,), (8,), 5, 3, normalisation=normalisation))
    for shape in [(5,), (2, 5), (2, 3, 5)]:
        assert pictures_of(model, torch.zeros(shape, dtype=torch.int64)).shape == (*shape[:-1], 6)
