"""What each column of a table says of the target, by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_choice, check_count, check_range
from overparam.data.table_columns import Column
from overparam.measures.tables.column_cells import (
    cells_of,
    cross_fitted,
    is_missing,
    is_usual,
    permutation_p_values,
    target_scores,
)
from overparam.measures.tables.held_out_scores import CROSS_FITTED, Scale
from overparam.measures.tables.screened_target import (
    Target,
    folds_of,
    read_problem,
    rows_to_look_at,
)
from overparam.streams import Streams

MOST_ROWS = 20_000
_REPEATS = 5  # of folds, since how rows are dealt would move a score by half its interval
_PARTS: dict[str, Callable[[Column], np.ndarray]] = {
    "values": cells_of,
    "missing": is_missing,
    "presence": is_usual,
}


@dataclass(frozen=True, eq=False)
class ColumnScores:
    """How well each column alone predicts the target of rows that were held out.

    Attributes:
        names: of the columns. measure: ``balanced accuracy``, ``accuracy`` or ``R² of ranks``.
        chance: score of the trivial baseline. score: `[p]`; 1 is perfect. low, high: `[p]`, each
            covers its own with `confidence`. low_of_all, high_of_all: `[p]`, cover all at once.
        p_value: `[p]`, that the column says nothing, adjusted for all of them.
        n_rows: that were looked at. confidence: nominal coverage.
    """

    names: tuple[str, ...]
    measure: str
    chance: float
    score: np.ndarray
    low: np.ndarray
    high: np.ndarray
    low_of_all: np.ndarray
    high_of_all: np.ndarray
    p_value: np.ndarray
    n_rows: int
    confidence: float

    @property
    def predictive(self) -> tuple[str, ...]:
        """Names of the columns that say something, the best first; p-value <= 1 - confidence."""
        found = np.flatnonzero(self.p_value <= 1 - self.confidence)
        return tuple(self.names[i] for i in found[np.argsort(-self.score[found], kind="stable")])


def estimate_column_scores(
    table: Any,
    target: Any,
    *,
    of: str = "values",
    task: str | None = None,
    groups: Any = None,
    balanced: bool = True,
    n_folds: int = 5,
    n_permutations: int = 499,
    most_rows: int = MOST_ROWS,
    confidence: float = 0.95,
    seed: int = 0,
) -> ColumnScores:
    """Return how well each column alone predicts the target, in any form of dependence.

    A column is cut into cells (at most sqrt(n), 20 of equally many rows; a cell for each word of 5
    rows or more; one for what is missing), and a row is said to be of the class that is most
    frequent, relative to its share, in its cell among the rows of other folds; or of the mean rank
    there. score = (1/K) sum_k share of class k said right; or 1 - sum (r - r̂)² / sum (r - r̄)² for
    ranks r of numbers, so that no rising function of the target matters and no tail is heavy.

    Args:
        table: `[n, p]`, array, tensor, sparse matrix or DataFrame; see `read_columns`.
        target: `[n]`, classes of any type or numbers. task: ``classes`` or ``numbers``, by default
            what the target looks like (`read_target`).
        of: ``values``; ``missing``, whether the entry is missing, alone; or ``presence``, whether
            it is the column's commonest value (what is missing being one), such as
            ``expenditure > 0``.
        groups: `[n]`, rows that belong together: one of each is looked at, drawn at random.
        balanced: classes count alike; False for plain accuracy.
        most_rows: that are looked at; of more, as many are drawn.

    Returns:
        `ColumnScores`. A small p-value says that the column says something, which features are for;
        what is suspicious is `estimate_leaks`.

    Raises:
        DataError: a table or target that cannot be read, missing targets, one class, fewer than 10
            rows, or targets or groups that have the table's index in another order. UsageError: an
            unknown choice, or a number out of range.

    Cost: O(n p (permutations x classes + log n)). Assumptions: rows (or groups) are independent.
    p-values are exact then, by permutation. Intervals are about the mean score over data sets of
    this size; those of independent rows are widened by sqrt(1.5), since folds share rows in
    training. Source: p-values, Westfall, Young 1993; Jeffreys'
    intervals, Brown, Cai, DasGupta 2001, joined as in Zou, Donner 2008.

    >>> x, y = np.arange(100.0).reshape(-1, 1), np.arange(100) % 2
    >>> found = estimate_column_scores(np.hstack([x, y[:, None]]), y)
    >>> found.score[1], found.predictive, found.chance
    (np.float64(1.0), ('1',), 0.5)
    """
    check_choice("of", of, _PARTS)
    check_count("n_permutations", n_permutations, low=19)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    columns, known = read_problem(table, target, task, groups)
    streams = Streams(seed)
    rows = rows_to_look_at(len(known.codes), groups, most_rows, streams.numpy("rows"))
    known = known.take(rows)
    columns = tuple(taken(column, rows) for column in columns)
    return scores_of_columns(
        columns,
        [_PARTS[of](column) for column in columns],
        known,
        balanced=balanced,
        n_folds=n_folds,
        n_permutations=n_permutations,
        confidence=confidence,
        streams=streams,
    )


def scores_of_columns(
    columns: Sequence[Column],
    cells: Sequence[np.ndarray],
    target: Target,
    *,
    balanced: bool,
    n_folds: int,
    n_permutations: int,
    confidence: float,
    streams: Streams,
) -> ColumnScores:
    """Return `estimate_column_scores` of columns that were cut into cells."""
    rng = streams.numpy("folds")
    cuts = [folds_of(target, n_folds, rng) for _ in range(_REPEATS)]
    p_values = permutation_p_values(
        cells, target_scores(target), n_permutations, streams.numpy("permutations")
    )
    scale = Scale(target, balanced)
    outcomes = []
    for of_column in cells:
        said = [scale.decided(cross_fitted(of_column, target, folds)) for folds in cuts]
        outcomes.append(np.mean([scale.outcomes(one) for one in said], axis=0))
    at_once = 1 - (1 - confidence) / len(cells)
    each = [scale.estimate(o, confidence).widened(CROSS_FITTED, scale.lowest) for o in outcomes]
    of_all = [scale.estimate(o, at_once).widened(CROSS_FITTED, scale.lowest) for o in outcomes]
    return ColumnScores(
        tuple(column.name for column in columns),
        scale.name,
        scale.chance,
        np.array([e.score for e in each]),
        np.array([e.low for e in each]),
        np.array([e.high for e in each]),
        np.array([e.low for e in of_all]),
        np.array([e.high for e in of_all]),
        p_values,
        len(target.codes),
        confidence,
    )


def taken(column: Column, rows: np.ndarray) -> Column:
    """Return some rows of a column."""
    return Column(column.name, column.kind, column.values[rows], column.levels)
