"""Optimizers on the flat weights of a stack, with each model's own rate, momentum and decay.

The updates are those of `torch.optim` (the tests hold them against it). They are written on one
flat tensor because the optimizer's memory traffic, not its arithmetic, is what costs: SGD with
momentum touches every weight in three passes here, and a stack of hundred small models pays the
overhead of one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.training.recipe import Recipe
from overparam.training.weights import StackedWeights

Rate = float | Tensor  # one number where all models agree, else one per weight


class Optimizer:
    """State and update of one stack; `step(factor)` applies the gradient in `weights`.

    Cost per step: 3 (sgd with momentum) to 8 (adam) passes over the weights.
    """

    def __init__(self, recipes: list[Recipe], weights: StackedWeights) -> None:
        self.recipes, self.weights, self.n_steps = recipes, weights, 0
        self.kind = recipes[0].optimizer
        uses_momentum = self.kind != "sgd" or any(r.momentum for r in recipes)
        self.first = torch.zeros_like(weights.master) if uses_momentum else None
        self.second = torch.zeros_like(weights.master) if self.kind != "sgd" else None
        self._spread()

    def _spread(self) -> None:
        spread = self.weights.spread
        self.rate = spread([r.learning_rate for r in self.recipes])
        self.momentum = spread([r.momentum for r in self.recipes])
        self.decay = spread([r.weight_decay for r in self.recipes])

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones; to be called before `weights.keep`."""
        self.recipes = [self.recipes[m] for m in models.tolist()]
        for name in ("first", "second"):
            state = getattr(self, name)
            if state is not None:
                setattr(self, name, self.weights.select(state, models))

    def kept(self) -> None:
        """Lay out the rates anew; to be called after `weights.keep`."""
        self._spread()

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Update the weights with the learning rate times `factor`."""
        self.n_steps += 1
        weights, gradient = self.weights.master, self.weights.gradient
        rate = self.rate * factor
        if self.kind == "adamw" and _any(self.decay):
            weights.mul_(1 - rate * self.decay)
        elif self.kind != "adamw" and _any(self.decay):
            gradient = gradient + self.decay * weights
        if self.second is not None:
            self._adam(weights, gradient, rate)
        elif self.first is not None:
            if isinstance(self.momentum, Tensor):
                self.first.mul_(self.momentum).add_(gradient)
            else:
                torch.add(gradient, self.first, alpha=self.momentum, out=self.first)
            _descend(weights, self.first, rate)
        else:
            _descend(weights, gradient, rate)
        self.weights.refresh()

    def _adam(self, weights: Tensor, gradient: Tensor, rate: Rate) -> None:
        assert self.first is not None
        assert self.second is not None
        beta1, beta2 = self.recipes[0].betas
        gradient = gradient.to(weights.dtype)
        self.first.lerp_(gradient, 1 - beta1)
        self.second.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scale1, scale2 = 1 - beta1**self.n_steps, 1 - beta2**self.n_steps
        spread = self.second.sqrt().div_(scale2**0.5).add_(self.recipes[0].eps)
        if isinstance(rate, Tensor):
            weights.addcdiv_(self.first * rate, spread, value=-1 / scale1)
        else:
            weights.addcdiv_(self.first, spread, value=-rate / scale1)


def _descend(weights: Tensor, direction: Tensor, rate: Rate) -> None:
    if isinstance(rate, Tensor):
        weights.addcmul_(direction, rate, value=-1)
    else:
        weights.add_(direction, alpha=-rate)


def _any(rate: Rate) -> bool:
    return isinstance(rate, Tensor) or rate != 0
