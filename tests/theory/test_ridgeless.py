"""Asymptotic risks against published tables, each other, and simulation."""

import math
import subprocess
import sys

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from overparam.errors import UsageError
from overparam.theory import (
    correlated_risk,
    isotropic_minimum,
    isotropic_risk,
    misspecified_risk,
    optimal_ridge_penalty,
    optimal_ridge_risk,
    polynomial_captured_share,
    ridge_risk,
)

GAMMAS = np.array([0.25, 0.5, 0.8, 1.5, 2, 4, 10])


def excess_risk(x, beta, targets, covariance_root, penalty=None):
    if penalty is None:
        fit = np.linalg.pinv(x) @ targets
    else:
        fit = np.linalg.solve(x.T @ x + len(x) * penalty * np.eye(x.shape[1]), x.T @ targets)
    return float(np.sum((covariance_root * (fit - beta)) ** 2))


def simulate(n, p, s, b, noise, n_draws, penalty=None):
    """Mean excess risk and its standard error, features with covariance diag(s)."""
    rng, draws, root = np.random.default_rng(n + 31 * p), [], np.sqrt(s)
    beta = np.sqrt(b)
    for _ in range(n_draws):
        x = rng.standard_normal((n, p)) * root
        y = x @ beta + math.sqrt(noise) * rng.standard_normal(n)
        draws.append(excess_risk(x, beta, y, root, penalty))
    return np.mean(draws), np.std(draws, ddof=1) / math.sqrt(n_draws)


def test_isotropic_table():
    table = [0.3333, 1.0000, 4.0000, 3.6667, 3.5000, 4.0833, 4.6111]
    np.testing.assert_allclose(isotropic_risk(GAMMAS, 5, 1).total, table, atol=5.1e-5)


def test_misspecified_table():
    table = [4.6000, 5.4444, 11.7160, 5.8000, 4.3333, 4.2000, 4.6198]
    risk = misspecified_risk(GAMMAS, 5, 1, polynomial_captured_share(GAMMAS, 2))
    np.testing.assert_allclose(risk.total, table, atol=5.1e-5)


@pytest.mark.parametrize(
    ("gamma", "bias", "variance"),
    [(1.5, 0.217428, 2.232496), (2, 0.271807, 1.228335), (4, 0.257889, 0.543826)],
)
def test_correlated_table(gamma, bias, variance):
    p = int(200 * gamma)
    risk = correlated_risk(1 / (1 + np.arange(p) / 20), np.full(p, 5 / p), 200, 1.0)
    np.testing.assert_allclose([risk.bias, risk.variance], [bias, variance], atol=1e-6)


def test_ridge_table():
    for gamma, best in [(0.5, 0.7417), (1, 1.7913), (2, 3.1085)]:
        assert optimal_ridge_risk(gamma, 5, 1) == pytest.approx(best, abs=5.1e-5)
    table = {(0.5, 1): 1.8507, (1, 0.1): 1.9207, (1, 1): 2.4069, (2, 0.1): 3.2523, (2, 1): 3.2249}
    for (gamma, penalty), value in table.items():
        assert ridge_risk(gamma, penalty, 5, 1).total == pytest.approx(value, abs=5.1e-5)


def test_the_threshold_is_infinite_and_nothing_warns():
    assert isotropic_risk(1.0, 5, 1).total == math.inf
    np.testing.assert_array_equal(isotropic_risk([1.0, 2.0], 0, 1).total, [math.inf, 1.0])
    assert isotropic_risk(1.0, 5, 0).total == 0.0  # without noise, as many equations as unknowns
    assert correlated_risk([1.0, 2.0], [1.0, 1.0], 2, 1.0).total == math.inf


@pytest.mark.parametrize(("signal", "noise"), [(5, 1), (2, 1), (9, 0.5)])
def test_isotropic_minimum_is_the_minimum(signal, noise):
    found = minimize_scalar(
        lambda g: isotropic_risk(g, signal, noise).total, bounds=(1.01, 60), method="bounded"
    )
    assert isotropic_minimum(signal, noise) == pytest.approx(found.x, rel=1e-4)


