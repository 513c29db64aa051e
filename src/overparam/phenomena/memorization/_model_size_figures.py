"""Figures of memorization over model size: groups of rows, kinds of rows, and a table of groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from overparam.lab.figure import Axis, Chart, Panel, Role, Rule, Table
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.series import series_over_seeds
from overparam.phenomena.memorization._model_size_summary import Summary, Sweep
from overparam.phenomena.memorization._row_members import KINDS
from overparam.phenomena.memorization._trajectories import GROUPS

WIDTH = Axis("Hidden units H", scale="log")
SCORE = Axis("Memorization score", limits=(-1, 1))
ROLES: tuple[Role, ...] = ("test", "train", "other", "norm")


def trajectories_chart(
    summaries: Mapping[str, Summary], threshold: float, seen: bool
) -> list[Chart]:
    """Return the groups' scores over width, in every arm; none where nothing is known.

    Args:
        threshold: width with as many parameters as numbers to fit. seen: whether the claim is.
    """
    labels = dict(
        zip(GROUPS, ("memorized more", "less", "most in between", "the same"), strict=True)
    )
    panels = []
    for arm, summary in summaries.items():
        rows = zip(GROUPS, ROLES, summary.groups, strict=True)
        lines = [
            series_over_seeds(labels[group], role, summary.sweep.widths, values, "mean")
            for group, role, values in rows
            if np.isfinite(values).any()
        ]
        title = "the same rows" if arm == TREATMENT else arm
        panels += [Panel(title, WIDTH, SCORE, lines, _rules(summary.sweep.widths, threshold))]
    panels = [panel for panel in panels if panel.series]
    title = "Memorization over size, of groups that other models formed"
    if seen:
        title = "Larger networks memorize some rows more, some less, and some most in between"
    caption = (
        "Each line is a group of rows that one half of the models formed, as the other half scores "
        "it. By the claim they part; where the identities of the rows are shuffled before they are "
        "judged, all are to follow the mean of all rows. The dotted line is the width with as many "
        "parameters as numbers to fit."
    )
    return [Chart("trajectories", title, caption, panels)] if panels else []


def kinds_chart(sweep: Sweep, threshold: float) -> list[Chart]:
    """Return scores of flipped, atypical and typical rows, and errors, over width."""
    rules = _rules(sweep.widths, threshold)
    kinds = zip(KINDS, ROLES[:1] + ROLES[2:3] + ROLES[1:2], sweep.kinds, strict=True)
    scores = [
        series_over_seeds(kind, role, sweep.widths, values, "mean")
        for kind, role, values in kinds
        if np.isfinite(values).any()
    ]
    errors = [
        series_over_seeds(f"{role} error", role, sweep.widths, values, "mean", bounds=(0, 1))
        for role, values in _errors(sweep)
        if np.isfinite(values).any()
    ]
    panels = [
        Panel("", WIDTH, SCORE, scores, rules),
        Panel("", WIDTH, Axis("Error", "fraction wrong"), errors, rules),
    ]
    panels = [panel for panel in panels if panel.series]
    caption = (
        "Left, mean scores of rows with a flipped label, of right rows of which at most half the "
        "nearest others have their class, and of those of which all have. Right, the errors of the "
        "same networks, on the rows they saw and on test images."
    )
    title = "Memorization and errors over size, by kind of row"
    return [Chart("kinds", title, caption, panels, share_y=False)] if panels else []


def groups_table(summary: Summary) -> list[Table]:
    """Return how large each group is and what it is made of; none where nothing is known."""
    if not np.isfinite(summary.shares).any():
        return []
    flipped, agreement = summary.make_up.transpose(1, 0, 2)
    columns: dict[str, Sequence[object]] = {
        "rows memorized": list(GROUPS),
        "share of rows": _rounded(summary.shares),
        "flipped labels": _rounded(flipped),
        "neighbours of the class": _rounded(agreement),
        "score, smallest network": _rounded(summary.groups[:, 0]),
        "score, largest network": _rounded(summary.groups[:, -1]),
    }
    return [
        Table(
            "groups",
            "What rows of each group are",
            "Means over seeds. Scores are those of the models that did not form the group.",
            columns,
            dict.fromkeys(list(columns)[1:4], "fraction"),
        )
    ]


def _errors(sweep: Sweep) -> list[tuple[Role, np.ndarray]]:
    return [("train", sweep.train_error), ("test", sweep.test_error)]


def _rules(widths: np.ndarray, threshold: float) -> list[Rule]:
    inside = widths[0] <= threshold <= widths[-1]
    return [Rule(threshold, "parameters = numbers to fit")] if inside else []


def _rounded(values: np.ndarray) -> list[float | None]:
    """Return means over the seeds present, None where there is none."""
    present = [row[~np.isnan(row)] for row in values]
    return [round(float(row.mean()), 3) if row.size else None for row in present]
