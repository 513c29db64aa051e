"""Two and three training images extend the depth that still generalizes.

Claim: Convolutional networks that learned three images of different digits, and already those
    that learned two, are nearer to the identity than networks of the same depth that learned a
    single one, in the mean over the depths of the sweep.

Control: Three images that show the same: the one image, and copies of it shifted by a pixel.

Falsified: The control would fail if the number of rows did it, whatever they show: shifted copies
    of one image that bring networks nearer to the identity, in the same mean.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), on more
    than one training image.

Differs: Which images the paper adds to its 7 could not be checked; here each is of another digit.
    Below the full scale, images of 14 x 14 pixels and 24 channels instead of 28 x 28 and 128,
    and training to a squared error of 1e-4 per pixel. Adam instead of two million steps of SGD
    with momentum. Every seed draws other images. With several training images, the constant is
    for every output the nearest of them and of their mean, which only makes an output count as
    more constant.

In practice: What counts is new content, not more rows: two examples that differ do more against
    learning by heart than any number of copies. Shifted copies are no new content to a
    convolution, which is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from overparam.data import draw_digits
from overparam.lab.figure import Axis, Figure, Role
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor
from overparam.lab.records import Record, Records
from overparam.lab.settings import whole_numbers
from overparam.lab.verdict import (
    Verdict,
    exceeds,
    judge,
    not_in_design,
    told,
    unmeasured,
    whole,
)
from overparam.models import same_convnet
from overparam.phenomena.identity._figures import (
    galleries,
    preference_chart,
    similarity_heat_maps,
)
from overparam.phenomena.identity._left_out import tell, unfitted
from overparam.phenomena.identity._many_images import shifted_copies
from overparam.phenomena.identity._more_images_summary import (
    DIGITS,
    SHIFTED,
    Summary,
    summarise,
    transition,
)
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import (
    NOT_JUDGED,
    PREFERENCE,
    MapSummary,
)
from overparam.phenomena.identity._task import (
    AdamFactors,
    IdentityTask,
    learn_identity,
    make_identity_task,
    recipe_of,
)
from overparam.phenomena.identity._task import MapOutcome as Outcome
from overparam.streams import Streams

FIRST_DIGIT = 7
# From 6 to 10 layers, the preference of networks that learned one image falls by about a quarter
# a layer: a rise by 0.1 at every depth is less than half a layer.
CLEAR_RISE = 0.1
CLAIMED = (2, 3)  # numbers of images that the claim names; the control's sentence, the second
DEPTH = Axis("Depth", "layers")
RULE = (
    f"{PREFERENCE} Observed if the 95 % interval over seeds of its rise, most images minus one "
    f"image, paired by seed and depth and mean over the depths of the sweep, lies above "
    f"{CLEAR_RISE}, and that of every number of images between, where there is one, above 0; and "
    "if the correlation to the input, which is what is nearer to the identity, rises too, by more "
    "than 0; absent if one lies below its bound; else inconclusive, and so too where the design "
    f"lacks a number of images that the claim names. {NOT_JUDGED}"
)


@dataclass(frozen=True)
class Condition(AdamFactors):
    """A depth, and the images it is trained on."""

    depth: int = factor(0, unit="layers", low=1, doc="0: placed by the design")
    n_images: int = factor(1, symbol="n", unit="images", low=1, high=10)
    images: str = factor(DIGITS, choices=(DIGITS, SHIFTED))
    counts: str = factor("1 2 3", unit="images", doc="of the sweep")
    depths: str = factor("6 8 10", unit="layers", doc="of the sweep")
    n_channels: int = factor(24, symbol="c", unit="channels", low=1)
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1, odd=True)
    learning_rate: float = factor(1e-3, symbol="eta", low=1e-8, doc="of Adam")
    target_loss: float = factor(1e-4, unit="squared error per pixel", low=1e-12)


def cells(base: Condition) -> list[Condition]:
    """Span the depths on each number of images, and on copies of one image."""
    counts = whole_numbers(base, "counts", places="n_images")
    depths = whole_numbers(base, "depths", places="depth")
    copies = min(max(counts), CLAIMED[-1])  # of more, some are shifted far
    kinds = [(n, DIGITS) for n in counts] + [(copies, SHIFTED)]
    return [replace(base, depth=d, n_images=n, images=kind) for n, kind in kinds for d in depths]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network and see what it makes of images it never saw."""
    task = task_of(c, streams)
    model = same_convnet(c.depth, c.n_channels, c.kernel_size)
    return await learn_identity(model, task, recipe_of(c, task), streams)


