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
from overparam.measures.reference_sides import Side, sides_of, sides_of_each

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


Score = Callable[[np.ndarray, Side, Side], np.ndarray]  # of targets' statistics and both sides


@dataclass(frozen=True)
class References:
    """Checked statistics `[K, n]` or `[K, n, queries]` of K models, and who had which row.

    Attributes:
        statistics: numbers; NaN where a model has none to give (it diverged).
        in_subset: bool `[K, n]`.
        leave_one_out: the models take turns as the target, and each is judged by the others.
        equal_numbers: every target is then judged by as many models of either side.
        needs: models that had a row, and that had it not, without which an attack says nothing.
    """

    statistics: np.ndarray
    in_subset: np.ndarray
    leave_one_out: bool
    equal_numbers: bool
    needs: tuple[int, int]

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
        if not self.leave_one_out:
            return sides_of(x, inside)
        return sides_of_each(x, inside, self.equal_numbers, self.needs)


def references_of(
    statistics: Any, in_subset: Any, leave_one_out: bool, needs: tuple[int, int] = (0, 0)
) -> References:
    """Return statistics and subsets, checked.

    In a *balanced* ensemble each row is in as many subsets as any other (up to one). Then the
    others tell which row a model had without looking at any statistic: of a row's models but one,
    one fewer is in if that one was. Whatever differs with the number of models on either side
    (how rough a mean is, or a spread, or which form a prior takes) would repeat it. So all targets
    are judged by equal numbers: the target is left out, and further models of either side, named
    by the subsets alone, until as many are left as nearly all targets have. A target that has
    fewer is not judged. Where subsets are drawn row by row, the others know nothing, and only the
    target is left out. In between (the last round of `draw_subsets` cut short) they know
    something, and numbers are made equal, too.

    Args:
        needs: models that had a row, and that had it not, without which an attack says nothing: no
            target is judged by fewer where any has as many.

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
    equal_numbers = leave_one_out and _tells(inside)
    return References(values, inside, leave_one_out, equal_numbers, needs)


def _tells(inside: np.ndarray) -> bool:
    """Whether a row's other models tell if a model had it: counts differ less than by chance."""
    counts, (n_models, n_rows) = inside.sum(0), inside.shape
    if int(counts.max()) - int(counts.min()) <= 1:
        return True
    p = counts.mean() / n_models
    share = 1 - counts.var() / (n_models * p * (1 - p))  # 0 where draws are independent
    return bool(share > 4 * np.sqrt(2 / n_rows))  # of a variance over so many rows


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
