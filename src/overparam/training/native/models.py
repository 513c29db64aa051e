"""`NativeModels`: fully connected networks, each trained by itself in compiled code.

Nothing is padded and nothing shared, so a model's numbers do not depend on its neighbours. A
call is a pass over the rows for one model; calls leave Python's lock, so several threads work on
several models.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

from overparam.threads import spread
from overparam.training.batches import OwnRows
from overparam.training.dense import DenseShape
from overparam.training.native.build import POINTER, WHOLE, Kernels, load_library
from overparam.training.recipe import LOSSES, OPTIMIZERS, Recipe
from overparam.training.stepper import Measured, Member, Progress

T = TypeVar("T")

DENSE = Kernels(
    "dense.c",
    ("network.h", "pointwise.h", "precision.h", "product.h", "tiles.h"),
    (
        ("scratch", WHOLE, (POINTER, WHOLE)),
        ("train", None, (*[POINTER] * 4, WHOLE, *[POINTER] * 4)),
        ("measure", None, (POINTER,) * 8),
    ),
)
MOST_LAYERS, MOST_ROWS = 64, 256  # as in network.h
ACTIVATIONS = ("identity", "relu", "tanh")  # in the order of dense.c

_FLOPS_PER_CALL = 2e10  # about a tenth of a second, after which an interruption is heard
_ALIGNMENT = 64  # bytes


class _Network(ctypes.Structure):
    _fields_ = (
        ("n_layers", ctypes.c_int64),
        ("dims", ctypes.c_int64 * (MOST_LAYERS + 1)),
        ("activations", ctypes.c_int64 * MOST_LAYERS),
        ("has_bias", ctypes.c_int64 * MOST_LAYERS),
    )


class _Rule(ctypes.Structure):
    _fields_ = (
        ("loss", ctypes.c_int64),
        ("optimizer", ctypes.c_int64),
        *[(k, ctypes.c_double) for k in ("rate", "momentum", "decay", "beta1", "beta2", "eps")],
    )


class _Visit(ctypes.Structure):
    _fields_ = (
        *[(k, ctypes.c_void_p) for k in ("inputs", "rows", "classes", "targets")],
        ("n", ctypes.c_int64),
        ("batch", ctypes.c_int64),
    )


def can_run(shape: DenseShape, recipe: Recipe) -> bool:
    """Whether the kernels know this kind of network and recipe."""
    return len(shape.dims) <= MOST_LAYERS + 1 and isinstance(recipe.loss, str)


def native_bytes(
    shapes: Sequence[DenseShape], recipes: Sequence[Recipe], batch: int, precision: str
) -> int:
    """Return the bytes that models need while they are trained.

    Of each model its weights, twice (they are drawn, then laid out; later kept), and the
    optimizer's state; of one model at a time per thread what an update works on.

    Raises:
        NativeUnavailable: there are no kernels of this precision here.
    """
    library = load_library(DENSE, precision)
    copies = 2 + _has_momentum(recipes) + (recipes[0].optimizer != "sgd")
    weights = sum(sum(_sizes(s)) for s in shapes) * copies * (8 if precision == "float64" else 4)
    largest = max(batch, MOST_ROWS)
    scratch = max(library.scratch(ctypes.byref(_network(s)), largest) for s in shapes)
    return weights + scratch * min(spread(), len(shapes))


class NativeModels:
    """See `overparam.training.stepper.Models` for the methods.

    Args:
        shapes, states: of each model. precision: of the products.

    Raises:
        NativeUnavailable: there are no kernels of this precision here.
    """

    def __init__(
        self,
        members: Sequence[Member],
        shapes: Sequence[DenseShape],
        states: Sequence[Mapping[str, Tensor]],
        precision: str,
    ) -> None:
        self._library = load_library(DENSE, precision)
        master = torch.float64 if precision == "float64" else torch.float32
        working = torch.bfloat16 if precision == "bfloat16" else master
        self._recipes, self._shapes = [m.recipe for m in members], list(shapes)
        self._weights = [_flat(s, state, master) for s, state in zip(shapes, states, strict=True)]
        recipe = members[0].recipe
        momentum = _has_momentum(self._recipes)
        self._first = [torch.zeros_like(w) if momentum else None for w in self._weights]
        adaptive = recipe.optimizer != "sgd"
        self._second = [torch.zeros_like(w) if adaptive else None for w in self._weights]
        device = torch.device("cpu")
        self._rows = {
            name: OwnRows([m.evaluate[name] for m in members], working, device)
            for name in members[0].evaluate
        } | {"train": OwnRows([m.train_set for m in members], working, device)}
        self._n_updates = [0] * len(members)
        self._lay_out()

    def _lay_out(self) -> None:
        self._networks = [_network(shape) for shape in self._shapes]
        self._rules = [_rule(recipe) for recipe in self._recipes]
        size = self._recipes[0].batch_size
        self._batches = [min(size or n, n) for n in self._rows["train"].n]
        largest = max(*self._batches, MOST_ROWS)
        sizes = [self._library.scratch(ctypes.byref(n), largest) for n in self._networks]
        self._scratch_bytes = max(sizes) + _ALIGNMENT
        self._idle: list[Tensor] = []  # scratch memory that no call is using

    def update(
        self, orders: Sequence[Tensor], n_updates: Sequence[int], progress: Progress
    ) -> None:
        """Make the updates of one model after the other, on as many threads as there are."""
        parts, factors = self._rows["train"].visit(orders), self._factors(n_updates)

        def train(m: int) -> None:
            shape, batch, scratch = self._shapes[m], self._batches[m], self._take_scratch()
            some, visited = max(1, int(_FLOPS_PER_CALL / shape.step_flops(batch))), parts(m)
            for start in range(0, n_updates[m], some):
                end = min(start + some, n_updates[m])
                inputs, rows, labels = (
                    part if k == 0 else part[start * batch : end * batch]
                    for k, part in enumerate(visited)
                )
                self._library.train(
                    ctypes.byref(self._networks[m]),
                    ctypes.byref(self._rules[m]),
                    ctypes.byref(_visit(inputs, rows, labels, batch)),
                    factors[m][start:].data_ptr(),
                    self._n_updates[m] + start,
                    self._weights[m].data_ptr(),
                    _address(self._first[m]),
                    _address(self._second[m]),
                    _aligned(scratch),
                )
            self._idle.append(scratch)

        for n, _ in zip(n_updates, _in_threads(train, len(self._weights)), strict=True):
            progress(n)
        self._n_updates = [a + b for a, b in zip(self._n_updates, n_updates, strict=True)]

    def _factors(self, n_updates: Sequence[int]) -> list[Tensor]:
        """Return of each model the factors of its next learning rates; they share the schedule."""
        recipe = self._recipes[0]

        @cache
        def after(first: int, count: int, n: int) -> Tensor:
            total = recipe.n_steps(n)
            factors = [recipe.schedule.at(first + i, total) for i in range(count)]
            return torch.tensor(factors, dtype=torch.float64)

        return list(map(after, self._n_updates, n_updates, self._rows["train"].n))

    def measure(self, name: str, n: int | None = None) -> Measured:
        """Return what is measured of every model."""
        rows = self._rows[name]
        sizes = rows.n if n is None else [min(n, most) for most in rows.n]
        firsts = {size: torch.arange(size) for size in sizes}
        parts = rows.visit([firsts[size] for size in sizes])

        def judge(m: int) -> tuple[float, float, float]:
            scratch = self._take_scratch()
            loss, wrong, nan = ctypes.c_double(), ctypes.c_int64(), ctypes.c_int64()
            inputs, visited, labels = parts(m)
            self._library.measure(
                ctypes.byref(self._networks[m]),
                ctypes.byref(self._rules[m]),
                ctypes.byref(_visit(inputs, visited, labels, MOST_ROWS)),
                self._weights[m].data_ptr(),
                _aligned(scratch),
                ctypes.byref(loss),
                ctypes.byref(wrong),
                ctypes.byref(nan),
            )
            self._idle.append(scratch)
            error = float("nan") if labels.is_floating_point() else wrong.value
            return loss.value, error, nan.value

        found = torch.tensor(list(_in_threads(judge, len(self._weights))), dtype=torch.float64)
        counts = torch.tensor(sizes, dtype=torch.float64)[:, None]
        return Measured(*(found / counts).T)

    def state_of(self, model: int) -> dict[str, Tensor]:
        """Return a copy of one model's parameters."""
        return {k: v.clone() for k, v in _views(self._shapes[model], self._weights[model]).items()}

    def template_of(self, model: int) -> None:
        """Nothing but tensors changes here."""

    def keep(self, models: Tensor) -> None:
        """Drop all models but the given ones."""
        for name in ("_recipes", "_shapes", "_weights", "_first", "_second", "_n_updates"):
            of_each = getattr(self, name)
            setattr(self, name, [of_each[m] for m in models.tolist()])
        for rows in self._rows.values():
            rows.keep(models)
        self._lay_out()

    def _take_scratch(self) -> Tensor:
        try:
            return self._idle.pop()
        except IndexError:
            return torch.empty(self._scratch_bytes, dtype=torch.uint8)


