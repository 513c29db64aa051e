"""Data: embedded sets, generators, loaders of full sets, corruption, subsets, preprocessing.

`catalogue`, `where` and `fetch` need no torch; what is below is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from overparam.data.corruption import (
        corrupt_labels_uniform,
        corrupt_labels_wrong,
        gaussian_inputs,
        is_corrupted,
        random_labels,
        random_pixels,
        shuffle_pixels,
    )
    from overparam.data.dataset import Dataset, make_dataset
    from overparam.data.embedded_sets import load_embedded
    from overparam.data.entries import catalogue
    from overparam.data.entry import Entry
    from overparam.data.examples import Examples, as_examples
    from overparam.data.fetching import fetch
    from overparam.data.generate import GaussianLinear, make_gaussian_linear, make_mnist1d
    from overparam.data.loaders import load, load_cifar10, load_fashion_mnist, load_mnist
    from overparam.data.places import Place, where
    from overparam.data.preprocess import crop_centre, standardise, whiten_images
    from overparam.data.probe_images import (
        ProbeImages,
        draw_clothes,
        draw_digits,
        draw_patterns,
        make_probe_images,
        resize_images,
    )
    from overparam.data.split import draw_split, draw_subset
    from overparam.data.subsets import draw_subsets, models_until_balanced

_HOMES = {
    "corruption": (
        "corrupt_labels_uniform",
        "corrupt_labels_wrong",
        "gaussian_inputs",
        "is_corrupted",
        "random_labels",
        "random_pixels",
        "shuffle_pixels",
    ),
    "dataset": ("Dataset", "make_dataset"),
    "embedded_sets": ("load_embedded",),
    "entries": ("Entry", "catalogue"),
    "examples": ("Examples", "as_examples"),
    "fetching": ("fetch",),
    "generate": ("GaussianLinear", "make_gaussian_linear", "make_mnist1d"),
    "loaders": ("load", "load_cifar10", "load_fashion_mnist", "load_mnist"),
    "places": ("Place", "where"),
    "preprocess": ("crop_centre", "standardise", "whiten_images"),
    "probe_images": (
        "ProbeImages",
        "draw_clothes",
        "draw_digits",
        "draw_patterns",
        "make_probe_images",
        "resize_images",
    ),
    "split": ("draw_split", "draw_subset"),
    "subsets": ("draw_subsets", "models_until_balanced"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Dataset",
    "Entry",
    "Examples",
    "GaussianLinear",
    "Place",
    "ProbeImages",
    "as_examples",
    "catalogue",
    "corrupt_labels_uniform",
    "corrupt_labels_wrong",
    "crop_centre",
    "draw_clothes",
    "draw_digits",
    "draw_patterns",
    "draw_split",
    "draw_subset",
    "draw_subsets",
    "fetch",
    "gaussian_inputs",
    "is_corrupted",
    "load",
    "load_cifar10",
    "load_embedded",
    "load_fashion_mnist",
    "load_mnist",
    "make_dataset",
    "make_gaussian_linear",
    "make_mnist1d",
    "make_probe_images",
    "models_until_balanced",
    "random_labels",
    "random_pixels",
    "resize_images",
    "shuffle_pixels",
    "standardise",
    "where",
    "whiten_images",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
