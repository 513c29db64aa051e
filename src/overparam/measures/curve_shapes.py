"""Learning curves that only fall, drawn by how well they fit what was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.measures.measured_curve import MeasuredCurve

_DRAWS = 8_000
_PRIOR = {
    "flat": 0.1,
    "power": 0.4,
    "power to the least": 0.2,
    "logarithm": 0.1,
    "exponential": 0.2,
}
_EXPONENTS = np.linspace(0.05, 2.0, 40)
_N_SCALES = 24  # of exponentials, from half the fewest rows to four times the most
_SHAPE_ERROR = 0.01  # of the fall: no true curve is exactly one of these


@dataclass(frozen=True)
class CurveDraws:
    """Curves level + fall g(n), each a draw `[n]`; g is 1 at `first` rows and 0 at `last`.

    Attributes:
        level, fall: `[n]`. exponent: `[n]` of powers; 0 of logarithms and flat curves, NaN of
            exponentials. scale: `[n]`, rows, of exponentials; NaN of others.
        first, last: the fewest and the most rows measured. least: no curve falls below it.
        probabilities: of each family. misfit: the smallest weighted sum of squares of any curve.
    """

    level: np.ndarray
    fall: np.ndarray
    exponent: np.ndarray
    scale: np.ndarray
    first: float
    last: float
    least: float
    probabilities: dict[str, float]
    misfit: float

    @property
    def n(self) -> int:
        """How many curves were drawn."""
        return len(self.level)

    def at(self, rows: float) -> np.ndarray:
        """Return the error of each curve at so many rows."""
        shape = _shape(np.array([rows]), self.exponent, self.scale, self.first, self.last)[:, 0]
        return np.maximum(self.level + self.fall * shape, self.least)

    def rows_at(self, wanted: float) -> np.ndarray:
        """Return the rows at which each curve falls to an error; inf where it never does."""
        if wanted < self.least:
            return np.full(self.n, np.inf)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            height = (wanted - self.level) / self.fall
            log_first, log_last = np.log(self.first), np.log(self.last)
            of_logarithm = np.exp(log_last - height * (log_last - log_first))
            c, s = self.exponent, self.scale
            inner = self.last**-c + height * (self.first**-c - self.last**-c)
            of_power = np.where(inner > 0, inner ** (-1 / c), np.inf)
            inner = np.exp(-self.last / s) + height * (
                np.exp(-self.first / s) - np.exp(-self.last / s)
            )
            of_exponential = np.where(inner > 0, -s * np.log(inner), np.inf)
            found = np.where(np.isnan(c), of_exponential, np.where(c == 0, of_logarithm, of_power))
        flat = np.where(self.level <= wanted, 0.0, np.inf)
        return np.maximum(np.where(self.fall == 0, flat, found), 0.0)


def draw_curves(curve: MeasuredCurve, least: float) -> CurveDraws:
    """Return draws of the posterior of curves that only fall and stay above `least`.

    Priors: families as in `_PRIOR`, exponents uniform in (0, 2], scales uniform in their logarithm,
    level and fall uniform. The likelihood is Student's, since the noise is estimated.
    """
    first, last = float(curve.rows[0]), float(curve.rows[-1])
    scales = np.geomspace(first / 2, 4 * last, _N_SCALES)
    n_powers = len(_EXPONENTS)
    n_of = (1, n_powers, n_powers, 1, _N_SCALES)
    family = np.repeat(list(_PRIOR), n_of)
    none = np.full(_N_SCALES, np.nan)
    exponents = np.concatenate([[0.0], _EXPONENTS, _EXPONENTS, [0.0], none])
    scales = np.concatenate([np.full(2 * n_powers + 2, np.nan), scales])
    shapes = _shape(curve.rows, exponents, scales, first, last)
    widest = max(float(curve.error.max()) - least, np.finfo(float).tiny)
    off = _SHAPE_ERROR * max(float(np.ptp(curve.error)), 1e-3 * widest)
    inverse = np.linalg.inv(curve.covariance + off**2 * np.eye(len(curve.rows)))
    prior = np.repeat(np.array(list(_PRIOR.values())) / n_of, n_of)
    ends = _limit(exponents, scales, first, last)
    fits = [
        _fit(curve.error - least, inverse, _columns(name, shape, end))
        for name, shape, end in zip(family, shapes, ends, strict=True)
    ]
    misfit = np.array([m for _, _, m in fits])
    free = curve.freedom
    spare = np.where((family == "flat") | (family == "power to the least"), 1, 2)
    logs = np.log(prior) - (free + len(curve.rows) - spare) / 2 * np.log1p(misfit / free)
    logs += np.array([np.linalg.slogdet(root)[1] for _, root, _ in fits])
    logs += np.where(spare == 1, 0, np.log(np.sqrt(2 * np.pi) / widest))
    weight = np.exp(logs - logs.max())
    rng = np.random.default_rng(0)
    which = rng.choice(len(weight), _DRAWS, p=weight / weight.sum())
    chi = rng.chisquare((free + len(curve.rows) - spare)[which])
    scale = np.sqrt((free + misfit[which]) / chi)[:, None]
    middle = np.array([np.pad(m, (0, 2 - len(m))) for m, _, _ in fits])[which]
    roots = np.array([np.pad(r, (0, 2 - len(r))) for _, r, _ in fits])[which]
    normal = rng.standard_normal((_DRAWS, 2))
    level, fall = (middle + scale * np.einsum("ijk,ik->ij", roots, normal)).T.copy()
    # A curve's limit lies at its shape's end; the logarithm has none, and is cut at `least`.
    ends = ends[which]
    bound = family[which] == "power to the least"
    fall[bound] = -level[bound] / ends[bound]
    kept = (fall >= 0) & (level >= 0) & (level + fall * ends >= -1e-12 * widest)
    if not kept.any():  # what was measured rises, if not surely
        kept, fall = level >= level.max(), np.zeros(_DRAWS)
    which = which[kept]
    return CurveDraws(
        least + level[kept],
        fall[kept],
        exponents[which],
        scales[which],
        first,
        last,
        least,
        {name: float((family[which] == name).mean()) for name in _PRIOR},
        float(misfit.min()),
    )


def _columns(family: str, shape: np.ndarray, end: float) -> np.ndarray:
    """Return what is added up to a curve above the least: its level at most rows, and its fall."""
    if family == "flat":
        return np.ones((len(shape), 1))
    if family == "power to the least":  # the fall is such that the limit is 0
        return (1 - shape / end)[:, None]
    return np.stack([np.ones_like(shape), shape], 1)


def _fit(
    error: np.ndarray, inverse: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return level and fall, a root of their covariance, and the weighted sum of squares."""
    covariance = np.linalg.inv(columns.T @ inverse @ columns)
    found = covariance @ columns.T @ inverse @ error
    left = error - columns @ found
    return found, np.linalg.cholesky(covariance), float(left @ inverse @ left)


def _shape(
    rows: np.ndarray, exponent: np.ndarray, scale: np.ndarray, first: float, last: float
) -> np.ndarray:
    """Return g(rows) `[curves, rows]`: 1 at `first` and 0 at `last`."""
    c, s = exponent[:, None], scale[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        power = (rows**-c - last**-c) / (first**-c - last**-c)
        logarithm = np.log(last / rows) / np.log(last / first)
        # Both counted from `last`, or small scales would leave 0 / 0.
        exponential = np.expm1((last - rows) / s) / np.expm1((last - first) / s)
    return np.where(
        np.isnan(c), exponential, np.where(c == 0, np.broadcast_to(logarithm, power.shape), power)
    )


def _limit(exponent: np.ndarray, scale: np.ndarray, first: float, last: float) -> np.ndarray:
    """Return g at infinitely many rows; 0 for logarithms, which have none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        power = -1 / ((last / first) ** exponent - 1)
        exponential = -1 / np.expm1((last - first) / scale)
    return np.where(np.isnan(exponent), exponential, np.where(exponent == 0, 0.0, power))
