"""Rates of many groups, each drawn towards the mean of all as far as the groups are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, betaln, expit, log_expit

_SIDES = (49, 33, 25, 25)  # points of the grid along each axis, zoom by zoom
_USUAL = 1.5  # standard deviation between groups on the logit scale, that of the prior
_NEGLIGIBLE = 14.0  # log weight below the highest, outside of which nothing is integrated
_DROPPED = 1e-5  # of the weight, that single points are left out for
_BISECTIONS = 32
_ENTRIES = 2**20  # of an array of groups by points


@dataclass(frozen=True)
class PooledRates:
    """Posterior of the rates of G groups.

    Attributes:
        mean, low, high: `[G]`.
        centre, centre_low, centre_high: mean of the population of groups; median and interval of
            what it may be, since a few groups without a hit leave it a long tail.
        spread, spread_low, spread_high: standard deviation of rates between groups, likewise.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    centre: float
    centre_low: float
    centre_high: float
    spread: float
    spread_low: float
    spread_high: float


def pooled_rates(hits: np.ndarray, n: np.ndarray, confidence: float) -> PooledRates:
    """Return rates of groups under a beta-binomial hierarchy, whose parameters are integrated over.

    hits_j ~ Binomial(n_j, theta_j), theta_j ~ Beta(m s, (1 - m) s), with m ~ Beta(1/2, 1/2) and
    tau = (m (1 - m) s)^(-1/2) half-normal of scale 1.5: tau is about the standard deviation between
    groups on the logit scale, so 0 (no group differs) is the likeliest, and rates that differ by
    factors of 2 or 4 are usual, but not groups without any error beside others, which few rows
    would never refute. Given m and s a rate is Beta(m s + hits_j, (1 - m) s + n_j - hits_j); m and
    s are integrated over on a grid that is zoomed to where their posterior lies.

    Where no row of any group is a hit, upper bounds are at least alpha/2's of all rows as one
    group, 1 - (alpha/2)^(1/n), and where all are, lower bounds likewise: without it Jeffreys'
    intervals are too short there (Brown, Cai, DasGupta 2001, section 4.1.2).

    Cost: 4,700 evaluations of each different (hits, n), then 64 of the 300 to 500 points that
    carry weight.
    """
    pairs, of_group, many = np.unique(
        np.stack([hits, n]), axis=1, return_inverse=True, return_counts=True
    )
    x, total = pairs.astype(np.float64)
    u, s, weight = _grid(x, total, many)
    # Posterior betas: [points, pairs].
    a, b = (expit(u) * s)[:, None] + x, (expit(-u) * s)[:, None] + total - x
    mean = weight @ (a / (a + b))
    alpha = (1 - confidence) / 2
    low, high = (_mixture_quantile(a, b, weight, level) for level in (alpha, 1 - alpha))
    least = alpha ** (1 / n.sum())  # which a rate of all rows must have, to be all hits so often
    if not hits.any():
        high = np.maximum(high, 1 - least)
    if (hits == n).all():
        low = np.minimum(low, least)
    of_group = of_group.reshape(-1)
    log_spread = (log_expit(u) + log_expit(-u) - np.log1p(s)) / 2
    centre, spread = (
        [_weighted_quantile(values, weight, level) for level in (0.5, alpha, 1 - alpha)]
        for values in (u, log_spread)
    )
    return PooledRates(
        mean[of_group], low[of_group], high[of_group], *expit(centre), *np.exp(spread)
    )


def _grid(
    x: np.ndarray, total: np.ndarray, many: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return logit m, s and weights of the points that carry the posterior, each `[points]`.

    Axes are log tau and t with logit m = c + w sinh(t), c that of all rows together and w about
    its error: where groups are alike the posterior of m is as narrow as w, and else far wider.
    """
    n_hits, n_rows = float(many @ x), float(many @ total)
    c = np.log((n_hits + 0.5) / (n_rows - n_hits + 0.5))
    w = np.sqrt(1 / (n_hits + 0.5) + 1 / (n_rows - n_hits + 0.5))
    widest = float(np.arcsinh(30 / w))
    bounds = np.array([[-widest, widest], [-9.0, 2.2]])
    for side in _SIDES:
        axes = [np.linspace(span[0], span[1], side) for span in bounds]
        t, v = (g.ravel() for g in np.meshgrid(*axes, indexing="ij"))
        u = c + w * np.sinh(t)
        logs = _log_posterior(u, v, x, total, many) + np.log(np.cosh(t))
        inside = (logs > logs.max() - _NEGLIGIBLE).reshape(side, side)
        for axis, points in enumerate(axes):
            kept = np.flatnonzero(inside.any(1 - axis))
            bounds[axis] = points[max(kept[0] - 1, 0)], points[min(kept[-1] + 1, side - 1)]
    weight = np.exp(logs - logs.max())
    weight /= weight.sum()
    order = np.argsort(-weight)
    carrying = order[: np.searchsorted(np.cumsum(weight[order]), 1 - _DROPPED) + 1]
    s = _strength(u[carrying], v[carrying])
    return u[carrying], s, weight[carrying] / weight[carrying].sum()


def _strength(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return s from logit m and log tau."""
    found: np.ndarray = np.exp(-2 * v) / (expit(u) * expit(-u))
    return found


def _log_posterior(
    u: np.ndarray, v: np.ndarray, x: np.ndarray, total: np.ndarray, many: np.ndarray
) -> np.ndarray:
    s = _strength(u, v)
    # The prior's density times the derivative of m and tau along the axes.
    logs = (log_expit(u) + log_expit(-u)) / 2 + v - (np.exp(v) / _USUAL) ** 2 / 2
    a, b = expit(u) * s, expit(-u) * s
    step = max(1, _ENTRIES // len(u))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        ends = betaln(a[:, None] + x[part], b[:, None] + (total - x)[part])
        logs = logs + (ends - betaln(a, b)[:, None]) @ many[part]
    return logs


def _mixture_quantile(a: np.ndarray, b: np.ndarray, weight: np.ndarray, level: float) -> np.ndarray:
    """Return by bisection, on logits, where a mixture of betas `[points, pairs]` has a level."""
    found = np.empty(a.shape[1])
    step = max(1, _ENTRIES // len(weight))
    for start in range(0, a.shape[1], step):
        part = slice(start, start + step)
        low, high = np.full(found[part].shape, -40.0), np.full(found[part].shape, 40.0)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            below = weight @ betainc(a[:, part], b[:, part], expit(middle)) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        found[part] = expit((low + high) / 2)
    return found


def _weighted_quantile(values: np.ndarray, weight: np.ndarray, level: float) -> float:
    different, of_value = np.unique(values, return_inverse=True)
    mass = np.bincount(of_value, weight)
    return float(np.interp(level, np.cumsum(mass) - mass / 2, different))
