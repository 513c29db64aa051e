"""What training a stack takes, for planning: seconds by a short measurement, and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from overparam.training.dense import dense_shape
from overparam.training.native.models import native_bytes
from overparam.training.plan_stacks import make_stepper
from overparam.training.request import Context
from overparam.training.stacks import model_bytes
from overparam.training.to_train import ToTrain, batch_of, n_rows
from overparam.training.ways import measure, now

_TRIAL_SECONDS = 0.05  # of updates that are timed
_TRIAL_ROWS = 2048  # rows of a measuring pass that are timed


def measure_seconds(
    requests: Sequence[ToTrain], precision: str, context: Context, way: str
) -> float:
    """Return what training one stack takes: building it, its updates, and the traces' passes."""
    start = now(context.device)
    stepper = make_stepper(requests, precision, context, way)
    building = now(context.device) - start
    once = measure(lambda: stepper.try_epoch(1), context.device, repeats=1)
    recipes = [(r.recipe, len(r.train_set)) for r in requests]
    least = min(recipe.steps_per_epoch(n) for recipe, n in recipes)
    times = max(1, min(least, int(_TRIAL_SECONDS / once)))
    update = measure(lambda: stepper.try_epoch(times), context.device) / times
    rows = min(*(n for _, n in recipes), _TRIAL_ROWS)
    row = measure(lambda: stepper.models.measure("train", rows), context.device, repeats=1) / rows
    n_updates = fmean(recipe.n_steps(n) for recipe, n in recipes)
    n_traces = [len(recipe.traced_epochs(n)) for recipe, n in recipes]
    n_measured = fmean(k * sum(n_rows(r)) for k, r in zip(n_traces, requests, strict=True))
    return building + n_updates * update + n_measured * row


def stack_bytes(requests: Sequence[ToTrain], way: str, precision: str) -> int:
    """Return the bytes that a stack needs while it is trained."""
    batch, shape = max(map(batch_of, requests)), requests[0].train_set.input_shape
    if way == "native":
        shapes = [s for r in requests if (s := dense_shape(r.model)) is not None]
        return native_bytes(shapes, [r.recipe for r in requests], batch, precision)
    dtype = requests[0].train_set.base.dtype
    return len(requests) * max(model_bytes(r.model, batch, shape, dtype) for r in requests)
