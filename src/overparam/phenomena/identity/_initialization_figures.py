"""Figures of networks that start differently: side by side, by channels, and by scheme.

Records are those of cells of `overparam.phenomena.identity.initialization`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from overparam.lab.figure import Axis, Chart, HeatMap, NetworkGallery, Panel, Rule
from overparam.lab.records import Records
from overparam.lab.series import series_over_seeds
from overparam.lab.verdict import Interval, told, whole
from overparam.phenomena.identity._disagreement import CLEAR_DISAGREEMENT, Summary
from overparam.phenomena.identity._figures import galleries
from overparam.phenomena.identity._left_out import has_value, tell
from overparam.phenomena.identity._summary import mean_present
from overparam.phenomena.identity._task import make_identity_task
from overparam.training.initialise import DEFAULT_SCHEME, SCHEMES

ALL_SCHEMES = (DEFAULT_SCHEME, *SCHEMES)


def channel_count(n: int) -> str:
    """Return a number of channels in words."""
    return f"{n} channel{'' if n == 1 else 's'}"


def starts_galleries(starts: Records, compared: Sequence[Summary]) -> list[NetworkGallery]:
    """Return the networks of every start; none where there are none.

    Args:
        compared: widths whose disagreement the title tells.
    """
    if not len(starts):
        return []
    side = starts[0].condition.side
    return galleries(
        starts,
        lambda streams: make_identity_task(streams, side),
        family=lambda r: channel_count(r.condition.n_channels),
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


def disagreement_chart(found: Sequence[Summary], compared: Sequence[Summary]) -> Chart:
    """Return the disagreement of starts over the number of channels.

    Args:
        found: every width. compared: those whose disagreement the title tells.
    """
    values = np.stack([s.disagreement for s in found])
    line = series_over_seeds("starts", "test", [s.n_channels for s in found], values, "mean")
    return Chart(
        "disagreement",
        _title(
            "Disagreement of random starts by the number of channels",
            {s.n_channels: (s.interval, str(s.interval)) for s in compared},
        ),
        "Disagreement: 1 - correlation of the outputs of two starts, mean over test inputs and "
        f"pairs. {tell({channel_count(s.n_channels): s.left_out for s in found})}",
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


def schemes_map(records: Records, n_seeds: int) -> HeatMap:
    """Return the preference by scheme of initialization and depth, of `n_seeds` seeds each."""
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


def _title(otherwise: str, said: Mapping[int, tuple[Interval, str]]) -> str:
    """Return the disagreement by number of channels, where all of it is known."""
    if not whole(*(interval for interval, _ in said.values())):
        return otherwise
    numbers = (f"{text} with {channel_count(n)}" for n, (_, text) in said.items())
    return f"Disagreement of random starts: {', '.join(numbers)}"
