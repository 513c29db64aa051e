"""Columns as a pandas DataFrame, where pandas is installed: nothing here needs it otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overparam.errors import UsageError


def as_frame(columns: Mapping[str, Any], instead: str, *, index: str | None = None) -> Any:
    """Return columns of one length as a pandas DataFrame.

    Args:
        instead: what does without pandas, such as ``take .columns()``. index: name of the index.

    Raises:
        UsageError: pandas is not installed.
    """
    try:
        from pandas import DataFrame
    except ImportError:
        raise UsageError(
            "a DataFrame needs pandas, which is not installed",
            remedy=f"pip install pandas; or {instead}",
        ) from None
    return DataFrame(dict(columns)).rename_axis(index)
