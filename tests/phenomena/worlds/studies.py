"""Studies of made-up worlds: records of a whole design, and cells that were lost from it."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from overparam import phenomena
from overparam.lab.records import Record, Records

# All conditions of one seed, the seed, and a source of noise; one outcome for each condition.
World = Callable[[list[Any], int, np.random.Generator], list[Any]]


@functools.cache
def conditions_of(name: str) -> list[Any]:
    """The cells of one seed at standard scale."""
    return phenomena.find(name).conditions("standard")


@functools.lru_cache(maxsize=8)
def study(name: str, world: World, number: int) -> Records:
    """The `number`-th study of a world: the standard design with its default number of seeds."""
    conditions, generator = conditions_of(name), np.random.default_rng(number)
    records = []
    for seed in range(phenomena.find(name).scales["standard"].n_seeds):
        outcomes = world(conditions, seed, generator)
        records += [Record(c, seed, o) for c, o in zip(conditions, outcomes, strict=True)]
    return Records(records)


def planned(name: str, whole: Records) -> list[tuple[Any, int]]:
    """The cells that a study of all these seeds was to have."""
    return [(c, seed) for seed in whole.seeds for c in conditions_of(name)]


def failed(r: Record) -> Record:
    """A cell that ended with an error."""
    return dataclasses.replace(r, outcome=None, status="failed", error="out of memory")


def unrun(r: Record) -> None:
    """A cell that is not there yet."""


def diverged(r: Record) -> Record:
    """A cell whose network diverged: what it left behind are the errors of a guess."""
    guess = {
        f.name: np.full_like(np.asarray(value, float), 0.9)[()]
        for f in dataclasses.fields(r.outcome)
        if "fraction" in f.metadata["unit"]
        and isinstance(value := getattr(r.outcome, f.name), float | np.ndarray)
    }
    outcome = dataclasses.replace(r.outcome, **guess)
    return dataclasses.replace(r, outcome=outcome, status="diverged")
