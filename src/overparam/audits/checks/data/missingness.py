"""OP503: whether it is known from what is missing, not from what is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.data._looked_at import (
    LookedAt,
    a_forest,
    listed,
    look_at,
    n_columns_of,
    screening_seconds,
    task_of,
    why_no_table,
)
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.data.table_columns import Column, read_columns, take
from overparam.lab.figure import Table
from overparam.measures import ColumnScores, estimate_column_scores, score_without_columns
from overparam.streams import Streams

_FITS = 10


def _run(evidence: Evidence) -> Finding:
    n_columns = n_columns_of(evidence.table)
    judge = a_forest(n_columns)  # which takes the table that this check makes
    seen = look_at(
        evidence,
        screening_seconds(evidence, n_columns) + _FITS * judge.per_row,
        fixed=_FITS * judge.fixed,
    )
    columns = read_columns(seen.table)
    lacking = [i for i, c in enumerate(columns) if c.missing.any() and not c.missing.all()]
    if not lacking:
        return Finding("passed", f"Nothing is missing{seen.of_all(evidence)}")
    how: Any = {"task": task_of(evidence), "confidence": evidence.confidence, "seed": evidence.seed}
    scores = estimate_column_scores(
        take(seen.table, None, lacking), seen.target, of="missing", groups=seen.groups, **how
    )
    telling = scores.p_value <= 1 - scores.confidence
    names = [columns[i].name for i in lacking]
    i = int(np.argmax(np.where(telling, scores.score, -np.inf) if telling.any() else scores.score))
    measured = Measured(
        float(scores.score[i]),
        float(scores.low_of_all[i]),
        float(scores.high_of_all[i]),
        f"{scores.measure} of missing or not",
        scores.chance,
        "chance",
    )
    table = _table(names, [columns[j] for j in lacking], scores)
    if not telling.any():
        return Finding(
            "passed",
            f"What is missing ({len(names)} columns have gaps) says nothing of the target: the "
            f"most telling, {listed([names[i]])}, scores {measured}, {scores.chance:.3f} by chance"
            f"{seen.of_all(evidence)}",
            measured=measured,
            figures=(table,),
        )
    price = _price(columns, lacking, seen, how)
    told = [names[j] for j in np.flatnonzero(telling)]
    return Finding(
        "found",
        f"Whether {listed(told)} is missing says something of the target: {listed([names[i]])} "
        f"scores {measured}, {scores.chance:.3f} by chance; to {judge.name} that is worth {price} "
        f"beyond the values{seen.of_all(evidence)}",
        severity=severity_of_cost(price),
        measured=measured,
        cost=price,
        action="ask why it is missing: if it is filled in later, or for one outcome only, new rows "
        "will not have the gap; fill gaps alike for all rows, and compare",
        figures=(table,),
        details={"columns": told, "rows": len(seen)},
    )


def _price(columns: Any, lacking: list[int], seen: LookedAt, how: dict[str, Any]) -> Measured:
    """Return what knowing which entries are missing is worth beside the values.

    Gaps are filled with values of other rows drawn at random, which tell nothing of them, and
    columns that say where they were stand beside; a forest with these and without.
    """
    rng = Streams(how["seed"]).numpy("gaps")
    filled = [_filled(c, rng) for c in columns if not c.missing.all()]
    gaps = [columns[i].missing.astype(np.float64) for i in lacking]
    table = np.stack([*filled, *gaps], axis=1)
    places = list(range(len(filled), len(filled) + len(gaps)))
    found = score_without_columns(
        None, table, seen.target, places, groups=seen.groups, balanced=False, **how
    ).difference
    return in_points(found.score, found.low, found.high)


def _filled(column: Column, rng: np.random.Generator) -> np.ndarray:
    values, gaps = column.values.copy(), column.missing
    values[gaps] = rng.choice(values[~gaps], int(gaps.sum()))
    return values


def _table(names: list[str], columns: list[Column], scores: ColumnScores) -> Table:
    order = np.argsort(-scores.score, kind="stable")[:20]
    return Table(
        "missingness",
        "What is missing, and whether that tells the target",
        f"Share of entries that are missing, and the score of missing or not alone "
        f"({scores.measure}, {scores.chance:.3f} by chance) on rows that were held out; p-values "
        "are adjusted for all columns.",
        {
            "column": [names[i] for i in order],
            "missing": [round(float(columns[i].missing.mean()), 4) for i in order],
            "score": [round(float(scores.score[i]), 4) for i in order],
            "p-value": [round(float(scores.p_value[i]), 4) for i in order],
        },
    )


CHECK = Check("OP503", "Missingness that predicts", _run, ("table",), why_no_table)
