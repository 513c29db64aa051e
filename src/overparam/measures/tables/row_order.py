"""The order of rows: whether neighbours are alike, and whether the place of a row predicts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import rankdata

from overparam.checks import check_count, check_range
from overparam.data.table_columns import Column, n_rows_of, read_columns
from overparam.errors import DataError
from overparam.measures.tables.column_cells import (
    cells_of,
    class_scores,
    largest_of_all,
    target_scores,
)
from overparam.measures.tables.columns import ColumnScores, estimate_column_scores
from overparam.measures.tables.screened_target import FEWEST_ROWS, read_problem
from overparam.streams import Streams

TARGET = "(target)"
_AT_ONCE = 2**22  # entries that are reordered at once


@dataclass(frozen=True, eq=False)
class RowOrder:
    """What the order of the rows says.

    Attributes:
        names: of the columns; ``(target)`` last, where there is one.
        likeness: `[p]`, correlation of neighbouring rows, 0 on average where the order says
            nothing (less 1 / (n - 1)); of words, the mean over their indicators. NaN where a
            column does not vary. p_value: `[p]`, adjusted for all columns and the target.
        position: how well the row's number alone predicts the target; None without one. With one,
            p-values of both kinds are doubled: something is found with probability at most
            1 - confidence where the order says nothing.
        rising: columns that never fall, or never rise, from row to row, and are not constant.
        identifiers: columns of whole numbers or words that are all different.
        confidence: nominal.
    """

    names: tuple[str, ...]
    likeness: np.ndarray
    p_value: np.ndarray
    position: ColumnScores | None
    rising: tuple[str, ...]
    identifiers: tuple[str, ...]
    confidence: float

    @property
    def dependent(self) -> tuple[str, ...]:
        """Names of columns whose neighbours are more alike than chance, the most alike first."""
        found = np.flatnonzero(self.p_value <= 1 - self.confidence)
        order = found[np.argsort(-self.likeness[found], kind="stable")]
        return tuple(self.names[i] for i in order)


def estimate_row_order(
    table: Any,
    target: Any = None,
    *,
    task: str | None = None,
    n_permutations: int = 499,
    confidence: float = 0.95,
    seed: int = 0,
) -> RowOrder:
    """Return whether neighbouring rows are more alike than chance, and what a row's place predicts.

    For standardized ranks z of a column (of words, standardized indicators; missing entries count
    as the mean, 0): likeness = sum_i z_i z_(i+1) / sum_i z_i². Under exchangeable rows its mean is
    -1/n.

    Args:
        table: `[n, p]`, rows in the order in which they were recorded, as in
            `estimate_column_scores`. target: `[n]`, or None.

    Returns:
        `RowOrder`. Order that is there is no fault by itself: it is one where rows are split at
        random, or where new rows come later; `score_in_blocks` has what it costs.

    Raises:
        DataError: as `estimate_column_scores`. UsageError: a number out of range.

    Cost: O(permutations n p). The p-values are exact where rows are exchangeable: by permutation of
    whole rows, each column compared with the largest of all. Source: Wald, Wolfowitz 1943, Annals
    of Mathematical Statistics 14, 378 (serial correlation under permutations).

    >>> found = estimate_row_order(np.repeat(np.arange(10.0), 10)[:, None])
    >>> found.dependent, found.rising, found.likeness.round(2)
    (('0',), ('0',), array([0.97]))
    """
    check_count("n_permutations", n_permutations, low=19)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    columns, n = read_columns(table), n_rows_of(table)
    if n < FEWEST_ROWS:
        raise DataError("too few rows to screen", got=n, allowed=f">= {FEWEST_ROWS}")
    scores, names, position = [_scores(c) for c in columns], [c.name for c in columns], None
    if target is not None:
        _, known = read_problem(table, target, task)
        scores.append(target_scores(known))
        names.append(TARGET)
        position = estimate_column_scores(
            np.arange(n)[:, None],
            known.given,
            task=known.task,
            n_permutations=n_permutations,
            confidence=confidence,
            seed=seed,
        )
        position = replace(position, p_value=_of_two(position.p_value))
    rng = Streams(seed).numpy("order")
    orders = [np.arange(n), *(rng.permutation(n) for _ in range(n_permutations))]
    statistics = np.array([_likeness(of, orders) for of in scores])
    p_value = largest_of_all(np.nan_to_num(statistics))
    return RowOrder(
        tuple(names),
        statistics[:, 0],
        p_value if target is None else _of_two(p_value),
        position,
        tuple(c.name for c in columns if _rises(c)),
        tuple(c.name for c in columns if _identifies(c)),
        confidence,
    )


def _of_two(p_value: np.ndarray) -> np.ndarray:
    """Return p-values of one of two families of tests, so that both together err as seldom."""
    return np.minimum(2 * p_value, 1.0)


def _likeness(scores: np.ndarray, orders: list[np.ndarray]) -> np.ndarray:
    """Return the correlation of neighbours in each order of the rows, `[orders]`."""
    total = float((scores**2).sum())
    if total == 0:
        return np.full(len(orders), np.nan)
    # A column of words may have many indicators: one order at a time, some indicators at a time.
    step = max(_AT_ONCE // len(scores), 1)
    parts = [scores[:, i : i + step] for i in range(0, scores.shape[1], step)]
    return np.array(
        [
            sum(np.einsum("ij,ij", p[order[:-1]], p[order[1:]]) for p in parts) / total
            for order in orders
        ]
    )


def _scores(column: Column) -> np.ndarray:
    """Return a column as `[n, k]` of mean 0."""
    if column.kind == "word":
        return class_scores(cells_of(column))
    there, found = ~column.missing, np.zeros((len(column.values), 1))
    ranks = rankdata(column.values[there])
    found[there, 0] = ranks - (ranks.mean() if len(ranks) else 0)
    return found


def _rises(column: Column) -> bool:
    steps = np.diff(column.values[~column.missing])
    return column.kind != "word" and bool(
        ((steps >= 0).all() or (steps <= 0).all()) and (steps != 0).any()
    )


def _identifies(column: Column) -> bool:
    values = column.values[~column.missing]
    whole = column.kind == "word" or bool((values == np.round(values)).all())
    return column.kind != "date" and whole and len(values) == len(np.unique(values)) > 1
