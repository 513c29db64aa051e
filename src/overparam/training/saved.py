"""Fitted models on disk: weights, recipe and trace in one file, which holds no code.

The file is `torch.save` of tensors and one JSON text, and is read with ``weights_only``, so loading
a file from elsewhere runs nothing of it. Therefore it does not hold the module. Plain sequential
networks of usual layers, as most of the package's families are, are built again from their sizes;
any other module is brought by whoever loads. That it is the one that was trained is held against
names and shapes of the weights, which of them are one, and outputs on a few rows that were kept.
What would not come back is found out when it is saved: both ways are tried then.
"""

from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from overparam.checks import check_path
from overparam.errors import DataError, OverparamError, ResourceError, UsageError
from overparam.models.plain_layers import build_layers, describe_layers
from overparam.models.targets import blaming
from overparam.training.copies import copy_module
from overparam.training.fitted import Fitted
from overparam.training.marks import Marks
from overparam.training.recipe import Recipe, Schedule
from overparam.training.task import Task
from overparam.training.trace import Trace
from overparam.training.trained_module import check_module, probe_of
from overparam.whole_file import check_sums, write_whole

FORMAT = 1


def save_fitted(fitted: Fitted, path: str | Path) -> Path:
    """Write a fitted model to `path`; see `Fitted.save`."""
    recipe = dataclasses.asdict(fitted.recipe)
    if callable(fitted.recipe.loss):
        recipe["loss"] = {"own": getattr(fitted.recipe.loss, "__name__", "a loss")}
    probe = probe_of(fitted)
    _check_weights_are_all(fitted, probe)
    header = {
        "recipe": recipe,
        "status": fitted.status,
        "n_steps": fitted.n_steps,
        "task": None if fitted.task is None else dataclasses.asdict(fitted.task),
        "notes": list(fitted.notes),
        "model": type(fitted.template).__name__,
        "layers": _layers(fitted, probe),
        "marks": Marks.of(fitted.template).to_dict(),
        "sets": list(fitted.trace.loss),
    }
    trace = {
        "epoch": torch.from_numpy(np.asarray(fitted.trace.epoch)),
        "step": torch.from_numpy(np.asarray(fitted.trace.step)),
        "loss": [torch.from_numpy(np.asarray(v)) for v in fitted.trace.loss.values()],
        "error": [torch.from_numpy(np.asarray(v)) for v in fitted.trace.error.values()],
    }
    content = {
        "overparam": FORMAT,
        "header": json.dumps(header),
        "state": {name: value.detach().cpu().clone() for name, value in fitted.state.items()},
        "trace": trace,
        "probe": probe,
    }
    return write_whole(check_path(path), lambda place: torch.save(content, place))


def _layers(fitted: Fitted, probe: Tensor | None) -> list[list[Any]] | None:
    """Return the description of the layers if the network that is built of it is this one."""
    layers = describe_layers(fitted.template)
    if layers is None:
        return None
    marks = Marks.of(fitted.template)
    built = dataclasses.replace(fitted, template=marks.put(build_layers(layers)))
    try:
        check_module(built, probe, marks, given=False)
    except UsageError:  # hooks, for instance, are code
        return None
    return layers


def _check_weights_are_all(fitted: Fitted, probe: Tensor | None) -> None:
    """Refuse a model of which training has changed more than its weights, where outputs tell.

    Whoever loads it builds the module anew, and would be told that it is another.
    """
    if fitted.given is None:
        return
    anew = dataclasses.replace(fitted, template=fitted.given)
    try:
        check_module(anew, probe, Marks.of(fitted.template), given=True)
    except UsageError:
        changed = _changed(fitted.given, fitted.template)
    else:
        return
    raise UsageError(
        "training changed more of the module than the values of its parameters and buffers, and "
        "outputs depend on it: it could not be loaded again",
        got=", ".join(changed[:5]) or type(fitted.template).__name__,
        allowed="a module that is as it was built, but for their values",
        remedy="keep it in a tensor registered with register_buffer, or keep the whole module by "
        "torch.save(fitted.module(), path)",
    )


