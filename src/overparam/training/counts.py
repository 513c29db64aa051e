"""`counts_of`: what a forward pass makes and computes per row, once per kind of module."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from overparam.training.copies import copy_module, named_tensors
from overparam.training.describe import Undescribable, describe
from overparam.training.proofs import Answers
from overparam.training.undisturbed import undisturbed


@dataclass(frozen=True)
class Counts:
    """Of one row.

    Attributes:
        units: numbers that a forward pass makes: inputs and the outputs of all layers.
        flops: floating-point operations of a forward pass.
    """

    units: int
    flops: float


def counts_of(
    module: nn.Module, input_shape: Sequence[int], dtype: torch.dtype = torch.float32
) -> Counts:
    """Count on a copy, with one row of zeros; where it cannot be run, roughly, by its parameters.

    On the CPU: the first relu on the meta device, and PyTorch's own counter, import its compiler,
    which takes longer than many a training.

    >>> net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.MaxPool2d(2))
    >>> counts_of(net, (1, 8, 8))
    Counts(units=384, flops=4608.0)
    """
    return _ANSWERS.once(
        _kind_of(module, tuple(input_shape), dtype),
        lambda: _count(module, input_shape, dtype),
    )


_ANSWERS = Answers()


def _kind_of(module: nn.Module, *of_rows: Hashable) -> Hashable | None:
    """What decides the counts. That a class or a global variable was changed meanwhile is not seen:
    they decide how many rows are passed at a time, and nothing else.
    """
    try:
        return (describe(module, {id(t) for _, t in named_tensors(module)}), *of_rows)
    except Undescribable:
        return None


def _count(module: nn.Module, input_shape: Sequence[int], dtype: torch.dtype) -> Counts:
    units = [math.prod(input_shape)]

    def count(layer: nn.Module, arguments: object, output: object) -> None:
        if isinstance(output, Tensor):
            units.append(output.numel())

    n_params = sum(p.numel() for p in module.parameters())
    flops = _Flops()
    try:
        copied = copy_module(module)._apply(_in_memory).eval()
        for part in copied.modules():
            if next(part.children(), None) is None:
                part.register_forward_hook(count)
        # With gradients: without, some layers of PyTorch's are one operation of unknown cost.
        with undisturbed(), torch.enable_grad(), flops:
            copied(torch.zeros(1, *input_shape, dtype=dtype))
    except Exception:  # a module of somebody's: whatever it does, it is counted roughly
        return Counts(max(units[0], n_params), 2.0 * n_params)
    return Counts(sum(units), float(flops.total) or 2.0 * n_params)


def _in_memory(tensor: Tensor) -> Tensor:
    return torch.zeros(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor.cpu()


class _Flops(TorchDispatchMode):
    """Adds up the operations of what is computed, as `FlopCounterMode` does on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or it would be imported to be skipped

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        count = flop_registry.get(function._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=found)
        return found
