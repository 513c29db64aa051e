"""Whether a sweep reaches across the threshold that is measured in it."""

from __future__ import annotations

from overparam.lab.verdict import Clause, Interval, lies_within, premise, shown

BRACKETED = "not bracketed by the sweep in every seed: train longer, or widen the sweep"


def bracketed(what: str, threshold: Interval, low: float, high: float) -> Clause:
    """Return the premise that a threshold lies between two values of what is swept."""
    return premise(lies_within(what, threshold, low, high, BRACKETED))


def unless_bracketed(at: Clause, subject: str) -> str:
    """Return what to do where the threshold is measured, and not bracketed, or ""."""
    told_elsewhere = shown(at) or at.value.n_missing
    return "" if told_elsewhere else f" {subject} is {BRACKETED}."
