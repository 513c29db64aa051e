"""Targets judged by reference models: what these say of rows in their subsets and out of them.

Read by blocks of columns, so that memory-mapped statistics of many models need little memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.errors import DataError
from overparam.measures.checked_arrays import as_array
from overparam.streams import Streams

_EPS = float(np.finfo(np.float64).eps)
_ROUNDED = 1e-2  # by which a probability may miss [0, 1] that was kept in half precision
_BLOCK = 2**20  # entries of a block that are worked on at once, 8 MiB in float64


@dataclass(frozen=True)
class MembershipScores:
    """Scores of rows in targets; where one cannot be known it is NaN, and counted.

    Attributes:
        scores: float64 `[n]` or `[targets, n]`, higher where membership is more likely.
        n_unseen: entries whose target has no statistic (NaN: it diverged).
        n_unjudged: other entries that are NaN: too few references that had the row, or that had it
            not, of what the attack needs; or references that do not vary, where it needs their own
            variance.
    """

    scores: np.ndarray
    n_unseen: int
    n_unjudged: int


@dataclass(frozen=True)
class Side:
    """References that had a row (or had it not), arrays that broadcast to `[targets, rows]`.

    Attributes:
        count: how many. mean: of their statistic, NaN where there is none.
        squares: sum of squared deviations from the mean.
    """

    count: np.ndarray
    mean: np.ndarray
    squares: np.ndarray


Score = Callable[[np.ndarray, Side, Side], np.ndarray]  # of targets' statistics and both sides


@dataclass(frozen=True)
class References:
    """Checked statistics `[K, n]` or `[K, n, queries]` of K models, and who had which row.

    Attributes:
        statistics: numbers; NaN where a model has none to give (it diverged).
        in_subset: bool `[K, n]`.
        leave_one_out: the models take turns as the target, and each is judged by the others.
        paired: from what judges a target, one more model is left out, one on the other side: in
            this share of a row's targets.
    """

    statistics: np.ndarray
    in_subset: np.ndarray
    leave_one_out: bool
    paired: float

    @property
    def n_queries(self) -> int:
        """Statistics of one row in one model."""
        return self.statistics.shape[2] if self.statistics.ndim == 3 else 1

    def blocks(self) -> Iterator[slice]:
        """Columns to be worked on together."""
        n_models, n_rows = self.in_subset.shape
        width = max(1, _BLOCK // n_models)
        return (slice(start, start + width) for start in range(0, n_rows, width))

    def values(self, columns: slice, query: int) -> np.ndarray:
        """Statistics of a block of rows, float64 `[K, block]`; a copy."""
        return finite(one_query(self.statistics, columns, query), "statistics of the references")

    def sides(self, columns: slice, query: int) -> tuple[Side, Side]:
        """What judges each target, from those that had the row and from those that had not."""
        x, inside = self.values(columns, query), self.in_subset[:, columns]
        known = ~np.isnan(x)
        centre = np.where(known, x, 0).sum(0) / np.maximum(known.sum(0), 1)
        # Deviations from the row's centre: sums of their squares lose no digits.
        x = np.where(known, x - centre, 0)
        one, other = known & inside, known & ~inside
        drawn = self._drawn(columns)
        return self._side(x, one, other & drawn, centre), self._side(x, other, one & drawn, centre)

    def _side(self, x: np.ndarray, side: np.ndarray, other: np.ndarray, centre: np.ndarray) -> Side:
        """One side; with the targets of the `other` a pair is left out."""
        count, total, squares = side.sum(0), (x * side).sum(0), (x**2 * side).sum(0)
        # Rounding of the centre and of the sums: no spread of its own.
        blur = 16 * _EPS * squares + count * (4 * _EPS * centre) ** 2
        if self.leave_one_out:
            gone = x * side
            drop = side
            if self.paired > 0:
                # The j-th of the other side is paired with the j-th of this one, round and round.
                members = np.argsort(~side, axis=0, kind="stable")
                place = (np.cumsum(other, 0) - 1) % np.maximum(count, 1)
                partner = np.take_along_axis(x, np.take_along_axis(members, place, 0), 0)
                drop = side | (other & (count > 0))
                gone = np.where(other & (count > 0), partner, gone)
            count, total, squares = count - drop, total - gone, squares - gone**2
        some = np.maximum(count, 1)
        spread = squares - total**2 / some
        spread = np.where(spread > blur, spread, 0)
        return Side(count, np.where(count > 0, centre + total / some, np.nan), spread)

    def _drawn(self, columns: slice) -> np.ndarray:
        """Return the targets with which a pair is left out, bool `[K, block]`; always the same."""
        shape = self.in_subset[:, columns].shape
        if self.paired in (0, 1):
            return np.full(shape, self.paired == 1)
        return Streams(0).child("pairs").numpy(str(columns.start)).random(shape) < self.paired


def references_of(statistics: Any, in_subset: Any, leave_one_out: bool) -> References:
    """Return statistics and subsets, checked.

    In a *balanced* ensemble each row is in as many subsets as any other (up to one). Then the
    others tell which row a model had without looking at any statistic: of a row's models but one,
    one fewer is in if that one was. Whatever splits them by side would repeat it, so a pair is
    left out instead, one of each side, and all targets of a row are judged by equal numbers.
    Where subsets are drawn row by row, the others know nothing, and only the target is left out.
    In between (the last round of `draw_subsets` cut short) they know something: how much less the
    counts of rows differ than independent draws would, 1 - Var / (K p (1 - p)), is the share of
    targets with which a pair is left out, so that both sides are judged by equal numbers in the
    mean.

    Raises:
        DataError: shapes that do not fit, no models, no rows, a mask that is not one.
    """
    values, inside = array_of(statistics), mask_of(in_subset)
    if inside.ndim != 2 or values.ndim not in (2, 3) or values.shape[:2] != inside.shape:
        raise DataError(
            "statistics of the references and their subsets do not fit together",
            got=f"{list(values.shape)} and {list(inside.shape)}",
            allowed="[K, n] or [K, n, queries], and [K, n]",
            remedy="give the mask of these models and of this data set",
        )
    if values.size == 0:
        raise DataError("there are no references", got=list(values.shape), allowed="K, n >= 1")
    return References(values, inside, leave_one_out, _paired(inside) if leave_one_out else 0.0)


def _paired(inside: np.ndarray) -> float:
    """Return the share of targets with which a pair is left out; see `references_of`."""
    counts, (n_models, n_rows) = inside.sum(0), inside.shape
    if int(counts.max()) - int(counts.min()) <= 1:
        return 1.0
    p = counts.mean() / n_models
    share = 1 - counts.var() / (n_models * p * (1 - p))
    by_chance = 4 * np.sqrt(2 / n_rows)  # of a variance over so many rows
    return float(min(share, 1.0)) if share > by_chance else 0.0


def averaged(
    target: Any, given: References, scores_of: Callable[[np.ndarray, int], np.ndarray]
) -> MembershipScores:
    """Return the mean over queries of what `scores_of(statistics of targets, query)` returns."""
    asked = given.statistics if target is None else target_of(target, given)
    scores = np.zeros(asked.shape[:2])
    for query in range(given.n_queries):
        scores += scores_of(asked, query) / given.n_queries
    unseen = np.isnan(asked)
    n_unseen = int((unseen.any(2) if unseen.ndim == 3 else unseen).sum())
    n_unknown = int(np.isnan(scores).sum())
    flat = target is not None and array_of(target).ndim == given.statistics.ndim - 1
    return MembershipScores(scores[0] if flat else scores, n_unseen, n_unknown - n_unseen)


def score_query(asked: np.ndarray, given: References, score: Score, query: int) -> np.ndarray:
    """Return the scores of one query of all targets, `[targets, n]`, block by block."""
    scores = np.empty(asked.shape[:2])
    for columns in given.blocks():
        x = finite(one_query(asked, columns, query), "statistics of the target")
        scores[:, columns] = score(x, *given.sides(columns, query))
    return scores


def target_of(target: Any, given: References) -> np.ndarray:
    """Return statistics of targets, `[targets, n]` or `[targets, n, queries]`, checked."""
    found = array_of(target)
    whole = given.statistics
    found = found[None] if found.ndim == whole.ndim - 1 else found
    if found.ndim != whole.ndim or found.shape[1:] != whole.shape[1:] or len(found) == 0:
        raise DataError(
            "statistics of the target and of the references do not fit together",
            got=f"{list(array_of(target).shape)} and {list(whole.shape)}",
            allowed="[n] or [targets, n], and [K, n]; with queries, the same number last in both",
            remedy="ask target and references of the same rows",
        )
    return found


def array_of(values: Any) -> np.ndarray:
    """Return a tensor or array as an array, without a copy where it can be; masked is NaN.

    Raises:
        DataError: what it holds is no numbers.
    """
    try:
        found = as_array(values)
    except ValueError:  # lists of unequal length
        found = np.empty(0, dtype=object)
    if found.dtype.kind not in "biuf":
        raise DataError("an array of numbers is needed", got=str(found.dtype), allowed="real")
    return found


def mask_of(values: Any) -> np.ndarray:
    """Return booleans, or zeros and ones, as a boolean array.

    Raises:
        DataError: other values.
    """
    found = array_of(values)
    if found.dtype == bool:
        return found
    if not bool(np.isin(found, (0, 1)).all()):
        raise DataError(
            "a mask says of each row whether it was in: true or false",
            got=f"{found.dtype} between {found.min()} and {found.max()}",
            allowed="bool, or 0 and 1",
            remedy="of a list of indices, make a mask",
        )
    return found.astype(bool)


def one_query(values: np.ndarray, columns: slice, query: int) -> np.ndarray:
    """Return a block of columns of one query, float64; a copy."""
    block = values[:, columns] if values.ndim == 2 else values[:, columns, query]
    return np.array(block, dtype=np.float64)


def finite(values: np.ndarray, name: str) -> np.ndarray:
    """Return the values if none is infinite; NaN stands for what is not known.

    Raises:
        DataError: an infinite value.
    """
    if bool(np.isinf(values).any()):
        raise DataError(
            f"{name} are infinite in places",
            got=f"{int(np.isinf(values).sum())} infinite values",
            allowed="finite, or NaN for a model that diverged",
            remedy="a logit of a probability that was rounded to 1 is: use stable_logit",
        )
    return values


def losses_of(values: np.ndarray) -> np.ndarray:
    """Return the values if they may be losses.

    Raises:
        DataError: none is above 0 and some are below, as logarithms of probabilities are.
    """
    known = values[~np.isnan(values)]
    if known.size and known.max() <= 0 and known.min() < 0:
        raise DataError(
            "losses look like logarithms of probabilities: none is above 0",
            got=f"{known.min():.4g}..{known.max():.4g}",
            remedy="give losses: minus the logarithm of the label's probability",
        )
    return values


def probable(values: np.ndarray) -> np.ndarray:
    """Return the values if all that are known are probabilities.

    Raises:
        DataError: a value outside [0, 1] by more than rounding.
    """
    if bool(((values < -_ROUNDED) | (values > 1 + _ROUNDED)).any()):
        raise DataError(
            "probabilities lie outside [0, 1]",
            got=f"{np.nanmin(values)} to {np.nanmax(values)}",
            allowed="[0, 1]",
            remedy="of logits take the softmax, and of that the label's entry",
        )
    return values
