"""Asymptotic risk of minimum-norm ("ridgeless") and ridge regression as p/n tends to gamma.

y = <x, beta> + noise, rows x with covariance Sigma. Symbols throughout:

- gamma = p / n, features per example, > 0
- signal_energy r^2 = |beta|^2 and noise_variance s^2, in squared units of the target
- risk = E |betahat - beta|^2_Sigma, the *excess* test error: noisy targets add s^2.
  Bias and variance are conditional on the features X, as in the source.

Functions take scalars or arrays of gamma and return the same shape. At gamma = 1 the ridgeless
variance is infinite.

Source: Hastie, Montanari, Rosset, Tibshirani 2022, "Surprises in high-dimensional ridgeless least
squares interpolation" (arXiv:1903.08560).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import expit

from overparam.checks import check_count, check_range
from overparam.errors import UsageError


@dataclass(frozen=True)
class Risk:
    """Excess risk in two parts, each a float or an array over gamma.

    Attributes:
        bias: squared bias, with the energy of features that the model lacks, >= 0.
        variance: >= 0, infinite at the interpolation threshold of a ridgeless fit.
    """

    bias: Any
    variance: Any

    @property
    def total(self) -> Any:
        """Bias plus variance."""
        return self.bias + self.variance


def isotropic_risk(gamma: ArrayLike, signal_energy: float, noise_variance: float) -> Risk:
    """Return the risk of minimum-norm least squares with uncorrelated features.

    gamma < 1: 0 and s^2 gamma/(1-gamma).  gamma > 1: r^2 (1 - 1/gamma) and s^2/(gamma-1).

    Raises:
        UsageError: gamma that is not > 0 (NaN included), or an energy that is not >= 0.

    Cost: O(1) a value. Source: Hastie et al. 2022, theorem 1.

    >>> isotropic_risk(0.5, 5, 1).total, isotropic_risk(2, 5, 1).total
    (1.0, 3.5)
    """
    return misspecified_risk(gamma, signal_energy, noise_variance, 1.0)


def isotropic_minimum(signal_energy: float, noise_variance: float) -> float:
    """Return the gamma > 1 at which `isotropic_risk` has its local minimum.

    sqrt(SNR) / (sqrt(SNR) - 1), SNR = r^2/s^2 > 1. For SNR <= 1 the risk falls all the way to r^2
    and the answer is infinity; without noise it rises from gamma = 1 on and the answer is 1.

    Raises:
        UsageError: an energy that is not >= 0.

    Cost: O(1). Source: Hastie et al. 2022, section 3.2.

    >>> isotropic_minimum(4, 1), isotropic_minimum(1, 1)
    (2.0, inf)
    """
    check_range("signal_energy", signal_energy, 0)
    check_range("noise_variance", noise_variance, 0)
    if signal_energy <= noise_variance:
        return np.inf
    signal, noise = np.sqrt(signal_energy), np.sqrt(noise_variance)
    # The difference of the energies is exact where that of their roots has no digits left.
    return float(signal_energy / (signal_energy - noise_variance) * (1 + noise / signal))


def misspecified_risk(
    gamma: ArrayLike, signal_energy: float, noise_variance: float, captured_share: ArrayLike
) -> Risk:
    """Return the risk of minimum-norm least squares that sees only a part of the features.

    With kappa = |beta_S|^2 / r^2, the share of the signal in the p features that are seen, the rest
    acts as noise: s'^2 = s^2 + r^2 (1-kappa).
    gamma < 1: r^2 (1-kappa) and s'^2 gamma/(1-gamma).
    gamma > 1: r^2 (1-kappa) + r^2 kappa (1 - 1/gamma) and s'^2/(gamma-1).

    Args:
        captured_share: kappa in [0, 1], a number or one for each gamma.

    Raises:
        UsageError: gamma that is not > 0, an energy that is not >= 0, kappa outside [0, 1].

    Cost: O(1) a value. Source: Hastie et al. 2022, theorem 4.

    >>> misspecified_risk(2.0, 5.0, 1.0, 1.0).total
    3.5
    """
    g = _positive("gamma", gamma)
    check_range("signal_energy", signal_energy, 0)
    check_range("noise_variance", noise_variance, 0)
    kappa = np.asarray(captured_share, dtype=np.float64)
    if not ((kappa >= 0) & (kappa <= 1)).all():
        raise UsageError("captured_share is out of range", got=captured_share, allowed="[0, 1]")
    missed = signal_energy * (1 - kappa)
    bias = missed + signal_energy * kappa * np.maximum(0.0, (g - 1) / g)
    inflation = _ridgeless_inflation(g)
    noise = noise_variance + missed
    # Without any noise the variance is 0 even at gamma = 1, where 0 times infinity would be NaN.
    variance = np.where(noise > 0, np.where(noise > 0, noise, 1.0) * inflation, 0.0)
    return Risk(_plain(bias), _plain(variance))


def polynomial_captured_share(gamma: ArrayLike, exponent: float) -> Any:
    """Return kappa(gamma) = 1 - (1+gamma)^-a: approximation error that falls polynomially.

    Args:
        exponent: a > 0; the larger, the faster the first features capture the signal.

    Raises:
        UsageError: gamma or exponent that is not > 0.

    Cost: O(1) a value. Source: Hastie et al. 2022, section 5.3.

    >>> polynomial_captured_share(1.0, 2.0)
    0.75
    """
    check_range("exponent", exponent, 0, open_low=True)
    return _plain(-np.expm1(-exponent * np.log1p(_positive("gamma", gamma))))


def correlated_risk(
    eigenvalues: ArrayLike, signal_energies: ArrayLike, n_train: int, noise_variance: float
) -> Risk:
    """Return the risk of minimum-norm least squares with correlated features.

    For gamma = p/n > 1, c0 solves 1 - 1/gamma = mean_i 1/(1 + c0 gamma s_i). With
    I1 = mean_i s_i/(1 + c0 gamma s_i)^2 and I2 = mean_i s_i^2/(1 + c0 gamma s_i)^2:
    bias = (1 + gamma c0 I2/I1) sum_i b_i s_i/(1 + c0 gamma s_i)^2, variance = s^2 gamma c0 I2/I1.
    For gamma < 1 the bias is 0 and the variance s^2 gamma/(1-gamma), whatever the covariance.

    Args:
        eigenvalues: s_i > 0 of the feature covariance, `[p]`.
        signal_energies: b_i = <u_i, beta>^2 >= 0 along the eigenvectors, `[p]`.
        n_train: n >= 1; p = n gives an infinite variance.

    Raises:
        UsageError: eigenvalues that are not > 0, energies that are not >= 0, other lengths.

    Cost: O(p) for each of some fifty steps of the root search.
    Source: Hastie et al. 2022, theorem 2 and definition 1.

    >>> risk = correlated_risk([1.0] * 40, [0.125] * 40, 20, 1.0)  # all equal: isotropic, r^2 = 5
    >>> round(risk.bias, 12), round(risk.variance, 12)
    (2.5, 1.0)
    """
    s = np.atleast_1d(_positive("eigenvalues", eigenvalues))
    b = np.asarray(signal_energies, dtype=np.float64)
    check_count("n_train", n_train)
    check_range("noise_variance", noise_variance, 0)
    if s.ndim != 1 or b.shape != s.shape or not (b >= 0).all() or not np.isfinite(b).all():
        raise UsageError(
            "signal_energies do not fit the eigenvalues",
            got=f"{list(b.shape)} for {list(s.shape)}",
            allowed="one finite number >= 0 for each eigenvalue",
        )
    gamma = len(s) / n_train
    if gamma <= 1:
        return isotropic_risk(gamma, float(b.sum()), noise_variance)
    lost = _lost_shares(s, n_train)  # 1 / (1 + c0 gamma s_i)
    ratio = np.mean((1 - lost) ** 2) / np.mean((1 - lost) * lost)
    bias = (1 + ratio) * float((b * s * lost**2).sum())
    return Risk(float(bias), float(noise_variance * ratio))


def ridge_risk(
    gamma: ArrayLike, penalty: ArrayLike, signal_energy: float, noise_variance: float
) -> Risk:
    """Return the risk of ridge regression with uncorrelated features.

    betahat = (X'X + n lambda I)^-1 X'y. With the Stieltjes transform of the Marchenko-Pastur law,
    m = [-(1-gamma+lambda) + R] / (2 gamma lambda), R^2 = (1-gamma+lambda)^2 + 4 gamma lambda, and
    m' its derivative at -lambda: bias = r^2 lambda^2 m', variance = s^2 gamma (m - lambda m').

    Computed as r^2 lambda m (lambda + gamma lambda m) / R and
    4 s^2 gamma lambda / (R (R + 1-gamma+lambda) (R + gamma-1+lambda)), the same without a
    difference of nearly equal numbers: to some 15 digits for any penalty and gamma.

    Args:
        penalty: lambda > 0, per example: n lambda is added to the sum of squares.

    Raises:
        UsageError: gamma or penalty that is not > 0, or an energy that is not >= 0.

    Cost: O(1) a value. Source: Hastie et al. 2022, theorem 5 (isotropic case).

    >>> risk = ridge_risk(1.0, 1.0, 5.0, 1.0)  # m = (sqrt(5) - 1) / 2
    >>> round(risk.total, 4)
    2.4069
    """
    g, lam = _positive("gamma", gamma), _positive("penalty", penalty)
    check_range("signal_energy", signal_energy, 0)
    check_range("noise_variance", noise_variance, 0)
    # m solves gamma lambda m^2 + (1 - gamma + lambda) m = 1, so that m' = m (1 + gamma m) / R.
    root, lost = _root(g, lam), _lost_share(g, lam)
    bias = signal_energy * lost * (lam / root + g * (lost / root))
    over, under = 1 - g + lam, lam - (1 - g)
    # R^2 less the square of the one is 4 gamma lambda, less that of the other 4 lambda.
    apart = _sum(root, -under, 2 * np.sqrt(lam))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        kept = np.where(over > 0, g * (apart / (root + over)), (root - over) / (root + under))
    return Risk(_plain(bias), _plain(noise_variance * kept / root))


def optimal_ridge_penalty(gamma: ArrayLike, signal_energy: float, noise_variance: float) -> Any:
    """Return the penalty per example that minimizes `ridge_risk`: lambda* = gamma s^2 / r^2.

    Raises:
        UsageError: gamma or signal_energy that is not > 0, or a negative noise_variance.

    Cost: O(1) a value. Source: Hastie et al. 2022, corollary 5; Dobriban, Wager 2018.

    >>> optimal_ridge_penalty(2.0, 4.0, 1.0)
    0.5
    """
    check_range("signal_energy", signal_energy, 0, open_low=True)
    check_range("noise_variance", noise_variance, 0)
    return _plain(_positive("gamma", gamma) * noise_variance / signal_energy)


def optimal_ridge_risk(gamma: ArrayLike, signal_energy: float, noise_variance: float) -> Any:
    """Return the risk of optimally tuned ridge, s^2 gamma m(-lambda*): it has no double descent.

    That is r^2 lambda* m; without noise the best penalty is the limit 0, and the risk
    r^2 max(0, 1 - 1/gamma).

    Raises:
        UsageError: gamma or signal_energy that is not > 0, or a negative noise_variance.

    Cost: O(1) a value. Source: Hastie et al. 2022, corollary 5; Dobriban, Wager 2018.

    >>> round(optimal_ridge_risk(1.0, 5.0, 1.0), 4)
    1.7913
    """
    penalty = np.asarray(optimal_ridge_penalty(gamma, signal_energy, noise_variance))
    return _plain(signal_energy * _lost_share(_positive("gamma", gamma), penalty))


def _ridgeless_inflation(g: np.ndarray) -> np.ndarray:
    """Variance per unit of noise: gamma/(1-gamma) below 1, 1/(gamma-1) above, infinite at 1."""
    with np.errstate(divide="ignore"):
        return np.minimum(g, 1.0) / np.abs(1 - g)


def _root(g: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """R of `ridge_risk`."""
    return np.hypot(1 - g + lam, 2 * np.sqrt(g) * np.sqrt(lam))


def _lost_share(g: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """Return lambda m, the share of the signal that shrinking takes away, in [0, 1]."""
    root, over = _root(g, lam), 1 - g + lam
    # Of two equal forms the one without cancellation.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(over > 0, lam / (root / 2 + over / 2), (root - over) / (2 * g))


def _sum(root: np.ndarray, x: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return root + x, where root^2 = x^2 + rest^2, without cancellation."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(x > 0, root + x, rest * (rest / (root - x)))


def _lost_shares(s: np.ndarray, n_train: int) -> np.ndarray:
    """Return 1 / (1 + c0 gamma s_i), whose mean is 1 - 1/gamma."""
    wanted, logs = (len(s) - n_train) / len(s), np.log(s)

    def shares(log_c: float) -> np.ndarray:
        return expit(-(log_c + logs))

    def excess(log_c: float) -> float:
        return float(np.mean(shares(log_c))) - wanted

    # The mean falls from 1 to 0 in c0 gamma, and an eigenvalue alone would put that at
    # 1 / (s (gamma - 1)): the root lies between these values for the largest and smallest.
    low, high = np.log(n_train / (len(s) - n_train)) - logs[[s.argmax(), s.argmin()]]
    return shares(brentq(excess, low - 1e-6, high + 1e-6, xtol=1e-14, rtol=1e-14))


def _positive(name: str, value: ArrayLike) -> np.ndarray:
    array = np.asarray(value, dtype=np.float64)
    if not (np.isfinite(array) & (array > 0)).all() or array.size == 0:
        raise UsageError(f"{name} must be positive and finite", got=value, allowed="> 0")
    return array


def _plain(value: np.ndarray) -> Any:
    """Return a float for a 0-dimensional array and the array itself otherwise."""
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array
