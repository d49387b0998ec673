"""The categorical VAE's network: its layers' sizes, shapes, prior, and the configs that are refused."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from gumbel_core.vae.model import LOGITS, NORMALISATIONS, CategoricalVAE, ModelConfig

SMALL: dict[str, Any] = {"pixels": 12, "encoder": (7, 5), "decoder": (6,), "latents": 3, "categories": 4}


def small(**changes: Any) -> CategoricalVAE:
    torch.manual_seed(0)
    return CategoricalVAE(ModelConfig(**SMALL | changes))


def widths(layers: nn.Sequential) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in layers if isinstance(layer, nn.Linear)]


def test_the_layers_of_lessons() -> None:
    model = CategoricalVAE(ModelConfig())
    assert widths(model.encoder) == [(784, 512), (512, 256), (256, 300)]
    assert widths(model.decoder) == [(300, 256), (256, 512), (512, 784)]


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_a_normalisation_and_a_relu_stand_between_each_two_layers_and_nowhere_else(
    normalisation: str,
) -> None:
    model = small(normalisation=normalisation)
    between = type(NORMALISATIONS[normalisation](1))
    assert [type(layer) for layer in model.encoder] == [nn.Linear, *2 * [between, nn.ReLU, nn.Linear]]
    assert [type(layer) for layer in model.decoder] == [nn.Linear, between, nn.ReLU, nn.Linear]
    assert widths(model.encoder) == [(12, 7), (7, 5), (5, 12)]
    assert widths(model.decoder) == [(12, 6), (6, 12)]


def test_a_network_without_hidden_layers_is_linear() -> None:
    model = small(encoder=(), decoder=())
    assert [type(layer) for layer in (*model.encoder, *model.decoder)] == [nn.Linear, nn.Linear]


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_shapes(normalisation: str) -> None:
    model = small(normalisation=normalisation).eval()
    logits = model.encode(torch.rand(9, 12))
    assert logits.shape == (9, 3, 4)
    assert model.decode(logits.softmax(-1)).shape == (9, 12)


def test_the_code_is_read_latent_by_latent() -> None:
    model = small(encoder=(), decoder=())
    code = torch.zeros(1, 3, 4)
    code[0, 2, 1] = 1
    with torch.no_grad():
        # The third latent's second category is input 2 * 4 + 1 of the decoder, and output of the encoder.
        wanted = model.get_parameter("decoder.0.weight")[:, 9] + model.get_parameter("decoder.0.bias")
        torch.testing.assert_close(model.decode(code)[0], wanted)
        images = torch.rand(5, 12)
        torch.testing.assert_close(model.encode(images)[:, 2, 1], model.encoder(images)[:, 9])


def test_logits_are_raw_or_cut_off_below_zero() -> None:
    images = torch.rand(50, 12)
    raw, cut = small().encode(images), small(logits="relu").encode(images)
    assert (raw < 0).any()
    assert torch.equal(cut, raw.clamp(min=0))
    assert list(LOGITS) == ["raw", "relu"]


def test_the_uniform_prior() -> None:
    model = small()
    torch.testing.assert_close(model.log_prior(), torch.full((3, 4), -math.log(4)))
    assert not model.log_prior().requires_grad
    assert not model.prior_logits.requires_grad


def test_the_learned_prior_begins_uniform_and_has_a_gradient() -> None:
    model = small(prior="learned")
    torch.testing.assert_close(model.log_prior(), torch.full((3, 4), -math.log(4)))
    with torch.no_grad():
        model.prior_logits[1] = torch.tensor([0.0, 1.0, 2.0, 3.0])
    wanted = torch.distributions.Categorical(logits=model.prior_logits).logits
    torch.testing.assert_close(model.log_prior(), wanted)
    model.log_prior()[0, 0].backward()
    assert model.prior_logits.grad is not None


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pixels": 0}, "number of pixels is a whole number from 1 to 16,384, not 0"),
        ({"pixels": 16_385}, "number of pixels"),
        ({"pixels": 64.0}, "number of pixels"),
        ({"latents": 0}, "number of latents"),
        ({"latents": 257}, "number of latents"),
        ({"latents": True}, "number of latents"),
        ({"categories": 1}, "number of categories is a whole number from 2 to 256, not 1"),
        ({"categories": "10"}, "number of categories"),
        ({"encoder": [512]}, "The encoder is a tuple of at most 8 widths"),
        ({"encoder": 9 * (2,)}, "The encoder is a tuple"),
        ({"decoder": None}, "The decoder is a tuple"),
        ({"decoder": (512, 0)}, "A width of the decoder"),
        ({"encoder": (4_097,)}, "A width of the encoder"),
        ({"normalisation": "group"}, "There is no normalisation 'group': it is one of none, batch, layer."),
        ({"normalisation": ["batch"]}, "There is no normalisation"),
        ({"logits": None}, "There is no kind of logits None"),
        ({"prior": "flat"}, "There is no prior 'flat': it is one of uniform, learned."),
    ],
)
def test_configs_that_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ModelConfig(**changes)
