"""Model-wise double descent of networks trained with cross-entropy on partly wrong labels.

Claim: With label noise, the test error of networks of rising width, trained to the end with
    cross-entropy, rises to a peak near the width at which training error nears 0, and falls again
    from this peak in wider ones.

Control: The same networks, each at its best epoch instead of its last; and the same networks
    trained to the end on clean labels. The test error of both only falls with width.

Falsified: If a width were bad for any other reason than fitting wrong labels (its initial weights,
    the learning rate), clean labels would peak there too; if it were so from early on, the best
    epoch would peak. Any rise of a control's test error, from any width to any larger one, counts
    against it, wherever it begins to fit, and nothing else is asked of it.

Sources: Nakkiran, Kaplun, Bansal, Yang, Barak, Sutskever 2019 (arXiv:1912.02292): definition 1 of
    effective model complexity (EMC), and the figures of test error over width, with label noise
    and with optimal early stopping.

Differs: Below the full scale, the 1-D MNIST-like task and networks with two hidden layers instead
    of CIFAR-10 and convolutions; 30 % wrong labels instead of at most 20 %; SGD with momentum
    and a cosine schedule. The paper's claim is the second descent, not that it ends below the
    first minimum, and no more is asked here; nor is the first descent, which every network has
    that learns anything. That the threshold is where EMC equals n_train is its definition, and is
    drawn, not judged. The best epoch is the best on the test set, so it is
    a bound on what stopping early can give and not a method.

In practice: A network that only just fits its training set is at the worst width of its family if
    some labels are wrong. Look where training error, at the end of training, nears 0: stay well
    below, go several times wider, or stop early on held-out data. Anything that moves this width
    (longer training, more rows, fewer wrong labels) moves the peak with it.
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
from overparam.lab.statistics import PeakTest
from overparam.lab.verdict import (
    UNKNOWN,
    Clause,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    shown,
    told,
    unmeasured,
    weaker,
)
from overparam.measures.complexity import DEFAULT_EPSILON
from overparam.phenomena.double_descent._complexity import emc_charts, measure_emc
from overparam.phenomena.double_descent._cross_entropy_summary import (
    BEST_EPOCH,
    CLEAN_LABELS,
    Summary,
    summarise,
)
from overparam.phenomena.double_descent._expected_widths import widths, widths_of_emc
from overparam.phenomena.double_descent._figures import TEST_ERROR, TRAIN_ERROR, chart_of_arms
from overparam.phenomena.double_descent._rules import bracketed, judge_rise, unless_bracketed
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

EMC_SHARES = (0.25, 0.5)  # of n_train, beside the whole, at which EMC looks for the last fit
# Without a peak test error falls with width and the ratio to narrower networks is at most 1. An
# error of 0.5 on 4,000 examples has a standard error of 1.6 %; 3 % is two of them, and many of a
# mean over seeds and neighbouring widths.
SMALLEST_PEAK = 1.03
RULE = (
    "Observed if, paired by seed, the 95 % intervals of (highest test error within a factor 2 of "
    "the measured threshold) / (lowest in narrower networks) and / (lowest in wider ones) both lie "
    f"above {SMALLEST_PEAK}, and those of the same / (highest in narrower ones that are wider than "
    "the lowest of them) and / (highest in wider ones) above 1; absent if one lies below. Errors "
    "are geometric means over three neighbouring widths, and widths are selected on the other "
    "seeds. The threshold is where "
    f"training error falls to {DEFAULT_EPSILON}. Inconclusive where its interval does not lie in "
    "the sweep by a factor 2 from both ends, and where no training label is wrong."
)
ALONG = "the width"
LABELS = {TREATMENT: "last epoch"}


@dataclass(frozen=True)
class Condition:
    """A width, the labels it is trained on, and the recipe."""

    width: int = factor(0, symbol="k", unit="units or channels", low=1, doc="0: placed by design")
    labels: str = factor("noisy", choices=("noisy", "clean"), doc="what is trained on")
    train_share: float = factor(1.0, unit="of n_train", low=0.01, high=1, doc="swept for EMC")
    n_train: int = factor(4000, symbol="n", unit="examples", low=100)
    n_test: int = factor(4000, unit="examples, generated data only", low=100)
    label_noise_rate: float = factor(0.3, unit="fraction, always a wrong class", low=0, high=1)
    family: str = factor("mlp", choices=FAMILIES)
    n_hidden_layers: int = factor(2, unit="layers, of mlp", low=1)
    optimizer: str = factor("sgd", choices=("sgd", "adam"))
    learning_rate: float = factor(0.2, symbol="eta", low=1e-8)
    schedule: str = factor("cosine", choices=("cosine", "constant", "inverse_sqrt"))
    epochs: int = factor(200, unit="passes", low=1)
    batch_size: int = factor(400, unit="examples", low=1)
    dataset: str = factor(MNIST1D, choices=DATASETS)


@dataclass(frozen=True)
class Outcome:
    """Errors at the last and at the best epoch."""

    test_error: float = quantity("fraction wrong")
    best_test_error: float = quantity("fraction wrong, lowest over the traced epochs")
    best_epoch: float = quantity("passes")
    train_error: float = quantity("fraction wrong, of the labels trained on")


def cells(base: Condition) -> list[Condition]:
    """Span the widths with noisy and clean labels, and fewer rows at the widths up to n."""
    axis = widths(base)
    sweep = [replace(base, width=k, labels=kind) for kind in ("noisy", "clean") for k in axis]
    if base.family != "mlp":
        return sweep
    at_emc = widths_of_emc(base)
    smaller_sets = [replace(base, width=k, train_share=f) for f in EMC_SHARES for k in at_emc]
    return sweep + smaller_sets


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network on one seed's data."""
    # Data
    train_set, test_set = draw_data(c.dataset, c.n_train, c.n_test, streams)
    train_set = train_set.head(round(c.train_share * c.n_train))
    if c.labels == "noisy":
        train_set = corrupt_labels_wrong(train_set, c.label_noise_rate, streams)
    # Model
    model = network(c)
    # Training
    fitted = await train(model, train_set, recipe_of(c), streams, evaluate={"test": test_set})
    # Measures
    trace = fitted.trace
    return Outcome(
        test_error=fitted.error("test"),
        best_test_error=fitted.best_error("test"),
        best_epoch=float(trace.epoch[np.argmin(trace.error["test"])]),
        train_error=fitted.train_error,
    )


