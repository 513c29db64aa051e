"""OP202: labels that are probably wrong, and what mending them gains."""

from __future__ import annotations

from typing import Any

from overparam.audits.canaries import Caught, caught
from overparam.audits.check import Check
from overparam.audits.comparison import compare, gain_of
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, Severity, severity_of_cost
from overparam.audits.suspects import Suspects, suspects_among
from overparam.audits.variants import Variant
from overparam.ensembles.unseen_rows import knowledge_of_unseen_rows
from overparam.lab.figure import Table

_MOST_ROWS = 1000


def _run(evidence: Evidence) -> Finding:
    if not _models_know_something(evidence):
        return Finding(
            "undecided",
            "the models are not shown to know more of rows that they did not see than which class "
            "is the most frequent, so they cannot doubt a label",
            action="give more rows, or a model that learns more of them",
        )
    suspects = evidence.suspects
    trap = _caught(evidence, suspects)
    details: dict[str, Any] = {
        "n_likely": len(suspects.rows),
        "n_expected": dict(zip(("value", "low", "high"), suspects.n_expected, strict=True)),
        "n_undecided_inputs": int(evidence.undecided_rows.sum()),
    }
    figures = () if trap is None else (_table(trap),)
    if trap is not None:
        details["canaries"] = _details_of(trap)
    words = _WORDS[evidence.subject.has_classes]
    rate = suspects.rate
    measured = Measured(100 * rate.rate, 100 * rate.low, 100 * rate.high, "% of the labels")
    told = _told(trap, words)
    if not rate.rate and not len(suspects.rows):
        return Finding(
            "passed",
            f"{words['none']}: at most {100 * rate.high:.2g} % of them{told}",
            measured=measured,
            figures=figures,
            details=details,
        )
    rows = suspects.rows[:_MOST_ROWS]
    columns = _columns(evidence, suspects, len(rows))
    if not rate.low or not len(rows):
        return Finding(
            "undecided",
            f"Whether {words['labels']} is not told: {measured}{told}",
            measured=measured,
            action="look at the first rows of the table; a larger --budget narrows the interval",
            rows=rows,
            row_columns=columns,
            figures=figures,
            details=details,
        )
    expected, low, high = suspects.precision
    details["precision"] = {"value": expected, "low": low, "high": high}
    gain = _gain(evidence, suspects)
    worth = "was not measured" if gain is None else str(gain)
    return Finding(
        "found",
        f"{len(suspects.rows):,} {words['wrong']} ({_number(suspects.n_expected)} expected among "
        f"all rows; of these {100 * expected:.0f} % are expected to be){told}; the gain of mending "
        f"them: {worth}",
        severity=_severity(gain),
        measured=measured,
        gain=gain,
        action=words["action"],
        rows=rows,
        row_columns=columns,
        figures=figures,
        details=details,
    )


_WORDS = {
    True: {
        "none": "No sign of wrong labels",
        "labels": "labels are wrong",
        "wrong": "labels are probably wrong",
        "planted": "flipped labels",
        "action": "look at these rows in their order and correct those that are wrong; leave the "
        "test set as it is, or have all of it labelled anew, or the gain is not measured",
    },
    False: {
        "none": "No target lies far from its prediction",
        "labels": "targets are wrong",
        "wrong": "targets lie farther from their prediction than such residuals do",
        "planted": "targets that changed places",
        "action": "look at these rows in their order: wrong entries, other units, and rows unlike "
        "all others are among them",
    },
}


def _models_know_something(evidence: Evidence) -> bool:
    if not evidence.subject.has_classes:
        return True
    ensemble = evidence.models.ensemble
    columns, n_classes = ensemble.members.at_ratio(), len(ensemble.classes)
    return knowledge_of_unseen_rows(columns, ensemble.labels, n_classes).is_shown


def _caught(evidence: Evidence, suspects: Suspects) -> Caught | None:
    if not evidence.has("canaries"):
        return None
    canaries = evidence.canaries
    found = suspects_among(canaries.models, evidence.undecided_rows, evidence.confidence)
    return caught(canaries, found, suspects, evidence.subject, evidence.confidence)


def _gain(evidence: Evidence, suspects: Suspects) -> Measured | None:
    """What models trained on mended labels gain, on rows that were not doubted and test rows."""
    if not evidence.has("cleaned"):
        return None
    mended = Variant("mended labels", "regularized", "cleaned", None)
    found = compare(evidence, [(mended, evidence.cleaned)], without=suspects.rows)
    return gain_of(found, 0)


def _severity(gain: Measured | None) -> Severity:
    return "low" if gain is None else severity_of_cost(gain)


def _columns(evidence: Evidence, suspects: Suspects, n: int) -> dict[str, Any]:
    rows, train = suspects.rows[:n], evidence.subject.train
    suggested: Any = suspects.suggested[:n]
    columns: dict[str, Any] = {
        "label": train.given_labels(rows).tolist(),
        "suggested": suggested.tolist(),
        "suspicion": suspects.suspicion[rows],
        "chance that it is wrong": suspects.chance[:n],
    }
    if train.classes is not None:
        columns["suggested"] = [train.classes[i] for i in suggested]
        if not evidence.subject.has_no_inputs and evidence.copies.sets:
            columns["disagrees with its copies"] = evidence.conflicts.is_minority[rows]
    return columns


def _told(trap: Caught | None, words: dict[str, str]) -> str:
    if trap is None:
        return ""
    newly = f", and {trap.precision} of what it newly doubts there are" if trap.n_flagged else ""
    return f"; on your own data it catches {trap.recall} of planted {words['planted']}{newly}"


def _number(expected: tuple[float, float, float]) -> str:
    value, low, high = expected
    return f"{value:,.0f} [{low:,.0f}, {high:,.0f}]"


def _table(trap: Caught) -> Table:
    return Table(
        "canaries",
        "Planted wrong labels that are found",
        f"{trap.n_planted:,} wrong labels were planted in a copy of the data, and "
        f"{trap.n_flagged:,} rows were newly doubted there. Share of the planted ones among as "
        "many rows looked at, by this check and in simpler orders, with its interval.",
        {
            "order": ["models that did not see the row", *trap.baselines],
            "found": [str(trap.recall), *map(str, trap.baselines.values())],
        },
    )


def _details_of(trap: Caught) -> dict[str, Any]:
    def plain(m: Measured) -> dict[str, float]:
        return {"value": m.value, "low": m.low, "high": m.high}

    return {
        "n_planted": trap.n_planted,
        "n_flagged": trap.n_flagged,
        "recall": plain(trap.recall),
        "precision": plain(trap.precision),
        "baselines": {name: plain(m) for name, m in trap.baselines.items()},
    }


CHECK = Check(
    "OP202", "Likely label errors", _run, ("models",), validated_by="memorization/proxies"
)
