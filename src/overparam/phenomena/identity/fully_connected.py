"""Fully connected networks never learn the identity from one example.

Claim: Fully connected networks that fit one image of a 7 never learn to return other images: one
    linear layer makes noise of what they have nothing in common with the 7, and with every step
    in depth, linear or ReLU, the output turns to the 7.

Control: One linear layer, trained in the same way on twice as many images as pixels, in general
    position. It learns the identity.

Falsified: The control would fail if the layer itself were the reason: one linear layer that fits
    more images than there are pixels and still does not return unseen ones.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the figure
    of fully connected networks: linear with 1, 2 and 6 layers, ReLU with 2 and 6, no biases.

Differs: Below the full scale, images of 14 x 14 pixels, ReLU layers of 512 units instead of 2,048
    (both more than twice the input, as the identity needs). Momentum 0.9, but a constant learning
    rate set from the images, until the squared error is 1e-6 per pixel. Every seed draws another
    7. The control's images are digits and clothes plus Gaussian noise of standard deviation 0.2:
    without it corners, always black, would never be learned. In the paper deeper networks do not
    learn the identity reliably from 60,000 digits; the control has one layer.

In practice: A layer in which everything is connected to everything has no reason to treat an
    unseen pixel like a seen one. It needs examples for every direction of its input before it
    generalizes even the simplest map; with fewer, what it answers there is its initialization, or
    with depth its training set. Prefer an architecture that shares weights where the task does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import numpy as np

from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor, quantity
from overparam.lab.records import Records
from overparam.lab.verdict import (
    UNKNOWN,
    Clause,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    stays_below,
    told,
    unmeasured,
    whole,
)
from overparam.models import mlp
from overparam.phenomena.identity._fully_connected_figures import (
    depth_charts,
    gallery,
    images_charts,
    networks_table,
    response_charts,
    similarity_maps,
)
from overparam.phenomena.identity._fully_connected_summary import (
    KINDS,
    MANY,
    MANY_IMAGES,
    ONE_LAYER,
    Summary,
    network_name,
    summarise,
)
from overparam.phenomena.identity._left_out import unfitted
from overparam.phenomena.identity._many_images import noisy_images, response_to_lacking
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import CLEAR, LIKENESS, NOT_JUDGED
from overparam.phenomena.identity._task import (
    IdentityTask,
    MapOutcome,
    TrainingFactors,
    describe_map,
    identity_recipe,
    make_identity_task,
)
from overparam.streams import Streams
from overparam.theory.identity_map import principal_directions
from overparam.training.fitted import Fitted
from overparam.training.recipe import Recipe
from overparam.training.train import train

NETWORKS = (ONE_LAYER, ("identity", 2), ("identity", 6), ("relu", 2), ("relu", 6))
MOMENTUM = 0.9
FAR = 0.5  # half way between the constant and the identity
NO_LIKENESS = 0.25  # cosine; the identity has 1, a random direction of 64 pixels 0.12 in size
SOME_ENERGY = 0.1  # of what comes in; a random layer passes on a third
RULE = (
    "Shortfall: 1 - (c - b) / (1 - b), with c the mean correlation of outputs to inputs and b that "
    "of the training image to inputs: 0 for the identity, 1 for the constant, more for noise. "
    f"Observed if it lies above {FAR} in every network, by the 95 % intervals over seeds and in "
    "every single seed; if the intervals show that the correlation to the training image rises "
    "from each depth to the next, linear and ReLU, paired by seed, and that at the deepest of "
    f"either the likeness to the constant lies above {CLEAR}; and that of the part of an "
    "input that is orthogonal to the training image one linear layer makes noise: more than "
    f"{SOME_ENERGY} of its energy, at a cosine below {NO_LIKENESS} to it. Absent if a whole "
    "interval says the contrary of one of these, else inconclusive. The control is judged by its "
    f"own sentence alone: it is absent only if its shortfall is shown to lie below {FAR}. "
    f"{LIKENESS} {NOT_JUDGED}"
)


@dataclass(frozen=True)
class Condition(TrainingFactors):
    """A depth and a nonlinearity, and the number of images trained on."""

    activation: str = factor("identity", choices=("identity", "relu"))
    depth: int = factor(1, unit="layers", low=1)
    n_train: int = factor(1, symbol="n", unit="images", low=1)
    relu_width: int = factor(512, symbol="H", unit="units", low=1, doc="linear: as many as pixels")
    rate: float = factor(0.05, unit="1 / largest eigenvalue", low=1e-6, doc="learning rate")
    convex_rate: float = factor(1.0, unit="1 / largest eigenvalue", low=1e-6, doc="of one layer")
    pixel_noise: float = factor(0.2, unit="brightness", low=0, doc="of more than one image")
    target_loss: float = factor(1e-6, unit="squared error per pixel", low=0, doc="to fit to")
    max_steps: int = factor(10_000, unit="updates", low=1)


@dataclass(frozen=True)
class Outcome(MapOutcome):
    """Which map a network has become, and what it makes of u = x - P x, which training lacked."""

    baseline: float = quantity("correlation", "of the inputs with the training image, mean")
    response_energy: float = quantity("|f(x) - f(Px)|^2 / |u|^2, mean")
    response_cosine: float = quantity("cosine", "of f(x) - f(Px) with u, mean")
    relative_error: float = quantity("|f(x) - x|^2 / |x|^2, mean")
    off_span: float = quantity("|u|^2 / |x|^2, mean")


def cells(base: Condition) -> list[Condition]:
    """Span the networks on one image, and one linear layer on parts of as many as pixels."""
    pixels = base.side**2
    counts = (pixels // 8, pixels // 4, pixels // 2, 3 * pixels // 4, MANY * pixels)
    one_image = [replace(base, activation=a, depth=d) for a, d in NETWORKS]
    return one_image + [replace(base, n_train=n) for n in counts]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network and see what it makes of images it never saw."""
    task, pixels = task_of(c, streams), c.side**2
    width = pixels if c.activation == "identity" else c.relu_width
    model = mlp(pixels, [width] * (c.depth - 1), pixels, activation=c.activation, bias=False)
    fitted = await train(model, task.train_set, recipe(c, task), streams)
    return describe(c, fitted, task)


