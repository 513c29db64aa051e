"""Sample-wise non-monotonicity: at the interpolation threshold more data hurts.

Claim: With a fixed number of random features, the test error of minimum-norm regression is worse
    with n_train = n_features examples than with a fraction of them, and better again with
    several times as many.

Control: A model far from its threshold at every n_train of the design (four times as many
    features as the largest n_train): more data only helps.

Falsified: If the additional examples themselves were bad (mislabelled more often, or unlike the
    first), the wide model would get worse with them as well; so any rise of its test error, from
    any number of examples to any larger one, counts against it, and nothing else is asked of it.

Sources: Nakkiran et al. 2019 (arXiv:1912.02292), section 7; Nakkiran 2019 (arXiv:1912.07242) for
    linear regression; the same threshold over n as in Hastie, Montanari, Rosset, Tibshirani 2022
    (arXiv:1903.08560), where the risk depends on the ratio n_features / n_train.

Differs: Random ReLU features and their minimum-norm fit, where the threshold is exactly
    n_train = n_features, instead of a convolutional network and a transformer, where it must be
    searched for; Fashion-MNIST with 10 % wrong labels.

In practice: A learning curve that turns upwards is not a reason to doubt the new data: the model
    has come to the size at which it can just fit them. Change the model's size or its
    regularization before collecting less, and do not extrapolate a learning curve across the
    place where training error leaves zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from torch import Tensor
from torch.nn.functional import one_hot

from overparam.data import corrupt_labels_wrong, draw_subset, load
from overparam.data.entries import entry_of
from overparam.lab.figure import Axis, Chart, Rule
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.statistics import PeakTest, peak_test
from overparam.lab.verdict import (
    Clause,
    Interval,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    shown,
    told,
)
from overparam.measures import across_threshold, error_rate
from overparam.models.features import RandomReluFeatures
from overparam.phenomena.double_descent._figures import chart_of_fits
from overparam.phenomena.double_descent._rules import judge_rise, largest_rise
from overparam.streams import Streams
from overparam.training.ridge import FeatureProblem, fit_ridge

FAR = "far from the threshold"
ARMS = (TREATMENT, FAR)
FAR_RATIO = 4  # features of the control over the largest n_train
SEVERAL = 2  # times as many examples as features, at least
# At the threshold theory has an infinite error, far above it a falling one. An error rate cannot
# pass 0.9; a quarter above what less data gave is far from both.
SMALLEST_PEAK = 1.25
SMALLEST_RISE = 1.15  # of the control, anywhere; ten seeds, standard scale: 1.00 [0.94, 1.04]
RULE = (
    "Observed if, paired by seed, the 95 % intervals of (test error at n_train = n_features) / "
    f"(lowest with less data) and / (lowest with at least {SEVERAL} times as many examples as "
    f"features) both lie above {SMALLEST_PEAK}, the sizes selected on the other seeds; absent if "
    f"one lies below. Inconclusive where the largest n_train is not {SEVERAL} times n_features."
)
ALONG = "the number of examples"


@dataclass(frozen=True)
class Condition:
    """A number of rows, and of random features."""

    n_train: int = factor(0, symbol="n", unit="examples", low=1, doc="0: placed by the design")
    arm: str = factor(TREATMENT, choices=ARMS)
    n_features: int = factor(300, symbol="p", unit="features", low=40, doc="of the treatment")
    label_noise_rate: float = factor(0.1, unit="fraction, always a wrong class", low=0, high=1)
    max_ratio: float = factor(2.0, symbol="N/p", low=1.5, doc="largest n_train over n_features")
    dataset: str = factor(
        "fashion_mnist_small",
        choices=("fashion_mnist_small", "digits", "fashion_mnist", "mnist"),
    )


@dataclass(frozen=True)
class Outcome:
    """Errors and norm of one fit."""

    test_error: float = quantity("fraction wrong")
    train_error: float = quantity("fraction wrong, of the noisy labels")
    coefficient_norm: float = quantity("1 / feature unit")


def cells(base: Condition) -> list[Condition]:
    """Span training sizes across the treatment's threshold n = p, for both arms."""
    sizes = across_threshold(base.n_features, 6, 5, low_ratio=0.125, high_ratio=base.max_ratio)
    return [replace(base, n_train=n, arm=arm) for arm in ARMS for n in sizes]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Fit one number of rows on one seed's data."""
    # Data and features: nested, so the examples of a size are the first of all larger sizes
    largest = max(c.n_train, round(c.max_ratio * c.n_features))
    far_width = FAR_RATIO * largest
    task = draw_task(c.dataset, c.label_noise_rate, largest, far_width, streams)
    # Training
    fit = await fit_ridge(
        task.problem.first_rows(c.n_train),
        n_features=c.n_features if c.arm == TREATMENT else far_width,
        penalty=0.0,
    )
    # Measures
    return Outcome(
        test_error=error_rate(fit.predictions["test"], task.test_labels),
        train_error=error_rate(fit.train_predictions, task.train_labels[: c.n_train]),
        coefficient_norm=fit.coefficient_norm,
    )


@dataclass(frozen=True, eq=False)
class Task:
    """What the cells of one seed share."""

    problem: FeatureProblem
    train_labels: Tensor
    test_labels: Tensor


