"""OP603: whether a fit knows of the fits before it."""

from __future__ import annotations

import numpy as np
from scipy.stats import spearmanr, t

from overparam.audits.check import Check
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.audits.subject import Subject
from overparam.lab.figure import Axis, Chart, Panel, Series

_FEWEST = 8  # models from which on a trend is looked for
_BY_CHANCE = 1e-3  # how often a trend is found where there is none


def _run(evidence: Evidence) -> Finding:
    gap = _repeat_gap(evidence)
    loss = np.nanmean(evidence.models.unseen_loss, axis=1)
    improvement = _improvement(loss, evidence.confidence)
    details = {"repeat_gap": gap, "models": len(loss)}
    if improvement is not None and _rises(loss):
        return Finding(
            "found",
            "Models are better the later they are fitted: on rows that they did not see they lose "
            f"{improvement} less in the second half of {len(loss)} fits than in the first, as "
            "models do that have seen these rows in earlier fits",
            severity=severity_of_cost(improvement),
            measured=improvement,
            cost=improvement,
            action="make a new model in each fit (new weights, warm_start=False, nothing kept in "
            "globals): every score of such models on rows left out is too good, memorization is "
            "read too low, and so are all findings here that stand on them",
            figures=(_figure(loss),),
            details=details,
        )
    if gap > 0:
        return Finding(
            "found",
            "Fitted, or made, twice with equal rows and an equal seed it gave other outputs or "
            f"weights (by up to {gap:.3g}): it draws random numbers of its own, or keeps something "
            "between fits",
            severity="low",
            measured=improvement,
            action="draw from the seed that fit is given, and make a new model in each fit; until "
            "then no number here can be had again exactly",
            details=details,
        )
    if improvement is None:
        told = f"with {len(loss)} fits no trend can be told; {_FEWEST} are needed"
        if np.isfinite(gap):
            return Finding(
                "passed", f"Fitted twice with equal rows it gave equal outputs; {told}",
                details=details,
            )  # fmt: skip
        return Finding(
            "undecided", f"Whether fits know of each other is not told: {told}",
            action="a larger --budget trains more models", details=details,
        )  # fmt: skip
    return Finding(
        "passed",
        "Fits know nothing of each other: models lose "
        f"{improvement} less in the second half of {len(loss)} fits than in the first",
        measured=improvement,
        details=details,
    )


def _repeat_gap(evidence: Evidence) -> float:
    """Return how far outputs are apart of equal fits; NaN where that was not tried."""
    outcomes = [r.outcome for r in evidence.models.ensemble.records if r.is_measured]
    gaps = [getattr(o, "repeat_gap", np.nan) for o in outcomes]
    return float(max((g for g in gaps if g == g), default=np.nan))


def _improvement(loss: np.ndarray, confidence: float) -> Measured | None:
    """Return how much less the later half of the models loses; None of too few."""
    if len(loss) < _FEWEST:
        return None
    half = len(loss) // 2
    first, second = loss[:half], loss[half:]
    error = np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
    apart = float(first.mean() - second.mean())
    wide = float(t.ppf((1 + confidence) / 2, half - 1) * error)
    return in_points(apart, apart - wide, apart + wide)


def _rises(loss: np.ndarray) -> bool:
    """Whether models are better the later they were fitted, surely."""
    if np.ptp(loss) == 0:
        return False
    return bool(spearmanr(np.arange(len(loss)), loss, alternative="less").pvalue < _BY_CHANCE)


def _figure(loss: np.ndarray) -> Chart:
    numbers = np.arange(1, len(loss) + 1)
    series = Series("rows not seen", "test", numbers, loss)
    return Chart(
        "carried_state",
        "Models are better the later they are fitted",
        "Error of each model on the rows that were left out of its fit, in the order of the fits. "
        "Models that know nothing of each other show no trend.",
        [Panel("", Axis("Fit", "number"), Axis("Error", "fraction"), [series])],
    )


def _applies(subject: Subject) -> str:
    if subject.kind == "predictions":
        return "predictions were given, and nobody knows in which order models were fitted"
    return ""


CHECK = Check("OP603", "State carried between fits", _run, ("models",), _applies)
