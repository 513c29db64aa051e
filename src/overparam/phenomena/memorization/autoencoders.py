"""Memorizing autoencoders: training examples become attractors of the trained map.

Claim: Overparameterized autoencoders trained on a few images to almost no loss store them: in
    deep networks of three kinds taken together (fully connected, convolutional, convolutional
    with downsampling) most training images become attractors, more than in shallow ones, and
    iterating the network from most unseen images ends at a training image.

Control: A fully connected network of the sweep, as overparameterized, trained on many images
    until it returns them too; and the linear autoencoder, which gradient descent from zero makes
    the projection on the span of the training images, where every eigenvalue is 1 or 0. Both
    return their training images, and of neither as many as a quarter are attractors.

Falsified: If these networks drew everything towards what they return (because their initial
    weights contract, or because few iterations or a lax distance pass for arriving), the one
    trained on many images would do so at its images too; if fitting a few images were enough, the
    linear autoencoder would have attractors. A rate above a quarter counts against a control,
    wherever iterating unseen images ends, and nothing else is asked of it.

Sources: Radhakrishnan, Yang, Belkin, Uhler 2019 (arXiv:1810.10333); Radhakrishnan, Belkin, Uhler
    2020, PNAS (arXiv:1909.12362).

Differs: Below the full scale, handwritten digits of 8 x 8 pixels instead of images of 28 x 28 and
    32 x 32: ten of them for the fully connected networks, which store more, and five for the
    convolutional ones; leaky ReLU; Adam with a step of 5e-4 and a cosine schedule; and networks
    of PyTorch's default weights, which shrink what passes through them: that favours
    contraction, in deeper networks more so. The papers' texts could not be looked up beyond their
    abstracts; what the full scale takes from them (loss below 1e-8, step 1e-4, width 1,024, up to
    20 layers) is from memory. An image counts only where the network also returns it to within
    1 % of its norm.

In practice: An autoencoder that reconstructs its training set perfectly may have stored it. Feed
    it unseen inputs and iterate: if training examples come out, they would come out for anybody
    who has the network. A first application shows too little of this; the iteration shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from overparam.errors import UsageError
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor
from overparam.lab.records import Records
from overparam.lab.verdict import (
    Clause,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    premise,
    stays_below,
    unmeasured,
    whole,
)
from overparam.phenomena.memorization._autoencoder_figures import (
    iterates_grids,
    networks_table,
    radius_charts,
    rate_charts,
)
from overparam.phenomena.memorization._autoencoder_networks import (
    DENSE,
    DEPTHS,
    KINDS,
    LINEAR,
    autoencoder,
    depths_of,
    images,
    recipe,
)
from overparam.phenomena.memorization._autoencoder_summary import (
    DEEP,
    MANY_IMAGES,
    SHALLOW,
    Summary,
    of_arm,
    summarise,
)
from overparam.phenomena.memorization._trained_autoencoders import (
    SHOWN_STEPS,
    TRAINED,
    Outcome,
    describe,
)
from overparam.streams import Streams
from overparam.training.train import train

STORED = 0.5  # memorization rate, and share of unseen images
# Memorization rate of a control. With none of 5 images stored in any of 5 seeds, the interval of
# the rate, on its lattice of fifths, ends just below.
FEW_STORED = 0.25
N_JUDGED = 20  # training images whose Jacobian is taken
UNIT = "fraction of the training images that are attractors"
RULE = (
    "Memorization rate: fraction of the training images that the network returns to within 1 % "
    "and at which the spectral radius of its Jacobian is below 1. Of the deepest networks, mean "
    "of the kinds of each seed, take the rate, its gain over the shallowest networks, and the "
    "fraction of unseen images from which iterating the network ends at a training image. "
    f"Observed if their 95 % intervals over seeds lie above {STORED}, 0 and {STORED}; absent if "
    "one lies below. Inconclusive where the interval of the training loss of the network fitted "
    f"worst does not lie below {TRAINED:g} squared error per pixel; what a network stores that "
    "leaves more counts as missing. Networks of depths between the smallest and the largest are "
    "shown, not judged. Inconclusive, too, where a kind has no network of at most "
    f"{SHALLOW} hidden layers or none of at least {DEEP}, or where a network has fewer parameters "
    "than there are pixels to fit."
)
RULE_OF_CONTROLS = (
    "A control, which is said to have no attractors: observed if the whole 95 % interval of its "
    f"memorization rate lies above {FEW_STORED}, absent if it lies below, whatever else it does. "
    "Inconclusive where the interval of the training loss of the network fitted worst does not "
    f"lie below {TRAINED:g} squared error per pixel."
)


@dataclass(frozen=True)
class Condition:
    """A kind of autoencoder, its depth, and how many images it is trained on."""

    kind: str = factor(DENSE, choices=(*KINDS, LINEAR), instead=f"one of {', '.join(DEPTHS)}")
    depth: int = factor(0, unit="hidden layers", low=0, instead=f"one of {', '.join(DEPTHS)}")
    n_train: int = factor(5, symbol="n", unit="images", low=1, doc="fully connected: twice as many")
    n_control: int = factor(100, unit="images", low=2, doc="of the control")
    dense_depths: str = factor("1 4 12", unit="hidden layers")
    conv_depths: str = factor("2 6 12", unit="hidden layers")
    downsampling_depths: str = factor("2 4 6", unit="hidden layers")
    width: int = factor(256, unit="hidden units", low=1)
    n_channels: int = factor(32, symbol="c", unit="channels", low=1)
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1, odd=True)
    activation: str = factor(
        "leaky_relu", choices=("leaky_relu", "selu", "silu", "relu", "tanh", "identity")
    )
    learning_rate: float = factor(5e-4, symbol="eta", low=1e-8, doc="of Adam")
    max_steps: int = factor(2000, unit="updates", low=1)
    stop_loss: float = factor(1e-7, unit="squared error per pixel", low=0, doc="training stops")
    control_depth: int = factor(4, unit="hidden layers", low=1, doc="fully connected")
    control_steps: int = factor(2500, unit="updates", low=1)
    n_iterations: int = factor(200, unit="applications", low=max(SHOWN_STEPS))
    dataset: str = factor("digits", choices=("digits", "mnist_small", "fashion_mnist_small"))

    @property
    def arm(self) -> str:
        """Treatment, or which control."""
        if self.kind == LINEAR:
            return LINEAR
        return MANY_IMAGES if self.n_train >= self.n_control else TREATMENT

    @property
    def n_judged(self) -> int:
        """Training images at which the network is looked at."""
        return min(self.n_train, N_JUDGED)


def cells(base: Condition) -> list[Condition]:
    """Span the depths of all kinds on few images; a control on many, and the linear one.

    Raises:
        UsageError: the control's images would be no more than those of a network on few.
    """
    if base.n_control <= 2 * base.n_train:
        raise UsageError(
            "the control needs more images than the fully connected networks have",
            got=f"n_control={base.n_control}, n_train={base.n_train}",
            allowed=f"n_control above {2 * base.n_train}, twice n_train",
        )
    found = []
    for kind in KINDS:
        n_train = 2 * base.n_train if kind == DENSE else base.n_train
        found += [
            replace(base, kind=kind, depth=depth, n_train=n_train)
            for depth in depths_of(base, kind)
        ]
    many = replace(base, kind=DENSE, depth=base.control_depth, n_train=base.n_control)
    return [*found, many, replace(base, kind=LINEAR, depth=0)]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one autoencoder on one seed's images, and iterate it."""
    # Data
    train_set, unseen = images(c, streams)
    # Model and training
    model = autoencoder(c, train_set)
    fitted = await train(model, train_set, recipe(c, train_set), streams)
    # Measures
    return describe(c, fitted, train_set, unseen)


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to the treatment, and `RULE_OF_CONTROLS` to the others."""
    if summary.arm != TREATMENT:
        what = "training images that are attractors"
        stored = exceeds(what, summary.rate, FEW_STORED)
        return judge(
            [stored, *map(not_in_design, summary.left_out), _fitted(summary)]
            if summary.n_networks
            else [unmeasured(what, "no control was run")],
            effect=summary.rate,
            unit=UNIT,
            rule=RULE_OF_CONTROLS,
            reason=f"Of its training images these are attractors: {summary.rate}; of the unseen "
            f"images these end at one: {summary.recalled}.",
        )
    return judge(
        clauses(summary),
        effect=summary.rate,
        unit=UNIT,
        rule=RULE,
        reason=(
            f"Of the deepest networks' training images these are attractors: {summary.rate} ("
            + ", ".join(f"{kind}: {rate}" for kind, rate in summary.kinds.items())
            + f"); more than of the shallowest ones': {summary.gain}; of the unseen images these "
            f"end at one: {summary.recalled}. Of {summary.n_networks} networks "
            f"{summary.n_untrained} failed to train and {summary.n_missing} were not measured."
        ),
    )


def clauses(summary: Summary) -> list[Clause]:
    """Return what the claim demands; the premise, that the networks were fitted, last."""
    rate = "training images of the deepest networks that are attractors"
    return [
        exceeds(rate, summary.rate, STORED),
        exceeds("gain over the shallowest networks", summary.gain, 0.0),
        exceeds("unseen images that end at a training image", summary.recalled, STORED),
        *map(not_in_design, summary.left_out),
        _fitted(summary),
    ]


def _fitted(summary: Summary) -> Clause:
    worst = "training loss of the network fitted worst"
    return premise(stays_below(worst, summary.worst_loss, TRAINED))


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw rates and radii over depth, unseen images on their way, and the table."""
    few, many = of_arm(records, TREATMENT), of_arm(records, MANY_IMAGES)
    found = summaries[TREATMENT]
    return [
        *rate_charts(few, many, found, clauses(found)[:2]),
        *radius_charts(few, many, ends_known=whole(found.rate, found.gain)),
        *iterates_grids(few, SHOWN_STEPS),
        networks_table(records),
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
    controls=(MANY_IMAGES, LINEAR),
    scales={
        "smoke": Scale(
            Condition(
                n_train=2,
                n_control=20,
                dense_depths="1 6",
                conv_depths="1 5",
                downsampling_depths="2 3",
                width=128,
                n_channels=16,
                learning_rate=2e-3,
                max_steps=400,
                control_steps=400,
            ),
            n_seeds=2,
        ),
        "standard": Scale(Condition(), n_seeds=5),
        "full": Scale(
            Condition(
                n_train=10,
                n_iterations=2000,
                n_control=500,
                dense_depths="1 2 4 8 11 16 20",
                conv_depths="2 5 10 15 20",
                downsampling_depths="2 5 10 15 20",
                width=1024,
                n_channels=128,
                learning_rate=1e-4,
                stop_loss=1e-8,
                max_steps=50_000,
                control_steps=20_000,
                dataset="fashion_mnist_small",
            ),
            n_seeds=3,
            note="after Radhakrishnan et al. 2020, PNAS; settings from memory",
        ),
    },
    stack_by=("kind",),
)
