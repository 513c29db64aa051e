"""`Course`: what one model says of training and test rows at steps along its training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from overparam.audits.subject import Subject
from overparam.data.dataset import Dataset
from overparam.data.rows import take_rows
from overparam.measures.rows_seen import MOST_LOOKS
from overparam.training.fitted import Fitted
from overparam.training.fitted_estimator import FittedEstimator, asking
from overparam.training.losses import loss_values

MOST_ROWS = 20_000  # of either set that are followed; of more, evenly spread ones
_MOST_ENTRIES = 20_000_000  # probabilities that are kept: steps x rows x classes


@dataclass(frozen=True, eq=False)
class Course:
    """What one model says along its training.

    Errors are 1 where a class is wrong and 0 where it is right, or the squared error as a share of
    the training targets' variance, as everywhere in an audit.

    Attributes:
        unit: ``epoch`` or ``round``. steps: int `[T]`, those that were looked at, from 1.
        rows: int64 `[r]`, training rows that were followed. error: `[T, r]`.
        test_rows: int64 `[s]`, of the test rows. test_error: `[T, s]`; both None without any.
        told_rows: int64 `[q]`, test rows whose probabilities were kept. probabilities:
            float32 `[T, q, classes]`; both None where the model gives none.
    """

    unit: str
    steps: np.ndarray
    rows: np.ndarray
    error: np.ndarray
    test_rows: np.ndarray | None = None
    test_error: np.ndarray | None = None
    told_rows: np.ndarray | None = None
    probabilities: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network says at one epoch: row_loss `[n]`, and the rest as in `Course`."""

    row_loss: np.ndarray
    error: np.ndarray
    test_error: np.ndarray | None
    probabilities: np.ndarray | None


@dataclass(frozen=True, eq=False)
class WatchCourse:
    """A ``watch`` of `train`: every training row's loss, and the course of the rows followed.

    Args:
        train, test: the sets; test may be None. n_looks: epochs that are traced.

    Cost: a pass forward over both sets at each traced epoch.
    """

    train: Dataset
    test: Dataset | None
    n_looks: int

    def __call__(self, fitted: Fitted) -> Seen:
        """Return what the network says now."""
        outputs = fitted.outputs(self.train.inputs)
        loss = loss_values(fitted.recipe.loss, outputs, self.train.labels).float().numpy()
        error = _errors(outputs, self.train, self._variance)
        rows = evenly(len(self.train), MOST_ROWS)
        if self.test is None:
            return Seen(loss, error[rows], None, None)
        tested = fitted.outputs(self.test.inputs)
        followed = _errors(tested, self.test, self._variance)[evenly(len(self.test), MOST_ROWS)]
        said = None
        if fitted.form == "logits":
            some = tested[self._told(tested.shape[1])].double()
            said = some.softmax(1).float().numpy()
        return Seen(loss, error[rows], followed, said)

    def course(self, epochs: np.ndarray, seen: Sequence[Seen]) -> Course | None:
        """Return what was seen at these epochs as one course; None where nothing was."""
        if not seen:
            return None
        rows = evenly(len(self.train), MOST_ROWS)
        error = np.stack([s.error for s in seen])
        if self.test is None:
            return Course("epoch", epochs, rows, error)
        tested = np.stack([s.test_error for s in seen if s.test_error is not None])
        said = [s.probabilities for s in seen if s.probabilities is not None]
        at = evenly(len(self.test), MOST_ROWS)
        if not said:
            return Course("epoch", epochs, rows, error, at, tested)
        told = self._told(said[0].shape[1])
        return Course("epoch", epochs, rows, error, at, tested, told, np.stack(said))

    def _told(self, n_classes: int) -> np.ndarray:
        assert self.test is not None  # asked of test rows alone
        return _told_of(len(self.test), self.n_looks, n_classes)

    @property
    def _variance(self) -> float:
        if self.train.n_classes is not None:
            return 1.0
        return float(np.var(self.train.labels.numpy())) or 1.0


