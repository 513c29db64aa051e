"""OP309: a column or patch that most of what the model knows hangs on, though the rest would do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtrit

from overparam.audits.check import Check
from overparam.audits.checks.generalization._parts import Part, drawable, parts_of
from overparam.audits.checks.generalization.error import baseline_loss
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured, Severity, severity_of_cost
from overparam.audits.one_model import said_of
from overparam.audits.subject import Subject
from overparam.data.accepted import as_dataset
from overparam.data.examples import Examples
from overparam.data.rows import is_sparse, is_table, take_rows
from overparam.ensembles.learners import NetworkLearner
from overparam.ensembles.prepare import prepare
from overparam.lab.figure import Figure, ImageGrid, Table
from overparam.streams import Streams
from overparam.training.request import solve

_HALF = 0.5  # of what the model knows beyond a constant answer
_MOST_ROWS = 1000  # on which parts are exchanged
_MOST_TRIES = 200  # parts that are looked at
_FEWEST = 40  # unseen rows
_LEFT_OUT = 0.3  # of the training rows, where there is no test set
_SHOWN = 6  # images


@dataclass(frozen=True, eq=False)
class _Try:
    """One part, exchanged: loss `[r]` with it, and the share of knowledge lost, with bounds."""

    part: Part
    loss: np.ndarray
    share: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class _Model:
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


def _run(evidence: Evidence) -> Finding:
    model = _model(evidence)
    known = model.baseline - float(model.loss.mean())
    alpha = 1 - evidence.confidence
    if not np.isfinite(known) or known <= _half_width(model.loss, alpha):
        raise Missing("skipped", "the model is not surely better than a constant answer")
    tries = _search(evidence, model)
    most = _largest(tries)
    measured = Measured(100 * most.share, 100 * most.low, 100 * most.high, "% of what it knows")
    table = _table(tries)
    kind = "column" if evidence.subject.is_table else "patch"
    told = f"most hangs on {most.part.name}, without which it loses {measured}"
    if most.high < _HALF:
        return Finding(
            "passed",
            f"No single {kind} carries half of what the model knows; {told}",
            measured=measured,
            figures=(table,),
        )
    if most.low <= _HALF or not most.part.is_leaf:
        return Finding(
            "undecided",
            f"Whether a single {kind} carries half of what the model knows is not told; {told}",
            measured=measured,
            figures=(table,),
        )
    return _retrained(evidence, model, most, measured, table)


def _largest(tries: list[_Try]) -> _Try:
    """Return the part of which most is lost, of those inside which no other was tried."""
    tried = {id(t.part) for t in tries}
    last = [t for t in tries if not any(id(part) in tried for part in t.part.inside)]
    return max(last, key=lambda t: t.share)


def _retrained(
    evidence: Evidence, model: _Model, most: _Try, measured: Measured, table: Table
) -> Finding:
    """Return whether a model that never had the part keeps most of what this one knows."""
    alpha = 1 - evidence.confidence
    without = _loss_without(evidence, model, most.part)
    alone = _loss_alone(evidence, model, most.part)
    # Above 0: the model without the part keeps more than half of what this one knows.
    kept = _HALF * (model.baseline + model.loss) - without
    mean, half = float(kept.mean()), _half_width(kept, alpha)
    errors: dict[str, Any] = {
        "error": 100 * float(model.loss.mean()),
        "error_with_the_part_of_other_rows": 100 * float(most.loss.mean()),
        "error_of_a_model_trained_without_it": 100 * float(without.mean()),
        "error_of_the_part_alone": 100 * float(alone.mean()),
        "error_of_a_constant_answer": 100 * model.baseline,
        "part": most.part.name,
    }
    name, common = most.part.name, {"measured": measured, "details": errors}
    told = (
        f"its error is {errors['error']:.3g} points, {100 * float(most.loss.mean()):.3g} with that "
        f"of another row, and {100 * float(without.mean()):.3g} if it is trained without"
    )
    if mean + half < 0:
        return Finding(
            "passed",
            f"The model hangs on {name}, and nothing else tells as much: {told}",
            figures=(table,),
            **common,
        )
    if mean - half <= 0:
        return Finding(
            "undecided",
            f"The model hangs on {name}, and whether the rest would do is not told: {told}",
            figures=(table,),
            **common,
        )
    cost = _cost(model, most, without, alpha)
    severity, natural = _severity(evidence, cost, without - alone, alpha)
    return Finding(
        "found",
        f"The model hangs on {name}, though the rest would do: {told}. Where it means something "
        f"else that loses {cost} for no need"
        + ("; it may be a strong and honest column" if natural else ""),
        severity=severity,
        cost=cost,
        action="ask whether it will be there, and mean the same, where the model is used; if not, "
        "train without it, or with it exchanged between rows, which costs what is told here",
        figures=(table, *_pictures(model, most)),
        **common,
    )


def _model(evidence: Evidence) -> _Model:
    """Return the one model and test rows; without a test set one that leaves out some rows."""
    subject, one = evidence.subject, evidence.one
    if subject.test is not None and len(subject.test) >= _FEWEST:
        fitted, learner = one.fitted, _learner(subject, subject.train, evidence.seed)
        train, unseen = subject.train, _some(subject.test, evidence.seed)
    else:
        train, unseen = _apart(evidence)
        learner = _learner(subject, train, evidence.seed)
        fitted = _fit(learner, len(train), evidence.seed)
    if len(unseen) < _FEWEST:
        raise Missing("skipped", f"fewer than {_FEWEST} rows that a model did not see")
    if fitted.status == "diverged":
        raise Missing("skipped", "the model diverged")
    loss = _ask(subject, learner, fitted, unseen, unseen.inputs)
    return _Model(fitted, learner, train, unseen, loss, baseline_loss(evidence))


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


def _search(evidence: Evidence, model: _Model) -> list[_Try]:
    """Return the parts that were exchanged; where half may hang on one, those inside it too."""
    rng = Streams(evidence.seed).child("shortcut").numpy("exchange")
    source = _elsewhere(len(model.unseen), rng)
    waiting = parts_of(model.unseen.inputs)
    level = (1 - evidence.confidence) / sum(part.n_leaves for part in waiting)
    tried: dict[int, _Try] = {}
    while waiting and len(tried) < _MOST_TRIES:
        part = waiting.pop(0)
        if id(part) in tried:
            continue  # patches overlap
        inputs = part.exchange(model.unseen.inputs, source)
        loss = _ask(evidence.subject, model.learner, model.fitted, model.unseen, inputs)
        tried[id(part)] = found = _tried(part, loss, model, level)
        if found.high >= _HALF:
            waiting.extend(part.inside)
    return list(tried.values())


def _tried(part: Part, loss: np.ndarray, model: _Model, alpha: float) -> _Try:
    """Return the share of what the model knows that is lost with a part; a ratio of two means,
    with bounds by the delta method."""
    lost, known = loss - model.loss, model.baseline - model.loss
    share = float(lost.mean() / known.mean())
    half = _half_width(lost - share * known, alpha) / float(known.mean())
    return _Try(part, loss, share, share - half, share + half)


def _elsewhere(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return another row for each row, drawn: one cycle through all of them in random order."""
    order = rng.permutation(n)
    source = np.empty(n, np.int64)
    source[order] = np.roll(order, 1)
    return source


