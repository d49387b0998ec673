"""Training runs by name: `RECIPES`. Tutorials as they are, the paper's network, and what does better.

config = configured("best", load("mnist"))
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from gumbel_core.checks import check_name
from gumbel_core.datasets import Dataset
from gumbel_core.schedules import Constant, Geometric, OneCycle, Restarting
from gumbel_core.vae.config import Finish, TrainConfig
from gumbel_core.vae.model import ModelConfig


@dataclass(frozen=True)
class Recipe:
    """A run's config, for any data set, and what it is."""

    sentence: str
    config: TrainConfig


TUTORIALS_MODEL = ModelConfig(logits="relu")

RECIPES: Mapping[str, Recipe] = {
    "guide": Recipe(
        "A PyTorch guide as it is: its temperature restarts each epoch, so its floor is never reached, and "
        "its encoder ends in a ReLU.",
        TrainConfig(model=TUTORIALS_MODEL, temperature=Restarting(), seed=2020),
    ),
    "notebook": Recipe(
        "A university notebook: temperature 1 throughout, an encoder that ends in a ReLU.",
        TrainConfig(model=TUTORIALS_MODEL),
    ),
    "jang2017": Recipe(
        "The paper's network on bits drawn once, by us, with a learned prior. Not the paper's: batch "
        "normalisation in the decoder, Adam over one cycle, a temperature that falls over all steps.",
        TrainConfig(
            pixels="fixed",
            model=ModelConfig(encoder=(), decoder=(200,), latents=20, normalisation="batch", prior="learned"),
            temperature=Geometric(1.0, 0.5),
            learning_rate=OneCycle(1e-2),
            epochs=50,
        ),
    ),
    "binary": Recipe(
        "Two categories a latent: a binary autoencoder.",
        TrainConfig(
            model=ModelConfig(latents=60, categories=2, normalisation="batch"),
            temperature=Geometric(1.0, 0.4),
            learning_rate=OneCycle(4e-3),
        ),
    ),
    "best": Recipe(
        "Batch normalisation and one cycle of a high learning rate. The first half of all steps is relaxed, "
        "with a falling temperature; the second half is hard, with ReinMax's gradient.",
        TrainConfig(
            model=ModelConfig(normalisation="batch"),
            temperature=Geometric(1.0, 0.3),
            finish=Finish("reinmax", Constant(1.3), start=0.5),
            learning_rate=OneCycle(3e-2),
        ),
    ),
    "small": Recipe(
        "For the bundled digits: a small network that is done while a class watches.",
        TrainConfig(
            model=ModelConfig(
                encoder=(128,), decoder=(128,), latents=16, categories=8, normalisation="batch"
            ),
            temperature=Geometric(1.0, 0.3),
            finish=Finish("reinmax", Constant(1.3), start=0.3),
            learning_rate=OneCycle(5e-3),
            batch=50,
            epochs=150,
        ),
    ),
    "long": Recipe(
        "For weights that ship: a hundred epochs, thirty of them relaxed, the rest with ReinMax's gradient.",
        TrainConfig(
            model=ModelConfig(normalisation="batch", activation="silu"),
            temperature=Geometric(1.0, 0.1),
            finish=Finish("reinmax", Constant(1.3), start=0.3),
            learning_rate=OneCycle(1e-2),
            epochs=100,
        ),
    ),
}


@dataclass(frozen=True)
class Published:
    """What a tutorial prints of its run on MNIST, in nats an image, by epoch."""

    epochs: tuple[int, ...]
    test: tuple[float, ...]  # hard


# The notebook's cells; the guide logs to a tracker and prints none.
PUBLISHED: Mapping[str, Published] = {"notebook": Published((1, 5, 10), (178.96, 135.59, 126.71))}


def configured(recipe: str, dataset: Dataset, **changes: Any) -> TrainConfig:
    """The recipe's config for this data set, with changes by name. Raises ValueError for what is refused."""
    check_name("recipe", recipe, RECIPES)
    config = RECIPES[recipe].config
    model = replace(config.model, pixels=dataset.train.shape[1])
    return replace(config, dataset=dataset.name, model=model, **changes)
