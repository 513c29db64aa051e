"""Learning curves that only fall, drawn by how well they fit what was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.measures.test_error.measured_curve import MeasuredCurve

_DRAWS = 8_000
_PRIOR = {
    "flat": 0.1,
    "power": 0.4,
    "power to the least": 0.2,
    "logarithm": 0.1,
    "exponential": 0.2,
}
_EXPONENTS = np.geomspace(0.05, 2.0, 20)
_N_SHIFTS = 8  # of powers of rows + shift, from a quarter of the fewest rows to twice the most
_N_SCALES = 48  # of exponentials, from half the fewest rows to four times the most
_SHAPE_ERROR = 0.02  # of the fall, by which a true curve may be off all of these
_HALVINGS = 40
_SHAPE_LENGTH = np.log(4)  # how far in log rows such an error reaches


@dataclass(frozen=True)
class _Shapes:
    """Falling functions g of the rows, J of them, with g = 1 at `first` and 0 at `last`.

    (n + shift)^-c; log n where c = 0; exp(-n / scale) where c is NaN.
    """

    exponent: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    first: float
    last: float

    def __getitem__(self, which: np.ndarray) -> _Shapes:
        parts = self.exponent[which], self.shift[which], self.scale[which]
        return _Shapes(*parts, self.first, self.last)

    def at(self, rows: np.ndarray) -> np.ndarray:
        """Return g(rows) `[J, rows]`, of rows `[rows]` or `[J, rows]`."""
        c, m, s = self.exponent[:, None], self.shift[:, None], self.scale[:, None]
        first, last = self.first, self.last
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            # Counted from `last`, or shapes that fall early would leave 0 / 0.
            power = ((rows + m) / (last + m)) ** -c - 1
            power /= ((first + m) / (last + m)) ** -c - 1
            logarithm = np.log(last / rows) / np.log(last / first) + 0 * c
            exponential = np.expm1((last - rows) / s) / np.expm1((last - first) / s)
        return np.where(np.isnan(c), exponential, np.where(c == 0, logarithm, power))

    def limit(self) -> np.ndarray:
        """Return g at infinitely many rows, `[J]`; 0 for logarithms, which have none."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            ratio = (self.last + self.shift) / (self.first + self.shift)
            power = -1 / (ratio**self.exponent - 1)
            exponential = -1 / np.expm1((self.last - self.first) / self.scale)
        found = np.where(np.isnan(self.exponent), exponential, power)
        return np.where(self.exponent == 0, 0.0, found)


@dataclass(frozen=True)
class CurveDraws:
    """Curves level + fall g(n), each a draw; level is the error at the most rows measured.

    Attributes:
        level, fall: `[n]`. shapes: the g of each. least: no curve falls below it.
        luck: `[n]`, standard normal, how far each is off its shape beyond the most rows.
        probabilities: of each family. misfit: the smallest weighted sum of squares of any curve.
    """

    level: np.ndarray
    fall: np.ndarray
    shapes: _Shapes
    luck: np.ndarray
    least: float
    probabilities: dict[str, float]
    misfit: float

    @property
    def n(self) -> int:
        """How many curves were drawn."""
        return len(self.level)

    def at(self, rows: float | np.ndarray) -> np.ndarray:
        """Return the error of each curve at so many rows, one number or one for each curve.

        Beyond the most rows measured it is not above that at these, and may be off its shape: of
        the variance of the error of shape 1 - k^2 is new there, k its correlation with that at
        the most rows.
        """
        last = self.shapes.last
        far = np.log(np.maximum(rows, last) / last) / _SHAPE_LENGTH
        off = _SHAPE_ERROR * np.sqrt(-np.expm1(-(far**2)))
        shape = self.shapes.at(np.broadcast_to(rows, self.n)[:, None])[:, 0]
        found = self.level + self.fall * (shape + off * self.luck)
        found = np.where(far > 0, np.minimum(found, self.level), found)
        return np.maximum(found, self.least)

    def rows_at(self, wanted: float, most: float) -> np.ndarray:
        """Return the rows at which each curve falls to an error; inf where that is above `most`.

        The fewest rows measured where it is lower there: nothing is said of fewer.
        """
        few, many = np.full(self.n, self.shapes.first), np.full(self.n, most)
        reached = self.at(most) <= wanted
        already = self.at(self.shapes.first) <= wanted
        for _ in range(_HALVINGS):
            middle = np.sqrt(few * many)
            below = self.at(middle) <= wanted
            few, many = np.where(below, few, middle), np.where(below, middle, many)
        return np.where(already, self.shapes.first, np.where(reached, many, np.inf))

    def never(self, wanted: float) -> np.ndarray:
        """Return which curves stay above an error however many rows there are, bool `[n]`."""
        end = self.level + self.fall * (self.shapes.limit() + _SHAPE_ERROR * self.luck)
        end = np.minimum(end, self.level)
        endless = (self.shapes.exponent == 0) & (self.fall > 0)  # a logarithm
        return np.maximum(np.where(endless, self.least, end), self.least) > wanted


