"""A file of a table as a command line names it: labels by `--target`, groups by `--groups`."""

from __future__ import annotations

from typing import Any, NamedTuple

from overparam.errors import UsageError


class GivenTable(NamedTuple):
    """Inputs, labels, the column of groups (which is no input; None without one), and notes."""

    inputs: Any
    labels: Any
    groups: Any = None
    notes: tuple[str, ...] = ()


def read_given_table(
    path: str, target: str | None, groups: str | None, *, needs_groups: bool = True
) -> GivenTable:
    """Read a file.

    Args:
        needs_groups: whether it must have the column of groups.

    Raises:
        UsageError: no target, or no such column. Else as `read_table_file`.
    """
    from overparam.data.table_files import read_table_file

    if not target:
        raise UsageError("a file needs the name of its labels", remedy="give --target NAME")
    X, y, notes = read_table_file(path, target, groups=groups)
    columns = list(getattr(X, "columns", []))
    if groups is None or (groups not in columns and not needs_groups):
        return GivenTable(X, y, None, notes)
    if groups not in columns:
        raise UsageError(
            "the file has no such column of groups",
            got=groups,
            allowed=", ".join(map(str, columns or ["columns of a .csv or .parquet"])),
        )
    return GivenTable(X.drop(columns=[groups]), y, X[groups].to_numpy(), notes)
