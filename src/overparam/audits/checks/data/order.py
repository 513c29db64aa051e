"""OP502: whether the order of rows, a clock or a running number says what new rows will not."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.data._looked_at import (
    Judge,
    LookedAt,
    judge_of,
    listed,
    look_at,
    n_columns_of,
    rows_as_table,
    spread_over_rows,
    task_of,
    why_no_rows,
)
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.data.table_columns import Column, read_columns, take
from overparam.measures import (
    ColumnScores,
    RowOrder,
    TwoScores,
    estimate_column_scores,
    estimate_row_order,
    score_in_blocks,
    score_without_columns,
)

_FITS = 10  # shuffled and in blocks; with running columns and without, as many more
_ORDERS = 1e-5  # seconds that 199 orders of one entry take
_PERMUTATIONS = 199


def _run(evidence: Evidence) -> Finding:
    table = rows_as_table(evidence.subject.train.inputs)
    is_table, n_columns = evidence.subject.is_table, n_columns_of(table)
    judge = judge_of(evidence, _FITS, n_columns)
    per_row = _ORDERS * n_columns if is_table else 0.0
    seen = look_at(
        evidence, _FITS * judge.per_row + per_row, fixed=_FITS * judge.fixed,
        in_order=True, inputs=table,
    )  # fmt: skip
    of_order = _in_blocks(evidence, seen, judge)
    by_order = _points(of_order)
    names = _clocks(evidence, seen) if is_table else []
    of_numbers = _without(evidence, seen, judge, names) if names else None
    by_numbers = None if of_numbers is None else _points(of_numbers)
    in_order = _order_of(evidence, seen)
    alike = list(in_order.dependent) if is_table else []
    details = {
        "shuffled": of_order.one.score,
        "in_blocks": of_order.other.score,
        "running_columns": names,
        "model": judge.name,
        "rows": len(seen),
        "neighbours_alike": alike,
    }
    told = (
        f"{judge.name} scores {of_order.one.score:.3f} with shuffled folds and "
        f"{of_order.other.score:.3f} with blocks of neighbouring rows: {by_order} less"
        + f"; neighbours are alike in {listed(alike)}"
        * bool(alike)
    )
    least = max(by_order.low, 0.0)
    if by_numbers is not None and by_numbers.low > 0 and by_numbers.low >= least:
        return _by_numbers(names, by_numbers, judge, details)
    if by_order.is_above_zero:
        return Finding(
            "found",
            f"Neighbouring rows resemble each other, and a shuffled split flatters: {told}"
            f"{seen.of_all(evidence)}",
            severity=severity_of_cost(by_order),
            measured=by_order,
            cost=by_order,
            action="where new rows come later, or from another source, split by time or by source "
            "(test=, groups=): the lower score is the one to expect",
            details=details,
        )
    position = in_order.position
    assert position is not None  # a target was given
    if position.predictive:
        return _filed(position, told + seen.of_all(evidence), details)
    if by_order.high < 1.0:
        return Finding(
            "passed",
            f"The order of rows does not matter by a point: {told}{seen.of_all(evidence)}",
            measured=by_order,
            details=details,
        )
    return Finding(
        "undecided",
        f"Whether the order of rows matters is not told: {told}{seen.of_all(evidence)}",
        measured=by_order,
        action="more rows narrow the interval, and a larger --budget looks at more of them",
        details=details,
    )


def _by_numbers(
    names: list[str], by_numbers: Measured, judge: Judge, details: dict[str, Any]
) -> Finding:
    return Finding(
        "found",
        f"{listed(names)} {'is a clock' if len(names) == 1 else 'are clocks'} or running "
        f"number{'s' * (len(names) > 1)} and predict{'s' * (len(names) == 1)}: {judge.name} scores "
        f"{by_numbers} more with {'it' if len(names) == 1 else 'them'}",
        severity=severity_of_cost(by_numbers),
        measured=by_numbers,
        cost=by_numbers,
        action="leave it out, or keep what repeats of it (hour, weekday): new rows have values "
        "beyond all that were seen; and split by time",
        details=details,
    )


def _filed(position: ColumnScores, told: str, details: dict[str, Any]) -> Finding:
    score = Measured(
        float(position.score[0]),
        float(position.low[0]),
        float(position.high[0]),
        f"{position.measure} of the row number alone",
        position.chance,
        "chance",
    )
    return Finding(
        "found",
        f"Rows are filed by their target, more or less: where a row stands tells it, {score}, "
        f"{position.chance:.3f} by chance; {told}",
        severity="low",
        measured=score,
        action="shuffle the rows before they are cut into parts, never split them as they come, "
        "and keep row numbers and file names out of the inputs",
        details=details,
    )


def _in_blocks(evidence: Evidence, seen: LookedAt, judge: Judge) -> TwoScores:
    """Return the score with shuffled folds and with blocks, each block having every class."""
    order = spread_over_rows(seen.target, task_of(evidence))
    return score_in_blocks(
        judge.fit,
        take(seen.table, order),
        seen.target[order],
        task=task_of(evidence),
        groups=None if seen.groups is None else seen.groups[order],
        balanced=False,
        confidence=evidence.confidence,
        seed=evidence.seed,
    )


def _clocks(evidence: Evidence, seen: LookedAt) -> list[str]:
    """Return columns that number or date the rows and say something of the target."""
    columns = read_columns(seen.table)
    suspects = [i for i, c in enumerate(columns) if _numbers_rows(c)]
    if not suspects:
        return []
    found = estimate_column_scores(
        take(seen.table, None, suspects),
        seen.target,
        task=task_of(evidence),
        groups=seen.groups,
        confidence=evidence.confidence,
        seed=evidence.seed,
    )
    p = found.p_value
    return [
        columns[i].name for i, of in zip(suspects, p, strict=True) if of <= 1 - found.confidence
    ]


def _numbers_rows(column: Column) -> bool:
    """Whether a column is a date, or names each row: by a word, or by running whole numbers."""
    if column.kind == "date":
        return True
    values = column.values[~column.missing]
    if len(values) < 2 or len(np.unique(values)) < len(values):
        return False
    if column.kind == "word":
        return True
    if column.levels:  # numbers too long to be told apart otherwise, as account numbers are
        return True
    is_whole = bool((values == np.round(values)).all())
    runs = float(np.ptp(values)) < 2 * len(values)
    steps = np.diff(values)
    return is_whole and (runs or bool((steps > 0).all() or (steps < 0).all()))


def _without(
    evidence: Evidence, seen: LookedAt, judge: Judge, names: list[str]
) -> TwoScores | None:
    if len(names) == n_columns_of(seen.table):
        return None
    return score_without_columns(
        judge.fit,
        seen.table,
        seen.target,
        names,
        task=task_of(evidence),
        groups=seen.groups,
        balanced=False,
        confidence=evidence.confidence,
        seed=evidence.seed,
    )


def _order_of(evidence: Evidence, seen: LookedAt) -> RowOrder:
    """Return what the order of groups says, each by its first row; of images, of the target alone.

    Rows of one group stand together and are alike, which says nothing of the order.
    """
    table = seen.table if evidence.subject.is_table else np.arange(len(seen))[:, None]
    firsts = np.arange(len(seen))
    if seen.groups is not None:
        firsts = np.sort(np.unique(seen.groups, return_index=True)[1])
    return estimate_row_order(
        take(table, firsts),
        seen.target[firsts],
        task=task_of(evidence),
        n_permutations=_PERMUTATIONS,
        confidence=evidence.confidence,
        seed=evidence.seed,
    )


def _points(of: TwoScores) -> Measured:
    return in_points(of.difference.score, of.difference.low, of.difference.high)


CHECK = Check("OP502", "Order, time and identifiers", _run, applies=why_no_rows)
