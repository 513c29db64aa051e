"""OP504: columns that say nothing, or nothing of their own."""

from __future__ import annotations

from overparam.audits.check import Check
from overparam.audits.checks.data._looked_at import n_columns_of, why_no_table
from overparam.audits.course import evenly
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.data.table_columns import n_rows_of, take
from overparam.lab.figure import Table
from overparam.measures import ColumnFaults, find_column_faults

_PER_SQUARE, _PER_ENTRY = 2e-9, 5e-7  # seconds for each row: of two columns, and of one
_FEWEST = 1000  # rows, at least
_SHOWN = 3


def _run(evidence: Evidence) -> Finding:
    table = evidence.table
    n, p = n_rows_of(table), n_columns_of(table)
    most = int(evidence.seconds_per_check / (_PER_SQUARE * p**2 + _PER_ENTRY * p))
    most = max(most, _FEWEST)
    rows = None if most >= n else evenly(n, most)
    faults = find_column_faults(table if rows is None else take(table, rows))
    told = _told(faults)
    looked_at = "" if rows is None else f" ({len(rows):,} of {n:,} rows were looked at)"
    n_idle = _n_idle(faults)
    measured = Measured(float(n_idle), float(n_idle), float(n_idle), f"of {p:,} columns", 0.0)
    if not told:
        return Finding(
            "passed",
            f"All {p:,} columns say something of their own{looked_at}",
            measured=measured,
        )
    return Finding(
        "found",
        f"{'; '.join(text for _, text in told)}{looked_at}",
        severity="low",
        measured=measured,
        action=_action(faults),
        figures=(
            Table(
                "column_faults",
                "Columns that say nothing of their own",
                "Each fault with all columns that have it. Of equal columns one is enough; of "
                "collinear ones a linear model's coefficients are not told apart (OP104).",
                {
                    "fault": [what for what, _ in _every(faults)],
                    "columns": [names for _, names in _every(faults)],
                },
            ),
        ),
        details={
            "constant": list(faults.constant),
            "empty": list(faults.empty),
            "duplicated": [list(group) for group in faults.duplicated],
            "renamed": [list(group) for group in faults.renamed],
            "collinear": [r.text for r in faults.collinear],
            "nearly_numbers": {k: list(v) for k, v in faults.nearly_numbers.items()},
        },
    )


def _told(faults: ColumnFaults) -> list[tuple[str, str]]:
    """Return each kind of fault that is there, with a few of its columns."""
    found: dict[str, list[str]] = {}
    for what, names in _every(faults):
        found.setdefault(what, []).append(names)
    return [
        (what, f"{len(some)} {what}: {', '.join(some[:_SHOWN])}{' ...' * (len(some) > _SHOWN)}")
        for what, some in found.items()
    ]


def _every(faults: ColumnFaults) -> list[tuple[str, str]]:
    return [
        *(("constant", name) for name in faults.constant),
        *(("empty", name) for name in faults.empty),
        *(("equal", " = ".join(group)) for group in faults.duplicated),
        *(("equal but for names of values", " = ".join(g)) for g in faults.renamed),
        *(("collinear", relation.text) for relation in faults.collinear),
        *(
            ("words of which most are numbers", f"{name} (not {', '.join(map(repr, others))})")
            for name, others in faults.nearly_numbers.items()
        ),
    ]


def _n_idle(faults: ColumnFaults) -> int:
    """Return how many columns could go without anything being lost."""
    repeated = sum(len(group) - 1 for group in (*faults.duplicated, *faults.renamed))
    return len(faults.constant) + len(faults.empty) + repeated + len(faults.collinear)


def _action(faults: ColumnFaults) -> str:
    told = []
    if _n_idle(faults):
        told.append(
            "leave out constant and empty columns and all but one of those that are equal; trees "
            "do not mind, linear models and distances do"
        )
    if faults.nearly_numbers:
        told.append("read the few words in columns of numbers as missing (na_values=)")
    return "; ".join(told)


CHECK = Check("OP504", "Columns that say nothing", _run, ("table",), why_no_table)
