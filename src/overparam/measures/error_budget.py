"""What test error is made of: what averaging removes, wrong labels, conflicts, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit, xlogy

from overparam.checks import check_choice, check_range
from overparam.errors import DataError, UsageError
from overparam.measures.budget_arrays import BudgetArrays, read_budget_arrays
from overparam.measures.clustering import ClusteredRate, Spread, clustered_spread
from overparam.measures.ensemble_losses import (
    Losses,
    brier_losses,
    log_losses,
    of_infinitely_many,
    zero_one_losses,
)
from overparam.measures.subset_arrays import blocks

_MOST_GROUPS = 20  # of models left out together
_LOSSES = {"zero_one": zero_one_losses, "squared": brier_losses, "log": log_losses}
_PARTS = ("total", "averaging", "ensemble", "labels", "conflicts", "rest", "at_hand")
_FEWEST_ROWS = 10


@dataclass(frozen=True)
class BudgetPart:
    """A part of the error, with bounds of its interval; in the unit of the loss."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ErrorBudget:
    """Test error in parts: total = averaging + labels + conflicts + rest.

    Attributes:
        total: mean loss of one model.
        averaging: what averaging infinitely many models of this recipe would remove; below 0 where
            the average is worse. For squared loss the variance of retraining.
        ensemble: the loss of that average, total - averaging; for squared loss squared bias and
            noise, for votes the error of the main prediction.
        labels: how much of `ensemble` comes of wrong labels of these rows; below 0 where they
            flatter. 0 where nothing is known of them.
        conflicts: what no function of the inputs can avoid on these rows, equal inputs having
            different targets. rest: `ensemble` less both.
        at_hand: the measured loss of the average of the models given.
        baseline: loss of the best constant answer.
        n_rows, n_models: counted; n_unknown: rows that too few models say something of.
        loss, combine, confidence: as asked.
    """

    total: BudgetPart
    averaging: BudgetPart
    ensemble: BudgetPart
    labels: BudgetPart
    conflicts: BudgetPart
    rest: BudgetPart
    at_hand: BudgetPart
    baseline: float
    n_rows: int
    n_models: int
    n_unknown: int
    loss: str
    combine: str
    confidence: float


