"""The identity task: a network learns to return its input, on very few images.

Fitting them perfectly says nothing about which map was learned: the identity, the constant that
ignores its input, and much in between all do. What the network makes of images that it has never
seen tells. Source: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis"
(arXiv:1902.04698).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data.dataset import Dataset, make_dataset
from overparam.data.probe_images import (
    ProbeImages,
    draw_clothes,
    draw_digits,
    make_probe_images,
)
from overparam.lab.phenomenon import factor, quantity
from overparam.measures.image_maps import MapScores, score_map
from overparam.measures.layer_images import layer_images
from overparam.streams import Streams
from overparam.training.fitted import Fitted
from overparam.training.recipe import Recipe
from overparam.training.train import train

# Mean squared error per pixel at which the training images count as learned, unless it is said
# otherwise; the chapter's own designs ask for ten times as much below the full scale.
FITTED_LOSS = 1e-6
LEARNING_RATE = 3e-4  # of Adam
_STEPS_PER_LOOK = 10  # updates between two looks at the training loss

_SHOWN = {"digit": 4, "blend": 2, "clothing": 3, "pattern": 7}  # test inputs in a gallery, by kind

SCORES = {  # fields of MapScores, as a reader sees them
    "identity_correlation": "correlation to the input",
    "constant_correlation": "correlation to the training image",
    "identity_mse": "squared error to the input",
    "constant_mse": "squared error to the training image",
    "edge_score": "edge score",
}


@dataclass(frozen=True)
class IdentityTask:
    """Images to learn the identity on, and images to see what was learned.

    Attributes:
        training: `[m, channels, side, side]`, m >= 1. probe: the test inputs.
    """

    training: Tensor
    probe: ProbeImages

    @property
    def shown(self) -> list[int]:
        """Positions of the test inputs of which images are kept: some of every kind."""
        positions = []
        for kind, most in _SHOWN.items():
            positions += [i for i, k in enumerate(self.probe.kinds) if k == kind][:most]
        return positions

    @property
    def train_set(self) -> Dataset:
        """The training images as inputs and, flattened, as targets."""
        return make_dataset(self.training, self.training.flatten(1), name="identity task")


@dataclass(frozen=True)
class MapOutcome:
    """Which map a network has become: means over the test inputs, and what was to be seen."""

    n_params: int = quantity("parameters")
    n_steps: int = quantity("updates")
    train_loss: float = quantity("squared error per pixel")
    learned: bool = quantity("", "whether the training images were fitted to the loss asked for")
    identity_correlation: float = quantity("correlation", "of the outputs with the inputs")
    constant_correlation: float = quantity("correlation", "of the outputs with the training image")
    identity_mse: float = quantity("squared error per pixel", "to the input")
    constant_mse: float = quantity("squared error per pixel", "to the training image")
    edge_score: float = quantity("correlation", "of the outputs with the inputs' edges")
    preference: float = quantity("1 identity, -1 constant")
    scores: Any = quantity("[scores, inputs]", "per input, in the order of SCORES")
    preferences: Any = quantity("[inputs]")
    baselines: Any = quantity("[inputs]", "correlation of the inputs with the training image")
    outputs: Any = quantity("[shown, h, w]", "brightness, channels averaged")
    layers: Any = quantity("[shown, h, w] each", "leading component of each hidden layer")


@dataclass(frozen=True)
class TrainingFactors:
    """What the chapter's conditions share: the images' size, and when training ends."""

    side: int = factor(14, unit="pixels", low=8)
    target_loss: float = factor(1e-5, unit="squared error per pixel", low=0, doc="to fit to")
    max_steps: int = factor(6000, unit="updates", low=1)
    precision: str = factor("float32", choices=("auto", "float32", "bfloat16", "float64"))

    @property
    def limits(self) -> tuple[str, str]:
        """Names of the factors that end the training: updates at most, loss to fit to."""
        return "max_steps", "target_loss"


@dataclass(frozen=True)
class AdamFactors(TrainingFactors):
    """The same, of networks that `recipe_of` trains."""

    learning_rate: float = factor(LEARNING_RATE, symbol="eta", low=1e-8, doc="of Adam")


def make_identity_task(
    streams: Streams,
    side: int,
    n_train: int = 1,
    *,
    n_channels: int = 1,
    digit: int | None = 7,
    clothes: bool = False,
) -> IdentityTask:
    """Return the task of one seed: `n_train` images of a digit (default 7) of MNIST to learn on.

    Args:
        streams: uses ``training images`` and ``probe images``.
        side: height and width in pixels, >= 8. n_train: 1 to 40 images of one digit.
        n_channels: of the images, 1 or more (grey repeated).
        digit: 0 to 9, or None for any, 1 to 400 of them.
        clothes: Fashion-MNIST instead of digits, 1 to 4,000 images.

    Raises:
        UsageError: sizes out of range, or more images than there are.

    >>> task = make_identity_task(Streams(0), side=14)
    >>> task.train_set.inputs.shape, task.train_set.n_outputs
    (torch.Size([1, 1, 14, 14]), 196)
    """
    if clothes:
        training = draw_clothes(n_train, streams, side, n_channels=n_channels)
    else:
        training = draw_digits(n_train, streams, side, digit=digit, n_channels=n_channels)
    return IdentityTask(training, make_probe_images(streams, side, n_channels=n_channels))


def identity_recipe(
    train_set: Dataset,
    *,
    max_steps: int,
    learning_rate: float = LEARNING_RATE,
    target_loss: float = FITTED_LOSS,
    precision: str = "float32",
) -> Recipe:
    """Return full-batch Adam until the mean squared error per pixel is at most `target_loss`.

    The paper takes two million steps of SGD; Adam reaches a loss at which nothing changes any
    more in some hundred to thousand.
    """
    return Recipe(
        loss="squared_error",
        optimizer="adam",
        learning_rate=learning_rate,
        steps=max_steps,
        batch_size=None,
        stop_at_loss=target_loss * train_set.n_outputs,
        trace=_STEPS_PER_LOOK,
        precision=precision,
    )


def recipe_of(c: AdamFactors, task: IdentityTask) -> Recipe:
    """Return how the network of a condition learns its task."""
    return identity_recipe(
        task.train_set,
        max_steps=c.max_steps,
        learning_rate=c.learning_rate,
        target_loss=c.target_loss,
        precision=c.precision,
    )


async def learn_identity(
    model: nn.Module,
    task: IdentityTask,
    recipe: Recipe,
    streams: Streams,
    *,
    with_layers: bool = True,
) -> MapOutcome:
    """Train a network on the task and say which map it has become.

    Args:
        model: maps `[n, channels, side, side]` to as many numbers, flat or as images.
        with_layers: keep the images of the hidden layers too.
    """
    fitted = await train(model, task.train_set, recipe, streams)
    return describe_map(fitted, task, recipe, with_layers=with_layers)


def describe_map(
    fitted: Fitted, task: IdentityTask, recipe: Recipe, *, with_layers: bool = True
) -> MapOutcome:
    """Return the scores and images of a trained network on the task's test inputs."""
    n_pixels = task.train_set.n_outputs
    per_pixel = fitted.train_loss / n_pixels
    target = (recipe.stop_at_loss or math.inf) / n_pixels
    return describe_network(
        fitted.module().float(),
        task,
        n_steps=fitted.n_steps,
        train_loss=per_pixel,
        learned=bool(per_pixel <= target),
        with_layers=with_layers,
    )


