"""Larger kernels lean to the constant.

Claim: Of convolutional networks of one depth that learn to return one image, those with small
    kernels learn to return any image, the identity; the larger the kernel, the nearer they are
    to the constant, which returns the training image whatever it is shown.

Control: The same depth and the smallest kernel, with as many parameters, spent on channels.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the
    figure of convolutional networks by kernel size.

Differs: Below the full scale, images of 14 x 14 pixels, 32 channels and kernels of up to 13
    pixels, from whose middle nearly the whole image is in reach. At 28 x 28 pixels the kernels
    are 3 to 29; sizes of up to 57, which the paper is said to have, could not be checked, and
    hold weights that see padding alone. Adam to a squared error of 1e-6 per pixel instead of
    two million steps of SGD with momentum. Every seed draws another 7.

In practice: That a convolution is the same everywhere is its protection against learning by
    heart, and a kernel as large as the image is hardly applied twice. When data are few, spend
    parameters on channels rather than on the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from overparam.lab.figure import Axis, Figure, Table
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor
from overparam.lab.records import Record, Records
from overparam.lab.verdict import Verdict
from overparam.models import same_convnet
from overparam.models.convolutional import same_convnet_n_params, same_convnet_width_for
from overparam.phenomena.identity._fall import MapFall, judge_fall, mean_present, summarise_fall
from overparam.phenomena.identity._figures import left_out, network_gallery, preference_chart
from overparam.phenomena.identity._task import (
    MapOutcome,
    identity_recipe,
    learn_identity,
    make_identity_task,
)
from overparam.streams import Streams

KERNELS, CHANNELS = ARMS = ("larger kernels", "more channels")
KERNEL = Axis("Kernel size, or that of as many parameters", "pixels")


@dataclass(frozen=True)
class Condition:
    """A kernel size, or a number of channels with as many parameters."""

    arm: str = factor(KERNELS, choices=ARMS)
    like: int = factor(0, symbol="k", unit="pixels", low=0, doc="kernel that sets the count")
    kernel_sizes: str = factor("3 5 7 9 13", unit="pixels", doc="of the sweep, odd")
    n_channels: int = factor(32, symbol="c", unit="channels", low=1, doc="with larger kernels")
    depth: int = factor(5, unit="layers", low=2)
    side: int = factor(14, unit="pixels", low=8)
    learning_rate: float = factor(3e-4, symbol="eta", low=1e-8, doc="of Adam")
    max_steps: int = factor(4000, unit="updates", low=1)
    precision: str = factor("float32", choices=("auto", "float32", "bfloat16", "float64"))

    @property
    def size(self) -> tuple[int, int, int]:
        """Depth, channels and kernel size of the network."""
        smallest = kernels(self)[0]
        if self.arm == KERNELS or self.like == smallest:
            return self.depth, self.n_channels, self.like
        aim = same_convnet_n_params(self.depth, self.n_channels, self.like)
        return self.depth, same_convnet_width_for(aim, self.depth, smallest), smallest


def kernels(c: Condition) -> list[int]:
    """Return the kernel sizes of the sweep, rising."""
    return sorted({int(k) for k in c.kernel_sizes.split()})


def cells(base: Condition) -> list[Condition]:
    """Span the kernel sizes, and for each as many parameters in channels."""
    return [replace(base, arm=a, like=k) for a in ARMS for k in kernels(base)]


async def run(c: Condition, streams: Streams) -> MapOutcome:
    """Train one network and see what it makes of images it never saw."""
    task = make_identity_task(streams, c.side)
    recipe = identity_recipe(
        task.train_set,
        max_steps=c.max_steps,
        learning_rate=c.learning_rate,
        precision=c.precision,
    )
    return await learn_identity(same_convnet(*c.size), task, recipe, streams)


def summarise(records: Records) -> dict[str, MapFall]:
    """Arrange both arms by the kernel size that sets the number of parameters."""
    names = {KERNELS: TREATMENT, CHANNELS: CHANNELS}
    arms = {name: records.where(arm=arm) for arm, name in names.items()}
    return {name: summarise_fall(found, "like") for name, found in arms.items() if len(found)}


def verdict(summary: MapFall) -> Verdict:
    """Apply the rule of falls to one arm."""
    return judge_fall(summary, "pixels of the kernel, or as many parameters in channels,")


def figures(summaries: Mapping[str, MapFall], records: Records) -> list[Figure]:
    """Draw the networks at work, the preference over the kernel size, and the counts."""
    seed = records.seeds[0]
    larger, wider = summaries[TREATMENT], summaries.get(CHANNELS)
    first, last = (mean_present(larger.maps.preference[i]) for i in (0, -1))
    smallest, largest = larger.maps.levels[[0, -1]]
    gallery = network_gallery(
        records.where(lambda r: r.seed == seed),
        make_identity_task(Streams(seed), records[0].condition.side),
        family=lambda r: r.condition.arm,
        level=lambda r: r.condition.like,
        label=_label,
        title=f"From {smallest:.0f} to {largest:.0f} pixels of kernel, the preference for the "
        f"identity goes from {first:.2f} to {last:.2f}",
        caption="Each row is a network that was trained to return one image, the training image "
        "beside the grid; each column shows what it makes of an image that it never saw. Switch "
        "to see as many parameters in channels. Choose an input to follow it through the "
        f"layers. Seed {seed}; the scores of all seeds are below.",
        level_name="Kernel size",
        level_unit="pixels",
    )
    lines = {KERNELS: ("test", larger.maps)}
    if wider:
        lines[CHANNELS] = ("control", wider.maps)
    title = f"Larger kernels lower the preference by {larger.fall}"
    chart = preference_chart(
        lines,  # type: ignore[arg-type]
        KERNEL,
        title=f"{title}, as many parameters in channels by {wider.fall}" if wider else title,
        caption="Both lines have the same parameters at the same place, counted below. "
        + left_out(sum(s.maps.n_not_learned for s in summaries.values())),
    )
    return [gallery, chart, _table(records, summaries)]


def _label(record: Record) -> str:
    _, channels, kernel = record.condition.size
    return f"{kernel} x {kernel}, {channels} channels"


def _table(records: Records, summaries: Mapping[str, MapFall]) -> Table:
    rows = []
    for arm, found in summaries.items():
        of_arm = records.where(arm=KERNELS if arm == TREATMENT else arm)
        for level, values in zip(found.maps.levels, found.maps.preference, strict=True):
            _, channels, kernel = size = of_arm.where(like=int(level))[0].condition.size
            learned = f"{int(np.isfinite(values).sum())} of {len(values)}"
            mean = round(mean_present(values), 3)
            rows.append((kernel, channels, same_convnet_n_params(*size), learned, mean))
    heads = ("Kernel size", "Channels", "Parameters", "Fitted", "Preference")
    return Table(
        "counts",
        "The networks",
        "Mean preference over the seeds whose network fitted its training image.",
        dict(zip(heads, map(list, zip(*rows, strict=True)), strict=True)),
        {"Kernel size": "pixels", "Fitted": "seeds", "Preference": "1 identity, -1 constant"},
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
                kernel_sizes="3 9",
                side=10,
                n_channels=16,
                learning_rate=1e-3,
                max_steps=2000,
            ),
            n_seeds=3,
        ),
        "standard": Scale(Condition(), n_seeds=5),
        "full": Scale(
            Condition(
                kernel_sizes="3 5 7 9 13 21 29",
                side=28,
                n_channels=128,
                max_steps=100_000,
            ),
            n_seeds=5,
            note="Zhang et al. 2020: 28 x 28 pixels, 128 channels, 5 layers",
        ),
    },
)
