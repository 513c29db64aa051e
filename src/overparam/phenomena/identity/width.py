"""Width is not depth.

Claim: Convolutional networks that learn to return one image move from the identity, which returns
    any image, to the constant, which returns the training image, when they get deeper, though
    they have no more parameters than wide ones that do not.

Control: The shallow network made wider to as many parameters as each deeper one; and, within one
    depth further on, widths from few to many channels.

Falsified: Either control would fail if the number of parameters moved the map: a wide network,
    of any size of its sweep, that is no longer clearly the identity (shallow), or is nearer to the
    constant (one depth further on, where the identity is not clear at any width).

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), the
    figures of wide networks: 6 fully connected layers, 784 wide, 3,687,936 parameters; 5
    convolutional layers of 1,024 channels, 78,694,400.

Differs: Below the full scale, images of 14 x 14 pixels and at most 95 channels, and fully
    connected layers of 196 to 588 units. Adam to a squared error of 1e-6 per pixel instead of two
    million steps of SGD with momentum. Every seed draws another 7. Which depths and widths the
    paper sets side by side is not known; here they are those of (nearly) equal counts. The
    verdict is about convolutional networks: the fully connected ones are near the constant at
    any depth and width, and are shown.

In practice: The number of parameters does not tell whether a network learns by heart. When your
    model returns what it has seen instead of what it was asked, take away layers before you take
    away width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from torch import nn

from overparam.lab.figure import Axis, Chart, Figure, Panel, Role
from overparam.lab.intervals import paired_log_ratio
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor
from overparam.lab.records import Record, Records
from overparam.lab.series import series_over_seeds
from overparam.lab.settings import whole_numbers
from overparam.lab.verdict import Verdict, stays_below, told, whole
from overparam.models import mlp, mlp_n_params, same_convnet
from overparam.models.convolutional import same_convnet_n_params, same_convnet_width_for
from overparam.phenomena.identity._fall import MapFall, fall_rule, judge_fall, summarise_fall
from overparam.phenomena.identity._figures import galleries, networks_table, preference_chart
from overparam.phenomena.identity._left_out import tell
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import CAPPED, CLEAR, MapSummary
from overparam.phenomena.identity._task import (
    AdamFactors,
    learn_identity,
    make_identity_task,
    recipe_of,
)
from overparam.phenomena.identity._task import MapOutcome as Outcome
from overparam.streams import Streams

DEEPER, WIDER, SPAN = "deeper", "wider, equal counts", "wider, one depth"
DENSE_DEEPER, DENSE_WIDER = "fully connected, deeper", "fully connected, wider"
ARMS = (DEEPER, WIDER, SPAN, DENSE_DEEPER, DENSE_WIDER)
SHALLOW_DENSE = 2  # layers of the fully connected network that is made wider
SMALLEST_DISTANCE = 1e-6  # to the constant, at the rounding of float32
PARAMETERS = Axis("Parameters", scale="log")
# Preference that wide networks of one depth keep above: three layers are clearly the identity, six
# are only on its side.
ON_ITS_SIDE = 0.0
RULE = fall_rule(
    "the smallest network of the arm",
    "its largest",
    -CLEAR,
    f"it is absent only if each of its networks is shown to be clearly the identity ({WIDER}), or "
    f"to have a preference above {ON_ITS_SIDE:g} ({SPAN}).",
)
ROLES: dict[str, Role] = {DEEPER: "test", WIDER: "control", SPAN: "other"}


@dataclass(frozen=True)
class Condition(AdamFactors):
    """One network, deep or wide."""

    arm: str = factor(DEEPER, choices=ARMS)
    depth: int = factor(0, unit="layers", low=1, doc="0: placed by the design")
    width: int = factor(0, unit="channels or units", low=1, doc="0: placed by the design")
    depths: str = factor("3 6 10 18", unit="layers", doc="of the sweep, convolutional")
    n_channels: int = factor(24, symbol="c", unit="channels", low=1, doc="of deeper networks")
    span_depth: int = factor(6, unit="layers", low=2, doc="of the sweep from few to many channels")
    span_widths: str = factor("8 24 64", unit="channels", doc="of that sweep")
    dense_depths: str = factor("2 4 6", unit="layers", doc="of the sweep, fully connected")
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1, odd=True)

    @property
    def dense(self) -> bool:
        """Whether the network is fully connected."""
        return self.arm in (DENSE_DEEPER, DENSE_WIDER)

    @property
    def n_params(self) -> int:
        """Number of weights; there are no biases."""
        if self.dense:
            return mlp_n_params(*dense_sizes(self), bias=False)
        return same_convnet_n_params(self.depth, self.width, self.kernel_size)


def cells(base: Condition) -> list[Condition]:
    """Span the depths, the widths of equal counts, and the widths of one depth."""
    depths = whole_numbers(base, "depths", places="depth")
    dense_depths = whole_numbers(base, "dense_depths", places="depth")
    widths = whole_numbers(base, "span_widths", places="width")
    shallow, pixels = depths[0], base.side**2
    deeper = [replace(base, arm=DEEPER, depth=d, width=base.n_channels) for d in depths]
    equal = [same_convnet_width_for(c.n_params, shallow, c.kernel_size) for c in deeper]
    wider = [replace(base, arm=WIDER, depth=shallow, width=w) for w in equal]
    span = [replace(base, arm=SPAN, depth=base.span_depth, width=w) for w in widths]
    # L layers of p x p weights count L p^2, two layers of L p / 2 units as many.
    dense = [replace(base, arm=DENSE_DEEPER, depth=d, width=pixels) for d in dense_depths]
    dense += [
        replace(base, arm=DENSE_WIDER, depth=SHALLOW_DENSE, width=d * pixels // SHALLOW_DENSE)
        for d in dense_depths
    ]
    return [*deeper, *wider, *span, *dense]


def dense_sizes(c: Condition) -> tuple[int, list[int], int]:
    """Return inputs, hidden units and outputs of a fully connected network."""
    return c.side**2, [c.width] * (c.depth - 1), c.side**2


def network(c: Condition) -> nn.Module:
    """Return the network of a cell, without weights."""
    if c.dense:
        return mlp(*dense_sizes(c), bias=False)
    return same_convnet(c.depth, c.width, c.kernel_size)


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network and see what it makes of images it never saw."""
    task = make_identity_task(streams, c.side)
    return await learn_identity(network(c), task, recipe_of(c, task), streams)