@pytest.mark.parametrize("penalty", [1e-250, 1e-200, 1e-20, 1e-16, 1e-8, 0.3, 1e3, 1e16, 1e200])
@pytest.mark.parametrize("gamma", [1e-9, 0.5, 0.999, 1.0, 1 + 1e-12, 1.001, 2.0, 10.0, 1e6])
def test_ridge_keeps_its_digits_for_any_penalty(gamma, penalty):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(600):
        g, lam = mpmath.mpf(gamma), mpmath.mpf(penalty)
        root = mpmath.sqrt((1 - g + lam) ** 2 + 4 * g * lam)
        m = (root - (1 - g + lam)) / (2 * g * lam)
        slope = (m + g * m**2) / root
        bias, variance, tuned = lam**2 * slope, g * (m - lam * slope), lam * m
        found = ridge_risk(gamma, penalty, 1.0, 1.0)
        tiny = 1e-290  # below it there are no digits to keep
        assert found.bias == pytest.approx(float(bias), rel=1e-13, abs=tiny)
        assert found.variance == pytest.approx(float(variance), rel=1e-13, abs=tiny)
        if penalty / gamma < 1e300:
            best = optimal_ridge_risk(gamma, 1.0, penalty / gamma)  # whose penalty this is
            assert best == pytest.approx(float(tuned), rel=1e-13, abs=tiny)


