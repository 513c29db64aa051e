"""Depth decides what a convolutional network learns from one example.

Claim: Trained to return one image of a 7, shallow convolutional networks learn to return any
    image, the identity; deep ones learn to return the 7 whatever they are shown, the constant.
    Both fit their one training image perfectly.

Control: The same shallow and deep networks, trained on a thousand images. The deep network then
    does not return a constant. And fully connected networks, trained on the one image: none is
    shallow enough to learn the identity.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the
    figure of convolutional networks by depth and the one of correlation to identity and constant.

Differs: Below the full scale, images of 14 x 14 pixels and 32 channels instead of 28 x 28 and
    128, where the change comes a few layers earlier. Adam to a squared error of 1e-6
    per pixel instead of two million steps of SGD with momentum; depth 1, a convex problem, takes
    a larger step. Every seed draws another 7. The control learns clothes (Fashion-MNIST), of
    which there are enough, and is judged against their mean image, the best constant.

In practice: A perfect fit does not tell which map was learned, and the architecture decides, not
    the parameters' number. Show your own network inputs unlike its training data and compare its
    answers with what you hope it has learned and with what it could have learned by heart.
    `overparam probe identity` does this for an architecture of yours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from overparam.lab.figure import Axis, Figure, Role
from overparam.lab.intervals import mean_interval
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor
from overparam.lab.records import Record, Records
from overparam.lab.verdict import Interval, Verdict, decide
from overparam.models import mlp, same_convnet
from overparam.phenomena.identity._figures import (
    network_gallery,
    preference_chart,
    score_chart,
    similarity_heat_map,
)
from overparam.phenomena.identity._summary import CLEAR, PREFERENCE, MapSummary, summarise_maps
from overparam.phenomena.identity._task import (
    IdentityTask,
    MapOutcome,
    describe_map,
    identity_recipe,
    learn_identity,
    make_identity_task,
)
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.train import train

CONVOLUTIONAL, DENSE = "convolutional", "fully connected"
MANY_IMAGES = "a thousand images"
DENSE_WIDTH = 2048 / 784  # hidden units for each pixel, as in the paper
RULE = (
    f"{PREFERENCE} Observed if the 95 % interval over seeds of the smaller of (highest preference "
    f"among the shallow networks) and (minus the preference of the deepest) lies above {CLEAR}; "
    "absent if it lies below. Networks that did not fit their training image are not judged."
)
DEPTH = Axis("Depth", "layers")
SHALLOW = 5  # layers up to which a network counts as shallow
PAPER_DEPTHS = (1, 3, 5, 7, 9, 11, 12, 14, 15, 16, 18, 19, 20)


@dataclass(frozen=True)
class Condition:
    """A depth, and the number of images it is trained on."""

    family: str = factor(CONVOLUTIONAL, choices=(CONVOLUTIONAL, DENSE))
    depth: int = factor(0, unit="layers", low=0, doc="0: placed by the design")
    n_train: int = factor(1, symbol="n", unit="images", low=1, high=4000)
    depths: str = factor("1 2 3 5 7 9 12 15 20", unit="layers", doc="of the sweep")
    dense_depths: str = factor("1 2 6", unit="layers", doc="of fully connected networks")
    n_control: int = factor(1000, unit="images", low=100, high=4000, doc="of the control")
    n_channels: int = factor(32, symbol="c", unit="channels", low=1)
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1)
    side: int = factor(14, unit="pixels", low=8)
    learning_rate: float = factor(3e-4, symbol="eta", low=1e-8, doc="of Adam")
    max_steps: int = factor(6000, unit="updates", low=1)
    control_steps: int = factor(1500, unit="updates", low=1)
    control_batch: int = factor(2, unit="images", low=1)
    precision: str = factor("float32", choices=("auto", "float32", "bfloat16", "float64"))


def cells(base: Condition) -> list[Condition]:
    """Span the depths on one image, for both families, and the ends of the sweep on many."""
    depths = [int(d) for d in base.depths.split()]
    shallow = max(d for d in depths if d <= SHALLOW)
    ends = dict.fromkeys((shallow, max(depths)))
    return [
        *(replace(base, depth=d) for d in depths),
        *(replace(base, family=DENSE, depth=int(d)) for d in base.dense_depths.split()),
        *(replace(base, depth=d, n_train=base.n_control) for d in ends),
    ]


async def run(c: Condition, streams: Streams) -> MapOutcome:
    """Train one network and see what it makes of images it never saw."""
    task = task_of(c, streams)
    model = network(c)
    if c.n_train < c.n_control:
        return await learn_identity(model, task, recipe(c, task), streams)
    fitted = await train(model, task.train_set, control_recipe(c), streams)
    return describe_map(fitted, task, control_recipe(c))


def network(c: Condition) -> nn.Module:
    """Return the network of a cell, without weights; no layer has a bias."""
    if c.family == CONVOLUTIONAL:
        return same_convnet(c.depth, c.n_channels, c.kernel_size)
    n_pixels = c.side**2
    return mlp(n_pixels, [round(DENSE_WIDTH * n_pixels)] * (c.depth - 1), n_pixels, bias=False)


def task_of(c: Condition, streams: Streams) -> IdentityTask:
    """Return one seed's images: of a 7, or clothes where there must be many."""
    return make_identity_task(streams, c.side, c.n_train, clothes=c.n_train >= c.n_control)


