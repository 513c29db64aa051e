"""The path solver against SVD, scikit-learn, refits without a row, and exact risks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from torch.testing import assert_close

from overparam.errors import DataError, UsageError
from overparam.streams import Streams
from overparam.theory.finite_sample import finite_sample_risk
from overparam.training.closed_form import solve_ridge_path
from overparam.training.ridge_factors import EigenGram, TridiagonalGram, has_full_rank

# Gram matrices answer up to condition 1e7, so errors stay below 1e7 * 2e-16 * a modest factor;
# a solver that missed a penalty or a row would be off by 1e-2.
CLOSE = {"rtol": 1e-8, "atol": 1e-9}


def draw(n, p, k=2, m=7, seed=0):
    generator = Streams(seed).torch("test")
    randn = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return randn(n, p), randn(n, k), randn(m, p)


def brute_force_ridge(phi, y, penalty):
    """Coefficients from numpy's SVD, one cell at a time."""
    left, values, right = np.linalg.svd(phi.numpy(), full_matrices=False)
    keep = values > max(phi.shape) * np.finfo(float).eps * values[0]
    filters = np.where(keep, values, 0) / np.where(keep, values**2 + penalty, 1)
    return torch.from_numpy(right.T @ (filters[:, None] * (left.T @ y.numpy())))


def brute_force_leave_one_out(phi, y, penalty):
    """Refit without each row."""
    residuals = []
    for i in range(len(phi)):
        rest = [j for j in range(len(phi)) if j != i]
        residuals.append(y[i] - phi[i] @ brute_force_ridge(phi[rest], y[rest], penalty))
    return torch.stack(residuals)


def rank_deficient(n, p, rank, seed=0):
    a, y, _ = draw(n, rank, seed=seed)
    b, _, t = draw(rank, p, seed=seed + 1)
    return a @ b, y, t


