"""`own_copy`: the copy of a model that is trained in its place, refused where no loop trains it."""

from __future__ import annotations

from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from overparam.errors import UsageError
from overparam.models.trial import is_script, walk
from overparam.training.copies import HALVES, copy_module, named_tensors
from overparam.training.dense import dense_shape
from overparam.training.memory import overlaps, repeats_itself


def own_copy(model: nn.Module) -> nn.Module:
    """Return the copy of a model that is trained in its place.

    Raises:
        UsageError: no loop trains its parameters, or a copy would not train them alike.

    Cost: of a module that holds layers, tensors and plain values that of its numbers, on the meta
    device nothing.
    """
    if dense_shape(model) is None:
        _check_parameters(model)
    return copy_module(model)


def _check_parameters(model: nn.Module) -> None:
    """Refuse parameters that no loop trains, or that a copy would not train alike."""
    if any(is_script(part) for _, part in walk(model)):
        raise UsageError(
            "a model that TorchScript compiled cannot be copied with other weights",
            got=type(model).__name__,
            remedy="give the module that it was compiled from",
        )
    tensors = list(named_tensors(model))
    for name, tensor in tensors:
        if isinstance(tensor, UninitializedParameter | UninitializedBuffer):
            raise UsageError(
                f"{name} has no shape yet, as its layer is lazy",
                got=type(tensor).__name__,
                remedy="call the model once on a row of the data before it is trained",
            )
        if not isinstance(tensor, nn.Parameter):
            continue
        if tensor.dtype in HALVES:
            raise UsageError(
                f"the parameter {name} is in half precision, in which small updates are lost",
                got=tensor.dtype,
                remedy="call model.float(), and say precision='bfloat16' in the recipe for "
                "products in half precision",
            )
        if tensor.requires_grad and repeats_itself(tensor):
            raise UsageError(
                f"several positions of the parameter {name} are one number, which no optimizer "
                "moves",
                got=f"shape {list(tensor.shape)}, strides {list(tensor.stride())}",
                remedy="copy it (.clone()), or keep the small one and expand it in forward",
            )
    for one, other in overlaps(tensors):
        if any(isinstance(tensors[i][1], nn.Parameter) for i in (one, other)):
            raise UsageError(
                f"{tensors[one][0]} and {tensors[other][0]} share memory but are not one parameter",
                remedy="to tie them, let both layers hold the same Parameter "
                "(b.weight = a.weight); else copy one (.clone())",
            )
