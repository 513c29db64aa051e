"""Epoch-wise double descent: the test error of one network along its training.

Claim: The test error of a network that can fit its partly wrong labels rises from its first
    minimum to a peak while training error nears 0, and falls again, all along one training at a
    constant learning rate.

Control: A network too small to fit the labels, and the same network trained on clean labels: the
    test error of both only falls.

Falsified: If a constant learning rate or the way of finding a peak made one, the same recipe on
    clean labels would rise and fall too; if wrong labels did so without being fitted, the small
    network would. A rise of a control's test error counts against it, whether or not it falls
    again and whatever that network fits, and nothing else is asked of it.

Sources: Nakkiran, Kaplun, Bansal, Yang, Barak, Sutskever 2019 (arXiv:1912.02292), the section on
    epoch-wise double descent: small networks monotone, large ones with a double descent, under
    label noise.

Differs: Below the full scale, the 1-D MNIST-like task, networks with two hidden layers and SGD
    with momentum instead of CIFAR-10, ResNet18 and Adam; 30 % wrong labels instead of at most
    20 %. The curve is a mean over five neighbours on a logarithmic grid of epochs, since at a
    constant rate the error of single epochs jumps.

In practice: A validation error that rises has not always said its last word: where the network
    can fit everything, training on may bring it down again. The second descent need not reach the
    first minimum, and here it does not; when labels may be wrong, compare stopping early with
    training to the end before you settle for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from torch import nn

from overparam.data import corrupt_labels_wrong
from overparam.lab.figure import Axis, Chart, Rule
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.verdict import (
    Clause,
    Verdict,
    exceeds,
    judge,
    lies_within,
    not_in_design,
    premise,
    shown,
    stays_below,
    told,
    weaker,
)
from overparam.phenomena.double_descent._curves import NEIGHBOURS
from overparam.phenomena.double_descent._epoch_wise_summary import (
    ARMS,
    CLEAN_LABELS,
    NEARLY_FITTED,
    SMALL_NETWORK,
    Summary,
    summarise,
)
from overparam.phenomena.double_descent._figures import TEST_ERROR, TRAIN_ERROR, chart_of_arms
from overparam.phenomena.double_descent._wrong_labels import (
    DATASETS,
    FAMILIES,
    MNIST1D,
    draw_data,
    make_network,
    recipe_of,
)
from overparam.streams import Streams
from overparam.training.train import train

LABELS = {TREATMENT: "large network, noisy labels"}
REACHED = f"training error {NEARLY_FITTED:g}"
# Where test error only falls there is no rise, and a selected one is noise around 0. A point in
# a hundred is 40 of 4,000 test examples, the same ones at all times.
SMALLEST_STEP = 0.01
NEAR = 2.0  # factor between the epoch of the peak and that at which the labels are nearly fitted
RULE = (
    "Observed if, paired by seed, the 95 % intervals of (peak - first minimum) and of (peak - end) "
    f"of the test error both lie above {SMALLEST_STEP}, and that of (epoch at which training error "
    f"falls to {NEARLY_FITTED}) / (epoch of the peak) lies within a factor {NEAR:g} of 1; absent "
    "if one lies outside; inconclusive where the training error at the end is not shown to lie "
    f"below {NEARLY_FITTED}, where no training label is wrong, and where the learning rate is not "
    "constant. The times of minimum and peak are those between which the mean curve of the "
    "other seeds rises most, and intervals are widened for that choice. Errors are means over "
    f"{2 * NEIGHBOURS + 1} neighbours on the logarithmic grid of epochs."
)
RULE_OF_CONTROLS = (
    "A control, of which the test error is said only to fall: absent if the 95 % interval of its "
    f"rise from an epoch to a later one lies below {SMALLEST_STEP} for every such pair, observed "
    "if it lies above for the pair that rises most on the other seeds. Inconclusive where the "
    "small network is not smaller, or is not shown to end above a training error of "
    f"{NEARLY_FITTED}. Errors are means over "
    "neighbours, as in the treatment."
)


@dataclass(frozen=True)
class Condition:
    """A network and the labels it is trained on."""

    arm: str = factor(TREATMENT, choices=ARMS)
    width: int = factor(320, symbol="k", unit="units or channels", low=1)
    small_width: int = factor(8, unit="units or channels, of the small network", low=1)
    n_train: int = factor(4000, symbol="n", unit="examples", low=100)
    n_test: int = factor(4000, unit="examples, generated data only", low=100)
    label_noise_rate: float = factor(0.3, unit="fraction, always a wrong class", low=0, high=1)
    family: str = factor("mlp", choices=FAMILIES)
    n_hidden_layers: int = factor(2, unit="layers, of mlp", low=1)
    optimizer: str = factor("sgd", choices=("sgd", "adam"))
    learning_rate: float = factor(0.1, symbol="eta", low=1e-8)
    schedule: str = factor("constant", choices=("constant", "inverse_sqrt"))
    epochs: int = factor(90, unit="passes", low=8)
    batch_size: int = factor(200, unit="examples", low=1)
    dataset: str = factor(MNIST1D, choices=DATASETS)


@dataclass(frozen=True)
class Outcome:
    """Errors along the training."""

    epochs: np.ndarray = quantity("passes done, [t]")
    test_errors: np.ndarray = quantity("fraction wrong, [t]")
    train_errors: np.ndarray = quantity("fraction wrong, of the labels trained on, [t]")


def cells(base: Condition) -> list[Condition]:
    """Return one cell per arm."""
    return [replace(base, arm=arm) for arm in ARMS]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network on one seed's data."""
    # Data
    train_set, test_set = draw_data(c.dataset, c.n_train, c.n_test, streams)
    if c.arm != CLEAN_LABELS:
        train_set = corrupt_labels_wrong(train_set, c.label_noise_rate, streams)
    # Model
    model = network(c)
    # Training
    fitted = await train(model, train_set, recipe_of(c), streams, evaluate={"test": test_set})
    # Measures
    trace = fitted.trace
    return Outcome(trace.epoch, trace.error["test"], trace.error["train"])