def duplicated_rows(n, p):
    phi, y, t = draw(n, p)
    return torch.cat([phi, phi[: n // 2]]), torch.cat([y, 1 + y[: n // 2]]), t


PROBLEMS = {
    "p < n": draw(30, 12),
    "p = n": draw(20, 20),
    "p > n": draw(15, 40),
    "rank-deficient, p < n": rank_deficient(30, 20, 8),
    "rank-deficient, p = n": rank_deficient(20, 20, 8),
    "rank-deficient, p > n": rank_deficient(20, 35, 8),
    "duplicated rows, p < n": duplicated_rows(20, 15),
    "duplicated rows, p > n": duplicated_rows(10, 40),
    "one row": draw(1, 5),
    "one column": draw(9, 1),
    "one target": draw(25, 60, k=1),
    "zero features": (torch.zeros(9, 12), *draw(9, 12)[1:]),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_path_agrees_with_svd_at_every_width_and_penalty(name):
    phi, y, t = PROBLEMS[name]
    penalties = [0.5, 0.0, 1e-12, 30.0]
    widths = sorted({1, (phi.shape[1] + 1) // 2, phi.shape[1]}, reverse=True)
    path = solve_ridge_path(phi, y, t, widths, penalties)
    for i, p in enumerate(widths):
        for j, penalty in enumerate(penalties):
            w = brute_force_ridge(phi[:, :p], y, penalty)
            assert_close(path.train_predictions[i, j], phi[:, :p].double() @ w, **CLOSE)
            assert_close(path.train_residuals[i, j], y - phi[:, :p].double() @ w, **CLOSE)
            assert_close(path.test_predictions[i, j], t[:, :p] @ w, **CLOSE)
            assert_close(path.coefficient_norms[i, j], w.norm(dim=0), **CLOSE)
            values = torch.linalg.svdvals(phi[:, :p].double())
            values = values[values > max(len(phi), p) * 2.3e-16 * values[0]].square()
            degrees = (values / (values + penalty)).sum()
            assert_close(path.degrees_of_freedom[i, j], degrees, **CLOSE)
            assert path.ranks[i] == len(values)


@pytest.mark.parametrize("name", PROBLEMS)
def test_leave_one_out_residuals_agree_with_refits(name):
    phi, y, t = PROBLEMS[name]
    penalties = [0.0, 1e-6, 2.0]
    width = phi.shape[1]
    path = solve_ridge_path(phi, y, t, [width], penalties, leave_one_out=True)
    if len(phi) == 1:  # without its one row the fit is 0
        assert_close(path.leave_one_out_residuals[0], y.expand(3, 1, 2), **CLOSE)
        return
    for j, penalty in enumerate(penalties):
        oracle = brute_force_leave_one_out(phi.double(), y, penalty)
        # Residuals of an ill-conditioned refit carry its own rounding: 1e-6 of their size.
        assert_close(path.leave_one_out_residuals[0, j], oracle, rtol=1e-6, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 24),
    p=st.integers(1, 40),
    penalty=st.one_of(st.just(0.0), st.floats(1e-3, 1e4)),
    seed=st.integers(0, 10_000),
)
def test_any_small_problem_agrees_with_svd(n, p, penalty, seed):
    phi, y, t = draw(n, p, seed=seed)
    path = solve_ridge_path(phi, y, t, [p], [penalty], leave_one_out=seed % 2 == 0)
    w = brute_force_ridge(phi, y, penalty)
    # A square Gaussian matrix can have condition 1e5 by chance: 1e5 * 2e-16 * n stays below 1e-8.
    assert_close(
        path.test_predictions[0, 0], t @ w, rtol=1e-8, atol=1e-8 * (1 + float(w.abs().max()))
    )


@pytest.mark.parametrize(("n", "p"), [(40, 15), (30, 30), (25, 70)])
def test_penalty_is_the_alpha_of_scikit_learn(n, p):
    phi, y, t = draw(n, p)
    path = solve_ridge_path(phi, y, t, [p], [0.01, 1.0, 100.0])
    for j, alpha in enumerate(path.penalties):
        peer = Ridge(alpha=alpha, fit_intercept=False).fit(phi.numpy(), y.numpy())
        assert_close(
            path.test_predictions[0, j], torch.from_numpy(peer.predict(t.numpy())), **CLOSE
        )


def test_minimum_norm_is_accurate_where_a_gram_matrix_would_not_be():
    # Condition 1e8: its square is 1e16, so a Gram matrix holds nothing of the smallest value.
    values = torch.logspace(0, -8, 12, dtype=torch.float64)
    u, v = (torch.linalg.qr(draw(s, s)[0])[0] for s in (12, 30))
    for phi in (u @ torch.diag(values) @ v[:12], v[:, :12] @ torch.diag(values) @ u):
        truth = draw(phi.shape[1], 1)[0]
        y = phi @ truth
        path = solve_ridge_path(phi, y, phi, [phi.shape[1]], [0.0])
        oracle = torch.linalg.pinv(phi, rtol=1e-15) @ y
        # First-order error bound: condition * eps * size = 1e8 * 2e-16, times a factor of 50.
        assert abs(float(path.coefficient_norms[0, 0]) / float(oracle.norm()) - 1) < 1e-6
        assert_close(path.train_predictions[0, 0], y, rtol=0, atol=1e-12)


def test_penalty_zero_is_the_limit_of_small_penalties():
    phi, y, t = draw(20, 50)
    path = solve_ridge_path(phi, y, t, [10, 50], [0.0, 1e-9])
    assert_close(path.test_predictions[:, 0], path.test_predictions[:, 1], rtol=0, atol=1e-8)


def test_orthogonal_change_of_rows_changes_nothing():
    phi, y, t = draw(18, 40)
    turn = torch.linalg.qr(draw(18, 18, seed=5)[0])[0]
    one = solve_ridge_path(phi, y, t, [9, 18, 40], [0.0, 3.0])
    two = solve_ridge_path(turn @ phi, turn @ y, t, [9, 18, 40], [0.0, 3.0])
    assert_close(one.test_predictions, two.test_predictions, **CLOSE)


def test_float32_features_are_solved_in_float64():
    phi, y, t = (x.float() for x in draw(15, 40))
    path = solve_ridge_path(phi, y, t, [40], [1.0])
    assert path.test_predictions.dtype == torch.float64
    w = brute_force_ridge(phi.double(), y.double(), 1.0)
    assert_close(path.test_predictions[0, 0], t.double() @ w, **CLOSE)


def test_tridiagonal_and_eigenvector_factors_agree():
    phi, y, _ = draw(33, 50)
    gram = phi @ phi.T
    fast, slow = TridiagonalGram(gram), EigenGram(gram)
    assert_close(fast.eigenvalues, slow.eigenvalues, rtol=1e-10, atol=1e-10)
    assert_close(fast.solve(y, [0.1, 5.0]), slow.solve(y, [0.1, 5.0]), rtol=1e-10, atol=1e-10)
    direct = torch.linalg.solve(gram + 5 * torch.eye(33, dtype=torch.float64), y)
    assert_close(fast.solve(y, [5.0])[0], direct, rtol=1e-10, atol=1e-12)


def test_full_rank_is_refused_to_a_triangle_with_a_hidden_null_vector():
    # Kahan's matrix: no small diagonal entry, yet nearly singular.
    size, c = 90, math.cos(1.2)
    kahan = torch.eye(size, dtype=torch.float64) - c * torch.triu(
        torch.ones(size, size, dtype=torch.float64), 1
    )
    assert has_full_rank(torch.eye(size, dtype=torch.float64), size, size)
    assert float(kahan.diagonal().min()) == 1
    assert not has_full_rank(kahan, size, size)
    assert not has_full_rank(torch.zeros(3, 3, dtype=torch.float64), 3, 3)


@pytest.mark.parametrize("p", [5, 20, 60])
def test_risk_of_minimum_norm_agrees_with_the_exact_finite_sample_formula(p):
    # Belkin, Hsu, Xu 2020: n = 40 of D = 100 isotropic Gaussian features, flat |b| = 1, s^2 = .25.
    n, dim, noise_variance, repeats = 40, 100, 0.25, 400
    truth = torch.full((dim, 1), dim**-0.5, dtype=torch.float64)
    excess = []
    for seed in range(repeats):
        generator = Streams(seed).torch("gaussian")
        x = torch.randn(n, dim, generator=generator, dtype=torch.float64)
        noise = torch.randn(n, 1, generator=generator, dtype=torch.float64)
        y = x @ truth + noise_variance**0.5 * noise
        # Unit vectors as test rows return the coefficients themselves.
        path = solve_ridge_path(x, y, torch.eye(dim, dtype=torch.float64), [p], [0.0])
        fitted = torch.where(torch.arange(dim)[:, None] < p, path.test_predictions[0, 0], 0.0)
        excess.append(float((fitted - truth).square().sum()))
    captured = p / dim
    expected = finite_sample_risk(n, p, captured, 1 - captured, noise_variance).total
    standard_error = np.std(excess, ddof=1) / repeats**0.5
    assert abs(np.mean(excess) + noise_variance - expected) < 4 * standard_error


@pytest.mark.parametrize(
    ("change", "kind", "match"),
    [
        ({"features": torch.ones(3)}, DataError, "features and targets do not fit"),
        ({"targets": torch.ones(4, 1)}, DataError, "features and targets do not fit"),
        ({"features": torch.ones(0, 2), "targets": torch.ones(0, 1)}, DataError, "n >= 1"),
        ({"test_features": torch.ones(2, 3)}, DataError, "test features do not fit"),
        ({"features": torch.full((3, 2), math.nan)}, DataError, "features hold NaN or infinity"),
        ({"targets": torch.full((3, 1), math.inf)}, DataError, "targets hold NaN or infinity"),
        ({"test_features": torch.full((1, 2), math.nan)}, DataError, "test features hold NaN"),
        ({"widths": []}, UsageError, "at least one width and one penalty"),
        ({"penalties": []}, UsageError, "at least one width and one penalty"),
        ({"widths": [3]}, UsageError, "width is out of range"),
        ({"widths": [0]}, UsageError, "width is out of range"),
        ({"penalties": [-1.0]}, UsageError, "penalty is out of range"),
    ],
)
def test_wrong_arguments_are_named(change, kind, match):
    valid = {
        "features": torch.ones(3, 2),
        "targets": torch.ones(3, 1),
        "test_features": torch.ones(1, 2),
        "widths": [2],
        "penalties": [0.0],
    }
    with pytest.raises(kind, match=match):
        solve_ridge_path(**(valid | change))
