"""A narrow bottleneck limits memorization.

Claim: A layer of few units in the middle of a network limits how many random labels it fits, the
    more the narrower it is; eight units leave some of them unfitted, at a test error after true
    labels that is kept.

Control: Networks without a bottleneck and no more parameters. They fit the random labels at every
    size.

Falsified: If few random labels were fitted because of the number of parameters, the recipe or the
    depth, and not because all must pass through a few units, networks of as many parameters
    without a bottleneck would not fit them either.

Sources: Zhang, Bengio, Hardt, Recht, Vinyals 2017 (arXiv:1611.03530), random labels; Belkin, Hsu,
    Ma, Mandal 2019 (arXiv:1812.11118), capacity counted in parameters, which is not what counts
    here.

Differs: Neither source narrows a layer. Perceptrons of three hidden layers on 1,000 images of
    Fashion-MNIST of 7 x 7 pixels, all trained for 200 epochs: longer training fits some more
    random labels through the same layer.

In practice: A narrow layer is a cheap brake on learning by heart: it takes hardly any parameters
    away and need not cost accuracy. It does not tell which labels are worth keeping, and one that
    is too narrow costs both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from overparam.data import corrupt_labels_uniform, draw_subset
from overparam.data.entries import entry_of
from overparam.lab.figure import Axis, Chart, Panel
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.selection import largest_interval
from overparam.lab.series import series_over_seeds
from overparam.lab.statistics import mean_interval, paired_difference
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
from overparam.measures import error_rate
from overparam.models import mlp, mlp_n_params
from overparam.phenomena.memorization._bottleneck_summary import (
    KEPT,
    PLAIN,
    RANDOM,
    TRUE,
    WIDE,
    Summary,
    summarise,
)
from overparam.phenomena.memorization._row_members import (
    DATASETS,
    input_dim,
    load_pooled,
    member_recipe,
)
from overparam.streams import Streams
from overparam.training.fitted import predict
from overparam.training.train import train

SIZES = (2, 4, 8, 16, 64)  # units of the narrow layer
LEAST_UNFITTED = 0.05  # of the random labels; a network that is not limited fits more
LEAST_FALL = 0.1  # of that share, from the narrowest layer to `KEPT`
MOST_COST = 0.04  # of `KEPT` units, in test error
RULE = (
    "Observed if, as means over seeds, the whole 95 % intervals of the share of random labels not "
    f"fitted through {KEPT} units lies above {LEAST_UNFITTED}, that by which it is larger "
    f"through the narrowest layer above {LEAST_FALL}, its largest rise from a layer to the next "
    f"wider one below {LEAST_UNFITTED}, and the rise of the test error after true "
    f"labels, from the widest layer to {KEPT} units, below {MOST_COST}, paired by seed; absent if "
    f"one lies outside. Inconclusive where the widest layer (at least {WIDE} units) does not leave "
    f"less than {LEAST_UNFITTED} unfitted, or one of these is not in the design."
)
RULE_OF_CONTROL = (
    "Networks that are said to fit random labels at every size. Absent if the 95 % interval of the "
    f"share not fitted lies below {LEAST_UNFITTED} at every size, observed if it lies above at the "
    "one where it is largest on the other seeds."
)


@dataclass(frozen=True)
class Condition:
    """A network by its narrowest layer, and the labels it is trained on."""

    arm: str = factor(TREATMENT, choices=(TREATMENT, PLAIN))
    bottleneck: int = factor(0, symbol="b", unit="units", low=1, doc="0: placed by the design")
    labels: str = factor(TRUE, choices=(TRUE, RANDOM), doc="random: redrawn from all classes")
    width: int = factor(128, symbol="H", unit="units on either side", low=1)
    n_train: int = factor(1000, symbol="n", unit="examples", low=100)
    pool: int = factor(4, unit="pixels a side, averaged", low=1, high=8)
    learning_rate: float = factor(0.05, symbol="eta", low=1e-8)
    epochs: int = factor(200, unit="passes", low=1)
    batch_size: int = factor(50, unit="examples", low=1)
    dataset: str = factor("fashion_mnist_small", choices=DATASETS)


@dataclass(frozen=True)
class Outcome:
    """Errors, and the size of the network."""

    train_error: float = quantity("fraction wrong, of the labels trained on")
    test_error: float = quantity("fraction wrong")
    n_params: int = quantity("weights and biases")


def cells(base: Condition) -> list[Condition]:
    """Span the narrow layers, and networks of as many parameters, on either labels."""
    return [
        replace(base, arm=arm, bottleneck=size, labels=labels)
        for arm in (TREATMENT, PLAIN)
        for size in SIZES
        for labels in (TRUE, RANDOM)
    ]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network on true or on random labels."""
    # Data
    everything, test_set = load_pooled(c.dataset, c.pool)
    train_set = draw_subset(everything, c.n_train, streams)
    train_set = corrupt_labels_uniform(train_set, float(c.labels == RANDOM), streams)
    # Model
    model = network(c)
    # Training
    recipe = member_recipe(c.learning_rate, c.epochs, c.batch_size)
    fitted = await train(model, train_set, recipe, streams)
    outputs = await predict(fitted, test_set.inputs)
    # Measures
    return Outcome(
        train_error=fitted.train_error,
        test_error=error_rate(outputs, test_set.labels),
        n_params=sum(p.numel() for p in model.parameters()),
    )


