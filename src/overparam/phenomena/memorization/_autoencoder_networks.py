"""Autoencoders by kind: their depths, their images, their shapes, and how they are trained.

Conditions are those of `overparam.phenomena.memorization.autoencoders`.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from torch import Tensor, nn

from overparam.data import Dataset, draw_subset, load, make_dataset
from overparam.data.entries import entry_of
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.settings import whole_numbers
from overparam.models import (
    convolutional_autoencoder,
    dense_autoencoder,
    downsampling_autoencoder,
)
from overparam.phenomena.memorization._linear_autoencoder import (
    descent_to_the_limit,
    start_at_zero,
)
from overparam.streams import Streams
from overparam.training.recipe import Recipe, Schedule

DENSE, CONVOLUTIONAL, DOWNSAMPLING = "fully connected", "convolutional", "with downsampling"
KINDS = (DENSE, CONVOLUTIONAL, DOWNSAMPLING)
DEPTHS = ("dense_depths", "conv_depths", "downsampling_depths")  # fields, in the order of KINDS
LINEAR = "linear"
N_HALVINGS = 2  # of the downsampling one, which has at least as many layers
N_UNSEEN = 40  # images from which the map is iterated


def depths_of(c: Any, kind: str) -> list[int]:
    """Return the depths of the sweep of one kind, in ascending order."""
    field = DEPTHS[KINDS.index(kind)]
    low = N_HALVINGS if kind == DOWNSAMPLING else 1
    return whole_numbers(c, field, places="depth", low=low)


def images(c: Any, streams: Streams) -> tuple[Dataset, Tensor]:
    """Return the training images, as inputs and as targets, and the unseen ones."""
    train_part, test_part = load(c.dataset)
    drawn = draw_subset(train_part, c.n_train, streams, balanced=True).inputs
    unseen = draw_subset(test_part, N_UNSEEN, streams, "unseen images").inputs
    return make_dataset(drawn, drawn.flatten(1), name=f"{c.dataset}, itself as target"), unseen


def autoencoder(c: Any, train_set: Dataset) -> nn.Module:
    """Return the network of a cell as a shape without weights, or the linear one at zero."""
    return start_at_zero(train_set) if c.kind == LINEAR else _network(c, train_set.input_shape[-1])


def recipe(c: Any, train_set: Dataset) -> Recipe:
    """Return Adam to the loss asked for, or plain gradient descent where its limit is known."""
    if c.kind == LINEAR:
        return descent_to_the_limit(train_set)
    few = c.arm == TREATMENT
    return Recipe(
        loss="squared_error",
        optimizer="adam",
        # Many images are fitted in a reasonable time with larger steps only.
        learning_rate=c.learning_rate if few else 2 * c.learning_rate,
        schedule=Schedule("cosine"),
        steps=c.max_steps if few else c.control_steps,
        batch_size=None,
        stop_at_loss=c.stop_loss * train_set.n_outputs,
        trace=20,
    )


def is_overparameterized(c: Any) -> bool:
    """Whether a network, not the linear one, has a parameter for every number that it is to fit."""
    shape = entry_of(c.dataset).input_shape
    return _n_params(c, shape[-1]) >= c.n_train * math.prod(shape)


@lru_cache(maxsize=256)
def _n_params(c: Any, side: int) -> int:
    return sum(p.numel() for p in _network(c, side).parameters())


def _network(c: Any, side: int) -> nn.Module:
    """Return a network that is trained from a random start, as a shape without weights."""
    if c.kind == DENSE:
        return dense_autoencoder(side, c.width, c.depth, activation=c.activation)
    build = convolutional_autoencoder if c.kind == CONVOLUTIONAL else downsampling_autoencoder
    return build(c.n_channels, c.depth, c.kernel_size, activation=c.activation)
