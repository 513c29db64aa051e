"""Networks trained with noise and without, arranged by epsilon and seed.

Records are those of cells of `overparam.phenomena.memorization.differential_privacy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.statistics import mean_interval, paired_difference
from overparam.lab.verdict import Interval
from overparam.phenomena.memorization._attacked_models import means_by_seed
from overparam.phenomena.memorization._rare_classes import rare_memorization

NO_NOISE = "no noise"
BREAKABLE = 0.5  # a bound below this is within reach of networks without noise


@dataclass(frozen=True)
class Summary:
    """One arm, by epsilon and seed; of the control there is one epsilon, whose bound is to break.

    Attributes:
        epsilons, bounds, noise: `[m]`: rising; what they allow; noise multipliers.
        memorization: `[m, seeds]`, of rows of rare classes. advantage: `[m, seeds]`.
        rare, frequent: test accuracy, `[m, seeds]`. rare_before, frequent_before: `[seeds]`,
            without noise. steps: of the lattices of memorization, advantage and accuracy.
        left_out: what the arm's sentence names and the design lacks.
    """

    arm: str
    epsilons: np.ndarray
    bounds: np.ndarray
    noise: np.ndarray
    memorization: np.ndarray
    advantage: np.ndarray
    rare: np.ndarray
    frequent: np.ndarray
    rare_before: np.ndarray
    frequent_before: np.ndarray
    steps: tuple[float, float, float]
    left_out: tuple[str, ...]

    def score(self, at: int) -> Interval:
        """Mean memorization score of rows of rare classes at an epsilon."""
        return mean_interval(self.memorization[at], step=self.steps[0], bounds=(-1, 1))

    def gain(self, at: int) -> Interval:
        """Mean advantage of the attacker at an epsilon."""
        return mean_interval(self.advantage[at], step=self.steps[1], bounds=(-1, 1))

    def lost(self, of: str) -> Interval:
        """Mean share of the accuracy without noise that is lost at the largest epsilon."""
        return mean_interval(self._shares(of), step=self.steps[2])

    @property
    def more(self) -> Interval:
        """By how much that of rare classes is larger than that of frequent ones."""
        return paired_difference(self._shares("rare"), self._shares("frequent"), step=self.steps[2])

    def _shares(self, of: str) -> np.ndarray:
        before, after = getattr(self, f"{of}_before"), getattr(self, of)[-1]
        with np.errstate(divide="ignore", invalid="ignore"):  # of nothing no share can be lost
            return 1 - after / before


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange either arm by epsilon and seed."""
    arms = {arm: records.where(arm=arm) for arm in (TREATMENT, NO_NOISE)}
    return {
        arm: _summarise_arm(arm, found, arms[NO_NOISE], records.seeds)
        for arm, found in arms.items()
        if len(found)
    }


def _summarise_arm(arm: str, records: Records, without: Records, seeds: list[int]) -> Summary:
    levels = [records.where(epsilon=epsilon) for epsilon in records.levels("epsilon")]
    conditions = [level[0].condition for level in levels]

    def by_level(field: str) -> np.ndarray:
        return np.array([means_by_seed(level, field, seeds) for level in levels])

    return Summary(
        arm,
        epsilons=np.array([c.epsilon for c in conditions]),
        bounds=np.array([c.bound for c in conditions]),
        noise=np.array([c.noise_multiplier for c in conditions]),
        memorization=np.array([rare_memorization(level, seeds) for level in levels]),
        advantage=by_level("advantage"),
        rare=by_level("rare_accuracy"),
        frequent=by_level("frequent_accuracy"),
        rare_before=means_by_seed(without, "rare_accuracy", seeds),
        frequent_before=means_by_seed(without, "frequent_accuracy", seeds),
        steps=_steps(conditions[0]),
        left_out=_left_out(arm, conditions, bool(len(without))),
    )


def _steps(c: Any) -> tuple[float, float, float]:
    entry = entry_of(c.dataset)
    n_rare_classes = entry.n_classes // 2
    n_rows = n_rare_classes * (c.n_frequent + c.n_rare)
    of_scores = 1 / (n_rare_classes * c.n_rare * c.n_models)
    return of_scores, 2 / n_rows, 2 / (entry.n_test * c.n_models)


def _left_out(arm: str, conditions: Sequence[Any], has_control: bool) -> tuple[str, ...]:
    if arm == NO_NOISE:
        breakable = conditions[0].bound < BREAKABLE
        return () if breakable else ("an epsilon whose bound can be broken",)
    lacking = () if len(conditions) > 1 else ("several epsilons",)
    return lacking if has_control else (*lacking, "networks without noise")
