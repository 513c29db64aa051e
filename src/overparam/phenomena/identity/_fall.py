"""How far a growing factor moves the learned map from the identity toward the constant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from overparam.lab.intervals import paired_difference
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.selection import largest_interval, smallest_interval
from overparam.lab.statistics import monotone_test
from overparam.lab.verdict import (
    UNKNOWN,
    Clause,
    Interval,
    Verdict,
    exceeds,
    judge,
    stays_below,
    told,
)
from overparam.phenomena.identity._left_out import unfitted
from overparam.phenomena.identity._summary import (
    CLEAR,
    LIKENESS,
    NOT_JUDGED,
    PREFERENCE,
    RESOLUTION,
    MapSummary,
    score_interval,
    summarise_maps,
)

UNIT = "fall of the preference, 1 identity to -1 constant"
CONTROL_UNIT = "preference, 1 identity to -1 constant"


@dataclass(frozen=True)
class MapFall:
    """One arm: its scores over the levels, and what the rules of arms look at.

    Attributes:
        arm: name of the arm; of a control, the rule is another.
        first, last: preference at the first levels (their mean) and at the last one. least_first:
            the lowest mean preference of the first levels.
        like_identity: the lowest mean likeness of the first levels to the identity.
        like_constant: likeness of the last level to the constant.
        fall: first minus last, paired by seed.
        reversal: the largest rise from a level to a later one.
        n_images: most that a network learned.
        lowest: of the mean preferences of the levels; unknown of a single level, which shows
            nothing of what a sweep does. lowest_capped, highest_capped: the same of `capped`.
    """

    arm: str
    maps: MapSummary
    first: Interval = UNKNOWN
    least_first: Interval = UNKNOWN
    last: Interval = UNKNOWN
    like_identity: Interval = UNKNOWN
    like_constant: Interval = UNKNOWN
    fall: Interval = UNKNOWN
    reversal: Interval = UNKNOWN
    lowest: Interval = UNKNOWN
    lowest_capped: Interval = UNKNOWN
    highest_capped: Interval = UNKNOWN
    n_images: int = 1


def fall_rule(first: str, last: str, ends_below: float, controls: str, each: str = "") -> str:
    """Return the rule in words.

    Args:
        first, last: of the levels, such as "the smallest kernel". controls: when each control is
            absent, in a sentence. each: of several first levels, every one.
    """
    return (
        f"{PREFERENCE} {LIKENESS} Observed if the 95 % intervals over seeds show that the "
        f"preference falls from {first} to {last} by more than {CLEAR}, that it is above {CLEAR} "
        f"at {each or first} and below {ends_below:g} at {last}, that it rises by less than "
        f"{CLEAR} between any two levels, and that the likeness to the identity is above {CLEAR} "
        f"at {each or first}, that to the constant above {CLEAR} at {last}; absent if one lies "
        "wholly beyond its bound; else inconclusive. A control is judged by its own sentence "
        "alone, where a network is clearly the identity whose preference and likeness to it both "
        f"lie above {CLEAR}: {controls} {NOT_JUDGED}"
    )


def summarise_fall(
    records: Records, by: str, *, arm: str = TREATMENT, up_to: float | None = None
) -> MapFall:
    """Return the scores over factor `by`, and the preference at both ends.

    Args:
        arm: what these records are. up_to: all levels up to this one are the first end, which
            falls from their mean, and is where a bound holds at each of them; by default the
            lowest level is.
    """
    maps = summarise_maps(records, by)
    if not len(maps.levels):
        return MapFall(arm, maps)
    found = MapFall(arm, maps)
    if len(maps.levels) > 1:
        found = replace(
            found,
            lowest=smallest_interval(maps.preference, step=RESOLUTION),
            lowest_capped=smallest_interval(maps.capped, step=RESOLUTION),
            highest_capped=largest_interval(maps.capped, step=RESOLUTION),
        )
    start = maps.levels <= (maps.levels[0] if up_to is None else up_to)
    if start[-1] or not start.any():
        return found
    first, last = maps.preference[start].mean(0), maps.preference[-1]
    order = monotone_test(maps.levels, maps.preference, "decreasing", step=RESOLUTION)
    return replace(
        found,
        first=score_interval(first),
        least_first=_least(maps.preference[start]),
        last=score_interval(last),
        like_identity=_least(maps.identity_likeness[start]),
        like_constant=score_interval(maps.constant_likeness[-1]),
        fall=paired_difference(first, last, step=RESOLUTION),
        reversal=order.reversal,
    )


def _least(values: np.ndarray) -> Interval:
    """Return the lowest of the levels' means; of one level, which is not chosen, the mean."""
    one = len(values) == 1
    return score_interval(values[0]) if one else smallest_interval(values, step=RESOLUTION)


def judge_fall(
    found: MapFall,
    unit: str,
    *,
    rule: str,
    ends_below: float,
    controls: Mapping[str, Sequence[Clause]] | None = None,
    lacking: Sequence[Clause] = (),
) -> Verdict:
    """Apply the rule of falls to one arm: a control's own clauses to a control.

    Args:
        unit: of the levels, such as "layers". rule: `fall_rule` with the same `ends_below`.
        controls: of every control, what its own sentence says would falsify it.
        lacking: what the arm is said to have and the design lacks.
    """
    maps, levels = found.maps, found.maps.levels
    ends = [told(end.estimate, ".2f") for end in (found.first, found.last)]
    reason = (
        f"From {levels[0]:,.0f} to {levels[-1]:,.0f} {unit} the mean preference goes from "
        f"{ends[0]} to {ends[1]}. {maps.left_out}"
        if found.fall is not UNKNOWN
        else str(maps.left_out)
    )
    own = (controls or {}).get(found.arm)
    clauses = [
        exceeds("fall of the preference", found.fall, CLEAR),
        exceeds("least preference at the first end", found.least_first, CLEAR),
        stays_below("preference at the last end", found.last, ends_below),
        stays_below("rise between any two levels", found.reversal, CLEAR),
        exceeds("likeness to the identity at the first end", found.like_identity, CLEAR),
        exceeds("likeness to the constant at the last end", found.like_constant, CLEAR),
    ]
    clauses = [_explained(c, levels) for c in (own or clauses)]
    return judge(
        [*clauses, *lacking, *unfitted(maps.left_out)],
        effect=clauses[0].value,
        unit=UNIT if own is None else CONTROL_UNIT,
        rule=rule,
        reason=reason,
    )


def _explained(clause: Clause, levels: np.ndarray) -> Clause:
    if clause.value is not UNKNOWN:
        return clause
    got = " and ".join(f"{level:g}" for level in levels) or "none"
    return replace(clause, note=f"two ends are needed, got levels {got}")
