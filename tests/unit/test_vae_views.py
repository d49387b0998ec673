"""Frames: each picture decodes what is said of it, and the numbers are those of `torch.distributions`."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from gumbel_core import checkpoints, datasets
from gumbel_core.vae.evaluation import DEAD
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.portrait import portrait
from gumbel_core.vae.views import SAMPLES, SHOWN, Bytes, Frame, as_bytes, frame_of
from tests.unit.conftest import CATEGORIES, IMAGES, LATENTS, PIXELS

ROOT = Path(__file__).parents[2]


def decoded(model: CategoricalVAE, category: np.ndarray) -> Bytes:
    """The picture of one code (N,), given by the category of each latent."""
    code = torch.from_numpy(np.eye(CATEGORIES, dtype=np.float32)[category])
    model.eval()
    with torch.no_grad():
        (picture,) = as_bytes(model.decode(code.unsqueeze(0)).sigmoid())
    return np.asarray(picture)


def frame(model: CategoricalVAE, images: Tensor, temperature: float = 0.7) -> Frame:
    return frame_of(model, images, step=3, temperature=temperature)


def test_shapes_and_what_is_told(model: CategoricalVAE, images: Tensor) -> None:
    found = frame(model, images)
    assert (found.step, found.temperature) == (3, 0.7)
    assert found.originals.shape == found.soft.shape == found.hard.shape == (SHOWN, PIXELS)
    assert found.samples.shape == (SAMPLES, PIXELS)
    assert found.code.shape == found.usage.shape == (LATENTS, CATEGORIES)
    assert found.drawn.shape == found.latent_kl.shape == (LATENTS,)
    pictures = (found.originals, found.soft, found.hard, found.samples)
    assert {picture.dtype for picture in pictures} == {np.dtype(np.uint8)}


def test_fewer_images_than_are_shown(model: CategoricalVAE, images: Tensor) -> None:
    found = frame(model, images[:3])
    assert found.originals.shape == found.soft.shape == found.hard.shape == (3, PIXELS)


def test_the_originals_are_the_first_images(model: CategoricalVAE, images: Tensor) -> None:
    np.testing.assert_array_equal(frame(model, images).originals, as_bytes(images[:SHOWN]))


def test_the_hard_picture_decodes_what_was_drawn(model: CategoricalVAE, images: Tensor) -> None:
    for start in range(0, IMAGES, 10):
        found = frame(model, images[start:])
        np.testing.assert_array_equal(found.hard[0], decoded(model, found.drawn))


def test_the_soft_pictures_are_of_the_same_noise(model: CategoricalVAE, images: Tensor) -> None:
    """As the temperature falls a relaxed sample becomes the one-hot of its noise, and so do the pictures."""
    cold, warm = frame(model, images, 1e-4), frame(model, images, 1.0)
    np.testing.assert_array_equal(cold.soft, cold.hard)
    np.testing.assert_array_equal(cold.hard, warm.hard)
    assert (warm.soft != warm.hard).any()


def test_large_logits_do_not_swallow_the_noise_of_what_is_drawn(
    model: CategoricalVAE, images: Tensor
) -> None:
    with torch.no_grad():
        model.get_parameter("encoder.3.weight").zero_()
        model.get_parameter("encoder.3.bias").fill_(1e9)
    cold = frame(model, images, 1e-4)
    np.testing.assert_array_equal(cold.soft, cold.hard)


def test_what_is_drawn_of_a_certain_posterior_is_its_mode(model: CategoricalVAE, images: Tensor) -> None:
    with torch.no_grad():
        model.get_parameter("encoder.3.weight").mul_(1e4)
    found = frame(model, images)
    np.testing.assert_array_equal(found.drawn, found.code.argmax(-1))


def test_the_code_is_the_first_images_posterior(model: CategoricalVAE, images: Tensor) -> None:
    found = frame(model, images)
    model.eval()
    with torch.no_grad():
        posterior = model.encode(images).double().softmax(-1)
    np.testing.assert_allclose(found.code, posterior[0], atol=1e-6)
    np.testing.assert_allclose(found.usage, posterior.mean(0), atol=1e-6)
    np.testing.assert_allclose(found.usage.sum(-1), 1, atol=1e-6)


def test_the_kl_is_that_of_torch_distributions(model: CategoricalVAE, images: Tensor) -> None:
    found = frame(model, images)
    model.eval()
    with torch.no_grad():
        posterior = Categorical(logits=model.encode(images).double())
        prior = Categorical(logits=model.prior_logits.detach().double().expand(IMAGES, -1, -1))
    np.testing.assert_allclose(found.latent_kl, kl_divergence(posterior, prior).mean(0), rtol=1e-5)
    assert (found.latent_kl >= 0).all()


def test_a_latent_that_the_image_does_not_move_is_dead_whatever_it_costs(
    model: CategoricalVAE, images: Tensor
) -> None:
    """It is always of one category, which the prior does not know: a large KL, which says nothing."""
    assert not frame(model, images).dead[2]
    with torch.no_grad():
        model.get_parameter("encoder.3.weight").view(LATENTS, CATEGORIES, -1)[2] = 0
        model.get_parameter("encoder.3.bias").view(LATENTS, CATEGORIES)[2] = torch.tensor([9.0, 0, 0])
    found = frame(model, images)
    assert found.dead[2]
    assert found.latent_kl[2] > 10 * DEAD


def test_both_pages_call_the_same_latents_dead() -> None:
    """On the shipped model, of which the portrait takes the sums in double precision."""
    model = checkpoints.load(ROOT / "checkpoints/digits").model()
    digits = datasets.test_images(datasets.load("digits"), "grey")
    whole = portrait(model, digits, datasets.test_labels("digits"))
    found = frame_of(model, digits, step=0, temperature=1.0)
    np.testing.assert_allclose(found.image_information, whole.image_information, rtol=1e-4, atol=1e-5)
    assert found.dead.tolist() == whole.dead.tolist()
    assert 0 < found.dead.sum() < len(found.dead)


def test_the_samples_are_of_the_prior(model: CategoricalVAE, images: Tensor) -> None:
    """Of a prior that is certain all samples are one picture, whatever the images are."""
    with torch.no_grad():
        model.prior_logits.mul_(1e5)
    found = frame(model, images)
    wanted = decoded(model, model.prior_logits.detach().argmax(-1).numpy())
    np.testing.assert_array_equal(found.samples, np.tile(wanted, (SAMPLES, 1)))


def test_a_frame_is_the_same_each_time(model: CategoricalVAE, images: Tensor) -> None:
    first, again = frame(model, images), frame(model, images)
    for field in fields(Frame):
        np.testing.assert_array_equal(getattr(first, field.name), getattr(again, field.name))


def test_a_frame_leaves_the_training_as_it_was(model: CategoricalVAE, images: Tensor) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    randomness = torch.get_rng_state()
    frame(model, images)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(randomness, torch.get_rng_state())


def test_a_frame_is_not_what_the_model_changes(model: CategoricalVAE, images: Tensor) -> None:
    found = frame(model, images)
    kept = {field.name: np.copy(getattr(found, field.name)) for field in fields(Frame)}
    images.zero_()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    for name, array in kept.items():
        np.testing.assert_array_equal(getattr(found, name), array)


def test_bytes_are_rounded() -> None:
    grey = torch.tensor([0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 254.6 / 255, 1.0])
    assert as_bytes(grey).tolist() == [0, 0, 1, 254, 255, 255]
