"""Units of work: which cells run side by side, decided by the design alone.

A unit holds cells of one seed (they share data and batches, so one gathering serves all) in the
order of the design. Neither the number of workers nor what is done already changes a unit, and
adding seeds adds units without touching any, so records do not depend on how a study was run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from overparam.lab.phenomenon import Phenomenon
from overparam.lab.store import record_key


@dataclass(frozen=True)
class Unit:
    """Cells that run side by side and are kept together.

    Attributes:
        name: readable and unique within the study. seed: of all its cells.
        conditions, keys: one per cell, in order.
    """

    name: str
    seed: int
    conditions: tuple[Any, ...]
    keys: tuple[str, ...]


def plan_units(
    phenomenon: Phenomenon, conditions: Sequence[Any], seeds: Sequence[int]
) -> list[Unit]:
    """Return the units of a design: per seed, per value of `stack_by`, at most `stack_size`."""
    units = []
    for seed in seeds:
        groups: dict[tuple, list[Any]] = {}
        for c in conditions:
            groups.setdefault(tuple(getattr(c, f) for f in phenomenon.stack_by), []).append(c)
        chunks = [
            group[i : i + phenomenon.stack_size]
            for group in groups.values()
            for i in range(0, len(group), phenomenon.stack_size)
        ]
        for number, chunk in enumerate(chunks):
            keys = [record_key(phenomenon.name, phenomenon.revision, c, seed) for c in chunk]
            units.append(Unit(f"seed {seed}, stack {number}", seed, tuple(chunk), tuple(keys)))
    return units
