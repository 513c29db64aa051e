"""Closed forms of membership: published values, quadrature, the extremal mechanism, limits."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from overparam.errors import UsageError
from overparam.theory import GaussianShift, PrivacyBound

PUBLISHED = [  # gap, AUC, TPR at 1 %, at .1 %, balanced accuracy: shared reference, 11.5 and X3
    (1.0, 0.760250, 0.092362, 0.018298, 0.691462),
    (2.0, 0.921350, 0.372081, 0.137805, 0.841345),
    (0.5, 0.638163, 0.033899, 0.004796, 0.598706),
]
EPSILONS = [(0.0, 0.0), (0.5, 0.0), (1.0, 1e-5), (2.0, 0.1), (8.0, 1e-5), (0.0, 0.3), (3.0, 1.0)]


@pytest.mark.parametrize(("gap", "auc", "at_1", "at_01", "accuracy"), PUBLISHED)
def test_gaussian_shift_gives_the_published_values(gap, auc, at_1, at_01, accuracy):
    shift = GaussianShift(gap)
    found = [shift.auc, shift.tpr_at_fpr(0.01), shift.tpr_at_fpr(0.001), shift.balanced_accuracy]
    np.testing.assert_allclose(found, [auc, at_1, at_01, accuracy], atol=1e-6)
    assert shift.advantage == pytest.approx(2 * shift.balanced_accuracy - 1)


@pytest.mark.parametrize("gap", [0.0, 0.3, 1.7, 4.0])
def test_gaussian_shift_is_the_area_and_the_height_of_its_curve(gap):
    shift = GaussianShift(gap)
    area = integrate.quad(shift.tpr_at_fpr, 0, 1, limit=200, epsabs=1e-9)[0]
    assert shift.auc == pytest.approx(area, abs=1e-6)
    thresholds = np.linspace(-6, 10, 200_001)
    heights = stats.norm.sf(thresholds, gap) - stats.norm.sf(thresholds)
    assert shift.advantage == pytest.approx(heights.max(), abs=1e-8)


def test_ends_of_the_gaussian_curve():
    assert GaussianShift(1.0).tpr_at_fpr(0.0) == 0.0
    assert GaussianShift(1.0).tpr_at_fpr(1.0) == 1.0
    assert GaussianShift(0.0).tpr_at_fpr(0.3) == pytest.approx(0.3)


def best_attack(epsilon, delta):
    """FPR and TPR at the corners of the best attack on the mechanism with four outcomes."""
    e = math.exp(epsilon)
    without = np.array([0.0, (1 - delta) / (1 + e), (1 - delta) * e / (1 + e), delta])
    within = without[::-1]
    # In falling order of the likelihood ratio within : without.
    return np.r_[0, np.cumsum(without)], np.r_[0, np.cumsum(within)]


@pytest.mark.parametrize(("epsilon", "delta"), EPSILONS)
def test_the_extremal_mechanism_reaches_every_bound(epsilon, delta):
    bound, (fpr, tpr) = PrivacyBound(epsilon, delta), best_attack(epsilon, delta)
    assert bound.advantage == pytest.approx((tpr - fpr).max(), abs=1e-12)
    assert bound.auc == pytest.approx(np.trapezoid(tpr, fpr), abs=1e-12)
    assert bound.balanced_accuracy == pytest.approx((1 + bound.advantage) / 2, abs=1e-12)
    for f in [1e-6, 0.01, 0.3, 0.8, 1.0]:
        assert bound.tpr_at_fpr(f) == pytest.approx(np.interp(f, fpr, tpr), abs=1e-12)
    # A vertical start has two heights at 0; the bound is the higher.
    assert bound.tpr_at_fpr(0.0) == pytest.approx(tpr[fpr == 0].max(), abs=1e-12)


def test_advantage_is_the_formula_of_the_source():
    for epsilon, delta in EPSILONS:
        e = math.exp(epsilon)
        assert PrivacyBound(epsilon, delta).advantage == pytest.approx(
            (e - 1 + 2 * delta) / (e + 1), abs=1e-12
        )


@given(st.floats(0, 5), st.floats(0.01, 4))
def test_the_gaussian_mechanism_stays_under_its_own_bound(epsilon, gap):
    # delta(epsilon) of the Gaussian mechanism: Dong, Roth, Su 2019, corollary 2.13.
    delta = stats.norm.cdf(-epsilon / gap + gap / 2) - math.exp(epsilon) * stats.norm.cdf(
        -epsilon / gap - gap / 2
    )
    bound, shift = PrivacyBound(epsilon, min(max(delta, 0.0), 1.0)), GaussianShift(gap)
    assert shift.advantage <= bound.advantage + 1e-9
    assert shift.auc <= bound.auc + 1e-9
    for f in [0.001, 0.1, 0.5]:
        assert shift.tpr_at_fpr(f) <= bound.tpr_at_fpr(f) + 1e-9


def test_no_privacy_bounds_nothing_and_full_privacy_everything():
    for none in (PrivacyBound(1e6), PrivacyBound(0.0, 1.0)):
        assert none.advantage == none.auc == none.tpr_at_fpr(0.5) == 1.0
    full = PrivacyBound(0.0)
    assert (full.advantage, full.auc) == (0.0, 0.5)
    assert full.tpr_at_fpr(0.2) == pytest.approx(0.2)
    assert PrivacyBound(1e6).tpr_at_fpr(0.0) == 0.0


def test_small_gaps_and_rates_keep_their_digits():
    assert GaussianShift(1e-20).advantage == pytest.approx(1e-20 / math.sqrt(2 * math.pi))
    assert PrivacyBound(1e-20).advantage == pytest.approx(5e-21)
    assert PrivacyBound(0.0).tpr_at_fpr(1e-20) == pytest.approx(1e-20)
    assert PrivacyBound(1e-3).tpr_at_fpr(1e-20) == pytest.approx(math.exp(1e-3) * 1e-20)


def test_replacement_is_two_steps():
    assert PrivacyBound(0.5).of_replacement() == PrivacyBound(1.0)
    two = PrivacyBound(0.5, 0.01).of_replacement()
    assert two == PrivacyBound(1.0, 0.01 * (1 + math.exp(0.5)))
    assert PrivacyBound(1e4, 0.5).of_replacement().delta == 1.0
    # The bound of two steps is that of the curve put into itself.
    one = PrivacyBound(0.5, 0.01)
    for f in [0.0, 1e-4, 0.05]:
        chained = one.tpr_at_fpr(one.tpr_at_fpr(f))
        assert chained <= two.tpr_at_fpr(f) + 1e-12


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: GaussianShift(-1.0), "gap is out of range"),
        (lambda: GaussianShift(math.nan), "gap is out of range"),
        (lambda: GaussianShift(1.0).tpr_at_fpr(1.5), "fpr is out of range"),
        (lambda: PrivacyBound(-0.1), "epsilon is out of range"),
        (lambda: PrivacyBound(math.inf), "epsilon is out of range"),
        (lambda: PrivacyBound(1.0, 1.1), "delta is out of range"),
        (lambda: PrivacyBound(1.0).tpr_at_fpr(-0.1), "fpr is out of range"),
    ],
)
def test_numbers_out_of_range(call, words):
    with pytest.raises(UsageError, match=words):
        call()
