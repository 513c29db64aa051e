"""Closed forms of autoencoders against gradient descent itself."""

import numpy as np
import pytest

from overparam.errors import DataError, UsageError
from overparam.streams import Streams
from overparam.theory import linear_autoencoder, one_layer_autoencoder, span_projection


def gaussian(*shape, name="gaussian", seed=0):
    return Streams(seed).numpy(name).standard_normal(shape)


def descend(x, start, learning_rate, n_steps):
    """Plain gradient descent on the mean over rows of |A x - x|^2."""
    a = start.copy()
    for _ in range(n_steps):
        a -= learning_rate * 2 * (x @ a.T - x).T @ x / len(x)
    return a


SHAPES = {"n < d": (3, 7), "n = d": (5, 5), "n > d": (9, 4), "one": (1, 6)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_step_of_gradient_descent(shape):
    x = gaussian(*shape)
    start = gaussian(shape[1], shape[1], name="start")
    for begin in (np.zeros_like(start), start):
        for n_steps in (0, 1, 7, 300):
            found = linear_autoencoder(x, n_steps, 0.05, begin)
            np.testing.assert_allclose(found, descend(x, begin, 0.05, n_steps), atol=1e-12)
    np.testing.assert_array_equal(
        linear_autoencoder(x, 7, 0.05), linear_autoencoder(x, 7, 0.05, 0 * start)
    )


@pytest.mark.parametrize("seed", range(5))
def test_gradient_descent_from_zero_ends_at_the_projection(seed):
    x = gaussian(4, 10, seed=seed)
    ended = descend(x, np.zeros((10, 10)), 0.1, 4000)
    np.testing.assert_allclose(ended, span_projection(x), atol=1e-10)
    np.testing.assert_allclose(span_projection(x), x.T @ np.linalg.pinv(x.T), atol=1e-12)


def test_from_another_start_the_complement_keeps_it():
    x, start = gaussian(4, 10), gaussian(10, 10, name="start")
    p = span_projection(x)
    limit = p + start @ (np.eye(10) - p)
    np.testing.assert_allclose(linear_autoencoder(x, 10**6, 0.1, start), limit, atol=1e-10)


@pytest.mark.parametrize("n_steps", [10**9, 10**15, 10**18])
def test_off_the_span_the_start_stays_for_ever(n_steps):
    x, start = gaussian(3, 6), gaussian(6, 6, name="start")
    limit = span_projection(x) + start @ (np.eye(6) - span_projection(x))
    np.testing.assert_allclose(linear_autoencoder(x, n_steps, 0.1, start), limit, atol=1e-12)
    again = linear_autoencoder(np.vstack([x, x]), n_steps, 0.1, start)  # twice the same rows
    np.testing.assert_allclose(again, limit, atol=1e-12)


def test_steps_beyond_the_largest_rate_swing_and_diverge():
    x = np.array([[1.0, 2.0]])  # energy 10: converges below 0.2
    for n_steps in (0, 1, 2, 3, 4):
        for rate in (0.1, 0.15, 0.25):
            expected = descend(x, np.zeros((2, 2)), rate, n_steps)
            np.testing.assert_allclose(linear_autoencoder(x, n_steps, rate), expected, atol=1e-12)
    with pytest.raises(UsageError, match=r"diverged beyond all numbers.*learning_rate < 0\.2"):
        linear_autoencoder(x, 10**5, 0.25)


def test_projection_fixes_the_span_and_attracts_nothing():
    x = gaussian(3, 8)
    p = span_projection(np.vstack([x, x[0] + x[1]]))  # rank deficient
    np.testing.assert_allclose(p, span_projection(x), atol=1e-12)
    np.testing.assert_allclose(p @ p, p, atol=1e-12)
    np.testing.assert_allclose(x @ p, x, atol=1e-12)
    eigenvalues = np.sort(np.linalg.eigvalsh(p))
    np.testing.assert_allclose(eigenvalues, [0] * 5 + [1] * 3, atol=1e-12)
    np.testing.assert_allclose(span_projection(gaussian(8, 8)), np.eye(8), atol=1e-10)


def test_one_layer_with_an_activation_against_gradient_descent():
    x = 0.8 * np.tanh(gaussian(3, 6))
    a = np.zeros((6, 6))
    for _ in range(20_000):
        out = np.tanh(x @ a.T)
        a -= 0.1 * 2 * ((out - x) * (1 - out**2)).T @ x / len(x)
    closed = one_layer_autoencoder(x, np.arctanh)
    np.testing.assert_allclose(a, closed, atol=1e-9)
    np.testing.assert_allclose(np.tanh(x @ closed.T), x, atol=1e-12)
    # An output for any input lies in tanh of the span of arctanh(x_i).
    before = np.arctanh(np.tanh(gaussian(5, 6, name="unseen") @ closed.T))
    p = span_projection(np.arctanh(x))
    np.testing.assert_allclose(before @ p, before, atol=1e-9)


def test_one_layer_without_an_activation_is_the_projection():
    x = gaussian(3, 6)
    np.testing.assert_allclose(
        one_layer_autoencoder(x, lambda v: v), span_projection(x), atol=1e-12
    )


def test_errors():
    with pytest.raises(DataError, match="examples must be a matrix of finite numbers"):
        span_projection([1.0, 2.0])
    with pytest.raises(DataError, match="examples must be a matrix of finite numbers"):
        linear_autoencoder([[np.nan]], 1, 0.1)
    with pytest.raises(DataError, match="start does not fit the examples"):
        linear_autoencoder([[1.0, 2.0]], 1, 0.1, [[1.0]])
    with pytest.raises(UsageError, match="n_steps is out of range"):
        linear_autoencoder([[1.0]], -1, 0.1)
    with pytest.raises(UsageError, match="learning_rate is out of range"):
        linear_autoencoder([[1.0]], 1, 0.0)
    with pytest.raises(DataError, match="linearly dependent; got 'rank 1 of 2'"):
        one_layer_autoencoder([[0.1, 0.2], [0.2, 0.4]], np.arctanh)
    with pytest.raises(DataError, match="cannot put out these examples"):
        one_layer_autoencoder([[1.0, 0.5]], np.arctanh)
