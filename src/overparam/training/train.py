"""`train`: the request to fit a model by gradient descent, and how requests become stacks."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.data.dataset import Dataset
from overparam.errors import ResourceError, UsageError
from overparam.streams import Streams
from overparam.training.dense import dense_shape
from overparam.training.fitted import Fitted, Trace
from overparam.training.initialise import materialise
from overparam.training.recipe import Recipe
from overparam.training.request import Context, Cost, Request
from overparam.training.stacks import (
    build,
    dense_buckets,
    model_bytes,
    signature,
    step_flops,
)
from overparam.training.stepper import Member, Stepper
from overparam.training.ways import choose, key_of, measure, now, resolve_precision

_TRIAL_MODELS = 4  # models in the trial that compares the ways of running a stack
_TRIAL_SECONDS = 0.05  # of updates that are timed to plan a run
_TRIAL_ROWS = 2048  # rows of a measuring pass that are timed to plan a run


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
        UsageError: the model's inputs or outputs do not fit the data.

    Cost: `recipe.n_steps(n)` updates; exact operations in `overparam plan`.

    >>> from overparam.data.dataset import make_dataset
    >>> from overparam.training.request import solve
    >>> data = make_dataset([[0.0], [1.0]], [0, 1], name="two points")
    >>> net = nn.Sequential(nn.Linear(1, 2))
    >>> recipe = Recipe(epochs=200, learning_rate=1.0, batch_size=None)
    >>> solve(train(net, data, recipe, Streams(0))).train_error
    0.0
    """
    evaluated = dict(evaluate or {})
    if "train" in evaluated:
        raise UsageError(
            "the name 'train' is the training set's own",
            got="train",
            remedy="call the evaluated set something else",
        )
    _check_outputs(model, train_set)
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
        for bucket in _buckets(requests, precision, context):
            for i, fitted in zip(
                bucket,
                _train_bucket([requests[i] for i in bucket], precision, context),
                strict=True,
            ):
                results[i] = fitted
        return results

    @staticmethod
    def estimate(requests: Sequence[Any], context: Context) -> tuple[list[Any], Cost]:
        """Return stand-ins of the right shapes and what `execute` would cost."""
        precision = resolve_precision(requests[0].recipe.precision, context)
        total = Cost()
        for bucket in _buckets(requests, precision, context):
            some = [requests[i] for i in bucket]
            n = len(some[0].train_set)
            steps = some[0].recipe.n_steps(n)
            batch = min(some[0].recipe.batch_size or n, n)
            flops = sum(step_flops(r.model, batch, r.train_set.input_shape) for r in some)
            shape = some[0].train_set.input_shape
            size = len(some) * max(model_bytes(r.model, batch, shape) for r in some)
            total += Cost(len(some), flops * steps, _seconds(some, precision, context), size)
        return [_stand_in(r) for r in requests], total


def _buckets(requests: Sequence[TrainRequest], precision: str, context: Context) -> list[list[int]]:
    """Return positions of requests that run as one stack each."""
    modules = [r.model for r in requests]
    n = len(requests[0].train_set)
    batch = min(requests[0].recipe.batch_size or n, n)
    if dense_shape(modules[0]) is not None:
        return dense_buckets(modules, batch, context.memory_bytes, precision)
    alone = [[i] for i in range(len(requests))]
    if len(requests) == 1:
        return alone
    key = key_of("module", requests[0].group_key(), len(requests), precision, context.device.type)
    trial = requests[:_TRIAL_MODELS]
    ways = {
        "one by one": _trial([[r] for r in trial], precision, context),
        "mapped": _trial([trial], precision, context),
    }
    if choose(context, key, ways) == "one by one":
        return alone
    shape = requests[0].train_set.input_shape
    largest = max(1, context.memory_bytes // max(model_bytes(m, batch, shape) for m in modules))
    return [
        list(range(i, min(i + largest, len(requests)))) for i in range(0, len(requests), largest)
    ]


def _train_bucket(
    requests: Sequence[TrainRequest], precision: str, context: Context
) -> list[Fitted | Exception]:
    """Train one stack; halve it where memory runs out."""
    try:
        stepper = _stepper(requests, precision, context)
        members = list(stepper.members)
        flops = _flops_per_model_step(requests)
        stepper.progress = lambda models: context.progress(models * flops)
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
        return _train_bucket(requests[:middle], precision, context) + _train_bucket(
            requests[middle:], precision, context
        )
    return [
        Fitted(
            r.model,
            m.state or {},
            replace(r.recipe, precision=precision),
            m.finished_trace(),
            m.status,
            m.n_steps,
        )
        for r, m in zip(requests, members, strict=True)
    ]


def _stepper(requests: Sequence[TrainRequest], precision: str, context: Context) -> Stepper:
    members = [Member(r.recipe, r.train_set, dict(r.evaluate), r.streams) for r in requests]
    return build(
        [r.model for r in requests],
        members,
        requests[0].recipe,
        context.device,
        precision=precision,
    )


def _trial(
    stacks: Sequence[Sequence[TrainRequest]], precision: str, context: Context
) -> Callable[[], None]:
    """Return a function that updates each stack once; its first call builds them."""
    steppers: list[Stepper] = []

    def update() -> None:
        if not steppers:
            steppers.extend(_stepper(stack, precision, context) for stack in stacks)
        for stepper in steppers:
            _update(stepper)

    return update


def _update(stepper: Stepper, times: int = 1) -> None:
    size = min(stepper.recipe.batch_size or stepper.n, stepper.n)
    for batch in islice(stepper.rows.batches(stepper.orders.epoch(), size), times):
        stepper.update(batch)


def _seconds(requests: Sequence[TrainRequest], precision: str, context: Context) -> float:
    """Return what training one stack takes: building it, its updates, and the traces' passes."""
    start = now(context.device)
    stepper = _stepper(requests, precision, context)
    building = now(context.device) - start
    once = measure(lambda: _update(stepper), context.device, repeats=1)
    times = max(1, min(stepper.recipe.steps_per_epoch(stepper.n), int(_TRIAL_SECONDS / once)))
    update = measure(lambda: _update(stepper, times), context.device) / times
    rows = min(stepper.n, _TRIAL_ROWS)
    row = measure(lambda: stepper.evaluate(stepper.rows, rows), context.device, repeats=1) / rows
    n_rows = stepper.n + sum(len(v) for v in requests[0].evaluate.values())
    n_traces = len(stepper.recipe.traced_epochs(stepper.n))
    return building + stepper.recipe.n_steps(stepper.n) * update + n_traces * n_rows * row


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
    return Fitted(
        request.model, state, request.recipe, Trace(epochs, epochs, nothing, nothing), "done", 0
    )


def _check_outputs(model: nn.Module, train_set: Dataset) -> None:
    shape = dense_shape(model)
    if shape is None:
        return
    if shape.dims[0] != train_set.input_dim:
        raise UsageError(
            "the model's input size differs from the data's",
            got=shape.dims[0],
            allowed=train_set.input_dim,
        )
    if shape.dims[-1] != train_set.n_outputs:
        raise UsageError(
            "the model's output size differs from the number of classes or targets",
            got=shape.dims[-1],
            allowed=train_set.n_outputs,
        )


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return "memory" in str(error) and "alloc" in str(error)
