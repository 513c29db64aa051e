"""Exact risk of least squares with Gaussian features at finite n: no asymptotics.

n examples of D independent standard Gaussian features, y = <x, b> + noise; the model sees p of the
D features (the set S) and is the minimum-norm least-squares fit on them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from overparam.checks import check_count, check_range


@dataclass(frozen=True)
class FiniteSampleRisk:
    """Expected test error in four parts, in squared units of the target.

    Bias and variance are over the training inputs *and* the noise. Conditioning on the inputs, as
    `overparam.theory.ridgeless` does, puts all of |b_S|^2 (1 - n/p) into the bias instead.

    Attributes:
        irreducible: noise variance of the test target.
        misspecification: |b_Sc|^2, the energy of the features that the model does not see.
        squared_bias: within the features seen.
        variance: of the fit; infinite for n-1 <= p <= n+1 (unless nothing is noise).
    """

    irreducible: float
    misspecification: float
    squared_bias: float
    variance: float

    @property
    def total(self) -> float:
        """Expected squared error on a fresh noisy target."""
        return self.irreducible + self.misspecification + self.squared_bias + self.variance


def finite_sample_risk(
    n_train: int,
    n_features: int,
    captured_energy: float,
    missed_energy: float,
    noise_variance: float,
) -> FiniteSampleRisk:
    """Return the exact expected test error of minimum-norm least squares on p of D features.

    With s'^2 = |b_Sc|^2 + s^2:
    p <= n-2: variance s'^2 p/(n-p-1), no bias.
    p >= n+2: squared bias (1 - n/p)^2 |b_S|^2, variance (n/p)(1 - n/p) |b_S|^2 + s'^2 n/(p-n-1).
    n-1 <= p <= n+1: infinite, unless s'^2 = 0.

    Args:
        n_train: n >= 1. n_features: p >= 0, the features seen.
        captured_energy: |b_S|^2 >= 0. missed_energy: |b_Sc|^2 >= 0.
        noise_variance: s^2 >= 0.

    Raises:
        UsageError: an argument out of range (NaN included).

    Cost: O(1). Assumptions: independent standard Gaussian features and independent noise.
    Source: Belkin, Hsu, Xu 2020, "Two models of double descent for weak features"
    (arXiv:1903.07571), theorem 1; the split in four parts as in Dar, Muthukumar, Baraniuk 2021
    (arXiv:2109.02355).

    >>> finite_sample_risk(40, 20, captured_energy=0.0, missed_energy=0.0, noise_variance=19.0)
    FiniteSampleRisk(irreducible=19.0, misspecification=0.0, squared_bias=0.0, variance=20.0)
    """
    n, p = check_count("n_train", n_train), check_count("n_features", n_features, low=0)
    check_range("captured_energy", captured_energy, 0)
    check_range("missed_energy", missed_energy, 0)
    check_range("noise_variance", noise_variance, 0)
    noise = missed_energy + noise_variance
    if p == 0:
        # Nothing is estimated; this also holds for n = 1, where the formula would divide 0 by 0.
        bias, variance = 0.0, 0.0
    elif p <= n - 2:
        bias, variance = 0.0, noise * p / (n - p - 1)
    elif p >= n + 2:
        lost = (p - n) / p
        bias = lost**2 * captured_energy
        variance = n / p * lost * captured_energy + noise * n / (p - n - 1)
    else:
        lost = max(0, p - n) / p
        bias = lost**2 * captured_energy
        fitted = n / p * lost * captured_energy
        variance = math.inf if noise > 0 else fitted
    return FiniteSampleRisk(noise_variance, missed_energy, bias, variance)


def minimum_norm_effective_parameters(
    n_train: int, n_features: int, *, on_train: bool = False
) -> float:
    """Return the expected effective number of parameters of minimum-norm least squares.

    On the training inputs min(p, n). On fresh inputs n p/(n-p-1) for p <= n-2 and n^2/(p-n-1) for
    p >= n+2; infinite between. So beyond the threshold more features mean *fewer* effective
    parameters.

    Args:
        n_train: n >= 1. n_features: p >= 1, independent standard Gaussian.
        on_train: evaluate on the training inputs.

    Raises:
        UsageError: a count that is not a whole number >= 1.

    Cost: O(1). Source of the measure: Curth, Jeffares, van der Schaar 2023 (arXiv:2310.18988); the
    expectation follows from that of inverse Wishart matrices.

    >>> minimum_norm_effective_parameters(60, 29), minimum_norm_effective_parameters(60, 181)
    (58.0, 30.0)
    """
    n, p = check_count("n_train", n_train), check_count("n_features", n_features)
    if on_train:
        return float(min(n, p))
    if p <= n - 2:
        return n * p / (n - p - 1)
    return n * n / (p - n - 1) if p >= n + 2 else math.inf