@lru_cache(maxsize=1)  # a unit of work holds one seed
def draw_task(
    dataset: str, label_noise_rate: float, n_train: int, n_features: int, streams: Streams
) -> Task:
    """Draw rows, label noise and features of one seed (cached: the same object for all cells)."""
    all_train, test = load(dataset)
    train = draw_subset(all_train, n_train, streams, balanced=True)
    train = corrupt_labels_wrong(train, label_noise_rate, streams)
    problem = FeatureProblem(
        RandomReluFeatures.draw(train.input_dim, n_features, streams),
        train.inputs,
        one_hot(train.labels, train.n_outputs).double(),
        {"test": test.inputs},
    )
    return Task(problem, train.labels, test.labels)


@dataclass(frozen=True)
class Summary:
    """One arm: training sizes `[m]`, values `[m, seeds]`, and what the rule looks at."""

    arm: str
    n_features: int
    sizes: np.ndarray
    test_error: np.ndarray
    train_error: np.ndarray
    coefficient_norm: np.ndarray
    peak: PeakTest
    rise: Interval


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange each arm by training size and seed."""
    arms = {arm: records.where(arm=arm) for arm in ARMS}
    return {arm: _summarise_arm(arm, found) for arm, found in arms.items() if len(found)}


def _summarise_arm(arm: str, records: Records) -> Summary:
    sizes, test_error = records.matrix("test_error", by="n_train")
    n_features = int(records[0].condition.n_features)
    step = 1 / entry_of(records[0].condition.dataset).n_test
    # Just beyond the threshold an error may dip and be high again where the claim speaks of.
    judged = (sizes <= n_features) | (sizes >= SEVERAL * n_features)
    return Summary(
        arm=arm,
        n_features=n_features,
        sizes=sizes,
        test_error=test_error,
        train_error=records.matrix("train_error", by="n_train")[1],
        coefficient_norm=records.matrix("coefficient_norm", by="n_train")[1],
        # At the threshold itself, and not at the highest near it.
        peak=peak_test(sizes[judged], test_error[judged], at=n_features, within=1, step=step),
        rise=largest_rise(test_error, step),
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the treatment, and to the control that its test error only falls."""
    if summary.arm != TREATMENT:
        return judge_rise(summary.rise, SMALLEST_RISE, "test error", ALONG)
    peak = summary.peak
    return judge(
        clauses(summary),
        effect=peak.left,
        unit="ratio of test errors, at the threshold over less data",
        rule=RULE,
        reason=(
            f"The test error with {told(peak.peak_level, ',.0f')} examples, for "
            f"{summary.n_features:,} features, is {peak.left} times that with only "
            f"{told(peak.left_level, ',.0f')}, and {peak.right} times that with "
            f"{told(peak.right_level, ',.0f')}."
        ),
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    left, right = summary.peak.left, summary.peak.right
    many = summary.sizes[-1] >= SEVERAL * summary.n_features
    lacking = () if many else ("several times as many examples as features",)
    return [
        exceeds("test error at the threshold over the lowest with less data", left, SMALLEST_PEAK),
        exceeds("the same over the lowest with several times the data", right, SMALLEST_PEAK),
        *map(not_in_design, lacking),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Chart]:
    """Draw test error, coefficient norm and training error over the number of examples."""
    found = next(iter(summaries.values()))  # the treatment, where it is in the design
    peak, p = found.peak, found.n_features
    far = f"{FAR_RATIO * int(found.sizes[-1]):,} features"
    labels = {TREATMENT: f"{p:,} features", FAR: far}
    x, rule = Axis("Training examples n", scale="log"), Rule(p, f"n_features = {p:,}")

    def chart(name: str, title: str, caption: str) -> Chart:
        curves = {arm: (s.sizes, getattr(s, name)) for arm, s in summaries.items()}
        return chart_of_fits(name, title, caption, x, curves, labels, rule)

    return [
        chart(
            "test_error",
            f"{peak.peak_level:,.0f} examples give {peak.left.estimate:.1f} times the test error "
            f"of {peak.left_level:,.0f}"
            if found.arm == TREATMENT and shown(*clauses(found))
            else f"Test error over the number of examples, around n_features = {p:,}",
            f"Follow the line of the model with {p:,} features from the left: by the claim more "
            "data hurt until there are as many examples as features (dotted), and then help "
            "again. The wide model, far from its threshold at every size, is only to gain. Labels "
            "of the test images are clean.",
        ),
        chart(
            "coefficient_norm",
            "Norm of the coefficients over the number of examples",
            f"With {p:,} features, {p:,} examples are just as many equations as unknowns: they "
            "leave one solution, and it is huge. The wide model has room for a small one at every "
            "size.",
        ),
        chart(
            "train_error",
            "Training error over the number of examples",
            "Up to the threshold both models reproduce every training label, the wrong ones "
            f"included; beyond {p:,} examples the small model can no longer.",
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
    controls=(FAR,),
    scales={
        "smoke": Scale(Condition(n_features=200), n_seeds=6),
        "standard": Scale(Condition(n_features=300, max_ratio=4.0), n_seeds=10),
        "full": Scale(
            Condition(n_features=2000, max_ratio=4.0, dataset="mnist"),
            n_seeds=10,
            note="the threshold of Belkin et al. 2019, Fig. 2, crossed over n instead of p",
        ),
    },
)
