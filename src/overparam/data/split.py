"""Random subsets and splits, nested within a seed."""

from __future__ import annotations

import numpy as np
import torch

from overparam.checks import check_count
from overparam.data.dataset import Dataset
from overparam.errors import DataError
from overparam.streams import Streams, check_streams


def draw_subset(
    dataset: Dataset, n: int, streams: Streams, stream: str = "data", *, balanced: bool = False
) -> Dataset:
    """Return a random subset of n rows without replacement, as a view.

    It is the first n of one permutation, so the subsets of a seed are nested: those of
    n = 100 are the first of those of n = 200.

    Args:
        dataset: data to draw from. n: rows, 1 to all.
        streams: the seed's streams. stream: name of the one that is used.
        balanced: let the numbers of any two classes differ by at most one.

    Raises:
        UsageError: n out of range. DataError: balanced, and a class has too few rows or the
            targets are floating.

    >>> from overparam.data.dataset import make_dataset
    >>> data = make_dataset(torch.arange(6.0)[:, None], [0, 0, 0, 0, 1, 1])
    >>> draw_subset(data, 4, Streams(0), balanced=True).labels.bincount().tolist()
    [2, 2]
    """
    order = _order(dataset, n, streams, stream, balanced)
    return dataset.subset(torch.from_numpy(order[:n]), f"[{n} drawn]")


def draw_split(
    dataset: Dataset, n: int, streams: Streams, stream: str = "data", *, balanced: bool = False
) -> tuple[Dataset, Dataset]:
    """Return `draw_subset(...)` of n rows and a view of all other rows, for instance to tune on.

    Raises:
        UsageError: n is not 1 to all rows but one. DataError: as `draw_subset`.
    """
    check_count("n", n, 1, len(dataset) - 1)
    order = torch.from_numpy(_order(dataset, n, streams, stream, balanced))
    return (
        dataset.subset(order[:n], f"[{n} drawn]"),
        dataset.subset(order[n:], f"[all but {n} drawn]"),
    )


def _order(dataset: Dataset, n: int, streams: Streams, stream: str, balanced: bool) -> np.ndarray:
    check_count("n", n, 1, len(dataset))
    order = check_streams(streams).numpy(stream).permutation(len(dataset))
    if not balanced:
        return order
    if dataset.n_classes is None:
        raise DataError(f"{dataset.name!r} has floating targets, which cannot be balanced")
    labels = dataset.labels.numpy()[order]
    present = np.unique(labels)
    rank = np.empty(len(order), np.int64)  # how many of its class come before it
    for label in present:
        mine = labels == label
        rank[mine] = np.arange(mine.sum())
    order = order[np.argsort(rank, kind="stable")]
    counts = np.bincount(dataset.labels.numpy()[order[:n]], minlength=dataset.n_classes)[present]
    if counts.max() - counts.min() > 1:
        raise DataError(
            f"{dataset.name!r} has too few rows of a class for {n} balanced ones",
            got=f"{counts.min()} of one class, {counts.max()} of another",
            remedy="draw fewer, or set balanced=False",
        )
    return order
