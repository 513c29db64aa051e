"""Labels are memorized one by one.

Claim: Networks past the interpolation threshold memorize labels one by one: the memorization score
    of rows with a flipped label is near 1, that of typical rows near 0, and that of atypical rows
    whose label is right lies between.

Control: Networks far below the threshold, with a twentieth as many parameters as numbers to fit.
    They do not memorize flipped labels.

Falsified: If a score said no more than that a label is improbable (no model guesses a flipped label
    of a row that it did not see), or if one row's label changed what is learned by any network,
    flipped rows would score high below the threshold too.

Sources: Feldman, Zhang 2020 (arXiv:2008.03703), definition of the score, its estimator and the
    70 % subsets; Feldman 2020 (arXiv:1906.05271), mislabelled and atypical rows.

Differs: Below the full scale, 1,000 images of Fashion-MNIST of 7 x 7 pixels and 40 models instead
    of MNIST and 2,000; subsets are balanced over the rows; a tenth of the labels is flipped on
    purpose, and training goes on until these are fitted. What is typical is said by neighbours,
    not by any model.

In practice: A high score says that a label was learned by heart: it is wrong, or the only one of
    its kind. The score cannot tell which: look at such rows before you remove them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from overparam.data.entries import entry_of
from overparam.lab.figure import Axis, Chart, Panel, Role, Rule
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import (
    Clause,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    premise,
    shown,
    stays_below,
)
from overparam.models import mlp_width_for
from overparam.phenomena.memorization._label_score_summary import (
    BELOW,
    MOST_BELOW,
    SHARES,
    Summary,
    summarise,
)
from overparam.phenomena.memorization._row_members import (
    ATYPICAL,
    FLIPPED,
    KINDS,
    N_NEIGHBORS,
    TYPICAL,
    MemberFactors,
    ask_member,
    input_dim,
)
from overparam.phenomena.memorization._row_members import MemberOutcome as Outcome
from overparam.streams import Streams

SHARE_BELOW = 0.05  # parameters of the control over the numbers to fit
NEAR = 0.2  # of a score to 0 or 1
BETWEEN = 0.1  # by which atypical rows lie apart from either
FITTED = 0.01  # training error
RULE = (
    f"Observed if the whole 95 % intervals of the mean score of flipped rows lies above {1 - NEAR},"
    f" that of typical rows (all {N_NEIGHBORS} nearest others have their class) below {NEAR}, and "
    f"atypical rows (at most half have it) lie by more than {BETWEEN} above typical and below "
    "flipped ones, paired by seed; absent if one lies outside. Inconclusive where training error "
    f"is not below {FITTED}, or the design has no flipped label or no network past the threshold."
)
RULE_OF_CONTROL = (
    "A network that is said not to memorize flipped labels: observed if the whole 95 % interval of "
    f"the mean score of flipped rows lies above {NEAR}, absent if it lies below. Not judged where "
    f"it has more than {MOST_BELOW} times as many parameters as numbers to fit."
)


@dataclass(frozen=True)
class Condition(MemberFactors):
    """One member: a network of one width on one subset."""

    arm: str = factor(TREATMENT, choices=(TREATMENT, BELOW))
    width: int = factor(512, symbol="H", unit="hidden units", low=1, doc="of the treatment")


def cells(base: Condition) -> list[Condition]:
    """Span the members of a large network, and those of one below the threshold."""
    d, k = input_dim(base.dataset, base.pool), entry_of(base.dataset).n_classes
    n_params = max(1, round(SHARE_BELOW * base.ratio * base.n_train * k))
    widths = {TREATMENT: base.width, BELOW: mlp_width_for(n_params, d, k)}
    return [
        replace(base, arm=arm, width=width, member=member)
        for arm, width in widths.items()
        for member in range(base.n_models)
    ]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one member on its subset, and ask it about every row."""
    return Outcome(**await ask_member(c, streams))


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the treatment, and `RULE_OF_CONTROL` to the network below the threshold."""
    flipped, lacking = summary.score(FLIPPED), [*map(not_in_design, summary.left_out)]
    if summary.arm == BELOW:
        return judge(
            [exceeds("mean score of flipped rows", flipped, NEAR), *lacking],
            effect=flipped,
            unit="mean memorization score of flipped rows",
            rule=RULE_OF_CONTROL,
            reason=f"Below the threshold flipped rows score {flipped}.",
        )
    return judge(
        [*_clauses(summary), *lacking],
        effect=flipped,
        unit="mean memorization score of flipped rows",
        rule=RULE,
        reason=(
            f"Mean memorization score of flipped rows: {flipped}; of atypical rows: "
            f"{summary.score(ATYPICAL)}; of typical rows: {summary.score(TYPICAL)}."
        ),
    )


def _clauses(summary: Summary) -> list[Clause]:
    error = mean_interval(summary.train_error, step=summary.step, bounds=(0, 1))
    return [
        exceeds("mean score of flipped rows", summary.score(FLIPPED), 1 - NEAR),
        stays_below("mean score of typical rows", summary.score(TYPICAL), NEAR),
        exceeds("of atypical rows over typical ones", summary.apart(ATYPICAL, TYPICAL), BETWEEN),
        exceeds("of flipped rows over atypical ones", summary.apart(FLIPPED, ATYPICAL), BETWEEN),
        premise(stays_below("training error", error, FITTED)),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Chart]:
    """Draw how scores are distributed by kind of row, and how they follow a row's neighbours."""
    treatment = summaries.get(TREATMENT)
    whole = treatment is not None and shown(*_clauses(treatment)) and not treatment.left_out
    distribution, neighbours = "Memorization scores by kind of row", "Scores of rows that are right"
    if treatment is not None and whole:
        flipped, atypical, typical = (treatment.score(k).estimate for k in KINDS)
        distribution = (
            f"Flipped labels score {flipped:.2f}, atypical rows {atypical:.2f}, typical rows "
            f"{typical:.2f}"
        )
        neighbours = "The fewer neighbours share a row's class, the more its label is memorized"
    roles: dict[str, Role] = {FLIPPED: "test", ATYPICAL: "other", TYPICAL: "train"}
    panels = [
        Panel(
            "past the threshold" if arm == TREATMENT else arm,
            Axis("Memorization score", limits=(-1, 1)),
            Axis("Rows that score at least as much", "fraction"),
            [
                series_over_seeds(kind, roles[kind], SHARES, s.shares[kind], "mean", bounds=(0, 1))
                for kind in KINDS
                if np.isfinite(s.shares[kind]).any()
            ],
        )
        for arm, s in summaries.items()
    ]
    lines = [
        series_over_seeds(
            "past the threshold" if arm == TREATMENT else arm,
            "test" if arm == TREATMENT else "control",
            np.arange(N_NEIGHBORS + 1),
            s.by_agreement,
            "mean",
        )
        for arm, s in summaries.items()
        if np.isfinite(s.by_agreement).any()
    ]
    level = [] if treatment is None else [treatment.score(FLIPPED).estimate]
    rules = [Rule(y, "flipped labels", axis="y") for y in level if np.isfinite(y)]
    x = Axis(f"Of {N_NEIGHBORS} nearest others, those of the row's class", "images")
    return [
        Chart(
            "scores",
            distribution,
            "Each line falls from all rows of a kind, on the left, to those that score highest. A "
            "score is how much more often models are right on a row's label when they saw the row. "
            "By the claim nearly all flipped rows lie far right, nearly all typical ones at 0, and "
            "atypical ones anywhere between; below the threshold all lie near 0.",
            [panel for panel in panels if panel.series],
        ),
        Chart(
            "neighbours",
            neighbours,
            "Mean score of the rows whose label is right, over how many of their nearest others "
            "show the same class. Neighbours know nothing of the models, nor models of them.",
            [Panel("", x, Axis("Memorization score", limits=(-1, 1)), lines, rules)],
        ),
    ]


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(BELOW,),
    scales={
        "smoke": Scale(Condition(n_models=10, n_train=300, batch_size=30), n_seeds=3),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(
                width=1024,
                n_models=2000,
                n_train=60_000,
                pool=1,
                learning_rate=0.1,
                batch_size=128,
                dataset="mnist",
            ),
            n_seeds=3,
            note="Feldman and Zhang 2020: MNIST, 2,000 models on 70 % subsets",
        ),
    },
    stack_by=("width",),
    stack_size=40,
)
