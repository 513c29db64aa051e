"""What the rule looks at in fully connected networks: shortfalls, rises with depth, and noise.

Records are those of cells with the outcomes of `identity.fully_connected`; networks that did not
fit their images have no scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from overparam.lab.intervals import paired_difference
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.verdict import Interval
from overparam.measures.image_maps import likeness
from overparam.phenomena.identity._left_out import LeftOut, has_value, left_out_of
from overparam.phenomena.identity._summary import (
    CORRELATION,
    RESOLUTION,
    extreme,
    score_interval,
)

MANY_IMAGES = "more images than pixels"
MANY = 2  # images of the control for each pixel
ONE_LAYER = ("identity", 1)
KINDS = {"identity": "linear", "relu": "ReLU"}  # by activation

Network = tuple[str, int]  # activation, depth


@dataclass(frozen=True)
class Summary:
    """One arm: what the rule looks at.

    Attributes:
        arm: the treatment or the control, which has a shorter rule.
        shortfalls: of every network.
        least: the smallest of any network of any seed (see `extreme`).
        rises: of the correlation to the training image from one depth to the next, by the deeper
            network; empty with one depth.
        like_constant: likeness to the constant of the deepest network of each kind, by network.
        noise_energy, noise_cosine: of one layer's response; None without such a layer.
        left_out: what became of the networks.
        is_general: whether many images are in general position, as noise on each makes them.
    """

    arm: str
    shortfalls: Mapping[Network, Interval]
    least: Interval
    rises: Mapping[Network, Interval]
    like_constant: Mapping[Network, Interval]
    noise_energy: Interval | None
    noise_cosine: Interval | None
    left_out: LeftOut
    is_general: bool

    @property
    def nearest(self) -> tuple[Network, Interval] | None:
        """The network that is nearest to the identity, of those known, and its shortfall."""
        known = {n: s for n, s in self.shortfalls.items() if np.isfinite(s.estimate)}
        return min(known.items(), key=lambda item: item[1].estimate) if known else None


def summarise(records: Records) -> dict[str, Summary]:
    """Arrange both arms by network and seed."""
    return {
        TREATMENT: _summarise_arm(TREATMENT, records.where(n_train=1)),
        MANY_IMAGES: _summarise_arm(MANY_IMAGES, records.where(lambda r: is_control(r.condition))),
    }


def is_control(c: Any) -> bool:
    """Whether this is the one linear layer on as many images as the control is said to have."""
    return (c.activation, c.depth) == ONE_LAYER and c.n_train == MANY * c.side**2


def _summarise_arm(arm: str, records: Records) -> Summary:
    networks = networks_of(records)

    def by_seed(name: str) -> np.ndarray:
        return network_scores(records, networks, name)

    identity, constant = by_seed("identity_correlation"), by_seed("constant_correlation")
    base = by_seed("baseline")
    shortfall = 1 - (identity - base) / (1 - base)
    to_constant = likeness(*(torch.from_numpy(v) for v in (constant, identity, base))).numpy()
    deepest = {activation: i for i, (activation, _) in enumerate(networks)}.values()
    steps = [i for i, (a, _) in enumerate(networks) if i and networks[i - 1][0] == a]
    one_layer = networks.index(ONE_LAYER) if ONE_LAYER in networks else None

    def of_one_layer(name: str, bounds: tuple[float, float]) -> Interval | None:
        return None if one_layer is None else score_interval(by_seed(name)[one_layer], bounds)

    least = float(shortfall.min()) if shortfall.size else float("nan")
    return Summary(
        arm,
        shortfalls={n: score_interval(shortfall[i]) for i, n in enumerate(networks)},
        least=extreme(least, low=least, high=least, n=len(records.seeds)),
        rises={
            networks[i]: paired_difference(constant[i], constant[i - 1], step=RESOLUTION)
            for i in steps
        },
        like_constant={networks[i]: score_interval(to_constant[i]) for i in deepest},
        noise_energy=of_one_layer("response_energy", (0.0, np.inf)),
        noise_cosine=of_one_layer("response_cosine", CORRELATION),
        left_out=left_out_of(records),
        is_general=all(r.condition.pixel_noise > 0 for r in records),
    )


def network_name(network: Network) -> str:
    """Return what a reader calls a network.

    >>> network_name(("relu", 6)), network_name(("identity", 1))
    ('6 layers, ReLU', '1 layer, linear')
    """
    activation, depth = network
    return f"{depth} layer{'s' if depth > 1 else ''}, {KINDS[activation]}"


def networks_of(records: Records) -> list[Network]:
    """Return the networks, linear ones first, by rising depth."""
    return sorted({(r.condition.activation, r.condition.depth) for r in records})


def network_scores(records: Records, networks: Sequence[Network], name: str) -> np.ndarray:
    """Return a score `[networks, seeds]`, NaN for networks that did not fit their images."""
    found = np.full((len(networks), len(records.seeds)), np.nan)
    for r in records:
        if has_value(r):
            row = networks.index((r.condition.activation, r.condition.depth))
            found[row, records.seeds.index(r.seed)] = getattr(r.outcome, name)
    return found
