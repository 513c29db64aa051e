"""OP308: whether a simple model of another kind does as well, or better."""

from __future__ import annotations

from overparam.audits.check import Check
from overparam.audits.comparison import best_of, compare, gain_of
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Status, severity_of_cost
from overparam.lab.figure import Table


def _run(evidence: Evidence) -> Finding:
    others = evidence.references
    found = compare(evidence, others)
    variant, gain = best_of(found, others)
    name = variant.name
    table = Table(
        "references",
        "Error of simple models of other kinds",
        "Error on rows that no model saw, each trained on the same subsets; gains against the "
        "audited recipe, with intervals that hold for all at once.",
        {
            "model": [evidence.subject.name, *(v.name for v, _ in others)],
            "error": [round(float(-s), 5) for s in found.scores],
            "gain": ["", *(str(gain_of(found, i)) for i in range(len(others)))],
        },
    )
    if found.best_low > 0:
        return Finding(
            "found",
            f"A simple model is better: {name} has an error {gain} lower",
            severity=severity_of_cost(gain),
            gain=gain,
            action=f"start from {name}, or find out what it sees that this model does not",
            measured=gain,
            figures=(table,),
        )
    if found.best_low > -found.margin:
        return Finding(
            "found",
            f"A simple model does as well: {name} gains {gain}",
            severity="low",
            action=f"prefer {name} unless something else speaks for this model",
            measured=gain,
            figures=(table,),
        )
    status: Status
    if found.best_high < 0:
        status, told = "passed", f"Better than all {len(others)} simple models"
    else:
        status, told = "undecided", "Whether a simple model does as well is not told"
    return Finding(status, f"{told}: {name} gains {gain}", measured=gain, figures=(table,))


CHECK = Check("OP308", "A simple model does as well", _run, ("models", "references"))
