"""Parts of the inputs that a model may hang on: columns, patches of an image, its colours.

A part is exchanged between rows: every row gets that of another. Parts have smaller parts inside
them, so that a search need not try them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.data.table_columns import read_columns, take
from overparam.data.tables import column_names
from overparam.measures.tables.screening_models import encoded

_LEAST_SIDE = 5  # pixels of a square that is cut into patches
_CHANNELS = (3, 4)  # of which an image has colours


@dataclass(frozen=True, eq=False)
class Part:
    """A part of every row's inputs.

    Attributes:
        name: as in a sentence.
        exchange: takes inputs and `[n]`, the row from which each row gets this part, or is made to
            lose it; returns inputs of the same form.
        values: takes inputs and returns what the part says, float64 `[n, d]`.
        inside: smaller parts; none of one that is not cut further.
        box: top, left, height, width of a patch; None of all else.
    """

    name: str
    exchange: Callable[[Any, np.ndarray], Any]
    values: Callable[[Any], np.ndarray]
    inside: tuple[Part, ...] = ()
    box: tuple[int, int, int, int] | None = None

    @property
    def is_leaf(self) -> bool:
        """Whether it is not cut further."""
        return not self.inside

    @property
    def n_leaves(self) -> int:
        """Parts that cannot be cut further, those that lie in several counted each time."""
        return sum(part.n_leaves for part in self.inside) if self.inside else 1


def parts_of(inputs: Any) -> list[Part]:
    """Return the parts of a table, or of images, from which a search begins.

    An array whose columns make up a square is read both ways: as columns, and as images laid flat.
    """
    names, shape = column_names(inputs), np.shape(inputs)
    if names:
        return [_halves(names)]
    if len(shape) == 2:
        side = round(shape[1] ** 0.5)
        columns = [_halves([str(i) for i in range(shape[1])])]
        flat = side >= _LEAST_SIDE and side * side == shape[1]
        return [*columns, *(_patches(shape, (side, side), ()) if flat else [])]
    height, width, channels = _layout(shape)
    return [*_patches(shape, (height, width), channels), *_colours(shape, channels)]


def drawable(images: np.ndarray) -> np.ndarray:
    """Return images of any layout as `[n, h, w]`, or `[n, h, w, 3]`, numbers in the range given."""
    held = np.asarray(images, np.float64)
    if held.ndim == 2:  # laid flat
        side = round(held.shape[1] ** 0.5)
        return held.reshape(-1, side, side)
    if held.ndim == 3:
        return held
    first, last = held.shape[1], held.shape[3]
    held = (
        held
        if last in (1, *_CHANNELS) and first not in (1, *_CHANNELS)
        else np.moveaxis(held, 1, 3)
    )
    return held[..., :3] if held.shape[3] in _CHANNELS else held.mean(3)


def _halves(names: Sequence[str], first: int = 0) -> Part:
    """Return all these columns together, which hold their halves, down to single ones."""
    n, middle = len(names), len(names) // 2
    columns = list(range(first, first + n))
    rest = f" and {n - 1} after it" if n > 1 else ""
    inside = (
        (_halves(names[:middle], first), _halves(names[middle:], first + middle)) if n > 1 else ()
    )

    def exchange(inputs: Any, source: np.ndarray) -> Any:
        return _with_columns(inputs, columns, source)

    def values(inputs: Any) -> np.ndarray:
        return encoded(read_columns(take(inputs, None, columns)))

    return Part(f"column {names[0]}{rest}", exchange, values, inside)


def _with_columns(inputs: Any, columns: Sequence[int], source: np.ndarray) -> Any:
    """Return a table some of whose columns come from other rows, types and index as they were."""
    if isinstance(inputs, np.ndarray):
        changed = inputs.copy()
        changed[:, columns] = inputs[source][:, columns]
        return changed
    if hasattr(inputs, "iloc"):
        names = [inputs.columns[i] for i in columns]
        moved = {name: inputs[name].iloc[source].set_axis(inputs.index) for name in names}
        changed = inputs.copy()
        for name, column in moved.items():
            changed[name] = column
        return changed
    names = [inputs.columns[i] for i in columns]
    moved = inputs[source]  # of polars
    return inputs.with_columns([moved[name] for name in names])


def _layout(shape: Sequence[int]) -> tuple[int, int, tuple[int, ...]]:
    """Return height, width and the axis of channels of images, as a tuple of none or one."""
    if len(shape) == 3:
        return shape[1], shape[2], ()
    is_last = shape[3] in (1, *_CHANNELS) and shape[1] not in (1, *_CHANNELS)
    return (shape[1], shape[2], (3,)) if is_last else (shape[2], shape[3], (1,))


def _patches(shape: Sequence[int], size: tuple[int, int], channels: tuple[int, ...]) -> list[Part]:
    """Return overlapping patches of half the side, each with those of a quarter of it inside.

    Steps are half a patch: whatever is smaller than an eighth of the side lies whole in some patch.
    """
    if min(size) < _LEAST_SIDE:
        return []
    half, quarter = ((size[0] // by, size[1] // by) for by in (2, 4))
    made: dict[tuple[int, ...], Part] = {}

    def patch(corner: tuple[int, int], side: tuple[int, int], inside: tuple[Part, ...]) -> Part:
        box = (*corner, *side)
        if box not in made:
            made[box] = _patch(shape, size, channels, box, inside)
        return made[box]

    return [
        patch(corner, half, tuple(patch(c, quarter, ()) for c in _corners(corner, half, quarter)))
        for corner in _corners((0, 0), size, half)
    ]


def _corners(
    start: Sequence[int], size: Sequence[int], window: Sequence[int]
) -> list[tuple[int, int]]:
    """Return the top left corners of three by three windows that cover a box."""
    steps = [
        sorted({s + round(k * (whole - part) / 2) for k in range(3)})
        for s, whole, part in zip(start, size, window, strict=True)
    ]
    return [(top, left) for top, left in itertools.product(*steps)]


def _patch(
    shape: Sequence[int],
    size: tuple[int, int],
    channels: tuple[int, ...],
    box: tuple[int, int, int, int],
    inside: tuple[Part, ...],
) -> Part:
    top, left, height, width = box
    rows, columns = slice(top, top + height), slice(left, left + width)

    def where(images: np.ndarray) -> np.ndarray:  # a view
        n = len(images)
        if len(shape) == 2:
            return images.reshape(n, *size)[:, rows, columns]
        return images[:, rows, columns] if channels != (1,) else images[:, :, rows, columns]

    def exchange(inputs: Any, source: np.ndarray) -> Any:
        changed = np.array(inputs)  # contiguous, so that reshaping makes a view
        where(changed)[...] = where(np.asarray(inputs))[source]
        return changed

    def values(inputs: Any) -> np.ndarray:
        found = where(np.asarray(inputs))
        return found.reshape(len(found), -1).astype(np.float64)

    end = f"rows {top} to {top + height - 1}, columns {left} to {left + width - 1}"
    name = f"the patch in {end} of {size[0]} x {size[1]} pixels"
    return Part(name, exchange, values, inside, box)


def _colours(shape: Sequence[int], channels: tuple[int, ...]) -> list[Part]:
    """Return the colours of images that have some: without them all channels are their mean."""
    if not channels or shape[channels[0]] not in _CHANNELS:
        return []
    axis = channels[0]

    def exchange(inputs: Any, source: np.ndarray) -> Any:
        held = np.asarray(inputs)
        grey = held.mean(axis, keepdims=True).astype(held.dtype)
        return np.broadcast_to(grey, held.shape).copy()

    def values(inputs: Any) -> np.ndarray:
        held = np.asarray(inputs, np.float64)
        others = tuple(i for i in (1, 2, 3) if i != axis)
        each = held.mean(others)
        found: np.ndarray = each - each.mean(1, keepdims=True)
        return found

    return [Part("the colours", exchange, values)]
