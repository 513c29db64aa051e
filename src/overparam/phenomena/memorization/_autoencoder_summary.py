"""What the rule looks at in trained autoencoders: records by arm, kind and depth, and summaries.

Records are those of cells with the outcomes of `_trained_autoencoders`; networks that failed to
train have no value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from overparam.lab.intervals import exp_interval, mean_interval, paired_difference
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Records
from overparam.lab.verdict import UNKNOWN, Interval
from overparam.phenomena.memorization._autoencoder_networks import (
    KINDS,
    LINEAR,
    N_UNSEEN,
    is_overparameterized,
)

MANY_IMAGES = "many images"
# Hidden layers up to which an autoencoder counts as shallow, and from which as deep.
SHALLOW, DEEP = 2, 3
SAME_LOSS = 1.25  # losses within this factor of each other count as equal


@dataclass(frozen=True)
class Summary:
    """One arm, at the largest depth of each kind.

    Attributes:
        rate, recalled: memorization rate, and unseen images that end at a training image; mean
            over the kinds of a seed. gain: rate minus that at the smallest depths.
        worst_loss: training loss, per pixel, of the network fitted worst of those looked at.
        left_out: what the arm is said to have and the design lacks.
        kinds: rate of each kind. n_networks, n_untrained, n_missing: of all depths; those that
            failed to train, and those that were not measured.
    """

    arm: str
    rate: Interval
    recalled: Interval
    gain: Interval
    worst_loss: Interval
    kinds: Mapping[str, Interval]
    n_networks: int
    n_untrained: int
    n_missing: int
    left_out: tuple[str, ...] = ()


def summarise(records: Records) -> dict[str, Summary]:
    """Summarise few images, many images, and the linear autoencoder."""
    arms = {arm: of_arm(records, arm) for arm in (TREATMENT, MANY_IMAGES, LINEAR)}
    return {arm: _summarise_arm(arm, found) for arm, found in arms.items()}


def _summarise_arm(arm: str, records: Records) -> Summary:
    if not len(records):
        left_out = _left_out(arm, {})
        return Summary(arm, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, {}, 0, 0, 0, left_out)
    kinds = dict.fromkeys(r.condition.kind for r in records)
    by_kind = {kind: records.where(kind=kind) for kind in kinds}
    rates = {kind: judged(own, "rate")[1] for kind, own in by_kind.items()}
    recalled = [judged(own, "recalled")[1] for own in by_kind.values()]
    losses = [own.matrix("train_loss", by="depth")[1][[0, -1]] for own in by_kind.values()]
    deepest, shallowest = (np.mean([rate[i] for rate in rates.values()], axis=0) for i in (-1, 0))
    images = {kind: own[0].condition.n_judged for kind, own in by_kind.items()}
    # The mean of the kinds is no finer known than the coarsest of them.
    step, unit = 1 / (len(images) * min(images.values())), (0.0, 1.0)
    return Summary(
        arm=arm,
        rate=mean_interval(deepest, step=step, bounds=unit),
        recalled=mean_interval(
            np.mean([found[-1] for found in recalled], axis=0),
            step=1 / (len(images) * N_UNSEEN),
            bounds=unit,
        ),
        gain=paired_difference(deepest, shallowest, step=step),
        worst_loss=exp_interval(
            mean_interval(
                np.log(np.maximum(np.max(losses, axis=(0, 1)), 1e-300)), step=math.log(SAME_LOSS)
            )
        ),
        kinds={
            kind: mean_interval(rate[-1], step=1 / images[kind], bounds=unit)
            for kind, rate in rates.items()
        },
        n_networks=len(records),
        n_untrained=sum(not r.outcome.trained for r in records.measured),
        n_missing=len(records) - len(records.measured),
        left_out=_left_out(arm, by_kind),
    )


def _left_out(arm: str, by_kind: Mapping[str, Records]) -> tuple[str, ...]:
    lacking = []
    if arm == TREATMENT:
        lacking = [f"{kind} networks" for kind in KINDS if kind not in by_kind]
        for kind, own in by_kind.items():
            depths = own.levels("depth")
            if depths[0] > SHALLOW:
                lacking.append(f"shallow {kind} networks")
            if depths[-1] < DEEP:
                lacking.append(f"deep {kind} networks")
    conditions = dict.fromkeys(r.condition for own in by_kind.values() for r in own)
    if arm != LINEAR and not all(map(is_overparameterized, conditions)):
        lacking.append("overparameterized networks alone")
    return tuple(lacking)


def of_arm(records: Records, arm: str) -> Records:
    """Return the records of one arm."""
    return records.where(lambda r: r.condition.arm == arm)


def judged(records: Records, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return depths `[m]` and a field `[m, seeds]`, NaN where a network failed to train."""
    depths, values = records.matrix(name, by="depth")
    _, trained = records.matrix("trained", by="depth")
    return depths, np.where(trained == 1, values, np.nan)


def trained_kinds(records: Records) -> list[str]:
    """Return the kinds of which a network trained, in the order of the design."""
    kinds = dict.fromkeys(r.condition.kind for r in records)
    return [kind for kind in kinds if any(r.outcome.trained for r in records.where(kind=kind))]


def at_end(records: Records, kind: str, i: int) -> Records:
    """Return the trained networks of a kind at its smallest (0) or largest (-1) depth."""
    own = records.where(kind=kind)
    own = own.where(depth=own.levels("depth")[i])
    return own.where(lambda r: r.outcome.trained)
