"""Measured learning curves: their noise against simulated draws, rises planted and absent."""

import numpy as np
import pandas as pd
import pytest

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_curve_rise
from overparam.measures.test_error.measured_curve import _estimates, measured_curve

ROWS = np.array([100, 200, 400, 800, 1600])


def errors(rng, mean, n_repeats=5, noise=0.02, common=0.0):
    """Means with noise that falls as rows grow, and what a repeat has in common at all sizes."""
    spread = noise * (ROWS / ROWS[0]) ** -0.25
    own = spread[:, None] * rng.standard_normal((len(ROWS), n_repeats))
    return np.asarray(mean)[:, None] + own + common * rng.standard_normal(n_repeats)


@pytest.mark.parametrize(("n_repeats", "common"), [(2, 0.0), (3, 0.05), (10, 0.0)])
def test_where_nothing_rises_nothing_is_found(n_repeats, common):
    found = [
        estimate_curve_rise(
            ROWS, errors(np.random.default_rng(1000 + s), [0.3] * 5, n_repeats, 0.02, common)
        )
        for s in range(100)
    ]
    assert np.mean([f.rises for f in found]) <= 0.09  # nominal .05, of 100 draws
    falls = estimate_curve_rise(ROWS, errors(np.random.default_rng(0), [0.5, 0.4, 0.3, 0.2, 0.1]))
    assert falls.p_value > 0.9
    assert falls.largest_possible < 0


@pytest.mark.parametrize(("n_groups", "n_sizes"), [(6, 4), (4, 6)])
def test_few_groups_of_rows_on_which_repeats_agree_do_not_rise(n_groups, n_sizes):
    found = 0
    for seed in range(60):
        each = np.random.default_rng(seed).standard_normal((n_sizes, 1, n_groups))
        rows = 100 * 2.0 ** np.arange(n_sizes)
        values = np.tile(np.repeat(each, 3, 1), 2)  # each row twice
        found += estimate_curve_rise(rows, values, groups=[*range(n_groups)] * 2).rises
    assert found <= 7  # nominal 3


def test_draws_of_a_covariance_average_to_it():
    covariance = np.cov(np.random.default_rng(0).standard_normal((4, 20)))
    for freedom in (2, 3, 9):
        drawn = _estimates(covariance, freedom, np.random.default_rng(1))
        scale = np.sqrt(np.diag(covariance))
        error = np.abs(drawn.mean(0) - covariance) / np.outer(scale, scale)
        assert error.max() < 5 * np.sqrt(2 / freedom / len(drawn))
        spread = drawn[:, 0, 0].var() / covariance[0, 0] ** 2  # of a chi-square over its freedom
        assert spread == pytest.approx(2 / freedom, rel=0.15)
        assert np.linalg.matrix_rank(drawn[0]) == min(freedom, 4)


def test_a_planted_rise_is_found_and_covered():
    mean = [0.4, 0.3, 0.38, 0.25, 0.2]
    found = [estimate_curve_rise(ROWS, errors(np.random.default_rng(s), mean)) for s in range(40)]
    assert np.mean([f.rises and (f.from_rows, f.to_rows) == (200, 400) for f in found]) > 0.9
    assert np.mean([f.low <= 0.08 <= f.high for f in found]) > 0.9
    assert all(f.largest_possible >= f.high for f in found)


def test_order_level_and_missing_repeats():
    values = errors(np.random.default_rng(1), [0.4, 0.3, 0.38, 0.25, 0.2])
    one = estimate_curve_rise(ROWS, values)
    other = estimate_curve_rise(ROWS[::-1], values[::-1])
    assert one == other
    shifted = estimate_curve_rise(ROWS, values + 5)
    assert shifted.rise == pytest.approx(one.rise)
    assert shifted.p_value == pytest.approx(one.p_value, abs=0.01)
    padded = np.concatenate([values, np.full((5, 2), np.nan)], 1)
    assert estimate_curve_rise(ROWS, padded) == one