def recipe(c: Condition, task: IdentityTask) -> Recipe:
    """Return how a network learns its few images."""
    convex = 100 if c.depth == 1 and c.family == CONVOLUTIONAL else 1
    return identity_recipe(
        task.train_set,
        max_steps=c.max_steps,
        learning_rate=convex * c.learning_rate,
        precision=c.precision,
    )


def control_recipe(c: Condition) -> Recipe:
    """Return how a network learns many images: a fixed number of updates."""
    return Recipe(
        loss="squared_error",
        optimizer="adam",
        learning_rate=c.learning_rate,
        steps=c.control_steps,
        batch_size=c.control_batch,
        precision=c.precision,
    )


@dataclass(frozen=True)
class Summary:
    """One arm: its scores over depth, and what the rule looks at."""

    maps: MapSummary
    both_ends: Interval


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange the arms by depth and seed; of one image, those that fitted it."""
    few, many = records.where(is_few), records.where(lambda r: not is_few(r))
    arms = {TREATMENT: summarise_maps(few.where(family=CONVOLUTIONAL), "depth")}
    if len(many):
        arms[MANY_IMAGES] = summarise_maps(many, "depth", must_learn=False)
    if len(dense := few.where(family=DENSE)):
        arms[DENSE] = summarise_maps(dense, "depth")
    return {arm: Summary(maps, mean_interval(both_ends(maps))) for arm, maps in arms.items()}


def is_few(record: Record) -> bool:
    """Whether the network was trained on few images, not on the control's many."""
    return record.condition.n_train < record.condition.n_control


def both_ends(maps: MapSummary) -> np.ndarray:
    """Return how clear the less clear end of the sweep is, `[seeds]`."""
    shallow = maps.preference[maps.levels <= SHALLOW]
    best = np.max(np.nan_to_num(shallow, nan=-np.inf), axis=0)
    return np.minimum(np.where(np.isfinite(best), best, np.nan), -maps.preference[-1])


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    maps = summary.maps
    first, last = (mean_interval(maps.preference[i]).estimate for i in (0, -1))
    return decide(
        summary.both_ends,
        at_least=CLEAR,
        unit="preference, 1 identity to -1 constant, of the less clear end",
        rule=RULE,
        reason=f"The mean preference goes from {first:.2f} at depth {maps.levels[0]:.0f} to "
        f"{last:.2f} at depth {maps.levels[-1]:.0f}"
        + (
            f" and changes sides at depth {maps.changes_sides}."
            if np.isfinite(maps.changes_sides.estimate)
            else "; it does not change sides in every seed."
        ),
    )


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the networks at work, the scores over depth, and the heat map."""
    one = summaries[TREATMENT].maps
    few = records.where(is_few).where(family=CONVOLUTIONAL)
    seed = records.seeds[0]
    gallery = network_gallery(
        records.where(lambda r: r.seed == seed),
        task_of(few[0].condition, Streams(seed)),
        family=lambda r: r.condition.family if is_few(r) else MANY_IMAGES,
        level=lambda r: r.condition.depth,
        label=lambda r: "1 layer" if r.condition.depth == 1 else f"{r.condition.depth} layers",
        title="With depth the learned map turns from the identity to the constant, at "
        f"{one.changes_sides.estimate:.1f} layers",
        caption="Each row is a network that was trained to return one image, the training image "
        "beside the grid, and fits it; each column shows what it makes of an image that it never "
        "saw. Shallow convolutional networks return the image, deep ones the training image, and "
        "fully connected ones never the image. Switch between them, slide the depth, and choose "
        f"an input to follow through the layers. Seed {seed}; all seeds' scores are below.",
        training_words={MANY_IMAGES: "the 7, which these never saw"},
    )
    heat = similarity_heat_map(
        {CONVOLUTIONAL: few},
        by="depth",
        title="Inputs that are least like the training image tell the two maps apart best",
        caption="Mean over seeds and test inputs. Left, high values mean that the network returns "
        "its input; right, that it returns its training image. In the right-hand columns the "
        "input and the training image are alike, and so both correlations are high.",
    )
    lines: dict[str, tuple[Role, MapSummary]] = {CONVOLUTIONAL: ("test", one)}
    lines |= {arm: ("control", s.maps) for arm, s in summaries.items() if arm != TREATMENT}
    preference = preference_chart(
        lines,
        DEPTH,
        title="Trained on one image, convolutional networks change sides at "
        f"{one.changes_sides} layers",
        caption="For the control, the training image is the mean of its images.",
    )
    return [gallery, score_chart(one, DEPTH), preference, heat]


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=MapOutcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    stack_size=4,  # of fourteen, so that the long ones at the end are shared among the workers
    scales={
        "smoke": Scale(
            Condition(
                depths="2 9",
                side=10,
                n_channels=16,
                n_control=200,
                control_steps=400,
                control_batch=4,
                learning_rate=1e-3,
                max_steps=2000,
            ),
            n_seeds=3,
        ),
        "standard": Scale(Condition(), n_seeds=5),
        "full": Scale(
            Condition(
                depths=" ".join(map(str, PAPER_DEPTHS)),
                side=28,
                n_channels=128,
                max_steps=100_000,
                control_steps=20_000,
                control_batch=16,
                n_control=4000,
            ),
            n_seeds=5,
            note="Zhang et al. 2020: 28 x 28 pixels, 5 x 5 filters, 128 channels, 1 to 20 layers",
        ),
    },
)
