"""Wrong labels: rows ranked by how improbable their label is to models that did not see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_count, check_range
from overparam.data.tables import check_rows
from overparam.errors import DataError, UsageError
from overparam.measures.error import RateEstimate, wilson_interval
from overparam.measures.subset_arrays import as_array, as_vector, check_probabilities, read_numbers

_SUREST = (0.25, 0.5)  # of all rows, on which the rate of wrong labels is read off
_FEWEST_ROWS = 20


@dataclass(frozen=True)
class LabelErrors:
    """Rows in the order in which their labels are worth a look.

    Attributes:
        order: int64 `[n]`, rows, the most suspicious first; rows of which nothing is known last.
        suspicion: `[n]`, 1 - p_out, in [0, 1]; larger is more suspicious; NaN where not known.
        suggested: int64 `[n]`, the most probable class out of sample, -1 where not known; None
            where only the label's own probability was given.
        n_unknown: rows that no model left out, which cannot be judged.
    """

    order: np.ndarray
    suspicion: np.ndarray
    suggested: np.ndarray | None
    n_unknown: int


def rank_label_errors(probabilities: Any, labels: Any = None) -> LabelErrors:
    """Return rows ordered by 1 - p_out, the improbability of their label out of sample.

    Not by memorization: a wrong label that the models also fail to learn scores low there, and
    for few models the difference of two accuracies is the noisier number.

    Args:
        probabilities: out of sample, `[n]` of the row's own label, or `[n, classes]`
            (`out_of_sample_probabilities`); NaN where not known.
        labels: int `[n]`, with `[n, classes]`: the labels that are doubted.

    Returns:
        `LabelErrors`. Equal rows keep their order.

    Raises:
        DataError: shapes that do not fit, labels outside the classes, values that are no
            probabilities, or only NaN.
        UsageError: `[n, classes]` without labels, or `[n]` with them.

    Cost: O(n log n + n classes). Assumption: as many models out of sample for every row, roughly.

    >>> found = rank_label_errors([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [0, 0, 0])
    >>> found.order, found.suspicion.round(2), found.suggested
    (array([1, 2, 0]), array([0.1, 0.8, 0.4]), array([0, 1, 0]))
    """
    if labels is None:
        own, chosen = _read_own(probabilities), None
    else:
        said, given = _read_classes(probabilities, labels)
        own, chosen = said[np.arange(len(said)), given], said.argmax(1)
    known = _known(own)
    suspicion = 1 - own
    order = np.argsort(np.where(known, -suspicion, np.inf), kind="stable")
    suggested = None if chosen is None else np.where(known, chosen, -1)
    return LabelErrors(order, suspicion, suggested, int((~known).sum()))


def estimate_noise_rate(
    probabilities: Any, labels: Any, *, confidence: float = 0.95
) -> RateEstimate:
    """Return the share of labels that are wrong, with an interval.

    The share of labels that differ from the most probable class, among the half of the rows of
    which the models are surest (by their largest probability, which does not know the label), and
    all that are as sure as the last of these: hard votes tie. The interval holds the Wilson
    intervals of that half and of the surest quarter: where models are still wrong on sure rows the
    quarter is the lower, and the interval says so.

    Args:
        probabilities: out of sample, `[n, classes]`; rows with NaN are left out.
        labels: int `[n]`.
        confidence: nominal coverage, in (0, 1).

    Returns:
        A `RateEstimate` of fractions in [0, 1]; its n is the number of rows in that half.

    Raises:
        DataError: as in `rank_label_errors`, or fewer than 20 rows of which something is known.
        UsageError: no labels, `[n]`, or a confidence outside (0, 1).

    Cost: O(n log n + n classes). Assumption: labels are wrong as often on sure rows as on others
    (mistakes that follow difficulty are underestimated), less often than right in every class, and
    models are right on sure rows; where they are not, the rate is too high by how often. Differs
    from confident learning (Northcutt, Jiang, Chuang 2021, arXiv:1911.00068), which counts all
    rows over a threshold of their class, hard ones that are right included, and has no interval.

    >>> sure = np.eye(2)[np.arange(100) % 2]
    >>> labels = np.where(np.arange(100) % 10 < 2, 0, np.arange(100) % 2)  # every tenth is wrong
    >>> estimate_noise_rate(sure, labels).rate
    0.1
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    said, given = _read_classes(probabilities, labels)
    known = _known(said[:, 0])
    if known.sum() < _FEWEST_ROWS:
        raise DataError(
            "too few rows to read a rate off the surest of them",
            got=int(known.sum()),
            allowed=f">= {_FEWEST_ROWS}",
        )
    sureness, differs = said[known].max(1), (said.argmax(1) != given)[known]
    found, n_differ = [], 0
    for share in _SUREST:
        least = np.sort(sureness)[len(sureness) - int(share * len(sureness))]
        sure = sureness >= least
        n, n_differ = int(sure.sum()), int(differs[sure].sum())
        found.append((*wilson_interval(n_differ, n, confidence), n))
    n = found[-1][2]
    return RateEstimate(
        n_differ / n,
        min(low for low, _, _ in found),
        max(high for _, high, _ in found),
        n,
        confidence,
    )


def recall_of_errors(order: Any, is_error: Any, n_inspected: int | None = None) -> float:
    """Return the share of known errors among the first rows of a ranking.

    Args:
        order: int `[n]`, rows, each once, the most suspicious first. is_error: bool `[n]`, by row.
        n_inspected: how many rows are looked at; by default as many as there are errors.

    Returns:
        A fraction in [0, 1]. At random it is n_inspected / n.

    Raises:
        DataError: an order that is none, other shapes, or no error at all.
        UsageError: n_inspected outside 1 ... n.

    Cost: O(n).

    >>> recall_of_errors([2, 0, 1, 3], [False, True, True, False])
    0.5
    """
    n = len(as_array("is_error", is_error, (1,)))
    wrong = as_vector("is_error", is_error, n, "rows") != 0
    ranking = as_vector("order", order, n, "rows as is_error")
    if not np.array_equal(np.sort(ranking), np.arange(n)):
        raise DataError(
            "order does not name every row once", got=str(ranking)[:80], allowed=f"0..{n - 1}"
        )
    if not wrong.any():
        raise DataError("there is no error to find", got=f"{n} rows", remedy="plant some")
    looked_at = (
        int(wrong.sum()) if n_inspected is None else check_count("n_inspected", n_inspected, 1, n)
    )
    return float(wrong[ranking[:looked_at]].sum() / wrong.sum())


def _read_own(probabilities: Any) -> np.ndarray:
    values = as_array("probabilities", probabilities, (1, 2))
    if values.ndim == 2:
        raise _mismatch(values, "no labels")
    own = read_numbers(values[None], slice(None))
    check_probabilities(own)
    return own[0]


def _read_classes(probabilities: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities `[n, classes]`, of a row all NaN or none, and labels `[n]`."""
    values = as_array("probabilities", probabilities, (1, 2))
    if values.ndim == 1 or labels is None:
        raise _mismatch(values, "no labels" if labels is None else "labels")
    said = read_numbers(values, slice(None))
    check_probabilities(said[None])
    n, n_classes = said.shape
    if n_classes < 2:
        raise DataError("one class has no wrong labels", got=f"probabilities {[n, n_classes]}")
    check_rows(probabilities, labels, of="probabilities")
    given = as_vector("labels", labels, n, "rows as probabilities")
    if given.dtype.kind != "i" or given.min() < 0 or given.max() >= n_classes:
        raise DataError(
            "labels are no classes",
            got=f"{given.dtype}, {given.min()}..{given.max()}",
            allowed=f"whole numbers 0..{n_classes - 1}",
        )
    said[np.isnan(said).any(1)] = np.nan
    return said, given


def _mismatch(values: Any, labels: str) -> UsageError:
    return UsageError(
        "labels go with the probabilities of all classes, and only with them",
        got=f"probabilities {list(values.shape)}, {labels}",
        allowed="[n, classes] with labels [n], or [n] of the own label alone",
    )


def _known(own: np.ndarray) -> np.ndarray:
    known = ~np.isnan(own)
    if not known.any():
        raise DataError("nothing is known of any row", got="only NaN")
    return known