def test_variance_of_means_is_that_over_draws():
    rng = np.random.default_rng(2)
    draws = [errors(rng, [0.3] * 5, 4, 0.02, 0.03) for _ in range(1500)]
    means = np.array([d.mean(1) for d in draws])
    claimed = np.mean([measured_curve(ROWS, d).covariance for d in draws[:300]], 0)
    np.testing.assert_allclose(claimed, np.cov(means.T), rtol=0.25)


def test_single_rows_add_the_doubt_about_rows():
    def world(rng, n=80, n_repeats=3):
        hard = 0.3 * rng.standard_normal(n)
        p = np.clip(0.4 - 0.05 * np.arange(5)[:, None, None] + hard, 0, 1)
        return (rng.random((5, n_repeats, n)) < p).astype(float)

    rng = np.random.default_rng(3)
    draws = [world(rng) for _ in range(600)]
    true = np.cov(np.array([d.mean((1, 2)) for d in draws]).T)
    claimed = np.mean([measured_curve(ROWS, d).covariance for d in draws[:100]], 0)
    # Single cells are in the variance over models and in that over rows.
    assert np.all(np.diag(claimed) > 0.9 * np.diag(true))
    assert np.all(np.diag(claimed) < 1.6 * np.diag(true))
    np.testing.assert_allclose(claimed[0, 1:], true[0, 1:], rtol=0.4)
    seen = draws[0].copy()
    seen[:, :, ::4] = np.nan  # rows that the models were trained on
    np.testing.assert_allclose(
        measured_curve(ROWS, seen).error, np.delete(draws[0], np.s_[::4], 2).mean((1, 2))
    )
    names = np.array([f"row {i}" for i in range(80)], object)
    once, copies = draws[0], np.tile(draws[0], 3)
    np.testing.assert_allclose(
        measured_curve(ROWS, copies, np.tile(names, 3)).covariance,
        measured_curve(ROWS, once).covariance,
        rtol=1e-9,
    )
    assert (
        measured_curve(ROWS, copies).of_rows[0, 0] < 0.4 * measured_curve(ROWS, once).of_rows[0, 0]
    )
    perfect = measured_curve(ROWS, np.zeros((5, 3, 50)))
    assert np.all(np.diag(perfect.covariance) > 1e-4)


@pytest.mark.parametrize(
    ("rows", "values", "words"),
    [
        (ROWS[:4], np.ones((5, 3)), "rows is not of the same sizes"),
        ([1, 2, 2], np.ones((3, 3)), "rows are no sizes, each once"),
        ([0, 1, 2], np.ones((3, 3)), "rows are no sizes, each once"),
        ([1, 2, np.nan], np.ones((3, 3)), "rows are no sizes, each once"),
        ([1, 2], [[1, np.inf], [1, 1]], "errors hold infinity, or numbers too large"),
        ([1, 2], [1.0, 2.0], "errors has a wrong shape"),
        ([1, 2], [["a", "b"], ["c", "d"]], "errors holds no numbers"),
        ([1], [[1.0, 2.0]], "too little was measured"),
        ([1, 2], [[1.0, np.nan], [1.0, 2.0]], "too little was measured"),
        ([1, 2], [[1.0, 2, np.nan, np.nan], [np.nan, np.nan, 1, 2]], "each repeat was measured"),
    ],
)
def test_wrong_data(rows, values, words):
    with pytest.raises(DataError, match=words):
        estimate_curve_rise(rows, values)


def test_wrong_options():
    with pytest.raises(UsageError, match="groups are of test rows"):
        estimate_curve_rise([1, 2], [[1, 2], [1, 2]], groups=[1, 2])
    with pytest.raises(DataError, match="groups do not fit the rows"):
        estimate_curve_rise([1, 2], np.ones((2, 2, 3)), groups=[1, 2])
    with pytest.raises(DataError, match="groups must be one value for each row"):
        estimate_curve_rise([1, 2], np.ones((2, 2, 2)), groups=[[1], [1, 2]])
    sizes = pd.Series([1, 2])
    with pytest.raises(DataError, match="errors and rows have the same index in different"):
        estimate_curve_rise(sizes, pd.DataFrame([[1, 2], [3, 4]])[::-1])
    with pytest.raises(UsageError, match="confidence is out of range"):
        estimate_curve_rise([1, 2], [[1, 2], [1, 2]], confidence=1)
