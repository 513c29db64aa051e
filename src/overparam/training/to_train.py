"""`ToTrain`: a model to train, as planning sees it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Protocol

from torch import nn

from overparam.data.dataset import Dataset
from overparam.streams import Streams
from overparam.training.recipe import Recipe


class ToTrain(Protocol):
    """A model to train, as `train` asks for it."""

    @property
    def model(self) -> nn.Module:
        """The network; it is not changed."""

    @property
    def train_set(self) -> Dataset:
        """The rows it is fitted to."""

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""

    @property
    def streams(self) -> Streams:
        """Where its random numbers come from."""

    @property
    def evaluate(self) -> Mapping[str, Dataset]:
        """Sets that are measured along the way."""

    def group_key(self) -> Hashable:
        """What must agree between models that are planned together."""


def batch_of(request: ToTrain) -> int:
    """Return the number of rows of an update."""
    n = len(request.train_set)
    return min(request.recipe.batch_size or n, n)


def n_rows(request: ToTrain) -> tuple[int, ...]:
    """Return the lengths of the training set and of each set to measure."""
    return (len(request.train_set), *(len(data) for data in request.evaluate.values()))
