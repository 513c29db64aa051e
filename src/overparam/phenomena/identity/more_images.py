"""Two and three training images extend the depth that still generalizes.

Claim: At the depths at which networks that learned a single image go over to the constant, networks
    that learned two or three images of different digits are nearer to the identity.

Control: Three images that show the same: the one image, and copies of it shifted by a pixel.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), on more
    than one training image.

Differs: Which images the paper adds to its 7 could not be checked; here each is of another digit.
    Below the full scale, images of 14 x 14 pixels and 24 channels instead of 28 x 28 and 128,
    and training to a squared error of 1e-5 per pixel. Adam instead of two million steps of SGD
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

import numpy as np
import torch
from torch import Tensor

from overparam.data import draw_digits
from overparam.lab.crossing import crossings
from overparam.lab.figure import Axis, Figure, Role
from overparam.lab.intervals import mean_interval
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor
from overparam.lab.records import Record, Records
from overparam.lab.verdict import Interval, Verdict, decide
from overparam.models import same_convnet
from overparam.phenomena.identity._fall import mean_present
from overparam.phenomena.identity._figures import (
    left_out,
    network_gallery,
    preference_chart,
    similarity_heat_map,
)
from overparam.phenomena.identity._summary import PREFERENCE, MapSummary, summarise_maps
from overparam.phenomena.identity._task import (
    IdentityTask,
    MapOutcome,
    identity_recipe,
    learn_identity,
    make_identity_task,
)
from overparam.streams import Streams

DIGITS, SHIFTED = "different digits", "shifted copies"
FIRST_DIGIT = 7
# From 6 to 10 layers, the preference of networks that learned one image falls by about a quarter
# a layer: a rise by 0.1 at every depth is less than half a layer.
CLEAR_RISE = 0.1
DEPTH = Axis("Depth", "layers")
RULE = (
    f"{PREFERENCE} Observed if the 95 % interval over seeds of its rise, most images minus one "
    f"image, paired by seed and depth and mean over the depths of the sweep, lies above "
    f"{CLEAR_RISE}; absent if it lies below. Networks that did not fit their training images are "
    "not judged."
)


@dataclass(frozen=True)
class Condition:
    """A depth, and the images it is trained on."""

    depth: int = factor(0, unit="layers", low=0, doc="0: placed by the design")
    n_images: int = factor(1, symbol="n", unit="images", low=1, high=10)
    images: str = factor(DIGITS, choices=(DIGITS, SHIFTED))
    counts: str = factor("1 2 3", unit="images", doc="of the sweep")
    depths: str = factor("6 8 10", unit="layers", doc="of the sweep")
    n_channels: int = factor(24, symbol="c", unit="channels", low=1)
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1)
    side: int = factor(14, unit="pixels", low=8)
    learning_rate: float = factor(3e-4, symbol="eta", low=1e-8, doc="of Adam")
    target_loss: float = factor(1e-5, unit="squared error per pixel", low=1e-12)
    max_steps: int = factor(4000, unit="updates", low=1)
    precision: str = factor("float32", choices=("auto", "float32", "bfloat16", "float64"))


def cells(base: Condition) -> list[Condition]:
    """Span the depths on each number of images, and on copies of one image."""
    counts, depths = ([int(word) for word in t.split()] for t in (base.counts, base.depths))
    kinds = [(n, DIGITS) for n in counts] + [(max(counts), SHIFTED)]
    return [replace(base, depth=d, n_images=n, images=kind) for n, kind in kinds for d in depths]


async def run(c: Condition, streams: Streams) -> MapOutcome:
    """Train one network and see what it makes of images it never saw."""
    task = task_of(c, streams)
    recipe = identity_recipe(
        task.train_set,
        max_steps=c.max_steps,
        learning_rate=c.learning_rate,
        target_loss=c.target_loss,
        precision=c.precision,
    )
    model = same_convnet(c.depth, c.n_channels, c.kernel_size)
    return await learn_identity(model, task, recipe, streams)


def task_of(c: Condition, streams: Streams) -> IdentityTask:
    """Return one seed's images: a 7, and digits of other classes or copies of it."""
    one = make_identity_task(streams, c.side, digit=FIRST_DIGIT)
    if c.images == SHIFTED:
        return replace(one, training=shifted_copies(one.training, c.n_images))
    others = [digit for digit in range(10) if digit != FIRST_DIGIT]
    chosen = streams.numpy("other digits").permutation(others)[: c.n_images - 1]
    more = [draw_digits(1, streams, c.side, digit=int(digit)) for digit in chosen]
    return replace(one, training=torch.cat([one.training, *more]))


