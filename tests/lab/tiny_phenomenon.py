"""Wide networks fit what narrow ones cannot: a phenomenon of a second, for tests of the lab.

Claim: A network of 24 hidden units fits 60 random labels.

Control: A network of one unit does not.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from overparam.data.dataset import make_dataset
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.statistics import mean_interval
from overparam.lab.verdict import decide
from overparam.training.recipe import Recipe
from overparam.training.train import train


@dataclass(frozen=True)
class Condition:
    """Width and what goes wrong."""

    width: int = factor(1, symbol="H", unit="units", low=1)
    learning_rate: float = factor(0.05, low=0.0)
    trouble: str = factor("", choices=("", "raise", "exit", "fork", "wrong type", "nap"))
    arm: str = factor("treatment", choices=("treatment", "control"))


@dataclass(frozen=True)
class Outcome:
    """Errors and the trained weights."""

    train_error: float = quantity("fraction wrong")
    weights: np.ndarray = quantity("none")


def cells(base):
    """Two widths per arm."""
    widths = {"treatment": (24, 12), "control": (1, 2)}
    return [replace(base, arm=a, width=w) for a, ws in widths.items() for w in ws]


async def run(c, streams):
    """Train one network on random labels."""
    if c.trouble == "nap":
        time.sleep(0.05)
    if c.width == 12 and streams.seed == 1:
        if c.trouble == "raise":
            raise ValueError("this cell is broken")
        if c.trouble == "exit":
            os._exit(7)
        if c.trouble == "fork":
            os.fork()
        if c.trouble == "wrong type":
            return "no outcome"
    generator = streams.torch("data")
    inputs = torch.randn(60, 5, generator=generator)
    data = make_dataset(inputs, torch.randint(0, 2, (60,), generator=generator), 2)
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(5, c.width), nn.ReLU(), nn.Linear(c.width, 2))
    recipe = Recipe(optimizer="adam", learning_rate=c.learning_rate, epochs=60, batch_size=20)
    fitted = await train(net, data, recipe, streams)
    return Outcome(fitted.train_error, fitted.state["0.weight"].numpy())


def summarise(records):
    """Training errors of each arm's first width."""
    return {
        arm: [r.value("train_error") for r in records.where(arm=arm)]
        for arm in ("treatment", "control")
    }


def verdict(errors):
    """Fitted if most labels are."""
    effect = mean_interval([1 - e for e in errors], step=1 / 60, bounds=(0, 1))
    return decide(effect, at_least=0.8, unit="fraction right", rule="accuracy > 0.8")


def figures(summaries, records):
    """None."""
    return []


PHENOMENON = Phenomenon(
    doc=__doc__ or "", condition=Condition, outcome=Outcome, cells=cells, run=run,
    summarise=summarise, verdict=verdict, figures=figures, stack_size=2,
    scales={"smoke": Scale(Condition(), 2), "standard": Scale(Condition(), 4),
            "full": Scale(Condition(), 20)},
)  # fmt: skip
