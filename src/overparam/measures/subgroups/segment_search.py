"""Regions of a table, of one column or two, where a loss is higher: searched, not yet believed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from overparam.data.table_columns import Column, read_columns
from overparam.data.tables import column_names
from overparam.errors import DataError

_CUTS = 8  # intervals of equal mass that numbers are cut into
_MOST_CATEGORIES = 50  # of a column that is searched; rarer ones are taken together
_PARENTS = 6  # regions of single columns that are crossed with each other


@dataclass(frozen=True)
class SegmentCondition:
    """What a row must be in one column to lie in a region.

    Attributes:
        column: its name. low, high: bounds of a number, low <= x < high, or of a date, in seconds
            since 1970; exact numbers or fractions where float64 would merge entries.
        categories: of which it is one; empty for numbers and dates. missing: whether the value must
            be missing instead. is_date: whether bounds are of dates.
    """

    column: str
    low: float = -np.inf
    high: float = np.inf
    categories: tuple[Any, ...] = ()
    missing: bool = False
    is_date: bool = False

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
        low, high = self._told(self.low), self._told(self.high)
        if self.low == -np.inf:
            return f"{self.column} < {high}"
        if self.high == np.inf:
            return f"{self.column} >= {low}"
        return f"{low} <= {self.column} < {high}"

    def _told(self, bound: float) -> str:
        if self.is_date and isinstance(bound, Fraction):
            second, rest = divmod(bound, 1)
            return f"{datetime(1970, 1, 1) + timedelta(seconds=second)}.{int(rest * 10**9):09}"
        if not self.is_date or bound in (-np.inf, np.inf):
            return f"{bound:.6g}" if isinstance(bound, float) else str(bound)
        date = datetime(1970, 1, 1) + timedelta(seconds=bound)
        return str(date).removesuffix(" 00:00:00")


Region = tuple[SegmentCondition, ...]


def columns_of(table: Any) -> tuple[Column, ...]:
    """Return the columns of a table, as `data.table_columns` reads it; of an array, by position.

    Raises:
        DataError: a sparse matrix, or no table.
    """
    if hasattr(table, "tocsr"):
        raise DataError(
            "segments are searched in a table",
            got="a sparse matrix",
            allowed="a DataFrame, or an array [n, d]",
            remedy="give features to find_weak_clusters, or the columns that matter as an array",
        )
    columns = read_columns(table)
    return (
        columns
        if column_names(table)
        else tuple(replace(column, name=f"column {column.name}") for column in columns)
    )


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
    known = column.values[~column.missing]
    if not len(known):
        return found
    if column.kind != "word":
        inner = np.quantile(known, np.arange(1, _CUTS) / _CUTS, method="higher")
        cuts = [c for c in np.unique(inner).tolist() if c > known.min()]
        if column.levels:
            cuts = [column.levels[int(c)] for c in cuts]
        ends = [-np.inf, *cuts, np.inf]
        pairs = combinations(range(len(ends)), 2)
        whole, is_date = (0, len(ends) - 1), column.kind == "date"
        found += [
            SegmentCondition(column.name, ends[i], ends[j], is_date=is_date)
            for i, j in pairs
            if (i, j) != whole
        ]
        if (len(known) < len(column.values)) and len(ends) > 1:
            found.append(SegmentCondition(column.name))  # all that is not missing
        return found
    counts = np.bincount(known.astype(np.int64), minlength=len(column.levels))
    common = np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]
    common = common[counts[common] > 0]
    mean = [losses[column.values == code].mean() for code in common]
    worst = [column.levels[common[i]] for i in np.argsort(-np.array(mean), kind="stable")]
    found += [SegmentCondition(column.name, categories=(name,)) for name in worst]
    return found + [
        SegmentCondition(column.name, categories=tuple(sorted(worst[:size])))
        for size in range(2, len(worst) // 2 + 1)
    ]


def _fulfil(condition: SegmentCondition, column: Column) -> np.ndarray:
    if condition.missing:
        return column.missing
    if column.kind == "word":
        codes = [i for i, name in enumerate(column.levels) if name in condition.categories]
        return np.isin(column.values, codes)
    low, high = condition.low, condition.high
    if column.levels:  # of which values are places
        low, high = bisect_left(column.levels, low), bisect_left(column.levels, high)
    below = column.values < high if high < np.inf else ~column.missing
    return below & (column.values >= low)


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
