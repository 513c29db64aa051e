"""Hash tables as models: what looking labels up amounts to, with nothing learned.

They are what a network that "only memorizes" would be: a table of exact keys, a table of keys that
ignore what an augmentation changes, and a table asked for the nearest of its keys. Their answers on
new rows are those against which a network's are held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overparam.checks import check_count
from overparam.errors import DataError
from overparam.models.fingerprints import Fingerprint, exact_fingerprint
from overparam.models.neighbors import checked_neighbors, neighbor_distances, shared_weights
from overparam.streams import Streams, check_streams


@dataclass(frozen=True)
class FingerprintTable:
    """A table from fingerprints to labels.

    Attributes:
        fingerprint: what of an input is the key, by default all of it (`fingerprints`).

    >>> table = FingerprintTable().fit(torch.tensor([[1.0], [1.0], [2.0]]), [0, 1, 1])
    >>> table.predict(torch.tensor([[1.0], [2.0], [3.0]])).round(decimals=2).tolist()
    [[0.5, 0.5], [0.0, 1.0], [0.33, 0.67]]
    """

    fingerprint: Fingerprint = exact_fingerprint

    def fit(self, inputs: Any, labels: Any, n_classes: int | None = None) -> FittedTable:
        """Store the labels `[n]` of inputs `[n, *shape]`.

        Args:
            inputs: any real numbers; they are keys as float64, so that 0 and -0 are one.
            labels: classes, whole numbers. n_classes: K; by default the largest label + 1.

        Raises:
            DataError: empty, mismatched, NaN or infinite; labels that are no classes; a
                fingerprint of another number of rows.

        Cost: one fingerprint and one look at a dictionary for each row.
        """
        x, y, k = _checked_task(inputs, labels, n_classes)
        place: dict[bytes, int] = {}
        entry = np.array([place.setdefault(key, len(place)) for key in _keys(self.fingerprint, x)])
        counts = np.zeros((len(place), k))
        np.add.at(counts, (entry, y), 1)
        shape = tuple(x.shape[1:])
        return FittedTable(self.fingerprint, shape, counts, place)


@dataclass(frozen=True, eq=False)
class FittedTable:
    """Labels by fingerprint.

    Attributes:
        fingerprint: of the inputs. input_shape: of one of them.
        counts: rows of each class under each key, float64 `[keys, K]`.
    """

    fingerprint: Fingerprint
    input_shape: tuple[int, ...]
    counts: np.ndarray
    place: dict[bytes, int] = field(repr=False)

    @property
    def n_keys(self) -> int:
        """Number of different fingerprints that are stored."""
        return len(self.counts)

    def contains(self, inputs: Any) -> Tensor:
        """Return bool `[n]`: which inputs have a key that is stored.

        Raises:
            DataError: inputs of another shape, NaN or infinite.
        """
        return torch.from_numpy(self._entries(inputs) >= 0)

    def predict(self, inputs: Any) -> Tensor:
        """Return how the labels under each input's key are shared out, float64 `[n, K]`.

        Of a key that is not stored nothing is known, and the shares are those of all rows.

        Raises:
            DataError: inputs of another shape, NaN or infinite.
        """
        entries = self._entries(inputs)
        unknown = self.counts.sum(0) / self.counts.sum()
        known = self.counts / self.counts.sum(1, keepdims=True)
        return torch.from_numpy(np.where((entries >= 0)[:, None], known[entries], unknown))

    def _entries(self, inputs: Any) -> np.ndarray:
        keys = _keys(self.fingerprint, _checked_rows(inputs, self.input_shape))
        return np.array([self.place.get(key, -1) for key in keys])


@dataclass(frozen=True)
class ProjectedNeighbors:
    """Nearest neighbours in a random projection: a table that is asked for its nearest keys.

    Inputs, less their mean over the training rows, are projected on p directions with entries
    N(0, 1/p). |Px - Px'|² is |x - x'|² in expectation, with relative variance 2/p (Johnson and
    Lindenstrauss 1984). With `signs`, of each projection only the sign is kept, and distance is the
    number of bits that differ: each does so with probability angle / pi (Charikar 2002), which is
    locality-sensitive hashing.

    Attributes:
        n_directions: p >= 1. n_neighbors: k >= 1, that vote with their labels.
        signs: keep bits instead of numbers.

    >>> points = torch.tensor([[0.0], [1.0], [5.0]])
    >>> table = ProjectedNeighbors(n_directions=4).fit(points, [0, 1, 1], Streams(0))
    >>> table.predict(torch.tensor([[0.2], [4.0]])).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """

    n_directions: int = 64
    n_neighbors: int = 1
    signs: bool = False

    def fit(
        self, inputs: Any, labels: Any, streams: Streams, n_classes: int | None = None
    ) -> FittedNeighbors:
        """Store the projections and labels `[n]` of inputs `[n, *shape]`.

        Args:
            labels: classes, whole numbers. streams: directions come from the stream
                ``directions``, nested: those of fewer are the first of more, but for the factor.
            n_classes: K; by default the largest label + 1.

        Raises:
            DataError: empty, mismatched, NaN or infinite; labels that are no classes; fewer rows
                than neighbours. UsageError: a number that is not whole, or below 1.

        Cost: 2 n p d operations.
        """
        x, y, k = _checked_task(inputs, labels, n_classes)
        p = check_count("n_directions", self.n_directions)
        checked_neighbors(self.n_neighbors, len(x))
        d = x[0].numel()
        directions = check_streams(streams).numpy("directions").standard_normal((p, d)) / p**0.5
        mean = x.flatten(1).mean(0)
        codes = _projected(x, mean, directions, self.signs)
        return FittedNeighbors(self, tuple(x.shape[1:]), mean, directions, codes, np.eye(k)[y])


@dataclass(frozen=True, eq=False)
class FittedNeighbors:
    """Stored projections.

    Attributes:
        model: how they were made. input_shape: of one input.
        mean: of the training inputs, `[d]`. directions: `[p, d]`.
        codes: of the training rows, `[n, p]`. votes: their labels, one-hot `[n, K]`.
    """

    model: ProjectedNeighbors
    input_shape: tuple[int, ...]
    mean: Tensor
    directions: np.ndarray
    codes: np.ndarray
    votes: np.ndarray

    def project(self, inputs: Any) -> np.ndarray:
        """Return projections float64 `[n, p]`, or their bits as 0 and 1.

        Raises:
            DataError: inputs of another shape, NaN or infinite.
        """
        x = _checked_rows(inputs, self.input_shape)
        return _projected(x, self.mean, self.directions, self.model.signs)

    def predict(self, inputs: Any) -> Tensor:
        """Return how the votes of the k nearest stored rows are shared out, float64 `[n, K]`.

        Rows at exactly the k-th distance share their votes, so that no order among them counts.

        Raises:
            DataError: inputs of another shape, NaN or infinite.

        Cost: n times the training rows times p operations.
        """
        shares = [shared_weights(d, self.model.n_neighbors) @ self.votes for d in self._far(inputs)]
        return torch.from_numpy(np.concatenate(shares))

    def nearest_distance(self, inputs: Any) -> Tensor:
        """Return how far the nearest stored row lies, float64 `[n]`, in the projection.

        In units of the inputs, or with `signs` in bits.

        Raises:
            DataError: inputs of another shape, NaN or infinite.
        """
        return torch.from_numpy(np.concatenate([d.min(1) for d in self._far(inputs)]))

    def _far(self, inputs: Any) -> Iterator[np.ndarray]:
        metric = "cityblock" if self.model.signs else "euclidean"
        return (d for _, d in neighbor_distances(self.project(inputs), self.codes, metric))


def _projected(x: Tensor, mean: Tensor, directions: np.ndarray, signs: bool) -> np.ndarray:
    projected = (x.flatten(1) - mean).numpy() @ directions.T
    return (projected > 0).astype(np.float64) if signs else projected


def _keys(fingerprint: Fingerprint, x: Tensor) -> list[bytes]:
    codes = fingerprint(x)
    if codes.ndim != 2 or len(codes) != len(x):
        raise DataError(
            "a fingerprint is one code for each input",
            got=list(codes.shape),
            allowed=f"[{len(x)}, m]",
        )
    # 0.0 and -0.0 are equal and have different bytes.
    return [row.tobytes() for row in codes.numpy() + 0]


def _checked_task(
    inputs: Any, labels: Any, n_classes: int | None
) -> tuple[Tensor, np.ndarray, int]:
    x, y = _checked_rows(inputs), torch.as_tensor(labels)
    if y.ndim != 1 or y.is_floating_point() or len(y) != len(x) or int(y.min()) < 0:
        raise DataError(
            "labels must be one class for each input",
            got=f"{y.dtype} {list(y.shape)} for {len(x)} inputs",
            allowed=f"whole numbers >= 0, [{len(x)}]",
        )
    largest = int(y.max())
    k = largest + 1 if n_classes is None else check_count("n_classes", n_classes)
    if largest >= k:
        raise DataError("labels lie outside the classes", got=largest, allowed=f"0..{k - 1}")
    return x, y.numpy(), k


def _checked_rows(inputs: Any, shape: tuple[int, ...] | None = None) -> Tensor:
    x = torch.as_tensor(inputs, dtype=torch.float64)
    if x.ndim < 2 or x.numel() == 0 or (shape is not None and tuple(x.shape[1:]) != shape):
        raise DataError(
            "inputs do not fit",
            got=list(x.shape),
            allowed="[n, *shape], not empty" if shape is None else f"[n, *{list(shape)}]",
        )
    if not bool(torch.isfinite(x).all()):
        raise DataError("inputs hold NaN or infinity", remedy="drop or impute these rows")
    return x
