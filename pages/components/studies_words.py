"""What a study's numbers bear, in sentences: a verb is chosen by the seeds, never by hope.

Each sentence by itself keeps its chance of a wrong verb to what `findings` allows. Nothing is claimed of all
sentences together that a visitor may bring up. What is printed after ± is the plain interval.
"""

from collections.abc import Sequence
from math import comb

from gumbel_core.studies.findings import (
    GAP,
    HARD,
    RELAXED,
    TEST,
    Cell,
    Comparison,
    Interval,
    Loss,
    compare,
    interval,
    is_tempered,
    mean_of,
    ranked,
)
from gumbel_core.studies.results import Results, Run
from gumbel_core.vae.recipes import RECIPES
from pages.components.studies_choice import Place, temperatures, title_of

# What the test set may cost, as a multiple of the last epoch's hard loss, and the answers on either side.
BOUNDS = (1.1, 2.0)
ANSWERS = ("at most a tenth more", "up to twice as much", "more than twice as much")


def temperature_words(place: Place, results: Results) -> str:
    """What the temperature does to the chosen estimator, from its lowest to its highest. "" before a run."""
    title, cells = place.title, _ended(place, results)
    if not cells:
        return ""
    (low, first), (high, last) = cells[0], cells[-1]
    losses = _losses(place)
    if not is_tempered(place.estimator):
        mean = mean_of(first, place.hard)
        return f"{title} reads no temperature: its {place.loss} is {mean:.2f} nats at each of them."
    if low == high:
        means = [f"{name} is {mean_of(first, of):.2f} nats" for name, of in losses]
        return f"At τ = {low:g} {_listed(place, means)}."
    compared = [compare(last, first, of) for _, of in losses]
    found = [comparison for comparison in compared if comparison]
    if not found:
        return f"No seed of {title} came to its end both at τ = {low:g} and at τ = {high:g}."
    moves = [
        f"{name} {_move(comparison, len(losses))}"
        for (name, _), comparison in zip(losses, found, strict=True)
    ]
    seeds = _seeds(found[0].apart, place, "both")
    return f"From τ = {low:g} to τ = {high:g}{seeds and seeds + ','} {_listed(place, moves)}."


def best_words(place: Place, results: Results) -> str:
    """Where the hard loss is lowest, and whether the seeds tell it from the next. "" with nothing beside."""
    cells = ranked(results, place.hard)
    if len(cells) < 2:
        return ""
    first, second = cells[:2]
    found = compare(second.runs, first.runs, place.hard)
    assert found  # what is ranked shares its seeds
    rival = f"{_owner(place, second)} {_at(second)}, {found.first:.2f}"
    # The two are picked from all pairs by what was measured.
    if found.apart.is_told(comb(len(cells), 2)):
        beside = f": {found.apart.mean:.2f} ± {found.apart.half_width:.2f} below {rival}"
    else:
        beside = f", next to {rival} ({_untold(found.apart)})"
    lost = "Where no seed diverged, the" if any(run.diverged for run in results.runs) else "The"
    yet = " so far" if len(results.runs) < len(place.study) else ""
    return (
        f"{lost} lowest {place.loss}{yet} is {_owner(place, first)} {_at(first)}, {found.second:.2f} nats"
        f"{beside}{_seeds(found.apart, place, 'all of them')}."
    )


def statistics_words(place: Place, results: Results) -> str:
    """Why the test set costs more than the batches, where batch normalisation makes it so. Else ""."""
    runs = results.cell(place.estimator, place.tau)
    if not _is_normalised(place) or not place.relaxed or not runs:
        return ""
    _, lowest = _ended(place, results)[0]
    # A test set may cost more for other reasons: they hold at the lowest temperature, too.
    found = compare(runs, lowest, _more)
    if not found or not found.apart.is_told() or found.apart.mean < 0 or mean_of(runs, _more) < 0:
        return ""
    return (
        f"At τ = {place.tau:g} the test set costs {mean_of(runs, TEST):.2f} nats, and the last epoch's own "
        f"hard samples {mean_of(runs, HARD):.2f}: batch normalisation learned its statistics from soft "
        "samples, and the test set reads them with hard ones."
    )


