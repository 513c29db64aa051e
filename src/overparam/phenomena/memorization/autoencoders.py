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

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data import Dataset, draw_subset, load, make_dataset
from overparam.data.entries import entry_of
from overparam.errors import UsageError
from overparam.lab.figure import Figure
from overparam.lab.intervals import exp_interval, mean_interval, paired_difference
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.settings import whole_numbers
from overparam.lab.verdict import (
    UNKNOWN,
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
    whole,
)
from overparam.measures import (
    iterate_to_attractor,
    memorization_rate,
    recalled_examples,
    span_energy,
)
from overparam.models import (
    convolutional_autoencoder,
    dense_autoencoder,
    downsampling_autoencoder,
)
from overparam.phenomena.memorization._autoencoder_figures import (
    iterates_grids,
    networks_table,
    radius_charts,
    rate_charts,
)
from overparam.phenomena.memorization._linear_autoencoder import (
    closed_form_error,
    descent_to_the_limit,
    start_at_zero,
)
from overparam.phenomena.memorization._trained_autoencoders import (
    N_SHOWN,
    SHOWN_STEPS,
    judged,
    of_arm,
    way,
)
from overparam.streams import Streams
from overparam.training.recipe import Recipe, Schedule
from overparam.training.train import train

DENSE, CONVOLUTIONAL, DOWNSAMPLING = "fully connected", "convolutional", "with downsampling"
KINDS = (DENSE, CONVOLUTIONAL, DOWNSAMPLING)
DEPTHS = ("dense_depths", "conv_depths", "downsampling_depths")  # fields, in the order of KINDS
N_HALVINGS = 2  # of the downsampling one, which has at least as many layers
LINEAR = "linear"
MANY_IMAGES = "many images"
# Hidden layers up to which an autoencoder counts as shallow, and from which as deep.
SHALLOW, DEEP = 2, 3
STORED = 0.5  # memorization rate, and share of unseen images
# Memorization rate of a control. With none of 5 images stored in any of 5 seeds, the interval of
# the rate, on its lattice of fifths, ends just below.
FEW_STORED = 0.25
TRAINED = 1e-5  # squared error per pixel; of these images about 0.6 % of their norm
STILL = 1e-5  # change per application, in brightness from 0 to 1, at which iterating stops
N_UNSEEN = 40  # images from which the map is iterated
N_JUDGED = 20  # training images whose Jacobian is taken
UNIT = "fraction of the training images that are attractors"
SAME_LOSS = 1.25  # losses within this factor of each other count as equal
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


@dataclass(frozen=True)
class Outcome:
    """What became of the training images, and of images the network never saw."""

    n_params: int = quantity("parameters")
    n_steps: int = quantity("updates")
    train_loss: float = quantity("squared error per pixel")
    trained: bool = quantity("", "whether the loss counts as none")
    rate: float = quantity("fraction of the training images that are attractors")
    recalled: float = quantity("fraction of the unseen images that end at a training image")
    spectral_radius: float = quantity("", "geometric mean over the training images")
    largest_radius: float = quantity("", "of the training images")
    fixed_point_error: float = quantity("relative, median over the training images")
    span_energy: float = quantity("fraction of the outputs' energy in the training images' span")
    input_span_energy: float = quantity("the same of the unseen inputs themselves")
    closed_form_error: float = quantity("largest entry off the projection, of the linear one")
    path: np.ndarray = quantity("[shown, steps, side, side]", "iterates of unseen images")
    nearest: np.ndarray = quantity("[shown, side, side]", "training image nearest to the end")


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
    f = fitted.module()
    dtype = next(f.parameters()).dtype
    examples, starts = train_set.inputs.to(dtype), unseen.to(dtype)
    stored = memorization_rate(f, examples[: c.n_judged])
    with torch.no_grad():
        once = f(starts)
    ended = iterate_to_attractor(f, starts, c.n_iterations, STILL)
    path, nearest = way(f, starts[:N_SHOWN], examples)
    loss = fitted.train_loss / train_set.n_outputs
    return Outcome(
        n_params=sum(p.numel() for p in model.parameters()),
        n_steps=fitted.n_steps,
        train_loss=loss,
        trained=loss <= TRAINED,
        rate=stored.rate,
        recalled=float((recalled_examples(ended.points, examples) >= 0).double().mean()),
        spectral_radius=float(stored.spectral_radius.log().mean().exp()),
        largest_radius=float(stored.spectral_radius.max()),
        fixed_point_error=float(stored.fixed_point_error.median()),
        span_energy=span_energy(once, examples),
        input_span_energy=span_energy(starts, examples),
        closed_form_error=(
            closed_form_error(f, train_set.inputs) if c.kind == LINEAR else float("nan")
        ),
        path=path,
        nearest=nearest,
    )