def summarise(records: Records) -> dict[str, MapFall]:
    """Arrange the convolutional arms by number of parameters."""
    names = {DEEPER: TREATMENT, WIDER: WIDER, SPAN: SPAN}
    return {
        name: summarise_fall(records.where(arm=arm), "n_params", arm=name)
        for arm, name in names.items()
    }


def verdict(summary: MapFall) -> Verdict:
    """Apply `RULE` to one arm."""
    controls = {
        WIDER: [stays_below(f"lowest {CAPPED} of any width", summary.lowest_capped, CLEAR)],
        SPAN: [stays_below("lowest preference of any width", summary.lowest, ON_ITS_SIDE)],
    }
    return judge_fall(summary, "parameters", rule=RULE, ends_below=-CLEAR, controls=controls)


def figures(summaries: Mapping[str, MapFall], records: Records) -> list[Figure]:
    """Draw the networks at work, preference and distance over parameters, and the counts."""
    side = records[0].condition.side
    falls = {DEEPER if arm == TREATMENT else arm: found for arm, found in summaries.items()}
    gallery = galleries(
        records,
        lambda streams: make_identity_task(streams, side),
        family=lambda r: r.condition.arm,
        level=lambda r: r.condition.n_params,
        label=_label,
        title="From the smallest network to the largest, the preference falls "
        f"by {told(falls[DEEPER].fall.estimate, '.2f')} in depth, by "
        f"{told(falls[WIDER].fall.estimate, '.2f')} in width"
        if whole(falls[DEEPER].fall, falls[WIDER].fall)
        else "What deeper and wider networks make of images that they never saw",
        hint="Switch between networks that grow deeper and networks that grow wider.",
        level_name="Size",
        level_unit="parameters",
    )
    ends = (told(falls[arm].last.estimate, ".2f") for arm in (DEEPER, WIDER))
    chart = preference_chart(
        {arm: (ROLES[arm], found.maps) for arm, found in falls.items()},
        PARAMETERS,
        title=f"At equal counts of parameters, depth and width end at {' and '.join(ends)}"
        if whole(falls[DEEPER].last, falls[WIDER].last)
        else "Preference by the number of parameters",
        caption="Fall of the preference from the smallest to the largest network: "
        + "; ".join(f"{arm} {found.fall}" for arm, found in falls.items())
        + f". {tell({arm: found.maps.left_out for arm, found in falls.items()})}",
    )
    dense = {
        arm: summarise_fall(found, "n_params").maps
        for arm in (DENSE_DEEPER, DENSE_WIDER)
        if len(found := records.where(arm=arm))
    }
    table = networks_table(
        records,
        {
            "Arm": lambda c: c.arm,
            "Depth": lambda c: c.depth,
            "Width": lambda c: c.width,
            "Parameters": lambda c: c.n_params,
        },
        {"Depth": "layers", "Width": "channels or units"},
    )
    charts = [chart]
    if dense:
        planned = len(whole_numbers(records[0].condition, "dense_depths", places="depth"))
        seeds = falls[DEEPER].maps.preference.shape[1:]
        every = len(dense) == 2 and all(
            m.constant.shape == (planned, *seeds) and np.isfinite(m.constant).all()
            for m in dense.values()
        )
        charts.append(_dense_chart(dense, every and planned > 1))
    return [*gallery, *charts, table]


