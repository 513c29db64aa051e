"""Optimizers: on the flat weights of a stack, with each model's own rate, momentum and decay,
and on the parameters of a single module.

The updates are those of `torch.optim` (the tests hold them against it). They are written on one
flat tensor because the optimizer's memory traffic, not its arithmetic, is what costs: SGD with
momentum touches every weight in three passes here, and a stack of hundred small models pays the
overhead of one.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from overparam.training.recipe import Recipe
from overparam.training.weights import StackedWeights

Rate = float | Tensor  # one number where all models agree, else one per weight


class Optimizer:
    """State and update of one stack; `step(factor)` applies the gradient in `weights`.

    On a GPU the number of steps and what follows from it are tensors, so that an update can be
    recorded and replayed (see `recorded.py`).

    Cost per step: 3 (sgd with momentum) to 8 (adam) passes over the weights.
    """

    def __init__(self, recipes: list[Recipe], weights: StackedWeights) -> None:
        self.recipes, self.weights = recipes, weights
        device = weights.master.device
        self.n_steps: int | Tensor = 0
        if device.type == "cuda":
            self.n_steps = torch.zeros((), dtype=torch.float64, device=device)
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

    def state(self) -> list[Tensor]:
        """Return the tensors, besides the weights, that a step changes in place."""
        held = (self.first, self.second, self.n_steps)
        return [t for t in held if isinstance(t, Tensor)]

    @torch.no_grad()
    def step(self, factor: Rate) -> None:
        """Update the weights with the learning rate times `factor`, a number or a tensor of one."""
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
        step = rate / scale1
        if isinstance(step, Tensor):
            weights.addcdiv_(self.first * step, spread, value=-1)
        else:
            weights.addcdiv_(self.first, spread, value=-step)


def _descend(weights: Tensor, direction: Tensor, rate: Rate) -> None:
    if isinstance(rate, Tensor):
        weights.addcmul_(direction, rate, value=-1)
    else:
        weights.add_(direction, alpha=-rate)


def _any(rate: Rate) -> bool:
    return isinstance(rate, Tensor) or rate != 0


class ParameterOptimizer:
    """The same updates of one module's parameters, each with the gradient that it received.

    As in `torch.optim`, a parameter that received none is left as it is, decay and moments too,
    and a complex one is a pair of real ones. (Importing PyTorch's own optimizers takes longer
    than many a run of this package.)

    Args:
        parameters: leaves of the module, without repeats. masters: what is summed in, one for
            each: the parameter's data, or where that has a lower precision, a copy.
    """

    def __init__(
        self, recipe: Recipe, parameters: Sequence[Tensor], masters: Sequence[Tensor]
    ) -> None:
        self.recipe, self._parameters = recipe, list(parameters)
        self._masters = [_real(m) for m in masters]
        self._first: list[Tensor | None] = [None] * len(masters)
        self._second: list[Tensor | None] = [None] * len(masters)
        self._n_steps = [0] * len(masters)

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Update with the learning rate times `factor`, and forget the gradients."""
        alike: dict[int, list[int]] = {}  # parameters by the number of their updates so far
        for i, parameter in enumerate(self._parameters):
            if parameter.grad is not None:
                alike.setdefault(self._n_steps[i], []).append(i)
        for n, some in alike.items():
            self._step(some, n + 1, self.recipe.learning_rate * factor)
        for i in (i for some in alike.values() for i in some):
            self._parameters[i].grad = None

    def _step(self, some: list[int], n: int, rate: float) -> None:
        recipe, weights = self.recipe, [self._masters[i] for i in some]
        gradients = [_like(self._parameters[i].grad, self._masters[i]) for i in some]
        if recipe.optimizer == "adamw" and recipe.weight_decay:
            torch._foreach_mul_(weights, 1 - rate * recipe.weight_decay)
        elif recipe.weight_decay:
            gradients = list(torch._foreach_add(gradients, weights, alpha=recipe.weight_decay))
        if recipe.optimizer == "sgd" and not recipe.momentum:
            torch._foreach_add_(weights, gradients, alpha=-rate)
            return
        first = self._moments(self._first, some)
        if recipe.optimizer == "sgd":
            torch._foreach_mul_(first, recipe.momentum)
            torch._foreach_add_(first, gradients)
            torch._foreach_add_(weights, first, alpha=-rate)
        else:
            beta1, beta2 = recipe.betas
            second = self._moments(self._second, some)
            torch._foreach_lerp_(first, gradients, 1 - beta1)
            torch._foreach_mul_(second, beta2)
            torch._foreach_addcmul_(second, gradients, gradients, value=1 - beta2)
            spread = torch._foreach_sqrt(second)
            torch._foreach_div_(spread, (1 - beta2**n) ** 0.5)
            torch._foreach_add_(spread, recipe.eps)
            torch._foreach_addcdiv_(weights, first, spread, value=-rate / (1 - beta1**n))
        for i in some:
            self._n_steps[i] = n

    def _moments(self, moments: list[Tensor | None], some: list[int]) -> list[Tensor]:
        found = []
        for i in some:
            moment = moments[i]
            if moment is None:
                moment = moments[i] = torch.zeros_like(self._masters[i])
            found.append(moment)
        return found


def _real(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _like(gradient: Tensor | None, master: Tensor) -> Tensor:
    assert gradient is not None
    dense = gradient.to_dense() if gradient.is_sparse else gradient
    return _real(dense.resolve_conj()).to(master.dtype)
