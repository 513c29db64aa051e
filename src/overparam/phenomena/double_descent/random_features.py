"""Model-wise double descent of minimum-norm regression on random features.

Claim: With label noise, the test error of minimum-norm regression on random features peaks near
    as many features as training examples, and with more features it falls again, below the best
    of the first descent.

Control: Ridge regression on the same features, its penalty tuned on held-out rows: the test error
    only falls.

Falsified: If these widths, features or images were worse near n_train for another reason than
    that the fit must go through every label, a penalty chosen without looking there would leave
    a rise; so any rise of the control's test error, from any width to any larger one, counts
    against it, and nothing else is asked of it.

Sources: Belkin, Hsu, Ma, Mandal 2019 (arXiv:1812.11118), Fig. 2. For the control:
    Nakkiran, Venkat, Kakade, Ma 2020 (arXiv:2003.01897), and Hastie, Montanari, Rosset,
    Tibshirani 2022 (arXiv:1903.08560): optimally tuned ridge has no double descent.

Differs: Fashion-MNIST instead of MNIST and some hundred training images instead of 10^4 at the
    smaller scales; 10 % wrong labels, which raise the peak, at every scale (of clean labels, which
    the paper has, the claim says nothing); each real column counts as one
    feature, where Belkin et al. count a complex one; the axis is placed across the threshold
    by the code.

In practice: A model with about as many parameters as there are numbers to fit is in the worst
    place: its error there says nothing about smaller or larger models of its family. Move away
    from the threshold, to either side, or regularize with a penalty tuned on held-out data, which
    costs one factorization. A weight norm that jumps is the sign to look for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

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
    stays_below,
    told,
)
from overparam.measures import across_threshold, error_rate, squared_error
from overparam.phenomena.double_descent._figures import chart_of_fits
from overparam.phenomena.double_descent._random_feature_task import draw_task
from overparam.phenomena.double_descent._rules import (
    judge_rise,
    largest_rise,
    over_each,
    wrong_labels,
)
from overparam.streams import Streams
from overparam.training.ridge import fit_ridge, fit_ridge_path

TUNED = "tuned ridge"
FITS = {TREATMENT: "minimum norm", TUNED: TUNED}  # arm to how its cells are fitted
# Half-decades around the sum of squares that one image adds to a feature map's Gram matrix.
PENALTIES = tuple(float(a) for a in np.logspace(-2, 5, 15))
# Theory has an infinite peak for the treatment and none for the control. An error rate cannot
# pass 0.9; a quarter above the best of the first descent is far from both.
SMALLEST_PEAK = 1.25
SMALLEST_RISE = 1.15  # of the control, anywhere; ten seeds, standard scale: 1.02 [0.99, 1.04]
RULE = (
    "Observed if, paired by seed, the whole 95 % interval of (highest test error within a factor "
    f"2 of n_features = n_train) / (lowest with fewer features) lies above {SMALLEST_PEAK}, both "
    "widths selected on the other seeds, those of the same / (highest between the two) and / "
    "(highest with more features) lie above 1, and for every n_features < n_train that of (test "
    "error at the largest width) / (test error there) lies below 1; absent if one of them lies on "
    "the other side (of the last, where "
    "n_features is selected on the other seeds). Inconclusive where no training label is wrong: "
    "the claim is of label noise."
)
ALONG = "the number of features"


@dataclass(frozen=True)
class Condition:
    """A width, and how its coefficients are fitted."""

    n_features: int = factor(0, symbol="p", unit="features", low=1, doc="0: placed by the design")
    fit: str = factor("minimum norm", choices=tuple(FITS.values()))
    n_train: int = factor(300, symbol="n", unit="examples", low=40)
    label_noise_rate: float = factor(0.1, unit="fraction, always a wrong class", low=0, high=1)
    features: str = factor("relu", choices=("relu", "fourier"))
    bandwidth: float = factor(5.0, unit="of pixels in [0, 1], Fourier only", low=1e-6)
    max_ratio: float = factor(16.0, symbol="P/n", low=2, doc="largest width over n_train")
    n_validation: int = factor(500, unit="examples", low=10, doc="held out to tune the penalty")
    dataset: str = factor(
        "fashion_mnist_small",
        choices=("fashion_mnist_small", "digits", "fashion_mnist", "mnist"),
    )


@dataclass(frozen=True)
class Outcome:
    """Errors, norm and penalty of one fit."""

    test_error: float = quantity("fraction wrong")
    train_error: float = quantity("fraction wrong, of the noisy labels")
    test_squared_error: float = quantity("sum over one-hot outputs")
    coefficient_norm: float = quantity("1 / feature unit")
    penalty: float = quantity("scikit-learn's alpha")


def cells(base: Condition) -> list[Condition]:
    """Span the widths across the threshold p = n, for both fits."""
    widths = across_threshold(base.n_train, 7, 7, low_ratio=0.05, high_ratio=base.max_ratio)
    return [replace(base, n_features=p, fit=fit) for fit in FITS.values() for p in widths]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Fit one width on one seed's data."""
    # Data and features: one problem for all cells of a seed
    widest = max(c.n_features, round(c.max_ratio * c.n_train))
    task = draw_task(replace(c, n_features=widest, fit=FITS[TREATMENT]), streams)
    # Training
    if c.fit == TUNED:
        fits = await fit_ridge_path(task.problem, n_features=c.n_features, penalties=PENALTIES)
        held_out = [squared_error(f.predictions["validation"], task.tune_targets) for f in fits]
        fit = fits[int(np.argmin(held_out))]
    else:
        fit = await fit_ridge(task.problem, n_features=c.n_features, penalty=0.0)
    # Measures
    return Outcome(
        test_error=error_rate(fit.predictions["test"], task.test_labels),
        train_error=error_rate(fit.train_predictions, task.train_labels),
        test_squared_error=squared_error(fit.predictions["test"], task.test_labels),
        coefficient_norm=fit.coefficient_norm,
        penalty=fit.penalty,
    )


