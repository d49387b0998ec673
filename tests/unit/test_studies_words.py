"""The sentences of a study: a verb is chosen by the seeds, and every number in them is the runs'."""

from dataclasses import replace

import pytest
from scipy.stats import ttest_rel

from gumbel_core.studies.results import Results
from pages.components.studies_math import gap_equation, losses_alt
from pages.components.studies_words import (
    ANSWERS,
    best_words,
    decoding_words,
    prediction,
    statistics_words,
    temperature_words,
)
from tests.unit.small_studies import diverged
from tests.unit.study_means import APART, HARD, SOFT, at, made, moved, without

# What the temperature does.


def test_the_verbs_are_those_of_the_losses() -> None:
    results = made(APART)
    means = {
        (of, tau): sum(getattr(run, of) for run in results.cell(SOFT, tau)) / 5
        for of in ("relaxed", "hard", "gap")
        for tau in (0.1, 5.0)
    }
    assert temperature_words(at(results), results) == (
        f"From τ = 0.1 to τ = 5 Gumbel-Softmax's relaxed loss falls from {means['relaxed', 0.1]:.2f} to "
        f"{means['relaxed', 5]:.2f} nats, its hard loss rises from {means['hard', 0.1]:.2f} to "
        f"{means['hard', 5]:.2f} nats, and its gap rises from {means['gap', 0.1]:.2f} to "
        f"{means['gap', 5]:.2f} nats."
    )


def test_on_the_test_set_it_is_the_test_sets_loss_that_moves() -> None:
    results = made(APART)
    words = temperature_words(at(results, tested=True), results)
    assert words.startswith(
        "From τ = 0.1 to τ = 5 Gumbel-Softmax's hard loss of the test set rises from 25.60 to 72.50 nats, "
        "its relaxed loss of the last epoch falls from 26."
    )
    assert ", and its gap of the last epoch rises from 0." in words
    hard = temperature_words(at(results, HARD, tested=True), results)
    assert "ReinMax's hard loss of the test set rises from 25.90 to 26.80 nats; its samples are hard" in hard


def test_the_other_way_round_they_are_the_other_verbs() -> None:
    swapped = {(name, {0.1: 5.0, 5.0: 0.1}.get(tau, tau)): cell for (name, tau), cell in APART.items()}
    results = made(swapped)
    words = temperature_words(at(results), results)
    assert "relaxed loss rises from 20." in words
    assert "hard loss falls from 28." in words
    assert "its gap falls from 7.8" in words


def test_a_hard_estimator_has_one_loss_and_no_gap() -> None:
    results = made(APART)
    words = temperature_words(at(results, HARD), results)
    assert words.startswith("From τ = 0.1 to τ = 5 ReinMax's hard loss rises from 26.50 to 27.10 nats; ")
    assert words.endswith("its samples are hard, without a gap.")


@pytest.mark.parametrize(("seeds", "told"), [(1, "one seed"), (5, "5 seeds")])
def test_what_the_seeds_do_not_tell_is_said_to_be_untold(seeds: int, told: str) -> None:
    still = dict.fromkeys(APART, (26.0, 26.2, 25.6))
    results = made(still, seeds)
    words = temperature_words(at(results), results)
    assert words.count(f"(over {told} this may be chance)") == 3
    assert not any(verb in words for verb in ("rises", "falls"))
    assert f"relaxed loss goes from 26.00 to 26.00 nats (over {told} this may be chance)" in words


def test_one_seed_tells_nothing_however_far_apart() -> None:
    results = made(APART, seeds=1)
    assert temperature_words(at(results), results).count("(over one seed this may be chance)") == 3
    assert "± " not in best_words(at(results), results)


def test_seeds_that_share_nothing_tell_nothing() -> None:
    results = made(APART)
    runs = [
        diverged(run.key) if (run.key.seed < 3) == (run.key.temperature == 5) else run for run in results.runs
    ]
    assert temperature_words(at(results), replace(results, runs=tuple(runs))) == (
        "No seed of Gumbel-Softmax came to its end both at τ = 0.1 and at τ = 5."
    )


def test_verb_and_numbers_are_of_the_seeds_that_both_have() -> None:
    """The seed that diverged at the higher temperature costs far more than the others at the lower one."""
    results = moved(HARD, [20.0, 20.1, 20.2, 60.0], [21.0, 21.15, 21.1, None])
    assert temperature_words(at(results, HARD), results) == (
        "From τ = 0.1 to τ = 1, over the 3 seeds that both have, ReinMax's hard loss rises from 20.10 to "
        "21.08 nats; its samples are hard, without a gap."
    )


def test_three_losses_need_more_than_one() -> None:
    """A move of .5 with a p of .021, by Student's t with 4 degrees of freedom: told of one, not of three."""
    start, by = [25.0] * 5, (0.15, 0.85, 0.25, 0.75, 0.5)
    hard = moved(HARD, start, [25 + more for more in by])
    assert "'s hard loss rises from 25.00 to 25.50" in temperature_words(at(hard, HARD), hard)
    soft = moved(SOFT, start, [25 + more for more in by])
    assert "'s relaxed loss goes from 24.00 to 24.50" in temperature_words(at(soft), soft)


