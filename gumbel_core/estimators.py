"""Estimators of the gradient of E[f(z)] with respect to logits, z categorical, by name: `ESTIMATORS`.

All have one signature, `(f, logits, temperature, generator, samples) -> gradients`:

    f            z (samples, ..., K), one-hot or relaxed -> (samples,)
    logits       (..., K): the leading axes are the variables of f, independent of each other
    temperature  tau; `tempered` says whether an estimator reads it
    gradients    (samples, ..., K), one independent estimate in each row

Those that draw z draw its noise first: with generators of one seed they see the same samples.

[1] Williams, 1992, doi:10.1007/BF00992696 (REINFORCE)
[2] Kool, van Hoof, Welling, "Buy 4 REINFORCE Samples, Get a Baseline for Free!", 2019, eq. 7
[3] Tucker, Mnih, Maddison, Lawson, Sohl-Dickstein, "REBAR", 2017, arXiv:1703.07370, eq. 4
[4] Shekhovtsov, "Cold Analysis of Rao-Blackwellized Straight-Through Gumbel-Softmax Gradient Estimator",
    2023, the zero-temperature limit
The papers of the others stand in `gumbel_core.surrogates`, whose samples they differentiate.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gumbel_core.functions import Function
from gumbel_core.sampling import check_temperature, gumbel_max, gumbel_noise, tempered_softmax
from gumbel_core.surrogates import RAO_DRAWS, SURROGATES, Sampler, gumbel_rao, one_hot, slope

Gradients = Callable[[Function, Tensor, float, torch.Generator | None, int], Tensor]

# Leave-one-out needs company: each of its estimates is the mean over so many draws.
LOO_DRAWS = 4
# Enumeration is for small problems: so many combinations of categories at most.
MAX_CORNERS = 4_096


def exact(
    f: Function, logits: Tensor, temperature: float, generator: torch.Generator | None, samples: int
) -> Tensor:
    """The gradient itself, by enumeration: `sum_z p(z) (f(z) - E f) (z - p)`, for every sample the same."""
    corners = enumerate_corners(logits)
    values, weights = f(corners), corner_probabilities(logits)
    # Less its mean f gives the same gradient, with less to cancel: the score has mean 0.
    advantage = weights * (values - weights @ values)
    gradient = _times(advantage, corners - logits.softmax(-1)).sum(0)
    return gradient.expand(samples, *logits.shape)


def reinforce(
    f: Function, logits: Tensor, temperature: float, generator: torch.Generator | None, samples: int
) -> Tensor:
    """`f(z) (z - p)` [1]: the score function. Unbiased; f is read at the corners alone."""
    z = _one_hots(logits, generator, samples)
    return _times(f(z), z - logits.softmax(-1))


def reinforce_loo(
    f: Function, logits: Tensor, temperature: float, generator: torch.Generator | None, samples: int
) -> Tensor:
    """REINFORCE, the mean over 4 draws, where each has the mean of the other three as its baseline [2]."""
    z = _one_hots(logits, generator, LOO_DRAWS, samples)
    values = f(z.flatten(0, 1)).unflatten(0, (LOO_DRAWS, samples))
    baseline = (values.sum(0) - values) / (LOO_DRAWS - 1)
    return _times(values - baseline, z - logits.softmax(-1)).mean(0)


def through(sampler: Sampler) -> Gradients:
    """The estimator that differentiates f through a sample: of its relaxed value, or of its surrogate."""

    def gradients(
        f: Function, logits: Tensor, temperature: float, generator: torch.Generator | None, samples: int
    ) -> Tensor:
        rows = _rows(logits, samples)
        z = sampler(rows, temperature, generator=generator)
        (gradient,) = torch.autograd.grad(f(z).sum(), rows)
        return gradient

    return gradients


def rebar(
    f: Function, logits: Tensor, temperature: float, generator: torch.Generator | None, samples: int
) -> Tensor:
    """REINFORCE with the relaxed f as its control variate, its mean put back without bias ([3], eta = 1).

    The conditional sample is coupled to the first, and has its value: they differ in how they move with the
    logits. So f is differentiated once.
    """
    rows = _rows(logits, samples)
    noise = gumbel_noise(rows.shape, generator=generator, dtype=rows.dtype, device=rows.device)
    perturbed = rows.log_softmax(-1) + noise
    hard = one_hot(perturbed.argmax(-1), perturbed)
    free = tempered_softmax(perturbed, temperature)
    tied = tempered_softmax(_given_the_winner(rows, perturbed.detach(), hard), temperature)
    value, inner = _value_and_gradient(f, free)
    (pathwise,) = torch.autograd.grad(free - tied, rows, grad_outputs=inner)
    return _times(f(hard) - value, hard - logits.softmax(-1)) + pathwise


def zero_temperature_rao(
    f: Function, logits: Tensor, temperature: float, generator: torch.Generator | None, samples: int
) -> Tensor:
    """The limit of Gumbel-Rao for tau -> 0 and R -> infinity [4].

    Only a tie with the winner passes a gradient at temperature 0, and the tie with k has density p_k:
    `sum_k p_k (z - e_k) ((z - e_k) . f'(z)) / 2`.
    """
    p, z = logits.softmax(-1), _one_hots(logits, generator, samples)
    inner = _value_and_gradient(f, z)[1]
    gain = (z * inner).sum(-1, keepdim=True) - inner  # of the winner over each k
    return (z * (p * gain).sum(-1, keepdim=True) - p * gain) / 2


def enumerate_corners(logits: Tensor) -> Tensor:
    """Every combination of categories as one-hots (C, ..., K), the last variable's changing fastest.

    Raises ValueError for more than 4,096 combinations.
    """
    *variables, categories = logits.shape
    count = logits[..., 0].numel()
    if categories**count > MAX_CORNERS:
        raise ValueError(
            f"{count} variables of {categories} categories have {categories**count:,} combinations: "
            f"at most {MAX_CORNERS:,} are enumerated."
        )
    index = torch.arange(categories**count, device=logits.device).unsqueeze(-1)
    place = categories ** torch.arange(count - 1, -1, -1, device=logits.device)
    digits = (index // place % categories).reshape(-1, *variables)
    return one_hot(digits, logits.new_empty(*digits.shape, categories))


def corner_probabilities(logits: Tensor) -> Tensor:
    """The probability of each combination, (C,), in the order of `enumerate_corners`."""
    each = (enumerate_corners(logits) * logits.softmax(-1)).sum(-1)  # (C, ...)
    return each.reshape(len(each), -1).prod(-1)


def _rows(logits: Tensor, samples: int) -> Tensor:
    """The logits as a leaf (samples, ..., K), so that each sample has a gradient of its own."""
    return logits.detach().expand(samples, *logits.shape).clone().requires_grad_()


def _one_hots(logits: Tensor, generator: torch.Generator | None, *samples: int) -> Tensor:
    """Gumbel-Max draws (*samples, ..., K)."""
    shape = (*samples, *logits.shape)
    noise = gumbel_noise(shape, generator=generator, dtype=logits.dtype, device=logits.device)
    return one_hot(gumbel_max(logits, noise=noise), noise)


def _times(values: Tensor, directions: Tensor) -> Tensor:
    """Values (samples, ...) times directions with more axes behind them."""
    return values.reshape(*values.shape, *[1] * (directions.dim() - values.dim())) * directions


def _value_and_gradient(f: Function, z: Tensor) -> tuple[Tensor, Tensor]:
    """f(z), (samples,), and its gradient with respect to z, of the shape of z."""
    leaf = z.detach().requires_grad_()
    value = f(leaf)
    (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), gradient


def _given_the_winner(rows: Tensor, perturbed: Tensor, hard: Tensor) -> Tensor:
    """`perturbed` again, moving with the logits as a sample that is conditioned on its winner does.

    The largest sum is a standard Gumbel whatever the logits are, and rests; a loser's is cut off at it,
    `-log(exp(-top) + E_k / p_k)`, and moves with p_k while E_k, its own exponential clock, rests.
    """
    top = perturbed.amax(-1, keepdim=True)
    # log(E_k / p_k), found back from the value: log(exp(-z_k) - exp(-top)).
    clock = -perturbed + torch.log(-torch.expm1(perturbed - top))
    loser = -torch.logaddexp(-top, clock - slope(rows.log_softmax(-1)))
    return torch.where(hard.bool(), top, loser)


@dataclass(frozen=True)
class Estimator:
    """A way to the gradient, and what one should know before one takes it.

    title: its name in words
    unbiased: whether its mean is the gradient for every f
    tempered: whether it reads the temperature
    needs: what it asks of f between the corners
    evaluations: how often it evaluates f for one gradient; 0 where that is the number of combinations
    source: paper and equation
    """

    title: str
    gradients: Gradients
    unbiased: bool
    tempered: bool
    needs: str
    evaluations: int
    source: str

    def __call__(
        self, f: Function, logits: Tensor, temperature: float, generator: torch.Generator | None, samples: int
    ) -> Tensor:
        """The gradients, shape (samples, ..., K).

        Raises ValueError for a temperature that is not above 0, and for less than one sample.
        """
        if samples < 1:
            raise ValueError(f"The number of samples must be at least 1, not {samples}.")
        return self.gradients(f, logits, check_temperature(temperature), generator, samples)


NOTHING, SLOPE, INSIDE = "nothing", "a gradient at the corners", "values and a gradient inside"


def gumbel_rao_of(draws: int) -> Estimator:
    """Gumbel-Rao with R = `draws` conditional draws."""
    sampler = partial(gumbel_rao, draws=draws)
    return _biased("Gumbel-Rao", sampler, True, SLOPE, "Paulus et al. 2021, eq. 8")


def _biased(title: str, sampler: Sampler, tempered: bool, needs: str, source: str) -> Estimator:
    """The estimator that differentiates f through a sampler, as the VAE trains."""
    return Estimator(title, through(sampler), False, tempered, needs, 1, source)


_SAMPLE = {name: surrogate.sample for name, surrogate in SURROGATES.items()}

ESTIMATORS: Mapping[str, Estimator] = {
    "exact": Estimator("Exact", exact, True, False, NOTHING, 0, "enumeration"),
    "reinforce": Estimator("REINFORCE", reinforce, True, False, NOTHING, 1, "Williams 1992"),
    "reinforce_loo": Estimator(
        f"Leave-one-out of {LOO_DRAWS}",
        reinforce_loo,
        True,
        False,
        NOTHING,
        LOO_DRAWS,
        "Kool et al. 2019, eq. 7",
    ),
    "straight_through": _biased(
        "Straight-through", _SAMPLE["straight_through"], False, SLOPE, "Bengio et al. 2013"
    ),
    "gumbel_softmax": _biased(
        "Gumbel-Softmax", _SAMPLE["gumbel_softmax"], True, INSIDE, "Jang et al. 2017, eq. 2"
    ),
    "st_gumbel_softmax": _biased(
        "ST Gumbel-Softmax", _SAMPLE["st_gumbel_softmax"], True, SLOPE, "Jang et al. 2017, section 2.2"
    ),
    "gumbel_rao": gumbel_rao_of(RAO_DRAWS),
    "reinmax": _biased("ReinMax", _SAMPLE["reinmax"], True, SLOPE, "Liu et al. 2023, alg. 2"),
    "rebar": Estimator("REBAR", rebar, True, True, INSIDE, 2, "Tucker et al. 2017, eq. 4"),
}

# What the others are held against, and no way to train: a limit in closed form.
ZERO_TEMPERATURE_RAO = Estimator(
    "Gumbel-Rao at τ = 0", zero_temperature_rao, False, False, SLOPE, 1, "Shekhovtsov 2023"
)
