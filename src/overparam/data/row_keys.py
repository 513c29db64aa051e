"""Which rows of inputs are copies of others, by their values, in whatever form they are."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import chain
from typing import Any

import numpy as np
import torch

from overparam.data.arrays import as_array
from overparam.data.rows import is_sparse, is_table
from overparam.data.tables import check_columns, column_names, names_of
from overparam.errors import DataError
from overparam.stopping import is_stop

_ENTRIES = 2**22  # of an array that are copied at once
_LONG = 64  # bytes of a row that are kept as they are
_EXACT = 2**53  # up to which float64 holds every whole number


def first_of_equal(inputs: Any, other: Any = None) -> np.ndarray:
    """Return the position of the first row that equals each row, int64 `[n]`.

    Args:
        inputs: n rows in any form of `overparam.data.rows.as_inputs`.
        other: more rows in the same form, counted on from n; then `[n + m]`.

    Numbers are compared as numbers, whole ones of any size exactly (0 is -0, and one NaN is like
    another), texts as texts, and what a cell holds, such as an array or a list, by all that is in
    it.

    Raises:
        DataError: other rows in another form, of another shape, or with other columns.

    Cost: one pass, and a short key for each row.

    >>> first_of_equal(np.array(["a", "b", "a"])).tolist()
    [0, 1, 0]
    >>> first_of_equal(np.array([[1], [2]]), np.array([[3.0], [2.0]])).tolist()
    [0, 1, 2, 1]
    """
    keys = _keys([inputs] if other is None else [inputs, other])
    first: dict[Any, int] = {}
    return np.array([first.setdefault(key, i) for i, key in enumerate(keys)], dtype=np.int64)


def _keys(parts: list[Any]) -> Iterable[Any]:
    _check_forms(parts)
    if is_table(parts[0]):
        return _keys([_cells_as_numbers(parts)])
    if is_sparse(parts[0]):
        rows = [part.tocsr() for part in parts]
        dtype = _one_type([part.data for part in rows])
        return chain(*(_keys_of_sparse(part, dtype) for part in rows))
    if not all(isinstance(part, np.ndarray) for part in parts):
        return map(_key, chain(*parts))
    dtype = _one_type(parts)
    if dtype.hasobject:
        joined = np.concatenate([part.astype(dtype) for part in parts])
        return map(_key, joined if joined.ndim == 1 else joined.reshape(len(joined), -1))
    return _keys_of_arrays(parts, dtype)


def _keys_of_arrays(parts: list[np.ndarray], dtype: np.dtype) -> Iterator[bytes]:
    """Yield the bytes of each row, as numbers of one type; of long rows a digest."""
    for part in parts:
        step = max(1, _ENTRIES // max(1, part[:1].size))
        for start in range(0, len(part), step):
            block = part[start : start + step]
            for row in _plain(block.reshape(len(block), -1).astype(dtype, copy=False)):
                held = row.tobytes()
                yield held if len(held) <= _LONG else blake2b(held, digest_size=20).digest()


def _check_forms(parts: list[Any]) -> None:
    """Refuse two sets of rows of which none could equal one of the other, for their form."""
    forms = [
        "a table"
        if is_table(part)
        else f"a sparse matrix of {part.shape[1]} columns"
        if is_sparse(part)
        else f"rows of shape {list(part.shape[1:])}"
        if hasattr(part, "shape")
        else "a list"
        for part in parts
    ]
    if len(set(forms)) > 1:
        raise DataError(
            "two sets of rows are not of one form",
            got=" and ".join(forms),
            allowed="both tables, sparse, lists of texts, or arrays with rows of one shape",
        )
    if is_table(parts[0]):
        check_columns(parts[-1], column_names(parts[0]), "the first set")


def _one_type(arrays: list[np.ndarray]) -> np.dtype:
    """Return the type in which entries are compared; object where another would change any.

    That is: what are not all numbers (1 and "1" stay apart), and whole numbers that would be
    rounded, such as those of int64 beside float64. Python compares all of them exactly.
    """
    kinds = {"number" if array.dtype.kind in "biufc" else array.dtype.kind for array in arrays}
    if len(kinds) > 1:
        return np.dtype(object)
    dtype = np.result_type(*arrays)
    rounds = dtype.kind in "fc" and any(
        max(int(array.max(initial=0)), -int(array.min(initial=0))) > _EXACT
        for array in arrays
        if array.dtype.kind in "iu"
    )
    return np.dtype(object) if rounds else dtype


def _cells_as_numbers(tables: list[Any]) -> np.ndarray:
    """Return int64 `[n, blocks]`: a number for the cells of a row, columns of one type together."""
    blocks: dict[Any, list[np.ndarray]] = {}
    for position, name in enumerate(names_of(tables[0])):
        columns = [t.iloc[:, position] if hasattr(t, "iloc") else t[name] for t in tables]
        read = [_entries(column) for column in columns]
        dtype = _one_type(read)
        values = np.concatenate([part.astype(dtype, copy=False) for part in read])
        blocks.setdefault(position if values.dtype.hasobject else values.dtype, []).append(values)
    found = [b[0] if len(b) == 1 else np.stack(b, axis=1) for b in blocks.values()]
    return np.stack([first_of_equal(block) for block in found], axis=1)


def _entries(column: Any) -> np.ndarray:
    """Return what a column of a table holds, whole numbers among missing ones as they are."""
    values = np.asarray(column.to_numpy())
    if isinstance(getattr(column, "dtype", None), np.dtype) or values.dtype.kind != "f":
        return values
    if not (np.abs(values) >= _EXACT).any():
        return values
    # For what is missing the table's whole numbers became float64, some of them rounded.
    exact = np.empty(len(values), dtype=object)
    exact[:] = column.to_pylist() if hasattr(column, "to_pylist") else list(column)
    exact[np.isnan(values)] = np.nan
    return exact


def _keys_of_sparse(matrix: Any, dtype: np.dtype) -> Iterator[Any]:
    rows = matrix.tocsr(copy=True)
    rows.sum_duplicates()  # which sorts them too
    rows.eliminate_zeros()
    held, columns = rows.data.astype(dtype), rows.indices.astype(np.int64)
    held = held if dtype.hasobject else _plain(held)
    for start, end in zip(rows.indptr[:-1], rows.indptr[1:], strict=True):
        part = held[start:end]
        key = tuple(map(_key, part)) if dtype.hasobject else part.tobytes()
        yield columns[start:end].tobytes(), key


def _plain(values: np.ndarray) -> np.ndarray:
    """Return numbers of which equal ones have equal bytes; a copy."""
    if values.dtype.kind in "fc":
        values = values + values.dtype.type(0)  # -0 becomes 0
        values[np.isnan(values)] = np.nan
    return np.ascontiguousarray(values)


def _of_usual_type(values: np.ndarray) -> np.ndarray:
    """Return numbers as int64 if all of them are whole, and fractions as float64."""
    kind, largest = values.dtype.kind, 2.0**63
    if kind in "bi" or (kind == "u" and int(values.max(initial=0)) < largest):
        return values.astype(np.int64)
    if kind != "f" or values.dtype.itemsize > 8:
        return values
    held = values.astype(np.float64)
    whole = bool(((np.abs(held) < largest) & (held == np.trunc(held))).all())
    return held.astype(np.int64) if whole else held


def _key(value: Any) -> Any:
    """Return what is equal, and hashed alike, for equal values."""
    if isinstance(value, torch.Tensor):
        value = as_array("inputs", value)
    if isinstance(value, np.ndarray) and value.ndim:
        if value.dtype.hasobject:
            return ("array", value.shape, *map(_key, value.flat))
        held = _plain(_of_usual_type(value))
        return ("array", value.shape, held.dtype.kind, held.tobytes())
    if isinstance(value, list | tuple):
        return ("list", *map(_key, value))
    if isinstance(value, dict):
        return ("dict", frozenset((_key(k), _key(v)) for k, v in value.items()))
    if isinstance(value, float | np.floating) and value != value:
        return ("NaN",)
    if type(value).__hash__ not in (None, object.__hash__):
        return value
    try:  # an object of somebody's, such as a picture
        return (type(value).__qualname__, pickle.dumps(value, protocol=4))
    except BaseException as error:  # one that does not mean to be pickled
        if is_stop(error):
            raise
        return ("object", id(value))