@dataclass(frozen=True)
class Summary:
    """One arm: widths `[m]`, values `[m, seeds]`, and what the rule looks at.

    Attributes:
        left_out: what the claim names and the design lacks.
    """

    arm: str
    n_train: int
    widths: np.ndarray
    test_error: np.ndarray
    train_error: np.ndarray
    coefficient_norm: np.ndarray
    peak: PeakTest
    second_over_first: Interval
    rise: Interval
    left_out: tuple[str, ...]


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange each arm by width and seed."""
    arms = {arm: records.where(fit=fit) for arm, fit in FITS.items()}
    return {arm: _summarise_arm(arm, found) for arm, found in arms.items() if len(found)}


def _summarise_arm(arm: str, records: Records) -> Summary:
    widths, test_error = records.matrix("test_error", by="n_features")
    c = records[0].condition
    n_train, step = int(c.n_train), 1 / entry_of(c.dataset).n_test
    return Summary(
        arm=arm,
        n_train=n_train,
        widths=widths,
        test_error=test_error,
        train_error=records.matrix("train_error", by="n_features")[1],
        coefficient_norm=records.matrix("coefficient_norm", by="n_features")[1],
        peak=peak_test(widths, test_error, at=n_train, step=step),
        second_over_first=over_each(test_error[-1], test_error[widths < n_train], step),
        rise=largest_rise(test_error, step),
        left_out=wrong_labels(c.label_noise_rate, n_train),
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the treatment, and to the control that its test error only falls."""
    if summary.arm != TREATMENT:
        left_out = map(not_in_design, summary.left_out)
        return judge_rise(summary.rise, SMALLEST_RISE, "test error", ALONG, *left_out)
    peak, second = summary.peak, summary.second_over_first
    return judge(
        clauses(summary),
        effect=peak.left,
        unit="ratio of test errors, peak over best of the first descent",
        rule=RULE,
        reason=(
            f"The highest test error near {summary.n_train:,} features lies at "
            f"{told(peak.peak_level, ',.0f')} features; over the lowest before it: {peak.left}. "
            f"With {summary.widths[-1]:,.0f} features the error over that lowest is {second}."
        ),
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    peak, second = summary.peak, summary.second_over_first
    return [
        exceeds("peak over the best of the first descent", peak.left, SMALLEST_PEAK),
        exceeds("peak over the highest between the two", peak.before, 1),
        exceeds("peak over the highest with more features", peak.beyond, 1),
        stays_below("end of the sweep over the best of the first descent", second, 1),
        *map(not_in_design, summary.left_out),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Chart]:
    """Draw test error, coefficient norm and training error over the number of features."""
    found = next(iter(summaries.values()))  # the treatment, where it is in the design
    n, treated = found.n_train, found.arm == TREATMENT
    peaks = treated and shown(*clauses(found))
    highest = _highest(found.widths, found.coefficient_norm)
    x, rule = Axis("Random features p", scale="log"), Rule(n, f"n_train = {n:,}")

    def chart(name: str, title: str, caption: str) -> Chart:
        curves = {arm: (s.widths, getattr(s, name)) for arm, s in summaries.items()}
        return chart_of_fits(name, title, caption, x, curves, FITS, rule)

    return [
        chart(
            "test_error",
            f"Test error peaks at {told(found.peak.peak_level, ',.0f')} features, then falls to "
            f"{found.second_over_first.estimate:.2f} times its first minimum"
            if peaks
            else f"Test error over the number of features, around n_train = {n:,}",
            "Follow the minimum-norm line from the left: by the claim it rises to a peak at the "
            f"dotted threshold, where {n:,} features fit {n:,} training images exactly, and falls "
            "again below its first minimum. With a ridge penalty tuned on held-out images the peak "
            "is to be gone. Labels of the test images are clean.",
        ),
        chart(
            "coefficient_norm",
            f"The weights are largest at {highest:,.0f} features"
            if treated and np.isfinite(found.coefficient_norm).all()
            else "Norm of the coefficients over the number of features",
            "At the threshold there is one interpolating solution and it is huge; with more "
            "features there are many, and the smallest of them shrinks. The tuned penalty keeps "
            "the weights small at every width.",
        ),
        chart(
            "train_error",
            "Training error over the number of features",
            "From the threshold on the minimum-norm fit reproduces every training label, the "
            "wrong ones included. The tuned ridge does not.",
        ),
    ]


def _highest(levels: np.ndarray, values: np.ndarray) -> float:
    """Return the level at which the mean of `[m, seeds]` over the seeds there is highest."""
    there = np.isfinite(values).any(1)
    means = [np.mean(row[np.isfinite(row)]) for row in values[there]]
    return float(levels[there][np.argmax(means)]) if len(means) else np.nan


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(TUNED,),
    scales={
        "smoke": Scale(Condition(n_train=150), n_seeds=6),
        "standard": Scale(Condition(n_train=250), n_seeds=10),
        "full": Scale(
            Condition(
                n_train=10_000,
                features="fourier",
                max_ratio=6.0,
                n_validation=10_000,
                dataset="mnist",
            ),
            n_seeds=5,
            note="Belkin et al. 2019, Fig. 2: 10^4 images, up to 6 x 10^4 columns, label noise; "
            "label_noise_rate=0 sets the paper's clean labels and leaves the claim undecided",
        ),
    },
)
