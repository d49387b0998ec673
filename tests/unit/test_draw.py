"""One frozen draw against arithmetic by hand, its config's refusals, and the text of edited noise."""

import math
import re
from dataclasses import FrozenInstanceError

import pytest
import torch

from gumbel_core.draw import (
    MAX_EDIT,
    MAX_EDIT_TEXT,
    Draw,
    DrawConfig,
    check_logits,
    draw,
    format_edits,
    parse_edits,
    seeded_noise,
)
from gumbel_core.sampling import gumbel_noise

INF, NAN = math.inf, math.nan
THREE = (2.0, 0.5, -1.0)


def assert_finite(now: Draw) -> None:
    for values in (now.noise, now.relaxed, now.without_noise, now.gradient):
        assert values.isfinite().all()


# The config


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"logits": ()}, "1 to 64 categories, not 0"),
        ({"logits": (0.0,) * 65}, "1 to 64 categories, not 65"),
        ({"logits": (-INF, -INF)}, "One logit at least must be finite"),
        ({"logits": (0.0, INF)}, "none NaN or \\+inf"),
        ({"logits": (0.0, NAN)}, "none NaN or \\+inf"),
        ({"logits": (NAN, 0.0)}, "none NaN or \\+inf"),
        ({"temperature": 0.0}, "above 0, not 0"),
        ({"temperature": -1.0}, "above 0, not -1"),
        ({"temperature": NAN}, "finite number, not nan"),
        ({"temperature": 0.009}, "from tau 0.01 to 100, not 0.009"),
        ({"temperature": 1e9}, "from tau 0.01 to 100, not 1e\\+09"),
        ({"seed": -1}, "from 0 to 2,147,483,647, not -1"),
        ({"seed": 2**31}, "from 0 to 2,147,483,647, not 2147483648"),
        ({"edits": {3: 0.0}}, "Noise 0 for category 4 is out of range"),
        ({"edits": {-1: 0.0}}, "category 0 is out of range"),
        ({"edits": {0: 100.5}}, "Noise 100.5 for category 1"),
        ({"edits": {0: NAN}}, "Noise nan for category 1"),
    ],
)
def test_a_config_that_draws_nothing_is_refused(changes: dict[str, object], reason: str) -> None:
    good: dict[str, object] = {"logits": THREE}
    with pytest.raises(ValueError, match=reason) as refusal:
        DrawConfig(**(good | changes))  # type: ignore[arg-type]
    assert "\n" not in str(refusal.value)


def test_the_ends_of_every_range_are_taken() -> None:
    for logits in [(0.0,), (0.0,) * 64, (-INF, 0.0), (1e308, -1e308)]:
        assert check_logits(logits) == logits
    for temperature in (0.01, 100.0):
        DrawConfig(THREE, temperature, 2**31 - 1, {0: -MAX_EDIT, 2: MAX_EDIT})


def test_a_config_is_frozen() -> None:
    config = DrawConfig(THREE)
    with pytest.raises(FrozenInstanceError):
        config.seed = 1  # type: ignore[misc]


# The draw


def test_every_stage_by_hand() -> None:
    noise = (0.0, 1.75, 0.5)
    now = draw(DrawConfig(THREE, 0.5, edits=dict(enumerate(noise))))
    assert now.logits.tolist() == list(THREE)
    assert now.noise.tolist() == list(noise)
    assert now.perturbed.tolist() == [2.0, 2.25, -0.5]
    assert now.winner == 1
    raised = [math.exp(2 * value) for value in (2.0, 2.25, -0.5)]
    assert now.relaxed.tolist() == pytest.approx([value / sum(raised) for value in raised], abs=1e-12)
    bare = [math.exp(2 * logit) for logit in THREE]
    assert now.without_noise.tolist() == pytest.approx([value / sum(bare) for value in bare], abs=1e-12)
    assert not any(values.requires_grad for values in (now.logits, now.noise, now.perturbed, now.relaxed))


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0, 10.0])
def test_the_gradient_is_that_of_the_winner(temperature: float) -> None:
    now = draw(DrawConfig(THREE, temperature, 11))
    y, w = now.relaxed, now.winner
    # d y_w / d l_w = y_w (1 - y_w) / tau, as the page's equation says, and - y_w y_k / tau elsewhere.
    expected = -y[w] * y / temperature
    expected[w] = y[w] * (1 - y[w]) / temperature
    torch.testing.assert_close(now.gradient, expected)


