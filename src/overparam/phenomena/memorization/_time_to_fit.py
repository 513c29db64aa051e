"""How much longer some labels take to be fitted than others, paired by seed.

Records are those of cells with the field ``epochs_to_fit``, which is NaN where a network that was
trained did not fit. Such a time is without end, and so is a ratio to it.
"""

from __future__ import annotations

import numpy as np

from overparam.lab.records import Records
from overparam.lab.statistics import paired_log_ratio
from overparam.lab.verdict import UNKNOWN, Interval

FITTED = 0.01  # training error


def time_factor(records: Records, true: Records, seeds: list[int]) -> Interval:
    """Ratio of epochs to fit, paired by seed; with several networks their geometric mean.

    An epoch is the step of the lattice. Without end where a network that was trained did not fit.
    """
    with np.errstate(invalid="ignore"):
        own, others = (np.log(_epochs(found, seeds)).mean(0) for found in (records, true))
    return paired_log_ratio(np.exp(own), np.exp(others), step=1)


def slowest_factor(records: Records, true: Records, seeds: list[int]) -> Interval:
    """`time_factor` of the regularizer with which random labels take longest in each seed."""
    random = records.where(corruption_rate=1.0)
    names = [name for name in random.levels("regularizer") if name != "none"]
    if not names or not len(true):
        return UNKNOWN
    base = np.log(_epochs(true, seeds)).mean(0)
    slowest = np.full(len(seeds), -np.inf)
    for name in names:
        own = random.where(regularizer=name)
        alike = [true.where(model=model) for model in own.levels("model")]
        fitting = np.log(_epochs(own, seeds)).mean(0)
        others = np.mean([np.log(_epochs(found, seeds))[0] for found in alike], axis=0)
        never = np.isinf(fitting) | np.isinf(others)
        with np.errstate(invalid="ignore"):
            slowest = np.maximum(slowest, np.where(never, np.inf, fitting - others))
    return paired_log_ratio(np.exp(base + slowest), np.exp(base), step=1)


def _epochs(records: Records, seeds: list[int]) -> np.ndarray:
    epochs = by_seed(records, "epochs_to_fit", seeds)
    trained = ~np.isnan(by_seed(records, "train_error", seeds))
    return np.where(np.isnan(epochs) & trained, np.inf, epochs)


def by_seed(records: Records, name: str, seeds: list[int]) -> np.ndarray:
    """Return a field as `[models, seeds]`, NaN where missing, also where there is no model."""
    models = records.levels("model") or [""]
    values = {(r.condition.model, r.seed): float(r.value(name)) for r in records}
    return np.array([[values.get((m, s), np.nan) for s in seeds] for m in models])
