"""The bench against NumPy on the same draws, and its floor and its errors against what repeats show.

The statistical tests are seeded, and each says how often right code would fail it with other seeds.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from gumbel_core import gradient_bench
from gumbel_core.estimators import ESTIMATORS
from gumbel_core.gradient_bench import (
    TEMPERATURES,
    BenchConfig,
    Curve,
    Moments,
    bench,
    curve_of,
    estimates,
    estimators_of,
    means_for,
    moments_at,
    problem_of,
    quick_samples,
    rare_variance,
)
from gumbel_core.gradient_pairs import compare

Array = NDArray[np.float64]

CONFIG = BenchConfig((0.9, -0.4, 0.1), numbers=(1.0, 4.0, -2.0), samples=500, seed=3)
TWO = BenchConfig((0.9, -0.4, 0.1), variables=2, function="network", samples=500, seed=3)
# Whose noise is one draw a sample; the others draw theirs in an order that the chunks decide.
IN_A_ROW = [name for name in ESTIMATORS if name not in ("reinforce_loo", "gumbel_rao")]


def drawn(config: BenchConfig, name: str, temperature: float, dtype: torch.dtype = torch.float32) -> Array:
    """The config's estimates (S, N, K), in one call."""
    problem, generator = problem_of(config), torch.Generator().manual_seed(config.seed)
    found = ESTIMATORS[name](problem.f, problem.logits.to(dtype), temperature, generator, config.samples)
    return np.asarray(found.double().numpy())


def point(off: float = 0.5, floor: float = 0.3, variance: float = 2.0, temperature: float = 1.0) -> Moments:
    """Of a biased estimator."""
    return Moments(temperature, False, np.zeros((1, 3)), off, floor, variance, vanished=0.0, seconds=1e-6)


# The problem


def test_every_variable_starts_from_the_same_logits() -> None:
    """By hand: of p . w the gradient is p_k (w_k - p . w), and f is a sum over the two variables."""
    config = replace(CONFIG, variables=2)
    problem = problem_of(config)
    weights = np.exp(config.logits)
    p, w = weights / weights.sum(), np.array(config.numbers)
    np.testing.assert_allclose(problem.logits.softmax(-1), [p] * 2, rtol=0, atol=1e-14)
    np.testing.assert_allclose(problem.gradient, [p * (w - p @ w)] * 2, rtol=0, atol=1e-14)
    assert problem.unit == pytest.approx(math.sqrt(2) * np.linalg.norm(p * (w - p @ w)), rel=1e-12)


@pytest.mark.parametrize("shift", [700.0, -1e6])
def test_a_shift_of_the_logits_changes_no_estimate(shift: float) -> None:
    """Halves, so that the shifted logits differ by exactly as much."""
    plain = replace(CONFIG, logits=(0.5, -0.5, 0.0))
    shifted = replace(plain, logits=tuple(logit + shift for logit in plain.logits))
    for name in ESTIMATORS:
        np.testing.assert_array_equal(next(estimates(shifted, name, 0.5)), next(estimates(plain, name, 0.5)))


def test_logits_beyond_single_precision_are_measured() -> None:
    found = moments_at(replace(CONFIG, logits=(1e300, -1e300, 1e300)), "gumbel_softmax", 0.5)
    assert np.isfinite(found.mean).all()
    assert found.off > 0


