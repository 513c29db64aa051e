"""Which map an architecture learns from one image.

Claim: Trained to return one image, this architecture learns, at the last level that was probed,
    to return that image whatever it is shown: the constant, not the identity.

Control: The same architecture with its weights as they start, untrained. It must not be near the
    constant.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698): the task,
    the test inputs and the two targets.

Differs: The architecture is yours. To a feature extractor a linear decoder is added, and then it
    is the two together that are probed. Adam until the squared error is 1e-6 per pixel.

In practice: An architecture that prefers the constant finds it easier to store an example than to
    pass its input on: on little data expect it to memorize. One that prefers the identity has
    information of the input in reach of its output. Where the preference changes with depth or
    width, choose on the side of what your task needs; phenomenon identity/by_depth shows what is
    usual for convolutional networks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.lab.figure import Axis, Figure, Role
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor
from overparam.lab.records import Records
from overparam.lab.verdict import Verdict, exceeds, judge
from overparam.models.targets import parse_value, sources_of
from overparam.phenomena.identity._figures import (
    network_gallery,
    preference_chart,
    score_chart,
    similarity_heat_map,
)
from overparam.phenomena.identity._levels import Summary, answer, levels_table
from overparam.phenomena.identity._summary import (
    CLEAR,
    LIKENESS,
    NOT_JUDGED,
    PREFERENCE,
    MapSummary,
    score_interval,
    summarise_maps,
)
from overparam.phenomena.identity._task import (
    FITTED_LOSS,
    LEARNING_RATE,
    IdentityTask,
    MapOutcome,
    describe_network,
    identity_recipe,
    learn_identity,
    make_identity_task,
)
from overparam.probes.architecture import load_image_map
from overparam.streams import Streams

UNTRAINED = "untrained"
RULE = (
    f"{PREFERENCE} {LIKENESS} Observed if the 95 % intervals over seeds of minus the preference "
    f"and of the likeness to the constant, at the last level probed, lie above {CLEAR}; absent if "
    f"one lies below; else inconclusive. {NOT_JUDGED}"
)


@dataclass(frozen=True)
class Condition:
    """An architecture at one level of the argument that is swept, trained or not."""

    target: str = factor(
        "same_convnet:depth=3,n_channels=32", doc="module:factory, file.py:factory"
    )
    sweep: str = factor("", doc="argument of the factory that is swept; empty: none")
    levels: str = factor("", doc="its values, with commas between them")
    level: str = factor("", doc="its value; placed by the design")
    place: float = factor(0.0, doc="of the level on the axis; placed by the design")
    arm: str = factor("trained", choices=("trained", UNTRAINED))
    side: int = factor(28, unit="pixels", low=8)
    n_channels: int = factor(1, unit="channels", low=1, doc="of the images, grey repeated")
    n_train: int = factor(1, symbol="n", unit="images", low=1, high=40)
    digit: int = factor(7, low=0, high=9, doc="which is learned")
    learning_rate: float = factor(LEARNING_RATE, symbol="eta", low=1e-8, doc="of Adam")
    max_steps: int = factor(5000, unit="updates", low=1)
    target_loss: float = factor(FITTED_LOSS, unit="squared error per pixel", low=0)
    precision: str = factor("float32", choices=("auto", "float32", "bfloat16", "float64"))


def cells(base: Condition) -> list[Condition]:
    """Span the levels, trained and untrained."""
    levels = [text.strip() for text in base.levels.split(",")] if base.sweep else [""]
    return [
        replace(base, level=level, place=place, arm=arm)
        for level, place in zip(levels, _places(levels), strict=True)
        for arm in ("trained", UNTRAINED)
    ]


async def run(c: Condition, streams: Streams) -> MapOutcome:
    """Train the architecture on one image and see what it makes of others."""
    task = task_of(c, streams)
    model = load_image_map(c.target, arguments(c), image_shape(c), streams, n_train=c.n_train)
    if c.arm == UNTRAINED:
        return _describe_untrained(model.eval(), task)
    recipe = identity_recipe(
        task.train_set,
        max_steps=c.max_steps,
        learning_rate=c.learning_rate,
        target_loss=c.target_loss,
        precision=c.precision,
    )
    return await learn_identity(model, task, recipe, streams)


@torch.no_grad()
def _describe_untrained(model: nn.Module, task: IdentityTask) -> MapOutcome:
    error = ((model(task.training) - task.training.flatten(1)) ** 2).mean().item()
    return describe_network(model, task, n_steps=0, train_loss=error, learned=False)


def task_of(c: Condition, streams: Streams) -> IdentityTask:
    """Return one seed's images."""
    return make_identity_task(streams, c.side, c.n_train, n_channels=c.n_channels, digit=c.digit)