def _dense_chart(arms: Mapping[str, MapSummary], whole: bool) -> Chart:
    """Return the distance to the constant; the title tells it where the arms are there whole."""
    distance = {a: np.maximum(1 - m.constant, SMALLEST_DISTANCE) for a, m in arms.items()}
    nearer = {a: paired_log_ratio(d[0], d[-1]).estimate for a, d in distance.items()}
    said = [f"{told(n, '.3g')} times nearer when {a.split(', ')[1]}" for a, n in nearer.items()]
    series = [
        series_over_seeds(
            arm, "test" if arm == DENSE_DEEPER else "control", m.levels, distance[arm]
        )
        for arm, m in arms.items()
    ]
    return Chart(
        "distance_to_constant",
        f"From the smallest to the largest, fully connected networks come {' and '.join(said)} "
        "to the constant"
        if whole
        else "Distance of fully connected networks to the constant",
        "Distance to the constant: 1 - correlation of the outputs with the training image, mean "
        "over the test inputs. Both lines start from one network and have equal counts.",
        [Panel("", PARAMETERS, Axis("Distance to the constant", scale="log"), series)],
    )


def _label(record: Record) -> str:
    c = record.condition
    return f"{c.depth} layers, {c.width:,} {'units' if c.dense else 'channels'}"


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(WIDER, SPAN),
    scales=three_scales(
        Condition,
        smoke={
            "depths": "2 8",
            "n_channels": 16,
            "span_depth": 3,
            "span_widths": "8 32",
            "dense_depths": "2 4",
        },
        full={
            "depths": "5 9 14 20",
            "n_channels": 128,
            "span_depth": 5,
            "span_widths": "32 128 512 1024",
            "learning_rate": 1e-4,
        },
        n_seeds=(3, 5, 5),
        note="1,024 channels, 784 units in 6 layers",
    ),
)
