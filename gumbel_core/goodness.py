"""Are these draws from that categorical? Distance, goodness of fit, and a band for the bars.

Arrays are numpy, shape (K,): `counts` of draws per category, and the `probabilities` they should follow,
which are normalised here, so that single-precision ones will do.

[1] Pearson's chi-squared test: `scipy.stats.chisquare`
[2] The p-value of a simulated test, (1 + hits) / (1 + n): Davison, Hinkley, "Bootstrap Methods and their
    Application", 1997, section 4.2; `scipy.stats.monte_carlo_test`
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

# Below this the statistic's own law is too far from chi-squared, by the usual rule of thumb.
SMALLEST_EXPECTED = 5
REPEATS = 2000

REASONS = {
    "chi-squared": "Pearson's test; every category is expected at least 5 times",
    "Monte Carlo": f"some category is expected fewer than 5 times, so {REPEATS:,} repeats were simulated",
    "impossible draw": "a category of probability 0 was drawn",
    "one category": "only one category can be drawn",
}


@dataclass(frozen=True)
class Fit:
    """How well the counts fit. A small `p_value` speaks against the sampler.

    statistic: Pearson's sum of (count - expected)^2 / expected over the categories that can be drawn
    p_value: how often a correct sampler gives a statistic at least this large
    degrees_of_freedom: one less than the categories that can be drawn
    method: a key of `REASONS`: how the p-value was found
    """

    statistic: float
    p_value: float
    degrees_of_freedom: int
    method: str

    @property
    def sentence(self) -> str:
        """The p-value and where it comes from, for a page: `p = 0.43: Pearson's test; ...`."""
        return f"p = {self.p_value:.2g}: {REASONS[self.method]}."


def total_variation(counts: ArrayLike, probabilities: ArrayLike) -> float:
    """Half the summed distance between frequencies and probabilities: 0 (equal) to 1 (disjoint)."""
    drawn, law = _checked(counts, probabilities)
    return float(np.abs(drawn / drawn.sum() - law).sum() / 2)


def goodness_of_fit(counts: ArrayLike, probabilities: ArrayLike, *, rng: np.random.Generator) -> Fit:
    """Test the counts against the probabilities: [1], or [2] where an expected count is below 5.

    Masked categories (probability 0) are left out; a draw of one is impossible, and makes the p-value 0.
    `rng` is used by the simulated test alone. Raises ValueError for no draws and for unequal shapes.
    """
    drawn, law = _checked(counts, probabilities)
    live = law > 0
    freedom = int(live.sum()) - 1
    if drawn[~live].any():
        return Fit(float("inf"), 0.0, freedom, "impossible draw")
    if freedom == 0:
        return Fit(0.0, 1.0, freedom, "one category")

    drawn, law = drawn[live], law[live]
    expected = law * drawn.sum()
    if expected.min() >= SMALLEST_EXPECTED:
        exact = stats.chisquare(drawn, expected)
        return Fit(float(exact.statistic), float(exact.pvalue), freedom, "chi-squared")

    simulated = stats.monte_carlo_test(
        drawn,
        lambda size: rng.multinomial(int(drawn.sum()), law, size=size[0]),
        lambda repeats, axis: ((repeats - expected) ** 2 / expected).sum(axis),
        vectorized=True,
        n_resamples=REPEATS,
        alternative="greater",
    )
    return Fit(float(simulated.statistic), float(simulated.pvalue), freedom, "Monte Carlo")


def simultaneous_band(
    probabilities: ArrayLike, draws: int, *, level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest and highest frequency of each category, two arrays of shape (K,), that a right sampler shows.

    If the sampler is right, all bars at once lie inside (ends included) in at least `level` of repeats of
    `draws` draws. The ends are exact binomial quantiles; Bonferroni's inequality shares the error out
    evenly over the categories that can be drawn. A masked category has the band [0, 0].
    """
    if draws < 1:
        raise ValueError(f"The number of draws must be at least 1, not {draws}.")
    if not 0 < level < 1:
        raise ValueError(f"The level must lie between 0 and 1, not {level}.")
    law = _normalised(probabilities)
    tail = (1 - level) / (2 * np.count_nonzero(law))
    low, high = stats.binom.ppf(tail, draws, law), stats.binom.isf(tail, draws, law)
    return low / draws, high / draws


def _checked(counts: ArrayLike, probabilities: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as float64 arrays of one shape, the probabilities summing to 1."""
    drawn, law = np.asarray(counts, dtype=np.float64), _normalised(probabilities)
    if drawn.shape != law.shape:
        raise ValueError(f"Counts of shape {drawn.shape} do not match probabilities of shape {law.shape}.")
    if drawn.sum() <= 0:
        raise ValueError("There are no draws to compare with the probabilities.")
    return drawn, law


def _normalised(probabilities: ArrayLike) -> NDArray[np.float64]:
    law: NDArray[np.float64] = np.asarray(probabilities, dtype=np.float64)
    if law.ndim != 1 or not np.isfinite(law).all() or (law < 0).any() or law.sum() <= 0:
        raise ValueError("The probabilities must be a list of numbers at or above 0, one of them above 0.")
    normalised: NDArray[np.float64] = law / law.sum()
    return normalised
