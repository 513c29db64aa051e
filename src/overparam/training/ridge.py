"""`fit_ridge`: ridge and minimum-norm fits as requests, solved together where they share features.

A cell builds its `FeatureProblem` through a cached function of seed and data settings, so that
cells which differ only in width, penalty or label vector hold the *same object*; identity of the
problem is what `execute` groups by. Equal but separate problems give equal results, only slower.
"""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from overparam.checks import check_count, check_range
from overparam.errors import DataError, UsageError
from overparam.training.asked import asked
from overparam.training.closed_form import WidthSolution, iterate_widths
from overparam.training.feature_problem import FeatureProblem
from overparam.training.request import Context, Cost, Request
from overparam.training.ridge_factors import TridiagonalGram

__all__ = ["FeatureProblem", "RidgeFit", "RidgeRequest", "fit_ridge", "fit_ridge_path"]

_TRIAL_ROWS = 64  # rows whose features are made to time it


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """One fit.

    Attributes:
        n_features: p. penalty: a, as scikit-learn's alpha; 0 is the minimum-norm solution.
        train_predictions: `[n, k]`. predictions: held-out set to `[m, k]`.
        coefficient_norm: Frobenius norm of the coefficients `[p, k]`.
        degrees_of_freedom: trace of the hat matrix. rank: numerical rank of the features.
        leave_one_out_residuals: `[n, k]`, or None where not asked for.
    """

    n_features: int
    penalty: float
    train_predictions: Tensor
    predictions: Mapping[str, Tensor]
    coefficient_norm: float
    degrees_of_freedom: float
    rank: int
    leave_one_out_residuals: Tensor | None = None


@asked
async def fit_ridge(
    problem: FeatureProblem,
    *,
    n_features: int,
    penalty: float = 0.0,
    targets: Tensor | None = None,
    leave_one_out: bool = False,
) -> RidgeFit:
    """Return the fit of width `n_features` at one penalty; see `fit_ridge_path`."""
    fits = await fit_ridge_path(
        problem,
        n_features=n_features,
        penalties=[penalty],
        targets=targets,
        leave_one_out=leave_one_out,
    )
    return fits[0]


@asked
async def fit_ridge_path(
    problem: FeatureProblem,
    *,
    n_features: int,
    penalties: Sequence[float],
    targets: Tensor | None = None,
    leave_one_out: bool = False,
) -> list[RidgeFit]:
    """Return one fit per penalty, in the order given, for the first `n_features` features.

    Args:
        targets: other targets `[n, k]` for the same rows; the problem's own where None.

    Raises:
        UsageError: a width outside 1..P, no penalty, or one below 0.
        DataError: targets of another length; NaN or infinity.
    """
    check_count("n_features", n_features, 1, problem.n_features)
    if not len(penalties):
        raise UsageError("fit_ridge_path needs at least one penalty", got=list(penalties))
    for penalty in penalties:
        check_range("penalty", penalty, 0)
    chosen = problem.targets if targets is None else targets
    if chosen.ndim != 2 or len(chosen) != len(problem.inputs):
        raise DataError(
            "targets do not fit the problem's rows",
            got=list(chosen.shape),
            allowed=f"[{len(problem.inputs)}, k]",
        )
    ordered = tuple(float(penalty) for penalty in penalties)
    return await RidgeRequest(problem, n_features, ordered, chosen, leave_one_out)


