"""What a worker process does for a benchmark: the cells of one seed, trained as the lab does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from overparam.data.dataset import Dataset
from overparam.lab.pool import Done, Pool, Task
from overparam.machine import available_cores
from overparam.streams import Streams
from overparam.training.recipe import Recipe
from overparam.training.request import Context, solve_all
from overparam.training.train import train


@dataclass(frozen=True)
class Cell:
    """One model to train, as both sides get it: same weights, rows and order of rows."""

    model: nn.Module
    train_set: Dataset
    test_set: Dataset
    recipe: Recipe
    streams: Streams


def train_cells(cells: Sequence[Cell], report: Callable[[float], None]) -> list[tuple]:
    """Return (training error, test error) of each cell; runs in a worker."""
    context = Context(torch.device("cpu"))
    fitted = solve_all(
        [
            train(c.model, c.train_set, c.recipe, c.streams, evaluate={"test": c.test_set})
            for c in cells
        ],
        context,
    )
    return [(f.train_error, f.error("test")) for f in fitted]


class Workers:
    """One worker process of one thread per core, as `overparam run` uses them."""

    def __init__(self) -> None:
        self.pool = Pool(available_cores(), threads=1)
        self.train([[]] * available_cores())  # workers start, and import PyTorch, before any clock

    def train(
        self, units: Sequence[Sequence[Cell]], function: str = "cells:train_cells"
    ) -> list[Any]:
        """Train units of cells, one per task, and return what `function` says of each in order."""
        found: dict[Any, list[Any]] = {}
        tasks = [Task(i, function, list(unit)) for i, unit in enumerate(units)]
        for event in self.pool.run(tasks, on_progress=lambda progress: None):
            if not isinstance(event, Done):
                raise event.error  # type: ignore[union-attr]
            found[event.id] = event.result
        return [errors for i in range(len(units)) for errors in found[i]]