def draw_curves(curve: MeasuredCurve, least: float) -> CurveDraws:
    """Return draws of the posterior of curves that only fall and stay above `least`.

    Priors: families as in `_PRIOR`, shifts 0 in half of the cases, else shifts, exponents (.05 to
    2) and scales uniform in their logarithm, level and fall uniform. The likelihood is Student's,
    since the noise is estimated.
    """
    shapes, family, prior = _shapes(float(curve.rows[0]), float(curve.rows[-1]))
    bound, ends = family == "power to the least", shapes.limit()
    single = bound | (family == "flat")
    widest = max(float(curve.error.max()) - least, np.finfo(float).tiny)
    inverse = np.linalg.inv(curve.covariance + _of_shape(curve, widest))
    # Added up to a curve: its level and its fall, or one of them, the other following from it.
    g = shapes.at(curve.rows)
    columns = np.stack([np.ones_like(g), np.where(single[:, None], 0.0, g)], 2)
    columns[bound, :, 0] -= g[bound] / ends[bound, None]  # the fall is such that the limit is 0
    middle, roots, misfit = _fits(curve.error - least, inverse, columns, single)
    free, n_sizes = curve.freedom, len(curve.rows)
    spare = free + n_sizes - np.where(single, 1, 2)
    logs = np.log(prior) - spare / 2 * np.log1p(misfit / free)
    logs += np.log(roots[:, 0, 0])
    logs += np.where(single, 0.0, np.log(roots[:, 1, 1] * np.sqrt(2 * np.pi) / widest))
    weight = np.exp(logs - logs.max())
    rng = np.random.default_rng(0)
    which = rng.choice(len(weight), _DRAWS, p=weight / weight.sum())
    scale = np.sqrt((free + misfit[which]) / rng.chisquare(spare[which]))[:, None]
    normal = rng.standard_normal((_DRAWS, 2))
    level, fall = (middle[which] + scale * np.einsum("ijk,ik->ij", roots[which], normal)).T.copy()
    bound, ends = bound[which], ends[which]
    fall[bound] = -level[bound] / ends[bound]
    fall[family[which] == "flat"] = 0.0
    # The limit of a curve is where its shape ends; the logarithm has none, and is cut at `least`.
    kept = (fall >= 0) & (level >= 0) & (level + fall * ends >= -1e-12 * widest)
    if not kept.any():  # what was measured rises, if not surely
        kept, fall = level >= level.max(), np.zeros(_DRAWS)
    which = which[kept]
    shares = {name: float((family[which] == name).mean()) for name in _PRIOR}
    luck = rng.standard_normal(len(which))
    level, fall = least + level[kept], fall[kept]
    return CurveDraws(level, fall, shapes[which], luck, least, shares, float(misfit.min()))


def _of_shape(curve: MeasuredCurve, widest: float) -> np.ndarray:
    """Return the covariance by which a true curve is off all shapes, `[S, S]`; mostly smooth."""
    off = _SHAPE_ERROR * max(float(np.ptp(curve.error)), 1e-3 * widest)
    apart = np.log(curve.rows)[:, None] - np.log(curve.rows)
    alike = np.exp(-((apart / _SHAPE_LENGTH) ** 2) / 2)
    return off**2 * (0.9 * alike + 0.1 * np.eye(len(alike)))


def _shapes(first: float, last: float) -> tuple[_Shapes, np.ndarray, np.ndarray]:
    """Return all shapes, the family of each, and its prior probability."""
    shifts = np.concatenate([[0.0], np.geomspace(first / 4, 2 * last, _N_SHIFTS)])
    of_shift = np.concatenate([[0.5], np.full(_N_SHIFTS, 0.5 / _N_SHIFTS)])
    powers = np.repeat(_EXPONENTS, len(shifts)), np.tile(shifts, len(_EXPONENTS))
    none = np.full(_N_SCALES, np.nan)
    n_powers = len(powers[0])
    exponent = np.concatenate([[0.0], powers[0], powers[0], [0.0], none])
    shift = np.concatenate([[0.0], powers[1], powers[1], [0.0], 0 * none])
    shift[np.isnan(shift)] = 0.0
    scale = np.full(len(exponent), np.nan)
    scale[-_N_SCALES:] = np.geomspace(first / 2, 4 * last, _N_SCALES)
    of_power = np.tile(of_shift, len(_EXPONENTS)) / len(_EXPONENTS)
    family = np.repeat(list(_PRIOR), (1, n_powers, n_powers, 1, _N_SCALES))
    within = np.concatenate([[1.0], of_power, of_power, [1.0], np.full(_N_SCALES, 1 / _N_SCALES)])
    prior = within * np.array([_PRIOR[name] for name in family])
    return _Shapes(exponent, shift, scale, first, last), family, prior


def _fits(
    error: np.ndarray, inverse: np.ndarray, columns: np.ndarray, single: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return level and fall `[J, 2]`, roots of their covariance, and weighted sums of squares."""
    weighted = np.einsum("st,jtp->jsp", inverse, columns)
    square = np.einsum("jsp,jsq->jpq", columns, weighted)
    square[single, 1, 1] = 1.0
    covariance = np.linalg.inv(square)
    found = np.einsum("jpq,jsq,s->jp", covariance, weighted, error)
    left = error - np.einsum("jsp,jp->js", columns, found)
    roots = np.linalg.cholesky(covariance)
    return found, roots, np.einsum("js,st,jt->j", left, inverse, left)
