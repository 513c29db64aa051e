"""The average of infinitely many models: all subsets by hand, closed forms, coverage of ties."""

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom

from overparam.measures.test_error.ensemble_losses import (
    brier_losses,
    log_losses,
    of_infinitely_many,
    zero_one_losses,
)


def test_squared_losses_are_the_u_statistic():
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.ones(3), (5, 4))
    counts = np.ones((5, 4), bool)
    counts[1:3, 0] = False
    here, endless = of_infinitely_many(values, counts, brier_losses, steps=False, votes=False)
    for row in range(4):
        used = values[counts[:, row], row]
        for c in range(3):
            apart = used - np.eye(3)[c]
            pairs = [apart[j] @ apart[k] for j, k in combinations(range(len(used)), 2)]
            assert endless[row, c] == pytest.approx(np.mean(pairs), rel=1e-10)
            assert here[row, c] == pytest.approx(np.square(apart.mean(0)).sum(), rel=1e-10)


def test_log_losses_lose_their_first_order_bias():
    rng = np.random.default_rng(1)
    values = rng.beta(2, 1, (6, 20000, 1))  # mean 2/3
    values = np.concatenate([values, 1 - values], 2)
    counts = np.ones(values.shape[:2], bool)
    here, endless = of_infinitely_many(values, counts, log_losses, steps=False, votes=False)
    true = -np.log([2 / 3, 1 / 3])
    bias = np.abs(endless.mean(0) - true)
    assert np.all(bias < 0.2 * np.abs(here.mean(0) - true) + 0.002)


@pytest.mark.parametrize("n_models", [4, 5, 9, 10])
@pytest.mark.parametrize("shape", [(3, 2), (0.6, 0.3), (5, 2)])
def test_votes_go_on_to_the_vote_of_infinitely_many(n_models, shape):
    rng = np.random.default_rng(n_models)
    right = rng.beta(*shape, 30_000)  # a vote of infinitely many is right where it is above .5
    said = (rng.random((n_models, len(right))) < right).astype(float)
    votes = np.stack([said, 1 - said], 2)
    counts = np.ones(said.shape, bool)
    here, endless = of_infinitely_many(votes, counts, zero_one_losses, steps=True, votes=True)
    true = (right < 0.5).mean()
    # Ties are split, so an even number of votes is worth one less.
    odd = n_models - 1 + n_models % 2
    assert here[:, 0].mean() == pytest.approx(binom.cdf(odd // 2, odd, right).mean(), abs=0.01)
    assert abs(endless[:, 0].mean() - true) < 0.65 * (here[:, 0].mean() - true) + 0.005


def test_alike_models_lose_what_each_loses():
    one = np.random.default_rng(2).dirichlet(np.ones(4), 50)
    values = np.repeat(one[None], 6, 0)
    counts = np.random.default_rng(3).random((6, 50)) < 0.9
    for losses, steps in ((zero_one_losses, True), (brier_losses, False), (log_losses, False)):
        here, endless = of_infinitely_many(values, counts, losses, steps=steps, votes=False)
        known = ~np.isnan(endless[:, 0])
        np.testing.assert_allclose(endless[known], losses(one)[known], atol=1e-10)
        np.testing.assert_allclose(here[known], losses(one)[known], atol=1e-10)


def test_rows_of_which_too_few_speak_are_not_known():
    values = np.random.default_rng(4).random((4, 3, 2))
    counts = np.array([[1, 0, 0], [1, 0, 1], [1, 0, 1], [1, 0, 0]], bool)
    _, votes = of_infinitely_many(values, counts, zero_one_losses, steps=True, votes=True)
    assert np.isnan(votes[:, 0]).tolist() == [False, True, True]
    _, smooth = of_infinitely_many(values, counts, brier_losses, steps=False, votes=False)
    assert np.isnan(smooth[:, 0]).tolist() == [False, True, False]
