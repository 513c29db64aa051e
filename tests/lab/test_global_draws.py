"""Cells that draw from the global generators: each has its own, of the seed alone."""

from __future__ import annotations

import random
from dataclasses import dataclass
from threading import Thread

import numpy as np
import torch

from overparam.data.dataset import make_dataset
from overparam.lab.phenomenon import Phenomenon, Scale, factor, quantity
from overparam.lab.runner import run_study
from overparam.streams import Turns, own_generators
from overparam.training.recipe import Recipe
from overparam.training.train import train

DATA = make_dataset(torch.arange(12.0)[:, None], torch.arange(12) % 2, 2)


@dataclass(frozen=True)
class Condition:
    """How often a cell waits between its draws."""

    waits: int = factor(0, low=0)


@dataclass(frozen=True)
class Outcome:
    """What was drawn."""

    drawn: np.ndarray = quantity("none")
    loss: float = quantity("nats")


def draw():
    return [float(torch.rand(())), float(np.random.rand()), random.random()]  # noqa: NPY002


async def run(c, streams):
    """Draw, with a network made from the global generators trained in between."""
    drawn, net = [draw()], torch.nn.Linear(1, 2)
    loss = 0.0
    for _ in range(c.waits):
        fitted = await train(net, DATA, Recipe(epochs=1), streams)
        loss = fitted.train_loss
    drawn.append(draw())
    if c.waits == 2:
        thread = Thread(target=in_a_thread)  # which must not wait for the cell that waits for it
        thread.start()
        thread.join()
    return Outcome(np.array(drawn), loss)


def in_a_thread():
    with own_generators():
        torch.manual_seed(0)


STUDY = Phenomenon(
    doc="Cells draw.\n\nClaim: They do.",
    condition=Condition,
    outcome=Outcome,
    cells=lambda base: [Condition(waits) for waits in range(3)],
    run=run,
    summarise=lambda records: {"treatment": records.measured},
    verdict=None,
    figures=lambda summary, records: [],
    scales={"standard": Scale(Condition(), n_seeds=2)},
)


def test_cells_draw_of_the_seed_alone_whatever_runs_beside_them(tmp_path):
    random.seed(5)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    expected = draw()
    random.seed(5)
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    here = run_study(STUDY, workers=0, folder=tmp_path / "s").records
    assert draw() == expected  # the generators of the process are as they were
    there = run_study(STUDY, workers=2).records
    alone = run_study(STUDY, workers=0, settings={"waits": 2}).records
    for seed in (0, 1):
        drawn = [r.outcome.drawn for r in here if r.seed == seed]
        assert all(np.array_equal(d, drawn[0]) for d in drawn)
        assert len(np.unique(drawn[0])) == 6
    assert not np.array_equal(here[0].outcome.drawn, here[-1].outcome.drawn)
    for records in (there, alone):
        for record in records:
            (same,) = (r for r in here.where(waits=record.condition.waits) if r.seed == record.seed)
            assert np.array_equal(same.outcome.drawn, record.outcome.drawn)
            assert same.outcome.loss == record.outcome.loss


def test_turns_go_on_where_they_ended():
    turns, other = Turns(3), []
    with turns.round():
        turns.begin(0)
        own = [draw()]
        turns.end(0)
        turns.begin(1)
        other = [draw(), draw()]
    with turns.round():
        turns.begin(0)
        own.append(draw())
    assert own == other
