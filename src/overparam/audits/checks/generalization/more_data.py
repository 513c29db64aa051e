"""OP306: what more rows would gain, from models trained on fewer."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.comparison import fresh_groups, in_points
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Status, severity_of_cost
from overparam.lab.figure import Axis, Chart, Panel, Series
from overparam.measures.test_error.more_data import MoreData, estimate_more_data

_FACTOR = 2.0


def _run(evidence: Evidence) -> Finding:
    rows, errors = curve_of(evidence)
    known = np.isfinite(errors).any((0, 1))
    groups = fresh_groups(evidence)
    found = estimate_more_data(
        rows,
        errors[:, :, known],
        groups=None if groups is None else groups[known],
        confidence=evidence.confidence,
    )
    figures = (_chart(evidence, found),)
    if found.rise.rises:
        rise = in_points(found.rise.rise, found.rise.low, found.rise.high)
        return Finding(
            "found",
            f"More rows made it worse: from {found.rise.from_rows:,.0f} to "
            f"{found.rise.to_rows:,.0f} rows the error rises by {rise}",
            severity=severity_of_cost(rise),
            measured=rise,
            action="do not extrapolate this curve; a recipe does so that passes its interpolation "
            "threshold (OP101): see in OP307 whether another size or a penalty is better here",
            figures=figures,
        )
    if not found.told:
        return Finding(
            "undecided", f"What more rows would gain is not told: {found.reason}", figures=figures
        )
    gained = found.gain(_FACTOR)
    gain = in_points(gained.error, gained.low, gained.high)
    details = {
        "rows": found.rows.tolist(),
        "error": found.error.tolist(),
        "standard_error": found.standard_error.tolist(),
        "gain_of_twice_the_rows": {"points": gain.value, "low": gain.low, "high": gain.high},
    }
    most = f"{found.rows[-1]:,.0f}"
    if gain.low >= 1:
        return Finding(
            "found",
            f"More rows would help: twice the {most} rows that these models had lower the error "
            f"by {gain}",
            severity="medium",  # nothing that is there is lost
            measured=gain,
            gain=gain,
            action="collect more rows of the same kind before tuning further",
            figures=figures,
            details=details,
        )
    status: Status = "passed" if gain.high < 1 else "undecided"
    told = "would gain less than a point" if status == "passed" else "may gain something or not"
    return Finding(
        status,
        f"Twice the {most} rows that these models had {told}: {gain}",
        measured=gain,
        figures=figures,
        details=details,
    )


def curve_of(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Return rows `[S]` and the losses of rows not seen, `[S, repeats, n + m]`.

    Subsets of one ratio count as of one size: where rows belong together they differ by a few.
    """
    curve, models = evidence.curve, evidence.models
    ratio = np.asarray(curve.ensemble.ratio_of_each)
    of_size = [ratio == each for each in np.unique(ratio)]
    sizes = [curve.n_trained[chosen].mean() for chosen in of_size]
    parts = [curve.fresh_loss[chosen] for chosen in of_size]
    repeats = min([len(p) for p in parts])
    parts.append(models.first(repeats))
    most = max(len(p) for p in parts)
    padded = np.full((len(parts), most, parts[0].shape[1]), np.nan)
    for i, part in enumerate(parts):
        padded[i, : len(part)] = part
    return np.append(sizes, models.n_trained.mean()).astype(float), padded


def _chart(evidence: Evidence, found: MoreData) -> Chart:
    half = 1.96 * found.standard_error
    unit = "fraction wrong" if evidence.subject.has_classes else "fraction of the variance"
    series = Series(
        "rows not seen", "test", found.rows, found.error, found.error - half, found.error + half,
        statistic="mean", band="95 % interval",
    )  # fmt: skip
    panel = Panel(
        "", Axis("Training rows", "rows", "log"), Axis("Test error", unit, zero=True), [series]
    )
    return Chart(
        "more_data",
        "Error against the number of rows",
        "Error on rows that the models did not see, of models trained on more and more rows.",
        [panel],
    )


CHECK = Check(
    "OP306", "More data", _run, ("models", "curve"), validated_by="double_descent/sample_wise"
)
