"""The 2n + d network: worked example, any labels, many points, errors."""

import numpy as np
import pytest
import torch

from overparam.errors import DataError
from overparam.models import interpolate_exactly
from overparam.models.expressivity import interpolating_weights
from overparam.streams import Streams


def literal_sum(net, inputs):
    """The network as it is written: a sum over hidden units."""
    z = inputs.double().flatten(1) @ net.direction
    return torch.relu(z[:, None] - net.thresholds) @ net.weights


def test_worked_example():
    z = torch.tensor([1.0, 2.0, 3.0]).double()
    b = torch.tensor([0.5, 1.5, 2.5]).double()
    y = torch.tensor([[5.0], [-1.0], [4.0]]).double()
    weights, _, _ = interpolating_weights(z, b, y)
    torch.testing.assert_close(weights.flatten(), torch.tensor([10.0, -32.0, 54.0]).double())


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_differences_solve_the_triangular_system(n_outputs):
    rng = np.random.default_rng(0)
    z = torch.from_numpy(np.sort(rng.standard_normal(12)))
    b = torch.cat((z[:1] - 0.3, z[:-1] + 0.5 * z.diff()))
    y = torch.from_numpy(rng.standard_normal((12, n_outputs)))
    matrix = torch.relu(z[:, None] - b)
    slow = torch.linalg.solve_triangular(matrix, y, upper=False)
    torch.testing.assert_close(interpolating_weights(z, b, y)[0], slow, rtol=1e-8, atol=1e-8)


def test_count_and_fit_of_random_points():
    rng = np.random.default_rng(1)
    x, y = torch.from_numpy(rng.standard_normal((50, 7))), torch.from_numpy(rng.normal(size=50))
    net = interpolate_exactly(x, y, Streams(0))
    assert net.n_params == 2 * 50 + 7 == 107
    torch.testing.assert_close(net(x)[:, 0], y, rtol=0, atol=1e-12)
    # Written out as a sum the same function loses digits to cancellation, but not many.
    torch.testing.assert_close(literal_sum(net, x)[:, 0], y, rtol=0, atol=1e-8)


def test_both_evaluations_agree_everywhere():
    rng = np.random.default_rng(2)
    x, y = torch.from_numpy(rng.standard_normal((20, 3))), torch.from_numpy(rng.normal(size=20))
    net = interpolate_exactly(x, y, Streams(0))
    elsewhere = torch.from_numpy(3 * rng.standard_normal((200, 3)))
    torch.testing.assert_close(net(elsewhere), literal_sum(net, elsewhere), rtol=1e-9, atol=1e-9)


def test_random_classes_of_many_points_are_fitted_to_rounding():
    rng = np.random.default_rng(3)
    x = torch.from_numpy(rng.random((2_000, 1, 8, 8), dtype=np.float32))
    labels = torch.from_numpy(rng.integers(10, size=2_000))
    onehot = torch.nn.functional.one_hot(labels, 10).double()
    net = interpolate_exactly(x, onehot, Streams(1))
    torch.testing.assert_close(net(x), onehot, rtol=0, atol=1e-8)
    assert net.n_params == 2_000 * 11 + 64


@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 4), (2, 1), (30, 1)])
def test_edges(n, d):
    rng = np.random.default_rng(n)
    x, y = torch.from_numpy(rng.standard_normal((n, d))), torch.from_numpy(rng.normal(size=n))
    net = interpolate_exactly(x, y, Streams(0))
    torch.testing.assert_close(net(x)[:, 0], y, rtol=0, atol=1e-10)


def test_equal_inputs_with_equal_targets_count_once():
    x = torch.tensor([[1.0, 2.0], [0.0, 1.0], [1.0, 2.0]])
    net = interpolate_exactly(x, torch.tensor([3.0, 4.0, 3.0]), Streams(0))
    assert net.n_params == 2 * 2 + 2
    torch.testing.assert_close(net(x).flatten(), torch.tensor([3.0, 4.0, 3.0]).double())


def test_errors():
    x = torch.tensor([[1.0], [2.0], [1.0]])
    with pytest.raises(DataError, match=r"different targets.*rows \[0, 2\]"):
        interpolate_exactly(x, torch.tensor([0.0, 1.0, 1.0]), Streams(0))
    with pytest.raises(DataError, match="differ in length"):
        interpolate_exactly(x, torch.zeros(2), Streams(0))
    with pytest.raises(DataError, match="NaN or infinity"):
        interpolate_exactly(x, torch.tensor([0.0, 1.0, torch.nan]), Streams(0))
    with pytest.raises(DataError, match="at least one row"):
        interpolate_exactly(x[:0], torch.zeros(0), Streams(0))
    close = torch.tensor([[1.0], [1.0 + 2.3e-16]], dtype=torch.float64)
    with pytest.raises(DataError, match="too close to be separated"):
        interpolate_exactly(close, torch.tensor([0.0, 1.0]), Streams(0))
    net = interpolate_exactly(x[:2], torch.zeros(2), Streams(0))
    with pytest.raises(DataError, match="1 entries a row"):
        net(torch.zeros(2, 3))
    with pytest.raises(DataError, match="must interlace"):
        interpolating_weights(*torch.tensor([[1.0, 2.0], [0.0, 0.5]]), torch.zeros(2, 1))
