"""REINFORCE, leave-one-out and REBAR: each sample by its formula, and the means against enumeration.

The z-scores are seeded and held below 4.5 (`FAR`); there are some 360 of them, so with other seeds right code
would fail one run in 400.
"""

import pytest
import torch
from torch import Tensor

from gumbel_core.estimators import ESTIMATORS, corner_probabilities, enumerate_corners
from gumbel_core.functions import Function
from gumbel_core.sampling import gumbel_noise
from gumbel_core.surrogates import conditional_gumbels, one_hot
from tests.unit.known_gradients import FAR, enumerated, masked, normal, seeded, typed, z_scores

DRAWS = 20_000
# f, variables, categories.
PROBLEMS = [("squares", 1, 4), ("table", 2, 3), ("network", 3, 3), ("distance", 2, 4), ("crossed", 2, 2)]
LOGITS = normal(2, 3)


def gradients(
    name: str,
    f: Function,
    logits: Tensor = LOGITS,
    temperature: float = 0.7,
    samples: int = DRAWS,
    seed: int = 0,
) -> Tensor:
    return ESTIMATORS[name](f, logits, temperature, seeded(seed), samples)


def noise_of(*shape: int) -> Tensor:
    """The noise that an estimator of that shape draws first."""
    return gumbel_noise(shape, generator=seeded(), dtype=torch.float64)


def winners(logits: Tensor, noise: Tensor) -> Tensor:
    return one_hot((logits + noise).argmax(-1), noise)


# Their means


@pytest.mark.parametrize("name", ["reinforce", "reinforce_loo"])
@pytest.mark.parametrize(("function", "variables", "categories"), PROBLEMS)
def test_the_score_function_is_unbiased(name: str, function: str, variables: int, categories: int) -> None:
    f, logits = typed(function, variables, categories), normal(variables, categories)
    for given in (logits, masked(logits)):
        found = gradients(name, f, given)
        assert z_scores(found, enumerated(f, given)).abs().max() < FAR


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize(("function", "variables", "categories"), PROBLEMS)
def test_rebar_is_unbiased_at_every_temperature(
    function: str, variables: int, categories: int, temperature: float
) -> None:
    f, logits = typed(function, variables, categories), normal(variables, categories)
    found = gradients("rebar", f, logits, temperature)
    assert z_scores(found, enumerated(f, logits)).abs().max() < FAR
    hidden = masked(logits)
    found = gradients("rebar", f, hidden, temperature)
    assert z_scores(found, enumerated(f, hidden)).abs().max() < FAR


@pytest.mark.parametrize("name", ["reinforce", "reinforce_loo", "rebar"])
def test_unbiased_in_single_precision_too(name: str) -> None:
    f = typed("network", 2, 3)
    found = gradients(name, f, LOGITS.float()).double()
    assert z_scores(found, enumerated(f, LOGITS)).abs().max() < FAR


# REINFORCE


def test_each_reinforce_gradient_is_the_value_times_the_score() -> None:
    f, z = typed("network", 2, 3), winners(LOGITS, noise_of(200, 2, 3))
    wanted = [f(row) * (row - LOGITS.softmax(-1)) for row in z]
    torch.testing.assert_close(
        gradients("reinforce", f, samples=200), torch.stack(wanted), rtol=0, atol=1e-12
    )


def variance_of_reinforce(f: Function) -> float:
    """By enumeration: E |f(z) (z - p)|^2 - |gradient|^2, summed over the entries."""
    corners, weights = enumerate_corners(LOGITS), corner_probabilities(LOGITS)
    lengths = (corners - LOGITS.softmax(-1)).square().sum((-1, -2))
    return float(weights @ (f(corners).square() * lengths) - enumerated(f, LOGITS).square().sum())


@pytest.mark.parametrize("constant", [0.0, 10.0])
def test_a_constant_added_to_f_adds_to_reinforces_variance(constant: float) -> None:
    f = typed("table", 2, 3)

    def shifted(z: Tensor) -> Tensor:
        return f(z) + constant

    found = gradients("reinforce", shifted).var(0).sum().item()
    # So few corners: 20,000 draws know the variance to a percent.
    assert found == pytest.approx(variance_of_reinforce(shifted), rel=0.05)
    assert (found > 50) == (constant > 0)


def test_a_constant_added_to_f_leaves_leave_one_out_as_it_was() -> None:
    f = typed("table", 2, 3)
    shifted = gradients("reinforce_loo", lambda z: f(z) + 10, samples=500)
    torch.testing.assert_close(shifted, gradients("reinforce_loo", f, samples=500), rtol=0, atol=1e-12)


# Leave-one-out


