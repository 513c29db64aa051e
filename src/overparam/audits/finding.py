"""`Finding`: what one check says: a number with its interval, what it costs, what to do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np

from overparam.checks import check_choice
from overparam.errors import UsageError
from overparam.lab.digits import write_measured
from overparam.lab.figure import Figure
from overparam.texts import printable

Status = Literal["found", "passed", "undecided", "not applicable", "skipped", "failed"]
Severity = Literal["none", "low", "medium", "high", "critical"]
SEVERITIES: tuple[str, ...] = get_args(Severity)
POINTS = "points"  # 0.01 of the loss: of error, or of the target's variance
_LEAST_COST = ((10.0, "critical"), (3.0, "high"), (1.0, "medium"))  # points, surely lost


@dataclass(frozen=True)
class Measured:
    """A number with its interval, and what is trivial beside it.

    Attributes:
        value, low, high: NaN where it is not known. unit: such as ``points`` or ``rows``.
        baseline: the same number of a trivial answer; None where there is none.
        baseline_name: what that is, such as "always the most frequent class".
    """

    value: float
    low: float
    high: float
    unit: str = ""
    baseline: float | None = None
    baseline_name: str = ""

    def __str__(self) -> str:
        """Return the number with the digits that its interval carries.

        >>> str(Measured(1.4321, 0.61, 2.21, "points"))
        '1.4 [0.6, 2.2] points'
        >>> str(Measured(math.nan, math.nan, math.nan))
        'unknown'
        >>> str(Measured(3.0, 3.0, 3.0, "of 14 columns"))
        '3 of 14 columns'
        """
        if math.isnan(self.value):
            return "unknown"
        ends = (self.value, self.low, self.high)
        if self.low == self.value == self.high:  # counted, not estimated
            return f"{self.value:.6g}" + (f" {self.unit}" if self.unit else "")
        told = [
            write_measured(v, self.low, self.high) if math.isfinite(v) else str(v) for v in ends
        ]
        return f"{told[0]} [{told[1]}, {told[2]}]" + (f" {self.unit}" if self.unit else "")

    @property
    def is_above_zero(self) -> bool:
        """Whether the whole interval lies above 0."""
        return bool(self.low > 0)


@dataclass(frozen=True, eq=False)
class Finding:
    """What a check says.

    Attributes:
        status: ``found``: something to act on or to know. ``passed``: looked at, and nothing is
            amiss. ``undecided``: looked at, and the interval holds both answers. A check itself
            returns one of these three. ``not applicable``, ``skipped`` (for budget, or because
            what it needs was not measured) and ``failed`` are set around it, with the reason in
            `sentence`.
        sentence: what was found, in one sentence that needs no other.
        severity: ``none`` unless it was found.
        measured: the number that the sentence stands on.
        cost: points of test error that it costs; None where it has no cost in points.
        gain: points that acting would win, measured by doing it.
        action: the next thing to do; "" where there is none.
        rows: int64, rows of the training set that it is about, the most important first.
        row_columns: name to a column `[len(rows)]` that says something of them.
        figures: evidence to be drawn, as data; tables are figures too.
        details: more numbers, for the JSON: plain values.
        code, title, page, validated_by: of the check, set around it.
    """

    status: Status
    sentence: str
    severity: Severity = "none"
    measured: Measured | None = None
    cost: Measured | None = None
    gain: Measured | None = None
    action: str = ""
    rows: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    row_columns: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    title: str = ""
    page: str = ""
    validated_by: str = ""

    def __post_init__(self) -> None:
        check_choice("status", self.status, get_args(Status))
        check_choice("severity", self.severity, SEVERITIES)
        if (self.status == "found") == (self.severity == "none"):
            raise UsageError(
                "what is found has a severity, and nothing else has one",
                got=f"status {self.status!r} with severity {self.severity!r}",
            )
        unlike = {k: len(v) for k, v in self.row_columns.items() if len(v) != len(self.rows)}
        if unlike:
            raise UsageError(
                "a column of a finding says something of each of its rows",
                got=unlike,
                allowed=f"{len(self.rows)} values",
            )

    @property
    def rank(self) -> tuple[int, float]:
        """Order in a report: by severity, then by cost; the first is the largest."""
        cost = max((m.value for m in (self.cost, self.gain) if m and m.value == m.value), default=0)
        return -SEVERITIES.index(self.severity), -cost

    def __repr__(self) -> str:
        mark = f", {self.severity}" if self.status == "found" else ""
        return printable(f"{self.code} {self.title} ({self.status}{mark}): {self.sentence}")


def costliest_first(findings: Mapping[str, Finding], muted: Sequence[str] = ()) -> list[Finding]:
    """Return what was found, but for muted codes, the costliest first."""
    some = [f for code, f in findings.items() if f.status == "found" and code not in muted]
    return sorted(some, key=lambda f: (*f.rank, f.code))


def of_severity(found: Sequence[Finding], least: str) -> list[Finding]:
    """Return what is of a severity or a higher one.

    Raises:
        UsageError: no such severity.
    """
    rank = SEVERITIES.index(check_choice("severity", least, SEVERITIES))
    return [f for f in found if SEVERITIES.index(f.severity) >= rank]


def severity_of_cost(cost: Measured) -> Severity:
    """Return how severe it is to lose so many points, by what is surely lost.

    Critical from 10 points, high from 3, medium from 1; else low, also where nothing is sure.

    >>> severity_of_cost(Measured(5.0, 3.5, 6.5, POINTS))
    'high'
    >>> severity_of_cost(Measured(5.0, -1.0, 11.0, POINTS))
    'low'
    """
    for least, severity in _LEAST_COST:
        if cost.low >= least:
            return severity  # type: ignore[return-value]
    return "low"
