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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch

from overparam.lab.figure import Axis, Chart, Figure, HeatMap, Panel, Rule
from overparam.lab.phenomenon import TREATMENT, Phenomenon, factor
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.settings import whole_numbers
from overparam.lab.verdict import (
    UNKNOWN,
    Clause,
    Interval,
    Verdict,
    exceeds,
    judge,
    not_in_design,
    told,
    unmeasured,
    whole,
)
from overparam.measures.image_maps import correlation
from overparam.models import same_convnet
from overparam.phenomena.identity._figures import galleries
from overparam.phenomena.identity._left_out import LeftOut, has_value, left_out_of, tell, unfitted
from overparam.phenomena.identity._scales import three_scales
from overparam.phenomena.identity._summary import NOT_JUDGED, mean_present, score_interval
from overparam.phenomena.identity._task import (
    AdamFactors,
    learn_identity,
    make_identity_task,
    recipe_of,
)
from overparam.phenomena.identity._task import MapOutcome as Outcome
from overparam.streams import Streams
from overparam.training.initialise import DEFAULT_SCHEME, SCHEMES, draw_weights

STARTS, BY_SCHEME = "starts", "schemes"
MANY_CHANNELS = "many channels"
ALL_SCHEMES = (DEFAULT_SCHEME, *SCHEMES)
CLEAR_DISAGREEMENT = 0.15
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


@dataclass(frozen=True)
class Summary:
    """Networks of one width: how far their starts disagree, `[seeds]`, and what is left out.

    Attributes:
        sweep: of the treatment, the same of every width.
    """

    n_channels: int
    disagreement: np.ndarray
    interval: Interval
    left_out: LeftOut
    is_control: bool = False
    sweep: tuple[Summary, ...] = ()


def summarise(records: Records) -> dict[str, Summary]:
    """Compare starts at the fewest channels and at the most."""
    starts = records.where(arm=STARTS)
    few, *more = starts.levels("n_channels") or [0]
    many = more[-1] if more else 0  # of which there are no networks
    sweep = tuple(summarise_width(starts, c) for c in (few, *more))
    return {
        TREATMENT: replace(sweep[0], sweep=sweep),
        MANY_CHANNELS: replace(summarise_width(starts, many), is_control=True),
    }


def summarise_width(starts: Records, n_channels: int) -> Summary:
    """Return how far the starts of one width disagree, seed by seed; NaN where one is missing.

    Of what is left, a seed could say less than of all its starts, and another thing.
    """
    networks = starts.where(n_channels=n_channels)
    by_seed = [[r for r in networks if r.seed == seed] for seed in starts.seeds]
    found = np.array(
        [
            disagreement([r.outcome.outputs for r in some]) if all(map(has_value, some)) else np.nan
            for some in by_seed
        ]
    )
    return Summary(n_channels, found, score_interval(found, (0, 2)), left_out_of(networks))


def disagreement(outputs: Sequence[np.ndarray]) -> float:
    """Return 1 - correlation, mean over the images and over all pairs of networks; in [0, 2].

    Args:
        outputs: of each network, `[images, h, w]`.

    NaN: of fewer than two networks.

    >>> image = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    >>> disagreement([image, 3 * image]), disagreement([image, -image])
    (0.0, 2.0)
    """
    pairs = list(combinations(range(len(outputs)), 2))
    if not pairs:
        return float("nan")
    maps = torch.as_tensor(np.asarray(outputs, np.float64))
    first, second = (maps[[pair[side] for pair in pairs]].flatten(0, 1) for side in (0, 1))
    return float((1 - correlation(first, second)).mean())


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
        reason=f"With {_channels(summary.n_channels)}, the disagreement of outputs from different "
        f"starts is {summary.interval}. {summary.left_out}",
    )


