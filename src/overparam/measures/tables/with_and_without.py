"""A model with some columns and without them, or with shuffled folds and with blocks of rows.

Both are held-out scores of the same rows, so that their difference has an interval of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.checks import check_range
from overparam.data.table_columns import Column, positions_of, take
from overparam.errors import DataError, UsageError
from overparam.measures.tables.held_out_scores import CROSS_FITTED, Scale, ScoreEstimate
from overparam.measures.tables.screened_target import folds_of, numbers_of_groups, read_problem
from overparam.measures.tables.screening_models import fitting, predictions, task_for
from overparam.streams import Streams


@dataclass(frozen=True)
class TwoScores:
    """Two held-out scores of the same rows, and their difference.

    Attributes:
        one, other: the scores. difference: one - other. chance: the trivial baseline.
        measure: ``balanced accuracy``, ``accuracy`` or ``R² of ranks``.
    """

    one: ScoreEstimate
    other: ScoreEstimate
    difference: ScoreEstimate
    chance: float
    measure: str


def score_without_columns(
    fit: Any,
    table: Any,
    target: Any,
    columns: Any,
    *,
    task: str | None = None,
    groups: Any = None,
    balanced: bool = True,
    n_folds: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
) -> TwoScores:
    """Return a model's held-out score with all columns, without some, and what these are worth.

    Args:
        fit: an unfitted scikit-learn estimator, of which clones are fitted; a function
            ``fit(rows, targets)`` that returns ``predict(rows)``, which gives classes or numbers
            `[n]`, or probabilities `[n, classes]` in the sorted order of the classes; or None for a
            forest of 100 trees.
        table, target, task, balanced: as in `estimate_column_scores`; `fit` is given rows of both.
            Without a task, a classifier of scikit-learn has classes. Predicted probabilities are
            divided by the classes' shares where classes count alike.
        columns: names of those that are left out in the second score, or positions (of which none
            is a name), or one of them by itself.
        groups: `[n]`, rows that belong together: of one fold, and intervals are wider by how much
            more sums over groups spread than rows.

    Returns:
        `TwoScores`, ``one`` with the columns and ``other`` without, in the same folds.

    Raises:
        DataError: as `estimate_column_scores`, fewer groups than folds, predictions of another
            shape, or of what is no class of the target. UsageError: no such column, none of them or
            all, something that cannot be fitted, or a classifier for numbers. CodeError: the model
            raised.

    Cost: 2 n_folds fits. Assumption: intervals are those of independent rows, widened by sqrt(1.5)
    since models of other folds share rows; a model that varies much with its rows varies more.

    >>> y = np.arange(40) % 2
    >>> x = np.stack([np.arange(40) // 2 % 2, y], axis=1)
    >>> from sklearn.naive_bayes import GaussianNB
    >>> found = score_without_columns(GaussianNB(), x, y, [1])
    >>> found.one.score, found.chance
    (1.0, 0.5)
    """
    task = task_for(fit, task)
    of = Crossing.of(table, target, task, groups, balanced, n_folds, confidence, seed)
    return scores_without(fit, table, of, [columns])[0]


def scores_without(fit: Any, table: Any, of: Crossing, sets: Sequence[Any]) -> list[TwoScores]:
    """Return `score_without_columns` for several sets of columns, the whole fitted once."""
    train, inputs = fitting(fit, table, of.columns, of.scale.target.task, of.seed)
    stays = []
    for columns in sets:
        left_out = positions_of(columns, of.columns)
        if not 0 < len(left_out) < len(of.columns):
            raise UsageError(
                "some of the columns must be left out, and not all",
                got=f"{len(left_out)} of {len(of.columns)}",
            )
        stays.append([i for i in range(len(of.columns)) if i not in left_out])
    whole = of.outcomes(train, inputs, of.folds)
    return [
        of.compare(whole, of.outcomes(train, take(inputs, None, stay), of.folds)) for stay in stays
    ]


def score_in_blocks(
    fit: Any,
    table: Any,
    target: Any,
    *,
    task: str | None = None,
    groups: Any = None,
    balanced: bool = True,
    n_folds: int = 5,
    confidence: float = 0.95,
    seed: int = 0,
) -> TwoScores:
    """Return a model's held-out score with shuffled folds, and with folds of rows in a row.

    Where neighbours resemble each other (one writer, one day, one machine), shuffled folds have
    neighbours of the held-out rows in training, and flatter.

    Args:
        fit, table, target, task, groups, balanced: as in `score_without_columns`. Rows in the order
            in which they were recorded; sort by date for blocks of time. A group is of the block
            of its first row. Of rows sorted by class, blocks lack classes: the difference then
            says only that.

    Returns:
        `TwoScores`, ``one`` shuffled and ``other`` in blocks.

    Raises:
        As `score_without_columns`.

    Cost: 2 n_folds fits.

    >>> x = np.repeat(np.arange(20.0), 5)[:, None]  # neighbours are alike, and nothing else is
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> found = score_in_blocks(KNeighborsClassifier(1), x, np.repeat(np.arange(20) % 3 % 2, 5))
    >>> found.one.score, found.other.score < 0.8
    (1.0, True)
    """
    task = task_for(fit, task)
    of = Crossing.of(table, target, task, groups, balanced, n_folds, confidence, seed)
    train, inputs = fitting(fit, table, of.columns, of.scale.target.task, of.seed)
    _, first, group = np.unique(of.groups, return_index=True, return_inverse=True)
    blocks = (np.arange(len(of.folds)) * n_folds // len(of.folds))[first][group]
    return of.compare(of.outcomes(train, inputs, of.folds), of.outcomes(train, inputs, blocks))


@dataclass(frozen=True, eq=False)
class Crossing:
    """A checked table and target, and the fold and the group of each row."""

    columns: tuple[Column, ...]
    scale: Scale
    folds: np.ndarray
    groups: np.ndarray
    confidence: float
    seed: int

    @staticmethod
    def of(
        table: Any,
        target: Any,
        task: str | None,
        groups: Any,
        balanced: bool,
        n_folds: int,
        confidence: float,
        seed: int,
    ) -> Crossing:
        """Check and cut; raises as `score_without_columns` does."""
        check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
        columns, known = read_problem(table, target, task, groups)
        rng = Streams(seed).numpy("folds")
        folds, of_rows = folds_of(known, n_folds, rng), np.arange(len(known.codes))
        if groups is not None:
            of_rows = numbers_of_groups(groups, len(of_rows))
            n_groups = int(of_rows.max()) + 1
            if n_groups < n_folds:
                raise DataError("there are fewer groups than folds", got=n_groups, allowed=n_folds)
            folds = (rng.permutation(n_groups) % n_folds)[of_rows]
        return Crossing(columns, Scale(known, balanced), folds, of_rows, confidence, seed)

    def outcomes(self, train: Any, inputs: Any, folds: np.ndarray) -> np.ndarray:
        """Return what each row adds to the score, by models fitted to the rows of other folds."""
        target, n = self.scale.target, len(folds)
        said = np.zeros((n, target.n_classes) if target.n_classes else n)
        for fold in np.unique(folds):
            inside, held = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            rows, held_out = take(inputs, inside), take(inputs, held)
            said[held] = predictions(train, rows, target.given[inside], held_out, len(held), target)
        return self.scale.outcomes(self.scale.decided(said))

    def compare(self, one: np.ndarray, other: np.ndarray) -> TwoScores:
        """Return the scores of two outcomes of each row."""
        scale, confidence = self.scale, self.confidence
        apart = scale.difference(one, other, confidence)
        return TwoScores(
            self._widened(scale.estimate(one, confidence), one, scale.lowest),
            self._widened(scale.estimate(other, confidence), other, scale.lowest),
            self._widened(apart, one - other, scale.lowest - 1),
            scale.chance,
            scale.name,
        )

    def _widened(self, found: ScoreEstimate, outcomes: np.ndarray, lowest: float) -> ScoreEstimate:
        sizes, wider = np.bincount(self.groups), 1.0
        if sizes.max() > 1:
            apart = self.scale.deviations(outcomes)
            of_rows = float((apart**2).sum())
            of_groups = float((np.bincount(self.groups, apart) ** 2).sum())
            # Rows that are all right (or wrong) do not say that every group is: each counts once.
            wider = of_groups / of_rows if of_rows > 0 else len(outcomes) / len(sizes)
        return found.widened(CROSS_FITTED * max(wider, 1.0) ** 0.5, lowest)