def _in_threads(work: Callable[[int], T], count: int) -> Iterable[T]:
    threads = min(spread(), count)
    if threads == 1:
        yield from map(work, range(count))
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(work, range(count))


def _flat(shape: DenseShape, state: Mapping[str, Tensor], dtype: torch.dtype) -> Tensor:
    names = [k for pair in zip(shape.weight_names, shape.bias_names, strict=True) for k in pair]
    return torch.cat([state[k].detach().to(dtype).flatten() for k in names if k])


def _sizes(shape: DenseShape) -> list[int]:
    """Numbers of weights and biases, layer by layer."""
    pairs = zip(shape.dims, shape.dims[1:], shape.bias_names, strict=False)
    return [n for n_in, n_out, bias in pairs for n in (n_in * n_out, n_out if bias else 0)]


def _views(shape: DenseShape, flat: Tensor) -> dict[str, Tensor]:
    parts = iter(flat.split(_sizes(shape)))
    views = {}
    for layer, (weight, bias) in enumerate(zip(shape.weight_names, shape.bias_names, strict=True)):
        views[weight] = next(parts).view(shape.dims[layer + 1], shape.dims[layer])
        part = next(parts)
        if bias:
            views[bias] = part
    return views


def _has_momentum(recipes: Sequence[Recipe]) -> bool:
    return recipes[0].optimizer != "sgd" or any(r.momentum for r in recipes)


def _network(shape: DenseShape) -> _Network:
    network = _Network(n_layers=len(shape.dims) - 1)
    network.dims[: len(shape.dims)] = shape.dims
    for layer, kind in enumerate(shape.activations):
        network.activations[layer] = ACTIVATIONS.index(kind)
    for layer, name in enumerate(shape.bias_names):
        network.has_bias[layer] = bool(name)
    return network


def _rule(recipe: Recipe) -> _Rule:
    return _Rule(
        LOSSES.index(str(recipe.loss)),
        OPTIMIZERS.index(recipe.optimizer),
        recipe.learning_rate,
        recipe.momentum,
        recipe.weight_decay,
        *recipe.betas,
        recipe.eps,
    )


def _visit(inputs: Tensor, rows: Tensor, labels: Tensor, batch: int) -> _Visit:
    floating = labels.is_floating_point()
    return _Visit(
        inputs.data_ptr(),
        rows.data_ptr(),
        None if floating else labels.data_ptr(),
        labels.data_ptr() if floating else None,
        len(rows),
        batch,
    )


def _address(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _aligned(scratch: Tensor) -> int:
    return -(-scratch.data_ptr() // _ALIGNMENT) * _ALIGNMENT
