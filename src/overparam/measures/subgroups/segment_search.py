"""Regions of a table, of one column or two, where a loss is higher: searched, not yet believed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from overparam.data.tables import column_names, names_of
from overparam.errors import DataError
from overparam.measures.checked_arrays import as_array
from overparam.measures.row_groups import is_missing

_CUTS = 8  # intervals of equal mass that numbers are cut into
_MOST_CATEGORIES = 50  # of a column that is searched; rarer ones are taken together
_PARENTS = 6  # regions of single columns that are crossed with each other
_MISSING = -1


@dataclass(frozen=True)
class Column:
    """One column, as the search sees it.

    Attributes:
        name: as text. values: float64 `[n]`, numbers with NaN where missing, or codes of
            categories, -1 where missing. categories: what the codes stand for; None of numbers.
    """

    name: str
    values: np.ndarray
    categories: tuple[Any, ...] | None


@dataclass(frozen=True)
class SegmentCondition:
    """What a row must be in one column to lie in a region.

    Attributes:
        column: its name. low, high: bounds of a number, low <= x < high. categories: of which it
            is one; empty for numbers. missing: whether the value must be missing instead.
    """

    column: str
    low: float = -np.inf
    high: float = np.inf
    categories: tuple[Any, ...] = ()
    missing: bool = False

    def __str__(self) -> str:
        if self.missing:
            return f"{self.column} is missing"
        if self.categories:
            named = ", ".join(map(str, self.categories))
            return (
                f"{self.column} is {named}"
                if len(self.categories) == 1
                else (f"{self.column} is one of {named}")
            )
        if self.low == -np.inf and self.high == np.inf:
            return f"{self.column} is not missing"
        if self.low == -np.inf:
            return f"{self.column} < {self.high:.6g}"
        if self.high == np.inf:
            return f"{self.column} >= {self.low:.6g}"
        return f"{self.low:.6g} <= {self.column} < {self.high:.6g}"


Region = tuple[SegmentCondition, ...]


def read_columns(table: Any) -> tuple[Column, ...]:
    """Return the columns of a DataFrame or of an array `[n, d]`.

    Numbers, truth values and dates (as numbers of days) are numbers; anything else is categories.

    Raises:
        DataError: no table, no rows or columns, two columns of one name, or numbers that are
            complex.
    """
    if hasattr(table, "tocsr"):
        raise _no_table("a sparse matrix")
    names = column_names(table)
    if names:
        return tuple(
            _column(name, table.iloc[:, i] if hasattr(table, "iloc") else table[given])
            for i, (name, given) in enumerate(zip(names, names_of(table), strict=True))
        )
    try:
        held = as_array(table)
    except (TypeError, ValueError):  # ragged lists
        raise _no_table(f"a {type(table).__name__} of rows of different lengths") from None
    if held.dtype.kind == "U" and isinstance(table, list | tuple):
        held = np.array(table, dtype=object)  # NumPy makes texts of all that stand among texts
    if held.ndim != 2 or held.size == 0:
        raise _no_table(f"an array {list(held.shape)}")
    return tuple(_column(f"column {i}", held[:, i]) for i in range(held.shape[1]))


def search_regions(
    columns: tuple[Column, ...], losses: np.ndarray, least_rows: int, n_regions: int
) -> list[Region]:
    """Return regions of the highest losses, the most striking first.

    Of each column all runs of neighbouring intervals, or of categories in the order of their mean
    loss; of the best of different columns the crossings. Striking is the difference to the rest in
    standard errors. A region that has most rows in common with one before it is left out.
    """
    singles: list[tuple[float, SegmentCondition, np.ndarray]] = []
    for column in columns:
        found = _best_of(column, losses, least_rows)
        singles += found[:2]
    singles.sort(key=lambda item: -item[0])
    scored: list[tuple[float, Region, np.ndarray]] = [
        (score, (condition,), inside) for score, condition, inside in singles
    ]
    for (_, one, here), (_, other, there) in combinations(singles[:_PARENTS], 2):
        if one.column != other.column:
            both = here & there
            if least_rows <= both.sum() <= len(losses) - least_rows:
                scored.append((_strikes(losses, both), (one, other), both))
    # A crossing must be worth its second condition: among equals the shorter comes first.
    scored.sort(key=lambda item: (-item[0], len(item[1])))
    chosen: list[Region] = []
    taken: list[np.ndarray] = []
    for score, region, inside in scored:
        if score > 0 and not any(_alike(inside, before) for before in taken):
            chosen.append(region)
            taken.append(inside)
        if len(chosen) == n_regions:
            break
    return chosen


def rows_in(region: Region, columns: tuple[Column, ...]) -> np.ndarray:
    """Return which rows fulfil all conditions of a region, bool `[n]`."""
    by_name = {column.name: column for column in columns}
    inside = np.ones(len(columns[0].values), dtype=bool)
    for condition in region:
        inside &= _fulfil(condition, by_name[condition.column])
    return inside


def _column(name: str, given: Any) -> Column:
    held = as_array(given.to_numpy() if hasattr(given, "to_numpy") else given)
    if held.ndim != 1 or not len(held):
        raise _no_table(f"column {name!r} {list(held.shape)}")
    if held.dtype.kind in "mM":
        days = held.astype("M8[ns]" if held.dtype.kind == "M" else "m8[ns]").astype(np.int64)
        return Column(name, np.where(np.isnat(held), np.nan, days / 86_400e9), None)
    if held.dtype.kind == "O":
        held = _as_numbers(held)
    if held.dtype.kind in "biuf":
        values = held.astype(np.float64)
        return Column(name, np.where(np.isfinite(values), values, np.nan), None)
    if held.dtype.kind == "c":
        raise DataError("complex numbers have no order", got=f"column {name!r}")
    missing = np.array([is_missing(value) for value in held.tolist()])
    texts = [str(value) for value in held.tolist()]
    known = sorted({t for t, m in zip(texts, missing, strict=True) if not m})
    code = {text: i for i, text in enumerate(known)}
    codes = [_MISSING if m else code[t] for t, m in zip(texts, missing, strict=True)]
    return Column(name, np.array(codes, np.float64), tuple(known))


def _as_numbers(held: np.ndarray) -> np.ndarray:
    """Return objects as float64, missing ones as NaN, where all of the others are numbers."""
    missing = np.array([is_missing(value) for value in held.tolist()])
    kinds = (int, float, np.number, np.bool_)
    if missing.all() or not all(isinstance(v, kinds) for v in held[~missing].tolist()):
        return held
    found = np.full(len(held), np.nan)
    found[~missing] = held[~missing].astype(np.float64)
    return found


def _best_of(
    column: Column, losses: np.ndarray, least_rows: int
) -> list[tuple[float, SegmentCondition, np.ndarray]]:
    found = []
    for condition in _conditions(column, losses):
        inside = _fulfil(condition, column)
        if least_rows <= inside.sum() <= len(losses) - least_rows:
            found.append((_strikes(losses, inside), condition, inside))
    return sorted(found, key=lambda item: -item[0])


def _conditions(column: Column, losses: np.ndarray) -> list[SegmentCondition]:
    found = [SegmentCondition(column.name, missing=True)]
    known = column.values[
        column.values >= 0 if column.categories is not None else ~np.isnan(column.values)
    ]
    if not len(known):
        return found
    if column.categories is None:
        inner = np.quantile(known, np.arange(1, _CUTS) / _CUTS, method="higher")
        ends = [-np.inf, *(c for c in np.unique(inner) if c > known.min()), np.inf]
        pairs = combinations(range(len(ends)), 2)
        whole = (0, len(ends) - 1)
        found += [
            SegmentCondition(column.name, ends[i], ends[j]) for i, j in pairs if (i, j) != whole
        ]
        if (len(known) < len(column.values)) and len(ends) > 1:
            found.append(SegmentCondition(column.name))  # all that is not missing
        return found
    counts = np.bincount(known.astype(np.int64), minlength=len(column.categories))
    common = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
    common = common[counts[common] > 0]
    mean = [losses[column.values == code].mean() for code in common]
    worst = [column.categories[common[i]] for i in np.argsort(-np.array(mean), kind="stable")]
    found += [SegmentCondition(column.name, categories=(name,)) for name in worst]
    return found + [
        SegmentCondition(column.name, categories=tuple(sorted(worst[:size])))
        for size in range(2, len(worst) // 2 + 1)
    ]


def _fulfil(condition: SegmentCondition, column: Column) -> np.ndarray:
    missing = column.values < 0 if column.categories is not None else np.isnan(column.values)
    if condition.missing:
        return missing
    if column.categories is not None:
        codes = [i for i, name in enumerate(column.categories) if name in condition.categories]
        return np.isin(column.values, codes)
    return ~missing & (column.values >= condition.low) & (column.values < condition.high)


def _strikes(losses: np.ndarray, inside: np.ndarray) -> float:
    """The difference of the mean loss inside to that outside, in standard errors of equal rows."""
    n, m = len(losses), int(inside.sum())
    spread = losses.std()
    if spread == 0:
        return 0.0
    gap = losses[inside].mean() - losses[~inside].mean()
    return float(gap / spread * np.sqrt(m * (n - m) / n))


def _alike(one: np.ndarray, other: np.ndarray) -> bool:
    return int((one & other).sum()) * 2 > min(int(one.sum()), int(other.sum()))


def _no_table(got: str) -> DataError:
    return DataError(
        "segments are searched in a table",
        got=got,
        allowed="a DataFrame, or an array [n, d]",
        remedy="of images, texts and sparse matrices give features to find_weak_clusters",
    )
