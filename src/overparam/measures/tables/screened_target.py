"""The target of a table's columns: classes of any type or numbers, folds, and rows to look at."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from scipy.stats import rankdata

from overparam.checks import check_choice, check_count
from overparam.data.table_columns import Column, n_rows_of, read_column, read_columns
from overparam.data.tables import check_same_rows
from overparam.errors import DataError

FEWEST_ROWS = 10
_FEW_CLASSES = 20  # as many whole numbers are taken for classes without asking
TASKS = ("classes", "numbers")


@dataclass(frozen=True, eq=False)
class Target:
    """A checked target.

    Attributes:
        given: `[n]`, as it was given, for models to be trained on; numbers that float64 would
            merge, less the least of them.
        classes: what `codes` number, sorted as scikit-learn does; empty for numbers.
        codes: int64 `[n]`, class of each row; zeros for numbers.
        ranks: float64 `[n]`, of numbers, in (0, 1), ties share theirs; NaN for classes.
    """

    given: np.ndarray
    classes: np.ndarray
    codes: np.ndarray
    ranks: np.ndarray

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for numbers."""
        return len(self.classes)

    @property
    def task(self) -> str:
        """``classes`` or ``numbers``."""
        return "classes" if self.n_classes else "numbers"

    def take(self, rows: np.ndarray) -> Target:
        """Return the target of some rows, ranked anew.

        Raises:
            DataError: these rows have one class, or one number.
        """
        return read_target(self.given[rows], len(rows), self.task)


def read_target(
    target: Any, n_rows: int, task: str | None = None, *, name: str = "target"
) -> Target:
    """Return a target of classes or numbers, for a table of as many rows.

    Without a task, words and truth values are classes, and so are whole numbers and dates of at
    most 20 different values, each twice on average; all else is numbers.

    Args:
        target: `[n]` or `[n, 1]`: an array, tensor, list or series. task: ``classes``,
            ``numbers``, or None.

    Raises:
        DataError: of another number of rows, fewer than 10 rows, missing entries, all equal, or
            words where numbers are asked for. UsageError: another task.

    >>> read_target(["no", "yes"] * 5, 10).classes.tolist()
    ['no', 'yes']
    """
    if task is not None:
        check_choice("task", task, TASKS)
    values = np.asarray(target.detach().cpu() if hasattr(target, "detach") else target)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    column = read_column(name, values)
    if len(values) != n_rows:
        raise DataError(f"{name} is of another number of rows", got=len(values), allowed=n_rows)
    if n_rows < FEWEST_ROWS:
        raise DataError("too few rows to screen", got=n_rows, allowed=f">= {FEWEST_ROWS}")
    if column.missing.any():
        raise DataError(
            f"{name} has missing entries",
            got=f"{int(column.missing.sum())} of {n_rows}",
            remedy="drop these rows",
        )
    different, codes = np.unique(column.values, return_inverse=True)
    if len(different) < 2:
        raise DataError(f"all rows have one {name}", got=values[0], allowed="at least two")
    of_words = column.kind == "word"
    if task == "numbers" and of_words:
        raise DataError(f"{name} is words where numbers are asked for", got=values[0])
    few = len(different) <= _FEW_CLASSES and 2 * len(different) <= n_rows
    whole = column.kind == "date" or bool((different == np.round(different)).all())
    if task == "classes" or (task is None and (of_words or (few and whole))):
        given = _classes_of(column, values)
        classes, codes = np.unique(given, return_inverse=True)
        return Target(given, classes, codes.astype(np.int64), np.full(n_rows, np.nan))
    ranks = (rankdata(column.values) - 0.5) / n_rows
    return Target(_sizes(column), np.empty(0), np.zeros(n_rows, np.int64), ranks)


def _classes_of(column: Column, values: np.ndarray) -> np.ndarray:
    """Return the classes of rows as models take them: numbers, truth values or text."""
    if column.kind == "number" and values.dtype.kind == "O":
        if not column.levels:
            return column.values
        values = np.array([column.levels[int(i)] for i in column.values])
    if values.dtype.kind in "OM":  # mixed entries sort as text
        return np.array([str(value) for value in values])
    return values


def _sizes(column: Column) -> np.ndarray:
    """Return numbers of rows as models take them."""
    if not column.levels:
        return column.values
    least = Fraction(column.levels[0])
    return np.array([float(Fraction(level) - least) for level in column.levels])[
        column.values.astype(np.int64)
    ]


def read_problem(
    table: Any, target: Any, task: str | None = None, groups: Any = None
) -> tuple[tuple[Column, ...], Target]:
    """Return the columns of a table and its target; arguments and errors are those of both.

    Raises:
        DataError: also where two of table, target and groups have the same index in different
            orders.

    >>> columns, target = read_problem([[1.0], [2.0]] * 5, ["a", "b"] * 5)
    >>> len(columns), target.task
    (1, 'classes')
    """
    check_same_rows({"table": table, "targets": target, "groups": groups})
    return read_columns(table), read_target(target, n_rows_of(table), task)


def rows_to_look_at(
    n_rows: int, groups: Any, most_rows: int, rng: np.random.Generator
) -> np.ndarray:
    """Return rows drawn at random, in order: one of each group, and at most so many.

    Rows of one group resemble each other, and would count as more than they are worth.

    Raises:
        DataError: as `numbers_of_groups`, or fewer than 10 groups. UsageError: fewer than 10 rows
            are asked for.

    >>> len(rows_to_look_at(30, [i // 2 for i in range(30)], 12, np.random.default_rng(0)))
    12
    """
    check_count("most_rows", most_rows, low=FEWEST_ROWS)
    rows = rng.permutation(n_rows)
    if groups is not None:
        _, first = np.unique(numbers_of_groups(groups, n_rows)[rows], return_index=True)
        rows = rng.permutation(rows[first])
        if len(rows) < FEWEST_ROWS:
            raise DataError("too few groups", got=len(rows), allowed=f">= {FEWEST_ROWS}")
    return np.sort(rows[:most_rows])


def numbers_of_groups(groups: Any, n_rows: int) -> np.ndarray:
    """Return the number of each row's group, int64 `[n]`, from 0.

    Raises:
        DataError: groups of another number of rows, or missing entries.

    >>> numbers_of_groups(["b", "a", "b"], 3).tolist()
    [1, 0, 1]
    """
    column = read_column("groups", groups)
    if len(column.values) != n_rows:
        raise DataError(
            "groups are of another number of rows", got=len(column.values), allowed=n_rows
        )
    if column.missing.any():
        raise DataError(
            "groups have missing entries",
            got=int(column.missing.sum()),
            remedy="give each such row a group of its own",
        )
    return np.unique(column.values, return_inverse=True)[1].astype(np.int64)


def folds_of(target: Target, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Return the fold of each row, int64 `[n]`: drawn at random, in each class alike.

    Raises:
        UsageError: fewer than two folds, or more than rows.

    >>> target = read_target([0, 1] * 5, 10)
    >>> np.bincount(folds_of(target, 5, np.random.default_rng(0))).tolist()
    [2, 2, 2, 2, 2]
    """
    n = len(target.codes)
    check_count("n_folds", n_folds, 2, n)
    order = rng.permutation(n)
    order = order[np.argsort(target.codes[order], kind="stable")]
    folds = np.empty(n, np.int64)
    folds[order] = np.arange(n) % n_folds
    return folds
