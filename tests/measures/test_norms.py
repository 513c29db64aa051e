"""Norms: known matrices, NumPy, invariances, errors."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from overparam.errors import DataError
from overparam.measures import frobenius_norm, spectral_norm, stable_rank, weight_norm


def matrix(shape=(5, 3), seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4), (1, 6), (6, 1)])
def test_against_numpy(shape):
    w = matrix(shape)
    assert frobenius_norm(w) == pytest.approx(np.linalg.norm(w), rel=1e-12)
    assert spectral_norm(w) == pytest.approx(np.linalg.norm(w, 2), rel=1e-12)
    s = np.linalg.svd(w, compute_uv=False)
    assert stable_rank(w) == pytest.approx((s**2).sum() / s[0] ** 2, rel=1e-12)


def test_convolution_kernels_and_vectors_are_reshaped():
    kernel = matrix((4, 2, 3, 3))
    assert spectral_norm(kernel) == pytest.approx(spectral_norm(kernel.reshape(4, 18)))
    assert spectral_norm(matrix((4,))) == pytest.approx(frobenius_norm(matrix((4,))))


def test_stable_rank_ignores_scale_and_rotation():
    w = matrix()
    q = torch.linalg.qr(matrix((5, 5), 1)).Q
    assert stable_rank(1e3 * q @ w) == pytest.approx(stable_rank(w), rel=1e-12)
    outer = torch.outer(matrix((4,)), matrix((3,), 1))
    assert stable_rank(outer) == pytest.approx(1.0)


def test_stable_rank_of_zero_and_of_nan():
    assert math.isnan(stable_rank(torch.zeros(3, 2)))
    bad = torch.tensor([[1.0, torch.nan]])
    assert math.isnan(stable_rank(bad))
    assert math.isnan(spectral_norm(torch.tensor([[1.0, torch.inf]])))
    assert math.isnan(frobenius_norm(bad))


def test_weight_norm_of_everything():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    model[1].bias = model[0].bias  # shared: counts once
    expected = math.sqrt(sum(float(p.detach().double().square().sum()) for p in model.parameters()))
    assert weight_norm(model) == pytest.approx(expected, rel=1e-12)
    assert weight_norm(dict(model.named_parameters())) == pytest.approx(expected, rel=1e-12)
    assert weight_norm(list(model.parameters())) == pytest.approx(expected, rel=1e-12)
    assert weight_norm(nn.ReLU()) == 0.0
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("measure", [frobenius_norm, spectral_norm, stable_rank])
def test_empty(measure):
    with pytest.raises(DataError, match="at least one row and one column"):
        measure(torch.zeros(3, 0))
    with pytest.raises(DataError, match="at least one row and one column"):
        measure(torch.tensor(1.0))


def test_complex_entries_count_with_both_parts():
    weight = torch.tensor([[0, 2j], [1j, 0]])
    assert weight_norm([torch.tensor([3 + 4j])]) == 5.0
    assert spectral_norm(weight) == pytest.approx(2.0, rel=1e-15)
    assert frobenius_norm(weight) == pytest.approx(math.sqrt(5), rel=1e-15)
    assert stable_rank(weight) == pytest.approx(1.25, rel=1e-15)


@pytest.mark.parametrize("scale", [1e-200, 1e-170, 1e155, 1e160])
def test_no_size_of_the_weights_overflows(scale):
    weight = scale * torch.eye(3, dtype=torch.float64)
    assert weight_norm([weight, weight]) == pytest.approx(math.sqrt(6) * scale, rel=1e-14)
    assert frobenius_norm(weight) == pytest.approx(math.sqrt(3) * scale, rel=1e-14)
    assert stable_rank(weight) == pytest.approx(3.0, rel=1e-14)