def image_shape(c: Condition) -> tuple[int, int, int]:
    """Return channels, height and width of the images."""
    return c.n_channels, c.side, c.side


def arguments(c: Condition) -> dict[str, Any]:
    """Return what the factory is called with beside what its name says."""
    return {c.sweep: parse_value(c.level)} if c.sweep else {}


def modules_of(c: Condition) -> dict[str, list[Path]]:
    """Return the files of the user's that the architecture is made by, under its name."""
    return {c.target: sources_of(c.target)}


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange both arms by level and seed."""
    arms = {TREATMENT: records.where(arm="trained"), UNTRAINED: records.where(arm=UNTRAINED)}
    return {
        arm: _summarise_arm(some, must_learn=arm == TREATMENT)
        for arm, some in arms.items()
        if len(some)
    }


def _summarise_arm(records: Records, must_learn: bool) -> Summary:
    maps = summarise_maps(records, "place", must_learn=must_learn)
    at = {r.condition.place: r.condition.level for r in records}
    c = records[0].condition
    levels = tuple(at[place] for place in sorted(at))
    last = score_interval(-maps.preference[-1]), score_interval(maps.constant_likeness[-1])
    return Summary(c.target, c.sweep, levels, maps, *last)


def _places(levels: list[str]) -> list[float]:
    """Return where the levels lie on the axis: their values, or their order if they are none."""
    values = [parse_value(text) for text in levels]
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    rising = numbers and all(a < b for a, b in pairwise(values))
    return [float(v) for v in values] if rising else [float(i + 1) for i in range(len(values))]


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    maps = summary.maps
    change = ""
    if len(summary.levels) > 1 and np.isfinite(maps.changes_sides.estimate):
        change = f" The preference changes sides at {summary.sweep} {maps.changes_sides}."
    return judge(
        [
            exceeds("minus the preference", summary.to_constant, CLEAR),
            exceeds("likeness to the constant", summary.like_constant, CLEAR),
        ],
        effect=summary.to_constant,
        unit="minus the preference, 1 constant to -1 identity, at the last level",
        rule=RULE,
        reason=f"{summary.name} prefers: {answer(summary)}.{change}",
    )


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the networks at work, and the scores over the levels or as a table."""
    trained = summaries[TREATMENT]
    seed, name = records.seeds[0], trained.name
    first = records.where(lambda r: r.seed == seed)
    sweep = trained.sweep or "architecture"
    gallery = network_gallery(
        first,
        task_of(first[0].condition, Streams(seed)),
        family=lambda r: r.condition.arm,
        level=lambda r: r.condition.place,
        label=lambda r: f"{sweep} {r.condition.level}" if trained.sweep else name,
        title=f"What {name} makes of images that it never saw",
        caption="Each row is a network that was trained to return the training image beside the "
        "grid; each column shows what it makes of an image that it never saw: the image, the "
        f"training image, or something else. Seed {seed}; the scores of all seeds are below.",
        level_name=sweep.capitalize(),
        level_unit="",
        training_words={UNTRAINED: "not trained on"},
    )
    if len(trained.levels) < 2:
        return [gallery, levels_table(summaries)]
    axis = Axis(sweep)
    arms: dict[str, tuple[Role, MapSummary]] = {
        "trained" if arm == TREATMENT else arm: ("test" if arm == TREATMENT else "control", s.maps)
        for arm, s in summaries.items()
    }
    title = "The preference changes sides " + (
        f"at {sweep} {trained.maps.changes_sides}"
        if np.isfinite(trained.maps.changes_sides.estimate)
        else "nowhere in this sweep, or not in every seed"
    )
    heat = similarity_heat_map(
        {"trained": records.where(arm="trained")},
        by="place",
        title="Inputs that are least like the training image tell the two maps apart best",
        caption="Mean over seeds and test inputs. Left, high values mean that the network returns "
        "its input; right, that it returns its training image.",
        axis=axis,
    )
    return [
        gallery,
        score_chart(trained.maps, axis, place=""),
        preference_chart(arms, axis, title=title),
        levels_table(summaries),
        heat,
    ]


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=MapOutcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    scales={"standard": Scale(Condition(), n_seeds=3)},
    loads=modules_of,
    subcommand=("probe", "identity"),
)