def task_of(c: Condition, streams: Streams) -> IdentityTask:
    """Return one seed's images: one 7, or digits and clothes with noise where there are more."""
    one = make_identity_task(streams, c.side)
    if c.n_train == 1:
        return one
    return replace(one, training=noisy_images(c.n_train, c.side, c.pixel_noise, streams))


def recipe(c: Condition, task: IdentityTask) -> Recipe:
    """Return gradient descent with momentum, its rate set from the images' second moments."""
    energies, _ = principal_directions(task.training.flatten(1).numpy())
    rate = c.convex_rate if c.depth == 1 else c.rate
    return replace(
        identity_recipe(
            task.train_set,
            max_steps=c.max_steps,
            target_loss=c.target_loss,
            precision=c.precision,
        ),
        optimizer="sgd",
        momentum=MOMENTUM,
        learning_rate=rate * len(task.training) / energies[0],
    )


def describe(c: Condition, fitted: Fitted, task: IdentityTask) -> Outcome:
    """Return the scores of a trained network, and its response to what the training lacked."""
    found = describe_map(fitted, task, recipe(c, task), with_layers=c.n_train == 1)
    lacking = response_to_lacking(fitted.module().double(), task.training, task.probe.images)
    return Outcome(
        **{f.name: getattr(found, f.name) for f in fields(MapOutcome)},
        baseline=float(np.mean(found.baselines)),
        **lacking,
    )


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    clauses = [
        exceeds(f"shortfall of {network_name(n)}", found, FAR)
        for n, found in summary.shortfalls.items()
    ]
    if summary.arm == TREATMENT:
        clauses += _of_one_image(summary)
    elif not clauses:
        clauses = [unmeasured("shortfall", "no control was run")]
    elif not summary.is_general:
        clauses.append(not_in_design("images in general position"))
    clauses += unfitted(summary.left_out)
    least = summary.nearest
    nearest = (
        f"The network nearest to the identity, {network_name(least[0])}, falls short of it by "
        f"{least[1]}. "
        if least
        else ""
    )
    return judge(
        clauses,
        effect=least[1] if least else UNKNOWN,
        unit="share of the way from the identity to the constant, of the best network",
        rule=RULE,
        reason=f"{nearest}{summary.left_out}",
    )


def _of_one_image(summary: Summary) -> list[Clause]:
    """What is claimed of networks with one image beside their shortfall.

    Where the images span everything, as the control's do, nothing is left to make noise of.
    """
    clauses = [exceeds("least shortfall of any network and seed", summary.least, FAR)]
    clauses += [
        exceeds(f"rise of the correlation to the training image up to {network_name(n)}", rise, 0.0)
        for n, rise in summary.rises.items()
    ]
    clauses += [
        exceeds(f"likeness to the constant of {network_name(n)}", found, CLEAR)
        for n, found in summary.like_constant.items()
    ]
    for activation, kind in KINDS.items():
        if not any(a == activation for a, _ in summary.shortfalls):
            clauses.append(not_in_design(f"shortfall of {kind} networks"))
        if not any(a == activation for a, _ in summary.rises):
            clauses.append(not_in_design(f"rise with depth, {kind}"))
    if summary.noise_energy is None or summary.noise_cosine is None:
        return [*clauses, not_in_design("noise of one linear layer")]
    return [
        *clauses,
        exceeds("energy of one layer's response", summary.noise_energy, SOME_ENERGY),
        stays_below("cosine of one layer's response", summary.noise_cosine, NO_LIKENESS),
    ]


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the networks at work, the scores by depth, by similarity and by number of images."""
    one_image = records.where(n_train=1)
    c, least = replace(records[0].condition, n_train=1), summaries[TREATMENT].nearest
    shortfalls = summaries[TREATMENT].shortfalls.values()
    every = bool(shortfalls) and whole(*shortfalls)
    way = told(round(1 - least[1].estimate, 2), ".0%") if least and every else ""
    return [
        *gallery(records, lambda streams: task_of(c, streams), way),
        *depth_charts(one_image, whole=every),
        *response_charts(one_image, whole=every),
        *images_charts(records, summaries[TREATMENT].least.n),
        *similarity_maps(one_image),
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
    controls=(MANY_IMAGES,),
    scales=three_scales(
        Condition,
        smoke={
            "side": 8,
            "relu_width": 160,
            "pixel_noise": 0.3,
            "max_steps": 10_000,
        },
        full={"relu_width": 2048},
        n_seeds=(4, 10, 10),
        note="784 units, linear, and 2,048, ReLU",
    ),
)
