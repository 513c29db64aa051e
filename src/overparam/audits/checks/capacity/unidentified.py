"""OP104: coefficients of a linear model that the data do not determine, by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured
from overparam.audits.subject import Subject
from overparam.lab.figure import Table
from overparam.measures.linear.linear_design import LinearDesign, identify_coefficients

_MOST_WORK = 5e10  # rows x columns x the smaller of the two: about a minute
_NAMED, _SHOWN = 5, 30  # coefficients in the sentence, and relations in the table


def _run(evidence: Evidence) -> Finding:
    last = evidence.one.last_step
    coefficients = getattr(last, "coef_", None)
    if coefficients is None:
        raise Missing("not applicable", f"{evidence.subject.name} is no model with coefficients")
    n, p = evidence.subject.n_rows, int(np.shape(coefficients)[-1])
    if float(n) * p * min(n, p) > _MOST_WORK:
        raise Missing(
            "skipped",
            f"{n:,} rows of {p:,} columns are too many for their rank to be found",
        )
    inputs, model = evidence.subject.train.inputs, evidence.one.fitted.model
    if model is last and not evidence.subject.is_table:  # images, which it was given as rows
        inputs = np.asarray(inputs).reshape(n, -1)
    design = identify_coefficients(inputs, model=model)
    open_ones, n_all = design.not_identified, design.n_columns + design.fit_intercept
    measured = Measured(len(open_ones), len(open_ones), len(open_ones), "coefficients")
    details = {
        "rank": design.rank,
        "columns": design.n_columns,
        "not_identified": list(open_ones),
        "relations": [relation.text for relation in design.relations],
        "doubtful": list(design.doubtful),
    }
    if open_ones:
        return Finding(
            "found",
            f"{len(open_ones):,} of {n_all:,} coefficients are not determined by the "
            f"data ({_some(open_ones)}): {_why(design)}",
            severity="low",
            measured=measured,
            action="read no meaning into them; predictions are as good, also with "
            + _remedy(design),
            figures=_figures(design),
            details=details,
        )
    if design.doubtful:
        return Finding(
            "undecided",
            f"Whether the data determine {_some(design.doubtful)} is a matter of rounding: the "
            f"columns' condition number is {design.scaled_condition:.2g}",
            measured=measured,
            action="drop one of the columns that all but make each other up",
            details=details,
        )
    most = int(np.argmax(design.variance_inflation))
    return Finding(
        "passed",
        f"All {n_all:,} coefficients are determined by the data; correlation with other "
        f"columns widens {design.names[most]} most, by {design.variance_inflation[most] ** 0.5:.3g}"
        " times",
        measured=measured,
        details=details,
    )


def _why(design: LinearDesign) -> str:
    if design.relations and design.rank < design.n_rows - design.fit_intercept:
        return f"on these rows {design.relations[0].text}"
    return f"there are {design.n_columns:,} columns and only {design.n_rows:,} rows"


def _remedy(design: LinearDesign) -> str:
    if len(design.relations) == 1:
        return f"{design.relations[0].text.partition(' = ')[0]} left out"
    return "the columns left out that others make up"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _figures(design: LinearDesign) -> tuple[Any, ...]:
    shown = [relation.text for relation in design.relations[:_SHOWN]]
    if not shown:
        return ()
    table = Table(
        "relations",
        "Columns that others make up",
        "Each holds on every training row, so the data cannot tell these coefficients apart.",
        {"on every row": shown},
    )
    return (table,)


def _applies(subject: Subject) -> str:
    if subject.kind != "estimator":
        return "only estimators name their coefficients"
    return ""


CHECK = Check("OP104", "Coefficients that the data leave open", _run, ("one",), _applies)