def test_each_leave_one_out_gradient_is_the_papers() -> None:
    """Kool et al. 2019, eq. 7: sum_i (f(z_i) - mean f) (z_i - p) / (k - 1)."""
    f, z = typed("network", 2, 3), winners(LOGITS, noise_of(4, 200, 2, 3))
    wanted = torch.zeros(200, 2, 3, dtype=torch.float64)
    for sample in range(200):
        values = [f(z[i, sample]) for i in range(4)]
        for i in range(4):
            wanted[sample] += (values[i] - sum(values) / 4) * (z[i, sample] - LOGITS.softmax(-1)) / 3
    found = gradients("reinforce_loo", f, samples=200)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_a_draws_baseline_does_not_read_the_draw() -> None:
    """Raise f of one draw alone: the gradient moves along that draw's score and by the others' baselines."""
    values = torch.zeros(4, 1, dtype=torch.float64)
    z = winners(LOGITS, noise_of(4, 1, 2, 3))[:, 0]
    scores = z - LOGITS.softmax(-1)
    for raised in range(4):
        values.zero_()[raised] = 6.0
        found = gradients("reinforce_loo", lambda _: values.flatten(), samples=1)[0]
        others = sum(scores[i] for i in range(4) if i != raised)
        # The raised one's own advantage is all of 6; each of the others loses a third of it.
        torch.testing.assert_close(found, (6 * scores[raised] - 2 * others) / 4, rtol=0, atol=1e-13)


def test_leave_one_out_is_quieter_than_the_mean_of_four_where_f_is_far_from_0() -> None:
    f = typed("quadratic", 2, 3)
    four = gradients("reinforce", f, samples=4 * DRAWS).unflatten(0, (DRAWS, 4)).mean(1)
    assert gradients("reinforce_loo", f).var(0).sum() < 0.1 * four.var(0).sum()


# REBAR


def rebar_by_hand(f: Function, noise: Tensor, temperature: float) -> Tensor:
    """Tucker et al. 2017, eq. 4, for one draw (N, K), with finite differences for the derivatives.

    The conditional sample has the winner's sum and the losers' own exponential clocks, which rest while the
    logits move: z_k = -log(exp(-top) + E_k / p_k).
    """

    def log_p(logits: Tensor) -> Tensor:
        return logits - logits.logsumexp(-1, keepdim=True)

    perturbed = log_p(LOGITS) + noise
    top, hard = perturbed.amax(-1, keepdim=True), one_hot(perturbed.argmax(-1), perturbed)
    clocks = log_p(LOGITS).exp() * ((-perturbed).exp() - (-top).exp())  # 0 for the winner

    def free(logits: Tensor) -> Tensor:
        return f(((log_p(logits) + noise) / temperature).softmax(-1))

    def tied(logits: Tensor) -> Tensor:
        sums = -((-top).exp() + clocks / log_p(logits).exp()).log()
        return f((sums / temperature).softmax(-1))

    # The coupling: one value, two ways to move.
    torch.testing.assert_close(tied(LOGITS), free(LOGITS), rtol=0, atol=1e-12)
    gradient = (f(hard) - tied(LOGITS)) * (hard - log_p(LOGITS).exp())
    for entry in range(LOGITS.numel()):
        moved = torch.zeros_like(LOGITS)
        moved.view(-1)[entry] = 1e-5
        up, down = (free(logits) - tied(logits) for logits in (LOGITS + moved, LOGITS - moved))
        gradient.view(-1)[entry] += (up - down) / 2e-5
    return gradient


@pytest.mark.parametrize("temperature", [0.5, 2.0])
@pytest.mark.parametrize("function", ["network", "crossed"])
def test_each_rebar_gradient_is_the_papers(function: str, temperature: float) -> None:
    f = typed(function, 2, 3)
    wanted = [rebar_by_hand(f, noise, temperature) for noise in noise_of(40, 2, 3)]
    found = gradients("rebar", f, temperature=temperature, samples=40)
    torch.testing.assert_close(found, torch.stack(wanted), rtol=0, atol=1e-7)


def uncoupled_rebar(f: Function, temperature: float, seed: int) -> Tensor:
    """The same estimator with a conditional sample of noise of its own, differentiated through."""
    rows = LOGITS.expand(DRAWS, -1, -1).clone().requires_grad_()
    generator = seeded(seed)
    noise = gumbel_noise(rows.shape, generator=generator, dtype=rows.dtype)
    hard = winners(LOGITS, noise)
    again = conditional_gumbels(rows, hard, 1, generator=generator).squeeze(0)
    free, tied = (f(((rows + each) / temperature).softmax(-1)) for each in (noise, again))
    (pathwise,) = torch.autograd.grad((free - tied).sum(), rows)
    score = hard - LOGITS.softmax(-1)
    return (f(hard) - tied.detach())[:, None, None] * score + pathwise


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
@pytest.mark.parametrize("function", ["network", "distance"])
def test_rebars_coupling_leaves_the_mean(function: str, temperature: float) -> None:
    f = typed(function, 2, 3)
    coupled, uncoupled = gradients("rebar", f, temperature=temperature), uncoupled_rebar(f, temperature, 1)
    assert z_scores(coupled, uncoupled).abs().max() < FAR


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_rebars_coupling_lowers_the_variance(temperature: float) -> None:
    f = typed("distance", 2, 3)
    coupled, uncoupled = gradients("rebar", f, temperature=temperature), uncoupled_rebar(f, temperature, 1)
    assert coupled.var(0).sum() < 0.9 * uncoupled.var(0).sum()


@pytest.mark.parametrize("function", ["squares", "quadratic", "network"])
def test_rebar_is_quieter_than_reinforce(function: str) -> None:
    f = typed(function, 2, 3)
    rebar, plain = gradients("rebar", f, temperature=1.0), gradients("reinforce", f)
    assert rebar.var(0).sum() < 0.8 * plain.var(0).sum()
