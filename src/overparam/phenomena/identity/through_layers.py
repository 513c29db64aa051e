"""Where in the layers the input is lost and the constant is made.

Claim: A deep convolutional network with random weights shows less of its input with every layer,
    and nothing after about eight. Trained on one image until it returns that image whatever it is
    shown, the same network still shows its input in its middle layers.

Control: Another random start in place of the trained network. It shows as little as the first.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the
    figure of the activations of random and trained networks of 7, 14 and 20 layers.

Differs: The paper shows pictures; here "shows" is a number: the correlation of a layer's leading
    component with the input, both without what all inputs have in common. Below the full scale,
    14 x 14 pixels and 32 channels. Besides, a linear probe says how much can be read off all
    activations of a layer together, which need not be visible in any picture.

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
from overparam.lab.figure import Axis, Chart, Figure, Panel, Role
from overparam.lab.intervals import mean_interval
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor, quantity
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import Interval, Verdict, decide
from overparam.measures.image_maps import correlation
from overparam.measures.layer_images import layer_activations, leading_component
from overparam.measures.layer_reading import input_dependence, read_off, visible_shape
from overparam.models import same_convnet
from overparam.phenomena.identity._figures import network_gallery
from overparam.phenomena.identity._task import (
    IdentityTask,
    MapOutcome,
    describe_network,
    identity_recipe,
    make_identity_task,
)
from overparam.streams import Streams
from overparam.training.initialise import materialise
from overparam.training.train import train

TRAINED, RANDOM, ANOTHER = "trained", "random", "another random start"
MIDDLE = (0.4, 0.7)  # of the depth: layers 8 to 14 of 20
# Visible shape is 1 for a layer that passes its input on. The difference of two random starts is
# within 0.05 of 0; a tenth can be seen in the pictures.
SMALLEST_DIFFERENCE = 0.1
RULE = (
    "Visible shape: correlation of a layer's leading component with the input, both without their "
    "mean over the inputs; 1 shows the input, 0 nothing of it. Observed if the 95 % interval over "
    "seeds of (mean over the middle layers, trained) - (random) in the deepest network lies above "
    f"{SMALLEST_DIFFERENCE}; absent if it lies below. Middle layers: {MIDDLE[0]:.0%} to "
    f"{MIDDLE[1]:.0%} of the depth. Networks that did not fit their image are not judged."
)
LAYER = Axis("Layer", "of the deepest network; the last is the output")


@dataclass(frozen=True)
class Condition:
    """A depth, and whether the network is trained."""

    depth: int = factor(0, unit="layers", low=0, doc="0: placed by the design")
    state: str = factor(TRAINED, choices=(TRAINED, RANDOM, ANOTHER))
    depths: str = factor("7 14 20", unit="layers", doc="of the design")
    n_channels: int = factor(32, symbol="c", unit="channels", low=1)
    side: int = factor(14, unit="pixels", low=8)
    n_fit: int = factor(200, unit="images", low=10, high=4000, doc="that fit the linear probes")
    noise: float = factor(0.01, low=1e-6, doc="of activations under a probe, relative")
    learning_rate: float = factor(3e-4, symbol="eta", low=1e-8, doc="of Adam")
    max_steps: int = factor(6000, unit="updates", low=1)
    target_loss: float = factor(1e-5, unit="squared error per pixel", low=0)
    precision: str = factor("float32", choices=("auto", "float32", "bfloat16", "float64"))


@dataclass(frozen=True)
class Outcome(MapOutcome):
    """The map, and what each layer shows and holds of the input; the last entry is the output."""

    visible: Any = quantity("correlation, [layers]", "of the leading component with the input")
    constant: Any = quantity("correlation, [layers]", "of it with the training image")
    dependence: Any = quantity("share, [layers]", "of the activations that depends on the input")
    read_by_pixel: Any = quantity("R^2, [layers]", "read off the channels at each pixel")
    read_by_layer: Any = quantity("R^2, [layers]", "read off the whole layer")


def cells(base: Condition) -> list[Condition]:
    """Span depths and states; the second random start at the largest depth alone."""
    depths = [int(d) for d in base.depths.split()]
    both = [replace(base, depth=d, state=s) for d in depths for s in (TRAINED, RANDOM)]
    return [*both, replace(base, depth=max(depths), state=ANOTHER)]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Make one network and look into its layers."""
    # Data
    task = make_identity_task(streams, c.side)
    # Model
    model = same_convnet(c.depth, c.n_channels)
    start = streams.child("another") if c.state == ANOTHER else streams
    network = materialise(model, start, torch.float32)
    # Training
    n_steps, loss, learned = 0, float("nan"), False
    if c.state == TRAINED:
        recipe = identity_recipe(
            task.train_set,
            max_steps=c.max_steps,
            learning_rate=c.learning_rate,
            target_loss=c.target_loss,
            precision=c.precision,
        )
        fitted = await train(model, task.train_set, recipe, streams)
        network, n_steps = fitted.module().float(), fitted.n_steps
        loss = fitted.train_loss / task.train_set.n_outputs
        learned = loss * task.train_set.n_outputs <= (recipe.stop_at_loss or 0)
    # Measures
    seen = describe_network(network, task, n_steps=n_steps, train_loss=loss, learned=learned)
    fit = draw_clothes(c.n_fit, streams, c.side)
    return Outcome(**vars(seen), **layer_scores(network, task, fit, c.noise))


