"""Ridge requests: grouped as one by one, planned without features, wrong calls named."""

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from overparam.errors import DataError, UsageError
from overparam.models.features import RandomReluFeatures
from overparam.streams import Streams
from overparam.training import request, ridge
from overparam.training.request import Context, drive, drive_dry, solve, solve_all
from overparam.training.ridge import FeatureProblem, RidgeRequest, fit_ridge, fit_ridge_path


def make_problem(seed=0, n=24, d=6, width=60, k=2):
    generator = Streams(seed).torch("test")
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    return FeatureProblem(
        RandomReluFeatures.draw(d, width, Streams(seed)),
        draw(n, d),
        draw(n, k),
        {"validation": draw(5, d), "test": draw(9, d)},
    )


CELLS = [
    (width, penalty, flip, left_out)
    for width in (3, 24, 30, 60)
    for penalty in (0.0, 0.3, 20.0)
    for flip in (False, True)
    for left_out in (False, True)
]


async def cell(problem, flipped, width, penalty, flip, left_out):
    targets = flipped if flip else None
    return await fit_ridge(
        problem, n_features=width, penalty=penalty, targets=targets, leave_one_out=left_out
    )


def test_cells_solved_together_agree_with_cells_solved_alone():
    problem = make_problem()
    flipped = problem.targets.flip(0)
    together = solve_all([cell(problem, flipped, *c) for c in CELLS])
    for fit, c in zip(together, CELLS, strict=True):
        alone = solve(cell(make_problem(), flipped, *c))
        # At p = n = 24 the condition number is about 1e3: 1e3 * 2e-16 * n stays below 1e-10.
        close = {"rtol": 1e-10, "atol": 1e-10}
        assert_close(fit.predictions["test"], alone.predictions["test"], **close)
        assert_close(fit.predictions["validation"], alone.predictions["validation"], **close)
        assert_close(fit.train_predictions, alone.train_predictions, **close)
        assert fit.coefficient_norm == pytest.approx(alone.coefficient_norm, rel=1e-10)
        assert fit.degrees_of_freedom == pytest.approx(alone.degrees_of_freedom, rel=1e-10)
        assert (fit.rank, fit.n_features, fit.penalty) == (alone.rank, c[0], c[1])
        assert (fit.leave_one_out_residuals is None) == (not c[3])
        if c[3]:
            assert_close(
                fit.leave_one_out_residuals, alone.leave_one_out_residuals, rtol=1e-8, atol=1e-9
            )


def test_fit_is_least_squares_on_the_first_features():
    problem = make_problem()
    fit = solve(fit_ridge(problem, n_features=10))
    phi = problem.feature_map(problem.inputs)[:, :10]
    weights = torch.linalg.lstsq(phi, problem.targets).solution
    test = problem.feature_map(problem.held_out["test"])[:, :10] @ weights
    assert_close(fit.predictions["test"], test, rtol=1e-10, atol=1e-10)
    assert fit.coefficient_norm == pytest.approx(float(weights.norm()), rel=1e-10)


def test_penalties_come_back_in_the_order_given():
    fits = solve(fit_ridge_path(make_problem(), n_features=40, penalties=[9.0, 0.0, 1.0]))
    assert [fit.penalty for fit in fits] == [9.0, 0.0, 1.0]
    assert fits[0].coefficient_norm < fits[2].coefficient_norm < fits[1].coefficient_norm


def test_one_path_serves_all_cells_of_a_problem(monkeypatch):
    calls = []
    whole = ridge.iterate_widths
    monkeypatch.setattr(
        ridge, "iterate_widths", lambda *a, **k: calls.append(sorted(a[3])) or whole(*a, **k)
    )
    one, two = make_problem(0), make_problem(1)
    solve_all([fit_ridge(p, n_features=w) for p in (one, two) for w in (3, 30, 60)])
    assert calls == [[3, 30, 60], [3, 30, 60]]


def test_first_rows_share_features_and_are_one_object():
    problem = make_problem()
    start = problem.first_rows(10)
    assert start is problem.first_rows(10)
    assert start.features.data_ptr() == problem.features.data_ptr()
    alone = FeatureProblem(
        problem.feature_map, problem.inputs[:10], problem.targets[:10], problem.held_out
    )
    one, two = (solve(fit_ridge(p, n_features=30)) for p in (start, alone))
    assert_close(one.predictions["test"], two.predictions["test"], rtol=1e-10, atol=1e-10)
    with pytest.raises(UsageError, match="n is out of range"):
        problem.first_rows(25)