def _lacking(summary: Summary) -> list[Clause]:
    n = summary.n_channels
    if summary.is_control:
        return [not_in_design(f"networks of {WIDE} or more channels")] if 0 < n < WIDE else []
    return [not_in_design(f"networks of {NARROW} or fewer channels")] if n > NARROW else []


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the starts side by side, the disagreement over channels, and the schemes."""
    side = records[0].condition.side
    starts, by_scheme = records.where(arm=STARTS), records.where(arm=BY_SCHEME)
    compared = [s for s in summaries.values() if s.left_out.n_planned]
    gallery = galleries(
        starts,
        lambda streams: make_identity_task(streams, side),
        family=lambda r: _channels(r.condition.n_channels),
        level=lambda r: r.condition.start + 1,
        label=lambda r: f"start {r.condition.start + 1}",
        title=_title(
            "What different random starts make of images that they never saw",
            {s.n_channels: (s.interval, told(s.interval.estimate, ".2f")) for s in compared},
        ),
        rows="one random start of the same network on the same training image, beside the grid",
        hint="Compare the rows, then switch to more channels.",
        level_name="Random start",
        level_unit="",
    )
    return [
        *gallery,
        *([_by_channels(summaries[TREATMENT].sweep, compared)] if len(starts) else []),
        *(
            [_by_scheme(by_scheme, len(summaries[TREATMENT].disagreement))]
            if len(by_scheme)
            else []
        ),
    ]


def _title(otherwise: str, said: Mapping[int, tuple[Interval, str]]) -> str:
    """Return the disagreement by number of channels, where all of it is known."""
    if not whole(*(interval for interval, _ in said.values())):
        return otherwise
    numbers = (f"{text} with {_channels(n)}" for n, (_, text) in said.items())
    return f"Disagreement of random starts: {', '.join(numbers)}"


def _channels(n: int) -> str:
    return f"{n} channel{'' if n == 1 else 's'}"


def _by_channels(found: Sequence[Summary], compared: Sequence[Summary]) -> Chart:
    values = np.stack([s.disagreement for s in found])
    line = series_over_seeds("starts", "test", [s.n_channels for s in found], values, "mean")
    return Chart(
        "disagreement",
        _title(
            "Disagreement of random starts by the number of channels",
            {s.n_channels: (s.interval, str(s.interval)) for s in compared},
        ),
        "Disagreement: 1 - correlation of the outputs of two starts, mean over test inputs and "
        f"pairs. {tell({_channels(s.n_channels): s.left_out for s in found})}",
        [
            Panel(
                "",
                Axis("Channels", scale="log"),
                Axis("Disagreement of starts", "1 - correlation", zero=True),
                [line],
                [Rule(CLEAR_DISAGREEMENT, "different maps", axis="y")],
            )
        ],
    )


def _by_scheme(records: Records, n_seeds: int) -> HeatMap:
    schemes = [s for s in ALL_SCHEMES if s in records.levels("scheme")]
    depths = records.levels("depth")
    means = np.full((len(schemes), len(depths)), np.nan)
    notes, failed = [["" for _ in depths] for _ in schemes], []
    for i, j in np.ndindex(means.shape):
        cell = records.where(scheme=schemes[i], depth=depths[j])
        fitted = [r.value("preference") for r in cell if has_value(r)]
        notes[i][j] = f"{len(fitted)} of {n_seeds} seeds fitted their image"
        means[i, j] = mean_present(np.array(fitted, float))
        if len(fitted) < n_seeds:
            failed.append(f"{schemes[i]}, {depths[j]} layers: {len(fitted)} of {n_seeds}")
    title, last = "Preference by scheme of initialization and depth", means[:, -1]
    deepest = records.where(depth=depths[-1])
    if len(deepest) == len(ALL_SCHEMES) * n_seeds and np.isfinite(last).any():
        low, high = int(np.nanargmin(last)), int(np.nanargmax(last))
        title = (
            f"At {depths[-1]} layers the preference is {last[low]:z.2f} from {schemes[low]} and "
            f"{last[high]:z.2f} from {schemes[high]}"
        )
    return HeatMap(
        "schemes",
        title,
        "Mean preference over the seeds whose network fitted its training image: 1 for a network "
        "that returns its input, -1 for one that returns its training image. "
        + (f"Seeds that fitted, where not all did: {'; '.join(failed)}." if failed else "All fit."),
        Axis("Depth", "layers"),
        Axis("Initialization"),
        schemes,
        [("", means)],
        "Preference",
        "1 identity, -1 constant",
        x_labels=[f"{depth}" for depth in depths],
        low=-1.0,
        high=1.0,
        diverging=True,
        notes=[notes],
    )


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
