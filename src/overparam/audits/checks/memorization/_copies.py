"""What copies flatter, and which near copies there are: shared by the checks of copies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Measured
from overparam.data.arrays import as_array
from overparam.data.rows import is_sparse
from overparam.errors import DataError
from overparam.measures.copies.copied_tests import cost_of_leaks
from overparam.measures.copies.near_duplicates import NearDuplicates, find_near_duplicates

_PER_SECOND = 2e9  # rows x rows x columns that are compared in a second, on one core
_PIXELS = 64  # numbers that stand for an image in that
_FEWEST_ROWS = 50


def near_copies(evidence: Evidence, other: Any = None) -> NearDuplicates:
    """Return near copies among the training rows, or between them and other rows.

    Raises:
        Missing: nothing is searched: the reason is in it.
    """
    subject = evidence.subject
    if subject.has_no_inputs:
        raise Missing("not applicable", "no inputs were given, only predictions")
    inputs = subject.train.inputs
    if is_sparse(inputs) or not subject.has_numbers or not (subject.is_table or subject.has_images):
        raise Missing("not applicable", "near copies are looked for in images and in numbers alone")
    n, m = subject.n_rows, subject.n_rows if other is None else len(other)
    if min(n, m) < _FEWEST_ROWS:
        raise Missing("skipped", f"fewer than {_FEWEST_ROWS} rows do not tell what is near")
    width = np.shape(inputs)[1] if subject.is_table else _PIXELS
    if float(n) * m * width > _PER_SECOND * evidence.seconds_per_check:
        raise Missing(
            "skipped",
            f"{n:,} x {m:,} rows take too long to compare in this budget; overparam.measures."
            "find_near_duplicates does it where you have the time",
        )
    for values in (inputs,) if other is None else (inputs, other):
        if not np.isfinite(np.asarray(as_array("inputs", values), float)).all():
            raise Missing("not applicable", "inputs hold missing values; fill them in to look")
    try:
        return find_near_duplicates(inputs, other, seed=evidence.seed)
    except DataError as error:
        raise Missing("skipped", f"near copies: {error}") from error


def flattered(
    evidence: Evidence, loss: Any, test_groups: np.ndarray, train_groups: np.ndarray
) -> Measured | None:
    """Return by how much a loss is too low because of copies, in points.

    Args:
        loss: `[K, m]` of the models on subsets. test_groups, train_groups: equal for copies.

    Returns:
        None where too few models had a copy, or had none.
    """
    try:
        found = cost_of_leaks(
            loss,
            test_groups,
            train_groups,
            evidence.models.in_subset,
            confidence=evidence.confidence,
        )
    except DataError:
        return None
    cost = in_points(found.cost, found.low, found.high)
    return replace(cost, baseline=0.0, baseline_name="no copies")


def groups_of_copies_only(group: np.ndarray) -> np.ndarray:
    """Return groups `[n]`, those of rows without a copy being of no training row.

    >>> groups_of_copies_only(np.array([0, 1, 0]))
    array([0, 4, 0])
    """
    n = len(group)
    _, of_row, counts = np.unique(group, return_inverse=True, return_counts=True)
    return np.where(counts[of_row] > 1, group, n + np.arange(n))
