"""Size and memorization: which rows larger networks memorize more, and which less.

Claim: As networks grow across the interpolation threshold, some rows are memorized more, some less,
    and some most at a size in between; which rows these are is found again in other models.

Control: Shuffled row identities. Groups that one half of the models forms are judged on other rows
    of the other half, and none departs from the mean of all rows.

Falsified: If a group only showed what happens to all rows (the mean score rises with size), or if
    it were made by the way in which groups are formed and judged, shuffled rows would depart from
    the mean of all rows in the same direction as those that formed the group.

Sources: Lukasik, Nagarajan, Rawat, Menon, Kumar 2023 (arXiv:2310.05337), trajectories of rows over
    model size; Feldman, Zhang 2020 (arXiv:2008.03703), the score and its estimator.

Differs: Perceptrons of one hidden layer on 500 images of Fashion-MNIST of 7 x 7 pixels, a tenth of
    them with a flipped label, instead of residual networks on CIFAR; sizes begin below the
    threshold; groups are formed on one half of the models and judged on the other.

In practice: A list of memorized rows belongs to a size of model. Wrong labels stay on it in a
    larger one; typical rows leave it. Do not read off a small model what a large one will store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Record, Records
from overparam.lab.selection import largest_interval
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import (
    Clause,
    Interval,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    premise,
    shown,
    stays_below,
    weaker,
)
from overparam.models import mlp_width_for
from overparam.phenomena.memorization._model_size_figures import (
    groups_table,
    kinds_chart,
    trajectories_chart,
)
from overparam.phenomena.memorization._row_members import (
    DATASETS,
    KINDS,
    Members,
    ask_member,
    capacity_of,
    input_dim,
    means_by_kind,
    read_members,
)
from overparam.phenomena.memorization._trajectories import GROUPS, Judged, judge_groups
from overparam.streams import Streams

SHUFFLED = "shuffled row identities"
CAPACITIES = (1 / 32, 1 / 8, 1 / 2, 2, 8)  # parameters over the numbers to fit
FAR_BELOW = 0.25  # of the smallest network that the claim needs; the largest needs 1
FITTED, UNFITTED = 0.01, 0.1  # training errors on either side of the threshold
LEAST = 0.02  # change of the mean score of a group
MOST = 0.1  # of what shuffled rows may depart from the mean of all
CHANGES = (
    "rise of rows memorized more, smallest to largest network",
    "fall of rows memorized less, smallest to largest network",
    "rise of rows memorized most in between, from the smallest network",
    "fall of rows memorized most in between, to the largest network",
)
RULE = (
    "Rows are grouped by their counted scores in one half of the models, and judged by the other "
    "half, and the other way round. Observed if, as means over seeds, the whole 95 % intervals lie "
    f"above {LEAST} for the rise of rows memorized more and the fall of rows memorized less, from "
    "the smallest to the largest network, and for the rise and the fall of rows memorized most in "
    "between, to and from the size at which the first half says so; absent if one lies below. "
    f"Inconclusive where the training error is not above {UNFITTED} in the smallest network and "
    f"below {FITTED} in the largest, or the sweep does not reach that far on either side."
)
RULE_OF_CONTROL = (
    "Groups whose rows are exchanged before they are judged, which are said to follow the mean of "
    "all rows. The departure from it, in the direction that formed a group, is taken for all three "
    f"groups. Absent if the 95 % interval lies below {MOST} for every group, observed if it lies "
    "above for the one that departs most on the other seeds."
)


@dataclass(frozen=True)
class Condition:
    """One member: a network of one width on one subset."""

    width: int = factor(0, symbol="H", unit="hidden units", low=1, doc="0: placed by the design")
    member: int = factor(0, symbol="k", low=0, doc="which subset; placed by the design")
    n_models: int = factor(40, symbol="K", unit="members of a width", low=8)
    n_train: int = factor(500, symbol="n", unit="examples", low=100)
    label_noise_rate: float = factor(0.1, unit="fraction, always a wrong class", low=0, high=0.5)
    ratio: float = factor(0.7, unit="of the rows in a subset", low=0.1, high=0.9)
    pool: int = factor(4, unit="pixels a side, averaged", low=1, high=8)
    learning_rate: float = factor(0.2, symbol="eta", low=1e-8)
    epochs: int = factor(100, unit="passes", low=1)
    batch_size: int = factor(64, unit="examples", low=1)
    dataset: str = factor("fashion_mnist_small", choices=DATASETS)

    @property
    def capacity(self) -> float:
        """Parameters over numbers to fit."""
        return capacity_of(self.width, self.dataset, self.pool, self.ratio * self.n_train)


@dataclass(frozen=True)
class Outcome:
    """What one member says of every row, and what the rows are; arrays `[n]`."""

    margins: np.ndarray = quantity("logits, of the label trained on over the largest other")
    in_subset: np.ndarray = quantity("whether the member saw the row")
    is_flipped: np.ndarray = quantity("whether the label is wrong")
    agreement: np.ndarray = quantity("fraction of the nearest others of the row's class")
    identity: np.ndarray = quantity("row by which the control judges each row")
    test_error: float = quantity("fraction wrong")


def cells(base: Condition) -> list[Condition]:
    """Span widths across the threshold, and the members of each."""
    d, k = input_dim(base.dataset, base.pool), entry_of(base.dataset).n_classes
    n_fitted = base.ratio * base.n_train * k
    widths = {mlp_width_for(max(1, round(share * n_fitted)), d, k) for share in CAPACITIES}
    return [
        replace(base, width=width, member=member)
        for width in sorted(widths)
        for member in range(base.n_models)
    ]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one member on its subset, and ask it about every row."""
    identity = streams.numpy("identity").permutation(c.n_train)
    return Outcome(**await ask_member(c, streams), identity=identity)


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
        shares: `[groups, seeds]`, of the rows. changes: `[4, seeds]`, as `CHANGES` names them.
        departures: `[3, seeds]`, from the mean of all rows.
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
    c: Condition,
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


