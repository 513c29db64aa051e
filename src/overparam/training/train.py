"""`train`: the request to fit a model by gradient descent."""

from __future__ import annotations

from collections.abc import Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from overparam.data.accepted import as_dataset
from overparam.data.dataset import Dataset
from overparam.data.finite import check_range
from overparam.data.merged_values import notes_on_merged
from overparam.errors import ResourceError, UsageError
from overparam.models.targets import blaming
from overparam.streams import Streams, check_streams
from overparam.training.asked import asked
from overparam.training.batched import BatchedModels
from overparam.training.copies import state_of
from overparam.training.fits import check_fit
from overparam.training.fitted import Fitted
from overparam.training.initialise import materialise
from overparam.training.interaction import note_on_rows
from overparam.training.own_copy import own_copy
from overparam.training.plan_stacks import make_stepper, plan_stacks
from overparam.training.recipe import Recipe
from overparam.training.request import Context, Cost, Request, answer_to
from overparam.training.stack_costs import measure_seconds, stack_bytes
from overparam.training.stacks import signature, step_flops
from overparam.training.stepper import out_of_memory
from overparam.training.targets import check_targets
from overparam.training.task import Task
from overparam.training.trace import Trace
from overparam.training.undisturbed import undisturbed
from overparam.training.watch import WatchModel, check_watch, fitted_of, watch_of
from overparam.training.ways import now, resolve_precision


