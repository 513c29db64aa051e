"""Empirical Bayes: recovers what it was drawn from, fits each row by the others."""

import numpy as np
import pytest

from overparam.measures.smooth_prior import SmoothPrior, fit_smooth_prior


def test_shrinking_is_the_normal_posterior():
    prior = SmoothPrior(np.array([1.0, 0.0]), np.array([4.0, 1.0]))
    mean, variance = prior.shrink(np.array([3.0, 3.0]), np.array([4.0, 0.5]))
    np.testing.assert_allclose(mean, [2.0, 2.0])
    np.testing.assert_allclose(variance, [2.0, 1 / 3])
    assert prior.of(np.array([1, 1])).level.tolist() == [0, 0]


def test_level_and_spread_are_recovered():
    rng = np.random.default_rng(0)
    n = 20_000
    score = rng.standard_normal(n)
    spread = np.where(score > 0, 0.25, 1.0)
    noise = rng.uniform(0.2, 1.0, n)
    truth = 2 * score + np.sqrt(spread) * rng.standard_normal(n)
    values = truth + np.sqrt(noise) * rng.standard_normal(n)
    found = fit_smooth_prior(np.exp(score), values, noise, np.ones(n, bool))
    inner = np.abs(score) < 2
    assert np.sqrt(np.mean((found.level - 2 * score)[inner] ** 2)) < 0.15
    assert np.median(found.spread[score > 0.7]) == pytest.approx(0.25, abs=0.1)
    assert np.median(found.spread[score < -0.7]) == pytest.approx(1.0, abs=0.15)
    # What shrinking is for: as near to the truth as its variance says, and nearer than the values.
    shrunk, variance = found.shrink(values, noise)
    assert np.mean((shrunk - truth) ** 2) == pytest.approx(np.mean(variance), rel=0.05)
    assert np.mean((shrunk - truth) ** 2) < 0.75 * np.mean(noise)


def test_a_row_has_no_say_in_its_own_level():
    rng = np.random.default_rng(1)
    score, values = rng.random(60), rng.standard_normal(60)
    before = fit_smooth_prior(score, values, np.ones(60), np.ones(60, bool))
    values[17] += 1e6
    after = fit_smooth_prior(score, values, np.ones(60), np.ones(60, bool))
    assert after.level[17] == before.level[17]
    assert np.any(after.level != before.level)


def test_rows_without_a_value_have_a_level_and_no_say():
    rng = np.random.default_rng(2)
    score, known = rng.random(80), np.arange(80) % 4 > 0
    values = rng.standard_normal(80)
    found = fit_smooth_prior(score, values, np.ones(80), known)
    values[~known] = 1e9
    other = fit_smooth_prior(score, values, np.ones(80), known)
    np.testing.assert_array_equal(other.level, found.level)
    assert np.isfinite(found.level).all()


@pytest.mark.parametrize("score", [np.zeros(30), np.arange(30) % 2, np.full(30, np.inf)])
def test_ties_and_constants(score):
    values = np.random.default_rng(3).standard_normal(30)
    found = fit_smooth_prior(np.array(score, float), values, np.full(30, 0.5), np.ones(30, bool))
    assert np.isfinite(found.level).all()
    assert np.all(found.spread > 0)
