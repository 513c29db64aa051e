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

NEITHER = "neither"


@dataclass(frozen=True)
class Summary:
    """One arm: scores over the levels (their positions, where they are not numbers).

    Attributes:
        to_constant, like_constant: at the last level, minus the preference and the likeness.
    """

    name: str
    sweep: str
    levels: tuple[str, ...]
    maps: MapSummary
    to_constant: Interval
    like_constant: Interval


@dataclass(frozen=True)
class Level:
    """What one arm is at one level.

    Attributes:
        prefers: the map that they have become, in words.
        why: where a seed did not fit, what it reached and what to set, or "".
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
                    prefers=preferred(
                        preference,
                        score_interval(s.maps.identity_likeness[i]),
                        score_interval(s.maps.constant_likeness[i]),
                        left_out if trained else None,
                    ),
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
        known = f"{found.prefers} (preference {text_of(found.preference)}{_in_spite(found)})"
        missing = found.n_seeds - found.n_learned
        return known if not missing else f"{known}, {missing} of {found.n_seeds} seeds left out"
    return f"{found.prefers} ({found.why})" if found.why else found.prefers


def _in_spite(found: Level) -> str:
    """Return what the outputs are like, where the preference alone would name a map."""
    if found.prefers != NEITHER or abs(found.preference.estimate) < CLEAR:
        return ""
    return (
        f", but a correlation of {text_of(found.identity)} to the input and "
        f"{text_of(found.constant)} to the training image"
    )


def levels_table(summaries: Mapping[str, Summary]) -> Table:
    """Return the levels as a table, the numbers that a ticket needs."""
    found = levels_of(summaries)
    return Table(
        "levels",
        "Which map is preferred at each level",
        "Means over seeds with 95 % intervals. A clear preference lies beyond "
        f"±{CLEAR}, and neither correlation is then as much as half way from what that map has to "
        "what the other has: 1 and, as like as the inputs are to the training image, "
        f"{told(summaries[TREATMENT].maps.baseline, '.2f')}. "
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


def preferred(
    preference: Interval,
    like_identity: Interval,
    like_constant: Interval,
    left_out: LeftOut | None = None,
) -> str:
    """Return in words which map networks have become, or why nothing can be said.

    It is the one that they clearly prefer and clearly are like: of outputs that are like neither
    one correlation is the larger, too.

    Args:
        like_identity, like_constant: likenesses to the two maps.
        left_out: what became of the networks; None of such as were not to be trained.
    """
    if not preference.n:
        return "did not fit" if left_out and left_out.reached else "not measured"
    low, high = _ends(preference)
    ends = {
        "the identity": ((low, high), _ends(like_identity)),
        "the constant": ((-high, -low), _ends(like_constant)),
    }
    for name, both in ends.items():
        if all(lower > CLEAR for lower, _ in both):
            return name
    excluded = (any(upper < CLEAR for _, upper in both) for both in ends.values())
    return NEITHER if all(excluded) else "undecided"


def _ends(interval: Interval) -> tuple[float, float]:
    """Return both ends of an interval; of one seed, its value."""
    if np.isfinite(interval.low):
        return interval.low, interval.high
    return interval.estimate, interval.estimate


def text_of(interval: Interval) -> str:
    """Return an interval as text; of one seed, the number alone."""
    return str(interval) if np.isfinite(interval.low) else told(interval.estimate)
