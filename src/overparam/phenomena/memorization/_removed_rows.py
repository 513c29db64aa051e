"""What it costs to train without some rows: the most memorized ones, or as many at random.

The size of this effect is disputed, so the two are alike in all but which rows are left out: as
many rows, as many updates, the same start, and they are compared once more after longer training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from overparam.models import mlp
from overparam.phenomena.memorization._subpopulations import World
from overparam.streams import Streams
from overparam.training.fitted import predict
from overparam.training.recipe import Recipe, Schedule
from overparam.training.train import train

MOMENTUM = 0.9
SHARES = (0.2, 0.5, 1)  # of the rows that are removed at most
LONGER = 2  # times as long


@dataclass(frozen=True, eq=False)
class Trained:
    """What one network says: correct `[n]` and test_correct `[m]`, bool; its training error."""

    correct: np.ndarray
    test_correct: np.ndarray
    train_error: float


async def train_on(
    c: Any, world: World, rows: np.ndarray, streams: Streams, longer: int = 1
) -> Trained:
    """Train a network on some rows, and ask it about all of them and about the test rows.

    Args:
        c: a condition with the width and the recipe's three. rows: int, positions.
    """
    model = mlp(world.train_set.input_dim, c.width, world.train_set.n_outputs)
    recipe = Recipe(
        learning_rate=c.learning_rate,
        momentum=MOMENTUM,
        schedule=Schedule("cosine"),
        epochs=longer * c.epochs,
        batch_size=c.batch_size,
        precision="auto",
    )
    fitted = await train(model, world.train_set.subset(torch.from_numpy(rows)), recipe, streams)
    right = [
        ((await predict(fitted, part.inputs)).argmax(1) == part.labels).numpy()
        for part in (world.train_set, world.test_set)
    ]
    return Trained(right[0], right[1], fitted.train_error)


@dataclass(frozen=True, eq=False)
class Removal:
    """Test errors without some rows, means over repeats; kinds: the most memorized, at random.

    Attributes:
        errors: `[2, 1 + len(SHARES)]`, by kind and by how many are removed, from none on.
        errors_longer: `[2]`, of those without all, trained `LONGER` times as long.
        cost_of_lost: what the first kind costs more than the second, of that the part that falls
            on subpopulations of which it leaves no row.
        train_error: the largest of the means over repeats.
    """

    errors: np.ndarray
    errors_longer: np.ndarray
    cost_of_lost: float
    train_error: float


async def train_without(c: Any, world: World, scores: np.ndarray, streams: Streams) -> Removal:
    """Train on what is left when rows are removed by score, highest first, or at random.

    Args:
        c: as in `train_on`, with `n_repeats` and `n_removed`. scores: of memorization, `[n]`.
    """
    counts = [max(1, round(share * c.n_removed)) for share in SHARES]
    shape = (c.n_repeats, 2, 1 + len(counts) + 1)
    errors, train_errors = np.empty((*shape, c.n_subpopulations)), np.empty(shape)
    memorized = np.argsort(-scores, kind="stable")
    for k in range(c.n_repeats):
        own = streams.child(f"without {k}")
        whole = await train_on(c, world, np.arange(len(scores)), own)
        at_random = own.numpy("removed").permutation(len(scores))
        for kind, order in enumerate((memorized, at_random)):
            fits = [whole]
            for n_removed in counts:
                fits.append(await train_on(c, world, np.sort(order[n_removed:]), own))
            fits.append(await train_on(c, world, np.sort(order[c.n_removed :]), own, LONGER))
            errors[k, kind] = [world.errors(fit.test_correct) for fit in fits]
            train_errors[k, kind] = [fit.train_error for fit in fits]
    by_level = errors.sum(-1).mean(0)
    kept = np.bincount(world.train_of[memorized[c.n_removed :]], minlength=c.n_subpopulations)
    costs = (errors[:, 0, -2] - errors[:, 1, -2]).mean(0)
    return Removal(
        by_level[:, :-1],
        by_level[:, -1],
        float(costs[kept == 0].sum()),
        float(train_errors.mean(0).max()),
    )
