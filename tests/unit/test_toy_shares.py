"""Counts over many seeds against the runs themselves, and the curves against single settings."""

from dataclasses import replace

import numpy as np
import pytest

from gumbel_core.toy_argmax import LAYERS, ToyConfig, train
from gumbel_core.toy_shares import (
    AGAINST,
    LATER_STEPS,
    RUNS,
    SIZE_GRID,
    TEMPERATURE_GRID,
    TUTORIAL_STEPS,
    Outcome,
    against_n,
    against_step,
    against_target,
    against_temperature,
    outcomes,
)

DEFAULT = ToyConfig()


def assert_point(shares: object, place: int, outcome: Outcome) -> None:
    found = tuple(vars(shares)[name][place] for name in ("share", "low", "high", "on_target"))
    assert found == (outcome.share, *outcome.interval, outcome.on_target)


def test_outcomes_count_the_single_runs() -> None:
    config, seeds = ToyConfig(steps=4), range(30)
    found = outcomes(config, seeds)
    last = [list(train(replace(config, seed=seed)))[-1] for seed in seeds]
    assert found.at(4).runs == 30
    assert found.at(4).learned == sum(float(step.loss) < 0.5 for step in last)
    assert found.at(4).on_target == pytest.approx(np.mean([step.on_target for step in last]), abs=1e-12)
    np.testing.assert_array_equal(found.target[-1], [int(step.target) for step in last])
    assert found.loss.shape == found.on_target.shape == found.target.shape == (4, 30)


def test_the_interval_is_wilsons() -> None:
    """(p + z^2/2n -+ z sqrt(p (1 - p)/n + z^2/4n^2)) / (1 + z^2/n), with z = 1.96."""
    n, p, z = 1_000, 0.74, 1.959963984540054
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    ends = (np.array([-half, half]) + p + z**2 / (2 * n)) / (1 + z**2 / n)
    np.testing.assert_allclose(Outcome(n, 740, 0.7).interval, ends, atol=1e-9)


def test_the_targets_make_up_the_whole() -> None:
    found = outcomes(ToyConfig(steps=3))
    places = [found.at_target(3, place) for place in range(5)]
    assert sum(place.runs for place in places) == RUNS
    assert sum(place.learned for place in places) == found.at(3).learned


def test_against_temperature_is_the_third_step_at_each() -> None:
    found = against_temperature(DEFAULT)
    assert tuple(found.x) == TEMPERATURE_GRID
    for place in (0, 4, len(found.x) - 1):
        config = ToyConfig(temperature=TEMPERATURE_GRID[place], steps=TUTORIAL_STEPS)
        assert_point(found, place, outcomes(config).at(TUTORIAL_STEPS))
    assert found.share[0] < found.share[4]


def test_against_n_leaves_the_maximum_to_the_shuffle() -> None:
    found = against_n(replace(DEFAULT, n=20, target=19))
    assert tuple(found.x) == SIZE_GRID
    for place in (0, 3):
        assert_point(found, place, outcomes(ToyConfig(n=SIZE_GRID[place], steps=TUTORIAL_STEPS)).at(3))
    assert found.share[0] > found.share[-1]


def test_against_target_splits_one_run() -> None:
    found = against_target(replace(DEFAULT, n=7, target=2))
    split = outcomes(ToyConfig(n=7, steps=TUTORIAL_STEPS))
    assert found.x.tolist() == list(range(7))
    for place in range(7):
        assert_point(found, place, split.at_target(3, place))


def test_against_step_follows_ten_whatever_the_config_has() -> None:
    found = against_step(replace(DEFAULT, steps=2))
    whole = outcomes(ToyConfig(steps=LATER_STEPS))
    assert found.x.tolist() == list(range(1, 11))
    for step in (1, 3, 10):
        assert_point(found, step - 1, whole.at(step))


def test_a_layer_without_a_gradient_stays_where_it_is() -> None:
    found = against_step(ToyConfig(layer="argmax"))
    assert len(set(found.share)) == 1
    # One place in five, by chance, to 4.5 standard errors: fresh seeds would fail once in 150,000 times.
    assert abs(found.share[0] - 0.2) < 0.057


@pytest.mark.parametrize("name", AGAINST)
@pytest.mark.parametrize("layer", LAYERS)
def test_every_curve_is_of_one_length_and_within_its_band(name: str, layer: str) -> None:
    found = AGAINST[name](ToyConfig(layer=layer, steps=1, arrays="fresh", target=4))
    assert found.x.shape == found.share.shape == found.low.shape == found.high.shape == found.on_target.shape
    assert (np.diff(found.x) > 0).all()
    assert ((found.low >= 0) & (found.low <= found.share) & (found.share <= found.high)).all()
    assert (found.high <= 1).all()
    assert ((found.on_target >= 0) & (found.on_target <= 1)).all()


def test_the_trap_shows_in_the_curve_against_the_target() -> None:
    """Without noise every seed is within .5 of the middle, with .2 of the mass on it."""
    found = against_target(ToyConfig(layer="softmax"))
    assert found.share.tolist() == [1] * 5
    assert found.on_target[2] == pytest.approx(0.2, abs=1e-12)
    assert (np.delete(found.on_target, 2) > 0.95).all()


def test_the_seed_of_the_config_plays_no_part() -> None:
    one, other = (against_step(ToyConfig(seed=seed)) for seed in (0, 1))
    assert one.share.tolist() == other.share.tolist()
