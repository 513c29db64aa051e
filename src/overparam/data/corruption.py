"""Corruptions of labels and inputs with exact definitions.

Two kinds of label noise go by one name in the literature and differ in what a rate p means:

| function | with probability p a label is replaced by | changed in expectation | source |
|---|---|---|---|
| `corrupt_labels_uniform` | any class, its own included | p (1 - 1/K) | Zhang et al. 2017 |
| `corrupt_labels_wrong` | one of the other K - 1 classes | p | Nakkiran et al. 2019 |

Draws belong to the rows of the shared inputs and not to positions in a view: a row keeps its draw
in every subset, and raising the rate only adds corrupted rows (common random numbers). Draws of
inputs also depend on the data as they were first given (`Dataset.origin`), whatever their name: no
two sets share them, and neither do the two parts of a split.

Sources: Zhang, Bengio, Hardt, Recht, Vinyals 2017, "Understanding deep learning requires
rethinking generalization", arXiv:1611.03530, section 2.1; Nakkiran, Kaplun, Bansal, Yang, Barak,
Sutskever 2019, "Deep double descent", arXiv:1912.02292, section on label noise.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from overparam.checks import check_range
from overparam.data.dataset import Dataset
from overparam.errors import DataError
from overparam.streams import Streams, check_streams

ROWS_AT_ONCE = 1024  # bounds the memory of per-image draws, and what few rows cost


def corrupt_labels_uniform(
    dataset: Dataset, rate: float, streams: Streams, stream: str = "noise"
) -> Dataset:
    """Redraw each label with probability `rate` from all K classes, its own included.

    The changed fraction is rate (1 - 1/K) in expectation: 0.9 rate for ten classes.

    Args:
        dataset: labelled data. rate: p in [0, 1].
        streams: the seed's streams. stream: name of the one that is used.

    Returns:
        A view of the same inputs.

    Raises:
        DataError: floating targets. UsageError: rate outside [0, 1].

    Source: Zhang et al. 2017, "partially corrupted labels".

    >>> from overparam.data.dataset import make_dataset
    >>> data = make_dataset(torch.zeros(1000, 1), torch.arange(1000) % 10)
    >>> changed = is_corrupted(data, corrupt_labels_uniform(data, 0.5, Streams(0)))
    >>> abs(changed.float().mean().item() - 0.45) < 4 * (0.45 * 0.55 / 1000) ** 0.5
    True
    """
    hit, generator, n_classes = _hits(dataset, rate, streams, stream)
    redrawn = generator.integers(0, n_classes, len(dataset.base))
    rows = dataset.rows.numpy()
    labels = torch.where(hit, torch.from_numpy(redrawn[rows]), dataset.labels)
    return dataset.with_labels(labels, f"+uniform noise {rate:g}")


def corrupt_labels_wrong(
    dataset: Dataset, rate: float, streams: Streams, stream: str = "noise"
) -> Dataset:
    """Replace each label with probability `rate` by one of the other K - 1 classes, equally likely.

    The changed fraction is `rate` in expectation.

    Args:
        dataset: labelled data with at least two classes. rate: p in [0, 1].
        streams: the seed's streams. stream: name of the one that is used.

    Returns:
        A view of the same inputs.

    Raises:
        DataError: floating targets or one class. UsageError: rate outside [0, 1].

    Source: Nakkiran et al. 2019, "label noise".

    >>> from overparam.data.dataset import make_dataset
    >>> data = make_dataset(torch.zeros(4, 1), [0, 1, 1, 0])
    >>> corrupt_labels_wrong(data, 1.0, Streams(0)).labels
    tensor([1, 0, 0, 1])
    """
    hit, generator, n_classes = _hits(dataset, rate, streams, stream)
    if n_classes < 2:
        raise DataError(f"{dataset.name!r} has no wrong class to draw", got=f"{n_classes} class")
    shift = generator.integers(1, n_classes, len(dataset.base))
    moved = (dataset.labels + torch.from_numpy(shift[dataset.rows.numpy()])) % n_classes
    return dataset.with_labels(torch.where(hit, moved, dataset.labels), f"+wrong labels {rate:g}")


def random_labels(dataset: Dataset, streams: Streams, stream: str = "noise") -> Dataset:
    """Redraw every label from all K classes: `corrupt_labels_uniform` at rate 1, same draws.

    Raises:
        DataError: floating targets.
    """
    redrawn = corrupt_labels_uniform(dataset, 1.0, streams, stream)
    return dataset.with_labels(redrawn.labels, "+random labels")


def is_corrupted(clean: Dataset, corrupted: Dataset) -> Tensor:
    """Return bool `[n]`: which rows of `corrupted` have another label than in `clean`.

    A label redrawn as its own class is not corrupted.

    Raises:
        DataError: the two do not hold the same number of labels.
    """
    if clean.labels.shape != corrupted.labels.shape:
        raise DataError(
            "the two data sets do not hold the same rows",
            got=f"labels {list(clean.labels.shape)} and {list(corrupted.labels.shape)}",
        )
    different = clean.labels != corrupted.labels
    return different if different.ndim == 1 else different.any(1)


def shuffle_pixels(dataset: Dataset, streams: Streams, stream: str = "noise") -> Dataset:
    """Permute the pixels of all images by one permutation, which depends on seed and size alone.

    So a training and a test set shuffled with the same stream are permuted alike. In images
    `[channels, height, width]` a pixel moves with all its channels; any other input is permuted
    entry by entry.

    Source: Zhang et al. 2017, "shuffled pixels".
    """
    inputs = _as_pixels(dataset)
    order = check_streams(streams).numpy(stream).permutation(inputs.shape[2])
    shuffled = inputs[:, :, torch.from_numpy(order)].reshape(-1, *dataset.input_shape)
    return dataset.with_inputs(shuffled, "+shuffled pixels")


def random_pixels(dataset: Dataset, streams: Streams, stream: str = "noise") -> Dataset:
    """Permute the pixels of every image by a permutation of its own.

    An image's permutation depends on seed, stream, the data as first given and its row there, so
    a training and a test set get different ones, and an image the same one in every view.
    Channels move together, as in `shuffle_pixels`.

    Source: Zhang et al. 2017, "random pixels".
    """
    inputs = _as_pixels(dataset)
    n_pixels = inputs.shape[2]
    scattered = torch.empty_like(inputs)
    for generator, n, mine, places in _draws_of_rows(dataset, streams, stream):
        order = generator.permuted(np.broadcast_to(np.arange(n_pixels), (n, n_pixels)), axis=1)
        part = inputs[places]
        index = torch.from_numpy(order[mine])[:, None, :].expand_as(part)
        scattered[places] = part.gather(2, index)
    return dataset.with_inputs(scattered.reshape(-1, *dataset.input_shape), "+random pixels")


def gaussian_inputs(
    dataset: Dataset, streams: Streams, stream: str = "noise", like: Dataset | None = None
) -> Dataset:
    """Replace every input by independent Gaussian entries of matching mean and variance.

    Mean and variance are two numbers, over all entries of all inputs of `like` (by default the
    set itself; give the training set when a test set is to match it). Draws are a row's own, as in
    `random_pixels`.

    Source: Zhang et al. 2017, "Gaussian".
    """
    reference = (like if like is not None else dataset).inputs.double()
    mean, std = float(reference.mean()), float(reference.std(correction=0))
    dtype = dataset.base.dtype if dataset.base.is_floating_point() else torch.float32
    inputs = torch.empty((len(dataset), *dataset.input_shape), dtype=dtype)
    for generator, n, mine, places in _draws_of_rows(dataset, streams, stream):
        draws = generator.standard_normal((n, *dataset.input_shape), np.float32)
        inputs[places] = torch.from_numpy(draws[mine]).to(dtype).mul_(std).add_(mean)
    return dataset.with_inputs(inputs, "+gaussian inputs")


def _hits(
    dataset: Dataset, rate: float, streams: Streams, stream: str
) -> tuple[Tensor, np.random.Generator, int]:
    """Return which rows are hit, a generator for what replaces their labels, and K."""
    check_range("label_noise_rate", rate, 0, 1)
    if dataset.n_classes is None:
        raise DataError(
            f"{dataset.name!r} has floating targets, which have no classes to draw from",
            allowed="labels int64 [n]",
        )
    # Two streams, so that the hits do not depend on how the replacements are drawn, and both
    # over the whole base, so that a row has its draws in every view.
    uniform = check_streams(streams).numpy(stream).random(len(dataset.base))
    hit = torch.from_numpy(uniform[dataset.rows.numpy()] < rate)
    return hit, streams.child(stream).numpy("replacement"), dataset.n_classes


def _draws_of_rows(
    dataset: Dataset, streams: Streams, stream: str
) -> Iterator[tuple[np.random.Generator, int, np.ndarray, Tensor]]:
    """Yield, for blocks of rows of the shared inputs, what is needed to draw for each row.

    A block has a generator of its own, so blocks that no row of the view lies in cost nothing.

    Yields:
        The block's generator, its number of rows n, which of its rows are wanted (int64 `[m]`,
        0 to n - 1), and their positions in the view (int64 `[m]`).
    """
    own = check_streams(streams).child(stream).child(dataset.origin)
    rows = dataset.rows.numpy()
    for block in np.unique(rows // ROWS_AT_ONCE).tolist():
        first = block * ROWS_AT_ONCE
        places = np.flatnonzero(rows // ROWS_AT_ONCE == block)
        n = min(ROWS_AT_ONCE, len(dataset.base) - first)
        yield own.numpy(f"rows {first}"), n, rows[places] - first, torch.from_numpy(places)


def _as_pixels(dataset: Dataset) -> Tensor:
    """Return inputs as `[n, channels, pixels]`; inputs that are not images have one channel."""
    inputs = dataset.inputs
    channels = inputs.shape[1] if inputs.ndim == 4 else 1
    return inputs.reshape(len(inputs), channels, -1)
