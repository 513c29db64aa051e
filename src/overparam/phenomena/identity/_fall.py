"""How far a growing factor moves the learned map from the identity toward the constant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.lab.intervals import paired_difference
from overparam.lab.records import Records
from overparam.lab.verdict import Interval, Verdict, decide
from overparam.phenomena.identity._summary import CLEAR, PREFERENCE, MapSummary, summarise_maps

FALL_RULE = (
    f"{PREFERENCE} Observed if the 95 % interval over seeds of its fall from the first to the last "
    f"level of an arm lies above {CLEAR}, a quarter of the way from the identity to the constant; "
    "absent if it lies below. Networks that did not fit their training image are not judged."
)


@dataclass(frozen=True)
class MapFall:
    """One arm: its scores over the levels, and the fall of the preference from end to end."""

    maps: MapSummary
    fall: Interval


def summarise_fall(records: Records, by: str) -> MapFall:
    """Return the scores over factor `by`, and first minus last preference, paired by seed."""
    maps = summarise_maps(records, by)
    return MapFall(maps, paired_difference(maps.preference[0], maps.preference[-1]))


def judge_fall(found: MapFall, unit: str) -> Verdict:
    """Apply `FALL_RULE` to one arm. `unit`: of the levels, such as "layers"."""
    first, last = (mean_present(found.maps.preference[i]) for i in (0, -1))
    levels = found.maps.levels
    return decide(
        found.fall,
        at_least=CLEAR,
        unit="fall of the preference, 1 identity to -1 constant",
        rule=FALL_RULE,
        reason=f"From {levels[0]:,.0f} to {levels[-1]:,.0f} {unit} the mean preference goes from "
        f"{first:.2f} to {last:.2f}.",
    )


def mean_present(values: np.ndarray) -> float:
    """Return the mean of the values that are there, NaN of none.

    >>> mean_present(np.array([1.0, np.nan, 2.0]))
    1.5
    """
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")
