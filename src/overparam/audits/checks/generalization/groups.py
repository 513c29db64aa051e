"""OP304: error and gap of each class, and error of each value of columns that have few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.generalization._answers import (
    Answers,
    answers_of,
    one_of_each_group,
)
from overparam.audits.checks.generalization._elsewhere import better_elsewhere
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.audits.subject import Subject
from overparam.data.rows import is_table, take_rows
from overparam.data.table_columns import Column, read_columns
from overparam.lab.figure import Table
from overparam.measures.subgroups.difference_of_means import difference_of_means
from overparam.measures.subgroups.groups import (
    GroupRates,
    estimate_group_gaps,
    estimate_group_rates,
)

_CLASS = "class"
_MOST_VALUES = 10  # of a column whose values are groups with a name
_MOST_COLUMNS = 50


@dataclass(frozen=True, eq=False)
class _Worse:
    """One group that is worse than the rest; `more` in points of that group's error."""

    of: str
    name: str
    more: Measured
    cost: Measured


def _run(evidence: Evidence) -> Finding:
    said = answers_of(evidence)
    kept = one_of_each_group(said)
    families = _families(evidence, said, kept)
    if len(np.unique(families[_CLASS])) < 2:
        raise Missing("not applicable", f"all rows {said.where} are of one class")
    confidence = 1 - (1 - evidence.confidence) / len(families)
    wrong = said.loss[kept]
    rates = {
        name: estimate_group_rates(wrong, values, confidence=confidence)
        for name, values in families.items()
    }
    worse = [w for name in rates for w in _worse_of(name, families[name], wrong, rates[name])]
    worse.sort(key=lambda w: -w.cost.value)
    figures = (_table(evidence, said, kept, rates[_CLASS], confidence), *_of_columns(rates))
    columns = [name for name in families if name != _CLASS]
    where = said.where + (f", by class and by {', '.join(columns[:3])}" if columns else "")
    where += f" and {len(columns) - 3} more columns" if len(columns) > 3 else ""
    if not worse:
        least, most = _range(rates)
        return Finding(
            "passed",
            f"No {'class or named group' if columns else 'class'} is surely worse than the rest: "
            f"pooled errors of {least:.1f} to {most:.1f} points, {where}",
            measured=_widest(rates),
            figures=figures,
            details=_details(rates),
        )
    first = worse[0]
    gain = _elsewhere(evidence, worse)
    others = f"; {len(worse) - 1} more groups are worse" if len(worse) > 1 else ""
    return Finding(
        "found",
        f"{first.of} {first.name} is worse than the rest by {first.more}, {where}{others}"
        f"{_told(gain)}",
        severity=severity_of_cost(gain[1]) if gain else "low",
        measured=first.more,
        cost=first.cost,
        gain=gain[1] if gain else None,
        action="collect more rows of it, and look at its rows for wrong labels (OP202); a group "
        "that is harder for every model stays harder",
        figures=figures,
        details=_details(rates) | {"worse": [[w.of, w.name] for w in worse]},
    )