@pytest.mark.parametrize("rows", ["inputs", "held_out"])
def test_rows_changed_in_place_are_seen(rows):
    problem = make_problem()
    before = solve(fit_ridge(problem, n_features=30))
    assert problem.features is problem.features
    assert problem.held_out_features is problem.held_out_features
    for changed in [problem.inputs] if rows == "inputs" else problem.held_out.values():
        changed.mul_(2)
    after = solve(fit_ridge(problem, n_features=30))
    fresh = solve(fit_ridge(replace(problem), n_features=30))
    for name in problem.held_out:
        assert after.predictions[name].equal(fresh.predictions[name])
        assert not after.predictions[name].equal(before.predictions[name])


def test_plan_counts_cells_and_computes_no_features():
    problem = make_problem()
    cost = drive_dry([fit_ridge(problem, n_features=w) for w in (3, 30)], Context())
    assert cost.n_models == 2
    assert cost.flops > 2 * 24 * 30 * 24
    assert cost.seconds > 0
    assert cost.memory_bytes > 8 * (24 + 14) * 60
    assert not problem._kept


def test_stand_ins_have_the_shapes_of_fits():
    problem = make_problem()
    ask = RidgeRequest(problem, 30, (0.0, 1.0), problem.targets, True)
    (stand_ins,), _ = RidgeRequest.estimate([ask], Context())
    (fits,) = RidgeRequest.execute([ask], Context())
    for stand_in, fit in zip(stand_ins, fits, strict=True):
        assert stand_in.train_predictions.shape == fit.train_predictions.shape
        assert stand_in.leave_one_out_residuals.shape == fit.leave_one_out_residuals.shape
        assert {k: v.shape for k, v in stand_in.predictions.items()} == {
            k: v.shape for k, v in fit.predictions.items()
        }


def test_progress_adds_up_to_the_estimate():
    problem, done = make_problem(), []
    asks = [RidgeRequest(problem, w, (0.0, 1.0), problem.targets) for w in (5, 40)]
    RidgeRequest.execute(asks, Context(progress=done.append))
    _, cost = RidgeRequest.estimate(asks, Context())
    # Widths are reported one by one, so growing from width to width is counted from zero.
    assert cost.flops <= sum(done) <= 2 * cost.flops


@pytest.mark.parametrize(
    ("arguments", "kind", "match"),
    [
        ({"n_features": 61}, UsageError, "n_features is out of range"),
        ({"n_features": 0}, UsageError, "n_features is out of range"),
        ({"penalties": [-1.0]}, UsageError, "penalty is out of range"),
        ({"penalties": []}, UsageError, "at least one penalty"),
        ({"targets": torch.ones(3, 2)}, DataError, "targets do not fit"),
    ],
)
def test_wrong_calls_are_named(arguments, kind, match):
    valid = {"n_features": 5, "penalties": [0.0]}
    with pytest.raises(kind, match=match):
        solve(fit_ridge_path(make_problem(), **(valid | arguments)))


def test_problem_with_targets_of_another_length_is_refused():
    problem = make_problem()
    with pytest.raises(DataError, match="inputs and targets do not fit"):
        FeatureProblem(problem.feature_map, problem.inputs, problem.targets[:3])


def test_features_with_nan_fail_their_own_cells_only():
    good, bad = make_problem(0), make_problem(1)
    bad.inputs[0, 0] = float("nan")
    results = drive([fit_ridge(p, n_features=5) for p in (bad, good)], Context())
    assert isinstance(results[0], DataError)
    assert results[1].rank == 5
    assert isinstance(request.solve(fit_ridge(good, n_features=5)).coefficient_norm, float)


def test_a_problem_without_held_out_rows_has_no_predictions():
    whole = make_problem()
    bare = FeatureProblem(whole.feature_map, whole.inputs, whole.targets)
    with_rows = solve(fit_ridge(whole, n_features=30))
    fit = solve(fit_ridge(bare, n_features=30))
    assert fit.predictions == {}
    assert fit.coefficient_norm == pytest.approx(with_rows.coefficient_norm, rel=1e-12)
