"""The obviously right slow way: one model, one optimizer of PyTorch, one batch after the other."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from overparam.data.dataset import Dataset
from overparam.streams import Streams
from overparam.training.initialise import materialise
from overparam.training.recipe import Recipe


def train_plainly(model: nn.Module, data: Dataset, recipe: Recipe, streams: Streams) -> nn.Module:
    """Train in float64 as anybody would write it, with the package's weights and orders."""
    return train_in_place(materialise(model, streams, torch.float64).train(), data, recipe, streams)


def train_in_place(
    module: nn.Module, data: Dataset, recipe: Recipe, streams: Streams, device: str = "cpu"
) -> nn.Module:
    """Train a module that has its weights, in the mode that it and its parts are in."""
    module = module.to(device)
    rate, decay = recipe.learning_rate, recipe.weight_decay
    kinds = {
        "sgd": lambda p: torch.optim.SGD(p, rate, momentum=recipe.momentum, weight_decay=decay),
        "adam": lambda p: torch.optim.Adam(p, rate, recipe.betas, recipe.eps, decay, foreach=False),
        "adamw": lambda p: torch.optim.AdamW(p, rate, recipe.betas, recipe.eps, decay),
    }
    optimizer = kinds[recipe.optimizer](module.parameters())
    order, step, total = streams.torch("order"), 0, recipe.n_steps(len(data))
    inputs = data.inputs.double() if data.base.is_floating_point() else data.inputs
    inputs, labels = inputs.to(device), data.labels.to(device)
    with streams.global_generators("layers"):
        for _ in range(recipe.n_epochs(len(data))):
            for rows in torch.randperm(len(data), generator=order).split(
                recipe.batch_size or len(data)
            ):
                if step == total:
                    break
                for group in optimizer.param_groups:
                    group["lr"] = rate * recipe.schedule.at(step, total)
                optimizer.zero_grad()
                outputs = module(inputs[rows]).flatten(1)
                loss_of(recipe, outputs, labels[rows], data.n_outputs).backward()
                optimizer.step()
                step += 1
    return module


def loss_of(recipe: Recipe, outputs: torch.Tensor, labels: torch.Tensor, k: int) -> torch.Tensor:
    """The recipe's mean loss, by PyTorch's own functions."""
    if recipe.loss == "cross_entropy":
        return F.cross_entropy(outputs, labels)
    if recipe.loss == "squared_error":
        targets = labels if labels.is_floating_point() else F.one_hot(labels, k).double()
        return k * F.mse_loss(outputs, targets)
    assert callable(recipe.loss)
    return recipe.loss(outputs, labels).mean()
