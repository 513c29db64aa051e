"""Networks that are to fit labels: those of Zhang et al. 2017, one that is too small, and their one
recipe."""

from __future__ import annotations

from typing import Any

from torch import nn

from overparam.data import Dataset
from overparam.data.entries import entry_of
from overparam.models import (
    alexnet_small,
    mlp,
    mlp_1x512,
    mlp_3x512,
    mlp_n_params,
    mlp_width_for,
    small_inception,
)
from overparam.models.zhang2017 import CROP_SIZE
from overparam.training.recipe import Recipe, Schedule

NETWORKS = {
    "mlp_1x512": mlp_1x512,
    "mlp_3x512": mlp_3x512,
    "alexnet_small": alexnet_small,
    "small_inception": small_inception,
}
TOO_SMALL, CONSTRUCTION = "too small", "2n+d construction"
MODELS = (*NETWORKS, TOO_SMALL, CONSTRUCTION)
SHARE_TOO_SMALL = 0.3  # parameters of the control over n_train x n_classes
ROUNDED = 1.35  # by which whole hidden units may exceed that share
DROPOUT_RATE = 0.5
DECAY_STEPS = 391  # updates in an epoch of CIFAR-10


def make_network(model: str, data: Dataset, n_train: int, *, dropout: bool) -> nn.Module:
    """Return one of `NETWORKS`, or the one too small, as a shape without weights.

    Args:
        n_train: examples, for which the small one is too small. dropout: before the last layer.
    """
    k = data.n_outputs
    if model == TOO_SMALL:
        n_params = round(SHARE_TOO_SMALL * n_train * k)
        return mlp(data.input_dim, mlp_width_for(n_params, data.input_dim, k), k)
    network = NETWORKS[model](k, data.input_shape[0])
    if dropout:
        return nn.Sequential(*list(network)[:-1], nn.Dropout(DROPOUT_RATE), network[-1])
    return network


def recipe(c: Any) -> Recipe:
    """Return the one recipe of all settings; only the regularizer differs where there is one."""
    faster = 10 if c.model == "small_inception" else 1
    return Recipe(
        learning_rate=faster * c.learning_rate,
        momentum=0.9,
        schedule=Schedule("exponential", rate=0.95, period=DECAY_STEPS),
        epochs=c.max_epochs,
        batch_size=c.batch_size,
        weight_decay=c.weight_decay if c.regularizer == "weight decay" else 0.0,
        stop_at_error=0.0,
        trace="every",
        precision="auto",
    )


def why_oversized(dataset: str, n_train: int) -> str:
    """Return why the control is not as small as it should be, or "".

    One hidden unit costs some hundred parameters, so of few images even that is not small.
    """
    entry = entry_of(dataset)
    crop = min(entry.input_shape[-1], CROP_SIZE)
    input_dim = entry.input_shape[0] * crop * crop
    wanted = SHARE_TOO_SMALL * n_train * entry.n_classes
    width = mlp_width_for(round(wanted), input_dim, entry.n_classes)
    n_params = mlp_n_params(input_dim, width, entry.n_classes)
    if n_params <= ROUNDED * wanted:
        return ""
    return f"the smallest network has {n_params:,} parameters, {wanted:,.0f} are asked for"
