"""`Dataset`: inputs and labels with their origin; subsets and relabelled copies are views."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from overparam.errors import DataError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples of one task; views share `base`, so thousands of cells hold one copy of the inputs.

    Attributes:
        base: floating inputs `[N, *shape]`, shared among all views.
        rows: int64 `[n]`, which rows of `base` this view holds, in order.
        labels: int64 `[n]` with values in `[0, n_classes)`, or floating targets `[n, k]`.
        n_classes: number of classes K, or None for floating targets.
        name: what it is, with what was done to it, such as ``"fashion_mnist[:500]+noise"``.
        source: where it comes from. licence: its terms.

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

    def __post_init__(self) -> None:
        if self.rows.ndim != 1 or self.rows.dtype != torch.int64:
            raise DataError(
                "rows must be int64 [n]", got=f"{self.rows.dtype} {list(self.rows.shape)}"
            )
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
        """Inputs of this view, `[n, *shape]` (a copy where the view is not the whole base)."""
        if len(self.rows) == len(self.base) and bool(
            (self.rows == torch.arange(len(self.base))).all()
        ):
            return self.base
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
        return f"Dataset({self.name!r}, {len(self)} x {list(self.input_shape)}, {kind})"

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
        return replace(self, labels=labels, n_classes=classes, name=self.name + note)

    def with_inputs(self, inputs: Tensor, note: str) -> Dataset:
        """Return the same labels with other inputs `[n, *shape]`, a base of their own."""
        return replace(self, base=inputs, rows=torch.arange(len(inputs)), name=self.name + note)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (16 hex digits) of inputs, labels and number of classes."""
        digest = hashlib.sha256(
            repr((self.input_shape, str(self.base.dtype), self.n_classes)).encode()
        )
        digest.update(self.inputs.contiguous().cpu().numpy().tobytes())
        digest.update(self.labels.contiguous().cpu().numpy().tobytes())
        return digest.hexdigest()[:16]


def make_dataset(
    inputs: object,
    labels: object,
    n_classes: int | None = -1,
    *,
    name: str = "data",
    source: str = "",
    licence: str = "",
) -> Dataset:
    """Build a `Dataset` from arrays or tensors, checking everything a user can get wrong.

    Args:
        inputs: `[n, *shape]`, any real dtype; converted to float32 unless already floating.
        labels: integer classes `[n]`, or floating targets `[n]` or `[n, k]`.
        n_classes: K; by default the largest label + 1. None for regression.

    Raises:
        DataError: empty, mismatched, NaN or infinite, one class, labels outside the classes.

    >>> make_dataset([[0.0], [1.0]], [0, 1], name="two points").n_classes
    2
    """
    base, target = _as_tensor("inputs", inputs), _as_tensor("labels", labels)
    if not base.is_floating_point():
        base = base.to(torch.float32)
    if base.ndim < 2 or base.numel() == 0:
        raise DataError(
            "inputs must be [n, *shape] with at least one row and one column", got=list(base.shape)
        )
    finite = torch.isfinite(base).flatten(1).all(1)
    if not bool(finite.all()):
        bad = (~finite).nonzero().flatten().tolist()
        raise DataError(
            "inputs hold NaN or infinity",
            got=f"{len(bad)} rows, first {bad[:3]}",
            remedy="drop or impute these rows",
        )
    if target.ndim == 0:
        raise DataError("labels must be [n] or targets [n, k]", got="a single number")
    if target.is_floating_point() and n_classes not in (None, -1):
        raise DataError(
            "labels of classes must be integers",
            got=target.dtype,
            remedy="convert them, or give n_classes=None for regression",
        )
    if n_classes is None or target.is_floating_point():
        target = target.to(base.dtype)
        target = target[:, None] if target.ndim == 1 else target
        n_classes = None
    else:
        target = target.to(torch.int64)
        if target.ndim == 1 and len(target) and len(torch.unique(target)) < 2:
            raise DataError(
                "all labels are one class", got=int(target[0]), allowed="at least two classes"
            )
        n_classes = int(target.max()) + 1 if n_classes == -1 and len(target) else n_classes
    return Dataset(base, torch.arange(len(base)), target, n_classes, name, source, licence)


def _as_tensor(what: str, values: object) -> Tensor:
    try:
        tensor = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{what} are not an array of numbers: {error}",
            remedy="encode text and missing values as numbers first",
        ) from None
    if tensor.is_complex():
        raise DataError(f"{what} must be real", got=tensor.dtype)
    return tensor
