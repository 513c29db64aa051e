"""What a probed architecture prefers at every level of its sweep, in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overparam.lab.figure import Table
from overparam.lab.intervals import mean_interval
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.verdict import Interval
from overparam.phenomena.identity._summary import CLEAR, MapSummary


@dataclass(frozen=True)
class Summary:
    """One arm: scores over the levels (their positions, where they are not numbers)."""

    name: str
    sweep: str
    levels: tuple[str, ...]
    maps: MapSummary
    to_constant: Interval


@dataclass(frozen=True)
class Level:
    """What one arm is at one level.

    Attributes:
        prefers: in words. preference, identity, constant: means over the seeds that fitted.
        n_learned: seeds that fitted their training image (None for the untrained). n_seeds: all.
    """

    arm: str
    level: str
    prefers: str
    preference: Interval
    identity: Interval
    constant: Interval
    n_learned: int | None
    n_seeds: int


def levels_of(summaries: Mapping[str, Summary]) -> list[Level]:
    """Return what every arm is at every level."""
    found = []
    for arm, s in summaries.items():
        for i, level in enumerate(s.levels):
            preference = mean_interval(s.maps.preference[i])
            trained = arm == TREATMENT
            found.append(
                Level(
                    arm="trained" if trained else arm,
                    level=level,
                    prefers=preferred(preference, preference.n),
                    preference=preference,
                    identity=mean_interval(s.maps.identity[i]),
                    constant=mean_interval(s.maps.constant[i]),
                    n_learned=preference.n if trained else None,
                    n_seeds=s.maps.preference.shape[1],
                )
            )
    return found


def levels_table(summaries: Mapping[str, Summary]) -> Table:
    """Return the levels as a table, the numbers that a ticket needs."""
    found = levels_of(summaries)
    return Table(
        "levels",
        "Which map is preferred at each level",
        "Means over seeds with 95 % intervals. A clear preference lies beyond "
        f"±{CLEAR}; the correlations are to be read against the inputs' own similarity to the "
        f"training image, {summaries[TREATMENT].maps.baseline:.2f}.",
        {
            "arm": [f.arm for f in found],
            "level": [f.level or "-" for f in found],
            "prefers": [f.prefers for f in found],
            "preference": [text_of(f.preference) for f in found],
            "to the input": [text_of(f.identity) for f in found],
            "to the training image": [text_of(f.constant) for f in found],
            "seeds that fitted": ["-" if f.n_learned is None else f.n_learned for f in found],
            "seeds": [f.n_seeds for f in found],
        },
    )


def preferred(preference: Interval, n_learned: int) -> str:
    """Return in words which map a preference stands for."""
    if not n_learned:
        return "did not train"
    low, high = (
        (preference.low, preference.high)
        if np.isfinite(preference.low)
        else (preference.estimate, preference.estimate)
    )
    if low > CLEAR:
        return "the identity"
    if high < -CLEAR:
        return "the constant"
    if low > -CLEAR and high < CLEAR:
        return "neither"
    return "undecided"


def text_of(interval: Interval) -> str:
    """Return an interval as text; of one seed, the number alone."""
    return str(interval) if np.isfinite(interval.low) else f"{interval.estimate:.3g}"
