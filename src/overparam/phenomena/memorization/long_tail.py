"""The long tail pays for memorization.

Claim: Where subpopulations with labels of their own have a long tail, a row that is the only one
    of its kind is memorized, and test rows of its kind are right mostly where it was; the training
    rows that decide over a test row are like it; and removing the most memorized rows costs more
    test error than removing as many at random, also after longer training.

Control: The same subpopulations without a tail, equally frequent. Removing the most memorized rows
    costs hardly more than removing as many at random: less than two points of test error.

Falsified: If the rows that score highest were merely hard, or if any choice of rows by the models'
    own answers made the rest a worse training set, their removal would cost more without a tail,
    too.

Sources: Feldman 2020 (arXiv:1906.05271), the long tail and tau_1; Feldman, Zhang 2020
    (arXiv:2008.03703), influence, its pairs and the removal of memorized rows.

Differs: A generated world, in which relatives are known: 1,000 noisy copies of 200 prototypes with
    random labels, 40 perceptrons instead of 4,000 residual networks. Pairs count from an influence
    of .5 on, not .15, which 40 models cannot tell from none. The published cost of removal is
    disputed: here training and test rows are drawn alike and share none, and all networks fit
    what they are trained on.

In practice: Before you remove rows because models learn them by heart, look whether they are wrong
    or rare. Rare rows are what your model knows of their kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from overparam.data.subsets import draw_subsets
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.verdict import (
    Clause,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    premise,
    stays_below,
)
from overparam.measures import memorization_scores
from overparam.phenomena.memorization._influential_pairs import DECIDED, find_pairs
from overparam.phenomena.memorization._long_tail_figures import (
    pairs_grid,
    relatives_chart,
    removal_chart,
    tail_table,
)
from overparam.phenomena.memorization._long_tail_summary import (
    FEWEST_EACH,
    FREQUENT,
    NO_TAIL,
    Summary,
    summarise,
)
from overparam.phenomena.memorization._removed_rows import LONGER, train_on, train_without
from overparam.phenomena.memorization._subpopulations import (
    PATTERNS,
    PROTOTYPES,
    draw_world,
)
from overparam.streams import Streams

RATIO = 0.7  # of the rows in a subset
UNMOVED = 0.1
BY_CHANCE = 0.25  # of the pairs, from which on they tell nothing
SMALLEST = 0.02  # cost, test error
FITTED = 0.01  # training error
RULE = (
    f"Observed if these 95 % intervals of means over seeds lie above {DECIDED}: the memorization "
    "score of rows that are the only one of their subpopulation, their influence on its test rows, "
    "and the share of high-influence pairs that are of one subpopulation; if the influence of rows "
    f"of subpopulations with {FREQUENT} rows or more lies below {UNMOVED}; and if the test error "
    "without the most memorized rows exceeds that without as many at random by more than "
    f"{SMALLEST}, and so after {LONGER} times as many epochs. Absent if one lies on the other side."
    f" Inconclusive where a training error is not below {FITTED}, where more than {BY_CHANCE} "
    "times as many pairs would be there if no row had any influence, or where the design has no "
    "rare or no frequent subpopulations, or true labels, which other subpopulations tell."
)
RULE_OF_CONTROL = (
    "Observed if the whole 95 % interval of the test error without the most memorized rows, less "
    f"that without as many at random, lies above {SMALLEST}; absent if it lies below. Not judged "
    f"where a training error is not below {FITTED}, or subpopulations have fewer than "
    f"{FEWEST_EACH} rows."
)


@dataclass(frozen=True)
class Condition:
    """All models of one seed, on one kind of data."""

    arm: str = factor(TREATMENT, choices=(TREATMENT, NO_TAIL))
    n_subpopulations: int = factor(200, symbol="N", low=2, high=1000)
    n_train: int = factor(1000, symbol="n", unit="examples", low=100)
    n_test_each: int = factor(5, unit="test examples of each subpopulation", low=1)
    prototypes: str = factor(PATTERNS, choices=PROTOTYPES)
    side: int = factor(12, unit="pixels", low=4)
    n_models: int = factor(40, symbol="K", unit="members", low=4)
    removed_share: float = factor(0.05, unit="of the rows", low=0.01, high=0.5)
    n_repeats: int = factor(3, symbol="R", unit="networks of a kind", low=1)
    width: int = factor(256, symbol="H", unit="hidden units", low=1)
    learning_rate: float = factor(0.05, symbol="eta", low=1e-8)
    epochs: int = factor(40, unit="passes", low=1)
    batch_size: int = factor(50, unit="examples", low=1)

    @property
    def n_removed(self) -> int:
        """How many rows are removed at most."""
        return max(1, round(self.removed_share * self.n_train))


@dataclass(frozen=True)
class Outcome:
    """Scores of rows `[n]`, pairs, and errors without some rows."""

    n_alike: np.ndarray = quantity("training rows of the row's subpopulation, itself among them")
    memorization: np.ndarray = quantity("accuracy on the row, seen less unseen")
    influence: np.ndarray = quantity("accuracy on its subpopulation's test rows, seen less unseen")
    n_pairs: int = quantity("pairs of high influence")
    n_pairs_by_chance: float = quantity("pairs, if no row had any influence")
    likeness: float = quantity("of the pairs that are of one subpopulation")
    pair_images: np.ndarray = quantity("pixels; training row, test row, another of its class")
    pair_influence: np.ndarray = quantity("accuracy on the test row, seen less unseen")
    errors: np.ndarray = quantity("fraction wrong, by what and how many are removed")
    errors_longer: np.ndarray = quantity("fraction wrong, by what is removed; longer training")
    cost_of_lost: float = quantity("test error, on subpopulations that lost all their rows")
    mass_alone: float = quantity("of all rows to come, of subpopulations with a single row")
    train_error: float = quantity("fraction wrong, largest mean of a kind of networks")


def cells(base: Condition) -> list[Condition]:
    """Span data with a long tail, and the same without one."""
    return [replace(base, arm=arm) for arm in (TREATMENT, NO_TAIL)]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Score rows by members on subsets, then train without those that score highest."""
    # Data
    sizes = (c.n_subpopulations, c.n_train, c.n_test_each, c.side)
    world = draw_world(c.prototypes, *sizes, c.arm == TREATMENT, streams)
    subsets = draw_subsets(c.n_models, c.n_train, RATIO, streams)
    # Members
    members = [
        await train_on(c, world, np.flatnonzero(rows), streams.child(f"member {k}"))
        for k, rows in enumerate(subsets)
    ]
    # Measures
    scores = memorization_scores(subsets, np.array([m.correct for m in members])).estimate
    test_correct = np.array([m.test_correct for m in members])
    pairs = find_pairs(world, subsets, test_correct, scores, streams)
    # Training without
    removal = await train_without(c, world, scores, streams)
    return Outcome(
        n_alike=world.n_alike,
        memorization=scores,
        influence=pairs.on_relatives,
        n_pairs=pairs.n,
        n_pairs_by_chance=pairs.n_by_chance,
        likeness=pairs.likeness,
        pair_images=pairs.images,
        pair_influence=pairs.influence,
        errors=removal.errors,
        errors_longer=removal.errors_longer,
        cost_of_lost=removal.cost_of_lost,
        mass_alone=world.mass_alone,
        train_error=max(removal.train_error, float(np.mean([m.train_error for m in members]))),
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the data with a tail, and `RULE_OF_CONTROL` to those without."""
    cost = (
        f"Without the most memorized rows the test error is by {summary.cost} higher than without "
        "as many at random"
    )
    if summary.arm == NO_TAIL:
        return judge(
            clauses_of_cost(summary),
            effect=summary.cost,
            unit="test error over random removal",
            rule=RULE_OF_CONTROL,
            reason=f"{cost}.",
        )
    return judge(
        clauses(summary),
        effect=summary.cost,
        unit="test error over random removal",
        rule=RULE,
        reason=(
            f"Rows that are the only one of their subpopulation score {summary.memorized}, and "
            f"their presence raises the accuracy on its test rows by {summary.influence}; that of "
            f"one of many by {summary.frequent}. Of the pairs of high influence {summary.likeness} "
            f"are of one subpopulation. {cost}; after longer training by {summary.cost_longer}."
        ),
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    return [
        *clauses_of_cost(summary),
        exceeds("the same after longer training", summary.cost_longer, SMALLEST),
        exceeds("memorization score of rows that stand alone", summary.memorized, DECIDED),
        exceeds("their influence on test rows of their kind", summary.influence, DECIDED),
        stays_below("influence of one row of many on its kind", summary.frequent, UNMOVED),
        exceeds("share of pairs that are of one subpopulation", summary.likeness, DECIDED),
        premise(stays_below("pairs by chance, over those found", summary.by_chance, BY_CHANCE)),
    ]


def clauses_of_cost(summary: Summary) -> list[Clause]:
    """Return what is asked of either arm."""
    return [
        exceeds("cost of removing memorized rows over random", summary.cost, SMALLEST),
        premise(stays_below("training error", summary.train_error, FITTED)),
        *map(not_in_design, summary.left_out),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw scores and influence over relatives, errors without rows, and pairs that are alike."""
    treatment = summaries.get(TREATMENT)
    decided = clauses(treatment) if treatment is not None else []
    return [
        *relatives_chart(records, decided),
        *removal_chart(records, treatment),
        *pairs_grid(records.where(arm=TREATMENT), decided),
        tail_table(records, summaries),
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
    controls=(NO_TAIL,),
    scales={
        "smoke": Scale(
            Condition(n_subpopulations=60, n_train=300, n_models=12, n_repeats=1, epochs=20),
            n_seeds=3,
        ),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(
                n_subpopulations=1000,
                n_train=5000,
                side=16,
                n_models=200,
                n_repeats=5,
                width=1024,
                batch_size=128,
            ),
            n_seeds=5,
            note="as many subpopulations as in Feldman 2020, whose theory needs no network",
        ),
    },
)
