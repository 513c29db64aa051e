"""Networks as subset ensembles with their scores, beside a plain PyTorch loop over a few of them.

`networks`: 5,000 images pooled to 14 x 14, 196-64-10, 20 epochs. `mnist`: the published
demonstration, 784-512-256-10 on 60,000 images, learning rate 0.1, momentum 0.9, batch 128, 10
epochs, 70 % subsets; 2,000 models took "a few hours" on one GPU. Ours is timed from the call to the
scores, the start of the workers and what is written included; the plain loop trains a few of the
same subsets and asks them about all rows, at its best number of threads.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import overparam as op
from cells import Cell
from measuring import alternate, best_of, show, with_threads
from mnist_ensemble import images
from overparam.data import Dataset, draw_subsets, make_dataset
from overparam.machine import available_cores
from peers import plain_loop

RATIO, N_ROWS = 0.7, 5000
SMALL = op.Recipe(learning_rate=0.1, momentum=0.9, batch_size=64, epochs=20, precision="auto")
PUBLISHED = op.Recipe(learning_rate=0.1, momentum=0.9, batch_size=128, epochs=10, precision="auto")
_SAMPLED = {"ensemble_networks": 6, "ensemble_mnist": 2}  # models that the plain loop trains


def networks(n_models: int) -> None:
    """Time small networks, scores and intervals included."""
    _compare("ensemble_networks", op.models.mlp(196, 64, 10), pooled(images()[0]), SMALL, n_models)


def mnist(n_models: int) -> None:
    """Time the published demonstration."""
    make = op.models.mlp(784, [512, 256], 10)
    train_set, test_set = images()
    _compare("ensemble_mnist", make, train_set, PUBLISHED, n_models, evaluate=test_set)


def _compare(
    name: str, make: nn.Module, data: Dataset, recipe: op.Recipe, n_models: int, **options: Any
) -> None:
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = op.subset_ensemble(
            make, data, n_models=n_models, recipe=recipe, folder=folder, **options
        )
        trained = time.perf_counter() - start
        scores = made.memorization_scores()
        seconds = time.perf_counter() - start
        accuracy = float(np.nanmean(made.c_scores().estimate))
    each, plain = _plain(make, data, recipe, _SAMPLED[name])
    show(
        name,
        f"{n_models} models on {len(data):,} rows of {data.name} with scores: "
        f"{seconds / 60:.1f} min, {seconds / n_models:.2f} s a model ({each['seconds']:.2f} s by "
        f"the plain loop, {each['seconds'] * n_models / seconds:.1f}x); accuracy out of sample "
        f"{accuracy:.3f}, plain {plain:.3f}",
        models=n_models, rows=len(data), data=data.name, seconds=seconds,
        seconds_of_training=trained, seconds_per_model=seconds / n_models, plain=each,
        ratio=each["seconds"] * n_models / seconds, accuracy=accuracy, plain_accuracy=plain,
        share_of_rows_above_05=float((np.abs(scores.estimate) > 0.05).mean()),
    )  # fmt: skip


def _plain(
    make: nn.Module, data: Dataset, recipe: op.Recipe, n_models: int
) -> tuple[Mapping[str, Any], float]:
    """Return seconds of a model by the plain loop, and its accuracy out of sample."""
    streams = op.Streams(0)
    masks = draw_subsets(n_models, len(data), RATIO, streams.child(f"ratio {RATIO!r}"))
    cells = [
        Cell(make, _part(data, m), _part(data, ~m), recipe, streams.child(f"member {k}"))
        for k, m in enumerate(masks)
    ]
    ways: dict[str, Callable[[], Any]] = {
        f"plain, {n} threads": with_threads(n, lambda: [plain_loop(c) for c in cells])
        for n in {1, available_cores()}
    }
    timed = alternate(ways, 1, warm_up=False)
    best, seconds = best_of(timed, "plain")
    accuracy = 1 - float(np.mean(timed[best].result, axis=0)[1])
    return {"seconds": seconds / n_models, "way": best, "models": n_models}, accuracy


def _part(data: Dataset, mask: np.ndarray) -> Dataset:
    return data.subset(torch.from_numpy(np.flatnonzero(mask)))


def pooled(data: Dataset) -> Dataset:
    """Return the first rows at 14 x 14."""
    some = data.head(N_ROWS)
    small = F.avg_pool2d(some.inputs.reshape(-1, 1, 28, 28), 2).flatten(1)
    return make_dataset(small.to(torch.float32), some.labels, name=f"{some.name}, 14 x 14")
