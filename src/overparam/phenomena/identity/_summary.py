"""What networks over a swept factor have learned of the identity task, over seeds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch

from overparam.lab.crossing import crossing_interval
from overparam.lab.intervals import mean_interval
from overparam.lab.records import Record, Records
from overparam.lab.verdict import UNKNOWN, Clause, Interval, not_in_design
from overparam.measures.image_maps import likeness
from overparam.phenomena.identity._left_out import LeftOut, has_value, left_out_of

# Of a preference: three times as far from the one map as from the other. Of a likeness: half way
# between the two maps, where `fully_connected` too has the end of the identity. What counts as a
# map must lie above it in both; all that did so at standard scale had likenesses of 0.75 to 1.
CLEAR = 0.5
# Layers up to which a convolutional network counts as shallow, and from which as deep: the phases
# change at some eight layers, and there is neither between.
SHALLOW, DEEP = 5, 9
NEAR = 0.9  # correlation from which an output counts as the target
# Seeds whose preferences agree more closely, as they may at the ends of their range, do not say
# that they agree exactly: networks are trained to a tolerance.
RESOLUTION = 1e-3
CORRELATION = (-1.0, 1.0)  # its bounds
PREFERENCE = (
    "Preference: (correlation to the input - correlation to the training image) / (1 - "
    "correlation of the two), mean over the test inputs; 1 for the identity, -1 for the constant."
)
LIKENESS = (
    "Likeness to a map: 1 - d / (1 - b), with b the mean correlation of the inputs to the training "
    "image and d how far the mean correlations of the outputs, to the input and to the training "
    "image, are from those of that map, (1, b) of the identity and (b, 1) of the constant, "
    "whichever is farther; 1 for that map, 0 for the other."
)
CAPPED = "preference, no higher than the likeness to the identity,"  # of `MapSummary.capped`
NOT_JUDGED = (
    "A network that failed, diverged or was not run has no value, and what rests on it is "
    "undecided; where one of those that are judged did not fit its training images, all is. "
    "Intervals are of means over seeds: a few seeds that agree do not exclude that a minority of "
    "all seeds ends elsewhere."
)


@dataclass(frozen=True)
class MapSummary:
    """Scores of `MapOutcome`s over the levels of one factor.

    Attributes:
        levels: `[m]`. preference, identity, constant, edges: mean scores over the test inputs
            `[m, seeds]`; NaN for networks that are missing or did not fit their training images.
        identity_likeness, constant_likeness: likeness to the two maps, `[m, seeds]` (`LIKENESS`).
        baseline: mean correlation of the test inputs with the training image.
        leaves_identity: level at which the correlation to the input falls below 0.9.
        changes_sides: level at which the preference falls below 0.
        reaches_constant: level at which the correlation to the training image rises above 0.9.
        by_level: what became of the networks of each level.
    """

    levels: np.ndarray
    preference: np.ndarray
    identity: np.ndarray
    constant: np.ndarray
    edges: np.ndarray
    identity_likeness: np.ndarray
    constant_likeness: np.ndarray
    baseline: float
    leaves_identity: Interval
    changes_sides: Interval
    reaches_constant: Interval
    by_level: tuple[LeftOut, ...]

    @property
    def capped(self) -> np.ndarray:
        """The preference, counted no higher than the likeness to the identity, `[m, seeds]`: above
        `CLEAR` where a network both prefers the identity and is like it."""
        return np.minimum(self.preference, self.identity_likeness)

    @property
    def left_out(self) -> LeftOut:
        """What became of the networks of all levels."""
        return reduce(add, self.by_level, LeftOut())

    @property
    def n_not_learned(self) -> int:
        """Networks that were trained and did not fit their training images."""
        return self.left_out.n_not_fitted


def summarise_maps(records: Records, by: str, *, must_learn: bool = True) -> MapSummary:
    """Return the scores of networks over factor `by`.

    Args:
        records: one network for each planned level and seed. by: field of the condition, a number.
        must_learn: networks that did not fit their training images have no value.
    """
    rows: dict[Any, list[Record]] = {}
    for r in records:
        rows.setdefault(getattr(r.condition, by), []).append(r)
    levels, columns = sorted(rows), {seed: j for j, seed in enumerate(records.seeds)}

    def scores(score: Callable[[Any], float]) -> np.ndarray:
        values = np.full((len(levels), len(columns)), np.nan)
        for i, level in enumerate(levels):
            for r in rows[level]:
                if has_value(r) or (not must_learn and r.is_measured):
                    values[i, columns[r.seed]] = score(r.outcome)
        return values

    x = np.asarray(levels, float)
    identity = scores(lambda o: o.identity_correlation)
    constant = scores(lambda o: o.constant_correlation)
    preference = scores(lambda o: o.preference)
    own = [torch.from_numpy(v) for v in (identity, constant, scores(_baseline))]
    baselines = np.array([_baseline(r.outcome) for r in records if r.is_measured])
    return MapSummary(
        levels=x,
        preference=preference,
        identity=identity,
        constant=constant,
        edges=scores(lambda o: o.edge_score),
        identity_likeness=likeness(own[0], own[1], own[2]).numpy(),
        constant_likeness=likeness(own[1], own[0], own[2]).numpy(),
        baseline=mean_present(baselines),
        leaves_identity=_crossing(x, identity, NEAR),
        changes_sides=_crossing(x, preference, 0.0),
        reaches_constant=_crossing(x, constant, NEAR, falling=False),
        by_level=tuple(left_out_of(rows[level]) for level in levels),
    )


def _baseline(outcome: Any) -> float:
    return float(np.mean(outcome.baselines))


def score_interval(values: np.ndarray, bounds: tuple[float, float] = (-np.inf, np.inf)) -> Interval:
    """Return the mean of preferences, likenesses, correlations or shares over seeds, with its
    interval.

    Args:
        bounds: of what the values can be; of the preference there are none.
    """
    return mean_interval(values, step=RESOLUTION, bounds=bounds)


def extreme(value: float, *, low: float, high: float, n: int, n_missing: int = 0) -> Interval:
    """Return the largest or least value of any seed: no estimate, and so without another width.

    Args:
        low, high: as far as it is to be read; of fewer than two seeds nothing is.
    """
    if n < 2:
        low = high = np.nan
    return Interval(value, low, high, n=n, n_missing=n_missing)


def deep_networks(deepest: float) -> list[Clause]:
    """Return the premise that a claim of deep networks has one; none where it has.

    Args:
        deepest: most layers of the design.
    """
    return [] if deepest >= DEEP else [not_in_design(f"networks of {DEEP} or more layers")]


def mean_present(values: np.ndarray) -> float:
    """Return the mean of the values that are there, NaN of none; for what is shown, not judged.

    >>> mean_present(np.array([1.0, np.nan, 2.0]))
    1.5
    """
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else float("nan")


def _crossing(levels: np.ndarray, values: np.ndarray, at: float, falling: bool = True) -> Interval:
    if not len(levels):
        return UNKNOWN
    return crossing_interval(levels, values, at, falling=falling)
