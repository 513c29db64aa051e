"""`fit`: fit one model now, from data as people have them.

`train` and `fit_estimator` are its forms for cells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any, overload

import torch
from torch import nn

from overparam.checks import check_count
from overparam.data.accepted import as_dataset
from overparam.data.dataset import Dataset
from overparam.data.labels import ASK
from overparam.data.merged_values import notes_on_merged
from overparam.errors import ResourceError, UsageError
from overparam.streams import Streams
from overparam.training.copies import copy_module
from overparam.training.fit_estimator import fit_estimator
from overparam.training.fitted import Fitted
from overparam.training.fitted_estimator import FittedEstimator
from overparam.training.recipe import Recipe
from overparam.training.request import Context, solve
from overparam.training.stacks import step_flops
from overparam.training.train import check_names, train


@overload
def fit(
    model: nn.Module,
    data: Any,
    recipe: Recipe,
    *,
    seed: int = 0,
    evaluate: Any = None,
    n_classes: int | None = ASK,
    device: str = "auto",
    progress: bool | Callable[[float], None] = False,
) -> Fitted: ...
@overload
def fit(
    model: Any,
    data: Any,
    *,
    seed: int = 0,
    evaluate: Any = None,
    n_classes: int | None = ASK,
    arguments: Mapping[str, Any] | None = None,
    progress: bool | Callable[[float], None] = False,
) -> FittedEstimator: ...
def fit(
    model: Any,
    data: Any,
    recipe: Recipe | None = None,
    *,
    seed: int = 0,
    evaluate: Any = None,
    n_classes: int | None = ASK,
    arguments: Mapping[str, Any] | None = None,
    device: str = "auto",
    progress: bool | Callable[[float], None] = False,
) -> Fitted | FittedEstimator:
    """Fit a model and return it: `solve(train(...))` for data in any of the usual forms.

    Works anywhere, a notebook and a running event loop included. The numbers are those of
    ``solve(train(model, dataset, recipe, Streams(seed)))``, or, of an estimator, of
    ``solve(fit_estimator(model, data, Streams(seed)))``.

    Args:
        model: any `nn.Module` from `[n, *shape]` to `[n, K]`; it is not changed. One of `models`
            gets its weights from the seed. Or an estimator of scikit-learn's kind, or a function
            ``fit(rows, seed) -> predict``, without a recipe: see `fit_estimator`, also for the
            forms of data and for `arguments`.
        data: ``(X, y)``, a table with ``(frame, "label")``, a PyTorch dataset, a `DataLoader` or a
            `Dataset`; see `overparam.data.accepted`. Integer inputs of a model that takes none
            become floating, with a note.
        recipe: loss, optimizer, epochs and the rest.
        seed: of the weights, the order of rows and random layers.
        evaluate: sets to measure along, by name; or one set, which is then called ``"test"``.
        n_classes: K; None for regression; by default the labels decide, see `make_dataset`.
        device: ``auto`` (CUDA where there is one), ``cpu``, or any name that PyTorch knows.
        progress: True writes per cents to standard error; a function is called with the fraction
            done, 0 to 1.

    Raises:
        UsageError: a model, recipe, form of data or loss that do not fit each other.
        DataError: data that cannot be used. ResourceError: no such device, or out of memory.

    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1]
    >>> recipe = Recipe(epochs=300, learning_rate=1.0, batch_size=None)
    >>> fit(nn.Linear(1, 2), (X, y), recipe).predict([[-1.0], [4.0]]).tolist()
    [0, 1]
    """
    if not isinstance(model, nn.Module) and recipe is None:
        found = _fit_estimator(model, data, seed, evaluate, n_classes, arguments)
        _told(progress)(1.0)
        return found
    _check_kinds(model, recipe)
    assert recipe is not None
    refuse_arguments(arguments)
    streams = Streams(check_count("seed", seed, low=0))
    train_set = as_model_takes(model, as_dataset(data, n_classes, name="train"))
    sets = {
        name: as_dataset(part, name=name, like=train_set) for name, part in _named(evaluate).items()
    }
    meter = _Meter(progress, model, train_set, recipe)
    context = Context(device=_device(device), progress=meter.add)
    try:
        fitted = solve(train(model, train_set, recipe, streams, evaluate=sets), context)
    except UsageError as error:
        if not train_set.notes:
            raise
        # What was read out of the labels is often why sizes do not fit.
        said = "; ".join(filter(None, [error.remedy, *train_set.notes]))
        raise UsageError(error.what, got=error.got, allowed=error.allowed, remedy=said) from None
    meter.end()
    return replace(fitted, notes=tuple(dict.fromkeys([*fitted.notes, *context.notes])))


def _fit_estimator(
    model: Any,
    data: Any,
    seed: int,
    evaluate: Any,
    n_classes: int | None,
    arguments: Mapping[str, Any] | None,
) -> FittedEstimator:
    streams = Streams(check_count("seed", seed, low=0))
    return solve(
        fit_estimator(
            model,
            data,
            streams,
            arguments=arguments,
            evaluate=_named(evaluate),
            n_classes=n_classes,
        )
    )


def _check_kinds(model: object, recipe: object) -> None:
    if not isinstance(model, nn.Module):
        raise UsageError(
            "fit trains a module by gradient descent",
            got=getattr(model, "__name__", type(model).__name__),
            allowed="an nn.Module",
            remedy=f"give an instance: {model.__name__}(...)"
            if isinstance(model, type)
            else "an estimator or a function of your own is fitted without a recipe",
        )
    if not isinstance(recipe, Recipe):
        raise UsageError(
            "fit needs a recipe",
            got=type(recipe).__name__,
            allowed="op.Recipe(...)",
            remedy="write for instance op.Recipe(epochs=20, learning_rate=0.1)",
        )


def refuse_arguments(arguments: Mapping[str, Any] | None) -> None:
    """Refuse arguments of an estimator's fit for a network, which would do nothing.

    Raises:
        UsageError: there are some.
    """
    if arguments:
        raise UsageError(
            "fit arguments are for estimators",
            got=", ".join(arguments),
            remedy="a network's are in its recipe; weights of rows go into a loss of your own",
        )


def _named(evaluate: Any) -> dict[str, Any]:
    if evaluate is None:
        return {}
    named = dict(evaluate) if isinstance(evaluate, Mapping) else {"test": evaluate}
    check_names(named)
    return named


def as_model_takes(model: nn.Module, train_set: Dataset) -> Dataset:
    """Return whole-numbered inputs as floating ones where the model takes only these.

    A table of whole numbers is as good as any; positions in an embedding are not. The model tells
    which it has by what it can be given.
    """
    if train_set.base.is_floating_point() or _takes(model, train_set, train_set.base.dtype):
        return train_set
    if not _takes(model, train_set, torch.float32):
        return train_set  # refused with the reason when it is trained
    note = "inputs are whole numbers, which the model does not take: given as floating ones"
    whole, names = train_set.base, train_set.columns
    merged = notes_on_merged("inputs", whole, torch.float64, rows=train_set.rows, names=names)
    floating = replace(train_set, base=whole.to(torch.float64))
    return replace(floating, notes=(*train_set.notes, note, *merged))


@torch.no_grad()
def _takes(model: nn.Module, train_set: Dataset, dtype: torch.dtype) -> bool:
    try:
        trial = copy_module(model).eval()
        if any(p.is_meta for p in trial.parameters()):  # where types are not looked at
            trial = trial.to_empty(device="cpu")
        first = next(iter(trial.parameters()), torch.empty(0))
        rows = train_set.base[train_set.rows[:2]].to(dtype)
        if dtype.is_floating_point and first.is_floating_point():
            rows = rows.to(first.dtype)
        trial(rows.to(first.device))
    except Exception:  # a module of the user's own raises what it likes
        return False
    return True


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, TypeError, AssertionError) as error:
        raise ResourceError(
            f"there is no such device here: {str(error).splitlines()[0][:100]}",
            got=name,
            allowed="auto, cpu, or a device that PyTorch can use",
            remedy='use device="cpu"',
        ) from None
    return device


class _Meter:
    """Tells how much of one training is done, from the operations that were."""

    def __init__(
        self,
        progress: bool | Callable[[float], None],
        model: nn.Module,
        train_set: Dataset,
        recipe: Recipe,
    ) -> None:
        self._tell = _told(progress) if progress else None
        self._done, self._model, self._train_set, self._recipe = 0.0, model, train_set, recipe

    def add(self, flops: float) -> None:
        """Count operations that were just done."""
        self._done += flops
        # The end is told when it is reached: the last operations may be measurements.
        if self._tell is not None and self._done < self._total:
            self._tell(self._done / self._total)

    @cached_property
    def _total(self) -> float:  # asked when the model is known to answer
        n = len(self._train_set)
        batch = min(self._recipe.batch_size or n, n)
        flops = step_flops(self._model, batch, self._train_set.input_shape)
        return flops * self._recipe.n_steps(n)

    def end(self) -> None:
        """Say that all is done; a stop rule may have ended it early."""
        if self._tell is not None:
            self._tell(1.0)


def _told(progress: bool | Callable[[float], None]) -> Callable[[float], None]:
    """Return the function that is told how much is done."""
    if callable(progress):
        return progress
    return _write_percent if progress else lambda fraction: None


def _write_percent(fraction: float) -> None:
    end = "\n" if fraction >= 1 else ""
    print(f"\rtraining: {100 * fraction:3.0f} %", end=end, file=sys.stderr, flush=True)