def task_of(c: Condition, streams: Streams) -> IdentityTask:
    """Return one seed's images: a 7, and digits of other classes or copies of it."""
    one = make_identity_task(streams, c.side, digit=FIRST_DIGIT)
    if c.images == SHIFTED:
        return replace(one, training=shifted_copies(one.training, c.n_images))
    others = [digit for digit in range(10) if digit != FIRST_DIGIT]
    chosen = streams.numpy("other digits").permutation(others)[: c.n_images - 1]
    more = [draw_digits(1, streams, c.side, digit=int(digit)) for digit in chosen]
    return replace(one, training=torch.cat([one.training, *more]))


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    most = max(summary.rises, default=0)
    clauses = [
        exceeds(f"rise with {_images(n)}", found, CLEAR_RISE if n == most else 0.0)
        for n, found in summary.rises.items()
    ]
    clauses += [
        exceeds(f"rise of the correlation to the input with {_images(n)}", found, 0.0)
        for n, found in summary.to_input.items()
    ]
    if summary.arm == SHIFTED and most < CLAIMED[-1]:
        clauses = [unmeasured(f"rise with {CLAIMED[-1]} {SHIFTED}", "no control was run")]
    elif summary.arm == TREATMENT:
        lacking = [n for n in CLAIMED if n not in summary.rises]
        clauses += [not_in_design(f"rise with {_images(n)} over one") for n in lacking]
    clauses += unfitted(*(maps.left_out for maps in summary.maps.values()))
    sides = [f"{_told(maps)} with {_images(n)}" for n, maps in summary.maps.items()]
    left_out = tell({_images(n): maps.left_out for n, maps in summary.maps.items()})
    return judge(
        clauses,
        effect=summary.rise,
        unit="rise of the preference, 1 identity to -1 constant",
        rule=RULE,
        reason=f"Preferences change sides at {', '.join(sides)} (layers, median over seeds). "
        f"{left_out}"
        if sides
        else "",
    )


def _told(maps: MapSummary) -> str:
    return told(transition(maps), ".1f", "an unknown depth")


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n} images"


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the networks at work, the preference over depth, and the heat map."""
    more, copies = summaries[TREATMENT], summaries[SHIFTED]
    most, fewest = max(more.maps, default=1), min(more.maps, default=1)
    title = "What networks that learned several images make of others, by depth"
    sums = [maps.left_out for maps in more.maps.values()]
    if most > fewest and all(one.n_judged == one.n_planned for one in sums):
        title = (
            f"Preferences change sides at {_told(more.maps[most])} layers with {_images(most)}, "
            f"at {_told(more.maps[fewest])} with {_images(fewest)}"
        )
    shown = replace(records[0].condition, images=DIGITS, n_images=most)
    gallery = galleries(
        records,
        lambda streams: task_of(shown, streams),
        family=_family,
        level=lambda r: r.condition.depth,
        label=lambda r: f"{r.condition.depth} layers",
        title=title,
        rows="a network that was trained to return its training images: the first of those shown, "
        "the first two, all of them, or the first and shifted copies of it",
    )
    roles: dict[int, Role] = {fewest: "train", most: "test"}
    lines: dict[str, tuple[Role, MapSummary]] = {
        _images(n): (roles.get(n, "other"), maps) for n, maps in more.maps.items()
    }
    lines |= {f"{n} {SHIFTED}": ("control", copies.maps[n]) for n in copies.rises}
    rises = [f"{found} with {_images(n)}" for n, found in more.rises.items()]
    rises += [f"{found} with {n} {SHIFTED}" for n, found in copies.rises.items()]
    chart = preference_chart(
        lines,
        DEPTH,
        title=f"Rise of the preference: {'; '.join(rises)}"
        if rises and whole(*more.rises.values(), *copies.rises.values())
        else "Preference by depth",
        caption=tell({text: maps.left_out for text, (_, maps) in lines.items()}),
    )
    heat = similarity_heat_maps(
        {_images(n): records.where(images=DIGITS, n_images=n) for n in (fewest, most)},
        by="depth",
        title="Correlation to the input and to the training image, by depth and similarity",
        caption="Mean over seeds and test inputs of the correlation of the outputs with the input "
        "and with the nearest training image.",
    )
    return [*gallery, chart, *heat]


def _family(record: Record) -> str:
    c = record.condition
    return f"{c.n_images} {SHIFTED}" if c.images == SHIFTED else _images(c.n_images)


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(SHIFTED,),
    scales=three_scales(
        Condition,
        smoke={"depths": "5 8", "n_channels": 12},
        full={"depths": "5 7 9 11 13 15 17 20", "n_channels": 128, "learning_rate": 3e-4},
        n_seeds=(3, 8, 5),
        note="5 x 5 filters, 128 channels",
    ),
)
