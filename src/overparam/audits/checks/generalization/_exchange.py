"""What a model loses when a part of its inputs comes from other rows, or was never there."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from overparam.audits.checks.generalization._parts import Part, parts_of
from overparam.audits.checks.generalization.error import baseline_loss
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.one_model import said_of
from overparam.audits.subject import Subject
from overparam.data.accepted import as_dataset
from overparam.data.examples import Examples
from overparam.data.rows import is_table, take_rows
from overparam.ensembles.learners import NetworkLearner
from overparam.ensembles.prepare import prepare
from overparam.streams import Streams
from overparam.training.request import solve

HALF = 0.5  # of what the model knows beyond a constant answer, that is looked for in one part
_MOST_ROWS = 1000  # on which parts are exchanged
_MOST_TRIES = 200  # parts that are looked at
_FEWEST = 40  # unseen rows
_LEFT_OUT = 0.3  # of the training rows, where there is no test set


@dataclass(frozen=True, eq=False)
class Exchanged:
    """One part, exchanged: loss `[r]` with it, and the share of knowledge lost, with bounds."""

    part: Part
    loss: np.ndarray
    share: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Probed:
    """A model and rows that it did not see.

    Attributes:
        fitted: the model. learner: that made it. train: what it was trained on. unseen: the rows.
        loss: `[r]`, of the model on them. baseline: mean loss of the best constant answer.
    """

    fitted: Any
    learner: Any
    train: Examples
    unseen: Examples
    loss: np.ndarray
    baseline: float


def probed(evidence: Evidence) -> Probed:
    """Return the one model and test rows; without a test set one that leaves out some rows."""
    subject, one = evidence.subject, evidence.one
    if subject.test is not None and len(subject.test) >= _FEWEST:
        train, unseen = subject.train, _some(subject.test, evidence.seed)
        learner, fitted = _learner(subject, train, evidence.seed), one.fitted
    else:
        train, unseen = _apart(evidence)
        learner, fitted = _learner(subject, train, evidence.seed), None
    if len(unseen) < _FEWEST:
        raise Missing("skipped", f"fewer than {_FEWEST} rows that a model did not see")
    if fitted is None:  # also where it could not be sent from the process that trained it
        fitted = _fit(learner, len(train), evidence.seed)
    if fitted.status == "diverged":
        raise Missing("skipped", "the model diverged")
    loss = _ask(subject, learner, fitted, unseen, unseen.inputs)
    return Probed(fitted, learner, train, unseen, loss, baseline_loss(evidence))


def _apart(evidence: Evidence) -> tuple[Examples, Examples]:
    """Return training rows to fit, and others, drawn; what belongs together stays together."""
    subject = evidence.subject
    n = subject.n_rows
    group = np.arange(n) if evidence.groups is None else evidence.groups
    names, number = np.unique(group, return_inverse=True)
    rng = Streams(evidence.seed).child("shortcut").numpy("rows")
    out = (rng.permutation(len(names)) < max(round(_LEFT_OUT * len(names)), 1))[number]
    if subject.has_classes and len(np.unique(subject.train.labels[~out])) < 2:
        raise Missing("skipped", "too few rows to leave some out")
    return _rows(subject.train, ~out), _some(_rows(subject.train, out), evidence.seed)


def _rows(data: Examples, which: np.ndarray) -> Examples:
    rows = np.flatnonzero(which) if which.dtype == bool else which
    return replace(data, inputs=take_rows(data.inputs, rows), labels=data.labels[rows])


def _some(data: Examples, seed: int) -> Examples:
    if len(data) <= _MOST_ROWS:
        return data
    rng = Streams(seed).child("shortcut").numpy("unseen rows")
    return _rows(data, np.sort(rng.choice(len(data), _MOST_ROWS, replace=False)))


def _learner(subject: Subject, train: Examples, seed: int) -> Any:
    # Arguments of the fit, such as weights, are of all rows: of fewer they are left out.
    arguments = subject.arguments if len(train) == subject.n_rows else None
    return prepare(
        subject.model, train, recipe=subject.recipe, seed=seed, arguments=arguments
    ).learner


def _fit(learner: Any, n_rows: int, seed: int) -> Any:
    return solve(learner.fit(np.arange(n_rows), Streams(seed).child("one model")))


def _ask(subject: Subject, learner: Any, fitted: Any, rows: Examples, inputs: Any) -> np.ndarray:
    """Return the loss of a model on rows that have these inputs, `[r]`."""
    if isinstance(learner, NetworkLearner):
        inputs = as_dataset((inputs, rows.labels), name="unseen", like=learner.data).inputs
    return np.asarray(said_of(fitted, inputs, rows.labels, subject).loss, float)


def exchanged_parts(evidence: Evidence, model: Probed) -> list[Exchanged]:
    """Return the parts that were exchanged; where half may hang on one, those inside it too."""
    rng = Streams(evidence.seed).child("shortcut").numpy("exchange")
    source = _elsewhere(len(model.unseen), rng)
    waiting = parts_of(model.unseen.inputs)
    level = (1 - evidence.confidence) / sum(part.n_leaves for part in waiting)
    tried: dict[int, Exchanged] = {}
    while waiting and len(tried) < _MOST_TRIES:
        part = waiting.pop(0)
        if id(part) in tried:
            continue  # patches overlap
        inputs = part.exchange(model.unseen.inputs, source)
        loss = _ask(evidence.subject, model.learner, model.fitted, model.unseen, inputs)
        tried[id(part)] = found = _exchanged(part, loss, model, level)
        if found.high >= HALF:
            waiting.extend(part.inside)
    return list(tried.values())


def _exchanged(part: Part, loss: np.ndarray, model: Probed, alpha: float) -> Exchanged:
    """Return the share of what the model knows that is lost with a part; a ratio of two means,
    with bounds by the delta method."""
    lost, known = loss - model.loss, model.baseline - model.loss
    share = float(lost.mean() / known.mean())
    half = half_width(lost - share * known, alpha) / float(known.mean())
    return Exchanged(part, loss, share, share - half, share + half)


def _elsewhere(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return another row for each row, drawn: one cycle through all of them in random order."""
    order = rng.permutation(n)
    source = np.empty(n, np.int64)
    source[order] = np.roll(order, 1)
    return source


