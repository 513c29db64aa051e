"""What more rows would bring: a measured learning curve, extrapolated with what is not known."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import fdtrc

from overparam.checks import check_range
from overparam.errors import DataError
from overparam.measures.test_error.curve_shapes import CurveDraws, draw_curves
from overparam.measures.test_error.measured_curve import (
    CurveRise,
    MeasuredCurve,
    estimate_curve_rise,
    measured_curve,
)

FARTHEST = 8  # times the rows measured, beyond which no shape is trusted
_FEWEST_SIZES = 4
_MISFIT = 0.01  # p-value below which no curve that only falls fits


@dataclass(frozen=True)
class ErrorAtRows:
    """Error at a number of rows, or a difference of two, with its interval.

    Attributes:
        rows: the number of rows. error: median; NaN where it cannot be told. low, high: bounds.
    """

    rows: float
    error: float
    low: float
    high: float


@dataclass(frozen=True)
class RowsNeeded:
    """Rows at which a wanted error is reached.

    Attributes:
        answer: "reached already", "reached at", "more than", "not reached by any number" or
            "cannot be told".
        rows: median; inf where it lies beyond eight times the rows measured, or is never reached.
        low, high: bounds, likewise. p_never: the probability that no number of rows is enough.
    """

    answer: str
    rows: float
    low: float
    high: float
    p_never: float


@dataclass(frozen=True)
class MoreData:
    """A learning curve, measured, tested and fitted.

    Attributes:
        told: whether it can be extrapolated. reason: why not, else "".
        rows, error, standard_error: `[S]`, what was measured, by increasing number of rows.
        rise: the test of whether error rises anywhere, made before anything is fitted.
        shapes: the probability of each family of curves: "flat", "power", "logarithm",
            "exponential"; empty where not told.
        confidence: nominal coverage of all intervals.
    """

    told: bool
    reason: str
    rows: np.ndarray
    error: np.ndarray
    standard_error: np.ndarray
    rise: CurveRise
    shapes: dict[str, float]
    confidence: float
    _draws: CurveDraws | None = field(repr=False)

    def error_at(self, rows: float) -> ErrorAtRows:
        """Return the mean error of models trained on so many rows.

        Raises:
            UsageError: fewer rows than were measured, or more than eight times as many.
        """
        rows = self._checked(rows)
        return self._summary(rows, None if self._draws is None else self._draws.at(rows))

    def gain(self, factor: float = 2.0) -> ErrorAtRows:
        """Return by how much error falls from the most rows measured to `factor` times as many.

        Its `rows` are those; 0 is in the interval where nothing is gained.

        Raises:
            UsageError: a factor outside 1 ... 8.
        """
        check_range("factor", factor, 1, FARTHEST)
        most = float(self.rows[-1])
        rows = most * factor
        gained = None if self._draws is None else self._draws.at(most) - self._draws.at(rows)
        return self._summary(rows, gained)

    def rows_needed(self, wanted: float) -> RowsNeeded:
        """Return how many rows bring the mean error down to `wanted` (1 - the wanted score).

        Raises:
            UsageError: no finite number.
        """
        check_range("wanted", wanted)
        if self._draws is None:
            return RowsNeeded("cannot be told", math.nan, math.nan, math.nan, math.nan)
        far = FARTHEST * float(self.rows[-1])
        needed = self._draws.rows_at(float(wanted), far)
        p_never = float(self._draws.never(float(wanted)).mean())
        tail = (1 - self.confidence) / 2
        found = np.quantile(needed, (0.5, tail, 1 - tail), method="nearest")
        rows, low, high = (float(bound) for bound in found)
        if high <= self.rows[-1]:
            answer = "reached already"
        elif p_never >= 1 - tail:
            answer = "not reached by any number"
        elif math.isinf(low) or math.isinf(rows):
            answer = "more than"
            low = min(low, far)
        else:
            answer = "reached at"
        return RowsNeeded(answer, rows, low, high, p_never)

    def _checked(self, rows: float) -> float:
        return float(check_range("rows", rows, self.rows[0], FARTHEST * self.rows[-1]))

    def _summary(self, rows: float, values: np.ndarray | None) -> ErrorAtRows:
        if values is None:
            return ErrorAtRows(rows, math.nan, math.nan, math.nan)
        tail = (1 - self.confidence) / 2
        middle, low, high = (float(v) for v in np.quantile(values, (0.5, tail, 1 - tail)))
        return ErrorAtRows(rows, middle, low, high)


def estimate_more_data(
    rows: Any,
    errors: Any,
    *,
    groups: Any = None,
    least: float = 0.0,
    confidence: float = 0.95,
) -> MoreData:
    """Return what more rows bring, from errors measured at several numbers of rows.

    First it is tested whether error rises anywhere (`estimate_curve_rise`): a curve that does is
    not extrapolated. Then curves that only fall, e(n) = e_S + d g(n) with g = 1 at the fewest rows
    and 0 at the most, are averaged by how well they fit: g a power of n (an offset is in e_S), its
    limit the logarithm, an exponential, and none at all (d = 0). They are curves of a posterior
    with flat priors, so the interval holds what the measurement leaves open of level, fall and
    shape. Last, it is not told where no curve fits (F test, 1 %), or where curves fitted without
    the largest sizes did not foretell these.

    Args:
        rows: `[S]`, at least 4 distinct sizes of training set.
        errors: `[S, repeats]`, smaller is better (1 - accuracy, a loss); or `[S, repeats, n]` of
            single test rows, the same for all, which adds the doubt about new test rows. NaN
            where nothing was measured (a row that the model was trained on). Column k may be the
            same draw or fold at all sizes, and need not be.
        groups: `[n]`, test rows that belong together (duplicates, one patient); no missing
            values.
        least: the error that nothing can fall below; 0 for error rates and most losses.
        confidence: nominal coverage, in (0, 1).

    Returns:
        `MoreData`, with `error_at(rows)`, `gain(factor)` and `rows_needed(wanted)`. The intervals
        are about the mean over models and, with `[S, repeats, n]`, over rows; not of one model.

    Raises:
        DataError: fewer than 4 sizes, or than 2 repeats at one; shapes that do not fit; sizes that
            are not distinct and positive; one index in two orders; infinity; missing groups; a
            mean error below `least`.
        UsageError: a confidence outside (0, 1), a `least` that is no number, or groups with
            `[S, repeats]`.

    Cost: O(S^2) for each of 8,000 draws of a fixed generator. Assumption: larger training sets
    are drawn as the smaller ones were, and the recipe is the same at each size. Sources: Viering
    and Loog 2023 (arXiv:2103.10948) on shapes of learning curves; Hoeting et al. 1999, Statistical
    Science 14, 382, on averaging.

    >>> rows = np.array([100, 200, 400, 800, 1600])
    >>> found = estimate_more_data(rows, (0.1 + 2 / np.sqrt(rows))[:, None] + [-0.001, 0.001])
    >>> half = found.error_at(6400)  # .1 + 2/80 = .125
    >>> found.told, bool(half.low < 0.125 < half.high), found.rows_needed(0.31).answer
    (True, True, 'reached already')
    """
    check_range("least", least)
    rise = estimate_curve_rise(rows, errors, groups=groups, confidence=confidence)
    curve = measured_curve(rows, errors, groups)
    if len(curve.rows) < _FEWEST_SIZES:
        raise DataError(
            "too few sizes to tell the shape of a curve",
            got=len(curve.rows),
            allowed=f">= {_FEWEST_SIZES}",
            remedy="train on more different numbers of rows",
        )
    if curve.error.min() < least:
        raise DataError(
            "an error lies below the least one",
            got=float(curve.error.min()),
            allowed=f">= {least}",
            remedy="errors are smaller where models are better; give 1 - score, or least=",
        )
    draws = draw_curves(curve, least)
    reason = _why_not(curve, rise, draws, least)
    return MoreData(
        not reason,
        reason,
        curve.rows,
        curve.error,
        np.sqrt(np.diag(curve.covariance)),
        rise,
        {} if reason else draws.probabilities,
        confidence,
        None if reason else draws,
    )


def _why_not(curve: MeasuredCurve, rise: CurveRise, draws: CurveDraws, least: float) -> str:
    """Return why a curve is not extrapolated, or ""."""
    if rise.rises:
        return (
            f"error rises by {rise.rise:.3g} ({rise.low:.3g} to {rise.high:.3g}) from "
            f"{rise.from_rows:g} to {rise.to_rows:g} rows"
        )
    spare = len(curve.rows) - 3
    if fdtrc(spare, curve.freedom, draws.misfit / spare) < _MISFIT:
        return "no curve that only falls fits what was measured"
    early = curve.rows <= curve.rows[-1] / 2
    early |= np.arange(len(early)) < _FEWEST_SIZES
    if early.all():
        return ""
    shorter = replace(
        curve,
        rows=curve.rows[early],
        error=curve.error[early],
        covariance=curve.covariance[np.ix_(early, early)],
    )
    before = draw_curves(shorter, least)
    noise = np.random.default_rng(1).standard_t(curve.freedom, before.n)
    foretold = before.at(curve.rows[-1]) + noise * math.sqrt(curve.covariance[-1, -1])
    low, high = np.quantile(foretold, (_MISFIT / 2, 1 - _MISFIT / 2))
    if low <= curve.error[-1] <= high:
        return ""
    return (
        f"curves fitted up to {shorter.rows[-1]:g} rows foretold {low:.3g} to {high:.3g} at "
        f"{curve.rows[-1]:g}, and it is {curve.error[-1]:.3g}"
    )
