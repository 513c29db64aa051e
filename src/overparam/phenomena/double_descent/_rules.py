"""What rules of this chapter share: controls that only fall, and thresholds that are bracketed.

A control whose test error, or loss, is said only to fall along the sweep is not put to the
treatment's rule, of which it fails some clause in any case (its threshold lies elsewhere, it never
fits): what would falsify its own sentence is a rise, anywhere.
"""

from __future__ import annotations

import numpy as np

from overparam.lab.intervals import Steps, exp_interval, logs_above, step_of_logs
from overparam.lab.selection import largest_interval, largest_reversal
from overparam.lab.verdict import (
    Clause,
    Interval,
    Verdict,
    exceeds,
    judge,
    lies_within,
    premise,
    shown,
    unmeasured,
)

BRACKETED = "not bracketed by the sweep in every seed: train longer, or widen the sweep"


def largest_rise(errors: np.ndarray, step: Steps = 0.0) -> Interval:
    """Return the largest ratio of `[m, seeds]` errors from a level to a later one, below 1 if none.

    See `largest_interval`: looking for the largest among many pairs neither makes nor hides one.

    Args:
        step: of the lattice of the errors, such as 1 / n_test; of each level, `[m]`, where they
            differ. In logarithms a pair has the step of its lower level.
    """
    logs = logs_above(errors, 0.0)
    return exp_interval(largest_reversal(-logs, step=step_of_logs(step, logs)))


def over_each(errors: np.ndarray, others: np.ndarray, step: float = 0.0) -> Interval:
    """Return the largest ratio of `[seeds]` errors to those of each level of others, `[m, seeds]`.

    It lies below 1 where the errors are lower than at every such level (see `largest_interval`).

    Args:
        step: of the lattice of the errors, such as 1 / n_test.
    """
    own, each = logs_above(errors, 0.0), logs_above(others, 0.0)
    steps = np.maximum(step_of_logs(step, own), step_of_logs(step, each))
    found = largest_interval(own - each, step=steps)
    return exp_interval(found) if found.n else found


def wrong_labels(rate: float, n_train: int) -> tuple[str, ...]:
    """Return what a design lacks whose claim is of partly wrong labels: nothing, or those.

    Args:
        rate: share of the labels that are wrong, in expectation.

    >>> wrong_labels(0.1, 250), wrong_labels(0.0, 250)
    ((), ('partly wrong labels',))
    """
    return () if 1 <= rate * n_train < n_train else ("partly wrong labels",)


def rule_of(bound: float, what: str, along: str) -> str:
    """Return the rule in words, such as of "test error" along "the width"."""
    return (
        f"A control, of which the {what} is said only to fall. Its rise from a value of {along} to "
        f"a later one is taken as a ratio. Absent if the 95 % interval lies below {bound} for "
        "every such pair, observed if it lies above for the pair that rises most on the other "
        "seeds."
    )


def judge_rise(
    rise: Interval, bound: float, what: str, along: str, *premises: Clause, reason: str = ""
) -> Verdict:
    """Return the verdict on a control by its largest rise alone."""
    return judge(
        [exceeds(f"largest rise of the {what} along {along}", rise, bound), *premises],
        effect=rise,
        unit=f"ratio, largest rise of the {what}",
        rule=rule_of(bound, what, along),
        reason=f"Along {along} the {what} rises at most by a factor of {rise}." + reason,
    )


def bracketed(what: str, threshold: Interval, low: float, high: float) -> Clause:
    """Return the premise that a threshold lies between two values of what is swept."""
    if low > high:  # of so short a sweep
        return premise(unmeasured(what, BRACKETED))
    return premise(lies_within(what, threshold, low, high, BRACKETED))


def unless_bracketed(at: Clause, subject: str) -> str:
    """Return what to do where the threshold is measured, and not bracketed, or ""."""
    told_elsewhere = shown(at) or at.value.n_missing
    return "" if told_elsewhere else f" {subject} is {BRACKETED}."
