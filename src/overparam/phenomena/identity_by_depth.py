"""Depth decides what a convolutional network learns from one example.

Claim: Trained to return one image of a 7, shallow convolutional networks learn to return any
    image, the identity; deep ones learn to return the 7 whatever they are shown, the constant.
    Both fit their one training image perfectly.

Control: The same shallow and deep networks, trained on a thousand images. The deep network then
    does not return a constant.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the
    figure of convolutional networks by depth and the one of correlation to identity and constant.

Differs: Below the full scale, images of 14 x 14 pixels and 32 channels instead of 28 x 28 and
    128, where the same change happens at about half the depth. Adam to a squared error of 1e-6
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

from overparam.lab.crossing import crossing_interval
from overparam.lab.figure import Axis, Chart, Figure, Panel, Rule, Series
from overparam.lab.intervals import mean_interval
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import Interval, Verdict, decide
from overparam.models import same_convnet
from overparam.probes.identity_figures import network_gallery, similarity_heat_map
from overparam.probes.identity_task import (
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

MANY_IMAGES = "a thousand images"
# At 0.5 a network is three times as far from the one map as from the other.
CLEAR = 0.5
NEAR = 0.9  # correlation from which an output counts as the target
RULE = (
    "Preference: (correlation to the input - correlation to the training image) / (1 - "
    "correlation of the two), mean over the test inputs; 1 for the identity, -1 for the constant. "
    "Observed if the 95 % interval over seeds of the smaller of (highest preference among the "
    f"shallow networks) and (minus the preference of the deepest) lies above {CLEAR}; absent if "
    "it lies below. Networks that did not fit their training image are not judged."
)
SHALLOW = 5  # layers up to which a network counts as shallow
PAPER_DEPTHS = (1, 3, 5, 7, 9, 11, 12, 14, 15, 16, 18, 19, 20)


@dataclass(frozen=True)
class Condition:
    """A depth, and the number of images it is trained on."""

    depth: int = factor(0, unit="layers", low=0, doc="0: placed by the design")
    n_train: int = factor(1, symbol="n", unit="images", low=1, high=4000)
    depths: str = factor("1 2 3 5 7 9 12 15 20", unit="layers", doc="of the sweep")
    n_control: int = factor(1000, unit="images", low=100, high=4000, doc="of the control")
    n_channels: int = factor(32, symbol="c", unit="channels", low=1)
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1)
    side: int = factor(14, unit="pixels", low=8)
    learning_rate: float = factor(3e-4, symbol="eta", low=1e-8, doc="of Adam")
    max_steps: int = factor(6000, unit="updates", low=1)
    control_steps: int = factor(1000, unit="updates", low=1)
    control_batch: int = factor(2, unit="images", low=1)
    precision: str = factor("float32", choices=("auto", "float32", "bfloat16", "float64"))


def cells(base: Condition) -> list[Condition]:
    """Span the depths on one image, and the ends of the sweep on many."""
    depths = [int(d) for d in base.depths.split()]
    shallow = max(d for d in depths if d <= SHALLOW)
    ends = dict.fromkeys((shallow, max(depths)))
    return [replace(base, depth=d) for d in depths] + [
        replace(base, depth=d, n_train=base.n_control) for d in ends
    ]


async def run(c: Condition, streams: Streams) -> MapOutcome:
    """Train one network and see what it makes of images it never saw."""
    task = task_of(c, streams)
    model = same_convnet(c.depth, c.n_channels, c.kernel_size)
    if c.n_train < c.n_control:
        return await learn_identity(model, task, recipe(c, task), streams)
    fitted = await train(model, task.train_set, control_recipe(c), streams)
    return describe_map(fitted, task, control_recipe(c))


def task_of(c: Condition, streams: Streams) -> IdentityTask:
    """Return one seed's images: of a 7, or clothes where there must be many."""
    return make_identity_task(streams, c.side, c.n_train, clothes=c.n_train >= c.n_control)


