"""Figures of what an attacker gains: over width, along training, by false alarms, by group.

Records are those of cells with the outcomes of `memorization.overfitting_leaks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from overparam.lab.figure import Axis, Chart, Panel, Role, Series, Table
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import Clause, Interval, shown
from overparam.measures import ratio_scores, roc_curve
from overparam.phenomena.memorization._attacked_models import Attacked, attacked
from overparam.phenomena.memorization._leak_summary import ONCE, TWINS, Summary

ADVANTAGE = Axis("Advantage of the attacker", "TPR - FPR", zero=True, limits=(-1, 1))
N_POINTS = 40  # of a ROC curve


def leak_chart(records: Records, clauses: Sequence[Clause]) -> list[Chart]:
    """Return advantage and gap over width and along training; or no chart."""
    once = records.where(copies=ONCE)
    if not len(once):
        return []
    by_width = once.where(epochs=max(once.levels("epochs")))
    along = once.where(width=max(once.levels("width")))
    panels = [
        Panel(title, Axis(axis, scale="log"), ADVANTAGE, lines)
        for title, axis, lines in (
            ("over width", "Width k", _lines(by_width, "width")),
            ("along training", "Epochs", _lines(along, "epochs")),
        )
        if lines
    ]
    if not panels:
        return []
    return [
        Chart(
            "advantage",
            "What the attacker gains grows with capacity, and with the gap along training"
            if shown(*clauses)
            else "What the attacker gains over width and along training",
            "Advantage of guessing from the loss which rows were trained on, and the "
            "generalization gap in the same unit. Of rows never trained on, half are called "
            "members: there the same attack on the same networks is to gain nothing.",
            panels,
        )
    ]


def roc_chart(records: Records) -> list[Chart]:
    """Return the ROC curve on logarithmic axes against the largest networks; or no chart."""
    design = [r.condition for r in records]
    width, epochs = max(c.width for c in design), max(c.epochs for c in design)
    largest = records.where(width=width, epochs=epochs)
    once, twins = largest.where(copies=ONCE), largest.where(copies=TWINS)
    lines = [
        *_roc_line(once, "loss", "test", lambda models: models.scores),
        *_roc_line(once, "ratio to the other models", "ensemble", _ratios),
        *_roc_line(twins, "loss, twins stay", "other", lambda models: models.scores),
    ]
    if not lines:
        return []
    return [
        Chart(
            "roc",
            "Members found over false alarms",
            "Share of the members that are called members, over the share of the others that are, "
            "one threshold for all models of a seed; from the least share on that ten rows left "
            "out resolve. A guess lies where both are equal. The loss finds easy rows first, "
            "trained on or not; the probability of the label over its mean in the other models of "
            "the seed takes that out. With twins of a fifth of the rows in training, both kinds of "
            "rows look more alike.",
            [
                Panel(
                    "",
                    Axis("False alarms", "fraction of rows left out", "log"),
                    Axis("Members found", "fraction of rows trained on", "log"),
                    [*lines, _guess(lines[0].x)],
                )
            ],
        )
    ]


def groups_table(found: Summary, unseen: Interval) -> Table:
    """Return the advantage on every group of rows of a summary of the treatment."""
    groups = {
        "all rows": found.largest,
        "memorized rows": found.memorized,
        "all other rows": found.others,
        "a fifth of the rows, without twins": found.alone,
        "the same rows, while twins stay": found.with_twin,
        "rows never trained on": unseen,
    }
    return Table(
        "groups",
        "Advantage against the largest network, by group of rows",
        "Mean over seeds with 95 % interval. Memorized rows and thresholds are those that half of "
        "the models name; the other half is attacked.",
        {
            "rows": list(groups),
            "advantage": [str(value) for value in groups.values()],
        },
        {"advantage": "TPR - FPR"},
    )


def _lines(records: Records, by: str) -> list[Series]:
    levels, seeds = records.levels(by), records.seeds
    named: list[tuple[str, Role, Any]] = [
        ("rows trained on", "test", lambda r: r.value("advantage")),
        ("generalization gap", "other", lambda r: r.value("test_error") - r.value("train_error")),
        ("rows never trained on", "control", lambda r: r.value("unseen_advantage")),
    ]
    found = []
    for label, role, read in named:
        values: dict[tuple[int, int], list[float]] = {}
        for r in records:
            values.setdefault((r.value(by), r.seed), []).append(float(read(r)))
        matrix = [[np.mean(values.get((v, s), [np.nan])) for s in seeds] for v in levels]
        if np.isfinite(matrix).any():
            found.append(series_over_seeds(label, role, levels, matrix, "mean"))
    return found


def _roc_line(
    records: Records, label: str, role: Role, scores_of: Callable[[Attacked], np.ndarray]
) -> list[Series]:
    curves = []
    for seed in records.seeds:
        models = attacked(records, seed)
        if models is not None:
            curve = roc_curve(scores_of(models), models.in_subset)
            curves.append(curve.on_log_scale(N_POINTS))
    if not curves:
        return []
    fpr = curves[0][0]
    tpr = np.array([np.interp(fpr, *curve) for curve in curves]).T
    return [series_over_seeds(label, role, fpr, tpr, "mean", bounds=(0, 1))]


def _ratios(models: Attacked) -> np.ndarray:
    return ratio_scores(None, np.exp(models.scores), models.in_subset).scores


def _guess(fpr: np.ndarray) -> Series:
    return Series("a guess", "theory", fpr, fpr)
