"""Many draws of the race, of both signs and of the forgotten logarithm, held against their exact laws."""

import math

import numpy as np
import pytest
from scipy import special, stats

from gumbel_core.draw import DrawConfig, seeded_noise
from gumbel_core.noise_trials import (
    DRAWS,
    WEIGHT_SUMS,
    Trials,
    TrialsConfig,
    _logits_and_noise,
    log_trials,
    race_trials,
    sign_trials,
    weights_of,
)

LOGITS = (2.0, 0.5, -1.0)
SEVEN_TWO_ONE = tuple(math.log(w) for w in (7, 2, 1))
ODD = [(0.3,), (1e300, -1e300, 1e300), (1.5, -math.inf, 0.5, 0.0), tuple(np.linspace(-3, 3, 64).tolist())]


def assert_follows(trials: Trials, law: np.ndarray) -> None:
    """A chi-squared test at a level of 1e-4, seeded."""
    np.testing.assert_allclose(trials.law, law, atol=1e-12)
    assert stats.chisquare(trials.frequencies * DRAWS, law * DRAWS).pvalue > 1e-4


def test_races_are_won_by_softmax_and_the_time_tells_nothing() -> None:
    races = race_trials(TrialsConfig(LOGITS, 5))
    assert_follows(races.trials, special.softmax(LOGITS))
    rates = np.exp(np.array(LOGITS) - max(LOGITS))
    assert races.mean_time == pytest.approx(1 / rates.sum())
    assert races.favourite == 0
    # Four and a half standard errors each, seeded: a false alarm in about 1 of 100,000 seeds.
    favourites = DRAWS * special.softmax(LOGITS)[0]
    assert abs(races.favourite_time - races.mean_time) < 4.5 * races.mean_time / math.sqrt(favourites)
    assert abs(races.other_time - races.mean_time) < 4.5 * races.other_error
    assert races.other_error == pytest.approx(races.mean_time / math.sqrt(DRAWS - favourites), rel=0.1)


def test_the_other_sign_goes_wrong_measurably() -> None:
    signs = sign_trials(TrialsConfig(LOGITS))
    assert_follows(signs["+"], special.softmax(LOGITS))
    assert signs["-"].law.tolist() == pytest.approx([0.809, 0.175, 0.015], abs=1e-3)
    assert_follows(signs["-"], signs["-"].law)
    assert signs["-"].distance > 4 * signs["+"].distance
    assert signs["-"].distance == pytest.approx(0.0237, abs=0.01)


def test_two_categories_do_not_mind_the_sign() -> None:
    signs = sign_trials(TrialsConfig((1.0, -0.5)))
    np.testing.assert_allclose(signs["-"].law, signs["+"].law, atol=1e-12)


@pytest.mark.parametrize(
    ("logits", "biased"),
    [
        (LOGITS, True),
        ((1.5, -math.inf, 0.5, 0.0), True),
        ((1.0, -0.5), False),
        ((0.0,) * 5, False),
        ((1.0, -math.inf, 0.0), False),
        ((1e300, -1e300, 0.0), False),
    ],
)
def test_the_sign_matters_from_three_unequal_categories_on(logits: tuple[float, ...], biased: bool) -> None:
    signs = sign_trials(TrialsConfig(logits))
    assert not signs["+"].biased
    assert signs["-"].biased == biased


def test_the_forgotten_logarithm_gives_the_numbers_of_the_lessons() -> None:
    trials = log_trials(TrialsConfig(SEVEN_TWO_ONE), 10)
    assert weights_of(SEVEN_TWO_ONE, 10).tolist() == pytest.approx([7, 2, 1])
    assert trials["log w"].law.tolist() == pytest.approx([0.7, 0.2, 0.1])
    assert trials["w"].law.tolist() == pytest.approx([0.991, 0.007, 0.002], abs=5e-4)
    assert trials["p"].law.tolist() == pytest.approx([0.46, 0.28, 0.25], abs=5e-3)
    for feed, law in trials.items():
        assert_follows(trials[feed], law.law)


@pytest.mark.parametrize("weight_sum", WEIGHT_SUMS)
def test_with_the_logarithm_the_unit_changes_nothing(weight_sum: int) -> None:
    trials = log_trials(TrialsConfig(LOGITS, 7), weight_sum)
    assert (trials["log w"].frequencies == race_trials(TrialsConfig(LOGITS, 7)).trials.frequencies).all()
    assert trials["w"].law == pytest.approx(special.softmax(weight_sum * special.softmax(LOGITS)))
    if weight_sum == 1:
        assert (trials["w"].frequencies == trials["p"].frequencies).all()


def test_a_weight_of_0_is_drawn_without_its_logarithm() -> None:
    trials = log_trials(TrialsConfig((0.0, -math.inf, 0.0)), 1)
    assert trials["log w"].frequencies[1] == 0
    assert trials["w"].frequencies[1] > 0.2


@pytest.mark.parametrize("logits", ODD)
def test_odd_logits_give_numbers(logits: tuple[float, ...]) -> None:
    config = TrialsConfig(logits)
    races = race_trials(config)
    for trials in (races.trials, *sign_trials(config).values(), *log_trials(config, 100).values()):
        assert trials.frequencies.sum() == pytest.approx(1)
        assert np.isfinite(trials.law).all()
        assert 0 <= trials.distance <= 1
    assert np.isfinite([races.mean_time, races.favourite_time]).all()


def test_the_expected_distance_by_chance() -> None:
    distances = [sign_trials(TrialsConfig(LOGITS, seed))["+"].distance for seed in range(200)]
    chance = sign_trials(TrialsConfig(LOGITS))["+"].chance
    # The mean of 200 distances, to five of its standard errors.
    assert abs(np.mean(distances) - chance) < 5 * np.std(distances) / math.sqrt(200)


def test_the_first_of_many_draws_is_the_one_draw() -> None:
    _, noise = _logits_and_noise(TrialsConfig(LOGITS, 11))
    assert noise[0].tolist() == seeded_noise(DrawConfig(LOGITS, seed=11)).tolist()


def test_bad_configs_are_refused() -> None:
    with pytest.raises(ValueError, match="categories"):
        TrialsConfig(())
    with pytest.raises(ValueError, match="A seed is"):
        TrialsConfig(LOGITS, -1)
