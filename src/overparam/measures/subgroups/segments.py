"""Weak segments: where a model is worse, found on half of the rows and measured on the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from overparam.checks import check_count, check_range
from overparam.data.tables import check_same_rows
from overparam.errors import DataError
from overparam.measures.checked_arrays import checked_floats
from overparam.measures.row_groups import cluster_numbers, folds_of
from overparam.measures.subgroups.difference_of_means import difference_of_means
from overparam.measures.subgroups.groups import holm
from overparam.measures.subgroups.segment_search import (
    SegmentCondition,
    columns_of,
    rows_in,
    search_regions,
)

_FEWEST_GROUPS = 40  # in all: twenty for the search, twenty for the measurement
_FEWEST_INSIDE = 10  # groups (rows) of the other half that a segment is measured on, and outside it

Search = Callable[[np.ndarray], list[tuple[str, tuple[SegmentCondition, ...], np.ndarray]]]


@dataclass(frozen=True)
class WeakSegment:
    """Rows that have something in common, and how much higher their loss is.

    Attributes:
        name: what they have in common, to be read. conditions: the same, one or two; empty of a
            cluster. rows: int64, all rows of the table that lie in it.
        inside, outside: mean loss in the segment and of all other rows, on the rows that it was
            not found on. difference, low, high: of the two, with its interval.
        p_value: how often a difference as large comes by chance, corrected (Holm) for all segments
            that were looked at. found: whether it is at most 1 - confidence.
        n_measured: rows of the segment that it was measured on.
    """

    name: str
    conditions: tuple[SegmentCondition, ...]
    rows: np.ndarray
    inside: float
    outside: float
    difference: float
    low: float
    high: float
    p_value: float
    found: bool
    n_measured: int


@dataclass(frozen=True)
class WeakSegments:
    """Segments in the order of their p-values.

    Attributes:
        segments: all that were measured, found or not. overall: mean loss of all rows, the trivial
            baseline. n, n_unknown: rows, rows left out. confidence: nominal, in (0, 1).
    """

    segments: tuple[WeakSegment, ...]
    overall: float
    n: int
    n_unknown: int
    confidence: float

    @property
    def found(self) -> tuple[WeakSegment, ...]:
        """Segments that chance does not explain."""
        return tuple(segment for segment in self.segments if segment.found)


def find_weak_segments(
    table: Any,
    losses: Any,
    *,
    groups: Any = None,
    n_segments: int = 3,
    min_share: float = 0.02,
    confidence: float = 0.95,
) -> WeakSegments:
    """Return regions of a table where the loss is higher than elsewhere.

    The rows are halved. In each half regions of one column or two are searched (intervals of
    numbers and dates, sets of categories, what is missing), and the best few are measured on the
    other half, which had no part in the search: so the difference is without the bias of a maximum,
    and where losses have nothing to do with the table, anything is found in at most 1 - confidence
    of tables.

    Args:
        table: DataFrame or array `[n, d]`, of anything that goes with the rows; missing values are
            a value of their own.
        losses: `[n]`, 0 or 1 for wrong, or any loss; of rows that the model was not trained on.
            NaN where not known.
        groups: `[n]`, rows of one group stay in one half and vary together.
        n_segments: measured of each half. min_share: of the rows of a half that a segment has at
            least (and at least ten). confidence: in (0, 1).

    Returns:
        `WeakSegments`, up to 2 n_segments; one that both halves find stands there twice.

    Raises:
        DataError: no table, lengths that differ, one index in two orders, infinite losses, fewer
            than 40 rows (groups) of which the loss is known, or none.
        UsageError: a number of segments, a share or a confidence out of range.

    Cost: some 40 means of n losses for each column. Intervals: of 0 and 1, Newcombe's of two
    Jeffreys intervals, with the exact hypergeometric test; of other losses, or with groups,
    Welch's t. Assumption: groups are independent. A half has less power than the whole, which is
    the price of an honest number. Source of the splitting: Cox 1975 (Biometrika 62, 441).

    >>> rng = np.random.default_rng(0)
    >>> table = rng.random((1000, 3))
    >>> wrong = rng.random(1000) < np.where(table[:, 1] > 0.8, 0.5, 0.1)
    >>> found = find_weak_segments(table, wrong).found
    >>> found[0].conditions[0].column, len(find_weak_segments(table, rng.random(1000) < 0.2).found)
    ('column 1', 0)
    """
    check_same_rows({"table": table, "losses": losses, "groups": groups})
    columns = columns_of(table)
    n = len(columns[0].values)
    check_count("n_segments", n_segments, 1, 100)
    check_range("min_share", min_share, 0, 0.5, open_high=True)

    def search(known: np.ndarray, values: np.ndarray) -> Search:
        kept = tuple(replace(c, values=c.values[known]) for c in columns)

        def of_half(half: np.ndarray) -> list[tuple[str, tuple[SegmentCondition, ...], np.ndarray]]:
            part = tuple(replace(c, values=c.values[half]) for c in kept)
            least = max(10, int(np.ceil(min_share * half.sum())))
            regions = search_regions(part, values[half], least, n_segments)
            return [(" and ".join(map(str, r)), r, rows_in(r, kept)) for r in regions]

        return of_half

    return _measured(search, losses, n, groups, confidence)


def find_weak_clusters(
    features: Any,
    losses: Any,
    *,
    groups: Any = None,
    n_clusters: int = 10,
    n_segments: int = 3,
    confidence: float = 0.95,
) -> WeakSegments:
    """Return clusters of features where the loss is higher than elsewhere.

    As `find_weak_segments`; instead of regions, k-means clusters of each half (columns scaled to
    unit variance), to the nearest of which rows of the other half belong. For what has no columns
    to speak of: embeddings, pixels, the last hidden layer.

    Args:
        features: `[n, d]`, finite numbers. n_clusters: at least 2; fewer where rows are few.
        losses, groups, n_segments, confidence: as in `find_weak_segments`.

    Returns:
        `WeakSegments`, of clusters named by their number and half.

    Raises:
        DataError: as in `find_weak_segments`, or features that are not finite numbers.
        UsageError: a number of clusters or segments, or a confidence out of range.

    Cost: two runs of k-means (scikit-learn), from one start each.

    >>> rng = np.random.default_rng(0)
    >>> features = rng.normal(size=(600, 2)) + 8 * (np.arange(600) % 3 == 0)[:, None]
    >>> wrong = rng.random(600) < np.where(np.arange(600) % 3 == 0, 0.5, 0.1)
    >>> len(find_weak_clusters(features, wrong, n_clusters=2).found)  # by either half
    2
    """
    check_same_rows({"features": features, "losses": losses, "groups": groups})
    held = checked_floats("features", features, "[n, d]", finite=True)
    check_count("n_clusters", n_clusters, 2, 10_000)
    check_count("n_segments", n_segments, 1, 100)

    def search(known: np.ndarray, values: np.ndarray) -> Search:
        from sklearn.cluster import KMeans  # costs a second to import
        from sklearn.exceptions import ConvergenceWarning

        kept = held[known]
        scale = kept.std(0)
        kept = (kept - kept.mean(0)) / np.where(scale > 0, scale, 1.0)

        def of_half(half: np.ndarray) -> list[tuple[str, tuple[SegmentCondition, ...], np.ndarray]]:
            wanted = max(2, min(n_clusters, int(half.sum()) // 10))
            with warnings.catch_warnings():  # fewer different rows than clusters are no harm
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted = KMeans(wanted, n_init=1, random_state=0).fit(kept[half])
            cluster = fitted.predict(kept)
            here = cluster[half]
            means = {k: values[half][here == k].mean() for k in np.unique(here)}
            worst = sorted(means, key=lambda k: -means[k])[:n_segments]
            which = "first" if half[0] else "second"
            return [(f"cluster {k} of the {which} half", (), cluster == k) for k in worst]

        return of_half

    return _measured(search, losses, len(held), groups, confidence)


def _measured(
    search: Callable[[np.ndarray, np.ndarray], Search],
    losses: Any,
    n: int,
    groups: Any,
    confidence: float,
) -> WeakSegments:
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    given = checked_floats("losses", losses, "[n]")
    if len(given) != n:
        raise DataError("losses are of another number of rows", got=len(given), allowed=n)
    known = ~np.isnan(given)
    group = cluster_numbers(groups, n)[known]
    values = given[known]
    if np.isinf(values).any():
        raise DataError(
            "losses are infinite",
            got=f"{int(np.isinf(values).sum())} rows",
            remedy="clip probabilities before their logarithm is taken, or give 0 and 1 for wrong",
        )
    if len(np.unique(group)) < _FEWEST_GROUPS:
        raise DataError(
            "too few rows to search in one half and measure in the other",
            got=f"{len(np.unique(group))} independent rows with a loss",
            allowed=f">= {_FEWEST_GROUPS}",
        )
    half = folds_of(group, 2) == 0
    of_half = search(known, values)
    grouped = len(np.unique(group)) < len(group)
    made = []
    for here in (half, ~half):
        for name, conditions, inside in of_half(here):
            there = ~here
            if _measurable(inside[there], group[there]):
                found = difference_of_means(
                    values[there], inside[there], group[there] if grouped else None, confidence
                )
                rows = np.flatnonzero(known)[inside]
                made.append((name, conditions, rows, int(inside[there].sum()), found))
    corrected = holm(np.array([found[-1] for *_, found in made], dtype=np.float64))
    segments = [
        WeakSegment(
            name, conditions, rows, *found[:-1], float(p), bool(p <= 1 - confidence), n_measured
        )
        for (name, conditions, rows, n_measured, found), p in zip(made, corrected, strict=True)
    ]
    segments.sort(key=lambda s: (s.p_value, -s.difference))
    return WeakSegments(
        tuple(segments), float(values.mean()), len(values), int((~known).sum()), confidence
    )


def _measurable(inside: np.ndarray, group: np.ndarray) -> bool:
    """Whether enough groups lie on either side to say how they vary."""
    return all(len(np.unique(group[side])) >= _FEWEST_INSIDE for side in (inside, ~inside))