def estimate_error_budget(
    outputs: Any,
    targets: Any,
    *,
    loss: str = "zero_one",
    combine: str | None = None,
    classes: Any = None,
    in_subset: Any = None,
    truth: Any = None,
    inputs: Any = None,
    confidence: float = 0.95,
) -> ErrorBudget:
    """Return the error of one recipe, trained K times, split into parts that add up exactly.

    With f_k model k, L the loss and f the average of infinitely many models (the main prediction,
    for votes), for each row: L(f_k, y) on average = [L(f_k, y) on average - L(f, y)] + L(f, y).
    The first is `averaging`. L(f, y) is extrapolated from averages of fewer models
    (`ensemble_losses`): a vote of K says less than it seems of that of infinitely many. For
    squared loss it is the U-statistic sum_{k != l} (f_k - y)(f_l - y) / (K (K - 1)), and
    `averaging` the variance over models, both without bias. For log loss, - log of the averaged
    probability; `averaging` is then Jensen's gap.

    In L(f, y), `labels` is the mean of sum_c t_c [L(f, y) - L(f, c)], t_c the probability that c
    is the right class; `conflicts` the least mean loss of any one answer to each group of equal
    inputs. A row in a conflict is not also a wrong label.

    Intervals: clustered by row (by equal inputs, where given) and by model. The models' part is
    the jackknife's, models left out singly, or in 20 groups. For `averaging`, `ensemble` and
    `rest` of losses with steps, half the distance of the extrapolation counts as one more
    standard error.

    Args:
        outputs: `[K, n]` classes (numbers or strings) or, with loss "squared", real predictions;
            or `[K, n, classes]` probabilities. NaN or None where a model says nothing.
        targets: `[n]`, classes, or real numbers.
        loss: "zero_one", "squared" (of probabilities: Brier's, summed over classes) or "log".
        combine: "vote" or "average", for zero_one: by default votes of classes, and the average
            of probabilities.
        classes: names of the columns of probabilities; by default 0 ... classes - 1.
        in_subset: bool `[K, n]`, where the rows are training rows: those that a model saw do not
            count for it.
        truth: `[n, classes]`, how probable each class is to be the right one (columns as `classes`,
            or as the sorted classes); for two classes `[n]`, how probable it is that the label is
            wrong. Not from the models judged here: they would acquit themselves.
        inputs: `[n]`, equal where rows have equal inputs; any values.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `ErrorBudget`, in the unit of the loss. Models that are all alike have an `averaging` of 0.

    Raises:
        DataError: shapes that do not fit, targets that are missing or no classes, values that are
            no probabilities, fewer than 4 models (3 without steps), or fewer than 10 rows that as
            many say something of.
        UsageError: an unknown loss or combination, a confidence out of range, `truth` for real
            targets.

    Cost: O(K n classes) for each of at most 20 jackknife groups and 16 halves, by blocks of rows.
    Assumption: models are independent draws of the recipe. With in_subset their training rows
    overlap, and the variance is that of retraining on such subsets, not on new data. Sources:
    Geman, Bienenstock, Doursat 1992, Neural Computation 4, 1; Domingos 2000, ICML, for zero_one.

    >>> outputs = np.array([[1.0, 2.0, 3.0]] * 10).T + [0.0] * 10  # three models, ten rows
    >>> found = estimate_error_budget(outputs, np.full(10, 4.0), loss="squared")
    >>> parts = found.total, found.averaging, found.rest  # 14/3 = 1 + ((4 - 2)^2 - 1/3)
    >>> [round(part.value, 3) for part in parts]
    [4.667, 1.0, 3.667]
    """
    check_choice("loss", loss, _LOSSES)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    fewest = 4 if loss == "zero_one" else 3
    held = read_budget_arrays(outputs, targets, loss, classes, in_subset, truth, inputs)
    combine = _combination(combine, held, loss)
    if len(held.counts) < fewest:
        raise DataError(
            "too few models to tell their variance",
            got=len(held.counts),
            allowed=f">= {fewest} for loss {loss}",
            remedy="train again with other seeds or subsets",
        )
    rows = np.flatnonzero(held.counts.sum(0) >= fewest)
    if len(rows) < _FEWEST_ROWS:
        raise DataError(
            "too few rows that enough models say something of",
            got=f"{len(rows)} of {held.counts.shape[1]} rows with {fewest} models",
            allowed=f">= {_FEWEST_ROWS}",
            remedy="train more models" if held.counts.shape[1] >= _FEWEST_ROWS else "",
        )
    of_row, of_model, entries = _sums(held, rows, loss, combine)
    groups = np.unique(held.inputs[rows], return_inverse=True)[1]
    means = of_row.mean(0)
    # What is said is the sum of its parts, whatever rounding does.
    means[_PARTS.index("ensemble")] = means[0] - means[1]
    means[_PARTS.index("rest")] = means[2] - means[3] - means[4]
    parts = {}
    for p, name in enumerate(_PARTS):
        left = np.bincount(groups, (of_row[:, p] - means[p]) / len(rows))
        spread = _spread(left, of_model[:, p], entries[p], loss)
        if loss == "zero_one" and name in ("averaging", "ensemble", "rest"):
            reach = (means[_PARTS.index("at_hand")] - means[_PARTS.index("ensemble")]) / 2
            spread = Spread(spread.variance + reach**2, spread.freedom)
        is_rate = loss == "zero_one" and name in ("total", "at_hand")
        parts[name] = _part(means[p], spread, len(left), confidence, is_rate)
    return ErrorBudget(
        **parts,
        baseline=_baseline(held, rows, loss),
        n_rows=len(rows),
        n_models=int(held.counts[:, rows].any(1).sum()),
        n_unknown=held.counts.shape[1] - len(rows),
        loss=loss,
        combine=combine,
        confidence=confidence,
    )


def _combination(combine: str | None, held: BudgetArrays, loss: str) -> str:
    found = combine or ("vote" if held.is_labels else "average")
    check_choice("combine", found, ("vote", "average"))
    if (found == "vote") != held.is_labels and (loss != "zero_one" or held.is_labels):
        raise UsageError(
            f"these outputs cannot be combined by {found}",
            got=f"loss {loss}, outputs {'of classes' if held.is_labels else 'of numbers'}",
            allowed="vote for zero_one; average for probabilities and real predictions",
        )
    return found


