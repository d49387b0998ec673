"""What a thousand seeds of the toy say, in sentences: each is chosen by measurement, never by hope."""

from gumbel_core.toy_shares import LATER_STEPS, LEARNED, TUTORIAL_STEPS, Outcome, Outcomes

# A visitor tries many settings: at 95 % one setting in twenty would cry wolf.
SURE = 0.999

NEITHER = "Neither is better than naming one place: here nothing is learned, and the noise decides nothing."
BARE_AHEAD = "Without noise it is ahead: here the softmax does the learning."
NOISE_AHEAD = "With noise it is ahead: it shakes the run off a gradient that is zero or saturated."
SPLIT = (
    "The two measures disagree: without noise more seeds are close, as a mean of wrong places; "
    "with noise more of the sample is on the target."
)
SPLIT_AGAINST = (
    "The two measures disagree: with noise more seeds are close; "
    "without noise more of the sample is on the target."
)
TIE = "So many seeds tell no difference between the two."


def noise_table(noisy: Outcomes, bare: Outcomes) -> str:
    """A Markdown table: the share within .5 and the probability on the target, at steps 3 and 10."""
    rows = [("with noise", noisy), ("no noise", bare)]
    return "\n".join(
        [
            f"| within {LEARNED:g}, on the target | step {TUTORIAL_STEPS} | step {LATER_STEPS} |",
            "|---|---|---|",
            *(
                f"| {name} | {_cell(found, TUTORIAL_STEPS)} | {_cell(found, LATER_STEPS)} |"
                for name, found in rows
            ),
        ]
    )


def noise_verdict(noisy: Outcomes, bare: Outcomes, n: int) -> str:
    """Whether the noise helps here, by step 10: by both measures, where their 95 % intervals lie apart."""
    if not beats_chance(noisy, n) and not beats_chance(bare, n):
        return NEITHER
    one, other = _later(noisy), _later(bare)
    by_share = _ahead(one.interval, other.interval)
    by_mass = _ahead(one.on_target_within(0.95), other.on_target_within(0.95))
    if by_share * by_mass < 0:
        return SPLIT if by_mass > 0 else SPLIT_AGAINST
    return {1: NOISE_AHEAD, 0: TIE, -1: BARE_AHEAD}[max(-1, min(1, by_share + by_mass))]


def beats_chance(found: Outcomes, n: int) -> bool:
    """By share and by probability, and more than untrained: at zeros a target in the middle is close."""
    later, chance = _later(found), 1 / n
    share, mass = later.share_within(SURE)[0], later.on_target_within(SURE)[0]
    return share > max(chance, found.at(1).share) and mass > chance


def fresh_verdict(fresh: Outcome, learning_rate: float, n: int) -> str:
    """What fresh arrays teach by step 10, for a target that the shuffle moves."""
    above = fresh.share_within(SURE)[0] > 1 / n
    return (
        f"With a new shuffle each step, at this learning rate ({learning_rate:g}), by step {LATER_STEPS} "
        f"{fresh.share:.1%} are within {LEARNED:g}, against a chance of {1 / n:.1%}: "
        f"{'above it' if above else 'no better than naming one place'}."
    )


def question_prompt(layer: str) -> str:
    if layer == "softmax":
        return "There is no noise here. Does it learn all the same?"
    return "Take the noise away and leave only a softmax. Does it learn?"


def question_answers(bare: Outcome, step: int) -> dict[str, str]:
    """The two answers by what the seeds without noise do: close is not enough, the sample must be there."""
    close, there = bare.share > LEARNED, bare.on_target > LEARNED
    yes, no = (
        ("Right", "Most runs do")
        if close and there
        else ("So it seems, but look", "Right, though it seems to")
        if close
        else ("Most runs here do not", "Right")
    )
    measured = (
        f"of {bare.runs:,} seeds without noise, {bare.share:.1%} are within {LEARNED:g} of the target in "
        f"step {step}, with {bare.on_target:.2f} of the sample on it."
    )
    return {"Yes": f"{yes}: {measured}", "No": f"{no}: {measured}"}


def _later(found: Outcomes) -> Outcome:
    """At step 10. A layer without a gradient has its first step alone, and stays there."""
    return found.at(min(LATER_STEPS, len(found.loss)))


def _cell(found: Outcomes, step: int) -> str:
    """A layer without a gradient has its first step alone, and stays there."""
    outcome = found.at(min(step, len(found.loss)))
    return f"{outcome.share:.1%}, {outcome.on_target:.2f}"


def _ahead(one: tuple[float, float], other: tuple[float, float]) -> int:
    """1 if the first interval lies above the second, -1 if below, 0 if they overlap."""
    return int(one[0] > other[1]) - int(one[1] < other[0])
