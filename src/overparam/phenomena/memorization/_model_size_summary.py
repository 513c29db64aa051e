"""What the rule looks at in rows over model size: scores by kind, and groups of rows that change.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.model_size`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Record, Records
from overparam.phenomena.memorization._row_members import (
    KINDS,
    Members,
    means_by_kind,
    read_members,
)
from overparam.phenomena.memorization._trajectories import GROUPS, Judged, judge_groups

SHUFFLED = "shuffled row identities"
FAR_BELOW = 0.25  # of the smallest network that the claim needs; the largest needs 1
CHANGES = (
    "rise of rows memorized more, smallest to largest network",
    "fall of rows memorized less, smallest to largest network",
    "score in between of rows memorized most there, above the higher of both ends",
)


@dataclass(frozen=True)
class Sweep:
    """What both arms share: scores and errors by size.

    Attributes:
        widths: `[m]`. train_error, test_error: `[m, seeds]`.
        kinds: `[kinds, m, seeds]`, mean scores. step: of the lattice of scores.
        left_out: what the claim names and the design lacks.
    """

    widths: np.ndarray
    train_error: np.ndarray
    test_error: np.ndarray
    kinds: np.ndarray
    step: float
    left_out: tuple[str, ...]


@dataclass(frozen=True)
class Summary:
    """One arm: groups as the halves of the models judge each other's; NaN where cells lack.

    Attributes:
        groups: `[groups, m, seeds]`, mean scores where they are judged.
        shares: `[groups, seeds]`, of the rows. changes: `[3, seeds]`, as `CHANGES` names them.
        departures: `[3, seeds]`, of the same from the mean of all rows.
        make_up: `[groups, 2, seeds]`, flipped rows, and neighbours of the right class, in a group.
    """

    arm: str
    sweep: Sweep
    groups: np.ndarray
    shares: np.ndarray
    changes: np.ndarray
    departures: np.ndarray
    make_up: np.ndarray


def summarise(records: Records) -> dict[str, Summary]:
    """Group the rows of every seed in one half of its models, and judge them in the other."""
    widths, cells = records.levels("width"), dict[tuple[int, int], list[Record]]()
    for r in records:
        cells.setdefault((r.seed, r.condition.width), []).append(r)
    members = [[read_members(cells.get((s, w), [])) for w in widths] for s in records.seeds]
    halves = [_halves(of_seed) for of_seed in members]
    sweep = _summarise_sweep(records[0].condition, widths, members, halves)
    outcomes = [of_seed[0].outcome if of_seed[0] else None for of_seed in members]
    return {arm: _summarise_arm(arm, sweep, halves, outcomes) for arm in (TREATMENT, SHUFFLED)}


def _halves(members: Sequence[Members | None]) -> np.ndarray | None:
    """Return scores by either half of the members, `[2, m, n]`; None where a size lacks one."""
    whole = [m for m in members if m is not None]
    if len(whole) < len(members):
        return None
    middle = len(whole[0].correct) // 2
    in_subset, correct = (
        np.hstack([getattr(m, f) for m in whole]) for f in ("in_subset", "correct")
    )
    joined = replace(whole[0], in_subset=in_subset, correct=correct)
    halves = [joined.scores(half) for half in (slice(middle), slice(middle, None))]
    return np.stack(halves).reshape(2, len(whole), -1)


def _summarise_sweep(
    c: Any,
    widths: Sequence[int],
    members: Sequence[Sequence[Members | None]],
    halves: Sequence[np.ndarray | None],
) -> Sweep:
    errors = np.full((2, len(widths), len(members)), np.nan)
    kinds = np.full((len(KINDS), len(widths), len(members)), np.nan)
    for j, (of_seed, scores) in enumerate(zip(members, halves, strict=True)):
        for i, found in enumerate(of_seed):
            if found is None:
                continue
            errors[:, i, j] = found.training_error, found.test_error
            if scores is not None:
                kinds[:, i, j] = means_by_kind(scores[:, i].mean(0), found.outcome)
    step = 1 / (c.n_train * c.n_models)
    left_out = _left_out([replace(c, width=w).capacity for w in widths])
    return Sweep(np.array(widths, float), errors[0], errors[1], kinds, step, left_out)


def _left_out(capacities: Sequence[float]) -> tuple[str, ...]:
    return (
        *([] if capacities[0] <= FAR_BELOW else ["networks below the threshold"]),
        *([] if capacities[-1] >= 1 else ["networks past the threshold"]),
        *([] if len(capacities) > 2 else ["networks in between"]),
    )


def _summarise_arm(
    arm: str, sweep: Sweep, halves: Sequence[np.ndarray | None], outcomes: Sequence[Any]
) -> Summary:
    n_seeds, n_groups = len(halves), len(GROUPS)
    groups = np.full((n_groups, len(sweep.widths), n_seeds), np.nan)
    shares, changes = (np.full((n, n_seeds), np.nan) for n in (n_groups, len(CHANGES)))
    departures = np.full((n_groups - 1, n_seeds), np.nan)
    make_up = np.full((n_groups, 2, n_seeds), np.nan)
    for j, (scores, outcome) in enumerate(zip(halves, outcomes, strict=True)):
        if scores is None:
            continue
        one, other = scores
        if arm == SHUFFLED:
            other = other[:, outcome.identity]
        judged = [judge_groups(one, other), judge_groups(other, one)]
        groups[..., j] = np.mean([half.scores for half in judged], axis=0)
        shares[:, j] = np.mean([half.shares for half in judged], axis=0)
        changes[:, j] = np.mean([half.changes for half in judged], axis=0)
        departures[:, j] = np.mean([half.departures for half in judged], axis=0)
        make_up[..., j] = np.mean([_make_up(half, outcome) for half in judged], axis=0)
    return Summary(arm, sweep, groups, shares, changes, departures, make_up)


def _make_up(judged: Judged, outcome: Any) -> np.ndarray:
    """Return the share of flipped rows, and the mean agreement of neighbours, in each group."""
    of_rows = np.stack([outcome.is_flipped, outcome.agreement]).astype(float)
    return np.stack(
        [of_rows[:, rows].mean(1) if rows.any() else np.full(2, np.nan) for rows in judged.members]
    )
