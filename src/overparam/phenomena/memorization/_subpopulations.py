"""A world of subpopulations: images that are noisy copies of a prototype, some rare, some frequent.

Of this world everything is known that of real data is not: which rows are relatives, how frequent
each kind of them is, and that training and test rows were drawn alike and share none.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from overparam.data import Dataset, draw_subset, load
from overparam.data.dataset import make_dataset
from overparam.streams import Streams
from overparam.theory import zipf_frequencies

PATTERNS = "patterns"
PROTOTYPES = (PATTERNS, "fashion_mnist_small", "digits")
N_CLASSES = 10
LIKENESS = 0.7  # correlation of two rows of one subpopulation


@dataclass(frozen=True, eq=False)
class World:
    """Rows of one seed; subpopulations are numbered 0 .. N - 1.

    Attributes:
        train_set, test_set: inputs `[n, side, side]`. The test set has equally many rows of every
            subpopulation, however frequent, so that of the rare ones something is known.
        train_of, test_of: `[n]`, `[m]`, the subpopulation of each row.
        frequencies: `[N]`, share of all rows to come that are of each subpopulation.
    """

    train_set: Dataset
    test_set: Dataset
    train_of: np.ndarray
    test_of: np.ndarray
    frequencies: np.ndarray

    @property
    def n_alike(self) -> np.ndarray:
        """How many training rows are of each row's subpopulation, itself among them, `[n]`."""
        return np.bincount(self.train_of, minlength=len(self.frequencies))[self.train_of]

    @property
    def mass_alone(self) -> float:
        """Share of all rows to come that are of subpopulations with a single training row."""
        return float(self.frequencies[self.train_of[self.n_alike == 1]].sum())

    def errors(self, test_correct: np.ndarray) -> np.ndarray:
        """Return what rows of each subpopulation add to the test error, `[N]`; the sum is it.

        Args:
            test_correct: bool `[m]`.
        """
        n = len(self.frequencies)
        wrong = np.bincount(self.test_of, weights=~test_correct, minlength=n)
        return self.frequencies * wrong / np.bincount(self.test_of, minlength=n)


@lru_cache(maxsize=4)  # one copy for both arms of a seed
def draw_world(
    prototypes: str,
    n_subpopulations: int,
    n_train: int,
    n_test_each: int,
    side: int,
    has_tail: bool,
    streams: Streams,
) -> World:
    """Draw prototypes, and rows of them: sqrt(r) prototype + sqrt(1 - r) noise.

    With a tail frequencies fall as 1 / rank, and rows are drawn independently. Without one all are
    equal, and rows are dealt: drawn independently, some subpopulations would be seen only once,
    which makes a tail of rows where there is none of frequencies. Prototypes, their labels and
    test rows are the same in both.

    Args:
        prototypes: `PATTERNS` for independent Gaussian pixels whose labels are drawn at random, or
            a data set, whose images are scaled to side x side pixels and keep their labels.
    """
    images, labels = draw_prototypes(prototypes, n_subpopulations, side, streams)
    if has_tail:
        ranks = streams.numpy("ranks").permutation(n_subpopulations)
        frequencies = zipf_frequencies(n_subpopulations)[ranks]
        train_of = streams.numpy("rows").choice(n_subpopulations, n_train, p=frequencies)
    else:
        frequencies = np.full(n_subpopulations, 1 / n_subpopulations)
        train_of = streams.numpy("rows").permutation(np.arange(n_train) % n_subpopulations)
    test_of = np.repeat(np.arange(n_subpopulations), n_test_each)
    parts = [
        make_dataset(
            _copies(images, of, streams.child(part)),
            labels[of],
            N_CLASSES,
            name=f"subpopulations({prototypes}, {'long' if has_tail else 'no'} tail)/{part}",
            source="generated",
            licence="that of the prototypes",
        )
        for part, of in (("train", train_of), ("test", test_of))
    ]
    return World(parts[0], parts[1], train_of, test_of, frequencies)


def draw_prototypes(prototypes: str, n: int, side: int, streams: Streams) -> tuple[Tensor, Tensor]:
    """Return n images `[n, side, side]` of mean square 1 over pixels, and their labels."""
    if prototypes == PATTERNS:
        images = torch.randn(n, side, side, generator=streams.torch("prototypes"))
        labels = torch.from_numpy(streams.numpy("labels").integers(0, N_CLASSES, n))
    else:
        everything, _ = load(prototypes)
        drawn = draw_subset(everything, n, streams, "prototypes")
        mean = everything.inputs.mean(0)
        images = adaptive_avg_pool2d(drawn.inputs - mean, side)[:, 0]
        labels = drawn.labels
    return images / images.square().mean((1, 2), keepdim=True).sqrt(), labels


def _copies(images: Tensor, of: np.ndarray, streams: Streams) -> Tensor:
    noise = torch.randn(len(of), *images.shape[1:], generator=streams.torch("noise"))
    return LIKENESS**0.5 * images[torch.from_numpy(of)] + (1 - LIKENESS) ** 0.5 * noise
