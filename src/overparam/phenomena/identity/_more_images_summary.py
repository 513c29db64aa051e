"""How much nearer to the identity more images bring networks, at equal depths.

Records are those of cells of `overparam.phenomena.identity.more_images`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overparam.lab.crossing import crossings
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.verdict import UNKNOWN, Interval
from overparam.phenomena.identity._summary import MapSummary, score_interval, summarise_maps

DIGITS, SHIFTED = "different digits", "shifted copies"


@dataclass(frozen=True)
class Summary:
    """One arm: scores over depth by number of images, and what the rule looks at.

    Attributes:
        arm: the treatment or the control.
        maps: number of images to scores, rising numbers.
        rises: number of images to the rise of the preference against one image, rising numbers;
            none where no network learned a single one.
        to_input: the same of the correlation to the input.
    """

    arm: str
    maps: Mapping[int, MapSummary]
    rises: Mapping[int, Interval]
    to_input: Mapping[int, Interval]

    @property
    def rise(self) -> Interval:
        """The rise with the most images."""
        return self.rises[max(self.rises)] if self.rises else UNKNOWN


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange both arms by number of images, depth and seed; one image is the start of both."""
    digits, copies = records.where(images=DIGITS), records.where(images=SHIFTED)
    by_count = {n: digits.where(n_images=n) for n in digits.levels("n_images")}
    one_image = {n: found for n, found in by_count.items() if n == 1}
    shifted = {n: copies.where(n_images=n) for n in copies.levels("n_images")}
    return {
        TREATMENT: _summarise_arm(TREATMENT, by_count),
        SHIFTED: _summarise_arm(SHIFTED, {**shifted, **one_image}),
    }


def _summarise_arm(arm: str, by_count: Mapping[int, Records]) -> Summary:
    maps = {n: summarise_maps(by_count[n], "depth") for n in sorted(by_count)}
    more = [n for n in maps if n > 1 and 1 in maps]
    return Summary(
        arm,
        maps,
        rises={n: rise(maps[1].preference, maps[n].preference) for n in more},
        to_input={n: rise(maps[1].identity, maps[n].identity) for n in more},
    )


def rise(one: np.ndarray, more: np.ndarray) -> Interval:
    """Return by how much more images raise a score, `[depths, seeds]`, mean over depths."""
    return score_interval((more - one).mean(0)) if more.shape == one.shape else UNKNOWN


def transition(maps: MapSummary) -> float:
    """Return the depth at which the preference last falls below 0, median over the seeds known.

    The ends of the sweep stand for what lies outside.
    """
    found = crossings(maps.levels, maps.preference, 0.0)
    found = found[~np.isnan(found)]
    inside = np.clip(found, maps.levels[0], maps.levels[-1])
    return float(np.median(inside)) if len(found) else float("nan")
