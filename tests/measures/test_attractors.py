"""Attractors: affine maps with known spectra, slow oracles, invariances, errors."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from overparam.errors import DataError, ResourceError, UsageError
from overparam.measures import (
    iterate_to_attractor,
    jacobian_spectral_radius,
    memorization_rate,
    recalled_examples,
    span_energy,
)
from overparam.streams import Streams


def gaussian(*shape, name="gaussian"):
    return torch.from_numpy(Streams(3).numpy(name).standard_normal(shape))


def affine(matrix, fixed):
    """x -> a + B (x - a) on batches."""
    return lambda x: fixed + (x - fixed) @ matrix.T


def network(seed=0, d=16, dtype=torch.float64):
    with Streams(seed).global_generators("init"):
        return nn.Sequential(nn.Linear(d, 40), nn.Tanh(), nn.Linear(40, d)).to(dtype)


# The largest eigenvalue is real, negative, a complex pair, repeated; or all are zero.
SPECTRA = {
    "real": torch.diag(torch.linspace(0.1, 0.9, 12)),
    "negative": torch.diag(torch.tensor([-1.5, *[0.5] * 11])),
    "pair": torch.block_diag(torch.tensor([[0.0, -0.8], [0.8, 0.0]]), 0.3 * torch.eye(10)),
    "repeated": 0.7 * torch.eye(12),
    "zero": torch.zeros(12, 12),
}
RADII = {"real": 0.9, "negative": 1.5, "pair": 0.8, "repeated": 0.7, "zero": 0.0}


@pytest.mark.parametrize("method", ["exact", "arnoldi", "auto"])
@pytest.mark.parametrize("kind", SPECTRA)
def test_radius_of_affine_maps_of_known_spectrum(kind, method):
    # A change of basis keeps the eigenvalues and changes all else, the norm of B above all.
    basis = gaussian(12, 12)
    matrix = basis @ SPECTRA[kind].double() @ torch.linalg.inv(basis)
    a = gaussian(12, name="fixed point")
    found = jacobian_spectral_radius(affine(matrix, a), gaussian(12, name="x"), method=method)
    assert found == pytest.approx(RADII[kind], rel=1e-5, abs=1e-9)


def test_exact_against_a_jacobian_by_differences():
    f, x, h = network(), gaussian(16), 1e-6
    columns = []
    with torch.no_grad():
        for step in h * torch.eye(16, dtype=torch.float64):
            columns.append((f((x + step)[None]) - f((x - step)[None]))[0] / (2 * h))
    slow = np.abs(np.linalg.eigvals(torch.stack(columns, 1).numpy())).max()
    assert jacobian_spectral_radius(f, x, method="exact") == pytest.approx(slow, rel=1e-7)


def test_power_iteration_arnoldi_and_exact_agree():
    # The Jacobian W^T diag(tanh') W is symmetric and positive: power iteration converges.
    w = gaussian(60, 30) / 8
    x = gaussian(30, name="x")

    def f(batch):
        return torch.tanh(batch @ w.T) @ w

    exact = jacobian_spectral_radius(f, x, method="exact")
    arnoldi = jacobian_spectral_radius(f, x, method="arnoldi")
    vector = gaussian(30, name="start")
    _, pull_back = torch.func.vjp(lambda z: f(z[None])[0], x)
    for _ in range(3000):
        (vector,) = pull_back(vector / vector.norm())
    assert arnoldi == pytest.approx(exact, rel=1e-6)
    assert float(vector.norm()) == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_arnoldi_agrees_with_exact_on_networks_and_images(seed):
    f = nn.Sequential(nn.Flatten(), network(seed, 36))
    x = gaussian(1, 6, 6)
    exact = jacobian_spectral_radius(f, x, method="exact")
    assert jacobian_spectral_radius(f, x, method="arnoldi") == pytest.approx(exact, rel=1e-6)
    single = jacobian_spectral_radius(
        nn.Sequential(nn.Flatten(), network(seed, 36, torch.float32)), x.float(), method="arnoldi"
    )
    # Products in float32 err by about 1e-6 of the Jacobian's norm, a few times its radius.
    assert single == pytest.approx(exact, rel=1e-4)


def test_auto_is_exact_up_to_512_entries():
    small, large = (torch.linspace(0, 0.5, n).double() for n in (512, 513))
    for diagonal in (small, large):
        x = torch.zeros(len(diagonal), dtype=torch.float64)
        found = jacobian_spectral_radius(lambda z, s=diagonal: z * s, x)
        chosen = "exact" if len(diagonal) == 512 else "arnoldi"
        again = jacobian_spectral_radius(lambda z, s=diagonal: z * s, x, method=chosen)
        assert found == again
        assert found == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("method", ["exact", "arnoldi"])
def test_a_jacobian_that_is_not_finite_has_no_radius(method):
    x = torch.zeros(12, dtype=torch.float64)
    assert math.isnan(jacobian_spectral_radius(torch.sqrt, x, method=method))


def test_arnoldi_says_where_it_does_not_converge():
    # All eigenvalues of a cyclic shift have absolute value 1: none can be told to be the largest.
    with pytest.raises(ResourceError, match="use method='exact'"):
        jacobian_spectral_radius(
            lambda z: z.roll(1, 1), gaussian(300), method="arnoldi", max_restarts=1
        )
    shift = jacobian_spectral_radius(lambda z: z.roll(1, 1), gaussian(300))
    assert shift == pytest.approx(1, rel=1e-9)


def test_measures_leave_no_gradients_and_keep_the_mode():
    f = network().train()
    memorization_rate(f, gaussian(2, 16))
    jacobian_spectral_radius(f, gaussian(16), method="arnoldi")
    assert not iterate_to_attractor(f, gaussian(2, 16), 3).points.requires_grad
    assert f.training
    assert all(p.grad is None for p in f.parameters())


def test_iterates_of_a_contraction_end_at_its_fixed_point():
    basis = torch.linalg.qr(gaussian(8, 8)).Q
    matrix = basis @ torch.diag(torch.linspace(-0.6, 0.8, 8).double()) @ basis.T
    a, starts = gaussian(8, name="fixed"), gaussian(5, 8, name="starts")
    f = affine(matrix, a)
    ended = iterate_to_attractor(f, starts, 1000, 1e-9)
    assert bool(ended.converged.all())
    # What is left of the way is at most rho / (1 - rho) = 4 times the last step.
    left = (ended.points - a).square().mean(1).sqrt()
    assert float(left.max()) <= 4e-9
    slow = starts.clone()
    for i in range(5):
        for _ in range(int(ended.n_steps[i])):
            slow[i] = f(slow[i : i + 1])[0]
    torch.testing.assert_close(ended.points, slow)
    assert ended.n_steps.unique().numel() > 1


def test_iterates_that_overflow_circle_or_run_out_have_not_converged():
    starts = torch.tensor([[1.0], [0.0]], dtype=torch.float64)
    away = iterate_to_attractor(lambda z: 1e200 * z, starts, 10, 0.0)
    assert away.converged.tolist() == [False, True]
    assert not math.isfinite(away.points[0, 0])
    assert away.points[1, 0] == 0
    around = iterate_to_attractor(lambda z: -z, starts[:1], 7)
    assert not around.converged[0]
    assert (around.points[0, 0], around.n_steps[0]) == (-1, 7)
    assert starts.tolist() == [[1.0], [0.0]]


def test_images_keep_their_shape():
    images = gaussian(3, 1, 4, 4)
    ended = iterate_to_attractor(lambda z: z.flatten(1) / 2, images, 100)
    assert ended.points.shape == images.shape
    assert float(ended.points.abs().max()) < 1e-4


def test_memorization_of_the_identity_a_constant_and_two_wells():
    examples = gaussian(4, 6)
    identity = memorization_rate(lambda z: z, examples)
    assert identity.rate == 0  # all fixed, none attracting
    assert identity.fixed_point_error.tolist() == [0] * 4
    assert identity.spectral_radius.tolist() == pytest.approx([1] * 4)
    constant = memorization_rate(lambda z: examples[2] + 0 * z, examples)
    assert constant.is_attractor.tolist() == [False, False, True, False]
    assert constant.rate == 0.25
    # Newton's iteration for x^2 = 4 has the attractors 2 and -2; 0 and 1 are none.
    newton = memorization_rate(
        lambda z: (z + 4 / z) / 2, torch.tensor([[2.0], [-2.0], [0.0], [1.0]])
    )
    assert newton.is_attractor.tolist() == [True, True, False, False]
    assert newton.rate == 0.5
    assert math.isnan(newton.spectral_radius[2])


def test_a_projection_attracts_nothing_despite_rounding():
    examples = gaussian(3, 6)
    p = torch.linalg.pinv(examples) @ examples
    found = memorization_rate(lambda z: z @ p, examples)
    assert found.rate == 0
    assert found.fixed_point_error.tolist() == pytest.approx([0] * 3, abs=1e-12)
    assert found.spectral_radius.tolist() == pytest.approx([1] * 3)
    almost = memorization_rate(lambda z: z @ (0.999 * p), examples)
    assert almost.rate == 1
    assert memorization_rate(lambda z: z @ (0.999 * p), examples, margin=0.01).rate == 0


def test_the_zero_example_and_the_tolerance():
    zero = torch.zeros(1, 3)
    assert memorization_rate(lambda z: z / 2, zero).rate == 1
    near = memorization_rate(lambda z: 0.5 * z + 0.5 * 1.1, torch.ones(1, 3), tolerance=0.06)
    assert near.fixed_point_error[0] == pytest.approx(0.05, rel=1e-5)
    assert near.rate == 1
    assert memorization_rate(lambda z: 0.5 * z + 0.55, torch.ones(1, 3), tolerance=0.04).rate == 0


def test_recalled_examples_against_a_loop():
    points, examples = gaussian(40, 2, 3), gaussian(7, 2, 3, name="examples")
    found = recalled_examples(points, examples, 0.6)
    for i, point in enumerate(points):
        distances = [float((point - x).norm()) for x in examples]
        j = int(np.argmin(distances))
        assert found[i] == (j if distances[j] <= 0.6 * float(examples[j].norm()) else -1)
    assert 0 < int((found >= 0).sum()) < 40
    exact = recalled_examples(examples, examples, 0.0)
    assert exact.tolist() == list(range(7))
    lost = torch.full((1, 2, 3), math.nan)
    assert recalled_examples(lost, examples, 1e9).tolist() == [-1]


def test_span_energy_against_least_squares_and_its_limits():
    outputs, examples = gaussian(20, 9), gaussian(3, 9, name="examples")
    coefficients, *_ = np.linalg.lstsq(examples.numpy().T, outputs.numpy().T, rcond=None)
    inside = examples.numpy().T @ coefficients
    slow = (inside**2).sum() / (outputs.numpy() ** 2).sum()
    assert span_energy(outputs, examples) == pytest.approx(slow, rel=1e-12)
    twice = torch.cat([examples, 2 * examples])  # rank deficient
    assert span_energy(outputs, twice) == pytest.approx(slow, rel=1e-12)
    assert span_energy(gaussian(5, 3) @ examples, examples) == pytest.approx(1, rel=1e-12)
    assert span_energy(outputs, gaussian(9, 9)) == pytest.approx(1, rel=1e-12)
    assert math.isnan(span_energy(torch.zeros(2, 9), examples))
    assert math.isnan(span_energy(torch.full((2, 9), math.inf), examples))


def test_errors():
    x = gaussian(4)
    with pytest.raises(UsageError, match="unknown method"):
        jacobian_spectral_radius(lambda z: z, x, method="power")
    with pytest.raises(UsageError, match="tolerance is out of range"):
        iterate_to_attractor(lambda z: z, x[None], tolerance=-1)
    with pytest.raises(UsageError, match="margin is out of range"):
        memorization_rate(lambda z: z, x[None], margin=1.0)
    with pytest.raises(UsageError, match="n_iterations"):
        iterate_to_attractor(lambda z: z, x[None], 0)
    with pytest.raises(DataError, match="as many entries as it is given; got 2; allowed: 4"):
        jacobian_spectral_radius(lambda z: z[:, :2], x)
    with pytest.raises(DataError, match="points must be floating"):
        memorization_rate(lambda z: z, torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(DataError, match="differ in their number of entries"):
        span_energy(gaussian(2, 3), gaussian(2, 4))
    with pytest.raises(DataError, match="differ in their number of entries"):
        recalled_examples(gaussian(2, 3), gaussian(3))
