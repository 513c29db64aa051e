"""OP203: equal inputs with different labels: what no model of these inputs can get right."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence
from overparam.audits.finding import POINTS, Finding, Measured, severity_of_cost
from overparam.audits.subject import Subject
from overparam.measures.copies.conflicts import LabelConflicts

_MOST_ROWS = 1000


def _run(evidence: Evidence) -> Finding:
    found, n = evidence.conflicts, evidence.subject.n_rows
    measured = _irreducible(found, n)
    details = {
        "n_groups": len(found.rows),
        "n_ambiguous_groups": int(found.is_ambiguous.sum()),
        "n_rows": found.n_in_conflict,
        "n_repeated": found.n_repeated,
        "n_minority": int(found.is_minority.sum()),
        "p_of_wrong_labels_alone": found.p_errors,
        "least_error": found.least_error,
    }
    if not found.n_repeated:
        return Finding("passed", f"No two of {n:,} rows have equal inputs", details=details)
    if not found.rows:
        return Finding(
            "passed",
            f"All {found.n_repeated:,} rows whose inputs occur more than once agree with their "
            "copies",
            measured=measured,
            details=details,
        )
    what = (
        f"{_groups(len(found.rows))} of equal inputs have different labels "
        f"({found.n_in_conflict:,} rows, {found.is_minority.sum():,} against the commonest label "
        "of their group)"
    )
    rows, groups = _rows(found)
    columns = {
        "group": groups,
        "label": evidence.subject.train.given_labels(rows).tolist(),
        "in the minority": found.is_minority[rows],
    }
    if not evidence.undecided_rows.any():
        return Finding(
            "found",
            f"{what}; wrong labels alone may explain that (p = {found.p_errors:.2g}), and so may "
            "inputs that do not decide",
            severity="low",
            measured=measured,
            action="look at both sides of each group: correct the labels, or add the column in "
            "which the rows differ",
            rows=rows,
            row_columns=columns,
            details=details,
        )
    return Finding(
        "found",
        f"{what}; wrong labels alone do not explain that (p = {found.p_errors:.2g}): the inputs do "
        f"not decide the label, and no model of them gets rid of an error of {measured}",
        severity=severity_of_cost(measured),
        measured=measured,
        cost=measured,
        action="nothing is gained by correcting or removing these rows; add a column in which they "
        "differ, or judge probabilities instead of classes there",
        rows=rows,
        row_columns=columns,
        details=details,
    )


def _irreducible(found: LabelConflicts, n: int) -> Measured:
    """The error of the best function of the inputs on rows whose input is repeated, in points of
    all rows; beside it, what it is where inputs say nothing of labels."""
    share = 100 * found.n_repeated / n
    best = found.irreducible
    return Measured(
        share * best.rate,
        share * best.low,
        share * best.high,
        POINTS,
        share * found.baseline,
        "two rows drawn from all disagree so often",
    )


def _rows(found: LabelConflicts) -> tuple[np.ndarray, np.ndarray]:
    """Return rows group by group, ambiguous groups first, and the number of each row's group."""
    order = np.argsort(~found.is_ambiguous, kind="stable")
    parts = [found.rows[g] for g in order]
    numbers = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    return np.concatenate(parts)[:_MOST_ROWS], numbers[:_MOST_ROWS]


def _groups(n: int) -> str:
    return f"{n:,} group" if n == 1 else f"{n:,} groups"


def _applies(subject: Subject) -> str:
    return "" if subject.has_classes else "the targets are numbers, not classes"


CHECK = Check("OP203", "Conflicting labels of equal inputs", _run, ("copies",), _applies)
