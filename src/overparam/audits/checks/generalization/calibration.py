"""OP303: whether what is said with a probability comes as often, and what a temperature gains."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.generalization._answers import Answers, answers_of
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.lab.digits import write_measured
from overparam.lab.figure import Axis, Chart, Panel, Series
from overparam.measures.probabilities.calibration import (
    ReliabilityCurve,
    estimate_calibration_error,
    reliability_curve,
)
from overparam.measures.probabilities.temperature import TemperatureEstimate, estimate_temperature

# How far probabilities may be off before it matters to whoever uses them, and before it misleads.
_HARMLESS, _MISLEADS = 0.05, 0.1


def _run(evidence: Evidence) -> Finding:
    said = answers_of(evidence)
    rows = _known(said)
    error = estimate_calibration_error(**rows, confidence=evidence.confidence)
    heat = estimate_temperature(**rows, confidence=evidence.confidence)
    curve = reliability_curve(**rows, confidence=evidence.confidence)
    measured = Measured(
        error.absolute, error.absolute_low, error.absolute_high, "of probability",
        error.null_absolute, "as commonly reported, of right probabilities",
    )  # fmt: skip
    how = _direction(curve)
    told = (
        f"What it says with a probability is off by {measured} on average, {said.where}"
        f"{f' ({how})' if error.absolute_low > 0 and how else ''}"
    )
    common: dict[str, Any] = {
        "measured": measured,
        "figures": (_diagram(curve, how if error.absolute_low > 0 else "", said.where),),
        "details": _details(error.plugin_absolute, error.p_value, heat),
    }
    if error.absolute_low > _HARMLESS:
        return Finding(
            "found",
            f"{told}; {_mending(heat)}",
            severity="medium" if error.absolute_low > _MISLEADS else "low",
            action=_action(heat),
            **common,
        )
    if error.absolute_high <= _HARMLESS:
        return Finding("passed", told, **common)
    return Finding(
        "undecided", f"{told}: whether that is more than {_HARMLESS} is not told", **common
    )


def _known(said: Answers) -> dict[str, Any]:
    if said.probabilities is None:
        raise Missing("not applicable", "the model names classes and gives no probabilities")
    told = np.asarray(said.probabilities, float)
    told = told / told.sum(1, keepdims=True)  # they were kept with few digits
    return {
        "probabilities": told,
        "labels": said.labels,
        "classes": np.arange(told.shape[1]),
        "groups": said.group,
    }


def _direction(curve: ReliabilityCurve) -> str:
    """Return whether most is said too surely or not surely enough; "" where both are about even."""
    off = curve.n * (curve.score - curve.rate)
    share = off.sum() / max(np.abs(off).sum(), 1e-12)
    if abs(share) < 0.5:
        return ""
    return "too sure" if share > 0 else "not sure enough"


def _mending(heat: TemperatureEstimate) -> str:
    if heat.gain_low <= 0:
        return "no temperature surely mends it"
    gain = Measured(heat.gain, heat.gain_low, heat.gain_high, "nats")
    return (
        f"a temperature of {_temperature(heat)} takes {gain} off a log loss of {heat.log_loss:.3g}"
    )


def _temperature(heat: TemperatureEstimate) -> str:
    return str(Measured(heat.temperature, heat.low, heat.high))


def _action(heat: TemperatureEstimate) -> str:
    keep = "the classes that it names stay the same, and so does its error"
    if heat.gain_low <= 0:
        return (
            "where probabilities are used, not only the class, fit a calibration map (isotonic, or "
            f"one shift for each class) to rows kept for it; {keep}"
        )
    told = write_measured(heat.temperature, heat.low, heat.high)
    return (
        f"where probabilities are used, not only the class, divide the logits by about {told}, "
        f"fitted to rows that are kept for it; {keep}"
    )


def _diagram(curve: ReliabilityCurve, how: str, where: str) -> Chart:
    ends = np.array([curve.score.min(), 1.0])
    title = f"Probabilities are {how}" if how else "How often what is said is so"
    return Chart(
        "reliability",
        title,
        f"Rows {where.removeprefix('on ')}, in bins of about equal probability of the class that "
        "is named. On the dotted line it is right as often as it says; below it is too sure. "
        f"Bands are intervals of {curve.confidence:.0%}, each bin's own.",
        (
            Panel(
                "",
                Axis("Probability that is said", limits=(0.0, 1.0)),
                Axis("Share that is right", limits=(0.0, 1.0)),
                (
                    Series("as often as said", "theory", ends, ends),
                    Series(
                        "this model", "test", curve.score, curve.rate, curve.low, curve.high,
                        statistic="share of the bin's rows",
                        band=f"{curve.confidence:.0%} interval",
                    ),
                ),
            ),
        ),
    )  # fmt: skip


def _details(plugin: float, p_value: float, heat: TemperatureEstimate) -> dict[str, Any]:
    return {
        "ece_as_commonly_reported": plugin,
        "p_value": p_value,
        "temperature": {"value": heat.temperature, "low": heat.low, "high": heat.high},
        "log_loss": heat.log_loss,
        "log_loss_gain": {"value": heat.gain, "low": heat.gain_low, "high": heat.gain_high},
    }


def _applies(subject: Subject) -> str:
    return "" if subject.has_classes else "the targets are numbers, of which no probability is said"


CHECK = Check("OP303", "Calibration", _run, applies=_applies)
