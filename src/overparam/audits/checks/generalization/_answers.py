"""One answer to each of many rows, of a model that did not see the row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.audits.evidence import Evidence, Missing
from overparam.audits.said_by_members import unseen_of
from overparam.streams import Streams

_FEWEST = 20  # rows, below which nothing is told of probabilities or groups


@dataclass(frozen=True, eq=False)
class Answers:
    """One answer to each of r rows, of a model that was not trained on the row.

    Attributes:
        loss: `[r]`, 1 where the class is wrong, else 0.
        probabilities: `[r, classes]`; None of models that only name a class.
        labels: int64 `[r]`, positions of classes.
        rows: int64 `[r]`, in the test set or in the training set. are_test: in which.
        group: int64 `[r]`, what belongs together; None where rows are independent.
        where: of which rows and models, as in a sentence.
    """

    loss: np.ndarray
    probabilities: np.ndarray | None
    labels: np.ndarray
    rows: np.ndarray
    are_test: bool
    group: np.ndarray | None
    where: str


def answers_of(evidence: Evidence) -> Answers:
    """Return the one model's answers to test rows; else of each row one model that left it out.

    The mean of many models is another model, and mostly a better calibrated one: so of the models
    on subsets one is drawn for each row.

    Raises:
        Missing: nothing was measured of it, or hardly a row is known.
    """
    said = _of_the_one(evidence) or _of_members(evidence)
    if len(said.rows) < _FEWEST:
        raise Missing("skipped", f"fewer than {_FEWEST} rows that a model did not see")
    return said


def one_of_each_group(said: Answers) -> np.ndarray:
    """Return positions among the answers, one of each group: what is independent."""
    if said.group is None:
        return np.arange(len(said.rows))
    return np.unique(said.group, return_index=True)[1]


def _of_the_one(evidence: Evidence) -> Answers | None:
    if not evidence.has("one") or evidence.one.test is None:
        return None
    test = evidence.one.test
    if not np.isfinite(test.loss).all():
        return None  # it diverged
    n = len(test.loss)
    return Answers(
        test.loss, test.probabilities, evidence.test.labels, np.arange(n), True,
        _group_of_test(evidence), f"on {n:,} test rows",
    )  # fmt: skip


def _of_members(evidence: Evidence) -> Answers:
    if not evidence.has("models"):
        evidence.require("one" if not evidence.has("one") else "models")  # says why
    models = evidence.models
    are_test = models.test_loss is not None
    said = unseen_of(evidence, models, tested=are_test)
    loss = models.test_loss if models.test_loss is not None else models.unseen_loss
    loss = np.asarray(loss, float)[:, said.rows]
    who, is_known = _one_of_each(np.isfinite(loss), evidence.seed)
    kept = np.flatnonzero(is_known)
    group = _group_of_test(evidence) if are_test else evidence.groups
    spoken = said.outputs.ndim == 3  # else positions of classes alone
    n = int(models.n_trained[0])
    rows = "test rows" if are_test else "rows left out"
    return Answers(
        loss[who[kept], kept],
        said.outputs[who[kept], kept] if spoken else None,
        np.asarray(said.targets, np.int64)[kept],
        said.rows[kept],
        are_test,
        None if group is None else np.unique(group[said.rows[kept]], return_inverse=True)[1],
        f"on {len(kept):,} {rows}, of models trained on {n:,} rows",
    )


def _group_of_test(evidence: Evidence) -> np.ndarray | None:
    """Return which test rows are copies of each other; None where none are."""
    if evidence.subject.has_no_inputs or evidence.copies.group_of_other is None:
        return None
    names, group = np.unique(evidence.copies.group_of_other, return_inverse=True)
    return group if len(names) < len(group) else None


def _one_of_each(known: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a model drawn for each row among those `[K, r]` that know it, and whether any does."""
    drawn = Streams(seed).child("one answer to each row").numpy("models").random(known.shape)
    return np.where(known, drawn, -1.0).argmax(0), np.asarray(known.any(0))