def network(c: Condition) -> nn.Module:
    """Return the network of width k as a shape without weights."""
    return make_network(c.family, c.width, c.n_hidden_layers, c.dataset)


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the treatment, and to the controls that their test error only falls."""
    peak, at = summary.peak, _bracketed(summary)
    if summary.arm != TREATMENT:
        return judge_rise(
            *(summary.rise, SMALLEST_PEAK, "test error", ALONG, at),
            *map(not_in_design, summary.left_out),
            reason=unless_bracketed(at, "The threshold"),
        )
    if peak is None:
        reason = (
            f"No peak can be looked for: no width between {summary.widths[0]:,.0f} and "
            f"{summary.widths[-1]:,.0f} is known at which training error falls to "
            f"{DEFAULT_EPSILON:.0%} in every seed."
        )
    else:
        reason = (
            f"Near the threshold (width {summary.threshold.estimate:,.0f}) test error is highest "
            f"at width {told(peak.peak_level, ',.0f')}: times the lowest in narrower networks "
            f"{peak.left}, times the lowest in wider ones {peak.right}."
        )
    return judge(
        [*_around(peak), *map(not_in_design, summary.left_out), at],
        effect=weaker(peak.left, peak.right) if peak else UNKNOWN,
        unit="ratio of test errors, peak over the lowest on either side",
        rule=RULE,
        reason=reason + unless_bracketed(at, "The threshold"),
    )


def _bracketed(summary: Summary) -> Clause:
    return bracketed(
        f"width at which training error falls to {DEFAULT_EPSILON:.0%}",
        summary.threshold,
        2 * summary.widths[0],
        summary.widths[-1] / 2,
    )


def _around(peak: PeakTest | None) -> list[Clause]:
    if peak is None:
        return [unmeasured("peak of the test error", "there is no threshold to look around")]
    return [
        exceeds("peak over the lowest test error in narrower networks", peak.left, SMALLEST_PEAK),
        exceeds("peak over the lowest test error in wider ones", peak.right, SMALLEST_PEAK),
        exceeds("peak over the highest in narrower ones after it", peak.before, 1),
        exceeds("peak over the highest in wider ones", peak.beyond, 1),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Chart]:
    """Draw test error and training error over width, and EMC over width."""
    found = next(iter(summaries.values()))  # the treatment, where it is in the design
    bracketed = _bracketed(found)
    at, n = found.threshold.estimate, int(records[0].condition.n_train)
    inside = found.widths[0] <= at <= found.widths[-1]
    rules = [Rule(at, f"training error {DEFAULT_EPSILON:.0%}")] if inside else []
    peak_title, fitted_title = "Test error over width", "Training error over width"
    treated = found.arm == TREATMENT
    if treated and found.peak and shown(*_around(found.peak)):
        peak = f"{found.peak.peak_level:,.0f}"
        peak_title = f"Test error peaks at width {peak}, near the threshold at width {at:,.0f}"
    if treated and shown(bracketed):
        fitted_title = f"Training error falls to {DEFAULT_EPSILON:.0%} at width {at:,.0f}"
    x, c = Axis("Width k", scale="log"), records[0].condition
    complexity = measure_emc(records)
    planned = set(widths_of_emc(c)) if c.family == "mlp" else set()
    chart = partial(chart_of_arms, labels=LABELS, dashed=[CLEAN_LABELS], rules=rules)
    return [
        chart(
            "test_error",
            peak_title,
            "Follow the line of the last epoch from the left: by the claim test error rises to a "
            "peak near the dotted threshold, and falls again. At its best epoch, or trained on "
            "clean labels, the same network is to have no peak. Labels of the test set are clean.",
            (x, TEST_ERROR),
            {arm: (s.widths, s.test_error) for arm, s in summaries.items()},
            main="test",
        ),
        chart(
            "train_error",
            fitted_title,
            "Networks that are wide enough reproduce every training label, the wrong ones "
            "included. With clean labels a narrower network suffices.",
            (x, TRAIN_ERROR),
            {a: (s.widths, s.train_error) for a, s in summaries.items() if a != BEST_EPOCH},
            main="train",
        ),
        *emc_charts(complexity, n, x, rules, whole=set(complexity) >= planned),
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
    controls=(BEST_EPOCH, CLEAN_LABELS),
    scales={
        "smoke": Scale(
            Condition(
                n_train=1200, learning_rate=0.1, epochs=100, batch_size=100, dataset="digits"
            ),
            n_seeds=2,
        ),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(
                n_train=50_000,
                label_noise_rate=0.2,
                family="convnet5",
                learning_rate=0.1,
                schedule="inverse_sqrt",
                epochs=1279,
                batch_size=128,
                dataset="cifar10",
            ),
            n_seeds=3,
            note="Nakkiran et al. 2019: 5-layer CNN of width 1 to 64, CIFAR-10, 20 % wrong labels, "
            "500K SGD steps; for their ResNet18 set family=preact_resnet18 optimizer=adam "
            "learning_rate=0.0001 schedule=constant epochs=4000",
        ),
    },
    stack_size=64,
)