def test_the_seed_freezes_the_noise_at_every_temperature() -> None:
    noise = gumbel_noise((3,), generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    for temperature in (0.01, 1.0, 100.0):
        now = draw(DrawConfig(THREE, temperature, 5))
        assert torch.equal(now.noise, noise)
        assert now.winner == int((torch.tensor(THREE).double() + noise).argmax())
    assert not torch.equal(draw(DrawConfig(THREE, seed=6)).noise, noise)


def test_an_edit_touches_one_category_and_can_flip_the_winner() -> None:
    before = draw(DrawConfig(THREE, seed=5))
    loser = (before.winner + 1) % 3
    after = draw(DrawConfig(THREE, seed=5, edits={loser: 50.0}))
    assert after.winner == loser
    assert [index for index in range(3) if before.noise[index] != after.noise[index]] == [loser]
    assert torch.equal(seeded_noise(DrawConfig(THREE, seed=5)), before.noise)


def test_one_category_a_mask_and_huge_logits() -> None:
    alone = draw(DrawConfig((7.0,)))
    assert (alone.winner, alone.relaxed.tolist(), alone.gradient.tolist()) == (0, [1], [0])
    masked = draw(DrawConfig((1.5, -INF, 0.5), 0.5, edits={1: 100.0}))
    assert masked.winner != 1
    for values in (masked.relaxed, masked.without_noise, masked.gradient):
        assert values[1] == 0
    huge = draw(DrawConfig((1e30, -1e30, 0.0)))
    assert huge.relaxed.tolist() == huge.without_noise.tolist() == [1, 0, 0]
    tied = draw(DrawConfig((1e30, 1e30), edits={0: 0.0, 1: 1.0}))
    assert tied.winner == 1
    assert tied.relaxed.tolist() == pytest.approx([1 / (1 + math.e), math.e / (1 + math.e)])
    for now in (alone, masked, huge, tied):
        assert_finite(now)


# Edited noise as text


@pytest.mark.parametrize(
    ("text", "edits"),
    [
        ("", {}),
        ("  ;; ", {}),
        ("2: 1.35; 3: -0.2", {1: 1.35, 2: -0.2}),
        ("3:-0.2;2:1.35;", {1: 1.35, 2: -0.2}),
        ("1: \u22121.5", {0: -1.5}),
        ("1: 1e2", {0: 100.0}),
        ("1: 1; 1: 2", {0: 2.0}),
    ],
)
def test_edits_are_read(text: str, edits: dict[int, float]) -> None:
    assert parse_edits(text, 3) == edits


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("2", "'2' is not an edit: write a place and its noise, such as 2: 1.35."),
        ("a: 1", "'a: 1' is not an edit: write a place and its noise, such as 2: 1.35."),
        ("1: 2; 2: b", "'2: b' is not an edit: write a place and its noise, such as 2: 1.35."),
        ("1.5: 2", "'1.5: 2' is not an edit: write a place and its noise, such as 2: 1.35."),
        ("0: 1", "'0: 1' names no category: places run from 1 to 3."),
        ("4: 1", "'4: 1' names no category: places run from 1 to 3."),
        ("1: nan", "'1: nan' is not an edit: write a place and its noise, such as 2: 1.35."),
        ("1: inf", "'1: inf' is not an edit: write a place and its noise, such as 2: 1.35."),
        ("1: 100.1", "'1: 100.1' is out of range: edited noise lies between -100 and 100."),
        (";" * (MAX_EDIT_TEXT + 1), "The text has 1,001 characters: at most 1,000 are read."),
    ],
)
def test_what_is_no_edit_is_told_in_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        parse_edits(text, 3)


def test_a_long_entry_is_cut_in_its_sentence() -> None:
    with pytest.raises(ValueError, match=f"^'{'x' * 24}' is not an edit"):
        parse_edits("x" * 500, 3)


def test_edits_survive_the_way_through_their_text() -> None:
    # To the three digits behind the point that a dragged bar writes, over the whole range.
    generator = torch.Generator().manual_seed(0)
    values = (torch.rand(64, generator=generator, dtype=torch.float64) * 200 - 100).tolist()
    edits = {index: round(value, 3) for index, value in enumerate(values)}
    assert parse_edits(format_edits(edits), 64) == edits
    assert format_edits({2: -0.2, 1: 1.35}) == "2: 1.35; 3: -0.2"
    assert format_edits({}) == ""


def test_edits_of_every_category_fit_into_the_text_that_is_read() -> None:
    everything = dict.fromkeys(range(64), -99.999)
    assert len(format_edits(everything)) <= MAX_EDIT_TEXT
