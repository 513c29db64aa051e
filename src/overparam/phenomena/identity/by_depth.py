"""Depth decides what a convolutional network learns from one example.

Claim: Trained to return one image of a 7, shallow convolutional networks learn to return any
    image, the identity; the deepest learn to return the 7 whatever they are shown, the constant,
    in the mean over seeds. Both fit their one training image.

Control: The same shallow and deep networks, trained on many images until they fit them. The deep
    network then does not return a constant. And fully connected networks, trained on the one
    image: none is shallow enough to learn the identity.

Falsified: The first control would fail if depth alone made the constant: a deep network that fits
    many images and still answers unseen ones with their mean, whatever the shallow one does. The
    second would fail if a fully connected network of any depth returned unseen images.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the
    figure of convolutional networks by depth and the one of correlation to identity and constant.

Differs: Below the full scale, images of 14 x 14 pixels and 32 channels instead of 28 x 28 and
    128, where the change comes a few layers earlier, and up to 15 layers instead of 20. Adam to a
    squared error of 1e-5 per pixel instead of two million steps of SGD with momentum; depth 1, a
    convex problem, takes a larger step. Every seed draws another 7. The control learns clothes
    (Fashion-MNIST), of which there are enough, until its squared error is 0.02 per pixel, where
    the best constant, their mean image, leaves 0.07; and it is judged against that mean.

In practice: A perfect fit does not tell which map was learned, and the architecture decides, not
    the parameters' number. Show your own network inputs unlike its training data and compare its
    answers with what you hope it has learned and with what it could have learned by heart.
    `overparam probe identity` does this for an architecture of yours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from overparam.checks import check_count
from overparam.errors import UsageError
from overparam.lab.figure import Axis, Figure, Role
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor
from overparam.lab.records import Record, Records
from overparam.lab.settings import whole_numbers
from overparam.lab.verdict import Clause, Verdict, exceeds, not_in_design, stays_below
from overparam.phenomena.identity._fall import MapFall, fall_rule, judge_fall, summarise_fall
from overparam.phenomena.identity._figures import (
    galleries,
    preference_chart,
    score_charts,
    similarity_heat_maps,
)
from overparam.phenomena.identity._left_out import tell
from overparam.phenomena.identity._networks_by_depth import (
    CONVOLUTIONAL,
    DENSE,
    control_recipe,
    network,
    recipe,
    task_of,
)
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import (
    CAPPED,
    CLEAR,
    DEEP,
    SHALLOW,
    MapSummary,
    deep_networks,
)
from overparam.phenomena.identity._task import (
    AdamFactors,
    describe_map,
    learn_identity,
)
from overparam.phenomena.identity._task import MapOutcome as Outcome
from overparam.streams import Streams
from overparam.training.train import train

MANY_IMAGES = "many images"
MOST_FEW = 40  # images of a treatment; a control has 100 or more
RULE = fall_rule(
    f"the shallow networks (at most {SHALLOW} layers, their mean)",
    "the deepest",
    -CLEAR,
    f"{MANY_IMAGES} are absent only if the deepest network's preference is shown to lie above "
    f"{-CLEAR:g}, or its likeness to the constant below {CLEAR}, so that it does not return a "
    f"constant; {DENSE} networks only if the network of no depth is shown to be clearly the "
    "identity. Inconclusive where the deepest has "
    f"fewer than {DEEP} layers, or the shallowest fully connected network more than one; and where "
    "there is more than one image to a network of the treatment.",
    each=f"every depth of at most {SHALLOW} layers",
)
DEPTH = Axis("Depth", "layers")
PAPER_DEPTHS = (1, 3, 5, 7, 9, 11, 12, 14, 15, 16, 18, 19, 20)


@dataclass(frozen=True)
class Condition(AdamFactors):
    """A depth, and the number of images it is trained on."""

    family: str = factor(CONVOLUTIONAL, choices=(CONVOLUTIONAL, DENSE))
    depth: int = factor(0, unit="layers", low=1, doc="0: placed by the design")
    n_train: int = factor(1, symbol="n", unit="images", low=1, high=4000)
    depths: str = factor("1 2 3 5 7 9 12 15", unit="layers", doc="of the sweep")
    dense_depths: str = factor("1 2 6", unit="layers", doc="of fully connected networks")
    n_channels: int = factor(32, symbol="c", unit="channels", low=1)
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1, odd=True)
    n_control: int = factor(1000, unit="images", low=100, high=4000, doc="of the control")
    control_batch: int = factor(2, unit="images", low=1)
    control_loss: float = factor(0.02, unit="squared error per pixel", low=0, doc="to fit to")
    control_steps: int = factor(4000, unit="updates", low=1, doc="at most")

    @property
    def limits(self) -> tuple[str, str]:
        """Names of the factors that end the training of this network."""
        many = self.n_train >= self.n_control
        return ("control_steps", "control_loss") if many else super().limits


def cells(base: Condition) -> list[Condition]:
    """Span the depths on one image, for both families, and the ends of the sweep on many.

    Raises:
        UsageError: no shallow depth, or more images than a network of the treatment may have.
    """
    # One digit has no more images, and the control, of which there are more, is told by that.
    check_count("n_train", base.n_train, high=MOST_FEW)
    depths = whole_numbers(base, "depths", places="depth")
    if depths[0] > SHALLOW:
        raise UsageError(
            "the sweep has no shallow network",
            got=f"depths={base.depths}",
            allowed=f"one of them at most {SHALLOW}",
        )
    shallow = max(d for d in depths if d <= SHALLOW)
    ends = dict.fromkeys((shallow, max(depths)))
    dense = whole_numbers(base, "dense_depths", places="depth")
    return [
        *(replace(base, depth=d) for d in depths),
        *(replace(base, family=DENSE, depth=d) for d in dense),
        *(replace(base, depth=d, n_train=base.n_control) for d in ends),
    ]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network and see what it makes of images it never saw."""
    task = task_of(c, streams)
    model = network(c)
    if c.n_train < c.n_control:
        return await learn_identity(model, task, recipe(c, task), streams)
    control = control_recipe(c, task)
    fitted = await train(model, task.train_set, control, streams)
    return describe_map(fitted, task, control)