@asked
def train(
    model: nn.Module,
    train_set: Any,
    recipe: Recipe,
    streams: Streams,
    *,
    evaluate: Mapping[str, Any] | None = None,
    watch: WatchModel | None = None,
) -> Coroutine[Any, Any, Fitted]:
    """Fit a model by gradient descent.

    Inside a cell, requests of cells beside it that agree in architecture (up to widths) and recipe
    (up to learning rate, momentum and weight decay) are planned together, and trained as one stack
    where that is faster; training sets may have different numbers of rows. Outside a study, hand
    the coroutine to `overparam.solve`. Whichever way it runs, the result is that of a loop in
    PyTorch: frozen parameters stay, tied ones stay tied, hooks are called.

    Args:
        model: maps `[n, *shape]` to `[n, K]` (or to `[n, ...]` with K numbers per row). On the
            meta device (as the families build it) its weights come from the stream ``init``;
            otherwise training starts from its weights, in the recipe's precision. It is copied by
            the call, whatever becomes of it before the answer is awaited; the module itself is not
            changed. A part of it that is in evaluation mode while the whole is in training mode
            stays in evaluation mode.
        train_set: n rows, a `Dataset` or what `as_dataset` makes one of, such as ``(X, y)``; K =
            `train_set.n_outputs`. Floating inputs are given in the recipe's
            precision, whole numbers (token ids) as they are.
        recipe: loss, optimizer, epochs and the rest.
        streams: uses ``init``, ``order`` and, for layers and losses that draw, ``layers`` while
            they train and ``measure``, begun anew for each set, while they are measured.
        evaluate: sets to measure along with the training set at traced epochs, by name. A module
            that changes itself when it is called in evaluation mode, as an embedding with
            `max_norm`, is changed by being measured, as in any loop.
        watch: called with the model as it stands at every traced epoch, a `Fitted` as if training
            had ended there; what it returns is kept in `trace.watched`. So losses of single rows
            along training, features or gradients are had from every way in which a model is
            trained, and training is the same with it as without. A copy of the weights is made
            for each call, and nothing is done where there is none.

    Raises:
        UsageError: by the call, before anything is trained. The model's inputs or outputs do not
            fit the data (it is tried on a few batches); it cannot be trained on the last batch of
            an epoch, as batch normalization on a single row; parameters that have no shape yet
            (lazy layers), are in half precision, or share memory without being one; it cannot be
            copied, or a copy computes something else than the module, or with parameters of the
            module's; a method of the module's own, such as `parameters`, raises; a loss of the
            user's own does not return one number per row; cross-entropy of targets
            that are no classes; a number in place of `Streams`, or as the name of a set; a
            fraction of wrong rows to stop at, of floating targets.
        DataError: inputs or targets that are infinite in the recipe's precision.

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
    check_watch(watch)
    evaluated: dict[str, Any] = dict(evaluate or {})
    check_names(evaluated)
    train_set = as_dataset(train_set, name="train")
    evaluated = {k: as_dataset(part, name=k, like=train_set) for k, part in evaluated.items()}
    check_targets(recipe, train_set, evaluated)
    _check_range(train_set, evaluated, recipe)
    with blaming(type(model).__name__):  # whose own methods may raise
        asked_for = own_copy(model)
        passes = check_fit(asked_for, train_set, recipe, streams, evaluated, original=model)
        if not asked_for.training:  # what is trained, and kept, is the module in training mode
            asked_for.train()
    train_set = replace(train_set, notes=(*train_set.notes, *notes_on_precision(train_set, recipe)))
    if passes.interacting:
        said = note_on_rows(passes.interacting)
        train_set = replace(train_set, notes=(*train_set.notes, said))
    draws, interacts = passes.draws, passes.interacting > 0
    return answer_to(
        TrainRequest(asked_for, train_set, recipe, streams, evaluated, draws, watch, interacts)
    )


def notes_on_precision(train_set: Dataset, recipe: Recipe) -> tuple[str, ...]:
    """Return notes where the recipe's precision has fewer numbers than a column has values.

    Whole numbers are given as they are, and what bfloat16 rounds besides was asked for.
    """
    if recipe.precision == "float64":
        return ()
    notes: tuple[str, ...] = ()
    if train_set.base.is_floating_point():
        rows, names = train_set.rows, train_set.columns
        notes = notes_on_merged("inputs", train_set.base, torch.float32, rows=rows, names=names)
    return (*notes, *notes_on_merged("targets", train_set.labels, torch.float32))


def check_names(evaluate: Mapping[Any, object]) -> None:
    """Refuse names of sets to measure under which nobody could find what was measured.

    Raises:
        UsageError: one is no text, or the training set's own.
    """
    for name in evaluate:
        if not isinstance(name, str):
            raise UsageError(
                "the name of a set to evaluate must be text",
                got=repr(name),
                allowed='such as evaluate={"test": test_set}',
            )
    if "train" in evaluate:
        raise UsageError(
            "the name 'train' is the training set's own",
            got="train",
            remedy="call the evaluated set something else",
        )


def _check_range(train_set: Dataset, evaluate: Mapping[str, Dataset], recipe: Recipe) -> None:
    """Refuse numbers that would be infinite in the recipe's precision: no step is small enough."""
    if recipe.precision == "float64":
        return
    for name, data in {"train": train_set, **evaluate}.items():
        for what, values in (("inputs", data.base), ("targets", data.labels)):
            rows = data.rows if what == "inputs" else None
            remedy = "scale them, or say precision='float64' in the recipe"
            check_range(f"{what} of {name!r}", values, torch.float32, remedy, rows)


