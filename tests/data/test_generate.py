"""Generated data against known populations and an obviously right slow version."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from overparam.data import generate, make_gaussian_linear, make_mnist1d
from overparam.data.generate import GaussianLinear, draw_mnist1d
from overparam.errors import DataError, UsageError
from overparam.streams import Streams


def test_targets_are_linear_in_all_features():
    train, population = make_gaussian_linear(
        Streams(0), 50, 4, eigenvalues=[4.0, 1.0, 0.5, 0.25], coefficients=[1.0, -2.0, 0.0, 3.0]
    )
    assert train.inputs.dtype == torch.float64
    expected = train.inputs @ population.coefficients
    torch.testing.assert_close(train.labels[:, 0], expected, rtol=1e-12, atol=1e-12)


def test_rows_are_nested_in_n_and_in_features():
    small, _ = make_gaussian_linear(Streams(0), 10, 3, n_features_total=8, noise_variance=0.5)
    large, _ = make_gaussian_linear(Streams(0), 25, 8, n_features_total=8, noise_variance=0.5)
    assert small.inputs.equal(large.inputs[:10, :3])
    torch.testing.assert_close(small.labels, large.labels[:10], rtol=1e-12, atol=1e-12)


def test_moments_of_rows():
    n = 40_000
    lambdas = [4.0, 1.0, 0.25]
    data, population = make_gaussian_linear(
        Streams(1), n, 2, eigenvalues=lambdas, signal=3.0, noise_variance=0.5
    )
    covariance = data.inputs.T @ data.inputs / n
    assert abs(covariance[0, 0] - 4) < 4 * 4 * math.sqrt(2 / n)
    assert abs(covariance[1, 1] - 1) < 4 * math.sqrt(2 / n)
    assert abs(covariance[0, 1]) < 4 * 2 / math.sqrt(n)
    variance = float(population.risk(torch.zeros(2)))  # of the target
    assert variance == pytest.approx(sum(lambdas) * 3.0 / 3 + 0.5)
    assert abs(data.labels.square().mean() - variance) < 4 * variance * math.sqrt(2 / n)


def test_risk_is_the_squared_error_on_fresh_rows():
    n = 40_000
    _, population = make_gaussian_linear(
        Streams(2), 5, 2, eigenvalues=[2.0, 1.0, 0.5, 0.5], noise_variance=0.3
    )
    guesses = torch.tensor([[0.0, 0.0], [0.5, 0.5], [1.0, -1.0]], dtype=torch.float64)
    fresh = population.draw(n, Streams(2), "test")
    errors = (fresh.inputs @ guesses.T - fresh.labels).square()
    assert ((errors.mean(0) - population.risk(guesses)).abs() < 4 * errors.std(0) / n**0.5).all()
    assert population.risk(guesses[1]) == population.risk(guesses)[1]
    truth = population.coefficients[:2]
    assert float(population.risk(truth)) == pytest.approx(population.risk_of_truth)
    assert population.risk_of_truth == pytest.approx(0.3 + 0.25 * (0.5 + 0.5))


@pytest.mark.parametrize(("p", "expected"), [(5, 1.3765), (20, 2.1553), (60, 2.2184)])
def test_minimum_norm_risk_is_that_of_belkin_hsu_xu(p, expected):
    """n = 40, D = 100, flat |b| = 1, sigma^2 = .25: Belkin, Hsu, Xu 2020, theorem 1, exactly."""
    risks = []
    for seed in range(200):
        train, population = make_gaussian_linear(
            Streams(seed), 40, p, n_features_total=100, noise_variance=0.25
        )
        fitted = torch.linalg.lstsq(train.inputs, train.labels, driver="gelsd").solution[:, 0]
        risks.append(float(population.risk(fitted)))
    error = np.std(risks, ddof=1) / math.sqrt(len(risks))
    assert abs(np.mean(risks) - expected) < 4 * error


@pytest.mark.parametrize(
    ("keywords", "kind", "match"),
    [
        ({"n_train": 0}, UsageError, "n_train is out of range"),
        ({"n_features": 0}, UsageError, "n_features is out of range"),
        ({"n_features_total": 2}, UsageError, "n_features_total is out of range"),
        ({"signal": -1.0}, UsageError, "signal is out of range"),
        ({"noise_variance": -1.0}, UsageError, "noise_variance is out of range"),
        ({"eigenvalues": [1.0, 1.0]}, UsageError, "n_features_total is out of range"),
        ({"eigenvalues": [1.0] * 4, "coefficients": [1.0] * 5}, DataError, "do not fit the number"),
        ({"eigenvalues": [1.0, 1.0, 0.0]}, DataError, "eigenvalues must be finite and > 0"),
        ({"coefficients": [1.0, math.inf, 0.0]}, DataError, "coefficients hold NaN"),
    ],
)
def test_faults_of_gaussian_models(keywords, kind, match):
    with pytest.raises(kind, match=match):
        make_gaussian_linear(Streams(0), **{"n_train": 4, "n_features": 3, **keywords})


def test_faults_of_populations():
    with pytest.raises(DataError, match=r"the same shape \[D\]"):
        GaussianLinear(torch.ones(2), torch.ones(3), 0.0, 1)
    population = GaussianLinear(torch.ones(3), torch.ones(3), 0.0, 2)
    with pytest.raises(DataError, match=r"do not fit the features seen; got '?\[3\]"):
        population.risk(torch.ones(3))
    with pytest.raises(UsageError, match="n is out of range"):
        population.draw(0, Streams(0))


# The 1-D MNIST-like task


def slow_mnist1d(streams: Streams, n: int) -> tuple[list[np.ndarray], list[int]]:
    """One row at a time, in the steps and words of the paper, with the same draws."""
    rounds = np.broadcast_to(np.arange(10), (-(-n // 10), 10))
    labels = streams.numpy("labels").permuted(rounds, axis=1).ravel()[:n].tolist()
    padding = streams.numpy("padding").integers(36, 61, n)
    scale = streams.numpy("scale").random(n)
    shift = streams.numpy("shift").integers(0, 48, n)
    shear = streams.numpy("shear").random(n)
    smooth = streams.numpy("smooth noise").standard_normal((n, 72))
    white = streams.numpy("white noise").standard_normal((n, 72))
    rows = []
    for i, label in enumerate(labels):
        curve = generate.TEMPLATES[label]
        curve = (curve - curve.mean()) / curve.std()
        curve = (curve - curve[0]) / 6
        row = np.concatenate([curve + 1e-8, np.zeros(padding[i])])
        row = np.interp(np.linspace(0, 1, 72), np.linspace(0, 1, len(row)), row)
        row = np.roll(row * (1 + 0.4 * (scale[i] - 0.5)), shift[i])
        row = np.where(row != 0, row, gaussian_filter(0.25 * smooth[i], 2)) + 0.02 * white[i]
        row = row - 0.75 * (shear[i] - 0.5) * np.linspace(-0.5, 0.5, 72)
        rows.append(np.interp(np.linspace(0, 1, 40), np.linspace(0, 1, 72), row))
    return rows, labels


def test_fast_rows_are_the_slow_ones():
    fast, labels = draw_mnist1d(Streams(3), 205)
    slow, slow_labels = slow_mnist1d(Streams(3), 205)
    np.testing.assert_allclose(fast, slow, rtol=1e-10, atol=1e-12)
    assert labels.tolist() == slow_labels


def test_population_is_standardised():
    """Entries of a row depend on each other, so the error is that of the mean of row means."""
    inputs = make_mnist1d(Streams(4), 20_000, 2)[0].inputs.double()
    for statistic, expected in ((inputs.mean(1), 0.0), (inputs.square().mean(1), 1.0)):
        assert abs(statistic.mean() - expected) < 4 * statistic.std() / math.sqrt(len(inputs))


def test_sets_are_balanced_nested_and_apart():
    train, test = make_mnist1d(Streams(5), 1000, 1000)
    few, _ = make_mnist1d(Streams(5), 95, 10)
    assert few.inputs.equal(train.inputs[:95])
    assert few.labels.equal(train.labels[:95])
    assert (train.labels.reshape(-1, 10).sort(1).values == torch.arange(10)).all()
    assert not train.inputs.equal(test.inputs)
    assert (train.inputs.dtype, train.input_shape) == (torch.float32, (40,))
    assert not make_mnist1d(Streams(6), 95, 10)[0].inputs.equal(few.inputs)


@pytest.mark.parametrize("counts", [(1, 10), (10, 0)])
def test_faults_of_mnist1d(counts):
    with pytest.raises(UsageError, match=r"n_t(rain|est) is out of range"):
        make_mnist1d(Streams(0), *counts)
