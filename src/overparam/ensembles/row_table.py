"""All scores of every row, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from overparam.errors import DataError
from overparam.measures.label_errors import rank_label_errors
from overparam.measures.row_vulnerability import estimate_row_vulnerability

if TYPE_CHECKING:
    from overparam.ensembles.columns import Columns
    from overparam.ensembles.ensemble import Ensemble


def row_table(ensemble: Ensemble) -> dict[str, np.ndarray]:
    """Return name to column `[n]`, of the members with the largest ratio.

    Columns: ``label``; ``memorization`` with ``memorization_low``, ``_high`` and
    ``_standard_error``; ``accuracy_in``, ``accuracy_out``, ``n_in``, ``n_out``;
    ``p_out`` (probability of the label out of sample); ``label_error_rank`` (0 is the most
    suspicious row) and ``suggested_label``; ``vulnerability`` (the gap by which membership shifts
    the row's statistic, in its standard deviations) with ``vulnerability_low``, ``_high`` and
    ``_z_score``. What cannot be known is NaN; of a rank and a label -1 and None.
    """
    columns = ensemble.members.at_ratio()
    said = ensemble.out_of_sample_probabilities().probabilities
    errors = rank_label_errors(said, ensemble.labels)
    rank = np.empty(ensemble.n_rows, np.int64)
    rank[errors.order] = np.arange(ensemble.n_rows)
    rank[np.isnan(errors.suspicion)] = -1
    classes = np.array(ensemble.classes, dtype=object)
    suggested = errors.suggested
    assert suggested is not None  # there are labels
    names = classes[np.maximum(suggested, 0)]
    names[suggested < 0] = None
    table = {
        "label": _plain(classes[ensemble.labels]),
        **_memorization(ensemble, columns),
        "p_out": said[np.arange(ensemble.n_rows), ensemble.labels],
        "label_error_rank": rank,
        "suggested_label": _plain(names),
    }
    statistic = "probability" if ensemble.members.votes else "margin"
    try:
        exposed = estimate_row_vulnerability(columns[statistic], columns.in_subset)
    except DataError:  # margins that are infinite, of classes that subsets lack
        return table
    return table | {
        "vulnerability": exposed.gap,
        "vulnerability_low": exposed.low,
        "vulnerability_high": exposed.high,
        "vulnerability_z_score": exposed.z_score,
    }


def _memorization(ensemble: Ensemble, columns: Columns) -> dict[str, np.ndarray]:
    """Return scores and what they are made of; NaN where nobody is asked about rows it saw."""
    masks, known = columns.in_subset, columns.known
    n_in, n_out = (masks & known).sum(0), (~masks & known).sum(0)
    if (n_in * n_out).any():
        found = ensemble.memorization_scores()
        return {
            "memorization": found.estimate,
            "memorization_low": found.low,
            "memorization_high": found.high,
            "memorization_standard_error": found.standard_error,
            "accuracy_in": found.accuracy_in,
            "accuracy_out": found.accuracy_out,
            "n_in": found.n_in,
            "n_out": found.n_out,
        }
    right, nothing = columns["correct"] & known, np.full(ensemble.n_rows, np.nan)
    unknown = (
        "memorization",
        *(f"memorization_{end}" for end in ("low", "high", "standard_error")),
    )
    with np.errstate(invalid="ignore"):  # 0 / 0 is not known
        sides = (right & masks).sum(0) / n_in, (right & ~masks).sum(0) / n_out
    return {
        **dict.fromkeys(unknown, nothing),
        "accuracy_in": sides[0],
        "accuracy_out": sides[1],
        "n_in": n_in,
        "n_out": n_out,
    }


def _plain(values: np.ndarray) -> np.ndarray:
    """Return objects of one kind of number or text as an array of that."""
    kinds = {type(v) for v in values}
    if len(kinds) != 1 or None in values:
        return values
    try:
        return values.astype(kinds.pop())
    except OverflowError:  # whole numbers of more than 64 bits
        return values
