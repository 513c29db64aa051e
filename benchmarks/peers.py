"""The peers: the loops that people write, given the same weights, rows and orders as ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from cells import Cell
from overparam.data.dataset import Dataset
from overparam.training.initialise import materialise


def plain_loop(cell: Cell, device: str = "cpu") -> tuple[float, float]:
    """Train with one optimizer of PyTorch over tensors in memory, float32; return errors."""
    module, optimizer = _ready(cell, device)
    inputs, labels = cell.train_set.inputs.to(device), cell.train_set.labels.to(device)
    order, n = cell.streams.torch("order"), len(cell.train_set)
    for _ in range(cell.recipe.epochs or 0):
        shuffled = torch.randperm(n, generator=order).to(device)
        for rows in shuffled.split(cell.recipe.batch_size or n):
            optimizer.zero_grad()
            F.cross_entropy(module(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    return error(module, cell.train_set), error(module, cell.test_set)


def loader_loop(cell: Cell) -> tuple[float, float]:
    """The same with a `DataLoader` in its default setting."""
    module, optimizer = _ready(cell)
    rows = TensorDataset(cell.train_set.inputs, cell.train_set.labels)
    loader = DataLoader(
        rows, cell.recipe.batch_size, shuffle=True, generator=cell.streams.torch("order")
    )
    for _ in range(cell.recipe.epochs or 0):
        for inputs, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(module(inputs), labels).backward()
            optimizer.step()
    return error(module, cell.train_set), error(module, cell.test_set)


@torch.no_grad()
def error(module: nn.Module, data: Dataset) -> float:
    """Return the fraction of rows wrong in evaluation mode."""
    module.eval()
    device = next(module.parameters()).device
    inputs, labels = data.inputs.to(device), data.labels.to(device)
    wrong = sum(
        int((module(x).argmax(1) != y).sum())
        for x, y in zip(inputs.split(1000), labels.split(1000), strict=True)
    )
    return wrong / len(data)


class JaxMapped:
    """``jit(vmap(scan))``: all seeds of one width mapped, all updates of an epoch scanned.

    Compiled once per width; compiling is not part of the time that is compared.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        import jax
        from jax import numpy as jnp

        self.cells, self.jnp = cells, jnp
        rate, momentum = cells[0].recipe.learning_rate, cells[0].recipe.momentum

        def outputs(weights: Any, x: Any) -> Any:
            for w, b in weights[:-1]:
                x = jnp.maximum(x @ w.T + b, 0)
            return x @ weights[-1][0].T + weights[-1][1]

        def loss(weights: Any, x: Any, y: Any) -> Any:
            logs = jax.nn.log_softmax(outputs(weights, x))
            return -jnp.take_along_axis(logs, y[:, None], 1).mean()

        def epoch(weights: Any, velocity: Any, x: Any, y: Any, order: Any) -> Any:
            def update(state: Any, rows: Any) -> Any:
                weights, velocity = state
                gradient = jax.grad(loss)(weights, x[rows], y[rows])
                velocity = jax.tree.map(lambda v, g: momentum * v + g, velocity, gradient)
                weights = jax.tree.map(lambda w, v: w - rate * v, weights, velocity)
                return (weights, velocity), None

            return jax.lax.scan(update, (weights, velocity), order)[0]

        def wrong(weights: Any, x: Any, y: Any) -> Any:
            return (outputs(weights, x).argmax(-1) != y).mean()

        self._epoch = jax.jit(jax.vmap(epoch))
        self._wrong = jax.jit(jax.vmap(wrong))
        self._zeros = lambda weights: jax.tree.map(jnp.zeros_like, weights)
        self._stack = lambda trees: jax.tree.map(lambda *t: jnp.stack(t), *trees)

        def sets(of: Sequence[Dataset]) -> tuple[Any, Any]:
            inputs = jnp.stack([jnp.asarray(d.inputs.numpy()) for d in of])
            return inputs, jnp.stack([jnp.asarray(d.labels.numpy()) for d in of])

        self._train = sets([c.train_set for c in cells])
        self._test = sets([c.test_set for c in cells])

    def __call__(self) -> list[tuple[float, float]]:
        """Train from the start and return the errors of each seed."""
        weights = self._stack([_layers(c, self.jnp) for c in self.cells])
        velocity = self._zeros(weights)
        orders = [c.streams.torch("order") for c in self.cells]
        n, batch = len(self.cells[0].train_set), self.cells[0].recipe.batch_size
        for _ in range(self.cells[0].recipe.epochs or 0):
            drawn = torch.stack([torch.randperm(n, generator=g) for g in orders])
            order = self.jnp.asarray(drawn.view(len(orders), -1, batch).numpy())
            weights, velocity = self._epoch(weights, velocity, *self._train, order)
        train, test = self._wrong(weights, *self._train), self._wrong(weights, *self._test)
        return [(float(a), float(b)) for a, b in zip(train, test, strict=True)]


def _ready(cell: Cell, device: str = "cpu") -> tuple[nn.Module, torch.optim.Optimizer]:
    module = materialise(cell.model, cell.streams, torch.float32).train().to(device)
    recipe = cell.recipe
    return module, torch.optim.SGD(
        module.parameters(), recipe.learning_rate, momentum=recipe.momentum
    )


def _layers(cell: Cell, jnp: Any) -> list[tuple[Any, Any]]:
    module = materialise(cell.model, cell.streams, torch.float32)
    values: list[Tensor] = [p.detach() for p in module.parameters()]
    arrays = [jnp.asarray(v.numpy()) for v in values]
    return list(zip(arrays[::2], arrays[1::2], strict=True))