def test_a_gradient_of_0_is_no_unit() -> None:
    config = replace(CONFIG, numbers=(2.0, 2.0, 2.0))
    assert problem_of(config).unit == 1.0
    estimate = drawn(config, "reinforce", 1.0)
    found = moments_at(config, "reinforce", 1.0)
    assert found.off == pytest.approx(np.linalg.norm(estimate.mean(0)), rel=1e-6)
    assert found.variance == pytest.approx(estimate.var(0, ddof=1).sum(), rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"logits": (1.0,)}, "One category leaves nothing to choose"),
        ({"logits": (math.nan, 0.0)}, "none NaN"),
        ({"logits": (-math.inf, -math.inf)}, "One logit at least must be finite"),
        ({"logits": (0.0,) * 65}, "1 to 64 categories, not 65"),
        ({"seed": -1}, "A seed is a whole number"),
        ({"variables": 0}, "The number of variables is a whole number from 1 to 6, not 0"),
        ({"variables": 7}, "from 1 to 6, not 7"),
        ({"variables": 2.0}, "from 1 to 6, not 2.0"),
        ({"variables": True}, "from 1 to 6, not True"),
        ({"logits": (0.0,) * 65, "variables": 2}, "1 to 64 categories, not 65"),
        ({"logits": (0.0,) * 5, "variables": 6}, "6 variables of 5 categories have too many combinations"),
        ({"function": "cubic"}, "There is no function 'cubic'"),
        ({"numbers": (1.0,)}, "reads 3 numbers, a weight for each category: there are 1"),
        ({"numbers": (1.0, 2.0, math.inf)}, "A number of a function lies between"),
        ({"function": "table", "variables": 2}, "reads 9 numbers"),
        ({"rao_draws": 0}, "Gumbel-Rao's R is a whole number from 1 to 50, not 0"),
        ({"rao_draws": 51}, "from 1 to 50, not 51"),
        ({"samples": 99}, "The number of samples is a whole number from 100 to 1,000,000, not 99"),
        ({"samples": 1_000_001}, "to 1,000,000, not 1000001"),
    ],
)
def test_what_the_config_refuses_it_refuses_in_one_sentence(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as refused:
        replace(CONFIG, **changes)  # type: ignore[arg-type]
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_the_largest_problems_are_taken() -> None:
    assert problem_of(BenchConfig((0.0,) * 64, variables=2)).gradient.shape == (2, 64)
    assert problem_of(BenchConfig((0.0,) * 4, variables=6)).gradient.shape == (6, 4)


def test_a_picture_of_many_categories_is_of_fewer_samples() -> None:
    counts = [quick_samples(*shape) for shape in [(1, 5), (1, 6), (1, 12), (6, 4), (100, 100)]]
    assert counts == [10_000, 10_000, 5_000, 2_500, 100]


# The moments


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("config", [CONFIG, TWO], ids=["one variable", "two"])
def test_the_moments_are_numpys_on_the_same_draws(name: str, config: BenchConfig) -> None:
    estimate, exact = drawn(config, name, 0.4), problem_of(config).gradient.numpy()
    length = np.linalg.norm(exact)
    off, variance = np.linalg.norm(estimate.mean(0) - exact), estimate.var(0, ddof=1).sum()
    found = moments_at(config, name, 0.4)
    assert found.temperature == 0.4
    assert found.unbiased is ESTIMATORS[name].unbiased
    np.testing.assert_allclose(found.mean, estimate.mean(0), rtol=0, atol=1e-12)
    # The exact estimator's moments are single precision's rounding.
    assert found.off == pytest.approx(off / length, rel=1e-9, abs=1e-7)
    assert found.variance == pytest.approx(variance / length**2, rel=1e-9, abs=1e-12)
    rare = rare_variance(problem_of(config), config.samples).sum().item()
    assert found.floor == pytest.approx(math.sqrt((found.variance + rare) / config.samples), rel=1e-12)
    assert found.vanished == np.mean([not row.any() for row in estimate])
    assert 0 < found.seconds < 1


def test_a_gradient_vanishes_only_if_every_entry_does() -> None:
    """In single precision, and where the temperature is small: K = 10, as LESSONS' third of all samples."""
    config = BenchConfig((0.0,) * 10, samples=2_000)
    single, double = (
        moments_at(config, "gumbel_softmax", 0.01, dtype) for dtype in (torch.float32, torch.float64)
    )
    estimate = drawn(config, "gumbel_softmax", 0.01)
    assert single.vanished == (estimate == 0).all((1, 2)).mean()
    # Not any entry: every sample has one that is 0.
    assert 0.3 < single.vanished < 0.5 < (estimate == 0).any((1, 2)).mean()
    assert double.vanished == 0
    curves = (curve_of(config, "gumbel_softmax", (0.01,), dtype) for dtype in (torch.float32, torch.float64))
    assert [curve.vanished[0] for curve in curves] == [single.vanished, 0]


def test_estimates_are_of_the_asked_precision() -> None:
    for dtype in (torch.float32, torch.float64):
        (chunk,) = estimates(CONFIG, "rebar", 0.5, dtype)
        assert chunk.dtype == dtype
        np.testing.assert_array_equal(chunk.double(), drawn(CONFIG, "rebar", 0.5, dtype))
    assert next(estimates(CONFIG, "rebar", 0.5)).dtype == torch.float32


def test_gumbel_rao_has_the_configs_draws_and_no_other_estimator_changes() -> None:
    """Of one draw it is ST Gumbel-Softmax in law; of fifty its variance is far smaller."""
    plain = moments_at(replace(CONFIG, samples=5_000), "st_gumbel_softmax", 0.3).variance
    one, fifty = (
        moments_at(replace(CONFIG, samples=5_000, rao_draws=draws), "gumbel_rao", 0.3).variance
        for draws in (1, 50)
    )
    assert fifty < 0.5 * plain
    assert one == pytest.approx(plain, rel=0.3)
    changed = {name for name, found in estimators_of(CONFIG).items() if found is not ESTIMATORS[name]}
    assert changed == {"gumbel_rao"}
    assert list(estimators_of(CONFIG)) == list(ESTIMATORS)


@pytest.mark.parametrize("name", IN_A_ROW)
def test_chunks_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = moments_at(TWO, name, 0.5)
    monkeypatch.setattr(gradient_bench, "CHUNK", 1_000)
    chunked = moments_at(TWO, name, 0.5)
    np.testing.assert_allclose(chunked.mean, whole.mean, rtol=0, atol=1e-6)
    assert chunked.off == pytest.approx(whole.off, rel=1e-5, abs=1e-6)
    assert chunked.variance == pytest.approx(whole.variance, rel=1e-5, abs=1e-9)
    assert chunked.vanished == whole.vanished


@pytest.mark.parametrize("name", ["reinforce_loo", "gumbel_rao"])
def test_what_draws_more_than_once_is_a_mean_over_its_chunks_too(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient_bench, "CHUNK", 1_000)
    chunks = list(estimates(TWO, name, 0.5))
    assert len(chunks) > 30
    estimate, found = torch.cat(chunks).double().numpy(), moments_at(TWO, name, 0.5)
    np.testing.assert_allclose(found.mean, estimate.mean(0), rtol=0, atol=1e-12)
    assert found.variance == pytest.approx(
        estimate.var(0, ddof=1).sum() / problem_of(TWO).unit ** 2, rel=1e-9
    )


@pytest.mark.parametrize(
    ("chunk", "sizes"), [(2**20, [500]), (6 * 10 * 200, [200, 200, 100]), (10, [1] * 500)]
)
def test_a_chunk_holds_so_many_entries_and_gumbel_raos_draws_are_among_them(
    chunk: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gradient_bench, "CHUNK", chunk)
    assert [len(rows) for rows in estimates(TWO, "exact", 1.0)] == sizes


def test_the_seed_decides() -> None:
    def measured(seed: int) -> tuple[list[float], float, float]:
        found = moments_at(replace(CONFIG, seed=seed), "gumbel_rao", 0.5)
        return found.mean.ravel().tolist(), found.off, found.variance

    assert measured(0) == measured(0)
    assert measured(0) != measured(1)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="The temperature must be"):
        moments_at(CONFIG, "gumbel_softmax", temperature)


