"""What the rule looks at in networks under attack: advantages by network, training and group.

Records are those of cells with the outcomes of `memorization.overfitting_leaks`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.selection import largest_interval
from overparam.lab.statistics import mean_interval, paired_difference
from overparam.lab.verdict import UNKNOWN, Interval
from overparam.phenomena.memorization._attacked_models import (
    advantage_on,
    along_training,
    attacked,
    means_by_seed,
)

ONCE, TWINS = "once", "twins stay"
UNSEEN = "rows never trained on"


@dataclass(frozen=True)
class Summary:
    """One arm: what the rule looks at; all but the slope are TPR - FPR.

    Attributes:
        largest: against the largest network. growth: that less the advantage against the smallest.
        fall, fall_along: the largest from one width, or length of training, to the next.
        slope: of advantage over gap along training.
        gap_growth: of the gap, longest less shortest.
        memorized, others: on rows that are memorized, and on those that are not; concentration:
            their difference.
        alone, with_twin: on the rows of which twins may stay, without and with them; hiding: their
            difference.
        left_out: what the claim names and the design lacks. has_cells: whether there are any.
    """

    arm: str
    largest: Interval
    growth: Interval = UNKNOWN
    fall: Interval = UNKNOWN
    fall_along: Interval = UNKNOWN
    slope: Interval = UNKNOWN
    gap_growth: Interval = UNKNOWN
    memorized: Interval = UNKNOWN
    others: Interval = UNKNOWN
    concentration: Interval = UNKNOWN
    alone: Interval = UNKNOWN
    with_twin: Interval = UNKNOWN
    hiding: Interval = UNKNOWN
    left_out: tuple[str, ...] = ()
    has_cells: bool = True


def summarise(records: Records) -> dict[str, Summary]:
    """Judge what is attacked on rows trained on, and the same networks on rows never trained on."""
    design = [r.condition for r in records]
    width, epochs = max(c.width for c in design), max(c.epochs for c in design)
    once, seeds = records.where(copies=ONCE), records.seeds
    by_width, along = once.where(epochs=epochs), once.where(width=width)
    largest = by_width.where(width=width)
    step = 2 / design[0].n_rows
    control = Summary(
        UNSEEN,
        mean_interval(means_by_seed(largest, "unseen_advantage", seeds), step=step),
        has_cells=bool(len(largest)),
    )
    each = _by_level(by_width, "width", sorted({c.width for c in design}), seeds)
    at_length = _by_level(along, "epochs", sorted({c.epochs for c in design}), seeds)
    advantage, smallest = each[-1], each[0]
    twins = records.where(width=width, epochs=epochs, copies=TWINS)
    models, hidden = ([attacked(level, s) for s in seeds] for level in (largest, twins))
    memorized = [advantage_on(m, lambda a: a.memorized) for m in models]
    others = [advantage_on(m, lambda a: ~a.memorized) for m in models]
    alone, with_twin = (
        [advantage_on(m, lambda a: a.has_twin) for m in ms] for ms in (models, hidden)
    )
    slopes, gap_growth = along_training(along, seeds)
    treatment = Summary(
        TREATMENT,
        mean_interval(advantage, step=step),
        growth=paired_difference(advantage, smallest, step=step),
        fall=_largest_fall(each, step),
        fall_along=_largest_fall(at_length, step),
        slope=mean_interval(slopes),
        gap_growth=mean_interval(gap_growth, step=step),
        memorized=mean_interval(memorized, step=step),
        others=mean_interval(others, step=step),
        concentration=paired_difference(memorized, others, step=step),
        alone=mean_interval(alone, step=step),
        with_twin=mean_interval(with_twin, step=step),
        hiding=paired_difference(alone, with_twin, step=step),
        left_out=_left_out(by_width, along, largest, twins),
    )
    return {TREATMENT: treatment, UNSEEN: control}


def _by_level(records: Records, field: str, levels: list[int], seeds: list[int]) -> np.ndarray:
    """Return the advantage at each level, `[levels, seeds]`."""
    at = [records.where(None, **{field: level}) for level in levels]
    return np.array([means_by_seed(found, "advantage", seeds) for found in at])


def _largest_fall(advantages: np.ndarray, step: float) -> Interval:
    """The largest fall from a level to the next."""
    if len(advantages) < 2:
        return UNKNOWN
    return largest_interval(-np.diff(advantages, axis=0), step=step)


def _left_out(
    by_width: Records, along: Records, largest: Records, twins: Records
) -> tuple[str, ...]:
    named = {
        "networks of different widths": len(by_width.levels("width")) > 1,
        "shorter and longer training": len(along.levels("epochs")) > 1,
        "several models": len(largest.levels("member")) > 3,
        "rows of which twins stay": len(twins) > 0,
    }
    return tuple(name for name, is_there in named.items() if not is_there)
