"""Networks of one depth, convolutional and fully connected, and how they learn few images or many.

Conditions are those of `overparam.phenomena.identity.by_depth`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import nn

from overparam.models import mlp, same_convnet
from overparam.phenomena.identity._task import IdentityTask, make_identity_task, recipe_of
from overparam.streams import Streams
from overparam.training.recipe import Recipe

CONVOLUTIONAL, DENSE = "convolutional", "fully connected"
DENSE_WIDTH = 2048 / 784  # hidden units for each pixel, as in the paper


def network(c: Any) -> nn.Module:
    """Return the network of a cell, without weights; no layer has a bias."""
    if c.family == CONVOLUTIONAL:
        return same_convnet(c.depth, c.n_channels, c.kernel_size)
    n_pixels = c.side**2
    return mlp(n_pixels, [round(DENSE_WIDTH * n_pixels)] * (c.depth - 1), n_pixels, bias=False)


def task_of(c: Any, streams: Streams) -> IdentityTask:
    """Return one seed's images: of a 7, or clothes where there must be many."""
    return make_identity_task(streams, c.side, c.n_train, clothes=c.n_train >= c.n_control)


def recipe(c: Any, task: IdentityTask) -> Recipe:
    """Return how a network learns its few images."""
    convex = 100 if c.depth == 1 and c.family == CONVOLUTIONAL else 1
    return replace(recipe_of(c, task), learning_rate=convex * c.learning_rate)


def control_recipe(c: Any, task: IdentityTask) -> Recipe:
    """Return how a network learns many images: in batches, until it fits them well enough."""
    return Recipe(
        loss="squared_error",
        optimizer="adam",
        learning_rate=c.learning_rate,
        steps=c.control_steps,
        batch_size=c.control_batch,
        stop_at_loss=c.control_loss * task.train_set.n_outputs,
        trace="every",
        precision=c.precision,
    )
