"""RMIA: a row's likelihood ratio against those of rows of the population."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.errors import DataError
from overparam.measures.reference_models import (
    MembershipScores,
    References,
    array_of,
    averaged,
    mask_of,
    probable,
    references_of,
    score_query,
    target_of,
)
from overparam.measures.reference_sides import Side
from overparam.measures.roc import share_below

_LESS = 1e-9  # than one of the population, however large it is
_FLOOR = 1e-12  # of what is divided by: a label that no reference believes at all


@dataclass(frozen=True)
class Population:
    """Rows z of the population, that a row is compared with; see `rmia_scores`.

    Attributes:
        references: probabilities of their own labels under the references, `[K, m]` or with
            queries. target: the same under the target, `[m]` or `[targets, m]`; None where the
            references take turns as target. in_subset: bool `[K, m]`; None: in none.
    """

    references: Any
    target: Any = None
    in_subset: Any = None


def rmia_scores(
    target: Any,
    references: Any,
    in_subset: Any,
    population: Population | None = None,
    *,
    online: bool = True,
    gamma: float = 2.0,
    offline_a: float = 0.3,
) -> MembershipScores:
    """Return how many rows of the population the row outdoes by a factor gamma.

    score(x) = Pr_z[ (P(x|target) / P(x)) / (P(z|target) / P(z)) >= gamma ], P(.|target) the
    probability of the row's own label. Online P(x) = (P_in + P_out) / 2, means over the references
    that had the row and that had not; offline P(x) = ((1 + a) P_out + (1 - a)) / 2, which takes
    P_in for a P_out + 1 - a. A row that no reference had, of the population or not, takes the
    second form in both; in an ensemble whose members take turns that is so of all rows or of none
    (`references_of`), since the form would tell who had the row. A z at exactly 1 / gamma of the
    row's ratio counts half, as ties do elsewhere: many are where labels have probability 0. For
    one target the score rises with P(x|target) / P(x): what the
    population adds is one scale for many targets.

    Args:
        target, references, in_subset: as in `ratio_scores`.
        population: rows z, none of them among the rows; None takes the rows. Where the references
            take turns as target, those that the target was trained on are left out.
        online: use the references that had the row.
        gamma: >= 1. offline_a: a, in [0, 1]; 1 where a model says of a row that it had no more
            than of one that it had not.

    Returns:
        Scores in [0, 1], fractions of the population; of equal ones the row with the larger ratio
        has more, by less than 1e-9.

    Raises:
        DataError: shapes that do not fit, numbers outside [0, 1], no rows of the population.
        UsageError: gamma or a out of range.

    Cost: O((K + targets)(n + m) + targets (n + m) log m). Assumption: as `ratio_scores`, and z
    like the rows. Defaults gamma = 2, a = .3 are those of the source for CIFAR-10. Where it
    differs: means over the references that there are (the authors' code takes half of them);
    several queries are averaged. Source: Zarifzadeh, Liu, Shokri 2024 (arXiv:2312.03262).

    >>> p, inside = np.array([[0.75], [0.25]]), np.array([[True], [False]])
    >>> z = Population(references=np.full((2, 4), 0.5), target=np.array([0.2, 0.4, 0.6, 0.8]))
    >>> rmia_scores(np.array([1.0]), p, inside, z, offline_a=1.0).scores  # 2 against .4 ... 1.6
    array([0.5])
    """
    check_range("gamma", gamma, 1)
    check_range("offline_a", offline_a, 0, 1)
    needs = (1, 1) if online else (0, 1)
    given = references_of(references, in_subset, target is None, needs)
    if population is None:
        rows_z, asked_z = given, None
    else:
        rows_z = references_of(population.references, _held(population), target is None, (0, 1))
        asked_z = _targets_of(population, rows_z, target, given)

    def outdone(asked: np.ndarray, query: int) -> np.ndarray:
        ratios = score_query(asked, given, ratio, query)
        ratios_z = ratios if asked_z is None else score_query(asked_z, rows_z, ratio, query)
        if target is None:
            ratios_z = np.where(rows_z.in_subset, np.nan, ratios_z)
        return _shares(ratios, ratios / gamma, ratios_z)

    def ratio(p: np.ndarray, members: Side, others: Side) -> np.ndarray:
        p_out = ((1 + offline_a) * others.mean + (1 - offline_a)) / 2
        both = online & (members.count > 0)
        prior = np.where(both, (members.mean + others.mean) / 2, p_out)
        return probable(p) / np.maximum(prior, _FLOOR)

    return averaged(target, given, outdone)


def _shares(ratios: np.ndarray, bars: np.ndarray, ratios_z: np.ndarray) -> np.ndarray:
    """Share of the population, `[targets, n]`, with a ratio below the row's bar; at it, half.

    Between rows of equal shares the ratio decides, by less than any share: rows that nobody trained
    on are themselves of the population, so that who ties with whom would tell members from others.
    """
    shares = np.full(bars.shape, np.nan)
    for share, bar, z in zip(shares, bars, ratios_z, strict=True):
        judged, known = ~np.isnan(bar), ~np.isnan(z)
        if known.any():
            share[judged] = share_below(bar[judged], z[known])
    return (1 - _LESS) * shares + _LESS * ratios / (1 + ratios)


def _held(population: Population) -> np.ndarray:
    if population.in_subset is not None:
        return mask_of(population.in_subset)
    return np.zeros(array_of(population.references).shape[:2], dtype=bool)


def _targets_of(
    population: Population, rows_z: References, target: Any, given: References
) -> np.ndarray:
    """Statistics of the population under the targets of the rows."""
    if (target is None) != (population.target is None):
        raise DataError(
            "rows and population are of different targets",
            got=f"target {'None' if target is None else 'given'} for the rows, "
            f"{'None' if population.target is None else 'given'} for the population",
            allowed="both, or neither",
        )
    if target is None:
        found, wanted = rows_z.statistics, given.statistics
    else:
        found, wanted = target_of(population.target, rows_z), target_of(target, given)
    sizes = [(len(f), r.n_queries, len(r.in_subset)) for f, r in ((found, rows_z), (wanted, given))]
    if sizes[0] != sizes[1]:
        raise DataError(
            "rows and population are of different models",
            got="{} targets, {} queries, {} references of the population".format(*sizes[0]),
            allowed="{}, {}, {}, as of the rows".format(*sizes[1]),
        )
    return found
