"""Whether a row's outputs depend on the rows that are passed with it.

They do where a module takes means over its batch and keeps none, as batch normalization without
running statistics. Then an error is one of rows passed together, and so are predictions: both pass
as many rows at a time, which `batches.rows_at_once` says.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from overparam.training.copies import copy_module
from overparam.training.undisturbed import undisturbed

# Of the largest output: products of other sizes differ in rounding, by far less.
_TOLERANCE = 1e-4


@dataclass(frozen=True)
class Passes:
    """What a model's passes are like.

    Attributes:
        draws: one draws from a global generator.
        interacting: 0, or where what is said of a row depends on the rows passed with it, how many
            of them are passed at a time.
    """

    draws: bool = False
    interacting: int = 0


def rows_interact(module: nn.Module, inputs: Tensor) -> bool:
    """Whether a module says otherwise of rows `[n, *shape]` together than of each half of them.

    Args:
        module: in evaluation mode; it must not draw at random.

    A module that does not take half of the rows is not known to.
    """
    half = len(inputs) // 2
    if half == 0:
        return False
    with torch.no_grad():
        try:
            parts = torch.cat(
                [module(part.clone()) for part in inputs.split([half, len(inputs) - half])]
            )
        except Exception:  # a module of the user's own raises what it likes
            return False
        whole = module(inputs.clone())
    return _differ(whole, parts)


def others_matter(module: nn.Module, inputs: Tensor) -> bool:
    """Whether a module says otherwise of a half of rows `[n, *shape]` when the others are others.

    Args:
        module: in the mode that is asked about. It may draw at random, and change when it is
            called: each time a copy passes as many rows, with generators that stand alike.

    A module that does not take these rows is not known to.
    """
    half = len(inputs) // 2
    if half == 0:
        return False
    first, last = inputs[:half], inputs[-half:]

    def outputs(*halves: Tensor) -> tuple[Tensor, ...]:
        with undisturbed(), torch.no_grad():
            return copy_module(module)(torch.cat(halves)).split(half)

    try:
        whole = torch.cat(outputs(first, last))
        parts = torch.cat([outputs(first, first)[0], outputs(last, last)[1]])
    except Exception:  # a module of the user's own raises what it likes
        return False
    return _differ(whole, parts)


def _differ(whole: Tensor, parts: Tensor) -> bool:
    most = _TOLERANCE * float(whole.abs().nan_to_num().max())
    return not torch.allclose(whole, parts, rtol=0.0, atol=most, equal_nan=True)


def note_on_rows(rows_at_once: int) -> str:
    """Return what is to be said of such a module."""
    return (
        "what the model says of a row depends on the rows passed with it; errors and outputs are "
        f"of up to {rows_at_once:,} rows at a time, in order"
    )