def loss_without(evidence: Evidence, model: Probed, part: Part) -> np.ndarray:
    """Return the loss of the recipe fitted and asked where the part is of other rows, `[r]`."""
    rng = Streams(evidence.seed).child("shortcut").numpy("without")
    train, unseen = (
        replace(d, inputs=part.exchange(d.inputs, _elsewhere(len(d), rng)))
        for d in (model.train, model.unseen)
    )
    learner = _learner(evidence.subject, train, evidence.seed)
    fitted = _fit(learner, len(train), evidence.seed)
    if fitted.status == "diverged":
        raise Missing("skipped", f"the model diverges without {part.name}")
    return _ask(evidence.subject, learner, fitted, unseen, unseen.inputs)


def loss_alone(evidence: Evidence, model: Probed, part: Part) -> np.ndarray:
    """Return the loss of a forest that is given the part and nothing else, `[r]`."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    both = _joined(part, model)
    train, unseen = both[: len(model.train)], both[len(model.train) :]
    labels, target = model.train.labels, model.unseen.labels
    seed = Streams(evidence.seed).entropy("shortcut alone") % 2**32
    how: dict[str, Any] = {"n_estimators": 50, "min_samples_leaf": 3, "random_state": seed}
    if evidence.subject.has_classes:
        said = RandomForestClassifier(**how).fit(train, labels).predict(unseen)
        return (said != target).astype(float)
    said = RandomForestRegressor(**how).fit(train, labels[:, 0]).predict(unseen)
    return np.asarray((said - target[:, 0]) ** 2 / (float(np.var(labels)) or 1.0))


def _joined(part: Part, model: Probed) -> np.ndarray:
    """Return what the part says of training and unseen rows, numbered as one column."""
    inputs = [model.train.inputs, model.unseen.inputs]
    if is_table(inputs[0]):
        import pandas as pd

        frames = [pd.DataFrame({n: list(i[n]) for n in i.columns}) for i in inputs]
        return part.values(pd.concat(frames, ignore_index=True))
    return part.values(np.concatenate([np.asarray(i) for i in inputs]))


def half_width(values: np.ndarray, alpha: float) -> float:
    """Return half the length of the t interval of a mean; of losses that agree, not 0."""
    n = len(values)
    spread = float(values.std(ddof=1)) / n**0.5
    return float(stdtrit(n - 1, 1 - alpha / 2)) * max(spread, 0.5 / n)
