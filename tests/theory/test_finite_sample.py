"""Exact finite-sample risk: published values, exact identities, and simulation."""

import math

import numpy as np
import pytest

from overparam.errors import UsageError
from overparam.theory import (
    finite_sample_risk,
    isotropic_risk,
    minimum_norm_effective_parameters,
    misspecified_risk,
)


def flat(p, n=40, n_total=100, noise=0.25):
    """|b| = 1 spread evenly over D features, p of them seen."""
    return finite_sample_risk(n, p, p / n_total, 1 - p / n_total, noise)


@pytest.mark.parametrize(("p", "total"), [(5, 1.3765), (20, 2.1553), (30, 4.1167), (60, 2.2184)])
def test_published_totals(p, total):
    assert flat(p).total == pytest.approx(total, abs=5.1e-5)


def test_digits_are_kept_where_many_rows_meet_as_many_features():
    n = 10**15
    risk = finite_sample_risk(n, n + 2, 1.0, 0.0, 0.0)
    assert risk.squared_bias == pytest.approx(4e-30, rel=1e-12)
    assert risk.variance == pytest.approx(2e-15, rel=1e-12)


@pytest.mark.parametrize(
    ("p", "missed", "bias", "variance"),
    [(20, 0.8, 0, 1.1053), (30, 0.7, 0, 3.1667), (60, 0.4, 0.0667, 1.5018)],
)
def test_published_parts(p, missed, bias, variance):
    risk = flat(p)
    assert risk.irreducible == 0.25
    np.testing.assert_allclose(
        [risk.misspecification, risk.squared_bias, risk.variance],
        [missed, bias, variance],
        atol=5.1e-5,
    )


@pytest.mark.parametrize("p", [0, 1, 20, 38, 42, 60, 100])
def test_parts_add_up_to_belkin_hsu_xu(p):
    n, seen, missed, noise = 40, 0.3, 0.5, 0.2
    if p <= n - 2:
        expected = (missed + noise) * (1 + p / (n - p - 1))
    else:
        expected = seen * (1 - n / p) + (missed + noise) * (1 + n / (p - n - 1))
    if p == 0:
        seen, expected = 0.0, missed + noise
    assert finite_sample_risk(n, p, seen, missed, noise).total == pytest.approx(expected, rel=1e-12)


def test_infinite_around_the_threshold_unless_nothing_is_noise():
    assert [math.isinf(flat(p).total) for p in range(37, 44)] == [False] * 2 + [True] * 3 + [
        False
    ] * 2
    for p in (39, 40):
        assert finite_sample_risk(40, p, 1.0, 0.0, 0.0).total == 0.0
    # One feature too many, no noise: the direction that no example reaches is lost.
    assert finite_sample_risk(40, 41, 1.0, 0.0, 0.0).total == pytest.approx(1 / 41)


def test_tends_to_the_asymptotic_risk():
    for gamma in (0.5, 2.0):
        exact = finite_sample_risk(10**6, int(gamma * 10**6), 5.0, 0.0, 1.0)
        assert exact.total - 1 == pytest.approx(isotropic_risk(gamma, 5, 1).total, rel=1e-5)
        exact = finite_sample_risk(10**6, int(gamma * 10**6), 3.0, 2.0, 1.0)
        limit = misspecified_risk(gamma, 5, 1, 0.6)
        assert exact.total - 1 == pytest.approx(limit.total, rel=1e-5)


@pytest.mark.parametrize("p", [1, 5, 10, 30, 40])
def test_against_simulation(p):
    n, n_total, noise, n_draws = 20, 40, 0.25, 2_000
    rng, b = np.random.default_rng(p), np.sqrt(np.full(n_total, 1 / n_total))
    x = rng.standard_normal((n_draws, n, n_total))
    y = x @ b + math.sqrt(noise) * rng.standard_normal((n_draws, n))
    fits = (np.linalg.pinv(x[:, :, :p]) @ y[:, :, None])[:, :, 0]
    # The error on a fresh Gaussian example given the fit is known exactly: no test set is drawn.
    errors = ((fits - b[:p]) ** 2).sum(1) + (b[p:] ** 2).sum() + noise
    standard_error = errors.std(ddof=1) / math.sqrt(n_draws)
    expected = flat(p, n, n_total, noise)
    assert errors.mean() == pytest.approx(expected.total, abs=4 * standard_error)
    # Squared bias is the distance of the mean fit, which itself carries variance / n_draws.
    bias = ((fits.mean(0) - b[:p]) ** 2).sum()
    spread = fits.var(0, ddof=1).sum()
    assert spread == pytest.approx(expected.variance, abs=4 * standard_error)
    sampling = 4 * math.sqrt(expected.variance / n_draws)
    assert math.sqrt(bias) == pytest.approx(math.sqrt(expected.squared_bias), abs=sampling)


@pytest.mark.parametrize(
    ("p", "value"), [(30, 62.069), (90, 124.138), (120, 61.017), (240, 20.112)]
)
def test_effective_parameters_table(p, value):
    assert minimum_norm_effective_parameters(60, p) == pytest.approx(value, abs=5.1e-4)


def test_effective_parameters_on_train_and_at_the_threshold():
    assert minimum_norm_effective_parameters(60, 30, on_train=True) == 30.0
    assert minimum_norm_effective_parameters(60, 90, on_train=True) == 60.0
    assert [minimum_norm_effective_parameters(60, p) for p in (59, 60, 61)] == [math.inf] * 3


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((0, 1, 1.0, 0.0, 0.0), "n_train is out of range"),
        ((1, -1, 1.0, 0.0, 0.0), "n_features is out of range"),
        ((1, 1, -1.0, 0.0, 0.0), "captured_energy is out of range"),
        ((1, 1, 1.0, math.nan, 0.0), "missed_energy is out of range"),
        ((1, 1, 1.0, 0.0, -1.0), "noise_variance is out of range"),
    ],
)
def test_out_of_range(args, words):
    with pytest.raises(UsageError, match=words):
        finite_sample_risk(*args)
    with pytest.raises(UsageError, match="n_features is out of range"):
        minimum_norm_effective_parameters(3, 0)
