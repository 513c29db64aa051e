"""Different values of a column that become one number in the type that is computed with.

float32 holds whole numbers exactly up to 2^24 and float64 up to 2^53. Beyond, as among seconds
since 1970 or ids, neighbours are one number, and a model is never told which of them it has. That
is no error, but it is said: scaled before they are converted, the same values stay apart.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from overparam.data.tables import column_names, names_of

_SAMPLE_ROWS, _SAMPLE_ENTRIES = 4096, 1 << 20  # by which columns are found that are looked at whole
_SHARE = 0.1  # of the values of a sample: that much is no chance meeting of two among many
_EXACT = 2.0**53  # up to here what is whole in float64 was a whole number
_NAMED = 3  # columns that a note names
_SCALE = "subtract a column's mean and divide by its deviation, in float64, before it is given"
_IDS = "subtract a column's smallest value, or leave it out where it only names rows"


class _Merged(NamedTuple):
    """How many different values of a column there are, and how many numbers they become."""

    column: str
    before: int
    after: int


def notes_on_merged(
    what: str,
    values: Tensor,
    dtype: torch.dtype,
    *,
    rows: Tensor | None = None,
    names: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Return a note where different values of a column become fewer in another type; or nothing.

    Whole numbers count wherever two of them become one. Of other numbers some always meet where
    there are many, so a column counts where a tenth of its values is lost among few rows.

    Args:
        what: they are, such as ``"inputs"``. values: `[n, *shape]`, finite. dtype: the other type.
        rows: which of them are used; None for all. names: of the columns, if they have any.

    Cost: one pass, and sorting a few rows; columns that it finds are sorted whole.

    >>> notes_on_merged("inputs", 1e9 + torch.arange(60.0).double()[:, None], torch.float32)[0][:64]
    'float32 merges different inputs: column 0 (60 values become 2); '
    """
    exact = 2 / torch.finfo(dtype).eps  # the type has all whole numbers up to here
    if values.is_floating_point() and torch.finfo(values.dtype).eps >= torch.finfo(dtype).eps:
        return ()
    found = []
    flat = values.reshape(len(values), values[0].numel())
    for i in _doubtful(flat, dtype, exact):
        column = flat[:, i] if rows is None else flat[rows, i]
        before, after = len(torch.unique(column)), len(torch.unique(column.to(dtype)))
        if after < before:
            found.append(_Merged(_name_of(i, values.shape[1:], names), before, after))
    name = str(dtype).removeprefix("torch.")
    remedy = _IDS if dtype == torch.float64 else f"{_SCALE}, or say precision='float64'"
    return _told(f"{name} merges different {what}", found, remedy)


def notes_on_whole_columns(table: Any) -> tuple[str, ...]:
    """Return a note where columns of whole numbers have fewer values in float64; or nothing.

    A table of whole numbers and others becomes one array of float64.

    Args:
        table: of pandas, polars or pyarrow, or an array of objects.

    >>> import pandas as pd
    >>> table = pd.DataFrame({"id": [2**53, 2**53 + 1, 7], "size": [0.5, 1.0, 1.5]})
    >>> notes_on_whole_columns(table)[0][:66]
    "float64 merges different inputs: column 'id' (3 values become 2); "
    """
    found = []
    for name, entries in _columns(table):
        whole = _whole_numbers(entries)
        if max(map(abs, whole), default=0) > _EXACT:
            before, after = len(whole), len(set(map(float, whole)))
            if after < before:
                found.append(_Merged(name, before, after))
    return _told("float64 merges different inputs", found, _IDS)


def _doubtful(flat: Tensor, dtype: torch.dtype, exact: float) -> list[int]:
    """Return which columns `[n, d]` may have fewer values in another type."""
    if not flat.numel():
        return []
    low, high = torch.aminmax(flat, dim=0)
    size = torch.maximum(low.double().abs(), high.double().abs())
    if not flat.is_floating_point():
        return (size >= exact).nonzero().flatten().tolist()
    large = ((size > exact) & (size <= _EXACT)).nonzero().flatten().tolist()
    found = {i for i in large if bool((flat[:, i] == flat[:, i].round()).all())}
    n = min(len(flat), _SAMPLE_ROWS, max(8, _SAMPLE_ENTRIES // flat.shape[1]))
    some = flat[torch.linspace(0, len(flat) - 1, n, dtype=torch.float64).long()]
    rounded = (some.to(dtype).to(flat.dtype) != some).any(0).nonzero().flatten()
    rising = some[:, rounded].sort(dim=0).values
    before, after = _n_different(rising), _n_different(rising.to(dtype))
    return sorted(found.union(rounded[before - after >= _SHARE * before].tolist()))


def _n_different(rising: Tensor) -> Tensor:
    return 1 + (rising[1:] != rising[:-1]).sum(0)


def _columns(table: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and entries of columns in which whole numbers stand beside others."""
    if isinstance(table, np.ndarray) and table.dtype.kind == "O" and table.ndim == 2:
        yield from ((str(i), table[:, i]) for i in range(table.shape[1]))
        return
    for i, name in enumerate(names_of(table) if column_names(table) else ()):
        column = table.iloc[:, i] if hasattr(table, "iloc") else table[name]
        yield repr(name), np.asarray(column.to_numpy())


def _whole_numbers(entries: np.ndarray) -> set[int]:
    """Return the different whole numbers of a column that holds nothing else."""
    if entries.dtype.kind in "iu":
        large = entries.size and max(-int(entries.min()), int(entries.max())) > _EXACT
        return set(entries.tolist()) if large else set()
    if entries.dtype.kind != "O" or not all(isinstance(e, int | np.integer) for e in entries):
        return set()
    return set(map(int, entries))


def _name_of(i: int, shape: tuple[int, ...], names: tuple[str, ...]) -> str:
    if len(names) > i:
        return repr(names[i])
    place = [int(axis) for axis in np.unravel_index(i, shape)]
    return str(place[0] if len(place) == 1 else tuple(place))


def _told(what: str, found: list[_Merged], remedy: str) -> tuple[str, ...]:
    if not found:
        return ()
    some = [f"{m.column} ({m.before:,} values become {m.after:,})" for m in found[:_NAMED]]
    more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
    word = "column" if len(found) == 1 else "columns"
    return (f"{what}: {word} {', '.join(some)}{more}; {remedy}",)
