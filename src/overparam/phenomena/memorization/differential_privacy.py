"""Differential privacy caps memorization.

Claim: In networks that are trained by DP-SGD the memorization of rows of rare classes, and the
    advantage of an attacker who guesses from the loss which rows were trained on, stay below what
    epsilon allows; and rare classes pay first: where epsilon is largest, they lose a share of the
    accuracy that they have without noise, and a larger one than frequent classes lose of theirs.

Control: The same training with the same clipping and without noise. There rows of rare classes are
    memorized by more than the smallest epsilon of the design allows.

Falsified: If clipping, random batches or a short training held memorization down, and not the
    noise, networks without noise would stay below the bound as well.

Sources: Abadi et al. 2016 (arXiv:1607.00133) for DP-SGD; Mironov, Talwar, Zhang 2019
    (arXiv:1908.10530) for its account; Humphries et al. 2023 (arXiv:2010.12112) for the bound on
    the advantage; Bagdasaryan, Poursaeed, Shmatikov 2019 (arXiv:1905.12101) for who pays; Feldman
    2020 (arXiv:1906.05271) for the tail.

Differs: 750 images of Fashion-MNIST of 7 x 7 pixels, five classes of which, drawn for each seed,
    have few rows, and perceptrons with one hidden layer. Prices are shares and not points: rare
    classes have less accuracy to lose. The bound on the memorization score is this project's own:
    it is the advantage of an attacker who looks only at whether the model is right on the row.

In practice: Epsilon bounds what can be learned of a row, whatever the attack, and what the model
    can learn of it as well. Look at the accuracy on what is rare before you pay, and at attacks
    for what leaks: it is often far below the bound, which is for the worst row and the best attack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
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
from overparam.measures import estimate_advantage, loss_scores
from overparam.models import mlp
from overparam.phenomena.memorization._private_figures import epsilon_chart, epsilon_table
from overparam.phenomena.memorization._private_summary import (
    BREAKABLE,
    NO_NOISE,
    Summary,
    summarise,
)
from overparam.phenomena.memorization._rare_classes import FEWEST, draw_rare_classes
from overparam.phenomena.memorization._row_members import DATASETS
from overparam.streams import Streams
from overparam.theory import PrivacyBound, noise_multiplier_for
from overparam.training.fit_estimator import fit_estimator
from overparam.training.fitted import predict
from overparam.training.private import PrivateSgd

TIMES = (1, 2, 4, 16)  # of the smallest epsilon
RATIO = 0.5  # probability that a row is in a subset
SMALLEST = 0.05  # share of the accuracy that is lost, or difference of two
LEARNED = 0.5  # accuracy on frequent classes
RULE = (
    "Observed if, as means over seeds, the whole 95 % intervals of the memorization score of rows "
    "of rare classes and of the advantage (TPR - FPR of the loss) lie below (e^epsilon - 1 + 2 "
    "delta) / (e^epsilon + 1) at every epsilon, and at the largest those of the share of test "
    "accuracy without noise that rare classes lose, and of that less the share that frequent "
    f"classes lose, above {SMALLEST}, paired by seed; absent if one lies on the other side. "
    f"Inconclusive where accuracy on frequent classes at the largest epsilon is not above "
    f"{LEARNED}, or one of these is not in the design."
)
RULE_OF_CONTROL = (
    "Networks trained without noise that are said to break the bound of the smallest epsilon: "
    "absent if the whole 95 % interval of the mean memorization score of rows of rare classes lies "
    f"above it, observed if it lies below. Not judged where that bound is {BREAKABLE} or more."
)


@dataclass(frozen=True)
class Condition:
    """One of K models on random subsets of the rows: its epsilon, or no noise."""

    arm: str = factor(TREATMENT, choices=(TREATMENT, NO_NOISE))
    epsilon: float = factor(
        0.5, symbol="epsilon", unit="nats", low=0.05, high=100, doc="the smallest of the design"
    )
    delta: float = factor(1e-5, symbol="delta", low=1e-12, high=0.01)
    member: int = factor(0, unit="of the models", low=0, instead="n_models")
    n_models: int = factor(8, symbol="K", unit="models", low=FEWEST, high=1000)
    n_frequent: int = factor(140, unit="rows of a frequent class", low=10)
    n_rare: int = factor(10, unit="rows of a rare class", low=2)
    width: int = factor(64, symbol="H", unit="hidden units", low=1)
    n_steps: int = factor(150, symbol="T", unit="updates", low=1)
    sampling_rate: float = factor(0.4, symbol="q", unit="of the rows in a batch", low=1e-4, high=1)
    clip_norm: float = factor(1.0, symbol="C", unit="length of a row's gradient", low=1e-6)
    learning_rate: float = factor(12.0, symbol="eta", low=1e-8)
    pool: int = factor(4, unit="pixels a side, averaged", low=1, high=8)
    dataset: str = factor("fashion_mnist_small", choices=DATASETS)

    @property
    def noise_multiplier(self) -> float:
        """Standard deviation of the noise over the clipping length; 0 without noise."""
        if self.arm == NO_NOISE:
            return 0.0
        return noise_multiplier_for(self.epsilon, self.delta, self.sampling_rate, self.n_steps)

    @property
    def bound(self) -> float:
        """The most that epsilon allows of an advantage, and of a memorization score."""
        return PrivacyBound(self.epsilon, self.delta).advantage


@dataclass(frozen=True)
class Outcome:
    """What one model says of every row, and how good it is."""

    noise_multiplier: float = quantity("clipping lengths")
    advantage: float = quantity("TPR - FPR, rows trained on against rows left out")
    frequent_accuracy: float = quantity("fraction right, of test rows of frequent classes")
    rare_accuracy: float = quantity("fraction right, of test rows of rare classes")
    correct: np.ndarray = quantity("whether the model is right on the row")
    in_subset: np.ndarray = quantity("whether the row was in the model's subset")
    is_rare: np.ndarray = quantity("whether the row is of a rare class")


def cells(base: Condition) -> list[Condition]:
    """Span the epsilons, and no noise; each with all the models."""
    levels = [replace(base, epsilon=times * base.epsilon) for times in TIMES]
    levels += [replace(base, arm=NO_NOISE)]
    members = range(base.n_models)
    return [replace(level, member=member) for level in levels for member in members]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network on a random subset, and ask it about every row."""
    # Data: each row by itself is in or out, so that a subset without it says nothing of it.
    rows = draw_rare_classes(c.dataset, c.pool, c.n_frequent, c.n_rare, streams)
    train_set, test_set = rows.train_set, rows.test_set
    own = streams.child(f"member {c.member}")
    in_subset = own.numpy("subset").random(len(train_set)) < RATIO
    # Model and training
    private = training(replace(c, member=0), streams)
    fitted = await fit_estimator(private, rows.examples, own, rows=np.flatnonzero(in_subset))
    probabilities = (await predict(fitted, train_set.inputs)).numpy()
    test_labels = (await predict(fitted, test_set.inputs)).argmax(1)
    # Measures
    labels = train_set.labels.numpy()
    of_label = probabilities[np.arange(len(labels)), labels]
    loss = -np.log(np.maximum(of_label, np.finfo(float).tiny))
    right = (test_labels == test_set.labels).numpy()
    return Outcome(
        noise_multiplier=c.noise_multiplier,
        advantage=estimate_advantage(loss_scores(loss), in_subset).advantage,
        frequent_accuracy=float(right[~rows.test_is_rare].mean()),
        rare_accuracy=float(right[rows.test_is_rare].mean()),
        correct=probabilities.argmax(1) == labels,
        in_subset=in_subset,
        is_rare=rows.is_rare,
    )


