"""Effective parameters: exact values, loops, scikit-learn's trees, published expectation."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from overparam.errors import DataError, UsageError
from overparam.measures import effective_parameters, leaf_smoother, linear_smoother
from overparam.models import MinimumNormRegression, RidgeRegression
from overparam.theory import minimum_norm_effective_parameters


def gaussian(n, p, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, p)))


@pytest.mark.parametrize(("n", "p", "rank"), [(12, 5, 5), (5, 12, 5), (6, 6, 6)])
def test_on_training_inputs_it_is_the_rank(n, p, rank):
    x = gaussian(n, p)
    assert effective_parameters(linear_smoother(x, x)) == pytest.approx(rank, rel=1e-10)


@pytest.mark.parametrize("shape", [(12, 5), (5, 12)])
@pytest.mark.parametrize("penalty", [0.0, 0.5])
def test_linear_smoother_predicts_what_the_fit_predicts(shape, penalty):
    x, x0, y = gaussian(*shape), gaussian(7, shape[1], 1), gaussian(shape[0], 2, 2)
    model = RidgeRegression(penalty) if penalty else MinimumNormRegression()
    torch.testing.assert_close(
        linear_smoother(x, x0, penalty) @ y, model.fit(x, y).predict(x0), rtol=1e-9, atol=1e-9
    )


def test_rank_deficient():
    x = gaussian(8, 2) @ gaussian(2, 5, 1)
    expected = x @ torch.linalg.pinv(x)
    torch.testing.assert_close(linear_smoother(x, x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("p", [30, 120])
def test_on_fresh_inputs_it_is_the_published_expectation(p):
    n, n_draws = 60, 40
    draws = []
    for seed in range(n_draws):
        x, x0 = gaussian(n, p, seed), gaussian(200, p, 1_000 + seed)
        draws.append(effective_parameters(linear_smoother(x, x0)))
    standard_error = np.std(draws, ddof=1) / np.sqrt(n_draws)
    expected = minimum_norm_effective_parameters(n, p)
    assert np.mean(draws) == pytest.approx(expected, abs=4 * standard_error)


def test_trees_and_forests_are_smoothers():
    x, y, x0 = gaussian(40, 3).numpy(), gaussian(40, 1, 1).numpy()[:, 0], gaussian(9, 3, 2).numpy()
    tree = DecisionTreeRegressor(max_leaf_nodes=6, random_state=0).fit(x, y)
    smoother = leaf_smoother(tree.apply(x), tree.apply(x0))
    np.testing.assert_allclose(smoother.numpy() @ y, tree.predict(x0), rtol=1e-10)
    # On its training rows a tree uses as many effective parameters as it has leaves.
    on_train = leaf_smoother(tree.apply(x), tree.apply(x))
    assert effective_parameters(on_train) == pytest.approx(6.0)
    forest = RandomForestRegressor(
        4, max_leaf_nodes=6, bootstrap=False, max_features=1, random_state=0
    ).fit(x, y)
    smoother = leaf_smoother(forest.apply(x), forest.apply(x0))
    np.testing.assert_allclose(smoother.numpy() @ y, forest.predict(x0), rtol=1e-10)


def test_a_leaf_without_training_rows():
    assert leaf_smoother(torch.tensor([1, 1]), torch.tensor([5])).tolist() == [[0.0, 0.0]]


def test_errors():
    with pytest.raises(DataError, match=r"a smoother is a matrix"):
        effective_parameters(torch.zeros(3))
    with pytest.raises(DataError, match="features and features do not fit"):
        linear_smoother(gaussian(3, 2), gaussian(3, 4))
    with pytest.raises(DataError, match="NaN or infinity"):
        linear_smoother(gaussian(3, 2), gaussian(3, 2) / 0)
    with pytest.raises(UsageError, match="penalty is out of range"):
        linear_smoother(gaussian(3, 2), gaussian(3, 2), -1.0)
    with pytest.raises(DataError, match="leaf numbers"):
        leaf_smoother(torch.zeros(3, 2), torch.zeros(3, 1))