def images(c: Condition, streams: Streams) -> tuple[Dataset, Tensor]:
    """Return the training images, as inputs and as targets, and the unseen ones."""
    train_part, test_part = load(c.dataset)
    drawn = draw_subset(train_part, c.n_train, streams, balanced=True).inputs
    unseen = draw_subset(test_part, N_UNSEEN, streams, "unseen images").inputs
    return make_dataset(drawn, drawn.flatten(1), name=f"{c.dataset}, itself as target"), unseen


def autoencoder(c: Condition, train_set: Dataset) -> nn.Module:
    """Return the network of a cell as a shape without weights, or the linear one at zero."""
    side = train_set.input_shape[-1]
    if c.kind == LINEAR:
        return start_at_zero(train_set)
    return network(c, side)


def network(c: Condition, side: int) -> nn.Module:
    """Return a network that is trained from a random start, as a shape without weights."""
    if c.kind == DENSE:
        return dense_autoencoder(side, c.width, c.depth, activation=c.activation)
    build = convolutional_autoencoder if c.kind == CONVOLUTIONAL else downsampling_autoencoder
    return build(c.n_channels, c.depth, c.kernel_size, activation=c.activation)


def recipe(c: Condition, train_set: Dataset) -> Recipe:
    """Return Adam to the loss asked for, or plain gradient descent where its limit is known."""
    if c.kind == LINEAR:
        return descent_to_the_limit(train_set)
    few = c.arm == TREATMENT
    return Recipe(
        loss="squared_error",
        optimizer="adam",
        # Many images are fitted in a reasonable time with larger steps only.
        learning_rate=c.learning_rate if few else 2 * c.learning_rate,
        schedule=Schedule("cosine"),
        steps=c.max_steps if few else c.control_steps,
        batch_size=None,
        stop_at_loss=c.stop_loss * train_set.n_outputs,
        trace=20,
    )


def depths_of(c: Condition, kind: str) -> list[int]:
    """Return the depths of the sweep of one kind, in ascending order."""
    field = DEPTHS[KINDS.index(kind)]
    low = N_HALVINGS if kind == DOWNSAMPLING else 1
    return whole_numbers(c, field, places="depth", low=low)


@dataclass(frozen=True)
class Summary:
    """One arm, at the largest depth of each kind.

    Attributes:
        rate, recalled: memorization rate, and unseen images that end at a training image; mean
            over the kinds of a seed. gain: rate minus that at the smallest depths.
        worst_loss: training loss, per pixel, of the network fitted worst of those looked at.
        left_out: what the arm is said to have and the design lacks.
        kinds: rate of each kind. n_networks, n_untrained, n_missing: of all depths; those that
            failed to train, and those that were not measured.
    """

    arm: str
    rate: Interval
    recalled: Interval
    gain: Interval
    worst_loss: Interval
    kinds: Mapping[str, Interval]
    n_networks: int
    n_untrained: int
    n_missing: int
    left_out: tuple[str, ...] = ()


