"""Columns that others make up, and the sums of coefficients that are known all the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.linalg import qr

from overparam.measures.linear.linear_columns import INTERCEPT, NamedDesign, ScaledColumns

_ROUNDING = 1e-9  # of a multiple, relative to the largest
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Relation:
    """A column that is a sum of multiples of others, to rounding.

    Attributes:
        name: of the column. terms: the multiple of each other column; ``(intercept)`` is the
            constant. text: ``c = a + 2 b``.
    """

    name: str
    terms: Mapping[str, float]

    @property
    def text(self) -> str:
        """Return the relation as one writes it."""
        return f"{self.name} = {_sum_text(self.terms)}"


@dataclass(frozen=True)
class Combination:
    """A sum of multiples of coefficients that the data identify.

    Attributes:
        terms: the factor of each column's coefficient.
    """

    terms: Mapping[str, float]

    @property
    def text(self) -> str:
        """Return the combination as one writes it."""
        return _sum_text(self.terms)


def dependencies(
    of: NamedDesign, scaled: ScaledColumns, rows: np.ndarray, rank: int
) -> tuple[tuple[Relation, ...], tuple[Combination, ...]]:
    """Return what columns others make up, and the combinations of coefficients that are known.

    With X = [A, B] and B = A C, X b = A (b_A + C b_B): the sums in brackets are identified.
    """
    upper, pivots = qr(rows.T, mode="r", pivoting=True)
    alone, made = np.sort(pivots[:rank]), np.sort(pivots[rank:])
    place = {int(column): i for i, column in enumerate(pivots)}
    from_alone = [place[int(j)] for j in alone]
    parts = np.zeros((rank, len(made)))
    if parts.size:
        of_made = [place[int(j)] for j in made]
        parts = np.linalg.lstsq(upper[:rank, from_alone], upper[:rank, of_made])[0]
        parts[np.abs(parts) <= _ROUNDING * max(float(np.abs(parts).max()), 1.0)] = 0.0
    parts = _whole(parts * scaled.lengths[made] / scaled.lengths[alone][:, None])
    relations = []
    for k, j in enumerate(made):
        terms = {of.names[i]: float(c) for i, c in zip(alone, parts[:, k], strict=True) if c}
        constant = _constant(of, scaled, j, alone, parts[:, k]) if of.fit_intercept else 0.0
        if constant:
            terms[INTERCEPT] = constant
        relations.append(Relation(of.names[j], terms))
    combinations = []
    for i, row in zip(alone, parts, strict=True):
        terms = {of.names[i]: 1.0}
        terms.update({of.names[j]: float(c) for j, c in zip(made, row, strict=True) if c})
        combinations.append(Combination(terms))
    return tuple(relations), tuple(combinations)


def _constant(
    of: NamedDesign, scaled: ScaledColumns, made: int, alone: np.ndarray, parts: np.ndarray
) -> float:
    """Return the mean of a column less that of its parts, 0 where that is rounding."""
    column, others = of.rows[:, made], of.rows[:, alone]
    rest = float((column - others @ parts).mean())
    size = float(np.abs(column).max() + (np.abs(others) @ np.abs(parts)).max(initial=0.0))
    unsure = max(_ROUNDING, 10 * len(column) * _EPSILON * scaled.removed)
    return 0.0 if abs(rest) <= unsure * size else float(_whole(np.array([rest]))[0])


def _whole(values: np.ndarray) -> np.ndarray:
    """Return numbers, those that are whole to rounding as whole ones."""
    near = np.round(values)
    return np.where((np.abs(values - near) <= _ROUNDING * np.abs(near)) & (near != 0), near, values)


def _sum_text(terms: Mapping[str, float]) -> str:
    text = ""
    for name, factor in terms.items():
        size = "" if abs(factor) == 1 and name != INTERCEPT else f"{abs(factor):.4g}"
        term = size if name == INTERCEPT else f"{size} {name}".strip()
        sign = "-" if factor < 0 else "+"
        text += f" {sign} {term}" if text else f"{'-' if factor < 0 else ''}{term}"
    return text or "0"
