"""Which rows of inputs are copies of others, by their values, in whatever form they are."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from overparam.data.arrays import as_array
from overparam.data.rows import is_sparse, is_table
from overparam.data.tables import names_of
from overparam.stopping import is_stop


def first_of_equal(inputs: Any) -> np.ndarray:
    """Return the position of the first row that equals each row, int64 `[n]`.

    Args:
        inputs: n rows in any form of `overparam.data.rows.as_inputs`.

    Numbers are compared as numbers (0 is -0, and one NaN is like another), texts as texts, and
    what a cell holds, such as an array or a list, by all that is in it.

    Cost: one pass, and a short key for each row.

    >>> first_of_equal(np.array(["a", "b", "a"])).tolist()
    [0, 1, 0]
    """
    keys = _keys(inputs)
    first: dict[Any, int] = {}
    return np.array([first.setdefault(key, i) for i, key in enumerate(keys)], dtype=np.int64)


def _keys(inputs: Any) -> Iterable[Any]:
    if is_table(inputs):
        return _keys(_cells_as_numbers(inputs))
    if is_sparse(inputs):
        return _keys_of_sparse(inputs)
    array = inputs if isinstance(inputs, np.ndarray) else None
    if array is None or array.dtype.hasobject:
        rows = inputs if array is None or array.ndim == 1 else array.reshape(len(array), -1)
        return map(_key, rows)
    return [row.tobytes() for row in _plain(array.reshape(len(array), -1))]


def _cells_as_numbers(table: Any) -> np.ndarray:
    """Return int64 `[n, blocks]`: a number for the cells of a row, columns of one type together."""
    blocks: dict[Any, list[np.ndarray]] = {}
    for position, name in enumerate(names_of(table)):
        column = table.iloc[:, position] if hasattr(table, "iloc") else table[name]
        values = np.asarray(column.to_numpy())
        blocks.setdefault(position if values.dtype.hasobject else values.dtype, []).append(values)
    return np.stack([first_of_equal(np.stack(block, axis=1)) for block in blocks.values()], axis=1)


def _keys_of_sparse(matrix: Any) -> list[tuple[bytes, bytes]]:
    rows = matrix.tocsr(copy=True)
    rows.sum_duplicates()  # which sorts them too
    rows.eliminate_zeros()
    held, columns = _plain(rows.data), rows.indices
    parts = [slice(*ends) for ends in zip(rows.indptr[:-1], rows.indptr[1:], strict=True)]
    return [(columns[part].tobytes(), held[part].tobytes()) for part in parts]


def _plain(values: np.ndarray) -> np.ndarray:
    """Return numbers of which equal ones have equal bytes; a copy."""
    if values.dtype.kind in "fc":
        values = values + values.dtype.type(0)  # -0 becomes 0
        values[np.isnan(values)] = np.nan
    return np.ascontiguousarray(values)


def _key(value: Any) -> Any:
    """Return what is equal, and hashed alike, for equal values."""
    if isinstance(value, torch.Tensor):
        value = as_array("inputs", value)
    if isinstance(value, np.ndarray) and value.ndim:
        if value.dtype.hasobject:
            return ("array", value.shape, *map(_key, value.flat))
        return ("array", value.shape, value.dtype.kind, _plain(value).tobytes())
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
