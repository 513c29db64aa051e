"""Numbers as people have them (arrays, lists, tensors, columns of a table) become tensors."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.masked import MaskedTensor

from overparam.errors import DataError, UsageError

ENCODE = "encode text and missing values as numbers first"
ENCODE_LABELS = (
    f"{ENCODE}, all sets alike: classes, numbers = np.unique(labels, return_inverse=True)"
)
# What a tensor can be made of without a change of type, by NumPy's name.
_TENSOR_TYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
)  # fmt: skip

_LARGEST = 2**63 - 1


def as_tensor(what: str, values: object) -> Tensor:
    """Return numbers as a tensor on the CPU; memory is shared where that is possible.

    Args:
        what: what they are, for the messages.
        values: a tensor, an array, a list, or anything with ``to_numpy``, such as the tables and
            columns of pandas and polars. Floats in lists become float64, as in NumPy.

    Raises:
        DataError: text, missing or masked values, dates and durations, complex or sparse numbers,
            ragged lists, tensors that hold no numbers or something beside them.

    >>> as_tensor("inputs", [[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    refuse_masked(what, values)
    if isinstance(values, list | tuple) and values and isinstance(values[0], Tensor):
        values = _stacked(what, values)
    tensor = values if isinstance(values, Tensor) else _from_array(what, values)
    if tensor.is_complex():
        raise DataError(f"{what} must be real", got=tensor.dtype)
    if tensor.is_nested or tensor.is_meta:
        raise DataError(
            f"{what} must be a plain tensor",
            got="a nested tensor" if tensor.is_nested else "a meta tensor",
            remedy="pad its rows to one length: values.to_padded_tensor(0)"
            if tensor.is_nested
            else "it holds no numbers: make it on the CPU",
        )
    if tensor.layout != torch.strided:
        raise DataError(
            f"{what} are sparse", got=tensor.layout, remedy="make them dense with .to_dense()"
        )
    return tensor.detach().cpu()


def column_names(values: object) -> tuple[str, ...]:
    """Return the names of a table's columns, as text; none of what is no table."""
    names = getattr(values, "columns", None)
    if names is None or len(getattr(values, "shape", ())) != 2:
        return ()
    return tuple(map(str, names))


def check_columns(values: object, known: tuple[str, ...], of: str) -> None:
    """Refuse a table whose columns are others than those known, or stand in another order.

    Args:
        known: names, or nothing where none are known. of: whose columns those are.

    Raises:
        UsageError: they differ.
    """
    names = column_names(values)
    if not names or not known or names == known:
        return
    place = next((i for i, (a, b) in enumerate(zip(names, known, strict=False)) if a != b), None)
    raise UsageError(
        f"the table's columns are not those of {of}",
        got=f"{len(names)} columns" if place is None else f"{names[place]!r} at position {place}",
        allowed=f"{len(known)} columns" if place is None else f"{known[place]!r} there",
        remedy=f"give them in the same order: frame[{list(known)[:8]}]"
        if set(names) >= set(known) and len(known) <= 8
        else "give the same columns in the same order",
    )


def refuse_masked(what: str, values: Any) -> None:
    """Refuse arrays of which some entries are masked, also in lists: the mask would be lost.

    Raises:
        DataError: one is.
    """
    if isinstance(values, list | tuple):
        for value in values:
            if isinstance(value, list | tuple | np.ma.MaskedArray | Tensor):
                refuse_masked(what, value)
        return
    if isinstance(values, np.ma.MaskedArray):
        n_masked = int(np.ma.count_masked(values))
    elif isinstance(values, MaskedTensor):
        n_masked = int((~values.get_mask()).sum())
    else:
        return
    if n_masked:
        raise DataError(
            f"{what} hold masked values",
            got=f"{n_masked} masked",
            allowed="an array without masked values",
            remedy="drop these rows, or fill them: values."
            + ("filled(number)" if isinstance(values, np.ndarray) else "to_tensor(number)"),
        )


def _from_array(what: str, values: Any) -> Tensor:
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        raise DataError(
            f"{what} are sparse", got=type(values).__name__, remedy="make them dense: .toarray()"
        )
    try:
        array = np.asanyarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
        refuse_masked(what, array)
        array = np.asarray(array)
    except (TypeError, ValueError, RuntimeError) as error:
        raise _no_numbers(what, error) from None
    if array.dtype.kind in "OUSMmV":
        array = _numbers_among_objects(what, array, values)
    if array.dtype.kind == "c":
        raise DataError(f"{what} must be real", got=array.dtype)
    if array.dtype.kind == "u" and array.size and int(array.max()) > _LARGEST:
        raise _no_numbers(what, f"{array.max()} needs more than 64 bits")
    if array.dtype.name not in _TENSOR_TYPES:
        array = array.astype(np.float64 if array.dtype.kind == "f" else np.int64)
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
    return torch.from_numpy(native if native.flags.writeable else native.copy())


def _numbers_among_objects(what: str, array: np.ndarray, values: Any) -> np.ndarray:
    """Return an array of objects as numbers, or say which of them is none."""
    for position, value in np.ndenumerate(array):
        # To NumPy, a duration is a whole number of units that it would not tell.
        if isinstance(value, Real | np.bool_) and not isinstance(value, np.timedelta64):
            continue
        columns = list(getattr(values, "columns", []))
        place = f"column {columns[position[1]]!r} holds" if columns and array.ndim == 2 else "holds"
        raise _no_numbers(what, f"{place} {_short(value)}")
    whole = all(isinstance(value, int | np.integer | np.bool_) for value in array.flat)
    try:
        return array.astype(np.int64 if whole else np.float64)
    except OverflowError:
        raise _no_numbers(what, "some need more than 64 bits") from None


def _stacked(what: str, values: list | tuple) -> Tensor:
    try:
        return torch.stack([torch.as_tensor(value) for value in values])
    except (TypeError, RuntimeError) as error:
        raise _no_numbers(what, error) from None


def _no_numbers(what: str, why: object) -> DataError:
    remedy = ENCODE_LABELS if what == "labels" else ENCODE
    return DataError(f"{what} are not an array of numbers: {why}", remedy=remedy)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
