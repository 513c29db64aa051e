"""Whatever a user holds a field at: a usage error before anything runs, or an honest verdict.

Every field of every phenomenon is held at its choices, at the ends of its range and at some numbers
and lists. What is planned is filled from a world that has the effect, so that only what is not in
the design can be lacking: the rule must not end, nor warn, nor lose an arm.
"""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest

from overparam import phenomena
from overparam.errors import UsageError
from overparam.lab.phenomenon import TREATMENT
from overparam.lab.records import Record, Records
from overparam.lab.study import conclude
from tests.phenomena.test_worlds import texts_of, worlds_of

NAMES = phenomena.names()
LISTS = ("1", "9", "3 5", "2 3", "4 7 12", "9 12", "0 3", "1.5", "a b", "40", "5 5")
MOST_CELLS = 60  # of a design that is tried


def values_of(declared: dataclasses.Field, base) -> list:
    meta, current = declared.metadata, getattr(base, declared.name)
    if meta["choices"]:
        return list(meta["choices"])
    if isinstance(current, bool):
        return [True, False]
    if isinstance(current, str):
        return list(LISTS)
    low, high = meta["low"], meta["high"]
    ends = [v for v in (low, high) if v is not None]
    numbers = [0, 1, 2, 4, 5, 20, 200] if isinstance(current, int) else [0.0, 0.5, 1.0]
    return sorted({v for v in (*ends, *numbers) if (low is None or v >= low)})


def held(name: str) -> list:
    found = phenomena.find(name)
    base = found.scales["smoke"].base
    return [
        pytest.param(name, {f.name: value}, id=f"{name}-{f.name}={value}")
        for f in dataclasses.fields(found.condition)
        for value in values_of(f, base)
    ]


@pytest.mark.parametrize(("name", "settings"), [p for name in NAMES for p in held(name)])
def test_a_held_field_is_refused_or_judged(name, settings):
    found = phenomena.find(name)
    try:
        conditions = found.conditions("smoke", settings)
    except UsageError as refused:
        assert any(field in str(refused) for field in settings)
        return
    if len(conditions) > MOST_CELLS:
        pytest.skip("a large design")
    arms = set(found.summarise(filled(name, found.conditions("smoke"))))
    records = filled(name, conditions)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        planned = [(r.condition, r.seed) for r in records]
        verdicts, figures, _ = conclude(found, records, planned)
    assert set(verdicts) >= arms - MAY_LACK
    for text in [t for f in figures for t in texts_of(f)[:1]]:
        assert "not measured" not in text
        assert "unknown" not in text
    for verdict in verdicts.values():
        assert not any("inf" in str(c) for c in verdict.clauses)


MAY_LACK = {"small network", "clean labels", "tuned ridge"}


def filled(name: str, conditions: list) -> Records:
    _, world = worlds_of(name)
    generator, records = np.random.default_rng(0), []
    for seed in range(4):
        outcomes = [fitting(o, c) for o, c in zip(world(conditions, seed, generator), conditions, strict=True)]
        records += [Record(c, seed, o) for c, o in zip(conditions, outcomes, strict=True)]
    return Records(records)


def fitting(outcome, condition):
    """The outcome with images of the condition's size."""
    if not hasattr(outcome, "outputs"):
        return outcome
    n = len(outcome.outputs)
    return dataclasses.replace(
        outcome, outputs=np.zeros((n, condition.side, condition.side), np.float16)
    )
