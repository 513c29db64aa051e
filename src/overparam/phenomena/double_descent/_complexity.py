"""Effective model complexity (EMC) of networks by width: measured from records, and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from overparam.lab.figure import Axis, Chart, Panel, Rule, Series
from overparam.lab.records import Records
from overparam.measures import effective_model_complexity
from overparam.measures.complexity import DEFAULT_EPSILON, EmcEstimate


def measure_emc(records: Records) -> dict[int, EmcEstimate]:
    """Return the effective model complexity of each width that was trained on several sizes n.

    A width that lacks a cell is left out: a network that is not there has not failed to fit.
    """
    found = {}
    n_shares = max(2, len(records.levels("train_share")))
    for width in records.levels("width"):
        here = records.where(labels="noisy", width=width)
        shares, errors = here.matrix("train_error", by="train_share")
        if len(shares) == n_shares and not np.isnan(errors).any():
            found[width] = effective_model_complexity(shares * here[0].condition.n_train, errors)
    return found


def emc_charts(
    found: Mapping[int, EmcEstimate], n: int, x: Axis, rules: Sequence[Rule], *, whole: bool
) -> list[Chart]:
    """Return the complexity over width, and where it reaches n_train; none where none is known.

    Args:
        n: n_train. rules: drawn across the widths. whole: whether every planned width is there.
    """
    if not found:
        return []
    known = {k: e for k, e in found.items() if e.censored == "no"}
    shown_widths = known or found
    line = Series(
        "EMC",
        "other",
        np.array(list(shown_widths), float),
        np.array([e.value for e in shown_widths.values()]),
        np.array([e.low for e in shown_widths.values()]),
        np.array([e.high for e in shown_widths.values()]),
        statistic="of the mean training error over seeds",
        band="95 % jackknife interval over seeds",
    )
    caption = (
        "The effective model complexity of a width is the largest number of examples that it "
        f"fits to a training error of {DEFAULT_EPSILON}, label noise included. The peak of the "
        "test error stands where this line crosses the number of training examples. Widths that "
        "fit all sizes tried, or none, have only a bound and are left out."
    )
    y = Axis("Effective model complexity", "examples", "log")
    rule = Rule(n, f"n_train = {n:,}", axis="y")
    values = [e.value for e in shown_widths.values()]
    title = "Effective model complexity of each width"
    if whole and np.diff(values, prepend=0).min() > 0 and min(values) < n <= max(values):
        title = f"Effective model complexity grows with width and reaches n_train = {n:,}"
    panel = Panel("", x, y, [line], [*rules, rule])
    return [Chart("effective_model_complexity", title, caption, [panel])]
