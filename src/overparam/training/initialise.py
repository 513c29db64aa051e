"""Giving weights to modules: from a stream where they have none, their own where they do."""

from __future__ import annotations

import copy

import torch
from torch import nn

from overparam.errors import UsageError
from overparam.streams import Streams


def materialise(module: nn.Module, streams: Streams, dtype: torch.dtype) -> nn.Module:
    """Return a copy of the module with weights, in `dtype`, on the CPU.

    A module on the meta device (a shape without weights, as the families of `models` build it)
    is initialised by its layers' `reset_parameters`, with random numbers from the stream
    ``init``, in float32 whatever `dtype`, so that precisions start alike. Any other module
    keeps the weights it has. The module given is not changed.

    Raises:
        UsageError: a layer holds parameters on the meta device and cannot initialise itself.
    """
    if not any(p.is_meta for p in module.parameters()):
        return copy.deepcopy(module).to("cpu", dtype)
    fresh = copy.deepcopy(module).to_empty(device="cpu")
    with streams.torch_default("init"), torch.no_grad():
        for part in fresh.modules():
            # nn.MultiheadAttention and nn.Transformer spell it with an underscore.
            reset = getattr(part, "reset_parameters", getattr(part, "_reset_parameters", None))
            if callable(reset):
                reset()
            elif [*part.parameters(recurse=False), *part.buffers(recurse=False)]:
                raise UsageError(
                    "a layer on the meta device has no reset_parameters to initialise it",
                    got=type(part).__name__,
                    remedy="define reset_parameters, or pass the module with its weights "
                    "instead of on the meta device",
                )
    return fresh.to(dtype)
