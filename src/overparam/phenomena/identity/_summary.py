"""What networks over a swept factor have learned of the identity task, over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overparam.lab.crossing import crossing_interval
from overparam.lab.records import Records
from overparam.lab.verdict import Interval

# At 0.5 a network is three times as far from the one map as from the other.
CLEAR = 0.5
NEAR = 0.9  # correlation from which an output counts as the target
PREFERENCE = (
    "Preference: (correlation to the input - correlation to the training image) / (1 - "
    "correlation of the two), mean over the test inputs; 1 for the identity, -1 for the constant."
)


@dataclass(frozen=True)
class MapSummary:
    """Scores of `MapOutcome`s over the levels of one factor.

    Attributes:
        levels: `[m]`. preference, identity, constant, edges: mean scores over the test inputs
            `[m, seeds]`; NaN for networks that are missing or did not fit their training images.
        baseline: mean correlation of the test inputs with the training image.
        leaves_identity: level at which the correlation to the input falls below 0.9.
        changes_sides: level at which the preference falls below 0.
        reaches_constant: level at which the correlation to the training image rises above 0.9.
        n_not_learned: networks that did not fit their training images and are not judged.
    """

    levels: np.ndarray
    preference: np.ndarray
    identity: np.ndarray
    constant: np.ndarray
    edges: np.ndarray
    baseline: float
    leaves_identity: Interval
    changes_sides: Interval
    reaches_constant: Interval
    n_not_learned: int


def summarise_maps(records: Records, by: str, *, must_learn: bool = True) -> MapSummary:
    """Return the scores of networks over factor `by`.

    Args:
        records: one network for each level and seed. by: field of the condition, a number.
        must_learn: leave out networks that did not fit their training images.
    """
    out = {
        (r.value(by), r.seed)
        for r in records
        if r.outcome is None or (must_learn and not r.outcome.learned)
    }
    seeds = records.seeds

    def scores(name: str) -> tuple[np.ndarray, np.ndarray]:
        levels, values = records.matrix(name, by)
        for i, level in enumerate(records.levels(by)):
            for j, seed in enumerate(seeds):
                if (level, seed) in out:
                    values[i, j] = np.nan
        return levels, values

    levels, preference = scores("preference")
    identity, constant = scores("identity_correlation")[1], scores("constant_correlation")[1]
    baselines = [float(np.mean(r.outcome.baselines)) for r in records if r.outcome is not None]
    return MapSummary(
        levels=levels,
        preference=preference,
        identity=identity,
        constant=constant,
        edges=scores("edge_score")[1],
        baseline=float(np.mean(baselines)) if baselines else float("nan"),
        leaves_identity=crossing_interval(levels, identity, NEAR),
        changes_sides=crossing_interval(levels, preference, 0.0),
        reaches_constant=crossing_interval(levels, constant, NEAR, falling=False),
        n_not_learned=len(out),
    )
