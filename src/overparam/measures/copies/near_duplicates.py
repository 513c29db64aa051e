"""Near duplicates: rows that lie much nearer to each other than rows of this data set do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.data.arrays import as_array
from overparam.data.row_keys import first_of_equal
from overparam.data.rows import is_sparse, is_table
from overparam.data.tables import check_columns, column_names
from overparam.errors import DataError
from overparam.measures.copies.aligned_images import ImageIndex, as_images
from overparam.measures.copies.duplicates import Duplicates, joined_groups, rows_to_search
from overparam.measures.copies.neighbor_gaps import PLACE, GapTail, fit_tail, gaps, largest_p
from overparam.measures.copies.planted_copies import Change, image_changes, table_changes
from overparam.measures.copies.table_neighbors import TableIndex
from overparam.measures.error import RateEstimate, wilson_interval

_FEWEST_ROWS = 50
_N_PLANTED = 100  # of each kind


@dataclass(frozen=True)
class NearDuplicates(Duplicates):
    """Copies, exact and near, within one set or over two.

    Attributes:
        group, group_of_other: as in `Duplicates`; rows that a chain of copies joins are one group.
        pairs: int64 `[m, 2]`, near copies, nearest first: two rows of the set, or a row of it and
            one of the other set. Of rows that are exact copies only the first stands here.
        distance: `[m]`. For images sqrt(2 - 2 r), in [0, 2], r the correlation of what is left of
            them after alignment; for tables Euclidean, in units of each column's spread.
        p_value: `[m]`, in (0, 1]: how often a row without copies has a neighbour so near.
        threshold: the largest p-value that counts as found.
        expected_false: how many rows without copies are expected among those found.
        planted: by kind of change, the share of planted copies that this search finds.
    """

    pairs: np.ndarray
    distance: np.ndarray
    p_value: np.ndarray
    threshold: float
    expected_false: float
    planted: dict[str, RateEstimate]


def find_near_duplicates(
    inputs: Any, other: Any = None, *, false_share: float = 0.05, seed: int = 0
) -> NearDuplicates:
    """Return which rows are copies of each other up to small changes.

    A row has a near copy where log(d_7/d_1), the gap between its seventh neighbour and its first,
    is beyond what gaps of this data set are (`neighbor_gaps`): no distance is small in itself. The
    tail of gaps is exponential, fitted between the median row and the ninth tenth; of the rows
    beyond it as many are taken as keep the false ones below `false_share` (Benjamini and Hochberg
    1995), and only where d_1 is below the usual d_1. Copies of 100 rows, changed in ways that leave
    them copies, are then searched by the same rule.

    Args:
        inputs: n images `[n, h, w]`, `[n, c, h, w]` or `[n, h, w, c]`, at any scale, compared up to
            shifts of four pixels (of 32), mirroring, brightness and contrast; or a table of numbers
            `[n, p]`, compared column by column in units of its spread.
        other: m rows of the same form, searched among the first set; then pairs are between the
            two sets only.
        false_share: expected share of rows without copies among those found, in (0, 1).
        seed: of the planted copies.

    Returns:
        `NearDuplicates`. A row with more than six near copies may be missed; so may all where more
        than a tenth of the rows have one. Images without contrast have no near copies.

    Raises:
        DataError: texts, sparse or missing values, numbers that are no images and no table, other
            shapes, or fewer than 50 different rows to search, or to search among.
        UsageError: a share outside (0, 1).

    Cost: images: O(n m) of 64 numbers, then 26 transforms of 32 x 32 pixels for each row; some
    10 KiB for each image of the first set. Tables: scikit-learn's nearest neighbours.
    Assumption: at most a tenth of the rows have near copies, and gaps of rows that have none do not
    have a longer tail than an exponential one: a data set made of tight pairs is all copies to it.

    >>> rows = np.random.default_rng(0).normal(size=(300, 5))
    >>> rows[7] = rows[200] + 1e-4
    >>> find_near_duplicates(rows).pairs.tolist()
    [[7, 200]]
    """
    check_range("false_share", false_share, 0, 1, open_low=True, open_high=True)
    values, others = _read("inputs", inputs), None
    if other is not None:
        others = _read("other", other)
        if is_table(inputs):
            check_columns(other, column_names(inputs), "the first set")
    exact, n = first_of_equal(values, others), len(values)
    base = np.unique(exact[:n])
    # What has an exact copy in the first set is found without a search.
    searched = base if others is None else np.setdiff1d(exact[n:], base)
    _check_enough("inputs", len(base))
    _check_enough("inputs" if others is None else "other", len(searched))
    index, rows, changes = _index(values[base] if len(base) < n else values)
    if others is None:
        near, far = index.nearest(rows, np.arange(len(base)))
    else:
        asked = others[searched - n]
        near, far = index.nearest(as_images(asked) if isinstance(index, ImageIndex) else asked)
    tail = fit_tail(far)
    p = _p_values(tail, far)
    cut = max(largest_p(p[:, 0], false_share), false_share / len(p))
    row, place = np.nonzero(p <= cut)
    ends = np.stack([base[near[row, place]], searched[row]], axis=1)
    pairs, at, found = _distinct(np.sort(ends, axis=1), far[row, place], p[row, place])
    group = joined_groups(
        len(exact), np.r_[np.arange(len(exact)), pairs[:, 0]], np.r_[exact, pairs[:, 1]]
    )
    return NearDuplicates(
        group[:n],
        None if others is None else group[n:],
        pairs if others is None else pairs - [0, n],
        at,
        found,
        cut,
        float(cut * len(p)),
        {
            kind: _recall(index, rows, change, tail, cut, np.random.default_rng(seed))
            for kind, change in changes.items()
        },
    )


def _check_enough(name: str, count: int) -> None:
    if count < _FEWEST_ROWS:
        raise DataError(
            f"{name} are too few to tell what is near",
            got=f"{count} different rows",
            allowed=f">= {_FEWEST_ROWS}",
            remedy="find_duplicates finds exact copies among any number",
        )


def _read(name: str, inputs: Any) -> np.ndarray:
    """Return numbers `[n, ...]` without missing ones."""
    rows = rows_to_search(name, inputs)
    if is_sparse(rows) or isinstance(rows, list):
        raise DataError(
            "near copies are of images and of tables of numbers",
            got=type(rows).__name__,
            remedy="find_duplicates takes any rows; or encode them as numbers [n, p]",
        )
    values = as_array(name, rows)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise DataError(
            f"{name} hold NaN or infinity",
            got=f"{int((~np.isfinite(values)).sum())} of {values.size} entries",
            remedy="drop or impute these rows; find_duplicates takes missing values",
        )
    return values


def _index(values: np.ndarray) -> tuple[ImageIndex | TableIndex, np.ndarray, dict[str, Change]]:
    """Return what is searched, the rows as it takes them, and how copies of them may differ."""
    if values.ndim == 2:
        table = TableIndex.of(values)
        return table, values, table_changes(table.scale)
    images = as_images(values)
    return ImageIndex.of(images), images, image_changes(images)


def _p_values(tail: GapTail, far: np.ndarray) -> np.ndarray:
    """Return of the first six neighbours of each row whether a row without copies has such."""
    return np.where(far[:, : PLACE - 1] <= tail.usual, tail.p_value(gaps(far)), 1.0)


def _distinct(
    ends: np.ndarray, far: np.ndarray, p: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return each pair once, nearest first, with the smaller p-value of its two ends."""
    pairs, of_end = np.unique(ends, axis=0, return_inverse=True)
    at, found = np.full(len(pairs), np.inf), np.ones(len(pairs))
    np.minimum.at(at, of_end.ravel(), far)
    np.minimum.at(found, of_end.ravel(), p)
    order = np.argsort(at, kind="stable")
    return pairs[order].reshape(-1, 2), at[order], found[order]


def _recall(
    index: Any,
    rows: np.ndarray,
    change: Change,
    tail: GapTail,
    cut: float,
    rng: np.random.Generator,
) -> RateEstimate:
    """Return the share of changed copies whose origin is found."""
    chosen = rng.choice(len(rows), min(_N_PLANTED, len(rows)), replace=False)
    near, far = index.nearest(change(rows[chosen].astype(np.float64), rng))
    hit = (p_found := _p_values(tail, far)) <= cut
    n_hits = int((hit & (near[:, : p_found.shape[1]] == chosen[:, None])).any(1).sum())
    low, high = wilson_interval(n_hits, len(chosen), 0.95)
    return RateEstimate(n_hits / len(chosen), low, high, len(chosen), 0.95)
