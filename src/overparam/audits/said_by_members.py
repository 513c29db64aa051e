"""What every member of an ensemble says of rows that it did not see, as arrays for measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.audits.evidence import Evidence
from overparam.audits.subset_models import SubsetModels
from overparam.ensembles.statements import VOTES

_MOST_ENTRIES = 40_000_000  # models x rows x classes that are looked at; of more, rows are drawn


@dataclass(frozen=True, eq=False)
class Unseen:
    """What members say of rows that they did not see.

    Attributes:
        outputs: `[K, r, classes]` probabilities, `[K, r]` positions of classes where members only
            name one, or predictions `[K, r]` of numbers, in units of the targets' deviation; NaN
            where a member saw the row.
        targets: `[r]`, positions of classes, or numbers in the same unit.
        in_subset: bool `[K, r]`, or None of test rows.
        rows: int64 `[r]`, positions in the training set, or in the test set.
        are_test: whether they are test rows.
    """

    outputs: np.ndarray
    targets: np.ndarray
    in_subset: np.ndarray | None
    rows: np.ndarray
    are_test: bool


def unseen_of(evidence: Evidence, models: SubsetModels, *, tested: bool | None = None) -> Unseen:
    """Return what members say of test rows, or, without any, of training rows left out.

    Args:
        tested: whether test rows are asked for; by default if there are any.
    """
    are_test = models.test_loss is not None if tested is None else tested
    if not models.has_classes:
        return _of_numbers(models, are_test)
    return _of_test_rows(evidence, models) if are_test else _of_left_out(evidence, models)


def _of_numbers(models: SubsetModels, are_test: bool) -> Unseen:
    ensemble, masks, unit = models.ensemble, models.in_subset, models.unit
    if are_test:
        said = np.asarray(ensemble.test_predictions, float) / unit
        targets = np.asarray(ensemble.test_targets, float) / unit
        return Unseen(said, targets, None, np.arange(len(targets)), True)
    said = np.where(masks, np.nan, np.asarray(ensemble.predictions, float) / unit)
    targets = np.asarray(ensemble.targets, float) / unit
    return Unseen(said, targets, masks, np.arange(len(targets)), False)


def _of_test_rows(evidence: Evidence, models: SubsetModels) -> Unseen:
    test = evidence.test if evidence.subject.test is not None else None
    columns = models.ensemble.columns
    labels = np.array(models.ensemble.members.about["test_labels"], np.int64)
    assert test is None or len(test) == len(labels)  # the members were asked about these
    said = np.stack([np.asarray(p, np.float32) for p in columns.each("test_probabilities")])
    return Unseen(_votes_or(models, said), labels, None, np.arange(len(labels)), True)


def _of_left_out(evidence: Evidence, models: SubsetModels) -> Unseen:
    masks, ensemble = models.in_subset, models.ensemble
    n_classes = len(ensemble.classes)
    most = max(_MOST_ENTRIES // (len(masks) * n_classes), 1000)
    n = masks.shape[1]
    # Evenly spaced rows of a fixed order: the same each time, whatever the budget.
    rows = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
    said = np.concatenate(
        [
            block[:, np.isin(np.arange(r.start, r.stop), rows)]
            for r, block in ensemble.columns.outside()
        ],
        axis=1,
    )
    return Unseen(_votes_or(models, said), ensemble.labels[rows], masks[:, rows], rows, False)


def _votes_or(models: SubsetModels, said: np.ndarray) -> np.ndarray:
    """Return probabilities, or positions of classes where a member only names one."""
    if models.ensemble.members.measured[0].outcome.form != VOTES:
        return said
    known = np.isfinite(said).all(-1)
    return np.where(known, np.where(known[..., None], said, 0).argmax(-1), np.nan)
