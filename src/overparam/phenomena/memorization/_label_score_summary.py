"""What the rule looks at in memorization scores: their means and distribution by kind of row.

Records are those of cells with the outcomes of `memorization.labels_one_by_one`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.statistics import mean_interval, paired_difference
from overparam.lab.verdict import Interval
from overparam.phenomena.memorization._row_members import (
    KINDS,
    N_NEIGHBORS,
    kind_of_rows,
    means_by_kind,
    read_members,
)

BELOW = "below the threshold"
MOST_BELOW = 0.1  # parameters of the control over the numbers to fit, at most
SHARES = np.linspace(-0.2, 1, 25)  # scores at which their distribution is drawn


@dataclass(frozen=True)
class Summary:
    """One arm: mean scores by kind of row, and what is drawn of them.

    Attributes:
        scores: `[kinds, seeds]`, means over rows of a kind. step: of their lattice.
        train_error: `[seeds]`, of the rows in a subset.
        shares: kind to `[scores, seeds]`, rows that score at least as much as `SHARES`.
        by_agreement: `[N_NEIGHBORS + 1, seeds]`, mean score of right rows by how many agree.
        left_out: what the arm's sentence names and the design lacks.
    """

    arm: str
    scores: np.ndarray
    step: float
    train_error: np.ndarray
    shares: Mapping[str, np.ndarray]
    by_agreement: np.ndarray
    left_out: tuple[str, ...]

    def score(self, kind: str) -> Interval:
        """Mean score of a kind of rows."""
        return mean_interval(self.scores[KINDS.index(kind)], step=self.step, bounds=(-1, 1))

    def apart(self, kind: str, other: str) -> Interval:
        """Mean difference of the scores of two kinds, paired by seed."""
        a, b = (self.scores[KINDS.index(k)] for k in (kind, other))
        return paired_difference(a, b, step=self.step)


def summarise(records: Records) -> dict[str, Summary]:
    """Score the rows of every seed in either arm."""
    arms = {arm: records.where(arm=arm) for arm in (TREATMENT, BELOW)}
    seeds = records.seeds
    return {arm: _summarise_arm(arm, found, seeds) for arm, found in arms.items() if len(found)}


def _summarise_arm(arm: str, records: Records, seeds: list[int]) -> Summary:
    c = records[0].condition
    scores = np.full((len(KINDS), len(seeds)), np.nan)
    shares = {kind: np.full((len(SHARES), len(seeds)), np.nan) for kind in KINDS}
    by_agreement = np.full((N_NEIGHBORS + 1, len(seeds)), np.nan)
    errors = np.full(len(seeds), np.nan)
    for j, seed in enumerate(seeds):
        if (members := read_members([r for r in records if r.seed == seed])) is None:
            continue
        outcome, found = members.outcome, members.scores()
        known = ~np.isnan(found)
        errors[j], scores[:, j] = members.training_error, means_by_kind(found, outcome)
        for kind, rows in kind_of_rows(outcome.is_flipped, outcome.agreement).items():
            if (own := found[rows & known]).size:
                shares[kind][:, j] = (own >= SHARES[:, None] - 1e-9).mean(1)
        n_alike = np.rint(outcome.agreement * N_NEIGHBORS)
        for n in range(N_NEIGHBORS + 1):
            if (own := found[~outcome.is_flipped & known & (n_alike == n)]).size:
                by_agreement[n, j] = own.mean()
    step = 1 / (c.n_train * c.n_models)
    return Summary(arm, scores, step, errors, shares, by_agreement, _left_out(arm, c))


def _left_out(arm: str, c: Any) -> tuple[str, ...]:
    lacking = () if c.label_noise_rate * c.n_train >= 1 else ("flipped labels",)
    if arm == BELOW:
        return lacking if c.capacity <= MOST_BELOW else (*lacking, "a network below the threshold")
    return lacking if c.capacity >= 1 else (*lacking, "a network past the threshold")
