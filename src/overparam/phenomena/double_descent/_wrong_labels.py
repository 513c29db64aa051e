"""Networks on partly wrong labels: data, networks by one width, and recipe of the phenomena that
follow Nakkiran et al. 2019 (arXiv:1912.02292)."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Protocol

from torch import nn

from overparam.data import Dataset, draw_subset, load, make_mnist1d, standardise
from overparam.data.entries import entry_of
from overparam.data.generate import LENGTH, TEMPLATES
from overparam.models import convnet5, mlp, preact_resnet18
from overparam.streams import Streams
from overparam.training.recipe import Recipe, Schedule

MNIST1D = "mnist1d"
DATASETS = (MNIST1D, "digits", "fashion_mnist_small", "fashion_mnist", "mnist", "cifar10")
FAMILIES = ("mlp", "convnet5", "preact_resnet18")
MOMENTUM = 0.9  # of SGD, for the fully connected family


@lru_cache(maxsize=1)
def draw_data(dataset: str, n: int, n_test: int, streams: Streams) -> tuple[Dataset, Dataset]:
    """Return n training rows with clean labels and the test set (cached: cells share one copy).

    Args:
        dataset: one of `DATASETS`. n_test: rows of the test set, where it is generated.
    """
    if dataset == MNIST1D:
        return make_mnist1d(streams, n, n_test)
    train_set, test_set = standardise(*load(dataset))
    return draw_subset(train_set, n, streams), test_set


def shape_of(dataset: str) -> tuple[tuple[int, ...], int]:
    """Return the shape of one input and the number of classes, without loading anything.

    >>> shape_of("mnist1d"), shape_of("cifar10")
    (((40,), 10), ((3, 32, 32), 10))
    """
    if dataset == MNIST1D:
        return (LENGTH,), len(TEMPLATES)
    entry = entry_of(dataset)
    return entry.input_shape, entry.n_classes


def size_of_test_set(dataset: str, n_test: int) -> int:
    """Return the rows of the test set, `n_test` where it is generated.

    >>> size_of_test_set("mnist1d", 4000), size_of_test_set("digits", 4000)
    (4000, 500)
    """
    return n_test if dataset == MNIST1D else entry_of(dataset).n_test


def make_network(family: str, width: int, n_hidden_layers: int, dataset: str) -> nn.Module:
    """Return a network of width k for a data set, as a shape without weights.

    Args:
        family: one of `FAMILIES`. width: units or channels. n_hidden_layers: of ``mlp``.
    """
    shape, n_classes = shape_of(dataset)
    if family == "convnet5":
        return convnet5(width, n_classes, shape[0], shape[-1])
    if family == "preact_resnet18":
        return preact_resnet18(width, n_classes, shape[0])
    return mlp(math.prod(shape), [width] * n_hidden_layers, n_classes)


class RecipeFactors(Protocol):
    """What a condition says of the training."""

    @property
    def family(self) -> str:
        """One of `FAMILIES`."""
        ...

    @property
    def optimizer(self) -> str:
        """``sgd`` or ``adam``."""
        ...

    @property
    def learning_rate(self) -> float:
        """Of the optimizer, at the start."""
        ...

    @property
    def schedule(self) -> str:
        """Of the learning rate, by name."""
        ...

    @property
    def epochs(self) -> int:
        """Passes over the rows."""
        ...

    @property
    def batch_size(self) -> int:
        """Rows of an update."""
        ...


def recipe_of(c: RecipeFactors) -> Recipe:
    """Return how a network is trained; for the convolutional families as in the paper."""
    return Recipe(
        loss="cross_entropy",
        optimizer=c.optimizer,
        learning_rate=c.learning_rate,
        momentum=MOMENTUM if c.optimizer == "sgd" and c.family == "mlp" else 0.0,
        schedule=Schedule(c.schedule, period=512 if c.schedule == "inverse_sqrt" else 1),
        epochs=c.epochs,
        batch_size=c.batch_size,
        trace="log",
        precision="auto",
    )
