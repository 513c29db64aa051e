"""Batches of a stack: each model's own order, or one batch for all where they agree.

The inputs lie on the device once, as one tensor, floats in the dtype of the products and whole
numbers as they are; models hold indices. Models of one seed draw the same rows in the same order
(common random numbers), and then a batch is gathered once for all of them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from overparam.data.dataset import Dataset
from overparam.data.finite import all_finite, check_finite
from overparam.streams import Streams
from overparam.training.copies import precision_of

_EVALUATION_FLOATS = 1 << 24  # activations passed at a time in evaluation, in numbers
_LEAST_ROWS = 64  # rows at a time below which measuring is all overhead
_GATHERED = 1 << 18  # numbers gathered at once, about half a megabyte in bfloat16


@dataclass(frozen=True)
class Batch:
    """One batch for M models.

    Attributes:
        inputs: `[B, *shape]` where shared, else `[M, B, *shape]`.
        labels: `[B, ...]` where all models agree in them, else `[M, B, ...]`.
        shared: whether all models see these inputs. labels_shared: the same for the labels.
    """

    inputs: Tensor
    labels: Tensor
    shared: bool
    labels_shared: bool

    def rows(self, start: int, end: int) -> Batch:
        """Return the rows from `start` to `end` of every model's batch."""
        inputs = self.inputs[start:end] if self.shared else self.inputs[:, start:end]
        labels = self.labels[start:end] if self.labels_shared else self.labels[:, start:end]
        return Batch(inputs, labels, self.shared, self.labels_shared)


def on_device(
    sets: Sequence[Dataset], dtype: torch.dtype, device: torch.device
) -> tuple[list[Tensor], list[Tensor]]:
    """Return of each set the inputs, moved and where they are floats converted, and its rows.

    Sets of one base share what is made of it; where it must be converted, only the rows that they
    hold are. It is made for each stack anew: a base may have been changed in place since, unseen
    where NumPy shares its memory, and beside one pass over the rows it costs little.
    """
    bases, rows = [s.base for s in sets], [s.rows for s in sets]
    for base in {id(s.base): s.base for s in sets}.values():
        wanted = precision_of(base.dtype, dtype)
        if base.dtype == wanted and base.device == device:
            continue
        held = {id(s.rows): s.rows for s in sets if s.base is base}
        used, places = torch.unique(torch.cat(list(held.values())), return_inverse=True)
        made = (base if len(used) == len(base) else base[used]).to(device, wanted)
        place_of = dict(zip(held, places.split([len(r) for r in held.values()]), strict=True))
        for i, s in enumerate(sets):
            if s.base is base:
                bases[i], rows[i] = made, place_of[id(s.rows)]
    return bases, rows


class Rows:
    """The rows of one data set per model, and their labels, ready for gathering.

    Args:
        sets: one per model, all of one length n.

    Raises:
        DataError: inputs, rows or labels were changed since the set was made, and are not what they
            were checked to be. Compiled code relies on rows and labels.
    """

    def __init__(self, sets: Sequence[Dataset], dtype: torch.dtype, device: torch.device) -> None:
        _check(sets)
        first = sets[0]
        self.n, self.n_models = len(first), len(sets)
        self.shared = all(_same_inputs(first, s) for s in sets)
        self._bases, rows = on_device(sets, dtype, device)
        if device.type == "cuda":
            self._bases, rows = _in_one(self._bases, rows)
        self._one_base = all(b is self._bases[0] for b in self._bases)
        self._rows = torch.stack(rows[:1] if self.shared else rows).to(device)  # [1 or M, n]
        self._same_labels = self.shared and all(
            s.labels is first.labels or torch.equal(s.labels, first.labels) for s in sets
        )
        labels = torch.stack([first.labels] if self._same_labels else [s.labels for s in sets])
        if labels.is_floating_point():
            labels = labels.to(torch.promote_types(dtype, torch.float32))
        self._labels = labels.to(device)  # [1 or M, n, ...]

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones."""
        self.n_models = len(models)
        self._bases = [self._bases[m] for m in models.tolist()]
        if not self.shared:
            self._rows = self._rows[models]
        if not self._same_labels:
            self._labels = self._labels[models]

    def batch(self, positions: Tensor) -> Batch:
        """Return the rows at `positions`: `[B]` (for all models alike) or `[M, B]`."""
        alike = positions.ndim == 1
        if self.shared and alike:
            inputs = self._bases[0].index_select(0, self._rows[0][positions])
        else:
            index = _pick(self._rows, positions, self.n_models)
            if self._one_base:
                inputs = self._bases[0].index_select(0, index.flatten())
                inputs = inputs.view(*index.shape, *inputs.shape[1:])
            else:
                inputs = torch.stack([b[i] for b, i in zip(self._bases, index, strict=True)])
        labels_shared = self._same_labels and alike
        if labels_shared:
            labels = self._labels[0].index_select(0, positions)
        else:
            labels = _pick(self._labels, positions, self.n_models)
        return Batch(inputs, labels, self.shared and alike, labels_shared)

    def batches(self, order: Tensor, size: int) -> Iterator[Batch]:
        """Yield the batches of one pass in `order`: `[n]` (for all models alike) or `[M, n]`.

        Rows of many batches are gathered at once where they are few enough to stay in the
        cache: for small models two gatherings per update cost a fifth of the update.
        """
        models = 1 if self.shared and order.ndim == 1 else self.n_models
        per_row = models * math.prod(self._bases[0].shape[1:])
        some = max(1, _GATHERED // (per_row * size)) * size
        for first in range(0, self.n, some):
            gathered = self.batch(order[..., first : first + some])
            for start in range(0, min(some, self.n - first), size):
                yield gathered.rows(start, start + size)


class OwnRows:
    """The rows of one data set per model, of any lengths, for models that are trained each by
    itself.

    Attributes:
        n: number of rows of each model.

    Raises:
        DataError: as `Rows`.
    """

    def __init__(self, sets: Sequence[Dataset], dtype: torch.dtype, device: torch.device) -> None:
        _check(sets)
        self.n = [len(s) for s in sets]
        bases, self._rows = on_device(sets, dtype, device)
        whole = {id(b): b.contiguous() for b in bases}
        self._bases = [whole[id(b)] for b in bases]
        kind = torch.promote_types(dtype, torch.float32)
        given = {id(s.labels): s.labels for s in sets}
        moved = {k: y.to(device, precision_of(y.dtype, kind)) for k, y in given.items()}
        self._labels = [moved[id(s.labels)] for s in sets]

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones."""
        for name in ("n", "_bases", "_rows", "_labels"):
            of_each = getattr(self, name)
            setattr(self, name, [of_each[m] for m in models.tolist()])

    def visit(self, positions: Sequence[Tensor]) -> Callable[[int], tuple[Tensor, Tensor, Tensor]]:
        """Return what tells of a model all inputs there are, and which rows of them to visit.

        Args:
            positions: of each model `[V]`; what models have in common is one object.

        Returns:
            Function of the model to inputs `[N, *shape]`, rows of them int64 `[V]`, and labels
            `[V, ...]`, each contiguous.
        """
        parts = list(zip(self._bases, self._rows, self._labels, positions, strict=True))
        keys = [tuple(map(id, part)) for part in parts]

        def gather(m: int) -> tuple[Tensor, Tensor, Tensor]:
            base, rows, labels, own = parts[m]
            return base, rows[own], labels[own]

        first = {key: m for m, key in reversed(list(enumerate(keys)))}
        shared = {key: gather(first[key]) for key, n in Counter(keys).items() if n > 1}
        return lambda m: shared[keys[m]] if keys[m] in shared else gather(m)


