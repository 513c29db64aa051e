"""The model of who names none: a network of one hidden layer on standardised numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.data.arrays import as_array
from overparam.data.dataset import Dataset
from overparam.data.examples import as_examples
from overparam.data.finite import check_finite
from overparam.data.table_files import as_numbers
from overparam.errors import DataError
from overparam.models.dense import mlp
from overparam.training.recipe import Recipe, Schedule

WIDTH = 128
RECIPE = Recipe(
    epochs=30, learning_rate=0.1, momentum=0.9, batch_size=64, schedule=Schedule("cosine")
)


def usual_network(X: Any, y: Any = None) -> tuple[nn.Module, np.ndarray, Any, Recipe]:
    """Return a network, inputs and labels as it takes them, and a recipe.

    Args:
        X, y: arrays, a table and its labels, or a `Dataset` alone.

    Inputs of each column have mean 0 and deviation 1 over all rows, so that no row's side tells;
    columns of texts become a column for each value. It fits a few thousand rows to the last, which
    is what memorization is read from.

    Raises:
        DataError: targets of regression, whose scale no usual learning rate fits.
    """
    if isinstance(X, Dataset):
        X, y = as_array("inputs", X.inputs), X.labels.numpy()
    numbers = as_numbers(X) if hasattr(X, "columns") else np.asarray(X, np.float64)
    flat = numbers.reshape(len(numbers), -1)
    check_finite(torch.from_numpy(flat))  # a mean would spread one NaN over all rows
    _, exponents = np.frexp(np.abs(flat).max(0, initial=0.0))
    flat = np.ldexp(flat, -exponents)  # exact, and no square of it is too large
    scale = flat.std(0)
    inputs = ((flat - flat.mean(0)) / np.where(scale > 0, scale, 1.0)).astype(np.float32)
    read = as_examples((inputs, y))
    if read.classes is None:
        raise DataError(
            "the usual network learns classes, and these labels are numbers",
            got=repr(read),
            remedy="name a model of numbers: --model sklearn.ensemble:RandomForestRegressor",
        )
    return mlp(inputs.shape[1], [WIDTH], read.n_outputs), inputs, y, RECIPE
