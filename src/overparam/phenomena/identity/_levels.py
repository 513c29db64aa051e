"""What a probed architecture prefers at every level of its sweep, in words and as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overparam.lab.figure import Table
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.verdict import Interval, told
from overparam.phenomena.identity._left_out import LeftOut
from overparam.phenomena.identity._summary import (
    CLEAR,
    CORRELATION,
    MapSummary,
    score_interval,
)


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
        prefers: in words. why: where a seed did not fit, what it reached and what to set, or "".
        preference, identity, constant: means over the seeds that fitted.
        n_learned: seeds that fitted their training image (None for the untrained). n_seeds: all.
    """

    arm: str
    level: str
    prefers: str
    why: str
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
            preference, left_out = score_interval(s.maps.preference[i]), s.maps.by_level[i]
            trained = arm == TREATMENT
            found.append(
                Level(
                    arm="trained" if trained else arm,
                    level=level,
                    prefers=preferred(preference, left_out if trained else None),
                    why=left_out.remedy if trained and left_out.reached else "",
                    preference=preference,
                    identity=score_interval(s.maps.identity[i], CORRELATION),
                    constant=score_interval(s.maps.constant[i], CORRELATION),
                    n_learned=preference.n if trained else None,
                    n_seeds=s.maps.preference.shape[1],
                )
            )
    return found


def answer(summary: Summary) -> str:
    """Return what a trained arm prefers at every level, in words with numbers."""
    return "; ".join(
        f"at {summary.sweep} {found.level} {_told(found)}"
        if summary.sweep
        else f"on these images {_told(found)}"
        for found in levels_of({TREATMENT: summary})
    )


def _told(found: Level) -> str:
    if found.n_learned:
        known = f"{found.prefers} (preference {text_of(found.preference)})"
        missing = found.n_seeds - found.n_learned
        return known if not missing else f"{known}, {missing} of {found.n_seeds} seeds left out"
    return f"{found.prefers} ({found.why})" if found.why else found.prefers


def levels_table(summaries: Mapping[str, Summary]) -> Table:
    """Return the levels as a table, the numbers that a ticket needs."""
    found = levels_of(summaries)
    return Table(
        "levels",
        "Which map is preferred at each level",
        "Means over seeds with 95 % intervals. A clear preference lies beyond "
        f"±{CLEAR}; the correlations are to be read against the inputs' own similarity to the "
        f"training image, {told(summaries[TREATMENT].maps.baseline, '.2f')}. "
        f"{summaries[TREATMENT].maps.left_out}",
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


def preferred(preference: Interval, left_out: LeftOut | None = None) -> str:
    """Return in words which map a preference stands for, or why there is none.

    Args:
        left_out: what became of the networks; None of such as were not to be trained.
    """
    if not preference.n:
        return "did not fit" if left_out and left_out.reached else "not measured"
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
    return str(interval) if np.isfinite(interval.low) else told(interval.estimate)
