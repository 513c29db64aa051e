"""What a network says of every row while it is trained, kept at traced epochs.

`WatchRows` is a `watch` of `train`: it is told the network as it stands and keeps, for each row,
what the proxies of memorization are made of (`one_run.py`). `WatchLosses` keeps the losses alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from overparam.data.dataset import Dataset
from overparam.errors import DataError
from overparam.measures.gradient_proxies import (
    el2n,
    last_layer_gradient_norm,
    last_layer_self_influence,
)
from overparam.measures.label_statistics import hinge_margin
from overparam.training.copies import precision_of
from overparam.training.fitted import Fitted
from overparam.training.losses import loss_values
from overparam.training.recipe import Recipe

EARLY = 0.1  # of the run, where EL2N and GraNd are read
MOST_LOOKS = 50  # at the rows, along a run
_SPREAD = 5  # epochs over which what is dear is averaged
_CHUNK = 4096  # rows that are asked at once


@dataclass(frozen=True, eq=False)
class RowsSeen:
    """What a network says of n rows at one epoch, all `[n]`.

    Attributes:
        loss, margin: float32. predicted: int64, classes.
        error_norm, last_norm, last_square: EL2N, GraNd of the last layer, and its square times the
            learning rate, float64; None where they are not defined.
        fitted: the network, at the epochs where it is asked for gradients; else None.
    """

    loss: np.ndarray
    margin: np.ndarray
    predicted: np.ndarray
    error_norm: np.ndarray | None = None
    last_norm: np.ndarray | None = None
    last_square: np.ndarray | None = None
    fitted: Fitted | None = None


@dataclass(frozen=True, eq=False)
class WatchRows:
    """A ``watch`` of `train` that keeps what the network says of the rows that it is trained on.

    Args:
        data: the training set, n rows with classes. keep_models: whether the network is kept at
            six epochs at most, to be asked for gradients; else those proxies are left out.

    Raises:
        DataError: floating targets, of which none is right or wrong.

    Cost: a pass forward at each traced epoch; 40 bytes for each row.
    """

    data: Dataset
    keep_models: bool = True

    def __post_init__(self) -> None:
        if self.data.n_classes is None:
            raise DataError(
                "proxies of memorization are of rows with a class", got="floating targets"
            )

    def __call__(self, fitted: Fitted) -> RowsSeen:
        """Return what the network says now."""
        n, recipe, labels = len(self.data), fitted.recipe, self.data.labels
        outputs, features, has_bias = _ask(fitted, self.data.inputs)
        loss = loss_values(recipe.loss, outputs, labels).float().numpy()
        margin = hinge_margin(outputs, labels).astype(np.float32)
        seen = RowsSeen(loss, margin, outputs.argmax(1).numpy())
        if recipe.loss == "cross_entropy":
            seen = replace(seen, error_norm=el2n(outputs, labels))
            if features is not None:
                of, rate = (outputs, labels, features), _rate_at(recipe, fitted.n_steps, n)
                seen = replace(
                    seen,
                    last_norm=last_layer_gradient_norm(*of, bias=has_bias),
                    last_square=rate * last_layer_self_influence(*of, bias=has_bias),
                )
        asked_again = {early_epoch(recipe, n), *spread_epochs(recipe, n)}
        if self.keep_models and int(fitted.trace.epoch[-1]) in asked_again:
            return replace(seen, fitted=fitted)
        return seen


@dataclass(frozen=True, eq=False)
class WatchLosses:
    """A ``watch`` of `train` that keeps the loss of every row of a set, float32 `[n]`.

    Cost: a pass forward at each traced epoch; 4 bytes for each row.
    """

    data: Dataset

    def __call__(self, fitted: Fitted) -> np.ndarray:
        """Return the losses now."""
        outputs = fitted.outputs(self.data.inputs)
        return loss_values(fitted.recipe.loss, outputs, self.data.labels).float().numpy()


def watchable(recipe: Recipe, n_rows: int) -> Recipe:
    """Return the recipe with a trace of up to fifty epochs, evenly spread.

    A recipe with a stop rule is asked for it at traced epochs, so its trace stays as it is.

    >>> watchable(Recipe(epochs=100), 10).traced_epochs(10)[:3]
    (2, 4, 6)
    """
    if (recipe.stop_at_error, recipe.stop_at_loss) != (None, None):
        return recipe
    return replace(recipe, trace=math.ceil(recipe.n_epochs(n_rows) / MOST_LOOKS))


def early_epoch(recipe: Recipe, n_rows: int) -> int:
    """Return the first traced epoch after a tenth of the run.

    >>> early_epoch(Recipe(epochs=40, trace="every"), 100)
    4
    """
    traced = recipe.traced_epochs(n_rows)
    return next(epoch for epoch in traced if epoch >= EARLY * traced[-1])


def spread_epochs(recipe: Recipe, n_rows: int) -> list[int]:
    """Return up to five traced epochs from the first to the last.

    >>> spread_epochs(Recipe(epochs=41, trace="every"), 100)
    [1, 11, 21, 31, 41]
    """
    traced = recipe.traced_epochs(n_rows)
    at = np.linspace(0, len(traced) - 1, min(_SPREAD, len(traced)))
    return [traced[i] for i in at.round().astype(int)]


def module_and_inputs(fitted: Fitted, inputs: Tensor) -> tuple[nn.Module, Tensor]:
    """Return the network with its weights, and inputs in the precision of these."""
    module = fitted.module()
    numbers = [p.dtype for p in module.parameters() if p.is_floating_point()]
    wanted = numbers[0] if numbers else torch.float32
    return module, inputs.to(precision_of(inputs.dtype, wanted))


def _rate_at(recipe: Recipe, n_steps: int, n_rows: int) -> float:
    """Return the learning rate of the last update; of none yet, that of the first."""
    return recipe.learning_rate * recipe.schedule.at(max(n_steps - 1, 0), recipe.n_steps(n_rows))


@torch.no_grad()
def _ask(fitted: Fitted, inputs: Tensor) -> tuple[Tensor, Tensor | None, bool]:
    """Return outputs `[n, K]`, what the last layer is given `[n, d]`, and whether it has a bias.

    None where the outputs are not those of a linear layer that is given a vector.
    """
    module, rows = module_and_inputs(fitted, inputs)
    outputs, features, has_bias, known = [], [], True, True
    with _linear_layers(module) as seen:
        for part in rows.split(_CHUNK):
            seen.clear()
            outputs.append(module(part).flatten(1))
            known = known and bool(seen) and _are_outputs(seen[-1], outputs[-1])
            if known:
                layer, given, _ = seen[-1]
                features.append(given)
                has_bias = layer.bias is not None
    return torch.cat(outputs), torch.cat(features) if known else None, has_bias


def _are_outputs(last: tuple[nn.Linear, Tensor, Tensor], outputs: Tensor) -> bool:
    _, given, made = last
    return given.ndim == 2 and torch.equal(made, outputs)


@contextmanager
def _linear_layers(module: nn.Module) -> Iterator[list[tuple[nn.Linear, Tensor, Tensor]]]:
    """Record the linear layers that are called inside the block, with what they take and give."""
    seen: list[tuple[nn.Linear, Tensor, Tensor]] = []
    hooks = [
        part.register_forward_hook(lambda layer, given, made: seen.append((layer, given[0], made)))
        for part in module.modules()
        if isinstance(part, nn.Linear)
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
