"""OP305: regions of the inputs where it is worse, found on one half and measured on the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from overparam.audits.check import Check
from overparam.audits.checks.generalization._elsewhere import better_elsewhere
from overparam.audits.comparison import in_points
from overparam.audits.evidence import Evidence, Missing
from overparam.audits.finding import Finding, Measured, severity_of_cost
from overparam.audits.subject import Subject
from overparam.data.rows import is_sparse
from overparam.lab.figure import Figure, ImageGrid, Table
from overparam.measures.subgroups.segments import (
    WeakSegment,
    WeakSegments,
    find_weak_clusters,
    find_weak_segments,
)
from overparam.streams import Streams

_FEWEST = 40  # independent rows, below which halves say nothing
_MOST_ROWS, _MOST_COLUMNS = 20_000, 200  # that are searched
_COMPONENTS = 10  # principal ones, in which images are clustered
_SHOWN = 8  # images of a segment


def _run(evidence: Evidence) -> Finding:
    loss, data, group, are_train = _losses(evidence)
    rows = _drawn(loss, evidence.seed)
    groups = None if group is None else group[rows]
    if len(rows) < _FEWEST or (groups is not None and len(np.unique(groups)) < _FEWEST):
        raise Missing("skipped", f"fewer than {_FEWEST} independent rows that a model did not see")
    inputs = data.inputs
    found = _search(evidence, inputs, rows, loss[rows], groups)
    where = "rows left out" if are_train else "test rows"
    if not found.found:
        return Finding(
            "passed",
            f"No region of the inputs is surely worse than the rest, of {found.n:,} {where}"
            f"{_nearest(found)}",
            measured=_best(found),
            figures=(_table(found),) if found.segments else (),
        )
    # A segment that both halves find stands there twice.
    first = max(found.found, key=lambda s: _cost(s, found.n).value)
    inside = np.zeros(len(loss), bool)
    inside[rows[first.rows]] = True
    asked = len(found.segments)
    better = better_elsewhere(evidence, inside, asked) if are_train else None
    own = in_points(first.difference, first.low, first.high)
    order = rows[first.rows]
    order = order[np.argsort(-loss[order], kind="stable")]
    told = f". There {better[0]} is better: worth {better[1]} of the whole error" if better else ""
    return Finding(
        "found",
        f"Where {first.name} ({len(first.rows):,} of {found.n:,} {where}) its error is "
        f"{own} higher than elsewhere, measured on rows that had no part in the search{told}",
        severity=severity_of_cost(better[1]) if better else "low",
        measured=Measured(
            own.value, own.low, own.high, own.unit, 100 * first.outside, "error elsewhere"
        ),
        cost=_cost(first, found.n),
        gain=better[1] if better else None,
        action=f"try {better[0]} there, or find out what it sees"
        if better
        else "look at its rows: wrong labels (OP202), missing columns, a source of its own; a "
        "region where classes meet is hard for every model, and then nothing is to be done",
        rows=order if are_train else np.empty(0, np.int64),
        row_columns={"loss": loss[order]} if are_train else {},
        figures=(_table(found), *_pictures(evidence.subject, inputs, order)),
        details={
            "segments": [
                {"name": s.name, "difference": s.difference, "low": s.low, "high": s.high,
                 "p_value": s.p_value, "rows": len(s.rows)}
                for s in found.segments
            ]
        },
    )  # fmt: skip


def _losses(evidence: Evidence) -> tuple[np.ndarray, Any, np.ndarray | None, bool]:
    """Return the loss of each row, by models that did not see it, NaN where there are none.

    Of training rows left out, where models were trained on subsets; else of test rows. With the
    rows, what belongs together, and whether they are training rows.
    """
    test = evidence.one.test if evidence.has("one") else None
    if test is not None and not evidence.has("models"):
        return test.loss.astype(float), evidence.test, evidence.copies.group_of_other, False
    unseen = evidence.models.unseen_loss
    known = np.isfinite(unseen)
    total = np.where(known, unseen, 0.0).sum(0)
    mean = np.where(known.any(0), total / np.maximum(known.sum(0), 1), np.nan)
    return mean, evidence.subject.train, evidence.groups, True


def _drawn(loss: np.ndarray, seed: int) -> np.ndarray:
    """Return the rows that are searched: all whose loss is known, or some of very many."""
    rows = np.flatnonzero(np.isfinite(loss))
    if len(rows) <= _MOST_ROWS:
        return rows
    rng = Streams(seed).child("weak segments").numpy("rows")
    return np.sort(rng.choice(rows, _MOST_ROWS, replace=False))


def _search(
    evidence: Evidence, inputs: Any, rows: np.ndarray, loss: np.ndarray, groups: Any
) -> WeakSegments:
    from overparam.data.table_columns import take

    how: dict[str, Any] = {"groups": groups, "confidence": evidence.confidence}
    if evidence.subject.is_table and inputs.shape[1] <= _MOST_COLUMNS:
        table = take(inputs, rows)
        if hasattr(table, "reset_index"):
            table = table.reset_index(drop=True)
        return find_weak_segments(table, loss, **how)
    return find_weak_clusters(_components(inputs, rows), loss, **how)


def _components(inputs: Any, rows: np.ndarray) -> np.ndarray:
    """Return the principal components of images, or of very many columns, `[r, d]`."""
    from sklearn.decomposition import PCA

    flat = np.asarray(inputs)[rows].reshape(len(rows), -1).astype(np.float64)
    n = min(_COMPONENTS, *flat.shape)
    return PCA(n, random_state=0).fit_transform(flat)


def _cost(segment: WeakSegment, n: int) -> Measured:
    """Return what the segment adds to the error of all rows, in points."""
    share = len(segment.rows) / n
    return in_points(share * segment.difference, share * segment.low, share * segment.high)


def _best(found: WeakSegments) -> Measured | None:
    if not found.segments:
        return None
    s = found.segments[0]
    return in_points(s.difference, s.low, s.high)


def _nearest(found: WeakSegments) -> str:
    if not found.segments:
        return ""
    s = found.segments[0]
    return f"; the likeliest, {s.name}, by {_best(found)} (p = {s.p_value:.2g}, for all together)"


def _table(found: WeakSegments) -> Table:
    segments = found.segments
    return Table(
        "weak_segments",
        "Regions where the error is higher",
        "Searched on one half of the rows and measured on the other; p-values are corrected for "
        "all regions in this table. A region that both halves find stands here twice.",
        {
            "region": [s.name for s in segments],
            "rows": [len(s.rows) for s in segments],
            "error there": [round(100 * s.inside, 2) for s in segments],
            "elsewhere": [round(100 * s.outside, 2) for s in segments],
            "difference": [str(in_points(s.difference, s.low, s.high)) for s in segments],
            "p": [f"{s.p_value:.2g}" for s in segments],
        },
    )


def _pictures(subject: Subject, inputs: Any, rows: np.ndarray) -> tuple[Figure, ...]:
    """Return the worst images of a segment; none of what has no images."""
    if not subject.has_images or not len(rows):
        return ()
    from overparam.audits.checks.generalization._parts import drawable

    shown = rows[:_SHOWN]
    images = drawable(np.asarray(inputs)[shown])
    return (
        ImageGrid(
            "weak_segment_images",
            "Images of the weak region",
            "Those with the highest loss first.",
            images[None],
            [""],
            [f"row {i}" for i in shown],
            low=float(images.min()),
            high=float(max(images.max(), images.min() + 1e-9)),
        ),
    )


def _applies(subject: Subject) -> str:
    if subject.has_no_inputs:
        return "no inputs were given, only predictions"
    inputs = subject.train.inputs
    if is_sparse(inputs) or not (subject.is_table or subject.has_images):
        return "the inputs are neither a table nor images"
    return ""


CHECK = Check("OP305", "Weak segments", _run, applies=_applies)