def _sums(
    held: BudgetArrays, rows: np.ndarray, loss: str, combine: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return parts by row `[n, P]`, deviations of jackknife groups `[G, P]`, and of single cells.

    Deviations are of means over rows, scaled so that their squares' sum times G/(G - 1) is the
    jackknife's variance.
    """
    n_models = len(held.counts)
    n_groups = min(n_models, _MOST_GROUPS)
    of_row = np.empty((len(rows), len(_PARTS)))
    of_model, entries = np.zeros((n_groups, len(_PARTS))), np.zeros(len(_PARTS))
    lowest = _conflicts(held, rows, loss)
    for place in blocks(len(rows), n_models, 2 * held.width):
        values, counts = held.read(rows[place])
        if combine == "vote" and not held.is_labels:
            values = 1 - zero_one_losses(values)
        losses: Losses = _LOSSES[loss]
        if held.is_real:  # the distance to the row's own target

            def losses(means: np.ndarray, y: np.ndarray = held.targets[rows[place]]) -> np.ndarray:
                return np.square(means - y[:, None])

        columns = held.columns[rows[place]]
        known = None if held.truth is None else held.truth[rows[place]]

        def parts(keep: np.ndarray) -> np.ndarray:
            here, endless = of_infinitely_many(
                values[keep],
                counts[keep],
                losses,
                steps=loss == "zero_one",
                votes=combine == "vote",
            )
            own = np.arange(len(columns)), columns
            single = losses(values[keep])[:, own[0], own[1]]
            n = counts[keep].sum(0)
            total = np.where(counts[keep], single, 0).sum(0) / np.maximum(n, 1)
            ensemble, at_hand = endless[own], here[own]
            labels = np.zeros(len(columns))
            if known is not None:
                labels = ensemble - (known * endless).sum(1)
                labels[lowest[place] > 0] = 0.0
            rest = ensemble - labels - lowest[place]
            found = (total, total - ensemble, ensemble, labels, lowest[place], rest, at_hand)
            return np.stack(found, 1)

        whole = parts(np.ones(n_models, bool))
        of_row[place] = whole
        without = np.stack([parts(np.arange(n_models) % n_groups != g) for g in range(n_groups)])
        without = np.where(np.isnan(without), whole, without)
        apart = (without - without.mean(0)) * (n_groups - 1) / n_groups / len(rows)
        of_model += apart.sum(1)
        entries += np.square(apart).sum((0, 1))
    return of_row, of_model, entries * n_groups / (n_groups - 1)


def _conflicts(held: BudgetArrays, rows: np.ndarray, loss: str) -> np.ndarray:
    """Return for each row the least mean loss of one answer to its group of equal inputs."""
    groups, n_each = np.unique(held.inputs[rows], return_inverse=True, return_counts=True)[1:]
    if held.is_real:
        y = held.targets[rows]
        mean = np.bincount(groups, y) / n_each
        return (np.bincount(groups, np.square(y - mean[groups])) / n_each)[groups]
    pairs, n_pairs = np.unique(
        groups * held.width + held.columns[rows], return_counts=True
    )
    of_group = pairs // held.width
    share = n_pairs / n_each[of_group]
    least = np.zeros(len(n_each))
    if loss == "zero_one":
        np.maximum.at(least, of_group, share)
        return (1 - least)[groups]
    np.add.at(least, of_group, np.square(share) if loss == "squared" else xlogy(share, share))
    return ((1 - least) if loss == "squared" else -least)[groups]


def _baseline(held: BudgetArrays, rows: np.ndarray, loss: str) -> float:
    if held.is_real:
        return float(held.targets[rows].var())
    share = np.bincount(held.columns[rows]) / len(rows)
    if loss == "zero_one":
        return float(1 - share.max())
    return float(1 - np.square(share).sum() if loss == "squared" else -xlogy(share, share).sum())


def _spread(left: np.ndarray, of_model: np.ndarray, entries: float, loss: str) -> Spread:
    """Return the variance of a part; losses of 0 and 1 get two rows more, one of each sign."""
    doubt = 2.0 / (len(left) + 2) ** 2 if loss == "zero_one" else 0.0
    return clustered_spread(np.append(left, np.sqrt(doubt)), of_model, entries)


def _part(
    value: float, spread: Spread, n_rows: int, confidence: float, is_rate: bool
) -> BudgetPart:
    value, level = float(value), (1 + confidence) / 2
    if not is_rate:
        reach = spread.half_width(confidence)
        return BudgetPart(value, value - reach, value + reach)
    trials = float(n_rows)
    if 0 < value < 1:
        student = float(stdtrit(np.inf, level) / stdtrit(spread.freedom, level))
        trials = value * (1 - value) / spread.variance * student**2
    rate = ClusteredRate(value, n_rows, trials, trials)
    return BudgetPart(value, rate.low(level), rate.high(level))
