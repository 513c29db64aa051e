"""How far networks that started differently disagree, and what the rule looks at of that.

Records are those of cells of `overparam.phenomena.identity.initialization`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch

from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.verdict import Interval
from overparam.measures.image_maps import correlation, is_blank
from overparam.phenomena.identity._left_out import LeftOut, has_value, left_out_of
from overparam.phenomena.identity._summary import score_interval

STARTS, BY_SCHEME = "starts", "schemes"
MANY_CHANNELS = "many channels"
CLEAR_DISAGREEMENT = 0.15


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

    Like the correlation it looks at shapes, not at brightness or contrast. Two images that are
    blank show the same and disagree by 0; a blank one and another have nothing in common, and
    disagree by 1.

    Args:
        outputs: of each network, `[images, h, w]`.

    NaN: of fewer than two networks.

    >>> image = np.array([[[0.0, 1.0], [0.0, 0.0]]])
    >>> disagreement([image, 3 * image]), disagreement([image, -image])
    (0.0, 2.0)
    >>> disagreement([0 * image, 0 * image]), disagreement([0 * image, image])
    (0.0, 1.0)
    """
    pairs = list(combinations(range(len(outputs)), 2))
    if not pairs:
        return float("nan")
    maps = torch.as_tensor(np.asarray(outputs, np.float64))
    first, second = (maps[[pair[side] for pair in pairs]].flatten(0, 1) for side in (0, 1))
    same = torch.where(is_blank(first) & is_blank(second), 1.0, correlation(first, second))
    return float((1 - same).mean())
