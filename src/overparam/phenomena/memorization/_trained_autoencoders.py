"""Records of autoencoders by arm, kind and depth; networks that failed to train have no value.

Records are those of cells with the outcomes of `overparam.phenomena.memorization.autoencoders`.
"""

from __future__ import annotations

import numpy as np

from overparam.lab.records import Records


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