def summarise(records: Records) -> dict[str, Summary]:
    """Summarise few images, many images, and the linear autoencoder."""
    arms = {arm: of_arm(records, arm) for arm in (TREATMENT, MANY_IMAGES, LINEAR)}
    return {arm: _summarise_arm(arm, found) for arm, found in arms.items()}


def _summarise_arm(arm: str, records: Records) -> Summary:
    if not len(records):
        left_out = _left_out(arm, {})
        return Summary(arm, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, {}, 0, 0, 0, left_out)
    kinds = dict.fromkeys(r.condition.kind for r in records)
    by_kind = {kind: records.where(kind=kind) for kind in kinds}
    rates = {kind: judged(own, "rate")[1] for kind, own in by_kind.items()}
    recalled = [judged(own, "recalled")[1] for own in by_kind.values()]
    losses = [own.matrix("train_loss", by="depth")[1][[0, -1]] for own in by_kind.values()]
    deepest, shallowest = (np.mean([rate[i] for rate in rates.values()], axis=0) for i in (-1, 0))
    images = {kind: own[0].condition.n_judged for kind, own in by_kind.items()}
    # The mean of the kinds is no finer known than the coarsest of them.
    step, unit = 1 / (len(images) * min(images.values())), (0.0, 1.0)
    return Summary(
        arm=arm,
        rate=mean_interval(deepest, step=step, bounds=unit),
        recalled=mean_interval(
            np.mean([found[-1] for found in recalled], axis=0),
            step=1 / (len(images) * N_UNSEEN),
            bounds=unit,
        ),
        gain=paired_difference(deepest, shallowest, step=step),
        worst_loss=exp_interval(
            mean_interval(
                np.log(np.maximum(np.max(losses, axis=(0, 1)), 1e-300)), step=math.log(SAME_LOSS)
            )
        ),
        kinds={
            kind: mean_interval(rate[-1], step=1 / images[kind], bounds=unit)
            for kind, rate in rates.items()
        },
        n_networks=len(records),
        n_untrained=sum(not r.outcome.trained for r in records.measured),
        n_missing=len(records) - len(records.measured),
        left_out=_left_out(arm, by_kind),
    )


def _left_out(arm: str, by_kind: Mapping[str, Records]) -> tuple[str, ...]:
    lacking = []
    if arm == TREATMENT:
        lacking = [f"{kind} networks" for kind in KINDS if kind not in by_kind]
        for kind, own in by_kind.items():
            depths = own.levels("depth")
            if depths[0] > SHALLOW:
                lacking.append(f"shallow {kind} networks")
            if depths[-1] < DEEP:
                lacking.append(f"deep {kind} networks")
    conditions = dict.fromkeys(r.condition for own in by_kind.values() for r in own)
    if arm != LINEAR and any(n_params_of(c) < c.n_train * n_pixels_of(c) for c in conditions):
        lacking.append("overparameterized networks alone")
    return tuple(lacking)


def n_pixels_of(c: Condition) -> int:
    """Return how many numbers an image has."""
    return math.prod(entry_of(c.dataset).input_shape)


@lru_cache(maxsize=256)
def n_params_of(c: Condition) -> int:
    """Return how many parameters a network has, not the linear one."""
    return sum(p.numel() for p in network(c, entry_of(c.dataset).input_shape[-1]).parameters())


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
    stored, gain, *_ = clauses(found)
    title = "Training images that are attractors, over depth"
    if shown(stored, gain):
        title = (
            f"The deepest autoencoders store {found.rate.estimate:.0%} of their training images as "
            f"attractors, the shallowest {found.rate.estimate - found.gain.estimate:.0%}"
        )
    left_out = (
        f"Of {found.n_networks} networks {found.n_untrained} failed to train and "
        f"{'is' if found.n_untrained == 1 else 'are'} left out."
    )
    return [
        *rate_charts(few, many, title, found.recalled, left_out),
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
