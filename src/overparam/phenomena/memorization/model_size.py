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

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
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
from overparam.phenomena.memorization._model_size_summary import (
    CHANGES,
    SHUFFLED,
    Summary,
    summarise,
)
from overparam.phenomena.memorization._row_members import (
    MemberFactors,
    MemberOutcome,
    ask_member,
    input_dim,
)
from overparam.streams import Streams

CAPACITIES = (1 / 32, 1 / 8, 1 / 2, 2, 8)  # parameters over the numbers to fit
FITTED, UNFITTED = 0.01, 0.1  # training errors on either side of the threshold
LEAST = 0.02  # change of the mean score of a group
ABOVE_ENDS = 0.0  # what rows that only rise or only fall never exceed, in expectation
MOST = 0.1  # of what shuffled rows may depart from the mean of all
RULE = (
    "Rows are grouped by their counted scores in one half of the models, and judged by the other "
    "half, and the other way round. Observed if, as means over seeds, the whole 95 % intervals lie "
    f"above {LEAST} for the rise of rows memorized more and the fall of rows memorized less, from "
    f"the smallest to the largest network, and above {ABOVE_ENDS:g} for rows memorized most in "
    "between: row by row, the score at the size at which the first half says so, less the larger "
    "of those in the smallest and the largest network; absent if one lies below. "
    f"Inconclusive where the training error is not above {UNFITTED} in the smallest network and "
    f"below {FITTED} in the largest, or the sweep does not reach that far on either side."
)
RULE_OF_CONTROL = (
    "Groups whose rows are exchanged before they are judged, which are said to follow the mean of "
    "all rows. The departure of each of the three numbers from that of all rows, in the direction "
    f"that formed a group, is taken. Absent if the 95 % interval lies below {MOST} for every "
    "group, observed if it lies above for the one that departs most on the other seeds."
)


@dataclass(frozen=True)
class Condition(MemberFactors):
    """One member: a network of one width on one subset."""

    n_models: int = factor(40, symbol="K", unit="members of a width", low=8)
    n_train: int = factor(500, symbol="n", unit="examples", low=100)


@dataclass(frozen=True)
class Outcome(MemberOutcome):
    """What one member says of every row, and what the rows are; arrays `[n]`."""

    identity: np.ndarray = quantity("row by which the control judges each row")


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
    more, less, between = found
    return judge(
        [*_clauses(summary), *_premises(summary), *lacking],
        effect=weaker(weaker(more, less), between),
        unit="change of the memorization score, smallest of three",
        rule=RULE,
        reason=(
            f"In models that did not form the groups, rows memorized more rise by {more} from the "
            f"smallest to the largest network, rows memorized less fall by {less}, and rows "
            f"memorized most in between lie there by {between} above the higher of both ends."
        ),
    )


def _changes(summary: Summary) -> list[Interval]:
    return [mean_interval(of, step=summary.sweep.step, bounds=(-1, 1)) for of in summary.changes]


def _clauses(summary: Summary) -> list[Clause]:
    found = zip(CHANGES, _changes(summary), (LEAST, LEAST, ABOVE_ENDS), strict=True)
    return [exceeds(what, value, bound) for what, value, bound in found]


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
