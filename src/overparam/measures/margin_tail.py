"""How often models are right on a row, from the size of their margins and not only their sign.

A margin that is far from 0 says more than that it is positive: the share of models that are right
is read off the tail of a normal distribution, which takes half as many models as counting.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from overparam.measures.jeffreys import Accuracies, jeffreys_accuracies
from overparam.measures.smooth_prior import SmoothPrior, fit_smooth_prior

_NU0 = 8.0  # degrees of freedom that the variance of all rows counts for, beside a row's own
_GRID = np.linspace(-8, 8, 321)  # of z, on which the calibration is fitted
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class Tally:
    """What the models of one side (that saw the row, or did not) say of each row, `[n]`.

    Attributes:
        n: number of models. n_right: of these right. mean, squares: mean of their margins (0 where
            there is none), and sum of squares about it.
    """

    n: np.ndarray
    n_right: np.ndarray
    mean: np.ndarray
    squares: np.ndarray


# Yields (rows, margins [K, rows], which of them count [K, rows]), as often as it is called.
MarginBlocks = Callable[[], Iterator[tuple[slice, np.ndarray, np.ndarray]]]


def tail_accuracies(
    tally: Tally, margins: MarginBlocks, prior: np.ndarray | None, confidence: float
) -> Accuracies:
    """Return how often models are right on each row; NaN where no model counts.

    1. Margins of row i are taken as normal, N(mu_i, s_i^2). Its variance is shrunk to that of all
       rows, s_i^2 = (nu0 s_pool^2 + sum (h - mean)^2) / (nu0 + N - 1) with nu0 = 8, and its mean
       mu_i, where a `prior` is given, to a smooth function of that. z = mu / s.
    2. Accuracy is Phi(a + b z). For normal margins a = 0 and b = 1; margins of rows in training
       are not, and a, b are fitted to how often models are right when z is that of the others.
       What is not known of a row is worth no less than one model in all models of all rows.
    3. What shape is left over is a bias b_i^2 = beta p (1 - p), beta by moments over rows. The
       estimate goes over to counts where their variance is below it: the tail's weight is
       (V_count - V_tail) / (V_count - V_tail + b_i^2), the one of least squared error.

    A row on which all its models are right has 1 in its interval, and one on which none is has 0:
    the shape of a tail alone does not rule them out.
    """
    known = tally.n > 0
    scale = np.sqrt(_variance(tally.n, tally.squares, _pooled(tally)))
    smooth = None
    if prior is not None:
        smooth = fit_smooth_prior(prior, tally.mean, scale**2 / np.maximum(tally.n, 1), known)
    z, v = _position(tally.mean, scale, tally.n, smooth)
    intercept, slope = _calibrate(tally, margins, smooth)
    tail = _through(z, v, intercept, slope, confidence)
    counted = jeffreys_accuracies(tally.n_right, tally.n, confidence)
    return _towards_counts(tally, tail, counted)


def _pooled(tally: Tally) -> float:
    return float(tally.squares.sum() / np.maximum(tally.n - 1, 0).sum())


def _variance(n: np.ndarray, squares: np.ndarray, pooled: float) -> np.ndarray:
    own = np.maximum(n - 1, 0)
    return np.maximum((_NU0 * pooled + squares) / (_NU0 + own), _TINY)


def _position(
    mean: np.ndarray, scale: np.ndarray, n: np.ndarray, smooth: SmoothPrior | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return z = mu / s and its variance."""
    noise = scale**2 / np.maximum(n, 1)
    if smooth is not None:
        mean, noise = smooth.shrink(mean, noise)
    z = mean / scale
    return z, noise / scale**2 + z**2 / (2 * (_NU0 + np.maximum(n - 1, 0)))