def test_risks_keep_their_digits_near_the_threshold():
    near = 1 + 2.0**-40
    assert isotropic_risk(near, 1.0, 0.0).bias == pytest.approx(2.0**-40, rel=1e-11)
    assert isotropic_minimum(near, 1.0) == pytest.approx(2.0**41, rel=1e-11)
    assert polynomial_captured_share(1e-20, 2.0) == pytest.approx(2e-20, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_correlated_risk_is_of_any_unit(scale):
    s, b = np.geomspace(0.1, 10, 30), np.linspace(0, 1, 30)
    one, other = correlated_risk(s, b, 20, 1.0), correlated_risk(scale * s, b / scale, 20, 1.0)
    assert other.bias == pytest.approx(one.bias, rel=1e-9)
    assert other.variance == pytest.approx(one.variance, rel=1e-9)


def test_isotropic_minimum_at_the_ends():
    assert isotropic_minimum(1, 2) == math.inf
    assert isotropic_minimum(3, 0) == 1.0
    assert np.all(np.diff(isotropic_risk(np.linspace(1.1, 50, 99), 1, 1).total) < 0)


def test_correlated_reduces_to_isotropic():
    for p, n in [(300, 100), (50, 100), (101, 100)]:
        flat = correlated_risk(np.full(p, 1.0), np.full(p, 5 / p), n, 1.0)
        isotropic = isotropic_risk(p / n, 5, 1)
        assert flat.bias == pytest.approx(isotropic.bias, rel=1e-9, abs=1e-12)
        assert flat.variance == pytest.approx(isotropic.variance, rel=1e-9)


def test_correlated_does_not_depend_on_units():
    s, b = np.array([4.0, 1.0, 0.2, 1e-6] * 10), np.array([1.0, 2.0, 0.5, 3.0] * 10)
    a, c = correlated_risk(s, b, 10, 1.0), correlated_risk(1e6 * s, 1e-6 * b, 10, 1.0)
    assert (a.bias, a.variance) == pytest.approx((c.bias, c.variance), rel=1e-8)


def test_ridge_tends_to_ridgeless():
    # Below the threshold the distance falls like the penalty, here 1e-9.
    for gamma in (0.25, 0.5, 2.0, 4.0):
        limit, near = isotropic_risk(gamma, 5, 1), ridge_risk(gamma, 1e-9, 5, 1)
        assert (near.bias, near.variance) == pytest.approx((limit.bias, limit.variance), abs=1e-6)


def marchenko_pastur_risk(gamma, penalty, signal, noise):
    """Ridge risk as an integral over the Marchenko-Pastur density: slow, from the definition."""
    low, high = (1 - math.sqrt(gamma)) ** 2, (1 + math.sqrt(gamma)) ** 2

    def integral(f):
        def density(s):
            return f(s) * math.sqrt((high - s) * (s - low)) / (2 * math.pi * gamma * s)

        return quad(density, low, high, limit=200)[0] + f(0.0) * max(0.0, 1 - 1 / gamma)

    bias = signal * penalty**2 * integral(lambda s: 1 / (s + penalty) ** 2)
    return bias, noise * gamma * integral(lambda s: s / (s + penalty) ** 2)


@pytest.mark.parametrize("gamma", [0.3, 0.8, 1.6, 5.0])
@pytest.mark.parametrize("penalty", [0.05, 1.0])
def test_ridge_is_the_integral_over_the_spectrum(gamma, penalty):
    risk = ridge_risk(gamma, penalty, 5, 0.7)
    assert (risk.bias, risk.variance) == pytest.approx(
        marchenko_pastur_risk(gamma, penalty, 5, 0.7), rel=1e-6
    )


@pytest.mark.parametrize("gamma", [0.5, 1.0, 3.0])
def test_the_optimal_penalty_is_optimal(gamma):
    best = optimal_ridge_penalty(gamma, 5, 1)
    at_best = ridge_risk(gamma, best, 5, 1).total
    assert at_best == pytest.approx(optimal_ridge_risk(gamma, 5, 1), rel=1e-10)
    assert all(ridge_risk(gamma, best * f, 5, 1).total > at_best for f in (0.5, 0.9, 1.1, 2.0))


def test_optimal_ridge_has_no_double_descent():
    risks = optimal_ridge_risk(np.geomspace(0.05, 50, 200), 5, 1)
    assert np.all(np.diff(risks) > 0)
    np.testing.assert_allclose(optimal_ridge_risk([0.5, 2.0], 5, 0), [0.0, 2.5])


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_isotropic_and_ridge_against_simulation(gamma):
    n, p = 100, int(100 * gamma)
    # At n = 100 the finite-sample formulas differ from the limit by about 1/n; allow 2.5 % for it.
    mean, error = simulate(n, p, np.ones(p), np.full(p, 5 / p), 1.0, 120)
    expected = isotropic_risk(gamma, 5, 1).total
    assert mean == pytest.approx(expected, abs=4 * error + 0.025 * expected)
    mean, error = simulate(n, p, np.ones(p), np.full(p, 5 / p), 1.0, 120, penalty=1.0)
    expected = ridge_risk(gamma, 1.0, 5, 1).total
    assert mean == pytest.approx(expected, abs=4 * error + 0.025 * expected)


def test_correlated_against_simulation():
    n, p = 100, 200
    s, b = 1 / (1 + np.arange(p) / 10), np.full(p, 5 / p)
    mean, error = simulate(n, p, s, b, 1.0, 120)
    expected = correlated_risk(s, b, n, 1.0).total
    assert mean == pytest.approx(expected, abs=4 * error + 0.025 * expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: isotropic_risk(0.0, 5, 1), "gamma must be positive"),
        (lambda: isotropic_risk([1.0, math.nan], 5, 1), "gamma must be positive"),
        (lambda: isotropic_risk(2.0, -5, 1), "signal_energy is out of range"),
        (lambda: isotropic_risk(2.0, 5, -1), "noise_variance is out of range"),
        (lambda: isotropic_minimum(-1, 1), "signal_energy is out of range"),
        (lambda: misspecified_risk(2.0, 5, 1, 1.1), "captured_share is out of range"),
        (lambda: misspecified_risk(2.0, 5, 1, math.nan), "captured_share is out of range"),
        (lambda: polynomial_captured_share(2.0, 0), "exponent is out of range"),
        (lambda: ridge_risk(2.0, 0.0, 5, 1), "penalty must be positive"),
        (lambda: optimal_ridge_penalty(2.0, 0, 1), "signal_energy is out of range"),
        (lambda: optimal_ridge_risk(2.0, 5, -1), "noise_variance is out of range"),
        (lambda: correlated_risk([1.0, 0.0], [1.0, 1.0], 1, 1), "eigenvalues must be positive"),
        (lambda: correlated_risk([1.0, 1.0], [1.0], 1, 1), "signal_energies do not fit"),
        (lambda: correlated_risk([1.0, 1.0], [1.0, -1.0], 1, 1), "signal_energies do not fit"),
        (lambda: correlated_risk([1.0], [1.0], 0, 1), "n_train is out of range"),
    ],
)
def test_out_of_range(call, words):
    with pytest.raises(UsageError, match=words):
        call()


def test_theory_needs_no_torch():
    code = (
        "import sys, overparam.theory as t; [getattr(t, name) for name in t.__all__]; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
