"""What a check of data looks at: a table, its target, and as many rows as its time allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import rankdata

from overparam.audits.evidence import Evidence, Missing
from overparam.audits.subject import Subject
from overparam.data.rows import is_sparse
from overparam.data.table_columns import n_rows_of, take
from overparam.ensembles.planning import in_words
from overparam.streams import Streams

PER_ENTRY = 2e-5  # seconds that a column's screening takes for each row, by 499 permutations
_PER_FOREST, _PER_FOREST_ROW = 0.1, 1.3e-4  # seconds of a forest; of a row and root of a column
_FEWEST, _MOST = 100, 20_000  # rows that are looked at
_FEWEST_GROUPS = 10
_RUNS = 20  # of rows in a row, that a sample in order is made of
_STRATA = 10  # that numbers are cut into, so that each part of a table has all of their range


@dataclass(frozen=True, eq=False)
class LookedAt:
    """Some rows of the training set as a table.

    Attributes:
        table, target: of these rows, target as it was given. rows: int64, their positions.
        groups: what belongs together among them; None for nothing.
    """

    table: Any
    target: np.ndarray
    rows: np.ndarray
    groups: np.ndarray | None

    def __len__(self) -> int:
        return len(self.rows)

    def of_all(self, evidence: Evidence) -> str:
        """Return how many rows were looked at, where these are not all; else ""."""
        n = evidence.subject.n_rows
        return "" if len(self) == n else f" ({len(self):,} of {n:,} rows were looked at)"


def why_no_table(subject: Subject) -> str:
    """Return why inputs have no columns to look at; "" where they have."""
    if subject.has_no_inputs:
        return "no inputs were given, only predictions"
    if not subject.is_table:
        kind = "images" if subject.has_images else "no table"
        return f"the inputs are {kind}: they have no columns with a meaning of their own"
    if is_sparse(subject.train.inputs):
        return "the inputs are a sparse matrix, such as counts of words, not a table of columns"
    return _why_no_target(subject)


def why_no_rows(subject: Subject) -> str:
    """Return why inputs cannot be made a table of; "" for tables and images."""
    return _why_no_target(subject) if subject.has_images else why_no_table(subject)


def rows_as_table(inputs: Any) -> Any:
    """Return a table as it is, and images as a table of pixels."""
    if len(getattr(inputs, "shape", ())) < 3:
        return inputs
    array = np.asarray(inputs)
    return array.reshape(len(array), -1)


def n_columns_of(table: Any) -> int:
    """Return how many columns a table has."""
    shape = getattr(table, "shape", None) or np.shape(table)
    return int(shape[1])


def listed(names: Sequence[str], shown: int = 3) -> str:
    """Return columns as in a sentence; those that have no name are called by their places.

    >>> listed(["age", "7"]), listed("abcde")
    ('age, column 7', 'a, b, c and 2 more')
    """
    told = ", ".join(f"column {n}" if n.isdigit() else n for n in names[:shown])
    return f"{told} and {len(names) - shown} more" if len(names) > shown else told


def screening_seconds(evidence: Evidence, n_columns: int) -> float:
    """Return what one screening of all columns takes for each row."""
    n_classes = evidence.subject.train.n_outputs if evidence.subject.has_classes else 2
    return PER_ENTRY * n_columns * max(n_classes / 2, 1.0)


def look_at(
    evidence: Evidence,
    per_row: float,
    *,
    fixed: float = 0.0,
    in_order: bool = False,
    inputs: Any = None,
) -> LookedAt:
    """Return as many rows as a check's time pays for.

    Args:
        per_row: seconds that it takes for each row. fixed: seconds that it takes in any case.
        in_order: whether neighbours are to stay together: runs of rows instead of single ones.
        inputs: of the training rows, as a table; by default as they are.

    Raises:
        Missing: not even a hundred rows are paid for, or there are fewer than ten groups.
    """
    n, seconds = evidence.subject.n_rows, evidence.seconds_per_check
    paid = int((seconds - fixed) / max(per_row, 1e-9))
    if paid < min(_FEWEST, n):
        need = fixed + per_row * min(_FEWEST, n)
        raise Missing(
            "skipped",
            f"even {min(_FEWEST, n)} rows take {in_words(need)}, and one check may take "
            f"{in_words(seconds)} of the budget",
        )
    rows = _rows(n, min(paid, _MOST), in_order, Streams(evidence.seed).numpy("rows of a check"))
    table = rows_as_table(evidence.subject.train.inputs) if inputs is None else inputs
    assert n_rows_of(table) == n
    groups = None if evidence.groups is None else np.asarray(evidence.groups)[rows]
    if groups is not None and len(np.unique(groups)) < _FEWEST_GROUPS:
        raise Missing(
            "not applicable", f"there are fewer than {_FEWEST_GROUPS} groups of rows to look at"
        )
    return LookedAt(
        table if len(rows) == n else take(table, rows),
        evidence.subject.train.given_labels(rows),
        rows,
        groups,
    )


@dataclass(frozen=True, eq=False)
class Judge:
    """The model that measures what columns or rows are worth.

    Attributes:
        fit: the subject's own estimator, or None for a forest. name: as in a sentence.
        per_row, fixed: seconds of one fit, for each row and in any case; 0 where all are paid for.
    """

    fit: Any
    name: str
    per_row: float
    fixed: float


def judge_of(evidence: Evidence, n_fits: int, n_columns: int) -> Judge:
    """Return the subject's own model where so many fits are paid for, else a forest."""
    subject = evidence.subject
    if subject.kind == "estimator" and not subject.arguments and evidence.has("one"):
        seconds, is_as_given = evidence.one.seconds, subject.is_table and not subject.train.flat
        if is_as_given and n_fits * seconds <= evidence.seconds_per_check:
            # Paid for with all rows: how many are looked at shall not depend on a clock.
            return Judge(subject.model, subject.name, 0.0, 0.0)
    return a_forest(n_columns)


