"""Units of work: which cells run side by side, decided by the design alone.

A unit holds cells of one seed (they share data and batches, so one gathering serves all) in the
order of the design. Neither the number of workers nor what is done already changes a unit, and
adding seeds adds units without touching any, so records do not depend on how a study was run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from overparam.errors import StoreError
from overparam.lab.phenomenon import Phenomenon
from overparam.lab.rows import record_key
from overparam.lab.sqlite_errors import FRESH

if TYPE_CHECKING:
    from overparam.lab.store import Store


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


@dataclass(frozen=True)
class Design:
    """What a study was asked for: scale, fields held, seeds, number of cells."""

    scale: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    n_cells: int


def design_of(store: Store) -> Design:
    """Return the design of a study.

    Raises:
        StoreError: the study ended before its design was written, or what it tells is none.
    """
    told = store.get("design")
    if told is None:
        raise StoreError(
            "this study ended before its first cell",
            got=str(store.folder),
            remedy="run it again",
        )
    try:
        found = Design(told["scale"], told["settings"], tuple(told["seeds"]), told["cells"])
        whole = isinstance(found.scale, str) and isinstance(found.settings, dict)
        whole &= all(isinstance(key, str) for key in found.settings)
        whole &= all(type(n) is int and n >= 0 for n in (*found.seeds, found.n_cells))
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise StoreError(
            "the design of this study cannot be read",
            got=str(told)[:80],
            allowed="scale, settings, seeds and cells",
            remedy=FRESH,
        )
    return found


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