def summarise(records: Records) -> dict[str, MapFall]:
    """Arrange the arms by depth and seed."""
    few, many = records.where(is_few), records.where(lambda r: not is_few(r))
    arms = {
        TREATMENT: few.where(family=CONVOLUTIONAL),
        MANY_IMAGES: many,
        DENSE: few.where(family=DENSE),
    }
    return {
        arm: replace(
            summarise_fall(some, "depth", arm=arm, up_to=SHALLOW),
            n_images=max(some.levels("n_train"), default=0),
        )
        for arm, some in arms.items()
    }


def is_few(record: Record) -> bool:
    """Whether the network was trained on few images, not on the control's many."""
    return record.condition.n_train < record.condition.n_control


def verdict(summary: MapFall) -> Verdict:
    """Apply `RULE` to one arm."""
    controls = {
        MANY_IMAGES: [
            stays_below("preference of the deepest network", summary.last, -CLEAR),
            exceeds("its likeness to the constant", summary.like_constant, CLEAR),
        ],
        DENSE: [exceeds(f"highest {CAPPED} of any depth", summary.highest_capped, CLEAR)],
    }
    return judge_fall(
        summary,
        "layers",
        rule=RULE,
        ends_below=-CLEAR,
        controls=controls,
        lacking=_lacking(summary),
    )


def _lacking(summary: MapFall) -> list[Clause]:
    levels = summary.maps.levels
    few = summary.arm == MANY_IMAGES or summary.n_images <= 1
    lacking = [] if few else [not_in_design("networks that learned one image")]
    if not len(levels):
        return lacking
    if summary.arm == DENSE:
        return lacking if levels[0] == 1 else [*lacking, not_in_design("a single layer")]
    return [*lacking, *deep_networks(levels[-1])]


def figures(summaries: Mapping[str, MapFall], records: Records) -> list[Figure]:
    """Draw the networks at work, the scores over depth, and the heat map."""
    one = summaries[TREATMENT].maps
    few = records.where(is_few).where(family=CONVOLUTIONAL)
    c = replace(records[0].condition, n_train=1)
    turns = verdict(summaries[TREATMENT]).kind == "observed"
    gallery = galleries(
        records,
        lambda streams: task_of(c, streams),
        family=lambda r: r.condition.family if is_few(r) else MANY_IMAGES,
        level=lambda r: r.condition.depth,
        label=lambda r: "1 layer" if r.condition.depth == 1 else f"{r.condition.depth} layers",
        title=f"With depth the learned map turns from the identity to the constant{_where(one)}"
        if turns
        else "What networks of each depth make of images that they never saw",
        hint="Switch between convolutional networks, fully connected ones, and those that were "
        "trained on many images instead; slide the depth.",
        training_words={MANY_IMAGES: "the 7, which these never saw"},
    )
    heat = similarity_heat_maps(
        {CONVOLUTIONAL: few},
        by="depth",
        title="Correlation to the input and to the training image, by depth and similarity",
        caption="Mean over seeds and test inputs. Left, high values mean that the network returns "
        "its input; right, that it returns its training image. In the right-hand columns the "
        "input and the training image are alike, and so both correlations are high.",
    )
    lines: dict[str, tuple[Role, MapSummary]] = {CONVOLUTIONAL: ("test", one)}
    lines |= {arm: ("control", s.maps) for arm, s in summaries.items() if arm != TREATMENT}
    preference = preference_chart(
        lines,
        DEPTH,
        title=f"Trained on one image, convolutional networks change sides{_where(one)}"
        if turns
        else "Preference by depth",
        caption="For the control, the training image is the mean of its images. "
        + tell({text: maps.left_out for text, (_, maps) in lines.items()}),
    )
    return [*gallery, *score_charts(one, DEPTH), preference, *heat]


def _where(maps: MapSummary) -> str:
    change = maps.changes_sides
    return f", at {change} layers" if change.is_known else ""


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(MANY_IMAGES, DENSE),
    stack_size=4,  # of thirteen, so that the long ones at the end are shared among the workers
    scales=three_scales(
        Condition,
        smoke={
            "depths": "2 9",
            "n_channels": 16,
            "n_control": 200,
            "control_batch": 4,
            "control_steps": 800,
        },
        full={
            "depths": " ".join(map(str, PAPER_DEPTHS)),
            "n_channels": 128,
            "n_control": 4000,
            "control_batch": 16,
            "control_loss": 0.01,
            "control_steps": 40_000,
        },
        n_seeds=(3, 5, 5),
        note="5 x 5 filters, 128 channels, 1 to 20 layers",
    ),
)
