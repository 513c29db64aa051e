"""Images and labels of which a part is random, as in Zhang et al. 2017 (arXiv:1611.03530)."""

from __future__ import annotations

from functools import lru_cache

from overparam.data import (
    Dataset,
    crop_centre,
    gaussian_inputs,
    load,
    random_pixels,
    shuffle_pixels,
    whiten_images,
)
from overparam.models.zhang2017 import CROP_SIZE
from overparam.streams import Streams

INPUTS = ("images", "shuffled pixels", "random pixels", "gaussian")
TRUE, RANDOM = "true labels", "random labels"


def setting_of(corruption_rate: float, inputs: str, regularizer: str) -> str:
    """Return what is randomised or regularized, in words.

    >>> setting_of(0.4, "images", "none"), setting_of(1.0, "images", "dropout")
    ('40% random labels', 'random labels, dropout')
    """
    if inputs != "images":
        return inputs
    some = f"{corruption_rate:.0%} random labels"
    labels = {0.0: TRUE, 1.0: RANDOM}.get(corruption_rate, some)
    return labels if regularizer == "none" else f"{labels}, {regularizer}"


@lru_cache(maxsize=2)
def load_whitened(dataset: str) -> tuple[Dataset, Dataset]:
    """Return both parts, cropped to 28 x 28 and whitened per image (cached: one copy for all)."""
    train_set, test_set = (whiten_images(crop_centre(part, CROP_SIZE)) for part in load(dataset))
    return train_set, test_set


def randomised(
    inputs: str, train_set: Dataset, test_set: Dataset, streams: Streams
) -> tuple[Dataset, Dataset]:
    """Return both sets with their inputs randomised, as one of `INPUTS` says."""
    if inputs == "shuffled pixels":
        return shuffle_pixels(train_set, streams), shuffle_pixels(test_set, streams)
    if inputs == "random pixels":
        return random_pixels(train_set, streams), random_pixels(test_set, streams)
    if inputs == "gaussian":
        return gaussian_inputs(train_set, streams), gaussian_inputs(
            test_set, streams, like=train_set
        )
    return train_set, test_set