def _changed(before: nn.Module, after: nn.Module) -> list[str]:
    """Return the names of plain attributes that differ, as far as their texts tell."""
    then = dict(before.named_modules())
    found = []
    for path, part in after.named_modules():
        old = vars(then[path]) if path in then else {}
        for name, value in vars(part).items():
            if (
                not name.startswith("_")
                and name != "training"
                and repr(old.get(name)) != repr(value)
            ):
                found.append(f"{path}.{name}" if path else name)
    return found


def load_fitted(path: str | Path, model: nn.Module | None = None) -> Fitted:
    """Read what `Fitted.save` wrote; nothing of the file is run.

    Args:
        path: the file.
        model: the module that was trained, of the same architecture (its weights do not matter).
            Not needed where it is a plain `nn.Sequential` without hooks, of `Linear`, `Conv2d`,
            `BatchNorm2d`, `MaxPool2d`, `Flatten`, `ReLU`, `Tanh`, `GELU` and `Identity`, such as
            `models.mlp`: ties, frozen parameters and parts in evaluation mode come back with it.
            A module that is given keeps its own frozen parts and modes.

    Raises:
        DataError: no such file, not one of these files, or damaged: a checksum differs.
        UsageError: the module is missing, or is not the one that was trained.
        ResourceError: the file cannot be read.
    """
    header, content = _read(check_path(path))
    if isinstance(model, nn.Module):
        with blaming(type(model).__name__):  # whose own methods may raise
            model = copy_module(model)  # its owner may change it later
            if not model.training:  # as the one that was trained
                model.train()
            Marks.of(model)
    try:
        fitted = _assemble(header, content, model)
        marks = Marks(**header["marks"])
        check_module(fitted, content.get("probe"), marks, given=model is not None)
    except OverparamError:
        raise
    except Exception as error:  # a forged file can hold anything
        _damaged(path, error)
    return fitted


class LossNotKept:
    """Stands for a loss of the user's own, whose code is not in the file."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Say that the function is not here.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"the loss {self.__name__!r} is code of its own and was not saved",
            remedy="train with Recipe(loss=your_function, ...)",
        )


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        if stat.S_IFMT(os.stat(path).st_mode) not in (stat.S_IFREG, stat.S_IFDIR):
            raise DataError(f"{path} is a device or a pipe", allowed="a file of Fitted.save")
        with path.open("rb") as file:
            check_sums(file)  # PyTorch would take a turned bit
            content = torch.load(file, map_location="cpu", weights_only=True)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"there is no file {path}") from None
    except OSError as error:
        raise ResourceError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # bytes of any kind
        _damaged(path, error)
    try:
        if content["overparam"] != FORMAT:
            raise ValueError(f"format {content['overparam']!r}")
        return json.loads(content["header"]), content
    except Exception as error:
        _damaged(path, error)


def _assemble(header: dict[str, Any], content: dict[str, Any], model: nn.Module | None) -> Fitted:
    if model is None:
        if header["layers"] is None:
            raise UsageError(
                f"the module of this file, {header['model']}, is code that the file does not hold",
                remedy="load_fitted(path, model) with a module of the same architecture",
            )
        model = Marks(**header["marks"]).put(build_layers(header["layers"]))
    if not isinstance(model, nn.Module):
        raise UsageError("the model must be a module", got=type(model).__name__)
    recipe = dict(header["recipe"])
    recipe["schedule"] = Schedule(**_tuples(recipe["schedule"]))
    if isinstance(recipe["loss"], dict):
        recipe["loss"] = LossNotKept(str(recipe["loss"]["own"]))
    trace, sets = content["trace"], header["sets"]
    state = content["state"]
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items()):
        raise TypeError("weights that are no tensors")
    return Fitted(
        model,
        state,
        Recipe(**_tuples(recipe)),
        Trace(
            trace["epoch"].numpy(),
            trace["step"].numpy(),
            {k: v.numpy() for k, v in zip(sets, trace["loss"], strict=True)},
            {k: v.numpy() for k, v in zip(sets, trace["error"], strict=True)},
        ),
        header["status"],
        int(header["n_steps"]),
        None if header["task"] is None else Task(**_tuples(header["task"])),
        tuple(header["notes"]),
    )


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def _damaged(path: str | Path, error: BaseException) -> NoReturn:
    said = (str(error).splitlines() or [""])[0][:120]
    raise DataError(
        f"{path} is not a file that Fitted.save wrote, or is damaged: {type(error).__name__} {said}"
    ) from None
