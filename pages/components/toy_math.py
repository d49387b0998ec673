"""The toy's step in numbers: its equations, the code that prints it, and its rows of a table."""

from collections.abc import Mapping, Sequence

from gumbel_core.toy_argmax import Step, ToyConfig
from gumbel_core.toy_update import Update
from pages.components.words import tex, tex_vector

# How each layer makes its sample: in an equation, and in the snippet.
SAMPLES: Mapping[str, str] = {
    "argmax": r"\mathrm{onehot}\,\arg\max(\ell + g)",
    "softmax": r"\mathrm{softmax}(\ell / \tau)",
    "gumbel_softmax": r"\mathrm{softmax}\bigl((\ell + g) / \tau\bigr)",
    "straight_through": r"\mathrm{onehot}\,\arg\max(\ell + g)",
}
# These samples are exact in print; a relaxed one is rounded.
ONE_HOT = ("argmax", "straight_through")
SURROGATE = (
    r"\frac{{\partial z}}{{\partial \ell}} &:= \frac{{\partial}}{{\partial \ell}}\, {relaxed} \\"
    r"&\quad \text{{backward}},\ \tau = {tau} \\"
)
LAYER_CODE: Mapping[str, str] = {
    "argmax": "torch.nn.functional.one_hot((logits + noise).argmax(), n).double()",
    "softmax": "(logits / tau).softmax(-1)",
    "gumbel_softmax": "gumbel_softmax(logits, tau, noise=noise)",
    "straight_through": "gumbel_softmax(logits, tau, hard=True, noise=noise)",
}
SNIPPET = """\
import torch
from gumbel_core import {imports}

n, tau, steps = {n}, {tau}, {steps}
generator = torch.Generator().manual_seed({seed})
order, noises = gumbel_noise((steps, 2, n), generator=generator, dtype=torch.float64).unbind(1)
arrays = order.argsort(-1).double()
{changes}
weights = torch.zeros(n, n, dtype=torch.float64, requires_grad=True)
optimiser = torch.optim.RMSprop([weights], lr={learning_rate}, alpha=0.9, eps=1e-7)

for number, (array, noise) in enumerate(zip(arrays, noises), start=1):
    logits = weights @ array
    z = {layer}
    prediction, target = z @ torch.arange(n).double(), array.argmax()
    loss = (prediction - target).abs()
    print(f"step {{number}}: predicts {{prediction.item():.4f}}, loss {{loss.item():.4f}}")
    optimiser.zero_grad()
    try:
        loss.backward()
    except RuntimeError as error:
        print(error)
        break
    optimiser.step()
"""
TARGET_CODE = """\
for array in arrays:  # the maximum goes to its place by a swap
    array[array.argmax()], array[{target}] = array[{target}].item(), n - 1
"""
FIXED_CODE = "arrays = arrays[:1].expand(steps, n)  # the first for all steps\n"


def forward_equation(config: ToyConfig, step: Step) -> str:
    one_hot, tau = config.layer in ONE_HOT, tex(config.temperature)
    equals, with_tau = ("=", "") if one_hot else (r"\approx", rf",\quad \tau = {tau}")
    back = (
        SURROGATE.format(relaxed=SAMPLES["gumbel_softmax"], tau=tau)
        if config.layer == "straight_through"
        else ""
    )
    noise = "" if config.layer == "softmax" else rf"g &= {_vector(step.noise.tolist())} \\"
    sample = [round(share, 3) for share in step.sample.tolist()]
    predicted, loss = tex(step.prediction.item()), tex(step.loss.item())
    return (
        rf"\begin{{aligned}} \ell &= W a = {_vector(step.logits.tolist())} \\ {noise}"
        rf"z &= {SAMPLES[config.layer]}{with_tau} \\ &{equals} {_vector(sample)} \\ {back}"
        rf"\hat y &= \textstyle\sum_k k\, z_k = {predicted} \\"
        rf"L &= |{predicted} - {int(step.target)}| = {loss} \end{{aligned}}"
    )


def backward_equation(config: ToyConfig, now: Update, place: int) -> str:
    weight = rf"w_{{{place},{place}}}"
    return (
        rf"\begin{{aligned}} G &= \frac{{\partial L}}{{\partial {weight}}}"
        rf" = \frac{{\partial L}}{{\partial \ell_{{{place}}}}}\, a_{{{place}}} \\"
        rf"&= {_factor(now.slope)} \cdot {tex(now.entry)} = {tex(now.gradient)} \\"
        rf"v &\leftarrow .9\, v + .1\, G^2 \\"
        rf"&= .9 \cdot {_factor(now.mean_square_before)} + .1 \cdot {_factor(now.gradient)}^2 \\"
        rf"&= {tex(now.mean_square)} \\"
        rf"{weight} &\leftarrow {weight} - \eta\, G / (\sqrt v + 10^{{-7}}) \\"
        rf"&= {tex(now.weight)} - {tex(config.learning_rate)} \cdot {_factor(now.gradient)} \\"
        rf"&\quad / {_root(now.mean_square)} \\ &= {tex(now.updated)} \end{{aligned}}"
    )


def snippet(config: ToyConfig) -> str:
    changes = "" if config.target is None else TARGET_CODE.format(target=config.target)
    changes += FIXED_CODE if config.arrays == "fixed" else ""
    layer = LAYER_CODE[config.layer]
    imports = "gumbel_noise, gumbel_softmax" if "gumbel_softmax(" in layer else "gumbel_noise"
    return SNIPPET.format(
        n=config.n, tau=config.temperature, steps=config.steps, seed=config.seed, changes=changes,
        learning_rate=config.learning_rate, layer=layer, imports=imports,
    )  # fmt: skip


def step_header(n: int) -> list[str]:
    columns = [f"{name}_{k}" for name in ("array", "logit", "noise", "sample") for k in range(n)]
    return ["step", "prediction", "target", "loss", *columns]


def step_rows(run: Sequence[Step]) -> list[list[float]]:
    return [
        [
            number, step.prediction.item(), int(step.target), step.loss.item(),
            *step.array.tolist(), *step.logits.tolist(), *step.noise.tolist(), *step.sample.tolist(),
        ]
        for number, step in enumerate(run, start=1)
    ]  # fmt: skip


def _vector(values: Sequence[float]) -> str:
    """What fits on a phone: two significant digits, and of a tiny number no power of ten. -0 is 0."""
    shown = [round(float(f"{value:.2g}"), 3) + 0.0 for value in values]
    return tex_vector(shown, most=5 if len(shown) == 5 else 4)


def _root(mean_square: float) -> str:
    """The step's divisor. Its small constant is left out where there is something to divide by."""
    root = rf"\sqrt{{{tex(mean_square)}}}"
    return root if mean_square else rf"({root} + 10^{{-7}})"


def _factor(value: float) -> str:
    return tex(value) if value >= 0 else f"({tex(value)})"
