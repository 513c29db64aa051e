"""`Interval` and `Verdict`: what a study concludes, with how sure it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Kind = Literal["observed", "absent", "inconclusive"]


@dataclass(frozen=True)
class Interval:
    """An estimate with a confidence interval.

    Attributes:
        estimate, low, high: same unit; NaN where there were too few values.
        level: confidence level, in (0, 1).
        n: number of independent values (seeds) behind it.
    """

    estimate: float
    low: float
    high: float
    level: float = 0.95
    n: int = 0

    def __str__(self) -> str:
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Verdict:
    """What a rule, written before the run, says of one arm.

    Attributes:
        kind: observed, absent or inconclusive.
        effect: the measured effect with its interval.
        unit: unit of the effect, such as "ratio" or "fraction wrong".
        rule: the rule in words, with its thresholds.
        reason: what decided, one sentence with numbers.
    """

    kind: Kind
    effect: Interval
    unit: str
    rule: str
    reason: str = ""


def decide(
    effect: Interval,
    *,
    at_least: float,
    unit: str,
    rule: str,
    reason: str = "",
    provided: bool = True,
) -> Verdict:
    """Judge an effect against a threshold by its whole interval.

    Args:
        at_least: threshold t. The whole interval above t: observed; the whole interval below
            t: absent; t inside it, or a non-finite end: inconclusive.
        provided: side conditions of the claim (such as "training error reached 0"); where they
            fail, an effect is not the claimed one: absent.

    >>> decide(Interval(1.5, 1.2, 1.9), at_least=1.1, unit="ratio", rule="peak / end > 1.1").kind
    'observed'
    >>> decide(Interval(1.0, 0.9, 1.05), at_least=1.1, unit="ratio", rule="peak / end > 1.1").kind
    'absent'
    """
    if not all(map(math.isfinite, (effect.estimate, effect.low, effect.high))):
        kind: Kind = "inconclusive"
    elif effect.low > at_least:
        kind = "observed" if provided else "absent"
    elif effect.high < at_least or not provided:
        kind = "absent"
    else:
        kind = "inconclusive"
    return Verdict(kind, effect, unit, rule, reason)


def weaker(first: Interval, second: Interval) -> Interval:
    """Return what is to be judged where two effects must both pass: the smaller of each end.

    >>> print(weaker(Interval(1.5, 1.2, 1.9), Interval(1.4, 1.3, 2.0)))
    1.4 [1.2, 1.9]
    """
    return Interval(
        min(first.estimate, second.estimate),
        min(first.low, second.low),
        min(first.high, second.high),
        first.level,
        first.n,
    )
