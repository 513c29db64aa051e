"""A linear model's design: its rank, which coefficients the data identify, and the rest by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.measures.linear.linear_columns import (
    INTERCEPT,
    NamedDesign,
    read_design,
    scaled_columns,
)
from overparam.measures.linear.linear_relations import Combination, Relation, dependencies

_EPSILON = float(np.finfo(np.float64).eps)
_DOUBT = 100.0  # times the tolerance: up to there, rounding could have decided
_AT_ONCE = 2**22  # entries of a block of the projection


@dataclass(frozen=True, eq=False)
class LinearDesign:
    """What a design matrix lets one know of a linear model's coefficients.

    Attributes:
        names: of the columns, the intercept not among them. fit_intercept: whether there is one.
        n_rows, n_columns: of the matrix.
        rank: numerical rank of the columns, centred where there is an intercept, which adds one.
        tolerance: singular values up to it count as 0.
        singular_values: falling, of the columns scaled to lengths near 1.
        condition_number: largest over smallest singular value of the matrix as given, inf where
            the rank falls short. scaled_condition: the same of the scaled columns, of those kept.
        identified: bool `[p]`, whether the data determine the coefficient.
        blind: `[p]`, length of the part of each coefficient's unit vector that lies in directions
            the data do not see, in [0, 1]; in scaled columns.
        blind_tolerance: up to it a coefficient counts as identified.
        doubtful: names whose `blind` lies within a factor of 100 of the tolerance: other rounding
            could decide otherwise.
        intercept_identified: whether no relation has a constant; None without an intercept.
        relations: each column that others make up; combinations: sums of coefficients that are
            identified, one for each of the other columns.
        leverage: `[n]`, in [0, 1]; sums to the rank, plus one with an intercept.
        variance_inflation: `[p]`, >= 1; inf where a coefficient is not identified; 1 where no
            other column correlates with it.
        gap: the smallest singular value kept over the largest that counts as 0; inf if that is 0 or
            there is none. Near 1 the rank is a matter of tolerance.
    """

    names: tuple[str, ...]
    fit_intercept: bool
    n_rows: int
    n_columns: int
    rank: int
    tolerance: float
    singular_values: np.ndarray
    condition_number: float
    scaled_condition: float
    identified: np.ndarray
    blind: np.ndarray
    blind_tolerance: float
    doubtful: tuple[str, ...]
    intercept_identified: bool | None
    relations: tuple[Relation, ...]
    combinations: tuple[Combination, ...]
    leverage: np.ndarray
    variance_inflation: np.ndarray
    gap: float

    @property
    def not_identified(self) -> tuple[str, ...]:
        """Names of the columns whose coefficients the data do not determine."""
        names = [n for n, known in zip(self.names, self.identified, strict=True) if not known]
        return (*names, *((INTERCEPT,) if self.intercept_identified is False else ()))


def identify_coefficients(
    features: Any,
    *,
    model: Any = None,
    fit_intercept: bool | None = None,
    names: Sequence[str] | None = None,
    tolerance: float | None = None,
) -> LinearDesign:
    """Return which coefficients of a linear model the features determine, and which not.

    A coefficient is identified if and only if its unit vector lies in the row space of the design:
    then every least-squares solution agrees on it. Columns are centred where there is an intercept
    and divided by the power of two nearest to their length, which changes neither row space nor
    rank, so that units do not matter. Singular values up to

        max(n, p) x 2.2e-16 x max(largest singular value, largest |x_j| / |x_j - mean|)

    count as 0: to so much the data are known. `blind`_j = |e_j - V V' e_j| for the kept right
    singular vectors V, and up to 10 x tolerance / smallest kept singular value counts as 0.

    Args:
        features: `[n, p]`: an array, tensor, list, DataFrame of numbers, or SciPy sparse matrix
            (which is made dense). With a pipeline: what it takes.
        model: a fitted scikit-learn linear model or a pipeline whose last step is one: features
            pass its other steps, names and intercept are its own.
        fit_intercept: by default the model's, or False.
        names: of the columns; by default the table's or the pipeline's, or positions.
        tolerance: in place of the above; >= 0.

    Returns:
        `LinearDesign`.

    Raises:
        DataError: columns of words, NaN or infinity, no rows or columns, largest entries beyond
            1e140 or below 1e-140, names that repeat, or a model of another number of columns.
            UsageError: a model that is not linear or not fitted, a negative tolerance.

    Cost: two singular value decompositions, O(n p min(n, p)), and p² rank; memory 4 n p.

    >>> found = identify_coefficients([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 2.0]])
    >>> found.rank, found.not_identified, found.relations[0].text
    (2, ('0', '1', '2'), '2 = 0 + 1')
    """
    of = read_design(features, model, fit_intercept, names, tolerance)
    scaled = scaled_columns(of)
    left, s, right = np.linalg.svd(scaled.rows, full_matrices=False)
    bound = max(of.rows.shape) * _EPSILON * max(float(s[0]), scaled.removed)
    bound = bound if tolerance is None else float(tolerance)
    rank = int((s > bound).sum())
    left, kept, right = left[:, :rank], s[:rank], right[:rank].T
    blind = _blind(right)
    smallest = float(kept[-1]) if rank else 1.0
    blind_tolerance = 10 * max(bound, max(of.rows.shape) * _EPSILON * float(s[0])) / smallest
    blind_tolerance = min(blind_tolerance, 0.5)
    identified = blind <= blind_tolerance
    in_doubt = (blind > blind_tolerance / _DOUBT) & (blind < blind_tolerance * _DOUBT)
    relations, combinations = dependencies(of, scaled, right * kept, rank)
    squares = (left**2).sum(1) + (1 / len(left) if of.fit_intercept else 0.0)
    inflation = np.full(len(of.names), np.inf)
    inflation[identified] = (((right / kept) ** 2).sum(1) * (scaled.rows**2).sum(0))[identified]
    lost = s[rank] if rank < len(s) else 0.0
    return LinearDesign(
        names=of.names,
        fit_intercept=of.fit_intercept,
        n_rows=of.rows.shape[0],
        n_columns=of.rows.shape[1],
        rank=rank,
        tolerance=bound,
        singular_values=s,
        condition_number=_condition(of, rank),
        scaled_condition=float(s[0]) / smallest if rank else float("inf"),
        identified=identified,
        blind=blind,
        blind_tolerance=blind_tolerance,
        doubtful=tuple(n for n, d in zip(of.names, in_doubt, strict=True) if d),
        intercept_identified=not any(INTERCEPT in relation.terms for relation in relations)
        if of.fit_intercept
        else None,
        relations=relations,
        combinations=combinations,
        leverage=np.minimum(squares, 1.0),
        variance_inflation=np.maximum(inflation, 1.0),
        gap=smallest / float(lost) if rank and lost > 0 else float("inf"),
    )


def _blind(right: np.ndarray) -> np.ndarray:
    """Return |e_j - V V' e_j| of each unit vector `[p]`; twice projected, for its digits."""
    p = len(right)
    found = np.empty(p)
    step = max(_AT_ONCE // p, 1)
    for first in range(0, p, step):
        some = np.arange(first, min(first + step, p))
        rest = np.zeros((p, len(some)))
        rest[some, np.arange(len(some))] = 1
        for _ in range(2):
            rest = rest - right @ (right.T @ rest)
        found[some] = np.linalg.norm(rest, axis=0)
    return found


def _condition(of: NamedDesign, rank: int) -> float:
    x = of.rows - of.rows.mean(0) if of.fit_intercept else of.rows
    if rank < min(x.shape):
        return float("inf")
    values = np.linalg.svd(x / (np.abs(x).max() or 1.0), compute_uv=False)
    return float(values[0] / values[-1]) if values[-1] > 0 else float("inf")
