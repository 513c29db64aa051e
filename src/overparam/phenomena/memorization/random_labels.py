"""Random labels: a network fits noise with the recipe it learns with.

Claim: One network, trained by one recipe, fits true labels, partly and wholly random labels,
    shuffled pixels, random pixels and Gaussian inputs to a training error of at most 1 %, takes
    only a small factor longer for random labels than for true ones, also with explicit
    regularization, which does not prevent it, while its test error rises to chance.

Control: A network too small for it: with three tenths as many parameters as n_train x n_classes,
    the same recipe does not fit random labels.

Falsified: If the recipe fitted any labels with any network (because a training error of 1 % is no
    feat on so few images, or because labels leak into the inputs), the small network would fit
    random labels too. That alone counts against it, however long it takes, whatever it makes of
    true labels, and whatever its test error is.

Sources: Zhang, Bengio, Hardt, Recht, Vinyals 2017 (arXiv:1611.03530), Fig. 1, Table 1 and
    Theorem 1.

Differs: Below the full scale, 1,000 images of Fashion-MNIST and the 1x512 perceptron instead of
    CIFAR-10 and four networks, and a learning rate of 0.02 (the paper's 0.01 for perceptrons fits
    as well, and takes nearly twice as long). At every scale, training stops at the first epoch
    without a training error; dropout, which the paper tries on ImageNet, is tried on a
    perceptron; the learning rate falls by 5 % every 391 updates, one epoch of CIFAR-10; the
    weight decay of 1e-4 and the batch size of 128 come from reproductions of the paper.

In practice: A training error of 0 says nothing about what was learned: the same network reaches
    it on labels without meaning, in little more time. Its number of parameters, weight decay or
    dropout do not tell learning from memorizing; held-out data do, and so does how much longer
    your own labels take than they would take if they were all true.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from overparam.data import Dataset, corrupt_labels_uniform, draw_subset
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.verdict import (
    Clause,
    Verdict,
    exceeds,
    judge,
    lies_within,
    not_in_design,
    shown,
    stays_below,
    unmeasured,
    whole,
)
from overparam.measures import error_rate
from overparam.models import interpolate_exactly
from overparam.phenomena.memorization._label_fitting_networks import (
    CONSTRUCTION,
    MODELS,
    NETWORKS,
    TOO_SMALL,
    make_network,
    recipe,
)
from overparam.phenomena.memorization._random_labels_figures import (
    error_charts,
    settings_table,
    time_charts,
    training_curves,
)
from overparam.phenomena.memorization._random_labels_summary import Summary, summarise
from overparam.phenomena.memorization._randomised_images import (
    INPUTS,
    load_whitened,
    randomised,
    setting_of,
)
from overparam.phenomena.memorization._time_to_fit import FITTED
from overparam.streams import Streams
from overparam.training.fitted import predict
from overparam.training.train import train

REGULARIZERS = ("none", "weight decay", "dropout")
RATES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # label corruption, each redrawn from all classes
LARGEST_FACTOR = 10.0  # of time to fit; the paper calls it a small constant
NEAR_CHANCE = 0.05
RULE = (
    "For each seed take the training accuracy in the setting that is fitted worst. Observed if its "
    f"whole 95 % interval lies above {1 - FITTED}, that of the epochs that random labels take over "
    f"those of true ones, paired by seed, to reach a training error of {FITTED} lies below "
    f"{LARGEST_FACTOR:.0f}, also where random labels meet the regularizer that makes them slowest, "
    f"that of the test error after random labels lies within {NEAR_CHANCE} "
    f"of chance, and it is by more than {NEAR_CHANCE} higher than after true ones; absent if one "
    "lies outside. All are means over seeds. Inconclusive where the design lacks a setting that "
    "the claim names."
)
RULE_OF_CONTROL = (
    "A network that is said not to fit random labels, and of which nothing else is said: observed "
    "if the whole 95 % interval of its mean training accuracy on random labels lies above "
    f"{1 - FITTED}, absent if it lies below. Not judged where it is not as small as it should be."
)


@dataclass(frozen=True)
class Condition:
    """A network, a recipe, and what is randomised."""

    corruption_rate: float = factor(0.0, symbol="p", unit="fraction redrawn", low=0, high=1)
    inputs: str = factor("images", choices=INPUTS)
    regularizer: str = factor("none", choices=REGULARIZERS)
    model: str = factor("mlp_1x512", choices=MODELS)
    n_train: int = factor(1000, symbol="n", unit="examples", low=20)
    learning_rate: float = factor(0.02, symbol="eta", low=1e-8, doc="small_inception: ten times")
    weight_decay: float = factor(1e-4, symbol="lambda", low=0, doc="where it is the regularizer")
    batch_size: int = factor(128, unit="examples", low=1)
    max_epochs: int = factor(150, unit="passes", low=1)
    dataset: str = factor(
        "fashion_mnist_small", choices=("fashion_mnist_small", "mnist_small", "cifar10")
    )

    @property
    def setting(self) -> str:
        """What is randomised or regularized, in words."""
        return setting_of(self.corruption_rate, self.inputs, self.regularizer)


@dataclass(frozen=True)
class Outcome:
    """Errors, and how long it took to fit."""

    n_params: int = quantity("weights and biases")
    train_error: float = quantity("fraction wrong, of the labels trained on")
    test_error: float = quantity("fraction wrong")
    epochs_to_fit: float = quantity(f"passes to a training error of {FITTED}")
    train_loss: np.ndarray = quantity("nats by pass, none after the stop")


def cells(base: Condition) -> list[Condition]:
    """Span the settings; at the paper's data also its four networks."""
    networks = list(NETWORKS) if base.dataset == "cifar10" else [base.model]
    settings = [replace(base, corruption_rate=p) for p in RATES]
    settings += [replace(base, inputs=kind) for kind in INPUTS[1:]]
    for rate in (0.0, 1.0):
        settings += [replace(base, corruption_rate=rate, regularizer="weight decay")]
    treated = [replace(c, model=m) for m in networks for c in settings]
    if "mlp_1x512" in networks:
        treated += [replace(base, corruption_rate=1.0, regularizer="dropout", model="mlp_1x512")]
    others = [replace(base, model=TOO_SMALL, corruption_rate=p) for p in (RATES[0], RATES[-1])]
    return [*treated, *others, replace(base, model=CONSTRUCTION, corruption_rate=1.0)]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network on one randomisation of one seed's data."""
    # Data
    train_set, test_set = load_whitened(c.dataset)
    train_set = draw_subset(train_set, c.n_train, streams, balanced=True)
    train_set = corrupt_labels_uniform(train_set, c.corruption_rate, streams)
    train_set, test_set = randomised(c.inputs, train_set, test_set, streams)
    # The model that needs no training
    if c.model == CONSTRUCTION:
        return constructed(c, train_set, test_set, streams)
    # Model and training
    model = make_network(c.model, train_set, c.n_train, dropout=c.regularizer == "dropout")
    fitted = await train(model, train_set, recipe(c), streams)
    outputs = await predict(fitted, test_set.inputs)
    # Measures
    loss = np.full(c.max_epochs, np.nan)
    loss[fitted.trace.epoch - 1] = fitted.trace.loss["train"]
    return Outcome(
        n_params=sum(p.numel() for p in model.parameters()),
        train_error=fitted.train_error,
        test_error=error_rate(outputs, test_set.labels),
        epochs_to_fit=fitted.trace.first_epoch_at_error(FITTED),
        train_loss=loss,
    )