def network(c: Condition) -> nn.Module:
    """Return the network of the arm's width as a shape without weights."""
    width = c.small_width if c.arm == SMALL_NETWORK else c.width
    return make_network(c.family, width, c.n_hidden_layers, c.dataset)


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the treatment, and `RULE_OF_CONTROLS` to the others."""
    rise, any_rise, fall = summary.rise, summary.any_rise, summary.fall
    first, second = told(summary.minimum_epoch, ",.0f"), told(summary.peak_epoch, ",.0f")
    if summary.arm != TREATMENT:
        return judge(
            [
                exceeds(
                    "largest rise of the test error along the training", any_rise, SMALLEST_STEP
                ),
                *map(not_in_design, summary.left_out),
                *_too_small(summary),
            ],
            effect=any_rise,
            unit="test error (fraction wrong), its largest rise",
            rule=RULE_OF_CONTROLS,
            reason=f"Test error rises most from epoch {first} to {second}, and between no two "
            f"epochs by more than {any_rise}.",
        )
    return judge(
        clauses(summary),
        effect=weaker(rise, fall),
        unit="test error (fraction wrong), the smaller of rise and second fall",
        rule=RULE,
        reason=(
            f"Test error rises most from epoch {first} to {second} (change: {rise}); from there "
            f"to the end it falls by {fall}. Epoch of {REACHED}: "
            f"{told(summary.fitted_epoch, ',.0f', 'not reached in every seed')}."
        ),
    )


def _too_small(summary: Summary) -> list[Clause]:
    """Return the premise that the small network does not fit its labels."""
    if summary.arm != SMALL_NETWORK:
        return []
    at_end = summary.train_error_at_end
    return [premise(exceeds("training error at the end", at_end, NEARLY_FITTED))]


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    return [
        exceeds("rise of the test error from its first minimum", summary.rise, SMALLEST_STEP),
        exceeds("its fall from the peak to the end", summary.fall, SMALLEST_STEP),
        premise(
            stays_below("training error at the end", summary.train_error_at_end, NEARLY_FITTED)
        ),
        lies_within(
            f"epoch of {REACHED} over that of the peak",
            summary.fitted_over_peak,
            1 / NEAR,
            NEAR,
            f"not every seed reaches {REACHED}",
        ),
        *map(not_in_design, summary.left_out),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Chart]:
    """Draw test error and training error over epochs."""
    found = next(iter(summaries.values()))  # the treatment, where it is in the design
    rise, fall, *others = clauses(found)
    treated = found.arm == TREATMENT
    peak = told(found.peak_epoch, ",.0f")
    rules = []
    if np.isfinite(found.peak_epoch):
        rules.append(Rule(found.peak_epoch, f"end of the largest rise, epoch {peak}"))
    if np.isfinite(found.fitted_epoch):
        label = f"training error {NEARLY_FITTED:.0%}, epoch {found.fitted_epoch:,.0f}"
        rules.append(Rule(found.fitted_epoch, label))
    x = Axis("Epoch", scale="log")
    chart = partial(chart_of_arms, labels=LABELS, dashed=[CLEAN_LABELS], rules=rules)
    return [
        chart(
            "test_errors",
            f"Test error rises to epoch {peak}, and falls again"
            if treated and shown(rise, fall)
            else "Test error along the training",
            "Follow the line of the large network on noisy labels. By the claim its test error "
            "rises after the first minimum, while the wrong labels are being fitted, and falls "
            "again once they are; that of the network too small to fit them, and of the one on "
            "clean labels, only falls. Labels of the test set are clean.",
            (x, TEST_ERROR),
            {arm: (s.epochs, s.test_errors) for arm, s in summaries.items()},
            main="test",
        ),
        chart(
            "train_errors",
            "The peak stands where training error nears 0"
            if treated and shown(rise, fall, *others)
            else "Training error along the training",
            "By the claim the network has fitted before the peak what the labels have in common, "
            "and after it every label, the wrong ones included. The small network is to stay "
            "above.",
            (x, TRAIN_ERROR),
            {arm: (s.epochs, s.train_errors) for arm, s in summaries.items()},
            main="train",
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
    controls=(SMALL_NETWORK, CLEAN_LABELS),
    scales={
        "smoke": Scale(
            Condition(
                width=256, small_width=4, n_train=1200, epochs=90, batch_size=100, dataset="digits"
            ),
            n_seeds=6,
        ),
        "standard": Scale(Condition(), n_seeds=8),
        "full": Scale(
            Condition(
                width=64,
                small_width=3,
                n_train=50_000,
                label_noise_rate=0.2,
                family="preact_resnet18",
                optimizer="adam",
                learning_rate=1e-4,
                epochs=4000,
                batch_size=128,
                dataset="cifar10",
            ),
            n_seeds=3,
            note="Nakkiran et al. 2019: ResNet18 of width 64, CIFAR-10, 20 % wrong labels, Adam, "
            "4,000 epochs",
        ),
    },
)