def _through(
    z: np.ndarray, v: np.ndarray, intercept: float, slope: float, confidence: float
) -> Accuracies:
    """Return Phi(a + b z) for z normal with variance v: mean, bounds, variance."""
    # b > 1 says that rows near 0 spread less than all do: their means are as much the surer, so
    # what is not known of b z is what was not known of z.
    centre, reach = intercept + slope * z, np.sqrt(v)
    mean = ndtr(intercept + slope * z / np.sqrt(1 + v))  # as it was calibrated
    square = np.zeros(len(z))
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        square += weight * (ndtr(centre + node * reach) - mean) ** 2
    reach = ndtri((1 + confidence) / 2) * reach
    return Accuracies(mean, ndtr(centre - reach), ndtr(centre + reach), square)


def _calibrate(
    tally: Tally, margins: MarginBlocks, smooth: SmoothPrior | None
) -> tuple[float, float]:
    """Return a, b of P(right) = Phi(a + b z), z being that of the row's other models."""
    total, right = np.zeros(len(_GRID)), np.zeros(len(_GRID))
    pooled = _pooled(tally)
    for rows, values, counts in margins():
        n, mean, squares = tally.n[rows], tally.mean[rows], tally.squares[rows]
        models, at = np.nonzero(counts & (n > 1))
        h, others = values[models, at], n[at] - 1
        left = mean[at] + (mean[at] - h) / others
        spread = np.maximum(squares[at] - (h - mean[at]) * (h - left), 0)
        scale = np.sqrt(_variance(others, spread, pooled))
        z, v = _position(left, scale, others, smooth and smooth.of(rows.start + at))
        place = np.rint((np.clip(z / np.sqrt(1 + v), -8, 8) + 8) * 20).astype(np.int64)
        total += np.bincount(place, minlength=len(_GRID))
        right += np.bincount(place, h > 0, minlength=len(_GRID))
    return _fit_probit(_GRID, total, right)


def _fit_probit(z: np.ndarray, total: np.ndarray, right: np.ndarray) -> tuple[float, float]:
    """Return a, b >= 0 of P = Phi(a + b z) by scoring; a, b have priors N(0, 1) and N(1, 1)."""
    design = np.stack([np.ones(len(z)), z], 1)
    start = np.array([0.0, 1.0])
    found = start.copy()
    for _ in range(50):
        linear = np.clip(design @ found, -6, 6)
        p, density = ndtr(linear), np.exp(-(linear**2) / 2) / np.sqrt(2 * np.pi)
        weight = total * density**2 / (p * (1 - p))
        slope = design.T @ ((right - total * p) * density / (p * (1 - p))) - (found - start)
        step = np.linalg.solve(design.T @ (weight[:, None] * design) + np.eye(2), slope)
        found = found + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-9:
            break
    return float(found[0]), max(float(found[1]), 0.0)


def _towards_counts(tally: Tally, tail: Accuracies, counted: Accuracies) -> Accuracies:
    known = tally.n > 0
    n, p = np.maximum(tally.n, 1), tail.estimate
    spread = p * (1 - p)
    # What counting adds in variance. A tail that claims to be no better is taken at a quarter.
    gain = np.maximum(spread / n - tail.variance, spread / (4 * n))
    apart = np.where(known, (tally.n_right / n - p) ** 2 - gain, 0)
    beta = max(float(apart @ spread), 0) / max(float((spread**2)[known].sum()), _TINY)
    w = np.where(known, gain / np.maximum(gain + beta * spread, _TINY), np.nan)
    finest = 1 / max(int(tally.n.sum()), 1)  # what all rows together could have shown
    low = np.minimum(w * tail.low + (1 - w) * counted.low, 1 - finest)
    high = np.maximum(w * tail.high + (1 - w) * counted.high, finest)
    return Accuracies(
        w * p + (1 - w) * np.where(known, counted.estimate, 0),
        np.where(tally.n_right == 0, np.minimum(0.0, low), low),
        np.where(tally.n_right == tally.n, np.maximum(1.0, high), high),
        np.maximum(tail.variance + w * beta * spread, finest**2),
    )