@torch.no_grad()
def describe_network(
    module: nn.Module,
    task: IdentityTask,
    *,
    n_steps: int,
    train_loss: float,
    learned: bool,
    with_layers: bool = True,
) -> MapOutcome:
    """Return the scores and images of any network on the task's test inputs.

    Args:
        module: on the CPU, in evaluation mode. n_steps, train_loss, learned: how it came about.
    """
    inputs = task.probe.images
    outputs = module(inputs).reshape(inputs.shape)
    scores = score_map(outputs, inputs, task.training)
    layers = layer_images(module, inputs[task.shown]) if with_layers else []
    return MapOutcome(
        n_params=sum(p.numel() for p in module.parameters()),
        n_steps=n_steps,
        train_loss=train_loss,
        learned=learned,
        **{name: mean_score(scores, name) for name in (*SCORES, "preference")},
        scores=np.stack([getattr(scores, name).numpy() for name in SCORES]).astype(np.float32),
        preferences=scores.preference.numpy().astype(np.float32),
        baselines=scores.baseline.numpy().astype(np.float32),
        outputs=outputs[task.shown].mean(1).numpy().astype(np.float16),
        layers=tuple(images.numpy() for images in layers),
    )


def mean_score(scores: MapScores, name: str) -> float:
    """Return the mean of a score over the test inputs, without those that have none."""
    return float(getattr(scores, name).nanmean())
