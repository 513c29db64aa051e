"""`check_copy`: a copy of a module computes what the module does, by itself.

A module can hold on to itself in ways that no copying follows: an object that copies as itself, a
table by the identity of its parameters, a `__deepcopy__` that forgets a setting. Such a copy is
another model, or leaves training to parameters that it does not own. So it is tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from overparam.errors import UsageError
from overparam.training.copies import named_tensors
from overparam.training.modes import Modes
from overparam.training.remembered import Remembered
from overparam.training.undisturbed import undisturbed

_TOLERANCE = 1e-4  # of the largest output; another place in memory may round otherwise
_REMEDY = (
    "let it hold its layers and parameters as attributes, and what it computes with as plain "
    "values; a __deepcopy__ of its own must copy all of it"
)


def check_copy(model: nn.Module, copied: nn.Module, inputs: Tensor) -> None:
    """Refuse a copy that gives other outputs, or computes with the original's tensors.

    Both are called in evaluation and in training mode from the same states, and left as they were.
    What both hold (a function with a count, an object that copies as itself) moves on from call to
    call, so that outputs that depend on it are seen to. A module that is not on the CPU, or holds
    what nobody can put back, is not called: its copy is asked alone.

    Args:
        inputs: a few rows, as they are; they are given in the model's precision.

    Raises:
        UsageError: as above, or the model itself does not compute the same again.
    """
    tensors = [t for _, t in named_tensors(model)]
    if any(t.device.type != "cpu" for t in tensors):
        return
    floating = [t.dtype for t in model.parameters() if t.is_floating_point()]
    if inputs.is_floating_point() and floating:
        inputs = inputs.to(floating[0])
    whole = Remembered(model)
    own = Remembered(copied, whole)  # what both hold moves on
    try:
        for training in (False, True):
            _check_mode(model, copied, inputs, training, whole, own)
    finally:
        whole.put_back()


def leaves_of(values: Tensor) -> Iterator[Tensor]:
    """Yield the tensors that a backward pass from here would give gradients."""
    pending, seen = [values.grad_fn], set()
    while pending:
        node = pending.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(variable := getattr(node, "variable", None), Tensor):
            yield variable
        pending += [following for following, _ in node.next_functions]


def refuse_shared(model: nn.Module, name: str) -> NoReturn:
    """Say that a copy computes with what is not its own."""
    raise UsageError(
        f"a copy of the model would compute with {name} of the model itself, which is not trained",
        got=type(model).__name__,
        remedy=_REMEDY,
    )


def _check_mode(
    model: nn.Module,
    copied: nn.Module,
    inputs: Tensor,
    training: bool,
    whole: Remembered,
    own: Remembered,
) -> None:
    watch = _Watch(model)
    found = _outputs(copied, inputs, training, own, watch)
    if watch.found is not None:
        refuse_shared(model, watch.found)
    if own.complete:
        again = _outputs(copied, inputs, training, own)
        if not _equal(found, again):
            _refuse_unlike(model, training)
    if not whole.complete:
        return
    now = Remembered(model)
    expected = _outputs(model, inputs, training, now)
    if not _equal(expected, found):
        if not _equal(expected, _outputs(model, inputs, training, now)):
            _refuse_unlike(model, training)
        raise UsageError(
            f"a copy of the model computes something else than the model ({_mode(training)})",
            got=type(model).__name__,
            remedy=_REMEDY,
        )


class _Watch(TorchFunctionMode):
    """Finds the first of a model's tensors that is used."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._names = {id(t): n for n, t in named_tensors(model)}
        self.found: str | None = None

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        pending = [*args, *(kwargs or {}).values()]
        while pending:
            value = pending.pop()
            if isinstance(value, Tensor):
                self.found = self.found or self._names.get(id(value))
            elif isinstance(value, list | tuple):
                pending += value
        return function(*args, **(kwargs or {}))


def _outputs(
    module: nn.Module,
    inputs: Tensor,
    training: bool,
    remembered: Remembered,
    watch: _Watch | None = None,
) -> Any:
    """Return what the module makes of the inputs, or the error; what is remembered is put back."""
    try:
        with undisturbed(), torch.enable_grad():
            Modes(module).set(training)
            with watch or nullcontext():
                outputs = module(inputs.clone())
        return outputs.detach().clone() if isinstance(outputs, Tensor) else type(outputs)
    except Exception as error:  # a module of the user's own raises what it likes
        return error
    finally:
        remembered.put_back()


def _equal(expected: Any, found: Any) -> bool:
    if not (isinstance(expected, Tensor) and isinstance(found, Tensor)):
        return type(expected) is type(found)
    if expected.shape != found.shape or expected.dtype != found.dtype:
        return False
    if not (expected.is_floating_point() or expected.is_complex()):
        return torch.equal(expected, found)
    near = _TOLERANCE * float(expected.abs().nan_to_num(0, 0, 0).max()) if expected.numel() else 0.0
    return torch.allclose(expected, found, rtol=0, atol=near, equal_nan=True)


def _refuse_unlike(model: nn.Module, training: bool) -> NoReturn:
    raise UsageError(
        f"the model gives other outputs when it is called again ({_mode(training)}), although all "
        "that it holds for itself and the generators are as before",
        got=type(model).__name__,
        remedy="keep what it counts or draws from in attributes of the module, not in a global "
        "variable, a class, a function's attribute or an open generator",
    )


def _mode(training: bool) -> str:
    return "training mode" if training else "evaluation mode"