def test_one_temperature_has_no_course() -> None:
    results = made({(SOFT, 1.0): (24.0, 26.0, 27.0), (HARD, 1.0): (25.0, 25.0, 25.5)}, seeds=1)
    assert temperature_words(at(results), results) == (
        "At τ = 1 Gumbel-Softmax's relaxed loss is 24.00 nats, its hard loss is 26.00 nats, and its gap is "
        "2.00 nats."
    )
    assert temperature_words(at(results, HARD), results) == (
        "At τ = 1 ReinMax's hard loss is 25.00 nats; its samples are hard, without a gap."
    )


def test_an_estimator_without_a_temperature_is_said_to_have_none() -> None:
    results = made({("straight_through", tau): (25.0, 25.0, 25.0) for tau in (0.1, 1.0)}, seeds=1)
    assert temperature_words(at(results, "straight_through"), results) == (
        "Straight-through reads no temperature: its hard loss is 25.00 nats at each of them."
    )
    assert best_words(at(results, "straight_through"), results) == ""


def test_what_diverged_has_no_part() -> None:
    results = without(made(APART), (SOFT, 5.0))
    assert temperature_words(at(results), results).startswith("From τ = 0.1 to τ = 1 ")
    nothing = without(made(APART), *APART)
    place = at(nothing)
    assert temperature_words(place, nothing) == best_words(place, nothing) == ""
    assert statistics_words(place, nothing) == gap_equation(place, nothing) == ""
    assert prediction(place, nothing) is None
    assert losses_alt(place, nothing).endswith("no run at tau 1 has come to its end.")


# Which is best.


def test_the_lowest_is_named_and_told_from_the_next_whoevers_that_is() -> None:
    results = made(APART)
    words = best_words(at(results), results)
    assert words.startswith("The lowest hard loss is ReinMax's at τ = 1, 25.00 nats: 1.10 ± ")
    assert words.endswith(" below Gumbel-Softmax's at τ = 1, 26.10.")
    results = made({**APART, (HARD, 5.0): (25.5, 25.5, 26.8)})
    assert best_words(at(results), results).endswith(" below ReinMax's at τ = 5, 25.50.")


def test_the_lowest_is_not_told_from_one_that_is_as_low() -> None:
    results = made({**APART, (HARD, 1.0): (26.095, 26.095, 25.5)})
    words = best_words(at(results), results)
    assert words.startswith("The lowest hard loss is ReinMax's at τ = 1, 26.09 nats")
    assert words.endswith(", next to Gumbel-Softmax's at τ = 1, 26.10 (over 5 seeds this may be chance).")


def test_a_lowest_that_was_picked_among_many_needs_more_than_one_that_was_not() -> None:
    """A difference that one pair alone would tell, and the fifteen pairs of six places do not."""
    means = {**APART, (HARD, 1.0): (26.05, 26.05, 25.5)}
    few = {place: cell for place, cell in means.items() if place[1] == 1.0}
    assert "±" in best_words(at(made(few)), made(few))
    assert "may be chance" in best_words(at(made(means)), made(means))


def test_what_is_printed_after_the_sign_is_the_plain_interval() -> None:
    results = made(APART)
    first, second = results.cell(HARD, 1.0), results.cell(SOFT, 1.0)
    found = ttest_rel([run.hard for run in second], [run.hard for run in first])
    low, high = found.confidence_interval(0.95)
    assert f" 1.10 ± {(high - low) / 2:.2f} below" in best_words(at(results), results)


def test_a_place_that_lost_a_seed_is_not_the_lowest() -> None:
    results = without(made(APART), (HARD, 1.0), seeds=[4])
    words = best_words(at(results), results)
    assert words.startswith(
        "Where no seed diverged, the lowest hard loss is Gumbel-Softmax's at τ = 1, 26.10"
    )


def test_a_study_that_goes_on_has_its_lowest_so_far() -> None:
    results = made(APART)
    early = replace(results, runs=results.runs[:20])
    words = best_words(at(early), early)
    assert words.startswith("The lowest hard loss so far is ReinMax's at τ = 1, 25.00 nats: 1.09 ± ")
    assert words.endswith(", over the 3 seeds that all of them have.")


def test_on_the_test_set_it_is_the_test_sets() -> None:
    results = made(APART)
    words = best_words(at(results, tested=True), results)
    assert words.startswith("The lowest hard loss of the test set is ReinMax's at τ = 1, 25.50 nats: 0.10 ± ")
    assert words.endswith(" below Gumbel-Softmax's at τ = 0.1, 25.60.")


