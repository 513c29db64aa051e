"""Numbers as people have them (arrays, lists, tensors, columns of a table) become tensors."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.masked import MaskedTensor

from overparam.data.tables import column_names, names_of
from overparam.errors import DataError

ENCODE = "encode text and missing values as numbers first"
ENCODE_LABELS = (
    f"{ENCODE}, all sets alike: classes, numbers = np.unique(labels, return_inverse=True)"
)
# What is computed with, by NumPy's names; others are converted or refused.
_TENSOR_TYPES = (
    "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64",
)  # fmt: skip
_COMPUTED = {torch.bfloat16, *(getattr(torch, name) for name in _TENSOR_TYPES)}
_CONVERTED = {torch.uint16, torch.uint32, torch.uint64}  # which NumPy converts

_LARGEST = 2**63 - 1


def as_tensor(what: str, values: object) -> Tensor:
    """Return numbers as a tensor on the CPU; memory is shared where that is possible.

    Args:
        what: what they are, for the messages.
        values: a tensor, an array, a list, or anything with ``to_numpy``, such as the tables and
            columns of pandas and polars. Floats in lists become float64, as in NumPy.

    Raises:
        DataError: text, missing or masked values, dates and durations, complex or sparse numbers,
            ragged lists, tables with two columns of one name, tensors that are not plain ones.

    >>> as_tensor("inputs", [[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    refuse_masked(what, values)
    column_names(values)  # of which none may stand twice
    if isinstance(values, list | tuple) and values and isinstance(values[0], Tensor):
        values = _stacked(what, values)
    if isinstance(values, MaskedTensor):
        values = values.get_data()
    if not isinstance(values, Tensor):
        return _from_array(what, values)
    if values.dtype in _CONVERTED:
        return _from_array(what, values.detach().cpu())
    check_plain(what, values)
    with torch._C.DisableTorchFunctionSubclass():  # what a subclass adds is not computed with
        return values.detach().cpu()


def as_array(what: str, values: object) -> np.ndarray:
    """Return numbers as a NumPy array; float32 holds those of bfloat16, which NumPy has not.

    Raises:
        DataError: as `as_tensor`.
    """
    tensor = as_tensor(what, values)
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def check_plain(what: str, tensor: Tensor) -> None:
    """Refuse a tensor that does not hold numbers in memory, of a type that is computed with.

    Raises:
        DataError: it is complex, quantised, of eight bits or fewer, sparse, nested, meta, or wraps
            another tensor.
    """
    if tensor.is_complex():
        raise DataError(f"{what} must be real", got=tensor.dtype)
    if found := _oddity(tensor):
        got, remedy = found
        raise DataError(f"{what} must be a plain tensor", got=got, remedy=remedy)


def _oddity(tensor: Tensor) -> tuple[str, str] | None:
    """Return what is odd about a tensor, if anything, and how to make it a plain one."""
    if tensor.is_nested:
        return "a nested tensor", "pad its rows to one length: values.to_padded_tensor(0)"
    if tensor.is_meta:
        return "a meta tensor", "it holds no numbers: make it on the CPU"
    if tensor.layout != torch.strided:
        return f"layout {tensor.layout}", "make it dense: values.to_dense()"
    if type(tensor).__torch_dispatch__ is not Tensor.__torch_dispatch__:
        return f"a {type(tensor).__name__}", "give the numbers that it wraps as a tensor"
    if tensor.is_quantized:
        return str(tensor.dtype), "give the numbers that it stands for: values.dequantize()"
    if tensor.dtype in _COMPUTED:
        return None
    remedy = "values.float()" if "float8" in str(tensor.dtype) else "unpack its numbers"
    return str(tensor.dtype), f"{remedy}; computed with are bfloat16, {', '.join(_TENSOR_TYPES)}"


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


def is_missing(value: Any) -> bool:
    """Whether one entry of an array or a table stands for none: None, NaN, NaT or NA.

    >>> is_missing(None), is_missing(float("nan")), is_missing("")
    (True, True, False)
    """
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # pandas.NA compares with nothing
        return type(value).__name__ == "NAType"


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
        columns = names_of(values)
        place = f"column {columns[position[1]]!r} holds" if columns and array.ndim == 2 else "holds"
        raise _no_numbers(what, f"{place} {_short(value)}")
    if array.size and all(isinstance(value, bool | np.bool_) for value in array.flat):
        return array.astype(np.bool_)
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