@dataclass(frozen=True, eq=False)
class RidgeRequest(Request):
    """What `fit_ridge_path` awaits."""

    problem: FeatureProblem
    n_features: int
    penalties: tuple[float, ...]
    targets: Tensor
    leave_one_out: bool = False

    def group_key(self) -> Hashable:
        """The same problem object, with or without leave-one-out."""
        return id(self.problem), self.leave_one_out

    @staticmethod
    def execute(requests: Sequence[RidgeRequest], context: Context) -> list[list[RidgeFit]]:
        """Solve all requests of one problem along one path of widths."""
        problem = requests[0].problem
        wanted = _wanted(requests)
        # Requests of one label vector hold the same tensor; each is solved for once.
        distinct = {id(r.targets): r.targets for r in requests}
        columns, start = {}, 0
        for key, block in distinct.items():
            columns[key] = slice(start, start + block.shape[1])
            start += block.shape[1]
        answers: list[list[RidgeFit]] = [[] for _ in requests]
        for solution in iterate_widths(
            problem.features.to(context.device),
            torch.cat([t.to(torch.float64) for t in distinct.values()], dim=1).to(context.device),
            problem.held_out_features.to(context.device),
            wanted,
            leave_one_out=requests[0].leave_one_out,
        ):
            for i, request in enumerate(requests):
                if request.n_features == solution.n_features:
                    answers[i] = _read(solution, request, columns[id(request.targets)])
            done = {solution.n_features: wanted[solution.n_features]}
            context.progress(_flops(problem, done, start))
        return answers

    @staticmethod
    def estimate(
        requests: Sequence[RidgeRequest], context: Context
    ) -> tuple[list[list[RidgeFit]], Cost]:
        """Return zeros of the right shapes and the cost from a factorization timed here."""
        problem, wanted = requests[0].problem, _wanted(requests)
        n_targets = sum(t.shape[1] for t in {id(r.targets): r.targets for r in requests}.values())
        n, m = len(problem.inputs), sum(len(rows) for rows in problem.held_out.values())
        flops = _flops(problem, wanted, n_targets)
        largest = max(wanted)
        cells = max(len(a) for a in wanted.values()) * n_targets
        memory = 8 * ((n + m) * (problem.n_features + 2 * cells) + 4 * n * n + largest * cells)
        cost = Cost(
            n_models=sum(len(r.penalties) for r in requests),
            flops=flops,
            seconds=flops / _measured_rate() + _feature_seconds(problem),
            memory_bytes=int(memory),
            pending_bytes=int(memory),
        )
        return [_stand_ins(request) for request in requests], cost


def _wanted(requests: Sequence[RidgeRequest]) -> dict[int, tuple[float, ...]]:
    wanted: dict[int, set[float]] = {}
    for request in requests:
        wanted.setdefault(request.n_features, set()).update(request.penalties)
    return {width: tuple(sorted(penalties)) for width, penalties in sorted(wanted.items())}


def _read(solution: WidthSolution, request: RidgeRequest, columns: slice) -> list[RidgeFit]:
    fits = []
    for penalty in request.penalties:
        i = solution.penalties.index(penalty)
        left_out = solution.leave_one_out_residuals
        fits.append(
            RidgeFit(
                n_features=solution.n_features,
                penalty=penalty,
                train_predictions=solution.train_predictions[i, :, columns].cpu(),
                predictions=request.problem.split(solution.test_predictions[i, :, columns].cpu()),
                coefficient_norm=float(
                    torch.linalg.vector_norm(solution.coefficient_norms[i, columns])
                ),
                degrees_of_freedom=float(solution.degrees_of_freedom[i]),
                rank=solution.rank,
                leave_one_out_residuals=None if left_out is None else left_out[i, :, columns].cpu(),
            )
        )
    return fits


def _stand_ins(request: RidgeRequest) -> list[RidgeFit]:
    n, k = request.targets.shape
    zeros = torch.zeros(n, k, dtype=torch.float64)
    return [
        RidgeFit(
            n_features=request.n_features,
            penalty=penalty,
            train_predictions=zeros,
            predictions={
                name: torch.zeros(len(rows), k, dtype=torch.float64)
                for name, rows in request.problem.held_out.items()
            },
            coefficient_norm=0.0,
            degrees_of_freedom=0.0,
            rank=min(n, request.n_features),
            leave_one_out_residuals=zeros if request.leave_one_out else None,
        )
        for penalty in request.penalties
    ]


def _flops(problem: FeatureProblem, wanted: Mapping[int, Sequence[float]], n_targets: int) -> float:
    """Return the floating-point operations of one path, without making the features."""
    n = len(problem.inputs)
    rows = n + sum(len(held) for held in problem.held_out.values())
    total, before = 0.0, 0
    for width, penalties in wanted.items():
        q = min(n, width)
        total += 2 * n * (width - before) * q  # growing the Gram matrix or the triangle
        total += 4 / 3 * q**3  # reduction to tridiagonal form, or QR
        total += 2 * (rows + q) * width * len(penalties) * n_targets  # predictions
        before = width
    return total


def _feature_seconds(problem: FeatureProblem) -> float:
    """Return what making all features takes, from some of the rows."""
    some = problem.inputs[:_TRIAL_ROWS]
    start = time.perf_counter()
    problem.feature_map(some)
    rows = len(problem.inputs) + sum(len(held) for held in problem.held_out.values())
    return (time.perf_counter() - start) * rows / len(some)


@cache
def _measured_rate() -> float:
    """Return floating-point operations a second of a factorization and its products, timed once."""
    size = 384
    block = torch.arange(size * size, dtype=torch.float64).reshape(size, size).sin_()
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        TridiagonalGram(block @ block.T)
        best = min(best, time.perf_counter() - start)
    return (2 + 4 / 3) * size**3 / best
