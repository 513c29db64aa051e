"""Attack scores: how much a model's outputs on a row look as if it had been trained on the row.

Every score is higher where membership is more likely. `references` are models whose subsets are
known; the target is another model, or each of them in turn.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from overparam.checks import check_choice, check_range
from overparam.errors import DataError
from overparam.measures.reference_models import (
    MembershipScores,
    References,
    Score,
    array_of,
    averaged,
    losses_of,
    probable,
    references_of,
    score_query,
)
from overparam.measures.reference_sides import Side

_VARIANCES = ("auto", "pooled", "shrunk", "row")
_ENOUGH_REFERENCES = 64  # from here on a row's own variance is worth something
_BOTH, _OUT = (1, 1), (0, 1)  # references that had the row, and had not, that are needed
_PRIOR_MODELS = 8.0  # nu0: how many models' worth of belief the pooled variance has


def loss_scores(losses: Any) -> np.ndarray:
    """Return minus the loss: the attack without references.

    It calls rows members that are easy, whether the model saw them or not. The baseline that
    every other attack has to beat.

    Args:
        losses: of each row under the target, `[n]` or `[targets, n]`, any unit.

    Returns:
        float64 of the same shape; NaN stays NaN.

    Raises:
        DataError: no numbers, or no rows.

    Cost: O(n). Source: Yeom et al. 2018 (arXiv:1709.01604), adversary 2.

    >>> loss_scores(np.array([0.5, 2.0]))
    array([-0.5, -2. ])
    """
    found = array_of(losses).astype(np.float64)
    if found.size == 0:
        raise DataError("there are no losses", got=list(found.shape), allowed="n >= 1")
    return -losses_of(found)


def ratio_scores(
    target: Any, references: Any, in_subset: Any, *, floor: float = 1e-3
) -> MembershipScores:
    """Return the label's probability over its mean over the references.

    p(target) / max(floor, mean_k p(reference k)), the mean over all of them, in or out. The best
    attack with up to some 16 references.

    Args:
        target: probabilities of the rows' own labels under the target, `[n]` or `[targets, n]`,
            or with a last axis of queries (the scores are averaged); None lets the references
            take turns as target (`references_of` says what is left out then).
        references: the same of K models, `[K, n]` or `[K, n, queries]`. in_subset: bool `[K, n]`.
        floor: in (0, 1]. Where no reference believes the label, a ratio says more of the
            denominator than of the row: below the floor it counts as the floor.

    Returns:
        Scores in [0, 1/floor], without unit.

    Raises:
        DataError: shapes that do not fit, or numbers outside [0, 1].
        UsageError: a floor out of range.

    Cost: O((K + targets) n). Assumption: references are trained as the target was, on data of
    the same kind, on subsets drawn independently of the target's.

    >>> p = np.array([[0.5], [0.25]])
    >>> ratio_scores(np.array([0.75]), p, np.array([[True], [False]])).scores
    array([2.])
    """
    check_range("floor", floor, 0, 1, open_low=True)

    def score(p: np.ndarray, members: Side, others: Side) -> np.ndarray:
        return probable(p) / np.maximum(_mean_of_all(members, others), floor)

    return _scored(target, references_of(references, in_subset, target is None), score)


def sablayrolles_scores(target: Any, references: Any, in_subset: Any) -> MembershipScores:
    """Return how far the loss lies below the middle of the row's losses when in and when out.

    (mean_in + mean_out) / 2 - loss.

    Args:
        target, references, in_subset: as in `ratio_scores`, with losses (any unit).

    Returns:
        Scores in units of the loss; above 0 where the target behaves like models that had the row.

    Raises:
        DataError: shapes that do not fit, or infinite losses.

    Cost, assumption: as `ratio_scores`. Source: Sablayrolles et al. 2019 (arXiv:1908.11229), as
    implemented by Carlini et al. 2022 (arXiv:2112.03570).

    >>> losses = np.array([[1.0], [3.0]])
    >>> sablayrolles_scores(np.array([0.5]), losses, np.array([[True], [False]])).scores
    array([1.5])
    """

    def score(loss: np.ndarray, members: Side, others: Side) -> np.ndarray:
        return (members.mean + others.mean) / 2 - losses_of(loss)

    return _scored(target, references_of(references, in_subset, target is None, _BOTH), score)


def watson_scores(target: Any, references: Any, in_subset: Any) -> MembershipScores:
    """Return how far the loss lies below the row's loss when out: mean_out - loss.

    Difficulty is taken out, spread is not; only references that had not the row are needed.

    Args:
        target, references, in_subset: as in `ratio_scores`, with losses (any unit).

    Returns:
        Scores in units of the loss.

    Raises:
        DataError: shapes that do not fit, or infinite losses.

    Cost, assumption: as `ratio_scores`. Source: Watson et al. 2022 (arXiv:2111.08440).

    >>> losses = np.array([[1.0], [3.0]])
    >>> watson_scores(np.array([0.5]), losses, np.array([[True], [False]])).scores
    array([2.5])
    """

    def score(loss: np.ndarray, members: Side, others: Side) -> np.ndarray:
        return others.mean - losses_of(loss)

    return _scored(target, references_of(references, in_subset, target is None, _OUT), score)


def lira_scores(
    target: Any,
    references: Any,
    in_subset: Any,
    *,
    online: bool = True,
    variance: str = "auto",
) -> MembershipScores:
    """Return the likelihood ratio of a row's statistic under "in" and under "out".

    Offline, without models that had the row: z_out = (phi - mean_out) / (s_out sqrt(1 + 1/N_out));
    the source's Pr[Z <= phi] is Phi(z), of the same order but equal to 1 in floating point from
    z = 8.3 on. Online: (z_out^2 - z_in^2) / 2 + log(s_out / s_in).

    1/N is the doubt about a mean of N references. Without it rows that more references had would
    score higher whatever their statistics.

    s^2 of a row is ``pooled``: one for all rows, sum of squares over degrees of freedom of what
    judges the target, so that its own statistics are not in it;
    ``row``: sum (phi - mean)^2 / (N - 1); ``shrunk``: (8 s_pooled^2 + sum (phi - mean)^2) /
    (8 + N - 1); ``auto``: shrunk from 64 references on, pooled below.

    Args:
        target, references, in_subset: as in `ratio_scores`, with phi: `stable_logit` or
            `hinge_margin`. Of several queries the log ratios are averaged, as in the source.
        online: use the references that had the row. variance: see above.

    Returns:
        Scores in nats (online) or standard deviations (offline).

    Raises:
        DataError: shapes that do not fit, infinite statistics, references that do not vary.
        UsageError: an unknown variance.

    Cost: O((K + targets) n), two passes. Assumption: as `ratio_scores`; phi nearly Gaussian.
    Where it differs from the source: 1/N, ``shrunk``, and squares over N - 1 instead of N. Where
    nothing leaks the AUC is .5, whatever the variance and however rows differ in spread: all
    targets of an ensemble are judged by equal numbers of references (`references_of`).
    Source: Carlini et al. 2022 (arXiv:2112.03570), algorithm 1.

    >>> phi, inside = np.array([[1.0], [3.0], [-1.0], [1.0]]), np.array([[1], [1], [0], [0]])
    >>> lira_scores(np.array([2.0]), phi, inside).scores  # N(2, 3) against N(0, 3)
    array([0.66666667])
    """
    check_choice("variance", variance, _VARIANCES)
    given = references_of(references, in_subset, target is None, _BOTH if online else _OUT)
    if variance == "auto":
        variance = "shrunk" if len(given.in_subset) >= _ENOUGH_REFERENCES else "pooled"
    pooled = _pooled_variances(given, online)

    def score(phi: np.ndarray, members: Side, others: Side) -> np.ndarray:
        spread = _variance(others, pooled[1], variance)
        out = (phi - others.mean) / np.sqrt(spread * _of_a_new_model(others))
        if not online:
            return out
        narrow = _variance(members, pooled[0], variance)
        within = (phi - members.mean) / np.sqrt(narrow * _of_a_new_model(members))
        return (out**2 - within**2 + np.log(spread / narrow)) / 2

    return _scored(target, given, score)


def _of_a_new_model(side: Side) -> np.ndarray:
    """Variance of phi less the references' mean, in units of that of phi."""
    return 1 + 1 / np.maximum(side.count, 1)


