"""Leave-one-out in closed form: refits by brute force, scikit-learn, invariances."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics.pairwise import rbf_kernel

from overparam.errors import DataError, UsageError
from overparam.measures import (
    leave_one_out_kernel,
    leave_one_out_minimum_norm,
    leave_one_out_ridge,
)
from overparam.measures.leave_one_out import ILL_CONDITIONED
from overparam.models import MinimumNormRegression, RidgeRegression

SHAPES = [(12, 4), (4, 12), (7, 7), (8, 7), (7, 8), (2, 1), (2, 5)]


def draw(n, p, k=2, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, p)), rng.standard_normal((n, k))


def refits(fit, x, y):
    """Predictions for every row by a model that is fitted without it."""
    kept = ~np.eye(len(x), dtype=bool)
    return np.stack([np.asarray(fit(x[o], y[o])(x[i : i + 1]))[0] for i, o in enumerate(kept)])


def minimum_norm(intercept):
    return lambda x, y: MinimumNormRegression(intercept).fit(x, y).predict


def ridge(penalty, intercept):
    return lambda x, y: RidgeRegression(penalty, intercept).fit(x, y).predict


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("penalty", [1e-3, 1.0, 100.0])
@pytest.mark.parametrize("intercept", [False, True])
def test_ridge_is_its_refits(shape, penalty, intercept):
    x, y = draw(*shape)
    found = leave_one_out_ridge(x, y, penalty, fit_intercept=intercept)
    expected = refits(ridge(penalty, intercept), x, y)
    np.testing.assert_allclose(found.without_row, expected, rtol=1e-8, atol=1e-8)
    peer = refits(lambda a, b: Ridge(penalty, fit_intercept=intercept).fit(a, b).predict, x, y)
    np.testing.assert_allclose(found.without_row, peer, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(
        found.with_row, ridge(penalty, intercept)(x, y)(x), rtol=1e-8, atol=1e-10
    )
    assert found.unknown == {}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("intercept", [False, True])
def test_minimum_norm_is_its_refits(shape, intercept):
    x, y = draw(*shape, seed=3)
    found = leave_one_out_minimum_norm(x, y, fit_intercept=intercept)
    expected = refits(minimum_norm(intercept), x, y)
    np.testing.assert_allclose(found.without_row, expected, rtol=1e-8, atol=1e-8)
    peer = refits(lambda a, b: LinearRegression(fit_intercept=intercept).fit(a, b).predict, x, y)
    np.testing.assert_allclose(found.without_row, peer, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.with_row, minimum_norm(intercept)(x, y)(x), atol=1e-8)


@pytest.mark.parametrize("intercept", [False, True])
def test_interpolation_by_the_inverse_gram_matrix(intercept):
    x, y = draw(9, 30)
    found = leave_one_out_minimum_norm(x, y, fit_intercept=intercept)
    centred = x - x.mean(0) if intercept else x
    inverse = np.linalg.pinv(centred @ centred.T)
    np.testing.assert_allclose(
        y - found.without_row, inverse @ y / inverse.diagonal()[:, None], rtol=1e-9
    )
    np.testing.assert_allclose(found.with_row, y, atol=1e-12)
    np.testing.assert_array_equal(found.own_weight, np.ones(9))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_duplicates_and_dependent_rows(intercept, penalty):
    # Twins (with other targets), a row that others span, and rows that nothing spans: all at once.
    x, y = draw(9, 20)
    x[4], x[5], x[8] = x[3], x[0] + x[1], 0.0
    if penalty:
        found = leave_one_out_ridge(x, y, penalty, fit_intercept=intercept)
        expected = refits(ridge(penalty, intercept), x, y)
    else:
        found = leave_one_out_minimum_norm(x, y, fit_intercept=intercept)
        expected = refits(minimum_norm(intercept), x, y)
        assert (found.own_weight < 0.9).any()
        assert (found.own_weight == 1).any()
        if not intercept:
            np.testing.assert_allclose(found.without_row[4], y[3], atol=1e-10)
    np.testing.assert_allclose(found.without_row, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("intercept", [False, True])
def test_a_row_without_which_the_rank_falls(intercept):
    x, y = draw(12, 4)
    x[:, 3], x[5, 3] = 0.0, 2.0  # only row 5 knows the last feature
    found = leave_one_out_minimum_norm(x, y, fit_intercept=intercept)
    expected = refits(minimum_norm(intercept), x, y)
    np.testing.assert_allclose(found.without_row, expected, rtol=1e-8, atol=1e-8)
    assert found.own_weight[5] == 1
    assert found.unknown == {}


@pytest.mark.parametrize("penalty", [0.0, 1e-2, 1.0])
@pytest.mark.parametrize("p", [3, 25])
def test_kernel_is_its_refits(penalty, p):
    x, y = draw(10, p)
    kernel = rbf_kernel(x, gamma=1 / p)
    found = leave_one_out_kernel(kernel, y, penalty)
    for i in range(10):
        kept = np.arange(10) != i
        system = kernel[np.ix_(kept, kept)] + penalty * np.eye(9)
        expected = kernel[i, kept] @ np.linalg.solve(system, y[kept])
        np.testing.assert_allclose(found.without_row[i], expected, rtol=1e-8, atol=1e-8)
        if penalty:
            peer = KernelRidge(alpha=penalty, kernel="rbf", gamma=1 / p).fit(x[kept], y[kept])
            np.testing.assert_allclose(
                found.without_row[i], peer.predict(x[i : i + 1])[0], rtol=1e-8, atol=1e-8
            )


@pytest.mark.parametrize("shape", [(12, 4), (6, 20)])
@pytest.mark.parametrize("penalty", [0.0, 0.5])
@pytest.mark.parametrize("intercept", [False, True])
def test_a_linear_kernel_is_ridge(shape, penalty, intercept):
    x, y = draw(*shape)
    x += 1.0
    found = leave_one_out_kernel(x @ x.T, y, penalty, fit_intercept=intercept)
    if penalty:
        expected = leave_one_out_ridge(x, y, penalty, fit_intercept=intercept)
    else:
        expected = leave_one_out_minimum_norm(x, y, fit_intercept=intercept)
    np.testing.assert_allclose(found.without_row, expected.without_row, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(found.own_weight, expected.own_weight, atol=1e-10)


def test_minimum_norm_is_the_limit_of_ridge():
    x, y = draw(6, 15)
    limit = leave_one_out_minimum_norm(x, y, fit_intercept=True).without_row
    near = leave_one_out_ridge(x, y, 1e-9, fit_intercept=True).without_row
    np.testing.assert_allclose(near, limit, rtol=1e-7, atol=1e-7)


def test_ill_conditioned_is_unknown_with_its_reason():
    x, y = draw(6, 10)
    x[1] = x[0] + 1e-10 * draw(1, 10, seed=1)[0]  # neither a duplicate nor clearly another row
    found = leave_one_out_minimum_norm(x, y)
    assert found.unknown == {ILL_CONDITIONED: 6}
    assert np.isnan(found.without_row).all()
    # A penalty settles it.
    settled = leave_one_out_ridge(x, y, 0.1)
    np.testing.assert_allclose(settled.without_row, refits(ridge(0.1, False), x, y), rtol=1e-8)


def test_a_penalty_within_rounding_of_a_singular_kernel_is_unknown():
    x, y = draw(8, 3)
    assert leave_one_out_kernel(x @ x.T, y, 1e-13).unknown == {ILL_CONDITIONED: 8}
    found = leave_one_out_kernel(x @ x.T, y, 1e-3)
    np.testing.assert_allclose(found.without_row, refits(ridge(1e-3, False), x, y), rtol=1e-7)


def test_a_row_that_others_hardly_span_is_unknown_alone():
    x, y = draw(12, 4)
    x[:, 3] *= 1e-9
    x[5, 3] = 1.0
    found = leave_one_out_minimum_norm(x, y)
    assert np.isnan(found.without_row[5]).all()
    assert found.unknown == {ILL_CONDITIONED: 1}
    kept = np.arange(12) != 5
    np.testing.assert_allclose(
        found.without_row[kept], refits(minimum_norm(False), x, y)[kept], rtol=1e-8
    )


@pytest.mark.parametrize("constant", [0.1, 1e6])
def test_constant_columns_vanish_in_the_intercept(constant):
    # Centring leaves rounding of the constant behind, which is no feature.
    x, y = draw(8, 3)
    wide = np.hstack([x, np.full((8, 1), constant)])
    found = leave_one_out_minimum_norm(wide, y, fit_intercept=True)
    expected = leave_one_out_minimum_norm(x, y, fit_intercept=True)
    np.testing.assert_allclose(found.without_row, expected.without_row, rtol=1e-7)
    alone = leave_one_out_minimum_norm(wide[:, 3:], y, fit_intercept=True)
    np.testing.assert_allclose(alone.without_row, (y.sum(0) - y) / 7, rtol=1e-10)


def test_features_of_zeros_predict_zero():
    _, y = draw(3, 1)
    np.testing.assert_array_equal(leave_one_out_minimum_norm(np.zeros((3, 2)), y).without_row, 0)
    np.testing.assert_array_equal(leave_one_out_kernel(np.zeros((3, 3)), y).without_row, 0)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.sampled_from([1e-150, 1e-3, 1.0, 1e5, 1e120]))
def test_invariances(seed, scale):
    rng = np.random.default_rng(seed)
    n, p = rng.integers(3, 9, 2)
    x, y = draw(n, p, seed=seed)
    base = leave_one_out_minimum_norm(x, y, fit_intercept=True)
    if base.unknown:
        return
    order = rng.permutation(n)
    rotation = np.linalg.qr(rng.standard_normal((p, p)))[0]
    found = leave_one_out_minimum_norm(
        scale * (x[order] @ rotation), 2 * y[order] + 1, fit_intercept=True
    )
    np.testing.assert_allclose(
        found.without_row, 2 * base.without_row[order] + 1, rtol=1e-5, atol=1e-5
    )


def test_what_leads_towards_the_target_is_memorization():
    x, y = draw(6, 3)
    found = leave_one_out_ridge(x, y, 1.0)
    np.testing.assert_allclose(
        found.memorization, found.own_weight[:, None] * (y - found.without_row), atol=1e-12
    )


def test_tensors_of_any_dtype_are_taken_and_left_alone():
    x, y = (torch.from_numpy(v).float().requires_grad_() for v in draw(6, 3))
    before = x.detach().clone()
    found = leave_one_out_ridge(x, y, 1.0)
    again = leave_one_out_ridge(x.double(), y.double(), 1.0)
    np.testing.assert_array_equal(found.without_row, again.without_row)
    assert torch.equal(x.detach(), before)
    assert found.without_row.dtype == np.float64


X, Y = np.ones((3, 2)), np.ones(3)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: leave_one_out_ridge(X, Y, 0.0), UsageError, "penalty is out of range"),
        (lambda: leave_one_out_kernel(np.eye(3), Y, -1.0), UsageError, "penalty is out of range"),
        (lambda: leave_one_out_minimum_norm(X, Y[:2]), DataError, "another number of rows"),
        (lambda: leave_one_out_minimum_norm(X[:1], Y[:1]), DataError, "takes two"),
        (lambda: leave_one_out_minimum_norm(X / [0.0, 1], Y), DataError, "features hold NaN or"),
        (lambda: leave_one_out_minimum_norm(X, Y * np.nan), DataError, "targets hold NaN or"),
        (lambda: leave_one_out_minimum_norm(X[0], Y), DataError, r"wrong shape.*\[n, p\]"),
        (lambda: leave_one_out_minimum_norm(X, X[None]), DataError, r"targets.*wrong shape"),
        (lambda: leave_one_out_minimum_norm(X, ["a", "b", "c"]), DataError, "real numbers"),
        (lambda: leave_one_out_minimum_norm([[1], [1, 2]], Y), DataError, "real numbers"),
        (lambda: leave_one_out_kernel(X, Y), DataError, "square matrix"),
        (lambda: leave_one_out_kernel([[1.0, 0], [1, 1]], Y[:2]), DataError, "symmetric"),
        (lambda: leave_one_out_kernel([[0.0, 1], [1, 0]], Y[:2]), DataError, "semidefinite"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_errors(call, kind, words):
    with pytest.raises(kind, match=words):
        call()
