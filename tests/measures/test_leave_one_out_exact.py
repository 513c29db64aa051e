"""Leave-one-out against exact rational arithmetic, however nearly the rank falls."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overparam.measures import leave_one_out_minimum_norm, leave_one_out_ridge


def dot(a, b):
    return sum((v * w for v, w in zip(a, b, strict=True)), Fraction(0))


def solved(square, right):
    """One solution of a consistent system by elimination in rational numbers, and its rank."""
    table = [[*r, b] for r, b in zip(square, right, strict=True)]
    n, pivots = len(table), []
    for column in range(n):
        at = len(pivots)
        lead = next((i for i in range(at, n) if table[i][column] != 0), None)
        if lead is None:
            continue
        table[at], table[lead] = table[lead], table[at]
        table[at] = [v / table[at][column] for v in table[at]]
        for i in range(n):
            if i != at and table[i][column] != 0:
                factor = table[i][column]
                table[i] = [a - factor * b for a, b in zip(table[i], table[at], strict=True)]
        pivots.append(column)
    found = [Fraction(0)] * n
    for line, column in enumerate(pivots):
        found[column] = table[line][n]
    return found, len(pivots)


def exact_prediction(rows, targets, point, penalty, intercept):
    """Ridge, or for penalty 0 minimum-norm, regression in rational numbers; the Gram's rank."""
    n = len(rows)
    mean = [sum(c) / n if intercept else Fraction(0) for c in zip(*rows, strict=True)]
    centre = sum(targets) / n if intercept else Fraction(0)
    rows = [[a - b for a, b in zip(r, mean, strict=True)] for r in rows]
    targets = [y - centre for y in targets]
    gram = [[dot(r, s) for s in rows] for r in rows]
    if penalty:
        for i in range(n):
            gram[i][i] += penalty
        weights, rank = solved(gram, targets)
    else:  # of all w = X'a with (X X')^2 a = X X' y: any solution a gives the same, shortest, w
        square, right = [[dot(r, s) for s in gram] for r in gram], [dot(r, targets) for r in gram]
        weights, rank = solved(square, right)
    off = [a - b for a, b in zip(point, mean, strict=True)]
    return float(centre + dot(weights, [dot(r, off) for r in rows])), rank


def has_rank(x, intercept, rank):
    """Whether the numerical rank is the true one: no singular value hides below rounding."""
    values = np.linalg.svd(x - x.mean(0) * intercept, compute_uv=False)
    return (values > max(x.shape) * 3e-16 * np.linalg.norm(x)).sum() == rank


@settings(max_examples=200, deadline=None)
@given(
    n=st.integers(2, 6),
    p=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    step=st.sampled_from([1, 2**-10, 2**-24, 2**-30, 2**-40]),
    penalty=st.sampled_from([0.0, 0.0, 2**-50, 2**-30, 2**-10, 1.0]),
    intercept=st.booleans(),
)
# Another row alone seems to span it; U leans towards the constant; only the penalty tells.
@example(n=4, p=2, seed=1789, step=2**-24, penalty=0.0, intercept=False)
@example(n=3, p=3, seed=0, step=2**-24, penalty=0.0, intercept=True)
@example(n=3, p=3, seed=0, step=2**-40, penalty=2**-50, intercept=False)
def test_no_number_is_wrong_however_nearly_the_rank_falls(n, p, seed, step, penalty, intercept):
    # Small whole numbers give rank-deficient and duplicated rows; a tiny step breaks some of them.
    rng = np.random.default_rng(seed)
    x = rng.integers(-1, 2, (n, p)) + step * rng.integers(-1, 2, (n, p))
    y = rng.integers(-3, 4, n).astype(float)
    if penalty:
        found = leave_one_out_ridge(x, y, penalty, fit_intercept=intercept)
    else:
        found = leave_one_out_minimum_norm(x, y, fit_intercept=intercept)
    exact = [[Fraction(v) for v in row] for row in x.tolist()]
    wanted = [Fraction(v) for v in y.tolist()]
    _, rank = exact_prediction(exact, wanted, exact[0], Fraction(0), intercept)
    if not has_rank(x, intercept, rank):
        return
    for i in np.flatnonzero(~np.isnan(found.without_row[:, 0])):
        others = [exact[:i] + exact[i + 1 :], wanted[:i] + wanted[i + 1 :]]
        true, rank = exact_prediction(*others, exact[i], Fraction(penalty), intercept)
        if penalty or has_rank(np.delete(x, i, 0), intercept, rank):
            assert found.without_row[i, 0] == pytest.approx(true, rel=1e-5, abs=1e-5)
