"""How well scores tell members from others: the ROC curve and the area under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, ndtri

from overparam.checks import check_count, check_range
from overparam.data.tables import check_rows
from overparam.errors import DataError
from overparam.measures.clustering import Spread, clustered_spread
from overparam.measures.reference_models import array_of, mask_of

FEWEST_ABOVE = 10  # non-members above a threshold, below which its FPR is not resolved


@dataclass(frozen=True)
class Roc:
    """The ROC curve of an attack that says "member" where the score is >= a threshold.

    Attributes:
        fpr, tpr: fractions of non-members and of members so called, rising from 0 to 1.
        thresholds: falling, inf first. All three float64 `[points]`, a point per distinct score.
        n_members, n_nonmembers: entries that were counted. n_unknown: NaN, left out.
    """

    fpr: np.ndarray
    tpr: np.ndarray
    thresholds: np.ndarray
    n_members: int
    n_nonmembers: int
    n_unknown: int

    def on_log_scale(self, n_points: int = 100) -> tuple[np.ndarray, np.ndarray]:
        """Return FPRs at equal steps of their logarithm, and the TPR at each, `[n_points]`.

        From the least FPR that the sample resolves, 10 non-members, to 1: what lies further left
        is noise that a logarithmic axis would stretch over most of a figure. Tied scores are taken
        or left together: the TPR is the largest at an FPR of at most the one named.

        Raises:
            DataError: 10 non-members or fewer. UsageError: fewer than two points.
        """
        check_count("n_points", n_points, low=2)
        if self.n_nonmembers <= FEWEST_ABOVE:
            raise DataError(
                "too few non-members for a logarithmic axis",
                got=self.n_nonmembers,
                allowed=f"> {FEWEST_ABOVE}",
            )
        wanted = np.geomspace(FEWEST_ABOVE / self.n_nonmembers, 1, n_points)
        last = np.searchsorted(self.fpr, wanted * (1 + 1e-12), side="right") - 1
        return wanted, self.tpr[last]


@dataclass(frozen=True)
class AucEstimate:
    """Area under the ROC curve, with its interval.

    Attributes:
        auc: in [0, 1]; 1/2 where scores say nothing. low, high: bounds of the interval.
        standard_error: of `auc`. n_targets: targets with both members and others.
        n_members, n_nonmembers, n_unknown: entries of those targets, and entries that are NaN.
        confidence: nominal coverage, in (0, 1).
    """

    auc: float
    low: float
    high: float
    standard_error: float
    n_targets: int
    n_members: int
    n_nonmembers: int
    n_unknown: int
    confidence: float


@dataclass(frozen=True)
class Scored:
    """Checked scores `[targets, n]`, and masks of the members and of the others among the known."""

    scores: np.ndarray
    members: np.ndarray
    others: np.ndarray

    @property
    def n_unknown(self) -> int:
        """Scores that are NaN."""
        return int(self.scores.size - self.members.sum() - self.others.sum())


def scored(scores: Any, members: Any) -> Scored:
    """Return scores and membership, checked.

    Raises:
        DataError: shapes that do not fit, one index in different orders, only one of the two
            kinds, or whole numbers too large to be told apart.
    """
    check_rows(scores, members, "members", "scores")
    given, inside = array_of(scores), mask_of(members)
    values = np.asarray(given, np.float64)
    if given.dtype.kind in "iu" and len(np.unique(given)) > len(np.unique(values)):
        raise DataError(
            "scores differ that are equal as floating numbers",
            got=f"whole numbers up to {given.max()}",
            allowed="up to 2**53 in size, or numbers that stay apart",
            remedy="subtract the smallest, or give ranks",
        )
    if values.ndim not in (1, 2) or values.shape != inside.shape:
        raise DataError(
            "scores and membership do not fit together",
            got=f"{list(values.shape)} and {list(inside.shape)}",
            allowed="both [n], or both [targets, n]",
            remedy="take membership from the rows of in_subset that belong to the targets",
        )
    values, inside = np.atleast_2d(values), np.atleast_2d(inside)
    known = ~np.isnan(values)
    found = Scored(values, inside & known, ~inside & known)
    if not found.members.any() or not found.others.any():
        raise DataError(
            "there is only one kind of rows to tell apart",
            got=f"{int(found.members.sum())} members and {int(found.others.sum())} others with a "
            f"score, {found.n_unknown} without",
            allowed="at least one of each",
            remedy="score rows that the target was trained on and rows that it was not",
        )
    return found


def roc_curve(scores: Any, members: Any) -> Roc:
    """Return the ROC curve of scores, one threshold for all targets.

    Args:
        scores: higher where membership is more likely, `[n]` or `[targets, n]`; infinite is the
            end of the order, NaN is left out. members: bool of the same shape.

    Returns:
        A `Roc`. Ties are one point, so no order among them is favoured.

    Raises:
        DataError: shapes that do not fit, or only members, or only others.

    Cost: O(n log n).

    >>> curve = roc_curve(np.array([3.0, 2.0, 2.0, 1.0]), np.array([1, 1, 0, 0]))
    >>> curve.fpr, curve.tpr
    (array([0. , 0. , 0.5, 1. ]), array([0. , 0.5, 1. , 1. ]))
    """
    found = scored(scores, members)
    values = [found.scores[mask] for mask in (found.members, found.others)]
    thresholds = np.unique(np.concatenate(values))[::-1]
    counts = [len(v) - np.searchsorted(np.sort(v), thresholds, side="left") for v in values]
    tpr, fpr = (np.r_[0, c] / len(v) for c, v in zip(counts, values, strict=True))
    return Roc(fpr, tpr, np.r_[np.inf, thresholds], len(values[0]), len(values[1]), found.n_unknown)


def estimate_auc(scores: Any, members: Any, confidence: float = 0.95) -> AucEstimate:
    """Return the area under the ROC curve: how often a member scores above another row.

    AUC = P(member > other) + P(member = other) / 2, within a target, averaged over targets: a
    target whose scores all lie high is no attack. The interval is a t interval of
    log(AUC / (1 - AUC)), so it stays inside (0, 1). One target: DeLong's standard error, degrees
    of freedom by Satterthwaite's rule, and at least as wide as Newcombe's score interval, since
    few members or an AUC near 1 make DeLong's error too small by chance (at 20 members, 200
    others and AUC = .98 it alone covers 89 %). Several targets: clustered by target and by row
    (`clustered_spread`), for rows drawn from a population and targets trained alike; the targets
    of one ensemble share rows and references.

    Args:
        scores, members: as in `roc_curve`. Any rising function of the scores gives the same.
        confidence: in (0, 1).

    Returns:
        An `AucEstimate`; a target without members or without others is left out.

    Raises:
        DataError: shapes that do not fit, or no target with both kinds.
        UsageError: a confidence out of range.

    Cost: O(n log n) for each target. Sources: DeLong, DeLong, Clarke-Pearson 1988, Biometrics 44,
    837; Newcombe 2006, Statistics in Medicine 25, 559, method 5.

    >>> estimate_auc(np.array([3.0, 2.0, 2.0, 1.0]), np.array([1, 1, 0, 0])).auc
    0.875
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    found = scored(scores, members)
    both = np.logical_and(found.members.any(1), found.others.any(1))
    if not both.any():
        raise DataError(
            "no target has both members and others with a score",
            got=f"{len(both)} targets",
            allowed="at least one",
        )
    which = np.flatnonzero(both)
    m, n = (int(mask.sum(1)[both].min()) for mask in (found.members, found.others))
    auc, spread = _delong(found, which[0]) if len(which) == 1 else _clustered(found, which)
    low, high = auc, auc
    if 0 < auc < 1:
        half = spread.half_width(confidence) / (auc * (1 - auc))
        low, high = (float(expit(logit(auc) + step)) for step in (-half, half))
    if len(which) == 1 or spread.variance == 0:
        wide = _newcombe(auc, m, n, confidence)
        low, high = min(low, wide[0]), max(high, wide[1])
    return AucEstimate(
        auc,
        low,
        high,
        float(np.sqrt(spread.variance)),
        len(which),
        int(found.members[both].sum()),
        int(found.others[both].sum()),
        found.n_unknown,
        confidence,
    )


