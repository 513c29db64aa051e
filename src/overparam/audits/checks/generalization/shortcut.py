"""OP309: a column or patch that much of what the model knows hangs on, and need not."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.generalization._exchange import (
    HALF,
    Exchanged,
    Probed,
    exchanged_parts,
    half_width,
    loss_alone,
    loss_without,
    probed,
)
from overparam.audits.checks.generalization._parts import drawable
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured, Severity, severity_of_cost
from overparam.audits.subject import Subject
from overparam.data.rows import is_sparse
from overparam.lab.figure import Figure, ImageGrid, Table

_SHOWN = 6  # images


def _run(evidence: Evidence) -> Finding:
    model = probed(evidence)
    known = model.baseline - float(model.loss.mean())
    alpha = 1 - evidence.confidence
    if not np.isfinite(known) or known <= half_width(model.loss, alpha):
        raise Missing("skipped", "the model is not surely better than a constant answer")
    tries = exchanged_parts(evidence, model)
    most = _largest(tries)
    measured = Measured(100 * most.share, 100 * most.low, 100 * most.high, "% of what it knows")
    table = _table(tries)
    kind = "column" if evidence.subject.is_table else "patch"
    told = f"most hangs on {most.part.name}, without which it loses {measured}"
    if most.high < HALF:
        return Finding(
            "passed",
            f"No single {kind} carries half of what the model knows; {told}",
            measured=measured,
            figures=(table,),
        )
    if most.low <= HALF or not most.part.is_leaf:
        return Finding(
            "undecided",
            f"Whether a single {kind} carries half of what the model knows is not told; {told}",
            measured=measured,
            figures=(table,),
        )
    return _retrained(evidence, model, most, measured, table)


def _largest(tries: list[Exchanged]) -> Exchanged:
    """Return the part of which most is lost, of those inside which no other was tried."""
    tried = {id(t.part) for t in tries}
    last = [t for t in tries if not any(id(part) in tried for part in t.part.inside)]
    return max(last, key=lambda t: t.share)


def _retrained(
    evidence: Evidence, model: Probed, most: Exchanged, measured: Measured, table: Table
) -> Finding:
    """Return whether a model that never had the part keeps most of what this one knows."""
    alpha = 1 - evidence.confidence
    without = loss_without(evidence, model, most.part)
    alone = loss_alone(evidence, model, most.part)
    # Above 0: the model without the part keeps more than half of what this one knows.
    kept = HALF * (model.baseline + model.loss) - without
    mean, half = float(kept.mean()), half_width(kept, alpha)
    errors: dict[str, Any] = {
        "error": 100 * float(model.loss.mean()),
        "error_with_the_part_of_other_rows": 100 * float(most.loss.mean()),
        "error_of_a_model_trained_without_it": 100 * float(without.mean()),
        "error_of_the_part_alone": 100 * float(alone.mean()),
        "error_of_a_constant_answer": 100 * model.baseline,
        "part": most.part.name,
    }
    name = most.part.name
    common: dict[str, Any] = {"measured": measured, "details": errors}
    told = (
        f"its error is {errors['error']:.3g} points, {100 * float(most.loss.mean()):.3g} with that "
        f"of another row, and {100 * float(without.mean()):.3g} if it is trained without"
    )
    if mean + half < 0:
        return Finding(
            "passed",
            f"The model hangs on {name}, and nothing else tells as much: {told}",
            figures=(table,),
            **common,
        )
    if mean - half <= 0:
        return Finding(
            "undecided",
            f"The model hangs on {name}, and whether the rest would do is not told: {told}",
            figures=(table,),
            **common,
        )
    cost = _cost(model, most, without, alpha)
    is_column = evidence.subject.is_table and most.part.box is None
    severity, natural = _severity(is_column, cost, without - alone, alpha)
    return Finding(
        "found",
        f"The model hangs on {name}, though one trained without it keeps more than half of what it "
        f"knows: {told}. Where {name} comes to mean something else, {cost} are lost for no need"
        + ("; it may be a strong and honest column" if natural else ""),
        severity=severity,
        cost=cost,
        action="ask whether it will be there, and mean the same, where the model is used; if not, "
        "train without it, or with it exchanged between rows, which costs what is told here",
        figures=(table, *_pictures(model, most)),
        **common,
    )


def _cost(model: Probed, most: Exchanged, without: np.ndarray, alpha: float) -> Measured:
    """Return the error where the part fails, at most a constant's, less that of doing without."""
    ends = (most.loss - without, model.baseline - without)
    apart = min(ends, key=lambda values: float(values.mean()))
    mean, half = float(apart.mean()), half_width(apart, alpha)
    return in_points(mean, mean - half, mean + half)


def _severity(
    is_column: bool, cost: Measured, apart: np.ndarray, alpha: float
) -> tuple[Severity, bool]:
    """Return how severe it is, and whether it may be a strong and honest column.

    A column that tells most is what tables are made of, and what it costs if it fails is lost only
    then: whether it is a leak is OP501's question. A patch or the colours of images are no such
    thing.
    """
    if not is_column:
        return severity_of_cost(cost), False
    return "low", not float(apart.mean()) > half_width(apart, alpha)


def _table(tries: list[Exchanged]) -> Table:
    shown = sorted(tries, key=lambda t: -t.share)[:10]
    return Table(
        "parts_exchanged",
        "What is lost when a part comes from another row",
        "Share of what the model knows beyond a constant answer, on rows that it did not see, in "
        "percent; intervals hold for all parts at once.",
        {
            "part": [t.part.name for t in shown],
            "lost": [str(Measured(100 * t.share, 100 * t.low, 100 * t.high, "%")) for t in shown],
        },
    )


def _pictures(model: Probed, most: Exchanged) -> tuple[Figure, ...]:
    """Return images, and the same with nothing but the patch left."""
    if most.part.box is None:
        return ()
    shown = np.argsort(-(most.loss - model.loss), kind="stable")[:_SHOWN]
    images = drawable(np.asarray(model.unseen.inputs)[shown])
    top, left, height, width = most.part.box
    patches = np.full_like(images, np.nan)
    where = (slice(None), slice(top, top + height), slice(left, left + width))
    patches[where] = images[where]
    low, high = float(images.min()), float(images.max())
    return (
        ImageGrid(
            "shortcut",
            f"The model hangs on {most.part.name}",
            "Rows that the model did not see and gets wrong where the patch comes from another "
            "row: above as they are, below the patch alone.",
            np.stack([images, patches]),
            ["as given", "the patch"],
            [str(model.unseen.given_labels(np.array([i]))[0]) for i in shown],
            low=low,
            high=high if high > low else low + 1,
        ),
    )


def _applies(subject: Subject) -> str:
    if subject.has_no_inputs or subject.kind == "predictions":
        return "there is no model to ask"
    if subject.kind == "function":
        return "fit(rows, seed) holds its inputs itself, so others cannot be given to it"
    inputs = subject.train.inputs
    if is_sparse(inputs) or not (subject.is_table or subject.has_images):
        return "the inputs are neither a table nor images"
    if subject.is_table and inputs.shape[1] < 2:
        return "a single column: there is nothing else to learn from"
    return ""


CHECK = Check("OP309", "Shortcut", _run, ("one",), _applies)
