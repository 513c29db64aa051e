"""OP501: columns that tell the target, and what the model is worth without them."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    screening_seconds,
    task_of,
    why_no_table,
)
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, Severity, severity_of_cost
from overparam.data.table_columns import read_columns, take
from overparam.lab.figure import Table
from overparam.measures import Leaks, StrongColumn, TwoScores, estimate_leaks, score_without_columns

_FOLDS, _COLUMNS = 3, 3  # fits of one round: all columns, without each of so many, without all
_ROUNDS = 4  # columns that a leak hides are seen once it is gone
# Of the way from chance to perfect; below it a column may well be an honest one. One that predicts
# by whether it is there seldom is.
_NEARLY_PERFECT, _BY_PRESENCE = 0.98, 0.9
_AT_LEAST = 0.75  # of that way, from which on a column is asked about at all


@dataclass(frozen=True, eq=False)
class _Found:
    """Suspects of all rounds, the first round's screening, and the price of all suspects."""

    suspects: tuple[StrongColumn, ...]
    first: Leaks
    price: TwoScores | None


def _run(evidence: Evidence) -> Finding:
    n_columns = n_columns_of(evidence.table)
    n_fits = _FOLDS * (_COLUMNS + 2)
    judge = judge_of(evidence, n_fits, n_columns)
    seen = look_at(
        evidence,
        2 * screening_seconds(evidence, n_columns) + n_fits * judge.per_row,
        fixed=n_fits * judge.fixed,
    )
    found = _look(evidence, seen, judge)
    if not found.suspects:
        return _nothing(found.first, seen.of_all(evidence))
    names = [s.name for s in found.suspects]
    price, severity = _price(found)
    best = found.suspects[0]
    alone = found.first.alone
    i = alone.names.index(best.name)
    told = f"{listed(names)} {'tells' if len(names) == 1 else 'tell'} the target: "
    told += f"{listed([best.name])} alone scores {best.score:.3f} ({alone.measure}, "
    told += f"{alone.chance:.3f} by chance)"
    if found.price is not None:
        told += (
            f"; with all columns {judge.name} scores {found.price.one.score:.3f}, without "
            f"{_them(names)} {found.price.other.score:.3f}: {price} that new rows may not have"
        )
    return Finding(
        "found",
        told + seen.of_all(evidence),
        severity=severity,
        measured=Measured(
            best.score,
            float(alone.low[i]),
            float(alone.high[i]),
            f"{alone.measure} alone",
            alone.chance,
            "chance",
        ),
        cost=price,
        action=f"ask when {listed(names)} {'is' if len(names) == 1 else 'are'} written down: what "
        "is known only after the outcome has to go, and the error without it is the one to expect; "
        "if it is known before, nothing is wrong",
        figures=(_table(found),),
        details={
            "columns": names,
            "reasons": {s.name: list(s.reasons) for s in found.suspects},
            "with": None if found.price is None else found.price.one.score,
            "without": None if found.price is None else found.price.other.score,
            "model": judge.name,
            "rows": len(seen),
        },
    )


def _look(evidence: Evidence, seen: LookedAt, judge: Judge) -> _Found:
    """Look for leaks, take them away, and look again, since one leak hides another.

    Of two leaks that say the same, neither is better than all others together.
    """
    columns = [c.name for c in read_columns(seen.table)]
    how: Any = {"task": task_of(evidence), "confidence": evidence.confidence, "seed": evidence.seed}
    left, suspects, first = list(range(len(columns))), [], None
    for _ in range(_ROUNDS):
        found = estimate_leaks(
            take(seen.table, None, left), seen.target, fit=judge.fit, groups=seen.groups,
            at_least=_AT_LEAST, most_columns=_COLUMNS, n_folds=_FOLDS, **how,
        )  # fmt: skip
        first = first or found
        # An array's columns are called by their places, which move when one is taken away.
        name_of = dict(zip(found.alone.names, (columns[i] for i in left), strict=True))
        new = [replace(s, name=name_of[s.name]) for s in found.strong if s.reasons]
        suspects += new
        gone = {s.name for s in new}
        left = [i for i in left if columns[i] not in gone]
        if not new or not left:
            break
    assert first is not None
    price = None
    if suspects and left:
        names = [s.name for s in suspects]
        price = score_without_columns(
            judge.fit, seen.table, seen.target, names, groups=seen.groups, balanced=False, **how
        )
    return _Found(tuple(suspects), first, price)


def _price(found: _Found) -> tuple[Measured | None, Severity]:
    """Return what the suspects flatter, and how severe that is.

    A column with which not everything is told may well be an honest one: that is a question. What
    a column tells is seen by the model, too, since cells of a column blur where classes meet.
    """
    if found.price is None:
        return None, "medium"
    apart, alone, whole = found.price.difference, found.first.alone, found.price.one.score
    price = in_points(apart.score, apart.low, apart.high)
    told = max(
        _way(whole, found.price.chance), *(_way(s.score, alone.chance) for s in found.suspects)
    )
    there = max(_way(s.presence, alone.chance) for s in found.suspects)
    sure = told >= _NEARLY_PERFECT or there >= _BY_PRESENCE
    return price, severity_of_cost(price) if sure else "low"


def _way(score: float, chance: float) -> float:
    """Return how far a score is on the way from chance to perfect."""
    return (score - chance) / (1 - chance)


def _nothing(leaks: Leaks, looked_at: str) -> Finding:
    """Return that there is no suspect, or that it is not told."""
    alone = leaks.alone
    i = int(np.argmax(alone.score))
    measured = Measured(
        float(alone.score[i]),
        float(alone.low_of_all[i]),
        float(alone.high_of_all[i]),
        f"{alone.measure} of one column alone",
        alone.chance,
        "chance",
    )
    told = f"the best alone, {listed([alone.names[i]])}, scores {measured}, "
    told += f"{alone.chance:.3f} by chance"
    needed = alone.chance + _AT_LEAST * (1 - alone.chance)
    telling = alone.p_value <= 1 - alone.confidence
    open_ones = telling & (alone.low < needed) & (alone.score >= needed)
    if open_ones.any():
        names = [alone.names[j] for j in np.flatnonzero(open_ones)]
        return Finding(
            "undecided",
            f"Whether {listed(names)} alone tells the target too well is not told: {told}"
            f"{looked_at}",
            measured=measured,
            action="more rows narrow the interval; or ask when the column is written down",
        )
    replaced = f"; others can replace {listed([s.name for s in leaks.strong])}" * bool(leaks.strong)
    return Finding(
        "passed",
        f"No column tells the target better than all others together: {told}{replaced}{looked_at}",
        measured=measured,
        details={"strong": [s.name for s in leaks.strong]},
    )


def _table(found: _Found) -> Table:
    return Table(
        "leaks",
        "Columns that tell the target",
        "Score of each column alone, and of whether it has its commonest value alone, on rows that "
        f"were held out ({found.first.alone.measure}); and why it is asked about.",
        {
            "column": [s.name for s in found.suspects],
            "alone": [round(s.score, 4) for s in found.suspects],
            "presence": [round(s.presence, 4) for s in found.suspects],
            "why": ["; ".join(s.reasons) for s in found.suspects],
        },
    )


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"


CHECK = Check("OP501", "Target leakage", _run, ("table",), why_no_table)
