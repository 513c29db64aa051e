"""`Interval`, `Clause` and `Verdict`: what a study concludes, with how sure it is.

A rule, written before the run, is a list of clauses. A clause is an interval against a bound, and
is *shown*, *refuted* or *undecided*; all shown: observed, one refuted: absent, else inconclusive.
Some clauses are premises (the networks were fitted, the sweep reaches past the threshold): where
one is not shown, the question was not put, and the verdict is inconclusive. There is no other way
to a verdict, so what was not measured can never count as passed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal

from overparam.errors import UsageError
from overparam.lab.digits import write_measured

Kind = Literal["observed", "absent", "inconclusive"]
State = Literal["shown", "refuted", "undecided"]


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval.

    Attributes:
        estimate, low, high: same unit; NaN where there were too few values.
        level: confidence level, in (0, 1).
        n: number of independent values (seeds) behind it.
        n_missing: values that the design planned and that are not there: of cells that failed,
            diverged or were not run.
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95
    n: int = 0
    n_missing: int = 0

    def __post_init__(self) -> None:
        ends = (self.estimate, self.low, self.high)
        if not all(isinstance(end, Real) for end in ends):
            raise TypeError(f"an interval is three numbers, got {ends!r:.200}")
        if self.low > self.high:
            raise ValueError(f"an interval's low end lies above its high end: {ends!r:.200}")

    @property
    def is_known(self) -> bool:
        """Whether something can be concluded: finite ends, and nothing missing behind them.

        Of one seed nothing can: what its value says of others is not known.
        """
        ends = (self.estimate, self.low, self.high)
        return not self.n_missing and self.n != 1 and all(map(math.isfinite, ends))

    @property
    def is_whole(self) -> bool:
        """Whether there is an estimate from all that was planned, so that it may be a title."""
        return not self.n_missing and math.isfinite(self.estimate)

    def __str__(self) -> str:
        values = (self.estimate, self.low, self.high)
        if not all(map(math.isfinite, values)):
            known = math.isfinite(self.estimate)
            return told(self.estimate) + (" (no interval)" if known else "")
        value, low, high = (write_measured(v, self.low, self.high) for v in values)
        return f"{value} [{low}, {high}]"


def told(value: float, spec: str = ".3g", otherwise: str = "not measured") -> str:
    """Return a number for a sentence, or the words that stand where there is none.

    >>> told(1234.5, ",.0f"), told(math.nan, ",.0f"), told(math.nan, otherwise="no width")
    ('1,234', 'not measured', 'no width')
    >>> told(-0.001, ".2f")
    '0.00'
    """
    if math.isnan(value):
        return otherwise
    return f"{value:z{spec}}" if math.isfinite(value) else "beyond all numbers"


UNKNOWN = Interval(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Clause:
    """One thing that a rule demands: that a value lies between bounds.

    Attributes:
        what: the quantity, such as "peak over the lowest in wider networks".
        value: its interval over seeds.
        low, high: the value must lie above `low` and below `high`; one or both, `low` not above
            `high`. Only of what is `unmeasured` nothing need be demanded.
        note: why nothing is known, where that is not said by the value itself.
        premise: whether it only says that the question was put; then it is not refuted.

    >>> Clause("ratio", Interval(1.5, 1.2, 1.9), low=1.1).state
    'shown'
    >>> Clause("ratio", Interval(1.5, 1.2, 1.9, n=4, n_missing=1), low=1.1).state
    'undecided'
    """

    what: str
    value: Interval
    low: float = -math.inf
    high: float = math.inf
    note: str = ""
    premise: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.what, str) or not isinstance(self.value, Interval):
            raise TypeError(f"a clause is of a text and an Interval, got {self.value!r:.80}")
        bounds = (self.low, self.high)
        if not all(isinstance(bound, Real) for bound in bounds):
            raise TypeError(f"a clause's bounds are numbers, got {bounds!r:.160}")
        if not self.low <= self.high:
            raise UsageError(
                f"nothing can be {self.what!r:.80} between these bounds",
                got=f"{self.low} and {self.high}",
                allowed="two numbers, the lower one first",
            )
        if not self.bound and not math.isnan(self.value.estimate):
            raise UsageError(
                f"nothing is demanded of {self.what!r:.80}",
                allowed="a bound: low, high, or both",
                remedy="use exceeds, stays_below or lies_within",
            )

    @property
    def state(self) -> State:
        """Shown where the whole interval lies between the bounds, refuted where all of it lies
        outside; undecided across a bound, and wherever the value is not known."""
        value = self.value
        if not value.is_known:
            return "undecided"
        if self.low < value.low and value.high < self.high:
            return "shown"
        outside = value.high < self.low or value.low > self.high
        return "refuted" if outside and not self.premise else "undecided"

    @property
    def bound(self) -> str:
        """What is demanded, in words; "" where all that is known is that nothing is."""
        if math.isinf(self.low) and math.isinf(self.high):
            return ""
        if math.isinf(self.high):
            return f"above {self.low:.4g}"
        if math.isinf(self.low):
            return f"below {self.high:.4g}"
        return f"between {self.low:.4g} and {self.high:.4g}"

    def __str__(self) -> str:
        demand = f"{self.what} {self.bound}".rstrip()
        return f"{demand}: {self.state} ({self._measured()})"

    def _measured(self) -> str:
        value = self.value
        if value.n_missing:
            n = value.n + value.n_missing
            seeds = f"{n} seed{'' if n == 1 else 's'}"
            lack = "lacks" if value.n_missing == 1 else "lack"
            return f"{value.n_missing} of {seeds} {lack} a cell it needs"
        if value.is_known:
            return str(value)
        if not math.isfinite(value.estimate):
            return self.note or told(value.estimate)
        return f"{value.estimate:.3g}, {self.note or f'no interval from n = {value.n}'}"


def exceeds(what: str, value: Interval, bound: float, note: str = "") -> Clause:
    """Return the clause that a value lies above a bound."""
    return Clause(what, value, low=bound, note=note)


def stays_below(what: str, value: Interval, bound: float, note: str = "") -> Clause:
    """Return the clause that a value lies below a bound."""
    return Clause(what, value, high=bound, note=note)


def lies_within(what: str, value: Interval, low: float, high: float, note: str = "") -> Clause:
    """Return the clause that a value lies between two bounds: equivalence, by the whole interval.

    That an interval touches the bounds' middle is not enough, or a claim of "no difference" would
    pass the more easily the less is known.
    """
    return Clause(what, value, low, high, note)


def unmeasured(what: str, why: str) -> Clause:
    """Return a clause of which nothing is known, and why."""
    return Clause(what, UNKNOWN, note=why)


def not_in_design(what: str) -> Clause:
    """Return the premise of something that a claim names and no planned cell shows.

    Whatever else is found then says nothing of the claim: the verdict is inconclusive, never
    observed and never absent.

    >>> print(not_in_design("training accuracy, gaussian"))
    training accuracy, gaussian: undecided (not in the design)
    """
    return premise(unmeasured(what, "not in the design"))


def premise(clause: Clause) -> Clause:
    """Return the clause as a premise: where it does not hold, the question was not put.

    >>> premise(stays_below("training loss", Interval(0.2, 0.1, 0.3), 1e-5)).state
    'undecided'
    """
    return replace(clause, premise=True)


def whole(*values: Interval) -> bool:
    """Return whether all of these are there whole, so that a title may tell them."""
    return all(value.is_whole for value in values)


def shown(*clauses: Clause) -> bool:
    """Return whether all of these are shown, so that a title may say what they demand."""
    return all(clause.state == "shown" for clause in clauses)


@dataclass(frozen=True)
class Verdict:
    """What a rule, written before the run, says of one arm. Made by `judge` or `decide`.

    Attributes:
        clauses: what the rule demands, each with what was measured; at least one.
        effect: the measured effect with its interval.
        unit: unit of the effect, such as "ratio" or "fraction wrong".
        rule: the rule in words, with its thresholds.
        reason: what was found, in sentences with numbers.
    """

    clauses: tuple[Clause, ...]
    effect: Interval
    unit: str
    rule: str
    reason: str = ""

    def __post_init__(self) -> None:
        clauses = self.clauses
        if not isinstance(clauses, tuple) or not all(isinstance(c, Clause) for c in clauses):
            raise TypeError(f"a verdict is a tuple of clauses (use judge), got {clauses!r:.80}")
        kinds = {"effect": Interval, "unit": str, "rule": str, "reason": str}
        for name, kind in kinds.items():
            if not isinstance(given := getattr(self, name), kind):
                raise TypeError(f"a verdict's {name} is of {kind.__name__}, got {given!r:.80}")

    @property
    def kind(self) -> Kind:
        """All shown: observed. One refuted, and every premise shown: absent. Else inconclusive.

        Premises alone answer no question: inconclusive.
        """
        states = {clause.state for clause in self.clauses if not clause.premise}
        if not shown(*(clause for clause in self.clauses if clause.premise)):
            return "inconclusive"
        if states == {"shown"}:
            return "observed"
        return "absent" if "refuted" in states else "inconclusive"


def judge(
    clauses: Sequence[Clause], *, unit: str, rule: str, effect: Interval, reason: str = ""
) -> Verdict:
    """Return the verdict of a rule's clauses.

    Args:
        effect: the number that stands for the whole; usually the value of the first clause, or
            the `weaker` of several.
        reason: sentences of the phenomenon's own; the clauses are told beside it in any case.

    >>> two = [exceeds("rise", Interval(2, 1.5, 2.5), 1), exceeds("fall", UNKNOWN, 1)]
    >>> judge(two, effect=two[0].value, unit="ratio", rule="it rises and falls").kind
    'inconclusive'
    """
    return Verdict(tuple(clauses), effect, unit, rule, reason)


def decide(effect: Interval, *, at_least: float, unit: str, rule: str, reason: str = "") -> Verdict:
    """Return the verdict of a rule of one clause: that the effect exceeds a threshold.

    >>> decide(Interval(1.5, 1.2, 1.9), at_least=1.1, unit="ratio", rule="peak / end > 1.1").kind
    'observed'
    >>> decide(Interval(1.0, 0.9, 1.05), at_least=1.1, unit="ratio", rule="peak / end > 1.1").kind
    'absent'
    """
    clause = exceeds(unit or "effect", effect, at_least)
    return judge([clause], effect=effect, unit=unit, rule=rule, reason=reason)


def weaker(first: Interval, second: Interval) -> Interval:
    """Return the effect to show where two must both pass: the smaller of each end.

    What is not known of either is not known of both.

    >>> print(weaker(Interval(1.5, 1.2, 1.9), Interval(1.4, 1.3, 2.0)))
    1.40 [1.20, 1.90]
    >>> print(weaker(Interval(1.5, 1.2, 1.9), UNKNOWN))
    not measured
    """

    def smaller(a: float, b: float) -> float:
        return min(a, b) if math.isfinite(a) and math.isfinite(b) else math.nan

    return Interval(
        smaller(first.estimate, second.estimate),
        smaller(first.low, second.low),
        smaller(first.high, second.high),
        first.level,
        min(first.n, second.n),
        max(first.n_missing, second.n_missing),
    )