def _variance(side: Side, pooled: np.ndarray, variance: str) -> np.ndarray:
    freedom = np.maximum(side.count - 1, 0)
    if variance == "pooled":
        return np.broadcast_to(pooled, side.squares.shape)
    if variance == "shrunk":
        return (_PRIOR_MODELS * pooled + side.squares) / (_PRIOR_MODELS + freedom)
    # Of references that agree to the last digit a row's own spread says nothing.
    known = (freedom > 0) & (side.squares > 0)
    return np.where(known, side.squares / np.maximum(freedom, 1), np.nan)


def _pooled_variances(given: References, online: bool) -> list[np.ndarray]:
    """Variance within a row over all rows, of those that had it and of those that had not.

    Arrays that broadcast to `[targets, 1]`: where models take turns as target, each has its own,
    of the others. With a target's own statistics in the variance that judges it, what lies far out
    on a side would have widened that side. And every row must weigh alike on a side, whether the
    target had it or not: a row of wide spread would else widen the side of its own membership. So
    references of equal numbers are taken; where these leave a side without two, one variance for
    both sides, in which a row has K - 3 degrees of freedom either way.
    """
    squares, freedom = _spreads(given)
    known = [bool(np.any(side > 0)) for side in freedom]
    if given.leave_one_out and not all(known[0 if online else 1 :]):
        if not (any(known) and online):  # offline it is a scale of all rows alike
            squares, freedom = _spreads(replace(given, equal_numbers=False))
        if online:
            squares, freedom = [sum(squares)] * 2, [sum(freedom)] * 2
    for i, name in [(0, "that had"), (1, "that had not")][0 if online else 1 :]:
        if not np.any(squares[i] > 0):
            raise DataError(
                f"references {name} a row do not vary, so nothing is unlikely under them",
                got=f"{int(np.max(freedom[i]))} degrees of freedom and squares of 0.0",
                allowed="at least two of them for some row, with different statistics",
                remedy="train more references, or use ratio_scores, which takes one",
            )
    return [
        np.where(found > 0, found / np.maximum(trials, 1), np.nan)
        for found, trials in zip(squares, freedom, strict=True)
    ]


def _spreads(given: References) -> tuple[list[Any], list[Any]]:
    """Squared deviations within rows and their degrees of freedom, of either side."""
    squares: list[Any] = [0.0, 0.0]
    freedom: list[Any] = [0.0, 0.0]
    for columns in given.blocks():
        for query in range(given.n_queries):
            for i, side in enumerate(given.sides(columns, query)):
                of_side = np.where(side.count > 1, side.squares, 0)
                squares[i] += of_side.sum(-1, keepdims=True)
                freedom[i] += np.maximum(side.count - 1, 0).sum(-1, keepdims=True)
    return squares, freedom


def _mean_of_all(members: Side, others: Side) -> np.ndarray:
    parts = [np.where(side.count > 0, side.count * side.mean, 0) for side in (members, others)]
    count = members.count + others.count
    return np.where(count > 0, (parts[0] + parts[1]) / np.maximum(count, 1), np.nan)


def _scored(target: Any, given: References, score: Score) -> MembershipScores:
    return averaged(target, given, lambda asked, query: score_query(asked, given, score, query))
