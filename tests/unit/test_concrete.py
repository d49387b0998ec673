"""The Concrete law against its formula, its total mass, its samplers and SciPy's logistic law."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from gumbel_core import concrete
from gumbel_core.concrete import binary_density, binary_sample, expected_max, is_log_convex, log_density
from gumbel_core.sampling import gumbel_softmax

JANG = torch.tensor([0.06, 0.16, 0.20, 0.035, 0.105, 0.42, 0.02]).log()  # LESSONS.md, picture 1
TRIPLE = torch.tensor([2, 0.5, 1]).double().log()  # LESSONS.md, picture 2


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def interior_points(count: int, categories: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(0).dirichlet(np.ones(categories), size=count))


@pytest.mark.parametrize("categories", [2, 3, 7])
@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0, 3.0])
def test_log_density_is_the_formula(categories: int, tau: float) -> None:
    logits = torch.linspace(-1, 2, categories).double()
    for point in interior_points(20, categories):
        terms = [math.exp(a) * x ** (-tau) for a, x in zip(logits.tolist(), point.tolist(), strict=True)]
        product = math.prod(t / x / sum(terms) for t, x in zip(terms, point.tolist(), strict=True))
        formula = math.factorial(categories - 1) * tau ** (categories - 1) * product
        assert log_density(point, logits, tau).item() == pytest.approx(math.log(formula), abs=1e-9)


def test_log_density_keeps_leading_shapes_and_ignores_a_shift() -> None:
    points = interior_points(6, 3).reshape(2, 3, 3)
    density = log_density(points, TRIPLE, 0.7)
    assert density.shape == (2, 3)
    assert density.dtype == torch.float64
    torch.testing.assert_close(log_density(points, TRIPLE + 5, 0.7), density, rtol=0, atol=1e-9)


def test_log_density_stays_finite_near_the_edge_and_at_large_logits() -> None:
    near_edge = torch.tensor([1e-300, 0.5, 0.5], dtype=torch.float64)
    assert log_density(near_edge, TRIPLE, 0.01).isfinite()
    assert log_density(near_edge, TRIPLE, 100).isfinite()
    assert log_density(torch.tensor([0.2, 0.3, 0.5]), torch.tensor([1e30, -1e30, 0]), 1).isfinite()


@pytest.mark.parametrize("tau", [1.0, 2.0])
def test_the_density_of_two_categories_has_mass_1(tau: float) -> None:
    mass, _ = integrate.quad(lambda x: binary_density(torch.tensor(x), 0.8, tau).item(), 0, 1, epsabs=1e-9)
    assert mass == pytest.approx(1, abs=1e-7)


def nodes(categories: int, tau: float) -> tuple[Tensor, float]:
    """Log points (..., K) of a grid that reaches into every corner, and the volume of a cell.

    On y = softmax(z_1, ..., z_(K-1), 0) the volume element is prod(y) dz, and a density that peaks at the
    edge becomes a smooth one that decays, which equal steps integrate to rounding.
    """
    step = 0.2 / tau
    z = torch.arange(-200, 201).double() * step
    axes = torch.meshgrid(*[z] * (categories - 1), indexing="ij")
    return torch.stack([*axes, torch.zeros_like(axes[0])], dim=-1).log_softmax(-1), step ** (categories - 1)


@pytest.mark.parametrize("categories", [2, 3])
@pytest.mark.parametrize("tau", [0.3, 1.0, 2.5])
def test_the_density_has_mass_1(categories: int, tau: float) -> None:
    log_points, cell = nodes(categories, tau)
    integrand = (log_density(log_points.exp(), TRIPLE[:categories], tau) + log_points.sum(-1)).exp()
    assert integrand.sum().item() * cell == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("point", [[0.0, 1.0], [0.5, 0.6], [-0.5, 1.5], [math.nan, 1.0]])
def test_points_off_the_open_simplex_are_refused(point: list[float]) -> None:
    with pytest.raises(ValueError, match="inside the simplex"):
        log_density(torch.tensor(point), torch.zeros(2), 1)


def test_masked_categories_and_temperature_0_are_refused() -> None:
    with pytest.raises(ValueError, match="leave masked categories out"):
        log_density(torch.tensor([0.5, 0.5]), torch.tensor([0, -math.inf]), 1)
    with pytest.raises(ValueError, match="leave masked categories out"):
        binary_sample(math.inf, 1, uniform=torch.tensor(0.5))
    for refused in (
        lambda: log_density(torch.tensor([0.5, 0.5]), torch.zeros(2), 0),
        lambda: binary_sample(0, 0, uniform=torch.tensor(0.5)),
        lambda: is_log_convex(3, 0),
        lambda: expected_max(JANG, [0], draws=10, generator=seeded()),
    ):
        with pytest.raises(ValueError, match="above 0"):
            refused()


@pytest.mark.parametrize(
    ("categories", "tau"), [(2, 0.9), (2, 1.2), (3, 0.45), (3, 0.6), (5, 0.24), (5, 0.3)]
)
def test_log_convexity_is_seen_in_second_differences(categories: int, tau: float) -> None:
    logits = torch.linspace(-1, 1, categories).double()
    middles, ends = interior_points(2000, categories), interior_points(4000, categories)[2000:]
    offset = 0.01 * middles.amin(-1, keepdim=True) * (ends - middles)  # small enough to stay inside
    bend = (
        log_density(middles + offset, logits, tau)
        + log_density(middles - offset, logits, tau)
        - 2 * log_density(middles, logits, tau)
    )
    assert is_log_convex(categories, tau) == bool((bend > -1e-11).all())


def test_log_convexity_includes_its_end() -> None:
    assert is_log_convex(3, 0.5)
    assert is_log_convex(50, 1 / 49)
    with pytest.raises(ValueError, match="at least 2 categories"):
        is_log_convex(1, 0.5)


def test_expected_max_of_the_field_s_picture() -> None:
    mean, error = expected_max(JANG, [0.1, 0.5, 1, 2, 10], draws=50_000, generator=seeded())
    assert mean.shape == error.shape == (5,)
    # LESSONS.md, picture 6, to two digits; four standard errors on top: errs once in 3,000 seeds.
    expected = torch.tensor([0.95, 0.75, 0.56, 0.37, 0.18], dtype=torch.float64)
    assert ((mean - expected).abs() <= 0.005 + 4 * error).all()


@pytest.mark.parametrize("chunk", [2**20, 1000])
def test_expected_max_agrees_with_quadrature(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concrete, "CHUNK", chunk)
    taus = [0.5, 1.0, 4.0]
    mean, error = expected_max(torch.tensor([0.8, 0]), taus, draws=20_001, generator=seeded())
    for t, tau in enumerate(taus):
        log_points, cell = nodes(2, tau)
        mass = (log_density(log_points.exp(), torch.tensor([0.8, 0]), tau) + log_points.sum(-1)).exp() * cell
        exact = (mass * log_points.exp().amax(-1)).sum()
        # 4.5 standard errors, three temperatures: errs once in 50,000 seeds. The kink costs the grid 1e-3.
        assert (mean[t] - exact).abs() <= 4.5 * error[t] + 1e-3


def test_the_standard_error_is_the_spread_of_repeats() -> None:
    runs = [expected_max(JANG, [0.5, 1e6], draws=100, generator=seeded(seed)) for seed in range(400)]
    spread = torch.stack([mean for mean, _ in runs]).std(0)
    claimed = torch.stack([error for _, error in runs]).mean(0)
    # The spread of 400 has a relative standard error of 3.5 %; five of them: errs once in 10^6 seeds.
    assert (spread / claimed).tolist() == pytest.approx([1, 1], abs=0.18)


def test_every_temperature_sees_the_same_noise() -> None:
    taus = np.geomspace(0.01, 100, 60).tolist()
    mean, _ = expected_max(JANG, taus, draws=50, generator=seeded())
    assert (mean.diff() < 0).all()
    alone, _ = expected_max(JANG, taus[30:31], draws=50, generator=seeded())
    torch.testing.assert_close(alone, mean[30:31])


def test_a_single_live_category_is_always_the_whole_sample() -> None:
    mean, error = expected_max(torch.tensor([0, -math.inf]), [0.1, 10], draws=10, generator=seeded())
    assert mean.tolist() == [1, 1]
    assert error.tolist() == [0, 0]


@pytest.mark.parametrize("tau", [0.2, 1.0, 3.0])
def test_binary_density_is_that_of_a_squashed_logistic(tau: float) -> None:
    x = np.linspace(0.01, 0.99, 99)
    oracle = stats.logistic(loc=0.8 / tau, scale=1 / tau).pdf(np.log(x / (1 - x))) / (x * (1 - x))
    np.testing.assert_allclose(binary_density(torch.from_numpy(x), 0.8, tau), oracle, rtol=1e-9)
    second = log_density(
        torch.from_numpy(np.stack([1 - x, x], -1)), torch.tensor([0, 0.8], dtype=torch.float64), tau
    )
    np.testing.assert_allclose(second.exp(), oracle, rtol=1e-9)


@pytest.mark.parametrize("tau", [0.2, 1.0, 3.0])
def test_binary_samples_follow_the_density(tau: float) -> None:
    sample = binary_sample(0.8, tau, uniform=torch.rand(20_000, generator=seeded(), dtype=torch.float64))
    # KS tests at a level of 1e-4 each, seeded.
    unsquashed = torch.logit(sample).numpy()
    assert stats.kstest(unsquashed, stats.logistic(loc=0.8 / tau, scale=1 / tau).cdf).pvalue > 1e-4
    pair = torch.tensor([0.8, 0]).expand(20_000, 2)
    relaxed = gumbel_softmax(pair.double(), tau, generator=seeded(1))[:, 0].numpy()
    assert stats.ks_2samp(sample.numpy(), relaxed).pvalue > 1e-4


def test_binary_samples_keep_dtype_and_ends() -> None:
    ends = binary_sample(0.8, 0.5, uniform=torch.tensor([0.0, 0.5, 1 - 2**-24]))
    assert ends.dtype == torch.float32
    assert ends[0] == 0
    assert ends[1].item() == pytest.approx(1 / (1 + math.exp(-1.6)), abs=1e-6)
    assert ends.isfinite().all()
