"""How far a growing factor moves the learned map from the identity toward the constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.lab.intervals import paired_difference
from overparam.lab.records import Records
from overparam.lab.verdict import (
    UNKNOWN,
    Interval,
    Verdict,
    exceeds,
    judge,
    stays_below,
    told,
    unmeasured,
)
from overparam.phenomena.identity._left_out import LeftOut, unfitted
from overparam.phenomena.identity._summary import (
    CLEAR,
    NOT_JUDGED,
    PREFERENCE,
    RESOLUTION,
    MapSummary,
    score_interval,
    summarise_maps,
)

UNIT = "fall of the preference, 1 identity to -1 constant"


@dataclass(frozen=True)
class MapFall:
    """One arm: its scores over the levels, and the preference at both ends of the sweep.

    Attributes:
        first, last: preference at the first levels (their mean) and at the last one.
        fall: first minus last, paired by seed.
        ends: what became of the networks of these levels.
    """

    maps: MapSummary
    first: Interval
    last: Interval
    fall: Interval
    ends: tuple[LeftOut, ...] = ()


def fall_rule(first: str, last: str, ends_below: float) -> str:
    """Return the rule in words. `first`, `last`: of the levels, such as "the smallest kernel"."""
    return (
        f"{PREFERENCE} Observed if the 95 % intervals over seeds show that it falls from {first} "
        f"to {last} by more than {CLEAR}, that it is above {CLEAR} at {first}, and that it is "
        f"below {ends_below:g} at {last}; absent if one lies wholly beyond its bound; else "
        f"inconclusive. {NOT_JUDGED}"
    )


def summarise_fall(records: Records, by: str, *, up_to: float | None = None) -> MapFall:
    """Return the scores over factor `by`, and the preference at both ends.

    Args:
        up_to: the mean over all levels up to this one is the first end; by default the lowest
            level is. Taken together and not chosen among, so that no luck is selected.
    """
    maps = summarise_maps(records, by)
    if len(maps.levels) < 2:
        return MapFall(maps, UNKNOWN, UNKNOWN, UNKNOWN)
    start = maps.levels <= (maps.levels[0] if up_to is None else up_to)
    if start[-1] or not start.any():
        return MapFall(maps, UNKNOWN, UNKNOWN, UNKNOWN)
    first, last = maps.preference[start].mean(0), maps.preference[-1]
    return MapFall(
        maps,
        score_interval(first),
        score_interval(last),
        paired_difference(first, last, step=RESOLUTION),
        (*(maps.by_level[i] for i in np.flatnonzero(start)), maps.by_level[-1]),
    )


def judge_fall(found: MapFall, unit: str, *, rule: str, ends_below: float) -> Verdict:
    """Apply the rule of falls to one arm.

    Args:
        unit: of the levels, such as "layers". rule: `fall_rule` with the same `ends_below`.
    """
    maps, levels = found.maps, found.maps.levels
    if found.fall is UNKNOWN:
        got = " and ".join(f"{level:g}" for level in levels) or "none"
        clauses = [unmeasured("fall of the preference", f"two ends are needed, got levels {got}")]
        return judge(clauses, effect=UNKNOWN, unit=UNIT, rule=rule, reason=str(maps.left_out))
    first, last = (told(end.estimate, ".2f") for end in (found.first, found.last))
    reason = (
        f"From {levels[0]:,.0f} to {levels[-1]:,.0f} {unit} the mean preference goes from "
        f"{first} to {last}. {maps.left_out}"
    )
    clauses = [
        exceeds("fall of the preference", found.fall, CLEAR),
        exceeds("preference at the first end", found.first, CLEAR),
        stays_below("preference at the last end", found.last, ends_below),
        *unfitted(*found.ends),
    ]
    return judge(clauses, effect=found.fall, unit=UNIT, rule=rule, reason=reason)
