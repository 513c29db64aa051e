"""Numbers must be finite, also in the type in which they will be used; bad rows are named."""

from __future__ import annotations

import torch
from torch import Tensor

from overparam.errors import DataError


def check_range(
    what: str, values: Tensor, dtype: torch.dtype, remedy: str, rows: Tensor | None = None
) -> None:
    """Refuse numbers `[n, ...]` that would become infinite in another floating type.

    Args:
        what: they are. dtype: the other type. rows: which of them are used; None for all.

    Raises:
        DataError: there are some.
    """
    if not values.is_floating_point() or torch.finfo(values.dtype).max <= torch.finfo(dtype).max:
        return
    most = torch.finfo(dtype).max
    low, high = torch.aminmax(values)
    if max(-float(low), float(high)) <= most:
        return
    values = values if rows is None else values[rows]
    too_large = values.isfinite() & (values.abs() > most)  # what is infinite already is not ours
    bad = too_large.reshape(len(values), -1).any(1).nonzero().flatten().tolist()
    if not bad:
        return
    name = str(dtype).removeprefix("torch.")
    raise DataError(
        f"{what} are too large for {name}, in which they would be infinite",
        got=f"{len(bad)} rows, first {bad[:3]}, up to {float(values[too_large].abs().max()):.3g}",
        allowed=f"up to {most:.3g}",
        remedy=remedy,
    )


def all_finite(values: Tensor) -> bool:
    """Whether there is neither NaN nor infinity among numbers; one pass, and no copy."""
    if not values.is_floating_point() or not values.numel():
        return True
    return bool(torch.stack(torch.aminmax(values)).isfinite().all())


def check_finite(inputs: Tensor, what: str = "inputs") -> None:
    """Refuse inputs `[n, *shape]` that hold NaN or infinity, and name their rows.

    Raises:
        DataError: they do.
    """
    if all_finite(inputs):
        return
    finite = torch.isfinite(inputs).reshape(len(inputs), -1).all(1)
    bad = (~finite).nonzero().flatten().tolist()
    raise DataError(
        f"{what} hold NaN or infinity",
        got=f"{len(bad)} rows, first {bad[:3]}",
        remedy="drop or impute these rows",
    )
