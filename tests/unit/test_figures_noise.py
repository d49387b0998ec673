"""The pictures of Noise hold the numbers they were given, and stay JSON that Plotly accepts."""

import json
import math
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from gumbel_core.figures import noise as figures
from gumbel_core.gumbel_law import LawConfig, gumbel_law, inverse_transform, standard_density
from gumbel_core.noise import WAYS
from gumbel_core.noise_trials import DRAWS, TrialsConfig, log_trials, one_race, race_trials, sign_trials

CASES = {
    "three": (2.0, 0.5, -1.0),
    "masked": (1.5, -math.inf, 0.5, 0.0),
    "one": (0.0,),
    "sixty-four": tuple(np.linspace(-3, 3, 64).tolist()),
    "huge": (1e30, -1e30, 1e30),
    "all tiny": (-1e30, -1e30),
}


def lanes(logits: tuple[float, ...], names: tuple[str, ...], seed: int = 0) -> dict[str, Any]:
    config = TrialsConfig(logits, seed)
    race, many = one_race(config).race, race_trials(config).trials
    return figures.lanes(
        names,
        times=race.times.tolist(),
        winner=int(race.winner),
        frequencies=many.frequencies,
        law=many.law,
        races=DRAWS,
    )


def sign_panel(logits: tuple[float, ...], names: tuple[str, ...], sign: str) -> dict[str, Any]:
    trials = sign_trials(TrialsConfig(logits))[sign]
    x, density = standard_density(-6, 6, minima=sign == "-")
    return figures.sign_panel(
        names,
        x=x,
        density=density,
        frequencies=trials.frequencies,
        law=trials.law,
        wanted=trials.wanted,
        top=figures.headroom(trials.wanted, trials.frequencies),
        right=sign == "+",
    )


def feeds(logits: tuple[float, ...], names: tuple[str, ...], weight_sum: float = 10) -> dict[str, Any]:
    trials = log_trials(TrialsConfig(logits), weight_sum)
    return figures.feeds(
        names,
        {feed: trial.frequencies for feed, trial in trials.items()},
        {feed: trial.law for feed, trial in trials.items()},
        trials["log w"].wanted,
    )


def bell(u: float, location: float, scale: float) -> dict[str, Any]:
    law, path = gumbel_law(LawConfig(location, scale)), inverse_transform(u, location, scale)
    return figures.bell(
        x=law.x, pdf=law.pdf, cdf=law.cdf, centres=law.centres, heights=law.heights, mean=law.mean,
        u=u, value=path.value,
    )  # fmt: skip


def reach() -> dict[str, Any]:
    ways = list(WAYS.values())
    lows, highs = zip(*(way.tails() for way in ways), strict=True)
    zeros = [way.at_zero() for way in ways]
    x, density = standard_density(-6, 20)
    titles = [way.title for way in ways]
    return figures.reach(titles, lows=lows, highs=highs, zeros=zeros, x=x, density=density)


def accepted(figure: dict[str, Any]) -> None:
    json.dumps(figure, allow_nan=False)
    go.Figure(figure)


@pytest.mark.parametrize("case", CASES)
def test_figures_are_json_that_plotly_accepts(case: str) -> None:
    logits = CASES[case]
    names = tuple("x" * len(logits))
    for figure in (
        *(lanes(logits, names, seed) for seed in range(3)),
        sign_panel(logits, names, "+"),
        sign_panel(logits, names, "-"),
        *(feeds(logits, names, weight_sum) for weight_sum in (1, 100)),
    ):
        accepted(figure)


@pytest.mark.parametrize(("location", "scale"), [(0, 1), (-2, 0.5), (2, 2)])
@pytest.mark.parametrize("u", [0.01, 0.5, 0.99])
def test_the_path_goes_across_to_the_cdf_and_down_to_the_samples(
    u: float, location: float, scale: float
) -> None:
    figure = bell(u, location, scale)
    accepted(figure)
    cdf, path, _, samples, pdf, _, drop, landing = figure["data"]
    corner = path["x"][1]
    assert np.interp(corner, cdf["x"], cdf["y"]) == pytest.approx(u, abs=2e-3)
    assert path["y"] == [u, u, 0]
    assert landing["x"] == [corner]
    assert drop["x"] == [corner, corner]
    low, high = figure["layout"]["xaxis"]["range"]
    assert low < corner < high
    width = samples["x"][1] - samples["x"][0]
    assert 0.98 < sum(samples["y"]) * width <= 1.001
    assert max(pdf["y"]) == pytest.approx(1 / (math.e * scale), rel=2e-3)
    assert figure["layout"]["yaxis2"]["range"][1] > max(pdf["y"])