# What the scatter hides


@pytest.mark.parametrize(("off", "floor", "bias"), [(0.5, 0.3, 0.4), (0.3, 0.3, 0.0), (0.1, 0.3, 0.0)])
def test_bias_is_what_the_scatter_does_not_explain(off: float, floor: float, bias: float) -> None:
    assert point(off, floor).bias == pytest.approx(bias)


@pytest.mark.parametrize(
    ("off", "floor", "seen"),
    [(0.91, 0.3, True), (0.89, 0.3, False), (1.1e-4, 1e-9, True), (0.9e-4, 1e-9, False), (0.0, 0.0, False)],
)
def test_a_bias_is_seen_beyond_three_floors_and_beyond_rounding(off: float, floor: float, seen: bool) -> None:
    assert point(off, floor).is_seen is seen


def test_an_unbiased_estimator_has_no_bias_however_far_off_its_mean_is() -> None:
    far = replace(point(off=5.0), unbiased=True)
    assert far.bias == 0.0
    assert not far.is_seen
    assert far.mse(4) == 0.5


def test_without_a_bias_the_floor_is_how_far_off_a_mean_is_and_three_of_them_are_rare() -> None:
    """Of REINFORCE with two categories, where the gradient is a single number: `off` over the floor is the
    absolute value of a normal. Right code fails either assertion less than once in 10,000 times."""
    config = BenchConfig((0.5, -0.5), numbers=(1.0, 3.0), samples=1_000)
    points = [moments_at(replace(config, seed=seed), "reinforce", 1.0) for seed in range(600)]
    ratios = np.array([(found.off / found.floor) ** 2 for found in points])
    # The square of a standard normal has mean 1 and variance 2.
    assert abs(ratios.mean() - 1) < 4 * math.sqrt(2 / 600)
    # 1.6 are expected.
    assert sum(replace(found, unbiased=False).is_seen for found in points) < 10


