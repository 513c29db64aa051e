"""Where in the layers the input is lost.

Claim: A deep convolutional network with random weights shows nothing of its input in its last
    layers. Trained on one image until it returns that image whatever it is shown, the same
    network shows more of its input in its middle layers than networks with random weights do.

Control: The trained network with the weights of every layer shuffled, and their mean put back to
    where it started: as spread, but without the places and the common shift that training gave.

Falsified: The control would fail if the spread of the trained weights did it, wherever they stand
    (because they have grown, or a few have become very large): such networks would show more of
    their input than random ones do, in the middle layers. Their mean is put back because it is no
    size: a layer whose weights have become positive in the mean blurs its input and goes on showing
    it, which alone makes up to three quarters of what training does.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the
    figure of the activations of random and trained networks of 7, 14 and 20 layers.

Differs: The paper shows pictures; here "shows" is a number: the correlation of a layer's leading
    component with the input, both without what all inputs have in common. Below the full scale,
    14 x 14 pixels, 32 channels, 7 and 20 layers, trained to a squared error of 1e-4 per pixel. A
    linear probe says how much can be read off all activations of a layer together, which need not
    be visible in any picture.

In practice: What a network returns says little of what its layers still hold. Before you call
    information lost, or private, read it off the layers: a probe finds in the random network's
    last layer much that no picture shows, and the trained network's layers hold less of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from overparam.data import draw_clothes
from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor, quantity
from overparam.lab.records import Records
from overparam.lab.settings import whole_numbers
from overparam.lab.verdict import Interval, Verdict, exceeds, judge, premise, stays_below
from overparam.models import same_convnet
from overparam.phenomena.identity._figures import galleries
from overparam.phenomena.identity._layer_figures import layer_charts
from overparam.phenomena.identity._layer_scores import (
    SCORES,
    layer_scores,
    shuffle_weights,
    visible_of,
)
from overparam.phenomena.identity._left_out import LeftOut, has_value, left_out_of, unfitted
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import (
    CORRELATION,
    DEEP,
    NEAR,
    NOT_JUDGED,
    deep_networks,
    score_interval,
)
from overparam.phenomena.identity._task import (
    AdamFactors,
    MapOutcome,
    describe_network,
    make_identity_task,
    recipe_of,
)
from overparam.streams import Streams
from overparam.training.initialise import materialise
from overparam.training.train import train

TRAINED, RANDOM = "trained", "random"
SHUFFLED = "shuffled weights"
N_SHUFFLES = 8  # one alone scatters as much as one random start, by a tenth
SHALLOWEST = 4  # layers; of fewer, none lies beyond the middle
MIDDLE = (0.4, 0.7)  # of the depth: layers 8 to 14 of 20; the last layers lie beyond
# Visible shape is 1 for a layer that passes its input on. A tenth can be seen in the pictures, and
# single random networks scatter by as much.
SMALLEST, NOTHING = 0.12, 0.1
RULE = (
    "Visible shape: correlation of a layer's leading component with the input, both without their "
    "mean over the inputs; 1 shows the input, 0 nothing of it. In the deepest network, observed if "
    "the 95 % intervals over seeds show that (mean over the middle layers, trained) - (random "
    f"networks: the start with its weights shuffled, mean of {N_SHUFFLES}) lies above {SMALLEST}, "
    f"and that the mean over the last layers, random, lies below {NOTHING}; absent if one lies "
    "wholly beyond its bound; else inconclusive, and so too unless the trained network's outputs "
    f"are shown to have a correlation to the training image above {NEAR}, and where it has fewer "
    f"than {DEEP} layers. Of the control, the "
    "first clause and this premise alone count: it is absent only if its difference is shown to "
    f"lie below {SMALLEST}. Middle layers: {MIDDLE[0]:.0%} to {MIDDLE[1]:.0%} of the depth; last "
    f"layers: the hidden ones beyond. {NOT_JUDGED}"
)


@dataclass(frozen=True)
class Condition(AdamFactors):
    """A depth, and whether the network is trained."""

    depth: int = factor(0, unit="layers", low=SHALLOWEST, doc="0: placed by the design")
    state: str = factor(TRAINED, choices=(TRAINED, RANDOM))
    depths: str = factor("7 20", unit="layers", doc="of the design")
    n_channels: int = factor(32, symbol="c", unit="channels", low=1)
    n_fit: int = factor(200, unit="images", low=10, high=4000, doc="that fit the linear probes")
    noise: float = factor(0.01, low=1e-6, doc="of activations under a probe, relative")
    # With twice the step one in twenty of these networks leaves its way and never comes back.
    learning_rate: float = factor(1.5e-4, symbol="eta", low=1e-8, doc="of Adam")
    target_loss: float = factor(1e-4, unit="squared error per pixel", low=1e-12)


@dataclass(frozen=True)
class Outcome(MapOutcome):
    """The map, and what each layer shows and holds of the input; the last entry is the output."""

    visible: Any = quantity("correlation, [layers]", "of the leading component with the input")
    constant: Any = quantity("correlation, [layers]", "of it with the training image")
    dependence: Any = quantity("share, [layers]", "of the activations that depends on the input")
    read_by_pixel: Any = quantity("R^2, [layers]", "read off the channels at each pixel")
    read_by_layer: Any = quantity("R^2, [layers]", "read off the whole layer")
    visible_shuffled: Any = quantity(
        "correlation, [layers]", "as visible, mean over shuffled weights, where it is judged"
    )


def cells(base: Condition) -> list[Condition]:
    """Span depths and states."""
    return [replace(base, depth=d, state=s) for d in depths_of(base) for s in (TRAINED, RANDOM)]


def middle_of(depth: int) -> tuple[int, int]:
    """Return the first of the middle layers, counted from 0, and the first beyond them."""
    return int(MIDDLE[0] * depth) - 1, int(MIDDLE[1] * depth)


def depths_of(base: Condition) -> list[int]:
    """Return the depths of the design."""
    return whole_numbers(base, "depths", places="depth")


async def run(c: Condition, streams: Streams) -> Outcome:
    """Make one network and look into its layers."""
    # Data
    task = make_identity_task(streams, c.side)
    # Model
    network = materialise(same_convnet(c.depth, c.n_channels), streams, torch.float32)
    means = [float(weight.detach().mean()) for weight in network.parameters()]
    # Training
    n_steps, loss, learned = 0, float("nan"), False
    if c.state == TRAINED:
        fitted = await train(network, task.train_set, recipe_of(c, task), streams)
        network, n_steps = fitted.module().float(), fitted.n_steps
        loss = fitted.train_loss / task.train_set.n_outputs
        learned = loss <= c.target_loss
    # Measures
    seen = describe_network(network, task, n_steps=n_steps, train_loss=loss, learned=learned)
    fit = draw_clothes(c.n_fit, streams, c.side)
    scores = layer_scores(network, task, fit, c.noise)
    shuffled = np.full(len(scores["visible"]), np.nan)
    if c.depth == max(depths_of(c)):  # what is judged
        each = [streams.child(f"shuffle {i}") for i in range(N_SHUFFLES)]
        middle = slice(*middle_of(c.depth))
        drawn = [
            visible_of(shuffle_weights(network, means, s), task.probe.images, middle) for s in each
        ]
        shuffled[middle] = np.mean(drawn, axis=0)
    return Outcome(**vars(seen), **scores, visible_shuffled=shuffled)


@dataclass(frozen=True)
class Summary:
    """One arm: layer-wise scores of the deepest network `[layers, seeds]`, and what is judged.

    Attributes:
        arm: the treatment or the control, which has a shorter rule.
        scores, random: of the trained network and of its start, by name.
        difference: of the visible shape in the middle layers, this arm minus random networks.
        last: visible shape of the random network in its last layers.
        to_constant: correlation of the trained network's outputs with the training image.
        left_out: what became of the trained networks.
    """

    arm: str
    depth: int
    scores: Mapping[str, np.ndarray]
    random: Mapping[str, np.ndarray]
    difference: Interval
    last: Interval
    to_constant: Interval
    left_out: LeftOut


def summarise(records: Records) -> dict[str, Summary]:
    """Compare the deepest network, trained or shuffled after training, with random ones.

    The random start with its weights shuffled is another random network, and the mean of many is
    known better than one.
    """
    deepest = records.where(depth=max(records.levels("depth")))
    shown = {TREATMENT: "visible", SHUFFLED: "visible_shuffled"}
    return {arm: _summarise_arm(deepest, arm, name) for arm, name in shown.items()}


def _summarise_arm(deepest: Records, arm: str, shown: str) -> Summary:
    depth = deepest[0].condition.depth
    scores, random = layer_curves(deepest, TRAINED), layer_curves(deepest, RANDOM)
    first, end = middle_of(depth)
    more = (scores[shown] - random["visible_shuffled"])[first:end].mean(0)
    return Summary(
        arm,
        depth,
        scores,
        random,
        difference=score_interval(more),
        last=score_interval(random["visible"][end:-1].mean(0), CORRELATION),
        to_constant=score_interval(scores["constant"][-1], CORRELATION),
        left_out=left_out_of(deepest.where(state=TRAINED)),
    )


def layer_curves(records: Records, state: str) -> dict[str, np.ndarray]:
    """Return the layer-wise scores `[layers, seeds]`; NaN where there is no network that fits."""
    names = (*SCORES, "visible_shuffled")
    depth, seeds = records[0].condition.depth, records.seeds
    found = {name: np.full((depth, len(seeds)), np.nan) for name in names}
    for r in records.where(state=state):
        if has_value(r) or (state == RANDOM and r.is_measured):
            for name in names:
                found[name][:, seeds.index(r.seed)] = getattr(r.outcome, name)
    return found


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    low, high = (round(share * summary.depth) for share in MIDDLE)
    # What the random network shows says nothing of shuffled weights.
    random = stays_below("visible shape in the random last layers", summary.last, NOTHING)
    return judge(
        [
            exceeds("difference in the middle layers", summary.difference, SMALLEST),
            *([random] if summary.arm == TREATMENT else []),
            premise(exceeds("correlation of outputs to the image", summary.to_constant, NEAR)),
            *deep_networks(summary.depth),
            *unfitted(summary.left_out),
        ],
        effect=summary.difference,
        unit="difference of visible shape, trained - random",
        rule=RULE,
        reason=f"In layers {low} to {high} of {summary.depth} the visible shape less that of the "
        f"random networks is {summary.difference}. {summary.left_out}",
    )


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the networks' layers, and what each layer shows, holds and returns."""
    one, side = summaries[TREATMENT], records[0].condition.side
    gallery = galleries(
        records,
        lambda streams: make_identity_task(streams, side),
        family=lambda r: r.condition.state,
        level=lambda r: r.condition.depth,
        label=lambda r: f"{r.condition.depth} layers",
        title="What every layer shows of its input, before and after training on one image",
        hint="Below the grid, each image is the leading component of a layer. Switch between the "
        "network as it starts and as it is when it has learned one image.",
        training_words={RANDOM: "not trained on"},
    )
    charts = layer_charts(
        one.scores, one.random, one.difference, summaries[SHUFFLED].difference, str(one.left_out)
    )
    return [*gallery, *charts]


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(SHUFFLED,),
    revision=5,
    scales=three_scales(
        Condition,
        smoke={
            "depths": "12",
            "n_channels": 16,
            "n_fit": 60,
            "max_steps": 6000,
            "target_loss": 1e-5,
        },
        full={"depths": "7 14 20", "n_channels": 128, "n_fit": 1000},
        n_seeds=(3, 8, 5),
        note="128 channels, 7, 14 and 20 layers",
    ),
)
