"""What the Temperature lesson computes, against the paper's numbers, closed forms and the sampler itself."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from gumbel_core.concrete import log_density
from gumbel_core.draw import DrawConfig, draw
from gumbel_core.logits import PRESETS, LogitsError, parse_logits
from gumbel_core.temperature import (
    EDGE,
    STRIP,
    BinaryConfig,
    SimplexConfig,
    SparsityConfig,
    StripConfig,
    binary,
    corners_of,
    parse_corners,
    simplex,
    simplex_grid,
    sparsity,
    strip,
    uniform_sparsity,
)

JANG = tuple(parse_logits(PRESETS["Jang's figure 1"].text, "probabilities").tolist())
MADDISON = (2.0, 0.5, 1.0)
ODD = {
    "one": (0.0,),
    "masked": (1.5, -math.inf, 0.5, 0.0),
    "huge": (1e300, -1e300, 0.0),
    "sixty-four": tuple(np.linspace(-3, 3, 64)),
}


def test_the_strip_s_sample_is_the_draw_of_the_sampling_lesson() -> None:
    now = strip(StripConfig(JANG, seed=4, draws=10))
    for tau, sample in zip(STRIP, now.samples, strict=True):
        lesson = draw(DrawConfig(JANG, tau, 4))
        np.testing.assert_array_equal(sample, lesson.relaxed)
        assert now.one_hot.argmax() == sample.argmax() == lesson.winner
    assert now.one_hot.sum() == 1


def test_the_strip_s_mean_leaves_the_law_as_tau_grows() -> None:
    config = StripConfig(tuple(math.log(p) for p in (0.7, 0.2, 0.1)), (0.1, 0.5, 1.0, 2.0, 5.0), draws=40_000)
    now = strip(config)
    np.testing.assert_allclose(now.probabilities, [0.7, 0.2, 0.1], atol=1e-12)
    # LESSONS.md, to three digits; 4.5 standard errors, five temperatures: errs once in 30,000 seeds.
    error = np.abs(now.means[:, 0] - [0.698, 0.662, 0.593, 0.499, 0.405])
    assert (error <= 5e-4 + 4.5 * now.standard_errors[:, 0]).all()
    np.testing.assert_allclose(now.means.sum(1), 1, atol=1e-12)


def test_one_temperature_alone_is_on_the_same_noise() -> None:
    all_at_once, alone = strip(StripConfig(JANG)), strip(StripConfig(JANG, STRIP[2:3]))
    np.testing.assert_array_equal(alone.means[0], all_at_once.means[2])
    np.testing.assert_array_equal(alone.samples[0], all_at_once.samples[2])


def test_sparsity_of_the_field_s_picture() -> None:
    config = SparsityConfig(JANG, (0.1, 0.5, 1.0, 2.0, 10.0))
    now = sparsity(config)
    # LESSONS.md, picture 6, to two digits; 4.5 standard errors, five temperatures: errs once in 30,000 seeds.
    error = np.abs(now.mean - [0.95, 0.75, 0.56, 0.37, 0.18])
    assert (error <= 0.005 + 4.5 * now.standard_error).all()
    assert now.floor == pytest.approx(1 / 7)


def test_sparsity_runs_from_one_hot_to_uniform() -> None:
    for categories, line in uniform_sparsity().items():
        assert line.floor == 1 / categories
        assert (np.diff(line.mean) < 0).all()
        assert line.mean[0] > 0.97
        # At tau 100, E[max] exceeds 1/K by about the spread of the largest of K Gumbels: at most 4/(100 K).
        assert 0 < line.mean[-1] - line.floor < 4 / (100 * categories)


def test_the_floor_leaves_masked_categories_out() -> None:
    assert sparsity(SparsityConfig(ODD["masked"], draws=10)).floor == 1 / 3


@pytest.mark.parametrize("case", ODD)
def test_odd_logits_give_numbers(case: str) -> None:
    now, curve = strip(StripConfig(ODD[case], draws=50)), sparsity(SparsityConfig(ODD[case], draws=50))
    for array in (
        now.probabilities,
        now.means,
        now.standard_errors,
        now.samples,
        curve.mean,
        curve.standard_error,
    ):
        assert np.isfinite(array).all()


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_the_simplex_of_maddison_s_figure(tau: float) -> None:
    now = simplex(SimplexConfig(MADDISON, tau))
    np.testing.assert_allclose(now.masses, np.divide(MADDISON, 3.5))
    assert now.log_convex == (tau == 0.5)
    # At the centre all y_k^-tau cancel: 2 tau^2 prod(alpha) / sum(alpha)^3 times 3^3.
    assert now.at_centre == pytest.approx(2 * tau**2 * math.prod(MADDISON) / 3.5**3 * 27, rel=1e-12)
    uniform = log_density(torch.from_numpy(simplex_grid()), torch.tensor(MADDISON).log(), tau) - math.log(2)
    np.testing.assert_allclose(now.log_ratio * math.log(10), uniform, atol=1e-6)


def test_samples_follow_the_density_that_they_are_drawn_on() -> None:
    now = simplex(SimplexConfig(MADDISON, 1.0, seed=3, draws=4_000))
    # The first share of any pair, renormalised, is a binary Concrete: its log-odds are logistic. KS at 1e-4.
    log_odds = np.log(now.samples[:, 0] / now.samples[:, 1])
    assert stats.kstest(log_odds, stats.logistic(loc=math.log(4)).cdf).pvalue > 1e-4
    softmax = np.exp(now.perturbed) / np.exp(now.perturbed).sum(1, keepdims=True)
    np.testing.assert_allclose(now.samples, softmax, atol=1e-12)


@pytest.mark.parametrize("tau", [0.5, 2.0])
def test_the_log_density_at_the_samples_is_the_core_s(tau: float) -> None:
    now = simplex(SimplexConfig(MADDISON, tau))
    exact = log_density(torch.from_numpy(now.samples), torch.tensor(MADDISON).double().log(), tau)
    np.testing.assert_allclose(now.log_densities, exact, rtol=1e-9)


def test_the_log_density_is_finite_where_samples_round_to_corners() -> None:
    now = simplex(SimplexConfig(MADDISON, 0.01))
    assert (now.samples == 0).any()
    assert np.isfinite(now.log_densities).all()


def test_below_one_half_samples_gather_at_the_corners() -> None:
    shares = [
        (simplex(SimplexConfig(MADDISON, tau, draws=4_000)).samples.max(1) > 0.9).mean()
        for tau in (1.0, 0.5, 0.1)
    ]
    # .13, .44, .87, with standard errors below .008; five of them: errs once in 10^6 seeds.
    np.testing.assert_allclose(shares, [0.13, 0.44, 0.87], atol=0.045)


def test_the_grid_folds_a_square_into_the_triangle() -> None:
    grid = simplex_grid()
    np.testing.assert_allclose(grid.sum(-1), 1, atol=1e-12)
    assert grid.min() > 0
    np.testing.assert_allclose(grid[-1, :, 2], 1 - EDGE)
    np.testing.assert_allclose(grid[0, 0], [(1 - EDGE) ** 2, EDGE * (1 - EDGE), EDGE])


@pytest.mark.parametrize(
    ("text", "weights"), [("2, 0.5, 1", MADDISON), ("1 1 1", (1, 1, 1)), ("7;2;.1,", (7, 2, 0.1))]
)
def test_corners_are_read_as_typed(text: str, weights: tuple[float, ...]) -> None:
    assert parse_corners(text) == weights


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1, 2", "three weights, not 2"),
        ("1, 0, 2", "above 0"),
        ("1, -1, 2", "negative"),
        ("a, b, c", "not a number"),
    ],
)
def test_bad_corners_are_told_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_corners(text)
    assert issubclass(LogitsError, ValueError)


def test_corners_of_a_typed_law() -> None:
    assert corners_of((2.0, 0.5, -1.0)) == (0.7856, 0.1753, 0.03911)
    assert corners_of((0.0, -math.inf, 0.0, 0.0)) == (0.3333,) * 3
    assert corners_of((0.0, 0.0)) is None
    assert corners_of((1e30, 0.0, 0.0)) is None


@pytest.mark.parametrize("tau", [0.3, 1.0, 10.0, 100.0])
def test_the_binary_densities_have_mass_1(tau: float) -> None:
    now = binary(BinaryConfig(0.8, tau))
    x_mass = np.diff(stats.logistic.cdf(now.x[[0, -1]], loc=0.8))[0]
    assert integrate.trapezoid(now.x_density, now.x) == pytest.approx(x_mass, abs=1e-3)
    # Within the ends of the grid, by the logistic law of the unsquashed ends.
    y_mass = np.diff(stats.logistic.cdf(tau * np.log(now.y / (1 - now.y))[[0, -1]], loc=0.8))[0]
    assert integrate.trapezoid(now.y_density, now.y) == pytest.approx(y_mass, abs=0.02)


@pytest.mark.parametrize("tau", [0.01, 0.5, 100.0])
def test_equally_likely_draws_climb_to_the_curve(tau: float) -> None:
    now = binary(BinaryConfig(-1.5, tau))
    np.testing.assert_allclose(stats.logistic.cdf(now.draws_x, loc=-1.5), (np.arange(16) + 0.5) / 16)
    np.testing.assert_allclose(now.draws_y, 1 / (1 + np.exp(-now.draws_x / tau)), atol=1e-12)
    assert now.p_one == pytest.approx(1 / (1 + math.exp(1.5)))
    # At one half the logistic density at 0, stretched by tau / (y (1 - y)).
    assert now.at_half == pytest.approx(4 * tau * stats.logistic.pdf(0, loc=-1.5))


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        (lambda: StripConfig((0.0,), (0.0,)), "above 0"),
        (lambda: StripConfig((), (1.0,)), "categories"),
        (lambda: SparsityConfig((0.0,), draws=1), "at least 2"),
        (lambda: SimplexConfig((1, 2)), "three weights"),
        (lambda: SimplexConfig((1, 2, math.inf)), "above 0"),
        (lambda: SimplexConfig(MADDISON, 1e9), "from tau"),
        (lambda: BinaryConfig(5.0), "log-odds"),
        (lambda: BinaryConfig(math.nan), "log-odds"),
    ],
)
def test_what_is_out_of_range_is_refused(refused: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        refused()
