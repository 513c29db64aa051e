"""`Dataset`: inputs and labels with their origin; subsets and relabelled copies are views."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from overparam.data.arrays import as_tensor, check_plain
from overparam.data.finite import check_finite
from overparam.data.labels import read_labels
from overparam.data.merged_values import notes_on_whole_columns
from overparam.data.tables import check_rows, column_names
from overparam.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples of one task; views share `base`, so thousands of cells hold one copy of the inputs.

    Attributes:
        base: inputs `[N, *shape]`, floating or int64, shared among all views.
        rows: int64 `[n]`, which rows of `base` this view holds, in order.
        labels: int64 `[n]` with values in `[0, n_classes)`, or floating targets `[n, k]`.
        n_classes: number of classes K, or None for floating targets.
        name: what it is, with what was done to it, such as ``"fashion_mnist[:500]+noise"``.
        source: where it comes from. licence: its terms.
        notes: how labels were read, which classes have no rows, and which columns of a table have
            fewer different values than were given.
        origin: hash of name, inputs and labels as they were first given. Views, relabelled and
            preprocessed sets keep it, so that a row's random draws are its own (see `corruption`).
        label_shape: of one row's label as it was given, `()` or `(k,)`, which predictions have too.
        columns: names of the inputs' columns, where they came as a table; else empty.

    Raises:
        DataError: empty, mismatched, non-finite, or labels outside the classes.
    """

    base: Tensor
    rows: Tensor
    labels: Tensor
    n_classes: int | None
    name: str
    source: str = ""
    licence: str = ""
    notes: tuple[str, ...] = ()
    origin: str = field(default="", repr=False)
    label_shape: tuple[int, ...] | None = field(default=None, repr=False)
    columns: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for name, values in (("base", self.base), ("labels", self.labels)):
            if values.requires_grad:
                object.__setattr__(self, name, values.detach())
        self.check()
        k = math.prod(self.labels.shape[1:])
        if self.label_shape is None or math.prod(self.label_shape) != k:
            object.__setattr__(self, "label_shape", tuple(self.labels.shape[1:]))
        if not self.origin:
            object.__setattr__(self, "origin", digest_of(self.base, self.labels, more=self.name))

    def check(self) -> None:
        """Hold rows and labels against the inputs and classes; they can be changed in place.

        Raises:
            DataError: what does not fit.
        """
        check_plain("inputs", self.base)
        check_plain("labels", self.labels)
        if self.rows.ndim != 1 or self.rows.dtype != torch.int64:
            got = f"{self.rows.dtype} {list(self.rows.shape)}"
            raise DataError("rows must be int64 [n]", got=got)
        if len(self.rows) == 0:
            raise DataError(f"dataset {self.name!r} is empty", allowed="at least one row")
        if len(self.rows) != len(self.labels):
            raise DataError(
                f"inputs and labels of {self.name!r} differ in length",
                got=f"{len(self.rows)} inputs, {len(self.labels)} labels",
            )
        low, high = int(self.rows.min()), int(self.rows.max())
        if low < 0 or high >= len(self.base):
            raise DataError(
                "rows point outside the inputs",
                got=f"{low}..{high}",
                allowed=f"0..{len(self.base) - 1}",
            )
        if self.n_classes is None:
            if not self.labels.is_floating_point() or self.labels.ndim != 2:
                raise DataError(
                    "targets must be floating [n, k] where n_classes is None",
                    got=f"{self.labels.dtype} {list(self.labels.shape)}",
                )
            if not bool(torch.isfinite(self.labels).all()):
                raise DataError(
                    f"targets of {self.name!r} hold NaN or infinity",
                    remedy="drop or impute these rows",
                )
            return
        if self.labels.dtype != torch.int64 or self.labels.ndim != 1:
            raise DataError(
                "labels must be int64 [n]", got=f"{self.labels.dtype} {list(self.labels.shape)}"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= self.n_classes:
            raise DataError(
                f"labels of {self.name!r} lie outside the classes",
                got=f"{low}..{high}",
                allowed=f"0..{self.n_classes - 1}",
            )

    @property
    def inputs(self) -> Tensor:
        """Inputs of this view, `[n, *shape]` (a copy where the view is not the whole base).

        Another tensor object than `base`: `requires_grad_` on it changes none of the set's own.
        """
        if len(self.rows) == len(self.base) and bool(
            (self.rows == torch.arange(len(self.base))).all()
        ):
            return self.base.detach()
        return self.base[self.rows]

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return tuple(self.base.shape[1:])

    @property
    def input_dim(self) -> int:
        """Number of entries d of one input."""
        return int(torch.tensor(self.input_shape).prod()) if self.input_shape else 1

    @property
    def n_outputs(self) -> int:
        """Number of outputs a model of this task needs: K classes, or k targets."""
        return self.n_classes if self.n_classes is not None else int(self.labels.shape[1])

    def __repr__(self) -> str:
        kind = f"{self.n_outputs} {'targets' if self.n_classes is None else 'classes'}"
        notes = "".join(f"; {note}" for note in self.notes)
        return f"Dataset({self.name!r}, {len(self)} x {list(self.input_shape)}, {kind}{notes})"

    def __len__(self) -> int:
        return len(self.rows)

    def subset(self, index: Tensor, note: str = "") -> Dataset:
        """Return the view of the rows at positions `index` (int64 `[m]`) of this view.

        Raises:
            DataError: empty, not whole numbers, or outside this view.
        """
        if index.dtype != torch.int64 or index.ndim != 1 or len(index) == 0:
            raise DataError(
                f"positions in {self.name!r} must be int64 [m], at least one",
                got=f"{index.dtype} {list(index.shape)}",
            )
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= len(self):
            raise DataError(
                f"positions point outside {self.name!r}",
                got=f"{low}..{high}",
                allowed=f"0..{len(self) - 1}",
            )
        return replace(
            self, rows=self.rows[index], labels=self.labels[index], name=self.name + note
        )

    def head(self, n: int) -> Dataset:
        """Return the view of the first n rows."""
        if not 1 <= n <= len(self):
            raise DataError(
                f"{self.name!r} does not have that many rows", got=n, allowed=f"1..{len(self)}"
            )
        return self.subset(torch.arange(n), f"[:{n}]")

    def with_labels(self, labels: Tensor, note: str, n_classes: int | None = -1) -> Dataset:
        """Return the same inputs with other labels (`n_classes=None` for floating targets)."""
        classes = self.n_classes if n_classes == -1 else n_classes
        # One target per row is always [n, 1] here, however it was given.
        shape = self.label_shape if (classes is None) == (self.n_classes is None) else None
        return replace(
            self,
            labels=labels,
            n_classes=classes,
            name=self.name + note,
            notes=(),
            label_shape=shape,
        )

    def with_inputs(self, inputs: Tensor, note: str) -> Dataset:
        """Return the same labels with other inputs `[n, *shape]`, a base of their own."""
        rows = torch.arange(len(inputs))
        # Rows of a part are numbered anew; parts of one set must not be taken for each other.
        whole = len(self.rows) == len(self.base) and torch.equal(self.rows, rows)
        origin = self.origin if whole else digest_of(self.rows, self.rows, more=self.origin)
        return replace(
            self, base=inputs, rows=rows, name=self.name + note, origin=origin, columns=()
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 (16 hex digits) of inputs, labels and number of classes as they are now.

        Cost: reads all of them, each time: they can be changed in place.
        """
        return digest_of(self.inputs, self.labels, more=repr(self.n_classes))


def make_dataset(
    inputs: object,
    labels: object,
    n_classes: int | None = -1,
    *,
    name: str = "data",
    source: str = "",
    licence: str = "",
) -> Dataset:
    """Build a `Dataset` from arrays, tensors or columns, checking what a user can get wrong.

    Args:
        inputs: `[n, *shape]`, any real numbers. Floating inputs keep their type, and floats in
            lists are float64 (training converts to the recipe's precision); integers stay
            integers (int64), since they may be positions in an embedding; booleans and bytes
            (uint8, as pictures come) become float32.
        labels: integer classes `[n]`, or floating targets `[n]` or `[n, k]`. They are copied.
        n_classes: K; None for regression. By default the labels decide, as
            `overparam.data.labels` has it, and `notes` says where that was a guess.

    Raises:
        DataError: empty, mismatched, NaN or infinite, labels outside the classes; two columns of
            one name, or tables whose rows have the same index in different orders; without
            `n_classes` also one class, or integers that look like measured numbers.

    >>> make_dataset([[0.0], [1.0]], [0, 1], name="two points").n_classes
    2
    """
    check_rows(inputs, labels)
    base, given = as_tensor("inputs", inputs), as_tensor("labels", labels)
    if base.dtype in (torch.bool, torch.uint8):
        base = base.to(torch.float32)
    elif not base.is_floating_point():
        base = base.to(torch.int64)
    if base.ndim < 2 or base.numel() == 0:
        raise DataError(
            "inputs must be [n, *shape] with at least one row and one column",
            got=list(base.shape),
            remedy="a single feature is inputs[:, None]" if base.ndim == 1 else "",
        )
    check_finite(base)
    floating = base.dtype if base.is_floating_point() else torch.float64
    read, k, notes = read_labels(given, n_classes, floating)
    notes += notes_on_whole_columns(inputs) if base.is_floating_point() else ()
    rows, shape, columns = torch.arange(len(base)), tuple(given.shape[1:]), column_names(inputs)
    return Dataset(base, rows, read, k, name, source, licence, notes, "", shape, columns)


def digest_of(*tensors: Tensor, more: str = "") -> str:
    """Return 16 hex digits of the SHA-256 of tensors, their shapes and types."""
    digest = hashlib.sha256(more.encode())
    for tensor in tensors:
        digest.update(repr((tuple(tensor.shape), str(tensor.dtype))).encode())
        # An axis of one entry may have any stride, as that of y[:, None] has: a vector has 1.
        whole = tensor.detach().cpu().flatten().clone(memory_format=torch.contiguous_format)
        digest.update(whole.view(torch.uint8).numpy().data if whole.numel() else b"")
    return digest.hexdigest()[:16]
