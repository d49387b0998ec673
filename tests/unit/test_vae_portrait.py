"""A model as a whole: information against scikit-learn and joint laws written out; neighbours by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import mutual_info_score
from torch import Tensor
from torch.distributions import Categorical, kl_divergence

from gumbel_core import checkpoints, datasets
from gumbel_core.vae import portrait as module
from gumbel_core.vae.codes import best_code
from gumbel_core.vae.evaluation import DEAD, evaluate
from gumbel_core.vae.model import CategoricalVAE
from gumbel_core.vae.portrait import Portrait, nearest_in_code, nearest_in_pixels, portrait
from tests.unit.conftest import CATEGORIES, IMAGES, LATENTS

Array = NDArray[np.float64]

ROOT = Path(__file__).parents[2]
CLASSES = 5


@pytest.fixture
def labels() -> Tensor:
    """Four of the five classes: of the last there is no image."""
    return torch.randint(CLASSES - 1, (IMAGES,), generator=torch.Generator().manual_seed(2))


@pytest.fixture
def found(model: CategoricalVAE, images: Tensor, labels: Tensor) -> Portrait:
    return portrait(model, images, labels, classes=CLASSES)


@pytest.fixture(scope="module")
def shipped() -> tuple[CategoricalVAE, Tensor, Tensor]:
    model = checkpoints.load(ROOT / "checkpoints/digits").model()
    images = datasets.test_images(datasets.load("digits"), "grey")
    return model, images, datasets.test_labels("digits")


def posterior(model: CategoricalVAE, images: Tensor) -> Array:
    model.eval()
    with torch.no_grad():
        return np.asarray(model.encode(images).double().softmax(-1))


def information(joint: Array) -> float:
    """sum p(a, b) log p(a, b) / p(a) p(b), written out."""
    total = 0.0
    for a, row in enumerate(joint):
        for b, p in enumerate(row):
            total += p * np.log(p / (joint[a].sum() * joint[:, b].sum())) if p else 0.0
    return total


# A portrait.


def test_information_is_that_of_the_joint_law(
    found: Portrait, model: CategoricalVAE, images: Tensor, labels: Tensor
) -> None:
    q = posterior(model, images) / len(images)  # (M, N, K): the joint law of image and category
    for latent in range(LATENTS):
        of_image = q[:, latent]
        of_class = np.stack([of_image[labels.numpy() == label].sum(0) for label in range(CLASSES)])
        assert found.image_information[latent] == pytest.approx(information(of_image), rel=1e-6)
        assert found.class_information[latent] == pytest.approx(information(of_class), rel=1e-6)


def test_of_certain_posteriors_the_information_is_scikit_learns(
    model: CategoricalVAE, images: Tensor, labels: Tensor
) -> None:
    with torch.no_grad():
        model.get_parameter("encoder.3.weight").mul_(1e6)
    found = portrait(model, images, labels, classes=CLASSES)
    codes = best_code(model, images)
    for latent in range(LATENTS):
        theirs = mutual_info_score(labels.numpy(), codes[:, latent].numpy())
        assert found.class_information[latent] == pytest.approx(theirs, rel=1e-9, abs=1e-12)
    assert found.class_information.max() > 0.01


def test_usage_by_class_and_over_all(
    found: Portrait, model: CategoricalVAE, images: Tensor, labels: Tensor
) -> None:
    q = posterior(model, images)
    np.testing.assert_allclose(found.usage, q.mean(0), rtol=1e-6)
    for label in range(CLASSES - 1):
        np.testing.assert_allclose(found.class_usage[label], q[labels.numpy() == label].mean(0), rtol=1e-6)
        assert found.class_shares[label] == pytest.approx(float((labels == label).double().mean()))


def test_a_class_without_an_image_says_nothing(found: Portrait) -> None:
    assert found.class_shares[-1] == 0
    assert not found.class_usage[-1].any()
    assert not found.class_divergence[-1].any()


def test_the_divergence_of_a_class_is_that_of_torch_distributions(found: Portrait) -> None:
    of_class = Categorical(torch.from_numpy(found.class_usage[:-1]))
    of_all = Categorical(torch.from_numpy(found.usage).expand(CLASSES - 1, -1, -1))
    np.testing.assert_allclose(found.class_divergence[:-1], kl_divergence(of_class, of_all), rtol=1e-6)
    assert found.class_entropy == pytest.approx(
        float(Categorical(torch.from_numpy(found.class_shares)).entropy()), rel=1e-6
    )


def test_kl_and_usage_are_those_of_the_evaluation(
    found: Portrait, model: CategoricalVAE, images: Tensor
) -> None:
    evaluation = evaluate(model, images)
    np.testing.assert_allclose(found.latent_kl, evaluation.latent_kl, rtol=1e-4)
    np.testing.assert_allclose(found.usage, evaluation.usage, atol=1e-6)


def test_batches_change_nothing(
    found: Portrait, model: CategoricalVAE, images: Tensor, labels: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 7)
    again = portrait(model, images, labels, classes=CLASSES)
    for name, array in vars(found).items():
        np.testing.assert_allclose(getattr(again, name), array, rtol=1e-6, atol=1e-9)


def test_the_bounds_on_information(found: Portrait, shipped: tuple[CategoricalVAE, Tensor, Tensor]) -> None:
    """I(z; y) <= I(z; x) <= KL, and neither log K nor H(y) is passed: on random and on shipped weights."""
    for each in (found, portrait(*shipped)):
        rounding = 1e-12
        assert (each.class_information >= 0).all()
        assert (each.class_information <= each.image_information + rounding).all()
        assert (each.image_information <= each.latent_kl + rounding).all()
        assert (each.image_information <= np.log(each.usage.shape[1]) + rounding).all()
        assert (each.class_information <= each.class_entropy + rounding).all()


def test_the_kl_is_the_information_and_the_distance_to_the_prior(
    found: Portrait, model: CategoricalVAE
) -> None:
    prior = Categorical(logits=model.prior_logits.detach().double())
    gap = kl_divergence(Categorical(torch.from_numpy(found.usage)), prior)
    np.testing.assert_allclose(found.latent_kl, found.image_information + gap.numpy(), rtol=1e-6)


def test_a_latent_that_the_image_does_not_move_is_dead(
    model: CategoricalVAE, images: Tensor, labels: Tensor
) -> None:
    """Though its KL is large: it is always of one category, which the prior does not know."""
    with torch.no_grad():
        model.get_parameter("encoder.3.weight").view(LATENTS, CATEGORIES, -1)[2] = 0
        model.get_parameter("encoder.3.bias").view(LATENTS, CATEGORIES)[2] = torch.tensor([9.0, 0.0, 0.0])
    found = portrait(model, images, labels, classes=CLASSES)
    assert found.dead.tolist() == [False, False, True, False, False]
    assert found.latent_kl[2] > 10 * DEAD


@pytest.mark.parametrize("bias", range(10))
def test_rounding_leaves_no_information_below_0(
    bias: int, model: CategoricalVAE, images: Tensor, labels: Tensor
) -> None:
    """Of a model that does not look, and whose posterior is its prior."""
    with torch.no_grad():
        model.get_parameter("encoder.3.weight").zero_()
        model.get_parameter("encoder.3.bias").view(LATENTS, CATEGORIES)[:, 0] += bias
        model.prior_logits.copy_(model.get_parameter("encoder.3.bias").view(LATENTS, CATEGORIES))
    found = portrait(model, images, labels, classes=CLASSES)
    for nats in (found.image_information, found.latent_kl):
        assert (nats >= 0).all()
        assert nats == pytest.approx(np.zeros(LATENTS), abs=1e-5)


def test_the_shipped_models_other_latents_are_far_from_dead(
    shipped: tuple[CategoricalVAE, Tensor, Tensor],
) -> None:
    found = portrait(*shipped)
    assert 0 < found.dead.sum() < len(found.dead)
    assert found.image_information[~found.dead].min() > 10 * DEAD
    # What says next to nothing of the image says next to nothing of its class.
    assert found.class_information[found.dead].max() < DEAD < found.class_information[~found.dead].min()


def test_a_latent_that_is_the_class_says_all_of_it(found: Portrait) -> None:
    """A portrait made by hand: each of 5 equally frequent classes has a category of its own."""
    certain = np.eye(CLASSES)[:, None]
    made = replace(
        found,
        class_shares=np.full(CLASSES, 1 / CLASSES),
        class_usage=certain,
        usage=certain.mean(0),
        latent_kl=np.log([CLASSES]),
        image_information=np.log([CLASSES]),
    )
    assert made.class_information == pytest.approx(np.log([CLASSES]))
    assert made.class_entropy == pytest.approx(np.log(CLASSES))
    assert made.class_divergence == pytest.approx(np.full((CLASSES, 1), np.log(CLASSES)))


def test_the_model_is_left_as_it_was(model: CategoricalVAE, images: Tensor, labels: Tensor) -> None:
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    portrait(model, images, labels, classes=CLASSES)
    assert model.training
    assert all(torch.equal(kept[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize(
    "labels", [torch.zeros(3), torch.zeros(IMAGES, 1), torch.full((IMAGES,), 5), torch.full((IMAGES,), -1)]
)
def test_other_labels_are_refused(labels: Tensor, model: CategoricalVAE, images: Tensor) -> None:
    with pytest.raises(ValueError, match="Each image needs a class from 0 to 4"):
        portrait(model, images, labels.long(), classes=CLASSES)


def test_no_images_are_refused(model: CategoricalVAE, images: Tensor, labels: Tensor) -> None:
    with pytest.raises(ValueError, match="there has to be an image"):
        portrait(model, images[:0], labels[:0])


# Neighbours.


def test_the_nearest_in_code_differ_in_the_fewest_latents() -> None:
    codes = torch.tensor([[0, 1, 2], [0, 1, 0], [2, 2, 1], [0, 1, 2], [1, 1, 0], [0, 0, 2]])
    found = nearest_in_code(codes, torch.tensor([0, 1, 2]), 6)
    assert found.indices.tolist() == [0, 3, 1, 5, 4, 2]
    assert found.distances.tolist() == [0, 0, 1, 1, 2, 3]


def test_a_categorys_number_is_no_distance() -> None:
    """0 is as far from 9 as from 1."""
    found = nearest_in_code(torch.tensor([[9, 0], [1, 1]]), torch.tensor([0, 0]), 2)
    assert found.distances.tolist() == [1, 2]


def test_the_nearest_in_pixels_are_those_by_a_norm() -> None:
    images = torch.rand(300, 784, generator=torch.Generator().manual_seed(3))
    distances = np.linalg.norm(images.numpy() - images[7].numpy(), axis=1)
    found = nearest_in_pixels(images, images[7], 20)
    assert found.indices.tolist() == distances.argsort(kind="stable")[:20].tolist()
    np.testing.assert_allclose(found.distances, np.sort(distances)[:20], rtol=1e-5)
    assert (int(found.indices[0]), float(found.distances[0])) == (7, 0)


def test_equally_near_ones_come_by_their_index() -> None:
    """Many enough for a sort that is not stable to show."""
    ones = torch.ones(5_000, 2, dtype=torch.int64)
    assert nearest_in_code(ones, torch.tensor([0, 1]), 100).indices.tolist() == list(range(100))
    assert nearest_in_pixels(ones.float(), torch.zeros(2), 100).indices.tolist() == list(range(100))


def test_what_is_searched_is_left_as_it_was() -> None:
    images = torch.rand(5, 4)
    before = images.clone()
    nearest_in_pixels(images, images[0], 2)
    assert torch.equal(images, before)


@pytest.mark.parametrize("count", [0, 6])
def test_more_than_there_are_is_refused(count: int) -> None:
    for search in (nearest_in_code, nearest_in_pixels):
        with pytest.raises(ValueError, match=f"The nearest are 1 to 5 of the set, not {count}"):
            search(torch.zeros(5, 3), torch.zeros(3), count)
