"""What is read from the records of a long tail: means over rows that stand alone, pairs and costs.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.long_tail`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.statistics import mean_interval, paired_difference
from overparam.lab.verdict import Interval
from overparam.phenomena.memorization._subpopulations import PATTERNS
from overparam.theory import expected_count, zipf_frequencies

NO_TAIL = "no tail"
FREQUENT = 10  # rows of a subpopulation, from which on one of them decides nothing
FEWEST_EACH = 4  # rows of a subpopulation where there is said to be no tail


@dataclass(frozen=True)
class Summary:
    """One arm: what the rules look at.

    Attributes:
        memorized, influence: of rows that are the only one of their subpopulation. frequent:
            influence of rows of subpopulations with many.
        likeness: share of the pairs that are of one subpopulation. by_chance: how many there would
            be if no row had any influence, over how many there are.
        cost, cost_longer: test error without the most memorized rows, less without as many at
            random; trained for as long as all, and longer.
        left_out: what the arm's sentence names and the design lacks.
    """

    arm: str
    memorized: Interval
    influence: Interval
    frequent: Interval
    likeness: Interval
    by_chance: Interval
    cost: Interval
    cost_longer: Interval
    train_error: Interval
    left_out: tuple[str, ...]


def summarise(records: Records) -> dict[str, Summary]:
    """Take the means over the rows of each kind, in either arm."""
    arms = {arm: records.where(arm=arm) for arm in (TREATMENT, NO_TAIL)}
    return {arm: _summarise_arm(arm, found) for arm, found in arms.items() if len(found)}


def _summarise_arm(arm: str, records: Records) -> Summary:
    c = records[0].condition
    step = 1 / (c.n_subpopulations * c.n_test_each * c.n_repeats)
    values = np.array([_values(r.outcome) if r.is_measured else [np.nan] * 10 for r in records]).T
    memorized, influence, frequent, likeness, by_chance, *errors, train_error = values
    return Summary(
        arm,
        mean_interval(memorized, step=step, bounds=(-1, 1)),
        mean_interval(influence, step=step, bounds=(-1, 1)),
        mean_interval(frequent, step=step, bounds=(-1, 1)),
        mean_interval(likeness, step=step, bounds=(0, 1)),
        mean_interval(by_chance, step=step, bounds=(0, np.inf)),
        paired_difference(errors[0], errors[1], step=step),
        paired_difference(errors[2], errors[3], step=step),
        mean_interval(train_error, step=step, bounds=(0, 1)),
        _left_out(arm, c),
    )


def _values(outcome: Any) -> list[float]:
    alone, frequent = outcome.n_alike == 1, outcome.n_alike >= FREQUENT
    rows = [(outcome.memorization, alone), (outcome.influence, alone)]
    rows += [(outcome.influence, frequent)]
    means = [of[some].mean() if some.any() else np.nan for of, some in rows]
    errors = [*outcome.errors[:, -1], *outcome.errors_longer]
    by_chance = outcome.n_pairs_by_chance / outcome.n_pairs if outcome.n_pairs else np.nan
    return [*means, outcome.likeness, by_chance, *errors, outcome.train_error]


def _left_out(arm: str, c: Any) -> tuple[str, ...]:
    if arm == NO_TAIL:
        enough = c.n_train >= FEWEST_EACH * c.n_subpopulations
        return () if enough else ("several rows of every subpopulation",)
    frequencies = zipf_frequencies(c.n_subpopulations)
    named = {
        "labels of their own": c.prototypes == PATTERNS,
        "rare subpopulations": expected_count(frequencies, c.n_train, 1) >= 1,
        "frequent subpopulations": frequencies[0] * c.n_train >= 2 * FREQUENT,
    }
    return tuple(name for name, is_there in named.items() if not is_there)
