"""OP103: is it bad, here, that the model fits everything? Only other recipes can tell."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.capacity._fits import FITTED, least_loss, lost_in_words
from overparam.audits.comparison import Fitted, best_of, compare, lost
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, severity_of_cost

_NEARLY = 0.01  # of the rows wrong, or of the variance left: more is no fitting of everything


def _run(evidence: Evidence) -> Finding:
    trained = float(np.nanmean(evidence.models.seen_loss))
    lacking = trained - float(least_loss(evidence, evidence.models).mean())
    if lacking > _NEARLY:
        raise Missing(
            "not applicable",
            f"it does not fit everything ({lost_in_words(evidence.models)} among rows that it "
            "saw), so fitting everything cannot be what is bad",
        )
    others = milder(evidence.variants, trained)
    if not others:
        raise Missing(
            "not applicable",
            "no variant fits less, so there is nothing to hold it against; name a "
            "knob that regularizes with capacity= (--capacity)",
        )
    found = compare(evidence, others)
    names = [variant.name for variant, _ in others]
    variant, gain = best_of(found, others)
    best, knob = variant.name, variant.knob
    what = f"all {evidence.subject.n_rows:,} rows"
    if lacking > 0:
        what = f"all but everything ({lost_in_words(evidence.models)})"
    all_told = {
        name: {"gain": float(g), "low": float(lo), "high": float(hi)}
        for name, g, lo, hi in zip(names, found.gain, found.low, found.high, strict=True)
    }
    if found.answer == "harmful":
        return Finding(
            "found",
            f"Fitting {what} costs: with {best}, which fits less, error is {gain} lower",
            severity=severity_of_cost(gain),
            measured=gain,
            cost=gain,
            gain=gain,
            action=f"train with {best}; other values of {knob} may be better still, or worse: "
            "measure them with capacity= (--capacity)",
            details=all_told,
        )
    if found.answer == "not told":
        return Finding(
            "undecided",
            f"It fits {what}; whether that costs anything is not told: {best}, the best "
            f"that fits less, gains {gain}",
            measured=gain,
            action="a larger --budget narrows the interval",
            details=all_told,
        )
    worse = {
        "helps": f"every recipe that fits less is worse ({best}, the best of them, loses "
        f"{lost(gain)})",
        "harmless": f"no recipe that fits less is better by a point ({best} gains {gain})",
    }[found.answer]
    return Finding(
        "passed",
        f"It fits {what}, and that costs nothing here: {worse}",
        measured=gain,
        details=all_told,
    )


def milder(variants: Fitted, trained: float) -> Fitted:
    """Return the variants that fit less than is lost on the rows that were trained on."""
    return [(v, m) for v, m in variants if float(np.nanmean(m.seen_loss)) > trained + FITTED]


CHECK = Check(
    "OP103",
    "Is fitting everything bad here",
    _run,
    ("models", "variants"),
    validated_by="double_descent/cross_entropy",
)