@lru_cache(maxsize=len(TIMES) + 1)  # the same for all members, who so are planned as one
def training(c: Condition, streams: Streams) -> PrivateSgd:
    """Return how the networks of one seed and level are trained, on whichever rows."""
    train_set = draw_rare_classes(c.dataset, c.pool, c.n_frequent, c.n_rare, streams).train_set
    return PrivateSgd(
        mlp(train_set.input_dim, c.width, train_set.n_outputs),
        train_set,
        n_steps=c.n_steps,
        sampling_rate=c.sampling_rate,
        batch_size=c.sampling_rate * RATIO * len(train_set),
        clip_norm=c.clip_norm,
        noise_multiplier=c.noise_multiplier,
        learning_rate=c.learning_rate,
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to noise, and `RULE_OF_CONTROL` to none."""
    lacking = [*map(not_in_design, summary.left_out)]
    score, bound = summary.score(0), float(summary.bounds[0])
    least, largest = f"{summary.epsilons[0]:g}", f"{summary.epsilons[-1]:g}"
    if summary.arm == NO_NOISE:
        return judge(
            [stays_below("memorization of rare classes without noise", score, bound), *lacking],
            effect=score,
            unit="mean memorization score of rows of rare classes",
            rule=RULE_OF_CONTROL,
            reason=f"Without noise rows of rare classes score {score}; epsilon {least} allows "
            f"{bound:.3g}.",
        )
    return judge(
        [*clauses(summary), *lacking],
        effect=summary.lost("rare"),
        unit=f"share of accuracy that rare classes lose at epsilon {largest}",
        rule=RULE,
        reason=(
            f"At epsilon {least} rows of rare classes score {score}; {bound:.3g} is allowed. At "
            f"epsilon {largest} rare classes lose a share of {summary.lost('rare')} of their "
            f"accuracy, frequent ones {summary.lost('frequent')}."
        ),
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    found = []
    for at, (epsilon, bound) in enumerate(zip(summary.epsilons, summary.bounds, strict=True)):
        for what, value in (
            ("memorization of rare classes", summary.score(at)),
            ("advantage", summary.gain(at)),
        ):
            found.append(stays_below(f"{what} at epsilon {epsilon:g}", value, float(bound)))
    largest = f"at epsilon {summary.epsilons[-1]:g}"
    learned = mean_interval(summary.frequent[-1], step=summary.steps[2], bounds=(0, 1))
    return [
        *found,
        exceeds(
            f"share of accuracy lost by rare classes {largest}", summary.lost("rare"), SMALLEST
        ),
        exceeds("that less the share lost by frequent classes", summary.more, SMALLEST),
        premise(exceeds(f"accuracy on frequent classes {largest}", learned, LEARNED)),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw what is memorized, what leaks and what is paid over epsilon, and the numbers of each."""
    treatment = summaries.get(TREATMENT)
    if treatment is None:
        return []
    seen = shown(*clauses(treatment)) and not treatment.left_out
    return [
        *epsilon_chart(treatment, summaries.get(NO_NOISE), seen),
        epsilon_table(treatment, summaries.get(NO_NOISE)),
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
    controls=(NO_NOISE,),
    scales={
        "smoke": Scale(
            Condition(n_models=4, n_frequent=40, n_steps=40, learning_rate=6.0), n_seeds=2
        ),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(
                n_models=16,
                n_frequent=4_000,
                n_rare=100,
                width=256,
                pool=1,
                n_steps=2_000,
                sampling_rate=0.05,
                learning_rate=4.0,
                dataset="fashion_mnist",
            ),
            n_seeds=3,
            note="20,500 images in their full resolution",
        ),
    },
    stack_size=8,  # nothing is gained by more: each trains by itself
)
