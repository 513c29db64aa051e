"""Fingerprints: what of an input a hash table looks at. Inputs of equal fingerprint are one key.

A fingerprint maps inputs `[n, *shape]` to codes `[n, m]`; two codes are equal where all their
entries are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from overparam.checks import check_count
from overparam.errors import DataError, UsageError

Fingerprint = Callable[[Tensor], Tensor]
Views = Callable[[Tensor], Tensor]  # inputs [n, *shape] -> all views of each, [n, v, *shape]

_TRIED = 8  # inputs whose views are held against the inputs themselves
_NEGLIGIBLE = 1e-6  # of an image's range, by which a cell may differ from the mean by rounding


def exact_fingerprint(inputs: Tensor) -> Tensor:
    """Return every entry: inputs are one key where they are equal.

    >>> exact_fingerprint(torch.tensor([[[1.0, 2.0]]])).tolist()
    [[1.0, 2.0]]
    """
    return inputs.reshape(len(inputs), -1)


@dataclass(frozen=True)
class AverageHash:
    """Which cells of a grid over an image are brighter than the image, 1 where they are.

    The same at any brightness and contrast: h(a x + b) = h(x) for a > 0, up to the rounding of
    a x + b; and nearly the same after blur, small noise and small shifts. A cell that exceeds the
    mean by less than a millionth of the image's range does not count as brighter.

    Attributes:
        n_cells: along each side, so that a code has n_cells² bits for every channel.

    Raises:
        UsageError: no whole number >= 1.

    Source: the "average hash" of image search; N. Krawetz, "Looks like it", 2011.

    >>> image = torch.tensor([[[[0.0, 1.0], [3.0, 4.0]]]])
    >>> AverageHash(2)(image).tolist(), AverageHash(2)(10 - image).tolist()
    ([[0.0, 0.0, 1.0, 1.0]], [[1.0, 1.0, 0.0, 0.0]])
    """

    n_cells: int = 8

    def __post_init__(self) -> None:
        check_count("n_cells", self.n_cells)

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return codes `[n, channels n_cells²]` of images `[n, channels, height, width]`.

        Raises:
            DataError: inputs that are no images, or smaller than the grid.
        """
        if inputs.ndim != 4 or min(inputs.shape[2:]) < self.n_cells:
            raise DataError(
                "an average hash is of images that are no smaller than its grid",
                got=list(inputs.shape),
                allowed=f"[n, channels, height, width], both sides >= {self.n_cells}",
                remedy="choose fewer cells, or another fingerprint",
            )
        images = inputs.to(torch.float64)
        cells = adaptive_avg_pool2d(images, self.n_cells)
        pixels = images.flatten(2)
        blur = _NEGLIGIBLE * (pixels.amax(2) - pixels.amin(2))
        brighter = cells.flatten(2) > (pixels.mean(2) + blur)[:, :, None]
        return brighter.flatten(1).to(torch.float64)


@dataclass(frozen=True)
class InvariantFingerprint:
    """The smallest fingerprint among all views of an input: the same for each of its views.

    Exactly invariant where views are closed: all views of a view are those of the input, as with
    mirroring and with cyclic shifts. That is held against the first inputs of every call.

    Attributes:
        views: maps inputs `[n, *shape]` to all views of each, `[n, v, *shape]`, itself among them.
        of: fingerprint of which the smallest (first in the order of words) is taken.

    Cost: v fingerprints for each input, and v² for the first eight.

    >>> either = InvariantFingerprint(mirrored)
    >>> images = torch.tensor([[[[1.0, 2.0]]], [[[2.0, 1.0]]]])
    >>> either(images).tolist()
    [[1.0, 2.0], [1.0, 2.0]]
    """

    views: Views
    of: Fingerprint = exact_fingerprint

    def __call__(self, inputs: Tensor) -> Tensor:
        """Return codes `[n, m]`.

        Raises:
            UsageError: views that are not closed, so that a view has another code than its input.
            DataError: views of another number of inputs.
        """
        smallest = self._smallest(inputs)
        tried = inputs[:_TRIED]
        for view in self._seen(tried).unbind(1):
            differs = (self._smallest(view) != smallest[: len(tried)]).any(1)
            if bool(differs.any()):
                raise UsageError(
                    "views are not closed: a view of an input has views that the input has not",
                    got=f"another code for a view of input {int(differs.nonzero()[0, 0])}",
                    allowed="views that form a group, such as cyclic shifts or mirror images",
                    remedy="pad and crop cannot be undone; shift round, or use AverageHash",
                )
        return smallest

    def _seen(self, inputs: Tensor) -> Tensor:
        seen = self.views(inputs)
        if seen.ndim != inputs.ndim + 1 or len(seen) != len(inputs) or not seen.shape[1]:
            raise DataError(
                "views do not fit the inputs",
                got=list(seen.shape),
                allowed=f"[{len(inputs)}, v, ...], v >= 1",
            )
        return seen

    def _smallest(self, inputs: Tensor) -> Tensor:
        seen = self._seen(inputs)
        codes = self.of(seen.flatten(0, 1)).reshape(len(inputs), seen.shape[1], -1)
        found = codes[:, 0]
        for other in codes.unbind(1)[1:]:
            found = torch.where(_comes_before(other, found)[:, None], other, found)
        return found


def mirrored(inputs: Tensor) -> Tensor:
    """Return each input and its mirror image along the last axis, `[n, 2, *shape]`.

    >>> mirrored(torch.tensor([[1, 2, 3]])).tolist()
    [[[1, 2, 3], [3, 2, 1]]]
    """
    return torch.stack((inputs, inputs.flip(-1)), dim=1)


def cyclic_shifts(inputs: Tensor) -> Tensor:
    """Return each input shifted along the last axis by 0, 1, ... entries, round and round.

    >>> cyclic_shifts(torch.tensor([[1, 2, 3]])).tolist()
    [[[1, 2, 3], [3, 1, 2], [2, 3, 1]]]
    """
    return torch.stack([inputs.roll(k, -1) for k in range(inputs.shape[-1])], dim=1)


def _comes_before(a: Tensor, b: Tensor) -> Tensor:
    """Return bool `[n]`: whether a's first entry that differs from b's is the smaller one."""
    x, y = a.numpy(), b.numpy()
    first = np.argmax(x != y, axis=1)[:, None]
    before = np.take_along_axis(x, first, 1) < np.take_along_axis(y, first, 1)
    return torch.from_numpy(before[:, 0])