def decoding_words(place: Place) -> str:
    """What a hard loss of the last epoch is not, where the recipe normalises by batch. Else ""."""
    if not _is_normalised(place):
        return ""
    return (
        "With batch normalisation, the last epoch's hard samples are decoded with their own batch's "
        "statistics, as no model that is kept decodes them."
    )


def prediction(place: Place, results: Results) -> tuple[str, dict[str, str]] | None:
    """A question that the training's losses leave open, and what each answer earns.

    None in the test set's view, which answers it, while a seed is missing, and where the seeds do not tell.
    """
    tau = temperatures(place.study)[-1]
    runs = results.cell(place.estimator, tau)
    if place.tested or len(runs) < place.study.seeds or mean_of(runs, HARD) <= 0:
        return None
    above = [interval([run.test - bound * run.hard for run in runs]) for bound in BOUNDS]
    if not all(found.is_told() for found in above):
        return None
    hard, test = mean_of(runs, HARD), mean_of(runs, TEST)
    truth = ANSWERS[sum(found.mean > 0 for found in above)]
    costs = f'{test:.2f} nats beside {hard:.2f}. Choose "test set" under the picture to see it at every τ.'
    prompt = (
        f"{place.title} at τ = {tau:g}: the last epoch's hard samples cost {hard:.2f} nats. What does the "
        "test set cost?"
    )
    return prompt, {
        answer: f"Right: {costs}" if answer == truth else f"It is {truth}, in fact: {costs}"
        for answer in ANSWERS
    }


def _losses(place: Place) -> list[tuple[str, Loss]]:
    """What is said of the chosen estimator. In the test set's view, what is not the test set's says so."""
    if not place.relaxed:
        return [(place.loss, place.hard)]
    last = " of the last epoch" if place.tested else ""
    gap = (f"gap{last}", GAP)
    if place.tested:
        return [(place.loss, TEST), (f"relaxed loss{last}", RELAXED), gap]
    return [("relaxed loss", RELAXED), (place.loss, HARD), gap]


def _listed(place: Place, parts: Sequence[str]) -> str:
    if not place.relaxed:
        return f"{place.title}'s {parts[0]}; its samples are hard, without a gap"
    first, second, third = parts
    return f"{place.title}'s {first}, its {second}, and its {third}"


def _move(found: Comparison, among: int) -> str:
    ends = f"from {found.second:.2f} to {found.first:.2f} nats"
    if found.apart.is_told(among):
        return f"{'falls' if found.apart.mean < 0 else 'rises'} {ends}"
    return f"goes {ends} ({_untold(found.apart)})"


def _untold(apart: Interval) -> str:
    return f"over {'one seed' if apart.seeds == 1 else f'{apart.seeds} seeds'} this may be chance"


def _seeds(apart: Interval, place: Place, whose: str) -> str:
    """Which seeds the numbers are of, where they are not of all."""
    if apart.seeds == place.study.seeds:
        return ""
    return f", over the {'one seed' if apart.seeds == 1 else f'{apart.seeds} seeds'} that {whose} have"


def _ended(place: Place, results: Results) -> list[tuple[float, list[Run]]]:
    """The chosen estimator's runs by temperature, from the lowest at which any came to its end."""
    found = ((tau, results.cell(place.estimator, tau)) for tau in temperatures(place.study))
    return [(tau, runs) for tau, runs in found if runs]


def _more(run: Run) -> float:
    return run.test - run.hard


def _is_normalised(place: Place) -> bool:
    return RECIPES[place.study.recipes[0]].config.model.normalisation == "batch"


def _owner(place: Place, cell: Cell) -> str:
    return f"{title_of(place.study, cell.estimator)}'s"


def _at(cell: Cell) -> str:
    return f"at τ = {cell.temperature:g}" if is_tempered(cell.estimator) else "at any τ"