def constructed(c: Condition, train_set: Dataset, test_set: Dataset, streams: Streams) -> Outcome:
    """Return what the 2n+d weights of Theorem 1 give; its one output is the class number."""
    model = interpolate_exactly(train_set.inputs, train_set.labels, streams)

    def error(part: Dataset) -> float:
        return float((model(part.inputs)[:, 0].round() != part.labels).double().mean())

    nothing = np.full(c.max_epochs, np.nan)
    return Outcome(model.n_params, error(train_set), error(test_set), np.nan, nothing)


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the treatment, and `RULE_OF_CONTROL` to the network too small."""
    if summary.arm == TOO_SMALL:
        return _judge_too_small(summary)
    time, test, chance = summary.time_factor, summary.random_test_error, summary.chance
    worst = f"Of all settings, {summary.worst_setting} is fitted worst; training"
    fitting = f"random labels take {time} times as many epochs as true ones"
    if not np.isfinite(time.estimate):
        fitting = "true and random labels are not both fitted in every seed"
    return judge(
        clauses(summary),
        effect=summary.worst_accuracy,
        unit="fraction right of the training labels, in the setting fitted worst",
        rule=RULE,
        reason=(
            f"{worst if summary.worst_setting else 'Training'} accuracy in the "
            f"worst setting of each seed: {summary.worst_accuracy}; {fitting}; test error after "
            f"random labels: {test} (chance: {chance:g})."
        ),
    )


def _judge_too_small(summary: Summary) -> Verdict:
    accuracy, why = summary.random_accuracy, summary.why_not
    fits = exceeds("training accuracy on random labels", accuracy, 1 - FITTED)
    return judge(
        [unmeasured("a network too small", why) if why else fits],
        effect=accuracy,
        unit="fraction right of the random training labels",
        rule=RULE_OF_CONTROL,
        reason=f"Training accuracy of the small network on random labels: {accuracy}."
        + (f" Not judged: {why}." if why else ""),
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands."""
    test, chance = summary.random_test_error, summary.chance
    worst = "training accuracy in the setting fitted worst"
    if summary.worst_setting:
        worst += f" ({summary.worst_setting})"
    longer, lacking = "epochs to fit random labels over true ones", "not every seed fits both"
    return [
        exceeds(worst, summary.worst_accuracy, 1 - FITTED),
        stays_below(longer, summary.time_factor, LARGEST_FACTOR, lacking),
        lies_within(
            "test error after random labels", test, chance - NEAR_CHANCE, chance + NEAR_CHANCE
        ),
        exceeds("its rise over that after true labels", summary.rise, NEAR_CHANCE),
        stays_below(
            f"{longer}, with the slowest regularizer",
            summary.regularized_factor,
            LARGEST_FACTOR,
            lacking,
        ),
        *(not_in_design(f"training accuracy, {setting}") for setting in summary.left_out),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw errors, training curves and time to fit, one panel per network, and the table."""
    found = summaries[TREATMENT]
    worst, times, near_chance, *_ = clauses(found)
    every = shown(worst) and not found.left_out
    errors = (
        f"Test error rises to {found.random_test_error.estimate:.2f} with random labels, and "
        f"training accuracy is at least {found.worst_accuracy.estimate:.3g} in every setting"
    )
    longer = (
        f"Random labels take {found.time_factor.estimate:.2f} times as many epochs as true ones"
    )
    return [
        *error_charts(records, found.chance, errors if every and shown(near_chance) else ""),
        *training_curves(records),
        *time_charts(records, longer if shown(times) else ""),
        settings_table(
            records,
            "Every setting is fitted, regularized or not" if every else "",
            countable=whole(found.worst_accuracy),
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
    controls=(TOO_SMALL,),
    scales={
        # Of fewer images even one hidden unit has too many parameters to be the control.
        "smoke": Scale(Condition(n_train=300, batch_size=60, max_epochs=60), n_seeds=3),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(n_train=50_000, learning_rate=0.01, max_epochs=100, dataset="cifar10"),
            n_seeds=3,
            note="Zhang et al. 2017, Fig. 1 and Table 1: CIFAR-10, four networks",
        ),
    },
    stack_by=("inputs",),  # cells with the same images share every batch
)
