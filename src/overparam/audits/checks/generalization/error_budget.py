"""OP302: test error in parts: what averaging would remove, what labels cost, the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.audits.said_by_members import Unseen, unseen_of
from overparam.lab.figure import Table
from overparam.measures.test_error.error_budget import ErrorBudget, estimate_error_budget

# A label is doubted where models of other kinds, on average, give it less than this, and give
# another class more than that. Elsewhere it is taken to be right: soft doubts are hard rows.
_IMPROBABLE, _PROBABLE = 0.1, 0.8
_FEWEST_MODELS, _FEWEST_ROWS = 4, 10  # of which the parts can be told
_PARTS = {
    "averaging": "retraining: averaging many models would remove it",
    "labels": "wrong labels among these rows",
    "conflicts": "equal inputs with different labels: nothing removes it",
    "rest": "the rest: bias, noise, rows that are too few",
}


def _run(evidence: Evidence) -> Finding:
    unseen = unseen_of(evidence, evidence.models)
    _require_enough(unseen)
    inputs = _equal_inputs(evidence, unseen)
    found = _budget(evidence, unseen, inputs)
    parts = {name: _part(found, name) for name in ("total", *_PARTS)}
    averaging = parts["averaging"]
    are_classes = evidence.subject.has_classes  # of numbers no label is right or wrong
    unknown = {
        "labels": not (are_classes and evidence.has("references")),
        "conflicts": not are_classes or inputs is None,
    }
    shown = [name for name in _PARTS if not unknown.get(name)]
    table = Table(
        "error_budget",
        "What the error is made of",
        f"Error of one model on {'test rows' if unseen.are_test else 'rows left out'}, in points, "
        "split into parts that add up; each with its interval.",
        {
            "part": ["total", *(_PARTS[name] for name in shown)],
            "points": [str(parts[name]) for name in ("total", *shown)],
        },
    )
    details = {
        "parts": {
            name: {"value": parts[name].value, "low": parts[name].low, "high": parts[name].high}
            for name in ("total", *shown)
        },
        "meaning": {name: _PARTS[name] for name in shown},
        "baseline": 100 * float(found.baseline),
        "n_rows": found.n_rows,
        "n_models": found.n_models,
    }
    told = ", ".join(f"{_SHORT[name]} {parts[name]}" for name in shown)
    sentence = f"Of an error of {parts['total']}: {told}"
    if averaging.low >= 1:
        return Finding(
            "found",
            sentence,
            severity=severity_of_cost(averaging),
            measured=averaging,
            gain=averaging,
            action="average some ten models of this recipe, trained with other seeds: that removes "
            f"most of {averaging}",
            figures=(table,),
            details=details,
        )
    return Finding("passed", sentence, measured=averaging, figures=(table,), details=details)


_SHORT = {
    "averaging": "retraining",
    "labels": "wrong labels",
    "conflicts": "conflicting labels",
    "rest": "the rest",
}


def _budget(evidence: Evidence, unseen: Unseen, inputs: np.ndarray | None) -> ErrorBudget:
    subject = evidence.subject
    how: dict[str, Any] = {"confidence": evidence.confidence, "in_subset": unseen.in_subset}
    if not subject.has_classes:
        return estimate_error_budget(unseen.outputs, unseen.targets, loss="squared", **how)
    if inputs is not None:
        how["inputs"] = inputs
    truth = _truth(evidence, unseen)
    if truth is not None:
        how["truth"] = truth
    return estimate_error_budget(unseen.outputs, unseen.targets, **how)


def _require_enough(unseen: Unseen) -> None:
    """Refuse to split an error of which too few models say something."""
    says = np.isfinite(unseen.outputs).reshape(*unseen.outputs.shape[:2], -1).all(-1)
    if int((says.sum(0) >= _FEWEST_MODELS).sum()) < _FEWEST_ROWS:
        raise Missing(
            "skipped",
            f"fewer than {_FEWEST_ROWS} rows were left out by {_FEWEST_MODELS} models or more; a "
            "larger --budget, or a test set, would do",
        )


def _equal_inputs(evidence: Evidence, unseen: Unseen) -> np.ndarray | None:
    """Return which rows have equal inputs, `[r]`; None where none have, or nothing is known."""
    if evidence.subject.has_no_inputs:
        return None
    copies = evidence.copies
    found = copies.group_of_other if unseen.are_test else copies.group
    if found is None:
        return None
    group = np.asarray(found)[unseen.rows]
    return group if len(np.unique(group)) < len(group) else None


def _truth(evidence: Evidence, unseen: Unseen) -> np.ndarray | None:
    """Return how probable each class is to be the right one, by models of other kinds alone.

    The models that are judged would acquit themselves.
    """
    if not evidence.has("references"):
        return None
    n_classes = evidence.subject.train.n_outputs
    said = []
    for _, models in evidence.references:
        other = unseen_of(evidence, models, tested=unseen.are_test)
        if other.outputs.ndim == 3 and np.array_equal(other.rows, unseen.rows):
            said.append(np.nanmean(other.outputs, axis=0))
    truth = np.eye(n_classes)[unseen.targets]
    if not said:
        return None
    mean = np.mean(said, axis=0)
    own = mean[np.arange(len(mean)), unseen.targets]
    doubted = (own < _IMPROBABLE) & (np.nanmax(mean, axis=1) > _PROBABLE)
    truth[doubted] = mean[doubted] / mean[doubted].sum(1, keepdims=True)
    return truth


def _part(found: ErrorBudget, name: str) -> Measured:
    part = getattr(found, name)
    return in_points(part.value, part.low, part.high)


CHECK = Check("OP302", "Error budget", _run, ("models",))
