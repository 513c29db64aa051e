"""What test error is made of: what averaging removes, wrong labels, conflicts, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit, xlogy

from overparam.checks import check_choice, check_range
from overparam.errors import DataError, UsageError
from overparam.measures.clustering import ClusteredRate, Spread
from overparam.measures.skewed_means import skewed_bounds
from overparam.measures.test_error.budget_arrays import BudgetArrays, read_budget_arrays
from overparam.measures.test_error.budget_parts import LOSSES, PARTS, BudgetSums, budget_sums

_FEWEST_ROWS = 10
_LARGEST_LOG = 100.0  # of a factor between a variance and its bound


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
    the jackknife's, models left out singly, or in 20 groups. Log and Brier losses have one hit and
    one miss more in the variance over rows, where the models expect them: errors that no row shows
    yet cost most. Real numbers say nothing of outliers that no row shows.

    For `averaging`, `ensemble` and `rest` of losses with steps, half the distance of the
    extrapolation counts as one more standard error: from 4 models it goes about half the way, from
    10 most of it.

    Args:
        outputs: `[K, n]` classes (numbers or strings) or, with loss "squared", real predictions;
            or `[K, n, classes]` probabilities. NaN or None where a model says nothing.
        targets: `[n]`, classes, or real numbers.
        loss: "zero_one", "squared" (of probabilities: Brier's, summed over classes) or "log".
        combine: "vote" or "average", for zero_one: by default votes of classes, and the average
            of probabilities.
        classes: names of the columns of probabilities, by default 0 ... classes - 1; or all classes
            that there are, by default those of outputs and targets.
        in_subset: bool `[K, n]`, where the rows are training rows: those that a model saw do not
            count for it.
        truth: `[n, classes]`, how probable each class is to be the right one (columns as `classes`,
            or as the sorted classes); for two classes `[n]`, how probable it is that the label is
            wrong. Not from the models judged here: they would acquit themselves.
        inputs: `[n]`, equal where rows have equal inputs; any values but missing ones.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `ErrorBudget`, in the unit of the loss. Models that are all alike have an `averaging` of 0.

    Raises:
        DataError: shapes that do not fit, one index in two orders, targets or inputs that are
            missing, targets that are no classes, values that are no probabilities, fewer than 4
            models (3 without steps), or fewer than 10 rows that as many say something of.
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
    check_choice("loss", loss, LOSSES)
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
    sums = budget_sums(held, rows, loss, combine)
    groups = np.unique(held.inputs[rows], return_inverse=True)[1]
    means = sums.of_row.mean(0)
    n_groups = int(groups.max()) + 1
    # What is said is the sum of its parts, whatever rounding does.
    means[PARTS.index("ensemble")] = means[0] - means[1]
    means[PARTS.index("rest")] = means[2] - means[3] - means[4]
    parts = {}
    for p, name in enumerate(PARTS):
        *seconds, third = _row_moments(sums, p, float(means[p]), groups)
        of_model = sums.of_model[:, p]
        seen, spread = (_spread(v, n_groups, of_model, sums.cells[p], loss) for v in seconds)
        if loss == "zero_one" and name in ("averaging", "ensemble", "rest"):
            reach = (means[PARTS.index("at_hand")] - means[PARTS.index("ensemble")]) / 2
            spread = Spread(spread.variance + reach**2, spread.freedom)
        value = float(means[p])
        if loss != "zero_one":
            found = _losses(name, value, spread, third, confidence)
            is_square = name == "averaging" or (name == "total" and held.is_real)
            parts[name] = _square(found, seen, spread, confidence) if is_square else found
        elif name in ("total", "at_hand"):
            parts[name] = _rate(value, spread, n_groups, confidence)
        else:
            reach = spread.half_width(confidence)
            parts[name] = BudgetPart(value, value - reach, value + reach)
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


def _baseline(held: BudgetArrays, rows: np.ndarray, loss: str) -> float:
    if held.is_real:
        return float(held.targets[rows].var())
    share = np.bincount(held.columns[rows]) / len(rows)
    if loss == "zero_one":
        return float(1 - share.max())
    return float(1 - np.square(share).sum() if loss == "squared" else -xlogy(share, share).sum())


def _row_moments(
    sums: BudgetSums, part: int, mean: float, groups: np.ndarray
) -> tuple[float, float, float]:
    """Return a mean's second moment over rows, and second and third with a hit and a miss added."""
    left = np.bincount(groups, sums.of_row[:, part] - mean)
    sizes = np.bincount(groups)[groups]
    weight = sums.weight / sizes  # rows of one input go together
    weight = weight / np.maximum(weight.sum(1, keepdims=True), np.finfo(float).tiny)
    apart = (sums.unseen[:, :, part] - mean) * sizes
    seen, second, third = (
        float((left**k).sum() + (w * apart**k).sum()) / len(groups) ** k
        for k, w in ((2, 0 * weight), (2, weight), (3, weight))
    )
    return seen, second, third


def _spread(of_rows: float, n_rows: int, of_model: np.ndarray, entries: float, loss: str) -> Spread:
    """Return the variance of a part: that over rows and that over models, single cells once.

    As `clustered_spread`, but never less than that over rows alone: where answers jump, the
    jackknife makes too much of single cells, in both of its terms alike. Losses of 0 and 1 get two
    rows more, one of each sign, so that it is never 0.
    """
    n_models = len(of_model)
    # How far a square scatters is told by fourth powers: worth a third of the models or less.
    of_squares = 1 if loss == "zero_one" else 3
    if loss == "zero_one":
        of_rows += 2.0 / (n_rows + 2) ** 2
    of_models = float(np.square(of_model).sum()) * n_models / (n_models - 1)
    variance = of_rows + max(of_models - entries, 0.0)
    doubt = min(of_models, variance) ** 2 * of_squares / (n_models - 1)
    doubt += of_rows**2 / max(n_rows - 1, 1)
    return Spread(variance, max(variance**2 / doubt, 1.0) if doubt > 0 else n_models - 1)


def _losses(name: str, value: float, spread: Spread, third: float, confidence: float) -> BudgetPart:
    """Return a part with bounds for skewed rows; of differences, which lean by chance, both."""
    low, high = skewed_bounds(value, spread, third, confidence)
    if name in ("averaging", "labels"):
        reach = spread.half_width(confidence)
        low, high = min(low, value - reach), max(high, value + reach)
    return BudgetPart(value, max(low, 0.0) if name in ("total", "at_hand") else low, high)


def _square(part: BudgetPart, seen: Spread, spread: Spread, confidence: float) -> BudgetPart:
    """Return a part above 0 with bounds as of chi-square, as few models scatter.

    Args:
        seen, spread: of these rows, and with a hit and a miss added.
    """
    if part.value <= 0:
        return part
    down, up = (
        float(np.exp(min(s.half_width(confidence) / part.value, _LARGEST_LOG)))
        for s in (spread, seen)
    )  # the logarithm hardly leans
    return BudgetPart(part.value, part.value / down, max(part.high, part.value * up))


def _rate(value: float, spread: Spread, n_rows: int, confidence: float) -> BudgetPart:
    level, trials = (1 + confidence) / 2, float(n_rows)
    if 0 < value < 1:
        student = float(stdtrit(np.inf, level) / stdtrit(spread.freedom, level))
        trials = value * (1 - value) / spread.variance * student**2
    rate = ClusteredRate(value, n_rows, trials, trials)
    return BudgetPart(value, rate.low(level), rate.high(level))