def a_forest(n_columns: int) -> Judge:
    """Return the forest of the measures, of which trees look at the root of all columns."""
    return Judge(None, "a forest", _PER_FOREST_ROW * n_columns**0.5, _PER_FOREST)


def task_of(evidence: Evidence) -> str:
    """Return what the measures call the subject's task."""
    return "classes" if evidence.subject.has_classes else "numbers"


def spread_over_rows(target: np.ndarray, task: str) -> np.ndarray:
    """Return an order of the rows in which every part has all classes, each in its own order.

    The place of a row is its rank among the rows of its class (of numbers: of its tenth), so that
    rows sorted by the target are no longer, and rows in any other order hardly move.

    >>> spread_over_rows(np.array(["a", "a", "b", "b"]), "classes").tolist()
    [0, 2, 1, 3]
    """
    if task == "classes":
        _, strata = np.unique(target, return_inverse=True)
    else:
        ranks = rankdata(np.asarray(target, float).reshape(len(target)))
        strata = np.minimum((ranks / (len(ranks) + 1) * _STRATA).astype(int), _STRATA - 1)
    place = np.empty(len(strata))
    for s in np.unique(strata):
        some = np.flatnonzero(strata == s)
        place[some] = (np.arange(len(some)) + 0.5) / len(some)
    return np.argsort(place, kind="stable")


def _rows(n: int, most: int, in_order: bool, rng: np.random.Generator) -> np.ndarray:
    if most >= n:
        return np.arange(n)
    if not in_order:
        return np.sort(rng.permutation(n)[:most])
    length = max(most // _RUNS, 2)
    starts = np.linspace(0, n - length, most // length).round().astype(int)
    return np.unique(starts[:, None] + np.arange(length))


def _why_no_target(subject: Subject) -> str:
    if subject.has_no_inputs:
        return "no inputs were given, only predictions"
    several = not subject.has_classes and subject.train.n_outputs > 1
    return "there are several targets, and columns are screened for one" if several else ""