def network(c: Condition) -> nn.Module:
    """Return three hidden layers, the middle one narrow or all alike, as a shape without weights.

    Without a bottleneck layers are as wide as no more parameters allow.
    """
    d, k = input_dim(c.dataset, c.pool), entry_of(c.dataset).n_classes
    narrow = [c.width, c.bottleneck, c.width]
    if c.arm == TREATMENT:
        return mlp(d, narrow, k)
    most = mlp_n_params(d, narrow, k)
    widest = max(narrow)  # three layers of more than this have more parameters
    fitting = [w for w in range(1, widest + 1) if mlp_n_params(d, [w] * 3, k) <= most]
    return mlp(d, [max(fitting, default=1)] * 3, k)


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the bottleneck, and `RULE_OF_CONTROL` to networks without one."""
    lacking = [*map(not_in_design, summary.left_out)]
    if summary.arm == PLAIN:
        most = largest_interval(summary.unfitted, step=summary.steps[0])
        return judge(
            [exceeds("largest share of random labels not fitted", most, LEAST_UNFITTED), *lacking],
            effect=most,
            unit="fraction of the random labels, largest over sizes",
            rule=RULE_OF_CONTROL,
            reason=f"Without a bottleneck at most {most} of the random labels are not fitted.",
        )
    found = _clauses(summary)
    unfitted, fall, cost = (clause.value for clause in found[:3])
    return judge(
        [*found, *lacking],
        effect=unfitted,
        unit=f"fraction of the random labels not fitted through {KEPT} units",
        rule=RULE,
        reason=(
            f"Through {KEPT} units {unfitted} of the random labels are not fitted, through "
            f"{summary.sizes[0]:.0f} by {fall} more; after true labels test error is by {cost} "
            f"higher than with {summary.sizes[-1]:.0f} units."
        ),
    )


def _clauses(summary: Summary) -> list[Clause]:
    of_labels, of_tests = summary.steps
    at = int(np.argmin(np.abs(summary.sizes - KEPT)))
    random, test = summary.unfitted, summary.test_error
    wide = mean_interval(random[-1], step=of_labels, bounds=(0, 1))
    return [
        exceeds(
            f"share of random labels not fitted through {KEPT} units",
            mean_interval(random[at], step=of_labels, bounds=(0, 1)),
            LEAST_UNFITTED,
        ),
        exceeds(
            "its rise to the narrowest layer",
            paired_difference(random[0], random[at], step=of_labels),
            LEAST_FALL,
        ),
        stays_below(
            f"rise of the test error from the widest layer to {KEPT} units",
            paired_difference(test[at], test[-1], step=of_tests),
            MOST_COST,
        ),
        stays_below(
            "largest rise of that share from a layer to the next wider one",
            largest_interval(np.diff(random, axis=0), step=of_labels),
            LEAST_UNFITTED,
        ),
        premise(stays_below("share not fitted through the widest layer", wide, LEAST_UNFITTED)),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Chart]:
    """Draw what is not fitted of random labels, and test errors after true ones, over size."""
    treatment = summaries.get(TREATMENT)
    title = "Random labels that are not fitted, and test error, by the narrowest layer"
    if treatment is not None and shown(*_clauses(treatment)) and not treatment.left_out:
        unfitted = treatment.unfitted[treatment.sizes == KEPT].mean()
        title = f"Through {KEPT} units {unfitted:.0%} of random labels are not fitted"
    x = Axis("Units of the narrow layer", scale="log")
    panels = []
    for field, y in (
        ("unfitted", Axis("Random labels not fitted", "fraction", zero=True)),
        ("test_error", Axis("Test error", "fraction wrong", zero=True)),
    ):
        lines = [
            series_over_seeds(
                "bottleneck" if arm == TREATMENT else arm,
                "test" if arm == TREATMENT else "control",
                s.sizes,
                getattr(s, field),
                "mean",
                bounds=(0, 1),
            )
            for arm, s in summaries.items()
            if np.isfinite(getattr(s, field)).any()
        ]
        panels += [Panel("", x, y, lines)] if lines else []
    caption = (
        "From right to left the middle layer narrows. Left, the share of random training labels "
        "that are not fitted after the same training; right, the test error after true labels. By "
        "the claim the first rises before the second does. Networks without a bottleneck have no "
        "more parameters than those at the same place."
    )
    return [Chart("random_labels", title, caption, panels, share_y=False)] if panels else []


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(PLAIN,),
    scales={
        "smoke": Scale(Condition(n_train=300, epochs=120, batch_size=30), n_seeds=2),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(width=1024, n_train=20_000, pool=1, batch_size=128, dataset="fashion_mnist"),
            n_seeds=5,
            note="20,000 images in their full resolution",
        ),
    },
)
