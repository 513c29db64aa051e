"""Shift between two tables, such as training and test: can rows be told apart, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import ndtri
from scipy.stats import rankdata

from overparam.checks import check_count, check_range
from overparam.data.table_columns import Column, n_rows_of, read_columns
from overparam.data.tables import check_columns, column_names
from overparam.errors import DataError
from overparam.measures.roc import AucEstimate, estimate_auc
from overparam.measures.tables.column_cells import cells_of, class_scores
from overparam.measures.tables.columns import ColumnScores, scores_of_columns, taken
from overparam.measures.tables.screened_target import FEWEST_ROWS, folds_of, read_target
from overparam.streams import Streams

_PENALTY = 1.0  # of the kernel classifier, whose kernel is 1 on the diagonal
_ROWS_OF_PAIRS = 500  # that the kernel's width is taken from


@dataclass(frozen=True, eq=False)
class Shift:
    """Whether rows of two tables can be told apart.

    Attributes:
        together: AUC of a classifier on all columns, of held-out rows, each ranked among those of
            its fold; 1/2 where nothing tells.
        p_value: that both come from one distribution, by all columns together or by one: the
            smaller of the two, doubled. p_together: by all columns together.
        columns: how well each column alone tells the table, with p-values adjusted for all of them
            and doubled as well.
        n_one, n_other: rows that were looked at.
    """

    together: AucEstimate
    p_value: float
    p_together: float
    columns: ColumnScores
    n_one: int
    n_other: int


def estimate_shift(
    one: Any,
    other: Any,
    *,
    n_folds: int = 5,
    n_permutations: int = 199,
    most_rows: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Shift:
    """Return whether rows of one table can be told from rows of another, and by which columns.

    A classifier two-sample test: kernel ridge regression of the table's sign on all columns (normal
    scores of numbers, indicators of words and of missing entries; Gaussian kernel of median width),
    scored by the AUC of rows of other folds, against the same with tables permuted within folds.
    Rows are ranked within their fold: scores of different folds come from different classifiers,
    and each leans away from the rows that it was not given, so that one ranking of all lies below
    1/2 where nothing tells. Classifiers of different folds share rows: the interval, DeLong's, is
    as many times longer as the AUC varies more over permutations than of independent scores. And
    each column by itself, in any form, as `estimate_column_scores` of which table it is.

    Args:
        one, other: `[n, p]` and `[m, p]` of the same columns, as in `estimate_column_scores`.
        most_rows: of either table; of more, as many are drawn.

    Returns:
        `Shift`. A small p-value with an AUC near 1/2 is a shift that is there and small.

    Raises:
        DataError: tables that cannot be read, fewer than 10 rows, or a column of numbers in one and
            words in the other. UsageError: other columns, more folds than rows of either table, or
            numbers out of range.

    Cost: n_folds (2 most_rows)³ / 3, and most_rows² n_permutations. Assumption: rows are
    independent; the p-values are exact then. Rows of one group in both tables, or in one, make it
    too small. Source: Lopez-Paz, Oquab 2017 (arXiv:1610.06545), there with one split; adjusted
    p-values, Westfall, Young 1993.

    >>> rng = np.random.default_rng(0)
    >>> found = estimate_shift(rng.standard_normal((80, 2)), rng.standard_normal((60, 2)) + [0, 2])
    >>> found.columns.predictive, found.p_value < 0.05, found.together.auc > 0.9
    (('1',), True, True)
    """
    check_count("n_permutations", n_permutations, low=19)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    check_count("most_rows", most_rows, low=FEWEST_ROWS)
    if column_names(one) and column_names(other):
        check_columns(other, column_names(one), "the first table")
    columns = _joined(read_columns(one), read_columns(other))
    streams, sizes = Streams(seed), (n_rows_of(one), n_rows_of(other))
    if min(sizes) < FEWEST_ROWS:
        raise DataError("too few rows to screen", got=list(sizes), allowed=f">= {FEWEST_ROWS}")
    rng = streams.numpy("rows")
    parts = [np.sort(rng.permutation(size)[:most_rows]) for size in sizes]
    rows = np.concatenate([parts[0], sizes[0] + parts[1]])
    columns = [taken(column, rows) for column in columns]
    which = np.repeat([0, 1], [len(part) for part in parts])
    target = read_target(which, len(which), "classes")
    check_count("n_folds", n_folds, 2, min(len(part) for part in parts))
    folds = folds_of(target, n_folds, streams.numpy("folds"))
    said, signs = _told(_kernel(columns, streams.numpy("width")), which, folds, n_permutations, rng)
    ranks = _within_folds(said, folds)
    areas = _areas(ranks, signs)
    p_together = float((areas >= areas[0] - 1e-12).mean())
    each = scores_of_columns(
        columns,
        [cells_of(column) for column in columns],
        target,
        balanced=True,
        n_folds=n_folds,
        n_permutations=n_permutations,
        confidence=confidence,
        streams=streams,
    )
    doubled = np.minimum(2 * each.p_value, 1.0)
    return Shift(
        _widened(estimate_auc(ranks[:, 0], which == 1, confidence), areas[1:]),
        min(2 * p_together, float(doubled.min()), 1.0),
        p_together,
        replace(each, p_value=doubled),
        len(parts[0]),
        len(parts[1]),
    )


def _joined(one: Sequence[Column], other: Sequence[Column]) -> list[Column]:
    """Return the columns of both tables, rows of the one first.

    Raises:
        DataError: another number of columns, or a column of another kind.
    """
    if len(one) != len(other):
        raise DataError("tables have different numbers of columns", got=[len(one), len(other)])
    found = []
    for a, b in zip(one, other, strict=True):
        kinds = {c.kind for c in (a, b) if not c.missing.all()}
        if len(kinds) > 1:
            raise DataError(
                f"column {a.name!r} is of another kind in the second table",
                got=f"{b.kind}s",
                allowed=f"{a.kind}s",
                remedy="convert it in both, or leave it out",
            )
        # Of words and of numbers kept apart by their places, those among both; one alone is rounded
        # as the other is.
        apart = all(c.levels for c in (a, b) if not c.missing.all())
        levels = tuple(sorted({*a.levels, *b.levels})) if apart else ()
        place = {level: i for i, level in enumerate(levels)}
        values = np.concatenate([_values_of(c, place) for c in (a, b)])
        found.append(Column(a.name, kinds.pop() if kinds else a.kind, values, levels))
    return found


def _values_of(column: Column, place: dict[Any, int]) -> np.ndarray:
    """Return a column's values, those of its levels being their places, or they as float64."""
    if not column.levels:
        return column.values
    of_levels = np.array([*(place.get(level, level) for level in column.levels), np.nan], float)
    return of_levels[np.where(column.missing, -1, np.nan_to_num(column.values)).astype(np.int64)]


