"""What the rule looks at in one linear layer: its noise, and its distance from the formula.

Records are those of cells with the outcomes of `identity.one_layer_theorem`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from overparam.lab.intervals import mean_interval
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.verdict import Interval
from overparam.phenomena.identity._left_out import LeftOut, has_value, left_out_of
from overparam.phenomena.identity._one_layer import BINS, means_by_bin
from overparam.phenomena.identity._summary import RESOLUTION, extreme

FROM_ZERO, ADAM = "start at zero", "Adam"


@dataclass(frozen=True)
class Summary:
    """One arm: what the rule looks at, and errors by correlation `[bins, seeds]`.

    Attributes:
        arm: the treatment or a control, which has a shorter rule.
        noise: over seeds. deviation: the largest of any seed; of Adam, from the least of the
            seeds' largest to the largest (see `extreme`).
        ratios: of every bin, squared error over its prediction.
        empty: bins, from correlation to correlation, in which no seed that is judged has an input.
        n_unmeasured: cells of the whole design, also those that no rule looks at.
        cosines: correlation of the inputs of each bin, `[bins]`. errors, predicted: relative to
            the input's energy.
    """

    arm: str
    noise: Interval
    deviation: Interval
    ratios: Sequence[Interval]
    empty: Sequence[tuple[float, float]]
    n_unmeasured: int
    cosines: np.ndarray
    errors: np.ndarray
    predicted: np.ndarray
    left_out: LeftOut

    @property
    def misprediction(self) -> float:
        """Largest |measured / predicted - 1| of the bins, means over seeds; NaN of none."""
        off = [abs(r.estimate - 1) for r in self.ratios]
        return float(np.max(off)) if off else np.nan  # unlike max, never without a NaN


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange the fully connected layers by start and optimizer."""
    dense = records.where(layer="fully connected")
    n_unmeasured = len(records) - len(records.measured)
    return {
        arm: _summarise_arm(arm, dense.where(start=start, optimizer=optimizer), n_unmeasured)
        for arm, start, optimizer in (
            (TREATMENT, "default", "sgd"),
            (FROM_ZERO, "zero", "sgd"),
            (ADAM, "default", "adam"),
        )
    }


def _summarise_arm(arm: str, records: Records, n_unmeasured: int) -> Summary:
    judged = [r.outcome for r in records if has_value(r)]
    n_missing = len(records) - len(judged)
    # The error is linear in the square, so that means over a bin stay on the theory's line.
    squares, errors, predicted = means_by_bin(judged)
    some = np.isfinite(squares).any(1)
    squares, errors, predicted = squares[some], errors[some], predicted[some]

    def interval(values: np.ndarray) -> Interval:
        found = mean_interval(values, step=RESOLUTION)
        return replace(found, n_missing=found.n_missing + n_missing)

    deviations = np.array([o.deviation for o in judged] or [np.nan])
    worst = float(deviations.max())
    least = float(deviations.min()) if arm == ADAM else worst
    return Summary(
        arm,
        noise=interval(np.array([o.noise for o in judged])),
        deviation=extreme(worst, low=least, high=worst, n=len(judged), n_missing=n_missing),
        # A seed without inputs in a bin lacks no cell; one whose error is no number does.
        ratios=[
            interval(e[inside] / p[inside])
            for e, p, inside in zip(errors, predicted, np.isfinite(squares), strict=True)
        ],
        empty=[place for place, there in zip(BINS, some, strict=True) if judged and not there],
        n_unmeasured=n_unmeasured,
        cosines=np.sqrt([row[np.isfinite(row)].mean() for row in squares]),
        errors=errors,
        predicted=predicted,
        left_out=left_out_of(records),
    )
