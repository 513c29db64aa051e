"""Every proxy of memorization that one training run of a network gives, and what each costs.

All scores are float64 `[n]` and point one way: **higher = more memorized**.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from overparam.data.dataset import Dataset
from overparam.errors import DataError, UsageError
from overparam.measures.layer_images import layer_activations
from overparam.measures.module_proxies import gradient_norm, input_curvature
from overparam.measures.neighbor_probes import prediction_depth
from overparam.measures.proxies import (
    area_under_margin,
    cumulative_loss,
    final_loss,
    forgetting_events,
    iteration_learned,
    loss_interquartile_range,
)
from overparam.measures.rows_seen import RowsSeen, early_epoch, module_and_inputs, spread_epochs
from overparam.streams import Streams
from overparam.training.fitted import Fitted
from overparam.training.recipe import Recipe

PROXIES = (
    "final_loss",
    "cumulative_loss",
    "loss_interquartile_range",
    "area_under_margin",
    "forgetting_events",
    "iteration_learned",
    "el2n",
    "last_layer_gradient_norm",
    "gradient_norm",
    "last_layer_self_influence",
    "input_curvature",
    "prediction_depth",
)
_PROBES = 10  # directions of the curvature
_NEIGHBORS = 30  # that vote on the depth


def proxies_of_run(
    fitted: Fitted, data: Dataset, streams: Streams, only: Sequence[str] = PROXIES
) -> dict[str, np.ndarray]:
    """Return the proxies of the training rows that a watched run gives, by name.

    Args:
        fitted: of ``train(model, data, watchable(recipe, n), streams, watch=WatchRows(data))``.
        data: the training set, n rows. streams: the directions of the curvature come from its
            stream ``curvature``.
        only: names of `PROXIES`, such as those that are cheap.

    Returns:
        Name to float64 `[n]`; NaN as each measure has it. EL2N and GraNd are those of this one run
        after a tenth of it, and forgetting counts epochs, not presentations; the curvature is the
        mean over five epochs. Left out are EL2N and the last layer's where the loss is not
        cross-entropy or the outputs are not a linear layer's, and the curvature, the gradients and
        the depth where inputs are whole numbers or models were not kept.

    Raises:
        DataError: the run was not watched, or on other rows. UsageError: an unknown name.

    Cost: `costs_of_proxies`, and O(layers n^2 d) of the depth.
    """
    seen = _seen(fitted, len(data))
    unknown = [name for name in only if name not in PROXIES]
    if unknown:
        raise UsageError("no such proxy", got=unknown[0], allowed=", ".join(PROXIES))
    losses, margins = np.stack([s.loss for s in seen]), np.stack([s.margin for s in seen])
    predicted, labels = np.stack([s.predicted for s in seen]), data.labels.numpy()
    wanted = early_epoch(fitted.recipe, len(data))
    told = zip(fitted.trace.epoch, seen, strict=True)
    early = next((s for epoch, s in told if epoch >= wanted), seen[-1])
    made: dict[str, Callable[[], np.ndarray | None]] = {
        "final_loss": lambda: final_loss(losses),
        "cumulative_loss": lambda: cumulative_loss(losses),
        "loss_interquartile_range": lambda: loss_interquartile_range(losses),
        "area_under_margin": lambda: area_under_margin(margins),
        "forgetting_events": lambda: forgetting_events(predicted == labels).score,
        "iteration_learned": lambda: iteration_learned(predicted, labels),
        "el2n": lambda: early.error_norm,
        "last_layer_gradient_norm": lambda: early.last_norm,
        "gradient_norm": lambda: _gradient_norm(early.fitted, data),
        "last_layer_self_influence": lambda: _sum([s.last_square for s in seen]),
        "input_curvature": lambda: _curvature(seen, data, streams),
        "prediction_depth": lambda: _depth(fitted, data, predicted[-1]),
    }
    found = {name: made[name]() for name in only}
    return {name: np.asarray(score, float) for name, score in found.items() if score is not None}


def costs_of_proxies(recipe: Recipe, n_rows: int) -> dict[str, float]:
    """Return what each proxy takes, in training runs on all rows.

    For each row a pass forward counts 1 and an update 3, a traced epoch is a pass, and what is
    read early needs no more of the run. Neighbours (of `prediction_depth`) are not counted.

    >>> costs = costs_of_proxies(Recipe(epochs=10, trace="every"), 100)
    >>> round(costs["el2n"], 2), round(costs["cumulative_loss"], 2)
    (0.13, 1.33)
    """
    run, looks = 3 * recipe.n_epochs(n_rows), len(recipe.traced_epochs(n_rows))
    begun = 3 * early_epoch(recipe, n_rows)
    passes = dict.fromkeys(PROXIES, run + looks)
    passes |= dict.fromkeys(("final_loss", "prediction_depth"), run + 1)
    passes |= dict.fromkeys(("el2n", "last_layer_gradient_norm"), begun + 1)
    passes["gradient_norm"] = begun + 3
    passes["input_curvature"] = run + 3 * (1 + _PROBES) * len(spread_epochs(recipe, n_rows))
    return {name: n / run for name, n in passes.items()}


def _seen(fitted: Fitted, n_rows: int) -> list[RowsSeen]:
    seen = list(fitted.trace.watched)
    if not seen or not all(isinstance(s, RowsSeen) and len(s.loss) == n_rows for s in seen):
        raise DataError(
            "nothing is known of these rows along the run",
            got="a run that was not watched" if not seen else "a run on other rows",
            remedy="train with watch=WatchRows(data)",
        )
    return seen


def _sum(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    known = [part for part in parts if part is not None]
    return np.sum(known, axis=0) if len(known) == len(parts) else None


def _gradient_norm(fitted: Fitted | None, data: Dataset) -> np.ndarray | None:
    if fitted is None or not data.base.is_floating_point():
        return None
    module, inputs = module_and_inputs(fitted, data.inputs)
    return gradient_norm(module, inputs, data.labels, loss=fitted.recipe.loss)


def _curvature(seen: Sequence[RowsSeen], data: Dataset, streams: Streams) -> np.ndarray | None:
    kept = [s.fitted for s in seen if s.fitted is not None]
    if not kept or not data.base.is_floating_point():
        return None
    chosen = set(spread_epochs(kept[0].recipe, len(data)))
    found = []
    for fitted in kept:
        if int(fitted.trace.epoch[-1]) in chosen:
            module, inputs = module_and_inputs(fitted, data.inputs)
            loss = fitted.recipe.loss
            found.append(input_curvature(module, inputs, data.labels, streams, loss=loss))
    return np.mean(found, axis=0)


@torch.no_grad()
def _depth(fitted: Fitted, data: Dataset, predicted: np.ndarray) -> np.ndarray | None:
    """Return the depth over the input, every hidden layer and the outputs."""
    if not data.base.is_floating_point() or len(data) <= _NEIGHBORS:
        return None
    module, inputs = module_and_inputs(fitted, data.inputs)
    layers = [inputs.flatten(1), *layer_activations(module, inputs), module(inputs).flatten(1)]
    return prediction_depth(layers, data.labels, predicted, n_neighbors=_NEIGHBORS)
