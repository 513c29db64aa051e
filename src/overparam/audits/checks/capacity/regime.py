"""OP101: under, at or past the threshold, by where this recipe stops fitting its rows."""

from __future__ import annotations

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.capacity._fits import FITTED, fits, share_that_fits
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, Status
from overparam.lab.figure import Axis, Chart, Panel, Rule, Series

_HARDER = 0.2  # share of wrong labels that a recipe well past its threshold still fits
_LIKELY = 0.8


def _run(evidence: Evidence) -> Finding:
    models = evidence.models
    fitted = fits(models)
    whole, low, high = share_that_fits(fitted, evidence.confidence)
    past = harder = float("nan")
    if evidence.has("shuffled"):
        some = [m for share, m in evidence.shuffled if share == _HARDER]
        harder = share_that_fits(fits(some[0]), evidence.confidence)[0] if some else past
    few = fits_few(evidence)
    chances = _chances(whole, harder, few)
    likeliest = max(chances, key=lambda name: chances[name])
    n = int(models.n_trained[0])
    train = float(np.nanmean(models.seen_loss))
    told = ", ".join(f"{name} {chance:.0%}" for name, chance in chances.items())
    measured = Measured(whole, low, high, "of the models fit their rows", 0.0, "a constant answer")
    if likeliest == "at" and chances["at"] >= _LIKELY:
        return Finding(
            "found",
            f"At its interpolation threshold ({told}): it fits fewer rows than these and barely "
            f"these ({train:.1%} lost on {n:,} rows that it saw), where test error is often worst",
            severity="medium",
            measured=measured,
            action="look at OP307: on either side of the threshold the error is often lower; "
            "bigger or regularized is worth trying before more rows are collected",
            figures=_figures(evidence),
            details={"chances": chances},
        )
    status: Status = "passed" if chances[likeliest] >= _LIKELY else "undecided"
    where = {
        "under": f"Under its interpolation threshold: it does not fit {n:,} rows "
        f"({train:.1%} is lost on rows that it saw)",
        "at": "Near its interpolation threshold",
        "past": f"Past its interpolation threshold: it fits all {n:,} rows that it sees, also with "
        f"{_HARDER:.0%} of their labels wrong",
    }[likeliest]
    return Finding(
        status,
        f"{where} ({told})",
        measured=measured,
        figures=_figures(evidence),
        details={"chances": chances},
    )


def fits_few(evidence: Evidence) -> float:
    """Return the share of models that fit half as many rows; NaN where that was not measured."""
    if not evidence.has("curve"):
        return float("nan")
    curve = evidence.curve
    largest = curve.n_trained == curve.n_trained.max()
    return share_that_fits(fits(curve)[largest], evidence.confidence)[0]


def _chances(whole: float, harder: float, few: float) -> dict[str, float]:
    """Return the probability of each regime.

    Past: the rows are fitted, and with a fifth of wrong labels too. Under: not even half of the
    rows are fitted. At: what lies between. What was not measured leaves its part to ``at``.
    """
    past = whole * harder if harder == harder else 0.0
    under = (1 - whole) * (1 - few) if few == few else 0.0
    if harder != harder and few != few:  # only whether these rows are fitted is known
        past, under = whole, 1 - whole
    return {"under": under, "at": max(1 - past - under, 0.0), "past": past}


def _figures(evidence: Evidence) -> tuple[Chart, ...]:
    if not evidence.has("curve"):
        return ()
    parts = [evidence.curve, evidence.models]
    rows = np.concatenate([p.n_trained for p in parts])
    lost = np.concatenate([np.nanmean(p.seen_loss, axis=1) for p in parts])
    sizes = np.unique(rows)
    mean = np.array([lost[rows == size].mean() for size in sizes])
    most = max(int((rows == size).sum()) for size in sizes)
    dots = np.full((len(sizes), most), np.nan)
    for i, size in enumerate(sizes):
        some = lost[rows == size]
        dots[i, : len(some)] = some
    seen = Series("rows that it saw", "train", sizes, mean, dots=dots, statistic="mean")
    unit = "fraction wrong" if evidence.subject.has_classes else "fraction of the variance"
    panel = Panel(
        "",
        Axis("Training rows", "rows", "log"),
        Axis("Training error", unit, zero=True),
        [seen],
        [Rule(FITTED, "counts as fitted", "y")],
    )
    return (
        Chart(
            "regime",
            "Where training error leaves zero",
            "Training error of this recipe on more and more of the rows. It fits all up to where "
            "the line leaves the rule: its interpolation threshold.",
            [panel],
        ),
    )


CHECK = Check("OP101", "Regime", _run, ("models",), validated_by="double_descent/cross_entropy")