def test_the_first_finish_is_marked_and_the_shares_stand_beside() -> None:
    config = TrialsConfig(CASES["three"], 11)
    race, many = one_race(config).race, race_trials(config).trials
    bars, finishes, won, ticks = lanes(config.logits, ("cat", "dog", "bird"), 11)["data"]
    winner = int(race.times.argmin())
    assert [symbol == "star" for symbol in finishes["marker"]["symbol"]] == [k == winner for k in range(3)]
    assert finishes["text"][winner].strip() == f"first, at {race.times[winner].item():.3g}"
    assert bars["x"][winner] == pytest.approx(race.times[winner].item())
    # The third is out of the picture: an arrow, with its time.
    assert finishes["marker"]["symbol"][2] == "triangle-right"
    assert finishes["text"][2].strip() == f"{race.times[2].item():.3g} →"
    np.testing.assert_allclose(won["x"], many.frequencies, atol=1e-5)
    np.testing.assert_allclose(ticks["x"], many.law, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_every_lane_ends_inside_the_picture_and_the_winners_is_shortest(case: str) -> None:
    figure = lanes(CASES[case], tuple("x" * len(CASES[case])))
    bars, finishes = figure["data"][:2]
    winner = finishes["marker"]["symbol"].index("star")
    assert bars["x"][winner] == min(bars["x"])
    assert max(bars["x"]) <= figure["layout"]["xaxis"]["range"][1]


def test_a_masked_clock_never_rings() -> None:
    finishes = lanes(CASES["masked"], ("a", "b", "c", "d"))["data"][1]
    assert finishes["text"][1].strip() == "never"
    assert finishes["customdata"][1] == "never"


def test_bars_stand_in_their_outlines_and_diamonds_mark_the_wrong_law() -> None:
    trials = sign_trials(TrialsConfig(CASES["three"]))
    _, outlines, bars, diamonds = sign_panel(CASES["three"], ("cat", "dog", "bird"), "-")["data"]
    np.testing.assert_allclose(outlines["y"], trials["-"].wanted, atol=1e-5)
    np.testing.assert_allclose(bars["y"], trials["-"].frequencies, atol=1e-5)
    np.testing.assert_allclose(diamonds["y"], trials["-"].law, atol=1e-5)
    assert outlines["width"] > bars["width"]
    right = sign_panel(CASES["three"], ("cat", "dog", "bird"), "+")
    assert len(right["data"]) == 3
    # Not told apart by colour alone.
    assert bars["marker"]["pattern"]["shape"] != right["data"][2]["marker"]["pattern"]["shape"]
    numbers = [label.partition("<br>")[2] for label in right["layout"]["xaxis"]["ticktext"]]
    assert [float(number) for number in numbers] == pytest.approx(trials["+"].frequencies, abs=5e-4)


def test_the_three_feeds_stand_side_by_side() -> None:
    trials = log_trials(TrialsConfig(CASES["three"]), 10)
    outlines, *pairs = feeds(CASES["three"], ("cat", "dog", "bird"))["data"]
    np.testing.assert_allclose(outlines["y"], trials["log w"].wanted, atol=1e-5)
    for (feed, trial), bars, diamonds in zip(trials.items(), pairs[::2], pairs[1::2], strict=True):
        assert bars["name"] == feed
        np.testing.assert_allclose(bars["y"], trial.frequencies, atol=1e-5)
        np.testing.assert_allclose(diamonds["y"], trial.law, atol=1e-5)
        assert bars["x"] == diamonds["x"]
    assert len({bars["marker"]["pattern"]["shape"] for bars in pairs[::2]}) == 3
    edges = [bars["x"][0] + side * bars["width"] / 2 for bars in pairs[::2] for side in (-1, 1)]
    assert edges == sorted(edges)  # none covers its neighbour


def test_the_reach_of_each_way_and_its_zero() -> None:
    figure = reach()
    accepted(figure)
    _, spans, lows, highs, zeros = figure["data"]
    tails = [way.tails() for way in WAYS.values()]
    assert lows["x"] == pytest.approx([low for low, _ in tails])
    assert highs["x"] == pytest.approx([high for _, high in tails])
    assert [x for x in spans["x"] if x is not None] == pytest.approx([end for tail in tails for end in tail])
    assert zeros["text"] == ["U = 0: −∞", "U = 0: −3.83", "U = 0: +∞"]
    assert zeros["marker"]["symbol"] == ["triangle-left", "diamond", "triangle-right"]


def test_typed_names_never_become_markup() -> None:
    for logits in (CASES["three"], CASES["sixty-four"]):
        names = ("<i>x</i>",) * len(logits)
        for figure in (lanes(logits, names), sign_panel(logits, names, "-"), feeds(logits, names)):
            assert "<i>" not in json.dumps(figure)
