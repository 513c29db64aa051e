"""One figure in words and numbers, and anything of a study as JSON-able data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from overparam.lab.figure import Chart, Figure, HeatMap, ImageGrid, NetworkGallery
from overparam.report.drawing import drawing_notes
from overparam.report.gallery import gallery_data, gallery_notes
from overparam.report.heatmap import heat_notes
from overparam.report.tables import figure_table


@dataclass(frozen=True)
class FigureContent:
    """One figure: its words, the rows behind it (`columns`, `rows`), and all of its data.

    Attributes:
        measured: places in a row of a value and the two ends of its interval; () for none.
    """

    name: str
    kind: str
    title: str
    caption: str
    notes: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    measured: tuple[int, ...]
    data: Mapping[str, Any]


def describe_figure(figure: Figure) -> FigureContent:
    """Return the words, rows and data of one figure."""
    kind, notes = "table", list[str]()
    if isinstance(figure, Chart):
        kind, notes = "chart", drawing_notes(figure)
    elif isinstance(figure, ImageGrid):
        kind, notes = "images", ["All images share the scale drawn below them."]
    elif isinstance(figure, NetworkGallery):
        kind, notes = "gallery", gallery_notes(figure)
    elif isinstance(figure, HeatMap):
        kind, notes = "heat", heat_notes(figure)
    table = figure_table(figure)
    return FigureContent(
        figure.name,
        kind,
        figure.title,
        figure.caption,
        tuple(notes),
        table.columns,
        table.rows,
        table.measured,
        # A gallery's images are many: they are kept as picture files, its scores as numbers.
        plain(gallery_data(figure) if isinstance(figure, NetworkGallery) else figure),
    )


def plain(value: Any) -> Any:
    """Return `value` as JSON-able data: arrays as nested lists, tuples as lists, NaN as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        boxed = value.astype(object)  # all at once: images hold many numbers
        boxed[~np.isfinite(value)] = None
        return boxed.tolist()
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)