class Orders:
    """The order of rows of each model, one permutation per epoch from the stream ``order``."""

    def __init__(
        self, streams: Sequence[Streams], sizes: Sequence[int], device: torch.device
    ) -> None:
        self._device = device
        self._keys = [(s.entropy("order"), n) for s, n in zip(streams, sizes, strict=True)]
        distinct = dict(zip(self._keys, streams, strict=True))
        self._generators = {k: s.torch("order") for k, s in distinct.items()}

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones."""
        self._keys = [self._keys[m] for m in models.tolist()]
        self._generators = {k: self._generators[k] for k in dict.fromkeys(self._keys)}

    def epoch(self) -> list[Tensor]:
        """Return the next permutation of each model, `[n]`; where they agree, it is one object."""
        drawn = {
            key: torch.randperm(key[1], generator=generator).to(self._device)
            for key, generator in self._generators.items()
        }
        return [drawn[k] for k in self._keys]


def rows_at_once(per_row: int) -> int:
    """Return how many rows are passed at a time while a model is measured or asked.

    Args:
        per_row: numbers that a forward pass makes for one row.
    """
    return max(_LEAST_ROWS, _EVALUATION_FLOATS // per_row)


def in_order(n: int, per_row: int, device: torch.device) -> Iterator[Tensor]:
    """Yield the positions 0..n-1 in chunks, for measuring.

    Args:
        per_row: numbers that a forward pass makes for one row.
    """
    chunk = rows_at_once(per_row)
    for start in range(0, n, chunk):
        yield torch.arange(start, min(n, start + chunk), device=device)


def _check(sets: Sequence[Dataset]) -> None:
    """Check sets once more, as they can be changed in place; rows that they do not hold may be."""
    for data in {id(s): s for s in sets}.values():
        data.check()
    for base in {id(s.base): s.base for s in sets}.values():
        if not all_finite(base):
            for data in sets:
                if data.base is base:
                    check_finite(base[data.rows], f"inputs of {data.name!r}")


def _in_one(bases: list[Tensor], rows: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Return one base that holds all of them, and the rows in it.

    A GPU then gathers the batches of all models in one kernel.
    """
    distinct = {id(base): base for base in bases}
    if len(distinct) == 1:
        return bases, rows
    sizes = [len(base) for base in distinct.values()]
    starts = dict(zip(distinct, np.cumsum([0, *sizes[:-1]]).tolist(), strict=True))
    whole = torch.cat(list(distinct.values()))
    moved = [r + starts[id(base)] for base, r in zip(bases, rows, strict=True)]
    return [whole] * len(bases), moved


def _same_inputs(a: Dataset, b: Dataset) -> bool:
    return a.base is b.base and (a.rows is b.rows or torch.equal(a.rows, b.rows))


def _pick(values: Tensor, positions: Tensor, n_models: int) -> Tensor:
    """Return `[M, B, ...]`: for each model its values at its positions."""
    if positions.ndim == 1:
        return values[:, positions].expand(n_models, *values[:, positions].shape[1:])
    if len(values) == 1:
        return values[0][positions]
    model = torch.arange(n_models, device=values.device)[:, None]
    return values[model, positions]
