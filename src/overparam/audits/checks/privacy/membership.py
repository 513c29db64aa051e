"""OP402: how well an attack tells the rows that a model was trained on from others."""

from __future__ import annotations

from typing import Any

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.lab.figure import Table

FEW = 0.1  # advantage below which a model gives little away
_AT = 0.01  # false positive rate at which members are counted
_MOST_NAMED = 0.5  # of the members, named at that rate: more is of severity medium


def _run(evidence: Evidence) -> Finding:
    found, plain = evidence.exposure, evidence.models.ensemble.membership("loss").advantage
    advantage = Measured(
        found.advantage.advantage,
        found.advantage.low,
        found.advantage.high,
        "",
        plain.advantage,
        "an attack by the loss alone",
    )
    named = {fpr: Measured(t.tpr, t.low, t.high) for fpr, t in found.tpr.items()}
    figures = (_table(found, plain, named),)
    details: dict[str, Any] = {
        "attack": found.attack,
        "n_targets": found.n_targets,
        "auc": {"value": found.auc.auc, "low": found.auc.low, "high": found.auc.high},
        "tpr": {
            f"{fpr:g}": {"value": m.value, "low": m.low, "high": m.high} for fpr, m in named.items()
        },
    }
    at = named[_AT]
    told = f"an attack that knows models trained on such rows gains an advantage of {advantage}"
    rate = "" if at.value != at.value else f", and names {_percent(at)} of the members at 1 % FPR"
    if advantage.high < FEW:
        return Finding(
            "passed",
            f"Who was trained on can hardly be told: {told}",
            measured=advantage,
            figures=figures,
            details=details,
        )
    if advantage.low > 0:
        return Finding(
            "found",
            f"Who was trained on can be told: {told}{rate}",
            severity="medium" if at.low > _MOST_NAMED else "low",
            measured=advantage,
            action="if the rows are confidential, answer with classes instead of probabilities, "
            "regularize (OP103 says what that costs), or train with differential privacy; OP403 "
            "names the rows",
            figures=figures,
            details=details,
        )
    return Finding(
        "undecided",
        f"Whether it can be told who was trained on is open: {told}",
        measured=advantage,
        action="a larger --budget trains more models and narrows the interval",
        figures=figures,
        details=details,
    )


def _percent(m: Measured) -> Measured:
    return Measured(100 * m.value, 100 * m.low, 100 * m.high, "%")


def _table(found: Any, plain: Any, named: dict[float, Measured]) -> Table:
    rows = {
        f"advantage ({found.attack})": Measured(
            found.advantage.advantage, found.advantage.low, found.advantage.high
        ),
        "advantage (loss alone)": Measured(plain.advantage, plain.low, plain.high),
        "AUC": Measured(found.auc.auc, found.auc.low, found.auc.high),
        **{f"members named at an FPR of {fpr:g}": m for fpr, m in named.items()},
    }
    return Table(
        "membership",
        "How well members are told from others",
        f"Each of {found.n_targets} models is attacked by the others. Advantage: largest true less "
        "false positive rate, 0 at random. Unknown: too few rows to resolve so small a rate.",
        {"": list(rows), "value": [str(m) for m in rows.values()]},
    )


def classes_only(subject: Subject) -> str:
    """Return why attacks do not apply; "" where they do."""
    return "" if subject.has_classes else "the targets are numbers; the attacks are on classes"


CHECK = Check(
    "OP402", "Membership", _run, ("models",), classes_only, "memorization/overfitting_leaks"
)
