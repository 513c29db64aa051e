"""`Record` and `Records`: what cells produced, and how to slice it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from overparam.errors import UsageError, suggest
from overparam.lab.frames import as_frame

_CELL = (int, float, str, bool, np.generic, type(None))  # what a cell of a table can hold

Status = Literal["done", "diverged", "failed", "unrun"]


@dataclass(frozen=True)
class Record:
    """What one cell produced, or that it has produced nothing.

    Attributes:
        condition: the cell (a frozen dataclass). seed: the seed of its streams.
        outcome: the numbers and arrays (a frozen dataclass), or None where there are none.
        status: done; diverged (a model's loss was not finite, so its outcome says nothing of the
            model that was asked for); failed (see error); unrun (planned, and not in the study).
        error: message of the failure, or "".
        provenance: versions, device, precision, seconds, peak memory; never part of the key.
    """

    condition: Any
    seed: int
    outcome: Any
    status: Status = "done"
    error: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_measured(self) -> bool:
        """Whether the outcome is a measurement: the cell ended well."""
        return self.status == "done" and self.outcome is not None

    def value(self, name: str) -> Any:
        """Return field `name` of the outcome, else of the condition.

        An outcome's field is NaN where the cell was not measured. What a cell that diverged left
        behind (often the error of a guess) is in `outcome`, for phenomena to whom it is a value.
        """
        if self.outcome is not None and hasattr(self.outcome, name):
            return getattr(self.outcome, name) if self.is_measured else float("nan")
        if hasattr(self.condition, name):
            return getattr(self.condition, name)
        if self.outcome is None:
            return float("nan")
        known = [*vars(self.condition), *vars(self.outcome)]
        raise UsageError(
            "no such field in condition or outcome",
            got=name,
            allowed=", ".join(known),
            remedy=suggest(name, known),
        )


class Records(Sequence[Record]):
    """Records with the slicing that summaries need; immutable.

    >>> Records([]).where(arm="treatment")
    Records(0)
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = tuple(records)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records)

    def __getitem__(self, index: Any) -> Any:
        found = self._records[index]
        return Records(found) if isinstance(index, slice) else found

    def __repr__(self) -> str:
        return f"Records({len(self)})"

    def where(self, keep: Callable[[Record], bool] | None = None, **equal: Any) -> Records:
        """Return the records whose fields equal the given values and for which `keep` holds."""
        return Records(
            [
                r
                for r in self
                if all(r.value(k) == v for k, v in equal.items()) and (keep is None or keep(r))
            ]
        )

    @property
    def measured(self) -> Records:
        """The records of the cells that ended well; the others have no values."""
        return self.where(lambda r: r.is_measured)

    def completed(self, planned: Iterable[tuple[Any, int]]) -> Records:
        """Return a record for every planned cell (condition, seed), in this order.

        Cells that are not there get a record of status ``unrun``, so that what a summary does not
        know of has its place in it.
        """
        known = {(r.condition, r.seed): r for r in self}
        return Records([known.get(cell) or Record(*cell, None, "unrun") for cell in planned])

    def columns(self) -> dict[str, list[Any]]:
        """Return what a table of the records holds, one list per column, one entry per record.

        Columns: the condition's fields, ``seed``, the outcome's fields, ``status`` and ``error``.
        A name that is taken is called ``outcome_<name>``; what was not measured is NaN. Arrays and
        other values of many numbers stay in the records.
        """
        conditions = [vars(r.condition) for r in self]
        outcomes = [vars(r.outcome) if r.is_measured else {} for r in self]
        columns: dict[str, list[Any]] = {}
        for part, values in (("condition", conditions), ("outcome", outcomes)):
            for name in dict.fromkeys(name for value in values for name in value):
                if not all(isinstance(v[name], _CELL) for v in values if name in v):
                    continue
                taken = name in columns or name in ("seed", "status", "error")
                column = [v.get(name, float("nan")) for v in values]
                columns[f"{part}_{name}" if taken else name] = column
            if part == "condition":
                columns["seed"] = [r.seed for r in self]
        columns["status"] = [r.status for r in self]
        columns["error"] = [r.error for r in self]
        return columns

    def frame(self) -> Any:
        """Return the records as a pandas DataFrame of `columns`.

        Raises:
            UsageError: pandas is not installed.
        """
        return as_frame(self.columns(), "take .columns(), or `overparam export`")

    def levels(self, name: str) -> list[Any]:
        """Return the sorted distinct values of a field."""
        return sorted({r.value(name) for r in self})

    @property
    def seeds(self) -> list[int]:
        """The sorted distinct seeds."""
        return sorted({r.seed for r in self})

    def matrix(self, name: str, by: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the levels of `by` `[m]` and field `name` as `[m, seeds]`, NaN where missing.

        Rows follow the sorted levels, columns the sorted seeds, so columns are paired cells.

        Raises:
            UsageError: two records share level and seed (slice with `where` first).
        """
        levels, seeds = self.levels(by), self.seeds
        row, column = {v: i for i, v in enumerate(levels)}, {s: j for j, s in enumerate(seeds)}
        values = np.full((len(levels), len(seeds)), np.nan)
        filled = np.zeros(values.shape, bool)
        for r in self:
            i, j = row[r.value(by)], column[r.seed]
            if filled[i, j]:
                raise UsageError(
                    f"several records share {by}={levels[i]} and seed={r.seed}",
                    remedy="select one arm with .where(...) first",
                )
            values[i, j], filled[i, j] = float(r.value(name)), True
        return np.asarray(levels, float), values
