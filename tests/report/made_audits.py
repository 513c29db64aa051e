"""Audits made up for tests, shaped like real ones: no model is trained."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from overparam.audits.finding import POINTS, Finding, Measured
from overparam.audits.plan import AuditPlan, Stage
from overparam.audits.result import AuditResult
from overparam.audits.subject import Subject, make_subject
from overparam.lab.figure import Axis, Chart, Panel, Series, Table

VERDICT = (
    "Fits all 400 rows, 91 of them by heart; that costs nothing here: the regularized variant is"
    " 2.1 [1.2, 3.0] points worse. 31 labels are probably wrong; fixing them is worth 1.4"
    " [0.6, 2.2] points."
)
NUMBERS = {
    "Regime": "past the threshold [probability 0.97]",
    "Known by heart": "0.228 [0.189, 0.271] of the rows",
    "Test error": "0.172 [0.139, 0.211], gap 0.172 [0.139, 0.211]",
    "Membership": "0.61 [0.55, 0.66]",
}
N_ROWS = 60


def image_subject() -> Subject:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (N_ROWS, 14, 14)).astype(float)
    return make_subject(None, images, np.arange(N_ROWS) % 3)


def table_subject(names: tuple[str, ...] = ("cat", "dog")) -> Subject:
    from pandas import DataFrame

    rng = np.random.default_rng(0)
    words = [f"word {k}" for k in range(N_ROWS)]
    frame = DataFrame({"age": rng.integers(18, 90, N_ROWS), "note": words})
    return make_subject(None, frame, [names[k % 2] for k in range(N_ROWS)])


def curve() -> Chart:
    x = np.array([100.0, 200.0, 400.0])
    y = np.array([0.25, 0.21, 0.17])
    line = Series("test error", "test", x, y, low=y - 0.02, high=y + 0.02, band="95 % interval")
    axes = Axis("Training rows", "rows", "log"), Axis("Test error", "fraction wrong", zero=True)
    return Chart(
        "rows_curve",
        "Twice the rows would still lower the error",
        "The line falls at its right end, and its band does not hold a level line.",
        [Panel("", *axes, [line])],
    )


def budget_chart() -> Table:
    parts = ["variance of retraining", "more rows", "wrong labels", "the rest"]
    return Table(
        "error_budget",
        "Of 17.2 points of test error, 3.1 are variance of retraining",
        "Each part with its interval; the parts add up to the test error.",
        {"part": parts, "points": [3.1, 1.9, 1.4, 10.8], "low": [2.2, 1.1, 0.6, 8.3],
         "high": [4.0, 2.6, 2.2, 13.2]},
    )  # fmt: skip


def made_findings() -> dict[str, Finding]:
    def finding(code: str, title: str, *args: Any, **kwargs: Any) -> Finding:
        return Finding(*args, code=code, title=title, page=f"docs/audit/x.md#{code}", **kwargs)

    rows = np.array([17, 3, 41, 8], np.int64)
    found = [
        finding(
            "OP103", "Is interpolation harmful here", "passed",
            "Fitting every row costs nothing: the best regularized variant is 2.1 [1.2, 3.0] "
            "points worse", measured=Measured(2.1, 1.2, 3.0, POINTS),
        ),
        finding(
            "OP201", "Rows known by heart", "found", "91 of 400 rows are known by heart",
            severity="low", measured=Measured(0.228, 0.189, 0.271, "of the rows", 0.0, "unseen"),
            action="look at these rows first", rows=rows,
            row_columns={"memorization": [0.97, 0.91, 0.88, 0.71]},
            validated_by="memorization/labels_one_by_one",
        ),
        finding(
            "OP202", "Likely label errors", "found",
            "31 labels are probably wrong: models that never saw these rows agree on another class",
            severity="medium", measured=Measured(31, 22, 40, "rows", 0.0, "no errors"),
            cost=Measured(1.9, 1.1, 2.7, POINTS), gain=Measured(1.4, 0.6, 2.2, POINTS),
            action="look at the first twenty rows below and correct those that are wrong",
            rows=rows,
            row_columns={"suspicion": [0.99, 0.98, math.nan, 0.9],
                         "suggested label": ["dog", "cat", "dog", "cat"]},
            validated_by="memorization/labels_one_by_one",
        ),
        finding(
            "OP302", "Error budget", "found", "3.1 of 17.2 points are variance of retraining",
            severity="high", measured=Measured(3.1, 2.2, 4.0, POINTS, 17.2, "test error"),
            cost=Measured(3.1, 2.2, 4.0, POINTS), figures=(budget_chart(),),
            action="average five models", details={"ratio": 0.7, "kind": "votes"},
        ),
        finding(
            "OP306", "More data", "undecided", "Twice the rows: 1.1 [-0.4, 2.6] points",
            measured=Measured(1.1, -0.4, 2.6, POINTS), figures=(curve(),),
        ),
        finding(
            "OP501", "Target leakage", "found", "Column 3 alone tells the label in 98 %",
            severity="critical", cost=Measured(15.5, 13.9, 17.0, POINTS), figures=(curve(),),
            action="leave column 3 out, and train again",
        ),
        finding("OP505", "Class balance", "passed", "The smallest class has 180 rows"),
        finding("OP305", "Weak segments", "skipped", "models: the budget of 5 s does not pay"),
        finding("OP605", "Dead units", "not applicable", "this is no network"),
        finding("OP504", "Constant columns", "failed", "ValueError: no number"),
    ]  # fmt: skip
    return {f.code: f for f in found}


def made_result(subject: Subject | None = None, **changes: Any) -> AuditResult:
    """Return a made-up audit; `changes` replace fields of the result."""
    n = N_ROWS
    flag = np.zeros(n, bool)
    flag[[17, 3, 41, 8]] = True
    result = AuditResult(
        VERDICT,
        NUMBERS,
        made_findings(),
        {
            "label": np.array(["cat", "dog"] * (n // 2)),
            "memorization": np.linspace(0, 1, n),
            "suggested_label": np.array([None, "cat"] * (n // 2), object),
            "p_out": np.where(np.arange(n) == 1, np.nan, 0.5),
            "OP201": flag,
        },
        {
            "name": "RandomForestClassifier",
            "kind": "estimator",
            "rows": n,
            "test_rows": 400,
            "task": "classes",
            "classes": ["cat", "dog"],
            "columns": [],
            "created": "2026-11-28T02:30:00+00:00",
            "budget": 600.0,
            "seconds": 412.5,
            "seed": 0,
            "confidence": 0.95,
            "versions": {"python": "3.11", "overparam": "0.1.0"},
            "machine": {"cpu": "Made-up Processor", "cores": 2, "memory_bytes": 8 * 2**30},
        },
        AuditPlan(600, 2, 1.0, (Stage("one", 1, 1.4), Stage("models", 40, 20.0))),
        ("whole numbers were read as classes",),
        subject=subject,
    )
    return dataclasses.replace(result, **changes)
