"""What answers in `hash_table`: tables of three kinds, and the network held against them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from overparam.data import Dataset, load, standardise
from overparam.models import AverageHash, FingerprintTable, ProjectedNeighbors
from overparam.models.hashing import FittedNeighbors, FittedTable
from overparam.streams import Streams

NETWORK, EXACT, INVARIANT, NEIGHBORS = (
    "network",
    "exact table",
    "invariant table",
    "projected neighbors",
)
ANSWERERS = (NETWORK, EXACT, INVARIANT, NEIGHBORS)
CONTRAST, BRIGHTNESS = (0.5, 1.5), (-0.5, 0.5)  # of images in other light; in standard deviations


@lru_cache(maxsize=2)
def load_standardised(dataset: str) -> tuple[Dataset, Dataset]:
    """Return training and test set, as one pair of numbers standardises them."""
    return standardise(*load(dataset))


def fit_table(
    answerer: str, train_set: Dataset, n_cells: int, n_directions: int, streams: Streams
) -> FittedTable | FittedNeighbors:
    """Return one of the tables with the rows of a training set."""
    inputs, labels, k = train_set.inputs, train_set.labels, train_set.n_classes
    if answerer == NEIGHBORS:
        return ProjectedNeighbors(n_directions).fit(inputs, labels, streams, k)
    if answerer == INVARIANT:
        return FingerprintTable(AverageHash(n_cells)).fit(inputs, labels, k)
    return FingerprintTable().fit(inputs, labels, k)


def distance_to_stored(table: FittedTable | FittedNeighbors, inputs: Tensor) -> np.ndarray:
    """Return how far each input lies from what is stored, `[n]`; empty where keys have no order."""
    if isinstance(table, FittedTable):
        return np.empty(0, np.float32)
    return table.nearest_distance(inputs).numpy().astype(np.float32)


def in_other_light(images: Tensor, streams: Streams) -> Tensor:
    """Return images with a contrast and a brightness of their own each, from stream ``light``."""
    generator = streams.torch("light")
    shape = (len(images), *[1] * (images.ndim - 1))
    drawn = [torch.rand(shape, generator=generator, dtype=images.dtype) for _ in range(2)]
    contrast, brightness = (
        low + (high - low) * u for (low, high), u in zip((CONTRAST, BRIGHTNESS), drawn, strict=True)
    )
    return contrast * images + brightness


def drawn_again(train_set: Dataset, n: int, streams: Streams) -> Dataset:
    """Return n of the rows themselves, drawn with replacement from stream ``asked``."""
    places = streams.numpy("asked").integers(len(train_set), size=n)
    return train_set.subset(torch.from_numpy(places), "[drawn again]")
