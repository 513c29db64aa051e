"""With few channels, the start decides what is learned.

Claim: Narrow convolutional networks that learn to return one and the same image become different
    maps from different random starts: shown an image that none of them saw, they disagree.

Control: The same depth with many channels.

Sources: Zhang, Bengio, Hardt, Mozer, Singer 2020, "Identity Crisis" (arXiv:1902.04698), on few
    channels and on initialization schemes.

Differs: Images of 14 x 14 pixels below the full scale; the paper's numbers of channels and its
    list of schemes could not be checked. Adam, with a larger step than in the other studies of
    the task, to a squared error of 1e-4 per pixel, since networks of three channels are slow to
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
from overparam.lab.intervals import mean_interval
from overparam.lab.phenomenon import TREATMENT, Phenomenon, Scale, factor
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import Interval, Verdict, decide
from overparam.measures.image_maps import correlation
from overparam.models import same_convnet
from overparam.phenomena.identity._figures import left_out, network_gallery
from overparam.phenomena.identity._task import (
    MapOutcome,
    identity_recipe,
    learn_identity,
    make_identity_task,
)
from overparam.streams import Streams
from overparam.training.initialise import DEFAULT_SCHEME, SCHEMES, draw_weights

STARTS, BY_SCHEME = "starts", "schemes"
MANY_CHANNELS = "many channels"
ALL_SCHEMES = (DEFAULT_SCHEME, *SCHEMES)
CLEAR_DISAGREEMENT = 0.15
RULE = (
    "Disagreement: 1 - correlation of the outputs of two networks that started differently and "
    "learned the same image, mean over test inputs and pairs of starts; 0 for one map. Observed "
    f"if its 95 % interval over seeds lies above {CLEAR_DISAGREEMENT}; absent if it lies below. "
    "Networks that did not fit their training image are not judged."
)


@dataclass(frozen=True)
class Condition:
    """A start of a network: its scheme and which draw of it."""

    arm: str = factor(STARTS, choices=(STARTS, BY_SCHEME))
    n_channels: int = factor(0, symbol="c", unit="channels", low=0, doc="0: placed by the design")
    depth: int = factor(0, unit="layers", low=0, doc="0: placed by the design")
    start: int = factor(0, low=0, doc="which random draw of the weights")
    scheme: str = factor(DEFAULT_SCHEME, choices=ALL_SCHEMES)
    channels: str = factor("3 6 16 48", unit="channels", doc="of the sweep over starts")
    n_starts: int = factor(4, unit="starts", low=2)
    starts_depth: int = factor(5, unit="layers", low=2, doc="of the sweep over starts")
    scheme_channels: int = factor(32, unit="channels", low=1, doc="of the schemes' networks")
    scheme_depths: str = factor("5 9", unit="layers", doc="of the schemes' networks")
    kernel_size: int = factor(5, symbol="k", unit="pixels", low=1)
    side: int = factor(14, unit="pixels", low=8)
    learning_rate: float = factor(1e-3, symbol="eta", low=1e-8, doc="of Adam")
    target_loss: float = factor(1e-4, unit="squared error per pixel", low=1e-12)
    max_steps: int = factor(3000, unit="updates", low=1)
    precision: str = factor("float32", choices=("auto", "float32", "bfloat16", "float64"))


def cells(base: Condition) -> list[Condition]:
    """Span channels and starts by the default scheme; then schemes and depths."""
    starts = [
        replace(base, arm=STARTS, n_channels=c, depth=base.starts_depth, start=s)
        for c in map(int, base.channels.split())
        for s in range(base.n_starts)
    ]
    schemes = [
        replace(base, arm=BY_SCHEME, n_channels=base.scheme_channels, depth=d, scheme=scheme)
        for scheme in ALL_SCHEMES
        for d in map(int, base.scheme_depths.split())
    ]
    return [*starts, *schemes]


async def run(c: Condition, streams: Streams) -> MapOutcome:
    """Train one network from one start and see what it makes of images it never saw."""
    # The images depend on the seed alone, the weights on the start too.
    task = make_identity_task(streams, c.side)
    own = streams.child(f"start {c.start}")
    model = draw_weights(same_convnet(c.depth, c.n_channels, c.kernel_size), c.scheme, own)
    recipe = identity_recipe(
        task.train_set,
        max_steps=c.max_steps,
        learning_rate=c.learning_rate,
        target_loss=c.target_loss,
        precision=c.precision,
    )
    return await learn_identity(model, task, recipe, own)


@dataclass(frozen=True)
class Summary:
    """Networks of one width: how far their starts disagree, `[seeds]`, and who did not fit."""

    n_channels: int
    disagreement: np.ndarray
    interval: Interval
    n_networks: int
    n_not_learned: int


def summarise(records: Records) -> dict[str, Summary]:
    """Compare starts at the fewest channels and at the most."""
    starts = records.where(arm=STARTS)
    channels = starts.levels("n_channels")
    arms = {TREATMENT: summarise_width(starts, channels[0])}
    if len(channels) > 1:
        arms[MANY_CHANNELS] = summarise_width(starts, channels[-1])
    return arms


def summarise_width(starts: Records, n_channels: int) -> Summary:
    """Return how far the starts of one width disagree, seed by seed; NaN of fewer than two."""
    networks = starts.where(n_channels=n_channels)
    learned = networks.where(lambda r: r.outcome is not None and r.outcome.learned)
    by_seed = [[r.outcome.outputs for r in learned if r.seed == s] for s in starts.seeds]
    found = np.array([disagreement(outputs) for outputs in by_seed])
    n = len(networks)
    return Summary(n_channels, found, mean_interval(found), n, n - len(learned))


def disagreement(outputs: Sequence[np.ndarray]) -> float:
    """Return 1 - correlation, mean over the images and over all pairs of networks; in [0, 2].

    Args:
        outputs: of each network, `[images, h, w]`.

    NaN: of fewer than two networks.

    >>> image = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    >>> disagreement([image, 3 * image]), disagreement([image, -image])
    (0.0, 2.0)
    """
    maps = [torch.as_tensor(np.asarray(o, np.float64)) for o in outputs]
    pairs = [float((1 - correlation(a, b)).mean()) for a, b in combinations(maps, 2)]
    return float(np.mean(pairs)) if pairs else float("nan")


def verdict(summary: Summary) -> Verdict:
    """Apply `RULE` to one arm."""
    fitted = summary.n_networks - summary.n_not_learned
    return decide(
        summary.interval,
        at_least=CLEAR_DISAGREEMENT,
        unit="disagreement of starts, 0 one map to 2",
        rule=RULE,
        reason=f"With {summary.n_channels} channels, outputs from different starts disagree by "
        f"{summary.interval}; {fitted} of {summary.n_networks} networks fitted their image.",
    )


def figures(summaries: Mapping[str, Summary], records: Records) -> list[Figure]:
    """Draw the starts side by side, the disagreement over channels, and the schemes."""
    seed, starts = records.seeds[0], records.where(arm=STARTS)
    few, many = summaries[TREATMENT], summaries.get(MANY_CHANNELS)
    against = f", with {many.n_channels} by {many.interval.estimate:.2f}" if many else ""
    gallery = network_gallery(
        starts.where(lambda r: r.seed == seed),
        make_identity_task(Streams(seed), starts[0].condition.side),
        family=lambda r: f"{r.condition.n_channels} channels",
        level=lambda r: r.condition.start + 1,
        label=lambda r: f"start {r.condition.start + 1}",
        title=f"With {few.n_channels} channels, starts disagree by {few.interval.estimate:.2f}"
        f"{against}",
        caption="Each row is one random start of the same network on the same training image, "
        "beside the grid; each column shows what it makes of an image that it never saw. Compare "
        "the rows, then switch to more channels. Choose an input to follow it through the layers. "
        f"Seed {seed}; all seeds are below.",
        level_name="Random start",
        level_unit="",
    )
    by_scheme = records.where(arm=BY_SCHEME)
    return [gallery, _by_channels(starts), *([_by_scheme(by_scheme)] if len(by_scheme) else [])]


def _by_channels(starts: Records) -> Chart:
    found = [summarise_width(starts, c) for c in starts.levels("n_channels")]
    values = np.stack([s.disagreement for s in found])
    line = series_over_seeds("starts", "test", [s.n_channels for s in found], values, "mean")
    first, last = found[0], found[-1]
    return Chart(
        "disagreement",
        f"Starts disagree by {first.interval} with {first.n_channels} channels, by "
        f"{last.interval} with {last.n_channels}",
        "Disagreement: 1 - correlation of the outputs of two starts, mean over test inputs and "
        "pairs. " + left_out(sum(s.n_not_learned for s in found)),
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


def _by_scheme(records: Records) -> HeatMap:
    schemes = [s for s in ALL_SCHEMES if s in records.levels("scheme")]
    depths = records.levels("depth")
    means = np.full((len(schemes), len(depths)), np.nan)
    notes, failed = [["" for _ in depths] for _ in schemes], []
    for i, j in np.ndindex(means.shape):
        cell = records.where(scheme=schemes[i], depth=depths[j])
        fitted = [r.outcome for r in cell if r.outcome is not None and r.outcome.learned]
        notes[i][j] = f"{len(fitted)} of {len(cell)} seeds fitted their image"
        if fitted:
            means[i, j] = np.mean([outcome.preference for outcome in fitted])
        if len(fitted) < len(cell):
            failed.append(f"{schemes[i]}, {depths[j]} layers: {len(fitted)} of {len(cell)}")
    title, last = "No scheme fitted its image at the largest depth", means[:, -1]
    if np.isfinite(last).any():
        low, high = int(np.nanargmin(last)), int(np.nanargmax(last))
        title = (
            f"At {depths[-1]} layers the preference is {last[low]:.2f} from {schemes[low]} and "
            f"{last[high]:.2f} from {schemes[high]}"
        )
    return HeatMap(
        "schemes",
        title,
        "Mean preference over the seeds whose network fitted its training image: 1 for a network "
        "that returns its input, -1 for one that returns its training image. "
        + (f"Seeds that fitted, where some failed: {'; '.join(failed)}." if failed else "All fit."),
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
    outcome=MapOutcome,
    cells=cells,
    run=run,
    summarise=summarise,
    verdict=verdict,
    figures=figures,
    scales={
        "smoke": Scale(
            Condition(
                channels="3 24",
                n_starts=3,
                starts_depth=4,
                scheme_channels=12,
                scheme_depths="4",
                side=10,
                learning_rate=3e-3,
                max_steps=1500,
            ),
            n_seeds=3,
        ),
        "standard": Scale(Condition(), n_seeds=5),
        "full": Scale(
            Condition(
                channels="3 8 32 128",
                n_starts=8,
                scheme_channels=128,
                scheme_depths="5 9 14 20",
                side=28,
                learning_rate=3e-4,
                target_loss=1e-6,
                max_steps=200_000,
            ),
            n_seeds=5,
            note="Zhang et al. 2020: 28 x 28 pixels, 5 x 5 filters, up to 128 channels",
        ),
    },
)
