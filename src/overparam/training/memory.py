"""Which tensors hold a number in common, told by the places of their numbers.

Parts of one storage may be parameters of their own: what counts is whether an optimizer would move
the same number twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor


def overlaps(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[int, int]]:
    """Yield the positions of every two tensors, not one object, with a number in common.

    >>> whole = torch.zeros(6)
    >>> list(overlaps([("a", whole[:4]), ("b", whole[4:]), ("c", whole[3:5])]))
    [(0, 2), (1, 2)]
    """
    placed = sorted(
        (*span, i, tensor)
        for i, (_, tensor) in enumerate(tensors)
        if (span := _span(tensor)) is not None
    )
    reaching: list[tuple[int, int, int, Tensor]] = []  # those that end after the present one begins
    found = set()
    for start, stop, i, tensor in placed:
        reaching = [other for other in reaching if other[1] > start]
        found |= {
            (min(i, j), max(i, j))
            for _, _, j, other in reaching
            if other is not tensor and _share(tensor, other)
        }
        reaching.append((start, stop, i, tensor))
    yield from sorted(found)


def repeats_itself(tensor: Tensor) -> bool:
    """Whether several positions of a tensor are one number, as in an expanded one.

    >>> repeats_itself(torch.zeros(1).expand(8)), repeats_itself(torch.zeros(3, 2).t())
    (True, False)
    """
    if _span(tensor) is None:
        return False
    reach = 0  # of the axes so far, in numbers
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size > 1 and stride <= reach:
            return len(torch.unique(_offsets(tensor))) < tensor.numel()
        reach += (size - 1) * stride
    return False


def _span(tensor: Tensor) -> tuple[int, int] | None:
    """Return the address of the first byte and of the one behind the last; None without memory."""
    try:
        if tensor.is_meta or tensor.layout != torch.strided or not tensor.numel():
            return None
        start = tensor.data_ptr()
    except (RuntimeError, ValueError):  # made of other tensors, or not made yet
        return None
    axes = zip(tensor.stride(), tensor.shape, strict=True)
    last = sum(stride * (size - 1) for stride, size in axes)
    return (start, start + (last + 1) * tensor.element_size()) if start else None


def _share(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors whose spans overlap have a number in common."""
    if a.device != b.device:
        return False
    if a.data_ptr() == b.data_ptr() or (_is_dense(a) and _is_dense(b)):
        return True
    unit = math.gcd(a.data_ptr() - b.data_ptr(), a.element_size(), b.element_size())
    low = min(a.data_ptr(), b.data_ptr())
    places = [_units(t, (t.data_ptr() - low) // unit, t.element_size() // unit) for t in (a, b)]
    return bool(torch.isin(*places).any())


def _is_dense(tensor: Tensor) -> bool:
    start, stop = _span(tensor) or (0, 0)
    return stop - start == tensor.numel() * tensor.element_size() and not repeats_itself(tensor)


def _units(tensor: Tensor, start: int, width: int) -> Tensor:
    return (start + _offsets(tensor)[:, None] * width + torch.arange(width)).flatten()


def _offsets(tensor: Tensor) -> Tensor:
    """Return the places of the numbers within their memory, in numbers from the first."""
    places = torch.zeros((), dtype=torch.int64)
    for stride, size in zip(tensor.stride(), tensor.shape, strict=True):
        places = places[..., None] + stride * torch.arange(size)
    return places.flatten()