def shifted_copies(image: Tensor, n: int) -> Tensor:
    """Return the image `[1, channels, h, w]` and copies of it, shifted sideways, `[n, ...]`.

    By 1, -1, 2, -2, ... pixels; what leaves on one side comes in on the other (of a digit, the
    blank margin).

    >>> shifted_copies(torch.tensor([[[[0.0, 1.0, 0.0, 0.0]]]]), 3).flatten(1).tolist()
    [[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """
    shifts = [(i + 1) // 2 * (1 if i % 2 else -1) for i in range(n)]
    return torch.cat([image.roll(shift, -1) for shift in shifts])


@dataclass(frozen=True)
class Summary:
    """One arm: scores over depth by number of images, and what the rule looks at.

    Attributes:
        maps: number of images to scores; the smallest number is one image.
        rise: of the preference, from the fewest images to the most.
    """

    maps: Mapping[int, MapSummary]
    rise: Interval


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange both arms by number of images, depth and seed; one image is the start of both."""
    counts = records.levels("n_images")
    digits = {n: records.where(images=DIGITS, n_images=n) for n in counts}
    copies = records.where(images=SHIFTED)
    arms = {TREATMENT: _summarise_arm({n: some for n, some in digits.items() if len(some)})}
    if len(copies) and len(digits[counts[0]]):
        arms[SHIFTED] = _summarise_arm({counts[0]: digits[counts[0]], counts[-1]: copies})
    return arms


def _summarise_arm(by_count: Mapping[int, Records]) -> Summary:
    maps = {n: summarise_maps(records, "depth") for n, records in by_count.items()}
    return Summary(maps, rise(maps, max(maps)))


def rise(maps: Mapping[int, MapSummary], n: int) -> Interval:
    """Return by how much n images raise the preference against the fewest, mean over depths."""
    rises = maps[n].preference - maps[min(maps)].preference
    return mean_interval([mean_present(of_seed) for of_seed in rises.T])


def transition(maps: MapSummary) -> float:
    """Return the depth at which the preference last falls below 0, median over seeds.

    The ends of the sweep stand for what lies outside.
    """
    found = crossings(maps.levels, maps.preference, 0.0)
    return float(np.nanmedian(np.clip(found, maps.levels[0], maps.levels[-1])))


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    parts = [f"{transition(maps):.1f} with {_images(n)}" for n, maps in summary.maps.items()]
    return decide(
        summary.rise,
        at_least=CLEAR_RISE,
        unit="rise of the preference, 1 identity to -1 constant",
        rule=RULE,
        reason=f"Networks change sides at {', '.join(parts)} layers (median over seeds).",
    )


def _images(n: int) -> str:
    return "1 image" if n == 1 else f"{n} images"


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the networks at work, the preference over depth, and the heat map."""
    more, copies = summaries[TREATMENT], summaries.get(SHIFTED)
    seed, most = records.seeds[0], max(more.maps)
    fewest = min(more.maps)
    gains = [f"{_images(n)} by {rise(more.maps, n)}" for n in more.maps if n != fewest]
    if copies:
        gains.append(f"{most} {SHIFTED} by {copies.rise}")
    largest = records.where(images=DIGITS, n_images=most)[0].condition
    gallery = network_gallery(
        records.where(lambda r: r.seed == seed),
        task_of(largest, Streams(seed)),
        family=_family,
        level=lambda r: r.condition.depth,
        label=lambda r: f"{r.condition.depth} layers",
        title=f"Networks that learned {_images(most)} change from identity to constant at "
        f"{transition(more.maps[most]):.1f} layers, those that learned one at "
        f"{transition(more.maps[fewest]):.1f}",
        caption="Each row is a network that was trained to return its training images: the first "
        "of those shown, the first two, all of them, or the first and shifted copies of it. Each "
        "column shows what it makes of an image that it never saw. Choose an input to follow it "
        f"through the layers. Seed {seed}; the scores of all seeds are below.",
    )
    roles: dict[int, Role] = {fewest: "train", most: "test"}
    lines: dict[str, tuple[Role, MapSummary]] = {
        _images(n): (roles.get(n, "other"), maps) for n, maps in more.maps.items()
    }
    if copies:
        lines[f"{most} {SHIFTED}"] = ("control", copies.maps[max(copies.maps)])
    chart = preference_chart(
        lines,
        DEPTH,
        title=f"The preference rises: {'; '.join(gains)}",
        caption=left_out(sum(maps.n_not_learned for _, maps in lines.values())),
    )
    heat = similarity_heat_map(
        {_images(n): records.where(images=DIGITS, n_images=n) for n in (fewest, most)},
        by="depth",
        title="Correlation to the input and to the training image, by depth and similarity",
        caption="Mean over seeds and test inputs of the correlation of the outputs with the input "
        "and with the nearest training image.",
    )
    return [gallery, chart, heat]


def _family(record: Record) -> str:
    c = record.condition
    return f"{c.n_images} {SHIFTED}" if c.images == SHIFTED else _images(c.n_images)


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
                counts="1 3",
                depths="5 8",
                n_channels=12,
                side=10,
                learning_rate=1e-3,
                target_loss=1e-4,
                max_steps=1000,
            ),
            n_seeds=3,
        ),
        "standard": Scale(Condition(), n_seeds=6),
        "full": Scale(
            Condition(
                depths="5 7 9 11 13 15 17 20",
                n_channels=128,
                side=28,
                target_loss=1e-6,
                max_steps=100_000,
            ),
            n_seeds=5,
            note="Zhang et al. 2020: 28 x 28 pixels, 5 x 5 filters, 128 channels",
        ),
    },
)
