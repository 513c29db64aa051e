"""What the rule looks at in networks that are to fit random labels: settings, errors and times.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.random_labels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.intervals import mean_interval, paired_difference
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.verdict import Interval
from overparam.phenomena.memorization._label_fitting_networks import (
    NETWORKS,
    TOO_SMALL,
    why_oversized,
)
from overparam.phenomena.memorization._randomised_images import INPUTS, RANDOM, TRUE
from overparam.phenomena.memorization._time_to_fit import by_seed, slowest_factor, time_factor

PARTLY, REGULARIZED = "partly random labels", "random labels, regularized"
CLAIMED = (TRUE, PARTLY, RANDOM, *INPUTS[1:], REGULARIZED)  # settings that the claim names
NOT_RUN = "no control was run"


@dataclass(frozen=True)
class Summary:
    """One arm: what the rule looks at.

    Attributes:
        worst_accuracy: training accuracy in the setting fitted worst. worst_setting: which one.
        random_accuracy: training accuracy on random labels.
        time_factor: epochs to fit random labels over those to fit true ones; beyond all numbers
            where one of them is not fitted. regularized_factor: the same with the regularizer
            that makes random labels slowest in a seed.
        random_test_error: after training on random labels. rise: of it over that after true ones.
        chance: of a guess, 1 - 1/K.
        left_out: settings that the claim names and that are not in the design.
        why_not: why this arm is not the control that it should be, or "".
    """

    arm: str
    worst_accuracy: Interval
    worst_setting: str
    random_accuracy: Interval
    time_factor: Interval
    regularized_factor: Interval
    random_test_error: Interval
    rise: Interval
    chance: float
    left_out: tuple[str, ...] = ()
    why_not: str = ""


def summarise(records: Records) -> dict[str, Summary]:
    """Judge the networks in all their settings, and the small network in its two."""
    arms = {
        TREATMENT: records.where(lambda r: r.condition.model in NETWORKS),
        TOO_SMALL: records.where(model=TOO_SMALL),
    }
    c, seeds = records[0].condition, records.seeds
    return {arm: _summarise_arm(arm, found, c, seeds) for arm, found in arms.items()}


def _summarise_arm(arm: str, records: Records, c: Any, seeds: list[int]) -> Summary:
    why_not = why_oversized(c.dataset, c.n_train) if arm == TOO_SMALL else ""
    errors: dict[int, list[float]] = {seed: [] for seed in seeds}
    by_setting: dict[str, list[float]] = {}
    for r in records:
        error = r.value("train_error")
        errors[r.seed].append(error)
        by_setting.setdefault(r.condition.setting, []).append(error)
    true, random = (records.where(setting=s) for s in (TRUE, RANDOM))
    entry = entry_of(c.dataset)
    after_true, after_random = (
        by_seed(found, "test_error", seeds).mean(0) for found in (true, random)
    )
    accuracy_random = 1 - by_seed(random, "train_error", seeds).mean(0)
    return Summary(
        arm=arm,
        # A setting that is missing might have been the worst: the largest of NaN is NaN.
        worst_accuracy=mean_interval(
            [1 - np.max(of_seed or [np.nan]) for of_seed in errors.values()],
            step=1 / c.n_train,
            bounds=(0, 1),
        ),
        worst_setting=max(by_setting, key=lambda s: _mean_present(by_setting[s]), default=""),
        random_accuracy=mean_interval(accuracy_random, step=1 / c.n_train, bounds=(0, 1)),
        time_factor=time_factor(random, true, seeds),
        regularized_factor=slowest_factor(records, true, seeds),
        random_test_error=mean_interval(after_random, step=1 / entry.n_test, bounds=(0, 1)),
        rise=paired_difference(after_random, after_true, step=1 / entry.n_test),
        chance=1 - 1 / entry.n_classes,
        left_out=_left_out(records),
        why_not=why_not if len(records) else NOT_RUN,
    )


def _left_out(records: Records) -> tuple[str, ...]:
    planned = {PARTLY if 0 < r.condition.corruption_rate < 1 else "" for r in records}
    planned |= {r.condition.setting for r in records}
    if any(_is_regularized(r.condition) for r in records.where(corruption_rate=1.0)):
        planned.add(REGULARIZED)
    return tuple(name for name in CLAIMED if name not in planned)


def _is_regularized(c: Any) -> bool:
    by_decay = c.regularizer == "weight decay" and c.weight_decay > 0
    return c.setting.startswith(f"{RANDOM}, ") and (by_decay or c.regularizer == "dropout")


def _mean_present(values: list[float]) -> float:
    present = [v for v in values if not np.isnan(v)]
    return float(np.mean(present)) if present else -1.0