def _make_up(judged: Judged, outcome: Outcome) -> np.ndarray:
    """Return the share of flipped rows, and the mean agreement of neighbours, in each group."""
    of_rows = np.stack([outcome.is_flipped, outcome.agreement]).astype(float)
    return np.stack(
        [of_rows[:, rows].mean(1) if rows.any() else np.full(2, np.nan) for rows in judged.members]
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the rows themselves, and `RULE_OF_CONTROL` to shuffled ones."""
    lacking = [*map(not_in_design, summary.sweep.left_out)]
    if summary.arm == SHUFFLED:
        most = largest_interval(summary.departures, step=summary.sweep.step)
        return judge(
            [
                exceeds("largest departure of a group from the mean of all rows", most, MOST),
                *lacking,
            ],
            effect=most,
            unit="memorization score, largest departure of a group",
            rule=RULE_OF_CONTROL,
            reason=f"Groups of shuffled rows depart from the mean of all rows by at most {most}.",
        )
    found = _changes(summary)
    more, less, rise, fall = found
    return judge(
        [*_clauses(summary), *_premises(summary), *lacking],
        effect=weaker(weaker(more, less), weaker(rise, fall)),
        unit="change of the mean memorization score, smallest of four",
        rule=RULE,
        reason=(
            f"In models that did not form the groups, rows memorized more rise by {more} from the "
            f"smallest to the largest network, rows memorized less fall by {less}, and rows "
            f"memorized most in between rise by {rise} and fall by {fall}."
        ),
    )


def _changes(summary: Summary) -> list[Interval]:
    return [mean_interval(of, step=summary.sweep.step, bounds=(-1, 1)) for of in summary.changes]


def _clauses(summary: Summary) -> list[Clause]:
    found = zip(CHANGES, _changes(summary), strict=True)
    return [exceeds(what, value, LEAST) for what, value in found]


def _premises(summary: Summary) -> list[Clause]:
    small, large = (
        mean_interval(summary.sweep.train_error[i], step=summary.sweep.step, bounds=(0, 1))
        for i in (0, -1)
    )
    return [
        premise(exceeds("training error of the smallest network", small, UNFITTED)),
        premise(stays_below("training error of the largest network", large, FITTED)),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the trajectories of the groups, scores by kind of row, and what groups are made of."""
    treatment = summaries[TREATMENT]
    clauses = [*_clauses(treatment), *_premises(treatment)]
    seen = shown(*clauses) and not treatment.sweep.left_out
    threshold = _threshold(records)
    return [
        *trajectories_chart(summaries, threshold, seen),
        *kinds_chart(treatment.sweep, threshold),
        *groups_table(treatment),
    ]


def _threshold(records: Records) -> float:
    c = records[0].condition
    d, k = input_dim(c.dataset, c.pool), entry_of(c.dataset).n_classes
    return mlp_width_for(round(c.ratio * c.n_train * k), d, k)


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(SHUFFLED,),
    scales={
        "smoke": Scale(Condition(n_models=20, n_train=200, epochs=60, batch_size=20), n_seeds=3),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(
                n_models=400,
                n_train=10_000,
                pool=1,
                learning_rate=0.1,
                batch_size=128,
                dataset="fashion_mnist",
            ),
            n_seeds=3,
            note="400 models of each of five sizes, on 10,000 images in their full resolution",
        ),
    },
    stack_by=("width",),
    stack_size=40,
)
