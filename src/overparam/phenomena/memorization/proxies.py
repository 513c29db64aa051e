"""One run's losses say which rows are memorized.

Claim: The cumulative loss of a row along one training run ranks memorized rows as retrained models
    do, far better than its loss at the end, which no longer tells how late the row was fitted, and
    finds flipped labels far more often than chance.

Control: The same proxies of a network that is not trained. They do not rank rows as retrained
    models do.

Falsified: If proxies ranked rows by what the images look like, and not by how they are learned (an
    odd image has an odd loss in any network), those of an untrained network would rank them too.

Sources: Ravikumar et al. 2025 (CSL-Mem, ICML) for the cumulative loss; Feldman, Zhang 2020
    (arXiv:2008.03703) for the score of retrained models; Pleiss, Zhang, Elenberg, Weinberger 2020
    (arXiv:2001.10528), Toneva et al. 2019 (arXiv:1812.05159), Paul, Ganguli, Dziugaite 2021
    (arXiv:2107.07075), Garg, Ravikumar, Roy 2024 (arXiv:2307.05831), Baldock, Maennel, Neyshabur
    2021 (arXiv:2106.09647) and Pruthi et al. 2020 (arXiv:2002.08484) for other proxies.

Differs: 1,000 images of Fashion-MNIST of 7 x 7 pixels, a tenth of the labels flipped, and 40
    retrained models in place of thousands, so that the reference itself is noisy and a perfect
    proxy would not reach 1. Agreement is of the rows that score beyond .05, not of all. EL2N and
    gradients are of one run, not of ten.

In practice: Take the cumulative loss, which costs a pass forward an epoch, and not the loss at the
    end. Look at the nearest neighbours beside it, which cost nothing: on these images they rank
    rows better than any proxy. What holds on your own data a few retrained models tell
    (`overparam.validate_proxies`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.statistics import mean_interval, paired_difference
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
    unmeasured,
)
from overparam.measures.rows_seen import WatchRows, watchable
from overparam.models import mlp
from overparam.phenomena.memorization._league import (
    MEMBER,
    SCORES,
    League,
    read_league,
    read_references,
    scores_of_run,
)
from overparam.phenomena.memorization._league_figures import league_table, order_chart
from overparam.phenomena.memorization._row_members import (
    DATASETS,
    ask_member,
    draw_rows,
    member_recipe,
)
from overparam.streams import Streams
from overparam.training.train import train

RUN, NOT_TRAINED = "training run", "network that is not trained"
UNTRAINED = "untrained network"
NO_RATE = 1e-30  # a learning rate that moves no weight
AGREES = 0.5  # rank correlation
BETTER = 0.1  # of rank correlations, that of the cumulative loss over that of the final one
TIMES_CHANCE = 3  # as many flipped labels as are found at random
RANKS = 0.2  # rank correlation, of the control
FITTED = 0.02  # training error
RULE = (
    f"Observed if these 95 % intervals of means over seeds, paired by seed, lie so: the rank "
    f"correlation of the cumulative loss with memorization scores of retrained models, on rows "
    f"that score beyond .05, above {AGREES}; that less the correlation of the final loss above "
    f"{BETTER}; and the share of flipped labels among as many top rows of the cumulative loss "
    f"above {TIMES_CHANCE} times their share in all rows. Absent if one lies below. Inconclusive "
    f"where the training error of members or of the run is not below {FITTED}."
)
RULE_OF_CONTROL = (
    f"Observed if the whole 95 % interval of the rank correlation of an untrained network's "
    f"cumulative loss lies above {RANKS}; absent if it lies below."
)


@dataclass(frozen=True)
class Condition:
    """A member of the reference, or a run on all rows."""

    part: str = factor(MEMBER, choices=(MEMBER, RUN, NOT_TRAINED))
    width: int = factor(1024, symbol="H", unit="hidden units", low=1)
    member: int = factor(0, symbol="k", low=0, doc="which subset", instead="n_models")
    n_models: int = factor(40, symbol="K", unit="members", low=4)
    n_train: int = factor(1000, symbol="n", unit="examples", low=100)
    label_noise_rate: float = factor(0.1, unit="fraction, always a wrong class", low=0, high=0.5)
    ratio: float = factor(0.7, unit="of the rows in a subset", low=0.1, high=0.9)
    pool: int = factor(4, unit="pixels a side, averaged", low=1, high=8)
    learning_rate: float = factor(0.2, symbol="eta", low=1e-8)
    epochs: int = factor(100, unit="passes", low=1)
    batch_size: int = factor(64, unit="examples", low=1)
    dataset: str = factor("fashion_mnist_small", choices=DATASETS)


@dataclass(frozen=True)
class Outcome:
    """What a network says of every row at the end, and the scores of a run on all rows."""

    margins: np.ndarray = quantity("logits, of the label trained on over the largest other")
    in_subset: np.ndarray = quantity("whether the network was trained on the row")
    is_flipped: np.ndarray = quantity("whether the label is wrong")
    test_error: float = quantity("fraction wrong")
    scores: np.ndarray = quantity("[scores, n], proxies and baselines; [scores, 0] of a member")


def cells(base: Condition) -> list[Condition]:
    """Span the members, a run on all rows, and the same network untrained."""
    members = [replace(base, part=MEMBER, member=k) for k in range(base.n_models)]
    return [*members, *(replace(base, part=part, member=0) for part in (RUN, NOT_TRAINED))]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one member on its subset, or one network on all rows under watch."""
    if c.part == MEMBER:
        said = await ask_member(c, streams)
        said.pop("agreement")
        return Outcome(**said, scores=np.empty((len(SCORES), 0), np.float32))
    # Data
    drawn = draw_rows(c.dataset, c.pool, c.n_train, c.label_noise_rate, streams)
    rows = drawn.train_set
    # Model and training
    model = mlp(rows.input_dim, c.width, rows.n_outputs)
    rate = c.learning_rate if c.part == RUN else NO_RATE
    recipe = watchable(member_recipe(rate, c.epochs, c.batch_size), len(rows))
    one_run, sets = streams.child("one run"), {"test": drawn.test_set}
    fitted = await train(model, rows, recipe, one_run, evaluate=sets, watch=WatchRows(rows))
    # Measures
    return Outcome(
        margins=fitted.trace.watched[-1].margin,
        in_subset=np.ones(len(rows), bool),
        is_flipped=drawn.is_flipped,
        test_error=fitted.error("test"),
        scores=scores_of_run(fitted, rows, streams),
    )


