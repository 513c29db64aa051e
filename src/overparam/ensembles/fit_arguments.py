"""Arguments of an estimator's fit that have a value for each row, where members have other rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from overparam.data.rows import n_rows
from overparam.errors import UsageError

_WEIGHT = "sample_weight"  # also of a step: ``STEP__sample_weight``


def refuse_rows_of_subsets(
    arguments: Mapping[str, Any] | None, n: int, sizes: Collection[int]
) -> None:
    """Refuse fit arguments that have a value for each row of a subset, in place of all n rows.

    They cannot be of the rows of every member. Weights of rows are of all rows, or of none.

    Args:
        sizes: of subsets.

    Raises:
        UsageError: there is one.
    """
    for name, value in (arguments or {}).items():
        length = _length(value)
        if length not in (None, n) and (length in sizes or name.endswith(_WEIGHT)):
            raise UsageError(
                f"{name} has not one value for each row of the data",
                got=f"{length:,}" + (", as a subset has rows" if length in sizes else ""),
                allowed=f"{n:,}, of which every member is given those of its rows",
            )


def _length(value: Any) -> int | None:
    """Return how many entries a value has; None of what has none, and of texts."""
    texts = isinstance(value, list | tuple) and value and isinstance(value[0], str)
    if texts or isinstance(value, str | bytes | Mapping):
        return None
    try:
        return n_rows(value)
    except (TypeError, IndexError):
        return None
