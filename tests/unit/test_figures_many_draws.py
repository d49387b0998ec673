"""The pictures of Many draws hold the arrays they were given, and stay JSON that Plotly accepts."""

import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures import many_draws as figures
from gumbel_core.many_draws import EDGES, ManyDrawsConfig, exact_marginal, relax, tallies

MASKED = (1.5, -math.inf, 0.5, 0.0)
NAMES = ("cat", "<b>dog</b>", "bird", "bird")
CASES = {
    "three": (2.0, 0.5, -1.0),
    "masked": MASKED,
    "one": (0.0,),
    "sixty-four": tuple(np.linspace(-3, 3, 64)),
    "huge": (1e30, -1e30),
    "two": (0.7, 0.0),
}


def every_figure(
    logits: tuple[float, ...], names: tuple[str, ...], tau: float, draws: int
) -> list[dict[str, Any]]:
    config = ManyDrawsConfig(logits, draws)
    (tally,), relaxed = tallies(config), relax(config, tau)
    law = tally.probabilities
    return [
        figures.argmax_shares(tally.frequencies, law, tally.low, tally.high, names),
        figures.relaxed_means(relaxed.mean, law, 1 / len(config.live), names, figures.ceiling(law)),
        figures.samples_map(relaxed.shown, relaxed.winners, names),
        figures.component_density(relaxed.marginals[0], EDGES, names[0], exact_marginal(config, tau, 0)),
    ]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("tau", [0.01, 1.0, 100.0])
def test_figures_are_json_that_plotly_accepts(case: str, tau: float) -> None:
    logits = CASES[case]
    for draws in (10, 1_000):
        for figure in every_figure(logits, tuple("x" * len(logits)), tau, draws):
            json.dumps(figure, allow_nan=False)
            go.Figure(figure)


def test_argmax_shares_hold_frequencies_law_and_band() -> None:
    (tally,) = tallies(ManyDrawsConfig(MASKED, 1_000))
    figure = figures.argmax_shares(tally.frequencies, tally.probabilities, tally.low, tally.high, NAMES)
    bars, band, law = figure["data"]
    np.testing.assert_allclose(bars["y"], tally.frequencies, atol=1e-6)
    np.testing.assert_allclose(band["base"], tally.low, atol=1e-6)
    np.testing.assert_allclose(np.add(band["base"], band["y"]), tally.high, atol=2e-6)
    np.testing.assert_allclose(law["y"][::3], tally.probabilities, atol=1e-6)
    assert law["y"][2::3] == [None] * 4
    assert figure["layout"]["yaxis"]["range"][1] > max(tally.high)


def test_relaxed_means_share_the_axis_and_show_the_uniform() -> None:
    relaxed = relax(ManyDrawsConfig(MASKED, 1_000), 5.0)
    bars, level, _ = figures.relaxed_means(relaxed.mean, np.full(4, 0.25), 1 / 3, NAMES, 0.8)["data"]
    np.testing.assert_allclose(bars["y"], relaxed.mean, atol=1e-6)
    assert level["y"] == pytest.approx([1 / 3] * 2, abs=1e-6)
    assert bars["marker"]["pattern"]["shape"] == "/"  # not told apart by colour alone


def test_the_map_has_a_column_for_each_draw_and_a_rule_between_winners() -> None:
    relaxed = relax(ManyDrawsConfig(MASKED, 120), 0.5)
    figure = figures.samples_map(relaxed.shown, relaxed.winners, NAMES)
    np.testing.assert_allclose(figure["data"][0]["z"], relaxed.shown.T, atol=5e-4)
    rules = [shape["x0"] + 0.5 for shape in figure["layout"]["shapes"]]
    won = sorted(set(relaxed.winners.tolist()))
    assert rules == [np.count_nonzero(relaxed.winners < later) for later in won[1:]]


def test_typed_names_never_become_markup() -> None:
    for figure in every_figure(MASKED, ("<i>x</i>",) * 4, 1.0, 100):
        assert "<i>" not in json.dumps(figure)


def test_the_exact_density_is_drawn_over_its_histogram_and_does_not_set_the_axis() -> None:
    config = ManyDrawsConfig((0.7, 0.0))
    density, exact = relax(config, 0.5).marginals[0], exact_marginal(config, 0.5, 0)
    assert exact is not None
    figure = figures.component_density(density, EDGES, "x", exact)
    bars, line = figure["data"]
    assert line["visible"]
    np.testing.assert_allclose(bars["y"], density, atol=1e-6)
    np.testing.assert_allclose(line["y"], exact[1], rtol=1e-3)
    assert figure["layout"]["yaxis"]["range"][1] == pytest.approx(1.15 * density.max())
    assert not figures.component_density(density, EDGES, "x")["data"][1]["visible"]


@pytest.mark.parametrize(
    ("share", "top"), [(0.79, 0.85), (0.07, 0.075), (1.0, 1.05), (0.5, 0.55), (0.031, 0.035)]
)
def test_the_ceiling_is_a_round_step_above(share: float, top: float) -> None:
    assert figures.ceiling(np.array([share, 0.01])) == pytest.approx(top)


def test_sixty_four_names_are_thinned() -> None:
    axis = every_figure(CASES["sixty-four"], tuple(map(str, range(64))), 1.0, 100)[0]["layout"]["xaxis"]
    assert axis["ticktext"] == [str(place) for place in axis["tickvals"]]
    assert len(axis["tickvals"]) <= figures.MANY + 1