def _families(evidence: Evidence, said: Answers, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return the ways of grouping rows: by class, and by each named column of few values."""
    names = np.array([str(c) for c in evidence.subject.train.classes])  # type: ignore[union-attr]
    families = {_CLASS: names[said.labels[kept]]}
    data = evidence.test if said.are_test and evidence.subject.test else evidence.subject.train
    if is_table(data.inputs):
        for column in read_columns(take_rows(data.inputs, said.rows[kept])):
            values = _values(column)
            if 2 <= len(np.unique(values)) <= _MOST_VALUES and len(families) <= _MOST_COLUMNS:
                families[column.name] = values
    return {k: v for k, v in families.items() if len(np.unique(v)) > 1 or k == _CLASS}


def _values(column: Column) -> np.ndarray:
    """Return what a column says of each row, as text."""
    if column.levels:
        told = [str(column.levels[int(v)]) if v == v else "missing" for v in column.values]
    else:
        told = [f"{v:.6g}" if v == v else "missing" for v in column.values]
    return np.array(told)


def _worse_of(
    family: str, groups: np.ndarray, wrong: np.ndarray, rates: GroupRates
) -> list[_Worse]:
    found = []
    for i in np.flatnonzero(rates.worse):
        inside = groups == rates.names[i]
        *_, gap, low, high, _ = difference_of_means(wrong, inside, None, rates.confidence)
        share = float(inside.mean())
        found.append(
            _Worse(
                family,
                str(rates.names[i]),
                in_points(gap, low, high),
                in_points(share * gap, share * low, share * high),
            )
        )
    return found


def _elsewhere(evidence: Evidence, worse: list[_Worse]) -> tuple[str, Measured] | None:
    """Return who does surely better in the costliest named group that is no class.

    A class is won by naming it more often, at the cost of others: that is a trade and no gain.
    """
    named = [w for w in worse if w.of != _CLASS]
    if not named or not is_table(evidence.subject.train.inputs):
        return None
    columns = {c.name: c for c in read_columns(evidence.subject.train.inputs)}
    inside = _values(columns[named[0].of]) == named[0].name
    return better_elsewhere(evidence, inside, len(named))


def _told(gain: tuple[str, Measured] | None) -> str:
    return f". There {gain[0]} is better: worth {gain[1]} of the whole error" if gain else ""


def _table(
    evidence: Evidence, said: Answers, kept: np.ndarray, rates: GroupRates, confidence: float
) -> Table:
    columns = _columns_of(rates)
    gaps = _gaps(evidence, said, kept, confidence)
    if gaps:
        columns["gap to training"] = [gaps.get(str(name), "") for name in rates.names]
    return Table(
        "errors_by_class",
        "Error of each class",
        "In points, drawn to the mean of all classes as far as they are alike, with intervals; "
        "the gap is error on rows not seen minus error on rows trained on.",
        columns,
    )


def _gaps(evidence: Evidence, said: Answers, kept: np.ndarray, confidence: float) -> dict[str, str]:
    """Return the gap of each class, of the one model, which saw all training rows."""
    if not (said.are_test and evidence.has("one") and evidence.one.test is not None):
        return {}
    loss, labels = evidence.one.train.loss, evidence.subject.train.labels
    if not np.isfinite(loss).all():
        return {}
    test_labels = said.labels[kept]
    if len(np.unique(test_labels)) < 2:
        return {}
    names = np.array([str(c) for c in evidence.subject.train.classes])  # type: ignore[union-attr]
    found = estimate_group_gaps(
        loss, names[labels], said.loss[kept], names[test_labels], confidence=confidence
    )
    ends = zip(found.names, found.gap, found.low, found.high, strict=True)
    return {str(name): str(in_points(*three)) for name, *three in ends}


def _of_columns(rates: dict[str, GroupRates]) -> tuple[Table, ...]:
    """Return one table of all groups of columns; none where there are none."""
    cells: dict[str, list[Any]] = {}
    for family, found in rates.items():
        if family != _CLASS:
            part = {"column": [family] * len(found.names), **_columns_of(found)}
            for header, values in part.items():
                cells.setdefault(header, []).extend(values)
    if not cells:
        return ()
    return (
        Table(
            "errors_by_group",
            "Error of each named group",
            "Values of columns that have few. Errors as above; intervals hold for all columns.",
            cells,
        ),
    )


def _columns_of(found: GroupRates) -> dict[str, list[Any]]:
    ends = zip(found.rate, found.low, found.high, strict=True)
    return {
        "group": [str(name) for name in found.names],
        "rows": [int(n) for n in found.n],
        "error": [str(in_points(*three)) for three in ends],
        "as counted": [round(100 * float(r), 2) for r in found.observed],
        "worse than the rest": ["yes" if w else "" for w in found.worse],
    }


def _range(rates: dict[str, GroupRates]) -> tuple[float, float]:
    every = np.concatenate([found.rate for found in rates.values()])
    return 100 * float(every.min()), 100 * float(every.max())


def _widest(rates: dict[str, GroupRates]) -> Measured:
    """Return the largest error of a class, in points, beside that of all rows."""
    found = rates[_CLASS]
    i = int(np.argmax(found.rate))
    most = in_points(found.rate[i], found.low[i], found.high[i])
    return Measured(
        most.value, most.low, most.high, most.unit, 100 * found.overall, "error of all rows"
    )


def _details(rates: dict[str, GroupRates]) -> dict[str, Any]:
    return {
        "rates": {
            family: {
                str(name): {"value": float(r), "low": float(low), "high": float(high), "n": int(n)}
                for name, r, low, high, n in zip(
                    found.names, found.rate, found.low, found.high, found.n, strict=True
                )
            }
            for family, found in rates.items()
        }
    }


def _applies(subject: Subject) -> str:
    return "" if subject.has_classes else "the targets are numbers: see OP305 for where it is worse"


CHECK = Check("OP304", "Errors by class and group", _run, applies=_applies)
