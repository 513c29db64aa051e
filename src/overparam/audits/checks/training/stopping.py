"""OP602: whether stopping earlier would be better, or a rise is a bump that passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.training._along import (
    FEWEST_ROWS,
    best_step,
    bump,
    chosen_elsewhere,
    fall,
    halves,
    smoothed,
)
from overparam.audits.checks.training._suspects import suspects_of
from overparam.audits.course import Course
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.lab.figure import Axis, Chart, Panel, Role, Rule, Series
from overparam.measures import MeanInterval, loss_change

_LITTLE = 1.0  # points that count as nothing


@dataclass(frozen=True, eq=False)
class _Followed:
    """Test errors along the training, `[T, m]`, and which rows choose and which judge."""

    error: np.ndarray
    groups: np.ndarray | None
    first: np.ndarray


@dataclass(frozen=True)
class _LossRise:
    """What the loss does from its lowest step to the end, on rows that did not choose the step."""

    loss: MeanInterval
    calibration: MeanInterval
    error: MeanInterval
    step: int

    @property
    def is_calibration(self) -> bool:
        """Whether the loss surely rises, and the error does not surely."""
        return self.loss.low > 0 and self.error.low <= 0


def _run(evidence: Evidence) -> Finding:
    course = evidence.course
    followed = _follow(evidence, course)
    (stopped,) = chosen_elsewhere(followed.error, followed.first, best_step)
    gain = fall(followed.error[-1], stopped, followed.groups, evidence.confidence)
    rise = _loss_rise(evidence, course, followed)
    up, down = _bump(followed, evidence.confidence)
    mean = followed.error.mean(1)
    best = best_step(mean)[0]
    unit, n = course.unit, int(course.steps[-1])
    details: dict[str, Any] = {
        "best": int(course.steps[best]),
        "steps": n,
        "unit": unit,
        "error_at_best": float(mean[best]),
        "error_at_end": float(mean[-1]),
        "bump": {"rise": up.value, "rise_low": up.low, "fall": down.value, "fall_low": down.low},
    }
    if rise is not None:
        details["loss_rise"] = {
            "since": rise.step, "nats": rise.loss.mean, "low": rise.loss.low,
            "calibration": rise.calibration.mean, "error": rise.error.mean,
        }  # fmt: skip
    suspects = suspects_of(evidence, course)
    figures = (_figure(evidence, course, suspects, best),)
    ends = f"error {_error(mean[best])} at {unit} {course.steps[best]:,} and {_error(mean[-1])} "
    ends += f"at {unit} {n:,}"
    if gain.is_above_zero:
        return Finding(
            "found",
            f"It trains too long: stopping near {unit} {course.steps[best]:,} gains {gain} ({ends})"
            f"{_learned_since(course, suspects, best)}",
            severity=severity_of_cost(gain),
            measured=gain,
            cost=gain,
            gain=gain,
            action=f"stop at {unit} {course.steps[best]:,}, chosen on rows of their own and not on "
            "the test set; or mend the labels that are learned after it (OP202)",
            figures=figures,
            details=details,
        )
    if up.is_above_zero and down.is_above_zero:
        top = int(course.steps[bump(mean)[1]])
        return Finding(
            "found",
            f"Test error rises by {up} up to about {unit} {top:,} and then falls again by {down}: "
            "a bump, not overfitting (epoch-wise double descent); stopping earlier gains "
            f"{gain}",
            severity="low",
            measured=up,
            action="do not stop at the first rise: early stopping needs the patience to pass it",
            figures=figures,
            details=details,
        )
    if rise is not None and rise.is_calibration:
        return Finding(
            "found",
            f"Test loss rises by {_nats(rise.loss)} after {unit} {rise.step:,} while the error "
            f"does not (it changes by {_points(rise.error)}): {_nats(rise.calibration)} of that is "
            "calibration, the model grows too sure, and is not wrong more often",
            severity="low",
            measured=_points(rise.error),
            action="do not stop for the loss: fit a temperature on held-out rows (OP303), or "
            "choose the step by the error",
            figures=figures,
            details=details,
        )
    if gain.high < _LITTLE:
        return Finding(
            "passed",
            f"Stopping earlier would not gain a point: {gain} ({ends})",
            measured=gain,
            figures=figures,
            details=details,
        )
    return Finding(
        "undecided",
        f"Whether stopping earlier is better is not told: it gains {gain} ({ends})",
        measured=gain,
        action="more test rows narrow the interval",
        figures=figures,
        details=details,
    )


def _follow(evidence: Evidence, course: Course) -> _Followed:
    if course.test_error is None or course.test_rows is None:
        raise Missing("not applicable", "no test set was given (test=), by which to see it")
    if not np.isfinite(course.test_error).all():
        raise Missing("not applicable", "it diverged on the way (OP604)")
    groups = evidence.test_groups
    groups = None if groups is None else groups[course.test_rows]
    m = course.test_error.shape[1]
    n = m if groups is None else len(np.unique(groups))
    if n < FEWEST_ROWS:
        raise Missing("not applicable", f"{n} different test rows are too few to see a course by")
    return _Followed(smoothed(course.test_error), groups, halves(m, groups, evidence.seed))


def _bump(followed: _Followed, confidence: float) -> tuple[Measured, Measured]:
    """Return a rise of the error and the fall after it, at steps that other rows chose."""
    before, top, after = chosen_elsewhere(followed.error, followed.first, bump)
    return (
        fall(top, before, followed.groups, confidence),
        fall(top, after, followed.groups, confidence),
    )


def _loss_rise(evidence: Evidence, course: Course, followed: _Followed) -> _LossRise | None:
    """Return how the loss changes from its lowest step on; None where there are no probabilities.

    One half of the rows chooses the step and the other judges.
    """
    if course.probabilities is None or course.told_rows is None or course.test_rows is None:
        return None
    labels = evidence.test.labels[course.told_rows]
    said = course.probabilities.astype(np.float64)
    place = np.searchsorted(course.test_rows, course.told_rows)
    first = followed.first[np.minimum(place, len(followed.first) - 1)]
    own = np.take_along_axis(said, labels[None, :, None], axis=2)[:, :, 0]
    loss = -np.log(np.maximum(own[:, first], np.finfo(np.float32).eps)).mean(1)
    step = int(np.argmin(loss))
    judged = ~first
    known = len(np.unique(labels[judged])) > 1
    if step == len(loss) - 1 or judged.sum() < FEWEST_ROWS / 2 or not known:
        return None
    of_test = evidence.test_groups
    groups = None if of_test is None else of_test[course.told_rows][judged]
    two = said[[step, -1]][:, judged]
    found = loss_change(
        two / two.sum(-1, keepdims=True), labels[judged], groups=groups,
        confidence=evidence.confidence,
    )  # fmt: skip
    return _LossRise(
        found.log_loss_change[1],
        found.calibration_change[1],
        found.error_change[1],
        int(course.steps[step]),
    )


def _learned_since(course: Course, suspects: np.ndarray | None, best: int) -> str:
    """Return how many of the rows with suspect labels are fitted by then, and at the end."""
    if suspects is None or not suspects.any():
        return ""
    then, now = (1 - course.error[at, suspects].mean() for at in (best, -1))
    clean, clean_now = (1 - course.error[at, ~suspects].mean() for at in (best, -1))
    return (
        f": by then {then:.0%} of {int(suspects.sum()):,} rows with suspect labels are fitted and "
        f"{clean:.0%} of the others, at the end {now:.0%} and {clean_now:.0%}"
    )


def _figure(evidence: Evidence, course: Course, suspects: np.ndarray | None, best: int) -> Chart:
    assert course.test_error is not None  # else there is nothing to say
    parts: list[tuple[str, Role, np.ndarray]] = [("test rows", "test", course.test_error)]
    if suspects is None or not suspects.any() or suspects.all():
        parts.append(("training rows", "train", course.error))
    else:
        parts.append(("training rows, labels not suspect", "train", course.error[:, ~suspects]))
        parts.append(("training rows, labels suspect", "other", course.error[:, suspects]))
    quantity = "fraction wrong" if evidence.subject.has_classes else "fraction of the variance"
    panel = Panel(
        "",
        Axis(course.unit.capitalize(), f"{course.unit}s"),
        Axis("Error", quantity),
        [Series(label, role, course.steps, error.mean(1)) for label, role, error in parts],
        [Rule(float(course.steps[best]), "lowest test error")],
    )
    return Chart(
        "stopping",
        f"Test error is lowest near {course.unit} {course.steps[best]:,}",
        "Error along the training of the one model. Rows whose labels the models on subsets doubt "
        "are drawn apart: where test error rises while they are fitted, wrong labels are learned "
        "by heart.",
        [panel],
    )


def _error(value: float) -> str:
    return f"{100 * value:.3g} points"


def _points(of: MeanInterval) -> Measured:
    return Measured(100 * of.mean, 100 * of.low, 100 * of.high, "points")


def _nats(of: MeanInterval) -> Measured:
    return Measured(of.mean, of.low, of.high, "nats")


CHECK = Check(
    "OP602",
    "First bump or overfitting",
    _run,
    ("course", "test"),
    validated_by="double_descent/epoch_wise",
)
