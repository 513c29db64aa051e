"""Larger kernels lean to the constant.

Claim: Of convolutional networks of one depth that learn to return one image, those with small
    kernels learn to return any image, the identity; those with large kernels are nearer to the
    constant, which returns the training image whatever it is shown.

Control: The same depth and the smallest kernel, with as many parameters, spent on channels.

Falsified: The control would fail if parameters did it, wherever they are: a network of small
    kernels and more channels, however many, that is no longer clearly the identity.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the
    figure of convolutional networks by kernel size.

Differs: Below the full scale, images of 14 x 14 pixels, 32 channels and kernels of up to 13
    pixels, from whose middle nearly the whole image is in reach. At 28 x 28 pixels the kernels
    are 3 to 29; sizes of up to 57, which the paper is said to have, could not be checked, and
    hold weights that see padding alone. Adam to a squared error of 1e-5 per pixel instead of
    two million steps of SGD with momentum. Every seed draws another 7.

In practice: That a convolution is the same everywhere is its protection against learning by
    heart, and a kernel as large as the image is hardly applied twice. When data are few, spend
    parameters on channels rather than on the kernel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from overparam.lab.figure import Axis, Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor
from overparam.lab.records import Record, Records
from overparam.lab.settings import whole_numbers
from overparam.lab.verdict import Clause, Verdict, not_in_design, stays_below, told, whole
from overparam.models import same_convnet
from overparam.models.convolutional import same_convnet_n_params, same_convnet_width_for
from overparam.phenomena.identity._fall import MapFall, fall_rule, judge_fall, summarise_fall
from overparam.phenomena.identity._figures import galleries, networks_table, preference_chart
from overparam.phenomena.identity._left_out import tell
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import CAPPED, CLEAR
from overparam.phenomena.identity._task import (
    AdamFactors,
    learn_identity,
    make_identity_task,
    recipe_of,
)
from overparam.phenomena.identity._task import MapOutcome as Outcome
from overparam.streams import Streams

KERNELS, CHANNELS = ARMS = ("larger kernels", "more channels")
SMALL, LARGE = 5, 9  # pixels up to which a kernel counts as small, and from which as large
ENDS_BELOW = 0.0  # preference at the last end: on the side of the constant
RULE = fall_rule(
    "the smallest kernel",
    "the largest",
    ENDS_BELOW,
    "it is absent only if each of its networks is shown to be clearly the identity. "
    f"Inconclusive where the smallest kernel is larger than {SMALL} pixels, or the treatment's "
    f"largest smaller than {LARGE}.",
)
KERNEL = Axis("Kernel size, or that of as many parameters", "pixels")


@dataclass(frozen=True)
class Condition(AdamFactors):
    """A kernel size, or a number of channels with as many parameters."""

    arm: str = factor(KERNELS, choices=ARMS)
    like: int = factor(0, symbol="k", unit="pixels", low=1, odd=True, doc="sets the count")
    kernel_sizes: str = factor("3 5 7 9 13", unit="pixels", doc="of the sweep, odd")
    n_channels: int = factor(32, symbol="c", unit="channels", low=1, doc="with larger kernels")
    depth: int = factor(5, unit="layers", low=2)

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
    return whole_numbers(c, "kernel_sizes", places="like")


def cells(base: Condition) -> list[Condition]:
    """Span the kernel sizes, and for each as many parameters in channels."""
    return [replace(base, arm=a, like=k) for a in ARMS for k in kernels(base)]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network and see what it makes of images it never saw."""
    task = make_identity_task(streams, c.side)
    return await learn_identity(same_convnet(*c.size), task, recipe_of(c, task), streams)


def summarise(records: Records) -> dict[str, MapFall]:
    """Arrange both arms by the kernel size that sets the number of parameters."""
    names = {KERNELS: TREATMENT, CHANNELS: CHANNELS}
    return {
        name: summarise_fall(records.where(arm=arm), "like", arm=name)
        for arm, name in names.items()
    }


def verdict(summary: MapFall) -> Verdict:
    """Apply `RULE` to one arm."""
    unit = "pixels of the kernel, or as many parameters in channels,"
    own = stays_below(f"lowest {CAPPED} of any number of channels", summary.lowest_capped, CLEAR)
    return judge_fall(
        summary,
        unit,
        rule=RULE,
        ends_below=ENDS_BELOW,
        controls={CHANNELS: [own]},
        lacking=_lacking(summary),
    )


def _lacking(summary: MapFall) -> list[Clause]:
    sizes, lacking = summary.maps.levels, []
    if len(sizes) and sizes[0] > SMALL:
        lacking.append(not_in_design(f"kernels of {SMALL} pixels or fewer"))
    if len(sizes) and sizes[-1] < LARGE and summary.arm == TREATMENT:
        lacking.append(not_in_design(f"kernels of {LARGE} pixels or more"))
    return lacking


def figures(summaries: Mapping[str, MapFall], records: Records) -> list[Figure]:
    """Draw the networks at work, the preference over the kernel size, and the counts."""
    larger, wider = summaries[TREATMENT], summaries[CHANNELS]
    side = records[0].condition.side
    first, last = (told(end.estimate, ".2f") for end in (larger.first, larger.last))
    gallery = galleries(
        records,
        lambda streams: make_identity_task(streams, side),
        family=lambda r: r.condition.arm,
        level=lambda r: r.condition.like,
        label=_label,
        title=f"From the smallest kernel to the largest, the preference goes from {first} to {last}"
        if whole(larger.first, larger.last)
        else "What networks of each kernel size make of images that they never saw",
        hint="Switch to see as many parameters in channels.",
        level_name="Kernel size",
        level_unit="pixels",
    )
    chart = preference_chart(
        {KERNELS: ("test", larger.maps), CHANNELS: ("control", wider.maps)},
        KERNEL,
        title=f"Fall of the preference with larger kernels: {larger.fall}; with as many "
        f"parameters in channels: {wider.fall}"
        if whole(larger.fall, wider.fall)
        else "Preference by kernel size, and by as many parameters in channels",
        caption="Both lines have the same parameters at the same place, counted below. "
        + tell({KERNELS: larger.maps.left_out, CHANNELS: wider.maps.left_out}),
    )
    table = networks_table(
        records,
        {
            "Kernel size": lambda c: c.size[2],
            "Channels": lambda c: c.size[1],
            "Parameters": lambda c: same_convnet_n_params(*c.size),
        },
        {"Kernel size": "pixels"},
    )
    return [*gallery, chart, table]


def _label(record: Record) -> str:
    _, channels, kernel = record.condition.size
    return f"{kernel} x {kernel}, {channels} channels"


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(CHANNELS,),
    scales=three_scales(
        Condition,
        smoke={"kernel_sizes": "3 9", "n_channels": 16},
        full={"kernel_sizes": "3 5 7 9 13 21 29", "n_channels": 128},
        n_seeds=(3, 5, 5),
        note="128 channels, 5 layers",
    ),
)
