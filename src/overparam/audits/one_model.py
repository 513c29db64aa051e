"""`OneModel`: the recipe on all rows, once, and what it says of them along the way."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from overparam.audits.course import Course, WatchCourse
from overparam.audits.subject import Subject
from overparam.ensembles.learners import NetworkLearner
from overparam.ensembles.statements import statements
from overparam.measures.rows_seen import watchable
from overparam.streams import Streams
from overparam.training.fitted import predict
from overparam.training.fitted_estimator import FittedEstimator
from overparam.training.request import solve
from overparam.training.train import train


@dataclass(frozen=True, eq=False)
class Said:
    """What one model says of some rows.

    Attributes:
        outputs: float64 `[n, classes]`, or predictions `[n]` of numbers.
        loss: `[n]`, 1 where wrong and 0 where right, or the squared error as a share of the
            training targets' variance; NaN of a model that diverged.
        probabilities: `[n, classes]`, where there are any; else None.
    """

    outputs: np.ndarray
    loss: np.ndarray
    probabilities: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class OneModel:
    """One model on all rows.

    Attributes:
        fitted: the model; None where it cannot be sent from the process that trained it.
        train, test: what it says of the rows that it was trained on,
            and of test rows (None where there are none).
        seconds: that its training took, on one core.
        epochs: `[T]`, where it was looked at on the way; empty of what is not trained by epochs.
        row_losses: `[T, n]`, each training row's own loss (nats, or squared error) there.
        course: what it said of training and test rows there; None of what is not trained by epochs
            (`Evidence.course` has that of boosting, too).
    """

    fitted: Any
    train: Said
    test: Said | None
    seconds: float
    epochs: np.ndarray
    row_losses: np.ndarray
    course: Course | None = None

    @cached_property
    def train_loss(self) -> float:
        """Mean loss on the rows that it was trained on."""
        return float(self.train.loss.mean())

    @property
    def last_step(self) -> Any:
        """The fitted estimator, or what its pipeline ends in; None of other models."""
        model = getattr(self.fitted, "model", None)
        steps = getattr(model, "steps", None)
        return steps[-1][1] if steps else model

    @property
    def fits_everything(self) -> bool:
        """Whether no training row is wrong; of numbers, whether less than 1e-4 of the variance is
        left."""
        least = 0.0 if self.train.outputs.ndim == 2 else 1e-4
        return bool(self.train_loss <= least)


def fit_one(learner: Any, subject: Subject, seed: int) -> OneModel:
    """Train the recipe on all rows and ask it about all of them.

    Raises:
        OverparamError: whatever keeps the model from being trained.
    """
    streams = Streams(seed).child("one model")
    start = time.perf_counter()
    fitted, epochs, losses, course = _fit(learner, streams, subject)
    seconds = time.perf_counter() - start
    return OneModel(
        fitted,
        said_of(fitted, learner.inputs, subject.train.labels, subject),
        None
        if subject.test is None
        else said_of(fitted, learner.test_inputs, subject.test.labels, subject),
        seconds,
        epochs,
        losses,
        course,
    )


def said_of(fitted: Any, inputs: Any, labels: np.ndarray, subject: Subject) -> Said:
    """Return what a fitted model says of rows with these labels."""
    if fitted.status == "diverged":
        nothing = np.full((len(labels), subject.train.n_outputs), np.nan)
        return Said(nothing, np.full(len(labels), np.nan))
    outputs = solve(predict(fitted, inputs)).reshape(len(labels), -1).double().numpy()
    if not subject.has_classes:
        apart = (outputs - labels.reshape(outputs.shape)) ** 2
        variance = float(np.var(subject.train.labels)) or 1.0
        return Said(outputs[:, 0], apart.mean(1) / variance)
    predicted = fitted.chosen(inputs, outputs) if isinstance(fitted, FittedEstimator) else None
    said = statements(outputs, fitted.form, labels, predicted)
    is_told = fitted.form in ("logits", "probabilities")
    return Said(outputs, 1.0 - said.correct, said.probabilities if is_told else None)


def _fit(
    learner: Any, streams: Streams, subject: Subject
) -> tuple[Any, np.ndarray, np.ndarray, Course | None]:
    n = subject.n_rows
    if not isinstance(learner, NetworkLearner):
        return solve(learner.fit(np.arange(n), streams)), np.empty(0), np.empty((0, n)), None
    recipe = watchable(learner.recipe, n)
    sets = {} if learner.test_data is None else {"test": learner.test_data}
    watch = WatchCourse(learner.data, learner.test_data, len(recipe.traced_epochs(n)))
    fitted = solve(
        train(learner.make(streams), learner.data, recipe, streams, evaluate=sets, watch=watch)
    )
    seen = fitted.trace.watched
    losses = np.stack([s.row_loss for s in seen]).astype(float) if seen else np.empty((0, n))
    epochs = np.asarray(fitted.trace.epoch)
    return replace(fitted, recipe=learner.recipe), epochs, losses, watch.course(epochs, seen)
