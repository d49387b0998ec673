"""What many seeded draws say: the exponential race, the wrong sign, the forgotten logarithm.

Each function counts `DRAWS` Gumbel-Max draws and sets the frequencies beside the exact law they follow.
The laws, and the papers behind them, are in `gumbel_core.noise`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import special
from torch import Tensor

from gumbel_core.draw import DrawConfig, check_logits, check_seed, seeded_noise
from gumbel_core.goodness import total_variation
from gumbel_core.noise import Race, exponential_race, gumbel_minima, without_log_law, wrong_sign_law
from gumbel_core.sampling import gumbel_max, gumbel_noise

DRAWS = 10_000
WEIGHT_SUMS = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class TrialsConfig:
    """What is drawn many times, and the seed of its noise."""

    logits: tuple[float, ...]
    seed: int = 0

    def __post_init__(self) -> None:
        check_logits(self.logits)
        check_seed(self.seed)


@dataclass(frozen=True)
class Trials:
    """Frequencies of the winners, and what they should be.

    law: (K,), the exact law of what was drawn
    wanted: (K,), softmax(logits), the law that was wanted
    frequencies: (K,)
    bias: total variation between `law` and `wanted`: what no number of draws mends
    distance: total variation between the frequencies and `wanted`
    chance: what `distance` would be on average if `wanted` were the law
    """

    law: NDArray[np.float64]
    wanted: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    bias: float
    distance: float
    chance: float

    @property
    def biased(self) -> bool:
        """Whether the law is another than the one wanted, by more than the rounding of its computation."""
        return self.bias > 1e-9


@dataclass(frozen=True)
class OneRace:
    """The noise of one draw, shape (K,), and the race it runs."""

    noise: Tensor
    race: Race


@dataclass(frozen=True)
class Races:
    """Many exponential races, in units of the fastest clock's mean.

    trials: who won
    favourite: the index of the likeliest category
    mean_time: exact mean of the winning time, 1 over the summed rates, whoever wins
    favourite_time, other_time: measured means where the favourite won and where another did; NaN if never
    other_error: standard error of `other_time`; NaN for fewer than two such races
    """

    trials: Trials
    favourite: int
    mean_time: float
    favourite_time: float
    other_time: float
    other_error: float


def one_race(config: TrialsConfig) -> OneRace:
    """The race with the noise of the seed's one draw: the first of `race_trials`."""
    noise = seeded_noise(DrawConfig(config.logits, seed=config.seed))
    return OneRace(noise, exponential_race(torch.tensor(config.logits, dtype=torch.float64), noise))


def race_trials(config: TrialsConfig) -> Races:
    """Run the race of `exponential_race` many times."""
    logits, noise = _logits_and_noise(config)
    race = exponential_race(logits, noise)
    favourite = int(logits.argmax())
    times, by_favourite = race.winning_time.numpy(), (race.winner == favourite).numpy()
    won, lost = times[by_favourite], times[~by_favourite]
    return Races(
        trials=_trials(race.winner, config.logits, softmax(config.logits)),
        favourite=favourite,
        mean_time=1 / float(race.rates.sum()),
        favourite_time=float(won.mean()) if len(won) else np.nan,
        other_time=float(lost.mean()) if len(lost) else np.nan,
        other_error=float(lost.std(ddof=1)) / len(lost) ** 0.5 if len(lost) > 1 else np.nan,
    )


def sign_trials(config: TrialsConfig) -> dict[str, Trials]:
    """The argmax of the logits plus and minus the same noise, by sign."""
    logits, noise = _logits_and_noise(config)
    return {
        "+": _trials(gumbel_max(logits, noise=noise), config.logits, softmax(config.logits)),
        "-": _trials(
            gumbel_max(logits, noise=gumbel_minima(noise)), config.logits, wrong_sign_law(config.logits)
        ),
    }


def weights_of(logits: ArrayLike, weight_sum: float) -> NDArray[np.float64]:
    """Weights, shape (K,), proportional to exp(logits), that add up to `weight_sum`."""
    return softmax(logits) * weight_sum


def log_trials(config: TrialsConfig, weight_sum: float) -> dict[str, Trials]:
    """Weights fed to Gumbel-Max with their logarithm, without it, and as probabilities without it, by feed.

    With the logarithm the unit of the weights is a shift, which changes nothing. Without it, it is an
    inverse temperature: (.7, .2, .1) gives .46/.28/.25 and (7, 2, 1) gives .991/.007/.002.
    """
    _, noise = _logits_and_noise(config)
    weights, probabilities = weights_of(config.logits, weight_sum), softmax(config.logits)
    with np.errstate(divide="ignore"):  # log 0 = -inf masks
        feeds = {"log w": np.log(weights), "w": weights, "p": probabilities}
    laws = {
        "log w": probabilities,
        "w": without_log_law(weights),
        "p": without_log_law(probabilities),
    }
    return {
        feed: _trials(gumbel_max(torch.from_numpy(scores), noise=noise), config.logits, laws[feed])
        for feed, scores in feeds.items()
    }


def softmax(logits: ArrayLike) -> NDArray[np.float64]:
    """softmax(logits) in double precision, shape (K,)."""
    law: NDArray[np.float64] = special.softmax(np.asarray(logits, dtype=np.float64))
    return law


def _logits_and_noise(config: TrialsConfig) -> tuple[Tensor, Tensor]:
    """The logits (K,) and the seed's noise (DRAWS, K), whose first row is the noise of the one draw."""
    generator = torch.Generator().manual_seed(config.seed)
    logits = torch.tensor(config.logits, dtype=torch.float64)
    return logits, gumbel_noise((DRAWS, len(logits)), generator=generator, dtype=torch.float64)


def _trials(winners: Tensor, logits: ArrayLike, law: NDArray[np.float64]) -> Trials:
    wanted = softmax(logits)
    counts = torch.bincount(winners, minlength=len(wanted)).numpy()
    # The mean distance of a frequency from its probability, by the normal law it comes close to.
    apart = np.sqrt(2 * wanted * (1 - wanted) / (np.pi * DRAWS))
    return Trials(
        law=law,
        wanted=wanted,
        frequencies=counts / DRAWS,
        bias=float(np.abs(law - wanted).sum() / 2),
        distance=total_variation(counts, wanted),
        chance=float(apart.sum() / 2),
    )
