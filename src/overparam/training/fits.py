"""`check_fit`: whether a model can be trained on the data, found out before it is.

A fully connected network is known by its sizes. Any other module is tried: a copy that shares
nothing with it passes the first batch of the training set and the last, and some rows of each set
to measure.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn

from overparam.data.dataset import Dataset
from overparam.errors import UsageError
from overparam.streams import Streams, own_generators
from overparam.training.batches import in_order, rows_at_once
from overparam.training.copies import copy_module, first_line, named_tensors, precision_of
from overparam.training.counts import counts_of
from overparam.training.dense import DenseShape, dense_shape
from overparam.training.initialise import give_weights
from overparam.training.interaction import Passes, rows_interact
from overparam.training.losses import check_rows, loss_values
from overparam.training.modes import Modes
from overparam.training.proofs import Answers, kind_of
from overparam.training.recipe import Recipe
from overparam.training.same_model import check_copy, leaves_of, refuse_shared
from overparam.training.undisturbed import generator_states, undisturbed

_MEASURED_ROWS = 64  # of a set to measure that are tried
_LAST_ROWS = 1024  # of the last chunk of a set; a larger one is looked at when it is measured
_COPIED_ROWS = 8  # on which a copy is held against the model


def check_fit(
    model: nn.Module,
    train_set: Dataset,
    recipe: Recipe,
    streams: Streams,
    evaluate: Mapping[str, Dataset],
    *,
    original: nn.Module,
) -> Passes:
    """Refuse a model that a loop in PyTorch could not train on these data; see `train`.

    Args:
        original: of which the model is a copy (see `own_copy.py`) that is to compute the same.

    Returns:
        What was found of its passes.

    Raises:
        UsageError: as `train` says.

    Cost: nothing for fully connected networks; for others a copy, and about two updates, of models
    of PyTorch's own layers once per kind (see `proofs.py`).
    """
    shape = dense_shape(model)
    sets = {"train": train_set, **evaluate}
    known = isinstance(recipe.loss, str) and train_set.base.is_floating_point()
    flat = shape is not None and (len(train_set.input_shape) == 1 or type(model[0]) is nn.Flatten)  # type: ignore[index]
    if shape is not None and known and flat:
        _check_sizes(shape, sets)
        return Passes()
    return _FITS.once(
        _kind_of(model, original, sets, recipe),
        lambda: _try(model, sets, recipe, streams, original),
    )


_FITS = Answers()


def _kind_of(
    model: nn.Module, original: nn.Module, sets: Mapping[str, Dataset], recipe: Recipe
) -> Hashable | None:
    """Return all that decides whether models of PyTorch's own layers fit, and whether they draw.

    None where a copy is not told to be its original's by what both hold, number by number. Whole
    numbers in the rows are looked up in tables, so that they may fit or not by their values.
    """
    if callable(recipe.loss) or not all(s.base.is_floating_point() for s in sets.values()):
        return None
    kind = kind_of(model)
    if kind is None or kind != kind_of(original) or not _same_numbers(model, original):
        return None
    rows = [
        (len(s), s.input_shape, s.labels.dtype, s.labels.shape[1:], s.n_classes, s.n_outputs)
        for s in sets.values()
    ]
    return (kind, replace(recipe, learning_rate=1.0, momentum=0.0, weight_decay=0.0), *rows)


def _same_numbers(model: nn.Module, original: nn.Module) -> bool:
    pairs = zip(named_tensors(model), named_tensors(original), strict=True)
    return all(a.is_meta or torch.equal(a, b) for (_, a), (_, b) in pairs)


def _try(
    model: nn.Module,
    sets: Mapping[str, Dataset],
    recipe: Recipe,
    streams: Streams,
    original: nn.Module,
) -> Passes:
    """Pass some rows of each set; return what was found of that."""
    train_set = sets["train"]
    with undisturbed():
        dtype = torch.float64 if recipe.precision == "float64" else torch.float32
        trial = copy_module(model)
        few = train_set.head(min(len(train_set), _COPIED_ROWS))
        check_copy(original, trial, few.inputs.to("cpu"))
        trial = give_weights(trial, streams, dtype)
        modes, before = Modes(trial), generator_states()
        modes.set(True)
        _try_training(trial, train_set, recipe, dtype, original)
        modes.set(False)
        for name, data in sets.items():
            for n in _measured_together(model, data):
                with torch.no_grad():
                    rows = data.head(n)
                    outputs = _outputs(trial, _inputs(rows, dtype), f"the set {name!r}")
                _check_outputs(outputs, n, data, name, recipe)
        if generator_states() != before:
            return Passes(draws=True)
        few = train_set.head(min(len(train_set), _MEASURED_ROWS))
        units = counts_of(model, train_set.input_shape, train_set.base.dtype).units
        interact = rows_interact(trial, _inputs(few, dtype))
        return Passes(interacting=rows_at_once(units) if interact else 0)


def _measured_together(model: nn.Module, data: Dataset) -> set[int]:
    """Return how many rows of a set are tried: some, and as many as its last chunk has."""
    if len(data) <= _MEASURED_ROWS:  # they are one chunk
        return {len(data)}
    units = counts_of(model, data.input_shape, data.base.dtype).units
    chunks = list(in_order(len(data), units, torch.device("cpu")))
    return {min(len(data), _MEASURED_ROWS), min(len(chunks[-1]), _LAST_ROWS)}


def _try_training(
    trial: nn.Module, data: Dataset, recipe: Recipe, dtype: torch.dtype, original: nn.Module
) -> None:
    n, size = len(data), min(recipe.batch_size or len(data), len(data))
    last = n % size if recipe.n_steps(n) >= recipe.steps_per_epoch(n) else 0
    first = data.head(size)
    inputs = _inputs(first, dtype)
    with torch.enable_grad():
        outputs = _outputs(trial, inputs, "the training set")
        _check_outputs(outputs, size, data, "train", recipe)
        _check_loss(outputs, first.labels, recipe, original)
        if last:
            try:
                outputs = trial(inputs[:last])
            except Exception as error:
                raise UsageError(
                    f"the model cannot be trained on the last batch of an epoch, of {last} "
                    f"row{'s' if last > 1 else ''}: {first_line(error)}",
                    got=f"{n} rows in batches of {size}",
                    remedy=f"choose another batch_size, such as {_batch_size_near(size, n)}",
                ) from error
            _check_outputs(outputs, last, data, "train", recipe)
            _check_loss(outputs, first.labels[:last], recipe, original)


def _outputs(trial: nn.Module, inputs: Tensor, whose: str) -> object:
    try:
        return trial(inputs)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"the model does not take the inputs of {whose}: "
            f"{type(error).__name__}: {first_line(error)}",
            got=f"{inputs.dtype} {list(inputs.shape)}",
            remedy=_remedy(inputs, error),
        ) from error


def _remedy(inputs: Tensor, error: Exception) -> str:
    if not inputs.is_floating_point():
        return "whole numbers stay whole; convert them to floats where the model needs floats"
    if "dtype" in str(error) or "Double" in str(error):
        return (
            "tensors that the model holds should be parameters or buffers, which have the "
            "recipe's precision"
        )
    return "the model is given one tensor [n, *shape] with a batch of rows"


def _check_outputs(outputs: object, n_rows: int, data: Dataset, name: str, recipe: Recipe) -> None:
    """Refuse outputs that are not one tensor of as many numbers per row as the data ask for."""
    if not isinstance(outputs, Tensor):
        raise UsageError(
            "the model must return one tensor of outputs",
            got=type(outputs).__name__,
            allowed=f"[n, {data.n_outputs}]",
            remedy="wrap it in a module whose forward returns the logits or predictions alone",
        )
    if outputs.ndim < 2 or outputs.is_complex():
        raise UsageError(
            "the model's outputs are not [n, K]",
            got=f"{outputs.dtype} {list(outputs.shape)}",
            allowed=f"[n, {data.n_outputs}], real",
            remedy="return one row of outputs per row of inputs; of one output, [n, 1]",
        )
    check_rows(outputs, n_rows)
    _check_n_outputs(int(outputs[0].numel()), data, name, recipe)


def _check_loss(outputs: object, labels: Tensor, recipe: Recipe, original: nn.Module) -> None:
    assert isinstance(outputs, Tensor)
    own = "" if isinstance(recipe.loss, str) else " of your own"
    try:
        rows = outputs.flatten(1)
        targets = labels.to(rows.dtype) if labels.is_floating_point() else labels
        with own_generators():  # from which both calls draw the same
            before = loss_values(recipe.loss, rows, targets)
        values = loss_values(recipe.loss, rows, targets)
    except Exception as error:
        raise UsageError(
            f"the loss{own} does not take the model's outputs: "
            f"{type(error).__name__}: {first_line(error)}",
            got=f"outputs {list(outputs.shape)}, labels {labels.dtype} {list(labels.shape)}",
        ) from error
    if not isinstance(values, Tensor) or values.shape != (len(labels),):
        found = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise UsageError(
            f"the loss{own} must return one number per row",
            got=found,
            allowed=f"[{len(labels)}], for outputs {list(rows.shape)}",
            remedy="do not take the mean: say reduction='none', and sum over outputs",
        )
    if not torch.allclose(before.detach(), values.detach(), equal_nan=True):
        raise UsageError(
            f"the loss{own} is another at the same rows when it is called again",
            remedy="let it draw from the global generators, which the seed sets, and count nothing",
        )
    if not values.requires_grad:
        raise UsageError(
            "no parameter of the model that is trained has an influence on the loss",
            remedy="give it parameters with requires_grad=True that its outputs depend on",
        )
    names = {id(t): name for name, t in named_tensors(original)}
    if callable(recipe.loss):  # here with what it holds as it is, elsewhere as constants
        for leaf in leaves_of(recipe.loss(rows.detach().clone(), targets.clone())):
            if id(leaf) in names:
                raise UsageError(
                    f"the loss computes with {names[id(leaf)]} of the model, a copy of which is "
                    "trained: it would be a constant",
                    remedy="say weight_decay, or let forward return what a penalty needs",
                )
    for leaf in leaves_of(values):
        if id(leaf) in names:
            refuse_shared(original, names[id(leaf)])
    try:
        values.mean().backward()
    except Exception as error:
        raise UsageError(
            f"the model has no gradient: {type(error).__name__}: {first_line(error)}",
            remedy="its forward must be differentiable by PyTorch",
        ) from error


def _check_sizes(shape: DenseShape, sets: Mapping[str, Dataset]) -> None:
    """Refuse rows that do not fit a fully connected network; compiled code relies on it."""
    for name, data in sets.items():
        whose = "the data's" if name == "train" else f"that of the evaluated set {name!r}"
        if data.input_dim != shape.dims[0]:
            raise UsageError(
                f"the model's input size differs from {whose}",
                got=shape.dims[0],
                allowed=data.input_dim,
            )
        if not data.base.is_floating_point():
            raise UsageError(
                f"the inputs of {name!r} are whole numbers, those of the training set floats",
                got=data.base.dtype,
                remedy="convert them to floats",
            )
        _check_n_outputs(shape.dims[-1], data, name, None)


def _check_n_outputs(found: int, data: Dataset, name: str, recipe: Recipe | None) -> None:
    # A set to measure may have rows of fewer classes than the model knows, and a loss of the
    # user's own may make one target out of several outputs.
    fewer = name != "train" and data.n_classes is not None and data.n_outputs < found
    own = recipe is not None and callable(recipe.loss) and data.n_classes is None
    if found != data.n_outputs and not fewer and not own:
        whose = "the number" if name == "train" else f"{name!r}: the number"
        raise UsageError(
            f"the model's output size differs from {whose} of classes or targets",
            got=found,
            allowed=data.n_outputs,
        )


def _inputs(rows: Dataset, dtype: torch.dtype) -> Tensor:
    # A copy: the module may write into its inputs.
    return rows.inputs.to("cpu", precision_of(rows.base.dtype, dtype), copy=True)


def _batch_size_near(size: int, n: int) -> int:
    """Return the smallest batch size above `size` that leaves no batch of few rows."""
    return next(s for s in range(size + 1, n + size + 1) if s >= n or n % s == 0 or 2 * (n % s) > s)