def _loss_without(evidence: Evidence, model: _Model, part: Part) -> np.ndarray:
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


def _loss_alone(evidence: Evidence, model: _Model, part: Part) -> np.ndarray:
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


def _joined(part: Part, model: _Model) -> np.ndarray:
    """Return what the part says of training and unseen rows, numbered as one column."""
    inputs = [model.train.inputs, model.unseen.inputs]
    if is_table(inputs[0]):
        import pandas as pd

        frames = [pd.DataFrame({n: list(i[n]) for n in i.columns}) for i in inputs]
        return part.values(pd.concat(frames, ignore_index=True))
    return part.values(np.concatenate([np.asarray(i) for i in inputs]))


def _cost(model: _Model, most: _Try, without: np.ndarray, alpha: float) -> Measured:
    """Return the error where the part fails, at most a constant's, less that of doing without."""
    ends = (most.loss - without, model.baseline - without)
    apart = min(ends, key=lambda values: float(values.mean()))
    mean, half = float(apart.mean()), _half_width(apart, alpha)
    return in_points(mean, mean - half, mean + half)


def _severity(
    evidence: Evidence, cost: Measured, apart: np.ndarray, alpha: float
) -> tuple[Severity, bool]:
    """Return how severe it is, and whether it may be a strong and honest column.

    A column that tells most, but no more than the others can replace, is what tables are made of.
    A patch or the colours of images are no such thing.
    """
    surely_more = float(apart.mean()) > _half_width(apart, alpha)
    if evidence.subject.is_table and not surely_more:
        return "low", True
    return severity_of_cost(cost), False


def _half_width(values: np.ndarray, alpha: float) -> float:
    n = len(values)
    spread = float(values.std(ddof=1)) / n**0.5
    return float(stdtrit(n - 1, 1 - alpha / 2)) * max(spread, 0.5 / n)


def _table(tries: list[_Try]) -> Table:
    shown = sorted(tries, key=lambda t: -t.share)[:10]
    return Table(
        "parts_exchanged",
        "What is lost when a part comes from another row",
        "Share of what the model knows beyond a constant answer, on rows that it did not see, in "
        "percent; intervals hold for all parts at once.",
        {
            "part": [t.part.name for t in shown],
            "lost": [str(Measured(100 * t.share, 100 * t.low, 100 * t.high, "%")) for t in shown],
        },
    )


def _pictures(model: _Model, most: _Try) -> tuple[Figure, ...]:
    """Return images, and the same with nothing but the patch left."""
    if most.part.box is None:
        return ()
    shown = np.argsort(-(most.loss - model.loss), kind="stable")[:_SHOWN]
    images = drawable(np.asarray(model.unseen.inputs)[shown])
    top, left, height, width = most.part.box
    patches = np.full_like(images, np.nan)
    where = (slice(None), slice(top, top + height), slice(left, left + width))
    patches[where] = images[where]
    low, high = float(images.min()), float(images.max())
    return (
        ImageGrid(
            "shortcut",
            f"The model hangs on {most.part.name}",
            "Rows that the model did not see and gets wrong where the patch comes from another "
            "row: above as they are, below the patch alone.",
            np.stack([images, patches]),
            ["as given", "the patch"],
            [str(model.unseen.given_labels(np.array([i]))[0]) for i in shown],
            low=low,
            high=high if high > low else low + 1,
        ),
    )


def _applies(subject: Subject) -> str:
    if subject.has_no_inputs or subject.kind == "predictions":
        return "there is no model to ask"
    if subject.kind == "function":
        return "fit(rows, seed) holds its inputs itself, so others cannot be given to it"
    inputs = subject.train.inputs
    if is_sparse(inputs) or not (subject.is_table or subject.has_images):
        return "the inputs are neither a table nor images"
    if subject.is_table and inputs.shape[1] < 2:
        return "a single column: there is nothing else to learn from"
    return ""


CHECK = Check("OP309", "Shortcut", _run, ("one",), _applies)