def _kernel(columns: Sequence[Column], rng: np.random.Generator) -> np.ndarray:
    """Return the Gaussian kernel of all rows, its width the median distance."""
    parts = []
    for column in columns:
        there = ~column.missing
        if column.kind == "word":
            part = class_scores(cells_of(column))
        else:
            part = np.zeros((len(there), 2))
            n = max(int(there.sum()), 1)
            part[there, 0] = ndtri((rankdata(column.values[there]) - 0.5) / n)
            part[:, 1] = there
            part -= part.mean(0)
        size = np.sqrt((part**2).sum(1).mean())
        if size > 1e-9:
            parts.append(part / size)
    if not parts:
        return np.ones((len(columns[0].values),) * 2)
    x = np.concatenate(parts, axis=1)
    squares = cdist(x, x, "sqeuclidean")
    some = rng.permutation(len(x))[:_ROWS_OF_PAIRS]
    apart = squares[np.ix_(some, some)][np.triu_indices(len(some), 1)]
    return np.exp(-squares / (2 * (float(np.median(apart)) or float(apart.mean()) or 1.0)))


def _told(
    kernel: np.ndarray,
    which: np.ndarray,
    folds: np.ndarray,
    n_permutations: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what held-out rows are said to be, and what they are, `[n, 1 + permutations]`.

    Tables are permuted within folds, which were cut with as many rows of either in each.
    """
    signs = np.tile(which[:, None].astype(np.float64), 1 + n_permutations)
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold)
        signs[held, 1:] = rng.permuted(signs[held, 1:], axis=0)
    said = np.empty_like(signs)
    for fold in np.unique(folds):
        held, inside = np.flatnonzero(folds == fold), np.flatnonzero(folds != fold)
        middle = signs[inside].mean(0)
        square = kernel[np.ix_(inside, inside)] + _PENALTY * np.eye(len(inside))
        said[held] = middle + kernel[np.ix_(held, inside)] @ np.linalg.solve(
            square, signs[inside] - middle
        )
    return said, signs


def _within_folds(said: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return the place of each row among those of its fold, in (0, 1), of each column."""
    ranks = np.empty_like(said)
    for fold in np.unique(folds):
        held = folds == fold
        ranks[held] = (rankdata(said[held], axis=0) - 0.5) / held.sum()
    return ranks


def _widened(found: AucEstimate, by_chance: np.ndarray) -> AucEstimate:
    """Return the AUC with the interval that its spread over permutations asks for."""
    m, n = found.n_members, found.n_nonmembers
    independent = np.sqrt((m + n + 1) / (12 * m * n))  # Mann and Whitney's, where nothing tells
    factor = max(float(by_chance.std() / independent), 1.0)
    return replace(
        found,
        low=max(found.auc - factor * (found.auc - found.low), 0.0),
        high=min(found.auc + factor * (found.high - found.auc), 1.0),
        standard_error=factor * found.standard_error,
    )


def _areas(said: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return the AUC of each column."""
    ranks = rankdata(said, axis=0)
    n_one = signs[:, 0].sum()
    above = (ranks * signs).sum(0) - n_one * (n_one + 1) / 2
    return above / (n_one * (len(signs) - n_one))