def course_of_rounds(fitted: Any, subject: Subject) -> Course | None:
    """Return the course of boosting, whose `staged_predict` tells what each round said.

    None of a model that has none, or was trained in one round.

    Cost: as asking the model about 20,000 training and test rows, once a round.
    """
    staged = _staged(fitted)
    if staged is None:
        return None
    with asking(fitted.name):
        rows = evenly(subject.n_rows, MOST_ROWS)
        every = _staged_errors(staged, fitted, subject, subject.train, rows)
        steps = evenly(len(every), MOST_LOOKS)
        course = Course("round", steps + 1, rows, every[steps])
        if subject.test is None or len(steps) < 2:
            return course
        at = evenly(len(subject.test), MOST_ROWS)
        tested = _staged_errors(staged, fitted, subject, subject.test, at)[steps]
        followed = replace(course, test_rows=at, test_error=tested)
        if not subject.has_classes or not _tells_all_classes(staged[-1], subject):
            return followed
        told = _told_of(len(subject.test), len(steps), subject.train.n_outputs)
        inputs, kept = _prepared(staged, fitted, subject.test, told), set(steps.tolist())
        said = [
            np.asarray(p, np.float32)
            for t, p in enumerate(staged[-1].staged_predict_proba(inputs))
            if t in kept
        ]
        return replace(followed, told_rows=told, probabilities=np.stack(said))


def _staged(fitted: Any) -> tuple[Any, Any] | None:
    """Return what comes before an estimator with stages, or None, and the estimator."""
    last: Any = fitted.model if isinstance(fitted, FittedEstimator) else None
    before = None
    if len(getattr(last, "steps", ())) > 1:
        before, last = last[:-1], last[-1]
    return (before, last) if hasattr(last, "staged_predict") else None


def _staged_errors(
    staged: tuple[Any, Any], fitted: FittedEstimator, subject: Subject, of: Any, rows: np.ndarray
) -> np.ndarray:
    """Return the errors of some rows after each round, `[rounds, r]`."""
    said: Iterator[Any] = staged[1].staged_predict(_prepared(staged, fitted, of, rows))
    if subject.has_classes:
        labels = of.given_labels(rows)
        return np.stack([(np.asarray(s) != labels).astype(np.float32) for s in said])
    labels, variance = of.labels[rows, 0], float(np.var(subject.train.labels)) or 1.0
    return np.stack([(np.asarray(s, float).reshape(-1) - labels) ** 2 / variance for s in said])


def _prepared(staged: tuple[Any, Any], fitted: FittedEstimator, of: Any, rows: np.ndarray) -> Any:
    """Return inputs of some rows, as the estimator with stages is given them."""
    inputs = take_rows(of.inputs, rows)
    if fitted.flat and isinstance(inputs, np.ndarray) and inputs.ndim > 2:
        inputs = inputs.reshape(len(inputs), -1)
    return inputs if staged[0] is None else staged[0].transform(inputs)


def _tells_all_classes(estimator: Any, subject: Subject) -> bool:
    """Whether probabilities of each round have a column for each class, in order."""
    seen = np.asarray(getattr(estimator, "classes_", ())).tolist()
    assert subject.train.classes is not None  # asked of classes alone
    return hasattr(estimator, "staged_predict_proba") and seen == subject.train.classes.tolist()


def _errors(outputs: torch.Tensor, of: Dataset, variance: float) -> np.ndarray:
    """Return the error of each row, float32 `[n]`; outputs that are NaN are wrong."""
    said = outputs.reshape(len(outputs), -1)
    if of.n_classes is not None:
        wrong = (said.argmax(1) != of.labels) | said.isnan().any(1)
        return wrong.float().numpy()
    apart = said.double() - of.labels.reshape(said.shape).double()
    return ((apart**2).mean(1) / variance).float().numpy()


def _told_of(n_rows: int, n_steps: int, n_classes: int) -> np.ndarray:
    most = max(_MOST_ENTRIES // max(n_steps * n_classes, 1), 100)
    return evenly(n_rows, min(most, MOST_ROWS))


def evenly(n: int, most: int) -> np.ndarray:
    """Return at most so many of n positions, evenly spread, both ends among them."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(np.int64))
