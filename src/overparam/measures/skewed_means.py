"""Bounds of a mean of skewed values, such as losses of which rare errors are most."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from overparam.measures.clustering import Spread


def skewed_bounds(
    mean: float, spread: Spread, third: float, confidence: float
) -> tuple[float, float]:
    """Return the bounds of a mean whose third central moment is known.

    With V the squared standard error, t and z Student's and the normal quantile, and
    s = (1 + 2 z^2)/6 third/V: mean + s -+ sqrt(t^2 V + s^2). Without skewness that is the t
    interval. s is Johnson's shift (1978, J. American Statistical Association 73, 536); under the
    root it says how V grows with the mean, as of rare events. Of a count of rare events, one event
    added to its variance, these are nearly the exact bounds:

    >>> [round(b, 1) for b in skewed_bounds(1.0, Spread(1.0 + 1.0, np.inf), 2.0, 0.95)]
    [-0.7, 5.6]
    >>> from scipy.stats import chi2
    >>> round(float(chi2.ppf(0.975, 2 * (1 + 1))) / 2, 1)  # exact, of one event
    5.6
    """
    level = (1 + confidence) / 2
    normal = float(stdtrit(np.inf, level))
    lean = third / spread.variance if spread.variance > 0 else 0.0
    shift = lean * (1 + 2 * normal**2) / 6
    reach = float(np.hypot(spread.half_width(confidence), shift))
    return float(mean + shift - reach), float(mean + shift + reach)


def hit_and_miss(said: np.ndarray, floor: float) -> tuple[np.ndarray, np.ndarray]:
    """Return how probable each label that was not seen is, if it is as said, and if it is not.

    Rare errors cost most, and a test set may hold none of them. A variance to which one hit and one
    miss are added, drawn where the model itself expects them, knows what they would cost. How
    often they come is left to the labels.

    Args:
        said: `[n, K]`, probabilities. floor: below which none counts.

    Returns:
        Two of `[n, K]`, not normalized: probabilities of each row's most probable class, and of all
        others; 0 elsewhere.
    """
    p = np.maximum(said, floor)
    is_top = np.arange(p.shape[1]) == p.argmax(1)[:, None]
    return np.where(is_top, p, 0.0), np.where(is_top, 0.0, p)