def _delong(found: Scored, k: int) -> tuple[float, Spread]:
    """AUC of a target and its variance, degrees of freedom by Satterthwaite's rule."""
    area, parts = _placements(found, k)
    masks = found.members[k], found.others[k]
    variances = [float((parts[mask] ** 2).sum()) for mask in masks]
    freedoms = [max(int(mask.sum()) - 1, 1) for mask in masks]
    doubt = sum(v**2 / f for v, f in zip(variances, freedoms, strict=True))
    return area, Spread(sum(variances), sum(variances) ** 2 / doubt if doubt > 0 else 1.0)


def _clustered(found: Scored, which: np.ndarray) -> tuple[float, Spread]:
    """Mean AUC of targets and its variance. Target by target: no second array of all entries."""
    areas, sizes, squares = [], [], 0.0
    of_rows, weights = np.zeros((2, found.scores.shape[1]))
    for k in which:
        area, parts = _placements(found, k)
        known = found.members[k] | found.others[k]
        # What a target lies above the mean is spread over its entries.
        of_rows += parts + known * (area / known.sum())
        weights += known / known.sum()
        squares += float((parts**2).sum())
        areas.append(area)
        sizes.append(known.sum())
    auc, n_targets = float(np.mean(areas)), len(which)
    above = np.array(areas) - auc
    entries = squares + float((above**2 / np.array(sizes)).sum())
    rows = (of_rows - auc * weights) / n_targets
    return auc, clustered_spread(rows, above / n_targets, entries / n_targets**2)


def _placements(found: Scored, k: int) -> tuple[float, np.ndarray]:
    """AUC of one target, and what each row adds to its deviation: DeLong's components."""
    masks = found.members[k], found.others[k]
    x, y = (found.scores[k][mask] for mask in masks)
    of_x, of_y = share_below(x, y), 1 - share_below(y, x)
    area = float(of_x.mean())
    parts = np.zeros(found.scores.shape[1])
    for mask, values in zip(masks, (of_x, of_y), strict=True):
        m = len(values)
        # m - 1: squares of the parts then sum to DeLong's variance without bias.
        parts[mask] = (values - area) / np.sqrt(m * max(m - 1, 1))
    return area, parts


def share_below(values: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Return the share of the numbers `of` that lie below each value; those equal to it, half."""
    ordered = np.sort(of)
    sides = [np.searchsorted(ordered, values, side=side) for side in ("left", "right")]
    return (sides[0] + sides[1]) / (2 * len(of))


def _newcombe(auc: float, m: int, n: int, confidence: float) -> tuple[float, float]:
    """Solve |AUC - a| = z sqrt(V(a)), V(a) Hanley and McNeil's variance with (m + n) / 2 each."""
    z = float(ndtri((1 + confidence) / 2))
    typical = (m + n) / 2 - 1

    def excess(a: float) -> float:
        shape = 1 + typical * ((1 - a) / (2 - a) + a / (1 + a))
        return (auc - a) ** 2 - z**2 * a * (1 - a) * shape / (m * n)

    low = 0.0 if auc == 0 else float(brentq(excess, 0.0, auc - 1e-12))
    high = 1.0 if auc == 1 else float(brentq(excess, auc + 1e-12, 1.0))
    return low, high