def test_one_estimator_is_held_against_its_other_temperatures() -> None:
    alone = made({place: cell for place, cell in APART.items() if place[0] == HARD})
    words = best_words(at(alone, HARD), alone)
    assert words.startswith("The lowest hard loss is ReinMax's at τ = 1, 25.00 nats: 1.50 ± ")
    assert words.endswith(" below ReinMax's at τ = 0.1, 26.50.")


def test_where_nothing_stands_beside_it_nothing_is_said() -> None:
    lonely = made({(SOFT, 1.0): (24.0, 26.0, 27.0)})
    assert best_words(at(lonely), lonely) == ""


def test_a_study_that_leaves_the_estimator_to_its_recipe_names_the_recipes() -> None:
    results = made({(None, tau): cell for (name, tau), cell in APART.items() if name == SOFT})
    place = at(results, None)
    assert temperature_words(place, results).startswith("From τ = 0.1 to τ = 5 Gumbel-Softmax's ")
    assert best_words(place, results).startswith("The lowest hard loss is Gumbel-Softmax's at τ = 1")


# Why the test set costs more.


def test_the_statistics_are_told_where_a_soft_run_costs_more_than_at_the_lowest_temperature() -> None:
    results = made(APART)
    words = statistics_words(at(results, tau=5.0), results)
    assert words.startswith(
        "At τ = 5 the test set costs 72.50 nats, and the last epoch's own hard samples 28.60:"
    )


@pytest.mark.parametrize(
    ("results", "estimator", "tau"),
    [
        (made(APART), SOFT, 0.1),
        (made(APART), HARD, 5.0),
        (made(APART, recipe="notebook"), SOFT, 5.0),
        (made(APART, seeds=1), SOFT, 5.0),
        (without(made(APART), (SOFT, 5.0)), SOFT, 5.0),
        (made(dict.fromkeys(APART, (26.0, 28.0, 27.0))), SOFT, 5.0),
        # It overfits, at the lowest temperature as well.
        (made(dict.fromkeys(APART, (26.0, 28.0, 40.0))), SOFT, 5.0),
        # More than there, and still less than its own hard samples.
        (made({**APART, (SOFT, 5.0): (20.8, 28.6, 28.5)}), SOFT, 5.0),
    ],
)
def test_else_nothing_is_said_of_them(results: Results, estimator: str, tau: float) -> None:
    assert statistics_words(at(results, estimator, tau), results) == ""


def test_where_batches_normalise_the_last_epochs_loss_is_not_a_kept_models() -> None:
    results = made(APART)
    for tested in (False, True):
        assert "as no model that is kept" in decoding_words(at(results, tested=tested))
    plain = made(APART, recipe="notebook")
    assert decoding_words(at(plain)) == ""


# The prediction.


@pytest.mark.parametrize(
    ("test", "truth"),
    [(25.0, 0), (31.3, 0), (31.6, 1), (57.0, 1), (57.4, 2), (72.5, 2)],
)
def test_the_answer_is_the_measured_one(test: float, truth: int) -> None:
    """28.60 and a tenth are 31.46; twice that are 57.20."""
    results = made({**APART, (SOFT, 5.0): (20.8, 28.6, test)})
    # Whatever temperature is looked at.
    for tau in (0.1, 5.0):
        asked = prediction(at(results, tau=tau), results)
        assert asked
        prompt, answers = asked
        assert prompt == (
            "Gumbel-Softmax at τ = 5: the last epoch's hard samples cost 28.60 nats. What does the test set "
            "cost?"
        )
        costs = f'{test:.2f} nats beside 28.60. Choose "test set" under the picture to see it at every τ.'
        for place, answer in enumerate(ANSWERS):
            right = f"Right: {costs}" if place == truth else f"It is {ANSWERS[truth]}, in fact: {costs}"
            assert answers[answer] == right


@pytest.mark.parametrize(
    "results",
    [
        without(made(APART), (SOFT, 5.0), seeds=[2]),
        replace(made(APART), runs=made(APART).runs[:-4]),
        # 57.20 is twice its hard loss, and 31.46 a tenth more.
        made({**APART, (SOFT, 5.0): (20.8, 28.6, 57.205)}),
        made({**APART, (SOFT, 5.0): (20.8, 28.6, 31.461)}),
        made(APART, seeds=1),
        made({**APART, (SOFT, 5.0): (20.8, -28.6, 72.5)}),
    ],
    ids=["diverged", "goes on", "near twice", "near a tenth", "one seed", "no multiple"],
)
def test_what_the_seeds_do_not_answer_is_not_asked(results: Results) -> None:
    assert prediction(at(results), results) is None


def test_a_hard_estimator_has_a_question_of_its_own() -> None:
    results = made(APART)
    asked = prediction(at(results, HARD), results)
    assert asked
    assert asked[0].startswith("ReinMax at τ = 5: the last epoch's hard samples cost 27.10 nats.")
    assert asked[1][ANSWERS[0]].startswith("Right: 26.80 nats beside 27.10.")


def test_the_test_sets_view_shows_it_and_does_not_ask() -> None:
    results = made(APART)
    assert prediction(at(results, tested=True), results) is None
