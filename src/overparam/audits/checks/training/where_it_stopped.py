"""OP601: whether training stopped before it fitted every row, at which step, and still falling."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.training._along import FEWEST_ROWS, fall, smoothed
from overparam.audits.course import Course
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.lab.figure import Axis, Chart, Panel, Rule, Series

_FITTED = 0.001  # of the rows wrong, or of the variance left, that still counts as fitted
_LATE = 0.2  # of the steps, the last, over which the error is asked whether it still falls


def _run(evidence: Evidence) -> Finding:
    course = evidence.course
    unit, n = course.unit, int(course.steps[-1])
    train = course.error.mean(1)
    if not np.isfinite(train).all():
        return Finding("undecided", "It diverged on the way (OP604), so it stopped nowhere")
    reached = np.flatnonzero(train <= _FITTED)
    first = int(course.steps[reached[0]]) if len(reached) else None
    what = "wrong" if evidence.subject.has_classes else "of the variance left"
    rows = f"{evidence.subject.n_rows:,} rows"
    if first is None:
        told = f"Training stopped after {n:,} {unit}s before it fitted its {rows}: "
        told += f"{train[-1]:.1%} {what}"
    else:
        told = f"It fits its {rows} by {unit} {first:,} of {n:,}"
    late = _late(evidence, course)
    details = {
        "steps": n,
        "unit": unit,
        "fitted_at": first,
        "training_error": float(train[-1]),
    }
    figures = (_figure(evidence, course, first),)
    if late is None:
        return Finding(
            "passed",
            f"{told}. Whether going on would help is not seen without a test set (OP307)",
            measured=Measured(train[-1], train[-1], train[-1], what, train[0], f"first {unit}"),
            figures=figures,
            details=details,
        )
    since = int(course.steps[_since(course)])
    if late.is_above_zero:
        return Finding(
            "found",
            f"{told}; and test error was still falling when it stopped: by {late} since {unit} "
            f"{since:,}",
            severity="low",
            measured=late,
            action=f"train longer, with more {unit}s: OP307 measures what that gains",
            figures=figures,
            details=details,
        )
    held = "no longer falls by a point" if late.high < 1.0 else "may or may not still fall"
    return Finding(
        "passed" if late.high < 1.0 else "undecided",
        f"{told}; test error {held}: by {late} since {unit} {since:,}",
        measured=late,
        figures=figures,
        details=details,
    )


def _since(course: Course) -> int:
    return min(int((1 - _LATE) * len(course.steps)), len(course.steps) - 2)


def _late(evidence: Evidence, course: Course) -> Measured | None:
    """Return by how much test error fell over the last steps; None without test rows."""
    if course.test_error is None or course.test_rows is None:
        return None
    groups = evidence.test_groups
    groups = None if groups is None else groups[course.test_rows]
    n = course.test_error.shape[1] if groups is None else len(np.unique(groups))
    if n < FEWEST_ROWS or not np.isfinite(course.test_error).all():
        return None
    error = smoothed(course.test_error)
    return fall(error[_since(course)], error[-1], groups, evidence.confidence)


def _figure(evidence: Evidence, course: Course, first: int | None) -> Chart:
    series = [Series("training rows", "train", course.steps, course.error.mean(1))]
    if course.test_error is not None:
        series.append(Series("test rows", "test", course.steps, course.test_error.mean(1)))
    quantity = "fraction wrong" if evidence.subject.has_classes else "fraction of the variance"
    rules = [] if first is None else [Rule(float(first), "fits its rows")]
    panel = Panel(
        "", Axis(f"{course.unit.capitalize()}", f"{course.unit}s"), Axis("Error", quantity),
        series, rules,
    )  # fmt: skip
    fits = "never" if first is None else f"by {course.unit} {first:,}"
    return Chart(
        "course",
        f"The model fits its rows {fits}",
        "Error of the one model along its training. Where the line of training rows reaches 0 it "
        "interpolates; what happens to test rows after that is told in OP602.",
        [panel],
    )


CHECK = Check(
    "OP601",
    "Where it stopped",
    _run,
    ("course",),
    validated_by="double_descent/epoch_wise",
)
