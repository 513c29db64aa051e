"""Each arm's verdict in words and numbers: its effect, and the clauses that decided."""

from __future__ import annotations

import math
from dataclasses import dataclass

from overparam.lab.phenomenon import TREATMENT
from overparam.lab.verdict import Clause, Verdict
from overparam.report.formatting import format_interval, format_measured, format_number

SYMBOLS = {"observed": "●", "absent": "○", "inconclusive": "◐"}


@dataclass(frozen=True)
class ClauseContent:
    """One thing that the rule demands of an arm, and what was measured.

    Attributes:
        what: the quantity. state: shown, refuted or undecided. bound: what is demanded, in words.
        found: the measured value with its interval, or why there is none.
        estimate, low, high: NaN where unknown. n_seeds, n_missing: behind them, and lacking.
        above, below: the bounds as numbers; infinite where there is none.
        premise: whether it only says that the question was put.
    """

    what: str
    state: str
    bound: str
    found: str
    estimate: float
    low: float
    high: float
    n_seeds: int
    n_missing: int
    above: float
    below: float
    premise: bool

    @property
    def sentence(self) -> str:
        """Return the clause on one line."""
        demand = f"{self.what} {self.bound}".rstrip()
        return f"{demand}: {self.state} ({self.found})"


@dataclass(frozen=True)
class Arm:
    """One arm's verdict. Effects are NaN where too few seeds allow none.

    Attributes:
        bounds: of the rule, where they bound the effect itself.
        clauses: all that the rule demands. decided_by: places in `clauses` of those that made the
            verdict: the refuted ones of "absent", the undecided ones of "inconclusive", else all.
    """

    name: str
    is_treatment: bool
    kind: str
    estimate: float
    low: float
    high: float
    level: float
    n_seeds: int
    unit: str
    rule: str
    reason: str
    bounds: tuple[float, ...]
    clauses: tuple[ClauseContent, ...]
    decided_by: tuple[int, ...]

    @property
    def as_claimed(self) -> bool:
        """Whether the effect is there in the treatment, and not in a control."""
        return self.kind == ("observed" if self.is_treatment else "absent")

    @property
    def deciding(self) -> tuple[ClauseContent, ...]:
        """The clauses that made the verdict."""
        return tuple(self.clauses[i] for i in self.decided_by)


def describe_arm(name: str, verdict: Verdict) -> Arm:
    """Return what a report says of the arm `name`."""
    effect = verdict.effect
    state = {"absent": "refuted", "inconclusive": "undecided"}.get(verdict.kind, "shown")
    return Arm(
        name=name,
        is_treatment=name == TREATMENT,
        kind=verdict.kind,
        estimate=float(effect.estimate),
        low=float(effect.low),
        high=float(effect.high),
        level=float(effect.level),
        n_seeds=int(effect.n),
        unit=verdict.unit,
        rule=verdict.rule,
        reason=verdict.reason,
        bounds=_bounds(verdict),
        clauses=tuple(map(_clause, verdict.clauses)),
        decided_by=tuple(i for i, c in enumerate(verdict.clauses) if c.state == state),
    )


def interval_sentence(arm: Arm) -> str:
    """Return the interval with its level and number of seeds, or why there is none."""
    seeds = _seeds(arm.n_seeds)
    interval = format_interval(arm.low, arm.high)
    if interval == "–":
        if not arm.n_seeds and not any(clause.n_missing for clause in arm.clauses):
            return "nothing to take an interval of"  # more seeds would not mend that
        needs = ": it needs at least two" if arm.n_seeds < 2 else ""
        return f"no finite interval from {seeds}{needs}"
    return f"{format_number(100 * arm.level)} % interval {interval}, {seeds}"


def _clause(clause: Clause) -> ClauseContent:
    value = clause.value
    return ClauseContent(
        what=clause.what,
        state=clause.state,
        bound=_bound(clause),
        found=_found(clause),
        estimate=float(value.estimate),
        low=float(value.low),
        high=float(value.high),
        n_seeds=int(value.n),
        n_missing=int(value.n_missing),
        above=float(clause.low),
        below=float(clause.high),
        premise=bool(clause.premise),
    )


def _bound(clause: Clause) -> str:
    if math.isinf(clause.low) and math.isinf(clause.high):  # nothing is known of it
        return ""
    low, high = format_number(clause.low, 4), format_number(clause.high, 4)
    if math.isinf(clause.high):
        return f"above {low}"
    return f"below {high}" if math.isinf(clause.low) else f"between {low} and {high}"


def _found(clause: Clause) -> str:
    value = clause.value
    if value.n_missing:
        lacks = f"{value.n_missing} of {_seeds(value.n + value.n_missing)}"
        return f"{lacks} lack{'s' if value.n_missing == 1 else ''} a cell that it needs"
    if not math.isfinite(value.estimate):
        return clause.note or "not measured"
    estimate = format_measured(value.estimate, value.low, value.high)
    if not value.is_known:
        return f"{estimate}, {clause.note or f'no interval from {_seeds(value.n)}'}"
    return f"{estimate} {format_interval(value.low, value.high)}"


def _seeds(n: int) -> str:
    return f"{n} seed{'' if n == 1 else 's'}"


def _bounds(verdict: Verdict) -> tuple[float, ...]:
    """Return the finite bounds of the clauses whose value the effect is (or shares an end with)."""
    effect, bounds = verdict.effect, []
    for clause in verdict.clauses:
        value = clause.value
        if (value.estimate, value.low) == (effect.estimate, effect.low) or value == effect:
            bounds += [b for b in (clause.low, clause.high) if math.isfinite(b)]
    return tuple(dict.fromkeys(map(float, bounds)))
