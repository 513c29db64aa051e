"""Random signs: exact expectation rank / n, closed-form cases, bounds, errors."""

import itertools
import math

import numpy as np
import pytest
import torch

from overparam.errors import DataError, UsageError
from overparam.measures import estimate_rademacher_complexity, estimate_random_sign_fit
from overparam.streams import Streams


def gaussian(n, p, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, p)))


@pytest.mark.parametrize("p", [10, 50, 100, 400])
def test_the_published_demonstration(p):
    # 100 points, p features: the mean fit is rank/n = 0.1, 0.5, 1, 1.
    fit = estimate_random_sign_fit(gaussian(100, p), Streams(p), n_draws=200, confidence=0.9999)
    assert fit.low - 1e-9 <= min(p, 100) / 100 <= fit.high + 1e-9


def test_rank_deficient_features_count_by_their_rank():
    x = gaussian(40, 4) @ gaussian(4, 30, 1)
    fit = estimate_random_sign_fit(x, Streams(0), n_draws=400, confidence=0.9999)
    assert fit.low <= 4 / 40 <= fit.high


def test_all_sign_vectors_average_to_rank_over_n():
    # The expectation by brute force over all 2^6 sign vectors.
    x = gaussian(6, 2)
    hat = x @ torch.linalg.pinv(x)
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=6))).double()
    assert float(((signs @ hat) * signs).sum(1).mean() / 6) == pytest.approx(2 / 6, rel=1e-12)


def test_interval_covers():
    # 90 % intervals of 200 independent estimates: the hits are binomial, 4 standard errors wide.
    x, hits = gaussian(30, 10), 0
    for seed in range(200):
        fit = estimate_random_sign_fit(x, Streams(seed), n_draws=30, confidence=0.9)
        hits += fit.low <= 1 / 3 <= fit.high
    assert hits / 200 == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / 200))


def test_rademacher_complexity_by_brute_force_and_its_bound():
    x, radius = gaussian(6, 2), 3.0
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=6))).double()
    exact = radius / 6 * float((signs @ x).norm(dim=1).mean())
    estimate = estimate_rademacher_complexity(x, radius, Streams(1), n_draws=400, confidence=0.9999)
    assert estimate.low <= exact <= estimate.high
    assert exact <= radius / 6 * float(x.norm())


def test_one_seed_one_answer():
    x = gaussian(10, 3)
    assert estimate_random_sign_fit(x, Streams(3)) == estimate_random_sign_fit(x, Streams(3))


@pytest.mark.parametrize(
    "call",
    [
        lambda x, **kw: estimate_random_sign_fit(x, Streams(0), **kw),
        lambda x, **kw: estimate_rademacher_complexity(x, 1.0, Streams(0), **kw),
    ],
)
def test_errors(call):
    with pytest.raises(DataError, match="features must be a finite matrix"):
        call(torch.zeros(3))
    with pytest.raises(DataError, match="features must be a finite matrix"):
        call(torch.full((3, 2), torch.nan))
    with pytest.raises(UsageError, match="n_draws is out of range"):
        call(gaussian(3, 2), n_draws=1)
    with pytest.raises(UsageError, match="confidence is out of range"):
        call(gaussian(3, 2), confidence=1.0)


def test_radius_must_be_positive():
    with pytest.raises(UsageError, match="radius is out of range"):
        estimate_rademacher_complexity(gaussian(3, 2), 0.0, Streams(0))
