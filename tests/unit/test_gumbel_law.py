"""The Gumbel law against its closed forms, its samples against it, the inverse transform against SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from gumbel_core.gumbel_law import (
    LOCATIONS,
    SAMPLES,
    SCALES,
    UNIFORMS,
    WINDOW,
    LawConfig,
    gumbel_law,
    inverse_transform,
    standard_density,
)

LAWS = [(0.0, 1.0), (-2.0, 0.5), (2.0, 2.0), (0.7, 1.3)]


@pytest.mark.parametrize(("location", "scale"), LAWS)
def test_curves_and_moments_are_those_of_the_lessons(location: float, scale: float) -> None:
    law = gumbel_law(LawConfig(location, scale))
    z = (law.x - location) / scale
    np.testing.assert_allclose(law.pdf, np.exp(-(z + np.exp(-z))) / scale, atol=1e-12)
    np.testing.assert_allclose(law.cdf, np.exp(-np.exp(-z)), atol=1e-12)
    assert law.mean == pytest.approx(location + 0.57722 * scale, abs=1e-4)
    assert law.variance == pytest.approx(math.pi**2 * scale**2 / 6, rel=1e-9)


@pytest.mark.parametrize(("location", "scale"), LAWS)
def test_samples_follow_the_curve(location: float, scale: float) -> None:
    law = gumbel_law(LawConfig(location, scale, seed=3))
    width = law.centres[1] - law.centres[0]
    exact = stats.gumbel_r.cdf(law.centres + width / 2, location, scale)
    exact -= stats.gumbel_r.cdf(law.centres - width / 2, location, scale)
    # Five standard errors in each of 72 bars: a false alarm in fewer than 1 of 10,000 seeds.
    error = np.sqrt(exact * (1 - exact) / SAMPLES) + 1 / SAMPLES
    assert (np.abs(law.heights * width - exact) < 5 * error).all()
    assert abs(law.sample_mean - law.mean) < 5 * math.sqrt(law.variance / SAMPLES)
    # The kurtosis of the law is 5.4, so the variance of a sample variance is about 4.4 sigma^4 / n.
    assert abs(law.sample_variance / law.variance - 1) < 5 * math.sqrt(4.4 / SAMPLES)


def test_a_scale_moves_the_same_noise() -> None:
    narrow, wide = gumbel_law(LawConfig(0, 0.5)), gumbel_law(LawConfig(1, 2))
    assert wide.sample_mean == pytest.approx(1 + 4 * narrow.sample_mean)
    assert wide.sample_variance == pytest.approx(16 * narrow.sample_variance)
    assert gumbel_law(LawConfig(seed=1)).sample_mean != gumbel_law(LawConfig(seed=2)).sample_mean


def test_the_window_holds_nearly_all() -> None:
    for location in LOCATIONS:
        for scale in SCALES:
            inside = np.diff(stats.gumbel_r.cdf(WINDOW, location, scale))
            assert inside > 0.98
            assert all(WINDOW[0] < inverse_transform(u, location, scale).value < WINDOW[1] for u in UNIFORMS)
    inside_at_the_defaults = np.diff(stats.gumbel_r.cdf(WINDOW))
    assert inside_at_the_defaults > 0.9999


def test_the_law_for_minima_is_the_mirror_image() -> None:
    x, maxima = standard_density(-6, 6)
    _, minima = standard_density(-6, 6, minima=True)
    np.testing.assert_allclose(minima, maxima[::-1], atol=1e-12)
    # The density that a popular tutorial prints.
    np.testing.assert_allclose(minima, np.exp(x) * np.exp(-np.exp(x)), atol=1e-12)


@pytest.mark.parametrize("u", [*UNIFORMS, 0.5, 0.8])
def test_the_path_ends_where_the_cdf_is_u(u: float) -> None:
    path = inverse_transform(u, 0.7, 1.3)
    assert path.exponential == pytest.approx(stats.expon.isf(u))
    assert path.standard == pytest.approx(stats.gumbel_r.ppf(u))
    assert path.value == pytest.approx(stats.gumbel_r.ppf(u, 0.7, 1.3))


@pytest.mark.parametrize("bad", [{"location": 2.5}, {"scale": 0}, {"scale": math.nan}, {"seed": -1}])
def test_a_law_off_the_picture_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must lie between|A seed is"):
        LawConfig(**bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("u", [0.0, 1.0, math.nan, -0.1])
def test_a_uniform_number_off_the_picture_is_refused(u: float) -> None:
    with pytest.raises(ValueError, match="uniform number u must lie between"):
        inverse_transform(u)
