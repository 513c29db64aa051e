"""A generator that goes on from cell to cell is refused, wherever the phenomenon holds it."""

from __future__ import annotations

import dataclasses
import random
from functools import partial

import numpy as np
import pytest
import torch

from overparam.errors import UsageError
from overparam.lab.plan import plan_study
from overparam.lab.runner import load_study, run_study


class Holder:
    def __init__(self, held):
        self.held = held


GENERATORS = {
    "Generator": lambda: np.random.default_rng(5),
    "PCG64": lambda: np.random.PCG64(5),
    "RandomState": lambda: {"a": [np.random.RandomState(5)]},
    "Random": lambda: Holder(random.Random(5)),
    "of torch": lambda: (torch.Generator(),),
    "method": lambda: np.random.default_rng(5).normal,
    "partial": lambda: partial(random.Random(5).gauss, 0),
}


def holding(tiny, held):
    async def run(c, streams):
        return await tiny.run(c, streams) if held else None

    return dataclasses.replace(tiny, run=run, name="tiny")


@pytest.mark.parametrize("kind", GENERATORS)
def test_a_held_generator_is_refused(tiny, kind):
    held = holding(tiny, GENERATORS[kind]())
    match = r"holds a random generator.*got 'held in holding.*streams\.numpy\(\"name\"\)"
    with pytest.raises(UsageError, match=match):
        run_study(held, "smoke", workers=0)
    with pytest.raises(UsageError, match=match):
        plan_study(held, "smoke", workers=0)


def test_a_refusal_forgets_nothing(tiny, tmp_path):
    folder = tmp_path / "study"
    first = run_study(holding(tiny, 1), "smoke", workers=0, folder=folder)
    held = holding(tiny, [random.Random(5)])
    with pytest.raises(UsageError, match="holds a random generator"):
        run_study(held, "smoke", workers=0, folder=folder, fresh=True)
    assert len(load_study(folder, holding(tiny, 1)).records) == len(first.records)


@pytest.mark.parametrize(
    "held", [np.random.normal, random.random, random.gauss, torch.default_generator]
)
def test_the_global_generators_are_each_cells_own(tiny, held):
    assert run_study(holding(tiny, held), "smoke", workers=0, seeds=[0]).complete
