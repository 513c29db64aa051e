"""Random feature maps: formula, nesting, distribution, limits, errors."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from overparam.errors import DataError, UsageError
from overparam.models import RandomFourierFeatures, RandomReluFeatures
from overparam.streams import Streams

MAPS = [RandomReluFeatures, RandomFourierFeatures]


def inputs(n=7, d=5, seed=3):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, d)))


def test_relu_features_by_loops():
    x = inputs()
    features = RandomReluFeatures.draw(5, 6, Streams(1))
    slow = [[max(float(v @ row), 0.0) for v in features.directions] for row in x]
    torch.testing.assert_close(features(x), torch.tensor(slow, dtype=torch.float64))


def test_fourier_features_by_loops():
    x = inputs()
    features = RandomFourierFeatures.draw(5, 5, Streams(1))  # odd: the last sine is left out
    slow = [
        [f(float(v @ row)) for v in features.frequencies for f in (math.cos, math.sin)][:5]
        for row in x
    ]
    torch.testing.assert_close(features(x), torch.tensor(slow, dtype=torch.float64))


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("p", [1, 2, 7, 64])
def test_widths_of_one_seed_are_nested(kind, p):
    wide, narrow = kind.draw(5, 64, Streams(4)), kind.draw(5, p, Streams(4))
    name = "directions" if kind is RandomReluFeatures else "frequencies"
    torch.testing.assert_close(getattr(wide.first(p), name), getattr(narrow, name), rtol=0, atol=0)
    assert narrow.n_features == wide.first(p).n_features == p
    torch.testing.assert_close(wide(inputs())[:, :p], narrow(inputs()), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("kind", MAPS)
def test_seeds_differ_and_the_global_generator_does_not_move(kind):
    before = torch.random.get_rng_state()
    a, b = kind.draw(5, 4, Streams(0)), kind.draw(5, 4, Streams(1))
    assert not torch.allclose(a(inputs()), b(inputs()))
    torch.testing.assert_close(torch.random.get_rng_state(), before)


def test_directions_are_uniform_on_the_sphere():
    directions = RandomReluFeatures.draw(3, 4_000, Streams(5)).directions
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(4_000, dtype=torch.float64))
    # On the sphere in three dimensions each coordinate is uniform on [-1, 1] (Archimedes).
    assert stats.kstest(directions[:, 0].numpy(), "uniform", (-1, 2)).pvalue > 1e-4


def test_fourier_features_tend_to_the_gaussian_kernel():
    x, y = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[1.0, 2.0]]).double()
    p, bandwidth = 20_000, 2.0
    features = RandomFourierFeatures.draw(2, p, Streams(2), bandwidth=bandwidth)
    kernel = math.exp(-5.0 / (2 * bandwidth**2))
    # Each frequency contributes a cosine of variance (1 - k^2)^2 / 2, k the kernel.
    standard_error = (1 - kernel**2) / math.sqrt(2) / math.sqrt(p / 2)
    assert float((features(x) @ features(y).T).squeeze()) / (p / 2) == pytest.approx(
        kernel, abs=4 * standard_error
    )


@pytest.mark.parametrize("kind", MAPS)
def test_images_are_flattened_and_become_float64(kind):
    image = inputs(2, 12).float()
    features = kind.draw(12, 3, Streams(0))
    torch.testing.assert_close(features(image.reshape(2, 3, 2, 2)), features(image))
    assert features(image).dtype == torch.float64


@pytest.mark.parametrize("kind", MAPS)
def test_errors(kind):
    features = kind.draw(5, 3, Streams(0))
    with pytest.raises(DataError, match=r"5 entries a row"):
        features(inputs(2, 4))
    with pytest.raises(DataError, match=r"do not fit the feature map"):
        features(torch.tensor(1.0))
    with pytest.raises(UsageError, match="n_features is out of range"):
        kind.draw(5, 0, Streams(0))
    with pytest.raises(UsageError, match="input_dim is out of range"):
        kind.draw(0, 3, Streams(0))
    with pytest.raises(UsageError, match="n_features is out of range"):
        features.first(4)


def test_bandwidth_must_be_positive():
    with pytest.raises(UsageError, match="bandwidth is out of range"):
        RandomFourierFeatures.draw(5, 3, Streams(0), bandwidth=0)
