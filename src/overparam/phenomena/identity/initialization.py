"""With few channels, the start decides what is learned.

Claim: Narrow convolutional networks that learn to return one and the same image become different
    maps from different random starts: shown an image that none of them saw, they disagree.

Control: The same depth with many channels.

Falsified: The control would fail if starts led to different maps at any width: wide networks that
    fit one image and disagree on others as narrow ones do.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), on few
    channels and on initialization schemes.

Differs: Images of 14 x 14 pixels below the full scale; the paper's numbers of channels and its
    list of schemes could not be checked. Adam, with a larger step than in the other studies of
    the task, to a squared error of 1e-4 per pixel, since networks of few channels are slow to
    fit more closely. Every seed draws another 7, which its starts share. The measure is ours.

In practice: Of a network with few channels, train more than one before you say what it does away
    from its training data; where the copies disagree, none of them is to be trusted. The scheme
    of initialization is part of the result: report it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from overparam.lab.figure import Figure
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor
from overparam.lab.records import Records
from overparam.lab.settings import whole_numbers
from overparam.lab.verdict import (
    UNKNOWN,
    Clause,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    unmeasured,
)
from overparam.models import same_convnet
from overparam.phenomena.identity._disagreement import (
    BY_SCHEME,
    CLEAR_DISAGREEMENT,
    MANY_CHANNELS,
    STARTS,
    Summary,
    summarise,
)
from overparam.phenomena.identity._initialization_figures import (
    ALL_SCHEMES,
    channel_count,
    disagreement_chart,
    schemes_map,
    starts_galleries,
)
from overparam.phenomena.identity._left_out import unfitted
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import NOT_JUDGED
from overparam.phenomena.identity._task import (
    AdamFactors,
    learn_identity,
    make_identity_task,
    recipe_of,
)
from overparam.phenomena.identity._task import MapOutcome as Outcome
from overparam.streams import Streams
from overparam.training.initialise import DEFAULT_SCHEME, draw_weights

NARROW, WIDE = 8, 24  # channels up to which a network counts as narrow, and from which as wide
RULE = (
    "Disagreement: 1 - correlation of the outputs of two networks that started differently and "
    "learned the same image, mean over test inputs and all pairs of starts; 0 for one map. "
    f"Observed if its 95 % interval over seeds lies above {CLEAR_DISAGREEMENT}; absent if it "
    f"lies below; inconclusive where the narrowest networks have more than {NARROW} channels, and "
    f"of the control where the widest have fewer than {WIDE}. {NOT_JUDGED}"
)


@dataclass(frozen=True)
class Condition(AdamFactors):
    """A start of a network: its scheme and which draw of it."""

    arm: str = factor(STARTS, choices=(STARTS, BY_SCHEME))
    n_channels: int = factor(0, symbol="c", unit="channels", low=1, doc="0: placed by the design")
    depth: int = factor(0, unit="layers", low=1, doc="0: placed by the design")
    start: int = factor(0, low=0, doc="which random draw of the weights")
    scheme: str = factor(DEFAULT_SCHEME, choices=ALL_SCHEMES)
    channels: str = factor("4 12 48", unit="channels", doc="of the sweep over starts")
    n_starts: int = factor(4, unit="starts", low=2, high=100)
    starts_depth: int = factor(5, unit="layers", low=2, doc="of the sweep over starts")
    scheme_channels: int = factor(32, unit="channels", low=1, doc="of the schemes' networks")
    scheme_depths: str = factor("5 9", unit="layers", doc="of the schemes' networks")
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1, odd=True)
    learning_rate: float = factor(1e-3, symbol="eta", low=1e-8, doc="of Adam")
    target_loss: float = factor(1e-4, unit="squared error per pixel", low=1e-12)
    max_steps: int = factor(3000, unit="updates", low=1)


def cells(base: Condition) -> list[Condition]:
    """Span channels and starts by the default scheme; then schemes and depths."""
    starts = [
        replace(base, arm=STARTS, n_channels=c, depth=base.starts_depth, start=s)
        for c in whole_numbers(base, "channels", places="n_channels")
        for s in range(base.n_starts)
    ]
    schemes = [
        replace(base, arm=BY_SCHEME, n_channels=base.scheme_channels, depth=d, scheme=scheme)
        for scheme in ALL_SCHEMES
        for d in whole_numbers(base, "scheme_depths", places="depth")
    ]
    return [*starts, *schemes]


async def run(c: Condition, streams: Streams) -> Outcome:
    """Train one network from one start and see what it makes of images it never saw."""
    # The images depend on the seed alone, the weights on the start too.
    task = make_identity_task(streams, c.side)
    own = streams.child(f"start {c.start}")
    model = draw_weights(same_convnet(c.depth, c.n_channels, c.kernel_size), c.scheme, own)
    return await learn_identity(model, task, recipe_of(c, task), own)


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    what = "disagreement of starts"
    planned = summary.left_out.n_planned
    clause = (
        exceeds(what, summary.interval, CLEAR_DISAGREEMENT)
        if planned
        else unmeasured(what, "no control was run: another number of channels is needed")
    )
    return judge(
        [clause, *_lacking(summary), *unfitted(summary.left_out)],
        effect=summary.interval if planned else UNKNOWN,
        unit="disagreement of starts, 0 one map to 2",
        rule=RULE,
        reason=f"With {channel_count(summary.n_channels)}, the disagreement of outputs from "
        f"different starts is {summary.interval}. {summary.left_out}",
    )


def _lacking(summary: Summary) -> list[Clause]:
    n = summary.n_channels
    if summary.is_control:
        return [not_in_design(f"networks of {WIDE} or more channels")] if 0 < n < WIDE else []
    return [not_in_design(f"networks of {NARROW} or fewer channels")] if n > NARROW else []


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the starts side by side, the disagreement over channels, and the schemes."""
    starts, by_scheme = records.where(arm=STARTS), records.where(arm=BY_SCHEME)
    few = summaries[TREATMENT]
    compared = [s for s in summaries.values() if s.left_out.n_planned]
    return [
        *starts_galleries(starts, compared),
        *([disagreement_chart(few.sweep, compared)] if len(starts) else []),
        *([schemes_map(by_scheme, len(few.disagreement))] if len(by_scheme) else []),
    ]


PHENOMENON = Phenomenon(
    doc=__doc__,
    condition=Condition,
    outcome=Outcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    controls=(MANY_CHANNELS,),
    scales=three_scales(
        Condition,
        smoke={
            "channels": "3 24",
            "n_starts": 3,
            "starts_depth": 4,
            "scheme_channels": 12,
            "scheme_depths": "4",
            "learning_rate": 3e-3,
        },
        full={
            "channels": "3 8 32 128",
            "n_starts": 8,
            "scheme_channels": 128,
            "scheme_depths": "5 9 14 20",
            "learning_rate": 3e-4,
            "max_steps": 200_000,
        },
        n_seeds=(3, 5, 5),
        note="5 x 5 filters, up to 128 channels",
    ),
)
