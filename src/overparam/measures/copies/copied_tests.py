"""What copies of test rows in the training set flatter: the test error with them and without."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.data.subsets import listed, number_values
from overparam.data.tables import by_row, check_rows
from overparam.errors import DataError
from overparam.measures.clustering import Spread, clustered_spread
from overparam.measures.copies.losses_by_input import by_input, mean_losses
from overparam.measures.jeffreys import squared_error
from overparam.measures.subset_arrays import as_array, as_masks, check_fits, read_masks


@dataclass(frozen=True)
class LeakCost:
    """By how much the mean loss on a test set is too low, because some of its rows were learned.

    Attributes:
        cost: how much higher the mean loss is without the leaks, in units of the loss (times 100:
            points of error). low, high: its interval, NaN where nothing is known of it.
        is_causal: from models with and without the copies, or from rows with and without copies.
        loss: mean over all test rows, what is reported: the baseline. loss_with_copies: over test
            rows that have a copy in training. loss_without_copies: over the others; if causal, of
            the rows with copies by the models that did not see them.
        n: test rows. n_leaked: of them with copies. n_judged: leaked rows that the cost is read
            from. n_models: models.
        is_found: the interval excludes 0. Where it does not and is narrow, copies are harmless.
        confidence: nominal coverage.
    """

    cost: float
    low: float
    high: float
    is_causal: bool
    loss: float
    loss_with_copies: float
    loss_without_copies: float
    n: int
    n_leaked: int
    n_judged: int
    n_models: int
    is_found: bool
    confidence: float


def cost_of_leaks(
    loss: Any,
    test_groups: Any,
    train_groups: Any,
    in_subset: Any = None,
    *,
    confidence: float = 0.95,
) -> LeakCost:
    """Return what copies between the training and the test set flatter, in units of the loss.

    Without masks, compared: cost = mean loss of test rows without copies - mean loss of all. It
    says what the test set would have said without these rows, and takes them to be as hard as the
    others; rows that have copies are often easier, or harder, whatever was learned.

    With masks, causal: for each leaked row i, its mean loss over models whose training rows hold no
    copy of it, less that over models whose rows hold one; cost = (1/n) sum_i of these over leaked
    rows. The same row on both sides. Rows that are right anyway cost nothing.

    Args:
        loss: `[K, n_test]` or `[n_test]`, 0 where right and 1 where wrong, or any loss (smaller is
            better). NaN (not known) leaves a row out of a model.
        test_groups: `[n_test]`. train_groups: `[n_train]`. Equal for copies, also of rows of one
            set: `group_of_other` and `group` of `find_duplicates(train, test)` or
            `find_near_duplicates`.
        in_subset: bool `[K, n_train]`, the rows each model was trained on; None where all were
            trained on all.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `LeakCost`. Test rows that are copies of each other count as one draw. Compared, of 0 and 1:
        each rate has Jeffreys' interval, of as many trials as its inputs and models are worth, and
        the difference Newcombe's. Else, and causal: Student's, the variance over inputs and models
        (`clustering`); compared, no side's inputs count as more alike than those of both. Of rows
        without copies the cost is 0, exactly.

    Raises:
        DataError: shapes that do not fit, one index in two orders, missing groups, groups of kinds
            that are never equal (numbers and texts), all test rows leaked (compared), or no leaked
            row with two models on either side (causal). UsageError: a wrong confidence.

    Cost: O(K (n_test + n_train)). Assumption: test inputs are drawn independently; subsets at
    random, copies of one row apart or together.

    >>> found = cost_of_leaks([1, 0, 1, 0, 0], [9, 8, 7, 1, 2], [1, 2, 3])
    >>> round(found.cost, 3), round(found.loss, 3), found.n_leaked  # 2 of 3 wrong, 2 of 5 in all
    (0.267, 0.4, 2)
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    check_rows(by_row(loss), test_groups, "test_groups", "loss")
    check_rows(by_row(in_subset), train_groups, "train_groups", "in_subset")
    held = as_array("loss", loss, (1, 2))
    losses = np.array(held if held.ndim == 2 else held[None], np.float64)
    if np.isinf(losses).any() or np.isnan(losses).all(1).any():
        raise DataError(
            "loss is infinite, or a model's is nowhere known",
            got=f"{int(np.isinf(losses).sum())} infinite entries",
            remedy="leave such models out, or clip the loss",
        )
    test, train = _numbers(test_groups, train_groups, losses.shape[1])
    leaked = np.isin(test, train)
    if not leaked.any():
        return _made(losses, leaked, (0.0, 0.0, 0.0), in_subset is not None, 0, confidence)
    if in_subset is None:
        return _compared(losses, test, leaked, confidence)
    masks = as_masks(in_subset)
    check_fits("loss", losses, masks, rows=False)
    if masks.shape[1] != len(train):
        raise DataError(
            "in_subset and train_groups are not of the same rows",
            got=f"{masks.shape[1]} and {len(train)}",
        )
    held_in = read_masks(masks, slice(None))
    n_groups = 1 + int(max(test.max(), train.max()))
    has_copy = np.stack([np.bincount(train[rows], minlength=n_groups) > 0 for rows in held_in])
    return _causal(losses, test, leaked, has_copy[:, test], confidence)


