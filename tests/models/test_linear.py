"""Linear fits against NumPy, scikit-learn and their defining properties."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression, Ridge

from overparam.errors import DataError, UsageError
from overparam.models import MinimumNormRegression, RidgeRegression

SHAPES = {"p<n": (12, 5), "p=n": (6, 6), "p>n": (5, 12), "one row": (1, 4), "one column": (7, 1)}


def problem(shape, rank=None, k=3):
    rng = np.random.default_rng(8)
    n, p = shape
    x = rng.standard_normal((n, p))
    if rank is not None:
        x = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, p))
    return torch.from_numpy(x), torch.from_numpy(rng.standard_normal((n, k)))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_minimum_norm_is_the_pseudoinverse(shape):
    x, y = problem(shape)
    fit = MinimumNormRegression().fit(x, y)
    expected, _, rank, s = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)
    np.testing.assert_allclose(fit.coefficients, expected, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(fit.singular_values, s, rtol=1e-12)
    assert fit.rank == rank
    np.testing.assert_allclose(fit.norm, np.linalg.norm(expected), rtol=1e-10)


def test_rank_deficient_has_the_smallest_norm_of_all_solutions():
    x, y = problem((10, 6), rank=3)
    fit = MinimumNormRegression().fit(x, y)
    assert fit.rank == 3
    np.testing.assert_allclose(fit.coefficients, np.linalg.pinv(x.numpy()) @ y.numpy(), atol=1e-10)
    # It has no part in the null space of x, so any other solution is longer.
    null = torch.linalg.svd(x).Vh[3:]
    torch.testing.assert_close(null @ fit.coefficients, torch.zeros(3, 3).double())


def test_all_zero_features_give_rank_zero():
    fit = MinimumNormRegression().fit(torch.zeros(3, 2), torch.ones(3))
    assert (fit.rank, fit.norm) == (0, 0.0)


def test_tolerance_decides_the_rank():
    x = torch.diag(torch.tensor([1.0, 1e-3]).double())
    assert MinimumNormRegression().fit(x, torch.ones(2)).rank == 2
    assert MinimumNormRegression(relative_tolerance=0.01).fit(x, torch.ones(2)).rank == 1


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("shape", [(12, 5), (5, 12), (6, 6)])
def test_ridge_is_scikit_learns(shape, intercept):
    x, y = problem(shape)
    fit = RidgeRegression(0.7, fit_intercept=intercept).fit(x, y)
    peer = Ridge(alpha=0.7, fit_intercept=intercept, solver="svd").fit(x.numpy(), y.numpy())
    np.testing.assert_allclose(fit.coefficients.T, peer.coef_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(fit.predict(x), peer.predict(x.numpy()), rtol=1e-10, atol=1e-12)


def test_intercept_of_least_squares_is_scikit_learns():
    x, y = problem((12, 5))
    fit = MinimumNormRegression(fit_intercept=True).fit(x, y)
    peer = LinearRegression().fit(x.numpy(), y.numpy())
    np.testing.assert_allclose(fit.coefficients.T, peer.coef_, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(fit.intercept, peer.intercept_, rtol=1e-10, atol=1e-12)


def test_ridge_tends_to_minimum_norm():
    x, y = problem((5, 12))
    near = RidgeRegression(1e-10).fit(x, y)
    limit = MinimumNormRegression().fit(x, y)
    # The relative difference is penalty / s_min^2, here below 1e-9.
    torch.testing.assert_close(near.coefficients, limit.coefficients, rtol=1e-7, atol=1e-9)
    assert near.rank == limit.rank == 5


@pytest.mark.parametrize("model", [MinimumNormRegression(), RidgeRegression(1.0)])
def test_bad_data(model):
    x, y = problem((4, 2))
    with pytest.raises(DataError, match="do not fit together"):
        model.fit(x, y[:3])
    with pytest.raises(DataError, match="do not fit together"):
        model.fit(x[:0], y[:0])
    with pytest.raises(DataError, match="hold NaN or infinity"):
        model.fit(x.where(x > 0, torch.nan), y)
    with pytest.raises(DataError, match=r"allowed: \[n, 2\]"):
        model.fit(x, y).predict(torch.zeros(3, 5))


def test_bad_settings():
    x, y = problem((4, 2))
    with pytest.raises(UsageError, match="penalty is out of range"):
        RidgeRegression(0.0).fit(x, y)
    with pytest.raises(UsageError, match="relative_tolerance is out of range"):
        MinimumNormRegression(relative_tolerance=1.0).fit(x, y)
