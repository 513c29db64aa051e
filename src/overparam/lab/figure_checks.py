"""What every figure owes before it is drawn: printable texts and numbers that fit together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from overparam.errors import DataError
from overparam.texts import printable

_LONGEST = {"caption": 5_000, "title": 500, "notes": 1_000, "note": 1_000, "columns": 1_000}
_LONGEST_LABEL = 300
_NOTE = 40  # letters of the note that a text was cut


class Worded:
    """A part of a figure whose texts are cleaned once, here: no drawing meets an unfit one."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            longest = _LONGEST.get(field.name, _LONGEST_LABEL)
            value = clean_texts(getattr(self, field.name), longest)
            if field.name.endswith("labels"):
                value = [v if isinstance(v, str) else clean_texts(str(v), longest) for v in value]
            object.__setattr__(self, field.name, value)


def clean_texts(value: Any, longest: int = _LONGEST_LABEL) -> Any:
    """Return `value` with every text in its lists and mappings printable; all else as it is."""
    if isinstance(value, str):
        shown = printable(value, most=len(value))
        # What was cut once comes back as it is: its note is no reason to cut it again.
        return shown if len(shown) <= longest + _NOTE else printable(shown, most=longest)
    if isinstance(value, Mapping):
        names = _distinct([clean_texts(k, longest) for k in value])
        return dict(zip(names, (clean_texts(v, longest) for v in value.values()), strict=True))
    if isinstance(value, np.ndarray) and value.dtype.kind in "OSU":
        return clean_texts(value.tolist(), longest)
    if type(value) in (list, tuple):
        return type(value)(clean_texts(v, longest) for v in value)
    return value


def as_numbers(figure: str, what: str, values: Any, shape: tuple[int, ...] | None = None) -> Any:
    """Return `values` as a float array of `shape` (None: any vector).

    Raises:
        DataError: they are no numbers, or of another shape.
    """
    try:
        array = np.asarray(values, float)
    except (TypeError, ValueError):
        refuse(figure, what, type(values).__name__, "real numbers")
    if shape is None and array.ndim != 1:
        refuse(figure, f"shape of {what}", array.shape, "one dimension")
    if shape is not None:
        expect(figure, what, array.shape, shape)
    return array


def expect(figure: str, what: str, got: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Raise a DataError unless `got` is `shape`."""
    if tuple(got) != tuple(shape):
        refuse(figure, f"shape of {what}", tuple(got), tuple(shape))


def refuse(figure: str, what: str, got: object, allowed: object) -> NoReturn:
    """Raise the DataError of a figure that cannot be drawn."""
    remedy = "give every cell of the figure its value and its label"
    raise DataError(
        f"figure {figure!r}: {what} cannot be drawn", got=got, allowed=allowed, remedy=remedy
    )


def _distinct(names: Sequence[Any]) -> list[Any]:
    """Return `names`, those that became equal by being cut told apart by a number."""
    seen: dict[Any, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
    if len(seen) == len(names):
        return list(names)
    return [name if k == 0 else f"{name} ({k + 1})" for k, name in _ranked(names)]


def _ranked(names: Sequence[Any]) -> list[tuple[int, Any]]:
    return [(list(names[:i]).count(name), name) for i, name in enumerate(names)]
