"""`train`: the request to fit a model by gradient descent."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.data.dataset import Dataset
from overparam.errors import ResourceError, UsageError
from overparam.streams import Streams, check_streams
from overparam.training.asked import asked
from overparam.training.dense import dense_shape
from overparam.training.fitted import Fitted, Task, Trace
from overparam.training.initialise import materialise
from overparam.training.plan_stacks import (
    make_stepper,
    measure_seconds,
    plan_stacks,
    stack_bytes,
)
from overparam.training.recipe import Recipe
from overparam.training.request import Context, Cost, Request
from overparam.training.stacks import signature, step_flops
from overparam.training.targets import check_targets
from overparam.training.ways import resolve_precision


@asked
async def train(
    model: nn.Module,
    train_set: Dataset,
    recipe: Recipe,
    streams: Streams,
    *,
    evaluate: Mapping[str, Dataset] | None = None,
) -> Fitted:
    """Fit a model by gradient descent.

    Inside a cell, requests of cells beside it that agree in architecture (up to widths), recipe
    (up to learning rate, momentum and weight decay) and number of rows are trained as one stack.
    Outside a study, hand the coroutine to `overparam.solve`.

    Args:
        model: maps `[n, *shape]` to `[n, K]`. On the meta device (as the families build it) its
            weights come from the stream ``init``; otherwise training starts from its weights.
            The module itself is not changed.
        train_set: n rows; K = `train_set.n_outputs`.
        recipe: loss, optimizer, epochs and the rest.
        streams: uses ``init``, ``order`` and, for random layers, ``layers``.
        evaluate: sets to measure along with the training set at traced epochs, by name.

    Raises:
        UsageError: the model's inputs or outputs do not fit the data; cross-entropy of targets that
            are no classes; a number in place of `Streams`.

    Cost: `recipe.n_steps(n)` updates; exact operations in `overparam plan`.

    >>> from overparam.data.dataset import make_dataset
    >>> from overparam.training.request import solve
    >>> data = make_dataset([[0.0], [1.0]], [0, 1], name="two points")
    >>> net = nn.Sequential(nn.Linear(1, 2))
    >>> recipe = Recipe(epochs=200, learning_rate=1.0, batch_size=None)
    >>> solve(train(net, data, recipe, Streams(0))).train_error
    0.0
    """
    check_streams(streams)
    evaluated = dict(evaluate or {})
    if "train" in evaluated:
        raise UsageError(
            "the name 'train' is the training set's own",
            got="train",
            remedy="call the evaluated set something else",
        )
    check_targets(recipe.loss, train_set, evaluated)
    _check_sizes(model, train_set, evaluated)
    return await TrainRequest(model, train_set, recipe, streams, evaluated)


@dataclass(frozen=True, eq=False)
class TrainRequest(Request):
    """One model to train; see `train`."""

    model: nn.Module
    train_set: Dataset
    recipe: Recipe
    streams: Streams
    evaluate: Mapping[str, Dataset] = field(default_factory=dict)

    def group_key(self) -> Hashable:
        """What must agree between requests that are executed together."""
        sets = tuple((k, len(v), v.n_outputs) for k, v in self.evaluate.items())
        floating = self.train_set.labels.is_floating_point()
        data = (len(self.train_set), self.train_set.input_shape, floating)
        return (signature(self.model), self.recipe.stack_key(), data, sets)

    @staticmethod
    def execute(requests: Sequence[Any], context: Context) -> list[Any]:
        """Return one result per request."""
        precision = resolve_precision(requests[0].recipe.precision, context)
        results: list[Any] = [None] * len(requests)
        for stack in plan_stacks(requests, precision, context):
            some = [requests[i] for i in stack.positions]
            fits = _train_stack(some, precision, context, stack.way)
            for i, fitted in zip(stack.positions, fits, strict=True):
                results[i] = fitted
        return results

    @staticmethod
    def estimate(requests: Sequence[Any], context: Context) -> tuple[list[Any], Cost]:
        """Return stand-ins of the right shapes and what `execute` would cost."""
        precision = resolve_precision(requests[0].recipe.precision, context)
        total = Cost()
        stand_ins: list[Any] = [None] * len(requests)
        for stack in plan_stacks(requests, precision, context):
            some = [requests[i] for i in stack.positions]
            n = len(some[0].train_set)
            steps = some[0].recipe.n_steps(n)
            batch = min(some[0].recipe.batch_size or n, n)
            flops = sum(step_flops(r.model, batch, r.train_set.input_shape) for r in some)
            size = stack_bytes(some, stack.way, precision)
            seconds = measure_seconds(some, precision, context, stack.way)
            rules = (some[0].recipe.stop_at_error, some[0].recipe.stop_at_loss)
            stops = any(rule is not None for rule in rules)
            total += Cost(len(some), flops * steps, seconds, size, may_end_sooner=stops)
            # What is trained is kept while later stacks are, so it is here as well: see `plan`.
            for i in stack.positions:
                stand_ins[i] = _stand_in(requests[i])
        return stand_ins, total


def _train_stack(
    requests: Sequence[TrainRequest], precision: str, context: Context, way: str
) -> list[Fitted | Exception]:
    """Train one stack; halve it where memory runs out."""
    try:
        stepper = make_stepper(requests, precision, context, way)
        members = list(stepper.members)
        flops = _flops_per_model_step(requests)
        stepper.progress = lambda updates: context.progress(updates * flops)
        # Random layers (dropout) draw from the stream of their model; only single models have any.
        own = requests[0].streams.torch_default("layers") if len(requests) == 1 else nullcontext()
        with own:
            stepper.run()
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        if not _out_of_memory(error):
            raise
        if len(requests) == 1:
            return [
                ResourceError(
                    "out of memory while training one model",
                    got=str(error)[:200],
                    remedy="use a smaller batch_size or width",
                )
            ]
        middle = len(requests) // 2
        context.notes.append(f"a stack of {len(requests)} models was halved: out of memory")
        return _train_stack(requests[:middle], precision, context, way) + _train_stack(
            requests[middle:], precision, context, way
        )
    return [
        Fitted(
            r.model,
            m.state or {},
            replace(r.recipe, precision=precision),
            m.finished_trace(),
            m.status,
            m.n_steps,
            Task.of(r.train_set),
            r.train_set.notes,
        )
        for r, m in zip(requests, members, strict=True)
    ]


def _flops_per_model_step(requests: Sequence[TrainRequest]) -> float:
    first = requests[0]
    batch = min(first.recipe.batch_size or len(first.train_set), len(first.train_set))
    each = [step_flops(r.model, batch, r.train_set.input_shape) for r in requests]
    return sum(each) / len(each)


def _stand_in(request: TrainRequest) -> Fitted:
    """Return an untrained result of the right shapes, for planning."""
    model = materialise(request.model, request.streams, torch.float32)
    epochs = np.array(request.recipe.traced_epochs(len(request.train_set)))
    nothing = {k: np.full(len(epochs), np.nan) for k in ("train", *request.evaluate)}
    state = {k: v.detach() for k, v in model.state_dict().items()}
    trace = Trace(epochs, epochs, nothing, nothing)
    task = Task.of(request.train_set)
    return Fitted(request.model, state, request.recipe, trace, "done", 0, task)


def _check_sizes(model: nn.Module, train_set: Dataset, evaluate: Mapping[str, Dataset]) -> None:
    """Refuse rows that do not fit a fully connected network; compiled code relies on it."""
    shape = dense_shape(model)
    if shape is None:
        return
    n_in, n_out = shape.dims[0], shape.dims[-1]
    for name, data in {"train": train_set, **evaluate}.items():
        whose = "the data's" if name == "train" else f"that of the evaluated set {name!r}"
        if data.input_dim != n_in:
            raise UsageError(
                f"the model's input size differs from {whose}", got=n_in, allowed=data.input_dim
            )
        # A set to measure may have rows of fewer classes than the model knows.
        fewer = name != "train" and data.n_classes is not None and data.n_outputs < n_out
        if data.n_outputs != n_out and not fewer:
            whose = "the number" if name == "train" else f"{name!r}: the number"
            raise UsageError(
                f"the model's output size differs from {whose} of classes or targets",
                got=n_out,
                allowed=data.n_outputs,
            )


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "memory" in str(error) and "alloc" in str(error)