@dataclass(frozen=True, eq=False)
class TrainRequest(Request):
    """One model to train; see `train`.

    One that draws at random (dropout, a loss of the user's own) is executed by itself: it has a
    stream of its own, from which nobody beside it draws. So is one of which the rows of a pass
    decide each other's outputs.
    """

    model: nn.Module
    train_set: Dataset
    recipe: Recipe
    streams: Streams
    evaluate: Mapping[str, Dataset] = field(default_factory=dict)
    draws: bool = False
    watch: WatchModel | None = None
    interacts: bool = False

    def group_key(self) -> Hashable:
        """What must agree between requests that are executed together."""
        if self.draws or self.interacts:
            return id(self)
        sets = tuple((k, *_kind_of(v)) for k, v in self.evaluate.items())
        data = _kind_of(self.train_set)
        return (signature(self.model), self.recipe.stack_key(), data, sets)

    @staticmethod
    def execute(requests: Sequence[Any], context: Context) -> list[Any]:
        """Return one result per request."""
        precision = resolve_precision(requests[0].recipe.precision, context)
        results: list[Any] = [None] * len(requests)
        said = [r.train_set.notes[-1] for r in requests if r.interacts]
        context.notes += [note for note in dict.fromkeys(said) if note not in context.notes]
        for stack in plan_stacks(requests, precision, context):
            some = [requests[i] for i in stack.positions]
            fits: list[Any]
            try:
                fits = _train_stack(some, precision, context, stack.way)
            except Exception as error:  # of these models; others of the group go on
                fits = [error] * len(some)
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
            flops = sum(_flops(r) for r in some)
            size = stack_bytes(some, stack.way, precision)
            seconds = measure_seconds(some, precision, context, stack.way)
            rules = (some[0].recipe.stop_at_error, some[0].recipe.stop_at_loss)
            stops = any(rule is not None for rule in rules)
            # What is trained is kept while later stacks are, so it is here as well: see `plan`.
            for i in stack.positions:
                stand_ins[i], watching = _stand_in(requests[i], context)
                seconds += watching
            total += Cost(len(some), flops, seconds, size, may_end_sooner=stops)
        return stand_ins, total


def _train_stack(
    requests: Sequence[TrainRequest], precision: str, context: Context, way: str
) -> list[Fitted | BaseException]:
    """Train one stack; halve it where memory runs out."""
    try:
        stepper = make_stepper(requests, precision, context, way)
        members = list(stepper.members)
        for request, member in zip(requests, members, strict=True):
            member.watch = watch_of(request, precision)
        flops = sum(map(_flops, requests)) / sum(map(_n_steps, requests))
        stepper.progress = lambda updates: context.progress(updates * flops)
        stepper.draws = requests[0].draws
        # Random layers and losses draw from the stream of their model: see `TrainRequest`.
        with requests[0].streams.global_generators("layers"):
            stepper.run()
        note = stepper.models.note if isinstance(stepper.models, BatchedModels) else ""
        context.notes += [note] if note and note not in context.notes else []
    except (MemoryError, torch.OutOfMemoryError, RuntimeError) as error:
        if not out_of_memory(error):
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
        m.failed or fitted_of(r, precision, m, m.state or {}, m.template)
        for r, m in zip(requests, members, strict=True)
    ]


def _flops(request: TrainRequest) -> float:
    data = request.train_set
    batch = min(request.recipe.batch_size or len(data), len(data))
    each = step_flops(request.model, batch, data.input_shape, data.base.dtype)
    return each * _n_steps(request)


def _n_steps(request: TrainRequest) -> int:
    return request.recipe.n_steps(len(request.train_set))


def _kind_of(data: Dataset) -> tuple:
    """What of a set must agree between models of one group; they may have any numbers of rows."""
    labels = (data.labels.dtype.is_floating_point, tuple(data.labels.shape[1:]), data.n_outputs)
    whole = None if data.base.is_floating_point() else str(data.base.dtype)
    return (data.input_shape, whole, *labels)


def _stand_in(request: TrainRequest, context: Context) -> tuple[Fitted, float]:
    """Return an untrained result of the right shapes, and the seconds that watching takes."""
    state = state_of(materialise(request.model, request.streams, torch.float32))
    epochs = np.array(request.recipe.traced_epochs(len(request.train_set)))
    nothing = {k: np.full(len(epochs), np.nan) for k in ("train", *request.evaluate)}
    trace = Trace(epochs, epochs, nothing, nothing)
    task = Task.of(request.train_set)
    fitted = Fitted(request.model, state, request.recipe, trace, "done", 0, task)
    if request.watch is None:
        return fitted, 0.0
    start = now(context.device)
    with undisturbed():
        seen = request.watch(fitted)
    seconds = (now(context.device) - start) * len(epochs)
    return replace(fitted, trace=replace(trace, watched=(seen,) * len(epochs))), seconds