def _numbers(test: Any, train: Any, n_test: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        both, n = [*listed(test), *listed(train)], len(test)
    except TypeError:
        raise DataError(
            "groups must be one value for each row", got=f"{type(test).__name__}"
        ) from None
    if n != n_test:
        raise DataError("loss and test_groups are not of the same rows", got=f"{n_test} and {n}")
    if len(both) == n:
        raise DataError("there are no training rows", got="train_groups []")
    numbers = number_values("groups", len(both), both)
    kinds = [{_kind(value) for value in values} for values in (both[:n], both[n:])]
    if not kinds[0] & kinds[1]:
        raise DataError(
            "test_groups and train_groups are of kinds that are never equal: no copy could be seen",
            got=" and ".join(", ".join(sorted(some)) for some in kinds),
            remedy="read both alike: as texts, or as numbers",
        )
    return numbers[:n], numbers[n:]


def _kind(value: Any) -> str:
    """Return what a value is; numbers equal numbers only, and texts only texts."""
    return (
        "numbers" if isinstance(value, Number) else "texts" if isinstance(value, str) else "other"
    )


def _compared(
    losses: np.ndarray, test: np.ndarray, leaked: np.ndarray, confidence: float
) -> LeakCost:
    if leaked.all():
        raise DataError(
            "every test row has a copy in the training set: there is nothing to compare with",
            got=f"{len(leaked)} rows",
            remedy="give in_subset, of models trained on subsets, or other test rows",
        )
    clean, copied = mean_losses(losses, test, [~leaked, leaked], confidence)
    known = ~np.isnan(losses)
    share = known[:, leaked].sum() / known.sum()
    difference = clean[0] - copied[0]
    below = np.hypot(clean[0] - clean[1], copied[2] - copied[0])
    above = np.hypot(clean[2] - clean[0], copied[0] - copied[1])
    found = share * difference, share * (difference - below), share * (difference + above)
    return _made(losses, leaked, found, False, int(leaked.sum()), confidence)


def _causal(
    losses: np.ndarray,
    test: np.ndarray,
    leaked: np.ndarray,
    has_copy: np.ndarray,
    confidence: float,
) -> LeakCost:
    known = ~np.isnan(losses)
    n_in, n_out = (known & has_copy).sum(0), (known & ~has_copy).sum(0)
    judged = leaked & (n_in > 1) & (n_out > 1)
    if not judged.any():
        raise DataError(
            "no test row has a copy in training rows of two models and out of those of two others",
            got=f"{int(leaked.sum())} rows with copies, {len(losses)} models",
            remedy="train more models on subsets; leave in_subset out to compare rows",
        )
    said, inside = losses[:, judged], has_copy[:, judged] & known[:, judged]
    outside = ~has_copy[:, judged] & known[:, judged]
    effect, residual = np.zeros(said.shape[1]), np.zeros_like(said)
    for sign, some in ((-1, inside), (1, outside)):
        count = some.sum(0)
        mean = np.where(some, said, 0).sum(0) / count
        effect += sign * mean
        # What a mean of few models takes away of their deviations is given back.
        apart = np.where(some, said - mean, 0.0) * np.sqrt(count / (count - 1))
        residual += sign * apart / count
    m = int(judged.sum())
    share = leaked.sum() / len(leaked)
    of_input = np.unique(test[judged], return_inverse=True)[1]
    inputs = by_input((effect - effect.mean())[None] / m, of_input)[0]
    parts = by_input(residual / m, of_input)
    n, k = len(inputs), len(losses)
    spread = clustered_spread(
        inputs * np.sqrt(n / (n - 1) if n > 1 else 1.0),
        parts.sum(1) * np.sqrt((k - 1) / k),
        float((parts**2).sum()),
    )
    if spread.variance == 0:  # inputs on which nothing ever differed need not stay so
        spread = Spread(float(squared_error(np.array(0), np.array(n))), spread.freedom)
    reach = spread.half_width(confidence)
    cost = float(effect.mean())
    found = share * cost, share * (cost - reach), share * (cost + reach)
    without = float((np.where(outside, said, 0).sum(0) / outside.sum(0)).mean())
    return _made(losses, leaked, found, True, m, confidence, without)


def _made(
    losses: np.ndarray,
    leaked: np.ndarray,
    found: tuple[float, float, float],
    is_causal: bool,
    n_judged: int,
    confidence: float,
    without: float | None = None,
) -> LeakCost:
    def mean(values: np.ndarray) -> float:
        known = values[~np.isnan(values)]
        return float(known.mean()) if len(known) else float("nan")

    cost, low, high = map(float, found)
    return LeakCost(
        cost,
        low,
        high,
        is_causal,
        mean(losses),
        mean(losses[:, leaked]),
        mean(losses[:, ~leaked]) if without is None else without,
        len(leaked),
        int(leaked.sum()),
        n_judged,
        len(losses),
        low > 0 or high < 0,
        confidence,
    )
