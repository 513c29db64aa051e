"""The account of DP-SGD: closed forms, sums over batches, the exact Gaussian curve, Opacus."""

import math

import numpy as np
import pytest
from scipy import optimize, special, stats

from overparam.errors import UsageError
from overparam.theory import PrivacyBound, SubsampledGaussian, noise_multiplier_for

SETTINGS = [(0.6, 0.01), (1.0, 0.1), (4.0, 0.5), (50.0, 0.2), (1.3, 0.999)]
ORDERS_OF_OPACUS = [1 + x / 10 for x in range(1, 100)] + list(range(12, 64))


@pytest.mark.parametrize(("sigma", "q"), SETTINGS)
@pytest.mark.parametrize("order", [2, 3, 17, 64])
def test_at_whole_orders_it_is_the_sum_over_how_often_the_row_is_drawn(sigma, q, order):
    """Mironov, Talwar, Zhang 2019, section 3.3: the binomial theorem and Gaussian moments."""
    k = np.arange(order + 1)
    terms = (
        np.log(special.binom(order, k))
        + k * math.log(q)
        + (order - k) * math.log1p(-q)
        + (k**2 - k) / (2 * sigma**2)
    )
    expected = special.logsumexp(terms) / (order - 1)
    # log E loses what rounding leaves of E - 1.
    assert SubsampledGaussian(sigma, q, 1).renyi(order) == pytest.approx(
        expected, rel=1e-9, abs=1e-14
    )


@pytest.mark.parametrize("order", [1.05, 2.5, 300.0])
def test_rows_that_are_in_every_sum_have_the_closed_form(order):
    exact = SubsampledGaussian(1.7, 1.0, 20).renyi(order)
    assert exact == pytest.approx(20 * order / (2 * 1.7**2))
    nearly = SubsampledGaussian(1.7, 1 - 1e-12, 20).renyi(order)
    assert nearly == pytest.approx(exact, rel=1e-9)


def exact_epsilon(shift, delta):
    """Of n Gaussian sums of all rows: Dong, Roth, Su 2019, corollary 2.13, solved for epsilon."""

    def excess(epsilon):
        z = epsilon / shift
        left = stats.norm.cdf(shift / 2 - z)
        return left - math.exp(epsilon) * stats.norm.cdf(-shift / 2 - z) - delta

    return optimize.brentq(excess, 0, 200)


@pytest.mark.parametrize(("sigma", "n_steps"), [(20.0, 10), (5.0, 1), (4.0, 30)])
def test_epsilon_lies_above_the_exact_one_and_not_far(sigma, n_steps):
    found = SubsampledGaussian(sigma, 1.0, n_steps).epsilon(1e-5)
    exact = exact_epsilon(math.sqrt(n_steps) / sigma, 1e-5)
    assert exact < found < 1.15 * exact


# (sigma, q, steps), Renyi divergence at orders 1.5, 8 and 40.5, epsilon at delta = 1e-5.
# Printed by Opacus 1.6.0 (`compute_rdp`, `get_privacy_spent` with its default orders).
OF_OPACUS = [
    (
        (1.1, 0.01, 1000),
        (0.09554528557684942, 0.5840703355202467, 12013.780417108184),
        1.7117700912203435,
    ),
    (
        (4.0, 0.2, 300),
        (0.5767109360760038, 3.300941525161964, 29.7293212774274),
        4.17769707707806,
    ),
    (
        (0.7, 0.004, 20000),
        (1.555248966686915, 37064.06121826092, 713305.7174735457),
        8.079299880294363,
    ),
    (
        (20.0, 0.5, 500),
        (0.234521491980888, 1.2558843518568417, 6.490294732207412),
        2.4585059620562,
    ),
    ((2.0, 1.0, 10), (1.875, 10.0, 50.625), 8.079406222420491),
]


@pytest.mark.parametrize(("settings", "divergences", "epsilon"), OF_OPACUS)
def test_it_agrees_with_opacus(settings, divergences, epsilon):
    found = SubsampledGaussian(*settings)
    np.testing.assert_allclose([found.renyi(a) for a in (1.5, 8, 40.5)], divergences, rtol=1e-8)
    # Opacus looks at orders a tenth apart, so its epsilon is a little larger.
    assert 0.995 * epsilon < found.epsilon(1e-5) <= epsilon * (1 + 1e-6)


def test_it_agrees_with_the_opacus_that_is_installed():
    rdp = pytest.importorskip("opacus.accountants.analysis.rdp")
    for sigma, q in SETTINGS[:4]:
        own = SubsampledGaussian(sigma, q, 100)
        theirs = rdp.compute_rdp(q=q, noise_multiplier=sigma, steps=100, orders=ORDERS_OF_OPACUS)
        epsilon, _ = rdp.get_privacy_spent(orders=ORDERS_OF_OPACUS, rdp=theirs, delta=1e-5)
        np.testing.assert_allclose([own.renyi(a) for a in ORDERS_OF_OPACUS], theirs, rtol=1e-7)
        assert own.epsilon(1e-5) <= epsilon * (1 + 1e-5)


def test_more_sums_more_rows_and_less_noise_tell_more():
    base = SubsampledGaussian(2.0, 0.1, 100).epsilon(1e-5)
    assert base < SubsampledGaussian(2.0, 0.1, 101).epsilon(1e-5)
    assert base < SubsampledGaussian(2.0, 0.11, 100).epsilon(1e-5)
    assert base < SubsampledGaussian(1.9, 0.1, 100).epsilon(1e-5)
    assert base < SubsampledGaussian(2.0, 0.1, 100).epsilon(1e-6)
    assert SubsampledGaussian(1e4, 1e-3, 1).epsilon(0.5) == 0.0


def test_its_bound_is_that_of_its_epsilon():
    private = SubsampledGaussian(2.0, 0.1, 100)
    assert private.bound(1e-5) == PrivacyBound(private.epsilon(1e-5), 1e-5)


@pytest.mark.parametrize("epsilon", [0.05, 1.0, 8.0, 50.0])
def test_the_noise_for_an_epsilon_keeps_it_and_not_much_less_would(epsilon):
    sigma = noise_multiplier_for(epsilon, 1e-5, 0.2, 300)
    assert SubsampledGaussian(sigma, 0.2, 300).epsilon(1e-5) <= epsilon
    assert SubsampledGaussian(0.999 * sigma, 0.2, 300).epsilon(1e-5) > epsilon


def test_an_epsilon_that_hardly_asks_for_noise_gets_the_least():
    assert noise_multiplier_for(1e9, 1e-5, 0.2, 300) == pytest.approx(0.1, rel=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SubsampledGaussian(0.05, 0.1, 1), "noise_multiplier is out of range"),
        (lambda: SubsampledGaussian(1.0, 0.0, 1), "sampling_rate is out of range"),
        (lambda: SubsampledGaussian(1.0, 1.1, 1), "sampling_rate is out of range"),
        (lambda: SubsampledGaussian(1.0, 0.1, 0), "n_steps is out of range"),
        (lambda: SubsampledGaussian(1.0, 0.1, 1).renyi(1.0), "order is out of range"),
        (lambda: SubsampledGaussian(1.0, 0.1, 1).epsilon(0.0), "delta is out of range"),
        (lambda: noise_multiplier_for(0.0, 1e-5, 0.1, 1), "epsilon is out of range"),
        (lambda: noise_multiplier_for(1e-4, 1e-5, 0.1, 1), "smaller than this account can show"),
    ],
)
def test_numbers_out_of_range(call, words):
    with pytest.raises(UsageError, match=words):
        call()
