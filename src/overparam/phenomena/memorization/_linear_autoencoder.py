"""The linear autoencoder, of which the limit of gradient descent from zero is known.

It is the projection on the span of the training images.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data import Dataset
from overparam.models import linear_model
from overparam.theory import span_projection
from overparam.training.recipe import Recipe

STOP = 1e-24  # squared error per pixel; the error of the weights is its root


def start_at_zero(train_set: Dataset) -> nn.Module:
    """Return the linear map from images to images whose weights are 0."""
    start = linear_model(train_set.n_outputs, train_set.n_outputs, bias=False)
    start = start.to_empty(device="cpu")
    for weight in start.parameters():
        nn.init.zeros_(weight)
    return start


def descent_to_the_limit(train_set: Dataset) -> Recipe:
    """Return plain gradient descent, at the rate that the largest singular value allows."""
    singular = torch.linalg.svdvals(train_set.inputs.double().flatten(1))
    return Recipe(
        loss="squared_error",
        learning_rate=len(train_set) / (2 * float(singular[0]) ** 2),
        steps=40_000,
        batch_size=None,
        stop_at_loss=STOP * train_set.n_outputs,
        trace=100,
        precision="float64",
    )


def closed_form_error(f: nn.Module, images: Tensor) -> float:
    """Return the largest difference of a linear map's weights from the projection on the images."""
    closed = span_projection(images.double().flatten(1).numpy())
    weights = next(f.parameters()).detach().double().numpy()
    return float(np.abs(weights - closed).max())
