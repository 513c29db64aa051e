"""What an audit comes to: one sentence, and four numbers, made of what findings measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from overparam.audits.evidence import Evidence
from overparam.audits.finding import SEVERITIES, Finding, Measured

_NOT_MEASURED = "not measured"
_TOLD_ELSEWHERE = {"OP103", "OP201", "OP202", "OP306"}  # clauses of their own
_GRAVE = SEVERITIES.index("medium")


def verdict_of(evidence: Evidence, findings: Mapping[str, Finding]) -> str:
    """Return what the model fits, what that costs, what acting would win, and what to do first.

    Of what was not measured nothing is said.
    """
    clauses = [
        _fits(evidence, findings),
        _harm(findings),
        _labels(findings),
        _more_rows(findings),
        _gravest(findings),
    ]
    told = [clause for clause in clauses if clause]
    failure = evidence.failure
    if failure:
        told.insert(0, f"no model could be trained: {failure}")
    if not told:
        return "Nothing could be measured of the model: see the notes, and what failed."
    return " ".join(f"{clause[0].upper()}{clause[1:]}." for clause in told)


def numbers_of(evidence: Evidence, findings: Mapping[str, Finding]) -> dict[str, str]:
    """Return the four numbers at the head of a report, title to text with its interval."""
    error = _details(findings, "OP301")
    gap = error.get("gap")
    return {
        "Regime": _regime(findings),
        "Known by heart": _measured(findings, "OP201"),
        "Error and gap": (
            f"{_range(error['test_error'])}; gap {_range(gap)} points" if gap else _NOT_MEASURED
        ),
        "Membership advantage": _measured(findings, "OP402"),
    }


def _fits(evidence: Evidence, findings: Mapping[str, Finding]) -> str:
    """What it fits, and how many rows it knows by heart."""
    heart = _details(findings, "OP201").get("n_by_heart")
    by_heart = "" if heart is None else f", {heart:,} of them by heart"
    n = evidence.subject.n_rows
    if evidence.has("one"):
        lost = evidence.one.train_loss
    elif evidence.has("models"):
        lost = float(np.nanmean(evidence.models.seen_loss))
    else:
        return ""
    if not np.isfinite(lost):
        return "The model diverged"
    if lost == 0 or (lost < 1e-3 and not evidence.subject.has_classes):
        return f"It fits all {n:,} rows{by_heart}"
    if evidence.has("conflicts") and lost <= evidence.conflicts.least_error:
        return f"It fits all {n:,} rows but those that contradict each other{by_heart}"
    fitted = "leaves" if evidence.subject.has_classes else "leaves, of the targets' variance,"
    known = "" if heart is None else f"; {heart:,} rows are known by heart"
    return f"It {fitted} {100 * lost:.2g} % of {n:,} rows unfitted{known}"


def _harm(findings: Mapping[str, Finding]) -> str:
    found = findings.get("OP103")
    if found is None or found.measured is None:
        return ""
    gain = found.measured
    if found.status == "found":
        return f"that costs {gain}: fitting less is better"
    if found.status == "undecided":
        return f"whether that costs anything is not told ({gain})"
    if gain.high < 0:
        loss = Measured(-gain.value, -gain.high, -gain.low, gain.unit)
        return f"that costs nothing here: the best recipe that fits less is {loss} worse"
    return f"that costs nothing here: the best recipe that fits less gains {gain}"


def _labels(findings: Mapping[str, Finding]) -> str:
    found = findings.get("OP202")
    n = _details(findings, "OP202").get("n_likely")
    if found is None or found.status != "found" or not n:
        return ""
    worth = f"; mending them is worth {found.gain}" if found.gain else ""
    return f"{n:,} labels are probably wrong{worth}"


def _more_rows(findings: Mapping[str, Finding]) -> str:
    found = findings.get("OP306")
    if found is None or found.measured is None or found.status not in ("found", "passed"):
        return ""
    if "gain_of_twice_the_rows" not in found.details:
        return "more rows made it worse"
    return f"twice the rows: {found.measured}"


def _gravest(findings: Mapping[str, Finding]) -> str:
    """The first thing to act on, of what has no clause of its own."""
    grave = [
        f
        for f in findings.values()
        if f.status == "found" and SEVERITIES.index(f.severity) >= _GRAVE
    ]
    others = [f for f in grave if f.code not in _TOLD_ELSEWHERE]
    if others:
        first = min(others, key=lambda f: (*f.rank, f.code))
        return f"look first at {first.code} ({first.title.lower()}, {first.severity})"
    if grave:
        return ""
    unknown = any(f.status == "skipped" for f in findings.values())
    among = " among what was measured" if unknown else ""
    return f"nothing of severity medium or more was found{among}"


def _regime(findings: Mapping[str, Finding]) -> str:
    chances = _details(findings, "OP101").get("chances")
    if not chances:
        return _NOT_MEASURED
    likeliest = max(chances, key=lambda name: chances[name])
    return f"{likeliest} the threshold ({chances[likeliest]:.0%})"


def _measured(findings: Mapping[str, Finding], code: str) -> str:
    found = findings.get(code)
    if found is None or found.measured is None or not np.isfinite(found.measured.value):
        return _NOT_MEASURED
    return str(found.measured)


def _range(numbers: Mapping[str, float]) -> str:
    return str(Measured(numbers["value"], numbers["low"], numbers["high"]))


def _details(findings: Mapping[str, Finding], code: str) -> Mapping[str, Any]:
    return findings[code].details if code in findings else {}
