"""Target leakage: columns that predict the target too well, against all others and chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_count, check_range
from overparam.data.table_columns import take
from overparam.measures.tables.columns import MOST_ROWS, ColumnScores, estimate_column_scores
from overparam.measures.tables.screened_target import read_problem, rows_to_look_at
from overparam.measures.tables.screening_models import task_for
from overparam.measures.tables.with_and_without import Crossing, TwoScores, scores_without
from overparam.streams import Streams

BETTER_THAN_ALL_OTHERS = "alone it predicts better than all other columns together"
BY_PRESENCE = "whether it has its commonest value (or is missing) alone predicts the target"


@dataclass(frozen=True)
class StrongColumn:
    """A column that alone predicts the target too well to pass without a look.

    Attributes:
        name: of the column. score, low: alone, and the lower bound of its interval.
        presence: score of whether the entry is the column's commonest value, or missing.
        without: held-out scores of the model with all columns and without this one;
            None where it is the only one.
        reasons: why it is suspected of telling the target; none where others can replace it, as
            strong natural features do, and copies of a leak too.
    """

    name: str
    score: float
    low: float
    presence: float
    without: TwoScores | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Leaks:
    """What was found of target leakage.

    Attributes:
        strong: columns that reach `at_least`, the best first, at most `most_columns`.
        n_strong: how many reach it. together: the model with all columns and without all these;
            None where there are none, or no others. alone, presence: every column's scores.
    """

    strong: tuple[StrongColumn, ...]
    n_strong: int
    together: TwoScores | None
    alone: ColumnScores
    presence: ColumnScores

    @property
    def suspects(self) -> tuple[str, ...]:
        """Names of the strong columns that there is a reason to suspect."""
        return tuple(column.name for column in self.strong if column.reasons)


def estimate_leaks(
    table: Any,
    target: Any,
    *,
    fit: Any = None,
    at_least: float = 0.75,
    most_columns: int = 5,
    task: str | None = None,
    groups: Any = None,
    balanced: bool = True,
    n_folds: int = 5,
    most_rows: int = MOST_ROWS,
    confidence: float = 0.95,
    seed: int = 0,
) -> Leaks:
    """Return the columns that alone predict the target too well, and the model without them.

    A column is strong where it says something (its p-value, adjusted for all columns, is at most
    1 - confidence) and the lower bound of its own score lies at least `at_least` of the way from
    chance to perfect. It is suspected where, besides, its score
    alone is above that of the model on all other columns (its interval lies above the other), or
    where its presence is strong: a value that is written down once the outcome is known (``boat``,
    ``expenditure > 0``).

    What numbers cannot tell: a strong column that others can replace. Petal width predicts irises
    and is no leak; one of several copies of a leak looks alike. Then `together` has the model
    without all strong columns, and only knowing when a column is written decides.

    Args:
        table, target, task, groups, balanced, most_rows: as in `estimate_column_scores`.
        fit: the model, as in `score_without_columns`; by default a forest.
        at_least: share of the way from chance to perfect, in (0, 1).
        most_columns: strong columns for which the model is fitted without each.

    Returns:
        `Leaks`.

    Raises:
        As `estimate_column_scores` and `score_without_columns`.

    Cost: that of two `estimate_column_scores`, and n_folds fits for each strong column and two
    more sets. Where no column
    says anything of the target, one becomes strong with probability below 1 - confidence.

    >>> y = np.arange(200) % 2
    >>> noise = np.random.default_rng(0).standard_normal((200, 3))
    >>> from sklearn.naive_bayes import GaussianNB
    >>> estimate_leaks(np.hstack([noise, y[:, None]]), y, fit=GaussianNB()).suspects
    ('3',)
    """
    check_range("at_least", at_least, 0, 1, open_low=True, open_high=True)
    check_count("most_columns", most_columns)
    _, known = read_problem(table, target, task_for(fit, task), groups)
    rows = rows_to_look_at(len(known.codes), groups, most_rows, Streams(seed).numpy("rows"))
    table, given = take(table, rows), known.given[rows]
    same: Any = {
        "task": known.task,
        "balanced": balanced,
        "n_folds": n_folds,
        "confidence": confidence,
        "seed": seed,
    }
    alone = estimate_column_scores(table, given, **same)
    presence = estimate_column_scores(table, given, of="presence", **same)
    needed = alone.chance + at_least * (1 - alone.chance)
    found = np.flatnonzero((alone.low >= needed) & (alone.p_value <= 1 - confidence))
    found = found[np.argsort(-alone.score[found], kind="stable")]
    shown, n_columns = [int(i) for i in found[:most_columns]], len(alone.names)
    sets = [[alone.names[i]] for i in shown] if n_columns > 1 else []
    if 0 < len(found) < n_columns:
        sets.append([alone.names[i] for i in found])
    models: list[TwoScores | None] = [None] * len(shown)
    together = None
    if sets:
        of = Crossing.of(table, given, known.task, None, balanced, n_folds, confidence, seed)
        fitted = scores_without(fit, table, of, sets)
        models = [*fitted[: len(shown)]] if n_columns > 1 else models
        together = fitted[-1] if len(found) < n_columns else None
    strong = []
    for i, without in zip(shown, models, strict=True):
        reasons = []
        if without is not None and alone.low[i] > without.other.high:
            reasons.append(BETTER_THAN_ALL_OTHERS)
        if presence.low[i] >= needed:
            reasons.append(BY_PRESENCE)
        strong.append(
            StrongColumn(
                alone.names[i],
                float(alone.score[i]),
                float(alone.low[i]),
                float(presence.score[i]),
                without,
                tuple(reasons),
            )
        )
    return Leaks(tuple(strong), len(found), together, alone, presence)