@torch.no_grad()
def layer_scores(
    network: torch.nn.Module, task: IdentityTask, fit: torch.Tensor, noise: float
) -> dict[str, Any]:
    """Return the layer-wise fields of `Outcome`, the output being the last layer."""
    inputs, side = task.probe.images, task.probe.images.shape[-1]
    pairs = zip(layers_of(network, fit), layers_of(network, inputs), strict=True)
    rows = []
    for at_fit, at_inputs in pairs:
        shown = leading_component(at_inputs, side)
        likeness = correlation(shown, task.training[0].expand_as(shown))
        rows.append(
            (
                float(visible_shape(shown, inputs[:, 0]).mean()),
                float(likeness.mean()),
                input_dependence(at_inputs),
                read_off(at_fit, fit, at_inputs, inputs, probe="pixel", noise=noise),
                read_off(at_fit, fit, at_inputs, inputs, probe="layer", noise=noise),
            )
        )
    names = ("visible", "constant", "dependence", "read_by_pixel", "read_by_layer")
    return {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def layers_of(network: torch.nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """Return the activations of all layers, the output included."""
    return [*layer_activations(network, images), network(images).reshape(images.shape)]


@dataclass(frozen=True)
class Summary:
    """One arm: layer-wise scores of the deepest network `[layers, seeds]`, and the difference."""

    depth: int
    scores: Mapping[str, np.ndarray]
    random: Mapping[str, np.ndarray]
    difference: Interval
    n_not_learned: int


def summarise(records: Records) -> dict[str, Summary]:
    """Compare the deepest network, trained or started anew, with its random start."""
    deepest = records.where(depth=max(records.levels("depth")))
    arms = {TREATMENT: TRAINED, ANOTHER: ANOTHER}
    return {
        arm: _summarise_arm(deepest, state)
        for arm, state in arms.items()
        if len(deepest.where(state=state)) and len(deepest.where(state=RANDOM))
    }


def _summarise_arm(deepest: Records, state: str) -> Summary:
    depth = deepest[0].condition.depth
    scores, random = layer_curves(deepest, state), layer_curves(deepest, RANDOM)
    middle = slice(int(MIDDLE[0] * depth) - 1, int(MIDDLE[1] * depth))
    gain = (scores["visible"] - random["visible"])[middle].mean(0)
    judged = deepest.where(lambda r: r.condition.state == TRAINED and r.outcome is not None)
    missed = sum(not r.outcome.learned for r in judged)
    return Summary(depth, scores, random, mean_interval(gain), missed)


def layer_curves(records: Records, state: str) -> dict[str, np.ndarray]:
    """Return the layer-wise scores `[layers, seeds]`; NaN for networks that did not fit."""
    names = ("visible", "constant", "dependence", "read_by_pixel", "read_by_layer")
    by_seed = {r.seed: r.outcome for r in records.where(state=state)}
    nothing = np.full(records[0].condition.depth, np.nan)

    def curve(seed: int, name: str) -> np.ndarray:
        outcome = by_seed.get(seed)
        if outcome is None or (state == TRAINED and not outcome.learned):
            return nothing
        return np.asarray(getattr(outcome, name), float)

    return {name: np.stack([curve(s, name) for s in records.seeds], axis=1) for name in names}


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    low, high = (round(share * summary.depth) for share in MIDDLE)
    return decide(
        summary.difference,
        at_least=SMALLEST_DIFFERENCE,
        unit="difference of visible shape, trained - random",
        rule=RULE,
        reason=f"In layers {low} to {high} of {summary.depth} the visible shape is higher by "
        f"{summary.difference} than in the random start.",
    )


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the networks' layers, and what each layer shows, holds and returns."""
    trained, seed = summaries[TREATMENT], records.seeds[0]
    first = records.where(lambda r: r.seed == seed and r.condition.state != ANOTHER)
    gallery = network_gallery(
        first,
        make_identity_task(Streams(seed), first[0].condition.side),
        family=lambda r: r.condition.state,
        level=lambda r: r.condition.depth,
        label=lambda r: f"{r.condition.depth} layers",
        title=f"The trained {trained.depth}-layer network keeps its input in sight for longer, "
        "and returns a constant",
        caption="Choose a network and an input, and follow it through the layers below the grid: "
        "each image is the leading component of a layer. Switch between the network as it starts "
        f"and as it is when it has learned one image. Seed {seed}.",
        training_words={RANDOM: "not trained on"},
    )
    lost = np.flatnonzero(trained.random["visible"].mean(1) < SMALLEST_DIFFERENCE)
    gone = f"sinks below {SMALLEST_DIFFERENCE} at layer {lost[0] + 1}" if len(lost) else "fades"
    before, output = (mean_interval(trained.scores["constant"][i]).estimate for i in (-2, -1))
    read = [
        mean_interval(s["read_by_layer"][-2]).estimate for s in (trained.random, trained.scores)
    ]
    return [
        gallery,
        _chart(
            "visible_shape",
            f"In the random network the visible shape {gone}; training keeps it up",
            "Visible shape: correlation of a layer's leading component with the input, both "
            "without what all inputs have in common (their mean). "
            f"In the middle layers training adds {trained.difference}.",
            "Visible shape",
            "correlation",
            "visible",
            summaries,
        ),
        _chart(
            "constant",
            f"The constant is made at the end: {before:.2f} in the last hidden layer, "
            f"{output:.2f} in the output",
            "Correlation of a layer's leading component with the training image. Unseen inputs "
            "and the training image are alike to some degree, which is where the lines lie until "
            "the last layers.",
            "Correlation with the training image",
            "",
            "constant",
            summaries,
        ),
        _chart(
            "read_off",
            "What cannot be seen can still be read: a linear probe finds "
            f"{read[0]:.0%} of the input in the random network's last hidden layer, "
            f"{read[1]:.0%} in the trained one's",
            "Share of the variance of unseen inputs that a linear probe of the whole layer "
            "explains, when every activation is known to one part in a hundred. Random layers mix "
            "the input and keep most of it; learning one image throws some of it away.",
            "Read off the layer",
            "R²",
            "read_by_layer",
            summaries,
        ),
        _chart(
            "dependence",
            "The share of the activations that depends on the input falls with depth",
            "1 - |mean activations|² / mean |activations|², over the test inputs. 0 would be a "
            "layer that is the same for every input.",
            "Share that depends on the input",
            "",
            "dependence",
            summaries,
        ),
    ]


def _chart(
    name: str,
    title: str,
    caption: str,
    quantity_name: str,
    unit: str,
    score: str,
    summaries: Mapping[str, Summary],
) -> Chart:
    one = summaries[TREATMENT]
    layers = np.arange(1, one.depth + 1)
    lines: list[tuple[str, Role, np.ndarray]] = [
        ("trained", "test", one.scores[score]),
        ("random", "control", one.random[score]),
    ]
    series = [series_over_seeds(text, role, layers, y, "mean") for text, role, y in lines]
    return Chart(
        name, title, caption, [Panel("", LAYER, Axis(quantity_name, unit, zero=True), series)]
    )


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    scales={
        "smoke": Scale(
            Condition(depths="12", n_channels=16, side=10, n_fit=60, learning_rate=1e-3), n_seeds=3
        ),
        "standard": Scale(Condition(), n_seeds=12),
        "full": Scale(
            Condition(n_channels=128, side=28, n_fit=1000, max_steps=100_000, target_loss=1e-6),
            n_seeds=5,
            note="Zhang et al. 2020: 28 x 28 pixels, 128 channels, 7, 14 and 20 layers",
        ),
    },
)
