"""OP101: under, at or past the threshold, by where this recipe stops fitting its rows."""

from __future__ import annotations

import numpy as np
from sklearn.base import is_regressor

from overparam.audits.check import Check
from overparam.audits.checks.capacity._fits import (
    FITTED,
    chance_that_it_fits,
    fits,
    lost_in_words,
    share_that_fits,
    unavoidable,
)
from overparam.audits.comparison import best_of, compare
from overparam.audits.evidence import Evidence
from overparam.audits.finding import Finding, Measured, Status, severity_of_cost
from overparam.audits.plan import SHUFFLED_SHARES
from overparam.lab.figure import Axis, Chart, Panel, Rule, Series

_HARDER = min(SHUFFLED_SHARES)  # of wrong labels, which a recipe past its threshold still fits
_ROOM = 1 / (1 - _HARDER)  # times the rows, that a recipe past its threshold has room for
_LIKELY = 0.8


def _run(evidence: Evidence) -> Finding:
    models, chances = evidence.models, chances_of(evidence)
    likeliest = max(chances, key=lambda name: chances[name])
    is_likely = chances[likeliest] >= _LIKELY
    n, few = evidence.subject.n_rows, int(models.n_trained[0])
    told = ", ".join(f"{name} {chance:.0%}" for name, chance in chances.items() if chance > 0)
    measured = Measured(
        *share_that_fits(fits(evidence, models), evidence.confidence),
        "of the models fit their rows", 0.0, "a constant answer",
    )  # fmt: skip
    figures, details = _figures(evidence), {"chances": chances}
    if likeliest == "at" and is_likely:
        return _at(evidence, told, measured, figures, details)
    where = {
        "under": f"Under its interpolation threshold: it does not fit {few:,} of the {n:,} rows "
        f"({lost_in_words(models)} among rows that it saw)",
        "at": "Near its interpolation threshold",
        "past": f"Past its interpolation threshold: it fits the rows that it sees, also with "
        f"{_HARDER:.0%} of their labels wrong",
        "at or past": f"At or past its interpolation threshold: it fits {few:,} of the {n:,} rows; "
        "which of the two, models on wrong labels would tell",
    }[likeliest]
    status: Status = "passed" if is_likely and likeliest != "at or past" else "undecided"
    return Finding(status, f"{where} ({told})", measured=measured, figures=figures, details=details)


def chances_of(evidence: Evidence) -> dict[str, float]:
    """Return the probability of each regime, by what was measured; the sum is 1.

    Under: not even the subsets, 70 % of the rows, are fitted. Past: all rows are fitted, and the
    subsets with a fifth of their labels wrong. At: what lies between. Whether labels are wrong is
    nothing to a linear regression, which fits as many rows as it has coefficients, and no more.
    """
    fitted = chance_that_it_fits(fits(evidence, evidence.models))
    past: float | None = None
    if evidence.has("shuffled"):
        wrong = [fits(evidence, models) for share, models in evidence.shuffled if share == _HARDER]
        past = fitted * chance_that_it_fits(wrong[0]) if wrong else None
    room = _rows_of_a_regression(evidence)
    is_short = room is not None and room < _ROOM * evidence.subject.n_rows
    if is_short or (evidence.has("one") and _lacks(evidence) > FITTED):
        past = 0.0
    if past is None:
        return {"under": 1 - fitted, "at or past": fitted}
    return {"under": 1 - fitted, "at": fitted - past, "past": past}


def _lacks(evidence: Evidence) -> float:
    """Return what the one model loses on its rows beyond what no model avoids."""
    subject = evidence.subject
    if not subject.has_classes:
        return evidence.one.train_loss
    wrong = unavoidable(np.asarray(evidence.copies.group), subject.train.labels)
    return evidence.one.train_loss - wrong / subject.n_rows


def _rows_of_a_regression(evidence: Evidence) -> int | None:
    """Return how many rows of any targets a linear regression fits; None of other models."""
    last = evidence.one.last_step if evidence.has("one") else None
    coefficients = getattr(last, "coef_", None)
    if coefficients is None or not is_regressor(last):
        return None
    return int(np.size(coefficients)) + bool(getattr(last, "fit_intercept", False))


def _at(
    evidence: Evidence, told: str, measured: Measured, figures: tuple, details: dict
) -> Finding:
    """At its threshold, which is as bad as what other recipes gain, and no worse."""
    why = "it fits most of these rows, and not with a fifth of their labels wrong, or a fourth more"
    best = None
    if evidence.has("variants"):
        found = compare(evidence, evidence.variants)
        best = best_of(found, evidence.variants)
        if found.best_low > 0:
            return Finding(
                "found",
                f"At its interpolation threshold ({told}), and that costs: {why}; with "
                f"{best[0].name} the error is {best[1]} lower",
                severity=severity_of_cost(best[1]),
                measured=measured,
                cost=best[1],
                gain=best[1],
                action=f"train with {best[0].name} (OP307)",
                figures=figures,
                details=details,
            )
    gains = "" if best is None else f" (the best of OP307, {best[0].name}, gains {best[1]})"
    return Finding(
        "found",
        f"At its interpolation threshold ({told}): {why}; that it costs anything is not "
        f"shown{gains}",
        severity="low",
        measured=measured,
        action="test error often has its peak here: compare a smaller, a larger and a regularized "
        "model on rows that none of them saw, with capacity= (--capacity)",
        figures=figures,
        details=details,
    )


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