def recipe(c: Condition, task: IdentityTask) -> Recipe:
    """Return how a network learns its few images."""
    convex = 100 if c.depth == 1 else 1
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
    """One arm: depths `[m]`, scores `[m, seeds]`, and the depths at which the map changes."""

    depths: np.ndarray
    preference: np.ndarray
    identity: np.ndarray
    constant: np.ndarray
    edges: np.ndarray
    baseline: float
    both_ends: Interval
    leaves_identity: Interval
    changes_sides: Interval
    reaches_constant: Interval
    n_not_learned: int


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange both arms by depth and seed; of one image, those that fitted it."""
    few = records.where(lambda r: r.condition.n_train < r.condition.n_control)
    many = records.where(lambda r: r.condition.n_train >= r.condition.n_control)
    arms = {TREATMENT: _summarise_arm(few, must_learn=True)}
    if len(many):
        arms[MANY_IMAGES] = _summarise_arm(many, must_learn=False)
    return arms


def _summarise_arm(records: Records, must_learn: bool) -> Summary:
    judged = records.where(lambda r: r.outcome and (r.outcome.learned or not must_learn))
    depths, preference = _matrix(records, judged, "preference")
    identity = _matrix(records, judged, "identity_correlation")[1]
    constant = _matrix(records, judged, "constant_correlation")[1]
    shallow = preference[depths <= SHALLOW]
    best = np.max(np.nan_to_num(shallow, nan=-np.inf), axis=0)
    ends = np.minimum(np.where(np.isfinite(best), best, np.nan), -preference[-1])
    baselines = [float(np.mean(r.outcome.baselines)) for r in judged]
    return Summary(
        depths=depths,
        preference=preference,
        identity=identity,
        constant=constant,
        edges=_matrix(records, judged, "edge_score")[1],
        baseline=float(np.mean(baselines)) if baselines else float("nan"),
        both_ends=mean_interval(ends),
        leaves_identity=crossing_interval(depths, identity, NEAR),
        changes_sides=crossing_interval(depths, preference, 0.0),
        reaches_constant=crossing_interval(depths, constant, NEAR, falling=False),
        n_not_learned=len(records) - len(judged),
    )


def _matrix(all_records: Records, judged: Records, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return depths and scores `[m, seeds]`, NaN for networks that are not judged."""
    depths, values = all_records.matrix(name, by="depth")
    keep = {(r.condition.depth, r.seed) for r in judged}
    for j, seed in enumerate(all_records.seeds):
        for i, depth in enumerate(depths):
            if (int(depth), seed) not in keep:
                values[i, j] = np.nan
    return depths, values


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    first, last = np.nanmean(summary.preference[0]), np.nanmean(summary.preference[-1])
    return decide(
        summary.both_ends,
        at_least=CLEAR,
        unit="preference, 1 identity to -1 constant, of the less clear end",
        rule=RULE,
        reason=f"The mean preference goes from {first:.2f} at depth {summary.depths[0]:.0f} to "
        f"{last:.2f} at depth {summary.depths[-1]:.0f}; it changes sides at depth "
        f"{summary.changes_sides}.",
    )


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the networks at work, the scores over depth, and the heat maps."""
    one = summaries[TREATMENT]
    few = records.where(lambda r: r.condition.n_train < r.condition.n_control)
    many = records.where(lambda r: r.condition.n_train >= r.condition.n_control)
    seed = records.seeds[0]
    first = Records([r for r in records if r.seed == seed])
    gallery = network_gallery(
        list(first),
        task_of(few[0].condition, Streams(seed)),
        family=lambda r: "one image" if r.condition.n_train == 1 else MANY_IMAGES,
        level=lambda r: r.condition.depth,
        label=lambda r: _layers(r.condition.depth),
        title=f"With depth the learned map turns from the identity to the constant, at "
        f"{one.changes_sides.estimate:.1f} layers",
        caption="Each row is a network that was trained to return one image, the training image "
        "on the left, and fits it; each column shows what it makes of an image that it never saw. "
        "Shallow networks return the image, deep ones the training image. Choose an input to "
        f"follow it through the layers. Seed {seed}; the scores of all seeds are below.",
    )
    heat = similarity_heat_map(
        {"one image": few} | ({MANY_IMAGES: many} if len(many) and _all_learned(many) else {}),
        by="depth",
        title="The nearer an input is to the training image, the more alike both targets are",
        caption="Mean over seeds and test inputs. Left, high values mean that the network returns "
        "its input; right, that it returns the training image. Inputs far from the training "
        "image, in the left columns, tell the two maps apart best.",
    )
    return [gallery, _scores(one), _preferences(summaries), heat]


def _all_learned(records: Records) -> bool:
    return all(r.outcome is not None and r.outcome.learned for r in records)


def _layers(depth: int) -> str:
    return "1 layer" if depth == 1 else f"{depth} layers"


def _scores(one: Summary) -> Chart:
    lines: list[tuple[str, np.ndarray, str]] = [
        ("to the input", one.identity, "test"),
        ("to the training image", one.constant, "train"),
        ("to the input's edges", one.edges, "other"),
    ]
    series: list[Series] = [
        series_over_seeds(label, role, one.depths, values, "mean")  # type: ignore[arg-type]
        for label, values, role in lines
    ]
    rules = [
        Rule(interval.estimate, label)
        for interval, label in (
            (one.leaves_identity, f"leaves identity at {one.leaves_identity}"),
            (one.reaches_constant, f"reaches constant at {one.reaches_constant}"),
        )
        if np.isfinite(interval.estimate)
    ]
    rules.append(Rule(one.baseline, f"unseen inputs themselves: {one.baseline:.2f}", axis="y"))
    return Chart(
        "correlations",
        f"Correlation to the input falls below {NEAR} at {one.leaves_identity.estimate:.1f} "
        f"layers, correlation to the training image passes it at "
        f"{one.reaches_constant.estimate:.1f}",
        "Correlation of the outputs with the input, with the training image and with the edges of "
        "the input, mean over test inputs. Unseen inputs are like the training image to some "
        "degree anyway (lower rule): no score means anything but above it. "
        + (
            f"{one.n_not_learned} networks that did not fit their image are left out."
            if one.n_not_learned
            else "Every network fits its training image."
        ),
        [Panel("", Axis("Depth", "layers"), Axis("Correlation", zero=True), series, rules)],
    )


def _preferences(summaries: Mapping[str, Summary]) -> Chart:
    series = [
        series_over_seeds(
            "one image" if arm == TREATMENT else arm,
            "test" if arm == TREATMENT else "control",
            summary.depths,
            summary.preference,
            "mean",
        )
        for arm, summary in summaries.items()
    ]
    return Chart(
        "preference",
        f"Trained on one image, networks change sides at {summaries[TREATMENT].changes_sides} "
        "layers",
        "Preference: 1 for a network that returns its input, -1 for one that returns the training "
        "image (of many: their mean), whatever the similarity of the two.",
        [
            Panel(
                "",
                Axis("Depth", "layers"),
                Axis("Preference", "1 identity, -1 constant"),
                series,
                [Rule(0.0, "neither", axis="y")],
            )
        ],
    )


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=MapOutcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    scales={
        "smoke": Scale(
            Condition(
                depths="2 3 7 15",
                side=8,
                n_channels=16,
                n_control=100,
                control_steps=300,
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
