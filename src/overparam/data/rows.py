"""Rows of inputs in any form: how many there are, some of them, and what they hold as bytes.

Forms are arrays, tables with named columns, sparse matrices and lists of texts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from overparam.data.arrays import as_array, is_missing, refuse_masked
from overparam.data.tables import check_rows, names_of
from overparam.errors import DataError


def as_inputs(inputs: Any) -> Any:
    """Return inputs in the form in which rows of them are cut.

    Tables, sparse matrices and lists of texts stay; all else becomes an array.

    Raises:
        DataError: a single number, masked values, or a list of rows of different lengths.
    """
    refuse_masked("inputs", inputs)
    if is_table(inputs) or is_sparse(inputs):
        return inputs
    if isinstance(inputs, list | tuple) and inputs and isinstance(inputs[0], str | bytes | dict):
        return list(inputs)
    if isinstance(inputs, torch.Tensor):
        return as_array("inputs", inputs)
    try:
        array = np.asarray(inputs)
    except ValueError as error:
        raise DataError(
            "inputs are no array", got=str(error).splitlines()[0], remedy="pad rows to one length"
        ) from None
    if array.ndim == 0:
        raise DataError("inputs must have rows", got=f"a single {type(inputs).__name__}")
    return array


def is_table(inputs: Any) -> bool:
    """Whether inputs are a table with named columns, of pandas or polars."""
    return bool(names_of(inputs)) and len(getattr(inputs, "shape", ())) == 2


def is_sparse(inputs: Any) -> bool:
    """Whether inputs are a sparse matrix of SciPy."""
    return hasattr(inputs, "nnz") and hasattr(inputs, "tocsr")


def n_rows(inputs: Any) -> int:
    """Return how many rows inputs have."""
    return int(inputs.shape[0]) if hasattr(inputs, "shape") else len(inputs)


def take_rows(values: Any, rows: np.ndarray) -> Any:
    """Return the rows at positions `rows` of inputs, labels or weights, in their form."""
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    if is_sparse(values):
        return values.tocsr()[rows]
    if isinstance(values, list | tuple):
        return [values[i] for i in rows]
    return values[rows]


def row_positions(what: str, rows: Any, inputs: Any) -> np.ndarray:
    """Return rows of inputs, told by position or as a mask, as positions int64, in their order.

    Args:
        what: the argument is called.

    Raises:
        DataError: missing or masked entries, other numbers than those of rows, a mask of another
            length or under the index of the inputs in another order, or one that lost its type.

    >>> row_positions("rows", [False, True, True], np.zeros((3, 1)))
    array([1, 2])
    """
    n = n_rows(inputs)
    refuse_masked(what, rows)
    found = np.asarray(rows)
    _refuse_missing(what, found)
    if found.dtype == bool and found.shape == (n,):
        check_rows(inputs, rows, what)
        return np.flatnonzero(found)
    if not found.size:
        return np.empty(0, np.int64)
    if found.shape == (n,) and n > 2 and bool(np.isin(found, (0, 1)).all()):
        raise DataError(
            f"{what} must be positions or a mask, not a 0 or 1 for each row",
            got=f"{found.dtype} [{n}]",
            allowed="positions of rows, or a mask of truth values",
            remedy="if it is a mask, write mask.astype(bool)",
        )
    if found.ndim != 1 or found.dtype.kind not in "iu" or found.min() < 0 or found.max() >= n:
        raise DataError(
            f"{what} must be rows of the data",
            got=f"{found.dtype} {list(found.shape)}: {str(found)[:80]}",
            allowed=f"whole numbers 0..{n - 1}, or a mask [{n}]",
        )
    return found.astype(np.int64)


def _refuse_missing(what: str, found: np.ndarray) -> None:
    """Refuse a mask or positions some of which are missing: nobody said which rows are meant."""
    missing = sum(map(is_missing, found.flat)) if found.dtype.kind in "Of" else 0
    if missing:
        raise DataError(
            f"missing values in {what}",
            got=f"{missing:,} of {found.size:,}",
            allowed="positions of rows, or a mask that says of each row whether it is one",
            remedy="such as mask.fillna(False), or positions.dropna()",
        )


def read_only(inputs: Any) -> Any:
    """Return inputs that share memory with those given and cannot be written to.

    A table is copied instead where it could be written to.
    """
    if isinstance(inputs, np.ndarray):
        view = inputs.view()
        view.flags.writeable = False
        return view
    if is_sparse(inputs) and hasattr(inputs, "indptr"):
        parts = [read_only(part) for part in (inputs.data, inputs.indices, inputs.indptr)]
        return type(inputs)(tuple(parts), shape=inputs.shape, copy=False)
    if isinstance(inputs, list):
        return list(inputs)
    return inputs.copy() if hasattr(inputs, "iloc") else inputs


def pieces(part: Any) -> Iterator[bytes | memoryview]:
    """Yield what decides inputs, labels or nothing (None), as bytes."""
    if part is None:
        yield b"none"
    elif is_table(part):
        for i, label in enumerate(names_of(part)):
            column = part.iloc[:, i] if hasattr(part, "iloc") else part[label]
            yield f"{label!r}".encode()
            yield from _pieces_of_column(column)
        yield from _pieces_of_index(getattr(part, "index", None))
    elif is_sparse(part):
        matrix = part.tocsr()
        for array in (matrix.data, matrix.indices, matrix.indptr):
            yield from pieces(array)
        yield repr(matrix.shape).encode()
    elif isinstance(part, np.ndarray) and not part.dtype.hasobject:
        yield f"{part.dtype} {part.shape}".encode()
        yield np.ascontiguousarray(part).reshape(-1).view(np.uint8).data if part.size else b""
    else:
        yield f"{type(part).__name__} {n_rows(part)}".encode()
        for value in part.flat if isinstance(part, np.ndarray) else part:
            yield f"{type(value).__name__} {value!r}\n".encode(errors="surrogatepass")


def _pieces_of_column(column: Any) -> Iterator[bytes | memoryview]:
    """Yield what decides a column of a table, or a level of its index."""
    yield f" {column.dtype}".encode()
    yield from pieces(np.asarray(column.to_numpy()))
    if hasattr(column.dtype, "categories"):  # whose order decides the codes
        yield f"ordered {getattr(column.dtype, 'ordered', None)}".encode()
        yield from pieces(np.asarray(column.dtype.categories.to_numpy()))


def _pieces_of_index(index: Any) -> Iterator[bytes | memoryview]:
    """Yield what decides the index of a table; nothing of one that only counts its rows."""
    if not hasattr(index, "get_level_values") or is_plain_index(index):
        return
    yield f"index {list(index.names)!r}".encode()
    for level in range(index.nlevels):
        yield from _pieces_of_column(index.get_level_values(level))


def is_plain_index(index: Any) -> bool:
    """Whether an index of pandas has no name and counts the rows from 0 on.

    It says nothing, and is what a table has that was given none.
    """
    if index.name is not None or index.nlevels > 1 or index.dtype.kind not in "iu":
        return False
    return bool(np.array_equal(index.to_numpy(), np.arange(len(index))))