@dataclass(frozen=True)
class Summary:
    """One arm: its league, and what the rule looks at.

    Attributes:
        agreement: rank correlation of the cumulative loss; over_final, over_neighbors: that less
            the one of the final loss, and of neighbours.
        found: share of flipped labels among as many top rows. rate: their share in all rows.
        member_error, run_error: training errors.
        left_out: what the arm's sentence names and the design lacks.
    """

    arm: str
    league: League
    agreement: Interval
    over_final: Interval
    over_neighbors: Interval
    found: Interval
    rate: float
    member_error: Interval
    run_error: Interval
    left_out: tuple[str, ...]


def summarise(records: Records) -> dict[str, Summary]:
    """Hold the trained run and the untrained network against the members."""
    arms, references = {TREATMENT: RUN, UNTRAINED: NOT_TRAINED}, read_references(records)
    return {
        arm: _summarise_arm(arm, part, records, read_league(records, part, references))
        for arm, part in arms.items()
    }


def _summarise_arm(arm: str, part: str, records: Records, league: League) -> Summary:
    c = records[0].condition
    of_row, of_flip = 1 / c.n_train, 1 / max(1, round(c.label_noise_rate * c.n_train))
    place = SCORES.index("cumulative_loss")
    agreement = league.correlation[place]
    final, neighbors = (
        league.correlation[SCORES.index(name)] for name in ("final_loss", "neighbor_disagreement")
    )
    there = {r.condition.part for r in records}
    named = {"retrained models": MEMBER in there, f"the {part}": part in there}
    if arm == TREATMENT:
        named["flipped labels"] = c.label_noise_rate * c.n_train >= 1
    return Summary(
        arm,
        league,
        mean_interval(agreement, step=of_row, bounds=(-1, 1)),
        paired_difference(agreement, final, step=of_row),
        paired_difference(agreement, neighbors, step=of_row),
        mean_interval(league.recall[place], step=of_flip, bounds=(0, 1)),
        c.label_noise_rate,
        mean_interval(league.member_error, step=of_row / c.n_models, bounds=(0, 1)),
        mean_interval(league.run_error, step=of_row, bounds=(0, 1)),
        tuple(name for name, is_there in named.items() if not is_there),
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the trained run, and `RULE_OF_CONTROL` to the untrained network."""
    unit = "rank correlation of the cumulative loss"
    if summary.arm == UNTRAINED:
        clause = exceeds(unit, summary.agreement, RANKS)
        return judge(
            [unmeasured(unit, "not in the design") if summary.left_out else clause],
            effect=summary.agreement,
            unit=unit,
            rule=RULE_OF_CONTROL,
            reason=f"Rank correlation of an untrained network: {summary.agreement}.",
        )
    return judge(
        clauses(summary),
        effect=summary.agreement,
        unit=unit,
        rule=RULE,
        reason=(
            f"The cumulative loss of one run ranks rows with a correlation of {summary.agreement}, "
            f"{summary.over_final} more than the final loss and {summary.over_neighbors} more than "
            f"nearest neighbours, and finds {summary.found} of the flipped labels."
        ),
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    return [
        exceeds("rank correlation of the cumulative loss", summary.agreement, AGREES),
        exceeds("that less the one of the final loss", summary.over_final, BETTER),
        exceeds("share of flipped labels found", summary.found, TIMES_CHANCE * summary.rate),
        premise(stays_below("training error of members", summary.member_error, FITTED)),
        premise(stays_below("training error of the run", summary.run_error, FITTED)),
        *map(not_in_design, summary.left_out),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw memorization in the order of scores, and the league table."""
    trained, untrained = summaries[TREATMENT], summaries[UNTRAINED]
    title = "Memorization of rows in the order of a proxy"
    if shown(*clauses(trained)):
        title = (
            f"The cumulative loss of one run ranks memorized rows with a correlation of "
            f"{trained.agreement.estimate:.2f}"
        )
    c = records[0].condition
    return [
        *order_chart(title, trained.league, untrained.league),
        league_table(trained.league, untrained.league, c.label_noise_rate * c.n_train),
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
    controls=(UNTRAINED,),
    scales={
        "smoke": Scale(Condition(width=256, n_models=12, n_train=300, batch_size=30), n_seeds=3),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(
                width=1024,
                n_models=2000,
                n_train=10_000,
                pool=1,
                learning_rate=0.1,
                batch_size=128,
                dataset="mnist",
            ),
            n_seeds=3,
            note="as many models as Feldman and Zhang 2020, on a sixth of MNIST",
        ),
    },
    stack_by=("part",),
    stack_size=40,
)
