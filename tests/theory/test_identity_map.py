"""The map of one trained linear layer against plain descent, least squares and random starts."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from overparam.errors import UsageError
from overparam.theory import identity_map
from overparam.theory.identity_map import (
    expected_error,
    image_patches,
    learned_map,
    off_span,
    patch_rank,
    principal_directions,
    remaining_error,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def descended(w, training, target, learning_rate, n_steps, momentum=0.0):
    """Plain gradient descent on mean |W x - A x|^2, written out."""
    w, speed = w.copy(), np.zeros_like(w)
    for _ in range(n_steps):
        residual = (w - target) @ training.T
        speed = momentum * speed + 2 * residual @ training / len(training)
        w = w - learning_rate * speed
    return w


def centre_of(kernel_size):
    pixel = np.zeros((1, kernel_size**2))
    pixel[0, kernel_size**2 // 2] = 1
    return pixel


def test_one_example_is_projected_and_the_rest_goes_through_the_start():
    r = rng()
    w, t, x = r.normal(size=(6, 6)), r.normal(size=6), r.normal(size=(9, 6))
    along = np.outer(x @ t, t) / (t @ t)
    expected = along + (x - along) @ w.T
    np.testing.assert_allclose(learned_map(w, t[None], x), expected, atol=1e-12)
    np.testing.assert_allclose(off_span(t[None], x), x - along, atol=1e-12)
    np.testing.assert_allclose(learned_map(0 * w, t[None], x), along, atol=1e-12)


@pytest.mark.parametrize(("n_train", "d"), [(1, 5), (3, 5), (5, 5), (8, 5), (1, 1)])
def test_the_limit_is_that_of_descent(n_train, d):
    r = rng(n_train)
    training, w, target = r.normal(size=(n_train, d)), r.normal(size=(4, d)), r.normal(size=(4, d))
    energies, _ = principal_directions(training)
    end = descended(w, training, target, 0.5 * n_train / energies[0], 20_000)
    x = r.normal(size=(7, d))
    np.testing.assert_allclose(learned_map(w, training, x, target=target), x @ end.T, atol=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("n_steps", [0, 1, 7, 60])
def test_before_the_limit_it_is_that_of_as_many_steps(n_steps, momentum):
    r = rng(5)
    training, w = r.normal(size=(3, 6)), r.normal(size=(6, 6))
    now = descended(w, training, np.eye(6), 0.03, n_steps, momentum)
    energies, _ = principal_directions(training)
    left = remaining_error(energies, n_steps, 0.03, momentum=momentum, n_examples=3)
    x = r.normal(size=(7, 6))
    np.testing.assert_allclose(learned_map(w, training, x, remaining=left), x @ now.T, atol=1e-12)


def test_descent_falls_below_the_largest_stable_rate_and_grows_above():
    for momentum in (0.0, 0.9):
        largest = (1 + momentum) / 2.0
        below = remaining_error([2.0], 4000, 0.99 * largest, momentum=momentum)
        above = remaining_error([2.0], 4000, 1.01 * largest, momentum=momentum)
        assert abs(below[0]) < 1e-6
        assert abs(above[0]) > 1e6


def test_dependent_examples_span_what_they_span():
    r = rng(1)
    two = r.normal(size=(2, 7))
    training = np.concatenate([two, two.sum(0, keepdims=True), 0 * two])
    energies, directions = principal_directions(training)
    assert len(energies) == 2
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-12)
    x = r.normal(size=(4, 7))
    expected = x - x @ np.linalg.pinv(training) @ training
    np.testing.assert_allclose(off_span(training, x), expected, atol=1e-12)


def test_enough_examples_in_general_position_leave_nothing_to_the_start():
    r = rng(2)
    x = r.normal(size=(4, 6))
    outputs = learned_map(100 * r.normal(size=(6, 6)), r.normal(size=(6, 6)), x)
    np.testing.assert_allclose(outputs, x, atol=1e-9)


def test_blank_examples_leave_the_start():
    w, x = rng(3).normal(size=(3, 3)), rng(4).normal(size=(2, 3))
    np.testing.assert_allclose(learned_map(w, np.zeros((2, 3)), x), x @ w.T, atol=1e-14)


@pytest.mark.parametrize(("k", "d"), [(4, 4), (1, 4), (50, 50)])
def test_moments_of_the_error_are_those_of_random_starts(k, d):
    r, n = rng(d + k), 20_000 if d == 4 else 4000
    half_width = d**-0.5
    target = np.eye(d)[:k]
    u = r.normal(size=(1, d))
    starts = r.uniform(-half_width, half_width, (n, k, d))
    errors = ((starts @ u[0] - target @ u[0]) ** 2).sum(1)
    moments = expected_error(u, half_width, target)
    assert abs(errors.mean() - moments.mean[0]) < 4 * errors.std() / n**0.5
    # The standard error of a variance: sqrt((fourth moment - variance^2) / n).
    spread = ((errors - errors.mean()) ** 2).var() ** 0.5 / n**0.5
    assert abs(errors.var() - moments.std[0] ** 2) < 4 * spread


def test_the_default_start_adds_a_third_whatever_the_dimension():
    for d in (1, 10, 100):
        u = rng(d).normal(size=(3, d))
        moments = expected_error(u, d**-0.5)
        np.testing.assert_allclose(moments.mean, 4 / 3 * (u**2).sum(1), rtol=1e-12)


def test_the_error_grows_as_the_similarity_falls():
    t = np.array([[1.0, 0.0, 0.0]])
    cosines = np.linspace(0, 1, 11)
    x = np.stack([cosines, np.sqrt(1 - cosines**2), 0 * cosines], 1)
    moments = expected_error(off_span(t, x), 3**-0.5)
    np.testing.assert_allclose(moments.mean, 4 / 3 * (1 - cosines**2), atol=1e-12)
    assert (np.diff(moments.mean) < 0).all()


def test_a_start_at_zero_has_no_spread():
    moments = expected_error([[1.0, 2.0]], 0.0)
    assert (moments.mean.tolist(), moments.std.tolist()) == ([5.0], [0.0])


@pytest.mark.parametrize(("channels", "kernel_size"), [(1, 1), (1, 5), (3, 3)])
def test_patches_times_a_kernel_are_the_convolution(channels, kernel_size):
    r = rng(kernel_size)
    images = r.normal(size=(2, channels, 6, 7))
    kernel = r.normal(size=(4, channels, kernel_size, kernel_size))
    expected = F.conv2d(torch.tensor(images), torch.tensor(kernel), padding=kernel_size // 2)
    outputs = image_patches(images, kernel_size) @ kernel.reshape(4, -1).T
    found = outputs.reshape(2, 6, 7, 4).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-12)


def test_patch_rank_of_known_images():
    dot = np.zeros((1, 1, 9, 9))
    dot[..., 4, 4] = 1
    assert patch_rank(dot, 5) == 25  # the dot passes every place of the window
    assert patch_rank(np.zeros((1, 1, 9, 9)), 3) == 0
    assert patch_rank(np.ones((1, 1, 9, 9)), 1) == 1
    stripes = np.broadcast_to(np.arange(9) % 2.0, (1, 1, 9, 9))
    inner = image_patches(stripes, 3).reshape(9, 9, 9)[1:-1, 1:-1].reshape(-1, 9)
    assert len(principal_directions(inner)[0]) == 2  # away from the border, two phases


def test_a_convolution_that_sees_all_patches_becomes_the_identity_from_any_start():
    image = rng(7).random((1, 1, 8, 8))
    unseen = rng(8).random((3, 1, 8, 8))
    assert patch_rank(image, 3) == 9
    patches = image_patches(image, 3)
    outputs = learned_map(
        rng(9).normal(size=(1, 9)), patches, image_patches(unseen, 3), target=centre_of(3)
    )
    np.testing.assert_allclose(outputs.ravel(), unseen.ravel(), atol=1e-9)


def test_a_convolution_that_sees_few_patches_errs_off_their_span():
    image = np.zeros((1, 1, 8, 8))
    image[..., 0, 0] = 1  # in a corner: the window sees it in four places only
    assert patch_rank(image, 3) == 4
    w, centre = rng(9).normal(size=(1, 9)), centre_of(3)
    unseen = image_patches(rng(8).random((1, 1, 8, 8)), 3)
    outputs = learned_map(w, image_patches(image, 3), unseen, target=centre)
    left = off_span(image_patches(image, 3), unseen)
    np.testing.assert_allclose(outputs - unseen @ centre.T, left @ (w - centre).T, atol=1e-12)
    assert abs(outputs - unseen @ centre.T).max() > 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: learned_map(np.eye(2), np.ones((1, 3)), np.ones((1, 2))), "do not fit together"),
        (lambda: learned_map(np.ones((1, 2)), [[1.0, 2.0]], [[1.0, 2.0]]), "do not fit together"),
        (
            lambda: learned_map(np.eye(2), [[1.0, 2.0]], [[1.0, 2.0]], remaining=[0.0, 0.0]),
            "do not fit together",
        ),
        (lambda: learned_map(np.eye(2), [1.0, 2.0], [[1.0, 2.0]]), "training must be a matrix"),
        (lambda: principal_directions([[np.nan]]), "must be a matrix of finite numbers"),
        (lambda: off_span([[1.0, 2.0]], [[1.0]]), "differ in width"),
        (lambda: remaining_error([-1.0], 1, 0.1), "energies must be >= 0"),
        (lambda: remaining_error([1.0], -1, 0.1), "n_steps"),
        (lambda: remaining_error([1.0], 1, 0.0), "learning_rate"),
        (lambda: remaining_error([1.0], 1, 0.1, momentum=1.0), "momentum"),
        (lambda: expected_error([[1.0]], -1.0), "half_width"),
        (lambda: expected_error([[1.0]], 0.5, np.eye(2)), "differ in width"),
        (lambda: image_patches(np.ones((2, 2)), 3), "an odd kernel"),
        (lambda: patch_rank(np.ones((1, 1, 4, 4)), 2), "an odd kernel"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_it_needs_no_torch():
    code = f"import sys, {identity_map.__name__}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
