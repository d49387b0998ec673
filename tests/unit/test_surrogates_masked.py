"""A logit of -inf masks a category: a surrogate sample never draws it, and nothing moves for it.

The statistical tests are seeded. There are eight p-values, held above 1e-4, and fifteen z-scores, held below
4.5 (`FAR`): with other seeds right code would fail one run in 1,000.
"""

import pytest
import torch
from scipy import stats
from torch import Tensor

from gumbel_core.surrogates import SURROGATES, conditional_gumbels, one_hot, slope
from tests.unit.known_gradients import FAR, normal, seeded, through, z_scores

DRAWS, LEVEL = 20_000, 1e-4
B = normal(4, seed=2)
MASKED = torch.tensor([0.9, -torch.inf, 0.1, -1.2], dtype=torch.float64)
OPEN = [0, 2, 3]


@pytest.mark.parametrize("name", SURROGATES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [0.01, 0.7, 10.0])
def test_a_masked_category_is_never_drawn_and_moves_nothing(
    name: str, dtype: torch.dtype, temperature: float
) -> None:
    logits = MASKED.to(dtype).expand(300, -1)
    z, gradient = through(SURROGATES[name].sample, logits, lambda z: z.square() @ B.to(dtype), temperature)
    assert (z[:, 1] == 0).all()
    assert (gradient[:, 1] == 0).all()
    assert gradient.isfinite().all()
    assert (gradient[:, OPEN] != 0).any(0).all()


@pytest.mark.parametrize("name", SURROGATES)
def test_a_masked_category_is_as_good_as_none(name: str) -> None:
    """Winners and mean gradients are those of the three others alone."""

    def alone(z: Tensor) -> Tensor:
        return z.square() @ B[OPEN]

    z, gradient = through(SURROGATES[name].sample, MASKED.expand(DRAWS, -1), lambda z: z.square() @ B)
    kept, wanted = through(SURROGATES[name].sample, MASKED[OPEN].expand(DRAWS, -1), alone, seed=1)
    counts = torch.stack([z[:, OPEN].argmax(-1).bincount(), kept.argmax(-1).bincount()])
    assert stats.chi2_contingency(counts).pvalue > LEVEL
    assert z_scores(gradient[:, OPEN], wanted).abs().max() < FAR


def test_conditional_gumbels_of_a_masked_category_are_0_and_of_the_others_as_without_it() -> None:
    winner = one_hot(torch.tensor(2), MASKED)
    noise = conditional_gumbels(MASKED, winner, DRAWS, generator=seeded())
    assert (noise[:, 1] == 0).all()
    alone = conditional_gumbels(MASKED[OPEN], winner[OPEN], DRAWS, generator=seeded(1))
    for drawn, wanted in zip(noise[:, OPEN].T, alone.T, strict=True):
        assert stats.ks_2samp(drawn, wanted).pvalue > LEVEL


def test_slope_is_zeros_with_the_logits_gradient() -> None:
    logits = MASKED.clone().requires_grad_()
    zeros = slope(logits)
    assert zeros.tolist() == [0, 0, 0, 0]
    (gradient,) = torch.autograd.grad(zeros, logits, grad_outputs=B)
    # A masked one has no way back.
    assert torch.equal(gradient, B * torch.tensor([1, 0, 1, 1]))
