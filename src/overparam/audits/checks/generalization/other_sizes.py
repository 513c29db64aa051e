"""OP307: bigger, smaller, longer or shorter: what each would gain, measured."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.comparison import best_of, compare, gain_of
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, severity_of_cost
from overparam.lab.figure import Table


def _run(evidence: Evidence) -> Finding:
    others = evidence.variants
    found = compare(evidence, others)
    variant, gain = best_of(found, others)
    table = Table(
        "variants",
        "Error with other sizes and lengths",
        "Error on rows that no model saw, each variant trained on the same subsets; gains against "
        "the recipe as it is, with intervals that hold for all at once.",
        {
            "variant": ["as it is", *(v.name for v, _ in others)],
            "direction": ["", *(v.direction for v, _ in others)],
            "error": [round(float(-s), 5) for s in found.scores],
            "gain": ["", *(str(gain_of(found, i)) for i in range(len(others)))],
            "training error": [
                round(float(np.nanmean(m.seen_loss)), 5)
                for m in (evidence.models, *(m for _, m in others))
            ],
        },
    )
    details = {
        v.name: {"direction": v.direction, "gain": float(found.gain[i]),
                 "low": float(found.low[i]), "high": float(found.high[i])}
        for i, (v, _) in enumerate(others)
    }  # fmt: skip
    if found.best_low > 0:
        return Finding(
            "found",
            f"{variant.direction.capitalize()} is better: {variant.name} gains {gain}",
            severity=severity_of_cost(gain),
            measured=gain,
            gain=gain,
            action=f"train with {variant.name}; other values of {variant.knob} may be better "
            "still, or worse: measure them with capacity= (--capacity)",
            figures=(table,),
            details=details,
        )
    if found.best_high < found.margin:
        return Finding(
            "passed",
            f"No other size or length is better by a point; the best of {len(others)}, "
            f"{variant.name}, gains {gain}",
            measured=gain,
            figures=(table,),
            details=details,
        )
    return Finding(
        "undecided",
        f"Whether another size or length is better is not told: the best of {len(others)}, "
        f"{variant.name}, gains {gain}",
        measured=gain,
        action="a larger --budget narrows the interval",
        figures=(table,),
        details=details,
    )


CHECK = Check(
    "OP307",
    "Bigger, smaller, longer, shorter",
    _run,
    ("models", "variants"),
    validated_by="memorization/model_size",
)