@pytest.mark.parametrize("name", ["straight_through", "gumbel_softmax", "st_gumbel_softmax", "gumbel_rao"])
def test_a_bias_that_is_there_is_seen(name: str) -> None:
    assert moments_at(replace(CONFIG, samples=5_000), name, 2.0).is_seen


# Curves


def test_a_curve_is_one_estimator_over_the_temperatures_or_a_point_where_it_reads_none() -> None:
    curves = list(bench(replace(CONFIG, samples=100)))
    assert [curve.name for curve in curves] == list(ESTIMATORS)
    for curve in curves:
        wanted = TEMPERATURES if ESTIMATORS[curve.name].tempered else TEMPERATURES[:1]
        np.testing.assert_array_equal(curve.temperatures, wanted)


def test_the_temperatures_are_four_decades_in_sixths() -> None:
    np.testing.assert_allclose(TEMPERATURES, np.logspace(-2, 2, 25))


def test_a_curves_arrays_are_its_points() -> None:
    curve = curve_of(CONFIG, "gumbel_softmax", (0.01, 0.5, 2.0))
    for number, tau in enumerate((0.01, 0.5, 2.0)):
        found = moments_at(CONFIG, "gumbel_softmax", tau)
        assert curve.temperatures[number] == tau
        assert curve.off[number] == found.off
        assert curve.bias[number] == found.bias
        assert curve.variance[number] == found.variance
        assert curve.vanished[number] == found.vanished
        assert curve.seen[number] == found.is_seen
    assert curve.seen.dtype == bool
    assert curve.seen.tolist() == [False, True, True]


def test_a_curves_seconds_are_the_median_over_its_points() -> None:
    points = [replace(point(), seconds=seconds) for seconds in (1.0, 9.0, 2.0)]
    assert Curve("rebar", tuple(points)).seconds == 2.0


def test_the_squared_error_of_a_mean_is_squared_bias_and_a_share_of_the_variance() -> None:
    points = (point(0.5, 0.3, variance=8.0), point(0.1, 0.3, variance=2.0))
    np.testing.assert_allclose(Curve("gumbel_softmax", points).mse(4), [0.4**2 + 2.0, 0.5])


def test_the_best_temperature_falls_as_more_estimates_are_averaged() -> None:
    quiet = point(1.0, 0.0, variance=1.0, temperature=2.0)
    true = point(0.1, 0.0, variance=50.0, temperature=0.1)
    curve = Curve("gumbel_softmax", (true, quiet))
    assert curve.best(1) is quiet
    assert curve.best(1_000) is true
    # Each has its own bias and variance: they meet where 49 / m is .99.
    assert [curve.best(count) for count in (45, 55)] == [quiet, true]


def test_without_a_difference_no_temperature_is_the_best() -> None:
    assert Curve("reinmax", (point(), point(temperature=2.0))).best(1) is None
    assert Curve("reinforce", (point(),)).best(1) is None


def test_means_are_of_a_tenth_of_the_samples_at_most() -> None:
    assert means_for(10_000) == [1, 10, 100, 1_000]
    assert means_for(937) == [1, 10]


# The bias of the relaxed sample is there for every number of categories, however many of them are rare alone.
@pytest.mark.parametrize("categories", [5, 40, 64])
def test_a_bias_is_seen_among_many_equal_categories(categories: int) -> None:
    config = BenchConfig((0.0,) * categories, samples=quick_samples(1, categories))
    assert moments_at(config, "gumbel_softmax", 1.0).is_seen


def test_a_reward_that_is_never_met_is_no_bias_of_those_that_miss_it() -> None:
    """One of 64 combinations has a reward, and one draw in 350,000 is it."""
    config = BenchConfig((2.0, 0.0), 6, "table", (*[0.0] * 63, 1.0), samples=5_000)
    assert not moments_at(config, "reinmax", 1.0).is_seen
    assert not compare(config, "reinforce", "exact", 1.0).differ


@pytest.mark.parametrize("name", ["reinforce", "gumbel_softmax", "st_gumbel_softmax"])
def test_means_of_ten_have_the_error_that_the_curve_gives_them(name: str) -> None:
    """4,000 means, whose squared errors' mean is known to 3%: ten are too many, but once in 1,000 times."""
    config = replace(CONFIG, samples=40_000)
    problem = problem_of(config)
    means = drawn(config, name, 0.7).reshape(4_000, 10, -1).mean(1)
    errors = ((means - problem.gradient.numpy().ravel()) ** 2).sum(-1) / problem.unit**2
    assert curve_of(config, name, (0.7,)).mse(10)[0] == pytest.approx(errors.mean(), rel=0.1)
