"""Error of predictions: fraction wrong, squared error, generalization gap, Wilson interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from scipy.special import ndtri
from torch import Tensor

from overparam.checks import check_count, check_range
from overparam.errors import DataError


@dataclass(frozen=True)
class RateEstimate:
    """A fraction estimated from n trials, with its interval.

    Attributes:
        rate: the fraction observed, in [0, 1]. low, high: bounds of the interval, in [0, 1].
        n: number of trials. confidence: nominal coverage of the interval, in (0, 1).
    """

    rate: float
    low: float
    high: float
    n: int
    confidence: float


def error_rate(logits: Tensor, labels: Tensor) -> float:
    """Return the fraction of examples that are classified wrongly.

    (1/n) sum_i 1[argmax_k logits_ik != labels_i].

    Args:
        logits: outputs `[n, K]`; or `[n]` or `[n, 1]` for two classes, where class 1 is predicted
            if the output is > 0.
        labels: int64 `[n]`, classes.

    Returns:
        A fraction in [0, 1]. A row that holds NaN counts as wrong, so a diverged model has error 1
        and never NaN. Ties go to the lowest class.

    Raises:
        DataError: no rows, or shapes that do not fit.

    Cost: O(n K).

    >>> error_rate(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5
    """
    wrong = _wrong(logits, labels)
    return int(wrong.sum()) / len(wrong)


def estimate_error_rate(logits: Tensor, labels: Tensor, confidence: float = 0.95) -> RateEstimate:
    """Return `error_rate` with its Wilson interval, the examples taken as independent draws.

    Raises:
        DataError: no rows, or shapes that do not fit.
        UsageError: a confidence outside (0, 1).

    Shapes, range and NaN policy: as in `error_rate`. Cost: O(n K).

    >>> estimate_error_rate(torch.tensor([-1.0, -1.0]), torch.tensor([1, 0])).rate
    0.5
    """
    wrong = _wrong(logits, labels)
    n_wrong = int(wrong.sum())
    low, high = wilson_interval(n_wrong, len(wrong), confidence)
    return RateEstimate(n_wrong / len(wrong), low, high, len(wrong), confidence)


def wilson_interval(n_hits: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a binomial fraction.

    (q + z^2/2n -+ z sqrt(q(1-q)/n + z^2/4n^2)) / (1 + z^2/n), q = n_hits/n, z the normal quantile
    at (1 + confidence)/2. Unlike q -+ z sqrt(q(1-q)/n) it never leaves [0, 1] and has positive
    length at q = 0 and q = 1.

    Args:
        n_hits: number of hits, 0 ... n. n: number of trials, >= 1.
        confidence: nominal coverage, in (0, 1).

    Returns:
        low and high, fractions in [0, 1]; never NaN.

    Raises:
        UsageError: a count or a confidence out of range.

    Cost: O(1). Source: Wilson 1927, J. Amer. Statist. Assoc. 22, 209.

    >>> low, high = wilson_interval(0, 10)
    >>> z2 = 1.959963984540054**2  # at q = 0 the bound is z^2 / (n + z^2)
    >>> low, math.isclose(high, z2 / (10 + z2))
    (0.0, True)
    """
    check_count("n", n)
    check_count("n_hits", n_hits, 0, n)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    z = float(ndtri((1 + confidence) / 2))
    rate = n_hits / n
    centre = rate + z**2 / (2 * n)
    spread = z * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    scale = 1 + z**2 / n
    # Rounding may leave the ends a hair off 0 and 1, where they are exact.
    low = 0.0 if n_hits == 0 else (centre - spread) / scale
    high = 1.0 if n_hits == n else (centre + spread) / scale
    return low, high


def squared_error(outputs: Tensor, targets: Tensor, n_classes: int | None = None) -> float:
    """Return the mean over examples of the squared distance between output and target.

    (1/n) sum_i sum_k (outputs_ik - targets_ik)^2, computed in float64. It is a sum over outputs,
    K times the value of `torch.nn.MSELoss`.

    Args:
        outputs: `[n, K]` or `[n]`.
        targets: floating, of the same shape; or int64 classes `[n]`, taken as one-hot vectors.
        n_classes: K of the one-hot vectors; by default the columns of `outputs`.

    Returns:
        A number in [0, inf), in squared units of the targets. NaN and infinity propagate.

    Raises:
        DataError: no rows, shapes that do not fit, or classes outside the outputs.

    Cost: O(n K).

    >>> squared_error(torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1]))
    0.5
    """
    found = outputs.double()
    found = found[:, None] if found.ndim == 1 else found
    if targets.is_floating_point():
        wanted = targets.double()
        wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    else:
        width = found.shape[1] if n_classes is None else n_classes
        if targets.numel() and not 0 <= int(targets.min()) <= int(targets.max()) < width:
            raise DataError(
                "labels lie outside the outputs",
                got=f"{int(targets.min())}..{int(targets.max())}",
                allowed=f"0..{width - 1}",
            )
        wanted = torch.nn.functional.one_hot(targets.long(), width).double()
    if found.ndim != 2 or found.shape != wanted.shape or found.numel() == 0:
        raise DataError(
            "outputs and targets do not fit together",
            got=f"{list(outputs.shape)} and {list(targets.shape)}",
            allowed="[n, K] and [n, K], or [n, K] and classes [n], n >= 1",
        )
    return float((found - wanted.to(found.device)).square().sum(1).mean())


def generalization_gap(train_error: float, test_error: float) -> float:
    """Return test error minus train error, in the unit of the two; NaN if either is NaN.

    For error rates it lies in [-1, 1]; positive where the model does better on what it has seen.

    Raises nothing. Cost: O(1).

    >>> generalization_gap(0.25, 0.75)
    0.5
    """
    return test_error - train_error


def _wrong(logits: Tensor, labels: Tensor) -> Tensor:
    scores = logits[:, None] if logits.ndim == 1 else logits
    if scores.ndim != 2 or labels.ndim != 1 or len(scores) != len(labels) or scores.numel() == 0:
        raise DataError(
            "logits and labels do not fit together",
            got=f"{list(logits.shape)} and {list(labels.shape)}",
            allowed="[n, K] and [n], n >= 1",
        )
    predicted = (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(1)
    return (predicted != labels.to(predicted.device)) | scores.isnan().any(1)
