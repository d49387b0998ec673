"""One weight's update, against what the optimiser made of it: the next step's weights."""

from dataclasses import replace

import pytest

from gumbel_core.toy_argmax import LAYERS, ToyConfig, train
from gumbel_core.toy_update import update_of

CONFIG = ToyConfig(seed=7, steps=6, temperature=2.0, learning_rate=0.3)


@pytest.mark.parametrize("layer", [layer for layer in LAYERS if layer != "argmax"])
@pytest.mark.parametrize("arrays", ["fixed", "fresh"])
def test_the_updated_weight_is_the_next_steps_weight(layer: str, arrays: str) -> None:
    run = tuple(train(replace(CONFIG, layer=layer, arrays=arrays)))
    for at in range(1, len(run)):
        now, place = update_of(run, at, CONFIG.learning_rate), int(run[at - 1].target)
        assert now is not None
        assert now.weight == float(run[at - 1].weights[place, place])
        assert now.updated == pytest.approx(float(run[at].weights[place, place]), abs=1e-12)
        assert now.slope * now.entry == pytest.approx(now.gradient, rel=1e-12)
        assert now.mean_square == pytest.approx(
            0.9 * now.mean_square_before + 0.1 * now.gradient**2, rel=1e-12
        )


def test_no_gradient_no_update() -> None:
    assert update_of(tuple(train(replace(CONFIG, layer="argmax"))), 1, 0.5) is None
